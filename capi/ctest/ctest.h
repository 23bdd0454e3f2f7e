/* The little that the C tests of capi/ share: checks that name file and line, waits on a condition, a list of cases.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CTEST_H_
#define CTEST_H_

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "futex.h"

/* A wait that takes longer than this is a failure; far above what a loaded machine needs under a sanitizer. */
#define CTEST_PATIENCE_NS (30 * FRONT_NANOSECONDS_PER_SECOND)
#define CTEST_MS(count) ((uint64_t)(count) * 1000000ull)

#define CHECK(condition)                                                                     \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      fprintf(stderr, "%s:%d: %s: check failed: %s\n", __FILE__, __LINE__, __func__, #condition); \
      exit(1);                                                                               \
    }                                                                                        \
  } while (0)

#define CHECK_EQUAL(got, want)                                                                                        \
  do {                                                                                                                \
    long long got_value = (long long)(got);                                                                           \
    long long want_value = (long long)(want);                                                                         \
    if (got_value != want_value) {                                                                                    \
      fprintf(stderr, "%s:%d: %s: %s is %lld, want %s = %lld\n", __FILE__, __LINE__, __func__, #got, got_value, #want, want_value); \
      exit(1);                                                                                                        \
    }                                                                                                                 \
  } while (0)

/* A number that threads raise and tests wait for. */
typedef struct ctest_counter {
  _Atomic uint32_t value;
} ctest_counter;

static inline uint32_t ctest_count(ctest_counter *counter) {
  return atomic_load_explicit(&counter->value, memory_order_acquire);
}

static inline void ctest_add(ctest_counter *counter) {
  (void)atomic_fetch_add_explicit(&counter->value, 1, memory_order_acq_rel);
  front_futex_wake_all(&counter->value);
}

/* Waits until the counter has reached want; false when patience ends first. */
static inline int ctest_reach(ctest_counter *counter, uint32_t want) {
  uint64_t limit = front_monotonic_ns() + CTEST_PATIENCE_NS;
  for (;;) {
    uint32_t now = ctest_count(counter);
    if (now >= want) return 1;
    if (!front_futex_wait(&counter->value, now, limit)) return ctest_count(counter) >= want;
  }
}

typedef struct ctest_case {
  const char *name;
  void (*run)(void);
} ctest_case;

/* Runs all cases, or those whose name is an argument. */
static inline int ctest_main(const ctest_case *cases, size_t count, int argc, char **argv) {
  for (size_t i = 0; i < count; i++) {
    int chosen = argc < 2;
    for (int a = 1; a < argc; a++) chosen = chosen || strcmp(argv[a], cases[i].name) == 0;
    if (!chosen) continue;
    cases[i].run();
    printf("ok %s\n", cases[i].name);
    fflush(stdout);
  }
  return 0;
}

#endif /* CTEST_H_ */
