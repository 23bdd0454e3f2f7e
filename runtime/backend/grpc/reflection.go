package grpc

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"

	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/h2"
	"aimrtrpc/runtime/transport/h2/grpcframe"
	"aimrtrpc/runtime/wire/aimrtgrpc"
)

// reflectionServices are the two names of gRPC's service that describes a server; their messages are the same.
var reflectionServices = []string{"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}

const (
	maxReflectionRequest = 64 << 10
	maxReflectionStreams = 100
	maxDescriptorDepth   = 64      // of messages inside messages
	maxSymbolBytes       = 1 << 10 // of a name with all that it lies in
)

// reflection describes what is served, from the descriptors that came with the services.
type reflection struct {
	limit int // of one answer

	mu         sync.Mutex // guards what follows; never held while a stream is used
	services   map[string]bool
	files      map[string]*protoFile
	symbols    map[string]*protoFile
	extensions map[string]map[int32]*protoFile // by extended message and number
	streams    map[*reflectionStream]bool
	stopped    bool
}

// protoFile is one serialized FileDescriptorProto.
type protoFile struct {
	name    string
	data    []byte
	imports []string
}

func newReflection(limit int) *reflection {
	return &reflection{
		limit: limit, services: map[string]bool{}, files: map[string]*protoFile{}, symbols: map[string]*protoFile{},
		extensions: map[string]map[int32]*protoFile{}, streams: map[*reflectionStream]bool{},
	}
}

func (r *reflection) addService(name string) {
	r.mu.Lock()
	r.services[name] = true
	r.mu.Unlock()
}

// Numbers of fields in descriptor.proto.
const (
	setFile = 1 // FileDescriptorSet

	fileName, filePackage, fileImport, fileMessage, fileEnum, fileService, fileExtension = 1, 2, 3, 4, 5, 6, 7

	messageName, messageField, messageNested, messageEnum, messageExtension, messageOneof = 1, 2, 3, 4, 6, 8

	fieldExtendee, fieldNumber = 2, 3

	enumValue = 2

	serviceMethod = 2
)

// add takes in a serialized FileDescriptorSet. The first file of a name stays.
func (r *reflection) add(set []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var failed error
	err := fieldsOf(set, func(number protowire.Number, value []byte, _ uint64) {
		if number != setFile || failed != nil {
			return
		}
		failed = r.addFile(value)
	})
	if err == nil {
		err = failed
	}
	return err
}

// addFile notes a file with everything in it that has a name. mu is held.
func (r *reflection) addFile(data []byte) error {
	f := &protoFile{data: data}
	scope := ""
	err := fieldsOf(data, func(number protowire.Number, value []byte, _ uint64) {
		switch number {
		case fileName:
			f.name = string(value)
		case filePackage:
			scope = string(value)
		case fileImport:
			f.imports = append(f.imports, string(value))
		}
	})
	if err != nil || r.files[f.name] != nil {
		return err
	}
	w := walker{reflection: r, file: f}
	if err := w.all(data, scope, map[protowire.Number]part{
		fileMessage: {w.message, 0}, fileEnum: {w.enum, 0}, fileService: {w.service, 0}, fileExtension: {w.field, 0},
	}); err != nil {
		return fmt.Errorf("file %q: %w", f.name, err)
	}
	r.files[f.name] = f
	return nil
}

// walker notes the names in one file.
type walker struct {
	*reflection
	file *protoFile
}

// part is what reads one kind of field.
type part struct {
	read  func(data []byte, scope string, depth int) error
	depth int
}

// all reads the fields of a message of descriptor.proto.
func (w walker) all(data []byte, scope string, parts map[protowire.Number]part) error {
	var failed error
	err := fieldsOf(data, func(number protowire.Number, value []byte, _ uint64) {
		if p, ok := parts[number]; ok && failed == nil {
			failed = p.read(value, scope, p.depth)
		}
	})
	if err == nil {
		err = failed
	}
	return err
}

// named notes the name of a descriptor and gives it in full.
func (w walker) named(data []byte, scope string) (string, error) {
	name := ""
	err := fieldsOf(data, func(number protowire.Number, value []byte, _ uint64) {
		if number == messageName { // the name is field 1 of all of them
			name = string(value)
		}
	})
	if scope != "" {
		name = scope + "." + name
	}
	if len(name) > maxSymbolBytes {
		return "", fmt.Errorf("a name has %d bytes, the limit is %d", len(name), maxSymbolBytes)
	}
	if w.symbols[name] == nil {
		w.symbols[name] = w.file
	}
	return name, err
}

func (w walker) message(data []byte, scope string, depth int) error {
	name, err := w.named(data, scope)
	if err == nil && depth > maxDescriptorDepth {
		err = fmt.Errorf("message %q lies deeper than %d", name, maxDescriptorDepth)
	}
	if err != nil {
		return err
	}
	return w.all(data, name, map[protowire.Number]part{
		messageField: {w.leaf, 0}, messageOneof: {w.leaf, 0}, messageNested: {w.message, depth + 1}, messageEnum: {w.enum, 0}, messageExtension: {w.field, 0},
	})
}

// leaf is a descriptor with nothing named inside.
func (w walker) leaf(data []byte, scope string, _ int) error {
	_, err := w.named(data, scope)
	return err
}

func (w walker) service(data []byte, scope string, _ int) error {
	name, err := w.named(data, scope)
	if err != nil {
		return err
	}
	return w.all(data, name, map[protowire.Number]part{serviceMethod: {w.leaf, 0}})
}

// enum notes an enum and its values, which stand beside it.
func (w walker) enum(data []byte, scope string, _ int) error {
	if _, err := w.named(data, scope); err != nil {
		return err
	}
	return w.all(data, scope, map[protowire.Number]part{enumValue: {w.leaf, 0}})
}

// field notes an extension.
func (w walker) field(data []byte, scope string, _ int) error {
	if _, err := w.named(data, scope); err != nil {
		return err
	}
	extendee, number := "", int32(0)
	err := fieldsOf(data, func(n protowire.Number, value []byte, varint uint64) {
		switch n {
		case fieldExtendee:
			extendee = strings.TrimPrefix(string(value), ".")
		case fieldNumber:
			number = int32(varint)
		}
	})
	if w.extensions[extendee] == nil {
		w.extensions[extendee] = map[int32]*protoFile{}
	}
	w.extensions[extendee][number] = w.file
	return err
}

// paths are the functions of the service.
func (r *reflection) paths() map[string]func(*h2.Exchange) {
	out := map[string]func(*h2.Exchange){}
	for _, name := range reflectionServices {
		r.addService(name)
		out["/"+name+"/ServerReflectionInfo"] = r.open
	}
	return out
}

// reflectionStream is a client that asks one thing after the other.
type reflectionStream struct {
	reflection *reflection
	exchange   *h2.Exchange
	encoding   string
	split      grpcframe.Splitter
	sent       map[*protoFile]bool
}

func (r *reflection) open(x *h2.Exchange) {
	s := &reflectionStream{reflection: r, exchange: x, encoding: header(x.Headers(), aimrtgrpc.HeaderEncoding), sent: map[*protoFile]bool{}}
	s.split.MaxMessage = maxReflectionRequest
	r.mu.Lock()
	full, stopped := len(r.streams) >= maxReflectionStreams, r.stopped
	if !full && !stopped {
		r.streams[s] = true
	}
	r.mu.Unlock()
	switch {
	case stopped:
		refuse(x, statusOK, rpc.NewStatus(rpc.CodeUnavailable, "the server is stopping"))
	case full:
		refuse(x, statusOK, rpc.Statusf(rpc.CodeResourceExhausted, "%d clients ask for descriptors, the limit", maxReflectionStreams))
	default:
		_ = x.SendHeaders(okHead)
		x.Receive(s)
		x.OnGone(func() { s.end(nil) })
	}
}

// stop ends all streams.
func (r *reflection) stop() {
	r.mu.Lock()
	r.stopped = true
	streams := slices.Collect(maps.Keys(r.streams))
	r.mu.Unlock()
	for _, s := range streams {
		s.end(stopping)
	}
}

// end ends the stream; without a trailer the peer is gone.
func (s *reflectionStream) end(trailer *h2.Block) {
	s.reflection.mu.Lock()
	delete(s.reflection.streams, s)
	s.reflection.mu.Unlock()
	if trailer == nil {
		s.exchange.Reset(h2.CodeCancel)
		return
	}
	_ = s.exchange.CloseSend(trailer)
}

// Data takes requests.
func (s *reflectionStream) Data(p []byte) {
	err := s.split.Push(p, func(m grpcframe.Message) error {
		data := m.Data
		if m.Compressed {
			if s.encoding != gzipEncoding {
				return errNotAnnounced
			}
			var err error
			if data, err = grpcframe.Gunzip(data, maxReflectionRequest); err != nil {
				return err
			}
		}
		answer, err := s.reflection.answer(data, s.sent)
		if err != nil {
			return err
		}
		return s.exchange.Send(frame(answer))
	})
	s.exchange.Consumed(len(p))
	if err != nil { // also for a client that asks and does not read
		s.end(trailerOf(rpc.Statusf(rpc.CodeInvalidArgument, "reflection: %v", err)))
	}
}

// End answers the end of the requests.
func (s *reflectionStream) End(_ []h2.Field, err error) {
	if err != nil {
		s.end(nil)
		return
	}
	s.end(okTrailer)
}

// Numbers of fields in reflection.proto.
const (
	askFile, askSymbol, askExtension, askNumbers, askServices = 3, 4, 5, 6, 7

	replyHost, replyRequest, replyFiles, replyNumbers, replyServices, replyError = 1, 2, 4, 5, 6, 7
)

// answer answers one request. Files that the stream has got are not sent again.
func (r *reflection) answer(request []byte, sent map[*protoFile]bool) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := appendBytes(nil, replyRequest, request)
	var question protowire.Number
	var asked []byte
	err := fieldsOf(request, func(number protowire.Number, value []byte, _ uint64) {
		switch {
		case number == replyHost:
			out = appendBytes(out, replyHost, value)
		case number >= askFile && number <= askServices:
			question, asked = number, value // of several in one request the last counts
		}
	})
	if err != nil {
		return nil, err
	}
	switch text := string(asked); question {
	case askFile:
		out = r.appendFiles(out, r.files[text], sent, "file "+text)
	case askSymbol:
		out = r.appendFiles(out, r.symbols[text], sent, "symbol "+text)
	case askExtension:
		out = r.appendFiles(out, r.extension(asked), sent, "this extension")
	case askNumbers:
		out = r.appendNumbers(out, text)
	case askServices:
		out = r.appendServices(out)
	default:
		out = appendError(out, rpc.CodeInvalidArgument, "the request asks for nothing that is known here")
	}
	if len(out) > r.limit {
		return nil, fmt.Errorf("the answer has %d bytes, the limit max_message_bytes is %d", len(out), r.limit)
	}
	return out, nil
}

func appendBytes(dst []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, number, protowire.BytesType), value)
}

func appendError(dst []byte, code rpc.Code, message string) []byte {
	row, _ := code.Row()
	e := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(row.GRPCCode))
	return appendBytes(dst, replyError, appendBytes(e, 2, []byte(message)))
}

// appendFiles appends a file and all it imports, as far as they are known.
func (r *reflection) appendFiles(dst []byte, f *protoFile, sent map[*protoFile]bool, what string) []byte {
	if f == nil {
		return appendError(dst, rpc.CodeNotFound, what+" is not described here: no service came with such a descriptor")
	}
	list := appendBytes(nil, 1, f.data) // the one that was asked for, also when it comes again
	sent[f] = true
	todo := slices.Clone(f.imports)
	for len(todo) > 0 {
		next := r.files[todo[0]]
		todo = todo[1:]
		if next == nil || sent[next] {
			continue
		}
		sent[next] = true
		list = appendBytes(list, 1, next.data)
		todo = append(todo, next.imports...)
	}
	return appendBytes(dst, replyFiles, list)
}

// extension finds the file of an ExtensionRequest.
func (r *reflection) extension(request []byte) *protoFile {
	name, number := "", int32(0)
	if err := fieldsOf(request, func(n protowire.Number, value []byte, varint uint64) {
		switch n {
		case 1:
			name = string(value)
		case 2:
			number = int32(varint)
		}
	}); err != nil {
		return nil
	}
	return r.extensions[name][number]
}

func (r *reflection) appendNumbers(dst []byte, message string) []byte {
	if r.symbols[message] == nil {
		return appendError(dst, rpc.CodeNotFound, "message "+message+" is not described here")
	}
	list := appendBytes(nil, 1, []byte(message))
	for _, number := range slices.Sorted(maps.Keys(r.extensions[message])) {
		list = protowire.AppendVarint(protowire.AppendTag(list, 2, protowire.VarintType), uint64(number))
	}
	return appendBytes(dst, replyNumbers, list)
}

func (r *reflection) appendServices(dst []byte) []byte {
	var list []byte
	for _, name := range slices.Sorted(maps.Keys(r.services)) {
		list = appendBytes(list, 1, appendBytes(nil, 1, []byte(name)))
	}
	return appendBytes(dst, replyServices, list)
}
