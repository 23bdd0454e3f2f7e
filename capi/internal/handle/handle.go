// Package handle keeps the Go objects that C knows by a number.
//
// Go memory never stays in C, so C holds ids and Go finds the object again. The public handles, with kinds and generations, are the C
// half's business; an id here is a plain number that is never used twice. Only capi imports this package.
package handle

import (
	"sync"
	"sync/atomic"
)

// shards spread the locks; a call takes one of them twice in its life.
const shards = 32

// Table finds objects by id. The zero value is ready to use, from any goroutine.
type Table[T any] struct {
	shards [shards]shard[T]
	last   atomic.Uint64
}

type shard[T any] struct {
	mu      sync.Mutex // guards objects
	objects map[uint64]T
	_       [40]byte // keeps neighbours on cache lines of their own
}

// shard picks by a multiplicative hash: ids that are addresses of pooled C objects share their low bits.
func (t *Table[T]) shard(id uint64) *shard[T] { return &t.shards[id*0x9e3779b97f4a7c15>>59] }

// Add stores an object under a new id, which is never 0.
func (t *Table[T]) Add(object T) uint64 {
	id := t.last.Add(1)
	t.Set(id, object)
	return id
}

// Set stores an object under an id that the caller chose, in place of what was there. A table uses either Add or Set.
func (t *Table[T]) Set(id uint64, object T) {
	s := t.shard(id)
	s.mu.Lock()
	if s.objects == nil {
		s.objects = map[uint64]T{}
	}
	s.objects[id] = object
	s.mu.Unlock()
}

// Get finds an object.
func (t *Table[T]) Get(id uint64) (T, bool) {
	s := t.shard(id)
	s.mu.Lock()
	object, ok := s.objects[id]
	s.mu.Unlock()
	return object, ok
}

// Take removes an object and gives it to exactly one caller.
func (t *Table[T]) Take(id uint64) (T, bool) {
	s := t.shard(id)
	s.mu.Lock()
	object, ok := s.objects[id]
	delete(s.objects, id)
	s.mu.Unlock()
	return object, ok
}

// Live is the number of objects in the table.
func (t *Table[T]) Live() int {
	n := 0
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		n += len(s.objects)
		s.mu.Unlock()
	}
	return n
}

// Range calls f for every object until it returns false. f may use the table; objects added meanwhile may be missed.
func (t *Table[T]) Range(f func(id uint64, object T) bool) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		ids := make([]uint64, 0, len(s.objects))
		objects := make([]T, 0, len(s.objects))
		for id, object := range s.objects {
			ids, objects = append(ids, id), append(objects, object)
		}
		s.mu.Unlock()
		for j := range ids {
			if !f(ids[j], objects[j]) {
				return
			}
		}
	}
}
