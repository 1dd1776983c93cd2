//! Batches that come to more than they are, and batches that are not what they say.

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::compression::{Compressor, Gzip, Lz4, Snappy};

use crate::produce::produce;
use crate::support::{Sender, Server, Wire, read_all};

const NONE: i16 = 0;
const GZIP: i16 = 1;
const SNAPPY: i16 = 2;
const LZ4: i16 = 3;
const ZSTD: i16 = 4;
const LOG_APPEND_TIME: i16 = 8;
const BASE_TIMESTAMP: i64 = 1_700_000_000_000;

fn varint(number: i64) -> Vec<u8> {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    let mut out = Vec::new();
    while rest > 0x7f {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    out
}

/// A record with key `k`.
pub fn record(timestamp_delta: i64, offset_delta: i64, value: &[u8]) -> Vec<u8> {
    let mut body = vec![0];
    body.extend(varint(timestamp_delta));
    body.extend(varint(offset_delta));
    body.extend([2, b'k']);
    body.extend(varint(value.len() as i64));
    body.extend(value);
    body.push(0);
    [varint(body.len() as i64), body].concat()
}

/// A batch with a good length and a good checksum around these bytes.
pub fn sealed(attributes: i16, count: i32, max_timestamp: i64, payload: &[u8]) -> Bytes {
    let mut tail = attributes.to_be_bytes().to_vec();
    tail.extend((count - 1).to_be_bytes());
    tail.extend(BASE_TIMESTAMP.to_be_bytes());
    tail.extend(max_timestamp.to_be_bytes());
    tail.extend((-1_i64).to_be_bytes());
    tail.extend((-1_i16).to_be_bytes());
    tail.extend((-1_i32).to_be_bytes());
    tail.extend(count.to_be_bytes());
    tail.extend(payload);
    let mut batch = vec![0; 8];
    batch.extend((tail.len() as i32 + 9).to_be_bytes());
    batch.extend([0, 0, 0, 0, 2]);
    batch.extend(crc32c::crc32c(&tail).to_be_bytes());
    batch.extend(tail);
    Bytes::from(batch)
}

fn compress<C: Compressor<BytesMut, BufMut = BytesMut>>(bytes: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    C::compress(&mut out, |buffer| {
        buffer.extend_from_slice(bytes);
        Ok(())
    })
    .unwrap();
    out.to_vec()
}

/// A zstd frame of so many zeros, in runs of 128 KiB that take four bytes each.
fn zstd_runs(bytes: usize) -> Vec<u8> {
    const RUN: usize = 128 << 10;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58];
    for at in (0..bytes).step_by(RUN) {
        let length = RUN.min(bytes - at);
        let last = usize::from(at + length == bytes);
        frame.extend(&(last | 1 << 1 | length << 3).to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn a_batch_that_comes_to_gigabytes_is_refused_and_nobody_notices() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[("retention.ms", "-1")]);
    server.create_topic("compacted", 1, &[("cleanup.policy", "compact")]);
    let zeros = vec![0; 100 << 20];
    let claim = [0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    let framed = [&b"\x82SNAPPY\x00\0\0\0\x01\0\0\0\x01\0\0\0\x06"[..], &claim].concat();
    let bombs = [
        ("snappy that claims 4 GiB", SNAPPY, claim.to_vec()),
        ("the same in Java's framing", SNAPPY, framed),
        ("blocks of snappy", SNAPPY, compress::<Snappy>(&zeros[..20 << 20])),
        ("1 GiB of runs in 32 KiB of zstd", ZSTD, zstd_runs(1 << 30)),
        ("gzip", GZIP, compress::<Gzip>(&zeros)),
        ("lz4", LZ4, compress::<Lz4>(&zeros)),
    ];
    let refused = ResponseError::MessageTooLarge.code();
    for (name, codec, payload) in bombs {
        let bomb = sealed(codec, 1, BASE_TIMESTAMP, &payload);
        for topic in ["t", "compacted"] {
            let mut wire = Wire::connect(server.addr);
            assert_eq!(produce(&mut wire, topic, bomb.clone()).0, refused, "{name} to {topic}");
        }
    }
    // What is merely well compressed is not: four megabytes of the same letter in a topic that takes one.
    let large = record(0, 0, &vec![b'a'; 4 << 20]);
    let good = sealed(LZ4, 1, BASE_TIMESTAMP, &compress::<Lz4>(&large));
    let mut wire = Wire::connect(server.addr);
    assert_eq!(produce(&mut wire, "t", good), (0, 0));
    assert_eq!(read_all(&server.servers(), "t", 0, "read_committed").len(), 1);
    server.stop();
}

/// What a broker is sent, and how it answers: the error of Apache Kafka, and ours where it differs.
pub struct Row {
    pub name: &'static str,
    pub batch: Bytes,
    pub kafka: i16,
    pub ours: i16,
}

/// Batches that are intact as far as their checksum goes, and not what they say.
pub fn rows() -> Vec<Row> {
    let two = [record(0, 0, b"a"), record(5, 1, b"b")].concat();
    let sound = |attributes: i16, payload: &[u8]| sealed(attributes, 2, BASE_TIMESTAMP + 5, payload);
    let code = |error: ResponseError| error.code();
    let (good, invalid) = (0, code(ResponseError::InvalidRecord));
    let corrupt = code(ResponseError::CorruptMessage);
    let unknown = code(ResponseError::UnknownServerError);
    let row = |name, batch, kafka, ours| Row { name, batch, kafka, ours };
    let mut damaged = sound(NONE, &two).to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let mut control = sound(NONE, &two).to_vec();
    control[22] |= 0x20;
    let crc = crc32c::crc32c(&control[21..]);
    control[17..21].copy_from_slice(&crc.to_be_bytes());
    let headers_without_end = {
        let mut record = record(0, 0, b"a");
        *record.last_mut().unwrap() = 8;
        record
    };
    vec![
        row("a sound batch", sound(NONE, &two), good, good),
        row("the same, compressed", sound(GZIP, &compress::<Gzip>(&two)), good, good),
        row("a bit flipped", damaged.into(), corrupt, corrupt),
        row("garbage that says gzip", sound(GZIP, &[7; 83]), unknown, invalid),
        row("garbage that says snappy", sound(SNAPPY, &[7; 83]), unknown, invalid),
        row("garbage that says lz4", sound(LZ4, &[7; 83]), unknown, invalid),
        row("garbage that says zstd", sound(ZSTD, &[7; 83]), unknown, invalid),
        row("a codec that is none", sound(6, &two), unknown, invalid),
        row("more records than there are", sealed(NONE, 3, BASE_TIMESTAMP, &two), invalid, invalid),
        row("fewer records than there are", sealed(NONE, 1, BASE_TIMESTAMP, &two), invalid, invalid),
        row(
            "the same, compressed",
            sealed(GZIP, 1, BASE_TIMESTAMP, &compress::<Gzip>(&two)),
            invalid,
            invalid,
        ),
        row("a record that ends behind the batch", sound(NONE, &two[..two.len() - 2]), invalid, invalid),
        row(
            "a header that is not there",
            sealed(NONE, 1, BASE_TIMESTAMP, &headers_without_end),
            invalid,
            invalid,
        ),
        row("nothing but a header", sealed(NONE, 1, BASE_TIMESTAMP, &[]), invalid, invalid),
        row("a control batch", control.into(), invalid, invalid),
        row("no records", sealed(NONE, 0, BASE_TIMESTAMP, &[]), invalid, corrupt),
        row(
            "offsets that are not 0, 1, 2",
            sound(NONE, &[record(0, 0, b"a"), record(5, 0, b"b")].concat()),
            good,
            invalid,
        ),
        row(
            "the time of the broker, which is not the client's to say",
            sound(LOG_APPEND_TIME, &two),
            good,
            good,
        ),
    ]
}

#[test]
fn every_topic_takes_sound_batches_only() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[("retention.ms", "-1")]);
    let mut wire = Wire::connect(server.addr);
    for row in rows() {
        assert_eq!(produce(&mut wire, "t", row.batch).0, row.ours, "{}", row.name);
    }
    // Three of them hold two records each, all of it can be read, and the times are those of the client.
    let read = read_all(&server.servers(), "t", 0, "read_committed");
    assert_eq!(read.len(), 6, "{read:?}");
    assert!(read.iter().all(|record| matches!(record.timestamp, rdkafka::Timestamp::CreateTime(_))));
    server.stop();
}

#[test]
fn the_largest_timestamp_is_that_of_the_records() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[("retention.ms", "1"), ("segment.bytes", "1024")]);
    let mut wire = Wire::connect(server.addr);
    // It says that it is of the year 292 million: retention would wait for that.
    let liar = sealed(NONE, 1, i64::MAX, &record(0, 0, &[b'x'; 900]));
    for _ in 0..3 {
        assert_eq!(produce(&mut wire, "t", liar.clone()).0, 0);
    }
    crate::support::eventually("old records to go", || {
        (read_all(&server.servers(), "t", 0, "read_committed").len() < 3).then_some(())
    });
    server.stop();
}

#[test]
fn compaction_goes_on_around_a_batch_that_it_cannot_read() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        [("cleanup.policy", "compact"), ("segment.bytes", "1024"), ("min.cleanable.dirty.ratio", "0.01")];
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &settings);
    server.stop();
    // Stored by an older build, which looked at the records of compacted topics only, before the topic was one.
    let garbage = sealed(GZIP, 1, BASE_TIMESTAMP, &[7; 83]);
    let log = dir.path().join("topics/t/0/00000000000000000000.log");
    std::fs::write(&log, &garbage).unwrap();
    let server = Server::start(dir.path());
    let sender = Sender::new(&server.servers(), &[]);
    for n in 0..100 {
        sender.put("t", 0, "k", &n.to_string());
    }
    let bytes = || -> u64 {
        let files = std::fs::read_dir(log.parent().unwrap()).unwrap();
        files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum()
    };
    crate::support::eventually("compaction", || (bytes() < 3000).then_some(()));
    // The batch is still there as it was.
    let kept = std::fs::read(&log).unwrap();
    assert!(kept.windows(83).any(|bytes| bytes == [7; 83]));
    server.stop();
}
