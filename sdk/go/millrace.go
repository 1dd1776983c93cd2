// Package millrace has commands and events as they are sent and read: Avro and JSON, partitions and ids. The messages themselves are
// in the packages beneath domains.
package millrace

import (
	"time"

	"millrace.example/sdk/codec"
	"millrace.example/sdk/domains/envelope"
)

// ErrBadMessage is what errors about messages are: what was read or is to be written is not what the schema says.
var ErrBadMessage = codec.ErrBadMessage

// What stands around messages.
type (
	Metadata  = envelope.Metadata
	Outcome   = envelope.Outcome
	Position  = envelope.Position
	Version   = envelope.Version
	Violation = envelope.Violation
	Status    = envelope.Status
)

// What becomes of a command.
const (
	Accepted = envelope.StatusAccepted
	Rejected = envelope.StatusRejected
)

// MessageData is what a message holds beside its envelope.
type MessageData interface {
	codec.Record
	// Domain is whose it is.
	Domain() string
	// Type is its name.
	Type() string
	// AggregateID is the aggregate that it belongs to, such as Chirp/ann/c1.
	AggregateID() string
	// RoutingKey is the key of the record, by which its partition is found.
	RoutingKey() string
}

// CommandData is what a command asks for.
type CommandData interface{ MessageData }

// EventData is what an event tells.
type EventData interface{ MessageData }

// Command is what somebody wants to happen. Whoever sends it again, as no outcome came, sends this very one again: then it is decided
// once.
type Command struct {
	ID       string
	Metadata Metadata
	Data     CommandData
}

// NewCommand is a command with a new id, issued now.
func NewCommand(data CommandData) *Command {
	now := time.Now().UnixMicro()
	return &Command{ID: NewID(), Metadata: Metadata{IssuedAt: &now}, Data: data}
}

// By says who acts.
func (c *Command) By(userID string) *Command {
	c.Metadata.UserID = &userID
	return c
}

// Event is what has happened.
type Event struct {
	ID          string
	Metadata    Metadata
	AggregateID string

	// Version is 1, 2, 3 … of the aggregate, without gaps.
	Version   int64
	CommandID string

	// CommandOffset is the offset of the command or step that caused it.
	CommandOffset int64

	// RecordedAt is in microseconds since the epoch.
	RecordedAt int64

	// Data is what the event tells, or *Unknown.
	Data EventData
}

// Unknown is the data of a message of a type that this version does not have: of a newer deployment.
type Unknown struct {
	Of   string
	Name string
}

// Domain is whose it is.
func (u *Unknown) Domain() string { return u.Of }

// Type is its name.
func (u *Unknown) Type() string { return u.Name }

// AggregateID is empty; that of an event stands in its envelope.
func (*Unknown) AggregateID() string { return "" }

// RoutingKey is empty.
func (*Unknown) RoutingKey() string { return "" }

// Write writes nothing.
func (*Unknown) Write(codec.Sink) {}

// Read reads nothing.
func (*Unknown) Read(codec.Source) {}

// Domain is the topics of a domain.
type Domain struct {
	Commands *CommandTopic
	Events   *EventTopic
	Outcomes OutcomeTopic
}

// CommandTopic is the topic of a domain's commands, with its schema as it is registered.
type CommandTopic struct {
	Domain, Name, Schema string
	kinds                kinds[CommandData]
}

// EventTopic is the topic of a domain's events, with its schema as it is registered.
type EventTopic struct {
	Domain, Name, Schema string
	kinds                kinds[EventData]
}

// OutcomeTopic is the topic of what became of a domain's commands, with its schema as it is registered.
type OutcomeTopic struct{ Domain, Name, Schema string }

// View is a view, with what its rows are found and told apart by.
type View[R any] struct {
	Domain, Name string

	// Partition is the columns that name which rows are meant.
	Partition []string

	// Clustering is the columns behind them, in the order of the rows; a - in front: descending.
	Clustering []string

	// Read reads a row.
	Read func(in codec.Source) R
}

// kinds are the messages of a topic, in the order of the union's branches.
type kinds[D MessageData] struct {
	make     []func() D
	branches map[string]int
}

func kindsOf[D MessageData](makers []func() D) kinds[D] {
	branches := make(map[string]int, len(makers))
	for branch, one := range makers {
		branches[one().Type()] = branch
	}
	return kinds[D]{make: makers, branches: branches}
}

// NewCommandTopic is of commands in the order of the union's branches.
func NewCommandTopic(domain, schema string, makers ...func() CommandData) *CommandTopic {
	return &CommandTopic{Domain: domain, Name: domain + ".commands", Schema: schema, kinds: kindsOf(makers)}
}

// NewEventTopic is of events in the order of the union's branches.
func NewEventTopic(domain, schema string, makers ...func() EventData) *EventTopic {
	return &EventTopic{Domain: domain, Name: domain + ".events", Schema: schema, kinds: kindsOf(makers)}
}

// New is empty data of a type of the topic; nil: there is none of that name.
func (t *CommandTopic) New(name string) CommandData { return t.kinds.new(name) }

// New is empty data of a type of the topic; nil: there is none of that name.
func (t *EventTopic) New(name string) EventData { return t.kinds.new(name) }

func (k kinds[D]) new(name string) (data D) {
	if branch, is := k.branches[name]; is {
		return k.make[branch]()
	}
	return data
}

func (k kinds[D]) write(out *codec.Encoder, data D) {
	branch, is := k.branches[data.Type()]
	if !is {
		out.Fail("data", data.Type()+" is none of the topic's messages")
	}
	out.Count(branch)
	out.Record("data", data)
}

func (k kinds[D]) read(in *codec.Decoder) (data D) {
	branch := in.Index("data", len(k.make))
	if in.Err() != nil {
		return data
	}
	data = k.make[branch]()
	in.Record("data", data)
	in.End()
	return data
}

// AppendCommand appends a command as Avro, without the frame.
func (t *CommandTopic) AppendCommand(buf []byte, command *Command) ([]byte, error) {
	out := codec.NewEncoder(buf)
	out.Text("id", command.ID)
	out.Record("metadata", &command.Metadata)
	t.kinds.write(out, command.Data)
	return out.Bytes(), out.Err()
}

// Decode reads the command that Avro without a frame holds.
func (t *CommandTopic) Decode(body []byte) (*Command, error) {
	in := codec.NewDecoder(body)
	command := &Command{}
	command.read(in)
	command.Data = t.kinds.read(in)
	if in.Err() != nil {
		return nil, in.Err()
	}
	return command, nil
}

func (c *Command) read(in codec.Source) {
	c.ID = in.Text("id")
	in.Record("metadata", &c.Metadata)
}

// AppendEvent appends an event as Avro, without the frame: for tests, as none but processors write events.
func (t *EventTopic) AppendEvent(buf []byte, event *Event) ([]byte, error) {
	out := codec.NewEncoder(buf)
	out.Text("id", event.ID)
	out.Record("metadata", &event.Metadata)
	out.Text("aggregate_id", event.AggregateID)
	out.Long("version", event.Version)
	out.Text("command_id", event.CommandID)
	out.Long("command_offset", event.CommandOffset)
	out.Long("recorded_at", event.RecordedAt)
	t.kinds.write(out, event.Data)
	return out.Bytes(), out.Err()
}

// Decode reads the event that Avro without a frame holds.
func (t *EventTopic) Decode(body []byte) (*Event, error) {
	in := codec.NewDecoder(body)
	event := &Event{}
	event.read(in)
	event.Data = t.kinds.read(in)
	if in.Err() != nil {
		return nil, in.Err()
	}
	return event, nil
}

func (e *Event) read(in codec.Source) {
	e.ID = in.Text("id")
	in.Record("metadata", &e.Metadata)
	e.AggregateID = in.Text("aggregate_id")
	e.Version = in.Long("version")
	e.CommandID = in.Text("command_id")
	e.CommandOffset = in.Long("command_offset")
	e.RecordedAt = in.Long("recorded_at")
}

// AppendOutcome appends an outcome as Avro, without the frame: for tests, as none but processors write outcomes.
func AppendOutcome(buf []byte, outcome *Outcome) ([]byte, error) {
	out := codec.NewEncoder(buf)
	outcome.Write(out)
	return out.Bytes(), out.Err()
}

// DecodeOutcome reads the outcome that Avro without a frame holds.
func DecodeOutcome(body []byte) (*Outcome, error) {
	in := codec.NewDecoder(body)
	outcome := &Outcome{}
	outcome.Read(in)
	in.End()
	if in.Err() != nil {
		return nil, in.Err()
	}
	return outcome, nil
}

// AppendCommandJSON appends the body of a request to the gateway: {"data": …, "metadata": …}, without what is null.
func AppendCommandJSON(out []byte, command *Command) ([]byte, error) {
	out = append(out, `{"data":`...)
	out, err := codec.AppendJSON(out, command.Data, nil)
	if err != nil {
		return nil, err
	}
	out = append(out, `,"metadata":`...)
	out, err = codec.AppendJSON(out, &command.Metadata, func(_ string, isNull bool) bool { return !isNull })
	if err != nil {
		return nil, err
	}
	return append(out, '}'), nil
}

// OutcomeFromJSON reads an outcome out of the gateway's JSON.
func OutcomeFromJSON(text []byte) (*Outcome, error) {
	outcome := &Outcome{}
	if err := codec.FromJSON(text, outcome.Read); err != nil {
		return nil, err
	}
	return outcome, nil
}
