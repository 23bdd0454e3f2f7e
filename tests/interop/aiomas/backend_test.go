package aiomas

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/backend"
	ours "aimrtrpc/runtime/backend/aiomas"
	"aimrtrpc/runtime/backend/backendtest"
	dialect "aimrtrpc/runtime/dialect/aiomas"
	"aimrtrpc/runtime/rpc"
	wire "aimrtrpc/runtime/wire/aiomas"
)

// handlers is a tree of functions.
func handlers(t testing.TB, functions map[string]backendtest.HandlerFunc) *dialect.Tree {
	t.Helper()
	tree := dialect.NewTree()
	for path, h := range functions {
		if err := tree.Add(path, nil, h); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

// values is the format of values on a way.
func (w way) values() wire.Format {
	if w.codec == wire.MsgPackBlosc {
		return wire.Format{Codec: wire.MsgPack}
	}
	return w.format()
}

// address is where a peer that is ready listens.
func (w way) address(a answer) string {
	if w.network == "unix" {
		return fmt.Sprint("unix://", a.Ready)
	}
	return fmt.Sprint("tcp://127.0.0.1:", a.Ready)
}

// bare is an address as peer.py takes it.
func bare(address string) string {
	return strings.TrimPrefix(strings.TrimPrefix(address, "unix://"), "tcp://")
}

// invoke starts a call over a connection of ours.
func invoke(t testing.TB, c rpc.Conn, path string, payload []byte) *rpc.Call {
	t.Helper()
	m, err := rpc.NewMethod(rpc.MethodOptions{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	call := &rpc.Call{Method: m, Context: rpc.NewClientContext(), Request: rpc.BytesPayload("", payload), Started: time.Now()}
	c.Invoke(context.Background(), call)
	return call
}

// result waits for the end of a call that succeeds.
func result(t testing.TB, call *rpc.Call) []byte {
	t.Helper()
	if status := rpc.Wait(limited(t), call); !status.OK() {
		t.Fatalf("%s: %v", call.Method.Name(), status)
	}
	data, err := call.Response().Bytes("")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func equal(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if string(got) != string(want) {
		t.Errorf("%s: %.200q, want %.200q", what, got, want)
	}
}

// own is what our end serves to the real one.
func own(t testing.TB, w way) *dialect.Tree {
	t.Helper()
	f := w.values()
	say := func(v []byte) backendtest.HandlerFunc {
		return func(_ context.Context, call *rpc.Call) { call.Finish(rpc.OK, rpc.BytesPayload("", v)) }
	}
	return handlers(t, map[string]backendtest.HandlerFunc{
		"name": say(str(f, "ours")), "sub/ping": say(str(f, "our pong")),
		"echo": func(_ context.Context, call *rpc.Call) {
			data, _ := call.Request.Bytes("")
			args, kwargs, err := dialect.SplitPair(f, data)
			if err != nil {
				call.Finish(rpc.StatusOf(err), rpc.Payload{})
				return
			}
			var parts [][]byte
			for part := range dialect.Elements(f, args) {
				parts = append(parts, part)
			}
			call.Finish(rpc.OK, rpc.BytesPayload("", dialect.AppendArray(nil, f, append(parts, kwargs)...)))
		},
		"boom": func(_ context.Context, call *rpc.Call) {
			call.Finish(rpc.NewStatus(rpc.CodeInvalidArgument, "no number"), rpc.Payload{})
		},
		"wait": func(context.Context, *rpc.Call) {}, // ends with the connection
		"callback": func(ctx context.Context, call *rpc.Call) {
			back := func(path string, payload []byte) []byte {
				c := invoke(t, call.Conn, path, payload)
				if status := rpc.Wait(ctx, c); !status.OK() {
					return str(f, status.Message())
				}
				data, _ := c.Response().Bytes("")
				return data
			}
			name := back("name", dialect.AppendPair(nil, f, list(f, str(f, "y")), nil))
			call.Finish(rpc.OK, rpc.BytesPayload("", dialect.AppendArray(nil, f, name, back("sub/ping", nil))))
		},
	})
}

// TestConnection_ToTheRealServer calls the real aiomas over connections of the product.
func TestConnection_ToTheRealServer(t *testing.T) {
	testx.NoLeaks(t)
	eachWay(t, func(t *testing.T, w way) {
		p, ready := start(t, "server", w, w.free(t))
		f := w.values()
		c, err := ours.Dial(limited(t), ours.DialConfig{Options: ours.Options{Codec: w.codec, Handler: own(t, w)}, Address: w.address(ready)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		realValues(t, c, f)
		realCallback(t, c, f)
		realCancelled(t, c, f)
		told := make(chan error, 1)
		c.OnClose(func(reason error) { told <- reason })
		open := invoke(t, c, "wait", dialect.AppendPair(nil, f, list(f, str(f, "for ever")), nil))
		result(t, invoke(t, c, "sub/ping", nil))
		p.kill()
		if status := rpc.Wait(limited(t), open); status.Code() != rpc.CodeConnectionLost {
			t.Errorf("a call under way: %v", status)
		}
		if reason := <-told; reason == nil {
			t.Error("no reason")
		}
	})
}

func realValues(t *testing.T, c *ours.Conn, f wire.Format) {
	t.Helper()
	arg := list(f, f.AppendInt(nil, -5), str(f, "é€\U0001f600"), list(f, f.AppendFloat(nil, 1.5)))
	equal(t, "echo", result(t, invoke(t, c, "echo", dialect.AppendPair(nil, f, list(f, arg), nil))), list(f, arg, dict(f)))
	given := result(t, invoke(t, c, "give", nil))
	path, ok := c.ReferencePath(given)
	if !ok || path != "sub" {
		t.Errorf("give: %q is a reference to %q, %v", given, path, ok)
	}
	equal(t, "a function of the given service", result(t, invoke(t, c, path+"/ping", nil)), str(f, "pong"))
	for path, want := range map[string]rpc.Status{
		"none/such": rpc.NewStatus(rpc.CodeSvrNotFound, `Name "none" not found in ""`), "events": rpc.NewStatus(rpc.CodeSvrNotFound, `"__main__.Root.events" is not exposed`),
		"boom": rpc.NewStatus(rpc.CodeRemoteException, "ValueError: no number"),
	} {
		var args []byte
		if path == "boom" {
			args = list(f, str(f, "no number"))
		}
		call := invoke(t, c, path, dialect.AppendPair(nil, f, args, nil))
		got := rpc.Wait(limited(t), call)
		message := strings.Replace(got.Message(), `"peer.Root`, `"__main__.Root`, 1) // where secure_peer.py runs it
		if got.Code() != want.Code() || message != want.Message() || !strings.HasPrefix(got.Trace(), "Traceback (most recent call last):\n") {
			t.Errorf("%s: %v, trace %.60q", path, got, got.Trace())
		}
	}
}

// realCallback passes our root service; the real server calls it before it answers.
func realCallback(t *testing.T, c *ours.Conn, f wire.Format) {
	t.Helper()
	reference, err := c.Reference("")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got := result(t, invoke(t, c, "callback", dialect.AppendPair(nil, f, list(f, reference), nil)))
		equal(t, "callback", got, list(f, str(f, "ours"), str(f, "our pong")))
	}
}

// realCancelled drops a call whose reply comes later; the connection lives.
func realCancelled(t *testing.T, c *ours.Conn, f wire.Format) {
	t.Helper()
	name := str(f, "cancelled")
	ctx, cancel := context.WithCancel(limited(t))
	call := invoke(t, c, "wait", dialect.AppendPair(nil, f, list(f, name), nil))
	result(t, invoke(t, c, "sub/ping", nil)) // handlers start in the order of arrival
	cancel()
	if status := rpc.Wait(ctx, call); status.Code() != rpc.CodeCancelled {
		t.Errorf("cancelled: %v", status)
	}
	result(t, invoke(t, c, "release", dialect.AppendPair(nil, f, list(f, name), nil)))
	equal(t, "after a late reply", result(t, invoke(t, c, "sub/ping", nil)), str(f, "pong"))
}

// TestConnection_OfTheRealClient serves the real aiomas over connections of the product.
func TestConnection_OfTheRealClient(t *testing.T) {
	testx.NoLeaks(t)
	eachWay(t, func(t *testing.T, w way) {
		conns := make(chan *ours.Conn, 1)
		address := "tcp://127.0.0.1:0"
		if w.network == "unix" {
			address = "unix://" + w.free(t)
		}
		l, err := ours.Listen(ours.ListenConfig{
			Options: ours.Options{Codec: w.codec, Handler: own(t, w)}, Address: address, Connected: func(c *ours.Conn) { conns <- c },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		p, _ := start(t, "client", w, bare(l.Address()))
		c := <-conns
		serveOurs(t, p)
		gives(t, p, map[string]any{"op": "many", "count": 10_000}, "10000")
		gives(t, p, map[string]any{"op": "start", "path": "wait"}, `"started"`)
		gives(t, p, map[string]any{"op": "call", "path": "name"}, `"ours"`)
		p.kill()
		<-c.Done()
	})
}

func serveOurs(t *testing.T, p *peer) {
	t.Helper()
	gives(t, p, map[string]any{"op": "call", "path": "echo", "args": []any{1, []any{nil}}, "kwargs": map[string]any{"k": "é"}}, `[1, [null], {"k": "é"}]`)
	gives(t, p, map[string]any{"op": "callback"}, `["Monty y", "pong"]`)
	for path, last := range map[string]string{
		"boom": "ValueError: no number\n", "sub/none": "LookupError: Name \"none\" not found in \"sub\"\n", "sub": "TypeError: 'ServiceDict' object is not callable\n",
	} {
		a := p.do(map[string]any{"op": "call", "path": path})
		if a.Raised != "RemoteException" || !strings.HasPrefix(a.Remote, "Traceback (most recent call last):\n") || !strings.HasSuffix(a.Remote, last) {
			t.Errorf("%s: %+v", path, a)
		}
	}
}

// TestConnection_TLS speaks with contexts made by the real helpers, both ways.
func TestConnection_TLS(t *testing.T) {
	testx.NoLeaks(t)
	files := certificates(t)
	w := way{wire.MsgPack, "tcp"}
	o := ours.Options{Codec: w.codec, Handler: own(t, w), TLS: &files}
	t.Run("real server", func(t *testing.T) {
		_, ready := startScript(t, "secure_peer.py", "server", "MsgPack", "tcp", "127.0.0.1:0", files.CA, files.Certificate, files.Key)
		c, err := ours.Dial(limited(t), ours.DialConfig{Options: o, Address: fmt.Sprint("tcp://localhost:", ready.Ready)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		realValues(t, c, w.values())
		realCallback(t, c, w.values())
		if peer := c.Peer(); peer.Identity != "robot" || !peer.Verified {
			t.Errorf("the peer is %+v", peer)
		}
	})
	t.Run("real client", func(t *testing.T) {
		allowed := o
		allowed.AllowedPeers = []string{"robot"}
		l, err := ours.Listen(ours.ListenConfig{Options: allowed, Address: "tcp://127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		_, port, _ := net.SplitHostPort(bare(l.Address()))
		p, _ := startScript(t, "secure_peer.py", "client", "MsgPack", "tcp", "localhost:"+port, files.CA, files.Certificate, files.Key)
		serveOurs(t, p)
	})
}

// certificates makes an authority and one certificate for both ends.
func certificates(t *testing.T) ours.TLSFiles {
	t.Helper()
	dir := t.TempDir()
	issue := func(file, name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: parent == nil,
		}
		if parent == nil {
			parent, signer, template.KeyUsage = template, key, x509.KeyUsageCertSign
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		for name, block := range map[string]*pem.Block{file + ".pem": {Type: "CERTIFICATE", Bytes: der}, file + ".key": {Type: "PRIVATE KEY", Bytes: raw}} {
			if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	ca, key := issue("ca", "ca", nil, nil)
	issue("own", "robot", ca, key)
	return ours.TLSFiles{CA: filepath.Join(dir, "ca.pem"), Certificate: filepath.Join(dir, "own.pem"), Key: filepath.Join(dir, "own.key")}
}

// TestBackend_FunctionOfAimRT_IsReachableAtItsPath calls a function through the backend, as the real aiomas and as AimRT's client side do.
func TestBackend_FunctionOfAimRT_IsReachableAtItsPath(t *testing.T) {
	testx.NoLeaks(t)
	for _, w := range []way{{wire.JSON, "tcp"}, {wire.MsgPack, "unix"}} {
		listen := "tcp://127.0.0.1:0"
		if w.network == "unix" {
			listen = "unix://" + w.free(t)
		}
		m, err := rpc.NewMethod(rpc.MethodOptions{Name: "pb:/robot.arm.Service/Move"})
		if err != nil {
			t.Fatal(err)
		}
		server := newBackend(t, "{listen: '"+listen+"', codec: "+strings.ToLower(w.codec.String())+"}")
		if err := server.RegisterService(m, backendtest.HandlerFunc(func(_ context.Context, call *rpc.Call) {
			data, err := call.Request.Bytes("json")
			call.Finish(rpc.StatusOf(err), rpc.BytesPayload("json", fmt.Appendf(nil, `{"moved": %s}`, data)))
		})); err != nil {
			t.Fatal(err)
		}
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		p, _ := start(t, "client", w, bare(server.Address()))
		gives(t, p, map[string]any{"op": "call", "path": "robot/arm/Service/Move", "kwargs": map[string]any{"x": 1.5}}, `{"moved": {"x": 1.5}}`)
		gives(t, p, map[string]any{"op": "call", "path": "robot/arm/Service/Move", "args": []any{map[string]any{"x": []any{}}}}, `{"moved": {"x": []}}`)
		if a := p.do(map[string]any{"op": "call", "path": "robot/arm/Service/Move", "args": []any{1}}); a.Raised != "RemoteException" || !strings.Contains(a.Remote, "\nTypeError: 1 positional") {
			t.Errorf("%+v", a)
		}
	}
}

// TestBackend_CallsAFunctionOfTheRealServer goes the other way.
func TestBackend_CallsAFunctionOfTheRealServer(t *testing.T) {
	testx.NoLeaks(t)
	for _, codec := range []wire.Codec{wire.JSON, wire.MsgPack} {
		w := way{codec, "tcp"}
		_, ready := start(t, "server", w, w.free(t))
		client := newBackend(t, "{codec: "+strings.ToLower(codec.String())+fmt.Sprintf(", clients_options: [{func_name: '(.*)', server_url: 'aiomas://127.0.0.1:%v/echo'}]}", ready.Ready))
		m, err := rpc.NewMethod(rpc.MethodOptions{Name: "pb:/robot.arm.Service/Move", Request: rpc.Raw{"json"}, Response: rpc.Raw{"json"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.RegisterClient(m); err != nil {
			t.Fatal(err)
		}
		if err := client.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		call := &rpc.Call{Method: m, Context: rpc.NewClientContext(), Request: rpc.BytesPayload("json", []byte(`{"x": 1}`)), Started: time.Now()}
		client.Invoke(limited(t), call)
		equal(t, "echo", result(t, call), []byte(`[{"x": 1}]`))
	}
}

// newBackend makes a backend that is closed with the test.
func newBackend(t *testing.T, options string) *ours.Backend {
	t.Helper()
	b, err := ours.New(backend.Environment{Name: ours.Name, Logger: slog.New(slog.DiscardHandler), Options: backendtest.Section(t, options)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(limited(t)); err != nil {
			t.Error(err)
		}
	})
	return b.(*ours.Backend)
}
