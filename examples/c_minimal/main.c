/* Serves one method and calls it over http, in one process. Argument: the port, default 50080. */
#include <aimrt_rpc.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "pb:/example.Shouter/Shout";
static const char yaml[] =
    "aimrt: {plugin: {plugins: [{name: net_plugin, options: {http_options: {listen_ip: 127.0.0.1, listen_port: %s}}}]},\n"
    "  rpc: {backends: [{type: http, options: {clients_options: [{func_name: '.*', server_url: 'http://127.0.0.1:%s'}]}}],\n"
    "        clients_options: [{func_name: '.*', enable_backends: [http]}],\n"
    "        servers_options: [{func_name: '.*', enable_backends: [http]}]}}\n";

static aimrt_rpc_str_t text(const char *s) { return (aimrt_rpc_str_t){s, strlen(s)}; }

static aimrt_rpc_error_t error; /* of the latest function; freed when it has been said */

static int check(const char *what, aimrt_rpc_result_t result) {
  if (result == AIMRT_RPC_RESULT_OK) return 1;
  const aimrt_rpc_str_t why = aimrt_rpc_error_message(error);
  fprintf(stderr, "%s: %s: %.*s\n", what, aimrt_rpc_result_string(result), (int)why.size, why.data);
  aimrt_rpc_error_free(error);
  return 0;
}

static void shout(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  uint8_t answer[256];
  const size_t size = request->payload.bytes.size < sizeof answer ? request->payload.bytes.size : sizeof answer;
  for (size_t i = 0; i < size; ++i) {
    const uint8_t c = request->payload.bytes.data[i];
    answer[i] = c >= 'a' && c <= 'z' ? (uint8_t)(c - 32) : c;
  }
  const aimrt_rpc_payload_t response = {{answer, size}, {NULL, 0}, NULL};
  aimrt_rpc_call_finish(call, NULL, &response, NULL);
}

static int run(aimrt_rpc_runtime_t runtime) {
  aimrt_rpc_module_t module = 0;
  aimrt_rpc_method_t method = 0;
  aimrt_rpc_call_t call = 0;
  aimrt_rpc_code_t code = AIMRT_RPC_CODE_UNKNOWN;
  aimrt_rpc_module_options_t me = AIMRT_RPC_MODULE_OPTIONS_INIT;
  aimrt_rpc_service_options_t served = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  aimrt_rpc_client_options_t called = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  aimrt_rpc_outcome_t outcome = {.struct_size = sizeof outcome};

  me.name = text("shouter");
  served.name = called.name = text(name);
  served.handler = shout;
  options.request.bytes = (aimrt_rpc_bytes_t){(const uint8_t *)"hello over http", 15};

  if (!check("initialize", aimrt_rpc_runtime_initialize(runtime, &error))) return 1;
  if (!check("module", aimrt_rpc_module_create(runtime, &me, &module, &error))) return 1;
  const aimrt_rpc_handle_t handle = aimrt_rpc_module_rpc_handle(module);
  if (!check("serve", aimrt_rpc_handle_register_service(handle, &served, NULL, &error))) return 1;
  if (!check("client", aimrt_rpc_handle_register_client(handle, &called, &method, &error))) return 1;
  if (!check("start", aimrt_rpc_runtime_start_async(runtime, 0, &error))) return 1;
  if (!check("call", aimrt_rpc_call_invoke(method, &options, &code, &call, &error))) return 1;
  if (!check("outcome", aimrt_rpc_call_outcome(call, &outcome, &error))) return 1;
  printf("code %u (%.*s) from %.*s: %.*s\n", (unsigned)code, (int)outcome.message.size, outcome.message.data,
         (int)outcome.peer.size, outcome.peer.data, (int)outcome.response.bytes.size,
         (const char *)outcome.response.bytes.data);
  aimrt_rpc_call_release(call);
  return code == AIMRT_RPC_CODE_OK ? 0 : 1;
}

int main(int argc, char **argv) {
  const char *port = argc > 1 ? argv[1] : "50080";
  char config[1024];
  snprintf(config, sizeof config, yaml, port, port);

  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  aimrt_rpc_runtime_t runtime = 0;
  options.config_text = text(config);
  if (!check("create", aimrt_rpc_runtime_create(&options, &runtime, &error))) return 1;
  const int code = run(runtime);
  aimrt_rpc_runtime_release(runtime); /* shuts down first */
  return code;
}
