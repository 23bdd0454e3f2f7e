package aimrtcontrol_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"gopkg.in/yaml.v3"

	"aimrtrpc/runtime/wire/aimrtcontrol"
)

type vector struct {
	Name, Service, Method string
	Response              bool
	PB, JSON              string
	Message               aimrtcontrol.Message
}

func (v *vector) direction() aimrtcontrol.Direction { return aimrtcontrol.Direction(v.Response) }

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("../../../tests/vectors/aimrtcontrol/messages.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Messages []vector }
	if err := yaml.Unmarshal(data, &file); err != nil || len(file.Messages) == 0 {
		t.Fatalf("%d vectors, %v", len(file.Messages), err)
	}
	return file.Messages
}

func service(t testing.TB, name string) *aimrtcontrol.Service {
	t.Helper()
	s, err := aimrtcontrol.New(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sameJSON compares texts whose maps may have another order.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		t.Fatalf("not JSON: %s or %s", a, b)
	}
	return reflect.DeepEqual(x, y) && len(a) == len(b)
}

func TestVectors_BothDirections(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			s := service(t, v.Service)
			pb, err := hex.DecodeString(v.PB)
			if err != nil {
				t.Fatal(err)
			}
			for serialization, data := range map[string][]byte{"pb": pb, "json": []byte(v.JSON)} {
				got, err := s.Decode(v.Method, v.direction(), serialization, data)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, v.Message) {
					t.Errorf("%s reads as %+v, want %+v", serialization, got, v.Message)
				}
				wrote, err := s.Encode(v.Method, v.direction(), serialization, v.Message)
				if err != nil {
					t.Fatal(err)
				}
				if serialization == "pb" && !bytes.Equal(wrote, data) {
					t.Errorf("pb is %x, want %x", wrote, data)
				}
				if serialization == "json" && !sameJSON(t, wrote, data) {
					t.Errorf("json is %s, want %s", wrote, data)
				}
			}
		})
	}
}

func TestDecode_JSON_TakesProtoNamesToo(t *testing.T) {
	got, err := service(t, aimrtcontrol.Parameters).Decode("Get", aimrtcontrol.Request, "json", []byte(`{"module_name":"Arm", "parameterKey":"k"}`))
	if err != nil || got.Module != "Arm" || got.Key != "k" {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestDecode_Refused(t *testing.T) {
	s := service(t, aimrtcontrol.LogControl)
	tests := []struct{ name, method, serialization, data, want string }{
		{"method", "Nothing", "pb", "", `no method "Nothing"`},
		{"serialization", "GetModuleLogLevel", "ros2", "", `"ros2"`},
		{"pb", "GetModuleLogLevel", "pb", "\x0a\x05x", "unexpected EOF"},
		{"json", "GetModuleLogLevel", "json", `{"moduleNames": 5}`, `field "moduleNames": expected a list of texts, got 5`},
		{"unknown field", "GetModuleLogLevel", "json", `{"names": []}`, `unknown field "names"`},
		{"null in a list", "GetModuleLogLevel", "json", `{"moduleNames": [null]}`, "got [null]"},
		{"no object", "GetModuleLogLevel", "json", `[]`, "expected an object"},
		{"more after it", "GetModuleLogLevel", "json", `{} {}`, "expected an object"},
		{"no UTF-8", "GetModuleLogLevel", "pb", "\x0a\x01\xff", "UTF-8"},
		{"size", "GetModuleLogLevel", "pb", strings.Repeat("x", aimrtcontrol.MaxMessageBytes+1), "16777216"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Decode(tt.method, aimrtcontrol.Request, tt.serialization, []byte(tt.data))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v does not contain %q", err, tt.want)
			}
			if errors.Is(err, aimrtcontrol.ErrSerialization) != (tt.name == "serialization") {
				t.Errorf("error %v wraps ErrSerialization wrongly", err)
			}
		})
	}
	if _, err := aimrtcontrol.New("a.B"); err == nil || !strings.Contains(err.Error(), `"a.B"`) {
		t.Errorf("an unknown service gives %v", err)
	}
}

func TestDescriptor_HoldsTheMethods(t *testing.T) {
	for name, want := range map[string][]string{
		aimrtcontrol.LogControl: {"GetModuleLogLevel", "SetModuleLogLevel"},
		aimrtcontrol.Parameters: {"Set", "Get", "List", "Dump", "Load"},
	} {
		s := service(t, name)
		var set descriptorpb.FileDescriptorSet
		if err := proto.Unmarshal(s.Descriptor(), &set); err != nil {
			t.Fatal(err)
		}
		if _, err := protodesc.NewFiles(&set); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range set.File[0].Service[0].Method {
			got = append(got, m.GetName())
		}
		if !slices.Equal(got, want) || !slices.Equal(s.Methods(), want) {
			t.Errorf("methods are %q and %q, want %q", got, s.Methods(), want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		pb, _ := hex.DecodeString(v.PB)
		f.Add(pb, true)
		f.Add([]byte(v.JSON), false)
	}
	s := service(f, aimrtcontrol.Parameters)
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		serialization := "json"
		if binary {
			serialization = "pb"
		}
		m, err := s.Decode("Load", aimrtcontrol.Request, serialization, data)
		if err != nil {
			return
		}
		again, err := s.Encode("Load", aimrtcontrol.Request, serialization, m)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := s.Decode("Load", aimrtcontrol.Request, serialization, again)
		if err != nil || !reflect.DeepEqual(back, m) {
			t.Fatalf("%+v comes back as %+v, %v", m, back, err)
		}
	})
}
