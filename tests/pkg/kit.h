/* What the Pkg files of these tests share: messages with a type support, contexts, closures, and checks.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PKG_KIT_H_
#define TESTS_PKG_KIT_H_

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi.h"

/* ---- Checks ------------------------------------------------------------------------------------------------------------- */

extern int kit_passed;
extern int kit_failed;
void kit_check(bool good, const char *text, const char *file, int line);
#define CHECK(condition) kit_check((condition), #condition, __FILE__, __LINE__)
bool kit_is(sv got, const char *want);
sv kit_text(const char *text);

/* ---- Messages ----------------------------------------------------------------------------------------------------------- */

typedef struct message {
  int64_t number;
  char *bytes;
  size_t size;
  const void *seen; /* not encoded: the request a handler was given */
  bool lower;       /* not encoded: the encoder asks for twice the room and lowers every piece */
} message;

extern const message_type kit_type;   /* "pb:test.Probe", pb and json */
extern const message_type kit_broken; /* refuses to encode */
extern _Atomic int kit_encoded; /* in this file */
extern _Atomic int kit_decoded;
void kit_fill(message *m, int64_t number, size_t size);
void kit_clear(message *m);

/* ---- Contexts ----------------------------------------------------------------------------------------------------------- */

#define KIT_PAIRS 32
#define KIT_TEXT 512
typedef struct context {
  rpc_context base;
  bool used;
  int32_t type; /* 0 client, 1 server */
  uint64_t timeout;
  int count;
  char keys[KIT_PAIRS][64];
  char values[KIT_PAIRS][KIT_TEXT];
  sv list[2 * KIT_PAIRS];
} context;

void kit_context(context *c);
void kit_set(context *c, const char *key, const char *value);
const char *kit_get(const context *c, const char *key);

/* ---- Closures and outcomes ---------------------------------------------------------------------------------------------- */

typedef struct outcome {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int times; /* the callback came */
  int ended; /* the closure was destroyed */
  uint32_t status;
  pthread_t thread;
} outcome;

void kit_outcome(outcome *o);
/* A closure that notes the end; inline with a pointer to itself, or, large, on the heap. */
closure kit_done(outcome *o, bool large);
uint32_t kit_wait(outcome *o);

/* One call, waited for. */
uint32_t kit_call(const rpc *r, const char *name, context *c, const message *request, message *response);

/* A task that runs fn(arg) once. */
closure kit_task(void (*fn)(void *arg), void *arg);

#endif /* TESTS_PKG_KIT_H_ */
