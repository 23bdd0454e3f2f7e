package mqtt

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"aimrtrpc/internal/testx"
	ours "aimrtrpc/runtime/backend/mqtt"
	"aimrtrpc/runtime/rpc"
	"aimrtrpc/runtime/wire/aimrtmqtt"
)

// stall is far below the pause of a broker without TCP_NODELAY, and above what
// a loaded machine needs.
const stall = 30 * time.Millisecond

func TestOursToOurs_EveryQoS_SizesMetadataStatusAndNoStall(t *testing.T) {
	m := newMosquitto(t, "")
	for qos := range 3 {
		t.Run(fmt.Sprint("QoS ", qos), func(t *testing.T) {
			m.server(t, qos, func(ctx context.Context, call *rpc.Call) {
				if code := call.Context.Metadata.Get("code"); code != "" {
					call.Finish(rpc.NewStatus(1234, "own "+call.Context.Metadata.Get("Key Two")), rpc.Payload{})
					return
				}
				echo(ctx, call)
			})
			client, method := m.client(t, qos)
			for _, size := range []int{0, 1, 300, 70_000, 1000 << 10} {
				data := bytes.Repeat([]byte{0xa5, 0, 0xff}, size/3+1)[:size]
				call := newCall(method, data)
				if status := invoke(t, client, call); !status.OK() || !bytes.Equal(response(t, call), data) {
					t.Fatalf("%d bytes: %v", size, status)
				}
			}
			call := newCall(method, nil)
			call.Context.Metadata.Set("code", "1234")
			call.Context.Metadata.Set("Key Two", "v 2/é")
			if status := invoke(t, client, call); status.Code() != 1234 || status.Message() != "own v 2/é" {
				t.Errorf("own status: %v", status)
			}
			var times []time.Duration
			for range 50 {
				began := time.Now()
				if status := invoke(t, client, newCall(method, []byte("x"))); !status.OK() {
					t.Fatal(status)
				}
				times = append(times, time.Since(began))
			}
			slices.Sort(times)
			t.Logf("median of a call %v", times[25])
			if times[25] > stall {
				t.Errorf("a call takes %v", times[25])
			}
		})
	}
}

// TestNobodyServes: Mosquitto says so at QoS 1 only; the other calls have their timeout.
func TestNobodyServes_EndsWithNotFound_OrAtItsTimeout(t *testing.T) {
	m := newMosquitto(t, "")
	for qos, c := range []struct {
		timeout time.Duration
		want    rpc.Code
	}{{300 * time.Millisecond, rpc.CodeTimeout}, {15 * time.Second, rpc.CodeSvrNotFound}, {300 * time.Millisecond, rpc.CodeTimeout}} {
		client, method := m.client(t, qos)
		call := newCall(method, nil)
		call.Context.Timeout = c.timeout
		if status := invoke(t, client, call); status.Code() != c.want {
			t.Errorf("QoS %d: %v", qos, status)
		}
		closeNow(t, client)
	}
}

func TestCancel_ReachesTheHandler(t *testing.T) {
	m := newMosquitto(t, "")
	arrived := make(chan *rpc.Call, 1)
	m.server(t, 2, func(_ context.Context, call *rpc.Call) { arrived <- call })
	client, method := m.client(t, 2)
	call := newCall(method, nil)
	client.Invoke(t.Context(), call)
	server := <-arrived
	call.Cancel()
	select {
	case <-server.Done():
	case <-time.After(patience):
		t.Fatal("the handler was not told")
	}
}

// handMade is a request as another implementation would write it.
func handMade(t *testing.T, id uint32, key, value, message string) []byte {
	t.Helper()
	payload, err := aimrtmqtt.AppendRequest(nil, &aimrtmqtt.RequestHead{Serialization: "pb", ReplyTopic: "aimrt_rpc_rsp/hand/" + level, ID: id},
		func(yield func(k, v string) bool) { yield(key, value) })
	if err != nil {
		t.Fatal(err)
	}
	return append(payload, message...)
}

// TestMosquittosClient_CallsOurServer sends with -m, which takes no byte 0: the request has none because its texts are long. (Mosquitto
// 2.0.11 sends nothing of a file or of its input.)
func TestMosquittosClient_CallsOurServer(t *testing.T) {
	m := newMosquitto(t, "")
	m.server(t, 2, echo)
	long := strings.Repeat("k", 0x101)
	request := handMade(t, 0x01020304, long, long, "\x0a\x02hi")
	for _, version := range []string{"mqttv311", "mqttv5"} {
		for qos := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			out, err := exec.CommandContext(ctx, program(t, "mosquitto_rr"), "-h", "127.0.0.1", "-p", m.port, "-V", version, "-q", fmt.Sprint(qos),
				"-t", "aimrt_rpc_req/"+level, "-e", "aimrt_rpc_rsp/hand/"+level, "-m", string(request), "-N", "-W", "5").Output()
			cancel()
			if got := hex.EncodeToString(out); err != nil || got != "027062"+"04030201"+"00000000"+"0a026869" {
				t.Errorf("%s QoS %d: %s, %v", version, qos, got, err)
			}
		}
	}
}

// pahoClient is an MQTT 3.1.1 client of others, as AimRT's is.
func pahoClient(t *testing.T, m *mosquitto, id string) paho.Client {
	t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + m.address).SetClientID(id).SetProtocolVersion(4).SetCleanSession(true))
	wait(t, c.Connect())
	t.Cleanup(func() { c.Disconnect(100) })
	return c
}

func wait(t *testing.T, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("paho: %v", token.Error())
	}
}

func TestPahoServer_MQTT3_AnswersOurClient(t *testing.T) {
	m := newMosquitto(t, "")
	c := pahoClient(t, m, "hand_server")
	serve := func(_ paho.Client, message paho.Message) {
		q, err := aimrtmqtt.ReadRequest(message.Payload())
		if err != nil {
			t.Error(err)
			return
		}
		code := uint32(0)
		if string(q.Message) == "fail" {
			code = 1002
		}
		reply, err := aimrtmqtt.AppendResponse(nil, q.Serialization, q.ID, code)
		if err != nil {
			t.Error(err)
		}
		if code == 0 {
			reply = append(reply, "private="+fmt.Sprint(strings.Contains(message.Topic(), "hand_server"))+" "+string(q.Message)+fmt.Sprint(len(q.Metadata))...)
		}
		c.Publish(q.ReplyTopic, 2, false, reply)
	}
	wait(t, c.Subscribe("$share/aimrt/aimrt_rpc_req/"+level, 2, serve))
	wait(t, c.Subscribe("aimrt_rpc_req/hand_server/"+level, 2, serve))
	for qos := range 3 {
		client, method := m.client(t, qos)
		call := newCall(method, []byte("hi"))
		if status := invoke(t, client, call); !status.OK() || string(response(t, call)) != "private=false hi4" {
			t.Errorf("QoS %d: %v %q", qos, status, response(t, call))
		}
		call = newCall(method, []byte("hi"))
		call.Context.Target = "mqtt://hand_server"
		if status := invoke(t, client, call); !status.OK() || string(response(t, call)) != "private=true hi4" {
			t.Errorf("QoS %d, to one server: %v %q", qos, status, response(t, call))
		}
		if status := invoke(t, client, newCall(method, []byte("fail"))); status.Code() != rpc.CodeSvrNotImplemented {
			t.Errorf("QoS %d, failure: %v", qos, status)
		}
		closeNow(t, client)
	}
}

func closeNow(t *testing.T, b *ours.Backend) {
	t.Helper()
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestPahoClient_MQTT3_CallsOurServer(t *testing.T) {
	m := newMosquitto(t, "")
	m.server(t, 1, echo)
	c := pahoClient(t, m, "hand")
	got := make(chan []byte, 10)
	wait(t, c.Subscribe("aimrt_rpc_rsp/hand/"+level, 2, func(_ paho.Client, message paho.Message) { got <- message.Payload() }))
	for i, topic := range []string{"aimrt_rpc_req/" + level, "aimrt_rpc_req/server/" + level} {
		wait(t, c.Publish(topic, 2, false, handMade(t, uint32(i), "aimrt-from_mqtt_client", "hand", "hi")))
		select {
		case payload := <-got:
			r, err := aimrtmqtt.ReadResponse(payload)
			if err != nil || r.ID != uint32(i) || r.Code != 0 || string(r.Message) != "hi" {
				t.Errorf("%+v, %v", r, err)
			}
		case <-time.After(patience):
			t.Fatal("no reply")
		}
	}
}

func TestCredentials_RightOnesOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwords")
	if out, err := exec.Command(program(t, "mosquitto_passwd"), "-b", "-c", file, "robot", "secret").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	m := newMosquitto(t, "allow_anonymous false\npassword_file "+file+"\n")
	for password, want := range map[string]int64{"secret": 1, "wrong": 0} {
		b := newBackend(t, "", strings.Replace(m.plugin("c"+password), "{", "{username: robot, password: "+password+", ", 1), func(*ours.Backend) error { return nil })
		if got := b.Counts()["connected"]; got != want {
			t.Errorf("password %q: connected %d", password, got)
		}
	}
}

// TestBroker_KilledUnderCalls kills Mosquitto under calls and starts it again.
func TestBroker_KilledUnderCalls_RecoversWithinSeconds_NothingTwice(t *testing.T) {
	m := newMosquitto(t, "")
	var seen sync.Map
	var twice atomic.Int64
	m.server(t, 2, func(ctx context.Context, call *rpc.Call) {
		data, _ := call.Request.Bytes("")
		if _, again := seen.LoadOrStore(string(data), true); again {
			twice.Add(1)
		}
		echo(ctx, call)
	})
	client, method := m.client(t, 2)
	var stop atomic.Bool
	var callers sync.WaitGroup
	var good, bad, ends, calls atomic.Int64
	for caller := range 16 {
		callers.Go(func() {
			for i := 0; !stop.Load(); i++ {
				call := newCall(method, fmt.Appendf(nil, "%d/%d", caller, i))
				call.Context.Timeout = time.Second
				call.OnFinish(func(*rpc.Call) { ends.Add(1) })
				calls.Add(1)
				if invoke(t, client, call).OK() {
					good.Add(1)
				} else {
					bad.Add(1)
				}
			}
		})
	}
	testx.Eventually(t, "calls", func() bool { return good.Load() > 200 })
	for range 2 {
		m.kill()
		killed := time.Now()
		testx.Eventually(t, "the loss", func() bool { return client.Counts()["connected"] == 0 })
		m.start()
		before, back := good.Load(), time.Now()
		testx.Eventually(t, "recovery", func() bool { return good.Load() > before+200 })
		t.Logf("killed, away for %v, 200 calls done %v after it was back", back.Sub(killed).Round(time.Millisecond), time.Since(back).Round(time.Millisecond))
	}
	stop.Store(true)
	callers.Wait()
	t.Logf("%d calls, %d failed", calls.Load(), bad.Load())
	if ends.Load() != calls.Load() || twice.Load() > 0 || client.Counts()["client_calls"] != 0 {
		t.Errorf("%d calls ended %d times, %d served twice, %d left", calls.Load(), ends.Load(), twice.Load(), client.Counts()["client_calls"])
	}
	for range 50 {
		if status := invoke(t, client, newCall(method, fmt.Appendf(nil, "after %d", ends.Add(1)))); !status.OK() {
			t.Errorf("after the fault: %v", status)
		}
	}
}
