/*
 * pybridge_connection.c - built-ins for connections whose bytes the host moves: what asyncio does for every piece that it receives or sends.
 * They do what the ctypes functions of the same names in _core.py do.
 *
 * The interpreter lock is kept: a step takes about a microsecond. Only a large piece is looked at without it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pybridge.h"

#include <string.h>

#include "connection.h"

#define FEED_BATCH 64u
#define LOCK_KEEP_BYTES (256u << 10) /* the lock is given up for more */

/* Begins every built-in of this file: its number of arguments, and the connection, which comes first. */
static uint8_t get_connection(PyObject *const *arguments, Py_ssize_t count, Py_ssize_t expected, const char *name, uint64_t *out) {
  return py_counted(count, expected, expected, name) && get_number(arguments[0], out);
}

static void *leave_for(size_t size) { return size > LOCK_KEEP_BYTES ? py.save_thread() : NULL; }

static void come_back(void *state) {
  if (state != NULL) py.restore_thread(state);
}

/* hosted_create(codec, max_frame, max_depth, max_pending, max_open) -> connection */
PY_BUILTIN(hosted_create) {
  (void)self;
  uint64_t numbers[5];
  if (!py_counted(count, 5, 5, "hosted_create")) return NULL;
  aimrt_rpc_error_t error = 0;
  for (Py_ssize_t i = 0; i < 5; i++) {
    if (!get_number(arguments[i], &numbers[i])) return NULL;
    if (numbers[i] <= UINT32_MAX) continue;
    aimrt_rpc_result_t refused = front_fail(&error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "hosted_create: argument %zu is %llu, at most %u is possible",
                                            (size_t)i, (unsigned long long)numbers[i], UINT32_MAX);
    return py_raise(refused, error);
  }
  aimrt_rpc_connection_hosted_options_t options = AIMRT_RPC_CONNECTION_HOSTED_OPTIONS_INIT;
  options.codec = (uint32_t)numbers[0];
  options.max_frame_size = (uint32_t)numbers[1];
  options.max_depth = (uint32_t)numbers[2];
  options.max_pending_count = (uint32_t)numbers[3];
  options.max_open_count = (uint32_t)numbers[4];
  aimrt_rpc_connection_t connection = 0;
  aimrt_rpc_result_t result = aimrt_rpc_connection_create_hosted(&options, &connection, &error);
  return result == AIMRT_RPC_RESULT_OK ? py.uint_new(connection) : py_raise(result, error);
}

/* A content: bytes, or the UTF-8 of a str, which is there without a copy when it is ASCII. */
static uint8_t get_content(PyObject *object, uint8_t text, aimrt_rpc_bytes_t *out) {
  if (!text) return get_bytes(object, out);
  Py_ssize_t size = 0;
  const char *data = py.text_view(object, &size);
  *out = (aimrt_rpc_bytes_t){(const uint8_t *)data, (size_t)size};
  return data != NULL;
}

static PyObject *new_content(aimrt_rpc_bytes_t bytes, uint8_t text) {
  return text ? py.text_new(bytes.size == 0 ? "" : (const char *)bytes.data, (Py_ssize_t)bytes.size) : new_bytes(bytes);
}

/* The one object of a frame's parts. */
static PyObject *new_frame(const front_frame_parts *parts) {
  PyObject *frame = py.bytes_new(NULL, (Py_ssize_t)(parts->part[0].size + parts->part[1].size + parts->part[2].size));
  char *data = NULL;
  Py_ssize_t size = 0;
  if (frame == NULL || py.bytes_view(frame, &data, &size) != 0) return frame;
  for (size_t i = 0; i < 3; i++) {
    if (parts->part[i].size != 0) memcpy(data, parts->part[i].data, parts->part[i].size);
    data += parts->part[i].size;
  }
  return frame;
}

/* Appends the events to a list; the text of a failure goes to *failure instead. 0 with an exception set when memory is out. */
static uint8_t append_events(PyObject *list, const aimrt_rpc_connection_event_t *events, size_t count, uint8_t text,
                             PyObject **failure) {
  for (size_t i = 0; i < count; i++) {
    const aimrt_rpc_connection_event_t *event = &events[i];
    if (event->kind == AIMRT_RPC_CONNECTION_EVENT_FAILED) {
      *failure = py.text_new((const char *)event->content.data, (Py_ssize_t)event->content.size);
      return *failure != NULL;
    }
    PyObject *items[3] = {py.uint_new(event->kind), py.uint_new(event->number), new_content(event->content, text)};
    PyObject *item = new_tuple(items, 3);
    if (item == NULL) return 0;
    int failed = py.list_append(list, item);
    py.decref(item);
    if (failed != 0) return 0;
  }
  return 1;
}

/* Feeds all, batch by batch. */
static uint8_t feed_all(uint64_t connection, aimrt_rpc_bytes_t data, uint8_t text, PyObject *list, PyObject **failure) {
  aimrt_rpc_connection_event_t events[FEED_BATCH];
  size_t got = FEED_BATCH;
  while (got == FEED_BATCH && *failure == NULL) {
    aimrt_rpc_error_t error = 0;
    void *state = leave_for(data.size);
    aimrt_rpc_result_t result = front_connection_feed_in_place(connection, data, events, FEED_BATCH, &got, &error);
    come_back(state);
    if (result != AIMRT_RPC_RESULT_OK) {
      (void)py_raise(result, error);
      return 0;
    }
    if (!append_events(list, events, got, text, failure)) return 0;
    data = (aimrt_rpc_bytes_t){NULL, 0};
  }
  return 1;
}

/* What the library sends by itself; NULL with an exception set. */
static PyObject *take_output(uint64_t connection) {
  aimrt_rpc_bytes_t output;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = aimrt_rpc_connection_take_output(connection, &output, &error);
  return result == AIMRT_RPC_RESULT_OK ? new_bytes(output) : py_raise(result, error);
}

static PyObject *feed(PyObject *const *arguments, Py_ssize_t count, const char *name, uint8_t text) {
  uint64_t connection = 0;
  aimrt_rpc_bytes_t data;
  if (!get_connection(arguments, count, 2, name, &connection) || !get_bytes(arguments[1], &data)) return NULL;
  PyObject *list = py.list_new(0), *failure = NULL;
  if (list == NULL) return NULL;
  if (!feed_all(connection, data, text, list, &failure)) {
    py.decref(list);
    return NULL;
  }
  PyObject *items[3] = {list, take_output(connection), failure != NULL ? failure : new_none()};
  return new_tuple(items, 3);
}

/* hosted_feed(connection, data) -> ([(kind, number, content)], output, failure or None) */
PY_BUILTIN(hosted_feed) {
  (void)self;
  return feed(arguments, count, "hosted_feed", 0);
}

/* The same with contents as str. */
PY_BUILTIN(hosted_feed_text) {
  (void)self;
  return feed(arguments, count, "hosted_feed_text", 1);
}

static PyObject *request(PyObject *const *arguments, Py_ssize_t count, const char *name, uint8_t text) {
  uint64_t connection = 0, number = 0;
  aimrt_rpc_bytes_t content;
  if (!get_connection(arguments, count, 2, name, &connection) || !get_content(arguments[1], text, &content)) return NULL;
  aimrt_rpc_error_t error = 0;
  front_frame_parts parts;
  void *state = leave_for(content.size);
  aimrt_rpc_result_t result = front_connection_request_parts(connection, content, &number, &parts, &error);
  come_back(state);
  if (result != AIMRT_RPC_RESULT_OK) return py_raise(result, error);
  PyObject *items[2] = {py.uint_new(number), new_frame(&parts)};
  return new_tuple(items, 2);
}

/* hosted_request(connection, content) -> (number, frame) */
PY_BUILTIN(hosted_request) {
  (void)self;
  return request(arguments, count, "hosted_request", 0);
}

/* The same with the content as str. */
PY_BUILTIN(hosted_request_text) {
  (void)self;
  return request(arguments, count, "hosted_request_text", 1);
}

static PyObject *reply(PyObject *const *arguments, Py_ssize_t count, const char *name, uint8_t text) {
  uint64_t connection = 0, number = 0, kind = 0;
  aimrt_rpc_bytes_t content;
  if (!get_connection(arguments, count, 4, name, &connection) || !get_number(arguments[1], &number) ||
      !get_number(arguments[2], &kind) || !get_content(arguments[3], text, &content))
    return NULL;
  aimrt_rpc_error_t error = 0;
  front_frame_parts parts;
  void *state = leave_for(content.size);
  aimrt_rpc_result_t result = front_connection_reply_parts(connection, number, (uint32_t)kind, content, &parts, &error);
  come_back(state);
  return result == AIMRT_RPC_RESULT_OK ? new_frame(&parts) : py_raise(result, error);
}

/* hosted_reply(connection, number, kind, content) -> frame */
PY_BUILTIN(hosted_reply) {
  (void)self;
  return reply(arguments, count, "hosted_reply", 0);
}

/* The same with the content as str. */
PY_BUILTIN(hosted_reply_text) {
  (void)self;
  return reply(arguments, count, "hosted_reply_text", 1);
}

/* hosted_frame(connection, payload) -> frame */
PY_BUILTIN(hosted_frame) {
  (void)self;
  uint64_t connection = 0;
  aimrt_rpc_bytes_t payload, frame;
  if (!get_connection(arguments, count, 2, "hosted_frame", &connection) || !get_bytes(arguments[1], &payload)) return NULL;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = aimrt_rpc_connection_frame(connection, payload, &frame, &error);
  return result == AIMRT_RPC_RESULT_OK ? new_bytes(frame) : py_raise(result, error);
}

/* True or False for OK or NOT_FOUND, else raises. */
static PyObject *found(aimrt_rpc_result_t result, aimrt_rpc_error_t error) {
  if (result != AIMRT_RPC_RESULT_OK && result != AIMRT_RPC_RESULT_NOT_FOUND) return py_raise(result, error);
  aimrt_rpc_error_free(error);
  return py.bool_new(result == AIMRT_RPC_RESULT_OK);
}

/* hosted_forget(connection, number) -> False when it had its reply or was given up */
PY_BUILTIN(hosted_forget) {
  (void)self;
  uint64_t connection = 0, number = 0;
  if (!get_connection(arguments, count, 2, "hosted_forget", &connection) || !get_number(arguments[1], &number)) return NULL;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = aimrt_rpc_connection_forget(connection, number, &error);
  return found(result, error);
}

/* hosted_drop(connection, number) -> False when it was answered or dropped */
PY_BUILTIN(hosted_drop) {
  (void)self;
  uint64_t connection = 0, number = 0;
  if (!get_connection(arguments, count, 2, "hosted_drop", &connection) || !get_number(arguments[1], &number)) return NULL;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = aimrt_rpc_connection_drop(connection, number, &error);
  return found(result, error);
}

/* hosted_end_of_input(connection) -> bytes of a frame that will never be complete */
PY_BUILTIN(hosted_end_of_input) {
  (void)self;
  uint64_t connection = 0, left = 0;
  if (!get_connection(arguments, count, 1, "hosted_end_of_input", &connection)) return NULL;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = aimrt_rpc_connection_end_of_input(connection, &left, &error);
  return result == AIMRT_RPC_RESULT_OK ? py.uint_new(left) : py_raise(result, error);
}

/* hosted_counts(connection) -> (pending, open) */
PY_BUILTIN(hosted_counts) {
  (void)self;
  uint64_t connection = 0;
  if (!get_connection(arguments, count, 1, "hosted_counts", &connection)) return NULL;
  PyObject *items[2] = {py.uint_new(aimrt_rpc_connection_pending_count(connection)), py.uint_new(aimrt_rpc_connection_open_count(connection))};
  return new_tuple(items, 2);
}

PY_BUILTIN(hosted_release) {
  (void)self;
  uint64_t connection = 0;
  if (!get_connection(arguments, count, 1, "hosted_release", &connection)) return NULL;
  aimrt_rpc_connection_release(connection);
  return new_none();
}
