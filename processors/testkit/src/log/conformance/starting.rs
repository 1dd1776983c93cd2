//! What is asked of a log before anything is read, and what is deleted once nobody needs it.

use millrace_ports::{LogFault, Start, TopicPartition};

use super::LogFixture;
use super::desk::*;

/// Watermarks, and offsets by time.
pub fn watermarks_and_times_are_found(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "times", 2);
    let (here, empty) = (at(&topic, 0), at(&topic, 1));
    for (index, time) in [1_000, 2_000, 3_000].into_iter().enumerate() {
        assert_eq!(fixture.produce(&here, plain("x", 1_700_000_000_000 + time)), index as i64);
    }
    let log = fixture.log();
    assert_eq!(log.partitions(&topic).unwrap(), 2);
    assert_eq!((log.low_watermark(&here).unwrap(), log.high_watermark(&here).unwrap()), (0, 3));
    assert_eq!((log.low_watermark(&empty).unwrap(), log.high_watermark(&empty).unwrap()), (0, 0));
    for (time, offset) in [(0, 0), (1_000, 0), (1_001, 1), (2_000, 1), (3_000, 2), (3_001, 3)] {
        let found = log.offset_at(&here, 1_700_000_000_000 + time).unwrap();
        assert_eq!(found, offset, "the first record at or after {time}");
    }
    assert_eq!(log.offset_at(&empty, 0).unwrap(), 0);
}

/// A missing topic is a fault of its own, with the topic's name.
pub fn a_topic_that_does_not_exist_is_named(fixture: &dyn LogFixture) {
    let here = topic(fixture, "there", 1);
    let log = fixture.log();
    let name = format!("{}not.there", fixture.prefix());
    let missing = at(&name.as_str().into(), 0);
    let names = |fault: LogFault| matches!(&fault, LogFault::NoSuchTopic { topic } if topic.contains(&name));
    assert!(log.partitions(&name).err().is_some_and(names));
    assert!(log.high_watermark(&missing).err().is_some_and(names));
    assert!(log.low_watermark(&missing).err().is_some_and(names));
    assert!(log.offset_at(&missing, 0).err().is_some_and(names));
    assert!(log.reader(&[(missing.clone(), Start::Beginning)]).err().is_some_and(names));
    let beyond = log.reader(&[(at(&here, 7), Start::Offset(0))]).err();
    assert!(matches!(beyond, Some(LogFault::NoSuchTopic { .. })), "{beyond:?}");
}

/// The oldest records of a partition can be deleted, up to an offset and no further; where the partition
/// begins is known at once, and a read that begins before it is told.
pub fn what_was_decided_can_be_deleted_from_the_front(fixture: &dyn LogFixture) {
    let topic = topic(fixture, "front", 3);
    let (here, there, other) = (at(&topic, 0), at(&topic, 1), at(&topic, 2));
    for value in ["0", "1", "2", "3"] {
        for at in [&here, &there, &other] {
            fixture.produce(at, plain(value, 1));
        }
    }
    let log = fixture.log();
    let delete = |offsets: &[(&TopicPartition, i64)]| {
        log.delete_before(&offsets.iter().map(|(at, offset)| ((*at).clone(), *offset)).collect())
    };
    delete(&[(&here, 2), (&there, 3)]).unwrap();
    assert_eq!((log.low_watermark(&here).unwrap(), log.high_watermark(&here).unwrap()), (2, 4));
    assert_eq!(values(&read_all(fixture, &here)), ["2", "3"]);
    assert_eq!(values(&read_all(fixture, &there)), ["3"]);
    assert_eq!(values(&read_all(fixture, &other)), ["0", "1", "2", "3"], "only where it was asked for");
    delete(&[(&here, 1)]).unwrap();
    assert_eq!(log.low_watermark(&here).unwrap(), 2, "what is gone is gone");

    let mut late = log.reader(&[(here.clone(), Start::Offset(1))]).unwrap();
    let fault = eventually("a read before the beginning is told", || late.poll(10, MOMENT).err());
    assert!(matches!(fault, LogFault::OutOfRange { offset: 1, .. }), "{fault}");

    let beyond = delete(&[(&here, 5)]).unwrap_err();
    assert!(
        matches!(&beyond, LogFault::OutOfRange { partition, offset: 5 } if *partition == here),
        "{beyond}"
    );
    delete(&[(&here, 4)]).unwrap();
    assert!(read_all(fixture, &here).is_empty(), "all of it");
    assert_eq!(fixture.produce(&here, plain("4", 1)), 4, "offsets go on");
    assert_eq!(values(&read_all(fixture, &here)), ["4"]);

    let missing = at(&format!("{}not.there", fixture.prefix()).into(), 0);
    assert!(matches!(delete(&[(&missing, 1)]), Err(LogFault::NoSuchTopic { .. })));
}
