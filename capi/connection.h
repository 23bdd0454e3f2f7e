/*
 * connection.h - what passes between the two halves of a connection whose bytes the host moves: C keeps the handle, the memory that the host
 * sees and the rule of one thread at a time; Go has the protocol.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AIMRT_RPC_CAPI_CONNECTION_H_
#define AIMRT_RPC_CAPI_CONNECTION_H_

#include "front.h"

#define FRONT_HOSTED_FEED 1u
#define FRONT_HOSTED_TAKE_OUTPUT 2u
#define FRONT_HOSTED_REQUEST 3u
#define FRONT_HOSTED_REPLY 4u
#define FRONT_HOSTED_FRAME 5u
#define FRONT_HOSTED_FORGET 6u
#define FRONT_HOSTED_DROP 7u
#define FRONT_HOSTED_END_OF_INPUT 8u

/* An event whose content stands at `offset` of the room; as large as the public one, whose place it takes until C turns it round. */
typedef struct front_hosted_event {
  uint32_t kind;
  uint32_t reserved;
  uint64_t number;
  uint64_t offset;
  uint64_t size;
} front_hosted_event;

/* One step of a connection: what goes into Go and what comes back. All memory is C's. */
typedef struct front_hosted_work {
  uint64_t go_id;
  uint32_t operation;         /* FRONT_HOSTED_* */
  uint32_t kind;              /* of a reply */
  uint64_t number;            /* of a request; also what FRONT_HOSTED_END_OF_INPUT left */
  const uint8_t *data;        /* received bytes or content; NULL when size is 0 */
  size_t size;
  front_hosted_event *events; /* room for capacity of them */
  size_t capacity;
  size_t count;
  uint8_t *room;              /* where Go writes contents or the frame */
  size_t room_size;
  size_t filled;
  uint64_t pending;           /* what the connection holds after the step */
  uint64_t open;
  uint64_t output;
  uint64_t buffered;
} front_hosted_work;

/* Makes the room of a step at least `size` bytes large; it may move, and holds nothing afterwards. 0 when out of memory. */
FRONT_HIDDEN uint8_t front_hosted_room(front_hosted_work *work, size_t size);

/* Hidden Go functions, called by connection.c only. */
FRONT_HIDDEN aimrt_rpc_result_t aimrtgo_hosted_create(aimrt_rpc_connection_hosted_options_t *options, uint64_t *go_id_out,
                                                      aimrt_rpc_error_t *error);
FRONT_HIDDEN aimrt_rpc_result_t aimrtgo_hosted_work(front_hosted_work *work, aimrt_rpc_error_t *error);
FRONT_HIDDEN void aimrtgo_hosted_release(uint64_t go_id);

#endif /* AIMRT_RPC_CAPI_CONNECTION_H_ */
