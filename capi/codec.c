/*
 * codec.c - from native messages to bytes and back, through the functions their type support gives.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "objects.h"

#include <stdlib.h>

/* ---- Writer ------------------------------------------------------------------------------------------------------------- */

/* Bytes handed out must not move, so what does not fit the buffer goes to chunks of its own and is joined at the end. */
typedef struct chunk {
  struct chunk *next;
  size_t size;
  size_t capacity;
  uint8_t data[];
} chunk;

struct aimrt_rpc_writer_t {
  front_bytes *bytes; /* its present capacity is the first chunk */
  chunk *first;
  chunk *last;
  size_t latest; /* bytes of the latest append that may be given back */
  bool failed;
};

#define CHUNK_BYTES 4096u
#define FIRST_BYTES 256u

uint8_t *aimrt_rpc_writer_append(aimrt_rpc_writer_t *writer, size_t size) {
  if (writer == NULL) return NULL;
  writer->latest = size;
  if (writer->first == NULL && writer->bytes->capacity - writer->bytes->size >= size) {
    uint8_t *place = writer->bytes->data + writer->bytes->size;
    writer->bytes->size += size;
    return place;
  }
  chunk *last = writer->last;
  if (last == NULL || last->capacity - last->size < size) {
    size_t capacity = size > CHUNK_BYTES ? size : CHUNK_BYTES;
    last = capacity > SIZE_MAX / 2 ? NULL : malloc(sizeof *last + capacity);
    if (last == NULL) {
      writer->failed = true;
      writer->latest = 0;
      return NULL;
    }
    last->next = NULL;
    last->size = 0;
    last->capacity = capacity;
    if (writer->last == NULL)
      writer->first = last;
    else
      writer->last->next = last;
    writer->last = last;
  }
  uint8_t *place = last->data + last->size;
  last->size += size;
  return place;
}

void aimrt_rpc_writer_trim(aimrt_rpc_writer_t *writer, size_t size) {
  if (writer == NULL) return;
  if (size > writer->latest) size = writer->latest;
  writer->latest -= size;
  if (writer->last != NULL)
    writer->last->size -= size;
  else
    writer->bytes->size -= size;
}

void front_writer_reset(aimrt_rpc_writer_t *writer) {
  for (chunk *c = writer->first; c != NULL;) {
    chunk *next = c->next;
    free(c);
    c = next;
  }
  writer->first = NULL;
  writer->last = NULL;
  writer->latest = 0;
  writer->bytes->size = 0;
}

/* Joins the chunks behind the buffer and frees them. */
static bool writer_close(aimrt_rpc_writer_t *writer) {
  size_t rest = 0;
  for (const chunk *c = writer->first; c != NULL; c = c->next) rest += c->size;
  bool good = !writer->failed && (rest == 0 || front_bytes_reserve(writer->bytes, rest) != NULL);
  for (chunk *c = writer->first; c != NULL;) {
    chunk *next = c->next;
    if (good) {
      memcpy(writer->bytes->data + writer->bytes->size, c->data, c->size);
      writer->bytes->size += c->size;
    }
    free(c);
    c = next;
  }
  return good;
}

bool front_encode(const aimrt_rpc_type_support_t *type, aimrt_rpc_str_t serialization, const void *message, front_bytes *bytes) {
  bytes->size = 0;
  if (front_bytes_reserve(bytes, FIRST_BYTES) == NULL) return false;
  aimrt_rpc_writer_t writer = {bytes, NULL, NULL, 0, false};
  bool good = type->serialize(type->user_data, serialization, message, &writer) != 0;
  return writer_close(&writer) && good;
}

bool front_decode(const aimrt_rpc_type_support_t *type, aimrt_rpc_str_t serialization, const void *data, size_t size,
                  void *message) {
  return type->deserialize(type->user_data, serialization, (aimrt_rpc_bytes_t){data, size}, message) != 0;
}

/* ---- Serializations of a method ----------------------------------------------------------------------------------------- */

bool front_types_init(front_types *types, const aimrt_rpc_type_support_t *request, const aimrt_rpc_type_support_t *response,
                      const aimrt_rpc_str_t *serializations, size_t count) {
  types->request = request;
  types->response = response;
  if (request != NULL) {
    serializations = request->serializations;
    count = request->serialization_count;
  }
  types->serialization_count = count;
  types->serializations = count == 0 ? NULL : calloc(count, sizeof *types->serializations);
  if (count != 0 && types->serializations == NULL) return false;
  for (size_t i = 0; i < count; i++) {
    types->serializations[i] = front_intern(serializations[i].data, serializations[i].size);
    if (types->serializations[i] == NULL) return false;
  }
  types->serialization = count == 0 ? front_intern("pb", 2) : types->serializations[0];
  return types->serialization != NULL;
}

void front_types_free(front_types *types) {
  free(types->serializations);
  memset(types, 0, sizeof *types);
}

bool front_types_accept(const front_types *types, aimrt_rpc_str_t name, char *room, aimrt_rpc_str_t *out) {
  for (size_t i = 0; i < types->serialization_count; i++) {
    if (!front_str_equal(*types->serializations[i], name)) continue;
    *out = *types->serializations[i];
    return true;
  }
  if (types->serialization_count != 0 || name.size > FRONT_MAX_SERIALIZATION_BYTES) return false;
  memcpy(room, name.data, name.size);
  *out = (aimrt_rpc_str_t){room, name.size};
  return true;
}

bool front_type_lists(const aimrt_rpc_type_support_t *type, aimrt_rpc_str_t name) {
  for (size_t i = 0; i < type->serialization_count; i++)
    if (front_str_equal(type->serializations[i], name)) return true;
  return false;
}
