// Command go is the reference program of the conformance suites in Go. It uses the runtime's packages, not the shared library.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync"
	"time"

	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/dialect/aimrt"
	"aimrtrpc/runtime/rpc"
)

// maxLineBytes is the longest command.
const maxLineBytes = 1 << 20

// command of the runner; README.md describes the fields.
type command struct {
	ID            int         `json:"id"`
	Do            string      `json:"do"`
	Config        string      `json:"config"`
	Modules       []module    `json:"modules"`
	Function      string      `json:"function"`
	Form          string      `json:"form"`
	Later         bool        `json:"later"`
	Serialization string      `json:"serialization"`
	Context       string      `json:"context"`
	Reset         bool        `json:"reset"`
	TimeoutMS     int64       `json:"timeout_ms"`
	Target        string      `json:"target"`
	Metadata      [][2]string `json:"metadata"`
	As            string      `json:"as"`
	Text          *string     `json:"text"`
	Size          int         `json:"size"`
	Count         int         `json:"count"`
	Key           string      `json:"key"`
	Force         bool        `json:"force"`
}

type module struct {
	Name    string         `json:"name"`
	Package string         `json:"package"`
	Serve   []registration `json:"serve"`
	Call    []registration `json:"call"`
}

type registration struct {
	Function       string   `json:"function"`
	Method         string   `json:"method"`
	Form           string   `json:"form"`
	Later          bool     `json:"later"`
	Serializations []string `json:"serializations"`
}

// program is the state of this program.
type program struct {
	runtime *core.Runtime
	clients map[string]*core.Client
	holds   holds
	gather  gatherer

	mu       sync.Mutex // guards what follows
	contexts map[string]*rpc.CallContext
	cancels  map[string]context.CancelFunc

	outMu sync.Mutex // one line at a time
}

func (p *program) say(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	p.outMu.Lock()
	defer p.outMu.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

func main() {
	before := guard.Live()
	p := &program{clients: map[string]*core.Client{}, contexts: map[string]*rpc.CallContext{}, cancels: map[string]context.CancelFunc{}}
	p.holds.byKey, p.gather.groups = map[string]*hold{}, map[string][]answerLater{}
	p.say(map[string]any{"id": 0, "ok": map[string]any{"language": "go", "capabilities": []string{"finish_result", "native_messages", "cancels_now", "cancels_later"}}})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, maxLineBytes)
	var working sync.WaitGroup
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			fmt.Fprintf(os.Stderr, "not a command: %v: %.200s\n", err, lines.Bytes())
			os.Exit(2)
		}
		if c.Do == "quit" {
			working.Wait()
			p.say(map[string]any{"id": c.ID, "ok": p.quit(before)})
			return
		}
		working.Add(1)
		guard.Go("command "+c.Do, func() {
			defer working.Done()
			if ok, err := p.run(&c); err != nil {
				p.say(map[string]any{"id": c.ID, "error": err.Error()})
			} else {
				p.say(map[string]any{"id": c.ID, "ok": ok})
			}
		})
	}
	fmt.Fprintln(os.Stderr, "the runner is gone")
	os.Exit(1)
}

func (p *program) run(c *command) (any, error) {
	switch c.Do {
	case "open":
		return p.open(c)
	case "call":
		return p.call(c)
	case "burst":
		return p.burst(c)
	case "cancel":
		return p.cancel(c)
	case "arrived", "unasked":
		return map[string]any{}, p.holds.wait(c.Key, c.Do == "unasked")
	case "release":
		return p.holds.release(c.Key, c.Force)
	}
	return nil, fmt.Errorf("unknown command %q", c.Do)
}

func (p *program) open(c *command) (any, error) {
	ctx := context.Background()
	p.runtime = core.New(core.Options{ConfigText: c.Config, LogFD: 2})
	if err := p.runtime.Initialize(ctx); err != nil {
		return nil, err
	}
	for _, m := range c.Modules {
		if err := p.addModule(m); err != nil {
			return nil, err
		}
	}
	if err := p.runtime.Start(ctx); err != nil {
		return nil, err
	}
	address := "" // of the one backend that listens
	for _, backend := range []string{"http", "grpc", "aiomas"} {
		address += p.runtime.Address(backend)
	}
	return map[string]any{"address": address}, nil
}

func (p *program) addModule(m module) error {
	made, err := p.runtime.NewModule(core.ModuleOptions{Name: m.Name, Package: m.Package})
	if err != nil {
		return err
	}
	for _, r := range m.Call {
		o := core.ClientOptions{Name: r.Function, Request: typesOf(r), Response: typesOf(r)}
		if p.clients[r.Function], err = made.RegisterClient(o); err != nil {
			return err
		}
	}
	for _, r := range m.Serve {
		h, err := p.handler(r)
		if err != nil {
			return err
		}
		if _, err := made.RegisterService(core.ServiceOptions{Name: r.Function, Request: typesOf(r), Response: typesOf(r), Handler: h}); err != nil {
			return err
		}
	}
	return nil
}

func typesOf(r registration) rpc.TypeSupport {
	if r.Form == "message" {
		return frames{}
	}
	return rpc.Raw(r.Serializations)
}

// settings makes or finds the context of a call; nil when the call has none.
func (p *program) settings(c *command) *rpc.CallContext {
	if c.Context == "none" {
		return nil
	}
	s := rpc.NewClientContext()
	if c.Context != "" {
		p.mu.Lock()
		if known := p.contexts[c.Context]; known != nil {
			s = known
		}
		p.contexts[c.Context] = s
		p.mu.Unlock()
	}
	if c.Reset {
		s.Reset()
	}
	if s.Used() {
		return s
	}
	s.Serialization, s.Target = c.Serialization, c.Target
	s.Timeout = time.Duration(c.TimeoutMS) * time.Millisecond
	for _, pair := range c.Metadata {
		s.Metadata.Set(pair[0], pair[1])
	}
	return s
}

// request makes the request of a call.
func (c *command) request() rpc.Payload {
	text, body := "", pattern(c.Size)
	if c.Text != nil {
		text, body = *c.Text, nil
	}
	if c.Form == "message" {
		return rpc.NativePayload(newFrame(text, body, fullNumber), frames{}, nil)
	}
	if c.Text != nil {
		body = []byte(text)
	}
	return rpc.BytesPayload(c.Serialization, body)
}

func pattern(size int) []byte {
	out := make([]byte, size)
	for i := range out {
		out[i] = byte(i*31 + 7)
	}
	return out
}

// call makes one call and tells how it ended.
func (p *program) call(c *command) (any, error) {
	client := p.clients[c.Function]
	if client == nil {
		return nil, fmt.Errorf("function %q was not registered", c.Function)
	}
	settings := p.settings(c)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p.mu.Lock()
	p.cancels[c.As] = cancel
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.cancels, c.As)
		p.mu.Unlock()
	}()
	call := client.Start(ctx, settings, c.request())
	var status rpc.Status
	if c.Later {
		ended := make(chan struct{})
		call.OnFinish(func(*rpc.Call) { close(ended) })
		<-ended
		status = call.Status()
	} else {
		status = rpc.Wait(ctx, call)
	}
	out := map[string]any{"code": uint32(status.Code()), "message": status.Message()}
	response := call.Response()
	defer response.Release()
	if status.OK() {
		told, err := tell(c, response)
		if err != nil {
			return nil, err
		}
		out["response"] = told
	}
	if settings != nil {
		out["context"] = contextOf(call)
	}
	return out, nil
}

// tell describes a response.
func tell(c *command, response rpc.Payload) (map[string]any, error) {
	if c.Form == "message" {
		message, _, ok := response.Native()
		if !ok {
			return nil, errors.New("the response is not a message")
		}
		f := readFrame(message)
		return map[string]any{"size": len(f.body), "crc": crc32.ChecksumIEEE(f.body), "text": f.text, "number": f.number}, nil
	}
	body, err := response.Bytes("")
	if err != nil {
		return nil, err
	}
	out := map[string]any{"size": len(body), "crc": crc32.ChecksumIEEE(body)}
	if c.Text != nil || c.Size == 0 {
		out["text"] = string(body)
	}
	return out, nil
}

// contextOf describes a context as AimRT shows it.
func contextOf(call *rpc.Call) map[string]any {
	metadata := map[string]string{}
	aimrt.RangeMetadata(call, func(key, value string) bool { metadata[key] = value; return true })
	return map[string]any{"used": call.Context.Used(), "timeout_ms": call.Context.Timeout.Milliseconds(), "metadata": metadata}
}

func (p *program) cancel(c *command) (any, error) {
	p.mu.Lock()
	cancel := p.cancels[c.As]
	p.mu.Unlock()
	if cancel == nil {
		return nil, fmt.Errorf("no call %q runs", c.As)
	}
	cancel()
	return map[string]any{}, nil
}

// burst makes many calls at the same time.
func (p *program) burst(c *command) (any, error) {
	outcomes, wrong := map[string]int{}, 0
	var mu sync.Mutex // guards both
	var all sync.WaitGroup
	for i := range c.Count {
		one := *c
		text := fmt.Sprintf("%s %d %d", *c.Text, c.Count, i)
		one.Text, one.As = &text, fmt.Sprintf("%s/%d", c.As, i)
		all.Add(1)
		guard.Go("call of a burst", func() {
			defer all.Done()
			ended, err := p.call(&one)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				outcomes[err.Error()]++
				return
			}
			o := ended.(map[string]any)
			outcomes[fmt.Sprint(o["code"])]++
			if told, ok := o["response"].(map[string]any); ok && told["text"] != text {
				wrong++
			}
		})
	}
	all.Wait()
	return map[string]any{"outcomes": outcomes, "wrong": wrong}, nil
}

// quit shuts the runtime down and counts what is left.
func (p *program) quit(before int64) map[string]any {
	if p.runtime != nil {
		if err := p.runtime.Shutdown(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "shutdown:", err)
			os.Exit(3)
		}
	}
	deadline := time.NewTimer(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	for guard.Live() > before {
		select {
		case <-tick.C:
			continue
		case <-deadline.C:
		}
		break
	}
	return map[string]any{"goroutines": guard.Live() - before}
}
