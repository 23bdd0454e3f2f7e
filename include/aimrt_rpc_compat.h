/*
 * aimrt_rpc_compat.h - the C structs through which an AimRT module and its host talk, with AimRT's names and layout.
 *
 * A Pkg file that was built against AimRT 0.10 to 1.7 and one that is built against this header are the same to the library. The
 * native interface is aimrt_rpc.h; the two headers may be included together, in either order. This one is for the C and C++ side
 * that keeps AimRT's names, and for programs that hand modules of theirs to the library.
 *
 * Rules of the contract
 *   Layout      there is no version and no size field: a struct never gains, loses or moves a field. 64-bit little-endian Linux.
 *   Handles     a block of functions and, last, `impl`, which is the first argument of each of them. No function is ever NULL.
 *   Views       borrowed for the call when passed in; a returned view belongs to the callee. {NULL, 0} is empty. Not NUL-terminated.
 *   Closures    taken over through ops->relocator, never by memcpy; see aimrt_function_base_t.
 *   Exceptions  never cross a function of these structs.
 *   Threads     every function may be called on any thread unless its comment says otherwise.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AIMRT_RPC_COMPAT_H_
#define AIMRT_RPC_COMPAT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Texts and buffers -------------------------------------------------------------------------------------------------- */

typedef struct aimrt_string_t {
  char *str;
  size_t len;
} aimrt_string_t;

typedef struct aimrt_string_array_t {
  aimrt_string_t *str_array;
  size_t len;
} aimrt_string_array_t;

typedef struct aimrt_string_view_t {
  const char *str;
  size_t len;
} aimrt_string_view_t;

typedef struct aimrt_string_view_array_t {
  const aimrt_string_view_t *str_array;
  size_t len;
} aimrt_string_view_array_t;

typedef struct aimrt_buffer_view_t {
  const void *data;
  size_t len;
} aimrt_buffer_view_t;

typedef struct aimrt_buffer_array_view_t {
  const aimrt_buffer_view_t *data;
  size_t len;
} aimrt_buffer_array_view_t;

typedef struct aimrt_buffer_t {
  void *data;
  size_t len;
} aimrt_buffer_t;

/* len buffers in an array with room for capacity. Readers skip empty buffers; an array without buffers is an empty message. */
typedef struct aimrt_buffer_array_t {
  aimrt_buffer_t *data;
  size_t len;
  size_t capacity;
} aimrt_buffer_array_t;

/* Gives a serializer its memory. A buffer stays where it is until release; the serializer may lower the len of one it got. */
typedef struct aimrt_buffer_array_allocator_t {
  /* Makes room for new_cap buffers and keeps those there are. False: nothing has changed. */
  bool (*reserve)(void *impl, aimrt_buffer_array_t *buffer_array, size_t new_cap);
  /* Appends a buffer of size bytes and gives it; {NULL, 0} when there is no memory. */
  aimrt_buffer_t (*allocate)(void *impl, aimrt_buffer_array_t *buffer_array, size_t size);
  /* Frees every buffer and the array, and zeroes it. */
  void (*release)(void *impl, aimrt_buffer_array_t *buffer_array);
  void *impl;
} aimrt_buffer_array_allocator_t;

typedef struct aimrt_buffer_array_with_allocator_t {
  aimrt_buffer_array_t *buffer_array;
  const aimrt_buffer_array_allocator_t *allocator;
} aimrt_buffer_array_with_allocator_t;

/* ---- Closures ----------------------------------------------------------------------------------------------------------- */

#define AIMRT_FUNCTION_LOCAL_BUF_SIZE (3 * sizeof(void *))

/* A closure: up to 24 bytes of state, and a table of one of the types below. ops == NULL is the empty closure. Who receives a
 * pointer to one and wants to keep it reads ops, sets the sender's ops to NULL and calls ops->relocator(theirs, mine) before it
 * returns; later it calls invoker as often as the contract allows and destroyer once. `object` is always &object_buf. */
typedef struct aimrt_function_base_t {
  unsigned char object_buf[AIMRT_FUNCTION_LOCAL_BUF_SIZE];
  const void *ops;
} aimrt_function_base_t;

struct aimrt_rpc_context_base_t;
struct aimrt_channel_context_base_t;

/* A task of an executor; invoked once. */
typedef struct aimrt_function_executor_task_ops_t {
  void (*invoker)(void *object);
  void (*relocator)(void *from_object, void *to_object);
  void (*destroyer)(void *object);
} aimrt_function_executor_task_ops_t;

/* The end of a call, told once: status is one of aimrt_rpc_status_code_t or any number a service chose. */
typedef struct aimrt_function_rpc_callback_ops_t {
  void (*invoker)(void *object, uint32_t status);
  void (*relocator)(void *from_object, void *to_object);
  void (*destroyer)(void *object);
} aimrt_function_rpc_callback_ops_t;

typedef aimrt_function_rpc_callback_ops_t aimrt_function_service_callback_ops_t;
typedef aimrt_function_rpc_callback_ops_t aimrt_function_client_callback_ops_t;

/* A service: takes callback over and invokes it once, on any thread, now or later; ctx, req and rsp live until then. */
typedef struct aimrt_function_service_func_ops_t {
  void (*invoker)(void *object, const struct aimrt_rpc_context_base_t *ctx, const void *req, void *rsp,
                  aimrt_function_base_t *callback);
  void (*relocator)(void *from_object, void *to_object);
  void (*destroyer)(void *object);
} aimrt_function_service_func_ops_t;

/* Ends a loan of a parameter's value; invoked once. */
typedef struct aimrt_function_parameter_val_release_callback_ops_t {
  void (*invoker)(void *object);
  void (*relocator)(void *from_object, void *to_object);
  void (*destroyer)(void *object);
} aimrt_function_parameter_val_release_callback_ops_t;

/* Ends a loan of a channel message; invoked once. */
typedef struct aimrt_function_subscriber_release_callback_ops_t {
  void (*invoker)(void *object);
  void (*relocator)(void *from_object, void *to_object);
  void (*destroyer)(void *object);
} aimrt_function_subscriber_release_callback_ops_t;

typedef struct aimrt_function_subscriber_callback_ops_t {
  void (*invoker)(void *object, const struct aimrt_channel_context_base_t *ctx, const void *msg,
                  aimrt_function_base_t *release_callback);
  void (*relocator)(void *from_object, void *to_object);
  void (*destroyer)(void *object);
} aimrt_function_subscriber_callback_ops_t;

/* ---- Messages ----------------------------------------------------------------------------------------------------------- */

/* How to make, free, copy and encode messages of one type. Lives as long as the process; safe for many messages at once, not
 * for one message on two threads. */
typedef struct aimrt_type_support_base_t {
  aimrt_string_view_t (*type_name)(void *impl);
  void *(*create)(void *impl);
  void (*destroy)(void *impl, void *msg);
  void (*copy)(void *impl, const void *from, void *to);
  void (*move)(void *impl, void *from, void *to);
  /* Appends the encoded message. False: another serialization, or a failure; the array may then hold a part. */
  bool (*serialize)(void *impl, aimrt_string_view_t serialization_type, const void *msg,
                    const aimrt_buffer_array_allocator_t *allocator, aimrt_buffer_array_t *buffer_array);
  bool (*deserialize)(void *impl, aimrt_string_view_t serialization_type, aimrt_buffer_array_view_t buffer_array_view, void *msg);
  size_t (*serialization_types_supported_num)(void *impl); /* at least 1 */
  const aimrt_string_view_t *(*serialization_types_supported_list)(void *impl); /* the first is the default */
  const void *(*custom_type_support_ptr)(void *impl);
  void *impl;
} aimrt_type_support_base_t;

/* ---- Logger ------------------------------------------------------------------------------------------------------------- */

typedef enum aimrt_log_level_t {
  AIMRT_LOG_LEVEL_TRACE = 0,
  AIMRT_LOG_LEVEL_DEBUG = 1,
  AIMRT_LOG_LEVEL_INFO = 2,
  AIMRT_LOG_LEVEL_WARN = 3,
  AIMRT_LOG_LEVEL_ERROR = 4,
  AIMRT_LOG_LEVEL_FATAL = 5,
  AIMRT_LOG_LEVEL_OFF = 6
} aimrt_log_level_t;

typedef struct aimrt_logger_base_t {
  aimrt_log_level_t (*get_log_level)(void *impl);
  /* file_name and function_name end in NUL, log_data need not. */
  void (*log)(void *impl, aimrt_log_level_t level, uint32_t line, const char *file_name, const char *function_name,
              const char *log_data, size_t log_data_size);
  void *impl;
} aimrt_logger_base_t;

/* ---- Configurator, allocator, parameters -------------------------------------------------------------------------------- */

typedef struct aimrt_configurator_base_t {
  aimrt_string_view_t (*config_file_path)(void *impl); /* empty = the module has no file */
  void *impl;
} aimrt_configurator_base_t;

typedef struct aimrt_allocator_base_t {
  /* Scratch memory of the calling thread; a larger request moves it. NULL above 16 MiB. */
  void *(*get_thread_local_buf)(void *impl, size_t buf_size);
  void *impl;
} aimrt_allocator_base_t;

/* The value of a parameter on loan: its reader moves release_callback out and invokes it. Both are empty for a missing key. */
typedef struct aimrt_parameter_val_view_holder_t {
  aimrt_string_view_t parameter_val;
  aimrt_function_base_t *release_callback;
} aimrt_parameter_val_view_holder_t;

typedef struct aimrt_parameter_handle_base_t {
  aimrt_parameter_val_view_holder_t (*get_parameter)(void *impl, aimrt_string_view_t key);
  void (*set_parameter)(void *impl, aimrt_string_view_t key, aimrt_string_view_t val); /* an empty value erases the key */
  void *impl;
} aimrt_parameter_handle_base_t;

/* ---- Executors ---------------------------------------------------------------------------------------------------------- */

typedef struct aimrt_executor_base_t {
  aimrt_string_view_t (*type)(void *impl);
  aimrt_string_view_t (*name)(void *impl);
  bool (*is_thread_safe)(void *impl);         /* true: never two tasks at once */
  bool (*is_in_current_executor)(void *impl); /* true only when the calling thread surely belongs to it */
  bool (*is_support_timer_schedule)(void *impl);
  void (*execute)(void *impl, aimrt_function_base_t *task);
  uint64_t (*now)(void *impl); /* ns since the Unix epoch */
  void (*execute_at_ns)(void *impl, uint64_t tp, aimrt_function_base_t *task);
  void *impl;
} aimrt_executor_base_t;

typedef struct aimrt_executor_manager_base_t {
  const aimrt_executor_base_t *(*get_executor)(void *impl, aimrt_string_view_t executor_name); /* NULL = no such name */
  void *impl;
} aimrt_executor_manager_base_t;

/* ---- RPC ---------------------------------------------------------------------------------------------------------------- */

#define AIMRT_RPC_CONTEXT_KEY_PREFIX "aimrt-"
#define AIMRT_RPC_CONTEXT_KEY_TO_ADDR "aimrt-to_addr"
#define AIMRT_RPC_CONTEXT_KEY_SERIALIZATION_TYPE "aimrt-serialization_type"
#define AIMRT_RPC_CONTEXT_KEY_FUNCTION_NAME "aimrt-function_name"
#define AIMRT_RPC_CONTEXT_KEY_BACKEND "aimrt-backend"
#define AIMRT_RPC_CONTEXT_KEY_REQUEST_ID "aimrt-request_id"
#define AIMRT_RPC_CONTEXT_KEY_RESPONSE_ID "aimrt-response_id"

typedef enum aimrt_rpc_context_type_t {
  AIMRT_RPC_CLIENT_CONTEXT = 0,
  AIMRT_RPC_SERVER_CONTEXT = 1
} aimrt_rpc_context_type_t;

typedef enum aimrt_rpc_status_code_t {
  AIMRT_RPC_STATUS_OK = 0,
  AIMRT_RPC_STATUS_UNKNOWN = 1,
  AIMRT_RPC_STATUS_TIMEOUT = 2,
  AIMRT_RPC_STATUS_SVR_UNKNOWN = 1000,
  AIMRT_RPC_STATUS_SVR_BACKEND_INTERNAL_ERROR = 1001,
  AIMRT_RPC_STATUS_SVR_NOT_IMPLEMENTED = 1002,
  AIMRT_RPC_STATUS_SVR_NOT_FOUND = 1003,
  AIMRT_RPC_STATUS_SVR_INVALID_SERIALIZATION_TYPE = 1004,
  AIMRT_RPC_STATUS_SVR_SERIALIZATION_FAILED = 1005,
  AIMRT_RPC_STATUS_SVR_INVALID_DESERIALIZATION_TYPE = 1006,
  AIMRT_RPC_STATUS_SVR_DESERIALIZATION_FAILED = 1007,
  AIMRT_RPC_STATUS_SVR_HANDLE_FAILED = 1008,
  AIMRT_RPC_STATUS_SVR_NOT_READY = 1009,
  AIMRT_RPC_STATUS_CLI_UNKNOWN = 2000,
  AIMRT_RPC_STATUS_CLI_FUNC_NOT_REGISTERED = 2001,
  AIMRT_RPC_STATUS_CLI_BACKEND_INTERNAL_ERROR = 2002,
  AIMRT_RPC_STATUS_CLI_INVALID_CONTEXT = 2003,
  AIMRT_RPC_STATUS_CLI_INVALID_ADDR = 2004,
  AIMRT_RPC_STATUS_CLI_INVALID_SERIALIZATION_TYPE = 2005,
  AIMRT_RPC_STATUS_CLI_SERIALIZATION_FAILED = 2006,
  AIMRT_RPC_STATUS_CLI_INVALID_DESERIALIZATION_TYPE = 2007,
  AIMRT_RPC_STATUS_CLI_DESERIALIZATION_FAILED = 2008,
  AIMRT_RPC_STATUS_CLI_NO_BACKEND_TO_HANDLE = 2009,
  AIMRT_RPC_STATUS_CLI_SEND_REQ_FAILED = 2010,
  AIMRT_RPC_STATUS_CLI_NOT_READY = 2011
} aimrt_rpc_status_code_t;

/* What may be asked of a context. One thread at a time. Views live until the next change of the context, those of the two
 * lists also only until the next list. */
typedef struct aimrt_rpc_context_base_ops_t {
  bool (*check_used)(void *impl);
  void (*set_used)(void *impl);
  aimrt_rpc_context_type_t (*get_type)(void *impl);
  uint64_t (*get_timeout_ns)(void *impl);
  void (*set_timeout_ns)(void *impl, uint64_t timeout);
  aimrt_string_view_t (*get_meta_val)(void *impl, aimrt_string_view_t key); /* empty = not there */
  void (*set_meta_val)(void *impl, aimrt_string_view_t key, aimrt_string_view_t val);
  aimrt_string_view_array_t (*get_meta_keys)(void *impl);
  aimrt_string_view_array_t (*get_meta_key_vals)(void *impl); /* key, value, key, value, ... */
} aimrt_rpc_context_base_ops_t;

typedef struct aimrt_rpc_context_base_t {
  const aimrt_rpc_context_base_ops_t *ops;
  void *impl;
} aimrt_rpc_context_base_t;

/* The rpc handle of one module. Methods are registered inside initialize; calls are made from start on. */
typedef struct aimrt_rpc_handle_base_t {
  /* Takes service_func over. False: refused, the log says why. */
  bool (*register_service_func)(void *impl, aimrt_string_view_t func_name, const void *custom_type_support_ptr,
                                const aimrt_type_support_base_t *req_type_support,
                                const aimrt_type_support_base_t *rsp_type_support, aimrt_function_base_t *service_func);
  bool (*register_client_func)(void *impl, aimrt_string_view_t func_name, const void *custom_type_support_ptr,
                               const aimrt_type_support_base_t *req_type_support,
                               const aimrt_type_support_base_t *rsp_type_support);
  /* Takes callback over and invokes it once, perhaps before this returns; ctx_ptr, req_ptr and rsp_ptr live until then. */
  void (*invoke)(void *impl, aimrt_string_view_t func_name, const aimrt_rpc_context_base_t *ctx_ptr, const void *req_ptr,
                 void *rsp_ptr, aimrt_function_base_t *callback);
  /* Copies the metadata that travels on from a call being served to one about to be made. */
  void (*merge_server_context_to_client_context)(void *impl, const aimrt_rpc_context_base_t *server_ctx,
                                                 const aimrt_rpc_context_base_t *client_ctx);
  void *impl;
} aimrt_rpc_handle_base_t;

/* ---- Channels ----------------------------------------------------------------------------------------------------------- */

#define AIMRT_CHANNEL_CONTEXT_KEY_PREFIX "aimrt-"
#define AIMRT_CHANNEL_CONTEXT_KEY_SERIALIZATION_TYPE "aimrt-serialization_type"
#define AIMRT_CHANNEL_CONTEXT_KEY_BACKEND "aimrt-backend"
#define AIMRT_CHANNEL_CONTEXT_KEY_TO_ADDR "aimrt-to_addr"
#define AIMRT_CHANNEL_CONTEXT_KEY_PUB_SEQ "aimrt-pub_seq"
#define AIMRT_CHANNEL_CONTEXT_KEY_PUB_TS "aimrt-pub_ts"

typedef enum aimrt_channel_context_type_t {
  AIMRT_CHANNEL_PUBLISHER_CONTEXT = 0,
  AIMRT_CHANNEL_SUBSCRIBER_CONTEXT = 1
} aimrt_channel_context_type_t;

typedef struct aimrt_channel_context_base_ops_t {
  bool (*check_used)(void *impl);
  void (*set_used)(void *impl);
  aimrt_channel_context_type_t (*get_type)(void *impl);
  aimrt_string_view_t (*get_meta_val)(void *impl, aimrt_string_view_t key);
  void (*set_meta_val)(void *impl, aimrt_string_view_t key, aimrt_string_view_t val);
  aimrt_string_view_array_t (*get_meta_keys)(void *impl);
  aimrt_string_view_array_t (*get_meta_key_vals)(void *impl);
} aimrt_channel_context_base_ops_t;

typedef struct aimrt_channel_context_base_t {
  const aimrt_channel_context_base_ops_t *ops;
  void *impl;
} aimrt_channel_context_base_t;

/* The library accepts publishers and subscribers and drops what is published; the first message of a topic is logged. */
typedef struct aimrt_channel_publisher_base_t {
  bool (*register_publish_type)(void *impl, const aimrt_type_support_base_t *msg_type_support);
  void (*publish)(void *impl, aimrt_string_view_t msg_type, const aimrt_channel_context_base_t *ctx_ptr, const void *msg);
  aimrt_string_view_t (*get_topic)(void *impl);
  void (*merge_subscribe_context_to_publish_context)(void *impl, const aimrt_channel_context_base_t *subscribe_ctx,
                                                     const aimrt_channel_context_base_t *publish_ctx);
  void *impl;
} aimrt_channel_publisher_base_t;

typedef struct aimrt_channel_subscriber_base_t {
  bool (*subscribe)(void *impl, const aimrt_type_support_base_t *msg_type_support, aimrt_function_base_t *callback);
  aimrt_string_view_t (*get_topic)(void *impl);
  void *impl;
} aimrt_channel_subscriber_base_t;

typedef struct aimrt_channel_handle_base_t {
  const aimrt_channel_publisher_base_t *(*get_publisher)(void *impl, aimrt_string_view_t topic);
  const aimrt_channel_subscriber_base_t *(*get_subscriber)(void *impl, aimrt_string_view_t topic);
  void (*merge_subscribe_context_to_publish_context)(void *impl, const aimrt_channel_context_base_t *subscribe_ctx,
                                                     const aimrt_channel_context_base_t *publish_ctx);
  void *impl;
} aimrt_channel_handle_base_t;

/* ---- Modules ------------------------------------------------------------------------------------------------------------ */

typedef struct aimrt_module_info_t {
  aimrt_string_view_t name;
  uint32_t major_version;
  uint32_t minor_version;
  uint32_t patch_version;
  uint32_t build_version;
  aimrt_string_view_t author;
  aimrt_string_view_t description;
} aimrt_module_info_t;

/* What a module gets from its host: one per module, the same pointers each time, valid until the process ends. */
typedef struct aimrt_core_base_t {
  aimrt_module_info_t (*info)(void *impl);
  const aimrt_configurator_base_t *(*configurator)(void *impl);
  const aimrt_executor_manager_base_t *(*executor_manager)(void *impl);
  const aimrt_logger_base_t *(*logger)(void *impl);
  const aimrt_allocator_base_t *(*allocator_handle)(void *impl);
  const aimrt_rpc_handle_base_t *(*rpc_handle)(void *impl);
  const aimrt_channel_handle_base_t *(*channel_handle)(void *impl);
  const aimrt_parameter_handle_base_t *(*parameter_handle)(void *impl);
  void *impl;
} aimrt_core_base_t;

/* A module. initialize and start come once each, on the thread that runs that phase, shutdown once, in the reverse order. */
typedef struct aimrt_module_base_t {
  aimrt_module_info_t (*info)(void *impl);
  bool (*initialize)(void *impl, const aimrt_core_base_t *core);
  bool (*start)(void *impl);
  void (*shutdown)(void *impl);
  void *impl;
} aimrt_module_base_t;

/* ---- Pkg files ---------------------------------------------------------------------------------------------------------- */

#if defined(__GNUC__)
#define AIMRT_RPC_COMPAT_PKG_EXPORT __attribute__((visibility("default")))
#else
#define AIMRT_RPC_COMPAT_PKG_EXPORT
#endif

/* The four functions a Pkg file must define; the library finds them by name. The names live as long as the file is loaded. */
AIMRT_RPC_COMPAT_PKG_EXPORT size_t AimRTDynlibGetModuleNum(void);
AIMRT_RPC_COMPAT_PKG_EXPORT const aimrt_string_view_t *AimRTDynlibGetModuleNameList(void);
AIMRT_RPC_COMPAT_PKG_EXPORT const aimrt_module_base_t *AimRTDynlibCreateModule(aimrt_string_view_t module_name);
AIMRT_RPC_COMPAT_PKG_EXPORT void AimRTDynlibDestroyModule(const aimrt_module_base_t *module_ptr);

#ifdef __cplusplus
}
#endif

#endif /* AIMRT_RPC_COMPAT_H_ */
