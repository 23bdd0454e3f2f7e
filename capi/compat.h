/*
 * compat.h - the tables of one module for code written for AimRT, and how their functions find the module.
 *
 * A table lives as long as the process, because such code keeps pointers into it for as long as it likes. It holds no pointer to anything
 * of the runtime, only handles: after the runtime's release every function answers "not there".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AIMRT_RPC_CAPI_COMPAT_H_
#define AIMRT_RPC_CAPI_COMPAT_H_

#include "objects.h"

/* ---- Named limits ------------------------------------------------------------------------------------------------------- */

#define COMPAT_MAX_TOPICS 4096u                      /* channel topics one module may ask for */
#define COMPAT_MAX_SCRATCH_BYTES (UINT64_C(16) << 20) /* of the thread-local buffer, AimRT's number */
#define COMPAT_FIRST_SCRATCH_BYTES 4096u
#define COMPAT_RECENT_METHODS 16u /* found without hashing their name */

typedef struct compat_executor {
  aimrt_executor_base_t base;
  uint64_t handle;
  struct compat_module *module;
  aimrt_rpc_str_t type;
  aimrt_rpc_str_t name;
  bool thread_safe;
  bool timers;
  struct compat_executor *next;
} compat_executor;

/* A subscription that never gets a message. */
typedef struct compat_subscription {
  aimrt_function_base_t callback;
  struct compat_subscription *next;
} compat_subscription;

typedef struct compat_topic {
  aimrt_channel_publisher_base_t publisher;
  aimrt_channel_subscriber_base_t subscriber;
  struct compat_module *module;
  aimrt_rpc_str_t name;
  _Atomic bool warned;
  compat_subscription *subscriptions;
  struct compat_topic *next;
} compat_topic;

/* A client method by name. */
typedef struct compat_method {
  uint64_t hash;
  aimrt_rpc_str_t name;
  aimrt_rpc_method_t handle;
} compat_method;

/* Open addressing; a full one is replaced by a larger one and kept, because a call may be reading it. */
typedef struct compat_methods {
  uint32_t capacity; /* a power of two */
  uint32_t count;
  struct compat_methods *former;
  _Atomic(compat_method *) slots[];
} compat_methods;

typedef struct compat_module {
  aimrt_core_base_t core;
  aimrt_configurator_base_t configurator;
  aimrt_executor_manager_base_t executor_manager;
  aimrt_logger_base_t logger;
  aimrt_allocator_base_t allocator;
  aimrt_rpc_handle_base_t rpc;
  aimrt_channel_handle_base_t channel;
  aimrt_parameter_handle_base_t parameters;
  aimrt_module_info_t info;
  aimrt_rpc_str_t package;
  uint64_t handle;     /* of the module, the tables' own */
  uint64_t rpc_handle;
  uint64_t runtime_id; /* by which Go finds the runtime */
  _Atomic(compat_methods *) methods;
  _Atomic(const compat_method *) recent[COMPAT_RECENT_METHODS]; /* by the address of the name, which a proxy does not change */
  front_lock lock; /* guards writes of methods, and what follows; held for no call into a module or Go */
  aimrt_rpc_str_t config_path;
  struct compat_types *types; /* freed with the runtime's methods and services */
  compat_executor *executors;
  compat_topic *topics;
  uint32_t topic_count;
  struct compat_module *next; /* every one there ever was */
} compat_module;

static inline aimrt_rpc_str_t compat_text(aimrt_string_view_t view) { return (aimrt_rpc_str_t){view.str, view.len}; }
static inline aimrt_string_view_t compat_view(aimrt_rpc_str_t text) { return (aimrt_string_view_t){text.data, text.size}; }

/* Where a service written for AimRT may leave the text of its failure, in the context of the call: the C++ headers at AimRT's include
 * paths write what() of an exception there before they answer with 1008. */
#define COMPAT_STATUS_MESSAGE_KEY "aimrt-status_message"

/* Writes a line of the library's own log. */
FRONT_HIDDEN void compat_log(const compat_module *module, int32_t level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* State of the module's runtime, AIMRT_RPC_STATE_NONE after its release. */
FRONT_HIDDEN uint32_t compat_state(const compat_module *module);

/* compat_rpc.c, compat_channel.c: fill their table in. */
FRONT_HIDDEN void compat_rpc_init(compat_module *module);
/* Frees what only calls need: none is open and none can start. */
FRONT_HIDDEN void compat_rpc_close(compat_module *module);
FRONT_HIDDEN void compat_channel_init(compat_module *module);
/* Destroys the closures that wait for messages. */
FRONT_HIDDEN void compat_channel_close(compat_module *module);
/* Calls fn for the tables of all modules of one runtime, until it gives true; gives that. */
FRONT_HIDDEN bool compat_any(uint64_t runtime_id, bool (*fn)(compat_module *module, const void *arg), const void *arg);

/* compat_types.c: makes ours behave as theirs, which lives as long as the process. */
FRONT_HIDDEN void compat_type_init(aimrt_rpc_type_support_t *ours, const aimrt_type_support_base_t *theirs);

#endif /* AIMRT_RPC_CAPI_COMPAT_H_ */
