/* Calls that Go carries out: a filter in the rule sends them through the engine. Bytes and native messages, one package and two, timeout,
 * cancel, addresses, shutdown with open calls.
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

#define CONFIG                                                                                                               \
  "aimrt:\n"                                                                                                                 \
  "  log: {core_lvl: Off, backends: []}\n"                                                                                   \
  "  rpc:\n"                                                                                                                 \
  "    backends: [{type: local}]\n"                                                                                          \
  "    clients_options: [{func_name: '(.*)', enable_backends: [local], enable_filters: [debug_log]}]\n"                      \
  "    servers_options: [{func_name: '(.*)', enable_backends: [local]}]\n"

/* The same over a socket of this machine; the port is filled in. */
#define HTTP_CONFIG                                                                                                          \
  "aimrt:\n"                                                                                                                 \
  "  log: {core_lvl: Off, backends: []}\n"                                                                                   \
  "  plugin: {plugins: [{name: net_plugin, options: {thread_num: 2, http_options: {listen_ip: 127.0.0.1, listen_port: %u}}}]}\n" \
  "  rpc:\n"                                                                                                                 \
  "    backends: [{type: http, options: {clients_options: [{func_name: '(.*)', server_url: 'http://127.0.0.1:%u'}]}}]\n"      \
  "    clients_options: [{func_name: '(.*)', enable_backends: [http]}]\n"                                                    \
  "    servers_options: [{func_name: '(.*)', enable_backends: [http]}]\n"

#define RAW "pb:/engine.Raw/Call"
#define NATIVE "num:/engine.Native/Call"
#define HOLD "pb:/engine.Hold/Call"
#define SECOND UINT64_C(1000000000)

/* ---- A native type ------------------------------------------------------------------------------------------------------ */

typedef struct number {
  uint32_t value;
} number;

static atomic_int serialized, deserialized, numbers;

static void *number_create(void *user_data) {
  (void)user_data;
  atomic_fetch_add(&numbers, 1);
  return calloc(1, sizeof(number));
}
static void number_destroy(void *user_data, void *message) {
  (void)user_data;
  atomic_fetch_sub(&numbers, 1);
  free(message);
}
static uint8_t number_copy(void *user_data, const void *from, void *to) {
  (void)user_data;
  memcpy(to, from, sizeof(number));
  return 1;
}
static uint8_t number_move(void *user_data, void *from, void *to) { return number_copy(user_data, from, to); }
static uint8_t number_serialize(void *user_data, aimrt_rpc_str_t serialization, const void *message, aimrt_rpc_writer_t *writer) {
  (void)user_data;
  (void)serialization;
  atomic_fetch_add(&serialized, 1);
  uint8_t *at = aimrt_rpc_writer_append(writer, 16);
  if (at == NULL) return 0;
  memcpy(at, message, sizeof(number));
  aimrt_rpc_writer_trim(writer, 16 - sizeof(number));
  return 1;
}
static uint8_t number_deserialize(void *user_data, aimrt_rpc_str_t serialization, aimrt_rpc_bytes_t bytes, void *message) {
  (void)user_data;
  (void)serialization;
  atomic_fetch_add(&deserialized, 1);
  if (bytes.size != sizeof(number)) return 0;
  memcpy(message, bytes.data, sizeof(number));
  return 1;
}

static const aimrt_rpc_str_t number_serializations[] = {{"pb", 2}};
static const aimrt_rpc_type_support_t number_type = {
    .struct_size = sizeof(aimrt_rpc_type_support_t),
    .name = {"num:Number", 10},
    .create = number_create,
    .destroy = number_destroy,
    .copy = number_copy,
    .move = number_move,
    .serialize = number_serialize,
    .deserialize = number_deserialize,
    .serializations = number_serializations,
    .serialization_count = 1,
};

/* ---- Services ----------------------------------------------------------------------------------------------------------- */

typedef struct held {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  aimrt_rpc_call_t call;
  int cancelled;
} held;

static held hold = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void serve_raw(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  aimrt_rpc_context_t context = aimrt_rpc_call_context(call);
  CHECK(aimrt_rpc_context_kind(context) == AIMRT_RPC_CONTEXT_KIND_SERVER, "kind of the context");
  aimrt_rpc_str_t name = aimrt_rpc_context_get(context, check_str("aimrt-function_name"));
  CHECK(name.size == strlen(RAW) && memcmp(name.data, RAW, name.size) == 0, "function name %.*s", (int)name.size, name.data);
  aimrt_rpc_str_t user = aimrt_rpc_context_get(context, check_str("user"));
  CHECK(user.size == 2, "the caller's metadata: %.*s", (int)user.size, user.data);
  aimrt_rpc_str_t backend = aimrt_rpc_context_get(context, check_str("aimrt-backend"));
  int local = backend.size == 5 && memcmp(backend.data, "local", 5) == 0;
  CHECK((aimrt_rpc_context_get(context, check_str("aimrt-from_module")).size > 0) == local, "from_module");
  CHECK(aimrt_rpc_call_finish(call, NULL, &request->payload, NULL) == AIMRT_RPC_RESULT_OK, "finish");
}

static void serve_native(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  const number *in = request->payload.message;
  number *out = request->response;
  CHECK(in != NULL && out != NULL, "native messages");
  if (in != NULL && out != NULL) out->value = in->value + 1;
  CHECK(aimrt_rpc_call_finish(call, NULL, NULL, NULL) == AIMRT_RPC_RESULT_OK, "finish");
}

static void on_cancel(void *user_data, aimrt_rpc_call_t call) {
  held *h = user_data;
  pthread_mutex_lock(&h->mutex);
  h->cancelled += aimrt_rpc_call_cancelled(call) == 1;
  pthread_cond_broadcast(&h->changed);
  pthread_mutex_unlock(&h->mutex);
}

static void serve_hold(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)request;
  held *h = user_data;
  CHECK(aimrt_rpc_call_on_cancel(call, on_cancel, h, NULL, NULL) == AIMRT_RPC_RESULT_OK, "on_cancel");
  pthread_mutex_lock(&h->mutex);
  h->call = call;
  h->cancelled = 0;
  pthread_cond_broadcast(&h->changed);
  pthread_mutex_unlock(&h->mutex);
}

/* ---- Runtime ------------------------------------------------------------------------------------------------------------ */

typedef struct setup {
  aimrt_rpc_runtime_t runtime;
  aimrt_rpc_method_t raw, native, hold;
} setup;

static aimrt_rpc_handle_t module_of(aimrt_rpc_runtime_t runtime, const char *name, const char *package) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_module_t module = 0;
  aimrt_rpc_module_options_t options = AIMRT_RPC_MODULE_OPTIONS_INIT;
  options.name = check_str(name);
  options.package = check_str(package);
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_OK, error);
  return aimrt_rpc_module_rpc_handle(module);
}

static void add_service(aimrt_rpc_handle_t rpc, const char *name, aimrt_rpc_handler_fn handler, const aimrt_rpc_type_support_t *type) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_service_options_t options = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  options.name = check_str(name);
  options.handler = handler;
  options.user_data = &hold;
  options.request_type = type;
  options.response_type = type;
  CHECK_RESULT(aimrt_rpc_handle_register_service(rpc, &options, NULL, &error), AIMRT_RPC_RESULT_OK, error);
}

static aimrt_rpc_method_t add_client(aimrt_rpc_handle_t rpc, const char *name, const aimrt_rpc_type_support_t *type) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_method_t method = 0;
  aimrt_rpc_client_options_t options = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  options.name = check_str(name);
  options.request_type = type;
  options.response_type = type;
  CHECK_RESULT(aimrt_rpc_handle_register_client(rpc, &options, &method, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_method_t found = 0;
  CHECK_RESULT(aimrt_rpc_handle_find_client(rpc, check_str(name), &found, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(found == method, "find_client gives another handle");
  return method;
}

static setup begin(const char *config, const char *server_package, const char *client_package) {
  aimrt_rpc_error_t error = 0;
  setup s = {0};
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.config_text = check_str(config);
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &s.runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(s.runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_handle_t server = module_of(s.runtime, "server", server_package);
  aimrt_rpc_handle_t client = module_of(s.runtime, "client", client_package);
  add_service(server, RAW, serve_raw, NULL);
  add_service(server, NATIVE, serve_native, &number_type);
  add_service(server, HOLD, serve_hold, NULL);
  s.raw = add_client(client, RAW, NULL);
  s.native = add_client(client, NATIVE, &number_type);
  s.hold = add_client(client, HOLD, NULL);
  CHECK_RESULT(aimrt_rpc_runtime_start_async(s.runtime, 0, &error), AIMRT_RPC_RESULT_OK, error);
  return s;
}

/* ---- Checks ------------------------------------------------------------------------------------------------------------- */

static aimrt_rpc_context_t context_with(const char *key, const char *value, uint64_t timeout_ns) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_context_t context = 0;
  CHECK_RESULT(aimrt_rpc_context_create(&context, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_context_set(context, check_str("user"), check_str("me"), &error), AIMRT_RPC_RESULT_OK, error);
  if (key != NULL) CHECK_RESULT(aimrt_rpc_context_set(context, check_str(key), check_str(value), &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_context_set_timeout_ns(context, timeout_ns) == AIMRT_RPC_RESULT_OK, "timeout");
  return context;
}

static const char *expected_backend = "local";

static void check_raw(const setup *s, size_t size) {
  aimrt_rpc_error_t error = 0;
  uint8_t *bytes = malloc(size + 1);
  memset(bytes, 'x', size + 1);
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.context = context_with(NULL, NULL, 0);
  options.request.bytes = (aimrt_rpc_bytes_t){bytes, size};
  aimrt_rpc_code_t code = 1;
  aimrt_rpc_call_t call = 0;
  CHECK_RESULT(aimrt_rpc_call_invoke(s->raw, &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_outcome_t outcome = {.struct_size = (uint32_t)sizeof outcome};
  CHECK_RESULT(aimrt_rpc_call_outcome(call, &outcome, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(code == 0, "code %u: %.*s", code, (int)outcome.message.size, outcome.message.data);
  CHECK(outcome.response.bytes.size == size && (size == 0 || memcmp(outcome.response.bytes.data, bytes, size) == 0), "%zu bytes back",
        outcome.response.bytes.size);
  aimrt_rpc_str_t backend = aimrt_rpc_context_get(options.context, check_str("aimrt-backend"));
  CHECK(backend.size == strlen(expected_backend) && memcmp(backend.data, expected_backend, backend.size) == 0, "backend %.*s", (int)backend.size, backend.data);
  CHECK(aimrt_rpc_context_timeout_ns(options.context) == 5 * SECOND, "timeout written back: %llu",
        (unsigned long long)aimrt_rpc_context_timeout_ns(options.context));
  aimrt_rpc_call_release(call);
  aimrt_rpc_context_release(options.context);
  free(bytes);
}

static void check_native(const setup *s, int same_package) {
  aimrt_rpc_error_t error = 0;
  int before = atomic_load(&serialized) + atomic_load(&deserialized);
  for (uint32_t i = 0; i < 100; i++) {
    number request = {i}, response = {0};
    aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
    options.request.message = &request;
    options.response = &response;
    aimrt_rpc_code_t code = 1;
    CHECK_RESULT(aimrt_rpc_call_invoke(s->native, &options, &code, NULL, &error), AIMRT_RPC_RESULT_OK, error);
    CHECK(code == 0 && response.value == i + 1, "code %u, value %u", code, response.value);
  }
  int coded = atomic_load(&serialized) + atomic_load(&deserialized) - before;
  CHECK(coded == (same_package ? 0 : 400), "%d times encoded or decoded", coded);
}

static void check_address(const setup *s, const char *address, aimrt_rpc_code_t want) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.context = context_with("aimrt-to_addr", address, 0);
  aimrt_rpc_code_t code = 1;
  aimrt_rpc_call_t call = 0;
  CHECK_RESULT(aimrt_rpc_call_invoke(s->raw, &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(code == want, "%s gives %u, wanted %u", address, code, want);
  aimrt_rpc_call_release(call);
  aimrt_rpc_context_release(options.context);
}

static aimrt_rpc_call_t wait_held(void) {
  pthread_mutex_lock(&hold.mutex);
  while (hold.call == 0) pthread_cond_wait(&hold.changed, &hold.mutex);
  aimrt_rpc_call_t call = hold.call;
  hold.call = 0;
  pthread_mutex_unlock(&hold.mutex);
  return call;
}

static void check_cancelled_once(void) {
  pthread_mutex_lock(&hold.mutex);
  while (hold.cancelled == 0) pthread_cond_wait(&hold.changed, &hold.mutex);
  CHECK(hold.cancelled == 1, "the handler was told %d times", hold.cancelled);
  pthread_mutex_unlock(&hold.mutex);
}

static void check_timeout(const setup *s) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.context = context_with(NULL, NULL, SECOND / 20);
  aimrt_rpc_code_t code = 0;
  aimrt_rpc_call_t call = 0;
  CHECK_RESULT(aimrt_rpc_call_invoke(s->hold, &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(code == AIMRT_RPC_CODE_TIMEOUT, "code %u", code);
  check_cancelled_once();
  CHECK_RESULT(aimrt_rpc_call_finish(wait_held(), NULL, NULL, &error), AIMRT_RPC_RESULT_LOST, error);
  aimrt_rpc_call_release(call);
  aimrt_rpc_context_release(options.context);
}

static void check_cancel(const setup *s) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  aimrt_rpc_call_t call = 0;
  CHECK_RESULT(aimrt_rpc_call_start(s->hold, &options, &call, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_call_t server = wait_held();
  CHECK_RESULT(aimrt_rpc_call_wait(call, 1000, &error), AIMRT_RPC_RESULT_TIMEOUT, error);
  CHECK(aimrt_rpc_call_cancelled(server) == 0, "not cancelled yet");
  CHECK_RESULT(aimrt_rpc_call_cancel(call, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_call_wait(call, 10 * SECOND, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_outcome_t outcome = {.struct_size = (uint32_t)sizeof outcome};
  CHECK_RESULT(aimrt_rpc_call_outcome(call, &outcome, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(outcome.code == AIMRT_RPC_CODE_CANCELLED, "code %u", outcome.code);
  check_cancelled_once();
  CHECK_RESULT(aimrt_rpc_call_cancel(call, &error), AIMRT_RPC_RESULT_LOST, error);
  CHECK_RESULT(aimrt_rpc_call_finish(server, NULL, NULL, &error), AIMRT_RPC_RESULT_LOST, error);
  aimrt_rpc_call_release(call);
}

/* A call that is open when the runtime ends is cancelled; its handler may finish later. */
static void check_open_at_shutdown(setup *s) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  aimrt_rpc_call_t call = 0;
  CHECK_RESULT(aimrt_rpc_call_start(s->hold, &options, &call, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_call_t server = wait_held();
  aimrt_rpc_runtime_release(s->runtime);
  aimrt_rpc_outcome_t outcome = {.struct_size = (uint32_t)sizeof outcome};
  CHECK_RESULT(aimrt_rpc_call_outcome(call, &outcome, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(outcome.code == AIMRT_RPC_CODE_CANCELLED, "code %u", outcome.code);
  check_cancelled_once();
  CHECK_RESULT(aimrt_rpc_call_finish(server, NULL, NULL, &error), AIMRT_RPC_RESULT_LOST, error);
  aimrt_rpc_call_release(call);
}

/* ---- Many callers ------------------------------------------------------------------------------------------------------- */

static void *call_much(void *arg) {
  const setup *s = arg;
  for (int i = 0; i < 200; i++) check_raw(s, (size_t)i * 17);
  return NULL;
}

static void run(const char *server_package, const char *client_package) {
  int same = strcmp(server_package, client_package) == 0;
  setup s = begin(CONFIG, server_package, client_package);
  check_raw(&s, 0);
  check_raw(&s, 1000);
  check_raw(&s, 2 << 20);
  check_native(&s, same);
  check_address(&s, "local://rpc/engine", AIMRT_RPC_CODE_OK);
  check_address(&s, "local://rpc/engine?module_name=server", AIMRT_RPC_CODE_OK);
  check_address(&s, "local://rpc/engine?module_name=nobody", AIMRT_RPC_CODE_CLI_INVALID_ADDR);
  check_address(&s, "nothing://x", AIMRT_RPC_CODE_CLI_INVALID_ADDR);
  if (!same) { /* calls inside a package have no timeout and are cancelled only by their handler */
    check_timeout(&s);
    check_cancel(&s);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, call_much, &s) == 0, "thread");
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    check_open_at_shutdown(&s);
  } else {
    aimrt_rpc_runtime_release(s.runtime);
  }
  CHECK(atomic_load(&numbers) == 0, "%d native messages are left", atomic_load(&numbers));
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0, "%llu handles are left",
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY));
}

/* A port that was free a moment ago. */
static unsigned free_port(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(fd, (struct sockaddr *)&address, size) == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0, "no free port");
  close(fd);
  return ntohs(address.sin_port);
}

/* The handlers run on the library's pool, and nothing is shared with the caller. */
static void run_http(void) {
  char config[2048];
  unsigned port = free_port();
  snprintf(config, sizeof config, HTTP_CONFIG, port, port);
  expected_backend = "http";
  setup s = begin(config, "one", "one");
  check_raw(&s, 0);
  check_raw(&s, 1000);
  check_raw(&s, 2 << 20);
  check_native(&s, 0);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, call_much, &s) == 0, "thread");
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.context = context_with(NULL, NULL, SECOND / 20);
  aimrt_rpc_code_t code = 0;
  aimrt_rpc_call_t call = 0;
  CHECK_RESULT(aimrt_rpc_call_invoke(s.hold, &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(code == AIMRT_RPC_CODE_CLI_UNKNOWN, "code %u, which is AimRT's for a timeout over http", code);
  aimrt_rpc_call_release(call);
  aimrt_rpc_context_release(options.context);
  (void)aimrt_rpc_call_finish(wait_held(), NULL, NULL, NULL); /* the server may not know yet that nobody waits */
  check_open_at_shutdown(&s);
  CHECK(atomic_load(&numbers) == 0, "%d native messages are left", atomic_load(&numbers));
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0, "%llu handles are left",
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY));
}

int main(void) {
  run_http();
  expected_backend = "local";
  run("one", "one");
  run("one", "other");
  return check_end("engine");
}
