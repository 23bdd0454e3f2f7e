package rpc

import "time"

// ContextKind tells whose context it is.
type ContextKind uint8

// Kinds of contexts.
const (
	ClientContext ContextKind = iota
	ServerContext
)

// String is "Client" or "Server".
func (k ContextKind) String() string {
	if k == ServerContext {
		return "Server"
	}
	return "Client"
}

// CallContext is what a user may set before a call and read during it. Deadline and cancellation of Go travel beside it in a
// context.Context. It serves one call and is used by one goroutine at a time.
type CallContext struct {
	Kind ContextKind
	// FunctionName as the user or generated code set it; the call's method decides, this is only shown.
	FunctionName string
	// Target is the address the user wants, "<backend>://...", empty for the rule's choice.
	Target string
	// Serialization wanted for the request, empty for the method's first.
	Serialization string
	// Timeout of the call; 0 means the dialect's default, negative means none.
	Timeout  time.Duration
	Metadata Metadata

	used bool
}

// NewClientContext is an empty client context.
func NewClientContext() *CallContext { return &CallContext{} }

// MarkUsed claims the context for a call; false when a call has used it already.
func (c *CallContext) MarkUsed() bool {
	if c.used {
		return false
	}
	c.used = true
	return true
}

// Used tells whether a call has used the context.
func (c *CallContext) Used() bool { return c.used }

// Reset clears everything but the kind, so that the context may serve another call.
func (c *CallContext) Reset() {
	metadata := c.Metadata
	metadata.Clear()
	*c = CallContext{Kind: c.Kind, Metadata: metadata}
}

// Clone is a copy that shares nothing and is not used.
func (c *CallContext) Clone() *CallContext {
	d := *c
	d.Metadata = c.Metadata.Clone()
	d.used = false
	return &d
}
