/* AimRT's binary contract as a Pkg file needs it, declared once more by hand from its tables and with names of its own: what these tests
 * build owes nothing to the library's headers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PKG_ABI_H_
#define TESTS_PKG_ABI_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct sv { const char *at; size_t size; } sv;
typedef struct sv_list { const sv *at; size_t size; } sv_list;
typedef struct piece { void *at; size_t size; } piece;
typedef struct pieces { piece *at; size_t size, capacity; } pieces;
typedef struct piece_list { const piece *at; size_t size; } piece_list;

typedef struct piece_maker {
  bool (*reserve)(void *, pieces *, size_t);
  piece (*allocate)(void *, pieces *, size_t);
  void (*release)(void *, pieces *);
  void *self;
} piece_maker;

typedef struct closure {
  unsigned char state[24];
  const void *kind;
} closure;

struct rpc_context;
typedef struct task_kind { void (*call)(void *); void (*move)(void *, void *); void (*end)(void *); } task_kind;
typedef struct done_kind { void (*call)(void *, uint32_t); void (*move)(void *, void *); void (*end)(void *); } done_kind;
typedef struct service_kind {
  void (*call)(void *, const struct rpc_context *, const void *, void *, closure *);
  void (*move)(void *, void *);
  void (*end)(void *);
} service_kind;

typedef struct message_type {
  sv (*name)(void *);
  void *(*create)(void *);
  void (*destroy)(void *, void *);
  void (*copy)(void *, const void *, void *);
  void (*move)(void *, void *, void *);
  bool (*serialize)(void *, sv, const void *, const piece_maker *, pieces *);
  bool (*deserialize)(void *, sv, piece_list, void *);
  size_t (*serialization_count)(void *);
  const sv *(*serializations)(void *);
  const void *(*custom)(void *);
  void *self;
} message_type;

typedef struct module_info {
  sv name;
  uint32_t major, minor, patch, build;
  sv author, description;
} module_info;

typedef struct executor {
  sv (*type)(void *);
  sv (*name)(void *);
  bool (*thread_safe)(void *);
  bool (*is_current)(void *);
  bool (*has_timers)(void *);
  void (*execute)(void *, closure *);
  uint64_t (*now)(void *);
  void (*execute_at)(void *, uint64_t, closure *);
  void *self;
} executor;

typedef struct configurator { sv (*path)(void *); void *self; } configurator;
typedef struct executors { const executor *(*get)(void *, sv); void *self; } executors;
typedef struct logger {
  int32_t (*level)(void *);
  void (*log)(void *, int32_t, uint32_t, const char *, const char *, const char *, size_t);
  void *self;
} logger;
typedef struct allocator { void *(*get)(void *, size_t); void *self; } allocator;
typedef struct held { sv value; closure *release; } held;
typedef struct parameters { held (*get)(void *, sv); void (*set)(void *, sv, sv); void *self; } parameters;

typedef struct context_kind {
  bool (*used)(void *);
  void (*use)(void *);
  int32_t (*type)(void *);
  uint64_t (*timeout)(void *);
  void (*set_timeout)(void *, uint64_t);
  sv (*get)(void *, sv);
  void (*set)(void *, sv, sv);
  sv_list (*keys)(void *);
  sv_list (*pairs)(void *);
} context_kind;
typedef struct rpc_context { const context_kind *kind; void *self; } rpc_context;

typedef struct rpc {
  bool (*serve)(void *, sv, const void *, const message_type *, const message_type *, closure *);
  bool (*client)(void *, sv, const void *, const message_type *, const message_type *);
  void (*invoke)(void *, sv, const rpc_context *, const void *, void *, closure *);
  void (*merge)(void *, const rpc_context *, const rpc_context *);
  void *self;
} rpc;

typedef struct channel_kind {
  bool (*used)(void *);
  void (*use)(void *);
  int32_t (*type)(void *);
  sv (*get)(void *, sv);
  void (*set)(void *, sv, sv);
  sv_list (*keys)(void *);
  sv_list (*pairs)(void *);
} channel_kind;
typedef struct channel_context { const channel_kind *kind; void *self; } channel_context;
typedef struct publisher {
  bool (*register_type)(void *, const message_type *);
  void (*publish)(void *, sv, const channel_context *, const void *);
  sv (*topic)(void *);
  void (*merge)(void *, const channel_context *, const channel_context *);
  void *self;
} publisher;
typedef struct subscriber {
  bool (*subscribe)(void *, const message_type *, closure *);
  sv (*topic)(void *);
  void *self;
} subscriber;
typedef struct channels {
  const publisher *(*publisher)(void *, sv);
  const subscriber *(*subscriber)(void *, sv);
  void (*merge)(void *, const channel_context *, const channel_context *);
  void *self;
} channels;

typedef struct core {
  module_info (*info)(void *);
  const configurator *(*configurator)(void *);
  const executors *(*executors)(void *);
  const logger *(*logger)(void *);
  const allocator *(*allocator)(void *);
  const rpc *(*rpc)(void *);
  const channels *(*channels)(void *);
  const parameters *(*parameters)(void *);
  void *self;
} core;

typedef struct module {
  module_info (*info)(void *);
  bool (*initialize)(void *, const core *);
  bool (*start)(void *);
  void (*shutdown)(void *);
  void *self;
} module;

#define TEXT(literal) ((sv){(literal), sizeof(literal) - 1})

/* What a Pkg file defines. */
#define PKG __attribute__((visibility("default")))
PKG size_t AimRTDynlibGetModuleNum(void);
PKG const sv *AimRTDynlibGetModuleNameList(void);
PKG const module *AimRTDynlibCreateModule(sv name);
PKG void AimRTDynlibDestroyModule(const module *module);

#endif /* TESTS_PKG_ABI_H_ */
