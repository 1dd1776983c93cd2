package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends a record as the gateway's JSON has it; only is which members to write, nil: all of them.
func AppendJSON(out []byte, value Record, only func(name string, isNull bool) bool) ([]byte, error) {
	sink := &jsonSink{out: out, only: only}
	sink.whole(value)
	return sink.out, sink.err
}

// AppendText appends a text as JSON has it, and nothing escaped that need not be.
func AppendText(out []byte, text string) []byte {
	const digits = "0123456789abcdef"
	out = append(out, '"')
	for at := 0; at < len(text); at++ {
		switch letter := text[at]; {
		case letter == '"' || letter == '\\':
			out = append(out, '\\', letter)
		case letter >= ' ':
			out = append(out, letter)
		case letter == '\n':
			out = append(out, `\n`...)
		case letter == '\r':
			out = append(out, `\r`...)
		case letter == '\t':
			out = append(out, `\t`...)
		case letter == '\b':
			out = append(out, `\b`...)
		case letter == '\f':
			out = append(out, `\f`...)
		default:
			out = append(out, '\\', 'u', '0', '0', digits[letter>>4], digits[letter&15])
		}
	}
	return append(out, '"')
}

type jsonSink struct {
	path
	out    []byte
	only   func(name string, isNull bool) bool
	isSome bool
	first  bool
}

func (s *jsonSink) whole(value Record) {
	s.out = append(s.out, '{')
	s.first = true
	value.Write(s)
	s.out = append(s.out, '}')
	s.first = false
}

// begin writes the name of a member, if it is to be written; items have none.
func (s *jsonSink) begin(name string, isNull bool) bool {
	if name == "" {
		return true
	}
	if s.only != nil && !s.only(name, isNull) {
		return false
	}
	if !s.first {
		s.out = append(s.out, ',')
	}
	s.first = false
	s.out = append(AppendText(s.out, name), ':')
	return true
}

func (s *jsonSink) Text(name, value string) {
	if !utf8.ValidString(value) {
		s.Fail(name, "a text that is not UTF-8")
	}
	if s.begin(name, false) {
		s.out = AppendText(s.out, value)
	}
}

func (s *jsonSink) Long(name string, value int64) {
	if s.begin(name, false) {
		s.out = strconv.AppendInt(s.out, value, 10)
	}
}

func (s *jsonSink) Int(name string, value int32) { s.Long(name, int64(value)) }

func (s *jsonSink) Double(name string, value float64) {
	if s.begin(name, false) {
		number, err := json.Marshal(value)
		if err != nil {
			s.Fail(name, "a number that JSON does not have")
		}
		s.out = append(s.out, number...)
	}
}

func (s *jsonSink) Boolean(name string, value bool) {
	if s.begin(name, false) {
		s.out = strconv.AppendBool(s.out, value)
	}
}

func (s *jsonSink) Sealed(name string, value []byte) {
	s.Text(name, base64.StdEncoding.EncodeToString(value))
}

func (s *jsonSink) Digest(name string, value []byte) { s.Text(name, hex.EncodeToString(value)) }

func (s *jsonSink) None(name string) {
	if s.begin(name, true) {
		s.out = append(s.out, "null"...)
	}
}

func (s *jsonSink) Some(string) {}

func (s *jsonSink) Items(name string, _ int) {
	s.begin(name, false)
	s.out = append(s.out, '[')
}

func (s *jsonSink) Item(at int) {
	if at > 0 {
		s.out = append(s.out, ',')
	}
}

func (s *jsonSink) EndItems() { s.out = append(s.out, ']') }

func (s *jsonSink) Record(name string, value Record) {
	if s.begin(name, false) {
		s.whole(value)
	}
}

func (s *jsonSink) Symbol(name, value string, _ []string) { s.Text(name, value) }

// FromJSON reads a record out of the gateway's JSON.
func FromJSON(text []byte, read func(in Source)) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	// longs have more digits than a float64 keeps
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return &Error{Reason: fmt.Sprintf("not JSON: %v", err)}
	}
	return FromValue(value, read)
}

// FromValue reads a record out of JSON that a decoder with UseNumber has read.
func FromValue(value any, read func(in Source)) error {
	source := &jsonSource{value: value}
	read(source)
	return source.err
}

type jsonSource struct {
	path
	value any
}

// of is what stands under a name; the empty one is the item of a list.
func (s *jsonSource) of(name string) any {
	if name == "" {
		return s.value
	}
	object, is := s.value.(map[string]any)
	if !is {
		s.Fail("", "expected an object")
	}
	return object[name]
}

func (s *jsonSource) Text(name string) string {
	text, is := s.of(name).(string)
	if !is {
		s.Fail(name, "expected a text")
	}
	return text
}

func (s *jsonSource) Long(name string) int64 {
	var digits string
	switch value := s.of(name).(type) {
	case json.Number:
		digits = value.String()
	case string:
		digits = value
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		s.Fail(name, "expected a whole number of 64 bits")
	}
	return number
}

func (s *jsonSource) Int(name string) int32 {
	number := s.Long(name)
	if int64(int32(number)) != number {
		s.Fail(name, "expected a whole number of 32 bits")
	}
	return int32(number)
}

func (s *jsonSource) Double(name string) float64 {
	value, _ := s.of(name).(json.Number)
	number, err := value.Float64()
	if err != nil {
		s.Fail(name, "expected a number")
	}
	return number
}

func (s *jsonSource) Boolean(name string) bool {
	value, is := s.of(name).(bool)
	if !is {
		s.Fail(name, "expected true or false")
	}
	return value
}

func (s *jsonSource) Sealed(name string) []byte {
	bytes, err := base64.StdEncoding.DecodeString(s.Text(name))
	if err != nil {
		s.Fail(name, "expected base64")
	}
	return bytes
}

func (s *jsonSource) Digest(name string) []byte {
	bytes, err := hex.DecodeString(s.Text(name))
	if err != nil {
		s.Fail(name, "expected hexadecimal digits")
	}
	return bytes
}

func (s *jsonSource) IsSome(name string) bool { return s.of(name) != nil }

func (s *jsonSource) Items(name string) Items {
	all, is := s.of(name).([]any)
	if !is {
		s.Fail(name, "expected a list")
	}
	items := &jsonItems{s: s, around: s.value, all: all}
	s.path.around = append(s.path.around, name, "")
	return items
}

type jsonItems struct {
	s      *jsonSource
	around any
	all    []any
	at     int
}

func (i *jsonItems) Next() bool {
	s := i.s
	if i.at == len(i.all) || s.err != nil {
		s.value = i.around
		s.path.around = s.path.around[:len(s.path.around)-2]
		return false
	}
	s.path.around[len(s.path.around)-1] = strconv.Itoa(i.at)
	s.value = i.all[i.at]
	i.at++
	return true
}

func (s *jsonSource) Record(name string, value Record) {
	around := s.value
	s.value = s.of(name)
	s.Enter(name)
	value.Read(s)
	s.Leave()
	s.value = around
}

func (s *jsonSource) Symbol(name string, symbols []string) string {
	value := s.Text(name)
	if !slices.Contains(symbols, value) {
		s.Fail(name, fmt.Sprintf("expected one of %q", symbols))
	}
	return value
}
