/* What a call inside the process costs, beside the floor: the same handler through a function pointer.
 * Not a test. Prints the median of several runs in ns.
 * SPDX-License-Identifier: Apache-2.0 */
#include "front_fixture.h"

enum { CALLS = 1000000, RUNS = 7 };

static uint64_t answered;

static void count_done(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_outcome_t *outcome) {
  (void)call;
  *(uint64_t *)user_data += outcome->code == 0 ? 1 : 0;
}

static void native_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)user_data;
  ((number *)request->response)->value = ((const number *)request->payload.message)->value;
  (void)aimrt_rpc_call_finish(call, NULL, NULL, NULL);
}

static void floor_handler(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  (void)call;
  ((number *)request->response)->value = ((const number *)request->payload.message)->value;
  *(uint64_t *)user_data += 1;
}

static aimrt_rpc_method_t method;
static aimrt_rpc_context_t context;
static number request = {42};
static number response;

static void floor_call(void) {
  aimrt_rpc_handler_fn volatile handler = floor_handler;
  aimrt_rpc_request_t r = {.payload = {.message = &request}, .response = &response};
  handler(&answered, 0, &r);
}

static void start_callback(void) {
  aimrt_rpc_call_options_t options = native_options(&request, &response);
  options.done = count_done;
  options.user_data = &answered;
  (void)aimrt_rpc_call_start(method, &options, NULL, NULL);
}

static void start_with_context(void) {
  aimrt_rpc_call_options_t options = native_options(&request, &response);
  options.done = count_done;
  options.user_data = &answered;
  options.context = context;
  (void)aimrt_rpc_call_start(method, &options, NULL, NULL);
  (void)aimrt_rpc_context_reset(context, NULL);
}

static void invoke_native(void) {
  aimrt_rpc_call_options_t options = native_options(&request, &response);
  aimrt_rpc_code_t code;
  answered += aimrt_rpc_call_invoke(method, &options, &code, NULL, NULL) == 0 && code == 0 ? 1 : 0;
}

static void invoke_raw(void) {
  static const char text[64] = "sixty-four bytes of request";
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.request.bytes = (aimrt_rpc_bytes_t){(const uint8_t *)text, sizeof text};
  aimrt_rpc_code_t code;
  aimrt_rpc_call_t call;
  answered += aimrt_rpc_call_invoke(method, &options, &code, &call, NULL) == 0 && code == 0 ? 1 : 0;
  aimrt_rpc_call_release(call);
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a;
  double y = *(const double *)b;
  return (x > y) - (x < y);
}

static uint64_t cpu_ns(void) { return front_clock_ns(CLOCK_THREAD_CPUTIME_ID); }

static void measure(const char *name, void (*fn)(void)) {
  double runs[RUNS];
  for (int run = -1; run < RUNS; run++) {
    uint64_t before = answered;
    uint64_t begin = cpu_ns();
    for (int i = 0; i < CALLS; i++) fn();
    uint64_t end = cpu_ns();
    CHECK_EQUAL(answered - before, CALLS);
    if (run >= 0) runs[run] = (double)(end - begin) / CALLS;
  }
  qsort(runs, RUNS, sizeof runs[0], ascending);
  printf("%-52s %7.1f ns  (%.1f .. %.1f)\n", name, runs[RUNS / 2], runs[0], runs[RUNS - 1]);
}

int main(void) {
  fixture_begin();
  front_method *native = make_method(fix.server, "pb:/bench.S/Native", &number_type);
  front_method *raw = make_method(fix.server, "pb:/bench.S/Raw", NULL);
  front_method *cross = make_method(fix.client, "pb:/bench.S/Raw", NULL);
  front_method *typed = make_method(fix.client, "pb:/bench.S/Native", &number_type);
  front_service *native_service = make_service(fix.server, "pb:/bench.S/Native", &number_type, native_handler, NULL);
  front_service *raw_service = make_service(fix.server, "pb:/bench.S/Raw", NULL, echo_handler, NULL);
  publish(native, FRONT_ENTRY_DIRECT, native_service);
  publish(raw, FRONT_ENTRY_DIRECT, raw_service);
  publish(cross, FRONT_ENTRY_LOCAL, raw_service);
  publish(typed, FRONT_ENTRY_LOCAL, native_service);
  context = new_context();
  if (getenv("ONLY") != NULL) { method = front_method_handle(native); measure("direct", start_callback); _exit(0); }
  measure("floor: handler through a pointer", floor_call);
  method = front_method_handle(native);
  measure("direct native, callback, no context, no handle", start_callback);
  measure("direct native, callback, context and its reset", start_with_context);
  measure("direct native, blocking invoke", invoke_native);
  method = front_method_handle(raw);
  measure("direct raw 64 B, blocking invoke with handle", invoke_raw);
  method = front_method_handle(cross);
  measure("local raw to raw 64 B, blocking invoke with handle", invoke_raw);
  method = front_method_handle(typed);
  measure("local native to native (8 B), blocking invoke", invoke_native);
  aimrt_rpc_context_release(context);
  fixture_end();
  return 0;
}
