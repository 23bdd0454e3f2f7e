/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PKG_MODULES_H_
#define TESTS_PKG_MODULES_H_

#include "kit.h"

#define PROBE(method) "pb:/test.Probe/" method

extern const module probe_server;
extern int probe_services_alive;
void probe_after(void);
extern const module probe_client;
extern const module probe_remote;

#endif /* TESTS_PKG_MODULES_H_ */
