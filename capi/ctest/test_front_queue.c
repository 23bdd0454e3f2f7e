/* Queues: the descriptor, batches, wakes, release with events waiting, many producers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front_fixture.h"

#include <poll.h>
#include <unistd.h>

#define OK(expression) CHECK_EQUAL((expression), AIMRT_RPC_RESULT_OK)

static keeper kept;

static int readable(aimrt_rpc_queue_t queue) {
  struct pollfd fd = {.fd = aimrt_rpc_queue_fd(queue), .events = POLLIN};
  CHECK(fd.fd >= 0);
  return poll(&fd, 1, 0);
}

/* How often the descriptor was written since it was last read: the test reads the counter, which nobody else may. */
static uint64_t signals(aimrt_rpc_queue_t queue) {
  uint64_t value = 0;
  if (read(aimrt_rpc_queue_fd(queue), &value, sizeof value) != sizeof value) return 0;
  return value;
}

static void the_descriptor_tells_only_of_the_first_event(void) {
  aimrt_rpc_queue_t queue;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  CHECK_EQUAL(readable(queue), 0);
  for (uint64_t tag = 0; tag < 10; tag++) OK(aimrt_rpc_queue_wake(queue, tag, NULL));
  CHECK_EQUAL(signals(queue), 1); /* ten events, one signal */
  aimrt_rpc_event_t events[16];
  size_t count;
  OK(aimrt_rpc_queue_drain(queue, events, 16, &count, NULL));
  CHECK_EQUAL(count, 10);
  OK(aimrt_rpc_queue_wake(queue, 1, NULL));
  CHECK_EQUAL(readable(queue), 1);
  OK(aimrt_rpc_queue_wake(queue, 2, NULL));
  OK(aimrt_rpc_queue_drain(queue, events, 1, &count, NULL));
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(events[0].kind, AIMRT_RPC_EVENT_WAKE);
  CHECK_EQUAL(events[0].tag, 1);
  CHECK_EQUAL(readable(queue), 1); /* one is left */
  OK(aimrt_rpc_queue_drain(queue, events, 0, &count, NULL));
  CHECK_EQUAL(count, 0);
  OK(aimrt_rpc_queue_drain(queue, events, 16, &count, NULL));
  CHECK_EQUAL(count, 1);
  CHECK_EQUAL(events[0].tag, 2);
  CHECK_EQUAL(readable(queue), 0);
  OK(aimrt_rpc_queue_drain(queue, events, 16, &count, NULL));
  CHECK_EQUAL(count, 0);
  aimrt_rpc_queue_release(queue);
  aimrt_rpc_queue_release(queue);
  CHECK_EQUAL(aimrt_rpc_queue_fd(queue), -1);
}

static void wakes_are_limited(void) {
  aimrt_rpc_queue_t queue;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  for (uint32_t i = 0; i < FRONT_MAX_QUEUE_WAKES; i++) OK(aimrt_rpc_queue_wake(queue, i, NULL));
  CHECK_EQUAL(aimrt_rpc_queue_wake(queue, 0, NULL), AIMRT_RPC_RESULT_LIMIT);
  aimrt_rpc_event_t event;
  size_t count;
  OK(aimrt_rpc_queue_drain(queue, &event, 1, &count, NULL));
  OK(aimrt_rpc_queue_wake(queue, 0, NULL));
  aimrt_rpc_queue_release(queue); /* frees the rest: the leak checker looks */
}

static void *wait_on(void *arg) {
  return (void *)(intptr_t)aimrt_rpc_queue_wait(*(aimrt_rpc_queue_t *)arg, CTEST_PATIENCE_NS, NULL);
}

static void waiting_ends_with_an_event_a_timeout_or_the_release(void) {
  aimrt_rpc_queue_t queue;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  CHECK_EQUAL(aimrt_rpc_queue_wait(queue, 0, NULL), AIMRT_RPC_RESULT_TIMEOUT);
  CHECK_EQUAL(aimrt_rpc_queue_wait(queue, 2000000, NULL), AIMRT_RPC_RESULT_TIMEOUT);
  pthread_t threads[2];
  void *result;
  for (int i = 0; i < 2; i++) CHECK_EQUAL(pthread_create(&threads[i], NULL, wait_on, &queue), 0);
  OK(aimrt_rpc_queue_wake(queue, 1, NULL));
  for (int i = 0; i < 2; i++) {
    CHECK_EQUAL(pthread_join(threads[i], &result), 0);
    CHECK_EQUAL((intptr_t)result, AIMRT_RPC_RESULT_OK);
  }
  aimrt_rpc_event_t event;
  size_t count;
  OK(aimrt_rpc_queue_drain(queue, &event, 1, &count, NULL));
  CHECK_EQUAL(pthread_create(&threads[0], NULL, wait_on, &queue), 0);
  aimrt_rpc_queue_t copy = queue;
  (void)sched_yield();
  aimrt_rpc_queue_release(copy);
  CHECK_EQUAL(pthread_join(threads[0], &result), 0);
  CHECK_EQUAL((intptr_t)result, AIMRT_RPC_RESULT_INVALID_HANDLE);
}

static void release_settles_what_waits(void) {
  fixture_begin();
  memset(&kept, 0, sizeof kept);
  aimrt_rpc_queue_t queue;
  OK(aimrt_rpc_queue_create(&queue, NULL));
  front_service *queued = make_queue_service(fix.server, "pb:/t.S/Q", queue, 1);
  front_service *slow = make_service(fix.server, "pb:/t.S/K", NULL, keep_handler, &kept);
  front_service *quick = make_service(fix.server, "pb:/t.S/E", NULL, echo_handler, NULL);
  front_method *to_queue = make_method(fix.client, "pb:/t.S/Q", NULL);
  front_method *to_slow = make_method(fix.client, "pb:/t.S/K", NULL);
  front_method *to_quick = make_method(fix.client, "pb:/t.S/E", NULL);
  publish(to_queue, FRONT_ENTRY_LOCAL, queued);
  publish(to_slow, FRONT_ENTRY_DIRECT, slow);
  publish(to_quick, FRONT_ENTRY_DIRECT, quick);
  heard h = {.code = 99};
  aimrt_rpc_call_options_t options = raw_options("x");
  options.done = hear;
  options.user_data = &h;
  OK(aimrt_rpc_call_start(front_method_handle(to_queue), &options, NULL, NULL)); /* arrived, not drained */
  aimrt_rpc_call_t cancelled;
  options.done = NULL;
  OK(aimrt_rpc_call_start(front_method_handle(to_queue), &options, &cancelled, NULL));
  OK(aimrt_rpc_call_cancel(cancelled, NULL)); /* arrived, and an event of its cancel */
  aimrt_rpc_call_release(cancelled);
  options.queue = queue;
  OK(aimrt_rpc_call_start(front_method_handle(to_quick), &options, NULL, NULL)); /* finished, not drained */
  OK(aimrt_rpc_call_start(front_method_handle(to_slow), &options, NULL, NULL));  /* ends after the release */
  OK(aimrt_rpc_queue_wake(queue, 9, NULL));
  aimrt_rpc_queue_release(queue);
  CHECK_EQUAL(ctest_count(&h.count), 1);
  CHECK_EQUAL(h.code, AIMRT_RPC_CODE_SVR_NOT_READY);
  OK(aimrt_rpc_call_finish(kept.calls[0], NULL, NULL, NULL));
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_CALL), 0);
  CHECK_EQUAL(aimrt_rpc_live_count(AIMRT_RPC_KIND_SERVER_CALL), 0);
  fixture_end();
}

/* ---- Producers and a consumer ------------------------------------------------------------------------------------------- */

enum { PRODUCERS = 3, EACH = 5000, BATCH = 64 };
static front_method *shared_method;
static aimrt_rpc_queue_t shared_queue;

static void *produce(void *arg) {
  uint64_t base = (uint64_t)(uintptr_t)arg * EACH;
  for (uint64_t i = 0; i < EACH; i++) {
    aimrt_rpc_call_options_t options = raw_options("hello");
    options.queue = shared_queue;
    options.tag = base + i;
    aimrt_rpc_call_t call = 0;
    aimrt_rpc_result_t result = aimrt_rpc_call_start(front_method_handle(shared_method), &options, i % 2 == 0 ? &call : NULL, NULL);
    OK(result);
    if (i % 4 == 0) aimrt_rpc_call_release(call); /* races with the drain */
  }
  return NULL;
}

static void every_event_comes_once(void) {
  fixture_begin();
  front_service *service = make_service(fix.server, "pb:/t.S/M", NULL, echo_handler, NULL);
  shared_method = make_method(fix.client, "pb:/t.S/M", NULL);
  atomic_store(&fix.mode, ENGINE_ECHO);
  for (uint32_t kind = FRONT_ENTRY_LOCAL; kind <= FRONT_ENTRY_ENGINE; kind++) {
    publish(shared_method, kind, service);
    OK(aimrt_rpc_queue_create(&shared_queue, NULL));
    uint8_t *seen = calloc(PRODUCERS * EACH, 1);
    CHECK(seen != NULL);
    pthread_t producers[PRODUCERS];
    for (uintptr_t i = 0; i < PRODUCERS; i++) CHECK_EQUAL(pthread_create(&producers[i], NULL, produce, (void *)i), 0);
    size_t total = 0;
    while (total < PRODUCERS * EACH) {
      struct pollfd fd = {.fd = aimrt_rpc_queue_fd(shared_queue), .events = POLLIN};
      CHECK_EQUAL(poll(&fd, 1, (int)(CTEST_PATIENCE_NS / 1000000)), 1);
      aimrt_rpc_event_t events[BATCH];
      size_t count;
      OK(aimrt_rpc_queue_drain(shared_queue, events, BATCH, &count, NULL));
      for (size_t i = 0; i < count; i++) {
        CHECK_EQUAL(events[i].kind, AIMRT_RPC_EVENT_CALL_FINISHED);
        CHECK_EQUAL(events[i].code, 0);
        CHECK(events[i].tag < PRODUCERS * EACH);
        CHECK_EQUAL(seen[events[i].tag]++, 0);
        /* A producer may have released the handle it kept; the views live until the event's release only if it did not. */
        aimrt_rpc_call_release(events[i].call);
      }
      total += count;
    }
    for (int i = 0; i < PRODUCERS; i++) CHECK_EQUAL(pthread_join(producers[i], NULL), 0);
    CHECK_EQUAL(readable(shared_queue), 0);
    aimrt_rpc_queue_release(shared_queue);
    free(seen);
  }
  fixture_end();
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {
      {"the_descriptor_tells_only_of_the_first_event", the_descriptor_tells_only_of_the_first_event},
      {"wakes_are_limited", wakes_are_limited},
      {"waiting_ends_with_an_event_a_timeout_or_the_release", waiting_ends_with_an_event_a_timeout_or_the_release},
      {"release_settles_what_waits", release_settles_what_waits},
      {"every_event_comes_once", every_event_comes_once},
  };
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
