/* See front_fixture.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front_fixture.h"

#include "timer.h"

fixture fix;
ctest_counter numbers_made;
ctest_counter numbers_destroyed;

/* ---- The engine --------------------------------------------------------------------------------------------------------- */

typedef struct job {
  struct job *next;
  uint64_t call;
  engine_mode mode;
  int cancelled;
  size_t size;
  char *bytes;
  char serialization[64];
  number *native_request;
  number *native_response;
  front_server_call *served;
} job;

static pthread_mutex_t engine_lock = PTHREAD_MUTEX_INITIALIZER; /* guards the lists */
static pthread_cond_t engine_work = PTHREAD_COND_INITIALIZER;
static job *ready;
static job *held;
static pthread_t engine_thread;
static int engine_runs;
static int engine_stop;

static void free_job(job *j) {
  free(j->bytes);
  free(j);
}

static void answer_echo(job *j) {
  const char *peer = "fake://1";
  front_engine_outcome outcome = {.code = 0, .flags = FRONT_OUTCOME_RESPONSE, .peer_size = (uint32_t)strlen(peer)};
  front_engine_complete(j->call, &outcome, peer, NULL, j->bytes, j->size);
}

static void answer_failure(job *j) {
  const char *texts = "it broke" "at line 7" "aduib" "E42" "fake://2" "fake" "colour" "red";
  const uint32_t details[] = {6, 3};
  front_engine_outcome outcome = {.code = AIMRT_RPC_CODE_CLI_UNKNOWN,
                                  .message_size = 8,
                                  .trace_size = 9,
                                  .native_dialect_size = 5,
                                  .native_code_size = 3,
                                  .peer_size = 8,
                                  .backend_size = 4,
                                  .detail_count = 1};
  front_engine_complete(j->call, &outcome, texts, details, NULL, 0);
}

static void answer_code(job *j, uint32_t code) {
  front_engine_outcome outcome = {.code = code};
  front_engine_complete(j->call, &outcome, NULL, NULL, NULL, 0);
}

static void serve(job *j) {
  const char *pair = "aimrt-backendfake";
  const uint32_t sizes[] = {13, 4};
  size_t name = strlen(j->serialization);
  char texts[128];
  memcpy(texts, j->serialization, name);
  memcpy(texts + name, pair, strlen(pair));
  front_serve_request request = {.engine_token = (uint64_t)(uintptr_t)j,
                                 .timeout_ns = 1000000000,
                                 .size = j->size,
                                 .native_request = j->native_request,
                                 .native_response = j->native_response,
                                 .flags = fix.serve_flags,
                                 .serialization_size = (uint32_t)name,
                                 .pair_count = 1};
  front_server_call *served = front_serve(fix.served, &request, texts, sizes, j->bytes);
  CHECK(served != NULL);
  front_serve_release(served);
}

static void carry_out(job *j) {
  switch (j->mode) {
    case ENGINE_ECHO:
    case ENGINE_ECHO_INSIDE: answer_echo(j); break;
    case ENGINE_FAIL: answer_failure(j); break;
    case ENGINE_NATIVE:
      j->native_response->value = j->native_request->value;
      front_engine_complete(j->call, &(front_engine_outcome){.flags = FRONT_OUTCOME_NATIVE}, NULL, NULL, NULL, 0);
      break;
    case ENGINE_HOLD: answer_code(j, AIMRT_RPC_CODE_CANCELLED); break;
    case ENGINE_SERVE: serve(j); return; /* the job is freed by aimrtgo_engine_finish */
  }
  free_job(j);
}

static void *run_engine(void *unused) {
  (void)unused;
  pthread_mutex_lock(&engine_lock);
  for (;;) {
    while (ready == NULL && !engine_stop) pthread_cond_wait(&engine_work, &engine_lock);
    if (ready == NULL) break;
    job *j = ready;
    ready = j->next;
    pthread_mutex_unlock(&engine_lock);
    carry_out(j);
    pthread_mutex_lock(&engine_lock);
  }
  pthread_mutex_unlock(&engine_lock);
  return NULL;
}

static void push_ready(job *j) {
  j->next = ready;
  ready = j;
  if (!engine_runs) {
    engine_runs = 1;
    engine_stop = 0;
    CHECK_EQUAL(pthread_create(&engine_thread, NULL, run_engine, NULL), 0);
  }
  pthread_cond_signal(&engine_work);
}

void fixture_stop_engine(void) {
  pthread_mutex_lock(&engine_lock);
  int runs = engine_runs;
  engine_stop = 1;
  pthread_cond_signal(&engine_work);
  pthread_mutex_unlock(&engine_lock);
  if (runs) CHECK_EQUAL(pthread_join(engine_thread, NULL), 0);
  engine_runs = 0;
  CHECK(held == NULL);
}

static void remember_request(const front_engine_request *request) {
  size_t used = 0;
  fix.seen[0] = 0;
  for (size_t i = 0; i < request->pair_count; i++) {
    int wrote = snprintf(fix.seen + used, sizeof fix.seen - used, "%.*s=%.*s;", (int)request->pairs[i].key.size,
                         request->pairs[i].key.data, (int)request->pairs[i].value.size, request->pairs[i].value.data);
    CHECK(wrote > 0);
    used += (size_t)wrote;
  }
  CHECK(request->to_addr.size < sizeof fix.to_addr);
  if (request->to_addr.size != 0) memcpy(fix.to_addr, request->to_addr.data, request->to_addr.size);
  fix.to_addr[request->to_addr.size] = 0;
  fix.timeout_ns = request->timeout_ns;
}

void aimrtgo_engine_start(front_engine_request *request) {
  job *j = calloc(1, sizeof *j);
  CHECK(j != NULL && request->serialization.size < sizeof j->serialization);
  j->call = request->call;
  j->mode = (engine_mode)atomic_load(&fix.mode);
  j->size = request->bytes.size;
  j->bytes = malloc(j->size + 1);
  CHECK(j->bytes != NULL);
  if (j->size != 0) memcpy(j->bytes, request->bytes.data, j->size);
  memcpy(j->serialization, request->serialization.data, request->serialization.size);
  j->native_request = request->native_request;
  j->native_response = request->native_response;
  if (j->mode != ENGINE_ECHO) remember_request(request);
  ctest_add(&fix.starts);
  if (j->mode == ENGINE_ECHO_INSIDE || j->mode == ENGINE_NATIVE) {
    carry_out(j);
    return;
  }
  pthread_mutex_lock(&engine_lock);
  if (j->mode == ENGINE_HOLD) {
    j->next = held;
    held = j;
  } else {
    push_ready(j);
  }
  pthread_mutex_unlock(&engine_lock);
}

uint8_t aimrtgo_engine_cancel(uint64_t call) {
  pthread_mutex_lock(&engine_lock);
  job **place = &held;
  while (*place != NULL && (*place)->call != call) place = &(*place)->next;
  job *j = *place;
  if (j != NULL) {
    *place = j->next;
    push_ready(j);
  }
  pthread_mutex_unlock(&engine_lock);
  ctest_add(&fix.cancels);
  return j != NULL;
}

int32_t aimrtgo_engine_finish(uint64_t engine_token, front_engine_answer *answer) {
  job *j = (job *)(uintptr_t)engine_token;
  front_engine_outcome outcome = {.code = answer->code,
                                  .flags = answer->native != 0 ? FRONT_OUTCOME_NATIVE : FRONT_OUTCOME_RESPONSE,
                                  .message_size = (uint32_t)answer->message.size,
                                  .serialization_size = (uint32_t)answer->serialization.size};
  char texts[512];
  CHECK(answer->message.size + answer->serialization.size <= sizeof texts);
  memcpy(texts, answer->message.data, answer->message.size);
  memcpy(texts + answer->message.size, answer->serialization.data, answer->serialization.size);
  front_engine_complete(j->call, &outcome, texts, NULL, answer->bytes.data, answer->bytes.size);
  free_job(j);
  ctest_add(&fix.finishes);
  return (int32_t)atomic_load(&fix.answer_code);
}

void aimrtgo_runtime_run_shutdown(uint64_t runtime) {
  CHECK_EQUAL(runtime, 1);
  front_runtime_set_state(fix.runtime, AIMRT_RPC_STATE_SHUTTING_DOWN);
  front_runtime_cancel_calls(fix.runtime);
  front_runtime_push_shutdown(fix.runtime);
  ctest_add(&fix.shutdowns);
  front_runtime_set_state(fix.runtime, AIMRT_RPC_STATE_SHUTDOWN);
}

int32_t aimrtgo_module_log(uint64_t module, aimrt_rpc_log_record_t *record) {
  CHECK(module != 0 && record->struct_size == sizeof *record);
  ctest_add(&fix.log_lines);
  return AIMRT_RPC_RESULT_OK;
}

/* Served by Go; aimrt_rpc_runtime_start calls it. */
aimrt_rpc_result_t aimrt_rpc_runtime_start_async(aimrt_rpc_runtime_t runtime, uint32_t flags, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_go_id(AIMRT_RPC_KIND_RUNTIME, runtime) == 0) return AIMRT_RPC_RESULT_INVALID_HANDLE;
  front_runtime_set_start_flags(fix.runtime, flags);
  front_runtime_set_state(fix.runtime, AIMRT_RPC_STATE_START);
  return AIMRT_RPC_RESULT_OK;
}

/* ---- Objects ------------------------------------------------------------------------------------------------------------ */

static uint64_t live_before;

void fixture_begin(void) {
  memset(&fix, 0, sizeof fix);
  live_before = aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY);
  fix.runtime = front_runtime_new(1);
  CHECK(fix.runtime != NULL);
  fix.client = front_module_new(fix.runtime, 2, "module_a", 8, "pkg_a", 5);
  fix.server = front_module_new(fix.runtime, 3, "module_b", 8, "pkg_b", 5);
  CHECK(fix.client != NULL && fix.server != NULL);
}

void fixture_end(void) {
  fixture_stop_engine();
  /* A handler on a pool thread counts as open until it has returned, which may be after its client was told. */
  const uint64_t patience = front_monotonic_ns() + CTEST_PATIENCE_NS;
  while (front_runtime_open_calls(fix.runtime) != 0 && front_monotonic_ns() < patience) (void)sched_yield();
  CHECK_EQUAL(front_runtime_open_calls(fix.runtime), 0);
  front_runtime_free(fix.runtime);
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY), live_before);
  CHECK_EQUAL(front_timer_armed_count(), 0);
}

static front_service *make(front_module *module, const char *name, const aimrt_rpc_type_support_t *type,
                           aimrt_rpc_service_options_t *options) {
  static uint64_t next_id = 100;
  options->name = (aimrt_rpc_str_t){name, strlen(name)};
  options->request_type = type;
  options->response_type = type;
  CHECK_EQUAL(front_service_options_check(options, NULL), AIMRT_RPC_RESULT_OK);
  front_service *service = front_service_new(module, next_id++, options, NULL);
  CHECK(service != NULL);
  return service;
}

front_service *make_service(front_module *module, const char *name, const aimrt_rpc_type_support_t *type,
                            aimrt_rpc_handler_fn handler, void *user_data) {
  aimrt_rpc_service_options_t options = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  options.handler = handler;
  options.user_data = user_data;
  return make(module, name, type, &options);
}

front_service *make_queue_service(front_module *module, const char *name, aimrt_rpc_queue_t queue, uint64_t tag) {
  aimrt_rpc_service_options_t options = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  options.queue = queue;
  options.tag = tag;
  return make(module, name, NULL, &options);
}

front_method *make_method(front_module *module, const char *name, const aimrt_rpc_type_support_t *type) {
  static uint64_t next_id = 500;
  aimrt_rpc_client_options_t options = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  options.name = (aimrt_rpc_str_t){name, strlen(name)};
  options.request_type = type;
  options.response_type = type;
  CHECK_EQUAL(front_client_options_check(&options, NULL), AIMRT_RPC_RESULT_OK);
  front_method *method = front_method_new(module, next_id++, &options);
  CHECK(method != NULL);
  return method;
}

void publish(front_method *method, uint32_t kind, front_service *service) {
  front_entry_init init = {.kind = kind, .backend_size = 5, .default_timeout_ns = 5000000000, .engine_id = 7, .service = service};
  CHECK_EQUAL(front_method_publish(method, &init, "local"), 1);
}

void publish_refusal(front_method *method, uint32_t code, const char *text) {
  front_entry_init init = {.kind = FRONT_ENTRY_REFUSE, .code = code, .text_size = (uint32_t)strlen(text)};
  CHECK_EQUAL(front_method_publish(method, &init, text), 1);
}

/* ---- Numbers ------------------------------------------------------------------------------------------------------------ */

static void *number_create(void *unused) {
  (void)unused;
  (void)atomic_fetch_add_explicit(&numbers_made.value, 1, memory_order_relaxed);
  return calloc(1, sizeof(number));
}

static void number_destroy(void *unused, void *message) {
  (void)unused;
  (void)atomic_fetch_add_explicit(&numbers_destroyed.value, 1, memory_order_relaxed);
  free(message);
}

static uint8_t number_serialize(void *unused, aimrt_rpc_str_t serialization, const void *message, aimrt_rpc_writer_t *writer) {
  (void)unused;
  const number *n = message;
  if (n->value == -1) return 0;
  if (text_is(serialization, "pb")) {
    uint8_t *place = aimrt_rpc_writer_append(writer, sizeof n->value);
    if (place == NULL) return 0;
    memcpy(place, &n->value, sizeof n->value);
    return 1;
  }
  char *place = (char *)aimrt_rpc_writer_append(writer, 32);
  if (place == NULL) return 0;
  int size = snprintf(place, 32, "%lld", (long long)n->value);
  aimrt_rpc_writer_trim(writer, 32 - (size_t)size);
  return 1;
}

static uint8_t number_deserialize(void *unused, aimrt_rpc_str_t serialization, aimrt_rpc_bytes_t bytes, void *message) {
  (void)unused;
  number *n = message;
  if (text_is(serialization, "pb")) {
    if (bytes.size != sizeof n->value) return 0;
    memcpy(&n->value, bytes.data, sizeof n->value);
    return n->value != -2;
  }
  char text[33] = {0};
  if (bytes.size == 0 || bytes.size > 32) return 0;
  memcpy(text, bytes.data, bytes.size);
  n->value = strtoll(text, NULL, 10);
  return n->value != -2;
}

static const aimrt_rpc_str_t number_serializations[] = {{"pb", 2}, {"json", 4}};

const aimrt_rpc_type_support_t number_type = {.struct_size = (uint32_t)sizeof number_type,
                                              .name = {"pb:test.Number", 14},
                                              .create = number_create,
                                              .destroy = number_destroy,
                                              .serialize = number_serialize,
                                              .deserialize = number_deserialize,
                                              .serializations = number_serializations,
                                              .serialization_count = 2};
const aimrt_rpc_type_support_t other_number_type = {.struct_size = (uint32_t)sizeof number_type,
                                                    .name = {"pb:test.Other", 13},
                                                    .create = number_create,
                                                    .destroy = number_destroy,
                                                    .serialize = number_serialize,
                                                    .deserialize = number_deserialize,
                                                    .serializations = number_serializations,
                                                    .serialization_count = 1};

/* ---- Handlers ----------------------------------------------------------------------------------------------------------- */

void echo_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  if (request->payload.message != NULL) {
    ((number *)request->response)->value = ((const number *)request->payload.message)->value;
    (void)aimrt_rpc_call_finish(call, NULL, NULL, NULL);
    return;
  }
  (void)aimrt_rpc_call_finish(call, NULL, &request->payload, NULL);
}

void keep_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  keeper *k = user_data;
  uint32_t place = ctest_count(&k->count);
  CHECK(place < KEEPER_SIZE);
  k->calls[place] = call;
  k->requests[place] = *request;
  ctest_add(&k->count);
}

void hear(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_outcome_t *outcome) {
  heard *h = user_data;
  h->code = outcome->code;
  h->call = call;
  h->size = outcome->response.bytes.size;
  CHECK(h->size < sizeof h->bytes && outcome->message.size < sizeof h->message);
  if (h->size != 0) memcpy(h->bytes, outcome->response.bytes.data, h->size);
  h->bytes[h->size] = 0;
  memcpy(h->message, outcome->message.data, outcome->message.size);
  h->message[outcome->message.size] = 0;
  h->thread = pthread_self();
  ctest_add(&h->count);
}

void on_thread(size_t stack_size, void *(*fn)(void *), void *arg) {
  pthread_attr_t attributes;
  pthread_t thread;
  CHECK_EQUAL(pthread_attr_init(&attributes), 0);
  CHECK_EQUAL(pthread_attr_setstacksize(&attributes, stack_size), 0);
  CHECK_EQUAL(pthread_create(&thread, &attributes, fn, arg), 0);
  CHECK_EQUAL(pthread_join(thread, NULL), 0);
  CHECK_EQUAL(pthread_attr_destroy(&attributes), 0);
}
