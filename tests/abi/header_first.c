/* Our header before AimRT's names, and a second time; header_second.c includes them the other way round in the same program. */
#include "aimrt_rpc.h"
#include "aimrt_names.h"
#include "aimrt_rpc.h"

uint32_t header_first(void);

uint32_t header_first(void) {
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  aimrt_rpc_module_options_t module = AIMRT_RPC_MODULE_OPTIONS_INIT;
  aimrt_rpc_service_options_t service = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  aimrt_rpc_client_options_t client = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  aimrt_rpc_call_options_t call = AIMRT_RPC_CALL_OPTIONS_INIT;
  aimrt_rpc_status_t status = AIMRT_RPC_CALL_STATUS_INIT;
  aimrt_rpc_host_executor_options_t host = AIMRT_RPC_HOST_EXECUTOR_OPTIONS_INIT;
  return options.struct_size + module.struct_size + service.struct_size + client.struct_size + call.struct_size + status.struct_size +
         host.struct_size + (uint32_t)AIMRT_RPC_SERVER_CONTEXT;
}
