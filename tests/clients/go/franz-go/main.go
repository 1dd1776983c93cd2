// The table's cases with franz-go.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"millrace.example/clients/common"
)

type result = common.Result

func main() {
	common.Main(map[string]func() (result, error){
		"job": job, "events": events, "keys": keys, "records": records, "codecs": codecs, "group": group,
		"transaction": transaction, "fenced": fenced, "lookups": lookups, "admin": administration, "groups": groups,
		"forget": forget, "log-dirs": logDirs, "hanging": hanging,
	})
}

func name(what string) string { return fmt.Sprintf("franz-%s-%s", what, common.Run) }

func within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), common.Wait)
}

func client(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(common.Kafka)}, options...)...)
	if err != nil {
		panic(err)
	}
	return client
}

func admin() *kadm.Client { return kadm.NewClient(client()) }

func topic(what string, partitions int32, config ...string) (string, error) {
	ctx, done := within()
	defer done()
	// some cases date their records back to 1970, and nothing may go meanwhile
	forever := "-1"
	settings := map[string]*string{"retention.ms": &forever}
	for n := 0; n < len(config); n += 2 {
		settings[config[n]] = &config[n+1]
	}
	admin := admin()
	defer admin.Close()
	_, err := admin.CreateTopic(ctx, partitions, 1, settings, name(what))
	return name(what), err
}

func put(records []*kgo.Record, options ...kgo.Opt) error {
	ctx, done := within()
	defer done()
	client := client(options...)
	defer client.Close()
	return client.ProduceSync(ctx, records...).FirstErr()
}

func texts(topic string, values ...string) []*kgo.Record {
	var records []*kgo.Record
	for _, value := range values {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(value)})
	}
	return records
}

// read gives records to `take` until it has enough.
func read(client *kgo.Client, take func(*kgo.Record) (bool, error)) error {
	ctx, done := within()
	defer done()
	for {
		fetches := client.PollRecords(ctx, 1)
		if err := fetches.Err0(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			if enough, err := take(record); enough || err != nil {
				return err
			}
		}
	}
}

func reader(topic string, options ...kgo.Opt) *kgo.Client {
	all := []kgo.Opt{kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	return client(append(all, options...)...)
}

func values(topic string, count int, level kgo.IsolationLevel) ([]string, error) {
	client := reader(topic, kgo.FetchIsolationLevel(level))
	defer client.Close()
	var found []string
	err := read(client, func(r *kgo.Record) (bool, error) {
		found = append(found, string(r.Value))
		return len(found) == count, nil
	})
	return found, err
}

func job() (result, error) {
	commands, err := common.Commands("franz")
	if err != nil {
		return nil, err
	}
	record := func(command common.Command) *kgo.Record {
		return &kgo.Record{Topic: "chirp.commands", Key: []byte(command.User), Value: command.Value}
	}
	var records []*kgo.Record
	for _, command := range commands {
		records = append(records, record(command))
	}
	if err := put(records); err != nil {
		return nil, err
	}
	client := reader("chirp.outcomes", kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer client.Close()
	answers, repeated, first := common.AnswersTo(commands), false, commands[0]
	err = read(client, func(r *kgo.Record) (bool, error) {
		if err := answers.Take(r.Value); err != nil {
			return false, err
		}
		if answers.All() && !repeated {
			repeated = true
			return false, put([]*kgo.Record{record(first)})
		}
		return len(answers[first.ID]) > 1, nil
	})
	if err != nil {
		return nil, err
	}
	return answers.Told(first.ID), nil
}

func events() (result, error) {
	client := reader("chirp.events", kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer client.Close()
	users := map[string]bool{}
	err := read(client, func(r *kgo.Record) (bool, error) {
		user, err := common.Registered("franz", r.Value)
		if user != "" {
			users[user] = true
		}
		return len(users) == 8, err
	})
	return result{"registered": len(users)}, err
}

func keys() (result, error) {
	topic, err := topic("keys", 7)
	if err != nil {
		return nil, err
	}
	var records []*kgo.Record
	for _, key := range common.Keys() {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte(key)})
	}
	if err := put(records); err != nil {
		return nil, err
	}
	client := reader(topic)
	defer client.Close()
	seen, elsewhere := 0, 0
	err = read(client, func(r *kgo.Record) (bool, error) {
		if seen++; common.Belongs(r.Key, 7) != r.Partition {
			elsewhere++
		}
		return seen == len(records), nil
	})
	return result{"elsewhere": elsewhere}, err
}

func records() (result, error) {
	topic, err := topic("records", 1)
	if err != nil {
		return nil, err
	}
	at := time.UnixMilli(1_700_000_000_000)
	header := func(value string) kgo.RecordHeader { return kgo.RecordHeader{Key: "h", Value: []byte(value)} }
	err = put([]*kgo.Record{
		{Topic: topic, Key: []byte("k"), Value: []byte("v"), Timestamp: at,
			Headers: []kgo.RecordHeader{header("1"), header("2")}},
		{Topic: topic, Key: []byte("k"), Timestamp: at.Add(time.Millisecond)},
		{Topic: topic, Value: []byte{}, Timestamp: at.Add(2 * time.Millisecond)},
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
	client := reader(topic)
	defer client.Close()
	var found []any
	err = read(client, func(r *kgo.Record) (bool, error) {
		headers := []any{}
		for _, header := range r.Headers {
			headers = append(headers, []string{header.Key, string(header.Value)})
		}
		found = append(found, []any{fmt.Sprint(r.Offset), text(r.Key), text(r.Value), headers, r.Timestamp.UnixMilli()})
		return len(found) == 3, nil
	})
	return result{"records": found}, err
}

func codecs() (result, error) {
	topic, err := topic("codecs", 1)
	if err != nil {
		return nil, err
	}
	names := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	kinds := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(),
		kgo.Lz4Compression(), kgo.ZstdCompression()}
	for n, kind := range kinds {
		if err := put(texts(topic, strings.Repeat(names[n], 100)), kgo.ProducerBatchCompression(kind)); err != nil {
			return nil, err
		}
	}
	found, err := values(topic, len(names), kgo.ReadUncommitted())
	if err != nil {
		return nil, err
	}
	for n := range found {
		found[n] = found[n][:len(names[n])]
	}
	return result{"read": found}, nil
}

func member(group string, topics ...string) *kgo.Client {
	return client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topics...), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
}

func consume(group, topic string, count int) ([]string, error) {
	ctx, done := within()
	defer done()
	client := member(group, topic)
	defer client.Close()
	var found []string
	err := read(client, func(r *kgo.Record) (bool, error) {
		found = append(found, string(r.Value))
		return len(found) == count, client.CommitRecords(ctx, r)
	})
	return found, err
}

func committed(group, topic string) (int64, error) {
	ctx, done := within()
	defer done()
	admin := admin()
	defer admin.Close()
	offsets, err := admin.FetchOffsets(ctx, group)
	if err != nil {
		return 0, err
	}
	offset, there := offsets.Lookup(topic, 0)
	if !there {
		return -1, nil
	}
	return offset.At, nil
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
	ctx, done := within()
	defer done()
	producer := client(kgo.TransactionalID(name("transaction")))
	defer producer.Close()
	send := func(value string) func() error {
		return func() error { return producer.ProduceSync(ctx, texts(topic, value)...).FirstErr() }
	}
	steps := []func() error{
		producer.BeginTransaction, send("a"),
		func() error { return producer.EndTransaction(ctx, kgo.TryCommit) },
		producer.BeginTransaction, send("b"),
		func() error { return producer.EndTransaction(ctx, kgo.TryAbort) },
		func() error { return put(texts(topic, "c")) },
	}
	for n, step := range steps {
		if err := step(); err != nil {
			return nil, fmt.Errorf("step %d: %w", n, err)
		}
	}
	some, err := values(topic, 2, kgo.ReadCommitted())
	if err != nil {
		return nil, err
	}
	all, err := values(topic, 3, kgo.ReadUncommitted())
	return result{"committed": some, "all": all}, err
}

func fenced() (result, error) {
	topic, err := topic("fenced", 1)
	if err != nil {
		return nil, err
	}
	ctx, done := within()
	defer done()
	first, second := client(kgo.TransactionalID(name("fenced"))), client(kgo.TransactionalID(name("fenced")))
	defer first.Close()
	defer second.Close()
	for n, producer := range []*kgo.Client{first, second} {
		if err := producer.BeginTransaction(); err != nil {
			return nil, err
		}
		if err := producer.ProduceSync(ctx, texts(topic, []string{"first", "second"}[n])...).FirstErr(); err != nil {
			return nil, err
		}
	}
	if err := second.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return nil, err
	}
	refused := "not at all"
	if err := first.EndTransaction(ctx, kgo.TryCommit); errors.Is(err, kerr.ProducerFenced) ||
		errors.Is(err, kerr.InvalidProducerEpoch) {
		refused = "fenced"
	} else if err != nil {
		refused = err.Error()
	}
	found, err := values(topic, 1, kgo.ReadCommitted())
	return result{"first": refused, "read": found}, err
}

func lookups() (result, error) {
	create, err := topic("lookups", 1)
	if err != nil {
		return nil, err
	}
	for _, at := range [][]int64{{1000, 1001}, {2000}, {500}} {
		var records []*kgo.Record
		for _, milli := range at {
			records = append(records, &kgo.Record{Topic: create, Timestamp: time.UnixMilli(milli)})
		}
		if err := put(records, kgo.ProducerLinger(200*time.Millisecond)); err != nil {
			return nil, err
		}
	}
	append_, err := topic("append", 1, "message.timestamp.type", "LogAppendTime")
	if err != nil {
		return nil, err
	}
	if err := put(texts(append_, "0", "1", "2"), kgo.ProducerLinger(200*time.Millisecond)); err != nil {
		return nil, err
	}
	ctx, done := within()
	defer done()
	admin := admin()
	defer admin.Close()
	// -3 is the greatest time
	look := func(topic string, milli int64) (int64, error) {
		found, err := admin.ListOffsetsAfterMilli(ctx, milli, topic)
		if milli == -1 {
			found, err = admin.ListEndOffsets(ctx, topic)
		} else if milli == -2 {
			found, err = admin.ListStartOffsets(ctx, topic)
		} else if milli == -3 {
			found, err = admin.ListMaxTimestampOffsets(ctx, topic)
		}
		offset, _ := found.Lookup(topic, 0)
		return offset.Offset, errors.Join(err, offset.Err)
	}
	found := result{}
	for what, milli := range map[string]int64{"earliest": -2, "latest": -1, "1000": 1000, "1001": 1001, "1500": 1500, "max": -3} {
		if found[what], err = look(create, milli); err != nil {
			return nil, err
		}
	}
	greatest, err := look(append_, -3)
	return result{"create": found, "append": result{"max": greatest}}, err
}

func administration() (result, error) {
	ctx, done := within()
	defer done()
	admin := admin()
	defer admin.Close()
	topic, err := topic("admin", 1, "cleanup.policy", "compact,delete")
	if err != nil {
		return nil, err
	}
	twice := "not refused"
	if _, err := admin.CreateTopic(ctx, 1, 1, nil, topic); errors.Is(err, kerr.TopicAlreadyExists) {
		twice = "TOPIC_ALREADY_EXISTS"
	}
	kept := "60000"
	change := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &kept}}
	if _, err := admin.AlterTopicConfigs(ctx, change, topic); err != nil {
		return nil, err
	}
	told := result{"twice": twice}
	// a broker of Kafka takes in what its controller has answered a moment later
	for told["retention.ms"] != kept && ctx.Err() == nil {
		settings, err := admin.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return nil, err
		}
		for _, entry := range settings[0].Configs {
			if entry.Key == "cleanup.policy" || entry.Key == "retention.ms" {
				told[entry.Key] = *entry.Value
			}
		}
	}
	if _, err := admin.UpdatePartitions(ctx, 3, topic); err != nil {
		return nil, err
	}
	// metadata follow a moment later
	for partitions := 0; partitions != 3 && ctx.Err() == nil; told["partitions"] = partitions {
		described, err := admin.ListTopics(ctx, topic)
		if err != nil {
			return nil, err
		}
		partitions = len(described[topic].Partitions)
	}
	for range 3 {
		record := &kgo.Record{Topic: topic, Key: []byte("k"), Partition: 0}
		if err := put([]*kgo.Record{record}, kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
			return nil, err
		}
	}
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 2})
	emptied, err := admin.DeleteRecords(ctx, offsets)
	if err != nil {
		return nil, err
	}
	low, _ := emptied.Lookup(topic, 0)
	told["emptied to"] = low.LowWatermark
	if _, err := admin.DeleteTopics(ctx, topic); err != nil {
		return nil, err
	}
	for ctx.Err() == nil {
		topics, err := admin.ListTopics(ctx)
		if err != nil {
			return nil, err
		}
		if !topics.Has(topic) {
			told["deleted"] = "gone"
			break
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
	ctx, done := within()
	defer done()
	reading := member(name("groups"), topic)
	if err := read(reading, func(*kgo.Record) (bool, error) { return true, nil }); err != nil {
		return nil, err
	}
	admin := admin()
	defer admin.Close()
	listed, err := admin.ListGroups(ctx)
	if err != nil {
		return nil, err
	}
	_, isListed := listed[name("groups")]
	described, err := admin.DescribeGroups(ctx, name("groups"))
	if err != nil {
		return nil, err
	}
	found := described[name("groups")]
	reading.Close()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 2, LeaderEpoch: -1})
	if _, err := admin.CommitOffsets(ctx, name("groups"), offsets); err != nil {
		return nil, err
	}
	offset, err := committed(name("groups"), topic)
	if err != nil {
		return nil, err
	}
	if _, err := admin.DeleteGroup(ctx, name("groups")); err != nil {
		return nil, err
	}
	deleted := "gone"
	if left, _ := admin.ListGroups(ctx); len(left.Groups()) > 0 {
		if _, there := left[name("groups")]; there {
			deleted = "there"
		}
	}
	return result{"listed": isListed, "state": found.State, "members": len(found.Members), "offset": offset,
		"deleted": deleted}, nil
}

func forget() (result, error) {
	kept, err := topic("read", 1)
	if err != nil {
		return nil, err
	}
	left, err := topic("left", 1)
	if err != nil {
		return nil, err
	}
	ctx, done := within()
	defer done()
	admin := admin()
	defer admin.Close()
	offsets := kadm.Offsets{}
	for _, topic := range []string{kept, left} {
		offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 0, LeaderEpoch: -1})
	}
	if _, err := admin.CommitOffsets(ctx, name("forget"), offsets); err != nil {
		return nil, err
	}
	if err := put(texts(kept, "0")); err != nil {
		return nil, err
	}
	reading := member(name("forget"), kept)
	defer reading.Close()
	if err := read(reading, func(*kgo.Record) (bool, error) { return true, nil }); err != nil {
		return nil, err
	}
	deleted, err := admin.DeleteOffsets(ctx, name("forget"), offsets.TopicsSet())
	if err != nil {
		return nil, err
	}
	told := result{}
	for topic, what := range map[string]string{kept: "read", left: "left"} {
		err, _ := deleted.Lookup(topic, 0)
		told[what] = "deleted"
		if errors.Is(err, kerr.GroupSubscribedToTopic) {
			told[what] = "GROUP_SUBSCRIBED_TO_TOPIC"
		} else if err != nil {
			told[what] = err.Error()
		}
	}
	found, err := admin.FetchOffsets(ctx, name("forget"))
	if err != nil {
		return nil, err
	}
	var names []string
	for topic, what := range map[string]string{kept: "read", left: "left"} {
		if offset, there := found.Lookup(topic, 0); there && offset.At >= 0 {
			names = append(names, what)
		}
	}
	told["offsets"] = names
	return told, nil
}

func logDirs() (result, error) {
	topic, err := topic("log-dirs", 2)
	if err != nil {
		return nil, err
	}
	if err := put(texts(topic, "0")); err != nil {
		return nil, err
	}
	ctx, done := within()
	defer done()
	admin := admin()
	defer admin.Close()
	found, err := admin.DescribeAllLogDirs(ctx, nil)
	if err != nil {
		return nil, err
	}
	folders, partitions, bytes := 0, 0, int64(0)
	found.Each(func(folder kadm.DescribedLogDir) {
		folders++
		partitions += len(folder.Topics[topic])
		for _, partition := range folder.Topics[topic] {
			bytes += partition.Size
		}
	})
	size := "0"
	if bytes > 0 {
		size = "more than 0"
	}
	return result{"folders": folders, "partitions": partitions, "bytes": size}, nil
}

func hanging() (result, error) {
	topic, err := topic("hanging", 1)
	if err != nil {
		return nil, err
	}
	ctx, done := within()
	defer done()
	producer := client(kgo.TransactionalID(name("hanging")))
	if err := producer.BeginTransaction(); err != nil {
		return nil, err
	}
	if err := producer.ProduceSync(ctx, texts(topic, "open")...).FirstErr(); err != nil {
		return nil, err
	}
	admin := admin()
	defer admin.Close()
	stable := func() int64 {
		found, _ := admin.ListCommittedOffsets(ctx, topic)
		offset, _ := found.Lookup(topic, 0)
		return offset.Offset
	}
	before := stable()
	listed, err := admin.ListTransactions(ctx, nil, []string{"Ongoing"})
	if err != nil {
		return nil, err
	}
	ongoing := 0
	if _, there := listed[name("hanging")]; there {
		ongoing++
	}
	described, err := admin.DescribeProducers(ctx, kadm.TopicsSet{topic: {0: {}}})
	if err != nil {
		return nil, err
	}
	for _, state := range described.SortedProducers() {
		if state.CurrentTxnStartOffset < 0 {
			continue
		}
		marker := kadm.TxnMarkers{ProducerID: state.ProducerID, ProducerEpoch: int16(state.ProducerEpoch),
			Commit: false, CoordinatorEpoch: max(state.CoordinatorEpoch, 0), Topics: kadm.TopicsSet{topic: {0: {}}}}
		if _, err := admin.WriteTxnMarkers(ctx, marker); err != nil {
			return nil, err
		}
	}
	return result{"stable before": before, "ongoing": ongoing, "stable after": stable()}, nil
}
