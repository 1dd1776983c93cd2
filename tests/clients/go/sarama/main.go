// The table's cases with sarama.
package main

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"millrace.example/clients/common"
)

type result = common.Result

func main() {
	common.Main(map[string]func() (result, error){
		"job": job, "events": events, "keys": keys, "records": records, "codecs": codecs, "group": group,
		"transaction": transaction, "lookups": lookups, "admin": administration, "groups": groups, "log-dirs": logDirs,
	})
}

// murmur2 is Kafka's hash of a key, masked: sarama takes the absolute value of what Sum32 returns, which is another
// number where the hash is negative.
type murmur2 struct{ key []byte }

func newMurmur2() hash.Hash32 { return &murmur2{} }

func (m *murmur2) Write(key []byte) (int, error) { m.key = append(m.key, key...); return len(key), nil }
func (m *murmur2) Sum32() uint32                 { return common.Murmur2(m.key) & 0x7fffffff }
func (m *murmur2) Sum(b []byte) []byte           { return b }
func (m *murmur2) Reset()                        { m.key = nil }
func (m *murmur2) Size() int                     { return 4 }
func (m *murmur2) BlockSize() int                { return 4 }

func config(change ...func(*sarama.Config)) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewCustomPartitioner(sarama.WithCustomHashFunction(newMurmur2))
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	for _, change := range change {
		change(config)
	}
	return config
}

func name(what string) string { return fmt.Sprintf("sarama-%s-%s", what, common.Run) }

func admin() (sarama.ClusterAdmin, error) {
	return sarama.NewClusterAdmin([]string{common.Kafka}, config())
}

func topic(what string, partitions int32) (string, error) {
	admin, err := admin()
	if err != nil {
		return "", err
	}
	defer admin.Close()
	// some cases date their records back to 1970, and nothing may go meanwhile
	forever := "-1"
	detail := sarama.TopicDetail{
		NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &forever},
	}
	return name(what), admin.CreateTopic(name(what), &detail, false)
}

func put(messages []*sarama.ProducerMessage, change ...func(*sarama.Config)) error {
	producer, err := sarama.NewSyncProducer([]string{common.Kafka}, config(change...))
	if err != nil {
		return err
	}
	defer producer.Close()
	return producer.SendMessages(messages)
}

func texts(topic string, values ...string) []*sarama.ProducerMessage {
	var messages []*sarama.ProducerMessage
	for _, value := range values {
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)})
	}
	return messages
}

// read gives every partition's records from the first on to `take`, until it has enough.
func read(topic string, level sarama.IsolationLevel, take func(*sarama.ConsumerMessage) (bool, error)) error {
	consumer, err := sarama.NewConsumer([]string{common.Kafka}, config(func(c *sarama.Config) {
		c.Consumer.IsolationLevel = level
	}))
	if err != nil {
		return err
	}
	defer consumer.Close()
	partitions, err := consumer.Partitions(topic)
	if err != nil {
		return err
	}
	messages := make(chan *sarama.ConsumerMessage)
	done := make(chan struct{})
	var all sync.WaitGroup
	defer all.Wait()
	defer close(done)
	for _, partition := range partitions {
		reading, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		all.Add(1)
		go func() {
			defer all.Done()
			defer reading.AsyncClose()
			for {
				select {
				case message := <-reading.Messages():
					select {
					case messages <- message:
					case <-done:
						return
					}
				case <-done:
					return
				}
			}
		}()
	}
	late := time.After(common.Wait)
	for {
		select {
		case message := <-messages:
			if enough, err := take(message); enough || err != nil {
				return err
			}
		case <-late:
			return errors.New("too few records of " + topic)
		}
	}
}

func values(topic string, count int, level sarama.IsolationLevel) ([]string, error) {
	var found []string
	err := read(topic, level, func(m *sarama.ConsumerMessage) (bool, error) {
		found = append(found, string(m.Value))
		return len(found) == count, nil
	})
	return found, err
}

func job() (result, error) {
	commands, err := common.Commands("sarama")
	if err != nil {
		return nil, err
	}
	message := func(command common.Command) *sarama.ProducerMessage {
		return &sarama.ProducerMessage{Topic: "chirp.commands", Key: sarama.StringEncoder(command.User),
			Value: sarama.ByteEncoder(command.Value)}
	}
	var messages []*sarama.ProducerMessage
	for _, command := range commands {
		messages = append(messages, message(command))
	}
	if err := put(messages); err != nil {
		return nil, err
	}
	answers, repeated, first := common.AnswersTo(commands), false, commands[0]
	err = read("chirp.outcomes", sarama.ReadCommitted, func(m *sarama.ConsumerMessage) (bool, error) {
		if err := answers.Take(m.Value); err != nil {
			return false, err
		}
		if answers.All() && !repeated {
			repeated = true
			return false, put([]*sarama.ProducerMessage{message(first)})
		}
		return len(answers[first.ID]) > 1, nil
	})
	if err != nil {
		return nil, err
	}
	return answers.Told(first.ID), nil
}

func events() (result, error) {
	users := map[string]bool{}
	err := read("chirp.events", sarama.ReadCommitted, func(m *sarama.ConsumerMessage) (bool, error) {
		user, err := common.Registered("sarama", m.Value)
		if user != "" {
			users[user] = true
		}
		return len(users) == 8, err
	})
	return result{"registered": len(users)}, err
}

// unmaskedMurmur2 is what one would write first.
type unmaskedMurmur2 struct{ murmur2 }

func (m *unmaskedMurmur2) Sum32() uint32 { return common.Murmur2(m.key) }

func elsewhere(what string, partitioner sarama.PartitionerConstructor) (int, error) {
	topic, err := topic("keys-"+strings.ReplaceAll(what, " ", "-"), 7)
	if err != nil {
		return 0, err
	}
	var messages []*sarama.ProducerMessage
	for _, key := range common.Keys() {
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(key)})
	}
	if err := put(messages, func(c *sarama.Config) { c.Producer.Partitioner = partitioner }); err != nil {
		return 0, err
	}
	seen, elsewhere := 0, 0
	err = read(topic, sarama.ReadUncommitted, func(m *sarama.ConsumerMessage) (bool, error) {
		if seen++; common.Belongs(m.Key, 7) != m.Partition {
			elsewhere++
		}
		return seen == len(messages), nil
	})
	return elsewhere, err
}

func keys() (result, error) {
	unmasked := sarama.NewCustomPartitioner(sarama.WithCustomHashFunction(func() hash.Hash32 {
		return &unmaskedMurmur2{}
	}))
	told := result{}
	for what, partitioner := range map[string]sarama.PartitionerConstructor{
		"elsewhere":                config().Producer.Partitioner,
		"with its own partitioner": sarama.NewHashPartitioner,
		"without the mask":         unmasked,
	} {
		var err error
		if told[what], err = elsewhere(what, partitioner); err != nil {
			return nil, err
		}
	}
	return told, nil
}

func records() (result, error) {
	topic, err := topic("records", 1)
	if err != nil {
		return nil, err
	}
	at := time.UnixMilli(1_700_000_000_000)
	header := func(value string) sarama.RecordHeader {
		return sarama.RecordHeader{Key: []byte("h"), Value: []byte(value)}
	}
	err = put([]*sarama.ProducerMessage{
		{Topic: topic, Key: sarama.StringEncoder("k"), Value: sarama.StringEncoder("v"), Timestamp: at,
			Headers: []sarama.RecordHeader{header("1"), header("2")}},
		{Topic: topic, Key: sarama.StringEncoder("k"), Timestamp: at.Add(time.Millisecond)},
		{Topic: topic, Value: sarama.StringEncoder(""), Timestamp: at.Add(2 * time.Millisecond)},
	})
	if err != nil {
		return nil, err
	}
	text := func(bytes []byte) any {
		if bytes == nil {
			return nil
		}
		return string(bytes)
	}
	var found []any
	err = read(topic, sarama.ReadUncommitted, func(m *sarama.ConsumerMessage) (bool, error) {
		headers := []any{}
		for _, header := range m.Headers {
			headers = append(headers, []string{string(header.Key), string(header.Value)})
		}
		found = append(found, []any{fmt.Sprint(m.Offset), text(m.Key), text(m.Value), headers, m.Timestamp.UnixMilli()})
		return len(found) == 3, nil
	})
	return result{"records": found}, err
}

func codecs() (result, error) {
	topic, err := topic("codecs", 1)
	if err != nil {
		return nil, err
	}
	names := []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy,
		sarama.CompressionLZ4, sarama.CompressionZSTD}
	for _, codec := range names {
		text := strings.Repeat(codec.String(), 100)
		if err := put(texts(topic, text), func(c *sarama.Config) { c.Producer.Compression = codec }); err != nil {
			return nil, err
		}
	}
	found, err := values(topic, len(names), sarama.ReadUncommitted)
	if err != nil {
		return nil, err
	}
	var read []string
	for n, codec := range names {
		read = append(read, found[n][:len(codec.String())])
	}
	return result{"read": read}, nil
}

// member reads so many records, commits behind each and leaves.
type member struct {
	count int
	found []string
	stop  context.CancelFunc
}

func (*member) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*member) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		m.found = append(m.found, string(message.Value))
		session.MarkMessage(message, "")
		session.Commit()
		if len(m.found) == m.count {
			m.stop()
			return nil
		}
	}
	return nil
}

func consume(group, topic string, count int) ([]string, error) {
	ctx, stop := context.WithTimeout(context.Background(), common.Wait)
	defer stop()
	joined, err := sarama.NewConsumerGroup([]string{common.Kafka}, group, config())
	if err != nil {
		return nil, err
	}
	member := &member{count: count, stop: stop}
	for ctx.Err() == nil && err == nil {
		err = joined.Consume(ctx, []string{topic}, member)
	}
	return member.found, joined.Close()
}

func committed(group, topic string) (int64, error) {
	admin, err := admin()
	if err != nil {
		return 0, err
	}
	defer admin.Close()
	found, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
	if err != nil {
		return 0, err
	}
	return found.Blocks[topic][0].Offset, nil
}

func group() (result, error) {
	topic, err := topic("group", 1)
	if err != nil {
		return nil, err
	}
	if err := put(texts(topic, "0", "1", "2", "3", "4")); err != nil {
		return nil, err
	}
	first, err := consume(name("group"), topic, 3)
	if err != nil {
		return nil, err
	}
	offset, err := committed(name("group"), topic)
	if err != nil {
		return nil, err
	}
	second, err := consume(name("group"), topic, 2)
	return result{"first": first, "committed": offset, "second": second}, err
}

func transaction() (result, error) {
	topic, err := topic("transaction", 1)
	if err != nil {
		return nil, err
	}
	producer, err := sarama.NewSyncProducer([]string{common.Kafka}, config(func(c *sarama.Config) {
		c.Producer.Idempotent = true
		c.Producer.Transaction.ID = name("transaction")
		c.Net.MaxOpenRequests = 1
	}))
	if err != nil {
		return nil, err
	}
	offsets := map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: 0, Offset: 7}}}
	steps := []func() error{
		producer.BeginTxn,
		func() error { return producer.SendMessages(texts(topic, "a")) },
		func() error { return producer.AddOffsetsToTxn(offsets, name("transaction")) },
		producer.CommitTxn,
		producer.BeginTxn,
		func() error { return producer.SendMessages(texts(topic, "b")) },
		producer.AbortTxn,
		producer.Close,
		func() error { return put(texts(topic, "c")) },
	}
	for n, step := range steps {
		if err := step(); err != nil {
			return nil, fmt.Errorf("step %d: %w", n, err)
		}
	}
	some, err := values(topic, 2, sarama.ReadCommitted)
	if err != nil {
		return nil, err
	}
	all, err := values(topic, 3, sarama.ReadUncommitted)
	if err != nil {
		return nil, err
	}
	offset, err := committed(name("transaction"), topic)
	return result{"committed": some, "all": all, "offset": offset}, err
}

func lookups() (result, error) {
	topic, err := topic("lookups", 1)
	if err != nil {
		return nil, err
	}
	for _, at := range []int64{1000, 1001, 2000, 500} {
		message := &sarama.ProducerMessage{Topic: topic, Timestamp: time.UnixMilli(at)}
		if err := put([]*sarama.ProducerMessage{message}); err != nil {
			return nil, err
		}
	}
	client, err := sarama.NewClient([]string{common.Kafka}, config())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	found := result{}
	asked := map[string]int64{"earliest": sarama.OffsetOldest, "latest": sarama.OffsetNewest, "1000": 1000, "1001": 1001,
		"1500": 1500, "2001": 2001}
	for what, time := range asked {
		if found[what], err = client.GetOffset(topic, 0, time); err != nil {
			return nil, err
		}
	}
	return result{"create": found}, nil
}

func administration() (result, error) {
	admin, err := admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	topic, policy, kept := name("admin"), "compact,delete", "60000"
	detail := &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: map[string]*string{"cleanup.policy": &policy}}
	if err := admin.CreateTopic(topic, detail, false); err != nil {
		return nil, err
	}
	twice := "not refused"
	if err := admin.CreateTopic(topic, detail, false); errors.Is(err, sarama.ErrTopicAlreadyExists) {
		twice = "TOPIC_ALREADY_EXISTS"
	}
	change := map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &kept},
	}
	if err := admin.IncrementalAlterConfig(sarama.TopicResource, topic, change, false); err != nil {
		return nil, err
	}
	told := result{"twice": twice, "deleted": "there"}
	// a broker of Kafka takes in what its controller has answered a moment later
	late := time.Now().Add(common.Wait)
	for told["retention.ms"] != kept && time.Now().Before(late) {
		settings, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
		if err != nil {
			return nil, err
		}
		for _, entry := range settings {
			if entry.Name == "cleanup.policy" || entry.Name == "retention.ms" {
				told[entry.Name] = entry.Value
			}
		}
	}
	if err := admin.CreatePartitions(topic, 3, nil, false); err != nil {
		return nil, err
	}
	for told["partitions"] != 3 && time.Now().Before(late) {
		described, err := admin.DescribeTopics([]string{topic})
		if err != nil {
			return nil, err
		}
		told["partitions"] = len(described[0].Partitions)
	}
	if err := admin.DeleteTopic(topic); err != nil {
		return nil, err
	}
	for late := time.Now().Add(common.Wait); time.Now().Before(late); {
		topics, err := admin.ListTopics()
		if _, there := topics[topic]; err != nil || !there {
			told["deleted"] = "gone"
			return told, err
		}
	}
	return told, nil
}

func groups() (result, error) {
	topic, err := topic("groups", 1)
	if err != nil {
		return nil, err
	}
	if err := put(texts(topic, "0", "1", "2")); err != nil {
		return nil, err
	}
	if _, err := consume(name("groups"), topic, 2); err != nil {
		return nil, err
	}
	admin, err := admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	isListed := func() bool {
		listed, _ := admin.ListConsumerGroups()
		_, there := listed[name("groups")]
		return there
	}
	listed := isListed()
	offset, err := committed(name("groups"), topic)
	if err != nil {
		return nil, err
	}
	if err := admin.DeleteConsumerGroup(name("groups")); err != nil {
		return nil, err
	}
	deleted := "gone"
	if isListed() {
		deleted = "there"
	}
	return result{"listed": listed, "offset": offset, "deleted": deleted}, nil
}

func logDirs() (result, error) {
	topic, err := topic("log-dirs", 2)
	if err != nil {
		return nil, err
	}
	if err := put(texts(topic, "0")); err != nil {
		return nil, err
	}
	admin, err := admin()
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	brokers, _, err := admin.DescribeCluster()
	if err != nil {
		return nil, err
	}
	found, err := admin.DescribeLogDirs([]int32{brokers[0].ID()})
	if err != nil {
		return nil, err
	}
	folders := found[brokers[0].ID()]
	partitions, bytes := 0, int64(0)
	for _, folder := range folders {
		for _, of := range folder.Topics {
			if of.Topic != topic {
				continue
			}
			for _, partition := range of.Partitions {
				partitions++
				bytes += partition.Size
			}
		}
	}
	size := "0"
	if bytes > 0 {
		size = "more than 0"
	}
	return result{"folders": len(folders), "partitions": partitions, "bytes": size}, nil
}
