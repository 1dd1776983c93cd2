package codec

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Encoder writes Avro (1.12, "Binary Encoding").
type Encoder struct {
	path
	buf []byte
}

// NewEncoder appends to buf, which may be nil.
func NewEncoder(buf []byte) *Encoder { return &Encoder{buf: buf} }

// Bytes is what was written so far. It may be an error that counts: see Err.
func (e *Encoder) Bytes() []byte { return e.buf }

// Raw writes bytes as they stand.
func (e *Encoder) Raw(value []byte) { e.buf = append(e.buf, value...) }

// Count writes the number of a branch or symbol, a length or a count.
func (e *Encoder) Count(value int) { e.buf = binary.AppendVarint(e.buf, int64(value)) }

func (e *Encoder) Text(name, value string) {
	if !utf8.ValidString(value) {
		e.Fail(name, "a text that is not UTF-8")
	}
	e.Count(len(value))
	e.buf = append(e.buf, value...)
}

func (e *Encoder) Long(_ string, value int64) { e.buf = binary.AppendVarint(e.buf, value) }

func (e *Encoder) Int(_ string, value int32) { e.buf = binary.AppendVarint(e.buf, int64(value)) }

func (e *Encoder) Double(_ string, value float64) {
	e.buf = binary.LittleEndian.AppendUint64(e.buf, math.Float64bits(value))
}

func (e *Encoder) Boolean(_ string, value bool) {
	if value {
		e.buf = append(e.buf, 1)
	} else {
		e.buf = append(e.buf, 0)
	}
}

func (e *Encoder) Sealed(_ string, value []byte) {
	e.Count(len(value))
	e.buf = append(e.buf, value...)
}

func (e *Encoder) Digest(name string, value []byte) { e.Sealed(name, value) }

func (e *Encoder) None(string) { e.buf = append(e.buf, 0) }

func (e *Encoder) Some(string) { e.buf = append(e.buf, 2) }

func (e *Encoder) Items(name string, count int) {
	if count > 0 {
		e.Count(count)
	}
	e.around = append(e.around, name, "")
}

func (e *Encoder) Item(at int) { e.around[len(e.around)-1] = strconv.Itoa(at) }

func (e *Encoder) EndItems() {
	e.around = e.around[:len(e.around)-2]
	e.Count(0)
}

func (e *Encoder) Record(name string, value Record) {
	e.Enter(name)
	value.Write(e)
	e.Leave()
}

func (e *Encoder) Symbol(name, value string, symbols []string) {
	at := slices.Index(symbols, value)
	if at < 0 {
		e.failf(name, "expected one of %q, found %q", symbols, value)
	}
	e.Count(at)
}
