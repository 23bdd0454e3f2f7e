// Package filter builds the chain of filters around a call and holds the filters that need nothing but the call.
//
// A filter is named in the configuration (enable_filters). Client and server side have sets of their own. The package knows no backend and
// no dialect; texts that need one are made by functions handed in.
package filter

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"aimrtrpc/runtime/rpc"
)

// Side of a call.
type Side uint8

// The two sides.
const (
	Client Side = iota
	Server
)

// String is the word that log lines use.
func (s Side) String() string {
	if s == Server {
		return "server"
	}
	return "client"
}

// Table holds the filters by name. The zero value is empty. It may be used from any goroutine.
type Table struct {
	mu    sync.Mutex // guards what follows
	names [2][]string
	byKey [2]map[string]rpc.Filter
}

// Add registers a filter of one side.
func (t *Table) Add(side Side, name string, f rpc.Filter) error {
	if name == "" || f == nil {
		return fmt.Errorf("a %s filter needs a name and a function", side)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, twice := t.byKey[side][name]; twice {
		return fmt.Errorf("%s filter %q is registered already", side, name)
	}
	if t.byKey[side] == nil {
		t.byKey[side] = map[string]rpc.Filter{}
	}
	t.byKey[side][name] = f
	t.names[side] = append(t.names[side], name)
	return nil
}

// Find gives a filter.
func (t *Table) Find(side Side, name string) (rpc.Filter, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.byKey[side][name]
	return f, ok
}

// Names lists the filters of one side in the order of registration.
func (t *Table) Names(side Side) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.names[side])
}

// Chain wraps last with filters. Each one wraps what was built before, so the last filter of the list is outermost: it sees the call first
// and its end last.
func Chain(filters []rpc.Filter, last rpc.Next) rpc.Next {
	next := last
	for _, f := range filters {
		inner := next
		next = func(ctx context.Context, call *rpc.Call) { f(ctx, call, inner) }
	}
	return next
}
