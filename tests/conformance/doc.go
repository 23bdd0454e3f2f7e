// Package conformance runs one set of test cases, written as data in tests/vectors/suites, against small reference programs in every
// language the library serves: Go (go/), C++ (cpp/) and Python (python/). The programs are controlled over stdin and stdout with JSON
// lines; README.md describes the protocol. Every case runs with every combination of backend, serialization, client language, server
// language and style of call that offers what the case relies on, or with a sample in which every pair of values occurs.
//
// It is no part of the product. The long form is the program in run/.
package conformance
