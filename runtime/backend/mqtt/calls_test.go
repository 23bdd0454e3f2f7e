package mqtt

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"aimrtrpc/internal/guard"
	"aimrtrpc/internal/testx"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/transport/mqttx"
	"aimrtrpc/runtime/wire/aimrtmqtt"
)

// peer is a hand-made one: a session that speaks the payloads itself.
type peer struct {
	*mqttx.Session
	t   testing.TB
	got chan *mqttx.Message
}

func newPeer(t testing.TB, address, id string, filters ...string) *peer {
	t.Helper()
	p := &peer{t: t, got: make(chan *mqttx.Message, 100)}
	s, err := mqttx.New(mqttx.Config{Dial: mqttx.DialBroker(address, nil), Broker: address, ClientID: id, Receive: func(m *mqttx.Message) { p.got <- m }})
	if err != nil {
		t.Fatal(err)
	}
	p.Session = s
	for _, f := range filters {
		s.Subscribe(&mqttx.Subscription{Filter: f, QoS: 2})
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.Close(ctx)
	})
	return p
}

func (p *peer) next() *mqttx.Message {
	p.t.Helper()
	select {
	case m := <-p.got:
		return m
	case <-time.After(patience):
		p.t.Fatal("no message arrived")
		return nil
	}
}

func (p *peer) send(topic string, payload []byte) {
	p.t.Helper()
	if err := p.Publish(&mqttx.Publication{Topic: topic, Payload: payload, QoS: 1}); err != nil {
		p.t.Fatal(err)
	}
}

const (
	requestTopic = "aimrt_rpc_req/%2Faimrt.protocols.example.ExampleService%2FGetFooData"
	replyTopic   = "aimrt_rpc_rsp/hand/%2Faimrt.protocols.example.ExampleService%2FGetFooData"
)

func request(reply string, id uint32, message string, meta ...string) []byte {
	payload, err := aimrtmqtt.AppendRequest(nil, &aimrtmqtt.RequestHead{Serialization: "pb", ReplyTopic: reply, ID: id}, func(yield func(k, v string) bool) {
		for i := 0; i < len(meta); i += 2 {
			yield(meta[i], meta[i+1])
		}
	})
	if err != nil {
		panic(err)
	}
	return append(payload, message...)
}

func load(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("../../../tests/vectors/aimrtmqtt/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestInvoke_GoldenRequests_AreSentByteForByte(t *testing.T) {
	testx.NoLeaks(t)
	var vectors []struct {
		Name, Function, Client, Server, Topic, Serialization string
		ID                                                   uint32
		Meta                                                 [][2]string
		MessageHex                                           string `yaml:"message_hex"`
		PayloadHex                                           string `yaml:"payload_hex"`
	}
	load(t, "requests.yaml", &vectors)
	address := broker(t, "127.0.0.1:0").Addr()
	for i, v := range vectors {
		p := newPeer(t, address, fmt.Sprint("server", i), v.Topic)
		b, _ := newBackend(t, "{reply_topics: plain, clients_options: [{func_name: '(.*)', qos: 1, server_mqtt_id: '"+v.Server+"'}]}", plugin(address, "'"+v.Client+"'"))
		m := newMethod(t, v.Function)
		if err := b.RegisterClient(m); err != nil {
			t.Fatal(err)
		}
		start(t, b)
		call := newCall(m, "")
		call.Request, call.Context.Serialization = rpc.BytesPayload(v.Serialization, unhex(t, v.MessageHex)), v.Serialization
		whole := false
		for _, pair := range v.Meta {
			if whole = whole || pair[0] == keyFromClient; !strings.HasPrefix(pair[0], "aimrt-") {
				call.Context.Metadata.Add(pair[0], pair[1])
			}
		}
		b.lastID = v.ID - 1
		b.Invoke(context.Background(), call)
		got := p.next()
		q, err := aimrtmqtt.ReadRequest(got.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if whole { // AimRT's order is not fixed
			if !bytes.Equal(got.Payload, unhex(t, v.PayloadHex)) {
				t.Errorf("%s:\nsent %x\nwant %x", v.Name, got.Payload, unhex(t, v.PayloadHex))
			}
		} else {
			framework := func(p aimrtmqtt.Pair) bool { return strings.HasPrefix(p.Key, "aimrt-") }
			q.Metadata = slices.DeleteFunc(q.Metadata, framework)
			want, err := aimrtmqtt.ReadRequest(unhex(t, v.PayloadHex))
			if err != nil || fmt.Sprint(q) != fmt.Sprint(want) {
				t.Errorf("%s:\nsent %v\nwant %v", v.Name, q, want)
			}
		}
		p.send(q.ReplyTopic, append([]byte{2, 'p', 'b', byte(v.ID), byte(v.ID >> 8), byte(v.ID >> 16), byte(v.ID >> 24), 0, 0, 0, 0}, "done"...))
		if status := ended(t, call); !status.OK() || response(t, call) != "done" {
			t.Errorf("%s: %v", v.Name, status)
		}
	}
}

func TestServe_HandMadeRequests_GetAimRTsAnswers(t *testing.T) {
	testx.NoLeaks(t)
	address := broker(t, "127.0.0.1:0").Addr()
	_, server, _ := pair(t, address, "", "{limits: {max_metadata: 4}}", func(_ context.Context, call *rpc.Call) {
		data, _ := call.Request.Bytes("")
		switch string(data) {
		case "77":
			call.Finish(rpc.NewStatus(77, "own"), rpc.Payload{})
		case "exhausted":
			call.Finish(rpc.StatusOfCode(rpc.CodeResourceExhausted), rpc.Payload{})
		case "large":
			call.Finish(rpc.OK, rpc.BytesPayload("pb", make([]byte, 2<<20)))
		case "timeout":
			call.Finish(rpc.OK, rpc.BytesPayload("pb", []byte(call.Context.Timeout.String())))
		default:
			call.Finish(rpc.OK, rpc.BytesPayload("pb", append([]byte("echo "), data...)))
		}
	})
	p := newPeer(t, address, "hand", "aimrt_rpc_rsp/hand/+")
	private := "aimrt_rpc_req/server/%2Faimrt.protocols.example.ExampleService%2FGetFooData"
	pairs := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprint("k", i), "v")
		}
		return list
	}
	for _, c := range []struct {
		name, topic string
		payload     []byte
		want        string
		code        byte
	}{
		{"shared", requestTopic, request(replyTopic, 1, "hi"), "02706201000000" + "00000000" + hex.EncodeToString([]byte("echo hi")), 0},
		{"private", private, request(replyTopic, 2, "hi"), "02706202000000" + "00000000" + hex.EncodeToString([]byte("echo hi")), 0},
		{"own code", requestTopic, request(replyTopic, 5, "77"), "02706205000000" + "4d000000", 0},
		{"our code becomes AimRT's", requestTopic, request(replyTopic, 6, "exhausted"), "02706206000000" + "f1030000", 0},
		{"too large", requestTopic, request(replyTopic, 7, "large"), "02706207000000" + "e8030000", 0},
		{"metadata", requestTopic, request(replyTopic, 8, "hi", pairs(13)...), "02706208000000" + "f1030000", 0},
		{"no timeout travels", requestTopic, request(replyTopic, 9, "timeout"), "02706209000000" + "00000000" + hex.EncodeToString([]byte("0s")), 0},
	} {
		p.send(c.topic, c.payload)
		if got := hex.EncodeToString(p.next().Payload); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	before := server.dropped.Load()
	for name, payload := range map[string][]byte{
		"truncated": request(replyTopic, 9, "")[:20], "empty": {}, "to itself": request(requestTopic, 9, "hi"),
		"wildcard": request("aimrt_rpc_rsp/#", 9, "hi"), "system": request("$SYS/x", 9, "hi"), "no topic": request("", 9, "hi"),
	} {
		p.send(requestTopic, payload)
		before++
		testx.Eventually(t, name+" to be dropped", func() bool { return server.dropped.Load() == before })
	}
	p.send(requestTopic, request(replyTopic, 10, "still there"))
	if got := p.next(); !strings.HasSuffix(string(got.Payload), "still there") {
		t.Errorf("%q", got.Payload)
	}
	if n := len(p.got); n > 0 {
		t.Errorf("%d further replies", n)
	}
}

func TestServe_SameRequestTwice_IsServedOnce(t *testing.T) {
	testx.NoLeaks(t)
	address := broker(t, "127.0.0.1:0").Addr()
	arrived := make(chan *rpc.Call, 10)
	_, server, _ := pair(t, address, "", "", func(_ context.Context, call *rpc.Call) { arrived <- call })
	p := newPeer(t, address, "hand", replyTopic)
	p.send(requestTopic, request(replyTopic, 1, "x"))
	call := <-arrived
	p.send(requestTopic, request(replyTopic, 1, "x"))
	testx.Eventually(t, "the second to be dropped", func() bool { return server.dropped.Load() == 1 })
	call.Finish(rpc.OK, rpc.Payload{})
	p.next()
	if len(arrived) > 0 || len(p.got) > 0 {
		t.Error("the request was served or answered twice")
	}
}

func TestReply_ForgedOrLate_EndsNoCall(t *testing.T) {
	testx.NoLeaks(t)
	address := broker(t, "127.0.0.1:0").Addr()
	arrived := make(chan *rpc.Call, 10)
	client, _, m := pair(t, address, "", "", func(_ context.Context, call *rpc.Call) { arrived <- call })
	plain, err := aimrtmqtt.ReplyTopic("client", "", function)
	if err != nil {
		t.Fatal(err)
	}
	value, _ := client.methods.Load(m)
	topic := value.(*clientMethod).reply
	if topic == plain || len(topic) < len(plain)+20 {
		t.Fatalf("the reply topic %q can be guessed", topic)
	}
	call := newCall(m, "x")
	begin(client, call)
	server := <-arrived
	p := newPeer(t, address, "forger")
	forged := append([]byte{2, 'p', 'b', 0, 0, 0, 0, 0, 0, 0, 0}, "forged"...)
	p.send(plain, forged)
	wrongID := bytes.Clone(forged)
	wrongID[3] = 9
	p.send(topic, wrongID)
	p.send(topic, []byte{200})
	testx.Eventually(t, "the malformed reply", func() bool { return client.dropped.Load() >= 1 })
	server.Finish(rpc.OK, rpc.BytesPayload("pb", []byte("true")))
	if status := ended(t, call); !status.OK() || response(t, call) != "true" {
		t.Errorf("%v %q", status, response(t, call))
	}
}

func TestInvoke_Refused_SaysWhy(t *testing.T) {
	testx.NoLeaks(t)
	address := broker(t, "127.0.0.1:0").Addr()
	client, _, m := pair(t, address, "{limits: {max_metadata: 100, max_pending_calls: 2}}", "", func(_ context.Context, call *rpc.Call) {
		if data, _ := call.Request.Bytes(""); string(data) != "stay" {
			echo(t.Context(), call)
		}
	})
	big := newCall(m, strings.Repeat("x", 1<<20))
	many := newCall(m, "")
	for i := range 101 {
		many.Context.Metadata.Add(fmt.Sprint(i), "")
	}
	unknown := newCall(m, "x")
	unknown.Context.Target = "mqtt://nobody"
	unknown.Context.Timeout = 200 * time.Millisecond
	blank := newCall(m, "x")
	blank.Context.Target = "mqtt://no\tbody"
	other := newCall(m, "x")
	other.Request, other.Context.Serialization = rpc.BytesPayload("json", []byte("{}")), "pb"
	for name, c := range map[string]struct {
		call *rpc.Call
		code rpc.Code
		text string
	}{
		"large":         {big, rpc.CodeCliSendReqFailed, "max_pkg_size_k is 1024 KiB"},
		"metadata":      {many, rpc.CodeCliBackendInternalError, "max_metadata is 100"},
		"nobody":        {unknown, rpc.CodeTimeout, "200ms"},
		"address":       {blank, rpc.CodeCliInvalidAddr, "white space"},
		"serialization": {other, rpc.CodeCliSerializationFailed, "json"},
	} {
		if status := invoke(t, client, c.call); status.Code() != c.code || !strings.Contains(status.Message(), c.text) {
			t.Errorf("%s: %v", name, status)
		}
	}
	for range 2 {
		call := newCall(m, "stay")
		begin(client, call)
		defer call.Cancel()
	}
	if status := invoke(t, client, newCall(m, "x")); status.Code() != rpc.CodeResourceExhausted || !strings.Contains(status.Message(), "max_pending_calls") {
		t.Errorf("third call: %v", status)
	}
}

func TestTwoServers_ShareTheRequests_AndHaveTopicsOfTheirOwn(t *testing.T) {
	testx.NoLeaks(t)
	address := broker(t, "127.0.0.1:0").Addr()
	m := newMethod(t, function)
	var served [3]atomic.Int64
	for i, options := range []string{"", "", "{servers_options: [{func_name: '(.*)', allow_share: false}]}"} {
		s, _ := newBackend(t, options, plugin(address, fmt.Sprint("server", i)))
		if err := s.RegisterService(m, rpc.Next(func(ctx context.Context, call *rpc.Call) { served[i].Add(1); echo(ctx, call) })); err != nil {
			t.Fatal(err)
		}
		start(t, s)
	}
	for qos := range 3 {
		client, _ := newBackend(t, fmt.Sprintf("{clients_options: [{func_name: '(.*)', qos: %d}]}", qos), plugin(address, fmt.Sprint("client", qos)))
		if err := client.RegisterClient(m); err != nil {
			t.Fatal(err)
		}
		start(t, client)
		for range 40 {
			if status := invoke(t, client, newCall(m, "x")); !status.OK() {
				t.Fatalf("QoS %d: %v", qos, status)
			}
		}
		call := newCall(m, "x")
		call.Context.Target = "mqtt://server2"
		if status := invoke(t, client, call); !status.OK() {
			t.Errorf("QoS %d, one server: %v", qos, status)
		}
	}
	if a, b, c := served[0].Load(), served[1].Load(), served[2].Load(); a+b != 120 || a == 0 || b == 0 || c != 3 {
		t.Errorf("the servers got %d, %d and %d calls", a, b, c)
	}
}

func TestStop_LeavesRequestsToOtherServers_AndServesTheOpenOnes(t *testing.T) {
	testx.NoLeaks(t)
	address := broker(t, "127.0.0.1:0").Addr()
	arrived := make(chan *rpc.Call, 1)
	client, stopping, m := pair(t, address, "", "", func(_ context.Context, call *rpc.Call) { arrived <- call })
	open := newCall(m, "open")
	begin(client, open)
	served := <-arrived
	other, _ := newBackend(t, "", plugin(address, "other"))
	if err := other.RegisterService(m, rpc.Next(echo)); err != nil {
		t.Fatal(err)
	}
	start(t, other)
	stopping.Stop()
	row := 0
	testx.Eventually(t, "all requests to go elsewhere", func() bool {
		if row++; !invoke(t, client, newCall(m, "x")).OK() {
			row = 0
		}
		return row >= 30
	})
	served.Finish(rpc.OK, rpc.BytesPayload("pb", []byte("late")))
	if status := ended(t, open); !status.OK() || response(t, open) != "late" {
		t.Errorf("the open call: %v", status)
	}
}

// TestBroker_KilledUnderCalls_EveryCallEndsOnce_AndItRecovers has callers that go on while the broker is killed and started again.
func TestBroker_KilledUnderCalls_EveryCallEndsOnce_AndItRecovers(t *testing.T) {
	for qos := range 3 {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			testx.NoLeaks(t)
			first := broker(t, "127.0.0.1:0")
			address := first.Addr()
			var seen sync.Map
			var twice atomic.Int64
			options := fmt.Sprintf("_options: [{func_name: '(.*)', qos: %d}]}", qos)
			client, server, m := pair(t, address, "{clients"+options, "{servers"+options, func(ctx context.Context, call *rpc.Call) {
				data, _ := call.Request.Bytes("")
				if _, again := seen.LoadOrStore(string(data), true); again {
					twice.Add(1)
				}
				echo(ctx, call)
			})
			var stop atomic.Bool
			var callers sync.WaitGroup
			var good, bad, ends, calls atomic.Int64
			for caller := range 8 {
				callers.Add(1)
				guard.Go("test caller", func() {
					defer callers.Done()
					for i := 0; !stop.Load(); i++ {
						text := fmt.Sprintf("%d/%d", caller, i)
						call := newCall(m, text)
						call.Context.Timeout = 500 * time.Millisecond
						call.OnFinish(func(*rpc.Call) { ends.Add(1) })
						calls.Add(1)
						switch status := invoke(t, client, call); {
						case !status.OK():
							bad.Add(1)
						case response(t, call) != "echo "+text:
							t.Errorf("call %s got %q", text, response(t, call))
						default:
							good.Add(1)
						}
					}
				})
			}
			testx.Eventually(t, "calls", func() bool { return good.Load() > 50 })
			first.Close()
			testx.Eventually(t, "the loss", func() bool { return !client.session.State().Up && !server.session.State().Up })
			lost := time.Now()
			broker(t, address)
			before := good.Load()
			testx.Eventually(t, "recovery", func() bool { return good.Load() > before+50 })
			t.Logf("recovered within %v; %d calls failed of %d", time.Since(lost).Round(time.Millisecond), bad.Load(), calls.Load())
			stop.Store(true)
			callers.Wait()
			for range 20 {
				if status := invoke(t, client, newCall(m, fmt.Sprint("after", ends.Add(1)))); !status.OK() {
					t.Errorf("after the fault: %v", status)
				}
			}
			if n := ends.Load() - 20; n != calls.Load() || twice.Load() > 0 {
				t.Errorf("%d calls ended %d times, %d were served twice", calls.Load(), n, twice.Load())
			}
			if pending := client.Counts()["client_calls"]; pending != 0 {
				t.Errorf("%d calls are still pending", pending)
			}
		})
	}
}

func TestBroker_Missing_CallsWaitWithinBounds(t *testing.T) {
	testx.NoLeaks(t)
	address := freeAddress(t)
	client, log := newBackend(t, "{limits: {max_queued_messages: 2}}", plugin(address, "client"))
	m := newMethod(t, function)
	if err := client.RegisterClient(m); err != nil {
		t.Fatal(err)
	}
	start(t, client)
	waiting := []*rpc.Call{newCall(m, "1"), newCall(m, "2")}
	for _, call := range waiting {
		call.Context.Timeout = 20 * time.Second
		begin(client, call)
	}
	full := newCall(m, "3")
	if status := client.Accept(full); status.Code() != rpc.CodeResourceExhausted {
		t.Errorf("accept: %v", status)
	}
	if status := invoke(t, client, full); status.Code() != rpc.CodeResourceExhausted || !strings.Contains(status.Message(), "max_queued_messages is 2") ||
		!strings.Contains(status.Message(), "connection refused") {
		t.Errorf("third call: %v", status)
	}
	waiting[1].Cancel()
	short := newCall(m, "4")
	short.Context.Timeout = 50 * time.Millisecond
	if status := invoke(t, client, short); status.Code() != rpc.CodeTimeout || !strings.Contains(status.Message(), "was not connected") {
		t.Errorf("short call: %v", status)
	}
	var got atomic.Int64
	broker(t, address)
	server, _ := newBackend(t, "", plugin(address, "server"))
	if err := server.RegisterService(m, rpc.Next(func(ctx context.Context, call *rpc.Call) { got.Add(1); echo(ctx, call) })); err != nil {
		t.Fatal(err)
	}
	start(t, server)
	if status := ended(t, waiting[0]); !status.OK() || response(t, waiting[0]) != "echo 1" {
		t.Errorf("the call that waited: %v", status)
	}
	if invoke(t, client, newCall(m, "5")); got.Load() != 2 {
		t.Errorf("%d requests arrived; those that nobody waited for were to stay here", got.Load())
	}
	if !strings.Contains(log.String(), "not connected") {
		t.Errorf("log %s", log.String())
	}
}

func TestBroker_Lost_CallWithoutTimeoutEnds(t *testing.T) {
	testx.NoLeaks(t)
	b := broker(t, "127.0.0.1:0")
	arrived := make(chan *rpc.Call, 1)
	client, _, m := pair(t, b.Addr(), "", "", func(_ context.Context, call *rpc.Call) { arrived <- call })
	call := newCall(m, "x")
	call.Context.Timeout = -1
	begin(client, call)
	defer (<-arrived).Cancel()
	b.Close()
	if status := ended(t, call); status.Code() != rpc.CodeConnectionLost {
		t.Errorf("%v", status)
	}
}
