/*
 * pybridge.h - what the files of the CPython bridge share: the table of CPython's functions and the values that cross.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef AIMRT_RPC_CAPI_PYBRIDGE_H_
#define AIMRT_RPC_CAPI_PYBRIDGE_H_

#include "front.h"

typedef struct PyObject PyObject; /* opaque: only CPython looks inside */
typedef ptrdiff_t Py_ssize_t;

/* PyMethodDef of the stable ABI; static storage. */
typedef struct py_method_def {
  const char *name;
  void *function;
  int flags;
  const char *doc;
} py_method_def;

#define PY_METH_FASTCALL 0x80 /* function(self, PyObject *const *arguments, Py_ssize_t count) */

/* The table handed in: FUNCTIONS of _bridge.py in order, then None and the function that raises. */
typedef struct py_table {
  PyObject *(*bytes_new)(const char *, Py_ssize_t);
  int (*bytes_view)(PyObject *, char **, Py_ssize_t *);
  PyObject *(*call)(PyObject *, ...);
  void (*incref)(PyObject *);
  void (*decref)(PyObject *);
  PyObject *(*int_new)(long long);
  PyObject *(*uint_new)(unsigned long long);
  unsigned long long (*uint_get)(PyObject *);
  void *(*save_thread)(void);
  void (*restore_thread)(void *);
  int (*lock_held)(void);
  int (*state_ensure)(void);
  void *(*state_of_thread)(void);
  void (*state_clear)(void *);
  void (*state_delete_current)(void);
  PyObject *(*function_new)(py_method_def *, PyObject *, PyObject *);
  PyObject *(*dict_new)(void);
  int (*dict_set)(PyObject *, const char *, PyObject *);
  PyObject *(*error_occurred)(void);
  void (*error_write)(PyObject *);
  PyObject *(*tuple_new)(Py_ssize_t);
  int (*tuple_set)(PyObject *, Py_ssize_t, PyObject *);
  PyObject *(*tuple_get)(PyObject *, Py_ssize_t);
  Py_ssize_t (*tuple_size)(PyObject *);
  PyObject *(*list_new)(Py_ssize_t);
  int (*list_append)(PyObject *, PyObject *);
  PyObject *(*text_new)(const char *, Py_ssize_t);
  const char *(*text_view)(PyObject *, Py_ssize_t *);
  PyObject *(*text_intern)(const char *);
  PyObject *(*bool_new)(long);
  PyObject *none;
  PyObject *fail; /* fail(result, message, details) raises */
} py_table;

FRONT_HIDDEN extern py_table py;

/* Raises what fits a failed function and frees its error object. Returns NULL, as a built-in must. */
FRONT_HIDDEN PyObject *py_raise(aimrt_rpc_result_t result, aimrt_rpc_error_t error);
/* Refuses a wrong count of arguments; the package's own code is the only caller. */
FRONT_HIDDEN uint8_t py_counted(Py_ssize_t got, Py_ssize_t least, Py_ssize_t most, const char *name);

static inline PyObject *new_none(void) {
  py.incref(py.none);
  return py.none;
}

/* 0 with an exception set when the object is no unsigned integer of 64 bits. */
static inline uint8_t get_number(PyObject *object, uint64_t *out) {
  *out = py.uint_get(object);
  return *out != UINT64_MAX || py.error_occurred() == NULL;
}

static inline uint8_t get_bytes(PyObject *object, aimrt_rpc_bytes_t *out) {
  char *data = NULL;
  Py_ssize_t size = 0;
  if (py.bytes_view(object, &data, &size) != 0) return 0;
  *out = (aimrt_rpc_bytes_t){(const uint8_t *)data, (size_t)size};
  return 1;
}

static inline PyObject *new_bytes(aimrt_rpc_bytes_t bytes) {
  return py.bytes_new(bytes.size == 0 ? "" : (const char *)bytes.data, (Py_ssize_t)bytes.size);
}

/* A tuple that takes the items over; NULL (and the items dropped) when one of them is NULL. */
static inline PyObject *new_tuple(PyObject *const *items, Py_ssize_t count) {
  PyObject *tuple = py.tuple_new(count);
  uint8_t complete = tuple != NULL;
  for (Py_ssize_t i = 0; i < count; i++) {
    if (items[i] == NULL) complete = 0;
    else if (tuple == NULL) py.decref(items[i]);
    else (void)py.tuple_set(tuple, i, items[i]);
  }
  if (!complete && tuple != NULL) {
    py.decref(tuple);
    tuple = NULL;
  }
  return tuple;
}

/* ---- Host-driven connections (pybridge_connection.c) --------------------------------------------------------------------- */

#define PY_BUILTIN(name) FRONT_HIDDEN PyObject *bridge_##name(PyObject *self, PyObject *const *arguments, Py_ssize_t count)

PY_BUILTIN(hosted_create);
PY_BUILTIN(hosted_feed);
PY_BUILTIN(hosted_feed_text);
PY_BUILTIN(hosted_request);
PY_BUILTIN(hosted_request_text);
PY_BUILTIN(hosted_reply);
PY_BUILTIN(hosted_reply_text);
PY_BUILTIN(hosted_frame);
PY_BUILTIN(hosted_forget);
PY_BUILTIN(hosted_drop);
PY_BUILTIN(hosted_end_of_input);
PY_BUILTIN(hosted_counts);
PY_BUILTIN(hosted_release);

#endif /* AIMRT_RPC_CAPI_PYBRIDGE_H_ */
