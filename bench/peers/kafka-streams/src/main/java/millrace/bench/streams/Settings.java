package millrace.bench.streams;

import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsConfig;

/** The command line, and what it makes of Kafka Streams' settings. */
final class Settings {
  private static final Set<String> KNOWN =
      Set.of(
          "kafka", "registry", "topic-prefix", "state-dir", "store", "threads", "cache-mb", "commit-ms", "linger-ms",
          "batch-kb", "compression", "poll-records", "dedup");

  private final Map<String, String> given = new HashMap<>();

  Settings(String[] arguments) {
    for (int i = 0; i < arguments.length; i += 2) {
      String name = arguments[i].replaceFirst("^--", "");
      if (!KNOWN.contains(name) || i + 1 == arguments.length) {
        throw new IllegalArgumentException("usage: --NAME VALUE …, where NAME is one of " + KNOWN);
      }
      given.put(name, arguments[i + 1]);
    }
  }

  String kafka() {
    return text("kafka", System.getenv("MILLRACE_TEST_KAFKA"));
  }

  String registry() {
    return text("registry", System.getenv("MILLRACE_TEST_REGISTRY"));
  }

  String prefix() {
    return text("topic-prefix", "");
  }

  String topic(String suffix) {
    return prefix() + "accounting." + suffix;
  }

  /** Whether accounts are kept in RocksDB rather than in memory. */
  boolean persistent() {
    return switch (text("store", "rocksdb")) {
      case "rocksdb" -> true;
      case "memory" -> false;
      default -> throw new IllegalArgumentException("--store is rocksdb or memory");
    };
  }

  /** Whether repeated commands are answered as before, out of a second store. */
  boolean remembers() {
    return text("dedup", "off").equals("on");
  }

  /** Whether a record cache stands before the store. */
  boolean cached() {
    return number("cache-mb", 0) > 0;
  }

  Properties streams() {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix() + "accounting.streams");
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, kafka());
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, text("state-dir", "/tmp/kafka-streams"));
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, (int) number("threads", 1));
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, number("commit-ms", 100));
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, number("cache-mb", 0) << 20);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
    settings.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, RocksTuning.class);
    settings.put(StreamsConfig.ENABLE_METRICS_PUSH_CONFIG, false);
    long pollRecords = number("poll-records", 10_000);
    // what one poll brings has room in a task's queue, so that its partition is not paused at once
    settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, (int) pollRecords);
    consumer(settings, ConsumerConfig.MAX_POLL_RECORDS_CONFIG, pollRecords);
    consumer(settings, ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 8 << 20);
    consumer(settings, ConsumerConfig.FETCH_MAX_BYTES_CONFIG, 64 << 20);
    producer(settings, ProducerConfig.LINGER_MS_CONFIG, number("linger-ms", 100));
    producer(settings, ProducerConfig.BATCH_SIZE_CONFIG, number("batch-kb", 512) << 10);
    producer(settings, ProducerConfig.BUFFER_MEMORY_CONFIG, 256L << 20);
    producer(settings, ProducerConfig.MAX_REQUEST_SIZE_CONFIG, 8 << 20);
    producer(settings, ProducerConfig.COMPRESSION_TYPE_CONFIG, text("compression", "none"));
    // a changelog is read from its beginning once: no reason to roll it every few megabytes
    settings.put(StreamsConfig.topicPrefix(TopicConfig.SEGMENT_BYTES_CONFIG), 1 << 30);
    return settings;
  }

  private static void consumer(Properties settings, String name, long value) {
    settings.put(StreamsConfig.mainConsumerPrefix(name), Long.toString(value));
    // a store is read back from its changelog in pieces as large
    settings.put(StreamsConfig.restoreConsumerPrefix(name), Long.toString(value));
  }

  private static void producer(Properties settings, String name, Object value) {
    settings.put(StreamsConfig.producerPrefix(name), value.toString());
  }

  private long number(String name, long otherwise) {
    return Long.parseLong(text(name, Long.toString(otherwise)));
  }

  private String text(String name, String otherwise) {
    String found = given.getOrDefault(name, otherwise);
    if (found == null) {
      throw new IllegalArgumentException("--" + name + " is missing");
    }
    return found;
  }
}
