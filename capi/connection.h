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

struct front_connection;

/* An event whose content stands at `place` of the room or, when `in_place` is 1, of all memory; as large as the public one, whose place it
 * takes until C turns it round. */
typedef struct front_hosted_event {
  uint32_t kind;
  uint32_t in_place;
  uint64_t number;
  uint64_t place;
  uint64_t size;
} front_hosted_event;

/* One step of a connection: what goes into Go and what comes back. All memory is C's. */
typedef struct front_hosted_work {
  uint64_t go_id;
  uint32_t operation;         /* FRONT_HOSTED_* */
  uint32_t kind;              /* of a reply */
  uint32_t in_place;          /* 1: contents of events may stay where they came in, frames be written around theirs */
  uint64_t number;            /* of a request; also what FRONT_HOSTED_END_OF_INPUT left */
  const uint8_t *data;        /* received bytes or content; NULL when size is 0 */
  size_t size;
  front_hosted_event *events; /* room for capacity of them */
  size_t capacity;
  size_t count;
  uint8_t *room;              /* where Go writes contents or the frame */
  size_t room_size;
  size_t filled;
  size_t around;              /* of a frame: the content belongs in front of this byte; 0 = it is in the frame */
  uint64_t pending;           /* what the connection holds after the step */
  uint64_t open;
  uint64_t output;
  uint64_t buffered;
} front_hosted_work;

/* Makes the room of a step at least `size` bytes large; it may move, and holds nothing afterwards. 0 when out of memory. */
FRONT_HIDDEN uint8_t front_hosted_room(front_hosted_work *work, size_t size);

/* Memory of a frame that is not complete: makes it `size` bytes large and keeps its first `used`; NULL when out of memory. */
FRONT_HIDDEN uint8_t *front_hosted_grow(struct front_connection *connection, size_t used, size_t size);
/* The frame in that memory has been given out: it stays until the connection is fed again, and the next frame gets other memory. */
FRONT_HIDDEN void front_hosted_give(struct front_connection *connection);

/* For the bridge, which copies at once. As aimrt_rpc_connection_feed, but contents are valid only as long as bytes are. */
FRONT_HIDDEN aimrt_rpc_result_t front_connection_feed_in_place(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t bytes,
                                                               aimrt_rpc_connection_event_t *events_out, size_t capacity,
                                                               size_t *count_out, aimrt_rpc_error_t *error);

/* A frame in up to three parts: what goes before the content, the caller's content, what goes behind it. */
typedef struct front_frame_parts {
  aimrt_rpc_bytes_t part[3];
} front_frame_parts;

/* As aimrt_rpc_connection_request and _reply, without a copy of the content; error is not NULL. */
FRONT_HIDDEN aimrt_rpc_result_t front_connection_request_parts(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t content,
                                                               uint64_t *number_out, front_frame_parts *parts_out,
                                                               aimrt_rpc_error_t *error);
FRONT_HIDDEN aimrt_rpc_result_t front_connection_reply_parts(aimrt_rpc_connection_t connection, uint64_t number, uint32_t kind,
                                                             aimrt_rpc_bytes_t content, front_frame_parts *parts_out,
                                                             aimrt_rpc_error_t *error);

/* Hidden Go functions, called by connection.c only. */
FRONT_HIDDEN aimrt_rpc_result_t aimrtgo_hosted_create(aimrt_rpc_connection_hosted_options_t *options,
                                                      struct front_connection *connection, uint64_t *go_id_out,
                                                      aimrt_rpc_error_t *error);
FRONT_HIDDEN aimrt_rpc_result_t aimrtgo_hosted_work(front_hosted_work *work, aimrt_rpc_error_t *error);
FRONT_HIDDEN void aimrtgo_hosted_release(uint64_t go_id);

#endif /* AIMRT_RPC_CAPI_CONNECTION_H_ */
