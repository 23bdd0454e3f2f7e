/* Module "Server": what the probe calls.
 * SPDX-License-Identifier: Apache-2.0 */
#include "modules.h"

static const core *host;
static const rpc *calls;

static void finish(closure *callback, uint32_t status) {
  const done_kind *kind = callback->kind;
  kind->call(callback->state, status);
}

/* Takes a callback over. */
static closure keep(closure *callback) {
  closure own = {.kind = callback->kind};
  callback->kind = NULL;
  ((const done_kind *)own.kind)->move(callback->state, own.state);
  return own;
}

static void end(closure *own, uint32_t status) {
  finish(own, status);
  ((const done_kind *)own->kind)->end(own->state);
}

static void fill(const message *request, message *response) {
  kit_fill(response, request->number + 1, 0);
  response->size = request->size;
  response->bytes = request->size == 0 ? NULL : malloc(request->size);
  if (request->size != 0) memcpy(response->bytes, request->bytes, request->size);
  response->seen = request;
  response->lower = request->number == 7;
}

static void echo(const rpc_context *c, const message *request, message *response, closure *callback) {
  CHECK(c->kind->type(c->self) == 1);
  fill(request, response);
  finish(callback, 0);
}

/* Answers without any memory. */
static void quick(const rpc_context *c, const message *request, message *response, closure *callback) {
  (void)c;
  response->number = request->number + 1;
  finish(callback, 0);
}

/* What a service that answers later keeps. */
typedef struct late {
  const message *request;
  message *response;
  closure callback;
  pthread_t thread;
} late;

static pthread_t late_threads[64];
static int late_count;

static void *answer_late(void *arg) {
  late *l = arg;
  fill(l->request, l->response);
  end(&l->callback, 0);
  free(l);
  return NULL;
}

static void answer_elsewhere(const rpc_context *c, const message *request, message *response, closure *callback) {
  (void)c;
  late *l = calloc(1, sizeof *l);
  *l = (late){request, response, keep(callback), pthread_self()};
  if (late_count == 64 || pthread_create(&late_threads[late_count++], NULL, answer_late, l) != 0) abort();
}

static closure held_back;
static bool holds;

/* Answers when the next call comes: after the client has given up. */
static void hold(const rpc_context *c, const message *request, message *response, closure *callback) {
  (void)c;
  (void)request;
  (void)response;
  held_back = keep(callback);
  holds = true;
}

static void let_go(const rpc_context *c, const message *request, message *response, closure *callback) {
  echo(c, request, response, callback);
  if (!holds) return;
  holds = false;
  end(&held_back, 0);
}

static void drop(const rpc_context *c, const message *request, message *response, closure *callback) {
  (void)c;
  (void)request;
  (void)response;
  closure own = keep(callback);
  ((const done_kind *)own.kind)->end(own.state);
}

static void other_code(const rpc_context *c, const message *request, message *response, closure *callback) {
  (void)c;
  fill(request, response);
  finish(callback, 4242);
}

static void broken(const rpc_context *c, const message *request, message *response, closure *callback) { echo(c, request, response, callback); }

/* Answers with the metadata it sees, and checks every way to read it. */
static void tell_context(const rpc_context *c, const message *request, message *response, closure *callback) {
  fill(request, response);
  free(response->bytes);
  response->bytes = calloc(1, 4096);
  sv_list pairs = c->kind->pairs(c->self);
  size_t count = pairs.size / 2;
  for (size_t i = 0; i < count; i++)
    response->size = (size_t)snprintf(response->bytes + strlen(response->bytes), 4096 - strlen(response->bytes), "%.*s=%.*s;",
                                      (int)pairs.at[2 * i].size, pairs.at[2 * i].at, (int)pairs.at[2 * i + 1].size, pairs.at[2 * i + 1].at);
  response->size = strlen(response->bytes);
  sv_list keys = c->kind->keys(c->self);
  CHECK(keys.size == count);
  for (size_t i = 0; i < keys.size; i++) CHECK(strstr(response->bytes, "=") != NULL && c->kind->get(c->self, keys.at[i]).at != NULL);
  CHECK(c->kind->get(c->self, TEXT("nobody")).size == 0);
  CHECK(c->kind->timeout(c->self) == UINT64_C(3000000000));
  c->kind->set(c->self, TEXT("own"), TEXT("value"));
  c->kind->set(c->self, TEXT("color"), TEXT("green"));
  CHECK(kit_is(c->kind->get(c->self, TEXT("own")), "value"));
  CHECK(kit_is(c->kind->get(c->self, TEXT("color")), "green"));
  CHECK(kit_is(c->kind->get(c->self, TEXT("aimrt-backend")), "local"));
  c->kind->set_timeout(c->self, 5);
  CHECK(c->kind->timeout(c->self) == 5);
  c->kind->use(c->self);
  finish(callback, 0);
}

/* Calls on while it serves. */
static void nested(const rpc_context *c, const message *request, message *response, closure *callback) {
  context own;
  kit_context(&own);
  calls->merge(calls->self, c, &own.base);
  CHECK(own.count == 0); /* no key is passed on unless a plugin says so */
  message inner = {0};
  message got = {0};
  kit_fill(&inner, request->number, 10);
  uint32_t status = kit_call(calls, PROBE("Echo"), &own, &inner, &got);
  CHECK(status == 0 && got.number == request->number + 1);
  fill(&got, response);
  kit_clear(&inner);
  kit_clear(&got);
  finish(callback, status);
}

/* ---- Registration ------------------------------------------------------------------------------------------------------- */

typedef void (*handler)(const rpc_context *, const message *, message *, closure *);
int probe_services_alive;

static void service_call(void *object, const rpc_context *c, const void *request, void *response, closure *callback) {
  (*(handler *)object)(c, request, response, callback);
}
static void service_move(void *from, void *to) { memcpy(to, from, sizeof(handler)); }
static void service_end(void *object) {
  memset(object, 0, sizeof(handler));
  probe_services_alive--;
}
static const service_kind kind = {service_call, service_move, service_end};

static bool serve(const char *name, handler h, const message_type *response) {
  closure c = {.kind = &kind};
  memcpy(c.state, &h, sizeof h);
  probe_services_alive++;
  bool good = calls->serve(calls->self, kit_text(name), NULL, &kit_type, response, &c);
  if (c.kind != NULL) service_end(c.state);
  return good;
}

static module_info info(void *self) {
  (void)self;
  return (module_info){TEXT("Server"), 1, 2, 3, 4, TEXT("somebody"), TEXT("serves the probe")};
}

static bool initialize(void *self, const core *given) {
  (void)self;
  host = given;
  calls = given->rpc(given->self);
  module_info known = given->info(given->self);
  CHECK(kit_is(known.name, "Server") && known.major == 1 && known.minor == 2 && known.patch == 3 && known.build == 4);
  CHECK(kit_is(known.author, "somebody") && kit_is(known.description, "serves the probe"));
  bool good = serve(PROBE("Echo"), echo, &kit_type) && serve(PROBE("Elsewhere"), answer_elsewhere, &kit_type) &&
              serve(PROBE("Hold"), hold, &kit_type) && serve(PROBE("LetGo"), let_go, &kit_type) && serve(PROBE("Drop"), drop, &kit_type) &&
              serve(PROBE("Code"), other_code, &kit_type) && serve(PROBE("Context"), tell_context, &kit_type) &&
              serve(PROBE("Nested"), nested, &kit_type) && serve(PROBE("BrokenAnswer"), broken, &kit_broken) && serve(PROBE("BrokenRequest"), echo, &kit_type) && serve(PROBE("Quick"), quick, &kit_type) &&
              calls->client(calls->self, kit_text(PROBE("Echo")), NULL, &kit_type, &kit_type);
  int before = probe_services_alive;
  CHECK(!serve(PROBE("Echo"), echo, &kit_type)); /* twice: taken over and destroyed */
  CHECK(probe_services_alive == before);
  return good;
}

static bool start(void *self) {
  (void)self;
  CHECK(!serve(PROBE("TooLate"), echo, &kit_type));
  return true;
}

static void shut_down(void *self) {
  (void)self;
  for (int i = 0; i < late_count; i++) pthread_join(late_threads[i], NULL);
  late_count = 0;
}

const module probe_server = {info, initialize, start, shut_down, NULL};
