package core

import (
	"fmt"
	"sync"
)

const maxParameters = 65536

type parameters struct {
	mu     sync.Mutex // guards values
	values map[string]string
}

func newParameters() *parameters { return &parameters{values: map[string]string{}} }

func (p *parameters) get(key string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.values[key]
}

func (p *parameters) set(key, value string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if value == "" {
		delete(p.values, key)
		return nil
	}
	if _, there := p.values[key]; !there && len(p.values) >= maxParameters {
		return fmt.Errorf("more than %d parameters", maxParameters)
	}
	p.values[key] = value
	return nil
}
