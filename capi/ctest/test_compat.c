/* The tables of a module for code written for AimRT. This file plays what Go serves: registration, executors by name, parameters, the log.
 * SPDX-License-Identifier: Apache-2.0 */
#include "foreign_fixture.h"

#include "executor.h"

/* ---- What Go serves ----------------------------------------------------------------------------------------------------- */

static pthread_mutex_t go_lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static char last_line[2048];
static char parameter[64];
static front_service *last_service;
static front_method *last_method;
static aimrt_rpc_result_t refusal; /* of registrations */
static aimrt_rpc_executor_t work;
static ctest_counter warnings; /* about channels */
static ctest_counter lines;

void aimrtgo_executor_log(uintptr_t runtime, int32_t level, char *text);
void aimrtgo_executor_log(uintptr_t runtime, int32_t level, char *text) {
  CHECK(runtime == 1 && level >= (int32_t)AIMRT_RPC_LOG_LEVEL_WARN);
  pthread_mutex_lock(&go_lock);
  (void)snprintf(last_line, sizeof last_line, "%s", text);
  pthread_mutex_unlock(&go_lock);
  if (strstr(text, "Channels are not part") != NULL) ctest_add(&warnings);
  ctest_add(&lines);
}

static front_module *module_of(aimrt_rpc_handle_t handle) { return front_handle_find(AIMRT_RPC_KIND_RPC_HANDLE, handle); }

aimrt_rpc_result_t aimrt_rpc_handle_register_client(aimrt_rpc_handle_t handle, const aimrt_rpc_client_options_t *options,
                                                    aimrt_rpc_method_t *method_out, aimrt_rpc_error_t *error) {
  *error = 0;
  if (refusal != 0) return front_fail(error, refusal, "the rules say no");
  CHECK_EQUAL(front_client_options_check(options, error), AIMRT_RPC_RESULT_OK);
  pthread_mutex_lock(&go_lock);
  last_method = front_method_new(module_of(handle), 700, options);
  CHECK(last_method != NULL);
  *method_out = front_method_handle(last_method);
  pthread_mutex_unlock(&go_lock);
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t aimrt_rpc_handle_register_service(aimrt_rpc_handle_t handle, const aimrt_rpc_service_options_t *options,
                                                     aimrt_rpc_service_t *service_out, aimrt_rpc_error_t *error) {
  (void)service_out;
  *error = 0;
  if (refusal != 0) return front_fail(error, refusal, "the rules say no");
  CHECK_EQUAL(front_service_options_check(options, error), AIMRT_RPC_RESULT_OK);
  last_service = front_service_new(module_of(handle), 800, options, error);
  CHECK(last_service != NULL);
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t aimrt_rpc_module_executor(aimrt_rpc_module_t module, aimrt_rpc_str_t name, aimrt_rpc_executor_t *executor_out,
                                             aimrt_rpc_error_t *error) {
  (void)error;
  *executor_out = work;
  bool found = front_handle_find(AIMRT_RPC_KIND_MODULE, module) != NULL && text_is(name, "work");
  return found ? AIMRT_RPC_RESULT_OK : AIMRT_RPC_RESULT_NOT_FOUND;
}

aimrt_rpc_result_t aimrt_rpc_module_parameter_get(aimrt_rpc_module_t module, aimrt_rpc_str_t key, aimrt_rpc_buffer_t *value_out,
                                                  aimrt_rpc_error_t *error) {
  (void)error;
  (void)key;
  memset(value_out, 0, sizeof *value_out);
  if (front_handle_find(AIMRT_RPC_KIND_MODULE, module) == NULL) return AIMRT_RPC_RESULT_INVALID_HANDLE;
  CHECK(front_buffer_set(value_out, parameter, strlen(parameter)) == 1);
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t aimrt_rpc_module_parameter_set(aimrt_rpc_module_t module, aimrt_rpc_str_t key, aimrt_rpc_str_t value,
                                                  aimrt_rpc_error_t *error) {
  *error = 0;
  (void)module;
  if (key.size == 0) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "a parameter needs a key");
  (void)snprintf(parameter, sizeof parameter, "%.*s", (int)value.size, value.data == NULL ? "" : value.data);
  return AIMRT_RPC_RESULT_OK;
}

static bool line_has(const char *part) {
  pthread_mutex_lock(&go_lock);
  bool found = strstr(last_line, part) != NULL;
  pthread_mutex_unlock(&go_lock);
  return found;
}

/* ---- A message type in pieces ------------------------------------------------------------------------------------------- */

typedef struct blob {
  size_t size;
  uint8_t data[4096];
} blob;

static enum { PIECES_SMALL, PIECES_LOWERED, PIECES_RESERVED, PIECES_NONE } how;
static ctest_counter blobs;

static aimrt_string_view_t blob_name(void *impl) {
  (void)impl;
  return foreign_text("pb:t.Blob");
}
static void *blob_create(void *impl) {
  (void)impl;
  (void)atomic_fetch_add(&blobs.value, 1);
  return calloc(1, sizeof(blob));
}
static void blob_destroy(void *impl, void *msg) {
  (void)impl;
  (void)atomic_fetch_sub(&blobs.value, 1);
  free(msg);
}
static void blob_copy(void *impl, const void *from, void *to) {
  (void)impl;
  memcpy(to, from, sizeof(blob));
}
static void blob_move(void *impl, void *from, void *to) { blob_copy(impl, from, to); }

static bool blob_serialize(void *impl, aimrt_string_view_t type, const void *msg, const aimrt_buffer_array_allocator_t *allocator,
                           aimrt_buffer_array_t *array) {
  (void)impl;
  (void)type;
  const blob *b = msg;
  if (how == PIECES_NONE) return b->size == 0;
  if (how == PIECES_RESERVED) CHECK(allocator->reserve(allocator->impl, array, 300) && array->capacity >= 300 && array->len == 0);
  for (size_t at = 0; at < b->size;) {
    size_t part = b->size - at < 16 ? b->size - at : 16;
    aimrt_buffer_t piece = allocator->allocate(allocator->impl, array, how == PIECES_LOWERED ? part + 7 : part);
    CHECK(piece.data != NULL);
    memcpy(piece.data, b->data + at, part);
    array->data[array->len - 1].len = part;
    at += part;
  }
  if (how == PIECES_LOWERED) { /* one that came to nothing */
    CHECK(allocator->allocate(allocator->impl, array, 50).data != NULL);
    array->data[array->len - 1].len = 0;
  }
  return true;
}

static bool blob_deserialize(void *impl, aimrt_string_view_t type, aimrt_buffer_array_view_t in, void *msg) {
  (void)impl;
  (void)type;
  blob *b = msg;
  b->size = 0;
  for (size_t i = 0; i < in.len; i++) {
    CHECK(in.data[i].len != 0 && b->size + in.data[i].len <= sizeof b->data);
    memcpy(b->data + b->size, in.data[i].data, in.data[i].len);
    b->size += in.data[i].len;
  }
  return true;
}

static size_t one(void *impl) {
  (void)impl;
  return 1;
}
static const aimrt_string_view_t *pb(void *impl) {
  (void)impl;
  static const aimrt_string_view_t list = {"pb", 2};
  return &list;
}
static const void *nothing(void *impl) { return impl; }
static const aimrt_type_support_base_t blob_type = {blob_name,        blob_create, blob_destroy, blob_copy, blob_move, blob_serialize,
                                                    blob_deserialize, one,         pb,           nothing,   NULL};

/* ---- A service ---------------------------------------------------------------------------------------------------------- */

static ctest_counter services;
static void echo_invoke(void *object, const aimrt_rpc_context_base_t *ctx, const void *req, void *rsp, aimrt_function_base_t *callback) {
  (void)object;
  CHECK(ctx->ops->get_type(ctx->impl) == AIMRT_RPC_SERVER_CONTEXT);
  memcpy(rsp, req, sizeof(blob));
  const aimrt_function_service_callback_ops_t *ops = callback->ops;
  ops->invoker(callback->object_buf, 0);
}
static void keep_place(void *from, void *to) { memcpy(to, from, AIMRT_FUNCTION_LOCAL_BUF_SIZE); }
static void service_end(void *object) {
  (void)object;
  (void)atomic_fetch_sub(&services.value, 1);
}
static const aimrt_function_service_func_ops_t echo_ops = {echo_invoke, keep_place, service_end};

static bool serve(const aimrt_rpc_handle_base_t *rpc) {
  (void)atomic_fetch_add(&services.value, 1);
  aimrt_function_base_t closure = {.ops = &echo_ops};
  bool good = rpc->register_service_func(rpc->impl, foreign_text("pb:/t.S/F"), NULL, &blob_type, &blob_type, &closure);
  front_function_drop(&closure);
  return good;
}

static const aimrt_core_base_t *core_of(front_module *module) { return aimrt_rpc_module_core(front_module_handle(module)); }

static uint32_t call(const aimrt_rpc_handle_base_t *rpc, const char *name, const blob *request, blob *response) {
  foreign f;
  foreign_begin(&f);
  told t = {0};
  aimrt_function_base_t closure = told_closure(&t);
  rpc->invoke(rpc->impl, foreign_text(name), &f.base, request, response, &closure);
  front_function_drop(&closure);
  CHECK(ctest_reach(&t.times, 1) && ctest_reach(&t.destroyed, 1));
  return t.status;
}

/* ---- Cases -------------------------------------------------------------------------------------------------------------- */

static void tables_are_complete(void) {
  fixture_begin();
  CHECK(front_module_set_info(fix.client, 1, 2, 3, 4, "me", 2, "what", 4) == 1);
  const aimrt_core_base_t *core = core_of(fix.client);
  CHECK(core != NULL && core == core_of(fix.client) && core != core_of(fix.server));
  aimrt_module_info_t info = core->info(core->impl);
  CHECK(info.name.len == 8 && info.major_version == 1 && info.build_version == 4 && info.author.len == 2 && info.description.len == 4);
  /* No function of any table is NULL: each is a block of pointers and, last, impl. */
  const void *const tables[] = {core, core->configurator(core->impl), core->executor_manager(core->impl), core->logger(core->impl),
                                core->allocator_handle(core->impl), core->rpc_handle(core->impl), core->channel_handle(core->impl),
                                core->parameter_handle(core->impl)};
  static const size_t counts[] = {9, 2, 2, 3, 2, 5, 4, 3};
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
    for (size_t word = 0; word < counts[i]; word++) CHECK(((void *const *)tables[i])[word] != NULL);
  CHECK(aimrt_rpc_module_core(0) == NULL && aimrt_rpc_module_core(front_module_rpc(fix.client)) == NULL);
  CHECK(front_module_set_config_path(fix.client, "/a/b.yaml", 9) == 1);
  const aimrt_configurator_base_t *configurator = core->configurator(core->impl);
  CHECK_EQUAL(configurator->config_file_path(configurator->impl).len, 9);
  const aimrt_logger_base_t *logger = core->logger(core->impl);
  front_module_set_log_level(fix.client, AIMRT_RPC_LOG_LEVEL_WARN);
  CHECK_EQUAL(logger->get_log_level(logger->impl), AIMRT_LOG_LEVEL_WARN);
  logger->log(logger->impl, AIMRT_LOG_LEVEL_INFO, 1, "f", "g", "below", 5);
  logger->log(logger->impl, AIMRT_LOG_LEVEL_ERROR, 1, NULL, NULL, "above", 5);
  CHECK_EQUAL(ctest_count(&fix.log_lines), 1);
  fixture_end();
  CHECK_EQUAL(logger->get_log_level(logger->impl), AIMRT_LOG_LEVEL_OFF);
  CHECK_EQUAL(configurator->config_file_path(configurator->impl).len, 9); /* outlives the runtime */
}

static void registration_says_why_not(void) {
  fixture_begin();
  const aimrt_core_base_t *core = core_of(fix.client);
  const aimrt_rpc_handle_base_t *rpc = core->rpc_handle(core->impl);
  CHECK(!serve(rpc) && line_has("when state is 'Init'"));
  front_runtime_set_state(fix.runtime, AIMRT_RPC_STATE_INIT);
  aimrt_string_view_t name = foreign_text("pb:/t.S/F");
  CHECK(!rpc->register_client_func(rpc->impl, name, NULL, NULL, &blob_type) && line_has("Msg type support is null"));
  CHECK(!rpc->register_service_func(rpc->impl, name, NULL, &blob_type, &blob_type, NULL) && line_has("Service func is null"));
  refusal = AIMRT_RPC_RESULT_ALREADY_EXISTS;
  CHECK(!serve(rpc) && line_has("is registered repeatedly, module 'module_a', pkg path 'pkg_a'"));
  refusal = AIMRT_RPC_RESULT_CONFIG;
  CHECK(!rpc->register_client_func(rpc->impl, name, NULL, &blob_type, &blob_type) && line_has("the rules say no"));
  refusal = 0;
  CHECK_EQUAL(ctest_count(&services), 0); /* every closure was destroyed, taken over or not */
  blob message = {.size = 0};
  CHECK_EQUAL(call(rpc, "pb:/t.S/F", &message, &message), AIMRT_RPC_CODE_CLI_NOT_READY);
  front_runtime_set_state(fix.runtime, AIMRT_RPC_STATE_START);
  CHECK_EQUAL(call(rpc, "pb:/t.S/F", &message, &message), AIMRT_RPC_CODE_CLI_FUNC_NOT_REGISTERED);
  fixture_end();
  CHECK_EQUAL(call(rpc, "pb:/t.S/F", &message, &message), AIMRT_RPC_CODE_CLI_NOT_READY);
  CHECK(!serve(rpc));
}

static void messages_travel_in_any_number_of_pieces(void) {
  fixture_begin();
  front_runtime_set_state(fix.runtime, AIMRT_RPC_STATE_INIT);
  const aimrt_core_base_t *core = core_of(fix.client);
  const aimrt_rpc_handle_base_t *rpc = core->rpc_handle(core->impl);
  const aimrt_core_base_t *other = core_of(fix.server);
  CHECK(serve(other->rpc_handle(other->impl)));
  CHECK(rpc->register_client_func(rpc->impl, foreign_text("pb:/t.S/F"), NULL, &blob_type, &blob_type));
  publish(last_method, FRONT_ENTRY_LOCAL, last_service);
  front_runtime_set_state(fix.runtime, AIMRT_RPC_STATE_START);
  static const size_t sizes[] = {0, 1, 16, 17, 383, 384, 385, 4000}; /* 384 = 24 pieces of 16 */
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    for (int kind = PIECES_SMALL; kind <= PIECES_RESERVED; kind++) {
      how = kind;
      blob request = {.size = sizes[i]};
      blob response = {.size = 1};
      for (size_t b = 0; b < request.size; b++) request.data[b] = (uint8_t)(b * 7 + i);
      CHECK_EQUAL(call(rpc, "pb:/t.S/F", &request, &response), 0);
      CHECK(response.size == request.size && memcmp(response.data, request.data, request.size) == 0);
    }
  how = PIECES_NONE;
  blob message = {.size = 3};
  CHECK_EQUAL(call(rpc, "pb:/t.S/F", &message, &message), AIMRT_RPC_CODE_CLI_SERIALIZATION_FAILED);
  how = PIECES_SMALL;
  CHECK_EQUAL(ctest_count(&blobs), 0);
  fixture_end();
  CHECK_EQUAL(ctest_count(&services), 0);
}

enum { METHODS = 1000, FINDERS = 3 };
static char method_names[METHODS][32];
static _Atomic int registered;

static void *find_often(void *arg) {
  const aimrt_rpc_handle_base_t *rpc = arg;
  blob message = {.size = 0};
  for (int i = 0; i < METHODS; i++) {
    int known = atomic_load(&registered);
    if (known == 0) continue;
    CHECK_EQUAL(call(rpc, method_names[i % known], &message, &message), AIMRT_RPC_CODE_CLI_NOT_READY); /* found, and refused */
  }
  return NULL;
}

static void methods_are_found_while_others_come(void) {
  fixture_begin();
  front_runtime_set_state(fix.runtime, AIMRT_RPC_STATE_INIT);
  const aimrt_core_base_t *core = core_of(fix.client);
  const aimrt_rpc_handle_base_t *rpc = core->rpc_handle(core->impl);
  atomic_store(&registered, 0);
  pthread_t threads[FINDERS];
  for (int i = 0; i < FINDERS; i++)
    CHECK_EQUAL(pthread_create(&threads[i], NULL, find_often, (void *)(uintptr_t)rpc), 0);
  for (int i = 0; i < METHODS; i++) {
    (void)snprintf(method_names[i], sizeof method_names[i], "pb:/t.S/Method%d", i);
    CHECK(rpc->register_client_func(rpc->impl, foreign_text(method_names[i]), NULL, &blob_type, &blob_type));
    atomic_store(&registered, i + 1);
  }
  for (int i = 0; i < FINDERS; i++) CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
  front_runtime_set_state(fix.runtime, AIMRT_RPC_STATE_START);
  publish_refusal(last_method, 4711, "no");
  blob message = {.size = 0};
  CHECK_EQUAL(call(rpc, method_names[METHODS - 1], &message, &message), 4711);
  char copy[32]; /* the same name at another address */
  memcpy(copy, method_names[METHODS - 1], sizeof copy);
  CHECK_EQUAL(call(rpc, copy, &message, &message), 4711);
  memcpy(copy, "pb:/t.S/Nobody", 15); /* another name at the same address */
  CHECK_EQUAL(call(rpc, copy, &message, &message), AIMRT_RPC_CODE_CLI_FUNC_NOT_REGISTERED);
  fixture_end();
}

/* ---- Executors, parameters, memory -------------------------------------------------------------------------------------- */

enum { TASKS = 500, POSTERS = 4 };
static ctest_counter ran;
static ctest_counter ended;
static void task_invoke(void *object) {
  CHECK_EQUAL(*(uint64_t *)object, 4711);
  ctest_add(&ran);
}
static void task_end(void *object) {
  CHECK_EQUAL(*(uint64_t *)object, 4711);
  ctest_add(&ended);
}
static aimrt_function_base_t new_task(void) {
  static const aimrt_function_executor_task_ops_t ops = {task_invoke, keep_place, task_end};
  aimrt_function_base_t task = {.ops = &ops};
  uint64_t state = 4711;
  memcpy(task.object_buf, &state, sizeof state);
  return task;
}

static void *post_often(void *arg) {
  const aimrt_core_base_t *core = arg;
  const aimrt_executor_manager_base_t *executors = core->executor_manager(core->impl);
  const aimrt_executor_base_t *executor = executors->get_executor(executors->impl, foreign_text("work"));
  CHECK(executor != NULL);
  for (int i = 0; i < TASKS; i++) {
    aimrt_function_base_t task = new_task();
    if (i % 2 == 0)
      executor->execute(executor->impl, &task);
    else
      executor->execute_at_ns(executor->impl, executor->now(executor->impl) + 1000, &task);
    CHECK(task.ops == NULL);
  }
  const aimrt_allocator_base_t *allocator = core->allocator_handle(core->impl);
  for (size_t size = 1; size < 100000; size *= 3) memset(allocator->get_thread_local_buf(allocator->impl, size), 1, size);
  CHECK(allocator->get_thread_local_buf(allocator->impl, (16u << 20) + 1) == NULL);
  return (void *)(uintptr_t)executor;
}

static void executors_run_or_destroy(void) {
  fixture_begin();
  front_executor_options options;
  char problem[256];
  front_executor_options_init(&options, FRONT_EXECUTOR_ASIO_THREAD);
  options.name = "work";
  options.thread_num = 2;
  work = front_executor_publish(front_executor_create(&options, problem, sizeof problem));
  CHECK(work != 0);
  const aimrt_core_base_t *core = core_of(fix.client);
  pthread_t threads[POSTERS];
  void *same[POSTERS];
  for (int i = 0; i < POSTERS; i++)
    CHECK_EQUAL(pthread_create(&threads[i], NULL, post_often, (void *)(uintptr_t)core), 0);
  for (int i = 0; i < POSTERS; i++) CHECK_EQUAL(pthread_join(threads[i], &same[i]), 0);
  for (int i = 1; i < POSTERS; i++) CHECK(same[i] == same[0]);
  CHECK(ctest_reach(&ran, TASKS * POSTERS) && ctest_reach(&ended, TASKS * POSTERS));
  const aimrt_executor_base_t *executor = same[0];
  CHECK(executor->type(executor->impl).len == strlen("asio_thread") && executor->name(executor->impl).len == 4);
  CHECK(!executor->is_thread_safe(executor->impl) && executor->is_support_timer_schedule(executor->impl));
  front_executor_withdraw(work);
  aimrt_function_base_t task = new_task();
  executor->execute(executor->impl, &task);
  CHECK(task.ops == NULL && line_has("does not run a task: it has shut down"));
  CHECK_EQUAL(ctest_count(&ended), TASKS * POSTERS + 1);
  CHECK(!executor->is_in_current_executor(executor->impl) && executor->now(executor->impl) != 0);
  executor->execute(executor->impl, NULL);
  fixture_end();
}

static void parameters_are_lent(void) {
  fixture_begin();
  const aimrt_core_base_t *core = core_of(fix.client);
  const aimrt_parameter_handle_base_t *parameters = core->parameter_handle(core->impl);
  parameters->set_parameter(parameters->impl, foreign_text("key"), foreign_text("value"));
  for (int invoked = 0; invoked < 2; invoked++) {
    aimrt_parameter_val_view_holder_t holder = parameters->get_parameter(parameters->impl, foreign_text("key"));
    CHECK(holder.parameter_val.len == 5 && memcmp(holder.parameter_val.str, "value", 5) == 0 && holder.release_callback != NULL);
    aimrt_function_base_t own;
    front_function_take(&own, holder.release_callback);
    const aimrt_function_parameter_val_release_callback_ops_t *ops = own.ops;
    if (invoked) ops->invoker(own.object_buf);
    front_function_drop(&own); /* frees what was not given back */
  }
  parameters->set_parameter(parameters->impl, foreign_text("key"), (aimrt_string_view_t){NULL, 0});
  CHECK(parameters->get_parameter(parameters->impl, foreign_text("key")).release_callback == NULL);
  parameters->set_parameter(parameters->impl, (aimrt_string_view_t){NULL, 0}, foreign_text("x"));
  CHECK(line_has("a parameter needs a key"));
  fixture_end();
}

/* ---- Channels ----------------------------------------------------------------------------------------------------------- */

static ctest_counter subscribed;
static void message_end(void *object) {
  (void)object;
  (void)atomic_fetch_sub(&subscribed.value, 1);
}

static void *publish_often(void *arg) {
  const aimrt_core_base_t *core = arg;
  const aimrt_channel_handle_base_t *channels = core->channel_handle(core->impl);
  static const aimrt_function_subscriber_callback_ops_t ops = {NULL, keep_place, message_end};
  for (int i = 0; i < 200; i++) {
    char topic[16];
    (void)snprintf(topic, sizeof topic, "topic%d", i % 5);
    const aimrt_channel_publisher_base_t *publisher = channels->get_publisher(channels->impl, foreign_text(topic));
    const aimrt_channel_subscriber_base_t *subscriber = channels->get_subscriber(channels->impl, foreign_text(topic));
    CHECK(publisher->register_publish_type(publisher->impl, &blob_type));
    publisher->publish(publisher->impl, foreign_text("pb:t.Blob"), NULL, NULL);
    aimrt_function_base_t closure = {.ops = &ops};
    (void)atomic_fetch_add(&subscribed.value, 1);
    CHECK(subscriber->subscribe(subscriber->impl, &blob_type, &closure) && closure.ops == NULL);
    CHECK(!subscriber->subscribe(subscriber->impl, NULL, NULL));
  }
  return NULL;
}

static void channels_accept_and_drop(void) {
  fixture_begin();
  pthread_t threads[POSTERS];
  const aimrt_core_base_t *core = core_of(fix.client);
  for (int i = 0; i < POSTERS; i++)
    CHECK_EQUAL(pthread_create(&threads[i], NULL, publish_often, (void *)(uintptr_t)core), 0);
  for (int i = 0; i < POSTERS; i++) CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
  CHECK_EQUAL(ctest_count(&warnings), 5); /* one per topic */
  (void)publish_often((void *)(uintptr_t)core_of(fix.server));
  CHECK_EQUAL(ctest_count(&warnings), 5); /* also when a second module uses it */
  CHECK_EQUAL(ctest_count(&subscribed), 200 * (POSTERS + 1));
  fixture_end();
  CHECK_EQUAL(ctest_count(&subscribed), 0);
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"tables_are_complete", tables_are_complete},
      {"registration_says_why_not", registration_says_why_not},
      {"messages_travel_in_any_number_of_pieces", messages_travel_in_any_number_of_pieces},
      {"methods_are_found_while_others_come", methods_are_found_while_others_come},
      {"executors_run_or_destroy", executors_run_or_destroy},
      {"parameters_are_lent", parameters_are_lent},
      {"channels_accept_and_drop", channels_accept_and_drop},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
