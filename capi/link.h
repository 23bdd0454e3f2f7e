/*
 * link.h - what the C half gives to the Go half for connections with sockets, their routers and listeners: handles, and calls of the
 * host's callbacks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AIMRT_RPC_CAPI_LINK_H_
#define AIMRT_RPC_CAPI_LINK_H_

#include "front.h"

/* ---- Handles of Go objects (link.c) ------------------------------------------------------------------------------------- */

/* Makes a handle whose object is the id by which Go finds it, so that there is no memory to keep; 0 when the table is full. */
FRONT_HIDDEN uint64_t front_link_handle_new(uint32_t kind, uint64_t go_id);
/* The id behind a live handle of this kind, else 0. */
FRONT_HIDDEN uint64_t front_link_find(uint32_t kind, uint64_t handle);
/* Makes the handle stale; gives the id to exactly one caller, else 0. */
FRONT_HIDDEN uint64_t front_link_drop(uint32_t kind, uint64_t handle);

/* The engine token of a live call being served, 0 when it is stale or came without Go. */
FRONT_HIDDEN uint64_t front_server_call_token(aimrt_rpc_call_t call);

/* Makes the method at a path of a connection's peer; raw, with one serialization. NULL when out of memory or handles. */
FRONT_HIDDEN front_method *front_link_method(front_module *module, uint64_t go_id, const char *path, size_t path_size,
                                             const char *serialization, size_t serialization_size);
/* Makes the handle of a method stale whose connection is gone. The memory waits for the next connection that has the path. */
FRONT_HIDDEN void front_method_retire(front_method *method);
/* Returns when no call begins any more with a method retired before: only then it may be published for another connection. */
FRONT_HIDDEN void front_method_retired(void);
/* Gives such a method a new handle; 0 when the table is full. Its entry is to be published first. */
FRONT_HIDDEN aimrt_rpc_method_t front_method_revive(front_method *method);

/* ---- Connections with sockets (connection.c) ---------------------------------------------------------------------------- */

#define FRONT_CONNECTION_HOSTED UINT64_MAX

/* Makes the handle of a connection that Go owns; 0 when no memory or handle is left. */
FRONT_HIDDEN aimrt_rpc_connection_t front_connection_publish(uint64_t go_id);
/* Makes it stale. */
FRONT_HIDDEN void front_connection_withdraw(aimrt_rpc_connection_t connection);
/* The id of a live connection that Go owns; 0 for a stale handle, FRONT_CONNECTION_HOSTED for one whose bytes the host moves. */
FRONT_HIDDEN uint64_t front_connection_owner(aimrt_rpc_connection_t connection);

/* ---- Callbacks of the host ---------------------------------------------------------------------------------------------- */

static inline void link_connected(aimrt_rpc_connected_fn function, uintptr_t user_data, aimrt_rpc_connection_t connection) {
  function((void *)user_data, connection);
}

static inline void link_closed(aimrt_rpc_closed_fn function, uintptr_t user_data, aimrt_rpc_connection_t connection, const char *reason,
                               size_t size) {
  function((void *)user_data, connection, (aimrt_rpc_str_t){reason, size});
}

static inline void link_free(aimrt_rpc_free_fn function, uintptr_t user_data) { function((void *)user_data); }

/* Hidden Go functions, called by connection.c and link.c only. */
FRONT_HIDDEN void aimrtgo_link_release(uint64_t go_id);
FRONT_HIDDEN aimrt_rpc_result_t aimrtgo_link_on_close(aimrt_rpc_connection_t connection, aimrt_rpc_closed_fn closed, uintptr_t user_data,
                                                      aimrt_rpc_free_fn user_data_free, aimrt_rpc_error_t *error);

#endif /* AIMRT_RPC_CAPI_LINK_H_ */
