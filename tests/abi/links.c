/* Connections whose sockets the runtime owns: calls in both directions, references, callbacks, close, many connections one after another.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

#define TURNS 300

static aimrt_rpc_bytes_t bytes(const char *text) { return (aimrt_rpc_bytes_t){(const uint8_t *)text, strlen(text)}; }

static int same(aimrt_rpc_bytes_t view, const char *text) {
  return view.size == strlen(text) && (view.size == 0 || memcmp(view.data, text, view.size) == 0);
}

typedef struct gate {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  unsigned count;
} gate;

static gate connected = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
static gate closed = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
static gate held = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
static gate freed = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void pass(gate *g) {
  (void)pthread_mutex_lock(&g->mutex);
  g->count++;
  (void)pthread_cond_broadcast(&g->changed);
  (void)pthread_mutex_unlock(&g->mutex);
}

static void wait_for(gate *g, unsigned count) {
  struct timespec limit;
  (void)clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += 30;
  int late = 0;
  (void)pthread_mutex_lock(&g->mutex);
  while (g->count < count && late == 0) late = pthread_cond_timedwait(&g->changed, &g->mutex, &limit);
  (void)pthread_mutex_unlock(&g->mutex);
  CHECK(late == 0, "only %u of %u came within 30 s", g->count, count);
}

static aimrt_rpc_connection_t kept; /* the server's end */
static aimrt_rpc_call_t held_call;

static void on_connected(void *user_data, aimrt_rpc_connection_t connection) {
  aimrt_rpc_error_t error = 0;
  CHECK(user_data == &kept, "user_data is lost");
  CHECK_RESULT(aimrt_rpc_connection_retain(connection, &error), AIMRT_RPC_RESULT_OK, error);
  kept = connection;
  pass(&connected);
}

static void on_closed(void *user_data, aimrt_rpc_connection_t connection, aimrt_rpc_str_t reason) {
  (void)connection;
  CHECK(reason.size == 0 || reason.data != NULL, "the reason has no text");
  pass(user_data);
}

static void on_free(void *user_data) {
  (void)user_data;
  pass(&freed);
}

static void answer(aimrt_rpc_call_t call, const char *value) {
  const aimrt_rpc_payload_t payload = {bytes(value), {NULL, 0}, NULL};
  (void)aimrt_rpc_call_finish(call, NULL, &payload, NULL);
}

static void add(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  int good = same(request->payload.bytes, "[[1, 2], {}]") && request->payload.serialization.size == 4;
  answer(call, good ? "3" : "null");
}

static void hold(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  (void)request;
  held_call = call;
  pass(&held);
}

static void refuse(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  (void)request;
  aimrt_rpc_status_t status = AIMRT_RPC_CALL_STATUS_INIT;
  status.code = AIMRT_RPC_CODE_INVALID_ARGUMENT;
  status.message = check_str("spam is no number");
  (void)aimrt_rpc_call_finish(call, &status, NULL, NULL);
}

/* Calls a method and gives the code; the response must be `want` when the code is OK. */
static aimrt_rpc_code_t invoke(aimrt_rpc_method_t method, const char *request, const char *want) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_code_t code = 0;
  aimrt_rpc_call_t call = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.request.bytes = bytes(request);
  CHECK_RESULT(aimrt_rpc_call_invoke(method, &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_outcome_t outcome = {.struct_size = (uint32_t)sizeof outcome};
  CHECK_RESULT(aimrt_rpc_call_outcome(call, &outcome, &error), AIMRT_RPC_RESULT_OK, error);
  if (want != NULL)
    CHECK(code == 0 && same(outcome.response.bytes, want), "code %u (%.*s), response %.*s, wanted %s", code, (int)outcome.message.size,
          outcome.message.data, (int)outcome.response.bytes.size, (const char *)outcome.response.bytes.data, want);
  aimrt_rpc_call_release(call);
  return code;
}

/* Follows the reference in [[reference], {}] and calls it back. */
static void call_back(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_connection_t connection = 0;
  aimrt_rpc_buffer_t path = {NULL, 0, 0};
  aimrt_rpc_method_t method = 0;
  aimrt_rpc_bytes_t value = {request->payload.bytes.data + 2, request->payload.bytes.size - strlen("[[], {}]")};
  CHECK_RESULT(aimrt_rpc_call_connection(call, &connection, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_connection_reference_path(connection, value, &path, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(path.size == 6 && memcmp(path.data, "client", 6) == 0, "the reference is to %.*s", (int)path.size, (const char *)path.data);
  aimrt_rpc_buffer_release(&path);
  CHECK_RESULT(aimrt_rpc_connection_reference_path(connection, bytes("[1]"), &path, &error), AIMRT_RPC_RESULT_NOT_FOUND, error);
  CHECK_RESULT(aimrt_rpc_connection_method(connection, check_str("client/add"), &method, &error), AIMRT_RPC_RESULT_OK, error);
  (void)invoke(method, "[[1, 2], {}]", "3");
  aimrt_rpc_connection_release(connection);
  answer(call, "\"called back\"");
}

static void serve(aimrt_rpc_router_t router, const char *path, aimrt_rpc_handler_fn handler) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_service_options_t options = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  options.name = check_str(path);
  options.handler = handler;
  CHECK_RESULT(aimrt_rpc_router_register(router, &options, NULL, &error), AIMRT_RPC_RESULT_OK, error);
}

static aimrt_rpc_method_t method_of(aimrt_rpc_connection_t connection, const char *path) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_method_t method = 0;
  CHECK_RESULT(aimrt_rpc_connection_method(connection, check_str(path), &method, &error), AIMRT_RPC_RESULT_OK, error);
  return method;
}

static void check_routers(aimrt_rpc_handle_t rpc, aimrt_rpc_router_t router) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_router_t sub = 0;
  aimrt_rpc_service_options_t options = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  options.name = check_str("math/add");
  options.handler = add;
  CHECK_RESULT(aimrt_rpc_router_register(router, &options, NULL, &error), AIMRT_RPC_RESULT_ALREADY_EXISTS, error);
  CHECK_RESULT(aimrt_rpc_router_create(rpc, &sub, &error), AIMRT_RPC_RESULT_OK, error);
  serve(sub, "add", add);
  CHECK_RESULT(aimrt_rpc_router_attach(router, check_str("sub/one"), sub, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_router_attach(router, check_str("sub/two"), sub, &error), AIMRT_RPC_RESULT_ALREADY_EXISTS, error);
  CHECK_RESULT(aimrt_rpc_router_attach(sub, check_str("up"), router, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  CHECK_RESULT(aimrt_rpc_router_remove(router, check_str("math/ad"), &error), AIMRT_RPC_RESULT_NOT_FOUND, error);
  serve(router, "gone", add);
  CHECK_RESULT(aimrt_rpc_router_remove(router, check_str("gone"), &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_router_release(sub);
  aimrt_rpc_router_release(sub);
}

static aimrt_rpc_connection_t dial(aimrt_rpc_handle_t rpc, aimrt_rpc_buffer_t address, aimrt_rpc_router_t router) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_connection_t connection = 0;
  aimrt_rpc_connection_options_t options = AIMRT_RPC_CONNECTION_OPTIONS_INIT;
  options.address = (aimrt_rpc_str_t){(const char *)address.data, address.size};
  options.router = router;
  options.timeout_ns = UINT64_C(10000000000);
  CHECK_RESULT(aimrt_rpc_handle_dial(rpc, &options, &connection, &error), AIMRT_RPC_RESULT_OK, error);
  return connection;
}

static void check_calls(aimrt_rpc_connection_t connection) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_method_t method = method_of(connection, "math/add");
  CHECK(method_of(connection, "math/add") == method, "the same path has two methods");
  (void)invoke(method, "[[1, 2], {}]", "3");
  (void)invoke(method_of(connection, "sub/one/add"), "[[1, 2], {}]", "3");
  CHECK(invoke(method_of(connection, "nothing/here"), "[[], {}]", NULL) != 0, "a call of nothing ends well");
  CHECK(invoke(method_of(connection, "gone"), "[[], {}]", NULL) != 0, "a removed path is served");
  CHECK(invoke(method_of(connection, "refuse"), "[[], {}]", NULL) != 0, "a refusal ends well");
  aimrt_rpc_buffer_t reference = {NULL, 0, 0};
  CHECK_RESULT(aimrt_rpc_connection_reference(connection, check_str("client"), &reference, &error), AIMRT_RPC_RESULT_OK, error);
  char request[256];
  snprintf(request, sizeof request, "[[%.*s], {}]", (int)reference.size, (const char *)reference.data);
  aimrt_rpc_buffer_release(&reference);
  (void)invoke(method_of(connection, "call_back"), request, "\"called back\"");
  CHECK_RESULT(aimrt_rpc_connection_reference(connection, check_str("nothing"), &reference, &error), AIMRT_RPC_RESULT_NOT_FOUND, error);
  uint32_t codec = 9;
  CHECK_RESULT(aimrt_rpc_connection_encoding(connection, &codec, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(codec == AIMRT_RPC_CONNECTION_CODEC_JSON, "the codec is %u", codec);
  aimrt_rpc_buffer_t peer = {NULL, 0, 0};
  CHECK_RESULT(aimrt_rpc_connection_peer(connection, &peer, NULL, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(peer.size > 4, "the peer is %zu bytes", peer.size);
  aimrt_rpc_buffer_release(&peer);
  aimrt_rpc_connection_event_t event;
  size_t count = 0;
  CHECK_RESULT(aimrt_rpc_connection_feed(connection, bytes("x"), &event, 1, &count, &error), AIMRT_RPC_RESULT_UNSUPPORTED, error);
}

/* A queue at both ends: the service "queued" arrives in it, and so does the end of the call. Then a call that is given up. */
static void check_queue(aimrt_rpc_connection_t connection, aimrt_rpc_queue_t queue) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  aimrt_rpc_call_t call = 0;
  options.request.bytes = bytes("[[\"x\"], {}]");
  options.queue = queue;
  options.tag = 8;
  CHECK_RESULT(aimrt_rpc_call_start(method_of(connection, "queued"), &options, &call, &error), AIMRT_RPC_RESULT_OK, error);
  for (int ended = 0; !ended && aimrt_rpc_queue_wait(queue, UINT64_C(30000000000), &error) == AIMRT_RPC_RESULT_OK;) {
    aimrt_rpc_event_t event;
    size_t count = 0;
    CHECK_RESULT(aimrt_rpc_queue_drain(queue, &event, 1, &count, &error), AIMRT_RPC_RESULT_OK, error);
    if (count == 0) continue;
    ended = event.kind == AIMRT_RPC_EVENT_CALL_FINISHED;
    if (ended) {
      CHECK(event.tag == 8 && event.code == 0 && same(event.payload.bytes, "\"from a queue\""), "tag %llu, code %u",
            (unsigned long long)event.tag, event.code);
      aimrt_rpc_call_release(event.call);
    } else {
      CHECK(event.kind == AIMRT_RPC_EVENT_CALL_ARRIVED && event.tag == 5 && same(event.payload.bytes, "[[\"x\"], {}]"), "event %u", event.kind);
      answer(event.call, "\"from a queue\"");
    }
  }
  CHECK_RESULT(aimrt_rpc_queue_wait(queue, 0, &error), AIMRT_RPC_RESULT_TIMEOUT, error);
  options.queue = 0;
  unsigned before = held.count;
  CHECK_RESULT(aimrt_rpc_call_start(method_of(connection, "hold"), &options, &call, &error), AIMRT_RPC_RESULT_OK, error);
  wait_for(&held, before + 1);
  CHECK_RESULT(aimrt_rpc_call_cancel(call, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_call_wait(call, UINT64_C(30000000000), &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_outcome_t outcome = {.struct_size = (uint32_t)sizeof outcome};
  CHECK_RESULT(aimrt_rpc_call_outcome(call, &outcome, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(outcome.code == AIMRT_RPC_CODE_CANCELLED, "the call ended with %u", outcome.code);
  aimrt_rpc_call_release(call);
  answer(held_call, "1"); /* its caller is there, and ignores it */
  (void)invoke(method_of(connection, "math/add"), "[[1, 2], {}]", "3");
}

/* A call is open when the server closes. */
static void check_loss(aimrt_rpc_connection_t connection) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_call_t call = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  aimrt_rpc_method_t method = method_of(connection, "hold");
  unsigned before = closed.count, holds = held.count;
  options.request.bytes = bytes("[[], {}]");
  CHECK_RESULT(aimrt_rpc_connection_on_close(connection, on_closed, &closed, on_free, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_connection_on_close(connection, NULL, &closed, on_free, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  CHECK_RESULT(aimrt_rpc_call_start(method, &options, &call, &error), AIMRT_RPC_RESULT_OK, error);
  wait_for(&held, holds + 1);
  CHECK_RESULT(aimrt_rpc_connection_close(kept, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_call_wait(call, UINT64_C(30000000000), &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_outcome_t outcome = {.struct_size = (uint32_t)sizeof outcome};
  CHECK_RESULT(aimrt_rpc_call_outcome(call, &outcome, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(outcome.code == AIMRT_RPC_CODE_CONNECTION_LOST, "the call ended with %u", outcome.code);
  aimrt_rpc_call_release(call);
  wait_for(&closed, before + 1);
  CHECK_RESULT(aimrt_rpc_connection_on_close(connection, on_closed, &closed, on_free, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(closed.count >= before + 2, "on_close of a closed connection does not come at once");
  CHECK(invoke(method, "[[], {}]", NULL) == AIMRT_RPC_CODE_CONNECTION_LOST, "a call over a closed connection");
  answer(held_call, "1");
  aimrt_rpc_connection_release(kept);
  CHECK_RESULT(aimrt_rpc_connection_close(kept, &error), AIMRT_RPC_RESULT_INVALID_HANDLE, error);
  aimrt_rpc_connection_release(connection);
  CHECK_RESULT(aimrt_rpc_call_start(method, &options, &call, &error), AIMRT_RPC_RESULT_INVALID_HANDLE, error);
}

static void check_address(aimrt_rpc_handle_t rpc, const char *text, aimrt_rpc_router_t router, aimrt_rpc_router_t own,
                          aimrt_rpc_queue_t queue) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_listener_t listener = 0;
  aimrt_rpc_buffer_t address = {NULL, 0, 0};
  aimrt_rpc_connection_options_t options = AIMRT_RPC_CONNECTION_OPTIONS_INIT;
  options.address = check_str(text);
  options.router = router;
  options.connected = on_connected;
  options.user_data = &kept;
  options.user_data_free = on_free;
  unsigned before = connected.count, frees = freed.count;
  CHECK_RESULT(aimrt_rpc_handle_listen(rpc, &options, &listener, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_listener_address(listener, &address, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_connection_t connection = dial(rpc, address, own);
  wait_for(&connected, before + 1);
  check_calls(connection);
  check_queue(connection, queue);
  check_loss(connection);
  /* A connection after another takes over the methods' memory of the one before. */
  for (unsigned i = 0; i < TURNS; i++) {
    connection = dial(rpc, address, own);
    wait_for(&connected, before + 2 + i);
    (void)invoke(method_of(connection, "math/add"), "[[1, 2], {}]", "3");
    aimrt_rpc_connection_release(kept);
    aimrt_rpc_connection_release(connection);
  }
  aimrt_rpc_buffer_release(&address);
  aimrt_rpc_listener_release(listener);
  aimrt_rpc_listener_release(listener);
  wait_for(&freed, frees + 3);
}

static void check_refusals(aimrt_rpc_handle_t rpc) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_connection_t connection = 0;
  aimrt_rpc_listener_t listener = 0;
  aimrt_rpc_connection_options_t options = AIMRT_RPC_CONNECTION_OPTIONS_INIT;
  CHECK_RESULT(aimrt_rpc_handle_dial(rpc, &options, &connection, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options.address = check_str("unix:///nowhere/at/all");
  CHECK_RESULT(aimrt_rpc_handle_dial(rpc, &options, &connection, &error), AIMRT_RPC_RESULT_IO, error);
  options.codec = AIMRT_RPC_CONNECTION_CODEC_OPAQUE;
  CHECK_RESULT(aimrt_rpc_handle_dial(rpc, &options, &connection, &error), AIMRT_RPC_RESULT_UNSUPPORTED, error);
  options.codec = 7;
  CHECK_RESULT(aimrt_rpc_handle_dial(rpc, &options, &connection, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options.codec = 0;
  options.router = 5;
  CHECK_RESULT(aimrt_rpc_handle_dial(rpc, &options, &connection, &error), AIMRT_RPC_RESULT_INVALID_HANDLE, error);
  options.router = 0;
  options.flags = AIMRT_RPC_CONNECTION_RECONNECT;
  CHECK_RESULT(aimrt_rpc_handle_listen(rpc, &options, &listener, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options.flags = 0;
  options.dialect = check_str("aiomass");
  CHECK_RESULT(aimrt_rpc_handle_dial(rpc, &options, &connection, &error), AIMRT_RPC_RESULT_NOT_FOUND, error);
  CHECK(connection == 0 && listener == 0, "a refused function gave a handle");
}

/* A listener with a token lets in who has it. */
static void check_token(aimrt_rpc_handle_t rpc, aimrt_rpc_router_t router) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_connection_t connection = 0;
  aimrt_rpc_listener_t listener = 0;
  aimrt_rpc_connection_options_t options = AIMRT_RPC_CONNECTION_OPTIONS_INIT;
  options.address = check_str("local://secret");
  options.codec = AIMRT_RPC_CONNECTION_CODEC_MSGPACK;
  options.router = router;
  options.token = check_str("spam");
  CHECK_RESULT(aimrt_rpc_handle_listen(rpc, &options, &listener, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_handle_dial(rpc, &options, &connection, &error), AIMRT_RPC_RESULT_OK, error);
  uint32_t codec = 9;
  CHECK_RESULT(aimrt_rpc_connection_encoding(connection, &codec, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(codec == AIMRT_RPC_CONNECTION_CODEC_MSGPACK, "the codec is %u", codec);
  aimrt_rpc_connection_release(connection);
  options.token = check_str("eggs");
  CHECK_RESULT(aimrt_rpc_handle_dial(rpc, &options, &connection, &error), AIMRT_RPC_RESULT_IO, error);
  CHECK(connection == 0, "a refused dial gave a handle");
  aimrt_rpc_listener_release(listener);
}

int main(void) {
  world w;
  if (!world_make(&w)) return 1;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_handle_t rpc = w.live[AIMRT_RPC_KIND_RPC_HANDLE];
  aimrt_rpc_router_t router = 0, own = 0;
  CHECK_RESULT(aimrt_rpc_router_create(rpc, &router, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_router_create(rpc, &own, &error), AIMRT_RPC_RESULT_OK, error);
  serve(router, "math/add", add);
  serve(router, "hold", hold);
  serve(router, "refuse", refuse);
  serve(router, "call_back", call_back);
  serve(own, "client/add", add);
  aimrt_rpc_queue_t queue = 0;
  aimrt_rpc_service_options_t queued = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  CHECK_RESULT(aimrt_rpc_queue_create(&queue, &error), AIMRT_RPC_RESULT_OK, error);
  queued.name = check_str("queued");
  queued.queue = queue;
  queued.tag = 5;
  CHECK_RESULT(aimrt_rpc_router_register(router, &queued, NULL, &error), AIMRT_RPC_RESULT_OK, error);
  check_routers(rpc, router);
  char path[64];
  snprintf(path, sizeof path, "unix:///tmp/aimrt_rpc_links_%d", (int)getpid());
  check_address(rpc, "tcp://127.0.0.1:0", router, own, queue);
  check_address(rpc, path, router, own, queue);
  check_address(rpc, "local://links", router, own, queue);
  check_refusals(rpc);
  check_token(rpc, router);
  aimrt_rpc_call_t server_call = w.live[AIMRT_RPC_KIND_SERVER_CALL];
  aimrt_rpc_connection_t none = 0;
  CHECK_RESULT(aimrt_rpc_call_connection(server_call, &none, &error), AIMRT_RPC_RESULT_NOT_FOUND, error);
  aimrt_rpc_queue_release(queue);
  aimrt_rpc_router_release(own); /* the other one goes with the runtime */
  world_end(&w);
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0, "%llu handles are left",
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY));
  return check_end("links");
}
