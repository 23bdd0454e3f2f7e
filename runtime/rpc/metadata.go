package rpc

import "slices"

// Pair is one metadata entry.
type Pair struct{ Key, Value string }

// Metadata is an ordered list of few string pairs; a key may appear more than once. Keys beginning with "aimrt-", "aduib-" and "aiomas-"
// belong to the dialects. The zero value is empty and usable. It is not safe for concurrent change.
type Metadata struct{ pairs []Pair }

// MetadataOf makes metadata that owns the given pairs.
func MetadataOf(pairs ...Pair) Metadata { return Metadata{pairs: pairs} }

// Get is the first value of a key, empty when absent.
func (m *Metadata) Get(key string) string {
	value, _ := m.Lookup(key)
	return value
}

// Lookup is the first value of a key and whether the key is present.
func (m *Metadata) Lookup(key string) (string, bool) {
	for i := range m.pairs {
		if m.pairs[i].Key == key {
			return m.pairs[i].Value, true
		}
	}
	return "", false
}

// Values are all values of a key, in order.
func (m *Metadata) Values(key string) []string {
	var out []string
	for _, p := range m.pairs {
		if p.Key == key {
			out = append(out, p.Value)
		}
	}
	return out
}

// Set replaces every value of a key by one, at the place of the first.
func (m *Metadata) Set(key, value string) {
	for i := range m.pairs {
		if m.pairs[i].Key != key {
			continue
		}
		m.pairs[i].Value = value
		rest := slices.DeleteFunc(m.pairs[i+1:], func(p Pair) bool { return p.Key == key })
		m.pairs = m.pairs[:i+1+len(rest)]
		return
	}
	m.pairs = append(m.pairs, Pair{key, value})
}

// Add appends a further value of a key.
func (m *Metadata) Add(key, value string) { m.pairs = append(m.pairs, Pair{key, value}) }

// Remove takes out a key with all its values.
func (m *Metadata) Remove(key string) {
	m.pairs = slices.DeleteFunc(m.pairs, func(p Pair) bool { return p.Key == key })
}

// Range calls f for every pair in order until it returns false.
func (m *Metadata) Range(f func(key, value string) bool) {
	for i := range m.pairs {
		if !f(m.pairs[i].Key, m.pairs[i].Value) {
			return
		}
	}
}

// Len is the number of pairs.
func (m *Metadata) Len() int { return len(m.pairs) }

// Clone is a copy that shares nothing.
func (m *Metadata) Clone() Metadata { return Metadata{pairs: slices.Clone(m.pairs)} }

// Clear removes everything and keeps the memory.
func (m *Metadata) Clear() { m.pairs = m.pairs[:0] }
