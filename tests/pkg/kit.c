/* SPDX-License-Identifier: Apache-2.0 */
#include "kit.h"

#include <inttypes.h>
#include <stdatomic.h>

int kit_passed;
int kit_failed;

void kit_check(bool good, const char *text, const char *file, int line) {
  if (good) {
    kit_passed++;
    return;
  }
  kit_failed++;
  printf("FAILED %s:%d: %s\n", file, line, text);
  fflush(stdout);
}

bool kit_is(sv got, const char *want) { return got.size == strlen(want) && memcmp(got.at, want, got.size) == 0; }
sv kit_text(const char *text) { return (sv){text, strlen(text)}; }

/* ---- Messages ----------------------------------------------------------------------------------------------------------- */

_Atomic int kit_encoded;
_Atomic int kit_decoded;

void kit_fill(message *m, int64_t number, size_t size) {
  free(m->bytes);
  *m = (message){.number = number, .size = size, .bytes = size == 0 ? NULL : malloc(size)};
  for (size_t i = 0; i < size; i++) m->bytes[i] = (char)('a' + i % 23);
}

void kit_clear(message *m) {
  free(m->bytes);
  *m = (message){0};
}

static sv type_name(void *self) {
  (void)self;
  return TEXT("pb:test.Probe");
}
static void *type_create(void *self) {
  (void)self;
  return calloc(1, sizeof(message));
}
static void type_destroy(void *self, void *m) {
  (void)self;
  kit_clear(m);
  free(m);
}
static void type_copy(void *self, const void *from, void *to) {
  (void)self;
  const message *f = from;
  kit_fill(to, f->number, 0);
  message *t = to;
  t->size = f->size;
  t->bytes = f->size == 0 ? NULL : malloc(f->size);
  if (f->size != 0) memcpy(t->bytes, f->bytes, f->size);
}
static void type_move(void *self, void *from, void *to) {
  (void)self;
  message *f = from;
  kit_clear(to);
  *(message *)to = *f;
  *f = (message){0};
}

/* Writes bytes in pieces of 64, 128, 256 ... */
static bool emit(const piece_maker *maker, pieces *out, const char *bytes, size_t size, bool lower) {
  for (size_t room = 64; size != 0; room *= 2) {
    size_t part = size < room ? size : room;
    piece p = maker->allocate(maker->self, out, lower ? 2 * part : room);
    if (p.at == NULL) return false;
    memcpy(p.at, bytes, part);
    out->at[out->size - 1].size = part;
    bytes += part;
    size -= part;
  }
  return true;
}

static bool type_serialize(void *self, sv how, const void *msg, const piece_maker *maker, pieces *out) {
  (void)self;
  const message *m = msg;
  kit_encoded++;
  if (m->number == 0 && m->size == 0 && kit_is(how, "pb")) return true; /* an empty message: no piece at all */
  char head[32];
  size_t head_size = 8;
  if (kit_is(how, "json"))
    head_size = (size_t)snprintf(head, sizeof head, "%" PRId64 ":", m->number);
  else if (kit_is(how, "pb"))
    memcpy(head, &m->number, 8);
  else
    return false;
  char *all = malloc(head_size + m->size);
  memcpy(all, head, head_size);
  if (m->size != 0) memcpy(all + head_size, m->bytes, m->size);
  bool good = emit(maker, out, all, head_size + m->size, m->lower);
  free(all);
  return good;
}

static bool type_deserialize(void *self, sv how, piece_list in, void *msg) {
  (void)self;
  kit_decoded++;
  size_t size = 0;
  for (size_t i = 0; i < in.size; i++) size += in.at[i].size;
  char *all = malloc(size + 1);
  size = 0;
  for (size_t i = 0; i < in.size; i++) {
    memcpy(all + size, in.at[i].at, in.at[i].size);
    size += in.at[i].size;
  }
  all[size] = 0;
  message *m = msg;
  kit_clear(m);
  size_t head = 8;
  bool good = kit_is(how, "pb") ? size == 0 || size >= 8 : kit_is(how, "json") && strchr(all, ':') != NULL;
  if (good && kit_is(how, "json")) {
    m->number = strtoll(all, NULL, 10);
    head = (size_t)(strchr(all, ':') - all) + 1;
  } else if (good && size >= 8) {
    memcpy(&m->number, all, 8);
  }
  if (good && size > head) {
    m->size = size - head;
    m->bytes = malloc(m->size);
    memcpy(m->bytes, all + head, m->size);
  }
  free(all);
  return good;
}

static size_t type_count(void *self) {
  (void)self;
  return 2;
}
static const sv *type_list(void *self) {
  (void)self;
  static const sv list[] = {{"pb", 2}, {"json", 4}};
  return list;
}
static const void *type_custom(void *self) { return self; }

static bool broken_serialize(void *self, sv how, const void *msg, const piece_maker *maker, pieces *out) {
  (void)self;
  (void)how;
  (void)msg;
  (void)maker->allocate(maker->self, out, 100); /* what a failure leaves behind is the caller's to throw away */
  return false;
}

const message_type kit_type = {type_name,      type_create,      type_destroy, type_copy, type_move,   type_serialize,
                               type_deserialize, type_count, type_list, type_custom, NULL};
const message_type kit_broken = {type_name,      type_create,      type_destroy, type_copy, type_move,   broken_serialize,
                                 type_deserialize, type_count, type_list, type_custom, NULL};

/* ---- Contexts ----------------------------------------------------------------------------------------------------------- */

static bool context_used(void *self) { return ((context *)self)->used; }
static void context_use(void *self) { ((context *)self)->used = true; }
static int32_t context_type(void *self) { return ((context *)self)->type; }
static uint64_t context_timeout(void *self) { return ((context *)self)->timeout; }
static void context_set_timeout(void *self, uint64_t timeout) { ((context *)self)->timeout = timeout; }

static int find(const context *c, sv key) {
  int i = 0;
  while (i < c->count && !kit_is(key, c->keys[i])) i++;
  return i;
}

static sv context_get(void *self, sv key) {
  context *c = self;
  int i = find(c, key);
  return i == c->count ? (sv){NULL, 0} : kit_text(c->values[i]);
}

static void context_set(void *self, sv key, sv value) {
  context *c = self;
  int i = find(c, key);
  if (i == KIT_PAIRS || key.size >= sizeof c->keys[0] || value.size >= KIT_TEXT) abort();
  if (i == c->count) c->count++;
  memset(c->keys[i], 0, sizeof c->keys[i]);
  memset(c->values[i], 0, sizeof c->values[i]);
  memcpy(c->keys[i], key.at, key.size);
  if (value.size != 0) memcpy(c->values[i], value.at, value.size);
}

static sv_list context_keys(void *self) {
  context *c = self;
  for (int i = 0; i < c->count; i++) c->list[i] = kit_text(c->keys[i]);
  return (sv_list){c->list, (size_t)c->count};
}

static sv_list context_pairs(void *self) {
  context *c = self;
  for (int i = 0; i < c->count; i++) {
    c->list[2 * i] = kit_text(c->keys[i]);
    c->list[2 * i + 1] = kit_text(c->values[i]);
  }
  return (sv_list){c->list, 2 * (size_t)c->count};
}

static const context_kind kit_context_kind = {context_used, context_use, context_type, context_timeout, context_set_timeout,
                                              context_get,  context_set, context_keys, context_pairs};

void kit_context(context *c) {
  memset(c, 0, sizeof *c);
  c->base = (rpc_context){&kit_context_kind, c};
}
void kit_set(context *c, const char *key, const char *value) { context_set(c, kit_text(key), kit_text(value)); }
const char *kit_get(const context *c, const char *key) {
  int i = find(c, kit_text(key));
  return i == c->count ? "" : c->values[i];
}

/* ---- Closures ----------------------------------------------------------------------------------------------------------- */

void kit_outcome(outcome *o) {
  memset(o, 0, sizeof *o);
  pthread_mutex_init(&o->lock, NULL);
  pthread_cond_init(&o->changed, NULL);
}

static void note(outcome *o, uint32_t status) {
  pthread_mutex_lock(&o->lock);
  o->times++;
  o->status = status;
  o->thread = pthread_self();
  pthread_cond_broadcast(&o->changed);
  pthread_mutex_unlock(&o->lock);
}
static void note_end(outcome *o) {
  pthread_mutex_lock(&o->lock);
  o->ended++;
  pthread_cond_broadcast(&o->changed);
  pthread_mutex_unlock(&o->lock);
}

/* State of an inline closure: it knows its own address, which a copy by memcpy would betray. */
typedef struct inline_state {
  outcome *o;
  void *self;
} inline_state;

static void inline_call(void *object, uint32_t status) {
  inline_state *s = object;
  if (s->self != object) abort();
  note(s->o, status);
}
static void inline_move(void *from, void *to) {
  inline_state *f = from;
  if (f->self != from) abort();
  inline_state *t = to;
  *t = (inline_state){f->o, to};
  f->self = NULL;
}
static void inline_end(void *object) {
  inline_state *s = object;
  if (s->self != object) abort();
  s->self = NULL;
  note_end(s->o);
}
static const done_kind inline_kind = {inline_call, inline_move, inline_end};

/* A large closure lives on the heap. */
typedef struct large_state {
  outcome *o;
  char filler[100];
} large_state;

static void large_call(void *object, uint32_t status) { note((*(large_state **)object)->o, status); }
static void large_move(void *from, void *to) {
  *(large_state **)to = *(large_state **)from;
  *(large_state **)from = NULL;
}
static void large_end(void *object) {
  outcome *o = (*(large_state **)object)->o;
  free(*(large_state **)object);
  note_end(o);
}
static const done_kind large_kind = {large_call, large_move, large_end};

closure kit_done(outcome *o, bool large) {
  closure c = {.kind = large ? &large_kind : &inline_kind};
  if (large) {
    large_state *s = calloc(1, sizeof *s);
    s->o = o;
    memcpy(c.state, &s, sizeof s);
  } else {
    memcpy(c.state, &(inline_state){o, NULL}, sizeof(inline_state));
  }
  return c;
}

/* An inline closure is given its address where it stands. */
static void settle(closure *c) {
  if (c->kind == &inline_kind) ((inline_state *)(void *)c->state)->self = c->state;
}

uint32_t kit_wait(outcome *o) {
  pthread_mutex_lock(&o->lock);
  while (o->times == 0 || o->ended == 0) pthread_cond_wait(&o->changed, &o->lock);
  uint32_t status = o->status;
  pthread_mutex_unlock(&o->lock);
  return status;
}

uint32_t kit_call(const rpc *r, const char *name, context *c, const message *request, message *response) {
  static _Atomic uint32_t turn;
  outcome o;
  kit_outcome(&o);
  closure done = kit_done(&o, turn++ % 2 == 1);
  settle(&done);
  r->invoke(r->self, kit_text(name), c == NULL ? NULL : &c->base, request, response, &done);
  if (done.kind != NULL) ((const done_kind *)done.kind)->end(done.state); /* not taken over: told before invoke returned */
  uint32_t status = kit_wait(&o);
  CHECK(o.times == 1 && o.ended == 1);
  return status;
}

/* ---- Tasks -------------------------------------------------------------------------------------------------------------- */

typedef struct task_state {
  void (*fn)(void *arg);
  void *arg;
} task_state;

static void task_call(void *object) { ((task_state *)object)->fn(((task_state *)object)->arg); }
static void task_move(void *from, void *to) { memcpy(to, from, sizeof(task_state)); }
static void task_end(void *object) { memset(object, 0, sizeof(task_state)); }
static const task_kind kit_task_kind = {task_call, task_move, task_end};

closure kit_task(void (*fn)(void *arg), void *arg) {
  closure c = {.kind = &kit_task_kind};
  memcpy(c.state, &(task_state){fn, arg}, sizeof(task_state));
  return c;
}
