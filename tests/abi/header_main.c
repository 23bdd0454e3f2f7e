/* Links header_first and header_second into one program and compares what the two sides of the header say. */
#include "check.h"

#include "layout_gen.h"

uint32_t header_first(void);
uint32_t header_second(void);

int main(void) {
  CHECK(header_first() > 7 * 4, "the INIT macros set struct_size");
  CHECK(header_second() == 2 * 1003, "AimRT's number and ours differ");
  CHECK(aimrt_rpc_version() == AIMRT_RPC_VERSION_NUMBER, "version %u", aimrt_rpc_version());
  CHECK(aimrt_rpc_abi_version() == AIMRT_RPC_ABI_VERSION, "ABI version %u", aimrt_rpc_abi_version());
  CHECK(aimrt_rpc_is_forked() == 0, "not forked");
  for (int64_t r = -40; r <= 40; r++) {
    const char *text = aimrt_rpc_result_string((aimrt_rpc_result_t)r);
    CHECK(text != NULL && text[0] != 0, "text of result %lld", (long long)r);
  }
  for (uint32_t c = 0; c < 4000; c++) CHECK(aimrt_rpc_code_string(c) != NULL, "text of code %u", c);
  CHECK(strcmp(aimrt_rpc_code_string(77), "Unknown code") == 0, "text of an unknown code: %s", aimrt_rpc_code_string(77));
  CHECK(aimrt_rpc_code_string(UINT32_MAX) != NULL, "text of the largest code");
  return check_end("header");
}
