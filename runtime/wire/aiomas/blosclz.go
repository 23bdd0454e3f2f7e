package aiomas

import (
	"encoding/binary"
	"math/bits"
)

// A blosclz stream is a row of literal runs (a byte below 32 and that many
// bytes, plus one) and copies of earlier bytes. The first is always a run.

const (
	lzNear    = 8191         // the largest distance of the short form
	lzFar     = 65535 + 8192 // the largest distance at all
	lzRun     = 32           // literals in one run
	lzLong    = 7            // in the top bits of a copy: more length follows
	lzMinimum = 3            // length of the shortest copy
)

// lzCopy reads a copy whose first byte is ctrl; i is behind it. ok is false
// when the stream ends inside.
func lzCopy(stream []byte, i int, ctrl byte) (length, distance, next int, ok bool) {
	length = int(ctrl>>5) - 1
	if ctrl>>5 == lzLong {
		for {
			if i >= len(stream) {
				return 0, 0, 0, false
			}
			more := stream[i]
			i++
			if length += int(more); more != 255 {
				break
			}
		}
	}
	if i >= len(stream) {
		return 0, 0, 0, false
	}
	distance = int(ctrl&31)<<8 | int(stream[i])
	i++
	if distance == lzNear {
		if len(stream)-i < 2 {
			return 0, 0, 0, false
		}
		distance += int(binary.BigEndian.Uint16(stream[i:]))
		i += 2
	}
	return length + lzMinimum, distance + 1, i, true
}

// blosclzSize is the number of bytes a stream inflates to, or -1 when it is
// none.
func blosclzSize(stream []byte) int {
	size := 0
	for i := 0; i < len(stream); {
		ctrl := stream[i]
		if i == 0 {
			ctrl &= 31
		}
		i++
		if ctrl < lzRun {
			n := int(ctrl) + 1
			if n > len(stream)-i {
				return -1
			}
			size += n
			i += n
			continue
		}
		length, distance, next, ok := lzCopy(stream, i, ctrl)
		if !ok || distance > size {
			return -1
		}
		size += length
		i = next
	}
	return size
}

// blosclzInflate appends what a stream that has been measured holds; one of the
// inflated size is stored. There is room in dst.
func blosclzInflate(dst, stream []byte, size int) []byte {
	if len(stream) == size {
		return append(dst, stream...)
	}
	for i := 0; i < len(stream); {
		ctrl := stream[i]
		if i == 0 {
			ctrl &= 31
		}
		i++
		if ctrl < lzRun {
			n := int(ctrl) + 1
			dst = append(dst, stream[i:i+n]...)
			i += n
			continue
		}
		length, distance, next, _ := lzCopy(stream, i, ctrl)
		for length > 0 { // the copy may reach into itself
			n := min(length, distance)
			dst = append(dst, dst[len(dst)-distance:len(dst)-distance+n]...)
			length -= n
			distance += n
		}
		i = next
	}
	return dst
}

const (
	// lzTableBits is the size of the compressor's memory of earlier places.
	lzTableBits = 12
	// lzTail are bytes at the end that are never part of a copy: the original's
	// decoder wants the last element to be a run.
	lzTail = 12
	// lzFarPays is the shortest copy worth the long form.
	lzFarPays = 8
	// lzPatience: the search skips one more byte after so many without a copy.
	lzPatience = 64
)

// appendBlosclz appends src compressed, or gives dst back and false when that
// would not be less than max bytes.
func appendBlosclz(dst, src []byte, max int) ([]byte, bool) {
	var table [1 << lzTableBits]int32 // place + 1 of the last four bytes with that hash
	begin, run := len(dst), 0
	for i := 0; i+lzTail < len(src); {
		word := binary.LittleEndian.Uint32(src[i:])
		slot := &table[word*2654435761>>(32-lzTableBits)]
		at := int(*slot) - 1
		*slot = int32(i) + 1
		length := 0
		if at >= 0 && i-at <= lzFar && binary.LittleEndian.Uint32(src[at:]) == word {
			length = 4 + common(src[at+4:], src[i+4:len(src)-lzTail+4])
		}
		if length == 0 || i-at > lzNear && length < lzFarPays {
			i += 1 + (i-run)/lzPatience
			continue
		}
		dst = appendCopy(appendRuns(dst, src[run:i]), length, i-at)
		i += length
		run = i
		if len(dst)-begin >= max {
			return dst[:begin], false
		}
	}
	dst = appendRuns(dst, src[run:])
	if len(dst)-begin >= max {
		return dst[:begin], false
	}
	return dst, true
}

// common is the number of equal bytes at the beginning of b and a, which is not
// shorter.
func common(a, b []byte) int {
	n := 0
	for ; n+8 <= len(b); n += 8 {
		if diff := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); diff != 0 {
			return n + bits.TrailingZeros64(diff)/8
		}
	}
	for n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func appendRuns(dst, literals []byte) []byte {
	for len(literals) > 0 {
		n := min(len(literals), lzRun)
		dst = append(append(dst, byte(n-1)), literals[:n]...)
		literals = literals[n:]
	}
	return dst
}

func appendCopy(dst []byte, length, distance int) []byte {
	far := distance - 1 - lzNear
	near := min(distance-1, lzNear)
	length -= lzMinimum
	if top := length + 1; top < lzLong {
		dst = append(dst, byte(top<<5|near>>8))
	} else {
		dst = append(dst, byte(lzLong<<5|near>>8))
		for length -= lzLong - 1; length >= 255; length -= 255 {
			dst = append(dst, 255)
		}
		dst = append(dst, byte(length))
	}
	dst = append(dst, byte(near))
	if near == lzNear {
		dst = binary.BigEndian.AppendUint16(dst, uint16(far))
	}
	return dst
}
