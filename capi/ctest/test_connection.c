/* Connections whose bytes the host moves, without Go: one thread at a time, a release while a thread is inside, memory that moves, and the
 * two owners that a connection can have. The Go half is a fake that counts what it holds.
 * SPDX-License-Identifier: Apache-2.0 */
#include "connection.h"
#include "front_fixture.h"
#include "link.h"

#define THREADS 4
#define TURNS 20000

/* Plain numbers: the thread checker sees when two threads are inside one connection. */
static struct {
  uint64_t steps;
  uint8_t live;
} fakes[1u << 16];
static _Atomic uint64_t last_id;
static _Atomic int64_t live;
static _Atomic uint64_t released_links;

aimrt_rpc_result_t aimrtgo_hosted_create(aimrt_rpc_connection_hosted_options_t *options, struct front_connection *connection,
                                         uint64_t *go_id_out, aimrt_rpc_error_t *error) {
  CHECK(connection != NULL);
  if (options->codec > 3) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "codec");
  *go_id_out = atomic_fetch_add(&last_id, 1) % (sizeof fakes / sizeof fakes[0] - 1) + 1;
  CHECK(!fakes[*go_id_out].live);
  fakes[*go_id_out].live = 1;
  (void)atomic_fetch_add(&live, 1);
  return AIMRT_RPC_RESULT_OK;
}

void aimrtgo_hosted_release(uint64_t go_id) {
  CHECK(fakes[go_id].live);
  fakes[go_id].live = 0;
  fakes[go_id].steps = 0;
  (void)atomic_fetch_sub(&live, 1);
}

/* feed gives one event per byte with the byte eight times as its content; a request gives its content back. */
aimrt_rpc_result_t aimrtgo_hosted_work(front_hosted_work *work, aimrt_rpc_error_t *error) {
  CHECK(fakes[work->go_id].live);
  work->pending = ++fakes[work->go_id].steps;
  if (work->operation == FRONT_HOSTED_DROP) return front_fail(error, AIMRT_RPC_RESULT_NOT_FOUND, "no request");
  if (work->operation != FRONT_HOSTED_FEED) {
    if (work->size != 0) memcpy(work->room, work->data, work->size);
    work->filled = work->size;
    work->number = 7;
    return AIMRT_RPC_RESULT_OK;
  }
  work->count = work->size < work->capacity ? work->size : work->capacity;
  if (!front_hosted_room(work, 1 << 16)) return AIMRT_RPC_RESULT_OUT_OF_MEMORY; /* more than was expected */
  for (size_t i = 0; i < work->count; i++) {
    memset(work->room + 8 * i, work->data[i], 8);
    work->events[i] = (front_hosted_event){.kind = 4, .number = i, .place = 8 * i, .size = 8};
  }
  work->filled = 8 * work->count;
  return AIMRT_RPC_RESULT_OK;
}

void aimrtgo_link_release(uint64_t go_id) { atomic_store(&released_links, go_id); }

aimrt_rpc_result_t aimrtgo_link_on_close(aimrt_rpc_connection_t connection, aimrt_rpc_closed_fn closed, uintptr_t user_data,
                                         aimrt_rpc_free_fn user_data_free, aimrt_rpc_error_t *error) {
  (void)user_data_free;
  if (closed == NULL) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "closed");
  link_closed(closed, user_data, connection, "because", 7);
  return AIMRT_RPC_RESULT_OK;
}

static aimrt_rpc_connection_t make(void) {
  aimrt_rpc_connection_t connection = 0;
  CHECK_EQUAL(aimrt_rpc_connection_create_hosted(NULL, &connection, NULL), AIMRT_RPC_RESULT_OK);
  return connection;
}

static const aimrt_rpc_bytes_t three = {(const uint8_t *)"abc", 3};

static void contents_outlive_other_steps(void) {
  aimrt_rpc_connection_t connection = make();
  aimrt_rpc_connection_event_t events[2];
  aimrt_rpc_bytes_t frame;
  uint64_t request = 0;
  size_t count = 0;
  CHECK_EQUAL(aimrt_rpc_connection_feed(connection, three, events, 2, &count, NULL), AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(count, 2);
  CHECK_EQUAL(aimrt_rpc_connection_request(connection, three, &request, &frame, NULL), AIMRT_RPC_RESULT_OK);
  CHECK(request == 7 && frame.size == 3 && memcmp(frame.data, "abc", 3) == 0);
  CHECK(events[1].number == 1 && events[1].content.size == 8 && memcmp(events[1].content.data, "bbbbbbbb", 8) == 0);
  CHECK_EQUAL(aimrt_rpc_connection_pending_count(connection), 2);
  CHECK_EQUAL(aimrt_rpc_connection_drop(connection, 1, NULL), AIMRT_RPC_RESULT_NOT_FOUND);
  aimrt_rpc_connection_release(connection);
  CHECK_EQUAL(aimrt_rpc_connection_pending_count(connection), 0);
  CHECK_EQUAL(atomic_load(&live), 0);
}

static void refused_options_leave_nothing(void) {
  aimrt_rpc_connection_hosted_options_t options = AIMRT_RPC_CONNECTION_HOSTED_OPTIONS_INIT;
  aimrt_rpc_connection_t connection = 1;
  aimrt_rpc_error_t error = 0;
  options.codec = 4;
  CHECK_EQUAL(aimrt_rpc_connection_create_hosted(&options, &connection, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
  CHECK(connection == 0 && error != 0);
  aimrt_rpc_error_free(error);
  options.codec = 0;
  options.reserved = 1;
  CHECK_EQUAL(aimrt_rpc_connection_create_hosted(&options, &connection, NULL), AIMRT_RPC_RESULT_INVALID_ARGUMENT);
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_CONNECTION), 0);
}

static _Atomic aimrt_rpc_connection_t shared;
static _Atomic uint32_t running;
static ctest_counter inside;

static void *use(void *argument) {
  (void)argument;
  uint32_t count = 0;
  while (atomic_load(&running) != 0 || count == 0) {
    uint64_t request;
    aimrt_rpc_bytes_t frame;
    aimrt_rpc_result_t result = aimrt_rpc_connection_request(atomic_load(&shared), three, &request, &frame, NULL);
    CHECK(result == AIMRT_RPC_RESULT_OK || result == AIMRT_RPC_RESULT_INVALID_STATE || result == AIMRT_RPC_RESULT_INVALID_HANDLE);
    if (result == AIMRT_RPC_RESULT_OK && count++ == 0) ctest_add(&inside);
    (void)aimrt_rpc_connection_open_count(atomic_load(&shared));
  }
  return NULL;
}

static void threads_are_let_in_one_by_one_and_releases_wait_for_them(void) {
  pthread_t threads[THREADS];
  atomic_store(&shared, make());
  atomic_store(&running, 1);
  for (size_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, use, NULL) == 0);
  CHECK(ctest_reach(&inside, THREADS));
  for (uint32_t i = 0; i < TURNS; i++) aimrt_rpc_connection_release(atomic_exchange(&shared, make()));
  atomic_store(&running, 0);
  for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  aimrt_rpc_connection_release(atomic_load(&shared));
  CHECK_EQUAL(atomic_load(&live), 0);
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_CONNECTION), 0);
}

static void see_closed(void *user_data, aimrt_rpc_connection_t connection, aimrt_rpc_str_t reason) {
  CHECK(reason.size == 7 && connection != 0);
  ++*(int *)user_data;
}

static void connections_of_go_take_no_bytes(void) {
  aimrt_rpc_connection_t link = front_connection_publish(42), hosted = make();
  CHECK_EQUAL(front_connection_owner(link), 42);
  CHECK(front_connection_owner(hosted) == FRONT_CONNECTION_HOSTED && front_connection_owner(0) == 0);
  aimrt_rpc_connection_event_t event;
  size_t count = 0;
  aimrt_rpc_error_t error = 0;
  CHECK_EQUAL(aimrt_rpc_connection_feed(link, three, &event, 1, &count, &error), AIMRT_RPC_RESULT_UNSUPPORTED);
  CHECK(aimrt_rpc_error_message(error).size != 0);
  aimrt_rpc_error_free(error);
  int closed = 0;
  CHECK_EQUAL(aimrt_rpc_connection_on_close(link, see_closed, &closed, NULL, NULL), AIMRT_RPC_RESULT_OK);
  CHECK_EQUAL(closed, 1);
  aimrt_rpc_connection_release(link);
  CHECK_EQUAL(atomic_load(&released_links), 42); /* Go counts the references and withdraws the handle */
  CHECK_EQUAL(front_connection_owner(link), 42);
  front_connection_withdraw(link);
  front_connection_withdraw(link);
  CHECK_EQUAL(front_connection_owner(link), 0);
  aimrt_rpc_connection_release(hosted);
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_CONNECTION), 0);
}

static void handles_of_go_objects_carry_the_id(void) {
  uint64_t router = front_link_handle_new(AIMRT_RPC_KIND_ROUTER, 5);
  CHECK_EQUAL(front_link_find(AIMRT_RPC_KIND_ROUTER, router), 5);
  CHECK_EQUAL(front_link_find(AIMRT_RPC_KIND_LISTENER, router), 0);
  CHECK_EQUAL(front_link_drop(AIMRT_RPC_KIND_ROUTER, router), 5);
  CHECK_EQUAL(front_link_drop(AIMRT_RPC_KIND_ROUTER, router), 0);
  CHECK_EQUAL(front_link_find(AIMRT_RPC_KIND_ROUTER, router), 0);
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"contents_outlive_other_steps", contents_outlive_other_steps},
      {"refused_options_leave_nothing", refused_options_leave_nothing},
      {"threads_are_let_in_one_by_one_and_releases_wait_for_them", threads_are_let_in_one_by_one_and_releases_wait_for_them},
      {"connections_of_go_take_no_bytes", connections_of_go_take_no_bytes},
      {"handles_of_go_objects_carry_the_id", handles_of_go_objects_carry_the_id},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
