import static org.apache.kafka.clients.admin.OffsetSpec.*;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import org.apache.avro.Schema;
import org.apache.avro.generic.*;
import org.apache.avro.io.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Utils;

/** The table's cases with Kafka's own client for Java. */
public class Clients {
  static final String KAFKA = System.getenv("KAFKA");
  static final String REGISTRY = System.getenv("REGISTRY");
  static final String RUN = System.getenv("RUN");
  static final Duration POLL = Duration.ofMillis(200);
  static final ObjectMapper JSON = new ObjectMapper();
  static Admin admin;

  public static void main(String[] names) throws Exception {
    Map<String, Callable<Object>> cases = new HashMap<>();
    cases.put("job", Clients::job);
    cases.put("events", Clients::events);
    cases.put("keys", Clients::keys);
    cases.put("records", Clients::records);
    cases.put("codecs", Clients::codecs);
    cases.put("group", Clients::group);
    cases.put("transaction", Clients::transaction);
    cases.put("fenced", Clients::fenced);
    cases.put("lookups", Clients::lookups);
    cases.put("local", Clients::local);
    cases.put("admin", Clients::administration);
    cases.put("groups", Clients::groups);
    cases.put("forget", Clients::forget);
    cases.put("static", Clients::staticMembers);
    cases.put("log-dirs", Clients::logDirs);
    cases.put("hanging", Clients::hanging);
    cases.put("new-groups", Clients::newGroups);
    admin = Admin.create(Map.of("bootstrap.servers", KAFKA));
    for (String name : names) {
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("case", name);
      try {
        line.put("result", cases.get(name).call());
      } catch (Throwable error) {
        error.printStackTrace();
        Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
        line.put("error", cause.getClass().getSimpleName() + ": " + cause.getMessage());
      }
      System.out.println(JSON.writeValueAsString(line));
    }
    System.exit(0);
  }

  // what every case needs

  static String name(String what) {
    return "java-" + what + "-" + RUN;
  }

  static String topic(String what, int partitions, String... config) throws Exception {
    // some cases date their records back to 1970, and nothing may go meanwhile
    Map<String, String> settings = new HashMap<>(Map.of("retention.ms", "-1"));
    for (int n = 0; n < config.length; n += 2) settings.put(config[n], config[n + 1]);
    NewTopic made = new NewTopic(name(what), partitions, (short) 1).configs(settings);
    admin.createTopics(List.of(made)).all().get();
    // a moment after it was made, Kafka names some of the partitions only
    until("leader of each partition of " + made.name(), () -> {
      try {
        var found = admin.describeTopics(List.of(made.name())).allTopicNames().get().get(made.name()).partitions();
        return found.size() == partitions && found.stream().allMatch(it -> it.leader() != null && !it.leader().isEmpty());
      } catch (Exception notYet) {
        return false;
      }
    });
    return made.name();
  }

  static KafkaProducer<String, byte[]> producer(Object... more) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", KAFKA));
    for (int n = 0; n < more.length; n += 2) config.put((String) more[n], more[n + 1]);
    return new KafkaProducer<>(config, new StringSerializer(), new ByteArraySerializer());
  }

  static KafkaConsumer<String, byte[]> consumer(String group, Object... more) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", KAFKA));
    config.put("group.id", group);
    config.put("auto.offset.reset", "earliest");
    config.put("enable.auto.commit", false);
    config.put("max.poll.records", 1);
    for (int n = 0; n < more.length; n += 2) config.put((String) more[n], more[n + 1]);
    return new KafkaConsumer<>(config, new StringDeserializer(), new ByteArrayDeserializer());
  }

  static void until(String what, BooleanSupplier seen) {
    long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (!seen.getAsBoolean()) {
      if (System.nanoTime() > end) throw new RuntimeException("no " + what + " within 60 s");
    }
  }

  /** Asks until the answer is as expected. */
  static <T> T seen(String what, Callable<T> ask, Predicate<T> isIt) throws Exception {
    long end = System.nanoTime() + Duration.ofSeconds(60).toNanos();
    while (true) {
      T found = ask.call();
      if (isIt.test(found)) return found;
      if (System.nanoTime() > end) throw new RuntimeException("no " + what + " within 60 s: " + found);
    }
  }

  static List<ConsumerRecord<String, byte[]>> read(String of, int count, int partitions, Object... more) {
    List<ConsumerRecord<String, byte[]>> found = new ArrayList<>();
    try (var reading = consumer(name("reader"), more)) {
      List<TopicPartition> places = new ArrayList<>();
      for (int n = 0; n < partitions; n++) places.add(new TopicPartition(of, n));
      reading.assign(places);
      reading.seekToBeginning(places);
      until(count + " records of " + of, () -> {
        reading.poll(POLL).forEach(found::add);
        return found.size() >= count;
      });
    }
    return found;
  }

  static List<String> texts(List<ConsumerRecord<String, byte[]>> records) {
    return records.stream().map(record -> text(record.value())).toList();
  }

  static String text(byte[] bytes) {
    return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
  }

  static ProducerRecord<String, byte[]> record(String topic, String value) {
    return new ProducerRecord<>(topic, 0, null, null, value.getBytes(StandardCharsets.UTF_8));
  }

  static void put(String of, String... values) {
    try (var sending = producer()) {
      for (String value : values) sending.send(record(of, value));
    }
  }

  static long look(String of, OffsetSpec spec, IsolationLevel... level) throws Exception {
    var place = new TopicPartition(of, 0);
    var options = new ListOffsetsOptions(level.length > 0 ? level[0] : IsolationLevel.READ_UNCOMMITTED);
    return admin.listOffsets(Map.of(place, spec), options).partitionResult(place).get().offset();
  }

  // Avro as docs/producers.md says it

  static JsonNode registry(String path) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(REGISTRY + path)).build();
    var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    return JSON.readTree(answer.body());
  }

  static byte[] encode(int id, Schema schema, Object value) throws Exception {
    var out = new ByteArrayOutputStream();
    out.write(0);
    out.write(ByteBuffer.allocate(4).putInt(id).array());
    var encoder = EncoderFactory.get().binaryEncoder(out, null);
    new GenericDatumWriter<>(schema).write(value, encoder);
    encoder.flush();
    return out.toByteArray();
  }

  static final Map<Integer, Schema> SCHEMAS = new HashMap<>();

  static GenericRecord decode(byte[] value) throws Exception {
    int id = ByteBuffer.wrap(value, 1, 4).getInt();
    if (!SCHEMAS.containsKey(id)) {
      SCHEMAS.put(id, new Schema.Parser().parse(registry("/schemas/ids/" + id).get("schema").asText()));
    }
    var decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null);
    return new GenericDatumReader<GenericRecord>(SCHEMAS.get(id)).read(null, decoder);
  }

  // the cases

  static Object job() throws Exception {
    JsonNode found = registry("/subjects/chirp.commands-value/versions/1");
    Schema schema = new Schema.Parser().parse(found.get("schema").asText());
    Schema data = schema.getField("data").schema().getTypes().stream()
        .filter(branch -> branch.getName().equals("RegisterUser")).findFirst().orElseThrow();
    var users = new ArrayList<String>();
    var ids = new ArrayList<String>();
    var values = new ArrayList<byte[]>();
    var answers = new HashMap<String, List<GenericRecord>>();
    for (int n = 0; n < 8; n++) {
      users.add("java-" + RUN + "-" + n);
      ids.add("job-java-" + RUN + "-" + n);
      answers.put(ids.get(n), new ArrayList<>());
      var metadata = new GenericData.Record(schema.getField("metadata").schema());
      metadata.put("issued_at", System.currentTimeMillis() * 1000);
      var body = new GenericRecordBuilder(data)
          .set("user_id", users.get(n)).set("username", "java_" + RUN + "_" + n).build();
      var command = new GenericRecordBuilder(schema)
          .set("id", ids.get(n)).set("metadata", metadata).set("data", body).build();
      values.add(encode(found.get("id").asInt(), schema, command));
    }
    var sending = producer();
    for (int n = 0; n < 8; n++) sending.send(new ProducerRecord<>("chirp.commands", users.get(n), values.get(n)));
    sending.flush();
    try (var reading = consumer(name("job"), "isolation.level", "read_committed")) {
      reading.subscribe(List.of("chirp.outcomes"));
      BooleanSupplier allAnswered = () -> {
        for (var record : reading.poll(POLL)) {
          try {
            var outcome = decode(record.value());
            answers.getOrDefault(outcome.get("command_id").toString(), new ArrayList<>()).add(outcome);
          } catch (Exception error) {
            throw new RuntimeException(error);
          }
        }
        return answers.values().stream().noneMatch(List::isEmpty);
      };
      until("outcomes", allAnswered);
      sending.send(new ProducerRecord<>("chirp.commands", users.get(0), values.get(0))).get();
      until("second outcome", () -> allAnswered.getAsBoolean() && answers.get(ids.get(0)).size() > 1);
    }
    sending.close();
    long accepted = ids.stream()
        .filter(id -> answers.get(id).get(0).get("status").toString().equals("accepted")).count();
    var again = answers.get(ids.get(0)).get(1);
    boolean duplicate = (Boolean) again.get("duplicate");
    return Map.of("outcomes", accepted == 8 ? "8 accepted" : answers.toString(),
        "again", again.get("status") + (duplicate ? ", duplicate" : ""));
  }

  static Object events() throws Exception {
    var users = new HashSet<String>();
    try (var reading = consumer(name("events"), "isolation.level", "read_committed", "max.poll.records", 500)) {
      reading.subscribe(List.of("chirp.events"));
      until("events", () -> {
        for (var record : reading.poll(POLL)) {
          try {
            var data = (GenericRecord) decode(record.value()).get("data");
            if (!data.getSchema().getName().equals("UserRegistered")) continue;
            String user = data.get("user_id").toString();
            if (user.startsWith("java-" + RUN + "-")) users.add(user);
          } catch (Exception error) {
            throw new RuntimeException(error);
          }
        }
        return users.size() == 8;
      });
    }
    return Map.of("registered", users.size());
  }

  static Object keys() throws Exception {
    String of = topic("keys", 7);
    int count = 500;
    var sent = new ArrayList<Future<RecordMetadata>>();
    try (var sending = producer()) {
      for (int n = 0; n < count; n++) {
        String key = n < 480 ? "key-" + n : "schlüssel-" + (n - 480);
        sent.add(sending.send(new ProducerRecord<>(of, key, new byte[0])));
      }
    }
    for (var one : sent) one.get();
    long elsewhere = read(of, count, 7, "max.poll.records", 500).stream().filter(record -> {
      byte[] key = record.key().getBytes(StandardCharsets.UTF_8);
      return (Utils.murmur2(key) & 0x7fffffff) % 7 != record.partition();
    }).count();
    return Map.of("elsewhere", elsewhere);
  }

  static Object records() throws Exception {
    String of = topic("records", 1);
    long at = 1_700_000_000_000L;
    try (var sending = producer()) {
      var first = new ProducerRecord<>(of, 0, at, "k", "v".getBytes());
      first.headers().add(new RecordHeader("h", "1".getBytes())).add(new RecordHeader("h", "2".getBytes()));
      sending.send(first);
      sending.send(new ProducerRecord<>(of, 0, at + 1, "k", (byte[]) null));
      sending.send(new ProducerRecord<String, byte[]>(of, 0, at + 2, null, new byte[0]));
    }
    var found = new ArrayList<>();
    for (var record : read(of, 3, 1)) {
      var headers = new ArrayList<>();
      record.headers().forEach(header -> headers.add(List.of(header.key(), text(header.value()))));
      found.add(Arrays.asList("" + record.offset(), record.key(), text(record.value()), headers, record.timestamp()));
    }
    return Map.of("records", found);
  }

  static Object codecs() throws Exception {
    String of = topic("codecs", 1);
    var names = List.of("none", "gzip", "snappy", "lz4", "zstd");
    for (String codec : names) {
      try (var sending = producer("compression.type", codec)) {
        sending.send(record(of, codec.repeat(100)));
      }
    }
    var found = texts(read(of, 5, 1));
    var read = new ArrayList<>();
    for (int n = 0; n < 5; n++) read.add(found.get(n).substring(0, names.get(n).length()));
    return Map.of("read", read);
  }

  static List<String> member(String of, int count) {
    var found = new ArrayList<String>();
    try (var reading = consumer(name("group"))) {
      reading.subscribe(List.of(of));
      until("records", () -> {
        for (var record : reading.poll(POLL)) {
          found.add(text(record.value()));
          reading.commitSync(Map.of(new TopicPartition(of, 0), new OffsetAndMetadata(record.offset() + 1)));
        }
        return found.size() >= count;
      });
    }
    return found;
  }

  static long committed(String group, String of) throws Exception {
    var found = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
    var offset = found.get(new TopicPartition(of, 0));
    return offset == null ? -1 : offset.offset();
  }

  static Object group() throws Exception {
    String of = topic("group", 1);
    put(of, "0", "1", "2", "3", "4");
    var first = member(of, 3);
    long committed = committed(name("group"), of);
    return Map.of("first", first, "committed", committed, "second", member(of, 2));
  }

  static Object transaction() throws Exception {
    String of = topic("transaction", 1);
    try (var sending = producer("transactional.id", name("transaction"))) {
      sending.initTransactions();
      sending.beginTransaction();
      sending.send(record(of, "a"));
      var place = new TopicPartition(of, 0);
      sending.sendOffsetsToTransaction(
          Map.of(place, new OffsetAndMetadata(7)), new ConsumerGroupMetadata(name("transaction")));
      sending.commitTransaction();
      sending.beginTransaction();
      sending.send(record(of, "b"));
      sending.flush();
      sending.abortTransaction();
    }
    put(of, "c");
    return Map.of("committed", texts(read(of, 2, 1, "isolation.level", "read_committed")),
        "all", texts(read(of, 3, 1)), "offset", committed(name("transaction"), of));
  }

  static Object fenced() throws Exception {
    String of = topic("fenced", 1);
    var first = producer("transactional.id", name("fenced"));
    var second = producer("transactional.id", name("fenced"));
    first.initTransactions();
    first.beginTransaction();
    first.send(record(of, "first")).get();
    second.initTransactions();
    second.beginTransaction();
    second.send(record(of, "second"));
    second.commitTransaction();
    String refused = "not at all";
    try {
      first.commitTransaction();
    } catch (ProducerFencedException | InvalidProducerEpochException error) {
      refused = "fenced";
    }
    first.close(Duration.ZERO);
    second.close();
    return Map.of("first", refused, "read", texts(read(of, 1, 1, "isolation.level", "read_committed")));
  }

  static Object lookups() throws Exception {
    String create = topic("create", 1);
    try (var sending = producer("linger.ms", 200)) {
      for (long at : new long[] {1000, 1001}) sending.send(new ProducerRecord<>(create, 0, at, null, new byte[1]));
      sending.flush();
      for (long at : new long[] {2000, 500}) {
        sending.send(new ProducerRecord<>(create, 0, at, null, new byte[1]));
        sending.flush();
      }
    }
    String append = topic("append", 1, "message.timestamp.type", "LogAppendTime");
    try (var sending = producer("linger.ms", 200)) {
      for (int n = 0; n < 3; n++) sending.send(record(append, "x"));
    }
    String segments = topic("segments", 1, "segment.bytes", "1048576");
    try (var sending = producer("linger.ms", 0)) {
      for (int n = 0; n < 6; n++) {
        sending.send(new ProducerRecord<>(segments, 0, 7000L + n % 3, null, new byte[400_000])).get();
      }
    }
    String empty = topic("empty", 1);
    String open = topic("open", 1);
    put(open, "0", "1", "2", "3");
    var sending = producer("transactional.id", name("open"));
    sending.initTransactions();
    sending.beginTransaction();
    sending.send(record(open, "open")).get();
    var ofCreate = new TreeMap<String, Object>();
    ofCreate.put("earliest", look(create, earliest()));
    ofCreate.put("latest", look(create, latest()));
    for (long at : new long[] {1000, 1001, 1500, 2001}) ofCreate.put("" + at, look(create, forTimestamp(at)));
    ofCreate.put("max", look(create, maxTimestamp()));
    var result = Map.of(
        "create", ofCreate,
        "append", Map.of("max", look(append, maxTimestamp()), "0", look(append, forTimestamp(0))),
        "segments", Map.of("max", look(segments, maxTimestamp())),
        "empty", Map.of("earliest", look(empty, earliest()), "latest", look(empty, latest()),
            "0", look(empty, forTimestamp(0)), "max", look(empty, maxTimestamp())),
        "open", Map.of("latest", look(open, latest()),
            "latest committed", look(open, latest(), IsolationLevel.READ_COMMITTED)));
    sending.abortTransaction();
    sending.close();
    return result;
  }

  static Object local() throws Exception {
    String of = topic("local", 1);
    put(of, "0");
    return Map.of("earliest-local", look(of, earliestLocal()), "latest-tiered", look(of, latestTiered()));
  }

  static Object administration() throws Exception {
    String of = topic("admin", 1, "cleanup.policy", "delete");
    String twice = "not refused";
    try {
      admin.createTopics(List.of(new NewTopic(of, 1, (short) 1))).all().get();
    } catch (ExecutionException error) {
      twice = error.getCause() instanceof TopicExistsException ? "TOPIC_ALREADY_EXISTS" : "" + error.getCause();
    }
    var resource = new ConfigResource(ConfigResource.Type.TOPIC, of);
    admin.incrementalAlterConfigs(Map.of(resource, List.of(
        new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND),
        new AlterConfigOp(new ConfigEntry("retention.ms", "60000"), AlterConfigOp.OpType.SET)))).all().get();
    // a broker of Kafka takes in what its controller has answered a moment later
    var settings = seen("the settings", () -> admin.describeConfigs(List.of(resource)).all().get().get(resource),
        it -> it.get("retention.ms").value().equals("60000"));
    admin.createPartitions(Map.of(of, NewPartitions.increaseTo(3))).all().get();
    var described = seen("the partitions", () -> admin.describeTopics(List.of(of)).allTopicNames().get().get(of),
        it -> it.partitions().size() == 3);
    try (var sending = producer()) {
      for (int n = 0; n < 3; n++) sending.send(new ProducerRecord<>(of, 0, "k", new byte[1])).get();
    }
    var place = new TopicPartition(of, 0);
    long low = admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(2))).lowWatermarks().get(place)
        .get().lowWatermark();
    var policy = new TreeSet<>(List.of(settings.get("cleanup.policy").value().split(",")));
    admin.deleteTopics(TopicCollection.ofTopicIds(List.of(described.topicId()))).all().get();
    until("deletion", () -> {
      try {
        return !admin.listTopics().names().get().contains(of);
      } catch (Exception error) {
        throw new RuntimeException(error);
      }
    });
    return Map.of("twice", twice, "partitions", described.partitions().size(), "cleanup.policy",
        String.join(",", policy), "retention.ms", settings.get("retention.ms").value(), "emptied to", low,
        "deleted", "gone");
  }

  static KafkaConsumer<String, byte[]> live(String group, List<String> topics, Object... more) {
    var reading = consumer(group, more);
    reading.subscribe(topics);
    until("assignment", () -> {
      reading.poll(POLL);
      return !reading.assignment().isEmpty();
    });
    return reading;
  }

  static boolean isListed(String group) throws Exception {
    return admin.listGroups().all().get().stream().anyMatch(listed -> listed.groupId().equals(group));
  }

  static Object groups() throws Exception {
    String of = topic("groups", 1), group = name("groups");
    put(of, "0", "1", "2");
    var place = new TopicPartition(of, 0);
    var reading = live(group, List.of(of));
    reading.commitSync(Map.of(place, new OffsetAndMetadata(1)));
    boolean listed = isListed(group);
    var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
    reading.close();
    admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(2))).all().get();
    long offset = committed(group, of);
    admin.deleteConsumerGroups(List.of(group)).all().get();
    return Map.of("listed", listed, "state", described.groupState().toString(), "members",
        described.members().size(), "offset", offset, "deleted", isListed(group) ? "there" : "gone");
  }

  static Object forget() throws Exception {
    String read = topic("read", 1), left = topic("left", 1), group = name("forget");
    var reading = live(group, List.of(read, left));
    reading.commitSync(Map.of(new TopicPartition(read, 0), new OffsetAndMetadata(0),
        new TopicPartition(left, 0), new OffsetAndMetadata(0)));
    reading.subscribe(List.of(read));
    until("new assignment", () -> {
      reading.poll(POLL);
      return reading.assignment().size() == 1;
    });
    var places = Set.of(new TopicPartition(read, 0), new TopicPartition(left, 0));
    var deleted = admin.deleteConsumerGroupOffsets(group, places);
    var results = new HashMap<String, Object>();
    for (var place : places) {
      String what;
      try {
        deleted.partitionResult(place).get();
        what = "deleted";
      } catch (ExecutionException error) {
        boolean subscribed = error.getCause() instanceof GroupSubscribedToTopicException;
        what = subscribed ? "GROUP_SUBSCRIBED_TO_TOPIC" : "" + error.getCause();
      }
      results.put(place.topic().equals(read) ? "read" : "left", what);
    }
    var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet().stream()
        .filter(entry -> entry.getValue() != null)
        .map(entry -> entry.getKey().topic().equals(read) ? "read" : "left").sorted().toList();
    results.put("offsets", offsets);
    reading.close();
    return results;
  }

  static Object staticMembers() throws Exception {
    String of = topic("static", 4), group = name("static");
    class Member implements ConsumerRebalanceListener {
      final KafkaConsumer<String, byte[]> reading;
      int changes;

      Member(String instance) {
        reading = consumer(group, "group.instance.id", instance, "session.timeout.ms", 30_000,
            "partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
        reading.subscribe(List.of(of), this);
      }

      public void onPartitionsAssigned(Collection<TopicPartition> given) {
        changes++;
      }

      public void onPartitionsRevoked(Collection<TopicPartition> taken) {
        changes++;
      }

      List<Integer> parts() {
        reading.poll(Duration.ofMillis(50));
        return reading.assignment().stream().map(TopicPartition::partition).sorted().toList();
      }
    }
    var leader = new Member("leader");
    until("leader", () -> leader.parts().size() == 4);
    var other = new Member("other");
    until("sharing", () -> leader.parts().size() == 2 & other.parts().size() == 2);
    // a cooperative rebalance has a second round
    for (int n = 0; n < 40; n++) {
      leader.parts();
      other.parts();
    }
    var before = List.of(leader.parts(), other.parts());
    other.changes = 0;
    leader.reading.close();
    var returned = new Member("leader");
    until("return", () -> {
      other.parts();
      return returned.parts().size() == 2;
    });
    for (int n = 0; n < 20; n++) {
      returned.parts();
      other.parts();
    }
    var after = List.of(returned.parts(), other.parts());
    returned.reading.close();
    other.reading.close();
    return Map.of("moved", after.equals(before) ? List.of() : List.of(before, after),
        // this assignor's client calls its listener without any rebalance of the group, on Kafka too
        "other told", other.changes);
  }

  static Object logDirs() throws Exception {
    String of = topic("log-dirs", 2);
    put(of, "0");
    int node = admin.describeCluster().nodes().get().iterator().next().id();
    var folders = admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node);
    var partitions = new HashMap<TopicPartition, ReplicaInfo>();
    for (var folder : folders.values()) {
      folder.replicaInfos().forEach((place, info) -> {
        if (place.topic().equals(of)) partitions.put(place, info);
      });
    }
    long bytes = partitions.values().stream().mapToLong(ReplicaInfo::size).sum();
    return Map.of("folders", folders.size(), "partitions", partitions.size(), "bytes",
        bytes > 0 ? "more than 0" : "0");
  }

  static Object hanging() throws Exception {
    String of = topic("hanging", 1);
    var place = new TopicPartition(of, 0);
    var sending = producer("transactional.id", name("hanging"));
    sending.initTransactions();
    sending.beginTransaction();
    sending.send(record(of, "open")).get();
    long before = look(of, latest(), IsolationLevel.READ_COMMITTED);
    var options = new ListTransactionsOptions().filterStates(Set.of(TransactionState.ONGOING));
    long ongoing = admin.listTransactions(options).all().get().stream()
        .filter(listed -> listed.transactionalId().equals(name("hanging"))).count();
    var described = admin.describeTransactions(List.of(name("hanging"))).description(name("hanging")).get();
    if (!described.topicPartitions().equals(Set.of(place))) throw new RuntimeException("" + described);
    var state = admin.describeProducers(List.of(place)).partitionResult(place).get().activeProducers().stream()
        .filter(it -> it.currentTransactionStartOffset().isPresent()).findFirst().orElseThrow();
    admin.abortTransaction(new AbortTransactionSpec(place, state.producerId(), (short) state.producerEpoch(),
        state.coordinatorEpoch().orElse(0))).all().get();
    long after = look(of, latest(), IsolationLevel.READ_COMMITTED);
    sending.close(Duration.ZERO);
    return Map.of("stable before", before, "ongoing", ongoing, "stable after", after);
  }

  static Object newGroups() throws Exception {
    String of = topic("new-groups", 1);
    put(of, "0");
    long end = System.nanoTime() + Duration.ofSeconds(15).toNanos();
    try (var reading = consumer(name("new-groups"), "group.protocol", "consumer")) {
      reading.subscribe(List.of(of));
      while (System.nanoTime() < end) {
        if (!reading.poll(POLL).isEmpty()) return Map.of("read", 1);
      }
    } catch (UnsupportedVersionException error) {
      return Map.of("refused", "UNSUPPORTED_VERSION");
    }
    return Map.of("nothing", "in 15 s");
  }
}
