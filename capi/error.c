/*
 * error.c - errors, buffers, option structs, and the texts of results and codes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "status_gen.h"

/* ---- Version and texts -------------------------------------------------------------------------------------------------- */

uint32_t aimrt_rpc_version(void) { return AIMRT_RPC_VERSION_NUMBER; }

uint32_t aimrt_rpc_abi_version(void) { return AIMRT_RPC_ABI_VERSION; }

uint8_t aimrt_rpc_is_forked(void) { return front_guards_forked() ? 1 : 0; }

const char *aimrt_rpc_result_string(aimrt_rpc_result_t result) {
  static const char *const texts[] = {
      "ok",
      "invalid handle",
      "invalid argument",
      "invalid state",
      "not found",
      "already exists",
      "limit reached",
      "timeout",
      "lost: the call had ended before",
      "configuration not usable",
      "operating system error",
      "not usable after fork(): use the spawn start method, or fork before loading the library",
      "internal fault contained",
      "unsupported",
      "deadlock: the calling thread would have to serve the call",
      "a module refused",
      "out of memory",
  };
  if (result > 0 || result <= -(aimrt_rpc_result_t)(sizeof texts / sizeof texts[0])) return "unknown result";
  return texts[-result];
}

const aimrt_rpc_str_t front_ok_text = {"OK", 2};

aimrt_rpc_str_t front_code_text(uint32_t code) {
  uint32_t low = 0;
  uint32_t high = FRONT_CODE_ROW_COUNT;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (front_code_rows[middle].code == code)
      return (aimrt_rpc_str_t){front_code_rows[middle].text, strlen(front_code_rows[middle].text)};
    if (front_code_rows[middle].code < code)
      low = middle + 1;
    else
      high = middle;
  }
  return FRONT_STR("Unknown code");
}

const char *aimrt_rpc_code_string(aimrt_rpc_code_t code) { return front_code_text(code).data; }

/* ---- Errors ------------------------------------------------------------------------------------------------------------- */

#define MAX_DETAILS 16u
#define MAX_TEXT_BYTES 16384u

typedef struct front_error {
  aimrt_rpc_result_t result;
  uint32_t detail_count;
  aimrt_rpc_str_t text;
  aimrt_rpc_pair_t details[MAX_DETAILS];
  struct front_error *next;
} front_error;

static front_lock error_lock; /* guards idle_errors; the memory of an error is kept so that a stale look finds an error */
static front_error *idle_errors;

static front_error *take_error(void) {
  front_lock_acquire(&error_lock);
  front_error *error = idle_errors;
  if (error != NULL) idle_errors = error->next;
  front_lock_release(&error_lock);
  if (error == NULL) return calloc(1, sizeof *error);
  error->detail_count = 0;
  return error;
}

static void give_error(front_error *error) {
  front_lock_acquire(&error_lock);
  error->next = idle_errors;
  idle_errors = error;
  front_lock_release(&error_lock);
}

aimrt_rpc_result_t front_error_set(aimrt_rpc_error_t *error, aimrt_rpc_result_t result, const char *text, size_t size) {
  if (error == NULL) return result;
  *error = 0;
  front_error *made = take_error();
  if (made == NULL) return result;
  made->result = result;
  made->text = front_str_copy(text, size < MAX_TEXT_BYTES ? size : MAX_TEXT_BYTES);
  *error = front_handle_new(AIMRT_RPC_KIND_ERROR, made);
  if (*error == 0) {
    free((void *)(uintptr_t)made->text.data);
    give_error(made);
  }
  return result;
}

aimrt_rpc_result_t front_fail(aimrt_rpc_error_t *error, aimrt_rpc_result_t result, const char *format, ...) {
  if (error == NULL) return result;
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  int size = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (size < 0) size = 0;
  return front_error_set(error, result, text, (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

aimrt_rpc_result_t front_fail_forked(aimrt_rpc_error_t *error) {
  /* No error object: its locks may be held by a thread that does not exist in this process. */
  if (error != NULL) *error = 0;
  return AIMRT_RPC_RESULT_FORKED;
}

void front_error_detail(aimrt_rpc_error_t error, const char *key, size_t key_size, const char *value, size_t value_size) {
  front_error *found = front_handle_find(AIMRT_RPC_KIND_ERROR, error);
  if (found == NULL || found->detail_count == MAX_DETAILS) return;
  aimrt_rpc_pair_t *pair = &found->details[found->detail_count];
  pair->key = front_str_copy(key, key_size < MAX_TEXT_BYTES ? key_size : MAX_TEXT_BYTES);
  pair->value = front_str_copy(value, value_size < MAX_TEXT_BYTES ? value_size : MAX_TEXT_BYTES);
  found->detail_count++;
}

aimrt_rpc_result_t aimrt_rpc_error_result(aimrt_rpc_error_t error) {
  if (error == 0) return AIMRT_RPC_RESULT_OK;
  if (front_guards_forked()) return AIMRT_RPC_RESULT_FORKED;
  front_error *found = front_handle_find(AIMRT_RPC_KIND_ERROR, error);
  return found == NULL ? AIMRT_RPC_RESULT_INVALID_HANDLE : found->result;
}

aimrt_rpc_str_t aimrt_rpc_error_message(aimrt_rpc_error_t error) {
  front_error *found = front_guards_forked() ? NULL : front_handle_find(AIMRT_RPC_KIND_ERROR, error);
  return found == NULL ? (aimrt_rpc_str_t){NULL, 0} : found->text;
}

aimrt_rpc_result_t aimrt_rpc_error_detail(aimrt_rpc_error_t error, uint32_t index, aimrt_rpc_pair_t *pair_out) {
  if (pair_out == NULL) return AIMRT_RPC_RESULT_INVALID_ARGUMENT;
  memset(pair_out, 0, sizeof *pair_out);
  if (front_guards_forked()) return AIMRT_RPC_RESULT_FORKED;
  front_error *found = front_handle_find(AIMRT_RPC_KIND_ERROR, error);
  if (found == NULL) return AIMRT_RPC_RESULT_INVALID_HANDLE;
  if (index >= found->detail_count) return AIMRT_RPC_RESULT_NOT_FOUND;
  *pair_out = found->details[index];
  return AIMRT_RPC_RESULT_OK;
}

void aimrt_rpc_error_free(aimrt_rpc_error_t error) {
  if (front_guards_forked()) return;
  front_error *found = front_handle_drop(AIMRT_RPC_KIND_ERROR, error);
  if (found == NULL) return;
  free((void *)(uintptr_t)found->text.data);
  found->text = (aimrt_rpc_str_t){NULL, 0};
  for (uint32_t i = 0; i < found->detail_count; i++) {
    free((void *)(uintptr_t)found->details[i].key.data);
    free((void *)(uintptr_t)found->details[i].value.data);
  }
  give_error(found);
}

/* ---- Buffers ------------------------------------------------------------------------------------------------------------ */

/* The token is mixed from the address, so that a struct the library did not fill is not freed. */
static uint64_t buffer_token(const uint8_t *data) { return (uint64_t)(uintptr_t)data ^ UINT64_C(0x61696d7274627566); }

uint8_t front_buffer_set(aimrt_rpc_buffer_t *buffer, const void *bytes, size_t size) {
  memset(buffer, 0, sizeof *buffer);
  if (size == 0) return 1;
  aimrt_rpc_str_t copy = front_str_copy(bytes, size);
  if (copy.data == NULL) return 0;
  buffer->data = (uint8_t *)(uintptr_t)copy.data;
  buffer->size = size;
  buffer->token = buffer_token(buffer->data);
  return 1;
}

void aimrt_rpc_buffer_release(aimrt_rpc_buffer_t *buffer) {
  if (buffer == NULL) return;
  if (buffer->data != NULL && buffer->token == buffer_token(buffer->data) && !front_guards_forked()) free(buffer->data);
  memset(buffer, 0, sizeof *buffer);
}

/* ---- Option structs ----------------------------------------------------------------------------------------------------- */

#define MAX_STRUCT_BYTES 65536u

aimrt_rpc_result_t front_struct_read(void *out, size_t own_size, const void *in, const char *what, aimrt_rpc_error_t *error) {
  if (in == NULL) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "%s is NULL", what);
  uint32_t size;
  memcpy(&size, in, sizeof size);
  if (size < sizeof size || size > MAX_STRUCT_BYTES)
    return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, "%s.struct_size is %u: set it with the _INIT macro", what, size);
  const uint8_t *bytes = in;
  for (size_t i = own_size; i < size; i++)
    if (bytes[i] != 0)
      return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT,
                        "%s sets a field at byte %zu that this library does not know (it knows %zu bytes)", what, i, own_size);
  memcpy(out, in, size < own_size ? size : own_size);
  uint32_t own = (uint32_t)own_size;
  memcpy(out, &own, sizeof own);
  return AIMRT_RPC_RESULT_OK;
}

#define REFUSE(...) return front_fail(error, AIMRT_RPC_RESULT_INVALID_ARGUMENT, __VA_ARGS__)

static aimrt_rpc_result_t check_type(const char *which, const aimrt_rpc_type_support_t *type, aimrt_rpc_error_t *error) {
  if (type == NULL) return AIMRT_RPC_RESULT_OK;
  if (type->struct_size < sizeof *type) REFUSE("%s.struct_size is %u, expected %zu", which, type->struct_size, sizeof *type);
  if (type->reserved != 0) REFUSE("%s.reserved is not 0", which);
  if (type->create == NULL || type->destroy == NULL || type->serialize == NULL || type->deserialize == NULL)
    REFUSE("%s lacks create, destroy, serialize or deserialize", which);
  if (type->name.size == 0 || type->name.data == NULL) REFUSE("%s.name is empty", which);
  if (type->serializations == NULL || type->serialization_count == 0) REFUSE("%s lists no serialization", which);
  return AIMRT_RPC_RESULT_OK;
}

static aimrt_rpc_result_t check_serializations(const aimrt_rpc_str_t *list, size_t count, aimrt_rpc_error_t *error) {
  if (list == NULL && count != 0) REFUSE("serializations is NULL with serialization_count %zu", count);
  for (size_t i = 0; i < count; i++)
    if (list[i].data == NULL || list[i].size == 0 || list[i].size > FRONT_MAX_SERIALIZATION_BYTES)
      REFUSE("serialization %zu has %zu bytes, expected 1 to %u", i, list[i].size, FRONT_MAX_SERIALIZATION_BYTES);
  return AIMRT_RPC_RESULT_OK;
}

static aimrt_rpc_result_t check_method(aimrt_rpc_str_t name, uint32_t shape, const aimrt_rpc_type_support_t *request,
                                       const aimrt_rpc_type_support_t *response, aimrt_rpc_error_t *error) {
  if (name.data == NULL || name.size == 0) REFUSE("name is empty, expected for example \"pb:/package.Service/Method\"");
  if (name.size > FRONT_MAX_NAME_BYTES) REFUSE("name has %zu bytes, at most %u are allowed", name.size, FRONT_MAX_NAME_BYTES);
  if (shape > AIMRT_RPC_SHAPE_BIDI_STREAM) REFUSE("shape is %u, expected AIMRT_RPC_SHAPE_UNARY", shape);
  if (shape != AIMRT_RPC_SHAPE_UNARY)
    return front_fail(error, AIMRT_RPC_RESULT_UNSUPPORTED, "shape %u of \"%.*s\": this version has unary methods only", shape,
                      (int)name.size, name.data);
  if ((request == NULL) != (response == NULL))
    REFUSE("\"%.*s\": request_type and response_type must be given both, or neither for raw bytes", (int)name.size, name.data);
  aimrt_rpc_result_t result = check_type("request_type", request, error);
  if (result == AIMRT_RPC_RESULT_OK) result = check_type("response_type", response, error);
  if (result == AIMRT_RPC_RESULT_OK && request != NULL) {
    result = check_serializations(request->serializations, request->serialization_count, error);
    if (result == AIMRT_RPC_RESULT_OK)
      result = check_serializations(response->serializations, response->serialization_count, error);
  }
  return result;
}

aimrt_rpc_result_t front_service_options_check(const aimrt_rpc_service_options_t *options, aimrt_rpc_error_t *error) {
  aimrt_rpc_result_t result =
      check_method(options->name, options->shape, options->request_type, options->response_type, error);
  if (result == AIMRT_RPC_RESULT_OK)
    result = check_serializations(options->serializations, options->serialization_count, error);
  if (result != AIMRT_RPC_RESULT_OK) return result;
  if ((options->flags & ~AIMRT_RPC_SERVICE_NON_BLOCKING) != 0) REFUSE("flags has unknown bits: 0x%x", options->flags);
  if (options->reserved != 0) REFUSE("reserved is not 0");
  if (!front_view_ok(options->descriptor.data, options->descriptor.size)) REFUSE("descriptor is NULL with a size");
  if ((options->handler == NULL) == (options->queue == 0))
    REFUSE("\"%.*s\": give either a handler or a queue", (int)options->name.size, options->name.data);
  return AIMRT_RPC_RESULT_OK;
}

aimrt_rpc_result_t front_client_options_check(const aimrt_rpc_client_options_t *options, aimrt_rpc_error_t *error) {
  aimrt_rpc_result_t result =
      check_method(options->name, options->shape, options->request_type, options->response_type, error);
  if (result == AIMRT_RPC_RESULT_OK)
    result = check_serializations(options->serializations, options->serialization_count, error);
  if (result != AIMRT_RPC_RESULT_OK) return result;
  if (options->flags != 0 || options->reserved != 0) REFUSE("flags and reserved must be 0");
  if (!front_view_ok(options->descriptor.data, options->descriptor.size)) REFUSE("descriptor is NULL with a size");
  return AIMRT_RPC_RESULT_OK;
}
