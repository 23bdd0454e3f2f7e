package core

import (
	"sync"
	"sync/atomic"

	"aimrtrpc/runtime/rpc"
)

// maxCountedCodes limits how many different codes of one method are counted apart; the rest counts as UNKNOWN.
const maxCountedCodes = 64

// codeCounts counts the ends of calls of one method by code.
type codeCounts struct {
	ok atomic.Uint64

	mu     sync.Mutex // guards failed
	failed map[rpc.Code]uint64
}

func (c *codeCounts) add(code rpc.Code) {
	if code == rpc.CodeOK {
		c.ok.Add(1)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = map[rpc.Code]uint64{}
	}
	if _, known := c.failed[code]; !known && len(c.failed) >= maxCountedCodes {
		code = rpc.CodeUnknown
	}
	c.failed[code]++
}

// all gives the counts that are not zero.
func (c *codeCounts) all() map[rpc.Code]uint64 {
	out := map[rpc.Code]uint64{}
	if n := c.ok.Load(); n > 0 {
		out[rpc.CodeOK] = n
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for code, n := range c.failed {
		out[code] = n
	}
	return out
}
