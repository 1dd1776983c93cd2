//! Where a batch ends that cannot be decompressed.
//!
//! librdkafka tells the offset at which such a batch begins and not the one at which it ends, though the batch's header
//! has it in the clear. But a broker answers a fetch from any offset within a batch with the whole of it, and
//! then the client complains about the same first offset again; from an offset behind it, it gives something else: a record,
//! another batch's complaint, or the end of the partition. So the end can be searched for.
//!
//! Each look is a client of its own (`probe`). An answer to an earlier look that comes late would make a good batch part
//! of the bad one, and commands would be lost without a word.

use millrace_ports::{LogFault, TopicPartition};
use rdkafka::error::RDKafkaErrorCode as Code;

use crate::config::KafkaConfig;
use crate::native::Seen;
use crate::probe;

/// What is being done, for faults.
const STEP: &str = "look behind a batch that cannot be decompressed";

/// What stands at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// The batch whose end is searched for.
    Within,
    /// Something behind it, which begins here at the earliest.
    Behind(i64),
}

/// The offset behind the batch that begins at `first` in a partition whose end is `end`.
pub(crate) fn end_of(
    config: &KafkaConfig,
    at: &TopicPartition,
    first: i64,
    end: i64,
) -> Result<i64, LogFault> {
    search(first, end, |offset| look(config, at, first, offset))
}

/// The first offset that `look` finds behind the batch: steps that double, and then halve.
fn search(
    first: i64,
    end: i64,
    mut look: impl FnMut(i64) -> Result<Look, LogFault>,
) -> Result<i64, LogFault> {
    let (mut within, mut behind) = (first, end.max(first + 1));
    let mut step = 1;
    while behind - within > 1 {
        let half = within + (behind - within) / 2;
        let offset = (within + step).min(half);
        match look(offset)? {
            Look::Within => {
                within = offset;
                step *= 2;
            }
            Look::Behind(begins) => {
                behind = begins.clamp(within + 1, offset);
                step = behind - within;
            }
        }
    }
    Ok(behind)
}

/// What stands at `offset`, behind `first`.
fn look(config: &KafkaConfig, at: &TopicPartition, first: i64, offset: i64) -> Result<Look, LogFault> {
    probe::at(config, STEP, at, offset, |seen| match seen {
        Seen::Record(record) => Some(Look::Behind(record.offset)),
        Seen::Error { code: Code::PartitionEOF, place: Some((_, _, end)), .. } => Some(Look::Behind(*end)),
        Seen::Error {
            code: Code::BadCompression | Code::NotImplemented,
            place: Some((_, _, begins)),
            ..
        } => Some(if *begins == first { Look::Within } else { Look::Behind(*begins) }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end that is found of a batch of `length` offsets, and how often was looked.
    fn found(first: i64, length: i64, end: i64, behind: impl Fn(i64) -> i64) -> (i64, u32) {
        let mut looks = 0;
        let found = search(first, end, |offset| {
            looks += 1;
            assert!(offset > first && offset < end, "{offset} tells nothing");
            Ok(if offset < first + length { Look::Within } else { Look::Behind(behind(offset)) })
        });
        (found.unwrap(), looks)
    }

    #[test]
    fn the_end_is_found_wherever_it_is() {
        for length in (1..200).chain([1_000, 9_999, 100_000]) {
            for more in [0, 1, 7, 1_000_000] {
                let (end, looks) = found(50, length, 50 + length + more, |offset| offset);
                assert_eq!(end, 50 + length, "{length} {more}");
                assert!(looks <= 40, "{looks} looks for {length} of {more}");
            }
        }
        // a single record, as most are
        assert_eq!(found(50, 1, 1_000, |offset| offset), (51, 1));
    }

    #[test]
    fn another_bad_batch_behind_it_tells_where_it_begins() {
        // within the second, the complaint is about its beginning
        assert_eq!(found(50, 8, 1_000, |offset| if offset < 70 { 58 } else { offset }).0, 58);
    }

    #[test]
    fn an_answer_that_does_not_come_is_no_answer() {
        let away = || LogFault::Unavailable { step: STEP, message: "away".to_owned() };
        assert!(search(0, 100, |_| Err(away())).is_err());
        assert_eq!(search(7, 8, |_| Err(away())).unwrap(), 8, "nothing stands behind it");
    }
}
