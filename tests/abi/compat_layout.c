/* The binary contract of AimRT's structs: what aimrt_rpc_compat.h declares lies where a Pkg file expects it. The numbers are those of
 * AimRT 0.10 to 1.7, equal on x86-64 and aarch64. Compiling is the test, natively and for the other machine, as C and as C++.
 * SPDX-License-Identifier: Apache-2.0 */
#ifdef COMPAT_AFTER_NATIVE
#include "aimrt_rpc.h"
#endif
#include "aimrt_rpc_compat.h"
#include "aimrt_rpc.h"
#include "aimrt_rpc_compat.h"

#ifdef __cplusplus
#define STATIC_ASSERT static_assert
#define ALIGN_OF alignof
#else
#define STATIC_ASSERT _Static_assert
#define ALIGN_OF _Alignof
#endif

#define LAYOUT_FACTS 171
#define LAYOUT_STRUCTS 36

/* clang-format off */
#define LAYOUT(SIZE, FIELD) \
  SIZE(aimrt_string_t, 16) \
  FIELD(aimrt_string_t, str, 0) \
  FIELD(aimrt_string_t, len, 8) \
  SIZE(aimrt_string_array_t, 16) \
  FIELD(aimrt_string_array_t, str_array, 0) \
  FIELD(aimrt_string_array_t, len, 8) \
  SIZE(aimrt_string_view_t, 16) \
  FIELD(aimrt_string_view_t, str, 0) \
  FIELD(aimrt_string_view_t, len, 8) \
  SIZE(aimrt_string_view_array_t, 16) \
  FIELD(aimrt_string_view_array_t, str_array, 0) \
  FIELD(aimrt_string_view_array_t, len, 8) \
  SIZE(aimrt_buffer_view_t, 16) \
  FIELD(aimrt_buffer_view_t, data, 0) \
  FIELD(aimrt_buffer_view_t, len, 8) \
  SIZE(aimrt_buffer_array_view_t, 16) \
  FIELD(aimrt_buffer_array_view_t, data, 0) \
  FIELD(aimrt_buffer_array_view_t, len, 8) \
  SIZE(aimrt_buffer_t, 16) \
  FIELD(aimrt_buffer_t, data, 0) \
  FIELD(aimrt_buffer_t, len, 8) \
  SIZE(aimrt_buffer_array_t, 24) \
  FIELD(aimrt_buffer_array_t, data, 0) \
  FIELD(aimrt_buffer_array_t, len, 8) \
  FIELD(aimrt_buffer_array_t, capacity, 16) \
  SIZE(aimrt_buffer_array_allocator_t, 32) \
  FIELD(aimrt_buffer_array_allocator_t, reserve, 0) \
  FIELD(aimrt_buffer_array_allocator_t, allocate, 8) \
  FIELD(aimrt_buffer_array_allocator_t, release, 16) \
  FIELD(aimrt_buffer_array_allocator_t, impl, 24) \
  SIZE(aimrt_buffer_array_with_allocator_t, 16) \
  FIELD(aimrt_buffer_array_with_allocator_t, buffer_array, 0) \
  FIELD(aimrt_buffer_array_with_allocator_t, allocator, 8) \
  SIZE(aimrt_function_base_t, 32) \
  FIELD(aimrt_function_base_t, object_buf, 0) \
  FIELD(aimrt_function_base_t, ops, 24) \
  SIZE(aimrt_function_executor_task_ops_t, 24) \
  FIELD(aimrt_function_executor_task_ops_t, invoker, 0) \
  FIELD(aimrt_function_executor_task_ops_t, relocator, 8) \
  FIELD(aimrt_function_executor_task_ops_t, destroyer, 16) \
  SIZE(aimrt_function_rpc_callback_ops_t, 24) \
  FIELD(aimrt_function_rpc_callback_ops_t, invoker, 0) \
  FIELD(aimrt_function_rpc_callback_ops_t, relocator, 8) \
  FIELD(aimrt_function_rpc_callback_ops_t, destroyer, 16) \
  SIZE(aimrt_function_service_func_ops_t, 24) \
  FIELD(aimrt_function_service_func_ops_t, invoker, 0) \
  FIELD(aimrt_function_service_func_ops_t, relocator, 8) \
  FIELD(aimrt_function_service_func_ops_t, destroyer, 16) \
  SIZE(aimrt_function_parameter_val_release_callback_ops_t, 24) \
  FIELD(aimrt_function_parameter_val_release_callback_ops_t, invoker, 0) \
  FIELD(aimrt_function_parameter_val_release_callback_ops_t, relocator, 8) \
  FIELD(aimrt_function_parameter_val_release_callback_ops_t, destroyer, 16) \
  SIZE(aimrt_function_subscriber_release_callback_ops_t, 24) \
  FIELD(aimrt_function_subscriber_release_callback_ops_t, invoker, 0) \
  FIELD(aimrt_function_subscriber_release_callback_ops_t, relocator, 8) \
  FIELD(aimrt_function_subscriber_release_callback_ops_t, destroyer, 16) \
  SIZE(aimrt_function_subscriber_callback_ops_t, 24) \
  FIELD(aimrt_function_subscriber_callback_ops_t, invoker, 0) \
  FIELD(aimrt_function_subscriber_callback_ops_t, relocator, 8) \
  FIELD(aimrt_function_subscriber_callback_ops_t, destroyer, 16) \
  SIZE(aimrt_type_support_base_t, 88) \
  FIELD(aimrt_type_support_base_t, type_name, 0) \
  FIELD(aimrt_type_support_base_t, create, 8) \
  FIELD(aimrt_type_support_base_t, destroy, 16) \
  FIELD(aimrt_type_support_base_t, copy, 24) \
  FIELD(aimrt_type_support_base_t, move, 32) \
  FIELD(aimrt_type_support_base_t, serialize, 40) \
  FIELD(aimrt_type_support_base_t, deserialize, 48) \
  FIELD(aimrt_type_support_base_t, serialization_types_supported_num, 56) \
  FIELD(aimrt_type_support_base_t, serialization_types_supported_list, 64) \
  FIELD(aimrt_type_support_base_t, custom_type_support_ptr, 72) \
  FIELD(aimrt_type_support_base_t, impl, 80) \
  SIZE(aimrt_module_info_t, 64) \
  FIELD(aimrt_module_info_t, name, 0) \
  FIELD(aimrt_module_info_t, major_version, 16) \
  FIELD(aimrt_module_info_t, minor_version, 20) \
  FIELD(aimrt_module_info_t, patch_version, 24) \
  FIELD(aimrt_module_info_t, build_version, 28) \
  FIELD(aimrt_module_info_t, author, 32) \
  FIELD(aimrt_module_info_t, description, 48) \
  SIZE(aimrt_core_base_t, 72) \
  FIELD(aimrt_core_base_t, info, 0) \
  FIELD(aimrt_core_base_t, configurator, 8) \
  FIELD(aimrt_core_base_t, executor_manager, 16) \
  FIELD(aimrt_core_base_t, logger, 24) \
  FIELD(aimrt_core_base_t, allocator_handle, 32) \
  FIELD(aimrt_core_base_t, rpc_handle, 40) \
  FIELD(aimrt_core_base_t, channel_handle, 48) \
  FIELD(aimrt_core_base_t, parameter_handle, 56) \
  FIELD(aimrt_core_base_t, impl, 64) \
  SIZE(aimrt_module_base_t, 40) \
  FIELD(aimrt_module_base_t, info, 0) \
  FIELD(aimrt_module_base_t, initialize, 8) \
  FIELD(aimrt_module_base_t, start, 16) \
  FIELD(aimrt_module_base_t, shutdown, 24) \
  FIELD(aimrt_module_base_t, impl, 32) \
  SIZE(aimrt_configurator_base_t, 16) \
  FIELD(aimrt_configurator_base_t, config_file_path, 0) \
  FIELD(aimrt_configurator_base_t, impl, 8) \
  SIZE(aimrt_executor_manager_base_t, 16) \
  FIELD(aimrt_executor_manager_base_t, get_executor, 0) \
  FIELD(aimrt_executor_manager_base_t, impl, 8) \
  SIZE(aimrt_executor_base_t, 72) \
  FIELD(aimrt_executor_base_t, type, 0) \
  FIELD(aimrt_executor_base_t, name, 8) \
  FIELD(aimrt_executor_base_t, is_thread_safe, 16) \
  FIELD(aimrt_executor_base_t, is_in_current_executor, 24) \
  FIELD(aimrt_executor_base_t, is_support_timer_schedule, 32) \
  FIELD(aimrt_executor_base_t, execute, 40) \
  FIELD(aimrt_executor_base_t, now, 48) \
  FIELD(aimrt_executor_base_t, execute_at_ns, 56) \
  FIELD(aimrt_executor_base_t, impl, 64) \
  SIZE(aimrt_logger_base_t, 24) \
  FIELD(aimrt_logger_base_t, get_log_level, 0) \
  FIELD(aimrt_logger_base_t, log, 8) \
  FIELD(aimrt_logger_base_t, impl, 16) \
  SIZE(aimrt_allocator_base_t, 16) \
  FIELD(aimrt_allocator_base_t, get_thread_local_buf, 0) \
  FIELD(aimrt_allocator_base_t, impl, 8) \
  SIZE(aimrt_parameter_handle_base_t, 24) \
  FIELD(aimrt_parameter_handle_base_t, get_parameter, 0) \
  FIELD(aimrt_parameter_handle_base_t, set_parameter, 8) \
  FIELD(aimrt_parameter_handle_base_t, impl, 16) \
  SIZE(aimrt_parameter_val_view_holder_t, 24) \
  FIELD(aimrt_parameter_val_view_holder_t, parameter_val, 0) \
  FIELD(aimrt_parameter_val_view_holder_t, release_callback, 16) \
  SIZE(aimrt_rpc_context_base_t, 16) \
  FIELD(aimrt_rpc_context_base_t, ops, 0) \
  FIELD(aimrt_rpc_context_base_t, impl, 8) \
  SIZE(aimrt_rpc_context_base_ops_t, 72) \
  FIELD(aimrt_rpc_context_base_ops_t, check_used, 0) \
  FIELD(aimrt_rpc_context_base_ops_t, set_used, 8) \
  FIELD(aimrt_rpc_context_base_ops_t, get_type, 16) \
  FIELD(aimrt_rpc_context_base_ops_t, get_timeout_ns, 24) \
  FIELD(aimrt_rpc_context_base_ops_t, set_timeout_ns, 32) \
  FIELD(aimrt_rpc_context_base_ops_t, get_meta_val, 40) \
  FIELD(aimrt_rpc_context_base_ops_t, set_meta_val, 48) \
  FIELD(aimrt_rpc_context_base_ops_t, get_meta_keys, 56) \
  FIELD(aimrt_rpc_context_base_ops_t, get_meta_key_vals, 64) \
  SIZE(aimrt_rpc_handle_base_t, 40) \
  FIELD(aimrt_rpc_handle_base_t, register_service_func, 0) \
  FIELD(aimrt_rpc_handle_base_t, register_client_func, 8) \
  FIELD(aimrt_rpc_handle_base_t, invoke, 16) \
  FIELD(aimrt_rpc_handle_base_t, merge_server_context_to_client_context, 24) \
  FIELD(aimrt_rpc_handle_base_t, impl, 32) \
  SIZE(aimrt_channel_context_base_t, 16) \
  FIELD(aimrt_channel_context_base_t, ops, 0) \
  FIELD(aimrt_channel_context_base_t, impl, 8) \
  SIZE(aimrt_channel_context_base_ops_t, 56) \
  FIELD(aimrt_channel_context_base_ops_t, check_used, 0) \
  FIELD(aimrt_channel_context_base_ops_t, set_used, 8) \
  FIELD(aimrt_channel_context_base_ops_t, get_type, 16) \
  FIELD(aimrt_channel_context_base_ops_t, get_meta_val, 24) \
  FIELD(aimrt_channel_context_base_ops_t, set_meta_val, 32) \
  FIELD(aimrt_channel_context_base_ops_t, get_meta_keys, 40) \
  FIELD(aimrt_channel_context_base_ops_t, get_meta_key_vals, 48) \
  SIZE(aimrt_channel_handle_base_t, 32) \
  FIELD(aimrt_channel_handle_base_t, get_publisher, 0) \
  FIELD(aimrt_channel_handle_base_t, get_subscriber, 8) \
  FIELD(aimrt_channel_handle_base_t, merge_subscribe_context_to_publish_context, 16) \
  FIELD(aimrt_channel_handle_base_t, impl, 24) \
  SIZE(aimrt_channel_publisher_base_t, 40) \
  FIELD(aimrt_channel_publisher_base_t, register_publish_type, 0) \
  FIELD(aimrt_channel_publisher_base_t, publish, 8) \
  FIELD(aimrt_channel_publisher_base_t, get_topic, 16) \
  FIELD(aimrt_channel_publisher_base_t, merge_subscribe_context_to_publish_context, 24) \
  FIELD(aimrt_channel_publisher_base_t, impl, 32) \
  SIZE(aimrt_channel_subscriber_base_t, 24) \
  FIELD(aimrt_channel_subscriber_base_t, subscribe, 0) \
  FIELD(aimrt_channel_subscriber_base_t, get_topic, 8) \
  FIELD(aimrt_channel_subscriber_base_t, impl, 16)
/* clang-format on */

#define ONE_SIZE(type, size) +1
#define ONE_FIELD(type, field, offset) +1
#define NO_FIELD(type, field, offset)
STATIC_ASSERT((0 LAYOUT(ONE_SIZE, ONE_FIELD)) == LAYOUT_FACTS, "every fact of the table stands here");
STATIC_ASSERT((0 LAYOUT(ONE_SIZE, NO_FIELD)) == LAYOUT_STRUCTS, "every struct of the table stands here");

#define CHECK_SIZE(type, size) STATIC_ASSERT(sizeof(type) == (size) && ALIGN_OF(type) == 8, "size of " #type);
#define CHECK_FIELD(type, field, offset) STATIC_ASSERT(offsetof(type, field) == (offset), "offset of " #type "." #field);
LAYOUT(CHECK_SIZE, CHECK_FIELD)

#define CHECK_VALUE(name, value) STATIC_ASSERT((int)(name) == (value), "value of " #name);
CHECK_VALUE(AIMRT_LOG_LEVEL_TRACE, 0)
CHECK_VALUE(AIMRT_LOG_LEVEL_DEBUG, 1)
CHECK_VALUE(AIMRT_LOG_LEVEL_INFO, 2)
CHECK_VALUE(AIMRT_LOG_LEVEL_WARN, 3)
CHECK_VALUE(AIMRT_LOG_LEVEL_ERROR, 4)
CHECK_VALUE(AIMRT_LOG_LEVEL_FATAL, 5)
CHECK_VALUE(AIMRT_LOG_LEVEL_OFF, 6)
CHECK_VALUE(AIMRT_RPC_CLIENT_CONTEXT, 0)
CHECK_VALUE(AIMRT_RPC_SERVER_CONTEXT, 1)
CHECK_VALUE(AIMRT_CHANNEL_PUBLISHER_CONTEXT, 0)
CHECK_VALUE(AIMRT_CHANNEL_SUBSCRIBER_CONTEXT, 1)
STATIC_ASSERT(sizeof(aimrt_log_level_t) == 4 && sizeof(aimrt_rpc_context_type_t) == 4, "an enum is a 4-byte integer");
STATIC_ASSERT(sizeof(aimrt_channel_context_type_t) == 4 && sizeof(aimrt_rpc_status_code_t) == 4, "an enum is a 4-byte integer");
STATIC_ASSERT(sizeof(bool) == 1 && sizeof(size_t) == 8 && sizeof(void *) == 8, "a 64-bit machine");

#define SAME_CODE(name) STATIC_ASSERT((uint32_t)AIMRT_RPC_STATUS_##name == AIMRT_RPC_CODE_##name, "both headers number " #name " alike");
SAME_CODE(OK)
SAME_CODE(UNKNOWN)
SAME_CODE(TIMEOUT)
SAME_CODE(SVR_UNKNOWN)
SAME_CODE(SVR_BACKEND_INTERNAL_ERROR)
SAME_CODE(SVR_NOT_IMPLEMENTED)
SAME_CODE(SVR_NOT_FOUND)
SAME_CODE(SVR_INVALID_SERIALIZATION_TYPE)
SAME_CODE(SVR_SERIALIZATION_FAILED)
SAME_CODE(SVR_INVALID_DESERIALIZATION_TYPE)
SAME_CODE(SVR_DESERIALIZATION_FAILED)
SAME_CODE(SVR_HANDLE_FAILED)
SAME_CODE(SVR_NOT_READY)
SAME_CODE(CLI_UNKNOWN)
SAME_CODE(CLI_FUNC_NOT_REGISTERED)
SAME_CODE(CLI_BACKEND_INTERNAL_ERROR)
SAME_CODE(CLI_INVALID_CONTEXT)
SAME_CODE(CLI_INVALID_ADDR)
SAME_CODE(CLI_INVALID_SERIALIZATION_TYPE)
SAME_CODE(CLI_SERIALIZATION_FAILED)
SAME_CODE(CLI_INVALID_DESERIALIZATION_TYPE)
SAME_CODE(CLI_DESERIALIZATION_FAILED)
SAME_CODE(CLI_NO_BACKEND_TO_HANDLE)
SAME_CODE(CLI_SEND_REQ_FAILED)
SAME_CODE(CLI_NOT_READY)
