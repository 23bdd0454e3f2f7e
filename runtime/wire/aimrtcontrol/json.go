package aimrtcontrol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// shownBytes is how much of a wrong value an error shows.
const shownBytes = 40

// readJSON reads an object with the names of JSON or of protobuf; null is the empty value.
func (m *message) readJSON(to *Message, data []byte) error {
	parts, err := object(data)
	if err != nil {
		return err
	}
	for name, value := range parts {
		f := m.named(name)
		if f == nil {
			return fmt.Errorf("json: unknown field %q, expected one of %q", name, m.jsonNames())
		}
		if string(value) == "null" {
			continue
		}
		if err := f.readJSON(to.slot(f.name), value); err != nil {
			return fmt.Errorf("json: field %q: %w", name, err)
		}
	}
	return nil
}

func (m *message) named(name string) *field {
	for i := range m.fields {
		if f := &m.fields[i]; f.name == name || f.jsonName() == name {
			return f
		}
	}
	return nil
}

func (m *message) jsonNames() []string {
	out := make([]string, len(m.fields))
	for i := range m.fields {
		out[i] = m.fields[i].jsonName()
	}
	return out
}

func object(data []byte) (map[string]json.RawMessage, error) {
	var parts map[string]json.RawMessage
	if json.Unmarshal(data, &parts) != nil || parts == nil {
		return nil, wrong("an object", data)
	}
	return parts, nil
}

// wrong says what a value should be and what it is.
func wrong(expected string, got []byte) error {
	if len(got) > shownBytes {
		got = append(bytes.Clone(got[:shownBytes]), "..."...)
	}
	return fmt.Errorf("expected %s, got %s", expected, got)
}

func (f *field) readJSON(slot any, data []byte) error {
	switch slot := slot.(type) {
	case *uint64:
		bits := 64
		if f.form == formNumber32 {
			bits = 32
		}
		n, err := strconv.ParseUint(string(bytes.Trim(data, `"`)), 10, bits)
		if err != nil {
			return wrong("a number of "+strconv.Itoa(bits)+" bits", data)
		}
		*slot = n
	case *string:
		if json.Unmarshal(data, slot) != nil {
			return wrong("a text", data)
		}
	case *[]string:
		var texts []*string
		if json.Unmarshal(data, &texts) != nil {
			return wrong("a list of texts", data)
		}
		for _, text := range texts {
			if text == nil {
				return wrong("a list of texts", data)
			}
			*slot = append(*slot, *text)
		}
	case *map[string]string:
		return readJSONPairs(slot, data)
	case *map[string]map[string]string:
		modules, err := object(data)
		if err != nil || len(modules) == 0 {
			return err
		}
		*slot = make(map[string]map[string]string, len(modules))
		for module, value := range modules {
			inner := Message{Levels: map[string]string{}}
			if err := pairsMessage.readJSON(&inner, value); err != nil {
				return fmt.Errorf("%q: %w", module, err)
			}
			(*slot)[module] = inner.Levels
		}
	}
	return nil
}

// pairsMessage is ParameterMap, read into Message.Levels.
var pairsMessage = message{messagePairs, []field{{"value", formPairs}}}

func readJSONPairs(to *map[string]string, data []byte) error {
	var pairs map[string]*string
	if json.Unmarshal(data, &pairs) != nil {
		return wrong("an object of texts", data)
	}
	for key, value := range pairs {
		if value == nil {
			return wrong("an object of texts", data)
		}
		if *to == nil {
			*to = map[string]string{}
		}
		(*to)[key] = *value
	}
	return nil
}

// writeJSON writes every field.
func (m *message) writeJSON(from *Message) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i := range m.fields {
		f := &m.fields[i]
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(f.jsonName()) + ":")
		slot := from.slot(f.name)
		if err := checkTexts(f.name, slot); err != nil {
			return nil, err
		}
		if err := f.writeJSON(&b, slot); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (f *field) writeJSON(b *bytes.Buffer, slot any) error {
	var value any
	switch slot := slot.(type) {
	case *uint64:
		value = *slot
		if f.form == formNumber64 {
			value = strconv.FormatUint(*slot, 10) // as protobuf's JSON has it
		}
	case *string:
		value = *slot
	case *[]string:
		value = append([]string{}, *slot...)
	case *map[string]string:
		value = notNil(*slot)
	case *map[string]map[string]string:
		type pairs struct {
			Value map[string]string `json:"value"`
		}
		all := make(map[string]pairs, len(*slot))
		for module, inner := range *slot {
			all[module] = pairs{notNil(inner)}
		}
		value = all
	default:
		return errors.New("a field has no form")
	}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line end
	return nil
}

func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
