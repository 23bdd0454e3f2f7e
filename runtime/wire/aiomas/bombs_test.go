package aiomas

import (
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// allocated is the number of bytes that run allocates.
func allocated(run func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// chunkOf is a chunk of one block with one stream, whose header claims what it
// is told to.
func chunkOf(size, blocksize uint32, stream string) []byte {
	out := []byte{bloscVersion, blosclzVersion, bloscWhole, bloscTypesize}
	out = binary.LittleEndian.AppendUint32(out, size)
	out = binary.LittleEndian.AppendUint32(out, blocksize)
	out = binary.LittleEndian.AppendUint32(out, uint32(bloscHeader+8+len(stream)))
	out = binary.LittleEndian.AppendUint32(out, bloscHeader+4)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(stream)))
	return append(out, stream...)
}

// bomb is a payload that costs its sender little.
type bomb struct {
	name    string
	payload []byte
	want    error
	limit   string // of a LimitError
	id      bool   // the sender can be told
	most    uint64 // bytes that may be allocated
}

const kib, mib = 1 << 10, 1 << 20

func bombs(codec Codec) []bomb {
	f := Format{Codec: codec}
	wrap := func(text string) []byte { return payloadOf(f, []byte(text)) }
	switch codec {
	case JSON:
		return []bomb{
			{"depth of arrays", wrap("[0, 5, " + strings.Repeat("[", mib)), ErrLimit, "MaxDepth", true, kib},
			{"depth of maps", wrap("[0, 5, " + strings.Repeat(`{"":`, mib/4)), ErrLimit, "MaxDepth", true, kib},
			{"depth in front of the id", wrap(strings.Repeat("[", mib)), ErrLimit, "MaxDepth", false, kib},
			{"size", wrap("[0, 5, \"" + strings.Repeat("x", 4*mib) + "\"]"), ErrLimit, "MaxFrameBytes", false, kib},
			{"size of the id", wrap("[0, " + strings.Repeat("9", mib) + ", null]"), ErrLimit, "MaxIDBytes", false, kib},
			{"count", wrap("[0, 5, [" + strings.Repeat("0,", mib) + "0]]"), nil, "", true, kib},
			{"count of elements", wrap("[" + strings.Repeat("0,", mib) + "0]"), ErrNotMessage, "", true, kib},
		}
	case MsgPack:
		return msgPackBombs(wrap, 0)
	}
	// What a chunk inflates to may be allocated: up to 4 MiB, or MaxRatio times
	// its size.
	out := msgPackBombs(wrap, 3*mib)
	long := "\x00a\xe0" + strings.Repeat("\xff", 17*kib) + "\x00\x00" // 17 KiB that inflate to 4.25 MiB
	return append(out,
		bomb{"stored size", append(chunkOf(1<<32-1, 1<<20, "")[:bloscHeader], "abcdefgh"...), ErrLimit, "MaxFrameBytes", false, kib},
		bomb{"announced size", chunkOf(3*mib, 3*mib, "\x00a"), ErrMalformed, "", false, kib},
		bomb{"announced size of blocks", chunkOf(3*mib, 1, "\x00a"), ErrMalformed, "", false, kib},
		bomb{"one block for all", chunkOf(255*32, 255, "\x00a\xe0\xf8\x00"), ErrMalformed, "", false, kib},
		bomb{"inflated size", chunkOf(uint32(blosclzSize([]byte(long))), uint32(blosclzSize([]byte(long))), long), ErrLimit, "MaxRatio", false, kib},
		bomb{"inflated size beyond the announced", chunkOf(100, 100, long), ErrMalformed, "", false, kib},
		bomb{"long copy without an end", chunkOf(3*mib, 3*mib, "\x00a\xe0"+strings.Repeat("\xff", mib/4)), ErrMalformed, "", false, kib},
	)
}

func msgPackBombs(wrap func(string) []byte, inflated uint64) []bomb {
	most := inflated + kib
	return []bomb{
		{"depth of arrays", wrap("\x93\x00\x05" + strings.Repeat("\x91", mib)), ErrLimit, "MaxDepth", true, most},
		{"depth of maps", wrap("\x93\x00\x05" + strings.Repeat("\x81\xa0", mib)), ErrLimit, "MaxDepth", true, most},
		{"depth in front of the id", wrap(strings.Repeat("\x93", mib)), ErrLimit, "MaxDepth", false, most},
		{"depth of counts", wrap("\x93\x00\x05" + strings.Repeat("\xdc\x00\x01", mib/3)), ErrLimit, "MaxDepth", true, most},
		{"size of the id", wrap("\x93\x00\xda\xff\xff" + strings.Repeat("x", 0xffff) + "\xc0"), ErrLimit, "MaxIDBytes", false, most},
		{"size", wrap("\x93\x00\x05\xdb\x00\x40\x00\x00" + strings.Repeat("x", 4*mib)), ErrLimit, "MaxFrameBytes", false, most},
		{"announced size of a string", wrap("\x93\x00\x05\xdb\xff\xff\xff\xff"), ErrMalformed, "", true, most},
		{"announced size of bytes", wrap("\x93\x00\x05\xc6\xff\xff\xff\xff"), ErrMalformed, "", true, most},
		{"announced size of an ext", wrap("\x93\x00\x05\xc9\xff\xff\xff\xff\x01"), ErrMalformed, "", true, most},
		{"announced count", wrap("\x93\x00\x05\xdd\xff\xff\xff\xff"), ErrMalformed, "", true, most},
		{"announced count of entries", wrap("\x93\x00\x05\xdf\xff\xff\xff\xff"), ErrMalformed, "", true, most},
		{"announced counts inside each other", wrap("\x93\x00\x05" + strings.Repeat("\xdd\x00\x0f\xff\xff", mib/5)), ErrMalformed, "", true, most},
		{"announced count of the message", wrap("\xdd\xff\xff\xff\xff\x00\x05"), ErrMalformed, "", true, most},
		{"count", wrap("\x93\x00\x05\xdd\x00\x10\x00\x00" + strings.Repeat("\x00", mib)), nil, "", true, most},
	}
}

// A payload that was made to hurt is answered with an error of a known kind,
// names the limit, keeps the id where there is one, and costs no memory beyond
// what its own bytes inflate to.
func TestDecode_Bombs_AreRefusedForLittle(t *testing.T) {
	for _, codec := range codecs {
		for _, b := range bombs(codec) {
			f := Format{Codec: codec, MaxFrameBytes: 5 * mib}
			if b.limit == "MaxFrameBytes" {
				f.MaxFrameBytes = 3 * mib
			}
			var m Message
			var err error
			cost := allocated(func() { m, err = f.Decode(b.payload) })
			var limit *LimitError
			switch {
			case !errors.Is(err, b.want) || err == nil != (b.want == nil):
				t.Errorf("%v %s: error %v, want %v", codec, b.name, err, b.want)
			case errors.As(err, &limit) && limit.Limit != b.limit:
				t.Errorf("%v %s: error %v, want %s", codec, b.name, err, b.limit)
			case m.ID.Known() != b.id:
				t.Errorf("%v %s: id known %t, want %t", codec, b.name, m.ID.Known(), b.id)
			}
			if n, _ := m.ID.Number(); b.id && m.Kind != Request || b.id && n > 5 {
				t.Errorf("%v %s: %v %d", codec, b.name, m.Kind, n)
			}
			if cost > b.most+slack {
				t.Errorf("%v %s: %d bytes allocated for %d, want at most %d", codec, b.name, cost, len(b.payload), b.most)
			}
		}
	}
}

// slack is what the test's own machinery may allocate.
const slack = 16 * kib

// Values of a host go through Check: the same bombs, without a message around.
func TestCheck_Bombs_AreRefusedForLittle(t *testing.T) {
	for _, tc := range []struct {
		codec Codec
		value string
		want  error
	}{
		{JSON, strings.Repeat("[", mib), ErrLimit}, {JSON, strings.Repeat(`{"a":`, mib/5), ErrLimit}, {JSON, strings.Repeat("1", 4*mib), ErrLimit},
		{MsgPack, strings.Repeat("\x91", mib), ErrLimit}, {MsgPackBlosc, strings.Repeat("\x81\x91", mib), ErrLimit}, {MsgPack, "\xdd\xff\xff\xff\xff", ErrMalformed},
		{MsgPackBlosc, "\xdf\xff\xff\xff\xff", ErrMalformed}, {MsgPack, strings.Repeat("\x00", 4*mib), ErrLimit},
	} {
		raw := []byte(tc.value)
		var err error
		cost := allocated(func() { _, err = Format{Codec: tc.codec, MaxFrameBytes: 3 * mib}.Check(raw) })
		if !errors.Is(err, tc.want) || cost > slack {
			t.Errorf("%v %.10q: error %v after %d bytes allocated, want %v", tc.codec, tc.value, err, cost, tc.want)
		}
	}
}

// An announced frame costs twice what has arrived of it, however it arrives.
func TestSplitter_Bombs_CostWhatArrived(t *testing.T) {
	header := []byte{0x03, 0xff, 0xff, 0xff}
	for _, piece := range []int{1, 100, 64 * kib} {
		var s Splitter
		data := make([]byte, piece)
		cost := allocated(func() {
			if err := s.Feed(header, nil); err != nil {
				t.Fatal(err)
			}
			for range 256 * kib / piece {
				if err := s.Feed(data, nil); err != nil {
					t.Fatal(err)
				}
			}
		})
		if held := uint64(cap(s.held)); held > 600*kib || cost > 3*mib {
			t.Errorf("pieces of %d: %d bytes held in %d, %d allocated", piece, s.Buffered(), held, cost)
		}
	}
}
