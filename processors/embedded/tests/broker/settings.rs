//! Settings of topics that are accepted are honoured; the others are refused in words.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::BaseRecord;

use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::protocol::StrBytes;
use millrace_embedded::broker::SyncPolicy;

use crate::support::{DEADLINE, Sender, Server, Wire, eventually, read_all, values};

const YEAR_2100_MS: i64 = 4_102_444_800_000;

fn created(server: &Server, name: &str, settings: &[(&str, &str)]) -> (i16, String) {
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let configs = settings.iter().map(|(name, value)| {
        CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value)))
    });
    let topic = CreatableTopic::default()
        .with_name(text(name).into())
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(configs.collect());
    let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000);
    let answer = Wire::connect(server.addr).call(5, &request).topics.remove(0);
    (answer.error_code, answer.error_message.map(|it| it.to_string()).unwrap_or_default())
}

#[test]
fn what_is_not_honoured_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let invalid = kafka_protocol::ResponseError::InvalidConfig.code();
    for (n, (settings, says)) in [
        (&[("compression.type", "zstd")][..], "producers"),
        (&[("compression.type", "uncompressed")], "producers"),
        (&[("flush.messages", "1")], "sync_interval_ms"),
        (&[("flush.ms", "10")], "sync_interval_ms"),
        (&[("min.insync.replicas", "2")], "one broker"),
        (&[("preallocate", "true")], "preallocate"),
        (&[("segment.jitter.ms", "5")], "segment.jitter.ms"),
        (&[("file.delete.delay.ms", "0")], "file.delete.delay.ms"),
        (&[("index.interval.bytes", "1")], "index.interval.bytes"),
        (&[("min.compaction.lag.ms", "2000"), ("max.compaction.lag.ms", "1000")], "max.compaction.lag.ms"),
    ]
    .into_iter()
    .enumerate()
    {
        let (code, message) = created(&server, &format!("t{n}"), settings);
        assert_eq!(code, invalid, "{settings:?}");
        assert!(message.contains(says), "{settings:?}: {message}");
    }
    for (n, settings) in [
        &[("compression.type", "producer")][..],
        &[("flush.ms", "60000"), ("min.insync.replicas", "1"), ("unclean.leader.election.enable", "true")],
        &[("min.compaction.lag.ms", "1000"), ("max.compaction.lag.ms", "1000")],
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(created(&server, &format!("good{n}"), settings), (0, String::new()), "{settings:?}");
    }
    server.stop();
    let server = Server::start_with(dir.path(), |config| config.sync = SyncPolicy::Always);
    assert_eq!(created(&server, "always", &[("flush.messages", "1"), ("flush.ms", "0")]).0, 0);
    server.stop();
    // What was accepted under another policy keeps nobody from changing something else.
    let server = Server::start(dir.path());
    let admin = crate::support::admin(&server.servers());
    let change = rdkafka::admin::AlterConfig::new(rdkafka::admin::ResourceSpecifier::Topic("good0"))
        .set("retention.ms", "1000");
    server.runtime.block_on(admin.alter_configs([&change], &rdkafka::admin::AdminOptions::new())).unwrap();
    server.stop();
}

#[test]
fn times_out_of_bounds_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let sender = Sender::new(&server.servers(), &[]);
    let send = |topic: &str, timestamp: i64| {
        sender.send_record(BaseRecord::to(topic).partition(0).key("k").payload("v").timestamp(timestamp));
        sender.flush().remove(0).map(drop)
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let (hour, refused) = (3_600_000, Err(RDKafkaErrorCode::InvalidTimestamp));
    server.create_topic("default", 1, &[]);
    assert_eq!(send("default", YEAR_2100_MS), refused);
    assert_eq!(send("default", now + hour / 2), Ok(()));
    assert_eq!(send("default", 1), Ok(()));
    let bounds = [("message.timestamp.before.max.ms", "60000"), ("message.timestamp.after.max.ms", "60000")];
    server.create_topic("narrow", 1, &bounds);
    for (timestamp, expected) in [(now, Ok(())), (now - hour, refused), (now + hour, refused)] {
        assert_eq!(send("narrow", timestamp), expected);
    }
    server.create_topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime"), bounds[0], bounds[1]]);
    assert_eq!(send("stamped", YEAR_2100_MS), Ok(()), "the broker's own time counts");
    server.stop();
}

#[test]
fn a_record_of_the_far_future_does_not_stop_retention() {
    let dir = tempfile::tempdir().unwrap();
    let far = [("message.timestamp.after.max.ms", "9223372036854775807"), ("segment.bytes", "1024")];
    let put = |server: &Server| {
        let sender = Sender::new(&server.servers(), &[]);
        let value = "x".repeat(300);
        for _ in 0..10 {
            let record = BaseRecord::to("t").partition(0).key("k").payload(value.as_str());
            sender.send_record(record.timestamp(YEAR_2100_MS));
        }
        assert!(sender.flush().iter().all(Result::is_ok));
    };
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[("retention.ms", "1"), far[0], far[1]]);
    put(&server);
    let low = |server: &Server| {
        let consumer: BaseConsumer = server.client(&[]).create().unwrap();
        consumer.fetch_watermarks("t", 0, DEADLINE).unwrap().0
    };
    eventually("old records to go", || (low(&server) == 10).then_some(()));
    server.stop();
}

/// Erasure rests on this: what was superseded is gone in time, also in a topic that is quiet, and after a restart.
#[test]
fn what_was_superseded_is_gone_after_the_longest_lag() {
    for restart in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Server::start(dir.path());
        let settings = [
            ("cleanup.policy", "compact"),
            ("min.cleanable.dirty.ratio", "1"),
            ("max.compaction.lag.ms", if restart { "2000" } else { "100" }),
        ];
        server.create_topic("t", 1, &settings);
        let sender = Sender::new(&server.servers(), &[]);
        sender.put("t", 0, "ann", "secret");
        sender.put("t", 0, "bob", "stays");
        sender.send("t", 0, "ann", None);
        assert!(sender.flush().iter().all(Result::is_ok));
        if restart {
            server.stop();
            server = Server::start(dir.path());
        }
        let log = dir.path().join("topics/t/0/00000000000000000000.log");
        eventually("the record to go from the disk", || {
            let bytes = std::fs::read(&log).unwrap();
            (!bytes.windows(6).any(|window| window == b"secret")).then_some(())
        });
        let all = read_all(&server.servers(), "t", 0, "read_committed");
        assert_eq!(values(&all), ["stays"]);
        assert_eq!(all.last().unwrap().offset, 2, "readers reach the end");
        server.stop();
    }
}
