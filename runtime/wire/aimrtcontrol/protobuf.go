package aimrtcontrol

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of map entries, and the one field of ParameterMap.
const (
	entryKey   = 1
	entryValue = 2
	pairsValue = 1
)

// each calls f for every field of an encoded message; value is empty for varints, whose number is given.
func each(data []byte, f func(number protowire.Number, kind protowire.Type, value []byte, varint uint64) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return fmt.Errorf("protobuf: %w", protowire.ParseError(n))
		}
		data = data[n:]
		var value []byte
		var varint uint64
		switch kind {
		case protowire.BytesType:
			value, n = protowire.ConsumeBytes(data)
		case protowire.VarintType:
			varint, n = protowire.ConsumeVarint(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return fmt.Errorf("protobuf: field %d: %w", number, protowire.ParseError(n))
		}
		data = data[n:]
		if err := f(number, kind, value, varint); err != nil {
			return err
		}
	}
	return nil
}

// readProtobuf reads known fields; unknown ones and those of another wire type are passed over.
func (m *message) readProtobuf(to *Message, data []byte) error {
	return each(data, func(number protowire.Number, kind protowire.Type, value []byte, varint uint64) error {
		if number < 1 || int(number) > len(m.fields) {
			return nil
		}
		f := &m.fields[number-1]
		if numeric := f.form == formNumber32 || f.form == formNumber64; numeric != (kind == protowire.VarintType) || !numeric && kind != protowire.BytesType {
			return nil
		}
		return f.readValue(to.slot(f.name), value, varint)
	})
}

func (f *field) readValue(slot any, value []byte, varint uint64) error {
	switch slot := slot.(type) {
	case *uint64:
		if f.form == formNumber32 {
			varint = uint64(uint32(varint))
		}
		*slot = varint
	case *string:
		return f.readText(slot, value)
	case *[]string:
		var text string
		if err := f.readText(&text, value); err != nil {
			return err
		}
		*slot = append(*slot, text)
	case *map[string]string:
		return f.readPair(slot, value)
	case *map[string]map[string]string:
		key, inner := "", map[string]string{}
		err := each(value, func(number protowire.Number, kind protowire.Type, part []byte, _ uint64) error {
			switch {
			case kind == protowire.BytesType && number == entryKey:
				return f.readText(&key, part)
			case kind == protowire.BytesType && number == entryValue:
				return f.readPairs(&inner, part)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if *slot == nil {
			*slot = map[string]map[string]string{}
		}
		(*slot)[key] = inner
	}
	return nil
}

func (f *field) readText(to *string, value []byte) error {
	if !utf8.Valid(value) {
		return fmt.Errorf("protobuf: field %q is not UTF-8", f.name)
	}
	*to = string(value)
	return nil
}

// readPairs reads a ParameterMap.
func (f *field) readPairs(to *map[string]string, data []byte) error {
	return each(data, func(number protowire.Number, kind protowire.Type, value []byte, _ uint64) error {
		if number != pairsValue || kind != protowire.BytesType {
			return nil
		}
		return f.readPair(to, value)
	})
}

// readPair reads one entry of a map of texts.
func (f *field) readPair(to *map[string]string, data []byte) error {
	var key, text string
	err := each(data, func(number protowire.Number, kind protowire.Type, value []byte, _ uint64) error {
		switch {
		case kind == protowire.BytesType && number == entryKey:
			return f.readText(&key, value)
		case kind == protowire.BytesType && number == entryValue:
			return f.readText(&text, value)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if *to == nil {
		*to = map[string]string{}
	}
	(*to)[key] = text
	return nil
}

// writeProtobuf writes the fields that are not empty.
func (m *message) writeProtobuf(from *Message) ([]byte, error) {
	var out []byte
	for i := range m.fields {
		number := protowire.Number(i + 1)
		slot := from.slot(m.fields[i].name)
		if err := checkTexts(m.fields[i].name, slot); err != nil {
			return nil, err
		}
		switch slot := slot.(type) {
		case *uint64:
			if *slot != 0 {
				out = appendNumber(out, number, *slot)
			}
		case *string:
			if *slot != "" {
				out = appendText(out, number, *slot)
			}
		case *[]string:
			for _, text := range *slot {
				out = appendText(out, number, text)
			}
		case *map[string]string:
			out = appendPairs(out, number, *slot)
		case *map[string]map[string]string:
			for _, key := range slices.Sorted(maps.Keys(*slot)) {
				entry := appendText(nil, entryKey, key)
				out = appendPart(out, number, appendPart(entry, entryValue, appendPairs(nil, pairsValue, (*slot)[key])))
			}
		}
	}
	return out, nil
}

func appendPairs(b []byte, number protowire.Number, pairs map[string]string) []byte {
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		b = appendPart(b, number, appendText(appendText(nil, entryKey, key), entryValue, pairs[key]))
	}
	return b
}

// checkTexts refuses texts that protobuf and JSON cannot hold.
func checkTexts(name string, slot any) error {
	good := true
	pairs := func(m map[string]string) {
		for key, value := range m {
			good = good && utf8.ValidString(key) && utf8.ValidString(value)
		}
	}
	switch slot := slot.(type) {
	case *string:
		good = utf8.ValidString(*slot)
	case *[]string:
		good = !slices.ContainsFunc(*slot, func(s string) bool { return !utf8.ValidString(s) })
	case *map[string]string:
		pairs(*slot)
	case *map[string]map[string]string:
		for key, inner := range *slot {
			good = good && utf8.ValidString(key)
			pairs(inner)
		}
	}
	if !good {
		return fmt.Errorf("field %q holds a text that is not UTF-8", name)
	}
	return nil
}
