// Package logging is AimRT's log component: levels per module, the console and
// rotate_file backends, and the stderr format used while no backend is up.
//
// A Manager owns the backends, a bounded queue and the one goroutine that
// writes. Callers only check a level and put a record in the queue. The level
// word of a logger may lie in memory that C reads, so that a line below the
// level costs foreign code one load.
//
// The package opens no sockets and knows no RPC. The runtime's own packages log
// through the *slog.Logger that Manager.Slog gives.
package logging
