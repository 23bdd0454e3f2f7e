//go:build race

package httpx

// The race detector has sync.Pool forget a quarter of what it is given: two
// allocations each (a buffer and its header).
const pooledSlack = 0.6
