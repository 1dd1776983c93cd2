package millrace_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/twmb/avro"

	millrace "millrace.example/sdk"
)

// benchmark measures our code and twmb/avro, reading and writing the commands and events of the vectors; an operation is all of them.
type benchmark struct {
	topic  topic
	schema *avro.Schema
	body   []byte
	own    any
	peer   any
}

func benchmarks(b *testing.B) []benchmark {
	topics, vectors := loadAll(b)
	schemas := map[string]*avro.Schema{}
	var all []benchmark
	for _, v := range vectors {
		of := topics[v.Topic]
		if of.commands == nil && of.events == nil {
			continue
		}
		if schemas[v.Topic] == nil {
			schema, err := avro.Parse(of.schema)
			if err != nil {
				b.Fatal(err)
			}
			schemas[v.Topic] = schema
		}
		one := benchmark{topic: of, schema: schemas[v.Topic], body: unhex(b, v.Bytes)}
		var err error
		if one.own, err = of.decode(one.body); err != nil {
			b.Fatal(err)
		}
		if _, err := one.schema.Decode(one.body, &one.peer, avro.TaggedUnions()); err != nil {
			b.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func measure(b *testing.B, each func(*benchmark) error) {
	all := benchmarks(b)
	b.ReportAllocs()
	begun := spent(b)
	for b.Loop() {
		for at := range all {
			if err := each(&all[at]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64((spent(b)-begun).Nanoseconds())/float64(b.N)/float64(len(all)), "ns/message")
}

// spent is what this process has had of the processor: others on the machine are not measured.
func spent(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkDecodeMillrace(b *testing.B) {
	measure(b, func(it *benchmark) error {
		_, err := it.topic.decode(it.body)
		return err
	})
}

func BenchmarkDecodeTwmbAvro(b *testing.B) {
	measure(b, func(it *benchmark) error {
		var value any
		_, err := it.schema.Decode(it.body, &value, avro.TaggedUnions())
		return err
	})
}

func BenchmarkEncodeMillrace(b *testing.B) {
	buffer := []byte(nil)
	measure(b, func(it *benchmark) (err error) {
		if command, is := it.own.(*millrace.Command); is {
			buffer, err = it.topic.commands.AppendCommand(buffer[:0], command)
			return err
		}
		buffer, err = it.topic.events.AppendEvent(buffer[:0], it.own.(*millrace.Event))
		return err
	})
}

func BenchmarkEncodeTwmbAvro(b *testing.B) {
	buffer := []byte(nil)
	measure(b, func(it *benchmark) (err error) {
		buffer, err = it.schema.AppendEncode(buffer[:0], it.peer, avro.TaggedUnions())
		return err
	})
}
