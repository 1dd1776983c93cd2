package millrace

import (
	"errors"
	"fmt"
	"sync"

	"millrace.example/sdk/codec"
)

// ErrUnknownSchema is what an [UnknownSchemaError] is.
var ErrUnknownSchema = errors.New("unknown schema")

// UnknownSchemaError says that a message was written with a schema of which nothing is known yet: learn it. It is [ErrUnknownSchema].
type UnknownSchemaError struct{ SchemaID uint32 }

func (e *UnknownSchemaError) Error() string {
	return fmt.Sprintf("schema %d is not known yet", e.SchemaID)
}

// Is says whether target is [ErrUnknownSchema].
func (e *UnknownSchemaError) Is(target error) bool { return target == ErrUnknownSchema }

// Versions knows the schemas that messages of a topic were written with. It may be used by several goroutines.
type Versions struct {
	own   string
	mutex sync.RWMutex
	known map[uint32]*version
}

// version is one schema: how it is read, or why it is not. Neither: it is our own.
type version struct {
	resolution *codec.Resolution
	err        error
}

// NewVersions is of a topic with this schema.
func NewVersions(schema string) *Versions {
	return &Versions{own: schema, known: map[uint32]*version{}}
}

// Learn takes note of what the registry has under an id.
func (v *Versions) Learn(schemaID uint32, schema string) {
	learned := &version{}
	if !codec.IsSame(schema, v.own) {
		learned.resolution, learned.err = codec.NewResolution(schema, v.own)
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.known[schemaID] = learned
}

// body is what stands in a frame as our own schema would have written it, and the name of a type that we do not have.
func (v *Versions) body(framed []byte) (body []byte, unknown string, err error) {
	schemaID, body, err := Unframe(framed)
	if err != nil {
		return nil, "", err
	}
	v.mutex.RLock()
	known := v.known[schemaID]
	v.mutex.RUnlock()
	switch {
	case known == nil:
		return nil, "", &UnknownSchemaError{SchemaID: schemaID}
	case known.err != nil:
		return nil, "", &codec.Error{Reason: fmt.Sprintf("schema %d: %v", schemaID, known.err)}
	case known.resolution != nil:
		return known.resolution.Resolve(body)
	}
	return body, "", nil
}

// Read reads the command in a frame, whichever version of the schema it was written with. Errors are [ErrUnknownSchema], or
// [ErrBadMessage] where it is no command and never will be.
func (t *CommandTopic) Read(versions *Versions, framed []byte) (*Command, error) {
	body, unknown, err := versions.body(framed)
	if err != nil || unknown == "" {
		return ifNone(err, t.Decode, body)
	}
	command, in := &Command{Data: &Unknown{Of: t.Domain, Name: unknown}}, codec.NewDecoder(body)
	command.read(in)
	return command, in.Err()
}

// Read reads the event in a frame, whichever version of the schema it was written with. Errors are [ErrUnknownSchema], or
// [ErrBadMessage] where it is no event and never will be.
func (t *EventTopic) Read(versions *Versions, framed []byte) (*Event, error) {
	body, unknown, err := versions.body(framed)
	if err != nil || unknown == "" {
		return ifNone(err, t.Decode, body)
	}
	event, in := &Event{Data: &Unknown{Of: t.Domain, Name: unknown}}, codec.NewDecoder(body)
	event.read(in)
	return event, in.Err()
}

// Read reads the outcome in a frame, whichever version of the schema it was written with.
func (OutcomeTopic) Read(versions *Versions, framed []byte) (*Outcome, error) {
	body, _, err := versions.body(framed)
	return ifNone(err, DecodeOutcome, body)
}

func ifNone[T any](err error, decode func([]byte) (*T, error), body []byte) (*T, error) {
	if err != nil {
		return nil, err
	}
	return decode(body)
}
