package millrace

import (
	"encoding/binary"

	"millrace.example/sdk/codec"
)

const headerLength = 5

// AppendFrame appends the registry's frame: a zero byte and the schema's id. The body follows.
func AppendFrame(buf []byte, schemaID uint32) []byte {
	return binary.BigEndian.AppendUint32(append(buf, 0), schemaID)
}

// Unframe is what stands in a frame.
func Unframe(framed []byte) (schemaID uint32, body []byte, err error) {
	if len(framed) < headerLength || framed[0] != 0 {
		reason := "no Avro in the registry's frame: it does not begin with a zero byte and a schema id"
		return 0, nil, &codec.Error{Reason: reason}
	}
	return binary.BigEndian.Uint32(framed[1:]), framed[headerLength:], nil
}
