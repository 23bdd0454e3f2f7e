/* Every function of the header survives NULL, 0, stale and wrong-kind handles, and says so in its result.
 * SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include <stdlib.h>

#include "check.h"
#include "world.h"

aimrt_rpc_str_t hostile_str(void) { return check_str("hostile"); }
aimrt_rpc_bytes_t hostile_bytes(void) { return (aimrt_rpc_bytes_t){(const uint8_t *)"hostile", 7}; }

static const char *current = "";

void hostile_zeroed(const void *output, size_t size, const char *function, const char *parameter) {
  const uint8_t *bytes = output;
  size_t at = 0;
  while (at < size && bytes[at] == 0) at++;
  CHECK(at == size, "%s (%s) left %s with byte %zu set", function, current, parameter, at);
}

void hostile_error(int64_t result, aimrt_rpc_error_t error) {
  if (error == 0) return; /* a successful call, or no error was asked for */
  CHECK(aimrt_rpc_error_result(error) == (aimrt_rpc_result_t)result, "the error says %d, the function %lld",
        aimrt_rpc_error_result(error), (long long)result);
  CHECK(aimrt_rpc_error_message(error).size > 0, "the error of result %lld has no text", (long long)result);
  aimrt_rpc_error_free(error);
}

/* Functions that need an error object when they fail. */
static void check_stale(const hostile_row *row, uint64_t handle, const char *what) {
  if (row->kind == AIMRT_RPC_KIND_ANY) return;
  current = what;
  int64_t value = row->call(handle, 0);
  if (row->stale == HOSTILE_ANY) return;
  int64_t want = row->stale;
  /* 0 is "no error" for the functions of errors. */
  if (handle == 0 && strcmp(row->name, "aimrt_rpc_error_result") == 0) want = AIMRT_RPC_RESULT_OK;
  CHECK(value == want, "%s with a %s handle gives %lld, wanted %lld", row->name, what, (long long)value, (long long)want);
  current = "all pointers NULL";
  value = row->call(handle, 1);
  if (want < 0 && row->gives_result) CHECK(value < 0, "%s with a %s handle and NULL pointers gives %lld", row->name, what, (long long)value);
}

/* Releasing functions take handles of their own kind only; they are given every other kind. */
static void check_wrong_kinds(const hostile_row *row, const world *w) {
  for (uint32_t kind = 1; kind < WORLD_KINDS; kind++) {
    if (kind == row->kind || w->live[kind] == 0) continue;
    /* One type, two kinds. */
    if (row->kind == AIMRT_RPC_KIND_CALL && kind == AIMRT_RPC_KIND_SERVER_CALL) continue;
    char what[64];
    snprintf(what, sizeof what, "kind %u", kind);
    check_stale(row, w->live[kind], what);
  }
}

static void check_null(const hostile_row *row, const world *w) {
  if (!row->needs_pointers || !row->gives_result) return;
  current = "live handle, all pointers NULL";
  int64_t value = row->call(row->kind == AIMRT_RPC_KIND_ANY ? 0 : w->live[row->kind], 1);
  CHECK(value < 0, "%s with NULL pointers gives %lld", row->name, (long long)value);
}

int main(void) {
  world w;
  if (!world_make(&w)) return 1;
  uint64_t before = aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY);
  for (size_t i = 0; i < hostile_row_count; i++) {
    const hostile_row *row = &hostile_rows[i];
    check_stale(row, 0, "zero");
    check_stale(row, UINT64_MAX, "all-ones");
    check_stale(row, (uint64_t)row->kind << 56, "never made");
    check_stale(row, ((uint64_t)row->kind << 56) | 0xffffff, "out of range");
    if (row->kind != AIMRT_RPC_KIND_ANY && w.stale[row->kind] != 0) check_stale(row, w.stale[row->kind], "stale");
    check_wrong_kinds(row, &w);
    check_null(row, &w);
    /* A function without a handle is called with defaults; what it makes is released by its own test. */
  }
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == before, "%llu handles live, %llu before",
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY), (unsigned long long)before);
  /* Everything still works. */
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_code_t code = 1;
  aimrt_rpc_call_t call = 0;
  aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
  options.request.bytes = hostile_bytes();
  CHECK_RESULT(aimrt_rpc_call_invoke(w.live[AIMRT_RPC_KIND_METHOD], &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(code == AIMRT_RPC_CODE_OK, "code %u", code);
  aimrt_rpc_call_release(call);
  world_end(&w);
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0, "%llu handles are left",
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY));
  return check_end("hostile");
}
