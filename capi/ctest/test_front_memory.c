/* What a call costs in memory: nothing, once its block is warm.
 * SPDX-License-Identifier: Apache-2.0 */
#include "foreign_fixture.h"

#define OK(expression) CHECK_EQUAL((expression), AIMRT_RPC_RESULT_OK)

/* Of the thread that runs the test. */
static pthread_t counted;
static _Atomic uint64_t allocations;

static void count_one(void) {
  if (pthread_equal(counted, pthread_self())) (void)atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t), void (*on_free)(const volatile void *));
static void on_malloc(const volatile void *place, size_t size) {
  (void)place;
  (void)size;
  count_one();
}
static void on_free(const volatile void *place) { (void)place; }
static void count_allocations(void) { CHECK(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0); }
#else
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *former, size_t size);
void *malloc(size_t size) {
  count_one();
  return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
  count_one();
  return __libc_calloc(count, size);
}
void *realloc(void *former, size_t size) {
  count_one();
  return __libc_realloc(former, size);
}
static void count_allocations(void) {}
#endif

/* A context and a closure of AimRT's kind. */
static void foreign_round(front_method *native, foreign *f) {
  number request = {4};
  number response = {0};
  told t = {.status = 99};
  foreign_begin(f);
  foreign_set(f, foreign_text("aimrt-function_name"), foreign_text("pb:/t.S/N"));
  CHECK_EQUAL(foreign_call(native, f, &request, &response, &t), 0);
  CHECK(t.status == 0 && response.value == 4);
}

static void one_round(front_method *raw, front_method *native, aimrt_rpc_context_t context) {
  heard h = {.code = 99};
  aimrt_rpc_call_options_t options = raw_options("a request of some length, to be copied");
  options.context = context;
  options.done = hear;
  options.user_data = &h;
  OK(aimrt_rpc_context_set(context, TEXT("key"), TEXT("value"), NULL));
  OK(aimrt_rpc_call_start(front_method_handle(raw), &options, NULL, NULL));
  CHECK_EQUAL(h.code, 0);
  OK(aimrt_rpc_context_reset(context, NULL));
  options.done = NULL;
  aimrt_rpc_code_t code = 99;
  aimrt_rpc_call_t call;
  OK(aimrt_rpc_call_invoke(front_method_handle(raw), &options, &code, &call, NULL));
  CHECK_EQUAL(code, 0);
  aimrt_rpc_call_release(call);
  OK(aimrt_rpc_context_reset(context, NULL));
  number request = {4};
  number response = {0};
  options = native_options(&request, &response);
  OK(aimrt_rpc_call_invoke(front_method_handle(native), &options, &code, NULL, NULL));
  CHECK_EQUAL(response.value, 4);
  aimrt_rpc_context_t fresh = new_context();
  aimrt_rpc_context_release(fresh);
}

static void warm_calls_allocate_nothing(void) {
  fixture_begin();
  front_service *raw_service = make_service(fix.server, "pb:/t.S/R", NULL, echo_handler, NULL);
  front_service *native_service = make_service(fix.server, "pb:/t.S/N", &number_type, echo_handler, NULL);
  front_method *raw = make_method(fix.client, "pb:/t.S/R", NULL);
  front_method *native = make_method(fix.client, "pb:/t.S/N", &number_type);
  publish(native, FRONT_ENTRY_DIRECT, native_service);
  aimrt_rpc_context_t context = new_context();
  counted = pthread_self();
  count_allocations();
  uint64_t before = atomic_load(&allocations);
  void *volatile probe = malloc(100);
  CHECK(probe != NULL && atomic_load(&allocations) > before); /* the counter counts */
  free(probe);
  for (uint32_t kind = FRONT_ENTRY_DIRECT; kind <= FRONT_ENTRY_LOCAL; kind++) {
    publish(raw, kind, raw_service);
    for (int i = 0; i < 3; i++) one_round(raw, native, context);
    before = atomic_load(&allocations);
    for (int i = 0; i < 1000; i++) one_round(raw, native, context);
    CHECK_EQUAL(atomic_load(&allocations) - before, 0);
  }
  foreign f;
  foreign_round(native, &f);
  before = atomic_load(&allocations);
  for (int i = 0; i < 1000; i++) foreign_round(native, &f);
  CHECK_EQUAL(atomic_load(&allocations) - before, 0);
  aimrt_rpc_context_release(context);
  fixture_end();
}

int main(int argc, char **argv) {
  static const ctest_case cases[] = {{"warm_calls_allocate_nothing", warm_calls_allocate_nothing}};
  return ctest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
