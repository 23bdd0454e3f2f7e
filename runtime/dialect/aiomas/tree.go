package aiomas

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"aimrtrpc/runtime/rpc"
)

// KeyPath is the metadata key under which a handler finds the path a call came for.
const KeyPath = "aiomas-path"

// Limits of a Tree.
const (
	// MaxTreeNames bounds the names at one place of a tree.
	MaxTreeNames = 65536
	// MaxTreeDepth bounds how many names a path has.
	MaxTreeDepth = 64
)

// What a Tree answers when it is changed.
var (
	// ErrTaken: something else has the place.
	ErrTaken = errors.New("path is taken")
	// ErrTreeLimit: a path, or the number of names, exceeds a limit.
	ErrTreeLimit = errors.New("limit of a service tree")
)

// Tree is what one end of a connection offers: functions and, under further names, other trees. One tree may serve any number of connections
// and be changed meanwhile; it has one place in one tree at most, as a service of aiomas. It is an rpc.Handler. Use NewTree.
type Tree struct {
	mu      sync.RWMutex // guards what follows; a parent's is taken before its child's
	entries map[string]entry

	placeMu sync.Mutex // guards what follows; nothing is locked inside
	name    string
	parent  *Tree
}

// entry is a function or a tree.
type entry struct {
	method  *rpc.Method
	handler rpc.Handler
	sub     *Tree
}

// placing makes moves of trees one at a time, so that no tree ends up inside itself.
var placing sync.Mutex

// NewTree makes a tree without names.
func NewTree() *Tree { return &Tree{entries: map[string]entry{}} }

// splitPath takes a path apart and checks its names.
func splitPath(path string) ([]string, error) {
	if len(path) > rpc.MaxMethodNameBytes {
		return nil, fmt.Errorf("%w: path %.40q... has %d bytes, MaxMethodNameBytes is %d", ErrTreeLimit, path, len(path), rpc.MaxMethodNameBytes)
	}
	names := strings.Split(path, "/")
	if len(names) > MaxTreeDepth {
		return nil, fmt.Errorf("%w: path %.40q... has %d names, MaxTreeDepth is %d", ErrTreeLimit, path, len(names), MaxTreeDepth)
	}
	if slices.Contains(names, "") {
		return nil, fmt.Errorf(`path %q has an empty name, expected names joined by "/" such as "math/add"`, path)
	}
	return names, nil
}

// Add makes a handler the function at a path; trees on the way to it are made. Methods name what is called in logs and filters; nil makes one
// of the path.
func (t *Tree) Add(path string, method *rpc.Method, handler rpc.Handler) error {
	names, err := splitPath(path)
	if err != nil {
		return err
	}
	if method == nil {
		if method, err = rpc.NewMethod(rpc.MethodOptions{Name: path}); err != nil {
			return err
		}
	}
	placing.Lock()
	defer placing.Unlock()
	last := len(names) - 1
	at, err := t.reach(names[:last], true)
	if err != nil {
		return err
	}
	return at.put(names[last], entry{method: method, handler: handler}, path)
}

// Attach puts a tree under a path.
func (t *Tree) Attach(path string, sub *Tree) error {
	names, err := splitPath(path)
	if err != nil {
		return err
	}
	placing.Lock()
	defer placing.Unlock()
	if _, at := sub.place(); at != nil {
		return fmt.Errorf("%w: the tree is at %q already and can have one place only", ErrTaken, sub.Path())
	}
	for up := t; up != nil; _, up = up.place() {
		if up == sub {
			return fmt.Errorf("path %q would put a tree inside itself", path)
		}
	}
	last := len(names) - 1
	at, err := t.reach(names[:last], true)
	if err != nil {
		return err
	}
	return at.put(names[last], entry{sub: sub}, path)
}

// Remove takes out what is at a path, a function or a tree with all that is in it. It is false when there is nothing.
func (t *Tree) Remove(path string) bool {
	names, err := splitPath(path)
	if err != nil {
		return false
	}
	placing.Lock()
	defer placing.Unlock()
	last := len(names) - 1
	at, err := t.reach(names[:last], false)
	if err != nil {
		return false
	}
	at.mu.Lock()
	gone, ok := at.entries[names[last]]
	delete(at.entries, names[last])
	at.mu.Unlock()
	if gone.sub != nil {
		gone.sub.setPlace("", nil)
	}
	return ok
}

// reach walks to a tree below this one; make adds those that are missing.
func (t *Tree) reach(names []string, make bool) (*Tree, error) {
	for i, name := range names {
		t.mu.RLock()
		e, ok := t.entries[name]
		t.mu.RUnlock()
		switch {
		case ok && e.sub == nil:
			return nil, fmt.Errorf("%w: %q is a function, nothing can be below it", ErrTaken, strings.Join(names[:i+1], "/"))
		case ok:
			t = e.sub
		case !make:
			return nil, notFound(name, names[:i])
		default:
			sub := NewTree()
			if err := t.put(name, entry{sub: sub}, strings.Join(names[:i+1], "/")); err != nil {
				return nil, err
			}
			t = sub
		}
	}
	return t, nil
}

func (t *Tree) put(name string, e entry, path string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other, taken := t.entries[name]; taken {
		what := "function"
		if other.sub != nil {
			what = "service"
		}
		return fmt.Errorf("%w: %q is a %s", ErrTaken, path, what)
	}
	if len(t.entries) >= MaxTreeNames {
		return fmt.Errorf("%w: %d names are at the place of path %q, limit MaxTreeNames", ErrTreeLimit, len(t.entries), path)
	}
	if e.sub != nil {
		e.sub.setPlace(name, t)
	}
	t.entries[name] = e
	return nil
}

func (t *Tree) place() (name string, parent *Tree) {
	t.placeMu.Lock()
	defer t.placeMu.Unlock()
	return t.name, t.parent
}

func (t *Tree) setPlace(name string, parent *Tree) {
	t.placeMu.Lock()
	defer t.placeMu.Unlock()
	t.name, t.parent = name, parent
}

// Path is where the tree is below its root, "" for a root: what a reference to it says.
func (t *Tree) Path() string {
	var names []string
	for name, up := t.place(); up != nil; name, up = up.place() {
		names = append(names, name)
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// ResolveError is a path that leads to no function. Its text travels on the wire as aiomas' own.
type ResolveError struct{ Class, Text string }

// Error is the text.
func (e *ResolveError) Error() string { return e.Text }

// Status is what a caller is told.
func (e *ResolveError) Status() rpc.Status {
	return rpc.NewStatus(rpc.CodeSvrNotFound, e.Text).WithNative(rpc.Native{Dialect: Dialect, Code: e.Class})
}

func notFound(name string, walked []string) *ResolveError {
	return &ResolveError{"LookupError", fmt.Sprintf("Name %q not found in %q", rawText(name), rawText(strings.Join(walked, "/")))}
}

// rawText is written by %q as it is: aiomas puts names between quotes and escapes nothing.
type rawText string

// Format writes the text.
func (r rawText) Format(s fmt.State, _ rune) { fmt.Fprint(s, `"`+string(r)+`"`) }

// Resolve finds the function at a path; an error is a *ResolveError.
func (t *Tree) Resolve(path string) (*rpc.Method, rpc.Handler, error) {
	var walked []string
	for rest, more := path, true; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		t.mu.RLock()
		e, ok := t.entries[name]
		t.mu.RUnlock()
		switch {
		case !ok || len(walked) >= MaxTreeDepth:
			return nil, nil, notFound(name, walked)
		case e.sub == nil && more:
			name2, _, _ := strings.Cut(rest, "/")
			return nil, nil, notFound(name2, append(walked, name))
		case e.sub == nil:
			return e.method, e.handler, nil
		}
		t, walked = e.sub, append(walked, name)
	}
	return nil, nil, &ResolveError{"TypeError", "'ServiceDict' object is not callable"}
}

// Reachable tells whether there is a tree or function at a path, "" being this tree, so that a reference to it leads somewhere.
func (t *Tree) Reachable(path string) bool {
	if path == "" {
		return true
	}
	names, err := splitPath(path)
	if err != nil {
		return false
	}
	last := len(names) - 1
	at, err := t.reach(names[:last], false)
	if err != nil {
		return false
	}
	at.mu.RLock()
	defer at.mu.RUnlock()
	_, ok := at.entries[names[last]]
	return ok
}

// Paths lists the functions, sorted.
func (t *Tree) Paths() []string {
	out := t.collect(nil, "", 0)
	slices.Sort(out)
	return out
}

func (t *Tree) collect(out []string, prefix string, depth int) []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for name, e := range t.entries {
		switch {
		case e.sub == nil:
			out = append(out, prefix+name)
		case depth < MaxTreeDepth:
			out = e.sub.collect(out, prefix+name+"/", depth+1)
		}
	}
	return out
}

// Handle serves a call by the path in its metadata. It gives the call the method that was found.
func (t *Tree) Handle(ctx context.Context, call *rpc.Call) {
	method, handler, err := t.Resolve(call.Context.Metadata.Get(KeyPath))
	if err != nil {
		call.Finish(err.(*ResolveError).Status(), rpc.Payload{})
		return
	}
	call.Method = method
	handler.Handle(ctx, call)
}
