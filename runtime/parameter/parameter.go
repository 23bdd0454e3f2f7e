// Package parameter is AimRT's parameter component: text values by key, one
// store per module, in memory only. It knows no RPC and no configuration.
package parameter

import (
	"errors"
	"fmt"
	"sort"
	"sync"
)

// Limits of one store.
const (
	MaxKeyBytes   = 1 << 10
	MaxValueBytes = 16 << 20
	MaxEntries    = 100_000
	MaxTotalBytes = 64 << 20 // keys and values of one store
)

// ErrLimit is wrapped by the errors of Set and Load when a limit is hit.
var ErrLimit = errors.New("parameter limit")

// Manager holds the stores of all modules. The zero Manager is ready. All methods
// may be used from any thread.
type Manager struct {
	mu     sync.Mutex // guards stores
	stores map[string]*Store
}

// Module gives the store of a module; the same name gives the same Store.
func (m *Manager) Module(name string) *Store {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.stores[name]
	if !ok {
		if m.stores == nil {
			m.stores = map[string]*Store{}
		}
		s = &Store{module: name}
		m.stores[name] = s
	}
	return s
}

// Find gives the store of a module that has one already.
func (m *Manager) Find(name string) (*Store, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.stores[name]
	return s, ok
}

// Modules gives the names of all modules with a store, sorted.
func (m *Manager) Modules() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := make([]string, 0, len(m.stores))
	for n := range m.stores {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Store holds the parameters of one module. All methods may be used from any thread.
type Store struct {
	module string

	mu     sync.RWMutex // guards values and bytes
	values map[string]string
	bytes  int
}

// Get gives the value of a key, "" when there is none.
func (s *Store) Get(key string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.values[key]
}

// Set stores a value. An empty value erases the key. On an error nothing changes.
func (s *Store) Set(key, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set(key, value)
}

func (s *Store) set(key, value string) error {
	old, had := s.values[key]
	if value == "" {
		if had {
			delete(s.values, key)
			s.bytes -= len(key) + len(old)
		}
		return nil
	}
	total := s.bytes + len(key) + len(value)
	if had {
		total -= len(key) + len(old)
	}
	switch {
	case len(key) > MaxKeyBytes:
		return s.limit("key of %d bytes, at most %d", len(key), MaxKeyBytes)
	case len(value) > MaxValueBytes:
		return s.limit("value of %d bytes, at most %d", len(value), MaxValueBytes)
	case !had && len(s.values) >= MaxEntries:
		return s.limit("%d entries, at most %d", len(s.values)+1, MaxEntries)
	case total > MaxTotalBytes:
		return s.limit("%d bytes in all, at most %d", total, MaxTotalBytes)
	}
	if s.values == nil {
		s.values = map[string]string{}
	}
	s.values[key] = value
	s.bytes = total
	return nil
}

func (s *Store) limit(format string, args ...any) error {
	return fmt.Errorf("%w: module %q: "+format, append([]any{ErrLimit, s.module}, args...)...)
}

// Keys lists the keys, sorted.
func (s *Store) Keys() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	keys := make([]string, 0, len(s.values))
	for k := range s.values {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// All gives a copy of everything.
func (s *Store) All() map[string]string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[string]string, len(s.values))
	for k, v := range s.values {
		out[k] = v
	}
	return out
}

// Load sets every entry of values, in the order of the keys, and stops at the
// first error. Other keys stay.
func (s *Store) Load(values map[string]string) error {
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if err := s.set(k, values[k]); err != nil {
			return err
		}
	}
	return nil
}
