/*
 * compat_types.c - a type support written for AimRT as one of ours.
 *
 * Its serializer asks for buffers and may lower the size of one it got; ours appends to a writer. The buffers are places in the writer,
 * so that nothing is copied as long as only the last one was lowered, which is what protobuf does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "compat.h"

#include <stdlib.h>

_Static_assert(sizeof(aimrt_buffer_t) == sizeof(aimrt_buffer_view_t), "an array of buffers is also an array of views");

/* Most messages need few buffers, because each is twice as large as the one before. */
#define INLINE_BUFFERS 24u

/* What the allocator works on. sizes are those the serializer asked for. */
typedef struct collector {
  aimrt_rpc_writer_t *writer;
  size_t *sizes;
  aimrt_buffer_t inline_buffers[INLINE_BUFFERS];
  size_t inline_sizes[INLINE_BUFFERS];
} collector;

static bool reserve(void *impl, aimrt_buffer_array_t *array, size_t new_cap) {
  collector *c = impl;
  if (new_cap <= array->capacity) return true;
  if (new_cap > SIZE_MAX / 2 / sizeof *array->data) return false;
  bool own = array->data != NULL && array->data != c->inline_buffers;
  aimrt_buffer_t *data = realloc(own ? array->data : NULL, new_cap * sizeof *data);
  if (data == NULL) return false;
  if (!own && array->len != 0) memcpy(data, array->data, array->len * sizeof *data);
  array->data = data;
  own = c->sizes != c->inline_sizes;
  size_t *sizes = realloc(own ? c->sizes : NULL, new_cap * sizeof *sizes);
  if (sizes == NULL) return false; /* the capacity stays as it was */
  if (!own) memcpy(sizes, c->inline_sizes, array->len * sizeof *sizes);
  c->sizes = sizes;
  array->capacity = new_cap;
  return true;
}

static aimrt_buffer_t allocate(void *impl, aimrt_buffer_array_t *array, size_t size) {
  collector *c = impl;
  aimrt_buffer_t none = {NULL, 0};
  if (array->len == array->capacity && !reserve(impl, array, array->capacity == 0 ? 2 : array->capacity * 2)) return none;
  uint8_t *place = aimrt_rpc_writer_append(c->writer, size);
  if (place == NULL) return none;
  c->sizes[array->len] = size;
  array->data[array->len] = (aimrt_buffer_t){place, size};
  return array->data[array->len++];
}

static void release(void *impl, aimrt_buffer_array_t *array) {
  collector *c = impl;
  if (array->data != c->inline_buffers) free(array->data);
  if (c->sizes != c->inline_sizes) free(c->sizes);
  c->sizes = c->inline_sizes;
  *array = (aimrt_buffer_array_t){NULL, 0, 0};
}

/* Puts the pieces together anew when one before the last was lowered. */
static bool compact(collector *c, const aimrt_buffer_array_t *array) {
  size_t total = 0;
  for (size_t i = 0; i < array->len; i++) total += array->data[i].len;
  uint8_t *joined = malloc(total == 0 ? 1 : total);
  if (joined == NULL) return false;
  size_t size = 0;
  for (size_t i = 0; i < array->len; i++) {
    if (array->data[i].len == 0) continue;
    memcpy(joined + size, array->data[i].data, array->data[i].len);
    size += array->data[i].len;
  }
  front_writer_reset(c->writer);
  uint8_t *place = aimrt_rpc_writer_append(c->writer, total);
  if (place != NULL && total != 0) memcpy(place, joined, total);
  free(joined);
  return place != NULL;
}

static uint8_t serialize(void *user_data, aimrt_rpc_str_t serialization, const void *message, aimrt_rpc_writer_t *writer) {
  const aimrt_type_support_base_t *theirs = user_data;
  collector c;
  c.writer = writer;
  c.sizes = c.inline_sizes;
  aimrt_buffer_array_allocator_t allocator = {reserve, allocate, release, &c};
  aimrt_buffer_array_t array = {c.inline_buffers, 0, INLINE_BUFFERS};
  bool good = theirs->serialize(theirs->impl, compat_view(serialization), message, &allocator, &array);
  if (good && array.len != 0) {
    bool lowered = false;
    for (size_t i = 0; i + 1 < array.len && !lowered; i++) lowered = array.data[i].len != c.sizes[i];
    size_t last = array.len - 1;
    if (lowered)
      good = compact(&c, &array);
    else if (array.data[last].len < c.sizes[last])
      aimrt_rpc_writer_trim(writer, c.sizes[last] - array.data[last].len);
  }
  release(&c, &array);
  return good ? 1 : 0;
}

static uint8_t deserialize(void *user_data, aimrt_rpc_str_t serialization, aimrt_rpc_bytes_t bytes, void *message) {
  const aimrt_type_support_base_t *theirs = user_data;
  aimrt_buffer_view_t one = {bytes.data, bytes.size};
  aimrt_buffer_array_view_t all = {&one, bytes.size == 0 ? 0 : 1};
  return theirs->deserialize(theirs->impl, compat_view(serialization), all, message) ? 1 : 0;
}

static void *create(void *user_data) {
  const aimrt_type_support_base_t *theirs = user_data;
  return theirs->create(theirs->impl);
}

static void destroy(void *user_data, void *message) {
  const aimrt_type_support_base_t *theirs = user_data;
  theirs->destroy(theirs->impl, message);
}

static uint8_t copy(void *user_data, const void *from, void *to) {
  const aimrt_type_support_base_t *theirs = user_data;
  theirs->copy(theirs->impl, from, to);
  return 1;
}

static uint8_t move(void *user_data, void *from, void *to) {
  const aimrt_type_support_base_t *theirs = user_data;
  theirs->move(theirs->impl, from, to);
  return 1;
}

void compat_type_init(aimrt_rpc_type_support_t *ours, const aimrt_type_support_base_t *theirs) {
  *ours = (aimrt_rpc_type_support_t){
      .struct_size = (uint32_t)sizeof *ours,
      .name = compat_text(theirs->type_name(theirs->impl)),
      .create = create,
      .destroy = destroy,
      .copy = copy,
      .move = move,
      .serialize = serialize,
      .deserialize = deserialize,
      .serializations = (const aimrt_rpc_str_t *)(const void *)theirs->serialization_types_supported_list(theirs->impl),
      .serialization_count = theirs->serialization_types_supported_num(theirs->impl),
      .user_data = (void *)(uintptr_t)theirs,
  };
}
