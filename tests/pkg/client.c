/* Module "Client": calls the server in every way and checks what comes back, inside start. WITH_SERVER: both stand in one file.
 * SPDX-License-Identifier: Apache-2.0 */
#include "modules.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#ifdef WITH_SERVER
#define SAME true
#else
#define SAME false
#endif

#define MIB (1u << 20)

static const core *host;
static const rpc *calls;
static bool signals;        /* the configuration asks for a signal at the end */
static int subscriptions;   /* closures of subscriptions that are alive */

/* ---- Calls -------------------------------------------------------------------------------------------------------------- */

static void echo_sizes(void) {
  static const size_t sizes[] = {0, 1, 55, 56, 57, 64, 4096, 70000, MIB};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    for (int json = 0; json < 2; json++)
      for (int64_t number = 0; number <= 7; number += 7) { /* 7: pieces that are lowered */
        context c;
        kit_context(&c);
        if (json) kit_set(&c, "aimrt-serialization_type", "json");
        message request = {0};
        message response = {0};
        kit_fill(&request, number, sizes[i]);
        request.lower = number == 7;
        int encoded = atomic_load(&kit_encoded);
        CHECK(kit_call(calls, PROBE("Echo"), &c, &request, &response) == 0);
        CHECK(response.number == number + 1 && response.size == sizes[i]);
        CHECK(sizes[i] == 0 || memcmp(response.bytes, request.bytes, sizes[i]) == 0);
        CHECK((response.seen == &request) == SAME); /* one file: the handler got this very message */
        CHECK((atomic_load(&kit_encoded) == encoded) == SAME);
        CHECK(strcmp(kit_get(&c, "aimrt-serialization_type"), json ? "json" : "pb") == 0);
        CHECK(c.used);
        kit_clear(&request);
        kit_clear(&response);
      }
}

static uint32_t plain_call(const char *name, context *c, message *response) {
  message request = {0};
  kit_fill(&request, 1, 5);
  uint32_t status = kit_call(calls, name, c, &request, response);
  kit_clear(&request);
  return status;
}

static void client_context(void) {
  context c;
  message response = {0};
  kit_context(&c);
  kit_set(&c, "color", "blue");
  CHECK(plain_call(PROBE("Echo"), &c, &response) == 0);
  unsigned long first = strtoul(kit_get(&c, "aimrt-request_id"), NULL, 10);
  CHECK(first > 0);
  CHECK(strcmp(kit_get(&c, "aimrt-backend"), "local") == 0 && strcmp(kit_get(&c, "color"), "blue") == 0);
  CHECK(c.timeout == UINT64_C(5000000000));
  CHECK(plain_call(PROBE("Echo"), &c, &response) == 2003); /* used */
  c.used = false;
  CHECK(plain_call(PROBE("Echo"), &c, &response) == 0);
  CHECK(strtoul(kit_get(&c, "aimrt-request_id"), NULL, 10) == first + 1);
  kit_context(&c);
  c.type = 1;
  CHECK(plain_call(PROBE("Echo"), &c, &response) == 2003 && !c.used);
  CHECK(plain_call(PROBE("Echo"), NULL, &response) == 2003);
  kit_clear(&response);
}

static bool has(const message *m, const char *pair) {
  char *text = calloc(1, m->size + 1);
  memcpy(text, m->bytes, m->size);
  bool found = strstr(text, pair) != NULL;
  if (!found) printf("no %s in %s\n", pair, text);
  free(text);
  return found;
}

static void server_context(void) {
  context c;
  message response = {0};
  kit_context(&c);
  c.timeout = UINT64_C(3000000000);
  kit_set(&c, "color", "blue");
  kit_set(&c, "aimrt-from_pkg", "a lie");
  kit_set(&c, "aimrt-function_name", "set by a proxy");
  CHECK(plain_call(PROBE("Context"), &c, &response) == 0);
  char pair[64];
  (void)snprintf(pair, sizeof pair, "aimrt-request_id=%s;", kit_get(&c, "aimrt-request_id"));
  CHECK(has(&response, pair));
  (void)snprintf(pair, sizeof pair, "aimrt-response_id=%s;", kit_get(&c, "aimrt-request_id"));
  CHECK(has(&response, pair));
  CHECK(has(&response, "color=blue;") && has(&response, "aimrt-function_name=" PROBE("Context") ";"));
  CHECK(has(&response, "aimrt-backend=local;") && has(&response, "aimrt-serialization_type=pb;"));
  CHECK(has(&response, "aimrt-from_module=Client;") && has(&response, SAME ? "both.so;" : "client.so;"));
  CHECK(strcmp(kit_get(&c, "own"), "") == 0 && strcmp(kit_get(&c, "color"), "blue") == 0); /* nothing comes back */
  kit_clear(&response);
}

static void codes(void) {
  context c;
  message response = {0};
  kit_context(&c);
  CHECK(plain_call(PROBE("Code"), &c, &response) == 4242 && response.number == 2 && response.size == 5);
  kit_context(&c);
  CHECK(plain_call(PROBE("Drop"), &c, &response) == 1008);
  kit_context(&c);
  CHECK(plain_call(PROBE("Nobody"), &c, &response) == 2001 && !c.used);
  kit_context(&c);
  CHECK(plain_call(PROBE("Unserved"), &c, &response) == 1003);
  kit_context(&c);
  CHECK(plain_call(PROBE("BrokenAnswer"), &c, &response) == (SAME ? 0 : 1005));
  kit_context(&c);
  CHECK(plain_call(PROBE("BrokenRequest"), &c, &response) == (SAME ? 0 : 2006));
  kit_context(&c);
  kit_set(&c, "aimrt-serialization_type", "xml");
  CHECK(plain_call(PROBE("Echo"), &c, &response) == (SAME ? 0 : 2005));
  kit_context(&c);
  calls->invoke(calls->self, kit_text(PROBE("Echo")), &c.base, NULL, &response, NULL); /* nobody to tell, nothing to send */
  calls->invoke(calls->self, kit_text(PROBE("Echo")), NULL, NULL, NULL, NULL);
  kit_clear(&response);
}

static uint32_t call_address(const char *address, const char **backend) {
  static context c;
  message response = {0};
  kit_context(&c);
  kit_set(&c, "aimrt-to_addr", address);
  uint32_t status = plain_call(PROBE("Echo"), &c, &response);
  *backend = kit_get(&c, "aimrt-backend");
  kit_clear(&response);
  return status;
}

static void addresses(void) {
  const char *backend;
  CHECK(call_address("local://rpc/whatever?module_name=Server", &backend) == 0 && strcmp(backend, "") == 0);
  CHECK(call_address("local://rpc/whatever", &backend) == 0);
  CHECK(call_address("local://rpc/whatever?module_name=Nobody", &backend) == 2004);
  CHECK(call_address("local://rpc/whatever?pkg_path=/nowhere.so&module_name=Server", &backend) == 2004);
  CHECK(call_address("http://127.0.0.1:1/x", &backend) == 2004);
  CHECK(call_address("nonsense", &backend) == 2004);
}

static void threads(void) {
  message request = {0};
  message response = {0};
  kit_fill(&request, 1, 3);
  for (int i = 0; i < 2; i++) {
    context c;
    outcome o;
    kit_context(&c);
    kit_outcome(&o);
    closure done = kit_done(&o, true);
    calls->invoke(calls->self, kit_text(i == 0 ? PROBE("Echo") : PROBE("Elsewhere")), &c.base, &request, &response, &done);
    CHECK(done.kind == NULL);
    if (i == 0) CHECK(o.times == 1); /* before invoke has returned */
    CHECK(kit_wait(&o) == 0);
    CHECK((pthread_equal(o.thread, pthread_self()) != 0) == (i == 0)); /* the completing thread's */
    CHECK(response.number == 2);
  }
  kit_clear(&request);
  kit_clear(&response);
}

typedef struct errand {
  const executor *on;
  bool inside;
  outcome o;
} errand;
static void run_errand(void *arg) {
  errand *e = arg;
  e->inside = e->on->is_current(e->on->self);
  e->o.thread = pthread_self();
  pthread_mutex_lock(&e->o.lock);
  e->o.times = e->o.ended = 1;
  pthread_cond_broadcast(&e->o.changed);
  pthread_mutex_unlock(&e->o.lock);
}

static void timeouts(void) {
  if (SAME) return; /* one file: no timeout, by AimRT's rule */
  const executors *all = host->executors(host->self);
  const executor *e = all->get(all->self, TEXT("work"));
  errand job = {.on = e};
  kit_outcome(&job.o);
  closure task = kit_task(run_errand, &job);
  if (e != NULL) e->execute(e->self, &task);
  (void)kit_wait(&job.o);
  context c;
  message response = {0};
  message request = {0};
  kit_fill(&request, 1, 3);
  kit_context(&c);
  c.timeout = 20000000;
  outcome o;
  kit_outcome(&o);
  closure done = kit_done(&o, true);
  calls->invoke(calls->self, kit_text(PROBE("Hold")), &c.base, &request, &response, &done);
  CHECK(kit_wait(&o) == 2 && response.number == 0);
  CHECK(pthread_equal(o.thread, job.o.thread) != 0); /* on the timeout_executor of the configuration */
  kit_context(&c);
  CHECK(kit_call(calls, PROBE("LetGo"), &c, &request, &response) == 0); /* the late answer to the other call goes nowhere */
  CHECK(response.number == 2);
  kit_clear(&request);
  kit_clear(&response);
}

static void nesting(void) {
  context c;
  message response = {0};
  kit_context(&c);
  CHECK(plain_call(PROBE("Nested"), &c, &response) == 0 && response.number == 3 && response.size == 10);
  kit_clear(&response);
}

/* A callback that starts the next call. */
#define CHAIN 20000
typedef struct chain {
  context c;
  message request, response;
  int left;
  outcome *o;
} chain;
static chain the_chain;
static void next_call(void);
static void chain_call(void *object, uint32_t status) {
  (void)object;
  if (status != 0 || --the_chain.left == 0) {
    pthread_mutex_lock(&the_chain.o->lock);
    the_chain.o->times = 1;
    the_chain.o->ended = 1;
    the_chain.o->status = status;
    pthread_cond_broadcast(&the_chain.o->changed);
    pthread_mutex_unlock(&the_chain.o->lock);
    return;
  }
  next_call();
}
static void chain_move(void *from, void *to) { memcpy(to, from, 24); }
static void chain_end(void *object) { (void)object; }
static void next_call(void) {
  static const done_kind kind = {chain_call, chain_move, chain_end};
  closure done = {.kind = &kind};
  kit_context(&the_chain.c);
  calls->invoke(calls->self, kit_text(PROBE("Echo")), &the_chain.c.base, &the_chain.request, &the_chain.response, &done);
}
static void chains(void) {
  outcome o;
  kit_outcome(&o);
  the_chain.left = CHAIN;
  the_chain.o = &o;
  next_call();
  CHECK(kit_wait(&o) == 0 && the_chain.left == 0);
  kit_clear(&the_chain.response);
}

static void *small_stack(void *arg) {
  (void)arg;
  message response = {0};
  context *c = malloc(sizeof *c);
  for (int i = 0; i < 100; i++) {
    kit_context(c);
    if (plain_call(PROBE("Echo"), c, &response) != 0) abort();
  }
  free(c);
  kit_clear(&response);
  return NULL;
}
static void foreign_threads(void) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  CHECK(pthread_create(&thread, &attributes, small_stack, NULL) == 0);
  pthread_join(thread, NULL);
}

/* A host may export a counter of the process's allocations. Warm calls inside one file need none. */
#define WARM 64
#define COUNTED 1000
static void quick_move(void *from, void *to) {
  memcpy(to, from, 24);
}
static void quick_end(void *object) { (void)object; }
static void quick_call(void *object, uint32_t status) { **(int **)object += status == 0 ? 1 : COUNTED; }
static void memory(void) {
  static const done_kind kind = {quick_call, quick_move, quick_end};
  static context c;
  union {
    void *address;
    uint64_t (*count)(void);
  } allocations = {dlsym(RTLD_DEFAULT, "probe_allocations")};
  if (!SAME || allocations.address == NULL) return;
  message request = {.number = 1};
  message response = {0};
  uint64_t before = 0;
  int good = 0;
  for (int i = 0; i < WARM + COUNTED; i++) {
    if (i == WARM) before = allocations.count();
    kit_context(&c);
    closure done = {.kind = &kind};
    int *where = &good;
    memcpy(done.state, &where, sizeof where);
    calls->invoke(calls->self, kit_text(PROBE("Quick")), &c.base, &request, &response, &done);
  }
  CHECK(allocations.count() == before);
  CHECK(good == WARM + COUNTED && response.number == 2);
}

/* ---- Other handles ------------------------------------------------------------------------------------------------------ */


static void configuration(void) {
  const configurator *c = host->configurator(host->self);
  sv path = c->path(c->self);
  char name[512];
  (void)snprintf(name, sizeof name, "%.*s", (int)path.size, path.at);
  FILE *file = fopen(name, "r");
  CHECK(file != NULL);
  if (file == NULL) return;
  char line[128] = "";
  while (fgets(line, sizeof line, file) != NULL)
    if (strstr(line, "end: signal") != NULL) signals = true;
  fclose(file);
}

static void executors_work(void) {
  const executors *all = host->executors(host->self);
  CHECK(all->get(all->self, TEXT("nobody")) == NULL && all->get(all->self, TEXT("aimrt_main")) == NULL);
  const executor *e = all->get(all->self, TEXT("work"));
  CHECK(e != NULL && e == all->get(all->self, TEXT("work")));
  if (e == NULL) return;
  CHECK(kit_is(e->type(e->self), "asio_thread") && kit_is(e->name(e->self), "work"));
  CHECK(e->thread_safe(e->self) && e->has_timers(e->self) && !e->is_current(e->self));
  uint64_t now = e->now(e->self);
  CHECK(now / 1000000000 >= (uint64_t)time(NULL) - 1 && now / 1000000000 <= (uint64_t)time(NULL) + 1);
  for (int timed = 0; timed < 2; timed++) {
    errand job = {.on = e};
    kit_outcome(&job.o);
    closure task = kit_task(run_errand, &job);
    if (timed)
      e->execute_at(e->self, now + 10000000, &task);
    else
      e->execute(e->self, &task);
    CHECK(task.kind == NULL);
    (void)kit_wait(&job.o);
    CHECK(job.inside);
  }
  const executor *plain = all->get(all->self, TEXT("plain"));
  CHECK(plain != NULL && !plain->has_timers(plain->self));
  closure task = kit_task(run_errand, NULL);
  if (plain != NULL) plain->execute_at(plain->self, now, &task); /* refused with a line in the log, and destroyed */
}

static void parameters_work(void) {
  const parameters *p = host->parameters(host->self);
  CHECK(p->get(p->self, TEXT("speed")).release == NULL);
  p->set(p->self, TEXT("speed"), TEXT("fast"));
  held h = p->get(p->self, TEXT("speed"));
  CHECK(kit_is(h.value, "fast") && h.release != NULL);
  if (h.release != NULL) {
    closure own = {.kind = h.release->kind};
    h.release->kind = NULL;
    const task_kind *kind = own.kind;
    kind->move(h.release->state, own.state);
    kind->call(own.state);
    kind->end(own.state);
  }
  p->set(p->self, TEXT("speed"), TEXT(""));
  CHECK(p->get(p->self, TEXT("speed")).value.size == 0);
}

static void memory_works(void) {
  const allocator *a = host->allocator(host->self);
  char *small = a->get(a->self, 100);
  CHECK(small != NULL && small == a->get(a->self, 4096));
  char *large = a->get(a->self, 1000000);
  CHECK(large != NULL);
  if (large != NULL) memset(large, 1, 1000000);
  CHECK(a->get(a->self, 16777216) != NULL && a->get(a->self, 16777217) == NULL);
}

static void message_call(void *object, const channel_context *c, const void *m, closure *release) {
  (void)object;
  (void)c;
  (void)m;
  (void)release;
  abort();
}
typedef struct message_kind {
  void (*call)(void *, const channel_context *, const void *, closure *);
  void (*move)(void *, void *);
  void (*end)(void *);
} message_kind;
static void message_end(void *object) {
  (void)object;
  subscriptions--;
}

static bool channel_used;
static bool is_used(void *self) {
  (void)self;
  return channel_used;
}
static void use(void *self) {
  (void)self;
  channel_used = true;
}

static void channels_work(void) {
  static const message_kind kind = {message_call, chain_move, message_end};
  static const channel_kind context_functions = {.used = is_used, .use = use};
  const channels *all = host->channels(host->self);
  const publisher *p = all->publisher(all->self, TEXT("news"));
  const subscriber *s = all->subscriber(all->self, TEXT("news"));
  CHECK(p != NULL && s != NULL && p == all->publisher(all->self, TEXT("news")));
  if (p == NULL || s == NULL) return;
  CHECK(kit_is(p->topic(p->self), "news") && kit_is(s->topic(s->self), "news"));
  closure c = {.kind = &kind};
  subscriptions = 1;
  CHECK(p->register_type(p->self, &kit_type) && s->subscribe(s->self, &kit_type, &c) && c.kind == NULL);
  channel_context context = {&context_functions, NULL};
  message m = {0};
  for (int i = 0; i < 3; i++) p->publish(p->self, TEXT("pb:test.Probe"), &context, &m);
  CHECK(channel_used && subscriptions == 1);
}

static void log_line(int32_t level, const char *text) {
  const logger *l = host->logger(host->self);
  l->log(l->self, level, 42, "some/folder/file.cc", "Function", text, strlen(text));
}

/* ---- Life cycle --------------------------------------------------------------------------------------------------------- */

static module_info info(void *self) {
  (void)self;
  return (module_info){TEXT("Client"), 0, 0, 0, 0, {NULL, 0}, {NULL, 0}};
}

static bool want(const char *name, const message_type *request) {
  return calls->client(calls->self, kit_text(name), NULL, request, &kit_type);
}

static bool initialize(void *self, const core *given) {
  (void)self;
  host = given;
  calls = given->rpc(given->self);
  static const char *const names[] = {PROBE("Echo"), PROBE("Elsewhere"), PROBE("Hold"), PROBE("LetGo"), PROBE("Drop"), PROBE("Code"),
                                      PROBE("Context"), PROBE("Nested"), PROBE("Quick"), PROBE("BrokenAnswer"), PROBE("Unserved")};
  bool good = want(PROBE("BrokenRequest"), &kit_broken);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) good = want(names[i], &kit_type) && good;
  CHECK(!want(PROBE("Echo"), &kit_type));
  CHECK(!calls->client(calls->self, kit_text(PROBE("NoType")), NULL, NULL, &kit_type));
  CHECK(!calls->serve(calls->self, kit_text(PROBE("NoService")), NULL, &kit_type, &kit_type, NULL));
  context c;
  message response = {0};
  kit_context(&c);
  CHECK(plain_call(PROBE("Echo"), &c, &response) == 2011 && !c.used);
  configuration();
  const logger *l = host->logger(host->self);
  CHECK(l->level(l->self) == 1); /* Debug, by the module's own setting */
  log_line(1, "a line for people");
  log_line(0, "a line below the level");
  CHECK(host->rpc(host->self) == calls);
  return good;
}

static bool start(void *self) {
  (void)self;
  CHECK(!want(PROBE("TooLate"), &kit_type));
  echo_sizes();
  client_context();
  server_context();
  codes();
  addresses();
  threads();
  timeouts();
  nesting();
  chains();
  foreign_threads();
  memory();
  executors_work();
  parameters_work();
  memory_works();
  channels_work();
  log_line(2, "the probe has run");
  if (signals) kill(getpid(), SIGTERM);
  return true;
}

static void shut_down(void *self) {
  (void)self;
  context c;
  message response = {0};
  kit_context(&c);
  CHECK(plain_call(PROBE("Echo"), &c, &response) == 0); /* calls work in here */
  kit_clear(&response);
}

/* After the release of the runtime its tables still answer. */
void probe_after(void) {
  if (host == NULL) return; /* created and never initialized */
  context c;
  message response = {0};
  kit_context(&c);
  CHECK(plain_call(PROBE("Echo"), &c, &response) == 2011);
  const executors *all = host->executors(host->self);
  const executor *e = all->get(all->self, TEXT("work"));
  closure task = kit_task(run_errand, NULL);
  if (e != NULL) e->execute(e->self, &task);
  CHECK(e != NULL && task.kind == NULL);
  CHECK(!want(PROBE("Never"), &kit_type));
  CHECK(host->parameters(host->self)->get(host->parameters(host->self)->self, TEXT("speed")).release == NULL);
  log_line(5, "a line that nobody wants any more");
  CHECK(subscriptions == 0);
}

const module probe_client = {info, initialize, start, shut_down, NULL};
