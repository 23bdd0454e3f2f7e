package aiomas

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/rpc"
)

type named string

func (n named) Handle(_ context.Context, call *rpc.Call) {
	call.Finish(rpc.OK, rpc.BytesPayload("json", []byte(n)))
}

func newTree(t *testing.T, paths ...string) *Tree {
	t.Helper()
	tree := NewTree()
	for _, p := range paths {
		if err := tree.Add(p, nil, named(p)); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

func TestTree_Resolve_SaysWhatAiomasSays(t *testing.T) {
	tree := newTree(t, "echo", "math/add", "math/deep/er")
	for _, path := range []string{"echo", "math/add", "math/deep/er"} {
		if m, h, err := tree.Resolve(path); err != nil || h != named(path) || m.Name() != path {
			t.Errorf("%s: %v, %v", path, h, err)
		}
	}
	for path, want := range map[string]string{
		"": `LookupError Name "" not found in ""`, "/echo": `LookupError Name "" not found in ""`, "echo/": `LookupError Name "" not found in "echo"`,
		"none": `LookupError Name "none" not found in ""`, "none/x": `LookupError Name "none" not found in ""`, "math/sub": `LookupError Name "sub" not found in "math"`,
		"math/deep/x/y": `LookupError Name "x" not found in "math/deep"`, "echo/__func__": `LookupError Name "__func__" not found in "echo"`,
		"math": `TypeError 'ServiceDict' object is not callable`, `q"u\o`: `LookupError Name "q"u\o" not found in ""`,
	} {
		_, _, err := tree.Resolve(path)
		var failed *ResolveError
		if !errors.As(err, &failed) || failed.Class+" "+failed.Text != want {
			t.Errorf("%q: %v, want %s", path, err, want)
		}
	}
}

func TestTree_Handle_GoesByThePathInTheMetadata(t *testing.T) {
	tree := newTree(t, "math/add")
	for path, want := range map[string]string{"math/add": "", "math/x": `SVR_NOT_FOUND Name "x" not found in "math"`} {
		call := &rpc.Call{Context: &rpc.CallContext{Kind: rpc.ServerContext, Metadata: rpc.MetadataOf(rpc.Pair{Key: KeyPath, Value: path})}}
		tree.Handle(t.Context(), call)
		switch s := call.Status(); {
		case want == "" && (!s.OK() || call.Method.Name() != path):
			t.Errorf("%s: %v", path, s)
		case want != "" && s.Code().String()+" "+s.Message() != want:
			t.Errorf("%s: %v, want %s", path, s, want)
		}
	}
}

func TestTree_Attach_GivesOnePlace(t *testing.T) {
	tree, sub := newTree(t, "echo"), newTree(t, "add")
	if err := tree.Attach("a/math", sub); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tree.Resolve("a/math/add"); err != nil || sub.Path() != "a/math" || tree.Path() != "" {
		t.Fatalf("%v, path %q", err, sub.Path())
	}
	if err := sub.Add("later", nil, named("later")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(tree.Paths(), " "); got != "a/math/add a/math/later echo" {
		t.Fatal(got)
	}
	for name, err := range map[string]error{
		"a second place": tree.Attach("b", sub), "a taken place": tree.Attach("echo", NewTree()), "below a function": tree.Attach("echo/x", NewTree()),
	} {
		if !errors.Is(err, ErrTaken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := sub.Attach("loop", tree); err == nil {
		t.Error("a tree was put inside itself")
	}
	if !tree.Remove("a") || tree.Remove("a") || tree.Remove("") {
		t.Error("remove is true exactly once")
	}
	if other := NewTree(); other.Attach("b", mustReach(t, tree, sub)) != nil {
		t.Error("a tree that was taken out has no place elsewhere")
	}
}

// mustReach gives sub when it has no place any more.
func mustReach(t *testing.T, tree, sub *Tree) *Tree {
	t.Helper()
	if tree.Reachable("a/math") {
		t.Fatal("removed and reachable")
	}
	sub.parentOf().Remove("math")
	return sub
}

// parentOf is where a tree is.
func (t *Tree) parentOf() *Tree {
	_, parent := t.place()
	return parent
}

func TestTree_Limits_AndNames(t *testing.T) {
	tree := newTree(t, "echo")
	for path, want := range map[string]error{
		"echo": ErrTaken, "echo/x": ErrTaken, strings.Repeat("x", 600): ErrTreeLimit, strings.Repeat("x/", 70) + "y": ErrTreeLimit,
	} {
		if err := tree.Add(path, nil, named("")); !errors.Is(err, want) {
			t.Errorf("%.20s: %v, want %v", path, err, want)
		}
	}
	for _, path := range []string{"", "/", "a//b", "a/"} {
		if err := tree.Add(path, nil, named("")); err == nil || !strings.Contains(err.Error(), "empty name") {
			t.Errorf("%q: %v", path, err)
		}
	}
	for path, want := range map[string]bool{"": true, "echo": true, "none": false, "echo/x": false, "a//b": false} {
		if tree.Reachable(path) != want {
			t.Errorf("reachable %q", path)
		}
	}
}

func TestTree_ChangedWhileServing_StaysWhole(t *testing.T) {
	tree := newTree(t, "stays/here")
	var all sync.WaitGroup
	for i := range 8 {
		all.Add(1)
		guard.Go("test tree", func() {
			defer all.Done()
			path := fmt.Sprintf("comes/%d/x", i)
			for range 200 {
				if err := tree.Add(path, nil, named(path)); err != nil {
					t.Error(err)
				}
				if _, _, err := tree.Resolve(path); err != nil {
					t.Error(err)
				}
				if _, _, err := tree.Resolve("stays/here"); err != nil {
					t.Error(err)
				}
				tree.Paths()
				tree.Remove(path)
			}
		})
	}
	all.Wait()
}
