package grpc

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/transport/h2"
)

// descriptors is a set with one of everything that has a name: descriptor.proto itself, and a file that extends it.
func descriptors(t testing.TB) []byte {
	t.Helper()
	number, label, kind := int32(50_001), descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL, descriptorpb.FieldDescriptorProto_TYPE_STRING
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{
		protodesc.ToFileDescriptorProto(descriptorpb.File_google_protobuf_descriptor_proto),
		{
			Name: proto.String("own.proto"), Package: proto.String("own"), Dependency: []string{"google/protobuf/descriptor.proto"},
			Extension: []*descriptorpb.FieldDescriptorProto{{Name: proto.String("note"), Extendee: proto.String(".google.protobuf.MethodOptions"), Number: &number, Label: &label, Type: &kind}},
			Service:   []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S"), Method: []*descriptorpb.MethodDescriptorProto{{Name: proto.String("M")}}}},
		},
	}}
	data, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// reply is what an answer says: names of files, an error's code, numbers.
func reply(t *testing.T, r *reflection, sent map[*protoFile]bool, number protowire.Number, value []byte) (files []string, failure uint64, numbers []uint64) {
	t.Helper()
	answer, err := r.answer(appendBytes(nil, number, value), sent)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(fieldsOf(answer, func(number protowire.Number, value []byte, _ uint64) {
		switch number {
		case replyFiles:
			must(fieldsOf(value, func(_ protowire.Number, data []byte, _ uint64) {
				var file descriptorpb.FileDescriptorProto
				must(proto.Unmarshal(data, &file))
				files = append(files, file.GetName())
			}))
		case replyError:
			must(fieldsOf(value, func(number protowire.Number, _ []byte, code uint64) {
				if number == 1 {
					failure = code
				}
			}))
		case replyNumbers:
			must(fieldsOf(value, func(number protowire.Number, _ []byte, n uint64) {
				if number == 2 {
					numbers = append(numbers, n)
				}
			}))
		}
	}))
	return files, failure, numbers
}

func TestReflection_FindsEverythingThatHasAName(t *testing.T) {
	r := newReflection(1 << 20)
	if err := r.add(descriptors(t)); err != nil {
		t.Fatal(err)
	}
	const base = "google/protobuf/descriptor.proto"
	for symbol, want := range map[string]string{
		"own.S": "own.proto " + base, "own.S.M": "own.proto " + base, "own.note": "own.proto " + base, "google.protobuf.DescriptorProto": base,
		"google.protobuf.DescriptorProto.ExtensionRange": base, "google.protobuf.FieldDescriptorProto.Type": base, "google.protobuf.FieldDescriptorProto.TYPE_INT32": base,
		"google.protobuf.FieldOptions.ctype": base, "own.Nothing": "", "": "",
	} {
		files, failure, _ := reply(t, r, map[*protoFile]bool{}, askSymbol, []byte(symbol))
		if got := strings.Join(files, " "); got != want || (failure == 5) != (want == "") {
			t.Errorf("%q is in %q, error %d", symbol, got, failure)
		}
	}
	sent := map[*protoFile]bool{}
	for i, want := range []string{"own.proto " + base, "own.proto"} { // an import is sent once
		if files, _, _ := reply(t, r, sent, askFile, []byte("own.proto")); strings.Join(files, " ") != want {
			t.Errorf("answer %d: %q", i, files)
		}
	}
	extension := protowire.AppendVarint(protowire.AppendTag(appendBytes(nil, 1, []byte("google.protobuf.MethodOptions")), 2, protowire.VarintType), 50_001)
	if files, _, _ := reply(t, r, map[*protoFile]bool{}, askExtension, extension); len(files) == 0 || files[0] != "own.proto" {
		t.Errorf("extension: %q", files)
	}
	if _, _, numbers := reply(t, r, nil, askNumbers, []byte("google.protobuf.MethodOptions")); len(numbers) != 1 || numbers[0] != 50_001 {
		t.Errorf("numbers: %v", numbers)
	}
	if _, failure, _ := reply(t, r, nil, 15, nil); failure != 3 {
		t.Errorf("a question that is none: error %d", failure)
	}
	r.limit = 100
	if _, err := r.answer(appendBytes(nil, askFile, []byte("own.proto")), map[*protoFile]bool{}); err == nil || !strings.Contains(err.Error(), "max_message_bytes") {
		t.Errorf("an answer above the limit: %v", err)
	}
}

func TestReflection_DeepOrBrokenDescriptors_AreRefused(t *testing.T) {
	deep := appendBytes(nil, messageName, []byte("m"))
	for range 2 * maxDescriptorDepth {
		deep = appendBytes(appendBytes(nil, messageName, []byte("m")), messageNested, deep)
	}
	for name, set := range map[string][]byte{"deep": appendBytes(nil, setFile, appendBytes(nil, fileMessage, deep)), "broken": {0x0a, 0x05, 0x00}} {
		if err := newReflection(1 << 20).add(set); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestOwnServices_OnlyOnTheLoopback: an open network learns nothing unless the configuration says so.
func TestOwnServices_OnlyOnTheLoopback(t *testing.T) {
	testx.NoLeaks(t)
	for plugin, want := range map[string]string{
		"{listen_ip: 127.0.0.1, listen_port: 0}":                               "0",
		"{listen_ip: 0.0.0.0, listen_port: 0}":                                 "12",
		"{listen_ip: 0.0.0.0, listen_port: 0, health: true, reflection: true}": "0",
		"{listen_ip: 127.0.0.1, listen_port: 0, health: false}":                "12",
	} {
		_, address := serveWith(t, "", plugin, echo)
		_, number, _ := strings.Cut(strings.ReplaceAll(address, "[::]", ""), ":")
		r := post(t, "127.0.0.1:"+number, "/grpc.health.v1.Health/Check", framed(""), protoType)
		if got := header(append(r.Headers, r.Trailers...), "grpc-status"); got != want {
			t.Errorf("%s: health answers with grpc-status %q, want %s", plugin, got, want)
		}
		if strings.Contains(plugin, "health: false") {
			continue
		}
		r = post(t, "127.0.0.1:"+number, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", framed(string(appendBytes(nil, askServices, nil))), protoType)
		if got := header(append(r.Headers, r.Trailers...), "grpc-status"); got != want || want == "0" && !strings.Contains(string(r.Body), "ExampleService") {
			t.Errorf("%s: reflection answers with grpc-status %q and %q, want %s", plugin, got, r.Body, want)
		}
	}
}

func TestReflection_BrokenRequest_EndsTheStream(t *testing.T) {
	testx.NoLeaks(t)
	_, address := serve(t, echo)
	for _, body := range []string{framed("\xff"), "\x02\x00\x00\x00\x00", "\x00\x7f\xff\xff\xff", "\x01" + framed("x")[1:]} {
		r := post(t, address, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", body, protoType)
		if got := header(r.Trailers, "grpc-status"); got != "3" {
			t.Errorf("%q is answered with %v %v", body, r.Headers, r.Trailers)
		}
	}
	if r := post(t, address, "/grpc.health.v1.Health/Check", framed("\xff"), protoType); header(r.Headers, "grpc-status") != "3" {
		t.Errorf("health: %v", r.Headers)
	}
	if r := post(t, address, "/grpc.health.v1.Health/Check", framed(""), h2.Field{Name: "content-type", Value: "application/grpc+json"}); header(r.Headers, "grpc-status") != "3" {
		t.Errorf("health in JSON: %v", r.Headers)
	}
}

func FuzzReflection(f *testing.F) {
	f.Add(descriptors(f), appendBytes(nil, askSymbol, []byte("own.S")))
	f.Add([]byte{0x0a, 0x05, 0x00}, appendBytes(nil, askExtension, []byte{0x0a, 0x01}))
	f.Fuzz(func(t *testing.T, set, request []byte) {
		r := newReflection(1 << 20)
		_ = r.add(set)
		answer, err := r.answer(request, map[*protoFile]bool{})
		if err == nil && len(answer) > r.limit {
			t.Fatalf("an answer of %d bytes", len(answer))
		}
	})
}
