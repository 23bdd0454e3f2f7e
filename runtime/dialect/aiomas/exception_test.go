package aiomas

import (
	"strings"
	"testing"

	"aimrtrpc/runtime/rpc"
	wire "aimrtrpc/runtime/wire/aiomas"
)

const traceback = "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\n    raise\n"

func TestReadFailure_LastLine_NamesClassAndMessage(t *testing.T) {
	for _, tc := range []struct {
		text, class, message string
		code                 rpc.Code
	}{
		{traceback + "ValueError: \"spam\" is not a number\n", "ValueError", `ValueError: "spam" is not a number`, rpc.CodeRemoteException},
		{traceback + "my.mod.Boom: a: b\n", "my.mod.Boom", "my.mod.Boom: a: b", rpc.CodeRemoteException},
		{traceback + "AssertionError\n", "AssertionError", "AssertionError", rpc.CodeRemoteException},
		{traceback + "ValueError: one\n two\nthree\n", "ValueError", "ValueError: one\n two\nthree", rpc.CodeRemoteException},
		{"ValueError: 42\n", "ValueError", "ValueError: 42", rpc.CodeRemoteException},
		{traceback + "LookupError: Name \"x\" not found in \"\"\n", "LookupError", `Name "x" not found in ""`, rpc.CodeSvrNotFound},
		{traceback + "LookupError: \"aiomas.rpc.ServiceDict.f\" is not exposed\n", "LookupError", `"aiomas.rpc.ServiceDict.f" is not exposed`, rpc.CodeSvrNotFound},
		{traceback + "LookupError: 5\n", "LookupError", "LookupError: 5", rpc.CodeRemoteException},
		{traceback + "TimeoutError\n", "TimeoutError", rpc.CodeTimeout.Text(), rpc.CodeTimeout},
		{traceback + "PermissionError: no\n", "PermissionError", "no", rpc.CodePermissionDenied},
		{traceback + "aiomas.exceptions.SerializationError: x\n", "aiomas.exceptions.SerializationError", "x", rpc.CodeSvrSerializationFailed},
		{"just words\n", "", "just words", rpc.CodeRemoteException},
		{"", "", rpc.CodeRemoteException.Text(), rpc.CodeRemoteException},
	} {
		for _, f := range []wire.Format{{}, {Codec: wire.MsgPack}} {
			s := ReadFailure(f, f.AppendString(nil, tc.text)).Status()
			if s.Code() != tc.code || s.Message() != tc.message || s.Trace() != tc.text || s.Native().Code != tc.class {
				t.Errorf("%q: %v, class %q, trace %q", tc.text, s, s.Native().Code, s.Trace())
			}
		}
	}
}

func TestReadFailure_Mosaik_Array(t *testing.T) {
	for _, f := range []wire.Format{{}, {Codec: wire.MsgPack}} {
		want := Failure{"ValueError", "spam", traceback}
		content := AppendFailure(nil, f, want, true)
		if got := ReadFailure(f, content); got != want {
			t.Errorf("%v: %+v", f.Codec, got)
		}
		if _, err := f.Check(content); err != nil {
			t.Error(err)
		}
	}
	if got := string(AppendFailure(nil, wire.Format{}, Failure{"A", "b", "c\nd\n"}, true)); got != `["A", "b", "c\n", "d\n"]` {
		t.Error(got)
	}
	for content, want := range map[string]string{"5": "the exception is int", "[1, 2]": "the exception is array", "[]": "the exception is array", "null": "the exception is null"} {
		if got := ReadFailure(wire.Format{}, []byte(content)); !strings.HasPrefix(got.Message, want) || got.Status().Code() != rpc.CodeRemoteException {
			t.Errorf("%s: %+v", content, got)
		}
	}
}

func TestReadFailure_HugeTrace_KeepsItsEnd(t *testing.T) {
	text := traceback + strings.Repeat("  é\n", MaxTraceBytes) + "ValueError: x\n"
	s := ReadFailure(wire.Format{}, wire.Format{}.AppendString(nil, text)).Status()
	if len(s.Trace()) > MaxTraceBytes || s.Message() != "ValueError: x" {
		t.Errorf("%d bytes, %s", len(s.Trace()), s.Message())
	}
}

func TestFailureOf_EveryCode_ComesBack(t *testing.T) {
	for _, row := range rpc.Codes() {
		if row.Code == rpc.CodeOK {
			continue
		}
		for _, s := range []rpc.Status{rpc.NewStatus(row.Code, "words: more"), rpc.StatusOfCode(row.Code), rpc.NewStatus(row.Code, "a\nb").WithTrace("in f\nin g")} {
			f := FailureOf(s)
			if f.Class != row.Aiomas || !strings.HasPrefix(f.Trace, tracebackHead) || !strings.HasSuffix(f.Trace, "\n"+row.Aiomas+": "+s.Message()+"\n") {
				t.Errorf("%v: %+v", row.Code, f)
			}
			back := failureOfText(f.Trace).Status()
			if back.Code() != row.Code || back.Message() != s.Message() {
				t.Errorf("%v came back as %v", s, back)
			}
		}
	}
	if f := FailureOf(rpc.NewStatus(4242, "own")); f.Class != "Exception" || failureOfText(f.Trace).Status().Code() != 4242 {
		t.Errorf("%+v", f)
	}
	theirs := failureOfText(traceback + "spam.Egg: 5\n").Status()
	if f := FailureOf(theirs); f != (Failure{"spam.Egg", "5", traceback + "spam.Egg: 5\n"}) {
		t.Errorf("an exception on its way through: %+v", f)
	}
}
