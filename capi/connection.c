/*
 * connection.c - connections whose bytes the host moves: handle, lock and memory. The protocol is Go's (runtime/core/hosted.go). Handles of
 * connections with sockets are made here too, because they are of the same kind; all else about those is link.go's.
 *
 * Life of memory: an object is never given back, so that a thread that looks a handle up while another one releases it finds an object
 * of this type; the handle in the object tells whether it is still the one that was meant.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "connection.h"

#include <stdlib.h>

#include "link.h"

#include "objects.h"

#define STATE_IDLE 0u
#define STATE_BUSY 1u
#define STATE_LEAVING 2u /* a thread is inside and has to end the connection when it comes out */

typedef struct front_connection {
  _Atomic uint64_t handle;
  _Atomic uint32_t state; /* STATE_*; everything below belongs to the thread that made it busy */
  _Atomic uint64_t owner; /* the id of a connection that Go owns; 0 = the host moves the bytes */
  uint64_t go_id;
  front_bytes contents; /* of the events that feed gave */
  front_bytes held[2];  /* frames that came in pieces: the one that is not complete, and the last one that was given out */
  uint32_t holding;     /* which one is the first */
  uint32_t codec;
  front_bytes frame;    /* what the other functions gave */
  uint64_t output;      /* bytes that wait for take_output */
  uint64_t buffered;    /* received bytes that are no event yet */
  _Atomic uint64_t pending;
  _Atomic uint64_t open;
  struct front_connection *next_idle;
} front_connection;

_Static_assert(sizeof(front_hosted_event) == sizeof(aimrt_rpc_connection_event_t), "Go fills the caller's array");

static front_lock connections_lock; /* guards idle_connections */
static front_connection *idle_connections;

static front_connection *take_connection(void) {
  front_lock_acquire(&connections_lock);
  front_connection *connection = idle_connections;
  if (connection != NULL) idle_connections = connection->next_idle;
  front_lock_release(&connections_lock);
  return connection != NULL ? connection : calloc(1, sizeof *connection);
}

static void give_connection(front_connection *connection) {
  front_lock_acquire(&connections_lock);
  connection->next_idle = idle_connections;
  idle_connections = connection;
  front_lock_release(&connections_lock);
}

/* Blocks that large messages have left, for the next ones of any connection: memory that has been used before costs no page faults. */
#define SPARE_BLOCKS 4u
#define SPARE_MIN_BYTES (32u << 10) /* smaller ones are as good from malloc */
#define SPARE_MAX_BYTES (1u << 20)

static front_lock spare_lock; /* guards spare_blocks */
static front_bytes spare_blocks[SPARE_BLOCKS];

/* Frees a buffer, or makes a spare block of it. */
static void spare_bytes(front_bytes *bytes) {
  bytes->size = 0;
  if (bytes->capacity >= SPARE_MIN_BYTES && bytes->capacity <= SPARE_MAX_BYTES) {
    front_lock_acquire(&spare_lock);
    for (size_t i = 0; i < SPARE_BLOCKS && bytes->data != NULL; i++) {
      if (spare_blocks[i].data != NULL) continue;
      spare_blocks[i] = *bytes;
      *bytes = (front_bytes){NULL, 0, 0};
    }
    front_lock_release(&spare_lock);
  }
  front_bytes_free(bytes);
}

/* Makes room for `size` bytes in all and keeps those there are; NULL when out of memory. */
static uint8_t *reserve_bytes(front_bytes *bytes, size_t size) {
  if (bytes->capacity >= size && bytes->data != NULL) return bytes->data;
  if (size >= SPARE_MIN_BYTES) {
    front_bytes spare = {NULL, 0, 0};
    front_lock_acquire(&spare_lock);
    for (size_t i = 0; i < SPARE_BLOCKS && spare.data == NULL; i++) {
      if (spare_blocks[i].capacity < size) continue;
      spare = spare_blocks[i];
      spare_blocks[i] = (front_bytes){NULL, 0, 0};
    }
    front_lock_release(&spare_lock);
    if (spare.data != NULL) {
      if (bytes->size != 0) memcpy(spare.data, bytes->data, bytes->size);
      spare.size = bytes->size;
      front_bytes_free(bytes);
      *bytes = spare;
      return bytes->data;
    }
  }
  if (size > SIZE_MAX / 2) return NULL;
  uint8_t *data = realloc(bytes->data, size < 256 ? 256 : size);
  if (data == NULL) return NULL;
  bytes->data = data;
  bytes->capacity = size < 256 ? 256 : size;
  return data;
}

uint8_t *front_hosted_grow(front_connection *connection, size_t used, size_t size) {
  front_bytes *held = &connection->held[connection->holding];
  held->size = used;
  return reserve_bytes(held, size);
}

void front_hosted_give(front_connection *connection) { connection->holding ^= 1u; }

/* Ends a connection whose handle is stale; the caller has made it busy. */
static void end_connection(front_connection *connection) {
  if (connection->go_id != 0) aimrtgo_hosted_release(connection->go_id);
  connection->go_id = 0;
  atomic_store_explicit(&connection->handle, 0, memory_order_relaxed);
  atomic_store_explicit(&connection->owner, 0, memory_order_relaxed);
  front_bytes_free(&connection->contents);
  for (size_t i = 0; i < 2; i++) spare_bytes(&connection->held[i]);
  front_bytes_free(&connection->frame);
  connection->output = connection->buffered = 0;
  atomic_store_explicit(&connection->pending, 0, memory_order_relaxed);
  atomic_store_explicit(&connection->open, 0, memory_order_relaxed);
  atomic_store_explicit(&connection->state, STATE_IDLE, memory_order_release);
  give_connection(connection);
}

static void leave_connection(front_connection *connection) {
  uint32_t state = STATE_BUSY;
  if (!atomic_compare_exchange_strong_explicit(&connection->state, &state, STATE_IDLE, memory_order_acq_rel, memory_order_acquire) &&
      state == STATE_LEAVING)
    end_connection(connection);
}

/* Makes the connection of a live handle busy; NULL and *result when there is none or a thread is inside. */
static front_connection *enter_connection(aimrt_rpc_connection_t handle, aimrt_rpc_result_t *result, aimrt_rpc_error_t *error) {
  front_connection *connection = front_handle_find(AIMRT_RPC_KIND_CONNECTION, handle);
  uint32_t idle = STATE_IDLE;
  if (connection != NULL && !atomic_compare_exchange_strong_explicit(&connection->state, &idle, STATE_BUSY, memory_order_acquire,
                                                                     memory_order_relaxed)) {
    *result = front_fail(error, AIMRT_RPC_RESULT_INVALID_STATE, "connection %#llx is in use by another thread: one at a time",
                         (unsigned long long)handle);
    return NULL;
  }
  bool meant = connection != NULL && atomic_load_explicit(&connection->handle, memory_order_relaxed) == handle;
  if (meant && atomic_load_explicit(&connection->owner, memory_order_relaxed) == 0) return connection;
  if (connection != NULL) leave_connection(connection);
  if (meant) {
    *result = front_fail(error, AIMRT_RPC_RESULT_UNSUPPORTED, "connection %#llx has a socket of its own: the host cannot move its bytes",
                         (unsigned long long)handle);
    return NULL;
  }
  *result = front_fail(error, AIMRT_RPC_RESULT_INVALID_HANDLE, "%#llx is not a live connection handle", (unsigned long long)handle);
  return NULL;
}

/* ---- Steps -------------------------------------------------------------------------------------------------------------- */

/* A step with the buffer that Go writes into. The step comes first, so that its address is the whole's. */
typedef struct hosted_step {
  front_hosted_work work;
  front_bytes *buffer;
} hosted_step;

uint8_t front_hosted_room(front_hosted_work *work, size_t size) {
  front_bytes *buffer = ((hosted_step *)(void *)work)->buffer;
  buffer->size = 0;
  if (reserve_bytes(buffer, size) == NULL) return 0;
  work->room = buffer->data;
  work->room_size = buffer->capacity;
  return 1;
}

/* Begins a step that gives about `size` bytes. A buffer that a large message left behind is given back first. */
static aimrt_rpc_result_t begin_step(hosted_step *step, front_connection *connection, front_bytes *buffer, size_t size,
                                     aimrt_rpc_error_t *error) {
  step->work.go_id = connection->go_id;
  step->buffer = buffer;
  if (buffer->capacity > FRONT_KEEP_BYTES && size <= FRONT_KEEP_BYTES) spare_bytes(buffer);
  if (front_hosted_room(&step->work, size)) return AIMRT_RPC_RESULT_OK;
  return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for a message of about %zu bytes", size);
}

/* Lets Go do the step and takes over what it says about the connection. */
static aimrt_rpc_result_t run_step(hosted_step *step, front_connection *connection, aimrt_rpc_error_t *error) {
  aimrt_rpc_result_t result = aimrtgo_hosted_work(&step->work, error);
  step->buffer->size = step->work.filled;
  connection->output = step->work.output;
  connection->buffered = step->work.buffered;
  atomic_store_explicit(&connection->pending, step->work.pending, memory_order_relaxed);
  atomic_store_explicit(&connection->open, step->work.open, memory_order_relaxed);
  return result;
}

/* What a header and the envelope of a message add to its content. */
#define ENVELOPE_BYTES 512u

/* One step that makes a frame, or output, or nothing; frame_out may be NULL for the last. */
static aimrt_rpc_result_t make_frame(aimrt_rpc_connection_t handle, hosted_step *step, aimrt_rpc_bytes_t content,
                                     aimrt_rpc_bytes_t *frame_out, aimrt_rpc_error_t *error) {
  if (!front_view_ok(content.data, content.size))
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "a content of %zu bytes has no data", content.size);
  aimrt_rpc_result_t result;
  front_connection *connection = enter_connection(handle, &result, error);
  if (connection == NULL) return result;
  step->work.data = content.size == 0 ? NULL : content.data;
  step->work.size = content.size;
  bool around = step->work.in_place != 0 && connection->codec != AIMRT_RPC_CONNECTION_CODEC_MSGPACK_BLOSC;
  size_t size = around ? ENVELOPE_BYTES : content.size <= SIZE_MAX / 4 ? content.size + ENVELOPE_BYTES : SIZE_MAX;
  result = begin_step(step, connection, &connection->frame, size, error);
  if (result == AIMRT_RPC_RESULT_OK) result = run_step(step, connection, error);
  if (result == AIMRT_RPC_RESULT_OK && frame_out != NULL)
    *frame_out = (aimrt_rpc_bytes_t){step->work.filled == 0 ? NULL : connection->frame.data, step->work.filled};
  leave_connection(connection);
  return result;
}

/* ---- The functions of the header ---------------------------------------------------------------------------------------- */

#define REFUSE(...) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, __VA_ARGS__)

aimrt_rpc_result_t aimrt_rpc_connection_create_hosted(const aimrt_rpc_connection_hosted_options_t *options,
                                                      aimrt_rpc_connection_t *connection_out, aimrt_rpc_error_t *error) {
  if (connection_out != NULL) *connection_out = 0;
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  aimrt_rpc_connection_hosted_options_t known = AIMRT_RPC_CONNECTION_HOSTED_OPTIONS_INIT;
  if (options != NULL) {
    aimrt_rpc_result_t read = front_struct_read(&known, sizeof known, options, "aimrt_rpc_connection_hosted_options_t", error);
    if (read != AIMRT_RPC_RESULT_OK) return read;
  }
  if (known.flags != 0 || known.reserved != 0) REFUSE("flags and reserved must be 0");
  if (connection_out == NULL) REFUSE("connection_out is NULL");
  front_connection *connection = take_connection();
  if (connection == NULL) return front_fail(error, AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory for a connection");
  connection->codec = known.codec;
  aimrt_rpc_result_t result = aimrtgo_hosted_create(&known, connection, &connection->go_id, error);
  if (result != AIMRT_RPC_RESULT_OK) {
    give_connection(connection);
    return result;
  }
  uint64_t handle = front_handle_new(AIMRT_RPC_KIND_CONNECTION, connection);
  if (handle == 0) {
    end_connection(connection);
    return front_fail(error, AIMRT_RPC_RESULT_LIMIT, "no handle is left for a connection");
  }
  atomic_store_explicit(&connection->handle, handle, memory_order_release);
  *connection_out = handle;
  return AIMRT_RPC_RESULT_OK;
}

/* Turns offsets into addresses, in place. */
static void place_contents(aimrt_rpc_connection_event_t *events, size_t count, const uint8_t *contents) {
  for (size_t i = 0; i < count; i++) {
    front_hosted_event event;
    memcpy(&event, &events[i], sizeof event);
    const uint8_t *place = event.in_place != 0 ? (const uint8_t *)(uintptr_t)event.place : contents + event.place;
    events[i] = (aimrt_rpc_connection_event_t){event.kind, 0, event.number, {event.size == 0 ? NULL : place, (size_t)event.size}};
  }
}

static aimrt_rpc_result_t feed(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t bytes, bool in_place,
                               aimrt_rpc_connection_event_t *events_out, size_t capacity, size_t *count_out,
                               aimrt_rpc_error_t *error) {
  if (count_out != NULL) *count_out = 0;
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  aimrt_rpc_result_t result;
  front_connection *entered = enter_connection(connection, &result, error);
  if (entered == NULL) return result;
  hosted_step step = {.work = {.operation = FRONT_HOSTED_FEED, .in_place = in_place, .capacity = capacity, .size = bytes.size}};
  if (events_out == NULL || count_out == NULL || capacity == 0 || !front_view_ok(bytes.data, bytes.size)) {
    result = front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT,
                        "feed needs events_out, count_out, a capacity of at least 1 and, for %zu bytes, data", bytes.size);
  } else {
    step.work.data = bytes.size == 0 ? NULL : bytes.data;
    step.work.events = (front_hosted_event *)(void *)events_out;
    front_bytes *spent = &entered->held[entered->holding ^ 1u];
    if (spent->capacity > FRONT_KEEP_BYTES_POOLED) spare_bytes(spent);
    /* No content is larger than what came of it, but that of a compressed payload. What stays in place needs no room. */
    bool stays = in_place && bytes.size != 0 && entered->codec != AIMRT_RPC_CONNECTION_CODEC_MSGPACK_BLOSC;
    size_t came = stays ? 0 : bytes.size;
    size_t most = came <= SIZE_MAX / 4 ? came + (stays ? 0 : (size_t)entered->buffered) + ENVELOPE_BYTES : SIZE_MAX;
    result = begin_step(&step, entered, &entered->contents, most, error);
    if (result == AIMRT_RPC_RESULT_OK) result = run_step(&step, entered, error);
    if (result == AIMRT_RPC_RESULT_OK) {
      place_contents(events_out, step.work.count, entered->contents.data);
      *count_out = step.work.count;
    }
  }
  leave_connection(entered);
  return result;
}

aimrt_rpc_result_t aimrt_rpc_connection_feed(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t bytes,
                                             aimrt_rpc_connection_event_t *events_out, size_t capacity, size_t *count_out,
                                             aimrt_rpc_error_t *error) {
  return feed(connection, bytes, false, events_out, capacity, count_out, error);
}

aimrt_rpc_result_t front_connection_feed_in_place(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t bytes,
                                                  aimrt_rpc_connection_event_t *events_out, size_t capacity, size_t *count_out,
                                                  aimrt_rpc_error_t *error) {
  return feed(connection, bytes, true, events_out, capacity, count_out, error);
}

aimrt_rpc_result_t aimrt_rpc_connection_take_output(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t *bytes_out,
                                                    aimrt_rpc_error_t *error) {
  if (bytes_out != NULL) *bytes_out = (aimrt_rpc_bytes_t){NULL, 0};
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  aimrt_rpc_result_t result;
  front_connection *entered = enter_connection(connection, &result, error);
  if (entered == NULL) return result;
  hosted_step step = {.work = {.operation = FRONT_HOSTED_TAKE_OUTPUT}};
  if (bytes_out == NULL) {
    result = front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "bytes_out is NULL");
  } else if (entered->output != 0) { /* seldom: no way into Go otherwise */
    result = begin_step(&step, entered, &entered->frame, (size_t)entered->output, error);
    if (result == AIMRT_RPC_RESULT_OK) result = run_step(&step, entered, error);
    if (result == AIMRT_RPC_RESULT_OK) *bytes_out = (aimrt_rpc_bytes_t){entered->frame.data, step.work.filled};
  } else {
    result = AIMRT_RPC_RESULT_OK;
  }
  leave_connection(entered);
  return result;
}

aimrt_rpc_result_t aimrt_rpc_connection_request(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t content, uint64_t *number_out,
                                                aimrt_rpc_bytes_t *frame_out, aimrt_rpc_error_t *error) {
  if (number_out != NULL) *number_out = 0;
  if (frame_out != NULL) *frame_out = (aimrt_rpc_bytes_t){NULL, 0};
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  if (front_handle_find(AIMRT_RPC_KIND_CONNECTION, connection) != NULL && (number_out == NULL || frame_out == NULL))
    REFUSE("number_out or frame_out is NULL");
  hosted_step step = {.work = {.operation = FRONT_HOSTED_REQUEST}};
  aimrt_rpc_result_t result = make_frame(connection, &step, content, frame_out, error);
  if (result == AIMRT_RPC_RESULT_OK) *number_out = step.work.number;
  return result;
}

aimrt_rpc_result_t aimrt_rpc_connection_reply(aimrt_rpc_connection_t connection, uint64_t number, uint32_t kind,
                                              aimrt_rpc_bytes_t content, aimrt_rpc_bytes_t *frame_out, aimrt_rpc_error_t *error) {
  if (frame_out != NULL) *frame_out = (aimrt_rpc_bytes_t){NULL, 0};
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  if (front_handle_find(AIMRT_RPC_KIND_CONNECTION, connection) != NULL && frame_out == NULL) REFUSE("frame_out is NULL");
  hosted_step step = {.work = {.operation = FRONT_HOSTED_REPLY, .number = number, .kind = kind}};
  return make_frame(connection, &step, content, frame_out, error);
}

aimrt_rpc_result_t aimrt_rpc_connection_frame(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t payload,
                                              aimrt_rpc_bytes_t *frame_out, aimrt_rpc_error_t *error) {
  if (frame_out != NULL) *frame_out = (aimrt_rpc_bytes_t){NULL, 0};
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  if (front_handle_find(AIMRT_RPC_KIND_CONNECTION, connection) != NULL && frame_out == NULL) REFUSE("frame_out is NULL");
  hosted_step step = {.work = {.operation = FRONT_HOSTED_FRAME}};
  return make_frame(connection, &step, payload, frame_out, error);
}

/* Cuts the frame of a step where its content belongs. */
static void cut_frame(const hosted_step *step, aimrt_rpc_bytes_t content, aimrt_rpc_bytes_t frame, front_frame_parts *out) {
  size_t at = step->work.around;
  out->part[0] = (aimrt_rpc_bytes_t){frame.data, at != 0 ? at : frame.size};
  out->part[1] = at != 0 ? content : (aimrt_rpc_bytes_t){NULL, 0};
  out->part[2] = at != 0 ? (aimrt_rpc_bytes_t){frame.data + at, frame.size - at} : (aimrt_rpc_bytes_t){NULL, 0};
}

aimrt_rpc_result_t front_connection_request_parts(aimrt_rpc_connection_t connection, aimrt_rpc_bytes_t content, uint64_t *number_out,
                                                  front_frame_parts *parts_out, aimrt_rpc_error_t *error) {
  if (front_guards_forked()) return front_fail_forked(error);
  aimrt_rpc_bytes_t frame = {NULL, 0};
  hosted_step step = {.work = {.operation = FRONT_HOSTED_REQUEST, .in_place = 1}};
  aimrt_rpc_result_t result = make_frame(connection, &step, content, &frame, error);
  *number_out = step.work.number;
  cut_frame(&step, content, frame, parts_out);
  return result;
}

aimrt_rpc_result_t front_connection_reply_parts(aimrt_rpc_connection_t connection, uint64_t number, uint32_t kind,
                                                aimrt_rpc_bytes_t content, front_frame_parts *parts_out, aimrt_rpc_error_t *error) {
  if (front_guards_forked()) return front_fail_forked(error);
  aimrt_rpc_bytes_t frame = {NULL, 0};
  hosted_step step = {.work = {.operation = FRONT_HOSTED_REPLY, .in_place = 1, .number = number, .kind = kind}};
  aimrt_rpc_result_t result = make_frame(connection, &step, content, &frame, error);
  cut_frame(&step, content, frame, parts_out);
  return result;
}

/* A step that only changes what the connection remembers. */
static aimrt_rpc_result_t forget(aimrt_rpc_connection_t connection, uint32_t operation, uint64_t number, aimrt_rpc_error_t *error) {
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  hosted_step step = {.work = {.operation = operation, .number = number}};
  return make_frame(connection, &step, (aimrt_rpc_bytes_t){NULL, 0}, NULL, error);
}

aimrt_rpc_result_t aimrt_rpc_connection_forget(aimrt_rpc_connection_t connection, uint64_t number, aimrt_rpc_error_t *error) {
  return forget(connection, FRONT_HOSTED_FORGET, number, error);
}

aimrt_rpc_result_t aimrt_rpc_connection_drop(aimrt_rpc_connection_t connection, uint64_t number, aimrt_rpc_error_t *error) {
  return forget(connection, FRONT_HOSTED_DROP, number, error);
}

aimrt_rpc_result_t aimrt_rpc_connection_end_of_input(aimrt_rpc_connection_t connection, uint64_t *left_out, aimrt_rpc_error_t *error) {
  if (left_out != NULL) *left_out = 0;
  if (error != NULL) *error = 0;
  if (front_guards_forked()) return front_fail_forked(error);
  hosted_step step = {.work = {.operation = FRONT_HOSTED_END_OF_INPUT}};
  aimrt_rpc_result_t result = make_frame(connection, &step, (aimrt_rpc_bytes_t){NULL, 0}, NULL, error);
  if (result == AIMRT_RPC_RESULT_OK && left_out != NULL) *left_out = step.work.number;
  return result;
}

uint64_t aimrt_rpc_connection_pending_count(aimrt_rpc_connection_t connection) {
  front_connection *found = front_guards_forked() ? NULL : front_handle_find(AIMRT_RPC_KIND_CONNECTION, connection);
  return found == NULL ? 0 : atomic_load_explicit(&found->pending, memory_order_relaxed);
}

uint64_t aimrt_rpc_connection_open_count(aimrt_rpc_connection_t connection) {
  front_connection *found = front_guards_forked() ? NULL : front_handle_find(AIMRT_RPC_KIND_CONNECTION, connection);
  return found == NULL ? 0 : atomic_load_explicit(&found->open, memory_order_relaxed);
}

/* Makes a handle stale and ends the connection, here or in the thread that is inside. */
static void drop_connection(aimrt_rpc_connection_t handle) {
  front_connection *dropped = front_handle_drop(AIMRT_RPC_KIND_CONNECTION, handle);
  if (dropped == NULL) return;
  for (uint32_t state = STATE_IDLE;;) {
    uint32_t wanted = state == STATE_IDLE ? STATE_BUSY : STATE_LEAVING;
    if (!atomic_compare_exchange_weak_explicit(&dropped->state, &state, wanted, memory_order_acq_rel, memory_order_acquire)) continue;
    if (wanted == STATE_BUSY) end_connection(dropped);
    return;
  }
}

void aimrt_rpc_connection_release(aimrt_rpc_connection_t connection) {
  if (front_guards_forked()) return;
  uint64_t owner = front_connection_owner(connection);
  if (owner != 0 && owner != FRONT_CONNECTION_HOSTED)
    aimrtgo_link_release(owner);
  else
    drop_connection(connection);
}

/* ---- Connections with sockets ------------------------------------------------------------------------------------------- */

aimrt_rpc_connection_t front_connection_publish(uint64_t go_id) {
  front_connection *connection = take_connection();
  if (connection == NULL) return 0;
  atomic_store_explicit(&connection->owner, go_id, memory_order_relaxed);
  uint64_t handle = front_handle_new(AIMRT_RPC_KIND_CONNECTION, connection);
  if (handle == 0) {
    end_connection(connection);
    return 0;
  }
  atomic_store_explicit(&connection->handle, handle, memory_order_release);
  return handle;
}

void front_connection_withdraw(aimrt_rpc_connection_t connection) { drop_connection(connection); }

uint64_t front_connection_owner(aimrt_rpc_connection_t connection) {
  front_connection *found = front_handle_find(AIMRT_RPC_KIND_CONNECTION, connection);
  if (found == NULL) return 0;
  uint64_t owner = atomic_load_explicit(&found->owner, memory_order_acquire);
  if (front_handle_find(AIMRT_RPC_KIND_CONNECTION, connection) != found) return 0; /* released meanwhile: the owner may be another's */
  return owner == 0 ? FRONT_CONNECTION_HOSTED : owner;
}
