package codec

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Resolution turns what was written with one version of a schema into what another one would have written, by Avro's rules.
type Resolution struct{ writer, reader *node }

// NewResolution is of two schemas; an error says which of them is none.
func NewResolution(writer, reader string) (*Resolution, error) {
	from, err := parseSchema(writer)
	if err != nil {
		return nil, err
	}
	to, err := parseSchema(reader)
	return &Resolution{writer: from, reader: to}, err
}

// Resolve gives the bytes, and the name of the message's type where the reader does not have it, of which nothing is in the bytes
// then. Errors are [ErrBadMessage]: the bytes are no such message, or can be none of this version.
func (r *Resolution) Resolve(body []byte) (own []byte, unknown string, err error) {
	in := NewDecoder(body)
	w := &walk{in: in, left: 64*len(body) + 1024}
	out := NewEncoder(nil)
	w.value(out, r.writer, r.reader, "", 0)
	in.End()
	if in.Err() != nil {
		return nil, "", in.Err()
	}
	return out.Bytes(), w.unknown, out.Err()
}

type walk struct {
	in *Decoder
	// left is how many more values there may be: those that take no byte could be without end
	left    int
	unknown string
}

func (w *walk) count(name string, depth int) bool {
	w.left--
	switch {
	case depth > deepest:
		w.in.Bad(name, fmt.Sprintf("values are nested deeper than %d levels", deepest))
	case w.left < 0:
		w.in.Bad(name, "it holds more values than its length allows")
	}
	return w.in.err == nil
}

func (w *walk) value(out *Encoder, from, to *node, name string, depth int) {
	if !w.count(name, depth) {
		return
	}
	in := w.in
	switch {
	case from.kind == "union":
		index := in.Index(name, len(from.branches))
		if in.err != nil {
			return
		}
		branch := from.branches[index]
		isMessage := name == "data" && depth == 1 && to.kind == "union" && branch.kind == "record"
		if isMessage && !slices.ContainsFunc(to.branches, func(own *node) bool { return matches(branch, own) }) {
			// the messages of a topic: here a newer one may have come
			w.unknown = branch.bare()
			w.skip(branch, name, depth+1)
			out.Count(len(to.branches))
			return
		}
		w.value(out, branch, to, name, depth+1)
	case to.kind == "union":
		at := slices.IndexFunc(to.branches, func(own *node) bool { return matches(from, own) })
		if at < 0 {
			at = slices.IndexFunc(to.branches, func(own *node) bool { return promotes(from, own) })
		}
		if at < 0 {
			in.Bad(name, "the writer's "+from.kind+" is none of what this version has here")
			return
		}
		out.Count(at)
		w.value(out, from, to.branches[at], name, depth+1)
	case from.kind == "record" && to.kind == "record":
		w.record(out, from, to, name, depth)
	case from.kind == to.kind && (from.kind == "array" || from.kind == "map"):
		w.items(out, from, to, name, depth)
	case from.kind == "enum" && to.kind == "enum":
		symbol := ""
		if index := in.Index(name, len(from.symbols)); in.err == nil {
			symbol = from.symbols[index]
		}
		if !slices.Contains(to.symbols, symbol) && to.hasOne {
			symbol, _ = to.standard.(string)
		}
		if !slices.Contains(to.symbols, symbol) {
			in.Bad(name, "a symbol that is none of "+strings.Join(to.symbols, ", "))
		}
		out.Count(slices.Index(to.symbols, symbol))
	case from.kind == "fixed" && to.kind == "fixed" && from.size == to.size:
		out.Raw(in.Skip(name, from.size))
	case from.kind == to.kind && from.kind != "fixed" || from.kind == "int" && to.kind == "long":
		// an int is written like a long
		place := in.Place()
		w.skip(from, name, depth)
		out.Raw(in.Since(place))
	default:
		w.promote(out, from, to, name)
	}
}

func (w *walk) promote(out *Encoder, from, to *node, name string) {
	in := w.in
	switch {
	case !promotes(from, to):
		in.Bad(name, "the writer's "+from.kind+" is no "+to.kind)
	case to.kind == "double" && from.kind == "float":
		bytes := in.Skip(name, 4)
		if bytes != nil {
			bits := uint32(bytes[0]) | uint32(bytes[1])<<8 | uint32(bytes[2])<<16 | uint32(bytes[3])<<24
			out.Double(name, float64(math.Float32frombits(bits)))
		}
	case to.kind == "double":
		out.Double(name, float64(in.Long(name)))
	case to.kind == "string":
		out.Text(name, in.Text(name))
	default:
		out.Sealed(name, in.Sealed(name))
	}
}

func (w *walk) record(out *Encoder, from, to *node, name string, depth int) {
	read := make([][]byte, len(to.fields))
	if name != "" {
		w.in.Enter(name)
	}
	for _, one := range from.fields {
		at := slices.IndexFunc(to.fields, func(own field) bool { return own.name == one.name })
		if at < 0 {
			w.skip(one.of, one.name, depth+1)
			continue
		}
		value := NewEncoder([]byte{})
		w.value(value, one.of, to.fields[at].of, one.name, depth+1)
		read[at] = value.Bytes()
	}
	if w.in.err != nil {
		return
	}
	if name != "" {
		w.in.Leave()
	}
	for at, own := range to.fields {
		switch {
		case read[at] != nil:
			out.Raw(read[at])
		case own.hasOne:
			w.standard(out, own.of, own.standard)
		default:
			w.in.Bad(name, "the writer has no field "+own.name+", and there is no value to take instead")
		}
	}
}

func (w *walk) items(out *Encoder, from, to *node, name string, depth int) {
	items, count := NewEncoder(nil), 0
	for all := w.in.Items(name); all.Next(); count++ {
		if from.kind == "map" {
			items.Text("", w.in.Text(""))
		}
		w.value(items, from.of, to.of, "", depth+1)
	}
	if count > 0 {
		out.Count(count)
		out.Raw(items.Bytes())
	}
	out.Count(0)
}

// skip passes over a value.
func (w *walk) skip(of *node, name string, depth int) {
	if !w.count(name, depth) {
		return
	}
	in := w.in
	switch of.kind {
	case "record":
		for _, one := range of.fields {
			w.skip(one.of, one.name, depth+1)
		}
	case "union":
		if index := in.Index(name, len(of.branches)); in.err == nil {
			w.skip(of.branches[index], name, depth+1)
		}
	case "array", "map":
		for all := in.Items(name); all.Next(); {
			if of.kind == "map" {
				in.Text("")
			}
			w.skip(of.of, "", depth+1)
		}
	case "string":
		in.Text(name)
	case "bytes":
		in.Skip(name, in.Length(name))
	case "long":
		in.Long(name)
	case "int":
		in.Int(name)
	case "boolean":
		in.Boolean(name)
	case "enum":
		in.Index(name, len(of.symbols))
	case "float":
		in.Skip(name, 4)
	case "double":
		in.Skip(name, 8)
	case "fixed":
		in.Skip(name, of.size)
	}
}

// matches says whether the one is read as the other by its type, and of records by its name without the namespace.
func matches(from, to *node) bool { return from.kind == to.kind && from.bare() == to.bare() }

func promotes(from, to *node) bool {
	switch to.kind {
	case "long":
		return from.kind == "int"
	case "double":
		return from.kind == "int" || from.kind == "long" || from.kind == "float"
	case "string":
		return from.kind == "bytes"
	case "bytes":
		return from.kind == "string"
	}
	return false
}

// standard writes the value of a field that the writer did not have.
func (w *walk) standard(out *Encoder, of *node, value any) {
	switch of.kind {
	case "null":
		return
	case "union":
		// a default is of the first branch
		out.Count(0)
		w.standard(out, of.branches[0], value)
		return
	case "int", "long":
		if number, is := value.(json.Number); is {
			if whole, err := number.Int64(); err == nil {
				out.Long("", whole)
				return
			}
		}
	case "boolean":
		if is, fits := value.(bool); fits {
			out.Boolean("", is)
			return
		}
	case "string":
		if text, is := value.(string); is {
			out.Text("", text)
			return
		}
	case "enum":
		if text, is := value.(string); is {
			out.Symbol("", text, of.symbols)
			return
		}
	case "array":
		if all, is := value.([]any); is && len(all) == 0 {
			out.Count(0)
			return
		}
	case "record":
		if members, is := value.(map[string]any); is {
			for _, one := range of.fields {
				given, has := members[one.name]
				if !has {
					given = one.standard
				}
				w.standard(out, one.of, given)
			}
			return
		}
	}
	w.in.Bad("", "a default of type "+of.kind+" is not supported")
}
