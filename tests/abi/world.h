/* A running runtime with one live handle of every kind that outlives a call, and stale ones.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_ABI_WORLD_H_
#define TESTS_ABI_WORLD_H_

#include "aimrt_rpc.h"

#define WORLD_KINDS 19

typedef struct world {
  uint64_t live[WORLD_KINDS];  /* by AIMRT_RPC_KIND_*; 0 = the kind is not here */
  uint64_t stale[WORLD_KINDS]; /* were live once */
} world;

#define WORLD_CONFIG                                                                                                         \
  "aimrt:\n"                                                                                                                 \
  "  log: {core_lvl: Off, backends: []}\n"                                                                                   \
  "  executor: {executors: [{name: work, type: asio_thread}]}\n"                                                             \
  "  rpc:\n"                                                                                                                 \
  "    backends: [{type: local}]\n"                                                                                          \
  "    clients_options: [{func_name: '(.*)', enable_backends: [local]}]\n"                                                   \
  "    servers_options: [{func_name: '(.*)', enable_backends: [local]}]\n"

#define WORLD_ECHO "pb:/world.Echo/Call" /* answers with the request's bytes */
#define WORLD_HOLD "pb:/world.Hold/Call" /* keeps the call in world.live[SERVER_CALL] */

/* Starts everything; 0 when something failed, with a line on stderr. */
int world_make(world *w);
/* Ends everything and releases all handles. */
void world_end(world *w);

#endif /* TESTS_ABI_WORLD_H_ */
