// Package kafka is a client on Kafka, by franz-go: commands and their outcomes, and events.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	millrace "millrace.example/sdk"
	"millrace.example/sdk/domains/all"
)

// Client sends commands and reads what became of them. A command goes to the partition that its routing key belongs to, whatever
// partitioner the options name. It may be used by several goroutines.
type Client struct {
	options  []kgo.Opt
	registry *sr.Client
	prefix   string
	producer *kgo.Client

	mutex   sync.Mutex
	domains map[string]*domain
}

// New is a client of a registry and of brokers with these options, [kgo.SeedBrokers] among them; prefix is that of the topics.
func New(registry *sr.Client, prefix string, options ...kgo.Opt) (*Client, error) {
	own := append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks())}, options...)
	producer, err := kgo.NewClient(own...)
	if err != nil {
		return nil, err
	}
	return &Client{options: options, registry: registry, prefix: prefix, producer: producer, domains: map[string]*domain{}}, nil
}

// Close lets go of all connections.
func (c *Client) Close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, one := range c.domains {
		one.consumer.Close()
	}
	c.producer.Close()
}

// Send sends a command and waits for what becomes of it, until ctx ends: then send the very same command again.
func (c *Client) Send(ctx context.Context, command *millrace.Command) (*millrace.Outcome, error) {
	of, err := c.of(ctx, command.Data.Domain())
	if err != nil {
		return nil, err
	}
	value, err := of.topics.Commands.AppendCommand(millrace.AppendFrame(nil, of.schemaID), command)
	if err != nil {
		return nil, err
	}
	key := command.Data.RoutingKey()
	answer := of.await(command.ID)
	defer of.forget(command.ID)
	record := &kgo.Record{
		Topic: c.prefix + of.topics.Commands.Name, Key: []byte(key), Value: value,
		Partition: millrace.PartitionOf(key, of.partitions),
	}
	if err := c.producer.ProduceSync(ctx, record).FirstErr(); err != nil {
		return nil, err
	}
	select {
	case told := <-answer:
		return told.outcome, told.err
	case <-ctx.Done():
		return nil, fmt.Errorf("nobody has said in time what became of command %s: %w", command.ID, ctx.Err())
	}
}

// of is a domain, whose outcomes are read from the first time on.
func (c *Client) of(ctx context.Context, name string) (*domain, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if known := c.domains[name]; known != nil {
		return known, nil
	}
	topics, is := all.Domains[name]
	if !is {
		return nil, fmt.Errorf("there is no domain %s", name)
	}
	schema, err := c.registry.LookupSchema(ctx, c.prefix+topics.Commands.Name+"-value", sr.Schema{Schema: topics.Commands.Schema})
	if err != nil {
		return nil, fmt.Errorf("the schema of %s that this package was made with: %w (the deployment may be older, or of another kind: take the package of its version)", topics.Commands.Name, err)
	}
	outcomes := c.prefix + topics.Outcomes.Name
	ends, err := kadm.NewClient(c.producer).ListEndOffsets(ctx, outcomes)
	if err != nil {
		return nil, err
	}
	begin := map[int32]kgo.Offset{}
	for partition, end := range ends[outcomes] {
		if end.Err != nil {
			return nil, end.Err
		}
		begin[partition] = kgo.NewOffset().At(end.Offset)
	}
	own := append([]kgo.Opt{
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{outcomes: begin}), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	}, c.options...)
	consumer, err := kgo.NewClient(own...)
	if err != nil {
		return nil, err
	}
	one := &domain{
		topics: topics, schemaID: uint32(schema.ID), partitions: int32(len(begin)), consumer: consumer,
		versions: millrace.NewVersions(topics.Outcomes.Schema), registry: c.registry, waiting: map[string]chan told{},
	}
	go one.follow()
	c.domains[name] = one
	return one, nil
}

type told struct {
	outcome *millrace.Outcome
	err     error
}

type domain struct {
	topics     millrace.Domain
	schemaID   uint32
	partitions int32
	consumer   *kgo.Client
	versions   *millrace.Versions
	registry   *sr.Client

	mutex   sync.Mutex
	waiting map[string]chan told
}

func (d *domain) await(commandID string) <-chan told {
	answer := make(chan told, 1)
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.waiting[commandID] = answer
	return answer
}

func (d *domain) forget(commandID string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	delete(d.waiting, commandID)
}

// follow tells those who wait, until the client is closed.
func (d *domain) follow() {
	for {
		fetches := d.consumer.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(func(record *kgo.Record) {
			d.mutex.Lock()
			answer := d.waiting[string(record.Key)]
			delete(d.waiting, string(record.Key))
			d.mutex.Unlock()
			if answer != nil {
				outcome, err := read(context.Background(), d.registry, d.versions, record.Value, d.topics.Outcomes.Read)
				answer <- told{outcome: outcome, err: err}
			}
		})
	}
}

// read reads a message, whose schema is asked for if it is not known.
func read[M any](ctx context.Context, registry *sr.Client, versions *millrace.Versions, framed []byte, read func(*millrace.Versions, []byte) (*M, error)) (*M, error) {
	message, err := read(versions, framed)
	var unknown *millrace.UnknownSchemaError
	if !errors.As(err, &unknown) {
		return message, err
	}
	schema, err := registry.SchemaByID(ctx, int(unknown.SchemaID))
	if err != nil {
		return nil, err
	}
	versions.Learn(unknown.SchemaID, schema.Schema)
	return read(versions, framed)
}

// Events tells of the events of a domain from the first one on, partition by partition in their order, until ctx ends or told says no.
func (c *Client) Events(ctx context.Context, name string, told func(*millrace.Event) bool) error {
	topics, is := all.Domains[name]
	if !is {
		return fmt.Errorf("there is no domain %s", name)
	}
	return follow(ctx, c, topics.Events.Name, topics.Events.Schema, topics.Events.Read, told)
}

// Outcomes tells of what became of the commands of a domain, whoever sent them, from the oldest outcome that is kept on, until ctx
// ends or told says no.
func (c *Client) Outcomes(ctx context.Context, name string, told func(*millrace.Outcome) bool) error {
	topics, is := all.Domains[name]
	if !is {
		return fmt.Errorf("there is no domain %s", name)
	}
	return follow(ctx, c, topics.Outcomes.Name, topics.Outcomes.Schema, topics.Outcomes.Read, told)
}

func follow[M any](ctx context.Context, c *Client, topic, schema string, one func(*millrace.Versions, []byte) (*M, error), told func(*M) bool) error {
	own := append([]kgo.Opt{
		kgo.ConsumeTopics(c.prefix + topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	}, c.options...)
	consumer, err := kgo.NewClient(own...)
	if err != nil {
		return err
	}
	defer consumer.Close()
	versions := millrace.NewVersions(schema)
	for {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			message, err := read(ctx, c.registry, versions, record.Value, one)
			if err != nil {
				return fmt.Errorf("partition %d, offset %d: %w", record.Partition, record.Offset, err)
			}
			if !told(message) {
				return nil
			}
		}
	}
}
