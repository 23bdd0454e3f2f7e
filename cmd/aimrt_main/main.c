/*
 * aimrt_main - runs the modules of a configuration: AimRT's launcher on the public header of libaimrt_rpc, with the same flags, first and
 * last lines and exit codes (0, 1 for a wrong flag, 255 for a run that failed).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aimrt_rpc.h"

#define EXIT_USAGE 1
#define EXIT_FAILED 255 /* AimRT's -1 */
#define NS_PER_S UINT64_C(1000000000)

/* ---- Flags -------------------------------------------------------------------------------------------------------------- */

static const char *cfg_file_path = "";
static const char *dump_cfg_file_path = "./dump_cfg.yaml";
static const char *dump_init_report_path = "./init_report.txt";
static bool dump_cfg_file;
static bool dump_init_report;
static bool register_signal = true;
static int32_t running_duration;
static bool version;
static bool help;

typedef struct flag {
  const char *name;
  bool *truth; /* one of the three */
  const char **text;
  int32_t *number;
  const char *meaning;
} flag;

static const flag flags[] = {
    {"cfg_file_path", NULL, &cfg_file_path, NULL, "configuration file (YAML); none = a runtime with nothing in it"},
    {"dump_cfg_file", &dump_cfg_file, NULL, NULL, "write the configuration in force to a file after the initialization"},
    {"dump_cfg_file_path", NULL, &dump_cfg_file_path, NULL, "that file (default ./dump_cfg.yaml)"},
    {"dump_init_report", &dump_init_report, NULL, NULL, "write the initialization report to a file"},
    {"dump_init_report_path", NULL, &dump_init_report_path, NULL, "that file (default ./init_report.txt)"},
    {"register_signal", &register_signal, NULL, NULL, "shut down on SIGINT and SIGTERM (default true)"},
    {"running_duration", NULL, NULL, &running_duration, "seconds to run; 0, the default, = until the shutdown"},
    {"version", &version, NULL, NULL, "print the version"},
    {"v", &version, NULL, NULL, "the same"},
    {"help", &help, NULL, NULL, "print this text"},
    {"h", &help, NULL, NULL, "the same"},
};
#define FLAG_COUNT (sizeof flags / sizeof flags[0])

static void print_usage(void) {
  printf("aimrt_main runs the modules that a configuration names.\n\nFlags, as -flag, --flag=value or --flag value; --noflag for a truth:\n");
  for (size_t i = 0; i < FLAG_COUNT; i++) {
    const flag *f = &flags[i];
    const char *kind = f->truth != NULL ? "bool" : f->text != NULL ? "string" : "int32";
    printf("  --%-22s %-6s %s\n", f->name, kind, f->meaning);
  }
}

static const flag *find_flag(const char *name, size_t size) {
  for (size_t i = 0; i < FLAG_COUNT; i++)
    if (strlen(flags[i].name) == size && memcmp(flags[i].name, name, size) == 0) return &flags[i];
  return NULL;
}

static bool read_truth(const char *text, bool *out) {
  static const char *const words[2][5] = {{"0", "false", "f", "no", "n"}, {"1", "true", "t", "yes", "y"}};
  for (size_t value = 0; value < 2; value++)
    for (size_t i = 0; i < 5; i++)
      if (strcmp(text, words[value][i]) == 0) {
        *out = value == 1;
        return true;
      }
  return false;
}

/* Gives false and says why for a value of the wrong kind. */
static bool set_flag(const flag *f, const char *value) {
  if (f->text != NULL) {
    *f->text = value;
    return true;
  }
  if (f->truth != NULL) {
    if (read_truth(value, f->truth)) return true;
    fprintf(stderr, "ERROR: illegal value '%s' specified for bool flag '%s'\n", value, f->name);
    return false;
  }
  char *end = NULL;
  errno = 0;
  long number = strtol(value, &end, 10);
  if (errno == 0 && end != value && *end == 0 && number >= 0 && number <= INT32_MAX) {
    *f->number = (int32_t)number;
    return true;
  }
  fprintf(stderr, "ERROR: illegal value '%s' specified for int32 flag '%s'\n", value, f->name);
  return false;
}

/* Reads one argument, and the next when that is its value; gives how many were read, 0 for a mistake. */
static int read_argument(char **arguments) {
  const char *name = arguments[0] + 1;
  if (*name == '-') name++;
  size_t size = strcspn(name, "=");
  const char *value = name[size] == '=' ? name + size + 1 : NULL;
  const flag *f = find_flag(name, size);
  if (f == NULL && value == NULL && strncmp(name, "no", 2) == 0) {
    f = find_flag(name + 2, size - 2);
    if (f != NULL && f->truth != NULL) {
      *f->truth = false;
      return 1;
    }
    f = NULL;
  }
  if (f == NULL) {
    fprintf(stderr, "ERROR: unknown command line flag '%.*s'\n", (int)size, name);
    return 0;
  }
  if (value != NULL) return set_flag(f, value) ? 1 : 0;
  if (f->truth != NULL) {
    *f->truth = true;
    return 1;
  }
  if (arguments[1] == NULL) {
    fprintf(stderr, "ERROR: flag '--%s' is missing its argument\n", f->name);
    return 0;
  }
  return set_flag(f, arguments[1]) ? 2 : 0;
}

static bool read_flags(char **arguments) {
  while (*arguments != NULL && strcmp(*arguments, "--") != 0) {
    int read = (*arguments)[0] == '-' && (*arguments)[1] != 0 ? read_argument(arguments) : 1; /* others mean nothing, as in AimRT */
    if (read == 0) return false;
    arguments += read;
  }
  return true;
}

/* ---- Run ---------------------------------------------------------------------------------------------------------------- */

static aimrt_rpc_runtime_t runtime;
static volatile sig_atomic_t signalled;

/* The library allows this call in a signal handler. Before the runtime exists the flag keeps the wish. */
static void on_signal(int number) {
  (void)number;
  signalled = 1;
  (void)aimrt_rpc_runtime_shutdown(runtime);
}

static void handle_signals(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
  (void)sigemptyset(&action.sa_mask);
  (void)sigaction(SIGINT, &action, NULL);
  (void)sigaction(SIGTERM, &action, NULL);
}

static void print_failure(const char *text, size_t size) {
  fflush(stdout);
  fprintf(stderr, "AimRT run with exception and exit. %.*s\n", (int)size, text);
}

/* Tells a failure of the library; gives true for OK. */
static bool good(aimrt_rpc_result_t result, const aimrt_rpc_error_t *error) {
  if (result == AIMRT_RPC_RESULT_OK) return true;
  aimrt_rpc_str_t text = aimrt_rpc_error_message(*error);
  if (text.size == 0) text = (aimrt_rpc_str_t){aimrt_rpc_result_string(result), strlen(aimrt_rpc_result_string(result))};
  print_failure(text.data, text.size);
  aimrt_rpc_error_free(*error);
  return false;
}

static bool write_file(const char *path, aimrt_rpc_buffer_t *text) {
  FILE *file = fopen(path, "wb");
  bool written = file != NULL && fwrite(text->data, 1, text->size, file) == text->size;
  if (file != NULL && fclose(file) != 0) written = false;
  if (!written) {
    char why[4096];
    int size = snprintf(why, sizeof why, "cannot write %s: %s", path, strerror(errno));
    print_failure(why, size < (int)sizeof why ? (size_t)size : sizeof why - 1);
  }
  aimrt_rpc_buffer_release(text);
  return written;
}

static bool dump(void) {
  aimrt_rpc_buffer_t text;
  aimrt_rpc_error_t error = 0;
  if (dump_cfg_file &&
      (!good(aimrt_rpc_runtime_dump_config(runtime, &text, &error), &error) || !write_file(dump_cfg_file_path, &text)))
    return false;
  return !dump_init_report ||
         (good(aimrt_rpc_runtime_report(runtime, &text, &error), &error) && write_file(dump_init_report_path, &text));
}

static bool run(void) {
  aimrt_rpc_runtime_options_t options = AIMRT_RPC_RUNTIME_OPTIONS_INIT;
  options.config_path = (aimrt_rpc_str_t){cfg_file_path, strlen(cfg_file_path)};
  options.config_text = (aimrt_rpc_str_t){"{}", 2}; /* without a file: a runtime with nothing in it */
  aimrt_rpc_error_t error = 0;
  if (!good(aimrt_rpc_runtime_create(&options, &runtime, &error), &error)) return false;
  if (signalled != 0) (void)aimrt_rpc_runtime_shutdown(runtime);
  if (!good(aimrt_rpc_runtime_initialize(runtime, &error), &error) || !dump()) return false;
  if (!good(aimrt_rpc_runtime_start_async(runtime, AIMRT_RPC_START_SHUTDOWN_IN_WAIT, &error), &error)) return false;
  uint64_t limit = running_duration == 0 ? UINT64_MAX : (uint64_t)running_duration * NS_PER_S;
  aimrt_rpc_result_t result = aimrt_rpc_runtime_wait(runtime, limit, &error);
  if (result == AIMRT_RPC_RESULT_TIMEOUT) {
    aimrt_rpc_error_free(error);
    (void)aimrt_rpc_runtime_shutdown(runtime);
    result = aimrt_rpc_runtime_wait(runtime, UINT64_MAX, &error);
  }
  return good(result, &error);
}

int main(int argc, char **argv) {
  if (!read_flags(argv + 1)) return EXIT_USAGE;
  if (help || argc == 1) {
    print_usage();
    return EXIT_SUCCESS;
  }
  uint32_t number = aimrt_rpc_version();
  char text[32];
  (void)snprintf(text, sizeof text, "%" PRIu32 ".%" PRIu32 ".%" PRIu32, number / 1000000, number / 1000 % 1000, number % 1000);
  if (version) {
    printf("AimRT Version: %s\n", text);
    return EXIT_SUCCESS;
  }
  if (register_signal) handle_signals(); /* who has read the first line may send one */
  printf("AimRT start, version: %s\n", text);
  fflush(stdout);
  bool succeeded = run();
  aimrt_rpc_runtime_release(runtime);
  if (!succeeded) return EXIT_FAILED;
  printf("AimRT exit.\n");
  return EXIT_SUCCESS;
}
