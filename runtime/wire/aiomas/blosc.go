package aiomas

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// A MsgPackBlosc payload is one chunk of Blosc 1: a header of 16 bytes, then
// either the data itself or blocks that are compressed one by one, the bytes of
// a block sorted by their place in the element ("shuffled"). Real peers send
// what blosc.compress(data, typesize=8) gives.

const (
	// bloscHeader is the size of a chunk without data.
	bloscHeader = 16
	// bloscCeiling is what MaxFrameBytes may be set to: Blosc's sizes are signed.
	bloscCeiling = 1<<31 - 1 - bloscHeader
	// bloscVersion and blosclzVersion are the formats that exist in chunks of
	// real peers.
	bloscVersion   = 2
	blosclzVersion = 1

	bloscShuffle    = 0x01
	bloscStored     = 0x02
	bloscBitShuffle = 0x04
	bloscFuture     = 0x08
	bloscWhole      = 0x10 // blocks are not split into streams
	bloscCodecShift = 5

	// splitTypesize and splitElements: a block of elements that are not larger
	// and not fewer is split into one stream per byte of an element.
	splitTypesize = 16
	splitElements = 128
	// inflateFree is what any chunk may inflate to, whatever its ratio: real peers
	// send texts and tables in which every row is alike.
	inflateFree = 4 << 20
)

var bloscCodecs = [...]string{"blosclz", "lz4", "snappy", "zlib", "zstd"}

// chunk is a chunk whose header has been checked.
type chunk struct {
	data      []byte // all of it, header included
	flags     byte
	typesize  int
	size      int // inflated
	blocksize int
}

// inflate gives the MsgPack bytes of a chunk: a part of it when it is stored,
// else bytes of their own. Nothing is allocated before the streams have been
// measured: a header is a claim.
func (f Format) inflate(data []byte) ([]byte, error) {
	c, err := f.bloscChunk(data)
	if err != nil {
		return nil, err
	}
	if c.flags&bloscStored != 0 || c.size == 0 {
		if len(data) != bloscHeader+c.size {
			return nil, f.syntax(bloscHeader, fmt.Sprintf("%d bytes of stored data, not %d", c.size, len(data)-bloscHeader))
		}
		return data[bloscHeader:], nil
	}
	if name := c.unsupported(); name != "" {
		return nil, fmt.Errorf("%w: Blosc chunk with %s, expected blosclz, byte shuffle or none, or a stored chunk", ErrUnsupported, name)
	}
	if c.blocksize < 1 || c.blocksize > c.size {
		return nil, f.syntax(8, "a block size from 1 to the size of the data")
	}
	if blocks := c.blocks(); blocks > (len(data)-bloscHeader)/4 {
		return nil, f.syntax(bloscHeader, fmt.Sprintf("the offsets of %d blocks", blocks))
	}
	if err := f.eachStream(c, nil); err != nil {
		return nil, err
	}
	out := make([]byte, 0, c.size)
	if c.flags&bloscShuffle == 0 || c.typesize == 1 {
		err = f.eachStream(c, func(_ int, stream []byte, size int) { out = blosclzInflate(out, stream, size) })
		return out, err
	}
	block := make([]byte, 0, c.blocksize)
	err = f.eachStream(c, func(blockSize int, stream []byte, size int) {
		if block = blosclzInflate(block, stream, size); len(block) == blockSize {
			out = unshuffle(out, block, c.typesize)
			block = block[:0]
		}
	})
	return out, err
}

// bloscChunk reads a header and holds it against the limits.
func (f Format) bloscChunk(data []byte) (chunk, error) {
	if len(data) < bloscHeader {
		return chunk{}, f.syntax(len(data), "a Blosc header of 16 bytes")
	}
	c := chunk{data: data, flags: data[2], typesize: int(data[3])}
	size, blocksize, whole := binary.LittleEndian.Uint32(data[4:]), binary.LittleEndian.Uint32(data[8:]), binary.LittleEndian.Uint32(data[12:])
	switch {
	case data[0] != bloscVersion:
		return c, f.syntax(0, fmt.Sprintf("a Blosc chunk of version %d", bloscVersion))
	case c.typesize == 0:
		return c, f.syntax(3, "an element size above 0")
	case int64(whole) != int64(len(data)):
		return c, f.syntax(12, fmt.Sprintf("the size of the chunk, %d", len(data)))
	case int64(size) > int64(f.maxFrame()):
		return c, &LimitError{Limit: "MaxFrameBytes", Max: f.maxFrame(), Got: int64(size)}
	case int64(size) > max(inflateFree, int64(f.maxRatio())*int64(len(data))):
		return c, &LimitError{Limit: "MaxRatio", Max: f.maxRatio(), Got: int64(size) / int64(len(data))}
	}
	// Both are at most MaxFrameBytes where they are used.
	c.size, c.blocksize = int(size), int(min(int64(blocksize), int64(f.maxFrame())+1))
	return c, nil
}

// unsupported names what a compressed chunk has that is not read here.
func (c chunk) unsupported() string {
	var found []string
	codec := int(c.flags >> bloscCodecShift)
	switch {
	case codec >= len(bloscCodecs):
		found = append(found, fmt.Sprintf("codec %d", codec))
	case codec != 0:
		found = append(found, bloscCodecs[codec])
	case c.data[1] != blosclzVersion:
		found = append(found, fmt.Sprintf("blosclz version %d", c.data[1]))
	}
	if c.flags&bloscBitShuffle != 0 {
		found = append(found, "bit shuffle")
	}
	if c.flags&bloscFuture != 0 {
		found = append(found, "flag 08")
	}
	return strings.Join(found, " and ")
}

func (c chunk) blocks() int { return (c.size + c.blocksize - 1) / c.blocksize }

// splits tells whether a block of that size is one stream per byte of an element.
func (c chunk) splits(blockSize int) bool {
	return c.flags&bloscWhole == 0 && blockSize == c.blocksize && c.typesize <= splitTypesize && c.blocksize/c.typesize >= splitElements
}

// eachStream walks over the streams of all blocks, in order, with the inflated
// size of block and stream. Without a visit it is the check that has to come
// first: every stream lies inside the chunk and gives exactly its size.
func (f Format) eachStream(c chunk, visit func(blockSize int, stream []byte, size int)) error {
	first := bloscHeader + 4*c.blocks()
	for b := range c.blocks() {
		at := int(binary.LittleEndian.Uint32(c.data[bloscHeader+4*b:]))
		if at < first || at > len(c.data) {
			return f.syntax(bloscHeader+4*b, "the offset of a block inside the chunk")
		}
		blockSize := min(c.blocksize, c.size-b*c.blocksize)
		streams := 1
		if c.splits(blockSize) {
			if streams = c.typesize; blockSize%streams != 0 {
				return f.syntax(8, "a block size that is a multiple of the element size")
			}
		}
		for range streams {
			stream, size := []byte(nil), blockSize/streams
			if len(c.data)-at >= 4 {
				n := int64(binary.LittleEndian.Uint32(c.data[at:]))
				if n > int64(len(c.data)-at-4) {
					return f.syntax(at, "the length of a stream inside the chunk")
				}
				stream = c.data[at+4 : at+4+int(n)]
			}
			if visit != nil {
				visit(blockSize, stream, size)
			} else if len(stream) != size && blosclzSize(stream) != size {
				return f.syntax(at, fmt.Sprintf("a stream that gives %d bytes", size))
			}
			at += 4 + len(stream)
		}
	}
	return nil
}

// unshuffle appends a block in the order of its elements.
func unshuffle(dst, block []byte, typesize int) []byte {
	n := len(block) / typesize
	begin := len(dst)
	dst = dst[:begin+len(block)]
	for plane := range typesize {
		at := begin + plane
		for _, c := range block[plane*n : (plane+1)*n] {
			dst[at] = c
			at += typesize
		}
	}
	copy(dst[begin+n*typesize:], block[n*typesize:])
	return dst
}

// shuffle is the inverse of unshuffle.
func shuffle(dst, block []byte, typesize int) {
	n := len(block) / typesize
	for plane := range typesize {
		at := plane
		for i := range n {
			dst[plane*n+i] = block[at]
			at += typesize
		}
	}
	copy(dst[n*typesize:], block[n*typesize:])
}

const (
	// bloscTypesize is what aiomas passes to blosc on 64-bit machines.
	bloscTypesize = 8
	// bloscMinimum is the smallest data worth compressing.
	bloscMinimum = 128
	// bloscMaxBlock is the block size of long data.
	bloscMaxBlock = 1 << 20
	// bloscSample is how much is looked at to choose the order of the bytes.
	bloscSample = 4 << 10
)

// deflate makes the bytes behind begin, room for a header and MsgPack bytes, a
// chunk: compressed when that is shorter and decoders with the default MaxRatio
// take it, else stored.
func deflate(dst []byte, begin int) []byte {
	c := newChunk(len(dst) - begin - bloscHeader)
	packed := c.pack(dst[begin+bloscHeader:])
	if packed == nil || c.size > max(inflateFree, DefaultMaxRatio*len(packed)) {
		c.store(dst[begin:])
		return dst
	}
	copy(dst[begin:], packed)
	return dst[:begin+len(packed)]
}

// newChunk has the sizes that the real package chooses.
func newChunk(size int) chunk {
	c := chunk{typesize: bloscTypesize, size: size, blocksize: min(size, bloscMaxBlock)}
	if c.blocksize < bloscTypesize {
		c.blocksize = 1
	} else {
		c.blocksize -= c.blocksize % bloscTypesize
	}
	return c
}

// store makes room for a header and the data behind it a stored chunk, that of
// the real package byte for byte.
func (c chunk) store(out []byte) {
	c.flags = bloscShuffle | bloscStored
	if c.blocksize < bloscTypesize*splitElements {
		c.flags |= bloscWhole
	}
	c.putHeader(out)
}

func (c chunk) putHeader(out []byte) {
	out[0], out[1], out[2], out[3] = bloscVersion, blosclzVersion, c.flags, byte(c.typesize)
	binary.LittleEndian.PutUint32(out[4:], uint32(c.size))
	binary.LittleEndian.PutUint32(out[8:], uint32(c.blocksize))
	binary.LittleEndian.PutUint32(out[12:], uint32(len(out)))
}

// pack is the compressed chunk, or nil when that is not shorter than a stored
// one. Blocks are one stream each: splitting pays only with shuffled bytes, and
// little there.
func (c chunk) pack(data []byte) []byte {
	if len(data) < bloscMinimum {
		return nil
	}
	c.flags = bloscWhole | bloscOrder(data[:min(len(data), bloscSample)])
	out := make([]byte, bloscHeader+4*c.blocks(), bloscHeader+len(data))
	var shuffled []byte
	if c.flags&bloscShuffle != 0 {
		shuffled = make([]byte, c.blocksize)
	}
	for b := range c.blocks() {
		block := data[b*c.blocksize : min((b+1)*c.blocksize, len(data))]
		binary.LittleEndian.PutUint32(out[bloscHeader+4*b:], uint32(len(out)))
		if shuffled != nil {
			shuffle(shuffled, block, c.typesize)
			block = shuffled[:len(block)]
		}
		mark := len(out)
		out = append(out, 0, 0, 0, 0)
		var ok bool
		if out, ok = appendBlosclz(out, block, len(block)); !ok {
			out = append(out, block...)
		}
		binary.LittleEndian.PutUint32(out[mark:], uint32(len(out)-mark-4))
	}
	if len(out) >= bloscHeader+len(data) {
		return nil
	}
	c.putHeader(out)
	return out
}

// bloscOrder is bloscShuffle when the sample gets shorter with its bytes
// shuffled, as arrays of numbers do, and 0 otherwise. The real package always
// shuffles and has to store most texts.
func bloscOrder(sample []byte) byte {
	shuffled := make([]byte, len(sample))
	shuffle(shuffled, sample, bloscTypesize)
	room := make([]byte, 0, len(sample)+len(sample)/lzRun+1)
	room, _ = appendBlosclz(room, sample, cap(room)+1)
	plain := len(room)
	room, _ = appendBlosclz(room[:0], shuffled, cap(room)+1)
	if len(room) < plain {
		return bloscShuffle
	}
	return 0
}
