package millrace.bench.streams;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/** Decides accounting's commands with Kafka Streams until it is asked to stop. */
public final class Main {
  private Main() {}

  public static void main(String[] arguments) throws Exception {
    Settings settings = new Settings(arguments);
    Schemas schemas = Schemas.find(settings.registry(), settings.prefix());
    KafkaStreams streams = new KafkaStreams(topology(settings, schemas), settings.streams());
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    CountDownLatch ended = new CountDownLatch(1);
    streams.setStateListener(
        (now, before) -> {
          if (now == KafkaStreams.State.ERROR || now == KafkaStreams.State.NOT_RUNNING) {
            ended.countDown();
          }
        });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
    streams.start();
    ended.await();
    if (streams.state() == KafkaStreams.State.ERROR) {
      System.exit(1);
    }
  }

  private static Topology topology(Settings settings, Schemas schemas) {
    ByteArrayDeserializer in = new ByteArrayDeserializer();
    ByteArraySerializer out = new ByteArraySerializer();
    String commands = settings.topic("commands");
    Topology topology = new Topology();
    topology.addSource("commands", in, in, commands);
    topology.addProcessor(
        "decide", () -> new Decider(new Records(schemas, commands), settings.remembers()), "commands");
    topology.addStateStore(accounts(settings), "decide");
    if (settings.remembers()) {
      topology.addStateStore(answers(settings), "decide");
    }
    topology.addSink(Decider.EVENTS, settings.topic("events"), out, out, "decide");
    topology.addSink(Decider.OUTCOMES, settings.topic("outcomes"), out, out, "decide");
    return topology;
  }

  private static StoreBuilder<KeyValueStore<byte[], byte[]>> accounts(Settings settings) {
    var kind =
        settings.persistent()
            ? Stores.persistentKeyValueStore(Decider.ACCOUNTS)
            : Stores.inMemoryKeyValueStore(Decider.ACCOUNTS);
    var store = Stores.keyValueStoreBuilder(kind, Serdes.ByteArray(), Serdes.ByteArray());
    return settings.cached() ? store.withCachingEnabled() : store.withCachingDisabled();
  }

  private static StoreBuilder<WindowStore<byte[], byte[]>> answers(Settings settings) {
    Duration window = Duration.ofMillis(Decider.WINDOW_MS);
    var kind =
        settings.persistent()
            ? Stores.persistentWindowStore(Decider.ANSWERS, window, window, false)
            : Stores.inMemoryWindowStore(Decider.ANSWERS, window, window, false);
    return Stores.windowStoreBuilder(kind, Serdes.ByteArray(), Serdes.ByteArray());
  }
}
