/* In a child of fork() every function answers FORKED and none hangs; the parent goes on.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "hostile.h"
#include "world.h"

#define LIMIT_SECONDS 20 /* the child ends long before; only a hang takes so long */

aimrt_rpc_str_t hostile_str(void) { return check_str("forked"); }
aimrt_rpc_bytes_t hostile_bytes(void) { return (aimrt_rpc_bytes_t){(const uint8_t *)"forked", 6}; }

void hostile_zeroed(const void *output, size_t size, const char *function, const char *parameter) {
  const uint8_t *bytes = output;
  size_t at = 0;
  while (at < size && bytes[at] == 0) at++;
  CHECK(at == size, "%s left %s set in the child", function, parameter);
}

void hostile_error(int64_t result, aimrt_rpc_error_t error) {
  (void)result;
  aimrt_rpc_error_free(error);
}

static int child(const world *w) {
  alarm(LIMIT_SECONDS);
  CHECK(aimrt_rpc_is_forked() == 1, "the child does not know that it is one");
  for (size_t i = 0; i < hostile_row_count; i++) {
    const hostile_row *row = &hostile_rows[i];
    /* The functions of errors work on memory only and have nothing to refuse. */
    if (strncmp(row->name, "aimrt_rpc_error_", 16) == 0) continue;
    int64_t value = row->call(row->kind == AIMRT_RPC_KIND_ANY ? 0 : w->live[row->kind], 0);
    if (row->gives_result) CHECK(value == AIMRT_RPC_RESULT_FORKED, "%s gives %lld in the child", row->name, (long long)value);
  }
  return check_end("forked child");
}

int main(void) {
  world w;
  if (!world_make(&w)) return 1;
  for (int round = 0; round < 10; round++) {
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) _exit(child(&w) == 0 && fflush(NULL) == 0 ? 0 : 1);
    CHECK(pid > 0, "fork");
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child of round %d ended with %#x", round,
          (unsigned)status);
    aimrt_rpc_code_t code = 1;
    aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
    aimrt_rpc_call_t call = 0;
    aimrt_rpc_error_t error = 0;
    CHECK_RESULT(aimrt_rpc_call_invoke(w.live[AIMRT_RPC_KIND_METHOD], &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
    CHECK(code == AIMRT_RPC_CODE_OK, "a call in the parent after fork ends with %u", code);
    aimrt_rpc_call_release(call);
  }
  CHECK(aimrt_rpc_is_forked() == 0, "the parent believes to be forked");
  world_end(&w);
  return check_end("forked");
}
