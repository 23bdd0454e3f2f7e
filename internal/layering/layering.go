// Package layering holds the table of who may import whom, and tests that the tree obeys it.
//
// It has no code that runs in the product; the table is the source of section 3 of docs/architecture.md.
package layering

// Rule says what the packages of one row may import of this module. Patterns are paths below the module; a trailing "/..." means the
// package and everything below, "*" one path element.
type Rule struct {
	Package string
	May     []string
	Why     string
}

// Always may be imported by every package.
var Always = []string{"internal/guard"}

// Rules of the product, the first that matches a package counts.
var Rules = []Rule{
	{"internal/guard", nil, "starts goroutines, knows nothing"},
	{"internal/layering", nil, "this table"},
	{"internal/testx/...", nil, "for test files only"},
	{"internal/...", nil, "knows nothing about RPC"},

	{"runtime/rpc", nil, "the model: the standard library only"},
	{"runtime/wire/...", []string{"runtime/wire/..."}, "bytes and values, not the model"},
	{"runtime/transport/...", []string{"runtime/transport/..."}, "bytes between processes, no method, no status"},
	{"runtime/config", nil, "YAML, not the model"},

	{"runtime/filter", []string{"runtime/rpc", "runtime/config", "runtime/telemetry"}, "filters also measure"},
	{"runtime/value", []string{"runtime/rpc", "runtime/config", "runtime/schema", "runtime/wire/aiomas"}, "values by descriptor; the one reader of JSON and MsgPack is aiomas'"},
	{"runtime/registry", domain, "level 2"},
	{"runtime/executor", domain, "level 2"},
	{"runtime/discovery/...", append([]string{"runtime/discovery"}, domain...), "level 2"},
	{"runtime/task", domain, "level 2"},
	{"runtime/logging", domain, "level 2"},
	{"runtime/parameter", domain, "level 2"},
	{"runtime/pkgload", domain, "level 2"},
	{"runtime/schema", domain, "level 2"},
	{"runtime/telemetry", domain, "level 2"},
	{"runtime/dialect/aimrt", []string{"runtime/rpc", "runtime/config", "runtime/wire/aimrthttp", "runtime/wire/aimrtgrpc", "runtime/wire/aimrtmqtt"}, "never another dialect"},
	{"runtime/dialect/aduib", []string{"runtime/rpc", "runtime/config", "runtime/wire/..."}, "never another dialect"},
	{"runtime/dialect/aiomas", []string{"runtime/rpc", "runtime/config", "runtime/wire/aiomas"}, "never another dialect"},

	{"runtime/admin", []string{"runtime/rpc", "runtime/registry", "runtime/telemetry", "runtime/schema"}, "level 3"},
	{"runtime/backend", []string{"runtime/rpc"}, "what core and backends expect of each other"},
	{"runtime/backend/backendtest", append([]string{"runtime/config"}, glue...), "the suite makes options out of YAML; test files only"},
	{"runtime/backend/*", glue, "never another backend"},
	{"runtime/core", []string{"runtime/..."}, "wires everything"},

	{"capi/internal/...", []string{"runtime/rpc", "capi/internal/..."}, "no cgo"},
	{"capi", []string{"runtime/core", "runtime/rpc", "runtime/executor", "capi/internal/..."}, "the only cgo; brings the executors' threads"},
	{"cmd/...", []string{"runtime/...", "internal/...", "cmd/..."}, "core and below, never capi"},
	{"tools/...", []string{"..."}, "not part of the product"},
	{"bindings/...", []string{"..."}, "test programs"},
}

var domain = []string{"runtime/rpc", "runtime/config"}

var glue = []string{"runtime/rpc", "runtime/backend", "runtime/dialect/...", "runtime/wire/...", "runtime/transport/...", "runtime/discovery/...", "runtime/executor", "runtime/value"}

// Forbidden are standard library packages that parts of the tree must not use.
var Forbidden = []struct {
	In      string   // pattern of packages
	Imports []string // standard library
	Except  []string
	Why     string
}{
	{"...", []string{"os/signal"}, []string{"cmd/...", "tools/..."}, "signals are the host program's"},
	{"runtime/wire/...", []string{"net/http", "log/slog", "log", "os", "sync", "context"}, nil, "wire packages are pure: no socket, clock, goroutine or logger"},
	{"...", []string{"C"}, []string{"capi"}, "cgo is capi's alone"},
}

// ForbiddenCalls are functions that only a program of its own may use: the library lives in somebody else's process.
var ForbiddenCalls = []string{"os.Exit", "os.Setenv", "os.Unsetenv", "log.Fatal", "log.Fatalf", "log.Fatalln"}

// CallsCheckedIn are the packages that ForbiddenCalls is about.
var CallsCheckedIn = []string{"runtime/...", "capi/...", "internal/..."}

// Outside are folders that are no part of the product: anything may happen there, and nobody imports them.
var Outside = []string{"tests", "benchmarks", "examples", "build", "third_party"}

// GoStatementsIn are the packages that may start goroutines with a bare go statement.
var GoStatementsIn = []string{"internal/guard"}
