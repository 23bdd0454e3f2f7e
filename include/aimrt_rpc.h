/*
 * aimrt_rpc.h - C ABI of libaimrt_rpc, an RPC runtime for C, C++, Python and Go modules in one process and across the network.
 *
 * This file is the authority: what it does not declare does not exist for users, and its comments are the reference manual.
 *
 * Conventions
 *   Handles     64-bit integers, 0 = none. A stale or wrong-kind handle is answered with AIMRT_RPC_RESULT_INVALID_HANDLE.
 *   Views       aimrt_rpc_str_t and aimrt_rpc_bytes_t borrow memory for the duration of the call unless a comment says longer.
 *   Ownership   one word per pointer or handle parameter: borrowed, transferred, owned (then the releasing function is named).
 *   Failure     aimrt_rpc_result_t says whether a function of this header did its job; aimrt_rpc_code_t says how a remote call
 *               ended. A failed function leaves every output zeroed and the object as it was.
 *   Growth      options structs begin with struct_size, set by their _INIT macro. Missing fields take their default; non-zero
 *               bytes beyond what the library knows are refused. Reserved fields must be zero.
 *   fork()      after fork() without exec, every function fails at once with AIMRT_RPC_RESULT_FORKED in the child.
 *   Callbacks   each fires exactly once per operation, also on cancel and on shutdown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AIMRT_RPC_H_
#define AIMRT_RPC_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version ------------------------------------------------------------------------------------------------------------ */

#define AIMRT_RPC_VERSION_MAJOR 0
#define AIMRT_RPC_VERSION_MINOR 1
#define AIMRT_RPC_VERSION_PATCH 0
#define AIMRT_RPC_VERSION_NUMBER (AIMRT_RPC_VERSION_MAJOR * 1000000 + AIMRT_RPC_VERSION_MINOR * 1000 + AIMRT_RPC_VERSION_PATCH)
/* One integer for the whole ABI; equal to the number in the soname libaimrt_rpc.so.1. */
#define AIMRT_RPC_ABI_VERSION 1

#if defined(__GNUC__)
#define AIMRT_RPC_API __attribute__((visibility("default")))
#else
#define AIMRT_RPC_API
#endif

/* ---- Handles ------------------------------------------------------------------------------------------------------------ */

typedef uint64_t aimrt_rpc_runtime_t;
typedef uint64_t aimrt_rpc_module_t;
typedef uint64_t aimrt_rpc_handle_t;   /* the rpc handle of one module: registration of services and clients */
typedef uint64_t aimrt_rpc_method_t;   /* a method this module may call */
typedef uint64_t aimrt_rpc_service_t;  /* a method this module serves */
typedef uint64_t aimrt_rpc_context_t;
typedef uint64_t aimrt_rpc_call_t;     /* a client call, or the server side of one (two kinds, one type) */
typedef uint64_t aimrt_rpc_queue_t;
typedef uint64_t aimrt_rpc_executor_t;
typedef uint64_t aimrt_rpc_timer_t;    /* a task posted for later */
typedef uint64_t aimrt_rpc_error_t;    /* why a function of this header failed */
typedef uint64_t aimrt_rpc_connection_t; /* one link to a peer */
typedef uint64_t aimrt_rpc_router_t;   /* what one end of a connection serves, by path */
typedef uint64_t aimrt_rpc_listener_t; /* accepts connections */
typedef uint64_t aimrt_rpc_filter_t;   /* a call on its way through one filter */

/* Kinds of handles, for aimrt_rpc_live_count and for reading the top byte of a handle. STREAM and TASK are assigned to
 * nouns which a later minor version adds. */
#define AIMRT_RPC_KIND_ANY 0u
#define AIMRT_RPC_KIND_RUNTIME 1u
#define AIMRT_RPC_KIND_MODULE 2u
#define AIMRT_RPC_KIND_RPC_HANDLE 3u
#define AIMRT_RPC_KIND_METHOD 4u
#define AIMRT_RPC_KIND_SERVICE 5u
#define AIMRT_RPC_KIND_CONTEXT 6u
#define AIMRT_RPC_KIND_CALL 7u
#define AIMRT_RPC_KIND_SERVER_CALL 8u
#define AIMRT_RPC_KIND_QUEUE 9u
#define AIMRT_RPC_KIND_EXECUTOR 10u
#define AIMRT_RPC_KIND_TIMER 11u
#define AIMRT_RPC_KIND_ERROR 12u
#define AIMRT_RPC_KIND_STREAM 13u
#define AIMRT_RPC_KIND_CONNECTION 14u
#define AIMRT_RPC_KIND_FILTER 15u
#define AIMRT_RPC_KIND_TASK 16u
#define AIMRT_RPC_KIND_ROUTER 17u
#define AIMRT_RPC_KIND_LISTENER 18u

/* ---- Views and buffers -------------------------------------------------------------------------------------------------- */

/* UTF-8 text, not NUL-terminated; {NULL, 0} is the empty text. */
typedef struct aimrt_rpc_str_t {
  const char *data;
  size_t size;
} aimrt_rpc_str_t;

/* Any bytes; {NULL, 0} is the empty sequence. */
typedef struct aimrt_rpc_bytes_t {
  const uint8_t *data;
  size_t size;
} aimrt_rpc_bytes_t;

/* One metadata entry or one key/value detail. */
typedef struct aimrt_rpc_pair_t {
  aimrt_rpc_str_t key;
  aimrt_rpc_str_t value;
} aimrt_rpc_pair_t;

/* Bytes owned by the caller; give back with aimrt_rpc_buffer_release. token belongs to the library. */
typedef struct aimrt_rpc_buffer_t {
  uint8_t *data;
  size_t size;
  uint64_t token;
} aimrt_rpc_buffer_t;

/* A message on its way: bytes of a serialization, or a native message of a method registered with type support. */
typedef struct aimrt_rpc_payload_t {
  aimrt_rpc_bytes_t bytes;       /* the encoded message; ignored when message is not NULL */
  aimrt_rpc_str_t serialization; /* "pb", "json", ...; empty = the context's, else the method's first */
  void *message;                 /* native message, NULL for raw methods */
} aimrt_rpc_payload_t;

/* ---- Results: did a function of this header do its job ------------------------------------------------------------------ */

typedef int32_t aimrt_rpc_result_t;

#define AIMRT_RPC_RESULT_OK 0
#define AIMRT_RPC_RESULT_INVALID_HANDLE (-1)   /* zero, stale, or of another kind */
#define AIMRT_RPC_RESULT_INVALID_ARGUMENT (-2) /* a NULL, a size, a text or an option that cannot be meant */
#define AIMRT_RPC_RESULT_INVALID_STATE (-3)    /* not in this state of the runtime's life cycle */
#define AIMRT_RPC_RESULT_NOT_FOUND (-4)
#define AIMRT_RPC_RESULT_ALREADY_EXISTS (-5)
#define AIMRT_RPC_RESULT_LIMIT (-6)       /* a named limit is reached */
#define AIMRT_RPC_RESULT_TIMEOUT (-7)     /* a wait ended before what it waited for */
#define AIMRT_RPC_RESULT_LOST (-8)        /* the call had ended before this finish; nothing was delivered */
#define AIMRT_RPC_RESULT_CONFIG (-9)      /* the configuration is not usable; the error names file, line and option */
#define AIMRT_RPC_RESULT_IO (-10)         /* the operating system refused; the error carries its text */
#define AIMRT_RPC_RESULT_FORKED (-11)     /* called in a child of fork(); use spawn, or fork before loading */
#define AIMRT_RPC_RESULT_PANIC (-12)      /* a fault inside the library was contained; the object stays usable */
#define AIMRT_RPC_RESULT_UNSUPPORTED (-13)
#define AIMRT_RPC_RESULT_DEADLOCK (-14)   /* a blocking call from the one thread that would have to serve it */
#define AIMRT_RPC_RESULT_MODULE (-15)     /* a module's initialize or start refused */
#define AIMRT_RPC_RESULT_OUT_OF_MEMORY (-16)

/* ---- Codes: how a call ended -------------------------------------------------------------------------------------------- */

typedef uint32_t aimrt_rpc_code_t;

/* The numbers below 3000 are AimRT's. Every other number a service returns travels unchanged. */
#define AIMRT_RPC_CODE_OK 0u
#define AIMRT_RPC_CODE_UNKNOWN 1u
#define AIMRT_RPC_CODE_TIMEOUT 2u
#define AIMRT_RPC_CODE_SVR_UNKNOWN 1000u
#define AIMRT_RPC_CODE_SVR_BACKEND_INTERNAL_ERROR 1001u
#define AIMRT_RPC_CODE_SVR_NOT_IMPLEMENTED 1002u
#define AIMRT_RPC_CODE_SVR_NOT_FOUND 1003u
#define AIMRT_RPC_CODE_SVR_INVALID_SERIALIZATION_TYPE 1004u
#define AIMRT_RPC_CODE_SVR_SERIALIZATION_FAILED 1005u
#define AIMRT_RPC_CODE_SVR_INVALID_DESERIALIZATION_TYPE 1006u
#define AIMRT_RPC_CODE_SVR_DESERIALIZATION_FAILED 1007u
#define AIMRT_RPC_CODE_SVR_HANDLE_FAILED 1008u
#define AIMRT_RPC_CODE_SVR_NOT_READY 1009u
#define AIMRT_RPC_CODE_CLI_UNKNOWN 2000u
#define AIMRT_RPC_CODE_CLI_FUNC_NOT_REGISTERED 2001u
#define AIMRT_RPC_CODE_CLI_BACKEND_INTERNAL_ERROR 2002u
#define AIMRT_RPC_CODE_CLI_INVALID_CONTEXT 2003u
#define AIMRT_RPC_CODE_CLI_INVALID_ADDR 2004u
#define AIMRT_RPC_CODE_CLI_INVALID_SERIALIZATION_TYPE 2005u
#define AIMRT_RPC_CODE_CLI_SERIALIZATION_FAILED 2006u
#define AIMRT_RPC_CODE_CLI_INVALID_DESERIALIZATION_TYPE 2007u
#define AIMRT_RPC_CODE_CLI_DESERIALIZATION_FAILED 2008u
#define AIMRT_RPC_CODE_CLI_NO_BACKEND_TO_HANDLE 2009u
#define AIMRT_RPC_CODE_CLI_SEND_REQ_FAILED 2010u
#define AIMRT_RPC_CODE_CLI_NOT_READY 2011u
#define AIMRT_RPC_CODE_CANCELLED 3000u
#define AIMRT_RPC_CODE_INVALID_ARGUMENT 3001u
#define AIMRT_RPC_CODE_UNAUTHENTICATED 3002u
#define AIMRT_RPC_CODE_PERMISSION_DENIED 3003u
#define AIMRT_RPC_CODE_NOT_FOUND 3004u
#define AIMRT_RPC_CODE_ALREADY_EXISTS 3005u
#define AIMRT_RPC_CODE_UNAVAILABLE 3006u
#define AIMRT_RPC_CODE_RESOURCE_EXHAUSTED 3007u
#define AIMRT_RPC_CODE_RATE_LIMITED 3008u
#define AIMRT_RPC_CODE_CIRCUIT_OPEN 3009u
#define AIMRT_RPC_CODE_CONNECTION_LOST 3010u
#define AIMRT_RPC_CODE_REMOTE_EXCEPTION 3011u
#define AIMRT_RPC_CODE_PROTOCOL_ERROR 3012u
#define AIMRT_RPC_CODE_UNIMPLEMENTED_SHAPE 3013u

/* How one call ended, as given by a service to aimrt_rpc_call_finish. All views are borrowed for the call. */
typedef struct aimrt_rpc_status_t {
  uint32_t struct_size;          /* AIMRT_RPC_CALL_STATUS_INIT sets it */
  aimrt_rpc_code_t code;
  aimrt_rpc_str_t message;       /* empty = the standard text of the code */
  aimrt_rpc_str_t trace;         /* stack text of the failure, empty = none */
  const aimrt_rpc_pair_t *details;
  size_t detail_count;
} aimrt_rpc_status_t;


#define AIMRT_RPC_CALL_STATUS_INIT {(uint32_t)sizeof(aimrt_rpc_status_t), 0u, {NULL, 0}, {NULL, 0}, NULL, 0}

/* ---- Library ------------------------------------------------------------------------------------------------------------ */

/* Gives the version of the loaded library, as AIMRT_RPC_VERSION_NUMBER.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint32_t aimrt_rpc_version(void);

/* Gives the ABI version of the loaded library. Bindings compare it with AIMRT_RPC_ABI_VERSION and refuse another one.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint32_t aimrt_rpc_abi_version(void);

/* Gives a static English text for every result, known or not. Never NULL.
 * Params: result [in].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API const char *aimrt_rpc_result_string(aimrt_rpc_result_t result);

/* Gives a static English text for every status code, known or not ("Unknown code"). Never NULL.
 * Params: code [in].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API const char *aimrt_rpc_code_string(aimrt_rpc_code_t code);

/* Tells whether this process is a child of fork() made after the library was loaded (1) or not (0).
 * Thread safety: any thread, also in a signal handler. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint8_t aimrt_rpc_is_forked(void);

/* Counts the handles that have not been released. Tests assert that it returns to where it was.
 * Params: kind [in] one AIMRT_RPC_KIND_*, or AIMRT_RPC_KIND_ANY for all.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint64_t aimrt_rpc_live_count(uint32_t kind);

/* Sets the soft limit of the memory the Go half of the library uses (collection works harder above it).
 * Params: size [in] bytes, 0 = no limit.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_memory_limit_set(uint64_t size);

/* Releases an owned buffer and zeroes the struct. A NULL pointer, a zeroed struct and a second release are no-ops.
 * Params: buffer [in] the struct the library filled.
 * Thread safety: any thread, one at a time per buffer. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_buffer_release(aimrt_rpc_buffer_t *buffer);

/* ---- Errors ------------------------------------------------------------------------------------------------------------- */

/* Gives the result code of an error.
 * Params: error [in, borrowed].
 * Returns: the code of the failure; OK for 0; INVALID_HANDLE for a stale handle.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_error_result(aimrt_rpc_error_t error);

/* Gives the text of an error: what is wrong with which value. Valid until the error is freed; empty for 0 and stale handles.
 * Params: error [in, borrowed].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_str_t aimrt_rpc_error_message(aimrt_rpc_error_t error);

/* Gives the key/value details of an error (for example file, line, option, nearest). Views live until the error is freed.
 * Params: error [in, borrowed]; index [in] 0 up; pair_out [out].
 * Returns: OK; NOT_FOUND past the last detail; INVALID_HANDLE; INVALID_ARGUMENT for a NULL output.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_error_detail(aimrt_rpc_error_t error, uint32_t index, aimrt_rpc_pair_t *pair_out);

/* Frees an error. 0 and a second free are no-ops.
 * Params: error [in, transferred].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_error_free(aimrt_rpc_error_t error);

/* ---- Runtime ------------------------------------------------------------------------------------------------------------ */

#define AIMRT_RPC_LOG_LEVEL_TRACE 0u
#define AIMRT_RPC_LOG_LEVEL_DEBUG 1u
#define AIMRT_RPC_LOG_LEVEL_INFO 2u
#define AIMRT_RPC_LOG_LEVEL_WARN 3u
#define AIMRT_RPC_LOG_LEVEL_ERROR 4u
#define AIMRT_RPC_LOG_LEVEL_FATAL 5u
#define AIMRT_RPC_LOG_LEVEL_OFF 6u

/* One log line. All views are valid for the call only. */
typedef struct aimrt_rpc_log_record_t {
  uint32_t struct_size;
  uint32_t level;              /* AIMRT_RPC_LOG_LEVEL_* */
  uint32_t line;               /* source line, 0 = not known */
  uint32_t thread_id;          /* operating system thread id, 0 = the calling thread's */
  int64_t time_ns;             /* since the Unix epoch, 0 = now */
  aimrt_rpc_str_t logger;      /* module name; ignored on input */
  aimrt_rpc_str_t file;
  aimrt_rpc_str_t function;
  aimrt_rpc_str_t text;
} aimrt_rpc_log_record_t;

/* Receives log lines instead of the configured log backends. Comes on the library's log thread, one line at a time; must not
 * block and may call nothing of this header but the version and text functions. */
typedef void (*aimrt_rpc_log_fn)(void *user_data, const aimrt_rpc_log_record_t *record);

/* Gives back what user_data points to; called once, when the library needs it no more. */
typedef void (*aimrt_rpc_free_fn)(void *user_data);

typedef struct aimrt_rpc_runtime_options_t {
  uint32_t struct_size;
  uint32_t flags;                           /* reserved, 0 */
  aimrt_rpc_str_t config_path;              /* AimRT YAML file; empty = none */
  aimrt_rpc_str_t config_text;              /* YAML text, used when config_path is empty */
  const aimrt_rpc_str_t *overrides;         /* "aimrt.log.core_lvl=Warn": path = YAML scalar, applied last */
  size_t override_count;
  aimrt_rpc_str_t plugin_search_path;       /* folders for relative paths of Pkg files, as in PATH; may be empty */
  aimrt_rpc_log_fn log;                     /* NULL = log backends of the configuration */
  void *log_user_data;
  aimrt_rpc_free_fn log_user_data_free;
  int32_t log_fd;                           /* write log lines to this descriptor; -1 = no. Not closed by the library. */
  uint32_t reserved;
} aimrt_rpc_runtime_options_t;

#define AIMRT_RPC_RUNTIME_OPTIONS_INIT                                                                                        \
  {(uint32_t)sizeof(aimrt_rpc_runtime_options_t), 0u, {NULL, 0}, {NULL, 0}, NULL, 0, {NULL, 0}, NULL, NULL, NULL, -1, 0u}

/* Life cycle of a runtime, as AimRT's. */
#define AIMRT_RPC_STATE_NONE 0u /* stale or zero handle */
#define AIMRT_RPC_STATE_PRE_INIT 1u
#define AIMRT_RPC_STATE_INIT 2u
#define AIMRT_RPC_STATE_START 3u
#define AIMRT_RPC_STATE_SHUTTING_DOWN 4u
#define AIMRT_RPC_STATE_SHUTDOWN 5u

/* Creates a runtime. Reads no file yet. Without configuration the embedded default is used: the local backend, loopback only.
 * Several runtimes may live in one process.
 * Params: options [in, borrowed] NULL = defaults; runtime_out [out, owned] release with aimrt_rpc_runtime_release;
 *   error [out, owned] nullable, free with aimrt_rpc_error_free.
 * Returns: OK; INVALID_ARGUMENT for a bad options struct or a NULL output; LIMIT past 64 live runtimes; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_create(const aimrt_rpc_runtime_options_t *options,
                                                          aimrt_rpc_runtime_t *runtime_out, aimrt_rpc_error_t *error);

/* Loads the configuration, makes executors, log and backends, and runs the initialize callback of every registered module on
 * this thread, in the order of registration.
 * Params: runtime [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_STATE unless PRE_INIT; CONFIG with file and line; MODULE when a module refused; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: while the modules initialize. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_initialize(aimrt_rpc_runtime_t runtime, aimrt_rpc_error_t *error);

/* Starts the runtime, waits until aimrt_rpc_runtime_shutdown is called, and shuts it down, all on this thread: the modules' start
 * and shutdown callbacks come here.
 * Params: runtime [in, borrowed]; error [out, owned] nullable.
 * Returns: OK after a shutdown; INVALID_HANDLE; INVALID_STATE unless INIT; IO when a port is taken; MODULE when a module refused
 *   (what had started is shut down again); FORKED.
 * Thread safety: one thread at a time per handle. Blocks: until shut down. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_start(aimrt_rpc_runtime_t runtime, aimrt_rpc_error_t *error);

/* With this flag of aimrt_rpc_runtime_start_async the shutdown runs inside aimrt_rpc_runtime_wait, on the thread that waits. */
#define AIMRT_RPC_START_SHUTDOWN_IN_WAIT 1u

/* Starts the runtime on this thread and returns when it runs. The shutdown that aimrt_rpc_runtime_shutdown asks for later runs on a
 * thread of the library, or in aimrt_rpc_runtime_wait when the flag asks for that.
 * Params: runtime [in, borrowed]; flags [in] 0 or AIMRT_RPC_START_SHUTDOWN_IN_WAIT; error [out, owned] nullable.
 * Returns: as aimrt_rpc_runtime_start.
 * Thread safety: one thread at a time per handle. Blocks: while the modules start. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_start_async(aimrt_rpc_runtime_t runtime, uint32_t flags,
                                                               aimrt_rpc_error_t *error);

/* Waits until the runtime has shut down.
 * Params: runtime [in, borrowed]; timeout_ns [in] UINT64_MAX = for ever; error [out, owned] nullable.
 * Returns: OK when it has shut down; TIMEOUT; INVALID_HANDLE; INVALID_STATE before start; FORKED.
 * Thread safety: any thread. Blocks: until shut down or timeout_ns has passed. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_wait(aimrt_rpc_runtime_t runtime, uint64_t timeout_ns,
                                                        aimrt_rpc_error_t *error);

/* Asks the runtime to shut down and returns at once. Idempotent. Before start, a later start returns right after its start phase.
 * Params: runtime [in, borrowed].
 * Returns: OK; INVALID_HANDLE; FORKED.
 * Thread safety: any thread, also in a signal handler and inside callbacks. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_shutdown(aimrt_rpc_runtime_t runtime);

/* Gives the state of a runtime, AIMRT_RPC_STATE_*.
 * Params: runtime [in, borrowed].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint32_t aimrt_rpc_runtime_state(aimrt_rpc_runtime_t runtime);

/* Writes the initialization report, a text for people.
 * Params: runtime [in, borrowed]; report_out [out, owned] release with aimrt_rpc_buffer_release; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_STATE unless INIT; INVALID_ARGUMENT for a NULL output; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_report(aimrt_rpc_runtime_t runtime, aimrt_rpc_buffer_t *report_out,
                                                          aimrt_rpc_error_t *error);

/* Writes the configuration in force as YAML: what was given and every default, without what nobody knows, and the root keys of modules
 * that were given theirs as a file.
 * Params: runtime [in, borrowed]; yaml_out [out, owned] release with aimrt_rpc_buffer_release; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_STATE before initialize; INVALID_ARGUMENT for a NULL output; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_dump_config(aimrt_rpc_runtime_t runtime, aimrt_rpc_buffer_t *yaml_out,
                                                               aimrt_rpc_error_t *error);

/* Reads the configuration again and applies what can change while running: log levels and the rules of aimrt.rpc. The error
 * names the options that need a new start; those are left as they were.
 * Params: runtime [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_STATE unless INIT or START; CONFIG; UNSUPPORTED when something needs a new start (the rest is
 *   applied); FORKED.
 * Thread safety: any thread. Blocks: while the file is read. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_reload(aimrt_rpc_runtime_t runtime, aimrt_rpc_error_t *error);

/* Lists the methods served and called, as a JSON array of objects {"name","side","module","package","backends","filters"}.
 * Params: runtime [in, borrowed]; json_out [out, owned] release with aimrt_rpc_buffer_release; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_STATE before initialize; INVALID_ARGUMENT for a NULL output; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_list_methods(aimrt_rpc_runtime_t runtime, aimrt_rpc_buffer_t *json_out,
                                                                aimrt_rpc_error_t *error);

/* Describes one method as a JSON object: who serves and calls it, types, serializations, the rules that matched, its plan.
 * Params: runtime [in, borrowed]; name [in, borrowed]; json_out [out, owned]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; NOT_FOUND with the nearest name; INVALID_STATE before initialize; INVALID_ARGUMENT; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_describe_method(aimrt_rpc_runtime_t runtime, aimrt_rpc_str_t name,
                                                                   aimrt_rpc_buffer_t *json_out, aimrt_rpc_error_t *error);

/* Gives counters as a JSON object: calls per function name; outcomes per method and code of calls that went through filters or a network
 * backend; open calls, handles, executors, backends, goroutines, Go memory, recovered panics.
 * Params: runtime [in, borrowed]; json_out [out, owned]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT for a NULL output; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_statistics(aimrt_rpc_runtime_t runtime, aimrt_rpc_buffer_t *json_out,
                                                              aimrt_rpc_error_t *error);

/* Shuts the runtime down when it still runs, waits for that, and releases it with all its modules, methods and services. Their
 * handles become stale; releasing them later is a no-op. 0 and a second release are no-ops.
 * Params: runtime [in, transferred].
 * Thread safety: any thread, not inside a callback of this runtime. Blocks: until shut down. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_runtime_release(aimrt_rpc_runtime_t runtime);

/* ---- Module ------------------------------------------------------------------------------------------------------------- */

/* Life-cycle callbacks of a module: return 1 for success, 0 to refuse. They come on the thread that runs
 * aimrt_rpc_runtime_initialize, _start and the shutdown, one at a time, and may call everything but _runtime_release. */
typedef uint8_t (*aimrt_rpc_module_fn)(void *user_data, aimrt_rpc_module_t module);
typedef void (*aimrt_rpc_module_shutdown_fn)(void *user_data, aimrt_rpc_module_t module);

typedef struct aimrt_rpc_module_options_t {
  uint32_t struct_size;
  uint32_t major_version;
  uint32_t minor_version;
  uint32_t patch_version;
  uint32_t build_version;
  uint32_t reserved;
  aimrt_rpc_str_t name;                  /* required, unique in the runtime, at most 512 bytes */
  aimrt_rpc_str_t package;               /* modules of one package exchange native messages; empty = "core" */
  aimrt_rpc_str_t author;
  aimrt_rpc_str_t description;
  aimrt_rpc_module_fn initialize;        /* each callback may be NULL */
  aimrt_rpc_module_fn start;
  aimrt_rpc_module_shutdown_fn shutdown;
  void *user_data;
  aimrt_rpc_free_fn user_data_free;
} aimrt_rpc_module_options_t;

#define AIMRT_RPC_MODULE_OPTIONS_INIT                                                                                         \
  {(uint32_t)sizeof(aimrt_rpc_module_options_t), 0u, 0u, 0u, 0u, 0u, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0},             \
   NULL, NULL, NULL, NULL, NULL}

/* Creates a module. Before initialize its callbacks take part in the life cycle; after initialize and before start it is a module
 * without a life cycle (callbacks must be NULL). On failure user_data stays with the caller.
 * Params: runtime [in, borrowed]; options [in, borrowed]; module_out [out, owned] released with its runtime or by
 *   aimrt_rpc_module_release; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; INVALID_STATE from START on; ALREADY_EXISTS for a name in use; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_module_create(aimrt_rpc_runtime_t runtime, const aimrt_rpc_module_options_t *options,
                                                         aimrt_rpc_module_t *module_out, aimrt_rpc_error_t *error);

/* Gives the name of a module; valid until the runtime is released; empty for a stale handle.
 * Params: module [in, borrowed].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_str_t aimrt_rpc_module_name(aimrt_rpc_module_t module);

/* Gives the path of the module's own configuration file; valid until the runtime is released; empty when there is none.
 * Params: module [in, borrowed].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_str_t aimrt_rpc_module_config_path(aimrt_rpc_module_t module);

/* Gives the lowest level that the module's logger writes, AIMRT_RPC_LOG_LEVEL_*; OFF for a stale handle.
 * Params: module [in, borrowed].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint32_t aimrt_rpc_module_log_level(aimrt_rpc_module_t module);

/* Writes one log line through the module's logger. Lines below its level cost one atomic load.
 * Params: module [in, borrowed]; record [in, borrowed].
 * Returns: OK, also for a line below the level; INVALID_HANDLE; INVALID_ARGUMENT; FORKED.
 * Thread safety: any thread. Blocks: no (a full log queue waits at most 10 ms, then the line is counted as dropped). Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_module_log(aimrt_rpc_module_t module, const aimrt_rpc_log_record_t *record);

/* Finds a configured executor, or one the host registered.
 * Params: module [in, borrowed]; name [in, borrowed]; executor_out [out] owned by the runtime, stale after its release;
 *   error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; NOT_FOUND with the nearest name; INVALID_STATE before initialize; INVALID_ARGUMENT; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_module_executor(aimrt_rpc_module_t module, aimrt_rpc_str_t name,
                                                           aimrt_rpc_executor_t *executor_out, aimrt_rpc_error_t *error);

/* Reads a parameter of the module; a missing one gives an empty buffer and OK.
 * Params: module [in, borrowed]; key [in, borrowed]; value_out [out, owned] release with aimrt_rpc_buffer_release;
 *   error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT for a NULL output; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_module_parameter_get(aimrt_rpc_module_t module, aimrt_rpc_str_t key,
                                                                aimrt_rpc_buffer_t *value_out, aimrt_rpc_error_t *error);

/* Sets a parameter of the module; an empty value erases it.
 * Params: module [in, borrowed]; key [in, borrowed]; value [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT for an empty key; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_module_parameter_set(aimrt_rpc_module_t module, aimrt_rpc_str_t key,
                                                                aimrt_rpc_str_t value, aimrt_rpc_error_t *error);

/* Gives the rpc handle of a module, 0 for a stale handle. Owned by the runtime; the same handle each time.
 * Params: module [in, borrowed].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_handle_t aimrt_rpc_module_rpc_handle(aimrt_rpc_module_t module);

/* Gives the module's core table for code written for AimRT: a pointer to an aimrt_core_base_t of aimrt_rpc_compat.h, through which the
 * module reaches its configurator, executors, logger, parameters and rpc handle. The same pointer each time. It and all it leads to stay
 * valid until the process ends; after the release of the runtime they answer with "not there" and status 2011.
 * Params: module [in, borrowed].
 * Returns: the table; NULL for a stale handle, in a child of fork() and when memory is out.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API const void *aimrt_rpc_module_core(aimrt_rpc_module_t module);

/* Releases the handle of a module; the module itself lives as long as its runtime. 0 and a second release are no-ops.
 * Params: module [in, transferred].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_module_release(aimrt_rpc_module_t module);

/* ---- Executor ----------------------------------------------------------------------------------------------------------- */

/* A task. Comes once, on a thread of the executor. It may block when the executor has threads to spare. */
typedef void (*aimrt_rpc_task_fn)(void *user_data);

/* Runs a task soon.
 * Params: executor [in, borrowed]; task [in]; user_data [in] handed to the task; user_data_free [in] nullable, called after the task,
 *   or instead of it when the executor shuts down first; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT for a NULL task; LIMIT when its queue is full; INVALID_STATE after shutdown; FORKED.
 *   On failure user_data stays with the caller.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_executor_post(aimrt_rpc_executor_t executor, aimrt_rpc_task_fn task, void *user_data,
                                                         aimrt_rpc_free_fn user_data_free, aimrt_rpc_error_t *error);

/* Runs a task after a delay.
 * Params: executor [in, borrowed]; delay_ns [in]; task, user_data, user_data_free [in] as aimrt_rpc_executor_post;
 *   timer_out [out, owned] nullable, release with aimrt_rpc_timer_release; error [out, owned] nullable.
 * Returns: as aimrt_rpc_executor_post; UNSUPPORTED when the executor has no timers.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_executor_post_after(aimrt_rpc_executor_t executor, uint64_t delay_ns,
                                                               aimrt_rpc_task_fn task, void *user_data,
                                                               aimrt_rpc_free_fn user_data_free, aimrt_rpc_timer_t *timer_out,
                                                               aimrt_rpc_error_t *error);

/* Runs a task at a time of the executor's clock; a time in the past means soon.
 * Params: executor [in, borrowed]; time_ns [in] since the Unix epoch; the rest as aimrt_rpc_executor_post_after.
 * Returns: as aimrt_rpc_executor_post_after.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_executor_post_at(aimrt_rpc_executor_t executor, uint64_t time_ns,
                                                            aimrt_rpc_task_fn task, void *user_data,
                                                            aimrt_rpc_free_fn user_data_free, aimrt_rpc_timer_t *timer_out,
                                                            aimrt_rpc_error_t *error);

/* Cancels a task posted for later; its user_data_free is called in the cancelling thread.
 * Params: timer [in, borrowed]; error [out, owned] nullable.
 * Returns: OK when the task will not run; LOST when it has run or is running; INVALID_HANDLE; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_timer_cancel(aimrt_rpc_timer_t timer, aimrt_rpc_error_t *error);

/* Releases a timer handle without cancelling. 0 and a second release are no-ops.
 * Params: timer [in, transferred].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_timer_release(aimrt_rpc_timer_t timer);

/* Properties of an executor, as AimRT's ExecutorRef shows them. */
typedef struct aimrt_rpc_executor_info_t {
  uint32_t struct_size;
  uint8_t thread_safe;     /* 1: its tasks never run at the same time */
  uint8_t has_timers;      /* 1: post_after and post_at work */
  uint8_t in_current;      /* 1: the calling thread is running a task of this executor */
  uint8_t reserved;
  aimrt_rpc_str_t name;    /* valid until the runtime is released */
  aimrt_rpc_str_t type;
  uint64_t now_ns;         /* the executor's clock, since the Unix epoch */
  uint64_t queued;         /* tasks waiting */
} aimrt_rpc_executor_info_t;

/* Describes an executor.
 * Params: executor [in, borrowed]; info_out [out] struct_size set by the caller.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_executor_info(aimrt_rpc_executor_t executor, aimrt_rpc_executor_info_t *info_out);

/* Hands one task to a loop of the host: run must be called there exactly once with run_user_data. Comes on any thread; must not
 * block and must not call run itself before returning. Returns 1 when taken, 0 when the loop is closed. */
typedef uint8_t (*aimrt_rpc_post_fn)(void *user_data, aimrt_rpc_task_fn run, void *run_user_data);

typedef struct aimrt_rpc_host_executor_options_t {
  uint32_t struct_size;
  uint8_t thread_safe;               /* 1: the loop never runs two tasks at the same time */
  uint8_t reserved[3];
  aimrt_rpc_str_t name;              /* required; must not be a configured executor's */
  aimrt_rpc_post_fn post;            /* required */
  void *user_data;
  aimrt_rpc_free_fn user_data_free;
} aimrt_rpc_host_executor_options_t;

#define AIMRT_RPC_HOST_EXECUTOR_OPTIONS_INIT                                                                                  \
  {(uint32_t)sizeof(aimrt_rpc_host_executor_options_t), 0u, {0u, 0u, 0u}, {NULL, 0}, NULL, NULL, NULL}

/* Gives a loop of the host to the runtime as an executor, so that handlers can run there. Before initialize only.
 * Params: runtime [in, borrowed]; options [in, borrowed]; executor_out [out] owned by the runtime; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; INVALID_STATE; ALREADY_EXISTS; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_runtime_host_executor(aimrt_rpc_runtime_t runtime,
                                                                 const aimrt_rpc_host_executor_options_t *options,
                                                                 aimrt_rpc_executor_t *executor_out, aimrt_rpc_error_t *error);

/* ---- Context ------------------------------------------------------------------------------------------------------------ */

#define AIMRT_RPC_CONTEXT_KIND_CLIENT 0u
#define AIMRT_RPC_CONTEXT_KIND_SERVER 1u

/* Creates a client context. A context serves one call at a time; after a call it must be reset before the next.
 * Params: context_out [out, owned] release with aimrt_rpc_context_release; error [out, owned] nullable.
 * Returns: OK; INVALID_ARGUMENT for a NULL output; LIMIT; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_context_create(aimrt_rpc_context_t *context_out, aimrt_rpc_error_t *error);

/* Makes a client context that owns a copy of everything in another one (kind kept, not used).
 * Params: context [in, borrowed]; copy_out [out, owned]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; LIMIT; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_context_copy(aimrt_rpc_context_t context, aimrt_rpc_context_t *copy_out,
                                                        aimrt_rpc_error_t *error);

/* Clears used flag, timeout and all metadata of a client context.
 * Params: context [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_STATE while a call uses it; UNSUPPORTED for a server context; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_context_reset(aimrt_rpc_context_t context, aimrt_rpc_error_t *error);

/* Gives AIMRT_RPC_CONTEXT_KIND_CLIENT or _SERVER; client for a stale handle.
 * Params: context [in, borrowed].
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint32_t aimrt_rpc_context_kind(aimrt_rpc_context_t context);

/* Tells whether the context has been used by a call (1) or not (0).
 * Params: context [in, borrowed].
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint8_t aimrt_rpc_context_used(aimrt_rpc_context_t context);

/* Marks the context as used.
 * Params: context [in, borrowed].
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_context_set_used(aimrt_rpc_context_t context);

/* Gives the timeout in nanoseconds, 0 = not set.
 * Params: context [in, borrowed].
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint64_t aimrt_rpc_context_timeout_ns(aimrt_rpc_context_t context);

/* Sets the timeout of the call.
 * Params: context [in, borrowed]; timeout_ns [in] 0 = the dialect's default.
 * Returns: OK; INVALID_HANDLE; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_context_set_timeout_ns(aimrt_rpc_context_t context, uint64_t timeout_ns);

/* Gives the nanoseconds left until the deadline of the call this context belongs to; UINT64_MAX = no deadline, 0 = passed.
 * Params: context [in, borrowed].
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint64_t aimrt_rpc_context_deadline_left_ns(aimrt_rpc_context_t context);

/* Gives the value of a metadata key, empty when absent (use aimrt_rpc_context_metadata to tell apart). The view lives until the
 * context changes. The keys aimrt-to_addr, aimrt-serialization_type and aimrt-function_name hold target, serialization, function name.
 * Params: context [in, borrowed]; key [in, borrowed].
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_str_t aimrt_rpc_context_get(aimrt_rpc_context_t context, aimrt_rpc_str_t key);

/* Sets a metadata key, replacing every value it had. Both texts are copied.
 * Params: context [in, borrowed]; key [in, borrowed] 1 to 65535 bytes; value [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT for an empty key; LIMIT past 4096 entries or 16 MiB; FORKED. (The limits of a
 *   network message, 128 entries and 64 KiB, are checked when a call leaves the process.)
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_context_set(aimrt_rpc_context_t context, aimrt_rpc_str_t key, aimrt_rpc_str_t value,
                                                       aimrt_rpc_error_t *error);

/* Adds a further value to a metadata key.
 * Params: as aimrt_rpc_context_set.
 * Returns: as aimrt_rpc_context_set.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_context_add(aimrt_rpc_context_t context, aimrt_rpc_str_t key, aimrt_rpc_str_t value,
                                                       aimrt_rpc_error_t *error);

/* Removes a metadata key with all its values; an absent key is OK.
 * Params: context [in, borrowed]; key [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_context_remove(aimrt_rpc_context_t context, aimrt_rpc_str_t key,
                                                          aimrt_rpc_error_t *error);

/* Gives all metadata at once. The array and its views live until the context changes or is asked again.
 * Params: context [in, borrowed]; pairs_out [out, borrowed]; count_out [out]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT for a NULL output; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_context_metadata(aimrt_rpc_context_t context, const aimrt_rpc_pair_t **pairs_out,
                                                            size_t *count_out, aimrt_rpc_error_t *error);

/* Writes the context as AimRT's text: `Client context, timeout: 5000ms, meta: {{"k":"v"}}`.
 * Params: context [in, borrowed]; text_out [out, owned] release with aimrt_rpc_buffer_release; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT for a NULL output; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_context_to_string(aimrt_rpc_context_t context, aimrt_rpc_buffer_t *text_out,
                                                             aimrt_rpc_error_t *error);

/* Releases a context. While a call uses it the memory stays until that call ends. 0, server contexts and a second release are no-ops.
 * Params: context [in, transferred].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_context_release(aimrt_rpc_context_t context);

/* ---- Type support ------------------------------------------------------------------------------------------------------- */

/* Collects the bytes of one serialization; lives only inside aimrt_rpc_type_support_t.serialize. */
typedef struct aimrt_rpc_writer_t aimrt_rpc_writer_t;

/* Appends size writable bytes and gives their address; they do not move when more are appended. NULL when out of memory.
 * Params: writer [in, borrowed]; size [in] bytes.
 * Thread safety: only inside serialize. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint8_t *aimrt_rpc_writer_append(aimrt_rpc_writer_t *writer, size_t size);

/* Gives back the last size bytes of the latest append.
 * Params: writer [in, borrowed]; size [in] bytes, at most what the latest append gave.
 * Thread safety: only inside serialize. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_writer_trim(aimrt_rpc_writer_t *writer, size_t size);

/* How the library handles native messages of one type. The struct and what it points to must outlive the runtime. The functions
 * come on any thread, at the same time for different messages; they return 1 for success and 0 for failure. */
typedef struct aimrt_rpc_type_support_t {
  uint32_t struct_size;
  uint32_t reserved;
  aimrt_rpc_str_t name;                       /* "pb:package.Message"; equal names in one package mean equal memory layout */
  void *(*create)(void *user_data);           /* a new default message, NULL = out of memory */
  void (*destroy)(void *user_data, void *message);
  uint8_t (*copy)(void *user_data, const void *from, void *to);
  uint8_t (*move)(void *user_data, void *from, void *to);
  uint8_t (*serialize)(void *user_data, aimrt_rpc_str_t serialization, const void *message, aimrt_rpc_writer_t *writer);
  uint8_t (*deserialize)(void *user_data, aimrt_rpc_str_t serialization, aimrt_rpc_bytes_t bytes, void *message);
  const aimrt_rpc_str_t *serializations;      /* at least one; the first is the default */
  size_t serialization_count;
  void *user_data;
} aimrt_rpc_type_support_t;

/* ---- RPC handle: registration ------------------------------------------------------------------------------------------- */

#define AIMRT_RPC_SHAPE_UNARY 0u
#define AIMRT_RPC_SHAPE_CLIENT_STREAM 1u /* the streaming shapes answer UNSUPPORTED in this version */
#define AIMRT_RPC_SHAPE_SERVER_STREAM 2u
#define AIMRT_RPC_SHAPE_BIDI_STREAM 3u

/* A request as its handler sees it. Views and messages live until the call is finished; after aimrt_rpc_call_retain too. */
typedef struct aimrt_rpc_request_t {
  uint32_t struct_size;
  uint32_t reserved;
  aimrt_rpc_service_t service;
  aimrt_rpc_payload_t payload;   /* bytes, or the native message of a service with type support */
  void *response;                /* native response to fill before finishing; NULL for raw services */
} aimrt_rpc_request_t;

/* Serves one call. Must end with exactly one aimrt_rpc_call_finish, here or later, on any thread. Comes on the caller's thread for
 * calls inside the process, else on the executor the rule names, else on a thread of the handler pool; several at once. */
typedef void (*aimrt_rpc_handler_fn)(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request);

#define AIMRT_RPC_SERVICE_NON_BLOCKING 1u /* the handler never blocks: it may run on the thread that read the request */

typedef struct aimrt_rpc_service_options_t {
  uint32_t struct_size;
  uint32_t flags;                                   /* AIMRT_RPC_SERVICE_* */
  uint32_t shape;                                   /* AIMRT_RPC_SHAPE_* */
  uint32_t reserved;
  aimrt_rpc_str_t name;                             /* "pb:/package.Service/Method"; at most 512 bytes */
  const aimrt_rpc_type_support_t *request_type;     /* borrowed until the runtime is released; NULL = raw bytes */
  const aimrt_rpc_type_support_t *response_type;
  const aimrt_rpc_str_t *serializations;            /* of raw bytes, first = default; copied; none = any, default "pb" */
  size_t serialization_count;
  aimrt_rpc_bytes_t descriptor;                     /* serialized FileDescriptorSet for reflection, may be empty; copied */
  aimrt_rpc_handler_fn handler;                     /* handler, or queue */
  void *user_data;
  aimrt_rpc_free_fn user_data_free;                 /* called when the service is gone and no handler runs */
  aimrt_rpc_queue_t queue;                          /* deliver AIMRT_RPC_EVENT_CALL_ARRIVED here instead of calling handler */
  uint64_t tag;                                     /* tag of those events */
  aimrt_rpc_executor_t executor;                    /* run the handler of calls from other processes there; 0 = see
                                                       aimrt_rpc_handler_fn */
} aimrt_rpc_service_options_t;

#define AIMRT_RPC_SERVICE_OPTIONS_INIT                                                                                        \
  {(uint32_t)sizeof(aimrt_rpc_service_options_t), 0u, 0u, 0u, {NULL, 0}, NULL, NULL, NULL, 0, {NULL, 0},                      \
   NULL, NULL, NULL, 0u, 0u, 0u}

/* Registers a method this module serves. In state INIT only (inside initialize, or between initialize and start). On failure
 * user_data stays with the caller.
 * Params: handle [in, borrowed]; options [in, borrowed]; service_out [out] nullable, owned by the runtime; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; INVALID_STATE; ALREADY_EXISTS when this module serves the name already;
 *   UNSUPPORTED for a shape; CONFIG when a rule names a filter or backend that cannot serve it; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_handle_register_service(aimrt_rpc_handle_t handle,
                                                                   const aimrt_rpc_service_options_t *options,
                                                                   aimrt_rpc_service_t *service_out, aimrt_rpc_error_t *error);

typedef struct aimrt_rpc_client_options_t {
  uint32_t struct_size;
  uint32_t flags;                                   /* reserved, 0 */
  uint32_t shape;                                   /* AIMRT_RPC_SHAPE_* */
  uint32_t reserved;
  aimrt_rpc_str_t name;
  const aimrt_rpc_type_support_t *request_type;     /* as in aimrt_rpc_service_options_t */
  const aimrt_rpc_type_support_t *response_type;
  const aimrt_rpc_str_t *serializations;
  size_t serialization_count;
  aimrt_rpc_bytes_t descriptor;
} aimrt_rpc_client_options_t;

#define AIMRT_RPC_CLIENT_OPTIONS_INIT                                                                                         \
  {(uint32_t)sizeof(aimrt_rpc_client_options_t), 0u, 0u, 0u, {NULL, 0}, NULL, NULL, NULL, 0, {NULL, 0}}

/* Registers a method this module calls. In state INIT only.
 * Params: handle [in, borrowed]; options [in, borrowed]; method_out [out] nullable, owned by the runtime; error [out, owned] nullable.
 * Returns: as aimrt_rpc_handle_register_service; ALREADY_EXISTS when this module calls the name already.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_handle_register_client(aimrt_rpc_handle_t handle,
                                                                  const aimrt_rpc_client_options_t *options,
                                                                  aimrt_rpc_method_t *method_out, aimrt_rpc_error_t *error);

/* Finds a client method this module has registered.
 * Params: handle [in, borrowed]; name [in, borrowed]; method_out [out]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; NOT_FOUND with the nearest registered name; INVALID_ARGUMENT; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_handle_find_client(aimrt_rpc_handle_t handle, aimrt_rpc_str_t name,
                                                              aimrt_rpc_method_t *method_out, aimrt_rpc_error_t *error);

/* Copies the pass-through metadata of an incoming call into the context of an outgoing one (see aimrt.rpc in docs/config.md).
 * Params: handle [in, borrowed]; server_context [in, borrowed]; client_context [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT when the kinds are not server and client; FORKED.
 * Thread safety: one thread at a time per context. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_handle_merge_context(aimrt_rpc_handle_t handle, aimrt_rpc_context_t server_context,
                                                                aimrt_rpc_context_t client_context, aimrt_rpc_error_t *error);

/* ---- Filters ------------------------------------------------------------------------------------------------------------ */

/* A filter sees every call of the functions whose rule names it in enable_filters, on its way to the backend or the handler, and how it
 * ends. Filters of one rule run in the configured order, also between stock ones: the last listed sees a call first and its end last. */

#define AIMRT_RPC_FILTER_SIDE_CLIENT 0u
#define AIMRT_RPC_FILTER_SIDE_SERVER 1u

/* A call as a filter sees it before it goes on. Everything is borrowed until the filter function returns. */
typedef struct aimrt_rpc_filter_call_t {
  uint32_t struct_size;
  uint32_t side;                 /* AIMRT_RPC_FILTER_SIDE_* */
  aimrt_rpc_str_t function_name; /* "pb:/package.Service/Method" */
  aimrt_rpc_str_t from_module;   /* the calling module; empty when it is in another process */
  aimrt_rpc_str_t peer;          /* who calls, as far as known; empty on the client side */
  aimrt_rpc_str_t serialization; /* of the request */
  aimrt_rpc_bytes_t request;     /* empty for native messages of one package, which are not encoded */
  uint64_t request_id;           /* 0 when the peer's is not a number */
  uint64_t timeout_ns;           /* 0 = default, UINT64_MAX = none */
  const aimrt_rpc_pair_t *metadata;
  size_t metadata_count;
} aimrt_rpc_filter_call_t;

/* The end of a call as a filter sees it. Everything is borrowed until the callback returns. */
typedef struct aimrt_rpc_filter_end_t {
  uint32_t struct_size;
  aimrt_rpc_code_t code;
  aimrt_rpc_str_t message;       /* never empty */
  aimrt_rpc_str_t serialization; /* of the response */
  aimrt_rpc_bytes_t response;    /* empty for native messages, and for a call that failed */
} aimrt_rpc_filter_end_t;

/* Decides about one call: it must pass it on with aimrt_rpc_filter_next or end it with aimrt_rpc_filter_reject before it returns; a call
 * that it does neither with ends with CLI_UNKNOWN or SVR_HANDLE_FAILED. The handle is good inside this function only. Comes on the thread
 * that started or brought the call, several at once; must not block. */
typedef void (*aimrt_rpc_filter_fn)(void *user_data, aimrt_rpc_filter_t filter, const aimrt_rpc_filter_call_t *call);

/* Tells once how a call ended, on the thread that ends it, also inside aimrt_rpc_filter_next. Must not block. */
typedef void (*aimrt_rpc_filter_end_fn)(void *user_data, const aimrt_rpc_filter_end_t *end);

typedef struct aimrt_rpc_filter_options_t {
  uint32_t struct_size;
  uint32_t side;                   /* AIMRT_RPC_FILTER_SIDE_*; the sides have names of their own */
  aimrt_rpc_str_t name;            /* as enable_filters names it; 1 to 512 bytes; copied */
  aimrt_rpc_filter_fn around;      /* not NULL */
  void *user_data;
  aimrt_rpc_free_fn user_data_free; /* called when the runtime is released and no call is inside the filter */
} aimrt_rpc_filter_options_t;

#define AIMRT_RPC_FILTER_OPTIONS_INIT {(uint32_t)sizeof(aimrt_rpc_filter_options_t), 0u, {NULL, 0}, NULL, NULL, NULL}

/* Registers a filter that rules may name. Before initialize, or inside the initialize of a module: in any case before a function is
 * registered whose rule names it. A rule that names a filter nobody registered refuses initialize. On failure user_data stays with the
 * caller.
 * Params: handle [in, borrowed]; options [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; INVALID_STATE after start; ALREADY_EXISTS when the side has a filter of this name, also a
 *   stock one; LIMIT past 1024 filters; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_handle_register_filter(aimrt_rpc_handle_t handle, const aimrt_rpc_filter_options_t *options,
                                                                  aimrt_rpc_error_t *error);

/* Passes a call on to the next filter, the backend or the handler. A call inside the process may be over when this returns. On failure
 * user_data stays with the caller.
 * Params: filter [in, borrowed]; ended [in] nullable, comes once when the call has ended; user_data [in] of ended; user_data_free [in]
 *   nullable, called after ended; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE, also after aimrt_rpc_filter_fn has returned; INVALID_STATE when the call was passed on or rejected; PANIC;
 *   FORKED.
 * Thread safety: only inside aimrt_rpc_filter_fn. Blocks: as long as handlers inside the process run. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_filter_next(aimrt_rpc_filter_t filter, aimrt_rpc_filter_end_fn ended, void *user_data,
                                                       aimrt_rpc_free_fn user_data_free, aimrt_rpc_error_t *error);

/* Ends a call instead of passing it on.
 * Params: filter [in, borrowed]; status [in, borrowed] with a code that is not OK; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE, also after aimrt_rpc_filter_fn has returned; INVALID_ARGUMENT; INVALID_STATE when the call was passed on or
 *   rejected; FORKED.
 * Thread safety: only inside aimrt_rpc_filter_fn. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_filter_reject(aimrt_rpc_filter_t filter, const aimrt_rpc_status_t *status,
                                                         aimrt_rpc_error_t *error);

/* Sets a metadata key of a call for what comes after this filter, replacing every value it had. Both texts are copied.
 * Params: filter [in, borrowed]; key [in, borrowed] 1 to 65535 bytes; value [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE, also after aimrt_rpc_filter_fn has returned; INVALID_ARGUMENT for an empty or longer key; INVALID_STATE when
 *   the call was passed on or rejected; LIMIT past 4096 entries or 16 MiB; FORKED.
 * Thread safety: only inside aimrt_rpc_filter_fn. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_filter_set(aimrt_rpc_filter_t filter, aimrt_rpc_str_t key, aimrt_rpc_str_t value,
                                                      aimrt_rpc_error_t *error);

/* Removes a metadata key of a call with all its values; an absent key is OK.
 * Params: filter [in, borrowed]; key [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE, also after aimrt_rpc_filter_fn has returned; INVALID_STATE when the call was passed on or rejected; FORKED.
 * Thread safety: only inside aimrt_rpc_filter_fn. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_filter_remove(aimrt_rpc_filter_t filter, aimrt_rpc_str_t key, aimrt_rpc_error_t *error);

/* ---- Calls, client side ------------------------------------------------------------------------------------------------- */

/* How a call ended. In a callback the views live for the callback; from aimrt_rpc_call_outcome they live until the call is released. */
typedef struct aimrt_rpc_outcome_t {
  uint32_t struct_size;
  aimrt_rpc_code_t code;
  aimrt_rpc_str_t message;            /* the standard text of the code, or what the service said */
  aimrt_rpc_payload_t response;       /* bytes, or the native response given at start */
  aimrt_rpc_str_t trace;              /* remote stack text, empty = none */
  aimrt_rpc_str_t native_dialect;     /* where code came from when another system said it: "aimrt", "aduib", ...; else empty */
  aimrt_rpc_str_t native_code;        /* the number or name it used */
  aimrt_rpc_str_t peer;               /* who answered: "http://127.0.0.1:50080", "local" */
  const aimrt_rpc_pair_t *details;
  size_t detail_count;
} aimrt_rpc_outcome_t;

/* Tells that a call ended. Comes once, on the thread that ended it: the caller's inside aimrt_rpc_call_start, the service's, a timer's
 * or a backend's. Must not block; may start further calls. After it returns nothing touches context, request or response. */
typedef void (*aimrt_rpc_call_done_fn)(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_outcome_t *outcome);

typedef struct aimrt_rpc_call_options_t {
  uint32_t struct_size;
  uint32_t flags;                 /* reserved, 0 */
  aimrt_rpc_context_t context;    /* borrowed until the call ended; 0 = defaults */
  aimrt_rpc_payload_t request;    /* bytes are copied when the call can outlive the function; a native message is borrowed until
                                     the call ended */
  void *response;                 /* native response to fill, borrowed until the call ended; NULL for raw methods */
  aimrt_rpc_call_done_fn done;    /* callback, or queue, or neither (then aimrt_rpc_call_wait) */
  void *user_data;
  aimrt_rpc_queue_t queue;        /* deliver AIMRT_RPC_EVENT_CALL_FINISHED here */
  uint64_t tag;                   /* tag of that event */
} aimrt_rpc_call_options_t;

#define AIMRT_RPC_CALL_OPTIONS_INIT                                                                                           \
  {(uint32_t)sizeof(aimrt_rpc_call_options_t), 0u, 0u, {{NULL, 0}, {NULL, 0}, NULL}, NULL, NULL, NULL, 0u, 0u}

/* Starts a call. Whatever goes wrong with the call itself (not started, no backend, bad address, timeout ...) is its outcome, delivered
 * like any other; only misuse of this function is its result, and then nothing is delivered.
 * Params: method [in, borrowed]; options [in, borrowed]; call_out [out, owned] release with aimrt_rpc_call_release; may be NULL when
 *   options give a callback, whose call parameter is then 0, or a queue, whose event then brings the call; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE (method, context or queue); INVALID_ARGUMENT; LIMIT past 65536 pending calls; FORKED.
 * Thread safety: any thread. Blocks: no, except that a handler of the same process may run inside. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_call_start(aimrt_rpc_method_t method, const aimrt_rpc_call_options_t *options,
                                                      aimrt_rpc_call_t *call_out, aimrt_rpc_error_t *error);

/* Starts a call and waits until it ended. done and queue of the options must be empty.
 * Params: method, options [in, borrowed] as aimrt_rpc_call_start; code_out [out]; call_out [out, owned] nullable for native methods,
 *   the way to response bytes and texts; error [out, owned] nullable.
 * Returns: as aimrt_rpc_call_start; DEADLOCK when this thread is the only one that could serve the call.
 * Thread safety: any thread. Blocks: until the call ended. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_call_invoke(aimrt_rpc_method_t method, const aimrt_rpc_call_options_t *options,
                                                       aimrt_rpc_code_t *code_out, aimrt_rpc_call_t *call_out,
                                                       aimrt_rpc_error_t *error);

/* Waits until a call started without callback and queue has ended.
 * Params: call [in, borrowed]; timeout_ns [in] UINT64_MAX = for ever; error [out, owned] nullable.
 * Returns: OK when it ended; TIMEOUT; INVALID_HANDLE; DEADLOCK; FORKED.
 * Thread safety: any thread. Blocks: until the call ended or timeout_ns has passed. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_call_wait(aimrt_rpc_call_t call, uint64_t timeout_ns, aimrt_rpc_error_t *error);

/* Cancels a call: it ends at once with CANCELLED, unless it has ended. A direct call inside one package ends when its handler does;
 * the handler can see the wish with aimrt_rpc_call_cancelled.
 * Params: call [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; LOST when it had ended; INVALID_HANDLE; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_call_cancel(aimrt_rpc_call_t call, aimrt_rpc_error_t *error);

/* Tells how a call ended.
 * Params: call [in, borrowed]; outcome_out [out] struct_size set by the caller; error [out, owned] nullable.
 * Returns: OK; INVALID_STATE while it runs; INVALID_HANDLE; INVALID_ARGUMENT; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_call_outcome(aimrt_rpc_call_t call, aimrt_rpc_outcome_t *outcome_out,
                                                        aimrt_rpc_error_t *error);

/* Releases a call of either side. A running client call goes on and its completion is still delivered; a server call that was retained
 * is given back. 0 and a second release are no-ops.
 * Params: call [in, transferred].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_call_release(aimrt_rpc_call_t call);

/* ---- Calls, server side ------------------------------------------------------------------------------------------------- */

/* Gives the context of a call being served: metadata, timeout. Borrowed until the call is finished; 0 for a stale handle.
 * Params: call [in, borrowed].
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_context_t aimrt_rpc_call_context(aimrt_rpc_call_t call);

/* Ends a call being served and sends the answer. The server call's handle is stale afterwards unless it was retained.
 * Params: call [in]; status [in, borrowed] NULL = OK; response [in, borrowed] bytes of a raw service, copied; NULL = empty, or the
 *   native response that the request carried; error [out, owned] nullable.
 * Returns: OK; LOST when the client's side had ended (timeout, cancel, connection lost); INVALID_HANDLE, also for a second finish;
 *   INVALID_ARGUMENT; FORKED.
 * Thread safety: any thread, one at a time per call. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_call_finish(aimrt_rpc_call_t call, const aimrt_rpc_status_t *status,
                                                       const aimrt_rpc_payload_t *response, aimrt_rpc_error_t *error);

/* Keeps request, context and handle of a call being served alive after finish, until aimrt_rpc_call_release. Native messages of a call
 * inside one package stay the caller's and end with the finish.
 * Params: call [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_call_retain(aimrt_rpc_call_t call, aimrt_rpc_error_t *error);

/* Tells whether nobody waits for the answer of a call being served any more (1): cancelled, timed out, connection lost, shutdown.
 * Params: call [in, borrowed].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint8_t aimrt_rpc_call_cancelled(aimrt_rpc_call_t call);

/* Comes once when a call being served is cancelled, on any thread; must not block. Not called when the call ends in another way. */
typedef void (*aimrt_rpc_call_cancelled_fn)(void *user_data, aimrt_rpc_call_t call);

/* Sets what to call when a call being served is cancelled; comes at once, inside, when it is cancelled already. On failure user_data
 * stays with the caller.
 * Params: call [in, borrowed]; cancelled [in] NULL removes it; user_data [in]; user_data_free [in] nullable, called when the callback
 *   can no longer come; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_call_on_cancel(aimrt_rpc_call_t call, aimrt_rpc_call_cancelled_fn cancelled,
                                                          void *user_data, aimrt_rpc_free_fn user_data_free,
                                                          aimrt_rpc_error_t *error);

/* ---- Queue -------------------------------------------------------------------------------------------------------------- */

#define AIMRT_RPC_EVENT_CALL_FINISHED 1u /* call = the client call; code, message, payload = its outcome */
#define AIMRT_RPC_EVENT_CALL_ARRIVED 2u  /* call = the server call to finish; payload, response = the request */
#define AIMRT_RPC_EVENT_CALL_CANCELLED 3u /* call = a server call that arrived here and that nobody waits for any more; borrowed */
#define AIMRT_RPC_EVENT_SHUTDOWN 4u      /* tag = the runtime; the last event of that runtime */
#define AIMRT_RPC_EVENT_WAKE 5u          /* aimrt_rpc_queue_wake was called */

/* One event. Views live until the call in it is released (finished) or, for a server call, finished. */
typedef struct aimrt_rpc_event_t {
  uint32_t kind;                 /* AIMRT_RPC_EVENT_* */
  aimrt_rpc_code_t code;
  uint64_t tag;
  aimrt_rpc_call_t call;         /* owned by the receiver: aimrt_rpc_call_release when finished, _finish when arrived */
  aimrt_rpc_str_t message;
  aimrt_rpc_payload_t payload;
  void *response;
} aimrt_rpc_event_t;

/* Creates a queue of events with a file descriptor to poll.
 * Params: queue_out [out, owned] release with aimrt_rpc_queue_release; error [out, owned] nullable.
 * Returns: OK; INVALID_ARGUMENT for a NULL output; IO when no descriptor is left; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_queue_create(aimrt_rpc_queue_t *queue_out, aimrt_rpc_error_t *error);

/* Gives the descriptor that is readable while events wait; -1 for a stale handle. Never read from it or close it.
 * Params: queue [in, borrowed].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API int32_t aimrt_rpc_queue_fd(aimrt_rpc_queue_t queue);

/* Takes up to capacity events out of the queue.
 * Params: queue [in, borrowed]; events_out [out] room for capacity events; capacity [in]; count_out [out]; error [out, owned] nullable.
 * Returns: OK, also with 0 events; INVALID_HANDLE; INVALID_ARGUMENT; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_queue_drain(aimrt_rpc_queue_t queue, aimrt_rpc_event_t *events_out, size_t capacity,
                                                       size_t *count_out, aimrt_rpc_error_t *error);

/* Waits until the queue holds an event.
 * Params: queue [in, borrowed]; timeout_ns [in] UINT64_MAX = for ever; error [out, owned] nullable.
 * Returns: OK; TIMEOUT; INVALID_HANDLE, also when released meanwhile; FORKED.
 * Thread safety: any thread. Blocks: until an event is there or timeout_ns has passed. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_queue_wait(aimrt_rpc_queue_t queue, uint64_t timeout_ns, aimrt_rpc_error_t *error);

/* Puts an AIMRT_RPC_EVENT_WAKE with the given tag into the queue.
 * Params: queue [in, borrowed]; tag [in]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; LIMIT past 65536 waiting wakes; OUT_OF_MEMORY; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_queue_wake(aimrt_rpc_queue_t queue, uint64_t tag, aimrt_rpc_error_t *error);

/* Releases a queue: waiting calls that arrived are finished with 1009, finished calls are released, the descriptor is closed. Calls that
 * end later for this queue are released silently. 0 and a second release are no-ops.
 * Params: queue [in, transferred].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_queue_release(aimrt_rpc_queue_t queue);

/* ---- Connections whose sockets the runtime owns -------------------------------------------------------------------------- */

/* Both ends of a connection may serve and call. A service of a router and a method of a connection have a path, "math/add", for a name. The
 * payload of a call is the array [args, kwargs], positional and named arguments, its response one value; both are "json" or "msgpack". */

/* Creates a router that serves nothing yet.
 * Params: handle [in, borrowed]; router_out [out, owned] release with aimrt_rpc_router_release; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT for a NULL output; LIMIT when no handle is left; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_router_create(aimrt_rpc_handle_t handle, aimrt_rpc_router_t *router_out,
                                                         aimrt_rpc_error_t *error);

/* Serves a path. Handler or queue, executor and the rest are as for aimrt_rpc_handle_register_service; the name of the options is the path.
 * Connections that have the router serve the path from now on. On failure user_data stays with the caller.
 * Params: router [in, borrowed]; options [in, borrowed]; service_out [out] nullable, owned by the runtime; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; INVALID_STATE before initialize and after shutdown; ALREADY_EXISTS when the path is
 *   taken; LIMIT; UNSUPPORTED for a shape; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_router_register(aimrt_rpc_router_t router, const aimrt_rpc_service_options_t *options,
                                                           aimrt_rpc_service_t *service_out, aimrt_rpc_error_t *error);

/* Takes a path out, with all that is below it. Calls that run go on. What handlers of the path use must live until the runtime is
 * released, when their user_data is given back.
 * Params: router [in, borrowed]; path [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; NOT_FOUND with the nearest path; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_router_remove(aimrt_rpc_router_t router, aimrt_rpc_str_t path, aimrt_rpc_error_t *error);

/* Puts all that another router serves, now and later, under a path. A router has one such place.
 * Params: router [in, borrowed]; path [in, borrowed]; sub_router [in, borrowed] of the same runtime; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT, also when a router would be inside itself; ALREADY_EXISTS when the path is taken or
 *   sub_router has its place; LIMIT; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_router_attach(aimrt_rpc_router_t router, aimrt_rpc_str_t path,
                                                         aimrt_rpc_router_t sub_router, aimrt_rpc_error_t *error);

/* Releases a router's handle; connections, listeners and routers that have it go on serving. 0 and a second release are no-ops.
 * Params: router [in, transferred].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_router_release(aimrt_rpc_router_t router);

#define AIMRT_RPC_CONNECTION_RECONNECT 1u     /* dial: connect again when the peer has gone; closed comes only after the close */
#define AIMRT_RPC_CONNECTION_FAILURE_ARRAY 2u /* tell failures as mosaik does: an array of class, text and trace */

/* Comes for each accepted connection before any of its calls is served, on a thread of the library; must not block. The handle is
 * borrowed: aimrt_rpc_connection_retain keeps it. */
typedef void (*aimrt_rpc_connected_fn)(void *user_data, aimrt_rpc_connection_t connection);

typedef struct aimrt_rpc_connection_options_t {
  uint32_t struct_size;
  uint32_t flags;                       /* AIMRT_RPC_CONNECTION_RECONNECT, _FAILURE_ARRAY */
  uint32_t codec;                       /* AIMRT_RPC_CONNECTION_CODEC_*, not _OPAQUE; both ends must have the same */
  uint32_t max_connection_count;        /* listen: open connections, 0 = 10000 */
  aimrt_rpc_str_t dialect;              /* empty = "aiomas", the only one of this version */
  aimrt_rpc_str_t address;              /* "tcp://host:port" (listen: port 0 = any free one), "unix:///path", "local://name" */
  aimrt_rpc_router_t router;            /* what this end serves; 0 = nothing */
  uint64_t timeout_ns;                  /* dial: how long to try; 0 = once, UINT64_MAX = for ever */
  aimrt_rpc_str_t tls_ca;               /* PEM files; TLS is used when one of the three is given */
  aimrt_rpc_str_t tls_certificate;
  aimrt_rpc_str_t tls_key;
  aimrt_rpc_str_t tls_server_name;      /* dial: the name the peer's certificate must have; empty = the host of the address */
  const aimrt_rpc_str_t *allowed_peers; /* names in certificates of peers that may connect; copied; none = every verified one */
  size_t allowed_peer_count;
  aimrt_rpc_str_t token;                /* listen: what a peer must give first; dial: what this end gives; empty = none */
  uint64_t reference_type;              /* what both ends number references to services with, 0 as long as nobody counts otherwise */
  uint32_t max_frame_size;              /* the limits as in aimrt_rpc_connection_hosted_options_t */
  uint32_t max_depth;
  uint32_t max_pending_count;
  uint32_t max_open_count;
  uint64_t max_pending_size;
  aimrt_rpc_connected_fn connected;     /* listen: nullable */
  void *user_data;
  aimrt_rpc_free_fn user_data_free;     /* called when connected can no longer come */
} aimrt_rpc_connection_options_t;

#define AIMRT_RPC_CONNECTION_OPTIONS_INIT                                                                                     \
  {(uint32_t)sizeof(aimrt_rpc_connection_options_t), 0u, 0u, 0u, {NULL, 0}, {NULL, 0}, 0u, 0u, {NULL, 0}, {NULL, 0},          \
   {NULL, 0}, {NULL, 0}, NULL, 0, {NULL, 0}, 0u, 0u, 0u, 0u, 0u, 0u, NULL, NULL, NULL}

/* Connects to a peer.
 * Params: handle [in, borrowed]; options [in, borrowed]; connection_out [out, owned] release with aimrt_rpc_connection_release, which
 *   closes it; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE, also for the router; INVALID_ARGUMENT; NOT_FOUND for a dialect; INVALID_STATE before initialize and after
 *   shutdown; IO when the peer cannot be reached or refuses; LIMIT; UNSUPPORTED for the opaque codec; FORKED.
 * Thread safety: any thread. Blocks: until connected, refused, or timeout_ns has passed. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_handle_dial(aimrt_rpc_handle_t handle, const aimrt_rpc_connection_options_t *options,
                                                       aimrt_rpc_connection_t *connection_out, aimrt_rpc_error_t *error);

/* Accepts connections at an address. On failure user_data stays with the caller.
 * Params: handle [in, borrowed]; options [in, borrowed]; listener_out [out, owned] release with aimrt_rpc_listener_release;
 *   error [out, owned] nullable.
 * Returns: as aimrt_rpc_handle_dial; IO when the address cannot be had.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_handle_listen(aimrt_rpc_handle_t handle, const aimrt_rpc_connection_options_t *options,
                                                         aimrt_rpc_listener_t *listener_out, aimrt_rpc_error_t *error);

/* Gives the address of a listener in the form that dial takes, with the port that was chosen.
 * Params: listener [in, borrowed]; address_out [out, owned] release with aimrt_rpc_buffer_release; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT for a NULL output; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_listener_address(aimrt_rpc_listener_t listener, aimrt_rpc_buffer_t *address_out,
                                                            aimrt_rpc_error_t *error);

/* Ends a listener and the connections it accepted. 0 and a second release are no-ops. Not inside a callback of this listener or of one of
 * its connections.
 * Params: listener [in, transferred].
 * Thread safety: any thread. Blocks: until the sockets are closed. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_listener_release(aimrt_rpc_listener_t listener);

/* Gives the method at a path of the peer: it is called as every other raw method. The same one for the same path. It is stale when all
 * references to the connection are released; calls over a connection that is closed end with CONNECTION_LOST.
 * Params: connection [in, borrowed]; path [in, borrowed] at most 512 bytes; method_out [out]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; UNSUPPORTED for a connection whose bytes the host moves; LIMIT past 65536 methods of one
 *   connection; OUT_OF_MEMORY; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_method(aimrt_rpc_connection_t connection, aimrt_rpc_str_t path,
                                                             aimrt_rpc_method_t *method_out, aimrt_rpc_error_t *error);

/* Tells how values are encoded: AIMRT_RPC_CONNECTION_CODEC_JSON or _MSGPACK, also for compressed MsgPack.
 * Params: connection [in, borrowed]; codec_out [out]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; UNSUPPORTED for a connection whose bytes the host moves; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_encoding(aimrt_rpc_connection_t connection, uint32_t *codec_out,
                                                               aimrt_rpc_error_t *error);

/* Tells who is at the other end.
 * Params: connection [in, borrowed]; peer_out [out, owned] "tcp://127.0.0.1:5555", release with aimrt_rpc_buffer_release;
 *   identity_out [out, owned] nullable, the name in the peer's certificate or empty; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; UNSUPPORTED for a connection whose bytes the host moves; OUT_OF_MEMORY; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_peer(aimrt_rpc_connection_t connection, aimrt_rpc_buffer_t *peer_out,
                                                           aimrt_rpc_buffer_t *identity_out, aimrt_rpc_error_t *error);

/* Encodes a reference to a service of this end, to be an argument or a result: the peer can call it back over this connection.
 * Params: connection [in, borrowed]; path [in, borrowed] of what this end's router serves, empty for all of it; value_out [out, owned]
 *   release with aimrt_rpc_buffer_release; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; NOT_FOUND when nothing is served there; UNSUPPORTED for a connection whose bytes the host
 *   moves; OUT_OF_MEMORY; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_reference(aimrt_rpc_connection_t connection, aimrt_rpc_str_t path,
                                                                aimrt_rpc_buffer_t *value_out, aimrt_rpc_error_t *error);

/* Gives the path of the peer's service that a received value refers to.
 * Params: connection [in, borrowed]; value [in, borrowed] one encoded value; path_out [out, owned] release with
 *   aimrt_rpc_buffer_release; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; NOT_FOUND when the value is no reference; UNSUPPORTED for a connection whose bytes the
 *   host moves; OUT_OF_MEMORY; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_reference_path(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t value,
                                                                     aimrt_rpc_buffer_t *path_out, aimrt_rpc_error_t *error);

/* Tells once that a connection has ended for good, and why; on a thread of the library, or inside aimrt_rpc_connection_on_close when it
 * has ended already. Must not block. */
typedef void (*aimrt_rpc_closed_fn)(void *user_data, aimrt_rpc_connection_t connection, aimrt_rpc_str_t reason);

/* Adds what is called when a connection has ended. On failure user_data stays with the caller.
 * Params: connection [in, borrowed]; closed [in] not NULL; user_data [in]; user_data_free [in] nullable, called after closed;
 *   error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; LIMIT past 64 callbacks of one connection; UNSUPPORTED for a connection whose bytes the
 *   host moves; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_on_close(aimrt_rpc_connection_t connection, aimrt_rpc_closed_fn closed,
                                                               void *user_data, aimrt_rpc_free_fn user_data_free,
                                                               aimrt_rpc_error_t *error);

/* Begins to close a connection: its open calls end with CONNECTION_LOST, then its closed callbacks come.
 * Params: connection [in, borrowed]; error [out, owned] nullable.
 * Returns: OK, also when it is closed; INVALID_HANDLE; UNSUPPORTED for a connection whose bytes the host moves; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_close(aimrt_rpc_connection_t connection, aimrt_rpc_error_t *error);

/* Adds a reference to a connection: one more aimrt_rpc_connection_release is due.
 * Params: connection [in, borrowed]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; UNSUPPORTED for a connection whose bytes the host moves; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_retain(aimrt_rpc_connection_t connection, aimrt_rpc_error_t *error);

/* Gives the connection that a call being served came over, to call the peer back.
 * Params: call [in, borrowed]; connection_out [out, owned] a reference, release with aimrt_rpc_connection_release;
 *   error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; NOT_FOUND when it came in another way or the connection is gone; LIMIT; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_call_connection(aimrt_rpc_call_t call, aimrt_rpc_connection_t *connection_out,
                                                           aimrt_rpc_error_t *error);

/* ---- Connections whose bytes the host moves ----------------------------------------------------------------------------- */

/* For a host that has sockets and a loop of its own, for example asyncio: no runtime, no thread, no I/O. The host feeds what it received,
 * gets events back in the same call, and sends the frames that these functions give. Frames are a length of four bytes, big-endian, and a
 * payload; payloads are those of aiomas, [type, number, content]. Bytes that the peer may not send end the connection, not the process. */

#define AIMRT_RPC_CONNECTION_CODEC_JSON 0u
#define AIMRT_RPC_CONNECTION_CODEC_MSGPACK 1u
#define AIMRT_RPC_CONNECTION_CODEC_MSGPACK_BLOSC 2u /* contents are MsgPack, payloads are Blosc chunks */
#define AIMRT_RPC_CONNECTION_CODEC_OPAQUE 3u        /* frames and their limit only: the host makes the payloads and matches replies */

typedef struct aimrt_rpc_connection_hosted_options_t {
  uint32_t struct_size;
  uint32_t flags;             /* reserved, 0 */
  uint32_t codec;             /* AIMRT_RPC_CONNECTION_CODEC_* */
  uint32_t max_frame_size;    /* bytes of one payload in either direction, 0 = 64 MiB */
  uint32_t max_depth;         /* nesting of arrays and maps in one payload, 0 = 128 */
  uint32_t max_pending_count; /* own requests without a reply, 0 = 65536 */
  uint32_t max_open_count;    /* requests of the peer without a reply; further ones get an exception; 0 = 10000 */
  uint32_t reserved;
  uint64_t max_pending_size;  /* bytes of the own requests without a reply, 0 = 256 MiB */
} aimrt_rpc_connection_hosted_options_t;

#define AIMRT_RPC_CONNECTION_HOSTED_OPTIONS_INIT                                                                              \
  {(uint32_t)sizeof(aimrt_rpc_connection_hosted_options_t), 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u}

/* Creates one end of a connection on which nothing has happened yet.
 * Params: options [in, borrowed] nullable, NULL = defaults; connection_out [out, owned] release with aimrt_rpc_connection_release;
 *   error [out, owned] nullable.
 * Returns: OK; INVALID_ARGUMENT; LIMIT when no handle is left; OUT_OF_MEMORY; FORKED.
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_create_hosted(const aimrt_rpc_connection_hosted_options_t *options,
                                                                    aimrt_rpc_connection_t *connection_out,
                                                                    aimrt_rpc_error_t *error);

#define AIMRT_RPC_CONNECTION_EVENT_REQUEST 1u   /* the peer waits for aimrt_rpc_connection_reply to number */
#define AIMRT_RPC_CONNECTION_EVENT_RESULT 2u    /* the own request number has this result */
#define AIMRT_RPC_CONNECTION_EVENT_EXCEPTION 3u /* the own request number has this exception */
#define AIMRT_RPC_CONNECTION_EVENT_FRAME 4u     /* a payload of an opaque connection */
#define AIMRT_RPC_CONNECTION_EVENT_FAILED 5u    /* the peer broke the protocol or a limit, content is the text of why: close it */

/* What received bytes meant. */
typedef struct aimrt_rpc_connection_event_t {
  uint32_t kind;             /* AIMRT_RPC_CONNECTION_EVENT_* */
  uint32_t reserved;
  uint64_t number;           /* of the request; requests of the two ends are numbered apart */
  aimrt_rpc_bytes_t content; /* one encoded value, valid until the connection is fed again or released */
} aimrt_rpc_connection_event_t;

/* Takes received bytes, cut anywhere, and gives what they mean. When count_out is capacity, there may be more: the rest is got by feeding
 * {NULL, 0} until fewer come, before further bytes are fed. Afterwards send what aimrt_rpc_connection_take_output gives. What the peer
 * may not send is the event FAILED after all that was sound; then nothing follows and the connection is only to be closed.
 * Params: connection [in, borrowed]; bytes [in, borrowed]; events_out [out] room for capacity events; capacity [in] at least 1;
 *   count_out [out]; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; INVALID_STATE after FAILED or the end of input, when events wait and bytes are given, or
 *   when another thread is inside; UNSUPPORTED for a connection with a socket; OUT_OF_MEMORY; PANIC; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_feed(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t bytes,
                                                           aimrt_rpc_connection_event_t *events_out, size_t capacity,
                                                           size_t *count_out, aimrt_rpc_error_t *error);

/* Takes the frames that the library sends by itself: answers to requests it could not understand or that were too many.
 * Params: connection [in, borrowed]; bytes_out [out, borrowed] empty when there are none, valid until the next function other than feed
 *   is called on this connection; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; INVALID_STATE when another thread is inside; UNSUPPORTED for a connection with a
 *   socket; OUT_OF_MEMORY; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_take_output(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t *bytes_out,
                                                                  aimrt_rpc_error_t *error);

/* Makes the frame of a request. Its reply comes as an event of the same number. Numbers count from 0; one is used up also when this fails.
 * Params: connection [in, borrowed]; content [in, borrowed] one encoded value, for a call [path, args, kwargs]; number_out [out];
 *   frame_out [out, borrowed] the bytes to send, valid until the next function other than feed is called on this connection;
 *   error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT when content is not one value of the codec; LIMIT (frame, depth, pending requests);
 *   INVALID_STATE after FAILED or the end of input, or when another thread is inside; UNSUPPORTED for the opaque codec and for a
 *   connection with a socket; OUT_OF_MEMORY; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_request(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t content,
                                                              uint64_t *number_out, aimrt_rpc_bytes_t *frame_out,
                                                              aimrt_rpc_error_t *error);

/* Makes the frame that answers a request of the peer. When content cannot be sent, the request stays open and can be answered otherwise.
 * Params: connection [in, borrowed]; number [in] of the request's event; kind [in] AIMRT_RPC_CONNECTION_EVENT_RESULT or _EXCEPTION;
 *   content [in, borrowed] one encoded value; frame_out [out, borrowed] as aimrt_rpc_connection_request; error [out, owned] nullable.
 * Returns: as aimrt_rpc_connection_request, but a reply may follow the end of input; NOT_FOUND when the request was answered or dropped.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_reply(aimrt_rpc_connection_t connection, uint64_t number, uint32_t kind,
                                                            aimrt_rpc_bytes_t content, aimrt_rpc_bytes_t *frame_out,
                                                            aimrt_rpc_error_t *error);

/* Puts the header in front of a payload of an opaque connection.
 * Params: connection [in, borrowed]; payload [in, borrowed]; frame_out [out, borrowed] as aimrt_rpc_connection_request;
 *   error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_ARGUMENT; LIMIT; INVALID_STATE when another thread is inside; UNSUPPORTED for other codecs;
 *   OUT_OF_MEMORY; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_frame(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t payload,
                                                            aimrt_rpc_bytes_t *frame_out, aimrt_rpc_error_t *error);

/* Gives an own request up, because its caller waits no more: its reply will be ignored.
 * Params: connection [in, borrowed]; number [in]; error [out, owned] nullable.
 * Returns: OK; NOT_FOUND when it was answered or given up; INVALID_HANDLE; INVALID_STATE when another thread is inside; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_forget(aimrt_rpc_connection_t connection, uint64_t number,
                                                             aimrt_rpc_error_t *error);

/* Closes a request of the peer without a reply.
 * Params: connection [in, borrowed]; number [in] of the request's event; error [out, owned] nullable.
 * Returns: OK; NOT_FOUND when it was answered or dropped; INVALID_HANDLE; INVALID_STATE when another thread is inside; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_drop(aimrt_rpc_connection_t connection, uint64_t number,
                                                           aimrt_rpc_error_t *error);

/* Says that the peer sends nothing more: own requests are given up, requests of the peer may still be answered.
 * Params: connection [in, borrowed]; left_out [out] nullable, bytes of a frame that will never be complete; error [out, owned] nullable.
 * Returns: OK; INVALID_HANDLE; INVALID_STATE a second time, after FAILED, while events wait, or when another thread is inside; FORKED.
 * Thread safety: one thread at a time per handle. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API aimrt_rpc_result_t aimrt_rpc_connection_end_of_input(aimrt_rpc_connection_t connection, uint64_t *left_out,
                                                                   aimrt_rpc_error_t *error);

/* Counts the own requests that wait for a reply; 0 for a stale handle.
 * Params: connection [in, borrowed].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint64_t aimrt_rpc_connection_pending_count(aimrt_rpc_connection_t connection);

/* Counts the requests of the peer that wait for a reply; 0 for a stale handle.
 * Params: connection [in, borrowed].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API uint64_t aimrt_rpc_connection_open_count(aimrt_rpc_connection_t connection);

/* Releases a connection whose bytes the host moves with all views it gave, or one reference to another connection: the last one closes a
 * connection that was dialled, one that a listener accepted goes on. 0 and a further release are no-ops.
 * Params: connection [in, transferred].
 * Thread safety: any thread. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void aimrt_rpc_connection_release(aimrt_rpc_connection_t connection);

/* ---- CPython ------------------------------------------------------------------------------------------------------------ */

/* Gives CPython a dict of built-in functions that skip ctypes on the hot path. For the aimrt_rpc Python package only; its names and
 * meanings may change with every version of the library.
 * Params: functions [in, borrowed] addresses of CPython functions in the order of aimrt_rpc._bridge; count [in] their number.
 * Returns: a new reference to a dict (PyObject *), or NULL when count is not the library's, the process forked, or the
 *   interpreter it served has ended.
 * Thread safety: with the GIL held. Blocks: no. Since: 0.1.0 */
AIMRT_RPC_API void *aimrt_rpc_python_bridge(const void *const *functions, uint32_t count);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* AIMRT_RPC_H_ */
