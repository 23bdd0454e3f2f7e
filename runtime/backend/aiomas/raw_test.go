package aiomas

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"
)

// rawDial connects to a listener without this package.
func rawDial(t *testing.T, l *Listener) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(l.Address(), "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return nc
}

// frame puts the length in front of a payload.
func frame(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
}
