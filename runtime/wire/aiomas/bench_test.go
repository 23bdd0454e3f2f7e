package aiomas

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkCall(b *testing.B) {
	for _, codec := range codecs {
		for _, size := range []int{64, 4 << 10, 256 << 10} {
			f := Format{Codec: codec}
			args := f.AppendString([]byte{'['}, strings.Repeat("x", size))
			if codec != JSON {
				args[0] = 0x91
			} else {
				args = append(args, ']')
			}
			payload, err := f.AppendCall(nil, 1, "sub/echo", args, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%v/%d/encode", codec, size), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(payload)))
				dst := make([]byte, 0, len(payload))
				for b.Loop() {
					f.AppendCall(dst, 1, "sub/echo", args, nil)
				}
			})
			b.Run(fmt.Sprintf("%v/%d/decode", codec, size), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(payload)))
				for b.Loop() {
					m, _ := f.Decode(payload)
					f.DecodeCall(m)
				}
			})
		}
	}
}

func BenchmarkNormalJSON(b *testing.B) {
	in := []byte("[" + strings.Repeat(`{"name":"é","value":1.5,"list":[1,2,3]},`, 100) + "0]")
	dst := make([]byte, 0, 2*len(in))
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		Format{}.AppendNormalJSON(dst, in)
	}
}
