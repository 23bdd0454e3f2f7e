package core

import "testing"

func TestMoves_Table(t *testing.T) {
	states := []State{PreInit, Init, Start, ShuttingDown, Shutdown}
	legal := map[[2]State]bool{
		{PreInit, Init}: true, {PreInit, Shutdown}: true, {Init, Start}: true, {Init, ShuttingDown}: true,
		{Start, ShuttingDown}: true, {ShuttingDown, Shutdown}: true,
	}
	for _, from := range states {
		for _, to := range states {
			r := New(Options{})
			r.state.Store(uint32(from))
			if got := r.move(from, to); got != legal[[2]State{from, to}] {
				t.Errorf("%v to %v: %v", from, to, got)
			}
			if moved := r.State() == to; from != to && moved != legal[[2]State{from, to}] {
				t.Errorf("%v to %v left the state %v", from, to, r.State())
			}
		}
	}
	r := New(Options{})
	if r.move(Init, Start) {
		t.Error("a move from a state the runtime is not in went through")
	}
	if State(9).String() != "state 9" || Start.String() != "Start" {
		t.Error("names are wrong")
	}
}
