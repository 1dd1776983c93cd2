//! What a subscriber of one partition key asks for, in which order, and when its copy is exact: values only. Who serves it — a
//! gateway, a simulation — gets the answers.
//!
//! | | asks | why |
//! |---|---|---|
//! | 1 | to hear of changes, from the end or from where it was | changes in front of that have their rows in the tables |
//! | 2 | how far the projection has come | changes of events before that are in the rows that come now |
//! | 3 | for the rows, unless it has some | |
//! | 4 | where the events end | the rows show nothing that stands behind that |
//! | 5 | to wait until the projection has come so far | changes are written before progress is published |
//! | 6 | where the changes end | all that the rows may have shown stands before that |
//!
//! Once the changes up to there have passed, the copy is that of one moment, and of a later one at each token. Changes of events
//! in front of those ends that come after that are repeats: a projector whose progress was written and reported as failed
//! writes its last changes once more, though it is known how far it had come.

use std::collections::BTreeSet;

use millrace_kernel::Change;

use super::resume::Positions;
use super::seen::Seen;
use crate::planted::{self, Bug};

/// What a subscriber asks for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To hear of changes from now on, or from an offset of the changes topic's partition.
    Hear(Option<i64>),
    /// How far the projection of the view has come.
    Progress,
    /// For the rows.
    Rows,
    /// Where the events of the source partitions end.
    EventEnds,
    /// To be told when the projection has applied all events before these offsets, given as (source partition, offset).
    Applied(Vec<(i32, i64)>),
    /// Where the changes end that it hears of.
    ChangesEnd,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It hears of changes from this offset on.
    Hears(i64),
    /// The topic does not hold the offset any more.
    Gone,
    /// The projection has applied all events before these offsets, given as (source partition, offset).
    Progress(Vec<(i32, i64)>),
    /// It has the rows.
    Rows,
    /// The events end there, given as (source partition, offset).
    EventEnds(Vec<(i32, i64)>),
    /// The projection has come so far.
    Applied,
    /// The changes end at this offset.
    ChangesEnd(i64),
}

/// What is to be made of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Nothing: it is of another version of the tables, or has passed before.
    Nothing,
    /// The subscriber's copy changes.
    Changes,
    /// The subscriber reads all rows anew.
    Rereads,
}

/// One subscriber of one partition key of a view.
#[derive(Clone, Debug)]
pub struct Subscription {
    version: i32,
    epoch: i32,
    partition: i32,
    sources: Vec<i32>,
    next: Option<Ask>,
    /// Whether the rows came with an earlier connection.
    has_rows: bool,
    seen: Seen,
    /// The next offset of the changes.
    offset: i64,
    /// Where the events ended after it had the rows, given as (source partition, offset).
    ends: Vec<(i32, i64)>,
    /// Up to where the changes must have passed.
    until: Option<i64>,
    /// Source partitions of whose newest event not all changes have passed.
    torn: BTreeSet<i32>,
    /// Where it went on, if it did: its place in the changes, and what was settled of each source. Nothing of that may stand behind
    /// where the log ends; else it was another log.
    resumed: Option<(i64, Vec<(i32, i64)>)>,
}

impl Subscription {
    /// A subscriber that has nothing yet: of the tables' `version`, whose changes come in `partition` of the changes topic and
    /// follow from these source partitions.
    #[must_use]
    pub fn new(version: i32, epoch: i32, partition: i32, sources: Vec<i32>) -> Self {
        let next = match planted::is_on(Bug::ChangesBeginBehindRows) {
            true => Ask::Progress,
            false => Ask::Hear(None),
        };
        let (has_rows, seen) = (false, Seen::default());
        let torn = BTreeSet::new();
        Self {
            version,
            epoch,
            partition,
            sources,
            next: Some(next),
            has_rows,
            seen,
            offset: 0,
            ends: Vec::new(),
            until: None,
            torn,
            resumed: None,
        }
    }

    /// One that goes on where it was, in `positions` of the same view and key.
    #[must_use]
    pub fn resumed(positions: Positions, sources: Vec<i32>) -> Self {
        let Positions { version, epoch, partition, offset, seen } = positions;
        let next = Some(Ask::Hear(Some(offset)));
        let torn = BTreeSet::new();
        let resumed = Some((offset, seen.settled().collect()));
        let (has_rows, ends) = (true, Vec::new());
        Self {
            version,
            epoch,
            partition,
            sources,
            next,
            has_rows,
            seen,
            offset,
            ends,
            until: None,
            torn,
            resumed,
        }
    }

    /// The version of the tables.
    #[must_use]
    pub fn version(&self) -> i32 {
        self.version
    }

    /// The partition of the changes topic.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The source partitions that can write its rows.
    #[must_use]
    pub fn sources(&self) -> &[i32] {
        &self.sources
    }

    /// What it asks for; nothing while it only has to hear of changes.
    #[must_use]
    pub fn asks(&self) -> Option<&Ask> {
        self.next.as_ref()
    }

    /// Takes the answer to what it asks for. `false` where it cannot go on: it is to begin anew, as [`Subscription::new`]. So it is
    /// also where it has seen more than there is: its positions are of another life of the topics, and the changes of this one, which
    /// have the same offsets, would be none to it.
    pub fn answer(&mut self, answer: Answer) -> bool {
        let is_late = planted::is_on(Bug::ChangesBeginBehindRows) && !self.has_rows;
        self.next = match answer {
            Answer::Gone => return false,
            Answer::Hears(offset) => {
                self.offset = self.offset.max(offset);
                match self.has_rows || is_late {
                    true => Some(Ask::EventEnds),
                    false => Some(Ask::Progress),
                }
            }
            Answer::Progress(progress) => {
                let own = progress.into_iter().filter(|(partition, _)| self.sources.contains(partition));
                self.seen = Seen::rows(&own.collect::<Vec<_>>());
                Some(Ask::Rows)
            }
            Answer::Rows if is_late => Some(Ask::Hear(None)),
            Answer::Rows => Some(Ask::EventEnds),
            Answer::EventEnds(ends) if self.has_seen_more(&ends) => return false,
            Answer::EventEnds(ends) => {
                self.ends.clone_from(&ends);
                Some(Ask::Applied(ends))
            }
            Answer::Applied => Some(Ask::ChangesEnd),
            Answer::ChangesEnd(end) if self.resumed.as_ref().is_some_and(|(offset, _)| *offset > end) => {
                return false;
            }
            Answer::ChangesEnd(end) => {
                self.until = Some(end);
                None
            }
        };
        true
    }

    /// Whether more was settled where it went on than there are events.
    fn has_seen_more(&self, ends: &[(i32, i64)]) -> bool {
        let settled = self.resumed.iter().flat_map(|(_, settled)| settled);
        settled.clone().any(|(source, settled)| ends.iter().any(|(at, end)| at == source && settled > end))
    }

    /// Takes a change of its key that stands at `offset`.
    pub fn take(&mut self, change: &Change, offset: i64) -> Taken {
        self.pass(offset);
        self.offset = self.offset.max(offset + 1);
        if change.version != self.version {
            return Taken::Nothing;
        }
        match change.more {
            true => self.torn.insert(change.source_partition),
            false => self.torn.remove(&change.source_partition),
        };
        if !self.seen.is_new(change) {
            return Taken::Nothing;
        }
        if planted::is_on(Bug::ChangeDroppedAtSwitch) && self.until == Some(offset + 1) {
            return Taken::Nothing;
        }
        if change.reread { Taken::Rereads } else { Taken::Changes }
    }

    /// Whether its copy is that of one moment, once it has heard of all changes of its key before `offset`.
    pub fn passed(&mut self, offset: i64) -> bool {
        self.pass(offset);
        self.is_exact()
    }

    /// All changes before `offset` have passed.
    fn pass(&mut self, offset: i64) {
        self.offset = self.offset.max(offset);
        if self.until.is_some_and(|until| self.offset >= until) {
            self.seen.settle(std::mem::take(&mut self.ends));
        }
    }

    /// Whether its copy is that of one moment.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.is_whole() && self.until.is_some_and(|until| self.offset >= until)
    }

    /// Whether all changes of each event have passed of which one has: it may go on from here then.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.torn.is_empty()
    }

    /// Where it goes on. Not before it has rows, and not between two changes of one event: see [`Subscription::is_whole`].
    #[must_use]
    pub fn positions(&self) -> Positions {
        let Self { version, epoch, partition, offset, .. } = *self;
        Positions { version, epoch, partition, offset, seen: self.seen.clone() }
    }
}

#[cfg(test)]
mod tests {
    use millrace_kernel::Value;

    use super::*;

    fn change(version: i32, source_offset: i64) -> Change {
        Change {
            view: "v".into(),
            version,
            source_partition: 0,
            source_offset,
            settled: 0,
            recorded_at: 0,
            key: vec![("id".into(), Value::from("a"))],
            row: None,
            reread: false,
            more: false,
        }
    }

    #[test]
    fn a_copy_is_exact_once_all_has_passed_that_its_rows_may_show() {
        let mut one = Subscription::new(1, 0, 2, vec![0]);
        let steps = [
            (Ask::Hear(None), Answer::Hears(100)),
            (Ask::Progress, Answer::Progress(vec![(0, 7), (1, 9)])),
            (Ask::Rows, Answer::Rows),
            (Ask::EventEnds, Answer::EventEnds(vec![(0, 12)])),
            (Ask::Applied(vec![(0, 12)]), Answer::Applied),
            (Ask::ChangesEnd, Answer::ChangesEnd(103)),
        ];
        for (asks, answer) in steps {
            assert_eq!(one.asks(), Some(&asks));
            assert!(!one.is_exact() && one.answer(answer));
        }
        assert_eq!(one.asks(), None);
        assert_eq!(one.take(&change(1, 6), 100), Taken::Nothing, "the rows have shown it");
        assert_eq!(one.take(&change(2, 8), 101), Taken::Nothing, "of another version");
        assert_eq!(one.take(&change(1, 8), 101), Taken::Changes);
        assert!(!one.is_exact());
        assert!(one.passed(103));
        assert_eq!(one.positions().offset, 103);
        let [first, second] = [true, false].map(|more| Change { more, ..change(1, 12 + i64::from(!more)) });
        assert_eq!(one.take(&first, 103), Taken::Changes);
        assert!(!one.is_exact() && !one.is_whole(), "another change of the event follows");
        one.take(&second, 104);
        assert!(one.is_exact());
        let reread = Change { reread: true, ..change(1, 14) };
        assert_eq!(one.take(&reread, 105), Taken::Rereads);
    }

    #[test]
    fn what_comes_again_behind_a_known_end_does_not_take_a_copy_back() {
        let mut one = Subscription::new(1, 0, 2, vec![0]);
        // the changes of the events 5 and 8 stand before 100 and are in the rows, and nothing says yet that they are applied
        for answer in [
            Answer::Hears(100),
            Answer::Progress(Vec::new()),
            Answer::Rows,
            Answer::EventEnds(vec![(0, 9)]),
            Answer::Applied,
            Answer::ChangesEnd(101),
        ] {
            assert!(one.answer(answer));
        }
        assert_eq!(one.take(&change(1, 5), 100), Taken::Changes, "it may be the first time");
        assert!(one.passed(101));
        for (source_offset, expected) in [(5, Taken::Nothing), (8, Taken::Nothing), (9, Taken::Changes)] {
            assert_eq!(one.take(&change(1, source_offset), 110), expected, "{source_offset}");
        }
        let mut again = Subscription::resumed(one.positions(), vec![0]);
        assert_eq!(again.take(&change(1, 8), 120), Taken::Nothing, "also for who goes on there");
    }

    #[test]
    fn whoever_goes_on_asks_for_no_rows_and_knows_what_it_has_seen() {
        let mut one = Subscription::new(1, 0, 2, vec![0]);
        one.answer(Answer::Hears(100));
        one.answer(Answer::Progress(vec![(0, 7)]));
        one.answer(Answer::Rows);
        one.take(&change(1, 8), 100);
        // cut before it was exact, and again before anything came
        let again = Subscription::resumed(one.positions(), vec![0]);
        let mut again = Subscription::resumed(again.positions(), again.sources().to_vec());
        assert_eq!(again.asks(), Some(&Ask::Hear(Some(101))));
        assert!(again.answer(Answer::Hears(101)));
        assert_eq!(again.asks(), Some(&Ask::EventEnds));
        assert_eq!(again.take(&change(1, 8), 101), Taken::Nothing);
        assert!(!again.answer(Answer::Gone), "older than what is kept");
    }

    #[test]
    fn positions_of_another_log_are_of_no_use() {
        let mut one = Subscription::new(1, 0, 2, vec![0]);
        one.answer(Answer::Hears(100));
        one.answer(Answer::Progress(vec![(0, 7)]));
        one.answer(Answer::Rows);
        let ends = |events, changes| {
            let mut again = Subscription::resumed(one.positions(), vec![0]);
            assert!(again.answer(Answer::Hears(100)));
            // what comes meanwhile may be behind the ends
            again.take(&Change { settled: 9, ..change(1, 9) }, 140);
            again.answer(Answer::EventEnds(vec![(0, events)]))
                && again.answer(Answer::Applied)
                && again.answer(Answer::ChangesEnd(changes))
        };
        assert!(ends(7, 100) && ends(8, 120));
        assert!(!ends(6, 100), "fewer events than had been settled");
        assert!(!ends(7, 99), "fewer changes than had passed");
    }
}
