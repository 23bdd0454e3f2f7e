package grpcframe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
)

func framed(compressed bool, messages ...string) []byte {
	var out []byte
	for _, m := range messages {
		var p [PrefixBytes]byte
		PutPrefix(&p, len(m), compressed)
		out = append(append(out, p[:]...), m...)
	}
	return out
}

func TestSplitter_GivesTheSameMessagesHoweverTheBytesCome(t *testing.T) {
	want := []string{"a", "", "hello", string(make([]byte, 70000)), "end"}
	all := framed(false, want...)
	for _, step := range []int{1, 2, 4, 5, 6, 7, 1000, 65536, len(all)} {
		var s Splitter
		var got []string
		for at := 0; at < len(all); at += step {
			err := s.Push(all[at:min(at+step, len(all))], func(m Message) error {
				got = append(got, string(m.Data))
				return nil
			})
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatalf("step %d: %v", step, err)
		}
		if len(got) != len(want) {
			t.Fatalf("step %d: %d messages, want %d", step, len(got), len(want))
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("step %d: message %d differs", step, i)
			}
		}
	}
}

func TestSplitter_RefusesWhatIsNoMessage(t *testing.T) {
	huge := []byte{0, 0x80, 0, 0, 0}
	for name, in := range map[string][]byte{"2 GiB length": huge, "flag 2": {2, 0, 0, 0, 0}} {
		for _, step := range []int{1, len(in)} {
			var s Splitter
			var err error
			for at := 0; at < len(in) && err == nil; at += step {
				err = s.Push(in[at:at+step], func(Message) error { return nil })
			}
			var size *SizeError
			var flag *FlagError
			if !errors.As(err, &size) && !errors.As(err, &flag) {
				t.Errorf("%s in steps of %d: %v", name, step, err)
			}
		}
	}
	s := Splitter{MaxMessage: 10}
	if err := s.Push(framed(false, "eleven byte"), func(Message) error { return nil }); err == nil {
		t.Error("11 bytes pass a limit of 10")
	}
	s = Splitter{}
	s.Push([]byte{0, 0, 0, 0, 9, 1}, nil)
	if err := s.Close(); !errors.Is(err, ErrTruncated) {
		t.Errorf("end inside a message: %v", err)
	}
}

func TestSplitter_MemoryFollowsWhatArrived(t *testing.T) {
	s := Splitter{}
	head := []byte{0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[1:], 64<<20)
	if err := s.Push(append(head, 1, 2, 3), nil); err != nil {
		t.Fatal(err)
	}
	if cap(s.part) > 64<<10 {
		t.Errorf("3 of 64 Mi bytes came, %d are held", cap(s.part))
	}
}

func TestSingle(t *testing.T) {
	m, err := Single(framed(true, "x"), 1)
	if err != nil || string(m.Data) != "x" || !m.Compressed {
		t.Errorf("%v, %v", m, err)
	}
	for name, in := range map[string][]byte{
		"two": framed(false, "a", "b"), "none": nil, "half": {0, 0, 0, 0, 3, 1}, "large": framed(false, "ab"), "short prefix": {0, 0},
	} {
		if _, err := Single(in, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// counters is data that compresses like text.
func counters(n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = append(binary.BigEndian.AppendUint32(b, uint32(i*i)), "some words between"...)
	}
	return b[:n]
}

func TestGzip_RoundTripAndCaps(t *testing.T) {
	for _, data := range [][]byte{nil, []byte("hello"), bytes.Repeat([]byte{0}, FreeBytes), counters(200000)} {
		packed := Gzip(nil, data)
		got, err := Gunzip(packed, len(data)+1)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: %d back, %v", len(data), len(got), err)
		}
	}
	bomb := Gzip(nil, make([]byte, 10<<20))
	var ratio *RatioError
	if _, err := Gunzip(bomb, 0); !errors.As(err, &ratio) {
		t.Errorf("a bomb of %d bytes: %v", len(bomb), err)
	}
	var size *SizeError
	if _, err := Gunzip(Gzip(nil, make([]byte, 5000)), 4999); !errors.As(err, &size) {
		t.Errorf("one byte more than the limit: %v", err)
	}
	if _, err := Gunzip([]byte("no gzip at all"), 0); err == nil {
		t.Error("text inflates")
	}
	if _, err := Gunzip(bomb[:len(bomb)/2], 20<<20); err == nil {
		t.Error("half a message inflates")
	}
	if _, err := Gunzip(Gzip(nil, []byte("cut"))[:12], 0); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %v", err)
	}
}

// TestGunzip_UniformMessages_PassUpToFreeBytes: 200 KiB of zeros are what other implementations test their limits with.
func TestGunzip_UniformMessages_PassUpToFreeBytes(t *testing.T) {
	for _, n := range []int{200 << 10, FreeBytes} {
		if got, err := Gunzip(Gzip(nil, make([]byte, n)), 0); err != nil || len(got) != n {
			t.Errorf("%d zeros: %d back, %v", n, len(got), err)
		}
	}
	var ratio *RatioError
	if _, err := Gunzip(Gzip(nil, make([]byte, FreeBytes+1)), 0); !errors.As(err, &ratio) {
		t.Errorf("%d zeros: %v, expected a RatioError", FreeBytes+1, err)
	}
}

// TestGunzip_Bombs_AllocateNothing: neither one that tells its size nor one that lies about it gets memory.
func TestGunzip_Bombs_AllocateNothing(t *testing.T) {
	honest := Gzip(nil, make([]byte, 8<<20))
	lying := bytes.Clone(honest)
	binary.LittleEndian.PutUint32(lying[len(lying)-4:], 1000)
	short := Gzip(nil, []byte("message"))
	tests := map[string]struct {
		data []byte
		text string
	}{
		"honest":           {honest, "inflate to more than 100 times"},
		"lying":            {lying, "more than the 1000 bytes that it announces"},
		"two files":        {bytes.Repeat(honest, 2), "inflate to more than 100 times"},
		"two small files":  {bytes.Repeat(short, 2), "behind its end"},
		"announces more":   {append(bytes.Clone(short[:len(short)-4]), 0, 0, 1, 0), "checksum"},
		"other checksum":   {append(bytes.Clone(short[:len(short)-5]), ^short[len(short)-5], 7, 0, 0, 0), "checksum"},
		"beyond the limit": {append(bytes.Clone(short[:len(short)-4]), 0xff, 0xff, 0xff, 0xff), "4294967295 bytes exceeds MaxMessage"},
	}
	for name, tt := range tests {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Gunzip(tt.data, 0)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v, expected %q", name, err, tt.text)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, grown)
		}
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add(framed(false, "a", "bc"), uint8(3))
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff}, uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		var whole, pieces []byte
		take := func(to *[]byte) func(Message) error {
			return func(m Message) error {
				*to = append(*to, byte(len(m.Data)))
				*to = append(*to, m.Data...)
				return nil
			}
		}
		a, b := Splitter{MaxMessage: 1000}, Splitter{MaxMessage: 1000}
		errA := a.Push(in, take(&whole))
		var errB error
		for n := int(step)%7 + 1; len(in) > 0 && errB == nil; in = in[min(n, len(in)):] {
			errB = b.Push(in[:min(n, len(in))], take(&pieces))
		}
		if !bytes.Equal(whole, pieces) || (errA == nil) != (errB == nil) {
			t.Fatalf("whole: %x, %v; in pieces: %x, %v", whole, errA, pieces, errB)
		}
	})
}

func FuzzGunzip(f *testing.F) {
	f.Add(Gzip(nil, []byte("hello")))
	f.Add(Gzip(nil, make([]byte, 1<<20)))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := Gunzip(in, 1<<20)
		if err == nil && len(out) > max(FreeBytes, MaxRatio*len(in)) {
			t.Fatalf("%d bytes out of %d", len(out), len(in))
		}
	})
}
