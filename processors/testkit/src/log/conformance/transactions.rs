//! Batches: all or nothing, and nothing before its time.

use std::time::Duration;

use bytes::Bytes;
use millrace_ports::{LogFault, MAX_RECORD_BYTES, Transaction};

use super::LogFixture;
use super::desk::*;

/// An open batch holds back what comes behind it; a reader's position shows that.
pub fn a_batch_is_invisible_until_it_is_committed(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "invisible", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "invisible", &topic, 1);
    let mut writer = seat.writer(fixture, "invisible");
    let mut reader = reader(fixture, std::slice::from_ref(&here));
    writer.submit(batch(vec![outgoing(&here, "a"), outgoing(&here, "b")])).unwrap();
    // whenever something is seen, all of it is
    let mut seen = reader.poll(10, MOMENT).unwrap();
    settled(&mut *writer).unwrap();
    let rest = read(&mut *reader, 2 - seen.len());
    seen.extend(rest);
    assert_eq!(values(&seen), ["a", "b"]);
}

/// Several topics and the offsets commit together.
pub fn a_batch_is_visible_as_a_whole_in_several_topics(fixture: &dyn LogFixture) {
    let commands = topic(fixture, "commands", 2);
    let events = topic(fixture, "events", 2);
    let state = topic(fixture, "state", 2);
    let seat = Seat::alone(fixture, "several", &commands, 2);
    let mut writer = seat.writer(fixture, "several");
    let outputs = [at(&events, 0), at(&events, 1), at(&state, 0)];
    let records = outputs.iter().map(|it| outgoing(it, &it.to_string())).collect();
    let offsets = [(at(&commands, 0), 5), (at(&commands, 1), 9)].into();
    commit(&mut *writer, Transaction { records, offsets }).unwrap();
    let inputs = [at(&commands, 0), at(&commands, 1)];
    let committed = seat.group.committed(&inputs).unwrap();
    assert_eq!(committed.into_values().collect::<Vec<_>>(), [5, 9]);
    for output in &outputs {
        assert_eq!(values(&read_all(fixture, output)), [output.to_string()]);
    }
}

/// At the end of a partition the position is the high watermark, whatever lies before it.
pub fn the_position_passes_markers(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "markers", 2);
    let (here, other) = (at(&topic, 0), at(&topic, 1));
    let seat = Seat::alone(fixture, "markers", &topic, 2);
    let mut writer = seat.writer(fixture, "markers");
    let mut reader = reader(fixture, &[here.clone(), other.clone()]);
    for round in 0..3 {
        commit(&mut *writer, batch(vec![outgoing(&here, "x"), outgoing(&other, "y")])).unwrap();
        eventually("position equals high watermark", || {
            reader.poll(10, MOMENT).unwrap();
            let ends = [&here, &other].map(|it| fixture.log().high_watermark(it).unwrap());
            let positions = [reader.position(&here), reader.position(&other)];
            (positions == ends && ends.iter().all(|it| *it >= 2 * (round + 1))).then_some(())
        });
    }
    // and behind records that were aborted
    writer.submit(batch(vec![outgoing(&here, "never")])).unwrap();
    let _ = writer.settle(Duration::ZERO);
    let mut next = seat.writer(fixture, "markers");
    let _ = settled(&mut *writer);
    commit(&mut *next, batch(vec![outgoing(&other, "z")])).unwrap();
    eventually("position equals high watermark", || {
        reader.poll(10, MOMENT).unwrap();
        let ends = [&here, &other].map(|it| fixture.log().high_watermark(it).unwrap());
        ([reader.position(&here), reader.position(&other)] == ends).then_some(())
    });
}

/// What is committed can be read up to the end, markers included, as soon as they are written.
pub fn committed_reads_come_to_the_end_once_nothing_is_open(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "stable", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "stable", &topic, 1);
    assert_eq!(fixture.log().last_stable_offset(&here).unwrap(), 0, "there is nothing");
    let mut writer = seat.writer(fixture, "stable");
    commit(&mut *writer, batch(vec![outgoing(&here, "a"), outgoing(&here, "b")])).unwrap();
    eventually("the end of what is committed is the end", || {
        let log = fixture.log();
        let (stable, end) = (log.last_stable_offset(&here).unwrap(), log.high_watermark(&here).unwrap());
        assert!(stable <= end, "{stable} lies behind the end, {end}");
        (stable == end && end >= 3).then_some(())
    });
}

/// One batch after the other, each seen, in order.
pub fn many_batches_in_a_row(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "row", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "row", &topic, 1);
    let mut writer = seat.writer(fixture, "row");
    for round in 0..20 {
        let offsets = [(here.clone(), round + 1)].into();
        let records = vec![outgoing(&here, &round.to_string())];
        commit(&mut *writer, Transaction { records, offsets }).unwrap();
    }
    let wanted: Vec<String> = (0..20).map(|it| it.to_string()).collect();
    assert_eq!(values(&read_all(fixture, &here)), wanted);
    assert_eq!(seat.group.committed(std::slice::from_ref(&here)).unwrap()[&here], 20);
}

/// Commands that leave nothing still move on.
pub fn an_empty_batch_commits_only_offsets(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "empty", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "empty", &topic, 1);
    assert!(seat.group.committed(std::slice::from_ref(&here)).unwrap().is_empty(), "none yet");
    let mut writer = seat.writer(fixture, "empty");
    commit(&mut *writer, Transaction { records: Vec::new(), offsets: [(here.clone(), 4)].into() }).unwrap();
    assert_eq!(seat.group.committed(std::slice::from_ref(&here)).unwrap()[&here], 4);
    commit(&mut *writer, Transaction::default()).unwrap();
    assert!(writer.settle(Duration::ZERO).unwrap(), "nothing is under way");
    commit(&mut *writer, batch(vec![outgoing(&here, "after")])).unwrap();
    assert_eq!(values(&read_all(fixture, &here)), ["after"]);
}

/// Tombstones, headers, empty values, an empty key.
pub fn records_of_every_shape_are_written(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "shapes", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "shapes", &topic, 1);
    let mut writer = seat.writer(fixture, "shapes");
    let mut tombstone = outgoing(&here, "deleted");
    tombstone.value = None;
    let mut bare = outgoing(&here, "");
    bare.key = Some(Bytes::new());
    let mut keyless = outgoing(&here, "no key is not an empty key");
    keyless.key = None;
    let mut traced = outgoing(&here, "traced");
    traced.headers = vec![("a".to_owned(), Bytes::from_static(b"1")), ("b".to_owned(), Bytes::new())];
    traced.timestamp_ms = 1_700_000_123_456;
    let sent = vec![tombstone, bare, keyless, traced];
    commit(&mut *writer, batch(sent.clone())).unwrap();
    let got = read_all(fixture, &here);
    assert_eq!(got.len(), sent.len());
    for (got, sent) in got.iter().zip(&sent) {
        assert_eq!((&got.key, &got.value, &got.headers), (&sent.key, &sent.value, &sent.headers));
        assert_eq!(got.timestamp_ms, sent.timestamp_ms);
    }
}

/// Who has no group writes all or nothing too, and the next of the same name fences it off.
pub fn a_writer_needs_no_group(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "alone", 1);
    let here = at(&topic, 0);
    let name = format!("{}alone", fixture.prefix());
    let mut first = fixture.log().writer(&name).unwrap();
    fenced(&mut *first);
    commit(&mut *first, batch(vec![outgoing(&here, "a")])).unwrap();
    first.submit(batch(vec![outgoing(&here, "more")])).unwrap();
    settled(&mut *first).unwrap();
    let mut second = fixture.log().writer(&name).unwrap();
    fenced(&mut *second);
    let late = first.submit(batch(vec![outgoing(&here, "late")])).and_then(|()| settled(&mut *first));
    assert_fenced(late);
    commit(&mut *second, batch(vec![outgoing(&here, "b")])).unwrap();
    assert_eq!(values(&read_all(fixture, &here)), ["a", "more", "b"]);
    let offsets = [(here, 1)].into();
    let refused = commit(&mut *second, Transaction { records: Vec::new(), offsets });
    assert!(matches!(refused, Err(LogFault::Refused { .. })), "{refused:?}");
}

/// Ten thousand records over several partitions.
pub fn a_large_batch_is_one(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "big", 4);
    let seat = Seat::alone(fixture, "big", &topic, 4);
    let mut writer = seat.writer(fixture, "big");
    let records = (0..10_000).map(|it| outgoing(&at(&topic, it % 4), &format!("{it}"))).collect();
    commit(&mut *writer, batch(records)).unwrap();
    for partition in 0..4 {
        let wanted: Vec<String> = (partition..10_000).step_by(4).map(|it| it.to_string()).collect();
        assert_eq!(values(&read_all(fixture, &at(&topic, partition))), wanted);
    }
}

/// What can never be written is told apart from what may be tried again.
pub fn a_record_too_large_is_refused_with_its_batch(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "size", 2);
    let (here, other) = (at(&topic, 0), at(&topic, 1));
    let seat = Seat::alone(fixture, "size", &topic, 2);
    let mut writer = seat.writer(fixture, "size");
    let mut huge = outgoing(&here, "");
    huge.value = Some(noise(2_400_000));
    let result = commit(&mut *writer, batch(vec![outgoing(&other, "never"), huge]));
    match &result {
        Err(LogFault::Refused { message, .. }) => {
            assert!(message.contains(&*topic), "the topic is named: {message}");
        }
        other => panic!("not refused for good: {other:?}"),
    }
    fenced(&mut *writer);
    commit(&mut *writer, batch(vec![outgoing(&other, "next"), outgoing(&here, "next")])).unwrap();
    assert_eq!(values(&read_all(fixture, &other)), ["next"]);
    assert_eq!(values(&read_all(fixture, &here)), ["next"]);
}

/// Records of the size that every log takes are written, however badly they compress and whatever
/// stands beside them.
pub fn what_is_not_too_large_is_written(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "room", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "room", &topic, 1);
    let mut writer = seat.writer(fixture, "room");
    let mut large = outgoing(&here, "large");
    large.headers = (0..100).map(|n| (format!("header {n}"), Bytes::from_static(b"x"))).collect();
    let room = MAX_RECORD_BYTES - large.size_bytes();
    large.value = Some(noise(room + "large".len()));
    assert_eq!(large.size_bytes(), MAX_RECORD_BYTES);
    let small = outgoing(&here, "small");
    let all = vec![small.clone(), large.clone(), large.clone(), small.clone(), large.clone()];
    commit(&mut *writer, batch(all.clone())).unwrap();
    let read = read_all(fixture, &here);
    let of = |value: &Option<Bytes>| value.as_ref().map_or(0, Bytes::len);
    let sizes: Vec<usize> = read.iter().map(|it| of(&it.value)).collect();
    assert_eq!(sizes, all.iter().map(|it| of(&it.value)).collect::<Vec<_>>());
    assert!(read.iter().zip(&all).all(|(read, sent)| read.value == sent.value));
}

/// Where the abort of a batch is certain, the next one needs no fence; and a fence that somebody else has put up
/// meanwhile holds.
pub fn after_a_certain_abort_no_fence_is_needed(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "clean", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "clean", &topic, 1);
    let mut writer = seat.writer(fixture, "clean");
    for value in ["a", "b"] {
        let mut huge = outgoing(&here, "");
        huge.value = Some(noise(2_400_000));
        let records = vec![outgoing(&here, "never"), huge];
        let refused = commit(&mut *writer, Transaction { records, offsets: [(here.clone(), 9)].into() });
        assert!(matches!(refused, Err(LogFault::Refused { .. })), "{refused:?}");
        assert!(writer.is_clean(), "a refused record leaves no doubt");
        commit(&mut *writer, batch(vec![outgoing(&here, value)])).unwrap();
    }
    assert!(seat.group.committed(std::slice::from_ref(&here)).unwrap().is_empty());
    let mut second = seat.writer(fixture, "clean");
    assert_fenced(commit(&mut *writer, batch(vec![outgoing(&here, "late")])));
    assert!(!writer.is_clean(), "who was fenced off is not to go on");
    commit(&mut *second, batch(vec![outgoing(&here, "c")])).unwrap();
    assert_eq!(values(&read_all(fixture, &here)), ["a", "b", "c"]);
}

/// Bytes so irregular that no compression helps.
fn noise(length: usize) -> Bytes {
    let mut word = 88_172_645_463_325_252_u64;
    let words = std::iter::repeat_with(|| {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// A topic that is not there fails the batch as a whole, with its name.
pub fn a_batch_for_a_missing_topic_leaves_nothing(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "present", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "present", &topic, 1);
    let mut writer = seat.writer(fixture, "present");
    let missing = at(&format!("{}absent", fixture.prefix()).as_str().into(), 0);
    let records = vec![outgoing(&here, "never"), outgoing(&missing, "never")];
    let result = commit(&mut *writer, Transaction { records, offsets: [(here.clone(), 1)].into() });
    match result {
        Err(LogFault::NoSuchTopic { topic }) => assert!(topic.contains("absent"), "{topic}"),
        other => panic!("not NoSuchTopic: {other:?}"),
    }
    fenced(&mut *writer);
    assert!(seat.group.committed(std::slice::from_ref(&here)).unwrap().is_empty());
    assert_eq!(values(&read_all(fixture, &here)), Vec::<String>::new());
}

/// After a fault a writer works again once it is fenced, and not before.
pub fn a_writer_goes_on_after_a_fault(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "again", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "again", &topic, 1);
    let mut writer = seat.group.writer(&format!("{}again", fixture.prefix())).unwrap();
    let one = || batch(vec![outgoing(&here, "once")]);
    assert!(commit(&mut *writer, one()).is_err(), "nothing is written before the fence");
    fenced(&mut *writer);
    fenced(&mut *writer);
    commit(&mut *writer, one()).unwrap();
    let second = seat.writer(fixture, "again");
    assert_fenced(commit(&mut *writer, one()));
    assert!(commit(&mut *writer, one()).is_err(), "not before the fence");
    drop(second);
    fenced(&mut *writer);
    commit(&mut *writer, one()).unwrap();
    assert_eq!(values(&read_all(fixture, &here)), ["once", "once"]);
}

/// `settle` says false while the batch runs, true when it is over, and true when there is none.
pub fn settle_tells_when_a_batch_is_over(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "settle", 1);
    let here = at(&topic, 0);
    let seat = Seat::alone(fixture, "settle", &topic, 1);
    let mut writer = seat.writer(fixture, "settle");
    assert!(writer.settle(Duration::ZERO).unwrap(), "nothing is under way");
    writer.submit(batch(vec![outgoing(&here, "a")])).unwrap();
    assert!(writer.submit(batch(vec![outgoing(&here, "b")])).is_err(), "one batch at a time");
    eventually("the batch is over", || writer.settle(Duration::ZERO).unwrap().then_some(()));
    assert!(writer.settle(Duration::ZERO).unwrap());
    if let Some(over) = writer.give_back() {
        assert_eq!(over.records, [outgoing(&here, "a")], "what is given back is the batch that is over");
    }
    assert!(writer.give_back().is_none(), "once");
    assert_eq!(values(&read_all(fixture, &here)), ["a"]);
}
