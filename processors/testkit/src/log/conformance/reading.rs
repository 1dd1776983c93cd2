//! Readers.

use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_ports::{LogFault, Start};

use super::desk::*;
use super::{LogFixture, Plain};

/// Every part of a record arrives, absent keys and values too.
pub fn records_come_in_order_with_all_their_parts(fixture: &dyn LogFixture) {
    let here = at(&topic(fixture, "parts", 1), 0);
    let headers = vec![
        ("traceparent".to_owned(), Bytes::from_static(b"00-1")),
        ("twice".to_owned(), Bytes::from_static(b"a")),
        ("twice".to_owned(), Bytes::new()),
    ];
    let sent = [
        Plain {
            key: Some(Bytes::from_static(b"k")),
            timestamp_ms: 1_700_000_000_001,
            headers,
            ..plain("v", 0)
        },
        Plain { key: None, timestamp_ms: 1_700_000_000_002, ..plain("no key", 0) },
        Plain { key: Some(Bytes::from_static(b"gone")), timestamp_ms: 1_700_000_000_003, ..Plain::default() },
        Plain { key: Some(Bytes::new()), timestamp_ms: 1_700_000_000_004, ..plain("", 0) },
    ];
    for (offset, record) in sent.iter().enumerate() {
        assert_eq!(fixture.produce(&here, record.clone()), offset as i64);
    }
    let mut reader = reader(fixture, std::slice::from_ref(&here));
    assert_eq!(reader.position(&here), 0);
    let got = read(&mut *reader, sent.len());
    for (offset, (got, sent)) in got.iter().zip(&sent).enumerate() {
        assert_eq!((&got.topic, got.partition, got.offset), (&here.topic, 0, offset as i64));
        assert_eq!((&got.key, &got.value), (&sent.key, &sent.value), "at {offset}");
        assert_eq!(got.headers, sent.headers);
        assert_eq!(got.timestamp_ms, sent.timestamp_ms);
    }
    assert_eq!(reader.position(&here), sent.len() as i64);
}

/// A poll comes back with what there is, and with nothing when its time is over.
pub fn a_poll_waits_for_the_first_record_only(fixture: &dyn LogFixture) {
    let here = at(&topic(fixture, "waits", 1), 0);
    fixture.produce(&here, plain("a", 1));
    let mut reader = reader(fixture, std::slice::from_ref(&here));
    let long = Duration::from_secs(30);
    let before = Instant::now();
    assert_eq!(values(&reader.poll(100, long).unwrap()), ["a"]);
    assert!(before.elapsed() < long, "one record ends the wait though a hundred were allowed");
    assert!(reader.poll(100, Duration::from_millis(50)).unwrap().is_empty());
    assert!(before.elapsed() < long);
    assert!(reader.poll(100, Duration::ZERO).unwrap().is_empty());
    assert_eq!(
        reader.position(&here),
        1,
        "the end is not one record more: whoever goes on behind it would leave out the next"
    );
}

/// Beginning, an offset, the end.
pub fn a_reader_starts_where_it_is_told(fixture: &dyn LogFixture) {
    let here = at(&topic(fixture, "starts", 1), 0);
    for value in ["0", "1", "2"] {
        fixture.produce(&here, plain(value, 1));
    }
    let open = |start| fixture.log().reader(&[(here.clone(), start)]).unwrap();
    let mut beginning = open(Start::Beginning);
    let mut middle = open(Start::Offset(1));
    let mut end = open(Start::End);
    let positions = [&beginning, &middle, &end].map(|it| it.position(&here));
    assert_eq!(positions, [0, 1, 3], "known before the first record");
    assert!(end.poll(10, MOMENT).unwrap().is_empty());
    fixture.produce(&here, plain("3", 1));
    assert_eq!(values(&read(&mut *beginning, 4)), ["0", "1", "2", "3"]);
    assert_eq!(values(&read(&mut *middle, 3)), ["1", "2", "3"]);
    assert_eq!(values(&read(&mut *end, 1)), ["3"]);
}

/// The caller decides what becomes of a reader whose offset is gone; it goes on after a seek.
pub fn an_offset_that_is_not_held_is_out_of_range(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "range", 2);
    let (here, other) = (at(&topic, 0), at(&topic, 1));
    fixture.produce(&here, plain("a", 1));
    fixture.produce(&other, plain("other", 1));
    let from = [(here.clone(), Start::Offset(7)), (other.clone(), Start::Beginning)];
    let mut reader = fixture.log().reader(&from).unwrap();
    let mut records = Vec::new();
    let fault = eventually("the bad offset is told", || match reader.poll(10, MOMENT) {
        Ok(some) => {
            records.extend(some);
            None
        }
        Err(fault) => Some(fault),
    });
    match fault {
        LogFault::OutOfRange { partition, offset } => assert_eq!((partition, offset), (here.clone(), 7)),
        fault => panic!("not OutOfRange: {fault}"),
    }
    reader.seek(&here, 0).unwrap();
    records.extend(read(&mut *reader, 2 - records.len()));
    let mut got = values(&records);
    got.sort();
    assert_eq!(got, ["a", "other"]);
}

/// Back and forth, also before the first poll and while paused.
pub fn seek_begins_again(fixture: &dyn LogFixture) {
    let here = at(&topic(fixture, "seek", 1), 0);
    for value in ["0", "1", "2"] {
        fixture.produce(&here, plain(value, 1));
    }
    let mut reader = reader(fixture, std::slice::from_ref(&here));
    reader.seek(&here, 2).unwrap();
    assert_eq!(reader.position(&here), 2);
    assert_eq!(values(&read(&mut *reader, 1)), ["2"]);
    reader.seek(&here, 0).unwrap();
    assert_eq!(reader.position(&here), 0);
    assert_eq!(values(&reader_first(&mut *reader)), ["0"]);
    assert_eq!(reader.position(&here), 1);
    reader.pause(&here, true).unwrap();
    reader.seek(&here, 1).unwrap();
    assert!(reader.poll(10, MOMENT).unwrap().is_empty());
    reader.pause(&here, false).unwrap();
    assert_eq!(values(&read(&mut *reader, 2)), ["1", "2"]);
    reader.seek(&here, 3).unwrap();
    fixture.produce(&here, plain("3", 1));
    assert_eq!(values(&read(&mut *reader, 1)), ["3"]);
}

fn reader_first(reader: &mut dyn millrace_ports::Reader) -> Vec<millrace_ports::Record> {
    eventually("a first record", || {
        let records = reader.poll(1, MOMENT).unwrap();
        (!records.is_empty()).then_some(records)
    })
}

/// A paused partition holds up no other, and loses and repeats nothing when it goes on.
pub fn a_paused_partition_gives_nothing(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "pause", 2);
    let (slow, fast) = (at(&topic, 0), at(&topic, 1));
    for index in 0..20 {
        fixture.produce(&slow, plain(&format!("slow {index}"), 1));
    }
    let mut reader = reader(fixture, &[slow.clone(), fast.clone()]);
    let first = reader_first(&mut *reader);
    reader.pause(&slow, true).unwrap();
    fixture.produce(&fast, plain("fast", 1));
    assert_eq!(values(&read(&mut *reader, 1)), ["fast"]);
    assert!(reader.poll(10, Duration::from_millis(200)).unwrap().is_empty(), "paused, though there is more");
    assert_eq!(reader.position(&slow), first.len() as i64);
    reader.pause(&slow, false).unwrap();
    let rest = read(&mut *reader, 20 - first.len());
    let wanted: Vec<String> = (first.len()..20).map(|it| format!("slow {it}")).collect();
    assert_eq!(values(&rest), wanted);
}

/// Many records in polls of limited size.
pub fn a_large_partition_is_read_whole(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "large", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "large", &topic, 1);
    let mut writer = seat.writer(fixture, "large");
    let records = (0..10_000).map(|it| outgoing(&here, &format!("{it:05} {}", "x".repeat(100)))).collect();
    commit(&mut *writer, batch(records)).unwrap();
    let mut reader = reader(fixture, std::slice::from_ref(&here));
    let mut next = 0;
    eventually("all are read", || {
        let records = reader.poll(777, MOMENT).unwrap();
        assert!(records.len() <= 777);
        for record in records {
            assert_eq!(record.offset, next, "in order, none twice");
            next += 1;
        }
        (next == 10_000).then_some(())
    });
}
