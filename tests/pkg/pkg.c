/* The four functions of a Pkg file. WITH_SERVER, WITH_CLIENT and WITH_REMOTE say which modules it holds.
 * SPDX-License-Identifier: Apache-2.0 */
#include "modules.h"

static const sv names[] = {
#ifdef WITH_SERVER
    {"Server", 6},
#endif
#ifdef WITH_CLIENT
    {"Client", 6},
#endif
#ifdef WITH_REMOTE
    {"Remote", 6},
#endif
};

PKG size_t AimRTDynlibGetModuleNum(void) { return sizeof names / sizeof names[0]; }
PKG const sv *AimRTDynlibGetModuleNameList(void) { return names; }
PKG const module *AimRTDynlibCreateModule(sv name) {
#ifdef WITH_SERVER
  if (kit_is(name, "Server")) return &probe_server;
#endif
#ifdef WITH_CLIENT
  if (kit_is(name, "Client")) return &probe_client;
#endif
#ifdef WITH_REMOTE
  if (kit_is(name, "Remote")) return &probe_remote;
#endif
  return NULL;
}
PKG void AimRTDynlibDestroyModule(const module *module) {
#ifdef WITH_SERVER
  CHECK(probe_services_alive == 0); /* the library has given every service back before */
#endif
#ifdef WITH_CLIENT
  if (module == &probe_client) probe_after();
#endif
  printf("destroyed %.*s\n", (int)module->info(module->self).name.size, module->info(module->self).name.at);
  printf("%s: %d passed, %d failed\n", sizeof names / sizeof names[0] == 1 ? names[0].at : "Both", kit_passed, kit_failed);
  fflush(stdout);
}
