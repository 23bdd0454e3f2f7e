/* Module "Remote": calls a server in another process.
 * SPDX-License-Identifier: Apache-2.0 */
#include "modules.h"

#include <signal.h>
#include <unistd.h>

static const rpc *calls;

static module_info info(void *self) {
  (void)self;
  return (module_info){.name = TEXT("Remote")};
}

static bool initialize(void *self, const core *given) {
  (void)self;
  calls = given->rpc(given->self);
  static const char *const names[] = {PROBE("Echo"), PROBE("Code"), PROBE("Drop"), PROBE("Elsewhere"), PROBE("Nested"), PROBE("Hold"),
                                      PROBE("LetGo")};
  bool good = true;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    good = calls->client(calls->self, kit_text(names[i]), NULL, &kit_type, &kit_type) && good;
  return good;
}

static uint32_t call(const char *name, context *c, size_t size, message *response) {
  message request = {0};
  kit_fill(&request, 1, size);
  uint32_t status = kit_call(calls, name, c, &request, response);
  CHECK(status != 0 || (response->size == size && (size == 0 || memcmp(response->bytes, request.bytes, size) == 0)));
  kit_clear(&request);
  return status;
}

static bool start(void *self) {
  (void)self;
  static const size_t sizes[] = {0, 1, 1000, 1u << 20};
  context c;
  message response = {0};
  for (int json = 0; json < 2; json++)
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      kit_context(&c);
      if (json) kit_set(&c, "aimrt-serialization_type", "json");
      kit_set(&c, "color", "blue");
      CHECK(call(PROBE("Echo"), &c, sizes[i], &response) == 0 && response.number == 2);
      CHECK(strcmp(kit_get(&c, "aimrt-backend"), "http") == 0 && strcmp(kit_get(&c, "color"), "blue") == 0);
    }
  kit_context(&c);
  CHECK(call(PROBE("Elsewhere"), &c, 10, &response) == 0);
  kit_context(&c);
  CHECK(call(PROBE("Code"), &c, 10, &response) == 4242); /* of ours it arrives, in a header */
  kit_context(&c);
  CHECK(call(PROBE("Drop"), &c, 10, &response) == 1008);
  kit_context(&c);
  kit_fill(&response, 0, 0);
  c.timeout = 50000000;
  uint32_t late = call(PROBE("Hold"), &c, 10, &response);
  CHECK(late != 0 && response.number == 0);
  kit_context(&c);
  CHECK(call(PROBE("LetGo"), &c, 10, &response) == 0);
  kit_clear(&response);
  kill(getpid(), SIGTERM);
  return true;
}

static void shut_down(void *self) { (void)self; }

const module probe_remote = {info, initialize, start, shut_down, NULL};
