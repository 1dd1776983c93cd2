//! How long a transaction takes, on Apache Kafka: run by hand with `--ignored --nocapture`.

use crate::common;

use std::time::{Duration, Instant};

use bytes::Bytes;
use common::OnKafka;
use millrace_ports::{Group, GroupEvent, GroupSpec, Log, Outgoing, Start, TopicPartition, Transaction};
use millrace_services::{Services, topic_prefix};
use millrace_testkit::log::conformance::LogFixture;

struct Bench {
    fixture: OnKafka,
    group: Box<dyn Group>,
    commands: String,
    events: String,
}

fn bench() -> Bench {
    let address = std::env::var("MILLRACE_BENCH_KAFKA")
        .unwrap_or_else(|_| Services::kafka().unwrap().bootstrap.clone());
    let prefix = topic_prefix("latency");
    let fixture = OnKafka::at(&address, prefix.clone());
    let (commands, events) = (format!("{prefix}commands"), format!("{prefix}events"));
    fixture.create_topic(&commands, 4);
    fixture.create_topic(&events, 4);
    let group = fixture
        .log
        .join(&GroupSpec {
            group_id: format!("{prefix}group"),
            topic: commands.as_str().into(),
            session_timeout: Duration::from_secs(6),
        })
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !matches!(group.poll(Duration::from_millis(50)).unwrap(), Some(GroupEvent::Assigned(_))) {
        assert!(Instant::now() < deadline, "no assignment");
    }
    Bench { fixture, group, commands, events }
}

impl Bench {
    fn batch(&self, records: usize, offset: i64) -> Transaction {
        let events: std::sync::Arc<str> = self.events.as_str().into();
        let record = |index: usize| Outgoing {
            topic: events.clone(),
            partition: 0,
            key: Some(Bytes::from(format!("key {index}"))),
            value: Some(Bytes::from(vec![b'x'; 200])),
            timestamp_ms: 1_700_000_000_000,
            headers: Vec::new(),
        };
        Transaction {
            records: (0..records).map(record).collect(),
            offsets: [(TopicPartition::new(self.commands.as_str(), 0), offset)].into(),
        }
    }

    fn run(&self, rounds: usize, records: usize, pause: Duration) -> Vec<Duration> {
        let mut writer = self.group.writer(&format!("{}-{records}", self.events)).unwrap();
        writer.fence().unwrap();
        let mut times = Vec::new();
        for round in 0..rounds {
            let batch = self.batch(records, round as i64 + 1);
            let start = Instant::now();
            writer.submit(batch).unwrap();
            while !writer.settle(Duration::from_secs(1)).unwrap() {}
            times.push(start.elapsed());
            if !pause.is_zero() {
                let _ = self.group.poll(pause).unwrap();
            } else {
                let _ = self.group.poll(Duration::ZERO).unwrap();
            }
        }
        times.sort();
        times
    }
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

#[test]
#[ignore = "measures, judges nothing"]
fn transactions() {
    let bench = bench();
    bench.run(20, 10, Duration::ZERO);
    for (what, records, pause) in [
        ("idle, 5 records", 5, Duration::from_millis(50)),
        ("back to back, 5 records", 6, Duration::ZERO),
        ("back to back, 1000 records", 1000, Duration::ZERO),
        ("back to back, 10000 records", 10_000, Duration::ZERO),
    ] {
        let start = Instant::now();
        let times = bench.run(if records > 5000 { 30 } else { 150 }, records, pause);
        let busy: Duration = times.iter().sum();
        println!(
            "{what}: p50 {:?} p90 {:?} p99 {:?}; {:.0} transactions/s, {:.0} records/s while busy ({:?} in all)",
            percentile(&times, 50),
            percentile(&times, 90),
            percentile(&times, 99),
            times.len() as f64 / busy.as_secs_f64(),
            (times.len() * records) as f64 / busy.as_secs_f64(),
            start.elapsed(),
        );
    }
}

#[test]
#[ignore = "measures, judges nothing"]
fn commit_to_read() {
    let bench = bench();
    let at = TopicPartition::new(bench.events.as_str(), 0);
    let mut reader = bench.fixture.log.reader(&[(at.clone(), Start::Beginning)]).unwrap();
    let mut writer = bench.group.writer(&format!("{}-read", bench.events)).unwrap();
    writer.fence().unwrap();
    let (mut seen, mut reached) = (Vec::new(), Vec::new());
    for round in 0..100 {
        writer.submit(bench.batch(1, round + 1)).unwrap();
        while !writer.settle(Duration::from_secs(1)).unwrap() {}
        let start = Instant::now();
        let end = bench.fixture.log.high_watermark(&at).unwrap();
        let asked = start.elapsed();
        let mut first = None;
        while reader.position(&at) < end {
            if !reader.poll(10, Duration::from_millis(5)).unwrap().is_empty() && first.is_none() {
                first = Some(start.elapsed());
            }
        }
        reached.push(start.elapsed());
        seen.push(first.unwrap_or(asked));
        let _ = bench.group.poll(Duration::from_millis(20)).unwrap();
    }
    seen.sort();
    reached.sort();
    println!("after the commit: record seen p50 {:?} p99 {:?}", percentile(&seen, 50), percentile(&seen, 99));
    println!(
        "watermark asked and reached p50 {:?} p99 {:?}",
        percentile(&reached, 50),
        percentile(&reached, 99)
    );
}

#[test]
#[ignore = "measures, judges nothing"]
fn read_throughput() {
    let bench = bench();
    bench.run(30, 10_000, Duration::ZERO);
    let at = TopicPartition::new(bench.events.as_str(), 0);
    let end = bench.fixture.log.high_watermark(&at).unwrap();
    let mut reader = bench.fixture.log.reader(&[(at.clone(), Start::Beginning)]).unwrap();
    let start = Instant::now();
    let mut count = 0;
    while reader.position(&at) < end {
        count += reader.poll(5000, Duration::from_millis(20)).unwrap().len();
    }
    println!(
        "{count} records in {:?}: {:.0}/s",
        start.elapsed(),
        count as f64 / start.elapsed().as_secs_f64()
    );
}
