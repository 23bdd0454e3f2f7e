// Package main is the C library: it is built with -buildmode=c-shared and is the only package with cgo.
//
// Every public function is C. The C half (front.h) carries calls out; this Go half is entered through hidden functions and holds no
// behaviour: it decodes arguments, asks runtime/core, and encodes the answer. Each hidden function is one line around the guard in guard.go.
// Nobody imports this package.
package main

/*
#cgo CFLAGS: -std=c11 -D_GNU_SOURCE -fvisibility=hidden
#cgo LDFLAGS: -lpthread
#include "front.h"
*/
import "C"

// main is never called: the library has no program of its own.
func main() {}
