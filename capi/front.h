/*
 * front.h - what the C half of the call path gives to the Go half, to the executors and to the CPython bridge.
 *
 * Go decides and C carries out: Go creates the objects below, publishes one entry per client method, and serves what an entry sends to the
 * engine. Everything here is hidden; users see include/aimrt_rpc.h only. The layouts of the objects are in objects.h and belong to the
 * C half alone.
 *
 * For cgo: every struct that Go fills is free of pointers to Go memory, and texts travel as one block with a list of sizes, so that a call
 * needs no pinning. All pointer parameters are borrowed for the call unless a comment says longer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AIMRT_RPC_CAPI_FRONT_H_
#define AIMRT_RPC_CAPI_FRONT_H_

#include <stddef.h>
#include <stdint.h>

#include "../include/aimrt_rpc.h"

/* Every function of capi/ that is not part of the public header; the same words as in guards.h. */
#define FRONT_HIDDEN __attribute__((visibility("hidden")))

typedef struct front_runtime front_runtime;
typedef struct front_module front_module;
typedef struct front_method front_method;   /* a client method */
typedef struct front_service front_service; /* a method served */
typedef struct front_call front_call;       /* client call */
typedef struct front_server_call front_server_call;

/* ---- Named limits ------------------------------------------------------------------------------------------------------- */

#define FRONT_MAX_RUNTIMES 64u
#define FRONT_MAX_PENDING_CALLS 65536u    /* client and server calls that are open or not released, all runtimes together */
#define FRONT_MAX_NAME_BYTES 512u         /* names of methods, services, modules */
#define FRONT_MAX_CONTEXTS 1048576u       /* client contexts that are not released */
#define FRONT_MAX_CONTEXT_ENTRIES 4096u
#define FRONT_MAX_CONTEXT_BYTES (16u << 20)
#define FRONT_MAX_SERIALIZATION_BYTES 63u /* name of a serialization */
#define FRONT_MAX_QUEUE_WAKES 65536u      /* wake events waiting in one queue */
#define FRONT_MAX_INLINE_COMPLETIONS 8u   /* nested completions on one stack; deeper ones wait for the outermost */

/* ---- Handle table (handles.c) ------------------------------------------------------------------------------------------- */

/* Makes a handle (kind 8 | generation 32 | slot 24) of an object; 0 when the table is full. Lookups are lock-free and may race with a
 * drop, so the memory of an object must stay readable as an object of its type after the handle is dropped. */
FRONT_HIDDEN uint64_t front_handle_new(uint32_t kind, void *object);
/* Gives the object of a live handle of this kind, else NULL. */
FRONT_HIDDEN void *front_handle_find(uint32_t kind, uint64_t handle);
/* Makes a handle stale. Gives the object to exactly one caller, NULL to everybody else. */
FRONT_HIDDEN void *front_handle_drop(uint32_t kind, uint64_t handle);

/* ---- Errors, buffers, options (error.c) --------------------------------------------------------------------------------- */

/* Stores a new error in *error when error is not NULL; gives result back, so that a function can end with it. */
FRONT_HIDDEN aimrt_rpc_result_t front_error_set(aimrt_rpc_error_t *error, aimrt_rpc_result_t result, const char *text,
                                                size_t size);
/* The same with a format of printf. */
FRONT_HIDDEN aimrt_rpc_result_t front_fail(aimrt_rpc_error_t *error, aimrt_rpc_result_t result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a key/value detail to an error made by one of the functions above; a no-op for 0. */
FRONT_HIDDEN void front_error_detail(aimrt_rpc_error_t error, const char *key, size_t key_size, const char *value,
                                     size_t value_size);
/* Stores the FORKED error and zeroes nothing else. */
FRONT_HIDDEN aimrt_rpc_result_t front_fail_forked(aimrt_rpc_error_t *error);

/* Fills an owned buffer with a copy; {NULL, 0, 0} and 0 when out of memory, else 1. An empty copy is a zeroed buffer and 1. */
FRONT_HIDDEN uint8_t front_buffer_set(aimrt_rpc_buffer_t *buffer, const void *bytes, size_t size);

/* Reads a struct that begins with struct_size: copies min(struct_size, own_size) bytes over *out, which holds the defaults (the _INIT
 * macro), and refuses a NULL, a struct_size below 4, above 64 KiB, and non-zero bytes past own_size. `what` names the struct in the error. */
FRONT_HIDDEN aimrt_rpc_result_t front_struct_read(void *out, size_t own_size, const void *in, const char *what,
                                                  aimrt_rpc_error_t *error);
/* What the size alone cannot tell: flags, shape (UNSUPPORTED), name, type support with all its functions, serializations, and for a service
 * handler or queue. Both take a struct of this version's full size. */
FRONT_HIDDEN aimrt_rpc_result_t front_service_options_check(const aimrt_rpc_service_options_t *options, aimrt_rpc_error_t *error);
FRONT_HIDDEN aimrt_rpc_result_t front_client_options_check(const aimrt_rpc_client_options_t *options, aimrt_rpc_error_t *error);

/* ---- Handles of executors (executors_api.c) ------------------------------------------------------------------------------ */

struct front_executor;
/* Makes the public handle of an executor and takes the caller's ownership over; 0 when the table or memory is full, the executor then
 * stays the caller's. Use this rather than front_handle_new: lookups may race with the release. */
FRONT_HIDDEN aimrt_rpc_executor_t front_executor_publish(struct front_executor *executor);
/* Makes the handle stale and releases the executor (front_executor_release) once nobody uses it through the handle. 0 and a stale
 * handle are no-ops. */
FRONT_HIDDEN void front_executor_withdraw(aimrt_rpc_executor_t handle);

/* ---- Runtime and modules (runtime.c) ------------------------------------------------------------------------------------ */

/* The id by which Go finds the object of a live handle of this kind: runtime, module (also by its rpc handle), method, service.
 * 0 for a stale handle or one of another kind. go_id is never 0. */
FRONT_HIDDEN uint64_t front_go_id(uint32_t kind, uint64_t handle);

/* Makes a runtime in state PRE_INIT; NULL when FRONT_MAX_RUNTIMES are alive or memory is out. */
FRONT_HIDDEN front_runtime *front_runtime_new(uint64_t go_id);
FRONT_HIDDEN aimrt_rpc_runtime_t front_runtime_handle(const front_runtime *runtime);
/* Number of the runtime in its process, 0..63; the eventfd of front_guards_* has the same number. */
FRONT_HIDDEN uint32_t front_runtime_index(const front_runtime *runtime);
/* Makes the handles of the runtime, its modules, methods and services stale. Their memory, the names and the user data go when no call
 * is open any more, at once or at a later front_runtime_new or _free. Go uses no pointer of this runtime afterwards. */
FRONT_HIDDEN void front_runtime_free(front_runtime *runtime);
/* Mirrors the state AIMRT_RPC_STATE_* of the core and wakes who waits for it. */
FRONT_HIDDEN void front_runtime_set_state(front_runtime *runtime, uint32_t state);
FRONT_HIDDEN uint32_t front_runtime_get_state(const front_runtime *runtime);
/* Says how the shutdown runs: AIMRT_RPC_START_SHUTDOWN_IN_WAIT or 0. Before the state START is set. */
FRONT_HIDDEN void front_runtime_set_start_flags(front_runtime *runtime, uint32_t flags);
/* 1 when aimrt_rpc_runtime_shutdown was called. */
FRONT_HIDDEN uint8_t front_runtime_shutdown_requested(const front_runtime *runtime);
/* Asks for the shutdown, as aimrt_rpc_runtime_shutdown. */
FRONT_HIDDEN void front_runtime_request_shutdown(front_runtime *runtime);
/* Gives 1 to the first caller: that one runs the shutdown. */
FRONT_HIDDEN uint8_t front_runtime_claim_shutdown(front_runtime *runtime);
/* Waits until the state is SHUTDOWN; 1 when it is, 0 after timeout_ns. Blocks in C: for Go goroutines prefer the core's own event. */
FRONT_HIDDEN uint8_t front_runtime_wait_done(front_runtime *runtime, uint64_t timeout_ns);
/* Calls of this runtime that have not ended: client calls without completion, and calls whose handler has not finished. */
FRONT_HIDDEN uint64_t front_runtime_open_calls(front_runtime *runtime);
/* Calls made so far under the index-th function name of this runtime, the direct and local ones included. 0 past the last; the name lives
 * as long as the runtime. */
FRONT_HIDDEN uint8_t front_runtime_call_count(front_runtime *runtime, uint32_t index, aimrt_rpc_str_t *name_out, uint64_t *calls_out);
/* Cancels what is open: local calls end with CANCELLED, direct calls and served ones see the flag. Engine calls are Go's to cancel. Gives
 * the number of calls told. From then on every server call of this runtime counts as cancelled. */
FRONT_HIDDEN uint64_t front_runtime_cancel_calls(front_runtime *runtime);
/* Puts AIMRT_RPC_EVENT_SHUTDOWN into every queue that served or called for this runtime. Once, as the last step of the shutdown. */
FRONT_HIDDEN void front_runtime_push_shutdown(front_runtime *runtime);
/* Keys that aimrt_rpc_handle_merge_context copies: count texts in one block. Replaces the former set; before START only. */
FRONT_HIDDEN uint8_t front_runtime_set_passed_keys(front_runtime *runtime, const char *texts, const uint32_t *sizes,
                                                   uint32_t count);

/* Makes a module; NULL when out of memory or handles. Texts are copied and live as long as the runtime. */
FRONT_HIDDEN front_module *front_module_new(front_runtime *runtime, uint64_t go_id, const char *name, size_t name_size,
                                            const char *package, size_t package_size);
FRONT_HIDDEN aimrt_rpc_module_t front_module_handle(const front_module *module);
FRONT_HIDDEN aimrt_rpc_handle_t front_module_rpc(const front_module *module);
FRONT_HIDDEN void front_module_set_log_level(front_module *module, uint32_t level);
/* Once, before the module's initialize callback. Returns 0 when out of memory. */
FRONT_HIDDEN uint8_t front_module_set_config_path(front_module *module, const char *path, size_t size);
/* What the module says about itself, for its core table. Once, right after front_module_new. Returns 0 when out of memory. */
FRONT_HIDDEN uint8_t front_module_set_info(front_module *module, uint32_t major, uint32_t minor, uint32_t patch, uint32_t build,
                                           const char *author, size_t author_size, const char *description,
                                           size_t description_size);
/* Makes both handles of a module that was refused at creation stale; its memory goes with the runtime. */
FRONT_HIDDEN void front_module_drop(front_module *module);

/* ---- Methods and services (front.c, serve.c) ------------------------------------------------------------------------------ */

/* Makes a client method whose entry refuses with 2011. options have passed front_client_options_check. NULL when out of memory. */
FRONT_HIDDEN front_method *front_method_new(front_module *module, uint64_t go_id, const aimrt_rpc_client_options_t *options);
FRONT_HIDDEN aimrt_rpc_method_t front_method_handle(const front_method *method);
/* Makes a service. options have passed front_service_options_check. NULL and *error when a queue or executor handle is stale or memory is
 * out; user_data then stays the caller's. Afterwards user_data_free is called once, by the C half, when no handler can run. */
FRONT_HIDDEN front_service *front_service_new(front_module *module, uint64_t go_id, const aimrt_rpc_service_options_t *options,
                                              aimrt_rpc_error_t *error);
FRONT_HIDDEN aimrt_rpc_service_t front_service_handle(const front_service *service);
/* The executor that the rules name for calls from the engine; 0 = the handler pool. Before START. Returns 0 for a stale handle. */
FRONT_HIDDEN uint8_t front_service_set_executor(front_service *service, aimrt_rpc_executor_t executor);
/* The pool that runs handlers of calls from the engine which have no executor of their own. Before START. 0 for a stale handle. */
FRONT_HIDDEN uint8_t front_runtime_set_handler_pool(front_runtime *runtime, aimrt_rpc_executor_t pool);

#define FRONT_ENTRY_REFUSE 0u /* ends with code and text */
#define FRONT_ENTRY_DIRECT 1u /* same package, equal types: handler on the caller's thread, native messages passed, no timer */
#define FRONT_ENTRY_LOCAL 2u  /* same process: serialized copies, handler on the caller's thread, timer */
#define FRONT_ENTRY_ENGINE 3u /* aimrtgo_engine_start */

#define FRONT_ENTRY_NATIVE 1u /* engine: hand native request and response over, do not encode */

typedef struct front_entry_init {
  uint32_t kind;               /* FRONT_ENTRY_* */
  uint32_t flags;              /* FRONT_ENTRY_NATIVE */
  uint32_t code;               /* of REFUSE */
  uint32_t text_size;          /* message of REFUSE, 0 = the standard text of the code */
  uint32_t backend_size;       /* name for aimrt-backend of DIRECT, LOCAL and, until the outcome names another, ENGINE */
  uint32_t reserved;
  uint64_t default_timeout_ns; /* for calls whose context has none; 0 = none. Written back into the client context. */
  uint64_t engine_id;          /* 0 = never; else a call whose context sets aimrt-to_addr goes to the engine under this id (not for 2011) */
  front_service *service;      /* of DIRECT and LOCAL */
  uint64_t timeout_executor;   /* handle: where timed out calls of LOCAL end; 0 = on the thread of the timers */
} front_entry_init;

/* Replaces the entry of a method while calls run, and returns when no call reads the old one. texts = text, then backend. The first
 * publication of a method costs nothing; a later one a membarrier. 0 when out of memory or the init is not usable. */
FRONT_HIDDEN uint8_t front_method_publish(front_method *method, const front_entry_init *init, const char *texts);

/* ---- Engine: client calls that Go carries out (front.c) -------------------------------------------------------------------- */

/* What C hands to Go. Every pointer is valid until aimrtgo_engine_start returns, except native_request and native_response: those until
 * front_engine_complete. The struct itself stands on the stack of the caller. */
typedef struct front_engine_request {
  uint64_t call;       /* the front_call, an id for Go: keep it as an integer */
  uint64_t engine_id;  /* of the entry */
  uint64_t method;     /* go_id of the method */
  uint64_t runtime;    /* go_id of the runtime */
  uint64_t timeout_ns; /* the context's, or the entry's default; 0 = none */
  uint64_t request_id;
  const aimrt_rpc_pair_t *pairs; /* all metadata the user set, in order, aimrt-to_addr included; framework keys are not in it */
  size_t pair_count;
  aimrt_rpc_str_t to_addr;       /* empty = not set */
  aimrt_rpc_str_t serialization; /* never empty */
  aimrt_rpc_bytes_t bytes;       /* encoded request; empty with native_request */
  void *native_request;          /* FRONT_ENTRY_NATIVE and a method with type support */
  void *native_response;
} front_engine_request;

#define FRONT_OUTCOME_RESPONSE 1u    /* bytes are a response: decode them into a native response, whatever the code */
#define FRONT_OUTCOME_NATIVE 2u      /* native_response of the request has been filled */
#define FRONT_OUTCOME_NO_BACKEND 4u  /* aimrt-to_addr chose: the client context shows no aimrt-backend */

/* How an engine call ended. Free of pointers; texts = message, trace, native_dialect, native_code, peer, backend, serialization, then key
 * and value of each detail, with detail_sizes giving the sizes of the latter alternately. */
typedef struct front_engine_outcome {
  uint32_t code;
  uint32_t flags; /* FRONT_OUTCOME_* */
  uint32_t message_size;
  uint32_t trace_size;
  uint32_t native_dialect_size;
  uint32_t native_code_size;
  uint32_t peer_size;
  uint32_t backend_size;       /* 0 = the entry's */
  uint32_t serialization_size; /* of bytes; 0 = the request's */
  uint32_t detail_count;
} front_engine_outcome;

/* Ends an engine call: exactly once per aimrtgo_engine_start, from any thread, also before that returns. Everything is copied or decoded
 * inside. The callback of the call may run inside and may start further calls. call = front_engine_request.call. */
FRONT_HIDDEN void front_engine_complete(uint64_t call, const front_engine_outcome *outcome, const char *texts,
                                        const uint32_t *detail_sizes, const void *bytes, size_t size);
/* Encodes the native request in another serialization, inside aimrtgo_engine_start only. Returns a code: 0, 2005 (not supported or no
 * native request) or 2006; the view lives until aimrtgo_engine_start returns or the next front_call_encode. */
FRONT_HIDDEN uint32_t front_call_encode(uint64_t call, const char *serialization, size_t serialization_size,
                                        aimrt_rpc_bytes_t *bytes_out);

/* ---- Served calls: Go received a request for a foreign service (serve.c) ---------------------------------------------------- */

#define FRONT_SERVE_INLINE 1u /* the handler may run on this thread */

/* Free of pointers to Go memory; texts = serialization, then key and value of each pair, with pair_sizes giving the sizes of the latter
 * alternately. pairs are the whole metadata of the server context, framework keys included. */
typedef struct front_serve_request {
  uint64_t engine_token; /* given back in aimrtgo_engine_finish; never 0 */
  uint64_t timeout_ns;   /* 0 = none */
  uint64_t size;         /* of bytes */
  void *native_request;  /* messages of FRONT_ENTRY_NATIVE: valid until aimrtgo_engine_finish; NULL = bytes */
  void *native_response;
  uint32_t flags; /* FRONT_SERVE_* */
  uint32_t serialization_size;
  uint32_t pair_count;
  uint32_t reserved;
} front_serve_request;

/* Gives a request to a service: copies all, decodes with the service's type support (1006 and 1007 come through aimrtgo_engine_finish), and
 * runs the handler: queue event, inline, on the service's executor, or on the handler pool (none free: RESOURCE_EXHAUSTED). The finish
 * may come before this returns. Gives an owned reference for front_serve_cancel, or NULL when FRONT_MAX_PENDING_CALLS are open
 * or memory is out; then no finish comes. */
FRONT_HIDDEN front_server_call *front_serve(front_service *service, const front_serve_request *request, const char *texts,
                                            const uint32_t *pair_sizes, const void *bytes);
/* Tells the handler that nobody waits any more. A later finish of it is still reported by aimrtgo_engine_finish. */
FRONT_HIDDEN void front_serve_cancel(front_server_call *call);
/* Gives the reference of front_serve back: exactly once, at any time, also before the finish. */
FRONT_HIDDEN void front_serve_release(front_server_call *call);

/* How a served call ended. Pointers are valid for the call only. */
typedef struct front_engine_answer {
  uint32_t code;
  uint32_t native; /* 1: native_response of the request has been filled, bytes are empty */
  aimrt_rpc_str_t message;
  aimrt_rpc_str_t trace;
  const aimrt_rpc_pair_t *details;
  size_t detail_count;
  aimrt_rpc_bytes_t bytes;
  aimrt_rpc_str_t serialization;
} front_engine_answer;

/* ---- Hidden functions of the Go half ---------------------------------------------------------------------------------------- */
/* Signatures are free of const, as cgo writes them. Each begins with the guard of style.md G4 and never blocks, except
 * aimrtgo_runtime_run_shutdown. */

FRONT_HIDDEN void aimrtgo_engine_start(front_engine_request *request);
/* Go ends the call with CANCELLED through front_engine_complete, or when its handler ends; 0 when something else has ended it. call stays
 * valid inside. */
FRONT_HIDDEN uint8_t aimrtgo_engine_cancel(uint64_t call);
/* Exactly once per front_serve that gave a reference. Returns AIMRT_RPC_RESULT_OK or AIMRT_RPC_RESULT_LOST. */
FRONT_HIDDEN int32_t aimrtgo_engine_finish(uint64_t engine_token, front_engine_answer *answer);
/* Runs the shutdown on this thread; the caller has claimed it with front_runtime_claim_shutdown. Returns when the state is SHUTDOWN. */
FRONT_HIDDEN void aimrtgo_runtime_run_shutdown(uint64_t runtime);
/* Writes a line whose level C has checked. module = go_id; record has the full size of this version. */
FRONT_HIDDEN int32_t aimrtgo_module_log(uint64_t module, aimrt_rpc_log_record_t *record);

/* ---- For the CPython bridge (call.c, serve.c) -------------------------------------------------------------------------------- */

/* A raw call with as few conversions as possible. The hooks let the bridge keep its interpreter lock where that is safe: leave is called
 * before anything that may block or run a handler of another owner, enter after it, in pairs on the calling thread. A service
 * whose lock owner equals lock_owner runs without leaving. */
typedef struct front_raw_call {
  aimrt_rpc_method_t method;
  aimrt_rpc_context_t context; /* 0 = defaults */
  aimrt_rpc_bytes_t request;
  aimrt_rpc_str_t serialization; /* empty = the context's, else the method's first */
  const void *lock_owner;
  void (*leave)(void *hook_data); /* nullable, then enter too */
  void (*enter)(void *hook_data);
  void *hook_data;
  aimrt_rpc_queue_t queue; /* front_start_raw only */
  uint64_t tag;
} front_raw_call;

typedef struct front_raw_outcome {
  aimrt_rpc_code_t code;
  aimrt_rpc_str_t message; /* the views live until front_call_release */
  aimrt_rpc_str_t trace;
  aimrt_rpc_str_t serialization;
  aimrt_rpc_bytes_t response;
  const aimrt_rpc_pair_t *details;
  size_t detail_count;
  front_call *call; /* owned: front_call_release */
} front_raw_outcome;

/* aimrt_rpc_call_invoke of a raw method. On failure *out is zeroed and *error set. */
FRONT_HIDDEN aimrt_rpc_result_t front_invoke_raw(const front_raw_call *call, front_raw_outcome *out, aimrt_rpc_error_t *error);
FRONT_HIDDEN void front_call_release(front_call *call);
/* aimrt_rpc_call_start of a raw method with delivery to a queue. */
FRONT_HIDDEN aimrt_rpc_result_t front_start_raw(const front_raw_call *call, aimrt_rpc_call_t *call_out, aimrt_rpc_error_t *error);
/* aimrt_rpc_call_finish without structs; serialization may be empty. */
FRONT_HIDDEN aimrt_rpc_result_t front_finish_raw(aimrt_rpc_call_t call, aimrt_rpc_code_t code, aimrt_rpc_str_t message,
                                                 aimrt_rpc_str_t trace, aimrt_rpc_bytes_t response, aimrt_rpc_str_t serialization,
                                                 aimrt_rpc_error_t *error);
/* Says whose lock the handler of a service wants held; NULL = nobody's. Before START. */
FRONT_HIDDEN aimrt_rpc_result_t front_service_set_lock_owner(aimrt_rpc_service_t service, const void *owner);

#endif /* AIMRT_RPC_CAPI_FRONT_H_ */
