//go:build !race

package h2

import "testing"

// TestAllocs_Unary guards the number of allocations of one call, both sides
// together: call objects, header lists and the values that differ per call.
func TestAllocs_Unary(t *testing.T) {
	_, p := serve(t, ServerConfig{Handler: echo})
	c := newClient(t, ClientConfig{})
	r := post(p, make([]byte, 64))
	done := make(chan error, 1)
	finish := func(_ *Response, err error) { done <- err }
	call := func() {
		c.Start(r, finish)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	call()
	const most = 18
	if n := testing.AllocsPerRun(500, call); n > most {
		t.Errorf("%v allocations per call, at most %d expected", n, most)
	} else {
		t.Logf("%v allocations per call", n)
	}
}
