package framed

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// scripted is a socket that delivers data in pieces and then ends.
type scripted struct {
	net.Conn
	data  []byte
	piece int
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.piece)], s.data)
	s.data = s.data[n:]
	return n, nil
}

func (s *scripted) SetReadDeadline(time.Time) error { return nil }

// FuzzRead compares what the reader makes of a stream with a cut of the whole.
func FuzzRead(f *testing.F) {
	f.Add(append(frame("ab"), frame("")...), uint16(1))
	f.Add(frame("abc")[:5], uint16(2))
	f.Add([]byte{0, 0, 4, 1}, uint16(9))
	f.Add(append(frame(string(make([]byte, 900))), 0, 0), uint16(333))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint16) {
		const limit = 1024
		c := New(&scripted{data: stream, piece: int(piece) + 1}, Config{MaxFrameBytes: limit})
		r := reader{conn: c}
		for rest := stream; ; {
			payload, err := r.next()
			var size *FrameSizeError
			switch {
			case len(rest) >= headerBytes && binary.BigEndian.Uint32(rest) > limit:
				if !errors.As(err, &size) || !size.Received {
					t.Fatalf("error %v for %x", err, rest[:headerBytes])
				}
				return
			case len(rest) == 0:
				if !errors.Is(err, ErrPeerClosed) || errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("error %v at the end", err)
				}
				return
			case len(rest) < headerBytes || len(rest) < headerBytes+int(binary.BigEndian.Uint32(rest)):
				if !errors.Is(err, ErrPeerClosed) || !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("error %v inside a frame", err)
				}
				return
			}
			end := headerBytes + int(binary.BigEndian.Uint32(rest))
			if err != nil || !bytes.Equal(payload, rest[headerBytes:end]) {
				t.Fatalf("payload %x, error %v, want %x", payload, err, rest[headerBytes:end])
			}
			rest = rest[end:]
		}
	})
}

// A length costs no memory before its bytes are there.
func TestRead_AnnouncedLength_ReservesLittle(t *testing.T) {
	const announced = 60 << 20
	header := binary.BigEndian.AppendUint32(nil, announced)
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r := reader{conn: New(&scripted{data: append(header, "abc"...), piece: 100}, Config{})}
			if _, err := r.next(); !errors.Is(err, io.ErrUnexpectedEOF) {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 2*(firstPiece+readBuffer) {
		t.Fatalf("%d bytes allocated for a frame that did not come", allocated)
	}
}
