/* Life cycle of runtimes from C: who runs the shutdown, queues, executors, loops of the host, log, reload, limits.
 * SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "world.h"

#define SECOND UINT64_C(1000000000)
#define LIMIT_SECONDS 100 /* only a hang takes so long */

static aimrt_rpc_runtime_t make(const char *config) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = 0;
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.config_text = check_str(config);
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  return runtime;
}

static void check_no_handles(const char *where) {
  CHECK(aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY) == 0, "%s: %llu handles are left", where,
        (unsigned long long)aimrt_rpc_live_count(AIMRT_RPC_KIND_ANY));
}

static int contains(aimrt_rpc_str_t text, const char *part) {
  size_t size = strlen(part);
  for (size_t i = 0; i + size <= text.size; i++)
    if (memcmp(text.data + i, part, size) == 0) return 1;
  return 0;
}

/* The value of a detail is this text. */
static int has_detail(aimrt_rpc_error_t error, const char *key, const char *value) {
  aimrt_rpc_pair_t pair;
  for (uint32_t i = 0; aimrt_rpc_error_detail(error, i, &pair) == AIMRT_RPC_RESULT_OK; i++)
    if (pair.key.size == strlen(key) && memcmp(pair.key.data, key, pair.key.size) == 0)
      return pair.value.size == strlen(value) && memcmp(pair.value.data, value, pair.value.size) == 0;
  return 0;
}

/* ---- Which thread runs the callbacks ------------------------------------------------------------------------------------ */

typedef struct threads {
  pthread_t initialize, start, shutdown;
  int count;
} threads;

static uint8_t note_initialize(void *user_data, aimrt_rpc_module_t module) {
  (void)module;
  ((threads *)user_data)->initialize = pthread_self();
  ((threads *)user_data)->count++;
  return 1;
}
static uint8_t note_start(void *user_data, aimrt_rpc_module_t module) {
  (void)module;
  ((threads *)user_data)->start = pthread_self();
  ((threads *)user_data)->count++;
  return 1;
}
static void note_shutdown(void *user_data, aimrt_rpc_module_t module) {
  (void)module;
  ((threads *)user_data)->shutdown = pthread_self();
  ((threads *)user_data)->count++;
}

static aimrt_rpc_runtime_t make_noting(threads *t) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = make(WORLD_CONFIG);
  aimrt_rpc_module_t module = 0;
  aimrt_rpc_module_options_t options = AIMRT_RPC_MODULE_OPTIONS_INIT;
  options.name = check_str("noting");
  options.initialize = note_initialize;
  options.start = note_start;
  options.shutdown = note_shutdown;
  options.user_data = t;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_wait(runtime, 0, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  return runtime;
}

static void *ask_for_shutdown(void *arg) {
  aimrt_rpc_runtime_t runtime = *(aimrt_rpc_runtime_t *)arg;
  while (aimrt_rpc_runtime_state(runtime) != AIMRT_RPC_STATE_START) sched_yield();
  CHECK(aimrt_rpc_runtime_shutdown(runtime) == AIMRT_RPC_RESULT_OK, "shutdown");
  return NULL;
}

static void check_shutdown_in_wait(void) {
  aimrt_rpc_error_t error = 0;
  threads t = {0};
  aimrt_rpc_runtime_t runtime = make_noting(&t);
  CHECK_RESULT(aimrt_rpc_runtime_start_async(runtime, 2, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  CHECK_RESULT(aimrt_rpc_runtime_start_async(runtime, AIMRT_RPC_START_SHUTDOWN_IN_WAIT, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_start_async(runtime, 0, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_runtime_wait(runtime, 1000, &error), AIMRT_RPC_RESULT_TIMEOUT, error);
  pthread_t other;
  CHECK(pthread_create(&other, NULL, ask_for_shutdown, &runtime) == 0, "thread");
  pthread_join(other, NULL);
  CHECK(aimrt_rpc_runtime_state(runtime) == AIMRT_RPC_STATE_START, "nobody waits, so nobody has shut down: state %u",
        aimrt_rpc_runtime_state(runtime));
  CHECK_RESULT(aimrt_rpc_runtime_wait(runtime, UINT64_MAX, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(t.count == 3 && pthread_equal(t.shutdown, pthread_self()), "the shutdown ran on another thread than the waiting one");
  aimrt_rpc_runtime_release(runtime);
  check_no_handles("shutdown in wait");
}

static void check_blocking_start(void) {
  aimrt_rpc_error_t error = 0;
  threads t = {0};
  aimrt_rpc_runtime_t runtime = make_noting(&t);
  pthread_t other;
  CHECK(pthread_create(&other, NULL, ask_for_shutdown, &runtime) == 0, "thread");
  CHECK_RESULT(aimrt_rpc_runtime_start(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  pthread_join(other, NULL);
  CHECK(t.count == 3 && pthread_equal(t.initialize, pthread_self()) && pthread_equal(t.start, pthread_self()) &&
            pthread_equal(t.shutdown, pthread_self()),
        "the callbacks came on another thread");
  aimrt_rpc_runtime_release(runtime);
  check_no_handles("blocking start");
}

static void check_shutdown_before_start(void) {
  aimrt_rpc_error_t error = 0;
  threads t = {0};
  aimrt_rpc_runtime_t runtime = make_noting(&t);
  CHECK(aimrt_rpc_runtime_shutdown(runtime) == AIMRT_RPC_RESULT_OK, "shutdown before start");
  CHECK(aimrt_rpc_runtime_state(runtime) == AIMRT_RPC_STATE_INIT, "state %u", aimrt_rpc_runtime_state(runtime));
  CHECK_RESULT(aimrt_rpc_runtime_start(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_runtime_state(runtime) == AIMRT_RPC_STATE_SHUTDOWN && t.count == 3, "state %u after %d callbacks",
        aimrt_rpc_runtime_state(runtime), t.count);
  aimrt_rpc_runtime_release(runtime);
  runtime = make_noting(&t);
  CHECK(aimrt_rpc_runtime_shutdown(runtime) == AIMRT_RPC_RESULT_OK, "shutdown before start");
  CHECK_RESULT(aimrt_rpc_runtime_start_async(runtime, 0, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_wait(runtime, 20 * SECOND, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_runtime_release(runtime);
  check_no_handles("shutdown before start");
}

static void check_modules_by_state(void) {
  aimrt_rpc_error_t error = 0;
  threads t = {0};
  aimrt_rpc_runtime_t runtime = make_noting(&t);
  aimrt_rpc_module_t module = 0;
  aimrt_rpc_module_options_t options = AIMRT_RPC_MODULE_OPTIONS_INIT;
  options.name = check_str("late");
  options.start = note_start;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options.start = NULL;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_buffer_t report;
  CHECK_RESULT(aimrt_rpc_runtime_report(runtime, &report, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(report.size > 100, "the report has %zu bytes", report.size);
  aimrt_rpc_buffer_release(&report);
  CHECK_RESULT(aimrt_rpc_runtime_start_async(runtime, 0, &error), AIMRT_RPC_RESULT_OK, error);
  options.name = check_str("later");
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &options, &module, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK(module == 0, "a refused module has a handle");
  aimrt_rpc_runtime_release(runtime);
  check_no_handles("modules by state");
}

/* ---- Queues ------------------------------------------------------------------------------------------------------------- */

static void *serve_queue(void *arg) {
  aimrt_rpc_queue_t queue = *(aimrt_rpc_queue_t *)arg;
  for (;;) {
    aimrt_rpc_event_t events[4];
    size_t count = 0;
    if (aimrt_rpc_queue_wait(queue, UINT64_MAX, NULL) != AIMRT_RPC_RESULT_OK) return NULL;
    CHECK(aimrt_rpc_queue_drain(queue, events, 4, &count, NULL) == AIMRT_RPC_RESULT_OK, "drain");
    for (size_t i = 0; i < count; i++) {
      if (events[i].kind == AIMRT_RPC_EVENT_SHUTDOWN) return (void *)(uintptr_t)events[i].tag;
      CHECK(events[i].kind == AIMRT_RPC_EVENT_CALL_ARRIVED && events[i].tag == 77, "event of kind %u", events[i].kind);
      CHECK(aimrt_rpc_call_finish(events[i].call, NULL, &events[i].payload, NULL) == AIMRT_RPC_RESULT_OK, "finish");
    }
  }
}

static void check_service_on_queue(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = make(WORLD_CONFIG);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_module_t module = 0;
  aimrt_rpc_module_options_t m = AIMRT_RPC_MODULE_OPTIONS_INIT;
  m.name = check_str("m");
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &m, &module, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_queue_t queue = 0;
  CHECK_RESULT(aimrt_rpc_queue_create(&queue, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_service_options_t service = AIMRT_RPC_SERVICE_OPTIONS_INIT;
  service.name = check_str("pb:/life.Queue/Call");
  service.queue = queue + 1;
  CHECK_RESULT(aimrt_rpc_handle_register_service(aimrt_rpc_module_rpc_handle(module), &service, NULL, &error),
               AIMRT_RPC_RESULT_INVALID_HANDLE, error);
  service.queue = queue;
  service.tag = 77;
  CHECK_RESULT(aimrt_rpc_handle_register_service(aimrt_rpc_module_rpc_handle(module), &service, NULL, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_method_t method = 0;
  aimrt_rpc_client_options_t client = AIMRT_RPC_CLIENT_OPTIONS_INIT;
  client.name = service.name;
  CHECK_RESULT(aimrt_rpc_handle_register_client(aimrt_rpc_module_rpc_handle(module), &client, &method, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_start_async(runtime, 0, &error), AIMRT_RPC_RESULT_OK, error);
  pthread_t server;
  CHECK(pthread_create(&server, NULL, serve_queue, &queue) == 0, "thread");
  for (int i = 0; i < 100; i++) {
    aimrt_rpc_call_options_t options = AIMRT_RPC_CALL_OPTIONS_INIT;
    options.request.bytes = (aimrt_rpc_bytes_t){(const uint8_t *)&i, sizeof i};
    aimrt_rpc_code_t code = 1;
    aimrt_rpc_call_t call = 0;
    CHECK_RESULT(aimrt_rpc_call_invoke(method, &options, &code, &call, &error), AIMRT_RPC_RESULT_OK, error);
    CHECK(code == 0, "code %u", code);
    aimrt_rpc_call_release(call);
  }
  CHECK(aimrt_rpc_runtime_shutdown(runtime) == AIMRT_RPC_RESULT_OK, "shutdown");
  void *tag = NULL;
  pthread_join(server, &tag);
  CHECK((uint64_t)(uintptr_t)tag == runtime, "the shutdown event is of another runtime");
  aimrt_rpc_runtime_release(runtime);
  aimrt_rpc_queue_release(queue);
  check_no_handles("service on a queue");
}

/* ---- Executors ---------------------------------------------------------------------------------------------------------- */

typedef struct task {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int ran, freed;
} task;

#define TASK_INIT {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0}

static void run_task(void *user_data) {
  task *t = user_data;
  pthread_mutex_lock(&t->mutex);
  t->ran++;
  pthread_mutex_unlock(&t->mutex);
}

static void free_task(void *user_data) {
  task *t = user_data;
  pthread_mutex_lock(&t->mutex);
  t->freed++;
  pthread_cond_broadcast(&t->changed);
  pthread_mutex_unlock(&t->mutex);
}

static void wait_freed(task *t, int count) {
  pthread_mutex_lock(&t->mutex);
  while (t->freed < count) pthread_cond_wait(&t->changed, &t->mutex);
  pthread_mutex_unlock(&t->mutex);
}

/* A loop of the host: one thread that runs what was posted. */
typedef struct loop {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  aimrt_rpc_task_fn run;
  void *run_user_data;
  int closed;
  atomic_int freed;
  pthread_t thread;
} loop;

static uint8_t loop_post(void *user_data, aimrt_rpc_task_fn run, void *run_user_data) {
  loop *l = user_data;
  pthread_mutex_lock(&l->mutex);
  while (l->run != NULL && !l->closed) pthread_cond_wait(&l->changed, &l->mutex);
  uint8_t taken = !l->closed;
  if (taken) {
    l->run = run;
    l->run_user_data = run_user_data;
    pthread_cond_broadcast(&l->changed);
  }
  pthread_mutex_unlock(&l->mutex);
  return taken;
}

static void *loop_main(void *arg) {
  loop *l = arg;
  pthread_mutex_lock(&l->mutex);
  while (!l->closed || l->run != NULL) {
    if (l->run == NULL) {
      pthread_cond_wait(&l->changed, &l->mutex);
      continue;
    }
    aimrt_rpc_task_fn run = l->run;
    void *run_user_data = l->run_user_data;
    l->run = NULL;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->mutex);
    run(run_user_data);
    pthread_mutex_lock(&l->mutex);
  }
  pthread_mutex_unlock(&l->mutex);
  return NULL;
}

static void loop_freed(void *user_data) { atomic_fetch_add(&((loop *)user_data)->freed, 1); }

static void check_executors(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t runtime = make(WORLD_CONFIG);
  loop l = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  CHECK(pthread_create(&l.thread, NULL, loop_main, &l) == 0, "thread");
  aimrt_rpc_host_executor_options_t options = AIMRT_RPC_HOST_EXECUTOR_OPTIONS_INIT;
  aimrt_rpc_executor_t host = 0, work = 0, found = 0;
  CHECK_RESULT(aimrt_rpc_runtime_host_executor(runtime, &options, &host, &error), AIMRT_RPC_RESULT_INVALID_ARGUMENT, error);
  options.name = check_str("loop");
  options.thread_safe = 1;
  options.post = loop_post;
  options.user_data = &l;
  options.user_data_free = loop_freed;
  CHECK_RESULT(aimrt_rpc_runtime_host_executor(runtime, &options, &host, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_host_executor(runtime, &options, &found, &error), AIMRT_RPC_RESULT_ALREADY_EXISTS, error);
  aimrt_rpc_module_options_t m = AIMRT_RPC_MODULE_OPTIONS_INIT;
  m.name = check_str("m");
  aimrt_rpc_module_t module = 0;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &m, &module, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_module_executor(module, check_str("work"), &work, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_host_executor(runtime, &options, &found, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_module_executor(module, check_str("work"), &work, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_module_executor(module, check_str("loop"), &found, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(found == host && work != host, "handles of executors");
  CHECK(aimrt_rpc_module_executor(module, check_str("wrok"), &found, &error) == AIMRT_RPC_RESULT_NOT_FOUND, "a name nobody has");
  CHECK(has_detail(error, "nearest", "work"), "the nearest name is a detail");
  aimrt_rpc_error_free(error);
  CHECK_RESULT(aimrt_rpc_runtime_start_async(runtime, 0, &error), AIMRT_RPC_RESULT_OK, error);
  for (int i = 0; i < 2; i++) {
    task t = TASK_INIT;
    aimrt_rpc_executor_t executor = i == 0 ? work : host;
    CHECK_RESULT(aimrt_rpc_executor_post(executor, run_task, &t, free_task, &error), AIMRT_RPC_RESULT_OK, error);
    wait_freed(&t, 1);
    CHECK(t.ran == 1, "the task ran %d times", t.ran);
    aimrt_rpc_executor_info_t info = {.struct_size = (uint32_t)sizeof info};
    CHECK(aimrt_rpc_executor_info(executor, &info) == AIMRT_RPC_RESULT_OK && info.name.size == 4, "info");
  }
  task t = TASK_INIT;
  aimrt_rpc_timer_t timer = 0;
  CHECK_RESULT(aimrt_rpc_executor_post_after(work, SECOND / 100, run_task, &t, free_task, &timer, &error), AIMRT_RPC_RESULT_OK, error);
  wait_freed(&t, 1);
  CHECK(t.ran == 1, "the timer ran %d times", t.ran);
  CHECK_RESULT(aimrt_rpc_timer_cancel(timer, &error), AIMRT_RPC_RESULT_LOST, error);
  aimrt_rpc_timer_release(timer);
  aimrt_rpc_runtime_release(runtime);
  CHECK(atomic_load(&l.freed) == 1, "the loop's user data was given back %d times", atomic_load(&l.freed));
  CHECK_RESULT(aimrt_rpc_executor_post(work, run_task, &t, free_task, &error), AIMRT_RPC_RESULT_INVALID_HANDLE, error);
  pthread_mutex_lock(&l.mutex);
  l.closed = 1;
  pthread_cond_broadcast(&l.changed);
  pthread_mutex_unlock(&l.mutex);
  pthread_join(l.thread, NULL);
  check_no_handles("executors");
}

/* ---- Log ---------------------------------------------------------------------------------------------------------------- */

typedef struct log_lines {
  pthread_mutex_t mutex;
  int inside, overlaps, ours, freed;
} log_lines;

static void take_line(void *user_data, const aimrt_rpc_log_record_t *record) {
  log_lines *l = user_data;
  pthread_mutex_lock(&l->mutex);
  l->overlaps += l->inside++;
  if (contains(record->text, "hello from C")) {
    l->ours++;
    CHECK(record->struct_size == sizeof *record && record->level == AIMRT_RPC_LOG_LEVEL_WARN && record->line == 12, "level %u, line %u",
          record->level, record->line);
    CHECK(contains(record->logger, "m") && contains(record->file, "life.c") && contains(record->function, "f"), "logger, file, function");
    CHECK(record->time_ns > 0 && record->thread_id > 0, "time and thread");
  }
  l->inside--;
  pthread_mutex_unlock(&l->mutex);
}

static void log_freed(void *user_data) { ((log_lines *)user_data)->freed++; }

static void write_lines(aimrt_rpc_module_t module, int count) {
  aimrt_rpc_log_record_t record;
  memset(&record, 0, sizeof record);
  record.struct_size = (uint32_t)sizeof record;
  record.level = AIMRT_RPC_LOG_LEVEL_WARN;
  record.line = 12;
  record.file = check_str("life.c");
  record.function = check_str("f");
  record.text = check_str("hello from C");
  for (int i = 0; i < count; i++) CHECK(aimrt_rpc_module_log(module, &record) == AIMRT_RPC_RESULT_OK, "log");
  record.level = AIMRT_RPC_LOG_LEVEL_DEBUG;
  CHECK(aimrt_rpc_module_log(module, &record) == AIMRT_RPC_RESULT_OK, "a line below the level");
}

static void check_log(int fd) {
  aimrt_rpc_error_t error = 0;
  log_lines lines = {.mutex = PTHREAD_MUTEX_INITIALIZER};
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.config_text = check_str("aimrt: {log: {core_lvl: Info, default_module_lvl: Info}}");
  if (fd >= 0) {
    options.log_fd = fd;
  } else {
    options.log = take_line;
    options.log_user_data = &lines;
    options.log_user_data_free = log_freed;
  }
  aimrt_rpc_runtime_t runtime = 0;
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_module_options_t m = AIMRT_RPC_MODULE_OPTIONS_INIT;
  m.name = check_str("m");
  aimrt_rpc_module_t module = 0;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &m, &module, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_module_log_level(module) == AIMRT_RPC_LOG_LEVEL_INFO, "level %u", aimrt_rpc_module_log_level(module));
  write_lines(module, 20);
  aimrt_rpc_runtime_release(runtime);
  if (fd < 0) CHECK(lines.ours == 20 && lines.overlaps == 0 && lines.freed == 1, "%d lines, %d overlaps, %d frees", lines.ours, lines.overlaps, lines.freed);
  check_no_handles("log");
}

static void check_log_descriptor(void) {
  int ends[2];
  CHECK(pipe(ends) == 0, "pipe");
  check_log(ends[1]);
  close(ends[1]);
  char text[65536];
  size_t size = 0;
  for (ssize_t n; (n = read(ends[0], text + size, sizeof text - size)) > 0;) size += (size_t)n;
  close(ends[0]);
  int count = 0;
  for (size_t i = 0; i + 12 <= size; i++) count += memcmp(text + i, "hello from C", 12) == 0;
  CHECK(count == 20, "%d lines came through the descriptor: %.*s", count, (int)size, text);
}

/* ---- Configuration ------------------------------------------------------------------------------------------------------ */

static void write_config(const char *path, const char *level) {
  FILE *file = fopen(path, "w");
  CHECK(file != NULL, "%s", path);
  if (file == NULL) return;
  fprintf(file, "aimrt:\n  log:\n    core_lvl: Off\n    default_module_lvl: %s\n    backends: []\n  rpc: {backends: [{type: local}]}\n", level);
  fclose(file);
}

static void check_reload(void) {
  aimrt_rpc_error_t error = 0;
  char path[] = "/tmp/aimrt_rpc_life_XXXXXX";
  int fd = mkstemp(path);
  CHECK(fd >= 0, "mkstemp");
  close(fd);
  write_config(path, "Warn");
  aimrt_rpc_str_t override = check_str("aimrt.log.core_lvl=Fatal");
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.config_path = check_str(path);
  options.overrides = &override;
  options.override_count = 1;
  aimrt_rpc_runtime_t runtime = 0;
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  aimrt_rpc_module_options_t m = AIMRT_RPC_MODULE_OPTIONS_INIT;
  m.name = check_str("m");
  aimrt_rpc_module_t module = 0;
  CHECK_RESULT(aimrt_rpc_module_create(runtime, &m, &module, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_reload(runtime, &error), AIMRT_RPC_RESULT_INVALID_STATE, error);
  CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_module_log_level(module) == AIMRT_RPC_LOG_LEVEL_WARN, "level %u", aimrt_rpc_module_log_level(module));
  write_config(path, "Trace");
  CHECK_RESULT(aimrt_rpc_runtime_reload(runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_module_log_level(module) == AIMRT_RPC_LOG_LEVEL_TRACE, "level %u", aimrt_rpc_module_log_level(module));
  write_config(path, "[");
  CHECK(aimrt_rpc_runtime_reload(runtime, &error) == AIMRT_RPC_RESULT_CONFIG, "a broken file");
  CHECK(has_detail(error, "file", path), "the file is a detail");
  aimrt_rpc_error_free(error);
  CHECK(aimrt_rpc_module_log_level(module) == AIMRT_RPC_LOG_LEVEL_TRACE, "a broken file changes nothing");
  aimrt_rpc_runtime_release(runtime);
  unlink(path);
  CHECK_RESULT(aimrt_rpc_runtime_create(&options, &runtime, &error), AIMRT_RPC_RESULT_OK, error);
  CHECK(aimrt_rpc_runtime_initialize(runtime, &error) == AIMRT_RPC_RESULT_CONFIG, "a file that is not there");
  CHECK(contains(aimrt_rpc_error_message(error), path), "the error names the file");
  aimrt_rpc_error_free(error);
  aimrt_rpc_runtime_release(runtime);
  check_no_handles("reload");
}

/* ---- Limits ------------------------------------------------------------------------------------------------------------- */

#define MAX_RUNTIMES 64

static void check_many_runtimes(void) {
  aimrt_rpc_error_t error = 0;
  aimrt_rpc_runtime_t all[MAX_RUNTIMES], more = 0;
  for (int i = 0; i < MAX_RUNTIMES; i++) CHECK_RESULT(aimrt_rpc_runtime_create(NULL, &all[i], &error), AIMRT_RPC_RESULT_OK, error);
  CHECK_RESULT(aimrt_rpc_runtime_create(NULL, &more, &error), AIMRT_RPC_RESULT_LIMIT, error);
  for (int i = 0; i < MAX_RUNTIMES; i++) aimrt_rpc_runtime_release(all[i]);
  for (int i = 0; i < 50; i++) {
    world w;
    CHECK(world_make(&w), "world %d", i);
    (void)aimrt_rpc_call_finish(w.live[AIMRT_RPC_KIND_SERVER_CALL], NULL, NULL, NULL);
    /* The shutdown event of the runtime before must not reach this one. */
    CHECK_RESULT(aimrt_rpc_runtime_wait(w.live[AIMRT_RPC_KIND_RUNTIME], SECOND / 200, &error), AIMRT_RPC_RESULT_TIMEOUT, error);
    CHECK(aimrt_rpc_runtime_state(w.live[AIMRT_RPC_KIND_RUNTIME]) == AIMRT_RPC_STATE_START, "a new runtime shuts down by itself");
    world_end(&w);
  }
  aimrt_rpc_memory_limit_set(64 << 20);
  aimrt_rpc_memory_limit_set(0);
  check_no_handles("many runtimes");
}

/* Several threads release one runtime and ask it things meanwhile. */
static void *release_it(void *arg) {
  aimrt_rpc_runtime_t runtime = *(aimrt_rpc_runtime_t *)arg;
  aimrt_rpc_buffer_t text;
  if (aimrt_rpc_runtime_statistics(runtime, &text, NULL) == AIMRT_RPC_RESULT_OK) aimrt_rpc_buffer_release(&text);
  (void)aimrt_rpc_runtime_shutdown(runtime);
  aimrt_rpc_runtime_release(runtime);
  return NULL;
}

static void check_racing_releases(void) {
  aimrt_rpc_error_t error = 0;
  for (int round = 0; round < 20; round++) {
    aimrt_rpc_runtime_t runtime = make(WORLD_CONFIG);
    CHECK_RESULT(aimrt_rpc_runtime_initialize(runtime, &error), AIMRT_RPC_RESULT_OK, error);
    CHECK_RESULT(aimrt_rpc_runtime_start_async(runtime, 0, &error), AIMRT_RPC_RESULT_OK, error);
    pthread_t threads_[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads_[i], NULL, release_it, &runtime) == 0, "thread");
    for (int i = 0; i < 4; i++) pthread_join(threads_[i], NULL);
    CHECK(aimrt_rpc_runtime_state(runtime) == AIMRT_RPC_STATE_NONE, "state %u", aimrt_rpc_runtime_state(runtime));
  }
  check_no_handles("racing releases");
}

int main(void) {
  alarm(LIMIT_SECONDS);
  check_shutdown_in_wait();
  check_blocking_start();
  check_shutdown_before_start();
  check_modules_by_state();
  check_service_on_queue();
  check_executors();
  check_log(-1);
  check_log_descriptor();
  check_reload();
  check_many_runtimes();
  check_racing_releases();
  return check_end("life");
}
