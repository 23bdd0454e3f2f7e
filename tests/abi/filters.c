/* Filters of C modules: order, metadata, rejecting, the end of calls, misuse, names in the configuration; inside the process and over http.
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

#define RULES(backend)                                                                                                       \
  "    clients_options: [{func_name: '(.*)', enable_backends: [" backend "], enable_filters: [near, debug_log, far]}]\n"     \
  "    servers_options: [{func_name: '(.*)', enable_backends: [" backend "], enable_filters: [gate]}]\n"

#define CONFIG                             \
  "aimrt:\n"                               \
  "  log: {core_lvl: Off, backends: []}\n" \
  "  rpc:\n"                               \
  "    backends: [{type: local}]\n" RULES("local")

/* The port is filled in. */
#define HTTP_CONFIG                                                                                                          \
  "aimrt:\n"                                                                                                                 \
  "  log: {core_lvl: Off, backends: []}\n"                                                                                   \
  "  plugin: {plugins: [{name: net_plugin, options: {thread_num: 2, http_options: {listen_ip: 127.0.0.1, listen_port: %u}}}]}\n" \
  "  rpc:\n"                                                                                                                 \
  "    backends: [{type: http, options: {clients_options: [{func_name: '(.*)', server_url: 'http://127.0.0.1:%u'}]}}]\n" RULES("http")

#define ECHO "pb:/filters.Echo/Call"
#define MANY 40 /* metadata entries, more than a filter call keeps without memory of its own */

typedef struct probe {
  const char *name;
  uint32_t side;
  int over_network;
  atomic_int seen, ended, freed, call_freed;
  _Atomic uint32_t code;        /* of the last end */
  _Atomic uint64_t last_filter; /* handle of the last call */
  atomic_size_t pairs, response;
} probe;

static probe near_probe = {.name = "near"}, far_probe = {.name = "far"}, gate_probe = {.name = "gate", .side = 1};

static int same(aimrt_rpc_str_t text, const char *want) { return text.size == strlen(want) && memcmp(text.data, want, text.size) == 0; }

static aimrt_rpc_str_t value_of(const aimrt_rpc_filter_call_t *call, const char *key) {
  for (size_t i = 0; i < call->metadata_count; i++)
    if (same(call->metadata[i].key, key)) return call->metadata[i].value;
  return (aimrt_rpc_str_t){NULL, 0};
}

static void on_end(void *user_data, const aimrt_rpc_filter_end_t *end) {
  probe *p = user_data;
  CHECK(end->struct_size == sizeof *end && end->message.size > 0, "the end has a message");
  atomic_store(&p->code, end->code);
  atomic_store(&p->response, end->response.size);
  atomic_fetch_add(&p->ended, 1);
}

static void count_free(void *user_data) { atomic_fetch_add(&((probe *)user_data)->freed, 1); }
static void count_call_free(void *user_data) { atomic_fetch_add(&((probe *)user_data)->call_freed, 1); }

static void reject(aimrt_rpc_filter_t filter) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_pair_t detail = {check_str("who"), check_str("gate")};
  aimrt_rpc_status_t status = AIMRT_RPC_CALL_STATUS_INIT;
  CHECK_RESULT(aimrt_rpc_filter_reject(filter, &status, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  CHECK_RESULT(aimrt_rpc_filter_reject(filter, NULL, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  status.code = AIMRT_RPC_CODE_PERMISSION_DENIED;
  status.message = check_str("the gate is closed");
  status.details = &detail;
  status.detail_count = 1;
  CHECK_RESULT(aimrt_rpc_filter_reject(filter, &status, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_filter_reject(filter, &status, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_filter_next(filter, NULL, NULL, NULL, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
}

static void check_shown(const probe *p, const aimrt_rpc_filter_call_t *call) {
  CHECK(call->struct_size == sizeof *call && call->side == p->side && same(call->function_name, ECHO), "%s: what the call says", p->name);
  CHECK(same(call->serialization, "pb") && call->request.size == 5 && memcmp(call->request.data, "hello", 5) == 0, "%s: request", p->name);
  CHECK((call->from_module.size > 0) == (p->side == 0 || !p->over_network), "%s: module %.*s", p->name, (int)call->from_module.size,
        call->from_module.data);
  CHECK((call->peer.size > 0) == (p->side == 1), "%s: peer %.*s", p->name, (int)call->peer.size, call->peer.data);
  CHECK(call->request_id != 0, "%s: request id", p->name);
}

static void around(void *user_data, aimrt_rpc_filter_t filter, const aimrt_rpc_filter_call_t *call) {
  probe *p = user_data;
  aimrt_rpc_error_t error = 0;
  check_shown(p, call);
  atomic_fetch_add(&p->seen, 1);
  atomic_store(&p->last_filter, filter);
  atomic_store(&p->pairs, call->metadata_count);
  if (same(value_of(call, "plan"), p->name)) return; /* neither next nor reject */
  if (p->side == 1 && same(value_of(call, "plan"), "reject")) {
    reject(filter);
    return;
  }
  aimrt_rpc_str_t trail = value_of(call, "trail");
  char text[64];
  int size = snprintf(text, sizeof text, "%.*s/%s", (int)trail.size, trail.data == NULL ? "" : trail.data, p->name);
  CHECK_RESULT(aimrt_rpc_filter_set(filter, check_str("trail"), (aimrt_rpc_str_t){text, (size_t)size}, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_filter_set(filter, check_str(""), check_str("x"), &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  CHECK_RESULT(aimrt_rpc_filter_remove(filter, check_str("secret"), &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_filter_next(filter, on_end, p, count_call_free, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_filter_next(filter, NULL, NULL, NULL, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_filter_set(filter, check_str("late"), check_str("x"), &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_filter_remove(filter, check_str("late"), &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
}

static void echo(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  (void)request;
  aimrt_rpc_context_t context = aimrt_rpc_call_context(call);
  CHECK(aimrt_rpc_context_get(context, check_str("secret")).size == 0, "what a filter removed does not arrive");
  aimrt_rpc_str_t trail = aimrt_rpc_context_get(context, check_str("trail"));
  aimrt_rpc_payload_t response = {.bytes = {(const uint8_t *)trail.data, trail.size}};
  CHECK(aimrt_rpc_call_finish(call, NULL, &response, NULL) == AIMRT_RPC_RESULT_OK, "finish");
}

/* ---- Runtime ------------------------------------------------------------------------------------------------------------ */

typedef struct setup {
  aimrt_rpc_runtime_t runtime;
  aimrt_rpc_handle_t rpc;
  aimrt_rpc_method_t method;
} setup;

static void create(setup *s, const char *config) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_module_t module = 0;
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.config_text = check_str(config);
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &s->runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_module_options_t named = AIMRT_RPC_MODULE_OPTIONS_INIT;
  named.name = check_str("filters");
  CHECK_RESULT(aimrt_rpc_module_create(s->runtime, &named, &module, &error), AIMRT_RPC_RESULT_OK, error);
  s->rpc = aimrt_rpc_module_rpc_handle(module);
}

static aimrt_rpc_result_t add(aimrt_rpc_handle_t rpc, uint32_t side, const char *name, probe *p, aimrt_rpc_error_t *error) {
  aimrt_rpc_filter_options_t options = AIMRT_RPC_FILTER_OPTIONS_INIT;
  options.side = side;
  options.name = check_str(name);
  options.around = p == NULL ? NULL : around;
  options.user_data = p;
  options.user_data_free = count_free;
  return aimrt_rpc_handle_register_filter(rpc, &options, error);
}

static void reset(probe *p, int over_network) {
  p->over_network = over_network;
  atomic_store(&p->seen, 0);
  atomic_store(&p->ended, 0);
  atomic_store(&p->freed, 0);
  atomic_store(&p->call_freed, 0);
}

static probe *const all[] = {&near_probe, &far_probe, &gate_probe};

static setup begin(const char *config, int over_network) {
  aimrt_rpc_error_t error = 0;
  setup s = {0};
  create(&s, config);
  for (size_t i = 0; i < 3; i++) {
    reset(all[i], over_network);
    CHECK_RESULT(add(s.rpc, all[i]->side, all[i]->name, all[i], &error), AIMRT_RPC_RESULT_OK, error);
    CHECK_RESULT(add(s.rpc, all[i]->side, all[i]->name, all[i], &error), AIMRT_RPC_RESULT_ALREADY_EXISTS, error);
  }
  CHECK_RESULT(add(s.rpc, 0, "debug_log", all[0], &error), AIMRT_RPC_RESULT_ALREADY_EXISTS, error);
  CHECK_RESULT(add(s.rpc, 0, "", all[0], &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  CHECK_RESULT(add(s.rpc, 2, "side", all[0], &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  CHECK_RESULT(add(s.rpc, 0, "nothing", NULL, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(s.runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_service_options_t service = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  service.name = check_str(ECHO);
  service.handler = echo;
  CHECK_RESULT(aimrt_rpc_handle_register_service(s.rpc, &service, NULL, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_client_options_t client = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  client.name = check_str(ECHO);
  CHECK_RESULT(aimrt_rpc_handle_register_client(s.rpc, &client, &s.method, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_start_async(s.runtime, 0, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(add(s.rpc, 0, "late", all[0], &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  return s;
}

/* Calls with a plan for the filters, and checks code, response and message; NULL = whatever. */
static void call(const setup *s, const char *plan, int entries, aimrt_rpc_code_t want, const char *response, const char *message) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  CHECK_RESULT(aimrt_rpc_context_create(&options.context, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_context_set(options.context, check_str("plan"), check_str(plan), &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_context_set(options.context, check_str("secret"), check_str("x"), &error), AIMRT_RPC_RESULT_OK, error);
  for (int i = 0; i < entries; i++)
    CHECK_RESULT(aimrt_rpc_context_add(options.context, check_str("more"), check_str("x"), &error), AIMRT_RPC_RESULT_OK, error);
  options.request.bytes = (aimrt_rpc_bytes_t){(const uint8_t *)"hello", 5};
  aimrt_rpc_code_t code = 1;
  aimrt_rpc_call_t made = 0;
  CHECK_RESULT(aimrt_rpc_call_invoke(s->method, &options, &code, &made, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_outcome_t outcome = {.struct_size = (uint32_t)sizeof outcome};
  CHECK_RESULT(aimrt_rpc_call_outcome(made, &outcome, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(code == want, "plan %s: code %u, wanted %u: %.*s", plan, code, want, (int)outcome.message.size, outcome.message.data);
  if (response != NULL)
    CHECK(outcome.response.bytes.size == strlen(response) &&
              memcmp(outcome.response.bytes.data, response, outcome.response.bytes.size) == 0,
          "plan %s: response %.*s", plan, (int)outcome.response.bytes.size, (const char *)outcome.response.bytes.data);
  if (message != NULL) CHECK(same(outcome.message, message), "plan %s: %.*s", plan, (int)outcome.message.size, outcome.message.data);
  aimrt_rpc_call_release(made);
  aimrt_rpc_context_release(options.context);
}

static void check_counts(int near_seen, int far_seen, int gate_seen, int near_ended, int far_ended, int gate_ended) {
  const int want[3][2] = {{near_seen, near_ended}, {far_seen, far_ended}, {gate_seen, gate_ended}};
  for (size_t i = 0; i < 3; i++)
    CHECK(atomic_load(&all[i]->seen) == want[i][0] && atomic_load(&all[i]->ended) == want[i][1] &&
              atomic_load(&all[i]->call_freed) == want[i][1],
          "%s: %d calls seen, %d ended, %d freed; wanted %d, %d", all[i]->name, atomic_load(&all[i]->seen), atomic_load(&all[i]->ended),
          atomic_load(&all[i]->call_freed), want[i][0], want[i][1]);
}

static void check_stale(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_filter_t gone = atomic_load(&near_probe.last_filter);
  aimrt_rpc_status_t status = AIMRT_RPC_CALL_STATUS_INIT;
  status.code = AIMRT_RPC_CODE_UNKNOWN;
  CHECK(gone >> 56 == AIMRT_RPC_KIND_FILTER, "kind of %llx", (unsigned long long)gone);
  CHECK_RESULT(aimrt_rpc_filter_next(gone, NULL, NULL, NULL, &error), AIMRT_RPC_RESULT_INVALID_HANDLE, error);
  CHECK_RESULT(aimrt_rpc_filter_reject(gone, &status, &error), AIMRT_RPC_RESULT_INVALID_HANDLE, error);
  CHECK_RESULT(aimrt_rpc_filter_set(gone, check_str("a"), check_str("b"), &error), AIMRT_RPC_RESULT_INVALID_HANDLE, error);
  CHECK_RESULT(aimrt_rpc_filter_remove(gone, check_str("a"), &error), AIMRT_RPC_RESULT_INVALID_HANDLE, error);
}

static void *call_much(void *arg) {
  for (int i = 0; i < 200; i++) call(arg, "", i % MANY, AIMRT_RPC_CODE_OK, "/far/near/gate", NULL);
  return NULL;
}

static void end(setup *s) {
  aimrt_rpc_runtime_release(s->runtime);
  for (size_t i = 0; i < 3; i++) CHECK(atomic_load(&all[i]->freed) == 1, "%s: user data freed %d times", all[i]->name, atomic_load(&all[i]->freed));
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0, "%llu handles are left", (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY));
}

static void run_local(void) {
  setup s = begin(CONFIG, 0);
  call(&s, "", 0, AIMRT_RPC_CODE_OK, "/far/near/gate", NULL);
  check_counts(1, 1, 1, 1, 1, 1);
  CHECK(atomic_load(&far_probe.code) == 0 && atomic_load(&far_probe.response) == strlen("/far/near/gate"), "what the outermost filter saw");
  call(&s, "", MANY, AIMRT_RPC_CODE_OK, "/far/near/gate", NULL);
  CHECK(atomic_load(&far_probe.pairs) == MANY + 2, "%zu pairs", atomic_load(&far_probe.pairs));
  call(&s, "reject", 0, AIMRT_RPC_CODE_PERMISSION_DENIED, "", "the gate is closed");
  check_counts(3, 3, 3, 3, 3, 2);
  CHECK(atomic_load(&near_probe.code) == AIMRT_RPC_CODE_PERMISSION_DENIED, "near saw code %u", atomic_load(&near_probe.code));
  call(&s, "near", 0, AIMRT_RPC_CODE_CLI_UNKNOWN, "", "filter \"near\" neither passed the call on nor rejected it");
  call(&s, "gate", 0, AIMRT_RPC_CODE_SVR_HANDLE_FAILED, "", "filter \"gate\" neither passed the call on nor rejected it");
  check_counts(5, 5, 4, 4, 5, 2);
  check_stale();
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, call_much, &s) == 0, "thread");
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  check_counts(805, 805, 804, 804, 805, 802);
  end(&s);
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

static void run_http(void) {
  char config[2048];
  unsigned port = free_port();
  snprintf(config, sizeof config, HTTP_CONFIG, port, port);
  setup s = begin(config, 1);
  call(&s, "", 0, AIMRT_RPC_CODE_OK, "/far/near/gate", NULL);
  check_counts(1, 1, 1, 1, 1, 1);
  call(&s, "reject", 0, AIMRT_RPC_CODE_PERMISSION_DENIED, "", "the gate is closed");
  check_counts(2, 2, 2, 2, 2, 1);
  end(&s);
}

/* A rule names a filter that nobody has: with its place and the nearest name, and the runtime can be initialized after the correction. */
static void run_unknown(void) {
  aimrt_rpc_error_t error = 0;
  setup s = {0};
  create(&s, CONFIG);
  reset(&near_probe, 0);
  CHECK_RESULT(add(s.rpc, 0, "near", &near_probe, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(add(s.rpc, 0, "farr", &near_probe, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(add(s.rpc, 1, "gate", &near_probe, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_runtime_initialize(s.runtime, &error) == AIMRT_RPC_RESULT_CONFIG, "an unknown filter is refused");
  aimrt_rpc_pair_t pair;
  int nearest = 0, line = 0;
  for (uint32_t i = 0; aimrt_rpc_error_detail(error, i, &pair) == AIMRT_RPC_RESULT_OK; i++) {
    nearest += same(pair.key, "nearest") && same(pair.value, "farr");
    line += same(pair.key, "line");
  }
  aimrt_rpc_str_t text = aimrt_rpc_error_message(error);
  CHECK(nearest == 1 && line == 1, "details: %.*s", (int)text.size, text.data);
  aimrt_rpc_error_free(error);
  error = 0;
  CHECK_RESULT(add(s.rpc, 0, "far", &near_probe, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(s.runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_runtime_release(s.runtime);
  CHECK(atomic_load(&near_probe.freed) == 4, "user data freed %d times", atomic_load(&near_probe.freed));
}

int main(void) {
  run_local();
  run_http();
  run_unknown();
  return check_end("filters");
}
