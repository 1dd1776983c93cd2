// Package common holds what the two Go clients of the table share: Avro as docs/producers.md says it, and how results are told.
package common

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hamba/avro/v2"
)

var (
	Kafka    = os.Getenv("KAFKA")
	Registry = os.Getenv("REGISTRY")
	Run      = os.Getenv("RUN")
)

// Wait is the longest that anything may take.
const Wait = 60 * time.Second

// Result is what a case found.
type Result = map[string]any

// Main runs the cases named in the arguments and tells each result on a line.
func Main(cases map[string]func() (Result, error)) {
	for _, name := range os.Args[1:] {
		line := map[string]any{"case": name}
		if result, err := cases[name](); err != nil {
			line["error"] = err.Error()
		} else {
			line["result"] = result
		}
		text, _ := json.Marshal(line)
		fmt.Println(string(text))
	}
}

// Command is one of the eight of the case `job`.
type Command struct {
	User, ID string
	Value    []byte
}

func fetch(path string) (int, avro.Schema, error) {
	answer, err := http.Get(Registry + path)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	var found struct {
		ID     int    `json:"id"`
		Schema string `json:"schema"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil {
		return 0, nil, err
	}
	// A cache of its own: the same name is another record in another schema.
	schema, err := avro.ParseWithCache(found.Schema, "", &avro.SchemaCache{})
	return found.ID, schema, err
}

// Commands makes the eight commands: a zero byte, the schema's id in four, and the Avro body.
func Commands(client string) ([]Command, error) {
	id, schema, err := fetch("/subjects/chirp.commands-value/versions/1")
	if err != nil {
		return nil, err
	}
	commands := make([]Command, 8)
	for n := range commands {
		user := fmt.Sprintf("%s-%s-%d", client, Run, n)
		command := map[string]any{
			"id": "job-" + user,
			"metadata": map[string]any{
				"trace_id": nil, "user_id": nil, "correlation_id": nil, "causation_id": nil, "expected_version": nil,
				"issued_at": time.Now(),
			},
			"data": map[string]any{"millrace.chirp.commands.RegisterUser": map[string]any{
				"user_id": user, "username": fmt.Sprintf("%.6s_%s_%d", client, Run, n),
			}},
		}
		body, err := avro.Marshal(schema, command)
		if err != nil {
			return nil, err
		}
		value := binary.BigEndian.AppendUint32([]byte{0}, uint32(id))
		commands[n] = Command{user, "job-" + user, append(value, body...)}
	}
	return commands, nil
}

var schemas = map[uint32]avro.Schema{}

// Decode reads a value by the schema it was written with.
func Decode(value []byte) (map[string]any, error) {
	id := binary.BigEndian.Uint32(value[1:5])
	if schemas[id] == nil {
		_, schema, err := fetch(fmt.Sprintf("/schemas/ids/%d", id))
		if err != nil {
			return nil, err
		}
		schemas[id] = schema
	}
	found := map[string]any{}
	return found, avro.Unmarshal(schemas[id], value[5:], &found)
}

// Answers collects the outcomes of the case `job`.
type Answers map[string][]map[string]any

// Take notes an outcome if it is of one of the commands.
func (answers Answers) Take(value []byte) error {
	outcome, err := Decode(value)
	if err != nil {
		return err
	}
	id := outcome["command_id"].(string)
	if _, mine := answers[id]; mine {
		answers[id] = append(answers[id], outcome)
	}
	return nil
}

// All says whether every command is answered.
func (answers Answers) All() bool {
	for _, of := range answers {
		if len(of) == 0 {
			return false
		}
	}
	return true
}

// AnswersTo begins with none.
func AnswersTo(commands []Command) Answers {
	answers := Answers{}
	for _, command := range commands {
		answers[command.ID] = nil
	}
	return answers
}

// Told is the result of the case `job`.
func (answers Answers) Told(first string) Result {
	accepted := 0
	for _, of := range answers {
		if of[0]["status"] == "accepted" {
			accepted++
		}
	}
	outcomes := fmt.Sprintf("%d accepted", accepted)
	if accepted != len(answers) {
		outcomes = fmt.Sprint(answers)
	}
	again := answers[first][1]
	text := fmt.Sprint(again["status"])
	if again["duplicate"] == true {
		text += ", duplicate"
	}
	return Result{"outcomes": outcomes, "again": text}
}

// Registered gives the user of an event that registers one of the client's.
func Registered(client string, value []byte) (string, error) {
	event, err := Decode(value)
	if err != nil {
		return "", err
	}
	data, _ := event["data"].(map[string]any)
	for kind, fields := range data {
		user, _ := fields.(map[string]any)["user_id"].(string)
		if strings.HasSuffix(kind, ".UserRegistered") && strings.HasPrefix(user, client+"-"+Run+"-") {
			return user, nil
		}
	}
	return "", nil
}

// Keys are those of the case `keys`.
func Keys() []string {
	keys := make([]string, 500)
	for n := range keys {
		keys[n] = fmt.Sprintf("key-%d", n)
		if n >= 480 {
			keys[n] = fmt.Sprintf("schlüssel-%d", n-480)
		}
	}
	return keys
}

// Murmur2 is the hash of Kafka's Java client.
func Murmur2(data []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		h = h*m ^ (k^k>>24)*m
	}
	for n := len(data) - 1; n >= 0; n-- {
		h ^= uint32(data[n]) << (8 * n)
	}
	if len(data) > 0 {
		h *= m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

// Belongs is the partition of a key: murmur2, masked to 31 bits, modulo the number of partitions.
func Belongs(key []byte, partitions int32) int32 {
	return int32(Murmur2(key)&0x7fffffff) % partitions
}
