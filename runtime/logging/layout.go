package logging

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultPattern is the layout of a line when none is configured.
const DefaultPattern = "[%c.%f][%l][%t][%n][%g:%R @%F]%v"

// fallbackPattern is the layout on stderr while no backend is up.
const fallbackPattern = "[%c.%f][%l][%t][%g:%R @%F]%v"

// codes are the letters that mean something after a %.
const codes = "cYmdHMSDTfAaltnGgRFv"

// layout is a parsed pattern. It belongs to one goroutine: it keeps the text of
// the last second.
type layout struct {
	parts []part
	zone  *time.Location

	second   int64 // Unix second that the texts below are for
	dateTime string
	now      time.Time
}

// part is a literal text (code 0) or a code.
type part struct {
	code byte
	text string
}

// parseLayout reads a pattern. Every pattern is valid: a letter without a meaning
// stands for itself, so does a % at the end.
func parseLayout(pattern string) *layout {
	if pattern == "" {
		pattern = DefaultPattern
	}
	l := &layout{zone: time.Local, second: -1 << 62}
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			l.parts = append(l.parts, part{text: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c != '%' || i+1 == len(pattern):
			literal.WriteByte(c)
		case strings.IndexByte(codes, pattern[i+1]) >= 0:
			flush()
			l.parts = append(l.parts, part{code: pattern[i+1]})
			i++
		default: // also %%
			_, size := utf8.DecodeRuneInString(pattern[i+1:])
			literal.WriteString(pattern[i+1 : i+1+size])
			i += size
		}
	}
	flush()
	return l
}

// append formats a record without a line break at the end.
func (l *layout) append(b []byte, r *Record) []byte {
	l.tick(r.Time)
	for i := range l.parts {
		if p := &l.parts[i]; p.code == 0 {
			b = append(b, p.text...)
		} else {
			b = l.appendCode(b, p.code, r)
		}
	}
	return b
}

// tick makes the text of the record's second, "2006-01-02 15:04:05".
func (l *layout) tick(t time.Time) {
	if s := t.Unix(); s != l.second {
		l.second = s
		l.now = t.In(l.zone)
		l.dateTime = l.now.Format(time.DateTime)
	}
}

func (l *layout) appendCode(b []byte, code byte, r *Record) []byte {
	switch code {
	case 'c':
		return append(b, l.dateTime...)
	case 'Y', 'm', 'd', 'H', 'M', 'S', 'D', 'T', 'A', 'a':
		return l.appendTime(b, code)
	case 'f':
		return appendMicros(b, r.Time.Nanosecond()/1000)
	case 'l':
		return append(b, r.Level.String()...)
	case 't':
		return strconv.AppendUint(b, uint64(r.ThreadID), 10)
	case 'n':
		return append(b, r.Logger...)
	case 'G':
		return append(b, r.File[strings.LastIndexByte(r.File, '/')+1:]...)
	case 'g':
		return append(b, r.File...)
	case 'R':
		return strconv.AppendUint(b, uint64(r.Line), 10)
	case 'F':
		return append(b, r.Function...)
	default: // 'v'
		return append(b, r.Text...)
	}
}

func (l *layout) appendTime(b []byte, code byte) []byte {
	switch code {
	case 'Y':
		return l.now.AppendFormat(b, "2006")
	case 'm':
		return l.now.AppendFormat(b, "01")
	case 'd':
		return l.now.AppendFormat(b, "02")
	case 'H':
		return l.now.AppendFormat(b, "15")
	case 'M':
		return l.now.AppendFormat(b, "04")
	case 'S':
		return l.now.AppendFormat(b, "05")
	case 'D':
		return l.now.AppendFormat(b, time.DateOnly)
	case 'T':
		return l.now.AppendFormat(b, time.TimeOnly)
	case 'A':
		return append(b, l.now.Weekday().String()...)
	default: // 'a'
		return append(b, l.now.Weekday().String()[:3]...)
	}
}

// appendMicros writes six digits.
func appendMicros(b []byte, us int) []byte {
	return append(b, byte('0'+us/100000), byte('0'+us/10000%10), byte('0'+us/1000%10), byte('0'+us/100%10), byte('0'+us/10%10), byte('0'+us%10))
}
