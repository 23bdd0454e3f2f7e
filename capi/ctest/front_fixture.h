/* Shared by the tests of the call path: plays the Go half. A thread carries out engine calls by the mode of their method; services and
 * methods are made through front.h, as Go makes them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FRONT_FIXTURE_H_
#define FRONT_FIXTURE_H_

#include <pthread.h>
#include <sched.h>

#include "ctest.h"
#include "executor.h"
#include "front.h"
#include "guards.h"

#define TEXT(literal) ((aimrt_rpc_str_t){(literal), sizeof(literal) - 1})

static inline int text_is(aimrt_rpc_str_t got, const char *want) {
  return got.size == strlen(want) && (got.size == 0 || memcmp(got.data, want, got.size) == 0);
}
#define CHECK_TEXT(got, want)                                                                                     \
  do {                                                                                                            \
    aimrt_rpc_str_t got_text = (got);                                                                             \
    if (!text_is(got_text, (want))) {                                                                             \
      fprintf(stderr, "%s:%d: %s: %s is \"%.*s\", want \"%s\"\n", __FILE__, __LINE__, __func__, #got,             \
              (int)got_text.size, got_text.data == NULL ? "" : got_text.data, (want));                            \
      exit(1);                                                                                                    \
    }                                                                                                             \
  } while (0)

/* What the engine does with the calls of a method. */
typedef enum engine_mode {
  ENGINE_ECHO,        /* another thread answers with the request's bytes */
  ENGINE_ECHO_INSIDE, /* the same before aimrtgo_engine_start returns */
  ENGINE_HOLD,        /* ends when it is cancelled */
  ENGINE_FAIL,        /* code 2000 with message, trace, dialect, peer and a detail */
  ENGINE_SERVE,       /* gives the request to fixture.served through front_serve */
  ENGINE_NATIVE       /* copies the native request into the native response */
} engine_mode;

typedef struct fixture {
  front_runtime *runtime;
  front_module *client;       /* package "pkg_a" */
  front_module *server;       /* package "pkg_b" */
  _Atomic int mode;           /* engine_mode */
  front_service *served;
  uint32_t serve_flags;
  ctest_counter starts;       /* aimrtgo_engine_start */
  ctest_counter cancels;      /* aimrtgo_engine_cancel */
  ctest_counter finishes;     /* aimrtgo_engine_finish */
  ctest_counter shutdowns;    /* aimrtgo_runtime_run_shutdown */
  ctest_counter log_lines;
  _Atomic uint32_t answer_code;
  char seen[1024];            /* metadata of the last engine request: key=value; */
  char to_addr[128];
  uint64_t timeout_ns;
} fixture;

extern fixture fix;

/* Makes a runtime with two modules and checks afterwards that nothing is left. */
void fixture_begin(void);
void fixture_end(void);
/* fixture_begin with the state START, and the case between. */
void fixture_stop_engine(void);

front_service *make_service(front_module *module, const char *name, const aimrt_rpc_type_support_t *type,
                            aimrt_rpc_handler_fn handler, void *user_data);
front_service *make_queue_service(front_module *module, const char *name, aimrt_rpc_queue_t queue, uint64_t tag);
front_method *make_method(front_module *module, const char *name, const aimrt_rpc_type_support_t *type);
void publish(front_method *method, uint32_t kind, front_service *service);
void publish_refusal(front_method *method, uint32_t code, const char *text);

/* A message type: one 64-bit number; serialized as 8 bytes in "pb" and as decimal text in "json". -1 cannot be serialized and -2
 * not deserialized. */
typedef struct number {
  int64_t value;
} number;
extern const aimrt_rpc_type_support_t number_type;
extern const aimrt_rpc_type_support_t other_number_type; /* the same under another name, "pb" only */
extern ctest_counter numbers_made;
extern ctest_counter numbers_destroyed;

/* ---- Handlers ---- */
void echo_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request); /* raw: the bytes; native: the number */

/* Keeps the calls it gets; the test finishes them. */
enum { KEEPER_SIZE = 64 };
typedef struct keeper {
  ctest_counter count;
  aimrt_rpc_call_t calls[KEEPER_SIZE];
  aimrt_rpc_request_t requests[KEEPER_SIZE];
} keeper;
void keep_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request);

/* What a callback was told. */
typedef struct heard {
  ctest_counter count;
  uint32_t code;
  aimrt_rpc_call_t call;
  char bytes[256];
  size_t size;
  char message[128];
  char serialization[64];
  pthread_t thread;
} heard;
void hear(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_outcome_t *outcome);

static inline aimrt_rpc_call_options_t raw_options(const char *text) {
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.request.bytes = (aimrt_rpc_bytes_t){(const uint8_t *)text, strlen(text)};
  return options;
}

static inline aimrt_rpc_call_options_t native_options(number *request, number *response) {
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.request.message = request;
  options.response = response;
  return options;
}

static inline int outcome_text_is(const aimrt_rpc_outcome_t *outcome, const char *want) {
  return text_is((aimrt_rpc_str_t){(const char *)outcome->response.bytes.data, outcome->response.bytes.size}, want);
}

static inline aimrt_rpc_context_t new_context(void) {
  aimrt_rpc_context_t context = 0;
  CHECK_EQUAL(aimrt_rpc_context_create(&context, NULL), AIMRT_RPC_RESULT_OK);
  return context;
}

/* Runs fn on a new thread with a small stack and waits for it. */
void on_thread(size_t stack_size, void *(*fn)(void *), void *arg);

#endif /* FRONT_FIXTURE_H_ */
