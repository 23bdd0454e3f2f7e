/* Connections whose bytes the host moves: request and reply, events past the capacity, what the peer may not send, the lives of views,
 * several threads on one handle, a release while another thread is inside.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdlib.h>

#include "check.h"

#define ROUNDS 20000
#define THREADS 4

static aimrt_rpc_bytes_t bytes(const char *text) { return (aimrt_rpc_bytes_t){(const uint8_t *)text, strlen(text)}; }

static int same(aimrt_rpc_bytes_t view, const char *text) {
  return view.size == strlen(text) && (view.size == 0 || memcmp(view.data, text, view.size) == 0);
}

static aimrt_rpc_connection_t make(uint32_t codec) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_connection_t connection = 0;
  aimrt_rpc_connection_hosted_options_t options = AIMRT_RPC_CONNECTION_HOSTED_OPTIONS_INIT;
  options.codec = codec;
  options.max_frame_size = 1u << 20;
  CHECK_RESULT(aimrt_rpc_connection_create_hosted(&options, &connection, &error), AIMRT_RPC_RESULT_OK, error);
  return connection;
}

static void check_round(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_connection_t client = make(AIMRT_RPC_CONNECTION_CODEC_JSON), server = make(AIMRT_RPC_CONNECTION_CODEC_JSON);
  aimrt_rpc_connection_event_t events[4];
  aimrt_rpc_bytes_t frame;
  uint64_t number = 9;
  size_t count = 0;
  CHECK_RESULT(aimrt_rpc_connection_request(client, bytes("[\"add\", [1, 2], {}]"), &number, &frame, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(number == 0 && aimrt_rpc_connection_pending_count(client) == 1, "number %llu", (unsigned long long)number);
  CHECK_RESULT(aimrt_rpc_connection_feed(server, frame, events, 4, &count, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(count == 1 && events[0].kind == AIMRT_RPC_CONNECTION_EVENT_REQUEST && same(events[0].content, "[\"add\", [1, 2], {}]"),
        "%zu events, kind %u", count, events[0].kind);
  /* The content outlives the reply: it ends with the next feed only. */
  CHECK_RESULT(aimrt_rpc_connection_reply(server, events[0].number, AIMRT_RPC_CONNECTION_EVENT_RESULT, events[0].content, &frame, &error),
               AIMRT_RPC_RESULT_OK, error);
  CHECK(same(events[0].content, "[\"add\", [1, 2], {}]"), "the content changed");
  CHECK_RESULT(aimrt_rpc_connection_reply(server, events[0].number, AIMRT_RPC_CONNECTION_EVENT_RESULT, bytes("1"), &frame, &error),
               AIMRT_RPC_RESULT_NOT_FOUND, error);
  CHECK(frame.data == NULL && frame.size == 0, "a failed reply left a frame");
  CHECK_RESULT(aimrt_rpc_connection_request(server, bytes("7"), &number, &frame, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_connection_feed(client, frame, events, 4, &count, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_connection_drop(client, events[0].number, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_connection_drop(client, events[0].number, &error), AIMRT_RPC_RESULT_NOT_FOUND, error);
  CHECK_RESULT(aimrt_rpc_connection_forget(client, 0, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_connection_forget(client, 0, &error), AIMRT_RPC_RESULT_NOT_FOUND, error);
  uint64_t left = 9;
  CHECK_RESULT(aimrt_rpc_connection_feed(client, bytes("ab"), events, 4, &count, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_connection_end_of_input(client, &left, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(left == 2, "%llu bytes left", (unsigned long long)left);
  CHECK_RESULT(aimrt_rpc_connection_end_of_input(client, NULL, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_connection_request(client, bytes("1"), &number, &frame, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  aimrt_rpc_connection_release(client);
  aimrt_rpc_connection_release(client);
  aimrt_rpc_connection_release(server);
  CHECK_RESULT(aimrt_rpc_connection_feed(client, bytes("x"), events, 4, &count, &error), AIMRT_RPC_RESULT_INVALID_HANDLE, error);
}

/* More events than there is room for, and contents that grow the memory while they come. */
static void check_many(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_connection_t connection = make(AIMRT_RPC_CONNECTION_CODEC_OPAQUE);
  const size_t frames = 1000, size = 997;
  uint8_t *input = malloc(frames * (size + 4));
  for (size_t i = 0; i < frames; i++) {
    uint8_t *frame = input + i * (size + 4);
    memcpy(frame, (uint8_t[4]){0, 0, (uint8_t)(size >> 8), (uint8_t)size}, 4);
    memset(frame + 4, (int)(i % 251), size);
  }
  aimrt_rpc_connection_event_t events[7];
  size_t seen = 0, wrong = 0, count = 7;
  for (aimrt_rpc_bytes_t data = {input, frames * (size + 4)}; count == 7; data = (aimrt_rpc_bytes_t){NULL, 0}) {
    if (aimrt_rpc_connection_feed(connection, data, events, 7, &count, &error) != AIMRT_RPC_RESULT_OK) break;
    if (data.size != 0) memset(input, 0xee, data.size); /* it was lent for the call */
    for (size_t i = 0; i < count; i++, seen++)
      if (events[i].content.size != size || events[i].content.data[0] != seen % 251 || events[i].content.data[size - 1] != seen % 251) wrong++;
  }
  CHECK(seen == frames && wrong == 0, "%zu of %zu frames, %zu wrong", seen, frames, wrong);
  aimrt_rpc_bytes_t frame, payload = {input, 100};
  CHECK_RESULT(aimrt_rpc_connection_frame(connection, payload, &frame, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(frame.size == 104 && frame.data[3] == 100 && frame.data[4] == 0xee, "a frame of %zu bytes", frame.size);
  payload.size = (1u << 20) + 1;
  free(input);
  input = calloc(1, payload.size);
  payload.data = input;
  CHECK_RESULT(aimrt_rpc_connection_frame(connection, payload, &frame, &error), AIMRT_RPC_RESULT_LIMIT, error);
  free(input);
  aimrt_rpc_connection_release(connection);
}

static void check_failure(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_connection_t connection = make(AIMRT_RPC_CONNECTION_CODEC_JSON);
  aimrt_rpc_connection_event_t events[4];
  aimrt_rpc_bytes_t output = {NULL, 1};
  size_t count = 0;
  static const char input[] = "\0\0\0\x06[0, 1,\0\0\0\x09[0, 2, 3]\0\0\0\x01x";
  CHECK_RESULT(aimrt_rpc_connection_take_output(connection, &output, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(output.size == 0, "%zu bytes of output", output.size);
  CHECK_RESULT(aimrt_rpc_connection_feed(connection, (aimrt_rpc_bytes_t){(const uint8_t *)input, sizeof input - 1}, events, 4, &count, &error),
               AIMRT_RPC_RESULT_OK, error);
  CHECK(count == 2 && events[0].kind == AIMRT_RPC_CONNECTION_EVENT_REQUEST && events[1].kind == AIMRT_RPC_CONNECTION_EVENT_FAILED,
        "%zu events", count);
  CHECK(events[1].content.size > 20, "the failure has a text of %zu bytes", events[1].content.size);
  CHECK_RESULT(aimrt_rpc_connection_take_output(connection, &output, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(output.size > 40 && memcmp(output.data + 4, "[2, 1, \"Traceback", 17) == 0, "the answer has %zu bytes", output.size);
  CHECK_RESULT(aimrt_rpc_connection_feed(connection, bytes("x"), events, 4, &count, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_connection_feed(connection, bytes("x"), events, 0, &count, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  aimrt_rpc_bytes_t none = {NULL, 5};
  CHECK_RESULT(aimrt_rpc_connection_feed(connection, none, events, 4, &count, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  aimrt_rpc_connection_release(connection);

  aimrt_rpc_connection_hosted_options_t options = AIMRT_RPC_CONNECTION_HOSTED_OPTIONS_INIT;
  options.codec = 4;
  CHECK_RESULT(aimrt_rpc_connection_create_hosted(&options, &connection, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options.codec = 0;
  options.flags = 1;
  CHECK_RESULT(aimrt_rpc_connection_create_hosted(&options, &connection, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  CHECK(connection == 0, "a refused create gave a handle");
}

static _Atomic aimrt_rpc_connection_t shared;
static atomic_uint made, refused, strange;
static atomic_uint running;

/* Many threads on one handle: each step is whole or refused. The main thread releases the handle and makes another one all the time. */
static void *use(void *arg) {
  (void)arg;
  while (atomic_load(&running) != 0) {
    aimrt_rpc_connection_t connection = atomic_load(&shared);
    uint64_t number;
    aimrt_rpc_bytes_t frame;
    aimrt_rpc_result_t result = aimrt_rpc_connection_request(connection, bytes("[1, 2, 3]"), &number, &frame, NULL);
    if (result == AIMRT_RPC_RESULT_OK) atomic_fetch_add(&made, 1);
    else if (result == AIMRT_RPC_RESULT_INVALID_STATE || result == AIMRT_RPC_RESULT_INVALID_HANDLE) atomic_fetch_add(&refused, 1);
    else atomic_fetch_add(&strange, 1);
    (void)aimrt_rpc_connection_pending_count(connection);
  }
  return NULL;
}

static void check_threads(void) {
  pthread_t threads[THREADS];
  atomic_store(&running, 1);
  atomic_store(&shared, make(AIMRT_RPC_CONNECTION_CODEC_JSON));
  for (size_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, use, NULL) == 0, "no thread");
  for (size_t i = 0; i < ROUNDS; i++) {
    aimrt_rpc_connection_t next = 0;
    if (aimrt_rpc_connection_create_hosted(NULL, &next, NULL) != AIMRT_RPC_RESULT_OK) break;
    aimrt_rpc_connection_release(atomic_exchange(&shared, next));
  }
  while (atomic_load(&made) == 0) /* the last connection stays until somebody got in */
    if (atomic_load(&strange) != 0) break;
  atomic_store(&running, 0);
  for (size_t i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
  aimrt_rpc_connection_release(atomic_load(&shared));
  CHECK(atomic_load(&strange) == 0, "%u steps ended in another way", atomic_load(&strange));
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_CONNECTION) == 0, "%llu connections are left",
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_CONNECTION));
}

int main(void) {
  check_round();
  check_many();
  check_failure();
  check_threads();
  return check_end("hosted");
}
