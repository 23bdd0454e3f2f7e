package main
func emitForward(h *header) (string, error) { return "", nil }
func emitHostile(h *header) (string, error) { return "", nil }
