package aiomas

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"aimrtrpc/internal/testx"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// contents are values of every kind that a compressor meets, encoded.
func contents(f wire.Format) map[string][]byte {
	random := rand.New(rand.NewPCG(4, 7))
	out := map[string][]byte{"null": f.AppendNull(nil), "zeros": wire.AppendMsgPackBytes(nil, make([]byte, 300000)), "zeros in one block": wire.AppendMsgPackBytes(nil, make([]byte, 60000))}
	for _, n := range []int{1, 100, 111, 112, 120, 1000, 1023, 1024, 30000, 1<<20 - 20, 1<<20 + 9, 3 << 20} {
		noise, mixed := make([]byte, n), make([]byte, n)
		for i := range noise {
			noise[i], mixed[i] = byte(random.Uint32()), byte(i>>(i%11))&byte(random.Uint32N(3))
		}
		text := strings.Repeat("the same text, once more; ", n/26+1)[:n]
		out[fmt.Sprint("noise ", n)] = wire.AppendMsgPackBytes(nil, noise)
		out[fmt.Sprint("mixed ", n)] = wire.AppendMsgPackBytes(nil, mixed)
		out[fmt.Sprint("text ", n)] = str(f, text)
	}
	for _, n := range []int{10, 500, 200000} {
		var numbers []byte
		values := make([][]byte, n)
		for i := range values {
			v := 20 + math.Sin(float64(i)/100)
			numbers = binary.LittleEndian.AppendUint64(numbers, math.Float64bits(v))
			values[i] = f.AppendFloat(nil, v)
		}
		out[fmt.Sprint("numbers as bytes ", n)] = wire.AppendMsgPackBytes(nil, numbers)
		out[fmt.Sprint("numbers ", n)] = list(f, values...)
	}
	return out
}

// TestRealBlosc lets the real package read our chunks, and write chunks for us
// with all the settings a sender may have.
func TestRealBlosc(t *testing.T) {
	testx.NoLeaks(t)
	p, _ := startScript(t, "chunks.py")
	f, plain := wire.Format{Codec: wire.MsgPackBlosc}, wire.Format{Codec: wire.MsgPack}
	compressed := 0
	for name, content := range contents(plain) {
		chunk, err := f.AppendMessage(nil, wire.Result, f.NumberID(7), content)
		if err != nil {
			t.Fatal(err)
		}
		want, err := plain.AppendMessage(nil, wire.Result, f.NumberID(7), content)
		if err != nil {
			t.Fatal(err)
		}
		if len(chunk) < len(want) {
			compressed++
		}
		if got := p.bytes(map[string]any{"op": "decompress", "chunk": hex.EncodeToString(chunk)}); !bytes.Equal(got, want) {
			t.Errorf("%s: the real package inflates %d bytes to %d, want %d", name, len(chunk), len(got), len(want))
		}
		for _, settings := range []struct {
			options   map[string]any
			blocksize int
		}{
			{map[string]any{"typesize": 8}, 0}, {map[string]any{"typesize": 4}, 0}, {map[string]any{"typesize": 8, "clevel": 1}, 0},
			{map[string]any{"typesize": 8, "clevel": 5}, 2048}, {map[string]any{"typesize": 3, "shuffle": 0}, 500}, {map[string]any{"typesize": 17}, 4096},
		} {
			theirs := p.bytes(map[string]any{"op": "compress", "data": hex.EncodeToString(want), "options": settings.options, "blocksize": settings.blocksize})
			m, err := f.Decode(theirs)
			if err != nil || !bytes.Equal(m.Content, content) {
				t.Errorf("%s, %v: %d bytes give %d, error %v, want %d", name, settings, len(theirs), len(m.Content), err, len(content))
			}
		}
	}
	if compressed < 20 {
		t.Errorf("only %d chunks were compressed", compressed)
	}
}

// bytes is the result of a command, which is given as hex.
func (p *peer) bytes(command map[string]any) []byte {
	p.t.Helper()
	var text string
	a := p.do(command)
	if a.Raised != "" {
		p.t.Errorf("%v raised %s: %s", command["op"], a.Raised, a.Text)
		return nil
	}
	if err := json.Unmarshal(a.Result, &text); err != nil {
		p.t.Fatal(err)
	}
	out, err := hex.DecodeString(text)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}
