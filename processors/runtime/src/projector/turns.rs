//! Events whose rows are written in turns: large fan-outs, and what waits in line behind them.
//!
//! A fan-out may have a million rows. They are made in pieces, every line having its part of each, and
//! written beside the batches of events, so memory does not grow with the audience and nobody else
//! waits for a giant. docs/fan-out.md says why tables are right at every instant nevertheless.

use std::collections::{BTreeMap, HashMap, VecDeque};

use millrace_kernel::{Asked, FanOut, Known, Stage, StagedProjector, Write};

use super::parked::Stored;
use crate::planted::{self, Bug};
use crate::progress::Cause;

/// A line's share of a turn is at least one of so many parts. With more lines than have room, some
/// wait for the next turn.
const FEWEST_SHARE: usize = 10;
/// Events that wait at most. They are small: their fan-outs are not made yet.
const MOST_EVENTS: usize = 20_000;
/// Rows at hand that wait at most.
const MOST_ROWS: usize = 50_000;

/// An event whose rows are not all written.
pub(super) struct Parked {
    pub(super) offset: i64,
    pub(super) cause: Cause,
    pub(super) stages: VecDeque<Stage>,
    /// Whether it is on disk as it is here; where a fan-out is, is kept by the projector.
    pub(super) is_kept: bool,
}

/// A command or step with events among the parked ones.
struct Open {
    events: usize,
    recorded_at: i64,
}

/// A cause all of whose parked events are written, and `recorded_at` of the newest of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) cause: Cause,
    pub(super) recorded_at: i64,
}

/// A fan-out that is written in turns, with its event.
pub(super) struct UnderWay {
    pub(super) offset: i64,
    pub(super) recorded_at: i64,
    pub(super) fan_out: FanOut,
    /// How many fan-outs of the event are not at their ends, this one included.
    pub(super) left: usize,
}

/// All parked events of a partition.
pub(super) struct Turns {
    /// Most rows of a turn, of all lines together.
    most: usize,
    /// Until their last rows are acknowledged.
    lines: HashMap<u64, VecDeque<Parked>>,
    /// Whose turn is next.
    order: VecDeque<u64>,
    /// `recorded_at` of every parked event, by its offset.
    offsets: BTreeMap<i64, i64>,
    causes: HashMap<Cause, Open>,
    /// Events whose last rows the store has not acknowledged yet.
    finishing: Vec<(i64, Cause)>,
    /// Lines of which nothing is left but that.
    emptied: Vec<u64>,
    /// Rows at hand.
    rows: usize,
    /// Events on disk of which nothing is left.
    gone: Vec<i64>,
}

/// Rows that are written together.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) rows: Vec<Write>,
    /// From which row on they follow from the event at an offset.
    pub(super) sources: Vec<(usize, i64)>,
}

impl Piece {
    /// The rows of each event.
    pub(super) fn by_event(&self) -> impl Iterator<Item = (&[Write], i64)> {
        let ends = self.sources.iter().skip(1).map(|(at, _)| *at).chain([self.rows.len()]);
        self.sources.iter().zip(ends).map(|((from, offset), to)| (&self.rows[*from..to], *offset))
    }
}

/// An event on disk by its offset; nothing of one that has ended.
pub(super) type OnDisk = (i64, Option<Vec<u8>>);

impl Turns {
    /// No event, and at most so many rows a turn (at least 1).
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            lines: HashMap::new(),
            order: VecDeque::new(),
            offsets: BTreeMap::new(),
            causes: HashMap::new(),
            finishing: Vec::new(),
            emptied: Vec::new(),
            rows: 0,
            gone: Vec::new(),
        }
    }

    /// Goes on with an event that was parked by one who ended; they come in the order of their offsets.
    pub(super) fn restore(&mut self, (line, recorded_at, parked): (u64, i64, Parked)) {
        self.queue(line, recorded_at, parked);
    }

    /// Nothing is left to do of an event that is on disk.
    pub(super) fn forget(&mut self, offset: i64) {
        self.gone.push(offset);
    }

    /// What has changed of the events on disk since [`Turns::kept`].
    pub(super) fn changed(&self) -> Vec<OnDisk> {
        let parked = self.lines.iter().flat_map(|(line, queue)| queue.iter().map(move |it| (*line, it)));
        let stored = parked.filter(|(_, parked)| !parked.is_kept).map(|(line, parked)| {
            let recorded_at = self.offsets.get(&parked.offset).copied().unwrap_or(0);
            let stored = Stored::of(line, recorded_at, parked);
            (parked.offset, Some(serde_json::to_vec(&stored).expect("numbers and texts are JSON")))
        });
        self.gone.iter().map(|offset| (*offset, None)).chain(stored).collect()
    }

    /// All of that is on disk.
    pub(super) fn kept(&mut self) {
        self.gone.clear();
        self.lines.values_mut().flatten().for_each(|parked| parked.is_kept = true);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// How many events wait.
    pub(super) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether no more events may be taken in before some are written.
    pub(super) fn is_full(&self) -> bool {
        self.offsets.len() >= MOST_EVENTS || self.rows >= MOST_ROWS
    }

    /// The fan-outs that are at it, one a line, whose turn is soonest first.
    pub(super) fn under_way(&self) -> impl Iterator<Item = UnderWay> {
        self.order.iter().filter_map(|line| {
            let parked = self.lines.get(line)?.front()?;
            let mut fan_outs = parked.stages.iter().flat_map(|stage| &stage.fan_outs);
            let recorded_at = *self.offsets.get(&parked.offset)?;
            let (fan_out, left) = (*fan_outs.next()?, 1 + fan_outs.count());
            Some(UnderWay { offset: parked.offset, recorded_at, fan_out, left })
        })
    }

    /// The offset of the oldest event that is not wholly written.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.offsets.first_key_value().map(|(offset, _)| *offset)
    }

    /// `recorded_at` of that event, microseconds since the epoch.
    pub(super) fn oldest_at(&self) -> Option<i64> {
        self.offsets.first_key_value().map(|(_, recorded_at)| *recorded_at)
    }

    /// Whether what is asked for cannot be written with its batch.
    pub(super) fn concerns(&self, asked: &Asked) -> bool {
        let waits = asked.line.is_some_and(|line| self.lines.contains_key(&line));
        let waits = waits && !planted::is_on(Bug::FanOutOvertaken);
        waits || asked.stages.iter().any(|stage| !stage.fan_outs.is_empty())
    }

    /// Takes in what the event at `offset` asks for.
    pub(super) fn park(&mut self, asked: Asked, offset: i64, cause: Cause, recorded_at: i64) {
        // of no line: nobody waits for it, so it has a line of its own, which no event's is
        let line = asked.line.unwrap_or(u64::MAX - offset.unsigned_abs());
        let stages = asked.stages.into();
        self.queue(line, recorded_at, Parked { offset, cause, stages, is_kept: false });
    }

    fn queue(&mut self, line: u64, recorded_at: i64, parked: Parked) {
        let (offset, cause) = (parked.offset, parked.cause);
        self.rows += parked.stages.iter().map(|stage| stage.writes.len()).sum::<usize>();
        let queue = self.lines.entry(line).or_default();
        if queue.is_empty() {
            self.order.push_back(line);
        }
        queue.push_back(parked);
        self.offsets.insert(offset, recorded_at);
        let open = self.causes.entry(cause).or_insert(Open { events: 0, recorded_at });
        (open.events, open.recorded_at) = (open.events + 1, open.recorded_at.max(recorded_at));
    }

    /// The next rows of as many lines as have room, each line having its share, and where those of another event begin, with its
    /// offset. Call [`Turns::acknowledged`] when the store has them, and not again before.
    pub(super) fn next<E>(&mut self, projector: &mut dyn StagedProjector<E>, known: &mut dyn Known) -> Piece {
        let (mut rows, mut sources) = (Vec::new(), Vec::new());
        let lines = self.order.len();
        let share = (self.most / lines.max(1)).max(self.most / FEWEST_SHARE).max(1);
        for _ in 0..lines {
            let upto = self.most.min(rows.len() + share);
            if upto == rows.len() {
                break;
            }
            let Some(line) = self.order.pop_front() else { break };
            let Some(queue) = self.lines.get_mut(&line) else { continue };
            while let Some(parked) = queue.front_mut() {
                let Some(stage) = parked.stages.front_mut() else {
                    self.finishing.push((parked.offset, parked.cause));
                    self.gone.push(parked.offset);
                    queue.pop_front();
                    continue;
                };
                parked.is_kept = false;
                sources.push((rows.len(), parked.offset));
                let at_hand = stage.writes.len().min(upto - rows.len());
                rows.extend(stage.writes.drain(..at_hand));
                self.rows -= at_hand;
                while let Some(fan_out) = stage.fan_outs.first().filter(|_| rows.len() < upto) {
                    if !projector.fan_out(*fan_out, upto - rows.len(), known, &mut rows) {
                        stage.fan_outs.remove(0);
                    }
                }
                if !stage.is_empty() {
                    break;
                }
                parked.stages.pop_front();
                if !parked.stages.is_empty() {
                    // the next stage starts when this one is acknowledged
                    break;
                }
                // with this the event ends, and the next one's first stage may run with its last:
                // rows carry the times that decide between them
            }
            if queue.is_empty() {
                self.emptied.push(line);
            } else {
                self.order.push_back(line);
            }
        }
        Piece { rows, sources }
    }

    /// The store has what [`Turns::next`] gave; returns the causes that have ended with it.
    pub(super) fn acknowledged(&mut self) -> Vec<Ended> {
        for line in self.emptied.drain(..) {
            if self.lines.get(&line).is_some_and(VecDeque::is_empty) {
                self.lines.remove(&line);
            }
        }
        let mut ended = Vec::new();
        for (offset, cause) in self.finishing.drain(..) {
            self.offsets.remove(&offset);
            let Some(open) = self.causes.get_mut(&cause) else { continue };
            open.events -= 1;
            if open.events == 0 {
                ended.push(Ended { cause, recorded_at: open.recorded_at });
                self.causes.remove(&cause);
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use millrace_kernel::{Event, InMemory, Put, Value, Writes};

    use super::*;

    /// Fan-outs of so many rows each, by number.
    struct Audiences(BTreeMap<u64, usize>);

    impl StagedProjector<()> for Audiences {
        fn stage(&mut self, _: &Event<()>, _: &mut dyn Known, _: &mut Writes) {}

        fn fan_out(
            &mut self,
            FanOut(number): FanOut,
            most: usize,
            _: &mut dyn Known,
            rows: &mut Vec<Write>,
        ) -> bool {
            let left = self.0.get_mut(&number).expect("not asked again after its end");
            let now = most.min(*left);
            rows.extend((0..now).map(|_| row(number)));
            *left -= now;
            let has_more = *left > 0;
            if !has_more {
                self.0.remove(&number);
            }
            has_more
        }
    }

    fn row(number: u64) -> Write {
        Write::Put(Put { table: "t", values: vec![Value::BigInt(number as i64)], timestamp: 1 })
    }

    fn number(write: &Write) -> i64 {
        match write {
            Write::Put(Put { values, .. }) => match values[..] {
                [Value::BigInt(number)] => number,
                _ => panic!("{write:?}"),
            },
            Write::Delete(_) => panic!("{write:?}"),
        }
    }

    fn asked(line: u64, stages: Vec<Stage>) -> Asked {
        Asked { line: Some(line), stages, ..Asked::default() }
    }

    fn fan_out(number: u64) -> Stage {
        Stage { writes: Vec::new(), fan_outs: vec![FanOut(number)] }
    }

    fn rows(count: usize, number: u64) -> Stage {
        Stage { writes: (0..count).map(|_| row(number)).collect(), fan_outs: Vec::new() }
    }

    fn cause(offset: i64) -> Cause {
        Cause { is_step: false, offset }
    }

    #[test]
    fn giants_advance_side_by_side_and_nobody_starves() {
        let mut turns = Turns::new(100);
        let mut audiences = Audiences((0..30).map(|n| (n, if n == 0 { 10_000 } else { 50 })).collect());
        for n in 0..30 {
            turns.park(asked(n, vec![fan_out(n)]), n as i64, cause(n as i64), 1);
        }
        let mut small = 0;
        for turn in 0.. {
            let piece = turns.next(&mut audiences, &mut InMemory::default()).rows;
            assert!(piece.len() <= 100, "no more than a turn may have");
            small += piece.iter().filter(|write| number(write) != 0).count();
            turns.acknowledged();
            if turns.len() == 1 {
                // 29 others of 50 rows each, at a tenth of a turn or more
                assert!(turn < 2 * 29 * 50 / 100, "{turn} turns");
                break;
            }
        }
        assert_eq!(small, 29 * 50);
        assert_eq!(turns.oldest(), Some(0), "the giant is still at it");
        let mut told = 0;
        while !turns.is_empty() {
            told += turns.next(&mut audiences, &mut InMemory::default()).rows.len();
            turns.acknowledged();
        }
        assert!(told > 8_000, "and has the turns for itself: {told}");
    }

    #[test]
    fn a_line_keeps_its_order_and_stages_wait_for_their_acknowledgement() {
        let mut turns = Turns::new(100);
        let mut audiences = Audiences([(1, 150)].into());
        turns.park(asked(7, vec![rows(2, 0), fan_out(1), rows(1, 2)]), 10, cause(5), 1);
        turns.park(asked(7, vec![rows(3, 3)]), 11, cause(6), 2);
        turns.park(asked(7, Vec::new()), 12, cause(7), 3);
        let mut pieces = Vec::new();
        while !turns.is_empty() {
            let piece: Vec<i64> =
                turns.next(&mut audiences, &mut InMemory::default()).rows.iter().map(number).collect();
            assert!(
                turns.concerns(&asked(7, vec![rows(1, 9)])),
                "the line is busy until all is acknowledged"
            );
            assert!(turns.oldest().is_some());
            let ended: Vec<i64> = turns.acknowledged().iter().map(|it| it.cause.offset).collect();
            pieces.push((piece, ended));
        }
        let expected = [
            (vec![0, 0], vec![]),
            (vec![1; 100], vec![]),
            (vec![1; 50], vec![]),
            // the next event's only stage runs with this one's last
            (vec![2, 3, 3, 3], vec![5, 6, 7]),
        ];
        assert_eq!(pieces, expected);
        assert!(!turns.concerns(&asked(7, vec![rows(1, 9)])), "and free then");
    }

    #[test]
    fn a_cause_ends_with_the_last_of_its_events() {
        let mut turns = Turns::new(1);
        let mut audiences = Audiences([(1, 1), (2, 3)].into());
        turns.park(asked(1, vec![fan_out(1)]), 10, cause(5), 100);
        turns.park(asked(2, vec![fan_out(2)]), 11, cause(5), 101);
        let mut ended = Vec::new();
        while !turns.is_empty() {
            assert!(ended.is_empty(), "not before the last of its rows");
            turns.next(&mut audiences, &mut InMemory::default());
            ended = turns.acknowledged();
        }
        assert_eq!(ended, [Ended { cause: cause(5), recorded_at: 101 }]);
    }
}
