//! What is asked of a log before anything is read.

use millrace_ports::{LogFault, Start};

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
