/* Pkg files that are wrong in one way each; WRONG says which.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "abi.h"

#define NO_CREATE_FUNCTION 1
#define NO_MODULES 2
#define NO_LIST 3
#define EMPTY_NAME 4
#define NULL_NAME 5
#define REPEATED_NAME 6
#define CREATES_NOTHING 7
#define OTHER_NAME 8
#define NULL_FUNCTION 9
#define INITIALIZE_FALSE 10
#define START_FALSE 11
#define TOO_MANY 12

static module_info info(void *self) {
  (void)self;
  module_info all = {.name = WRONG == OTHER_NAME ? TEXT("Worse") : TEXT("Bad")};
  return all;
}
static bool initialize(void *self, const core *host) {
  (void)self;
  (void)host;
  printf("initialize Bad\n");
  return WRONG != INITIALIZE_FALSE;
}
static bool start(void *self) {
  (void)self;
  printf("start Bad\n");
  return WRONG != START_FALSE;
}
static void shut_down(void *self) {
  (void)self;
  printf("shutdown Bad\n");
}

static const module the_module = {info, initialize, WRONG == NULL_FUNCTION ? NULL : start, shut_down, NULL};

PKG size_t AimRTDynlibGetModuleNum(void) { return WRONG == NO_MODULES ? 0 : WRONG == TOO_MANY ? (size_t)-1 : WRONG == REPEATED_NAME ? 2 : 1; }
PKG const sv *AimRTDynlibGetModuleNameList(void) {
  static const sv good[] = {{"Bad", 3}, {"Bad", 3}};
  static const sv empty[] = {{"", 0}};
  static const sv null[] = {{NULL, 3}};
  return WRONG == NO_LIST ? NULL : WRONG == EMPTY_NAME ? empty : WRONG == NULL_NAME ? null : good;
}
#if WRONG == NO_CREATE_FUNCTION
PKG const module *unused(sv name);
#define AimRTDynlibCreateModule unused
#endif
PKG const module *AimRTDynlibCreateModule(sv name) {
  (void)name;
  return WRONG == CREATES_NOTHING ? NULL : &the_module;
}
PKG void AimRTDynlibDestroyModule(const module *module) {
  (void)module;
  printf("destroyed Bad\n");
}
