/*
 * pybridge.c - C built-ins for CPython without Python.h and without a Python symbol in the library.
 *
 * The aimrt_rpc package hands in the addresses of stable-ABI functions (order: bindings/python/src/aimrt_rpc/_bridge.py) and gets a dict of
 * functions that do what the ctypes functions of the same names in _core.py do. One interpreter per process; the interpreter lock is
 * kept across a call only when the handler is a Python function of that interpreter, and given up for everything else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "pybridge.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "futex.h"
#include "guards.h"

#define PY_TABLE_COUNT (sizeof(py_table) / sizeof(void *))
#define DRAIN_BATCH 256u
#define FINISH_MAX_DETAILS 64u
#define GATE_SHUT 0x80000000u /* the interpreter goes down: nothing may enter it any more */
#define STOP_LIMIT_NS (5 * FRONT_NANOSECONDS_PER_SECOND) /* how long the end of the interpreter waits for those inside */

py_table py;

static PyObject *text_pb, *text_json; /* interned: the same objects as the literals of the stubs */
static _Atomic uint32_t gate;         /* threads inside the interpreter, and GATE_SHUT */
static pthread_key_t thread_key;      /* value = thread state that the bridge made for a thread of somebody else */

/* ---- The interpreter lock ----------------------------------------------------------------------------------------------- */

typedef struct lock_hold {
  uint8_t taken;
} lock_hold;

/* A thread that waits for the lock of an interpreter that ends never comes back, and its calls with it. So those that come from outside are
 * counted, and the end waits for them. */
static void gate_leave(void) {
  if (atomic_fetch_sub_explicit(&gate, 1, memory_order_release) == (GATE_SHUT | 1u)) front_futex_wake_all(&gate);
}

static uint8_t gate_enter(void) {
  if ((atomic_fetch_add_explicit(&gate, 1, memory_order_acq_rel) & GATE_SHUT) == 0) return 1;
  gate_leave();
  return 0;
}

static uint8_t gate_shut(void) { return (atomic_load_explicit(&gate, memory_order_acquire) & GATE_SHUT) != 0; }

/* Takes the lock unless this thread has it. The thread state made for a foreign thread is kept for the thread's life: making one per call
 * costs 4 to 9 microseconds, keeping it 0.1. */
static uint8_t lock_take(lock_hold *hold) {
  hold->taken = 0;
  if (!gate_enter()) return 0;
  if (py.lock_held()) { /* the interpreter cannot end before this thread gives its lock up */
    gate_leave();
    return 1;
  }
  void *state = py.state_of_thread();
  if (state == NULL) {
    (void)py.state_ensure();
    (void)pthread_setspecific(thread_key, py.state_of_thread());
  } else {
    py.restore_thread(state);
  }
  hold->taken = 1;
  return 1;
}

static void lock_give(const lock_hold *hold) {
  if (!hold->taken) return;
  (void)py.save_thread();
  gate_leave();
}

/* A thread that the bridge gave a thread state ends. PyGILState_Release would not find the state any more: the thread's keys are cleared
 * in the order of their creation, and CPython's came first. */
static void thread_end(void *state) {
  if (state == NULL || !gate_enter()) return;
  py.restore_thread(state);
  py.state_clear(state);
  py.state_delete_current(); /* gives the lock up too */
  gate_leave();
}

typedef struct left_lock {
  void *state;
} left_lock;

static void leave_lock(void *data) { ((left_lock *)data)->state = py.save_thread(); }
static void enter_lock(void *data) { py.restore_thread(((left_lock *)data)->state); }

/* ---- Values ------------------------------------------------------------------------------------------------------------- */

/* A view on the UTF-8 of a str, empty for None; lives as long as the object. 0 with an exception set for anything else. */
static uint8_t get_text(PyObject *object, aimrt_rpc_str_t *out) {
  *out = (aimrt_rpc_str_t){NULL, 0};
  if (object == py.none) return 1;
  if (object == text_pb) {
    *out = (aimrt_rpc_str_t){"pb", 2};
    return 1;
  }
  Py_ssize_t size = 0;
  out->data = py.text_view(object, &size);
  out->size = out->data == NULL ? 0 : (size_t)size;
  return out->data != NULL;
}

static PyObject *new_text(aimrt_rpc_str_t text) {
  if (text.size == 2 && memcmp(text.data, "pb", 2) == 0) {
    py.incref(text_pb);
    return text_pb;
  }
  if (text.size == 4 && memcmp(text.data, "json", 4) == 0) {
    py.incref(text_json);
    return text_json;
  }
  return py.text_new(text.size == 0 ? "" : text.data, (Py_ssize_t)text.size);
}

/* A tuple of (key, value); NULL with an exception set. */
static PyObject *new_pairs(const aimrt_rpc_pair_t *pairs, size_t count) {
  PyObject *tuple = py.tuple_new((Py_ssize_t)count);
  for (size_t i = 0; tuple != NULL && i < count; i++) {
    PyObject *items[2] = {new_text(pairs[i].key), new_text(pairs[i].value)};
    PyObject *item = new_tuple(items, 2);
    if (item == NULL) {
      py.decref(tuple);
      return NULL;
    }
    (void)py.tuple_set(tuple, (Py_ssize_t)i, item);
  }
  return tuple;
}

/* What a failed call says beside its code: (message, trace, details); None for a call that ended well. */
static PyObject *new_failure(aimrt_rpc_code_t code, aimrt_rpc_str_t message, aimrt_rpc_str_t trace, const aimrt_rpc_pair_t *details,
                             size_t detail_count) {
  if (code == 0) return new_none();
  PyObject *items[3] = {new_text(message), new_text(trace), new_pairs(details, detail_count)};
  return new_tuple(items, 3);
}

PyObject *py_raise(aimrt_rpc_result_t result, aimrt_rpc_error_t error) {
  const char *standard = aimrt_rpc_result_string(result);
  aimrt_rpc_str_t message = aimrt_rpc_error_message(error);
  if (message.size == 0) message = (aimrt_rpc_str_t){standard, strlen(standard)};
  uint32_t count = 0;
  aimrt_rpc_pair_t pair;
  while (error != 0 && aimrt_rpc_error_detail(error, count, &pair) == AIMRT_RPC_RESULT_OK) count++;
  PyObject *details = py.tuple_new((Py_ssize_t)count);
  for (uint32_t i = 0; details != NULL && i < count; i++) {
    (void)aimrt_rpc_error_detail(error, i, &pair);
    PyObject *items[2] = {new_text(pair.key), new_text(pair.value)};
    PyObject *item = new_tuple(items, 2);
    (void)py.tuple_set(details, (Py_ssize_t)i, item != NULL ? item : new_none());
  }
  PyObject *number = py.int_new(result), *text = new_text(message);
  if (number != NULL && text != NULL && details != NULL) {
    PyObject *nothing = py.call(py.fail, number, text, details, NULL);
    if (nothing != NULL) py.decref(nothing);
  }
  if (number != NULL) py.decref(number);
  if (text != NULL) py.decref(text);
  if (details != NULL) py.decref(details);
  aimrt_rpc_error_free(error);
  return NULL;
}

uint8_t py_counted(Py_ssize_t got, Py_ssize_t least, Py_ssize_t most, const char *name) {
  if (got >= least && got <= most) return 1;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = front_fail(&error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "%s expects %zd to %zd arguments, got %zd", name,
                                         (ssize_t)least, (ssize_t)most, (ssize_t)got);
  (void)py_raise(result, error);
  return 0;
}

/* ---- Calls, client side ------------------------------------------------------------------------------------------------- */

/* Reads method, context, request, serialization into a call. */
static uint8_t get_call(PyObject *const *arguments, front_raw_call *call, left_lock *left) {
  memset(call, 0, sizeof(*call));
  if (!get_number(arguments[0], &call->method) || !get_number(arguments[1], &call->context) ||
      !get_bytes(arguments[2], &call->request) || !get_text(arguments[3], &call->serialization))
    return 0;
  call->lock_owner = &py;
  call->leave = leave_lock;
  call->enter = enter_lock;
  call->hook_data = left;
  return 1;
}

/* invoke(method, context, request, serialization) -> (code, response, failure or None) */
static PyObject *bridge_invoke(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  front_raw_call call;
  left_lock left = {NULL};
  if (!py_counted(count, 4, 4, "invoke") || !get_call(arguments, &call, &left)) return NULL;
  front_raw_outcome outcome;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = front_invoke_raw(&call, &outcome, &error);
  if (result != AIMRT_RPC_RESULT_OK) return py_raise(result, error);
  PyObject *items[3] = {py.int_new((long long)outcome.code), new_bytes(outcome.response),
                        new_failure(outcome.code, outcome.message, outcome.trace, outcome.details, outcome.detail_count)};
  front_call_release(outcome.call);
  return new_tuple(items, 3);
}

/* start(method, context, request, serialization, queue, tag) -> call */
static PyObject *bridge_start(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  front_raw_call call;
  left_lock left = {NULL};
  if (!py_counted(count, 6, 6, "start") || !get_call(arguments, &call, &left) || !get_number(arguments[4], &call.queue) ||
      !get_number(arguments[5], &call.tag))
    return NULL;
  aimrt_rpc_call_t handle = 0;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = front_start_raw(&call, &handle, &error);
  return result == AIMRT_RPC_RESULT_OK ? py.uint_new(handle) : py_raise(result, error);
}

/* The failure of a call that finished, from its outcome; None for other events. */
static PyObject *event_failure(const aimrt_rpc_event_t *event) {
  aimrt_rpc_outcome_t outcome = {.struct_size = (uint32_t)sizeof outcome};
  if (event->kind != AIMRT_RPC_EVENT_CALL_FINISHED || event->code == 0 ||
      aimrt_rpc_call_outcome(event->call, &outcome, NULL) != AIMRT_RPC_RESULT_OK)
    return new_none();
  return new_failure(outcome.code, outcome.message, outcome.trace, outcome.details, outcome.detail_count);
}

static PyObject *new_event(const aimrt_rpc_event_t *event) {
  aimrt_rpc_context_t context = event->kind == AIMRT_RPC_EVENT_CALL_ARRIVED ? aimrt_rpc_call_context(event->call) : 0;
  PyObject *items[8] = {py.int_new((long long)event->kind),       py.uint_new(event->tag),
                        py.uint_new(event->call),                 py.int_new((long long)event->code),
                        new_bytes(event->payload.bytes),          event_failure(event),
                        new_text(event->payload.serialization),   py.uint_new(context)};
  return new_tuple(items, 8);
}

/* drain(queue) -> [(kind, tag, call, code, payload, failure or None, serialization, context)], calls that finished are released */
static PyObject *bridge_drain(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  uint64_t queue = 0;
  if (!py_counted(count, 1, 1, "drain") || !get_number(arguments[0], &queue)) return NULL;
  aimrt_rpc_event_t events[DRAIN_BATCH];
  size_t got = 0;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = aimrt_rpc_queue_drain(queue, events, DRAIN_BATCH, &got, &error);
  if (result != AIMRT_RPC_RESULT_OK) return py_raise(result, error);
  PyObject *list = py.list_new(0);
  for (size_t i = 0; i < got; i++) { /* every event is consumed, also when memory is out */
    PyObject *event = list != NULL ? new_event(&events[i]) : NULL;
    if (events[i].kind == AIMRT_RPC_EVENT_CALL_FINISHED) aimrt_rpc_call_release(events[i].call);
    if (event == NULL && list != NULL) {
      py.decref(list);
      list = NULL;
    }
    if (event != NULL) {
      (void)py.list_append(list, event);
      py.decref(event);
    }
  }
  return list;
}

/* ---- Calls, server side ------------------------------------------------------------------------------------------------- */

/* Ends a call with a whole status. */
static aimrt_rpc_result_t finish_details(aimrt_rpc_call_t call, aimrt_rpc_status_t *status, aimrt_rpc_bytes_t response, PyObject *details,
                                         aimrt_rpc_error_t *error) {
  aimrt_rpc_pair_t pairs[FINISH_MAX_DETAILS];
  Py_ssize_t count = py.tuple_size(details);
  if (count < 0) return AIMRT_RPC_RESULT_INVALID_ARGUMENT;
  if (count > (Py_ssize_t)FINISH_MAX_DETAILS) count = FINISH_MAX_DETAILS;
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject *pair = py.tuple_get(details, i);
    if (pair == NULL || py.tuple_size(pair) != 2 || !get_text(py.tuple_get(pair, 0), &pairs[i].key) ||
        !get_text(py.tuple_get(pair, 1), &pairs[i].value))
      return AIMRT_RPC_RESULT_INVALID_ARGUMENT;
  }
  status->details = pairs;
  status->detail_count = (size_t)count;
  const aimrt_rpc_payload_t payload = {response, {NULL, 0}, NULL};
  return aimrt_rpc_call_finish(call, status, &payload, error);
}

/* Ends a call; details is a tuple of pairs or NULL. Without details, which is nearly always, no status struct is made. */
static aimrt_rpc_result_t end_call(aimrt_rpc_call_t call, aimrt_rpc_code_t code, aimrt_rpc_bytes_t response, const aimrt_rpc_str_t *texts,
                                   PyObject *details, aimrt_rpc_error_t *error) {
  if (details == NULL || py.tuple_size(details) == 0)
    return front_finish_raw(call, code, texts[0], texts[1], response, (aimrt_rpc_str_t){NULL, 0}, error);
  aimrt_rpc_status_t status = AIMRT_RPC_CALL_STATUS_INIT;
  status.code = code;
  status.message = texts[0];
  status.trace = texts[1];
  return finish_details(call, &status, response, details, error);
}

/* finish(call, code, response, message=None, trace=None, details=()) -> False when nobody waited any more */
static PyObject *bridge_finish(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  uint64_t call = 0, code = 0;
  aimrt_rpc_bytes_t response;
  aimrt_rpc_str_t texts[2] = {{NULL, 0}, {NULL, 0}};
  if (!py_counted(count, 3, 6, "finish") || !get_number(arguments[0], &call) || !get_number(arguments[1], &code) ||
      !get_bytes(arguments[2], &response))
    return NULL;
  for (Py_ssize_t i = 3; i < count && i < 5; i++)
    if (!get_text(arguments[i], &texts[i - 3])) return NULL;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = end_call(call, (aimrt_rpc_code_t)code, response, texts, count == 6 ? arguments[5] : NULL, &error);
  if (py.error_occurred() != NULL) return NULL;
  if (result == AIMRT_RPC_RESULT_LOST || result == AIMRT_RPC_RESULT_INVALID_HANDLE) {
    aimrt_rpc_error_free(error);
    return py.int_new(0);
  }
  return result == AIMRT_RPC_RESULT_OK ? py.int_new(1) : py_raise(result, error);
}

static void finish_text(aimrt_rpc_call_t call, aimrt_rpc_code_t code, const char *message) {
  aimrt_rpc_str_t none = {NULL, 0};
  (void)front_finish_raw(call, code, (aimrt_rpc_str_t){message, strlen(message)}, none, (aimrt_rpc_bytes_t){NULL, 0}, none, NULL);
}

/* Ends a call with what the adapter returned: (code, response, message or None, trace or None, details). */
static uint8_t finish_answer(aimrt_rpc_call_t call, PyObject *answer) {
  uint64_t code = 0;
  aimrt_rpc_bytes_t response;
  aimrt_rpc_str_t texts[2];
  if (py.tuple_size(answer) != 5 || !get_number(py.tuple_get(answer, 0), &code) ||
      !get_bytes(py.tuple_get(answer, 1), &response) || !get_text(py.tuple_get(answer, 2), &texts[0]) ||
      !get_text(py.tuple_get(answer, 3), &texts[1]))
    return 0;
  (void)end_call(call, (aimrt_rpc_code_t)code, response, texts, py.tuple_get(answer, 4), NULL);
  return py.error_occurred() == NULL;
}

/* Serves one call with a Python function: handler(context, request, serialization, call) -> answer. */
static void serve_python(void *user_data, aimrt_rpc_call_t call, const aimrt_rpc_request_t *request) {
  lock_hold hold;
  if (!lock_take(&hold)) {
    finish_text(call, AIMRT_RPC_CODE_SVR_NOT_READY, "the Python interpreter is going down");
    return;
  }
  PyObject *handler = user_data, *answer = NULL;
  PyObject *context = py.uint_new(aimrt_rpc_call_context(call)), *body = new_bytes(request->payload.bytes);
  PyObject *serialization = new_text(request->payload.serialization), *number = py.uint_new(call);
  if (context != NULL && body != NULL && serialization != NULL && number != NULL)
    answer = py.call(handler, context, body, serialization, number, NULL);
  if (answer == NULL || !finish_answer(call, answer)) {
    py.error_write(handler);
    finish_text(call, AIMRT_RPC_CODE_SVR_HANDLE_FAILED, "the Python adapter failed; its traceback is on the error output");
  }
  PyObject *made[5] = {context, body, serialization, number, answer};
  for (size_t i = 0; i < 5; i++)
    if (made[i] != NULL) py.decref(made[i]);
  lock_give(&hold);
}

static void release_handler(void *user_data) {
  lock_hold hold;
  if (!lock_take(&hold)) return; /* the interpreter is gone, and the object with it */
  py.decref((PyObject *)user_data);
  lock_give(&hold);
}

/* register_service(rpc_handle, name, serializations, handler, executor) -> service */
static PyObject *bridge_register_service(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  aimrt_rpc_service_options_t options = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  aimrt_rpc_str_t names[16];
  uint64_t rpc_handle = 0;
  if (!py_counted(count, 5, 5, "register_service") || !get_number(arguments[0], &rpc_handle) ||
      !get_text(arguments[1], &options.name) || !get_number(arguments[4], &options.executor))
    return NULL;
  Py_ssize_t size = py.tuple_size(arguments[2]);
  if (size < 0 || !py_counted(size, 0, 16, "serializations")) return NULL;
  for (Py_ssize_t i = 0; i < size; i++)
    if (!get_text(py.tuple_get(arguments[2], i), &names[i])) return NULL;
  options.serializations = names;
  options.serialization_count = (size_t)size;
  options.handler = serve_python;
  options.user_data = arguments[3];
  options.user_data_free = release_handler;
  py.incref(arguments[3]);
  aimrt_rpc_service_t service = 0;
  aimrt_rpc_error_t error = 0;
  void *state = py.save_thread();
  aimrt_rpc_result_t result = aimrt_rpc_handle_register_service(rpc_handle, &options, &service, &error);
  if (result == AIMRT_RPC_RESULT_OK) (void)front_service_set_lock_owner(service, &py);
  py.restore_thread(state);
  if (result == AIMRT_RPC_RESULT_OK) return py.uint_new(service);
  py.decref(arguments[3]);
  return py_raise(result, error);
}

/* ---- Contexts ----------------------------------------------------------------------------------------------------------- */

static PyObject *bridge_context_create(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  (void)arguments;
  if (!py_counted(count, 0, 0, "context_create")) return NULL;
  aimrt_rpc_context_t context = 0;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = aimrt_rpc_context_create(&context, &error);
  return result == AIMRT_RPC_RESULT_OK ? py.uint_new(context) : py_raise(result, error);
}

static PyObject *bridge_context_release(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  uint64_t context = 0;
  if (!py_counted(count, 1, 1, "context_release") || !get_number(arguments[0], &context)) return NULL;
  aimrt_rpc_context_release(context);
  return new_none();
}

static PyObject *bridge_context_reset(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  uint64_t context = 0;
  if (!py_counted(count, 1, 1, "context_reset") || !get_number(arguments[0], &context)) return NULL;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = aimrt_rpc_context_reset(context, &error);
  return result == AIMRT_RPC_RESULT_OK ? new_none() : py_raise(result, error);
}

static PyObject *bridge_context_get(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  uint64_t context = 0;
  aimrt_rpc_str_t key;
  if (!py_counted(count, 2, 2, "context_get") || !get_number(arguments[0], &context) || !get_text(arguments[1], &key)) return NULL;
  return new_text(aimrt_rpc_context_get(context, key));
}

static PyObject *bridge_context_set(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  uint64_t context = 0;
  aimrt_rpc_str_t key, value;
  if (!py_counted(count, 3, 3, "context_set") || !get_number(arguments[0], &context) || !get_text(arguments[1], &key) ||
      !get_text(arguments[2], &value))
    return NULL;
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_result_t result = aimrt_rpc_context_set(context, key, value, &error);
  return result == AIMRT_RPC_RESULT_OK ? new_none() : py_raise(result, error);
}

static PyObject *bridge_context_timeout_ns(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  uint64_t context = 0;
  if (!py_counted(count, 1, 1, "context_timeout_ns") || !get_number(arguments[0], &context)) return NULL;
  return py.uint_new(aimrt_rpc_context_timeout_ns(context));
}

static PyObject *bridge_context_set_timeout_ns(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  uint64_t context = 0, timeout_ns = 0;
  if (!py_counted(count, 2, 2, "context_set_timeout_ns") || !get_number(arguments[0], &context) ||
      !get_number(arguments[1], &timeout_ns))
    return NULL;
  aimrt_rpc_result_t result = aimrt_rpc_context_set_timeout_ns(context, timeout_ns);
  return result == AIMRT_RPC_RESULT_OK ? new_none() : py_raise(result, 0);
}

/* ---- Start and end ------------------------------------------------------------------------------------------------------ */

/* Waits, without the lock, until no thread is inside. A handler that does not return keeps the interpreter for STOP_LIMIT_NS only. */
static void wait_until_left(void) {
  if (front_guards_forked()) return; /* those inside are threads of the parent */
  void *state = py.save_thread();
  uint64_t deadline = front_add_ns(front_monotonic_ns(), STOP_LIMIT_NS);
  for (uint32_t now = atomic_load(&gate); now != GATE_SHUT; now = atomic_load(&gate))
    if (!front_futex_wait(&gate, now, deadline)) break;
  py.restore_thread(state);
}

/* stop(): from now on nothing enters the interpreter, and nobody is inside; the package calls it last at exit. */
static PyObject *bridge_stop(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
  (void)self;
  (void)arguments;
  (void)count;
  if ((atomic_fetch_or_explicit(&gate, GATE_SHUT, memory_order_acq_rel) & ~GATE_SHUT) != 0) wait_until_left();
  return new_none();
}

#define METHOD(name, doc) {#name, (void *)(uintptr_t)bridge_##name, PY_METH_FASTCALL, doc}

static py_method_def methods[] = {
    METHOD(invoke, "Calls and waits."),
    METHOD(start, "Starts a call whose end arrives in a queue."),
    METHOD(drain, "Takes up to 256 events."),
    METHOD(finish, "Ends a call being served."),
    METHOD(register_service, "Serves a raw method with a Python function."),
    METHOD(context_create, "Makes a client context."),
    METHOD(context_release, "Gives a client context back."),
    METHOD(context_reset, "Clears a context."),
    METHOD(context_get, "Gives a metadata value."),
    METHOD(context_set, "Sets a metadata value."),
    METHOD(context_timeout_ns, "Gives the timeout."),
    METHOD(context_set_timeout_ns, "Sets the timeout."),
    METHOD(hosted_create, "Makes a connection whose bytes the host moves."),
    METHOD(hosted_feed, "Takes received bytes."),
    METHOD(hosted_feed_text, "Takes received bytes; contents are texts."),
    METHOD(hosted_request, "Makes a request."),
    METHOD(hosted_request_text, "Makes a request of a text."),
    METHOD(hosted_reply, "Answers a request of the peer."),
    METHOD(hosted_reply_text, "Answers a request of the peer with a text."),
    METHOD(hosted_frame, "Puts a header in front of a payload."),
    METHOD(hosted_forget, "Gives an own request up."),
    METHOD(hosted_drop, "Closes a request of the peer without a reply."),
    METHOD(hosted_end_of_input, "Says that the peer sends nothing more."),
    METHOD(hosted_counts, "Counts the requests without a reply."),
    METHOD(hosted_release, "Gives a connection back."),
    METHOD(stop, "Keeps everything out of the interpreter from now on."),
};

AIMRT_RPC_API void *aimrt_rpc_python_bridge(const void *const *functions, uint32_t count) {
  /* Handlers of an interpreter that has ended may still be registered, so the bridge does not serve a second one. */
  if (front_guards_forked() || gate_shut() || functions == NULL || count != PY_TABLE_COUNT) return NULL;
  for (uint32_t i = 0; i < count; i++)
    if (functions[i] == NULL) return NULL;
  if (py.none == NULL && pthread_key_create(&thread_key, thread_end) != 0) return NULL;
  memcpy(&py, functions, sizeof(py));
  py.incref(py.none);
  py.incref(py.fail);
  text_pb = py.text_intern("pb");
  text_json = py.text_intern("json");
  PyObject *dict = py.dict_new();
  for (size_t i = 0; dict != NULL && i < sizeof(methods) / sizeof(methods[0]); i++) {
    PyObject *function = py.function_new(&methods[i], NULL, NULL);
    if (function == NULL || py.dict_set(dict, methods[i].name, function) != 0) {
      py.decref(dict);
      dict = NULL;
    }
    if (function != NULL) py.decref(function);
  }
  return dict;
}
