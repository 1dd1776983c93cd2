// Identity's aggregator: follows the events on Kafka and keeps the view data in a file of bbolt.
//
// Rows, and how far they go, are one transaction. So it may be killed at any time: it goes on where its rows end.
//
// TOPIC_PREFIX is what the names of the deployment's topics begin with, if they do.
//
//	KAFKA=127.0.0.1:9092 REGISTRY=http://127.0.0.1:8081 identity-aggregator FOLDER   follows, and says what it has applied
//	identity-aggregator FOLDER --rows                                                prints the rows
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	bolt "go.etcd.io/bbolt"

	millrace "millrace.example/sdk"
	"millrace.example/sdk/domains/identity"
)

var (
	// progress is, for each partition, the offset of the next event.
	progress = []byte("progress")
	// count is how many events were applied.
	count = []byte("count")
)

func main() {
	if err := run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) < 2 {
		return errors.New("usage: identity-aggregator FOLDER [--rows]")
	}
	if err := os.MkdirAll(os.Args[1], 0o755); err != nil {
		return err
	}
	store, err := bolt.Open(filepath.Join(os.Args[1], "identity.db"), 0o644, nil)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.Update(create); err != nil {
		return err
	}
	if len(os.Args) > 2 && os.Args[2] == "--rows" {
		return store.View(printRows)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return follow(ctx, store, os.Getenv("KAFKA"), os.Getenv("REGISTRY"))
}

func create(tx *bolt.Tx) error {
	for _, name := range [][]byte{users, people, progress} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

// follow applies what there is and what comes, until ctx ends.
func follow(ctx context.Context, store *bolt.DB, kafka, registryURL string) error {
	registry, err := sr.NewClient(sr.URLs(registryURL))
	if err != nil {
		return err
	}
	topic := os.Getenv("TOPIC_PREFIX") + identity.Events.Name
	begin, err := begins(ctx, store, kafka, topic)
	if err != nil {
		return err
	}
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(kafka), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: begin}),
	)
	if err != nil {
		return err
	}
	defer consumer.Close()
	versions := millrace.NewVersions(identity.Events.Schema)
	if err := store.View(report); err != nil {
		return err
	}
	for {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		records := fetches.Records()
		if len(records) == 0 {
			continue
		}
		err := store.Update(func(tx *bolt.Tx) error {
			for _, record := range records {
				event, err := read(ctx, registry, versions, record.Value)
				if err != nil {
					return fmt.Errorf("partition %d, offset %d: %w", record.Partition, record.Offset, err)
				}
				if err := apply(tx, event); err != nil {
					return err
				}
				if err := note(tx, partitionKey(record.Partition), uint64(record.Offset)+1); err != nil {
					return err
				}
			}
			return note(tx, count, number(tx, count)+uint64(len(records)))
		})
		if err != nil {
			return err
		}
		if err := store.View(report); err != nil {
			return err
		}
	}
}

// begins are the offsets where the rows end, of every partition that there is.
func begins(ctx context.Context, store *bolt.DB, kafka, topic string) (map[int32]kgo.Offset, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return nil, err
	}
	if err := topics.Error(); err != nil {
		return nil, err
	}
	begin := map[int32]kgo.Offset{}
	err = store.View(func(tx *bolt.Tx) error {
		for _, partition := range topics[topic].Partitions.Numbers() {
			begin[partition] = kgo.NewOffset().At(int64(number(tx, partitionKey(partition))))
		}
		return nil
	})
	return begin, err
}

// read reads an event, by whichever version of the schema it was written with.
func read(ctx context.Context, registry *sr.Client, versions *millrace.Versions, framed []byte) (*millrace.Event, error) {
	event, err := identity.Events.Read(versions, framed)
	var unknown *millrace.UnknownSchemaError
	if !errors.As(err, &unknown) {
		return event, err
	}
	schema, err := registry.SchemaByID(ctx, int(unknown.SchemaID))
	if err != nil {
		return nil, err
	}
	versions.Learn(unknown.SchemaID, schema.Schema)
	return identity.Events.Read(versions, framed)
}

// report says how many events the rows come from.
func report(tx *bolt.Tx) error {
	_, err := fmt.Printf("applied %d\n", number(tx, count))
	return err
}

func partitionKey(partition int32) []byte { return fmt.Appendf(nil, "partition %d", partition) }

func number(tx *bolt.Tx, key []byte) uint64 {
	if found := tx.Bucket(progress).Get(key); found != nil {
		return binary.BigEndian.Uint64(found)
	}
	return 0
}

func note(tx *bolt.Tx, key []byte, value uint64) error {
	return tx.Bucket(progress).Put(key, binary.BigEndian.AppendUint64(nil, value))
}

// printRows prints every row as a line of JSON, with the name of its view.
func printRows(tx *bolt.Tx) error {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, view := range [][]byte{users, people} {
		err := tx.Bucket(view).ForEach(func(_, text []byte) error {
			row, err := columns(string(view), text)
			if err != nil {
				return err
			}
			return out.Encode(map[string]any{"view": string(view), "row": row})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
