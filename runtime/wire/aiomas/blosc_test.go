package aiomas

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"aimrtrpc/internal/testx"
)

type chunkCase struct {
	name        string
	data, chunk []byte
}

func chunkCases(t testing.TB) []chunkCase {
	var cases []struct {
		Name, Chunk string
		Data        [][2]any
	}
	testx.Vectors(t, "aiomas/blosc.yaml", &cases)
	if len(cases) < 30 {
		t.Fatalf("%d chunks", len(cases))
	}
	var out []chunkCase
	for _, c := range cases {
		var data []byte
		for _, part := range c.Data {
			data = append(data, bytes.Repeat(unhex(t, part[0].(string)), part[1].(int))...)
		}
		out = append(out, chunkCase{c.Name, data, unhex(t, c.Chunk)})
	}
	return out
}

// Chunks of the real package inflate to what it was given, or are refused by
// name. The stored ones are what we write.
func TestInflate_RealChunks_GiveTheirData(t *testing.T) {
	refused := map[string]string{
		"lz4": "with lz4,", "zlib": "with zlib,", "zstd": "with zstd,", "bit shuffle": "with bit shuffle,", "lz4, bit shuffle": "with lz4 and bit shuffle,",
	}
	f := Format{Codec: MsgPackBlosc}
	for _, c := range chunkCases(t) {
		before := bytes.Clone(c.chunk)
		got, err := f.inflate(c.chunk)
		if text := refused[c.name]; text != "" {
			if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "expected blosclz") {
				t.Errorf("%s: error %v, want %q", c.name, err, text)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, c.data) || !bytes.Equal(c.chunk, before) {
			t.Errorf("%s: %d bytes, error %v, want %d bytes", c.name, len(got), err, len(c.data))
		}
		if c.chunk[2]&bloscStored != 0 && c.chunk[2]>>bloscCodecShift == 0 {
			stored := append(make([]byte, bloscHeader), c.data...)
			if newChunk(len(c.data)).store(stored); !bytes.Equal(stored, c.chunk) {
				t.Errorf("%s: stored as %x, want %x", c.name, stored, c.chunk)
			}
		}
	}
}

// samples are data of every kind the compressor decides about.
func samples() map[string][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	var numbers, words []byte
	for i := range 30000 {
		numbers = binary.LittleEndian.AppendUint64(numbers, uint64(i)*3+1<<40)
		words = append(words, [...]string{"alpha ", "beta ", "gamma ", "\x93\x00\xcb"}[random.IntN(4)]...)
	}
	far := append(append(bytes.Clone(noise[:100]), make([]byte, lzFar-100-50)...), noise[:100]...)
	return map[string][]byte{
		"nothing": nil, "noise": noise, "numbers": numbers, "words": words, "farther than a copy reaches": append(append(bytes.Clone(noise[:100]), noise[100:lzFar+5]...), noise[:100]...),
		"far": far, "two blocks": append(bytes.Repeat(noise[:7000], 150), words...), "half noise": append(bytes.Clone(noise), make([]byte, 50000)...),
		"alike": bytes.Repeat([]byte("a"), 60000), "alike beyond MaxRatio": make([]byte, 5<<20), "nearly alike": append(make([]byte, 1<<17), noise[:3000]...),
	}
}

func TestDeflate_AnyData_InflatesToTheSame(t *testing.T) {
	f := Format{Codec: MsgPackBlosc}
	for name, data := range samples() {
		for cut := range 18 {
			data := data[:max(0, len(data)-cut)]
			chunk := deflate(append([]byte("keep"), append(make([]byte, bloscHeader), data...)...), 4)
			got, err := f.inflate(chunk[4:])
			if err != nil || !bytes.Equal(got, data) || string(chunk[:4]) != "keep" {
				t.Fatalf("%s of %d: %d bytes, error %v", name, len(data), len(got), err)
			}
			if len(chunk)-4 > len(data)+bloscHeader {
				t.Errorf("%s of %d: the chunk has %d bytes", name, len(data), len(chunk)-4)
			}
		}
	}
	for size := range 2100 {
		data := []byte(strings.Repeat("word, ", size))[:size]
		if got, err := f.inflate(deflate(append(make([]byte, bloscHeader), data...), 0)); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes of text: %d, error %v", size, len(got), err)
		}
	}
}

// What pays is compressed, as arrays of numbers and repetitive text, and noise
// is stored.
func TestDeflate_Sizes(t *testing.T) {
	all := samples()
	for name, want := range map[string]struct{ most, flags int }{
		"noise": {200000 + bloscHeader, bloscStored | bloscShuffle}, "numbers": {240000 / 20, bloscWhole | bloscShuffle}, "words": {60000, bloscWhole},
		"alike": {400, bloscWhole}, "alike beyond MaxRatio": {5<<20 + bloscHeader, bloscStored | bloscShuffle}, "half noise": {212000, bloscWhole},
	} {
		chunk := deflate(append(make([]byte, bloscHeader), all[name]...), 0)
		if len(chunk) > want.most || int(chunk[2]) != want.flags {
			t.Errorf("%s: %d bytes, flags %02x, want at most %d, %02x", name, len(chunk), chunk[2], want.most, want.flags)
		}
	}
}

func TestInflate_Refusals_SayWhatIsWrong(t *testing.T) {
	good := deflate(append(make([]byte, bloscHeader), bytes.Repeat([]byte("abcd5678"), 100)...), 0)
	stored := deflate(append(make([]byte, bloscHeader), "abc"...), 0)
	patch := func(chunk []byte, at int, values ...byte) []byte {
		chunk = bytes.Clone(chunk)
		copy(chunk[at:], values)
		return chunk
	}
	split := patch(deflate(append(make([]byte, bloscHeader), make([]byte, 1025)...), 0), 2, 0)
	split[8] = 1 // a block of 1025
	for _, tc := range []struct {
		name, text string
		chunk      []byte
	}{
		{"short", "at byte 15: expected a Blosc header of 16 bytes", good[:15]},
		{"version", "at byte 0: expected a Blosc chunk of version 2", patch(good, 0, 1)},
		{"element size", "at byte 3: expected an element size", patch(good, 3, 0)},
		{"own size", "at byte 12: expected the size of the chunk,", good[:len(good)-1]},
		{"stored size", "at byte 16: expected 4 bytes of stored data, not 3", patch(stored, 4, 4)},
		{"block size 0", "at byte 8: expected a block size", patch(good, 8, 0, 0)},
		{"block size", "at byte 8: expected a block size", patch(good, 8, 0xff, 0xff, 0xff, 0xff)},
		{"blocks", "at byte 16: expected the offsets of 800 blocks", patch(good, 8, 1, 0)},
		{"offset", "at byte 16: expected the offset of a block", patch(good, 16, 19)},
		{"offset behind", "at byte 16: expected the offset of a block", patch(good, 16, 0, 1)},
		{"stream length", "at byte 20: expected the length of a stream", patch(good, 20, 0xff)},
		{"stream", "at byte 20: expected a stream that gives 800 bytes", patch(good, 24, 0)},
		{"copy from nowhere", "expected a stream that gives", patch(good, 24, 0, 'a', 0x20, 0xff)},
		{"split", "at byte 8: expected a block size that is a multiple", split},
	} {
		_, err := Format{Codec: MsgPackBlosc}.inflate(tc.chunk)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "malformed MsgPackBlosc ") || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.text)
		}
	}
}

// An error inside the chunk is one of MsgPack, counted in the inflated bytes.
func TestDecode_BadValueInAChunk_IsMsgPack(t *testing.T) {
	f := Format{Codec: MsgPackBlosc}
	_, err := f.Decode(payloadOf(f, []byte{0x93, 0, 0, 0xc1}))
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Codec != MsgPack || syntax.Offset != 3 {
		t.Fatalf("error %v", err)
	}
	if _, err = f.Check([]byte{0xc1}); !errors.As(err, &syntax) || syntax.Codec != MsgPack {
		t.Fatalf("error %v", err)
	}
}

// A stored chunk is not copied; one that inflates leaves the payload alone.
func TestDecode_Chunk_SharesOnlyWhatIsStored(t *testing.T) {
	f := Format{Codec: MsgPackBlosc}
	for _, size := range []int{20, 5000} {
		text := f.AppendString(nil, strings.Repeat("t", size))
		payload, err := f.AppendMessage(nil, Result, f.NumberID(3), text)
		if err != nil {
			t.Fatal(err)
		}
		m, err := f.Decode(payload)
		if err != nil || !bytes.Equal(m.Content, text) || cap(m.Content) != len(m.Content) {
			t.Fatalf("%d bytes, error %v", len(m.Content), err)
		}
		clear(payload)
		if shared := !bytes.Equal(m.Content, text); shared != (size == 20) {
			t.Errorf("%d characters: shared %t", size, shared)
		}
	}
}
