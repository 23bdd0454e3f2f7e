package aimrtgrpc

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
)

type requestVector struct {
	Name, Obtained, Function, Address, Serialization, Path, Scheme, Authority string

	ContentType  string `yaml:"content_type"`
	TimeoutMS    int    `yaml:"timeout_ms"`
	GRPCTimeout  string `yaml:"grpc_timeout"`
	LegalTimeout string `yaml:"legal_timeout"`
	Meta         [][2]string
	BodyHex      string `yaml:"body_hex"`
}

func TestRequests_GoldenBothWays(t *testing.T) {
	var vectors []requestVector
	testx.Vectors(t, "aimrtgrpc/requests.yaml", &vectors)
	for _, v := range vectors {
		at, err := Resolve(v.Address, v.Function, false)
		if err != nil || at.Path != v.Path || at.Scheme() != v.Scheme || at.Authority != v.Authority {
			t.Errorf("%s: endpoint %+v, error %v", v.Name, at, err)
		}
		if got, err := ContentType(v.Serialization); err != nil || got != v.ContentType {
			t.Errorf("%s: content type %q, error %v", v.Name, got, err)
		}
		if got, ok := Serialization(v.ContentType); !ok || got != v.Serialization {
			t.Errorf("%s: serialization %q", v.Name, got)
		}
		timeout := time.Duration(v.TimeoutMS) * time.Millisecond
		if got := string(AppendTimeout(nil, timeout)); got != v.LegalTimeout {
			t.Errorf("%s: timeout is written as %q, want %q", v.Name, got, v.LegalTimeout)
		}
		for _, text := range []string{v.GRPCTimeout, v.LegalTimeout} {
			if got, ok := ParseTimeout(text); !ok || got != timeout {
				t.Errorf("%s: timeout %q is %v", v.Name, text, got)
			}
		}
		for _, m := range v.Meta {
			if got := EncodePair(m[0], m[1]); got != (Field{m[0], m[1]}) {
				t.Errorf("%s: metadata %q is written as %q", v.Name, m, got)
			}
			DecodePairs(Field{m[0], m[1]}, func(key, value string) {
				if key != m[0] || value != m[1] {
					t.Errorf("%s: metadata %q is read as %q, %q", v.Name, m, key, value)
				}
			})
		}
	}
}

type answerVector struct {
	Name, Obtained, Message, Trace string

	GRPC    int
	AimRT   uint32
	Details [][2]string
	Native  [2]string
	Head    [][2]string
	Trailer [][2]string
}

func fieldsOf(list [][2]string) (out []Field) {
	for _, p := range list {
		out = append(out, Field{p[0], p[1]})
	}
	return out
}

func TestAnswers_GoldenBothWays(t *testing.T) {
	var vectors []answerVector
	testx.Vectors(t, "aimrtgrpc/answers.yaml", &vectors)
	for _, v := range vectors {
		want := Outcome{GRPC: v.GRPC, Message: v.Message, AimRT: v.AimRT, HasAimRT: v.AimRT != 0, Trace: v.Trace, Native: Pair{v.Native[0], v.Native[1]}}
		for _, d := range v.Details {
			want.Details = append(want.Details, Pair{d[0], d[1]})
		}
		if got := want.Fields(); !slices.Equal(got, fieldsOf(v.Trailer)) {
			t.Errorf("%s:\ngot  %q\nwant %q", v.Name, got, v.Trailer)
		}
		if got, ok := ReadOutcome(fieldsOf(v.Trailer)); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", v.Name, got, want)
		}
		if v.Head != nil && !slices.Equal(OKHead(), fieldsOf(v.Head)) {
			t.Errorf("%s: head %q", v.Name, OKHead())
		}
	}
}
