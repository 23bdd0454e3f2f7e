package parameter

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

func TestStore_SetGetErase(t *testing.T) {
	var m Manager
	s := m.Module("a")
	for _, c := range []struct{ key, value, keys string }{
		{"k", "1", "[k]"}, {"k", "22", "[k]"}, {"b", "x", "[b k]"}, {"", "empty key", "[ b k]"},
		{"b", "", "[ k]"}, {"b", "", "[ k]"}, {"never", "", "[ k]"}, {"k", "", "[]"}, {"", "", "[]"},
	} {
		if err := s.Set(c.key, c.value); err != nil || s.Get(c.key) != c.value || fmt.Sprint(s.Keys()) != c.keys {
			t.Errorf("Set(%q, %q): %v, get %q, keys %v", c.key, c.value, err, s.Get(c.key), s.Keys())
		}
	}
	if s.bytes != 0 || s.Get("nothing") != "" {
		t.Errorf("%d bytes counted in an empty store", s.bytes)
	}
}

func TestManager_StoresAreSeparate(t *testing.T) {
	var m Manager
	if _, ok := m.Find("a"); ok || len(m.Modules()) != 0 {
		t.Error("a store before it was asked for")
	}
	_ = m.Module("b").Set("k", "b")
	_ = m.Module("a").Set("k", "a")
	if m.Module("a").Get("k") != "a" || m.Module("b").Get("k") != "b" || fmt.Sprint(m.Modules()) != "[a b]" {
		t.Errorf("%v", m.Modules())
	}
	if s, ok := m.Find("a"); !ok || s != m.Module("a") {
		t.Error("Find gives another store")
	}
}

func TestStore_AllAndLoad(t *testing.T) {
	var s Store
	if err := s.Load(map[string]string{"a": "1", "b": "2", "c": ""}); err != nil {
		t.Fatal(err)
	}
	all := s.All()
	all["a"] = "changed"
	if len(all) != 2 || s.Get("a") != "1" {
		t.Errorf("All must give a copy: %v", s.All())
	}
	err := s.Load(map[string]string{"a": "9", strings.Repeat("k", MaxKeyBytes+1): "x", "z": "never"})
	if !errors.Is(err, ErrLimit) || s.Get("a") != "9" || s.Get("z") != "" {
		t.Errorf("%v %v", err, s.All())
	}
}

func TestStore_Limits_NameThemselvesAndChangeNothing(t *testing.T) {
	full := Store{module: "m", values: map[string]string{"k": "v"}, bytes: MaxTotalBytes}
	crowded := Store{module: "m", values: map[string]string{}}
	for i := range MaxEntries {
		crowded.values[fmt.Sprint(i)] = "v"
	}
	for _, c := range []struct {
		s          *Store
		key, value string
		want       string
	}{
		{&Store{module: "m"}, strings.Repeat("k", MaxKeyBytes+1), "v", `parameter limit: module "m": key of 1025 bytes, at most 1024`},
		{&Store{module: "m"}, "k", strings.Repeat("v", MaxValueBytes+1), `parameter limit: module "m": value of 16777217 bytes, at most 16777216`},
		{&crowded, "new", "v", `parameter limit: module "m": 100001 entries, at most 100000`},
		{&full, "k", "vv", `parameter limit: module "m": 67108865 bytes in all, at most 67108864`},
	} {
		before := c.s.Get(c.key)
		if err := c.s.Set(c.key, c.value); err == nil || err.Error() != c.want || c.s.Get(c.key) != before {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if err := full.Set("k", "w"); err != nil || full.Get("k") != "w" {
		t.Errorf("a value of the same size must fit: %v", err)
	}
	if err := crowded.Set("5", "other"); err != nil {
		t.Errorf("an existing key must be settable: %v", err)
	}
}

func TestStore_ParallelUse(t *testing.T) {
	var m Manager
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := m.Module(fmt.Sprint(i % 2))
			for j := range 200 {
				key := fmt.Sprint(i, "-", j)
				if err := s.Set(key, "v"); err != nil || s.Get(key) != "v" {
					t.Error(key, err)
				}
				if j%2 == 0 {
					_ = s.Set(key, "")
				}
				_, _, _ = s.All(), s.Keys(), m.Modules()
			}
		})
	}
	wg.Wait()
	if n := len(m.Module("0").Keys()) + len(m.Module("1").Keys()); n != 800 {
		t.Errorf("%d keys, want 800", n)
	}
}

func ExampleStore() {
	var m Manager
	s := m.Module("Camera")
	_ = s.Set("fps", "30")
	fmt.Println(s.Get("fps"), s.Keys())
	_ = s.Set("fps", "")
	fmt.Printf("%q\n", s.Get("fps"))
	// Output:
	// 30 [fps]
	// ""
}
