package core

import "fmt"

// State of a runtime's life cycle; the numbers are those of the public header.
type State uint32

// The states.
const (
	PreInit State = iota + 1
	Init
	Start
	ShuttingDown
	Shutdown
)

var stateNames = map[State]string{PreInit: "PreInit", Init: "Init", Start: "Start", ShuttingDown: "ShuttingDown", Shutdown: "Shutdown"}

// String is the name of the state.
func (s State) String() string {
	if name, ok := stateNames[s]; ok {
		return name
	}
	return fmt.Sprintf("state %d", uint32(s))
}

// moves are the legal changes of state.
var moves = map[State][]State{
	PreInit:      {Init, Shutdown},      // initialize; release without it
	Init:         {Start, ShuttingDown}, // start; shutdown before it, or a module refused
	Start:        {ShuttingDown},
	ShuttingDown: {Shutdown},
	Shutdown:     {},
}

// canMove tells whether a change of state is legal.
func canMove(from, to State) bool {
	for _, s := range moves[from] {
		if s == to {
			return true
		}
	}
	return false
}

// State gives the state of the runtime.
func (r *Runtime) State() State { return State(r.state.Load()) }

// move changes the state; it is the only place that does. It is false when somebody else moved first or the move is not legal.
func (r *Runtime) move(from, to State) bool {
	if !canMove(from, to) || !r.state.CompareAndSwap(uint32(from), uint32(to)) {
		return false
	}
	if s, ok := r.options.Sink.(StateSink); ok {
		s.StateChanged(to)
	}
	return true
}

// need is an error unless the runtime is in one of the states.
func (r *Runtime) need(what string, states ...State) error {
	now := r.State()
	text := ""
	for i, s := range states {
		if s == now {
			return nil
		}
		if i > 0 {
			text += " or "
		}
		text += "'" + s.String() + "'"
	}
	return failf(InvalidState, "%s when state is %s, it is '%s'", what, text, now)
}
