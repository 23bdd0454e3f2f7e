// Package core is the runtime: life cycle, modules, registration of methods, the way of a call to its backend and handler, and the reports.
// It wires configuration, registry, filters, executors and backends together and is what the shared library and the command line talk to.
//
// It knows no wire and no foreign language. Each dialect's meaning comes from its package; what the C half of the library carries out
// itself is decided here and published through a PlanSink.
package core
