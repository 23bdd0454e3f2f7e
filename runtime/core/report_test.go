package core_test

import (
	"encoding/json"
	"strings"
	"testing"

	"aimrtrpc/runtime/core"
	"aimrtrpc/runtime/rpc"
)

func reported(t *testing.T) *fixture {
	f := newFixture(t, localConfig+`
  executor: {executors: [{name: work, type: asio_thread}]}
  module: {modules: [{name: Ghost}]}
`, nil)
	f.initialize()
	f.serve(f.module("Server", "a"), do, upper)
	f.serve(f.module("Other", "a"), do, upper)
	f.client(f.module("Client", "b"), do)
	return f
}

func TestReport_SectionsInOrder(t *testing.T) {
	f := reported(t)
	text, err := f.Report()
	check(t, err)
	at := 0
	for i, title := range []string{"Base Info", "AimRT Core Option", "Plugin List", "Executor Type List", "Executor List", "Log Backend List",
		"Rpc Backend List", "Rpc Client Filter List", "Rpc Server Filter List", "Rpc Client Info", "Rpc Server Info", "Channel Backend List",
		"Channel Pub Filter List", "Channel Sub Filter List", "Channel Pub Topic Info", "Channel Sub Topic Info", "Module Info List",
		"Unused Module Options Warning"} {
		want := "[" + string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10)) + "]. " + title
		want = strings.Replace(want, "[0", "[", 1)
		next := strings.Index(text[at:], want)
		if next < 0 {
			t.Fatalf("%q is missing or out of order in\n%s", want, text)
		}
		at += next
	}
	for _, part := range []string{"Initialization Report Begin", "Initialization Report End", "| Server | local",
		"| Other  |", "| work | asio_thread | Y           | Y ", "[ debug_log ]", "Ghost", "0.0.0.0"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
	f.start()
	if f.log.containing("Gen initialization report:\n") != 1 {
		t.Error("start did not log the report")
	}
}

func TestDescribeMethod_AndList(t *testing.T) {
	f := reported(t)
	f.start()
	var list []map[string]any
	text, err := f.ListMethods()
	check(t, err)
	check(t, json.Unmarshal(text, &list))
	if len(list) != 3 || list[0]["side"] != "server" || list[2]["module"] != "Client" || list[2]["package"] != "b" {
		t.Fatalf("list is %s", text)
	}
	text, err = f.DescribeMethod(do)
	check(t, err)
	for _, part := range []string{`"shape":"unary"`, `"rule":"(.*)"`, `"kind":"engine"`, `"backends":["local"]`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is not in %s", part, text)
		}
	}
	_, err = f.DescribeMethod("pb:/test.Service/Dp")
	if core.KindOf(err) != core.NotFound || detail(err, "nearest") != do {
		t.Errorf("unknown method gives %v", err)
	}
}

// sink notes plans and states, and calls nothing.
type sink struct {
	journal
	open int64
}

func (s *sink) Publish(c *core.Client, p core.Plan) {
	line := c.Method().Name() + " " + p.Kind.String()
	if p.Service != nil {
		line += " " + p.Service.Method().Owner().Module
	}
	if p.Code != 0 {
		line += " " + p.Code.String()
	}
	s.add(line)
}
func (s *sink) StateChanged(state core.State) { s.add(state.String()) }
func (s *sink) OpenCalls() int64              { s.open--; return s.open }
func (s *sink) CancelCalls()                  { s.add("cancel") }
func (s *sink) Closed()                       { s.add("closed") }

func TestSink_LearnsPlansAndStates(t *testing.T) {
	s := &sink{open: 3}
	f := newFixture(t, localConfig, func(o *core.Options) { o.Sink = s })
	f.initialize()
	types := rpc.Raw{"pb"}
	server := f.module("Server", "a")
	for _, name := range []string{"foreign", "go"} {
		o := core.ServiceOptions{Name: name, Handler: upper, Request: types, Response: types}
		if name == "foreign" {
			o.Foreign = s
		}
		_, err := server.RegisterService(o)
		check(t, err)
	}
	same, other := f.module("Same", "a"), f.module("Far", "b")
	f.client(same, "foreign")
	f.client(other, "foreign")
	f.client(other, "go")
	f.client(other, "nobody")
	f.start()
	f.stop()
	refused := "CLI_NOT_READY"
	want := []string{"Init",
		"foreign refuse " + refused, "foreign refuse " + refused, "go refuse " + refused, "nobody refuse " + refused,
		"Start", "foreign direct Server", "foreign local Server", "go engine", "nobody refuse SVR_NOT_FOUND",
		"ShuttingDown", "foreign refuse " + refused, "foreign refuse " + refused, "go refuse " + refused, "nobody refuse " + refused,
		"cancel", "closed", "Shutdown"}
	if got := strings.Join(s.lines, "\n"); got != strings.Join(want, "\n") {
		t.Fatalf("the sink saw\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if s.open > 0 {
		t.Fatal("the shutdown did not wait for the sink's calls")
	}
}
