package conformance

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// outcome is how a call ended, as a program tells it.
type outcome struct {
	Code     int    `json:"code"`
	Message  string `json:"message"`
	Response struct {
		Size   int    `json:"size"`
		CRC    uint32 `json:"crc"`
		Text   string `json:"text"`
		Number string `json:"number"` // of a message
	} `json:"response"`
	Context *seenContext `json:"context"`
	// Of a burst.
	Outcomes map[string]int `json:"outcomes"`
	Wrong    int            `json:"wrong"` // answers that belong to another call
}

type seenContext struct {
	Used      bool              `json:"used"`
	TimeoutMS int64             `json:"timeout_ms"`
	Metadata  map[string]string `json:"metadata"`
}

// mismatch is a failed expectation.
type mismatch struct{ what, expected, got string }

func (m *mismatch) Error() string {
	return fmt.Sprintf("%s: expected %s, got %s", m.what, m.expected, m.got)
}

func differ(what string, expected, got any) error {
	return &mismatch{what, clip(fmt.Sprintf("%v", expected)), clip(fmt.Sprintf("%v", got))}
}

// maxShown limits a value in a line of the report.
const maxShown = 400

func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return s[:maxShown] + fmt.Sprintf("... (%d bytes)", len(s))
}

// fullNumber is what programs put into the number of every message: more than a double can hold.
const fullNumber = "18446744073709551615"

// pattern is the request of a given size.
func pattern(size int) []byte {
	out := make([]byte, size)
	for i := range out {
		out[i] = byte(i*31 + 7)
	}
	return out
}

// check compares an outcome with what a step expects. fill replaces ${...} in texts.
func (e *Expect) check(o *outcome, c Combination, call *Call, fill func(string) string) error {
	if want := e.Code.Of(c.Backend.Name); o.Code != want {
		return differ("code", want, fmt.Sprintf("%d %q", o.Code, o.Message))
	}
	if e.Message != nil && o.Message != fill(*e.Message) {
		return differ("message", strconv.Quote(fill(*e.Message)), strconv.Quote(o.Message))
	}
	for _, part := range e.MessageContains {
		if !strings.Contains(o.Message, fill(part)) {
			return differ("message", "one with "+strconv.Quote(fill(part)), strconv.Quote(o.Message))
		}
	}
	if e.Response != "" {
		if err := e.checkResponse(o, c, call, fill); err != nil {
			return err
		}
	}
	if e.Seen != nil {
		var s seenContext
		if err := json.Unmarshal([]byte(o.Response.Text), &s); err != nil {
			return differ("response", "the handler's context as JSON", strconv.Quote(o.Response.Text))
		}
		if err := e.Seen.check("handler's", &s, fill); err != nil {
			return err
		}
	}
	if e.Context != nil {
		if o.Context == nil {
			return differ("client's context", "one", "none")
		}
		return e.Context.check("client's", o.Context, fill)
	}
	return nil
}

func (e *Expect) checkResponse(o *outcome, c Combination, call *Call, fill func(string) string) error {
	text, body := "", []byte(nil)
	switch {
	case e.Response != "echo":
		text = fill(e.Response)
	case call.Text != nil:
		text = fill(*call.Text)
	default:
		body = pattern(call.Size)
	}
	if c.Serialization.Form == "raw" && body == nil {
		body = []byte(text)
	}
	r := &o.Response
	switch {
	case r.Size != len(body) || r.CRC != crc32.ChecksumIEEE(body):
		return differ("response", fmt.Sprintf("%d bytes with CRC %08x", len(body), crc32.ChecksumIEEE(body)),
			fmt.Sprintf("%d bytes with CRC %08x %.80q", r.Size, r.CRC, r.Text))
	case r.Text != text && (call.Text != nil || c.Serialization.Form == "message"):
		return differ("response", strconv.Quote(text), strconv.Quote(r.Text))
	case c.Serialization.Form == "message" && r.Number != fullNumber:
		return differ("number of the response", fullNumber, strconv.Quote(r.Number))
	}
	return nil
}

func (s *Seen) check(whose string, got *seenContext, fill func(string) string) error {
	for key, value := range s.Metadata {
		what := whose + " metadata " + strconv.Quote(key)
		have, ok := got.Metadata[key]
		if !ok {
			return differ(what, strconv.Quote(fill(value)), fmt.Sprintf("none among %q", got.Metadata))
		}
		if have != fill(value) {
			return differ(what, strconv.Quote(fill(value)), strconv.Quote(have))
		}
	}
	for _, key := range s.Absent {
		if have, ok := got.Metadata[key]; ok {
			return differ(whose+" metadata "+strconv.Quote(key), "none", strconv.Quote(have))
		}
	}
	if s.TimeoutMS != nil && got.TimeoutMS != *s.TimeoutMS {
		return differ(whose+" timeout", fmt.Sprintf("%d ms", *s.TimeoutMS), fmt.Sprintf("%d ms", got.TimeoutMS))
	}
	if s.Used != nil && got.Used != *s.Used {
		return differ(whose+" context used", *s.Used, got.Used)
	}
	return nil
}

// checkBurst compares the outcomes of many calls.
func (e *Expect) checkBurst(o *outcome) error {
	want, _ := json.Marshal(e.Outcomes) // keys come sorted
	have, _ := json.Marshal(o.Outcomes)
	if string(want) != string(have) {
		return differ("codes of all calls", string(want), string(have))
	}
	if o.Wrong != 0 {
		return differ("answers that belong to another call", 0, o.Wrong)
	}
	return nil
}
