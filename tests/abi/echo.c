/* A call from C to C in one process: direct (one package) and serialised (two packages), by blocking call, callback and queue; module
 * callbacks; runtime life cycle; parameters; errors with details.
 * SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdlib.h>

#include "check.h"
#include "world.h"

#define METHOD "pb:/echo.Echo/Call"

typedef struct side {
  const char *name;
  aimrt_rpc_method_t method;
  int initialized, started, stopped, freed;
  int calls_in_shutdown;
} side;

static void serve(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  aimrt_rpc_context_t context = aimrt_rpc_call_context(call);
  aimrt_rpc_str_t wish = aimrt_rpc_context_get(context, check_str("answer"));
  if (wish.size == 4 && memcmp(wish.data, "fail", 4) == 0) {
    aimrt_rpc_pair_t detail = {check_str("why"), check_str("asked for")};
    aimrt_rpc_status_t status = AIMRT_RPC_CALL_STATUS_INIT;
    status.code = 4242;
    status.message = check_str("no");
    status.trace = check_str("line 1");
    status.details = &detail;
    status.detail_count = 1;
    CHECK(aimrt_rpc_call_finish(call, &status, NULL, NULL) == AIMRT_RPC_RESULT_OK, "finish");
    return;
  }
  CHECK(aimrt_rpc_call_finish(call, NULL, &request->payload, NULL) == AIMRT_RPC_RESULT_OK, "finish");
  CHECK(aimrt_rpc_call_finish(call, NULL, NULL, NULL) == AIMRT_RPC_RESULT_INVALID_HANDLE, "second finish");
}

static uint8_t initialize(void *user_data, aimrt_rpc_module_t module) {
  side *s = user_data;
  aimrt_rpc_error_t error = 0;
  s->initialized++;
  aimrt_rpc_client_options_t client = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  client.name = check_str(METHOD);
  CHECK_RESULT(aimrt_rpc_handle_register_client(aimrt_rpc_module_rpc_handle(module), &client, &s->method, &error), AIMRT_RPC_RESULT_OK,
               error);
  if (strcmp(s->name, "server") == 0) {
    aimrt_rpc_service_options_t service = AIMRT_RPC_SERVICE_OPTIONS_INIT;
    service.name = check_str(METHOD);
    service.handler = serve;
    CHECK_RESULT(aimrt_rpc_handle_register_service(aimrt_rpc_module_rpc_handle(module), &service, NULL, &error), AIMRT_RPC_RESULT_OK,
                 error);
  }
  return 1;
}

static aimrt_rpc_code_t invoke(aimrt_rpc_method_t method) {
  aimrt_rpc_code_t code = 1;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  aimrt_rpc_call_t call = 0;
  CHECK(aimrt_rpc_call_invoke(method, &options, &code, &call, NULL) == AIMRT_RPC_RESULT_OK, "invoke");
  aimrt_rpc_call_release(call);
  return code;
}

static uint8_t start(void *user_data, aimrt_rpc_module_t module) {
  (void)module;
  side *s = user_data;
  s->started++;
  CHECK(invoke(s->method) == AIMRT_RPC_CODE_OK, "a call inside start");
  return 1;
}

static void stop(void *user_data, aimrt_rpc_module_t module) {
  (void)module;
  side *s = user_data;
  s->stopped++;
  s->calls_in_shutdown += invoke(s->method) == AIMRT_RPC_CODE_OK;
}

static void freed(void *user_data) { ((side *)user_data)->freed++; }

static aimrt_rpc_module_t make_module(aimrt_rpc_runtime_t runtime, side *s, const char *package) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_module_t module = 0;
  aimrt_rpc_module_options_t options = AIMRT_RPC_MODULE_OPTIONS_INIT;
  options.name = check_str(s->name);
  options.package = check_str(package);
  options.initialize = initialize;
  options.start = start;
  options.shutdown = stop;
  options.user_data = s;
  options.user_data_free = freed;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_OK, error);
  return module;
}

/* One call with bytes and metadata; checks what comes back. */
static void check_blocking(const side *s, size_t size) {
  aimrt_rpc_error_t error = 0;
  uint8_t *bytes = malloc(size + 1);
  for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(i * 7);
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.request.bytes = (aimrt_rpc_bytes_t){bytes, size};
  aimrt_rpc_code_t code = 1;
  aimrt_rpc_call_t call = 0;
  CHECK_RESULT(aimrt_rpc_call_invoke(s->method, &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_outcome_t outcome = {.struct_size = (uint32_t)sizeof outcome};
  CHECK_RESULT(aimrt_rpc_call_outcome(call, &outcome, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(code == 0 && outcome.code == 0, "code %u %u: %.*s", code, outcome.code, (int)outcome.message.size, outcome.message.data);
  CHECK(outcome.response.bytes.size == size && (size == 0 || memcmp(outcome.response.bytes.data, bytes, size) == 0), "%zu bytes back",
        outcome.response.bytes.size);
  aimrt_rpc_call_release(call);
  free(bytes);
}

static void check_failure(const side *s) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_context_t context = 0;
  CHECK_RESULT(aimrt_rpc_context_create(&context, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_context_set(context, check_str("answer"), check_str("fail"), &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.context = context;
  aimrt_rpc_code_t code = 0;
  aimrt_rpc_call_t call = 0;
  CHECK_RESULT(aimrt_rpc_call_invoke(s->method, &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_outcome_t outcome = {.struct_size = (uint32_t)sizeof outcome};
  CHECK_RESULT(aimrt_rpc_call_outcome(call, &outcome, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(outcome.code == 4242 && outcome.message.size == 2 && memcmp(outcome.message.data, "no", 2) == 0, "code %u, message %.*s",
        outcome.code, (int)outcome.message.size, outcome.message.data);
  CHECK(outcome.trace.size == 6, "trace of %zu bytes", outcome.trace.size);
  CHECK(outcome.detail_count == 1 && outcome.details[0].key.size == 3, "%zu details", outcome.detail_count);
  aimrt_rpc_call_release(call);
  aimrt_rpc_context_release(context);
}

static void done(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_outcome_t *outcome) {
  (void)call;
  *(aimrt_rpc_code_t *)user_data = outcome->code + 1;
}

static void check_callback(const side *s) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_code_t code_plus_one = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.done = done;
  options.user_data = &code_plus_one;
  CHECK_RESULT(aimrt_rpc_call_start(s->method, &options, NULL, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(code_plus_one == 1, "the callback of a call inside the process came before start returned");
}

static void check_queue(const side *s) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_queue_t queue = 0;
  CHECK_RESULT(aimrt_rpc_queue_create(&queue, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.queue = queue;
  for (uint64_t i = 0; i < 5; i++) {
    options.tag = i;
    aimrt_rpc_call_t call = 0;
    CHECK_RESULT(aimrt_rpc_call_start(s->method, &options, &call, &error), AIMRT_RPC_RESULT_OK, error);
  }
  struct pollfd ready = {.fd = aimrt_rpc_queue_fd(queue), .events = POLLIN};
  CHECK(poll(&ready, 1, 5000) == 1, "the queue's descriptor is readable");
  aimrt_rpc_event_t events[8];
  size_t count = 0;
  CHECK_RESULT(aimrt_rpc_queue_drain(queue, events, 8, &count, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(count == 5, "%zu events", count);
  for (size_t i = 0; i < count; i++) {
    CHECK(events[i].kind == AIMRT_RPC_EVENT_CALL_FINISHED && events[i].tag == i && events[i].code == 0, "event %zu", i);
    aimrt_rpc_call_release(events[i].call);
  }
  aimrt_rpc_queue_release(queue);
}

static void check_parameters(aimrt_rpc_module_t module) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_buffer_t value;
  memset(&value, 0, sizeof value);
  CHECK_RESULT(aimrt_rpc_module_parameter_get(module, check_str("k"), &value, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(value.size == 0, "a missing parameter has %zu bytes", value.size);
  CHECK_RESULT(aimrt_rpc_module_parameter_set(module, check_str("k"), check_str("v1"), &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_module_parameter_get(module, check_str("k"), &value, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(value.size == 2 && memcmp(value.data, "v1", 2) == 0, "parameter %.*s", (int)value.size, (const char *)value.data);
  aimrt_rpc_buffer_release(&value);
  CHECK(value.data == NULL && value.size == 0, "a released buffer is zeroed");
  aimrt_rpc_buffer_release(&value);
  CHECK_RESULT(aimrt_rpc_module_parameter_set(module, check_str("k"), check_str(""), &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_module_parameter_get(module, check_str("k"), &value, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(value.size == 0, "an erased parameter has %zu bytes", value.size);
  CHECK_RESULT(aimrt_rpc_module_parameter_set(module, check_str(""), check_str("v"), &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
}

static int contains(const aimrt_rpc_buffer_t *text, const char *part) {
  size_t size = strlen(part);
  for (size_t i = 0; i + size <= text->size; i++)
    if (memcmp(text->data + i, part, size) == 0) return 1;
  return 0;
}

static void check_reports(aimrt_rpc_runtime_t runtime) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_buffer_t text;
  CHECK_RESULT(aimrt_rpc_runtime_list_methods(runtime, &text, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(contains(&text, METHOD), "the list of methods: %.*s", (int)text.size, (const char *)text.data);
  aimrt_rpc_buffer_release(&text);
  CHECK_RESULT(aimrt_rpc_runtime_describe_method(runtime, check_str(METHOD), &text, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(contains(&text, "server") && contains(&text, METHOD), "the description: %.*s", (int)text.size, (const char *)text.data);
  aimrt_rpc_buffer_release(&text);
  CHECK_RESULT(aimrt_rpc_runtime_statistics(runtime, &text, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(text.size > 2 && text.data[0] == '{', "the statistics: %.*s", (int)text.size, (const char *)text.data);
  aimrt_rpc_buffer_release(&text);
  CHECK(aimrt_rpc_runtime_describe_method(runtime, check_str("pb:/echo.Echo/Cal"), &text, &error) == AIMRT_RPC_RESULT_NOT_FOUND,
        "a name nobody has");
  aimrt_rpc_str_t message = aimrt_rpc_error_message(error);
  aimrt_rpc_buffer_t view = {(uint8_t *)message.data, message.size, 0};
  CHECK(contains(&view, METHOD), "the error names the nearest: %.*s", (int)message.size, message.data);
  aimrt_rpc_error_free(error);
}

static void run(const char *server_package, const char *client_package) {
  aimrt_rpc_error_t error = 0;
  side server = {.name = "server"}, client = {.name = "client"};
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.config_text = check_str(WORLD_CONFIG);
  aimrt_rpc_runtime_t runtime = 0;
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  make_module(runtime, &server, server_package);
  aimrt_rpc_module_t module = make_module(runtime, &client, client_package);
  CHECK(aimrt_rpc_runtime_state(runtime) == AIMRT_RPC_STATE_PRE_INIT, "state %u", aimrt_rpc_runtime_state(runtime));
  CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_runtime_state(runtime) == AIMRT_RPC_STATE_INIT, "state %u", aimrt_rpc_runtime_state(runtime));
  CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK(invoke(client.method) == AIMRT_RPC_CODE_CLI_NOT_READY, "a call before start");
  CHECK_RESULT(aimrt_rpc_runtime_start_async(runtime, 0, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_runtime_state(runtime) == AIMRT_RPC_STATE_START, "state %u", aimrt_rpc_runtime_state(runtime));
  check_blocking(&client, 0);
  check_blocking(&client, 64);
  check_blocking(&client, 3 << 20);
  check_failure(&client);
  check_callback(&client);
  check_queue(&client);
  check_parameters(module);
  check_reports(runtime);
  CHECK_RESULT(aimrt_rpc_runtime_shutdown(runtime), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_shutdown(runtime), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_wait(runtime, UINT64_C(20000000000), &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_runtime_state(runtime) == AIMRT_RPC_STATE_SHUTDOWN, "state %u", aimrt_rpc_runtime_state(runtime));
  CHECK(invoke(client.method) == AIMRT_RPC_CODE_CLI_NOT_READY, "a call after shutdown");
  aimrt_rpc_runtime_release(runtime);
  aimrt_rpc_runtime_release(runtime);
  for (const side *s = &server; s != NULL; s = s == &server ? &client : NULL)
    CHECK(s->initialized == 1 && s->started == 1 && s->stopped == 1 && s->freed == 1 && s->calls_in_shutdown == 1,
          "%s: callbacks %d %d %d %d, calls in shutdown %d", s->name, s->initialized, s->started, s->stopped, s->freed,
          s->calls_in_shutdown);
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0, "%llu handles are left",
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY));
}

static void check_config_error(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = 0;
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.config_text = check_str("aimrt:\n  rpc:\n    backends:\n      - type: locall\n");
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_runtime_initialize(runtime, &error) == AIMRT_RPC_RESULT_CONFIG, "a backend that does not exist");
  int line = 0, nearest = 0;
  aimrt_rpc_pair_t detail;
  for (uint32_t i = 0; aimrt_rpc_error_detail(error, i, &detail) == AIMRT_RPC_RESULT_OK; i++) {
    line += detail.key.size == 4 && memcmp(detail.key.data, "line", 4) == 0 && detail.value.size == 1 && detail.value.data[0] == '4';
    nearest += detail.key.size == 7 && detail.value.size == 5 && memcmp(detail.value.data, "local", 5) == 0;
  }
  aimrt_rpc_str_t text = aimrt_rpc_error_message(error);
  CHECK(line == 1 && nearest == 1, "line and nearest name are details of: %.*s", (int)text.size, text.data);
  aimrt_rpc_error_free(error);
  aimrt_rpc_runtime_release(runtime);
}

/* start blocks until shutdown is asked for, and runs everything on this thread. */
static uint8_t start_and_shut_down(void *user_data, aimrt_rpc_module_t module) {
  (void)module;
  return aimrt_rpc_runtime_shutdown(*(aimrt_rpc_runtime_t *)user_data) == AIMRT_RPC_RESULT_OK;
}

static void check_blocking_start(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = 0;
  aimrt_rpc_module_t module = 0;
  CHECK_RESULT(aimrt_rpc_runtime_create(NULL, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_module_options_t options = AIMRT_RPC_MODULE_OPTIONS_INIT;
  options.name = check_str("m");
  options.start = start_and_shut_down;
  options.user_data = &runtime;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_start(runtime, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_start(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_runtime_state(runtime) == AIMRT_RPC_STATE_SHUTDOWN, "state %u", aimrt_rpc_runtime_state(runtime));
  aimrt_rpc_runtime_release(runtime);
}

static uint8_t refuse(void *user_data, aimrt_rpc_module_t module) {
  (void)user_data;
  (void)module;
  return 0;
}

static void check_refusing_module(int in_start) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = 0;
  aimrt_rpc_module_t module = 0;
  CHECK_RESULT(aimrt_rpc_runtime_create(NULL, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_module_options_t options = AIMRT_RPC_MODULE_OPTIONS_INIT;
  options.name = check_str("m");
  if (in_start) {
    options.start = refuse;
  } else {
    options.initialize = refuse;
  }
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), in_start ? AIMRT_RPC_RESULT_OK : AIMRT_RPC_RESULT_MODULE, error);
  if (in_start) CHECK_RESULT(aimrt_rpc_runtime_start_async(runtime, 0, &error), AIMRT_RPC_RESULT_MODULE, error);
  aimrt_rpc_runtime_release(runtime);
}

int main(void) {
  run("core", "core");
  run("one", "other");
  check_config_error();
  check_blocking_start();
  check_refusing_module(0);
  check_refusing_module(1);
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0, "%llu handles are left",
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY));
  return check_end("echo");
}
