package codec

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Decoder reads Avro (1.12, "Binary Encoding"). It trusts nothing: lengths and counts are held against the bytes that are left, so no
// input takes more memory than a multiple of itself.
type Decoder struct {
	path
	buf []byte
	at  int
}

// NewDecoder reads what is in buf.
func NewDecoder(buf []byte) *Decoder { return &Decoder{buf: buf} }

// Left is how many bytes are left.
func (d *Decoder) Left() int { return len(d.buf) - d.at }

// Place is where it is, in bytes from the front.
func (d *Decoder) Place() int { return d.at }

// Since is the bytes from a place to where it is.
func (d *Decoder) Since(place int) []byte { return d.buf[place:d.at] }

// End refuses what is left over.
func (d *Decoder) End() {
	if left := d.Left(); left > 0 {
		d.Bad("", fmt.Sprintf("%d bytes are left over behind the message", left))
	}
}

// Bad refuses what stands here.
func (d *Decoder) Bad(name, reason string) {
	if d.err == nil {
		d.failf(name, "%s, at byte %d", reason, d.at)
	}
}

// Skip takes so many bytes.
func (d *Decoder) Skip(name string, count int) []byte {
	if d.err != nil || count > d.Left() {
		d.Bad(name, "it is cut off")
		return nil
	}
	taken := d.buf[d.at : d.at+count]
	d.at += count
	return taken
}

// Index reads the number of a branch or symbol of so many; 0 where something is wrong.
func (d *Decoder) Index(name string, count int) int {
	index := d.Long(name)
	if index < 0 || index >= int64(count) {
		d.Bad(name, fmt.Sprintf("there is no branch or symbol of that number, only %d of them", count))
		return 0
	}
	return int(index)
}

// Length reads the length of what follows.
func (d *Decoder) Length(name string) int {
	length := d.Long(name)
	if length < 0 {
		d.Bad(name, "a negative length")
		return 0
	}
	if length > int64(d.Left()) {
		d.Bad(name, "it is cut off")
		return 0
	}
	return int(length)
}

func (d *Decoder) Text(name string) string {
	bytes := d.Skip(name, d.Length(name))
	if !utf8.Valid(bytes) {
		d.at -= len(bytes)
		d.Bad(name, "a text that is not UTF-8")
		return ""
	}
	return string(bytes)
}

func (d *Decoder) Long(name string) int64 {
	if d.err != nil {
		return 0
	}
	number, length := binary.Varint(d.buf[d.at:])
	if length <= 0 {
		reason := "it is cut off"
		if length < 0 {
			reason = "a number of more than 64 bits"
		}
		d.Bad(name, reason)
		return 0
	}
	d.at += length
	return number
}

func (d *Decoder) Int(name string) int32 {
	number := d.Long(name)
	if int64(int32(number)) != number {
		d.Bad(name, "an int of more than 32 bits")
	}
	return int32(number)
}

func (d *Decoder) Double(name string) float64 {
	bytes := d.Skip(name, 8)
	if bytes == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(bytes))
}

func (d *Decoder) Boolean(name string) bool {
	bytes := d.Skip(name, 1)
	if bytes == nil {
		return false
	}
	if bytes[0] > 1 {
		d.Bad(name, "a boolean that is neither 0 nor 1")
	}
	return bytes[0] == 1
}

func (d *Decoder) Sealed(name string) []byte {
	return append([]byte{}, d.Skip(name, d.Length(name))...)
}

func (d *Decoder) Digest(name string) []byte { return d.Sealed(name) }

func (d *Decoder) IsSome(name string) bool { return d.Index(name, 2) == 1 }

// Items reads a list.
func (d *Decoder) Items(name string) Items {
	d.around = append(d.around, name, "")
	// every item takes a byte at least, in however many blocks they come
	return &blocks{d: d, most: d.Left()}
}

// blocks is a list in blocks.
type blocks struct {
	d        *Decoder
	most, at int
	left     int64
}

func (b *blocks) Next() bool {
	d := b.d
	if b.left == 0 && d.err == nil {
		b.left = d.Long("")
		if b.left < 0 {
			// others may say how many bytes the block takes
			d.Length("")
			b.left = -b.left
		}
		if b.left < 0 || b.left > int64(min(b.most, d.Left())) {
			d.Bad("", "a list that is longer than the message")
		}
		b.most -= int(b.left)
	}
	if b.left == 0 || d.err != nil {
		d.around = d.around[:len(d.around)-2]
		return false
	}
	d.around[len(d.around)-1] = strconv.Itoa(b.at)
	b.at++
	b.left--
	return true
}

func (d *Decoder) Record(name string, value Record) {
	d.Enter(name)
	value.Read(d)
	d.Leave()
}

func (d *Decoder) Symbol(name string, symbols []string) string {
	return symbols[d.Index(name, len(symbols))]
}
