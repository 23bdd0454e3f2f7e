package aiomas

import (
	"errors"
	"testing"
)

func TestNext_AnySegmentation_GivesTheSamePayloads(t *testing.T) {
	t.Parallel()
	want := []string{"ab", "", "cde"}
	var stream []byte
	for _, payload := range want {
		frame, mark := BeginFrame(stream)
		stream, _ = Format{}.EndFrame(append(frame, payload...), mark)
	}
	for size := 1; size <= len(stream); size++ {
		var s Splitter
		var got []string
		for at := 0; at < len(stream); at += size {
			rest := stream[at:min(at+size, len(stream))]
			for {
				payload, after, ok, err := s.Next(rest)
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				if got = append(got, string(payload)); s.Buffered() != 0 {
					t.Fatalf("%d bytes counted as held of a frame that was given", s.Buffered())
				}
				rest = after
			}
		}
		if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || s.Buffered() != 0 {
			t.Fatalf("in pieces of %d: %q, %d bytes held", size, got, s.Buffered())
		}
	}
}

func TestNext_FrameAboveLimit_IsRefusedByItsHeader(t *testing.T) {
	t.Parallel()
	s := Splitter{MaxFrameBytes: 3}
	for _, piece := range []string{"\x00\x00", "\x00\x04"} {
		_, _, ok, err := s.Next([]byte(piece))
		if refused := errors.Is(err, ErrLimit); ok || refused != (piece == "\x00\x04") {
			t.Fatalf("%q: %v, %v", piece, ok, err)
		}
	}
}
