// Package codec writes and reads the fields of messages, as Avro and as the gateway's JSON.
package codec

import (
	"errors"
	"fmt"
	"strings"
)

// ErrBadMessage is what every error of this package is: what was read or is to be written is not what the schema says.
var ErrBadMessage = errors.New("bad message")

// Error says which field is not what the schema says. It is [ErrBadMessage].
type Error struct {
	// Field is such as data.content; empty: the message as a whole.
	Field string

	// Reason says what is wrong with it.
	Reason string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + ": " + e.Reason
}

// Is says whether target is [ErrBadMessage].
func (e *Error) Is(target error) bool { return target == ErrBadMessage }

// Record is a record of a schema.
type Record interface {
	Write(out Sink)
	Read(in Source)
}

// Sink is where values go, field by field in the order of the schema. The first thing that is wrong stays.
type Sink interface {
	Text(name, value string)
	Long(name string, value int64)
	Int(name string, value int32)
	Double(name string, value float64)
	Boolean(name string, value bool)
	// Sealed writes bytes that JSON has in base64.
	Sealed(name string, value []byte)
	// Digest writes bytes that JSON has as hexadecimal digits.
	Digest(name string, value []byte)
	None(name string)
	// Some says that what follows stands where a null may stand.
	Some(name string)
	// Items begins a list of so many items, each of which follows its Item, and which EndItems ends.
	Items(name string, count int)
	Item(at int)
	EndItems()
	Record(name string, value Record)
	Symbol(name, value string, symbols []string)
}

// Source is where values come from, field by field in the order of the schema. The first thing that is wrong stays, and all that is
// read behind it is empty.
type Source interface {
	Text(name string) string
	Long(name string) int64
	Int(name string) int32
	Double(name string) float64
	Boolean(name string) bool
	Sealed(name string) []byte
	Digest(name string) []byte
	// IsSome says whether a value follows, where a null may stand.
	IsSome(name string) bool
	Items(name string) Items
	Record(name string, value Record)
	Symbol(name string, symbols []string) string
	Err() error
}

// Items is a list that is being read.
type Items interface {
	// Next says whether there is another item, which is read then.
	Next() bool
}

// Lower is text with a to z in the place of A to Z, and nothing else changed.
func Lower(text string) string {
	return strings.Map(func(letter rune) rune {
		if 'A' <= letter && letter <= 'Z' {
			return letter + 'a' - 'A'
		}
		return letter
	}, text)
}

// path is the names around what is written or read.
type path struct {
	around []string
	err    error
}

// Err is the first thing that was wrong, or nil.
func (p *path) Err() error { return p.err }

// Fail takes note of what is wrong with a field, if nothing was before.
func (p *path) Fail(name, reason string) {
	if p.err != nil {
		return
	}
	names := make([]string, 0, len(p.around)+1)
	for _, part := range append(p.around[:len(p.around):len(p.around)], name) {
		if part != "" {
			names = append(names, part)
		}
	}
	p.err = &Error{Field: strings.Join(names, "."), Reason: reason}
}

func (p *path) failf(name, format string, values ...any) {
	p.Fail(name, fmt.Sprintf(format, values...))
}

// Enter names what is written or read from here on.
func (p *path) Enter(name string) { p.around = append(p.around, name) }

// Leave ends what Enter began.
func (p *path) Leave() { p.around = p.around[:len(p.around)-1] }
