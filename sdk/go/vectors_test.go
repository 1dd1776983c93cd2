package millrace_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/avro"

	millrace "millrace.example/sdk"
	"millrace.example/sdk/codec"
	"millrace.example/sdk/domains/all"
	"millrace.example/sdk/domains/commands"
)

type vector struct {
	Name        string           `json:"name"`
	Domain      string           `json:"domain"`
	Topic       string           `json:"topic"`
	Value       map[string]any   `json:"value"`
	Bytes       string           `json:"bytes"`
	Framed      string           `json:"framed"`
	JSON        string           `json:"json"`
	AggregateID string           `json:"aggregate_id"`
	Key         string           `json:"key"`
	Partition   map[string]int32 `json:"partition"`
	SchemaID    uint32           `json:"schema_id"`
	Unknown     map[string]any   `json:"unknown"`
}

// topic is any topic, as the vectors take it.
type topic struct {
	schemaID uint32
	schema   string
	commands *millrace.CommandTopic
	events   *millrace.EventTopic
}

func load[T any](t testing.TB, name string) (whole T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&whole); err != nil {
		t.Fatal(err)
	}
	return whole
}

func loadAll(t testing.TB) (map[string]topic, []vector) {
	t.Helper()
	topics, vectors := map[string]topic{}, []vector(nil)
	for name, domain := range all.Domains {
		file := load[struct {
			Topics map[string]struct {
				SchemaID uint32 `json:"schema_id"`
			} `json:"topics"`
			Vectors []vector `json:"vectors"`
		}](t, name+".json")
		id := func(of string) uint32 { return file.Topics[of].SchemaID }
		topics[domain.Commands.Name] = topic{schemaID: id(domain.Commands.Name), schema: domain.Commands.Schema, commands: domain.Commands}
		topics[domain.Events.Name] = topic{schemaID: id(domain.Events.Name), schema: domain.Events.Schema, events: domain.Events}
		topics[domain.Outcomes.Name] = topic{schemaID: id(domain.Outcomes.Name), schema: domain.Outcomes.Schema}
		vectors = append(vectors, file.Vectors...)
	}
	slices.SortFunc(vectors, func(one, other vector) int { return strings.Compare(one.Name, other.Name) })
	return topics, vectors
}

func (t topic) decode(body []byte) (any, error) {
	switch {
	case t.commands != nil:
		return orNil(t.commands.Decode(body))
	case t.events != nil:
		return orNil(t.events.Decode(body))
	}
	return orNil(millrace.DecodeOutcome(body))
}

func (t topic) read(versions *millrace.Versions, framed []byte) (any, error) {
	switch {
	case t.commands != nil:
		return orNil(t.commands.Read(versions, framed))
	case t.events != nil:
		return orNil(t.events.Read(versions, framed))
	}
	return orNil(millrace.OutcomeTopic{}.Read(versions, framed))
}

func orNil[T any](value *T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return value, nil
}

func (t topic) encode(value any) ([]byte, error) {
	switch value := value.(type) {
	case *millrace.Command:
		return t.commands.AppendCommand(nil, value)
	case *millrace.Event:
		return t.events.AppendEvent(nil, value)
	default:
		return millrace.AppendOutcome(nil, value.(*millrace.Outcome))
	}
}

func record(t testing.TB, value codec.Record) any {
	t.Helper()
	text, err := codec.AppendJSON(nil, value, nil)
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, text)
}

func parsed(t testing.TB, text []byte) (value any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

// shown is a message as vectors have it; longs are compared as their digits, whether they are numbers or texts.
func shown(t testing.TB, value any) map[string]any {
	t.Helper()
	switch value := value.(type) {
	case *millrace.Command:
		return digits(map[string]any{"id": value.ID, "type": value.Data.Type(), "metadata": record(t, &value.Metadata), "data": record(t, value.Data)}).(map[string]any)
	case *millrace.Event:
		whole := envelope(t, value)
		whole["data"] = digits(record(t, value.Data))
		return whole
	default:
		return digits(record(t, value.(*millrace.Outcome))).(map[string]any)
	}
}

func envelope(t testing.TB, event *millrace.Event) map[string]any {
	t.Helper()
	return digits(map[string]any{
		"id": event.ID, "type": event.Data.Type(), "metadata": record(t, &event.Metadata), "aggregate_id": event.AggregateID,
		"version": strconv.FormatInt(event.Version, 10), "command_id": event.CommandID,
		"command_offset": strconv.FormatInt(event.CommandOffset, 10), "recorded_at": strconv.FormatInt(event.RecordedAt, 10),
	}).(map[string]any)
}

func digits(value any) any {
	switch value := value.(type) {
	case json.Number:
		return value.String()
	case []any:
		for at := range value {
			value[at] = digits(value[at])
		}
	case map[string]any:
		for name := range value {
			value[name] = digits(value[name])
		}
	}
	return value
}

// given is a message out of what vectors have.
func (t topic) given(tb testing.TB, value map[string]any) any {
	tb.Helper()
	check := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	name, _ := value["type"].(string)
	switch {
	case t.commands != nil:
		command := &millrace.Command{ID: value["id"].(string), Data: t.commands.New(name)}
		check(codec.FromValue(value["metadata"], command.Metadata.Read))
		check(codec.FromValue(value["data"], command.Data.Read))
		return command
	case t.events != nil:
		event := &millrace.Event{Data: t.events.New(name)}
		check(codec.FromValue(value["metadata"], event.Metadata.Read))
		check(codec.FromValue(value["data"], event.Data.Read))
		check(codec.FromValue(value, func(in codec.Source) {
			event.ID, event.AggregateID, event.CommandID = in.Text("id"), in.Text("aggregate_id"), in.Text("command_id")
			event.Version, event.CommandOffset, event.RecordedAt = in.Long("version"), in.Long("command_offset"), in.Long("recorded_at")
		}))
		return event
	}
	outcome := &millrace.Outcome{}
	check(codec.FromValue(value, outcome.Read))
	return outcome
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	value, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestEveryDomainHasVectors(t *testing.T) {
	_, vectors := loadAll(t)
	names, err := filepath.Glob("../vectors/*.json")
	if err != nil || len(names) != len(all.Domains)+4 || len(vectors) < 2000 {
		t.Errorf("%v: %d files, %d domains, %d vectors", err, len(names), len(all.Domains), len(vectors))
	}
	if commands.PostChirp != "PostChirp" {
		t.Error(commands.PostChirp)
	}
}

func TestValuesAreTheBytesOfTheVectors(t *testing.T) {
	topics, vectors := loadAll(t)
	for _, v := range vectors {
		of := topics[v.Topic]
		body := unhex(t, v.Bytes)
		read, err := of.decode(body)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if found := shown(t, read); !reflect.DeepEqual(found, digits(v.Value)) {
			t.Fatalf("%s:\n%v\n%v", v.Name, found, v.Value)
		}
		given := of.given(t, v.Value)
		for _, value := range []any{read, given} {
			written, err := of.encode(value)
			if err != nil || hex.EncodeToString(written) != v.Bytes {
				t.Fatalf("%s: %v\n%x\n%s", v.Name, err, written, v.Bytes)
			}
		}
		if !reflect.DeepEqual(read, given) {
			t.Fatalf("%s: %#v\n%#v", v.Name, read, given)
		}
		framed := append(millrace.AppendFrame(nil, of.schemaID), body...)
		if hex.EncodeToString(framed) != v.Framed {
			t.Fatalf("%s: %x", v.Name, framed)
		}
		if id, inside, err := millrace.Unframe(framed); err != nil || id != of.schemaID || !bytes.Equal(inside, body) {
			t.Fatal(id, err)
		}
		checkPlace(t, v, read)
		checkJSON(t, v, read)
	}
}

func checkPlace(t *testing.T, v vector, read any) {
	t.Helper()
	var data millrace.MessageData
	switch read := read.(type) {
	case *millrace.Command:
		data = read.Data
	case *millrace.Event:
		data = read.Data
	default:
		return
	}
	if data.RoutingKey() != v.Key || data.AggregateID() != v.AggregateID || data.Domain() != v.Domain {
		t.Errorf("%s: %s %s %s", v.Name, data.RoutingKey(), data.AggregateID(), data.Domain())
	}
	checkPartitions(t, v.Key, v.Partition)
}

func checkPartitions(t *testing.T, key string, partition map[string]int32) {
	t.Helper()
	for of, at := range partition {
		partitions, err := strconv.ParseInt(of, 10, 32)
		if found := millrace.PartitionOf(key, int32(partitions)); err != nil || found != at {
			t.Errorf("%q of %s: %d, not %d", key, of, found, at)
		}
	}
}

func checkJSON(t *testing.T, v vector, read any) {
	t.Helper()
	switch read := read.(type) {
	case *millrace.Command:
		text, err := millrace.AppendCommandJSON(nil, read)
		if err != nil || string(text) != v.JSON {
			t.Errorf("%s: %v\n%s\n%s", v.Name, err, text, v.JSON)
		}
	case *millrace.Outcome:
		text, err := codec.AppendJSON(nil, read, nil)
		if err != nil || string(text) != v.JSON {
			t.Errorf("%s: %v\n%s\n%s", v.Name, err, text, v.JSON)
		}
		if again, err := millrace.OutcomeFromJSON(text); err != nil || !reflect.DeepEqual(again, read) {
			t.Errorf("%s: %v %v", v.Name, again, err)
		}
	}
}

func TestKeysAndIDs(t *testing.T) {
	keys := load[struct {
		Vectors []struct {
			Key       string
			Murmur2   uint32
			Partition map[string]int32
		}
	}](t, "keys.json")
	for _, v := range keys.Vectors {
		if found := millrace.Murmur2([]byte(v.Key)); found != v.Murmur2 {
			t.Errorf("%q: %d", v.Key, found)
		}
		checkPartitions(t, v.Key, v.Partition)
	}
	ids := load[struct {
		Vectors []struct {
			Of, Message, Process, Step, ID string
			Index                          int
		}
	}](t, "ids.json")
	for _, v := range ids.Vectors {
		found := millrace.StepID(v.Process, v.Step)
		if v.Of == "event" {
			found = millrace.EventID(v.Message, v.Index)
		}
		if found != v.ID {
			t.Errorf("%v: %s", v, found)
		}
	}
	one, other := millrace.NewID(), millrace.NewID()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if !form.MatchString(one) || one == other || !millrace.IsID(one) || millrace.IsID("a/b") {
		t.Error(one, other)
	}
}

func TestTwmbAvroReadsAndWritesTheSame(t *testing.T) {
	topics, vectors := loadAll(t)
	schemas := map[string]*avro.Schema{}
	for name, of := range topics {
		schema, err := avro.Parse(of.schema)
		if err != nil {
			t.Fatal(err)
		}
		schemas[name] = schema
	}
	for _, v := range vectors {
		schema, body := schemas[v.Topic], unhex(t, v.Bytes)
		var value any
		rest, err := schema.Decode(body, &value, avro.TaggedUnions())
		if err != nil || len(rest) > 0 {
			t.Fatalf("%s: %v, %d bytes are left", v.Name, err, len(rest))
		}
		written, err := schema.AppendEncode(nil, value, avro.TaggedUnions())
		if err != nil || !bytes.Equal(written, body) {
			t.Fatalf("%s: %v\n%x\n%x", v.Name, err, written, body)
		}
	}
}

func TestWhatIsNoMessageIsRefused(t *testing.T) {
	topics, vectors := loadAll(t)
	invalid := load[struct{ Vectors []vector }](t, "invalid.json")
	for _, v := range invalid.Vectors {
		if read, err := topics[v.Topic].decode(unhex(t, v.Bytes)); !errors.Is(err, millrace.ErrBadMessage) {
			t.Errorf("%s: %v %v", v.Name, read, err)
		}
	}
	for _, v := range vectors {
		body := unhex(t, v.Bytes)
		for cut := range body {
			if _, err := topics[v.Topic].decode(body[:cut]); !errors.Is(err, millrace.ErrBadMessage) {
				t.Fatalf("%s cut at %d: %v", v.Name, cut, err)
			}
		}
	}
}

func TestAnErrorNamesTheField(t *testing.T) {
	topics, vectors := loadAll(t)
	of := topics["chirp.commands"]
	at := slices.IndexFunc(vectors, func(v vector) bool { return v.Name == "chirp.commands/PostChirp/5" })
	body := unhex(t, vectors[at].Bytes)
	_, err := of.decode(body[:len(body)-1])
	var bad *codec.Error
	if !errors.As(err, &bad) || !strings.HasPrefix(bad.Field, "data.") || !strings.Contains(bad.Reason, "cut off") {
		t.Error(err)
	}
	command := of.given(t, vectors[at].Value).(*millrace.Command)
	reflect.ValueOf(command.Data).Elem().FieldByName("Content").SetString("\xff")
	if _, err := of.encode(command); err == nil || err.Error() != "data.content: a text that is not UTF-8" {
		t.Error(err)
	}
}

type evolution struct {
	Schemas []struct {
		ID                     uint32
		Topic, Version, Schema string
	}
	Vectors []vector
}

func TestWhatOtherVersionsHaveWrittenIsRead(t *testing.T) {
	topics, _ := loadAll(t)
	evolved := load[evolution](t, "evolution.json")
	versions := map[string]*millrace.Versions{}
	for name, of := range topics {
		versions[name] = millrace.NewVersions(of.schema)
	}
	for _, schema := range evolved.Schemas {
		versions[schema.Topic].Learn(schema.ID, schema.Schema)
	}
	unknown := 0
	for _, v := range evolved.Vectors {
		framed := unhex(t, v.Framed)
		read, err := topics[v.Topic].read(versions[v.Topic], framed)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if v.Unknown == nil {
			if found := shown(t, read); !reflect.DeepEqual(found, digits(v.Value)) {
				t.Fatalf("%s:\n%v\n%v", v.Name, found, v.Value)
			}
		} else {
			unknown++
			found := map[string]any{}
			switch read := read.(type) {
			case *millrace.Command:
				found = map[string]any{"id": read.ID, "type": read.Data.(*millrace.Unknown).Name, "metadata": digits(record(t, &read.Metadata))}
			case *millrace.Event:
				_ = read.Data.(*millrace.Unknown)
				found = envelope(t, read)
			}
			if !reflect.DeepEqual(found, digits(v.Unknown)) {
				t.Fatalf("%s:\n%v\n%v", v.Name, found, v.Unknown)
			}
		}
		for cut := 5; cut < len(framed); cut++ {
			if _, err := topics[v.Topic].read(versions[v.Topic], framed[:cut]); !errors.Is(err, millrace.ErrBadMessage) {
				t.Fatalf("%s cut at %d: %v", v.Name, cut, err)
			}
		}
	}
	if unknown < 20 {
		t.Error(unknown)
	}
	_, err := topics["chirp.events"].read(versions["chirp.events"], []byte{0, 9, 9, 9, 9})
	if !errors.Is(err, millrace.ErrUnknownSchema) {
		t.Error(err)
	}
}

func TestInputsThatWereChangedAreReadOrRefused(t *testing.T) {
	count := 20_000
	if more, err := strconv.Atoi(os.Getenv("MUTATIONS")); err == nil {
		count = more
	}
	topics, vectors := loadAll(t)
	evolved := load[evolution](t, "evolution.json")
	versions, newer := map[string]*millrace.Versions{}, map[string]uint32{}
	for name, of := range topics {
		versions[name] = millrace.NewVersions(of.schema)
		versions[name].Learn(of.schemaID, of.schema)
	}
	for _, schema := range evolved.Schemas {
		versions[schema.Topic].Learn(schema.ID, schema.Schema)
		if schema.Version == "newer" {
			newer[schema.Topic] = schema.ID
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range count {
		v := vectors[random.IntN(len(vectors))]
		framed := unhex(t, v.Framed)
		if random.IntN(2) == 0 {
			binary.BigEndian.PutUint32(framed[1:], newer[v.Topic])
		}
		for range 1 + random.IntN(4) {
			at := random.IntN(len(framed))
			if random.IntN(4) == 0 {
				framed = framed[:at+1]
			} else {
				framed[at] = []byte{0, 1, 0x7f, 0x80, 0xff, byte(random.Uint32())}[random.IntN(6)]
			}
		}
		_, err := topics[v.Topic].read(versions[v.Topic], framed)
		if err != nil && !errors.Is(err, millrace.ErrBadMessage) && !errors.Is(err, millrace.ErrUnknownSchema) {
			t.Fatal(fmt.Errorf("%s: %w", v.Name, err))
		}
		if err != nil {
			refused++
		}
	}
	if refused < count/4 || refused == count {
		t.Errorf("%d of %d were refused", refused, count)
	}
}
