//! A copy of one partition's committed state that follows the topics it comes from: what a lane
//! begins with, and what stands by on another instance.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::bookkeeping::FLOOR_KIND;
use millrace_kernel::{AggregateId, Bookkeeping, Domain, OutcomeHead, StateData};
use millrace_ports::{LocalFault, LogFault, Moment, Reader, Record, Start, TopicPartition};
use millrace_wire::DecodeFailure;

use super::answers::with_short_digest;
pub use super::checkpoint::Reached;
pub use super::fault::CopyFault;
use super::lane::Shared;
use super::local;
use super::state::PartitionState;
use crate::planted::{self, Bug};

/// Most records taken from the log at once.
const FOLLOW_AT_ONCE: usize = 5_000;

/// How many times a copy asks the log where its topics end in the time in which it would grow too old.
const LOOKS: i64 = 24;

/// A copy of a partition's committed state, and how far it has come.
///
/// The topic forgets what was deleted when its tombstones expire. So a copy must not be followed on
/// when it was left alone for that long: what ended meanwhile would live for ever. It knows when it was last whole,
/// by the clock and by the time that has passed, and does not go on when that is too long ago.
pub struct PartitionCopy<D: Domain> {
    partition: i32,
    state: PartitionState<D::State>,
    reached: Reached,
    /// When everything that was committed by then was in it; for one that is read for the first time,
    /// when that began.
    whole_at: Moment,
    /// When the log was last asked where its topics end, and what it said as long as that is not reached.
    asked: (Moment, Option<Reached>),
    stage: Stage,
    reader: Option<Box<dyn Reader>>,
    records: u64,
    /// Where the topics ended when that was last asked.
    ends: Option<Ends>,
    /// Whether the outcomes topic may have lost answers that are needed: its first one tells.
    may_lack: bool,
}

/// Where topics end, and where the outcomes begin for one who has read none.
struct Ends {
    newest: Reached,
    oldest_outcome: i64,
}

enum Stage {
    /// Looking for the record that shows that the topics are those the store came from.
    Proving { key: String, timestamp_ms: i64 },
    /// Reading all states up to this offset: only then it is known where the window begins.
    States { until: i64 },
    /// Following both topics.
    Following,
}

impl<D: Domain> PartitionCopy<D> {
    /// The copy as local state has it, or an empty one. Reads nothing yet.
    ///
    /// # Errors
    /// [`CopyFault`].
    pub fn open(shared: &Arc<Shared<D>>, partition: i32) -> Result<Self, CopyFault> {
        let opened = local::open(shared, partition)?;
        let at = state_of(shared, partition);
        let (reached, is_fresh) = match opened.reached {
            Some(reached) => (reached, false),
            None => (Reached { state: shared.log.low_watermark(&at)?, outcomes: None }, true),
        };
        let stage = match opened.proof {
            Some((key, timestamp_ms)) => Stage::Proving { key, timestamp_ms },
            None if reached.outcomes.is_some() => Stage::Following,
            None => Stage::States { until: shared.log.high_watermark(&at)? },
        };
        if !is_fresh {
            tracing::info!(partition, topic = %at.topic, offset = reached.state, "local state opened, reading on from there");
        }
        Ok(Self { stage, ..Self::new(partition, opened.state, reached, opened.whole_at) })
    }

    fn new(partition: i32, state: PartitionState<D::State>, reached: Reached, whole_at: Moment) -> Self {
        let asked = (whole_at, None);
        let (stage, reader, ends) = (Stage::Following, None, None);
        Self { partition, state, reached, whole_at, asked, stage, reader, records: 0, ends, may_lack: false }
    }

    /// The state of a lane that ends, which reaches up to `reached`: at `whole_at` there was no more.
    #[must_use]
    pub fn of_lane(
        partition: i32,
        mut state: PartitionState<D::State>,
        reached: Reached,
        whole_at: Moment,
    ) -> Self {
        state.follows();
        Self::new(partition, state, reached, whole_at)
    }

    /// Whether the topic may have forgotten what was deleted since the copy was last whole.
    ///
    /// # Errors
    /// [`CopyFault::TooOld`] when it may.
    pub fn check_age(&self, shared: &Shared<D>) -> Result<(), CopyFault> {
        let age_seconds = self.whole_at.age_micros(&*shared.clock) / 1_000_000;
        let most_seconds = shared.settings.state_max_age_seconds;
        if age_seconds <= i64::try_from(most_seconds).unwrap_or(i64::MAX)
            || planted::is_on(Bug::OldCopyBelieved)
        {
            return Ok(());
        }
        Err(CopyFault::TooOld { at: state_of(shared, self.partition), age_seconds, most_seconds })
    }

    /// Takes in what was committed since, waiting up to `wait` for it; how many records it read.
    ///
    /// # Errors
    /// [`CopyFault`]; after one, open it anew.
    pub fn follow(&mut self, shared: &Shared<D>, wait: Duration) -> Result<usize, CopyFault> {
        let followed = self.follow_on(shared, wait);
        let is_lasting = match &followed {
            Err(CopyFault::Local(fault)) => fault.is_lasting(),
            // by the clock alone the store may look younger than it is
            Err(CopyFault::TooOld { .. }) => true,
            _ => false,
        };
        if let (true, Err(fault), Some(local)) = (is_lasting, &followed, &shared.local) {
            local.condemn(self.partition, fault.to_string());
        }
        followed
    }

    fn follow_on(&mut self, shared: &Shared<D>, wait: Duration) -> Result<usize, CopyFault> {
        self.check_age(shared)?;
        let now = shared.clock.now_micros();
        self.state.tend_checkpoint(now)?;
        if let Stage::Proving { .. } = self.stage {
            return self.prove(shared, wait);
        }
        let (states, outcomes) = (state_of(shared, self.partition), outcomes_of(shared, self.partition));
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let mut starts = vec![(states.clone(), Start::Offset(self.reached.state))];
                starts.extend(self.reached.outcomes.map(|at| (outcomes.clone(), Start::Offset(at))));
                shared.log.reader(&starts)?
            }
        };
        let records = reader.poll(FOLLOW_AT_ONCE, wait)?;
        for record in &records {
            if record.topic == states.topic {
                self.take_state(shared, record)?;
            } else {
                self.take_outcome(shared, record)?;
            }
        }
        self.records += records.len() as u64;
        if records.is_empty() {
            self.ends = None;
        }
        self.reached.state = reader.position(&states).max(self.reached.state);
        if let Some(reached) = &mut self.reached.outcomes {
            *reached = reader.position(&outcomes).max(*reached);
        }
        self.reader = Some(reader);
        if let Stage::States { until } = self.stage
            && self.reached.state >= until
        {
            self.begin_outcomes(shared)?;
        }
        self.note_whole(shared)?;
        if self.state.is_checkpoint_due(now) {
            // all of it was read as committed
            self.state.freeze(self.reached, self.whole_at.micros(), now);
            self.state.write_checkpoint();
        }
        Ok(records.len())
    }

    /// Takes note of when it was whole. That it has read all there was to read does not say so: the log may be away
    /// without a word, and under load there is always more.
    fn note_whole(&mut self, shared: &Shared<D>) -> Result<(), LogFault> {
        let (asked_at, known) = self.asked;
        if known.is_some_and(|ends| self.has_reached(&ends)) {
            self.whole_at = asked_at;
            self.asked = (asked_at, None);
        }
        let most = i64::try_from(shared.settings.state_max_age_seconds.saturating_mul(1_000_000));
        let is_due = asked_at.age_micros(&*shared.clock) >= most.unwrap_or(i64::MAX) / LOOKS;
        if is_due && self.asked.1.is_none() {
            let now = Moment::now(&*shared.clock);
            self.asked = (now, Some(ends(shared, self.partition)?));
        }
        Ok(())
    }

    /// The window reaches back from the newest `recorded_at`. The states know one that is
    /// hardly newer than that, so what is read is at least the window.
    fn begin_outcomes(&mut self, shared: &Shared<D>) -> Result<(), LogFault> {
        let at = outcomes_of(shared, self.partition);
        let since = self.state.answers_from(&shared.settings);
        let oldest = shared.log.low_watermark(&at)?;
        let from = shared.log.offset_at(&at, (since / 1_000).max(0))?;
        if from > 0 {
            self.state.answers_begin_at(since);
        }
        // what retention has taken may have been needed
        self.may_lack = oldest > 0 && from <= oldest;
        self.reached.outcomes = Some(from);
        self.stage = Stage::Following;
        self.reader = None;
        Ok(())
    }

    /// Looks for the answer remembered last where it must stand, unless retention has
    /// taken it and everything else. A topic that was deleted and made anew does not have it.
    fn prove(&mut self, shared: &Shared<D>, wait: Duration) -> Result<usize, CopyFault> {
        let Stage::Proving { key, timestamp_ms } = &self.stage else { return Ok(0) };
        let Some(reached) = self.reached.outcomes else {
            self.stage =
                Stage::States { until: shared.log.high_watermark(&state_of(shared, self.partition))? };
            return Ok(0);
        };
        let at = outcomes_of(shared, self.partition);
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let start = shared.log.offset_at(&at, *timestamp_ms)?;
                if start >= reached && shared.log.low_watermark(&at)? >= reached {
                    self.stage = Stage::Following;
                    return Ok(0);
                }
                shared.log.reader(&[(at.clone(), Start::Offset(start.min(reached)))])?
            }
        };
        let records = reader.poll(FOLLOW_AT_ONCE, wait)?;
        self.records += records.len() as u64;
        let is_it = |record: &Record| {
            record.offset < reached && record.key.as_deref().is_some_and(|found| found == key.as_bytes())
        };
        if records.iter().any(is_it) {
            self.stage = Stage::Following;
        } else if reader.position(&at) >= reached {
            return Err(CopyFault::Local(LocalFault::Foreign {
                path: self.state.path(),
                expected: format!("{at} as it is now"),
                found: format!("a topic of that name which held the answer to {key}"),
            }));
        } else {
            self.reader = Some(reader);
        }
        Ok(records.len())
    }

    /// The offsets below which everything committed is in this copy.
    #[must_use]
    pub fn reached(&self) -> Reached {
        self.reached
    }

    /// Whether there is anything in it.
    #[must_use]
    pub fn has_records(&self) -> bool {
        self.state.last_recorded_at > 0
    }

    /// How many records it has read.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many records it is behind the topics, at most: markers of transactions count, too. While more than `close`
    /// are left of what was known, nobody is asked: that takes longer than to read some thousands.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn lag(&mut self, shared: &Shared<D>, close: u64) -> Result<u64, LogFault> {
        if let Some(left) = self.ends.as_ref().map(|ends| self.left(ends))
            && left > close
        {
            return Ok(left);
        }
        let oldest_outcome = match self.reached.outcomes {
            Some(reached) => reached,
            None => shared.log.low_watermark(&outcomes_of(shared, self.partition))?,
        };
        let ends = Ends { newest: ends(shared, self.partition)?, oldest_outcome };
        let left = self.left(&ends);
        self.ends = Some(ends);
        Ok(left)
    }

    fn left(&self, ends: &Ends) -> u64 {
        let behind = |end: i64, reached: i64| u64::try_from(end - reached).unwrap_or(0);
        let reached = self.reached.outcomes.unwrap_or(ends.oldest_outcome);
        let outcomes = behind(ends.newest.outcomes.unwrap_or(reached), reached);
        let unproven = u64::from(matches!(self.stage, Stage::Proving { .. }));
        behind(ends.newest.state, self.reached.state) + outcomes + unproven
    }

    /// Whether everything below `ends` is in this copy, so that it may decide.
    #[must_use]
    pub fn has_reached(&self, ends: &Reached) -> bool {
        matches!(self.stage, Stage::Following) && self.reached.covers(ends)
    }

    /// Whether it is kept on disk.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.state.is_stored()
    }

    /// The state as far as it has come.
    #[must_use]
    pub fn state(&self) -> &PartitionState<D::State> {
        &self.state
    }

    /// The state, to decide with: see [`PartitionCopy::has_reached`].
    #[must_use]
    pub fn into_state(mut self) -> PartitionState<D::State> {
        if self.may_lack {
            // not one is left
            self.state.lost_answers_before(self.state.last_recorded_at + 1);
        }
        self.state
    }

    fn take_state(&mut self, shared: &Shared<D>, record: &Record) -> Result<(), CopyFault> {
        let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let Some(id) = key.and_then(AggregateId::parse) else {
            return Err(unreadable(record, "its key is no aggregate id".to_owned()));
        };
        // the record's own time is the batch's newest `recorded_at`, cut to the millisecond
        let newest = record.timestamp_ms.saturating_mul(1_000).saturating_add(999);
        self.state.last_recorded_at = self.state.last_recorded_at.max(newest);
        if record.value.is_none() && planted::is_on(Bug::TombstonesIgnored) {
            return Ok(());
        }
        if id.kind() == FLOOR_KIND {
            return self.take_floor(shared, record);
        }
        self.state.take_state(&id, record.value.as_deref());
        Ok(())
    }

    /// Takes in what is said of forgotten answers. If somebody has deleted that, what was said before still
    /// holds.
    fn take_floor(&mut self, shared: &Shared<D>, record: &Record) -> Result<(), CopyFault> {
        let Some(value) = record.value.as_ref() else { return Ok(()) };
        if planted::is_on(Bug::FloorLostAtRestart) {
            return Ok(());
        }
        let state = match shared.codecs.state.decode(value) {
            Ok(state) => D::State::from_record(state).3,
            Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
            Err(other) => return Err(unreadable(record, other.to_string())),
        };
        match state.as_ref().and_then(StateData::as_bookkeeping) {
            Some(Bookkeeping::Floor(floor)) => self.state.take_floor(floor.clone()),
            _ => return Err(unreadable(record, "it holds no floor".to_owned())),
        }
        Ok(())
    }

    fn take_outcome(&mut self, shared: &Shared<D>, record: &Record) -> Result<(), CopyFault> {
        let Some(value) = record.value.as_ref() else { return Ok(()) };
        let outcome = match shared.codecs.outcomes.decode_with(value, OutcomeHead::read) {
            Ok(outcome) => outcome,
            Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
            Err(other) => return Err(unreadable(record, other.to_string())),
        };
        self.state.last_recorded_at = self.state.last_recorded_at.max(outcome.recorded_at);
        if std::mem::take(&mut self.may_lack) {
            // not its own `recorded_at`: a repeated answer has that of the first
            self.state.lost_answers_before(record.timestamp_ms.saturating_add(1).saturating_mul(1_000));
        }
        let is_first = !outcome.duplicate && !outcome.is_misrouted;
        if is_first && !planted::is_on(Bug::DedupLostOnRebalance) {
            let Some(command_id) = record.key.as_ref() else {
                return Err(unreadable(record, "it has no key, which is the command's id".to_owned()));
            };
            // another build's may go on behind its digest
            let is_own = value.get(1..5) == Some(&shared.codecs.outcomes.schema_id().to_be_bytes()[..]);
            let kept = with_short_digest(value, is_own && outcome.has_whole_digest);
            self.state.take_answer(command_id, outcome.recorded_at, &kept);
        }
        Ok(())
    }
}

fn unreadable(record: &Record, why: String) -> CopyFault {
    let at = TopicPartition::new(Arc::clone(&record.topic), record.partition);
    CopyFault::Unreadable { at, record: format!("the record at offset {}", record.offset), why }
}

fn state_of<D: Domain>(shared: &Shared<D>, partition: i32) -> TopicPartition {
    TopicPartition::new(Arc::clone(&shared.names.state), partition)
}

fn outcomes_of<D: Domain>(shared: &Shared<D>, partition: i32) -> TopicPartition {
    TopicPartition::new(Arc::clone(&shared.names.outcomes), partition)
}

/// Where the topics of a partition's state end now, open transactions and markers included.
///
/// # Errors
/// [`LogFault`].
pub fn ends<D: Domain>(shared: &Shared<D>, partition: i32) -> Result<Reached, LogFault> {
    Ok(Reached {
        state: shared.log.high_watermark(&state_of(shared, partition))?,
        outcomes: Some(shared.log.high_watermark(&outcomes_of(shared, partition))?),
    })
}
