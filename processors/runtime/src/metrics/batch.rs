//! Counts the batch that a processor's lane decides, and those that are being committed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use millrace_kernel::{Domain, Named, Outcome, Status};
use millrace_ports::{CommitTiming, Record};

use super::counts::{Counts, MessageResult};
use super::instruments::{Distribution, Span, TRACEPARENT};
use super::lane::Meter;
use crate::dead::headers::DeadKind;
use crate::processor::decide::{Answer, Decided};
use crate::processor::intake::Intake;

/// Most batches' tallies that are kept to be filled again.
const SPARE: usize = 4;

/// What a batch has come to so far.
#[derive(Default)]
struct Tally {
    counts: Counts,
    records: u64,
    /// Answers that none of them has asked for.
    repeats: u64,
    deciding: Duration,
    /// When the oldest record arrived, by the broker's stamp, milliseconds since the epoch.
    oldest_ms: Option<i64>,
    spans: Vec<Box<dyn Span>>,
    /// When it was handed over, also by the clock of the records, milliseconds since the epoch.
    submitted_at: Option<(Instant, i64)>,
}

impl Tally {
    fn clear(&mut self) {
        self.counts.clear();
        self.spans.clear();
        (self.records, self.repeats, self.deciding) = (0, 0, Duration::ZERO);
        (self.oldest_ms, self.submitted_at) = (None, None);
    }
}

/// Belongs to one lane, so that counting a message takes neither a lock nor an atomic.
#[derive(Default)]
pub struct BatchMeter {
    meter: Meter,
    current: Tally,
    under_way: VecDeque<Tally>,
    spare: Vec<Tally>,
    began: Option<Instant>,
}

impl BatchMeter {
    /// Reports to `meter`.
    #[must_use]
    pub fn new(meter: Meter) -> Self {
        Self { meter, ..Self::default() }
    }

    /// Deciding or encoding begins.
    pub fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    /// Deciding or encoding pauses.
    pub fn pause(&mut self) {
        if let Some(began) = self.began.take() {
            self.current.deciding += began.elapsed();
        }
    }

    /// A message was decided. When its producer has asked for a trace, what follows from it belongs
    /// to the span that begins here, and `record` says so from now on.
    pub fn decided<D: Domain>(&mut self, intake: &Intake<D>, record: &mut Record, decided: &Decided<D>) {
        let (name, is_step) = match intake {
            Intake::Command(command, _) => (command.data.name(), false),
            Intake::Step(step) => (step.data.name(), true),
            Intake::Unknown(_) => ("(unknown)", false),
            Intake::Dead(_) | Intake::NotYet { .. } | Intake::Gap(_) => ("(unreadable)", false),
        };
        let tally = &mut self.current;
        tally.records += 1;
        tally.oldest_ms = Some(tally.oldest_ms.map_or(record.timestamp_ms, |it| it.min(record.timestamp_ms)));
        tally.counts.message(name, is_step, result_of(decided, is_step));
        if let Some(burial) = &decided.dead {
            *tally.counts.dead.entry(burial.kind.as_str()).or_default() += 1;
        }
        for answer in &decided.outcomes {
            match answer {
                Answer::First(outcome) | Answer::Unremembered(outcome) => count(&mut tally.counts, outcome),
                Answer::Again(_) | Answer::Repeat(_) => tally.counts.outcomes[2] += 1,
            }
        }
        if !record.headers.is_empty() {
            self.trace(name, record);
        }
    }

    #[cold]
    fn trace(&mut self, name: &str, record: &mut Record) {
        let at = record.headers.iter().position(|(header, _)| header == TRACEPARENT);
        let Some(at) = at else { return };
        let of = [
            ("messaging.system", "kafka".to_owned()),
            ("messaging.destination.name", record.topic.to_string()),
            ("messaging.destination.partition.id", record.partition.to_string()),
            ("messaging.kafka.offset", record.offset.to_string()),
        ];
        let span = self.meter.role().begin(&format!("decide {name}"), &record.headers[at].1, &of);
        if let Some(span) = span {
            record.headers[at].1 = bytes::Bytes::copy_from_slice(span.traceparent().as_bytes());
            self.current.spans.push(span);
        }
    }

    /// The batch was handed over to be committed at `now_ms`, milliseconds since the epoch; the next
    /// one begins.
    pub fn submitted(&mut self, now_ms: i64) {
        let mut tally = std::mem::replace(&mut self.current, self.spare.pop().unwrap_or_default());
        tally.submitted_at = Some((Instant::now(), now_ms));
        self.under_way.push_back(tally);
    }

    /// So many answers were given to those who have sent a command again.
    pub fn repeated(&mut self, answers: usize) {
        self.current.counts.outcomes[2] += answers as u64;
        self.current.repeats += answers as u64;
    }

    /// What was decided and not handed over is decided again, so it does not count.
    pub fn dropped(&mut self) {
        self.current.clear();
        self.began = None;
    }

    /// What was handed over was not committed, and is decided again.
    pub fn aborted(&mut self) {
        self.under_way.clear();
    }

    /// Only offsets were handed over to be committed.
    pub fn submitted_nothing(&mut self) {
        self.under_way.push_back(self.spare.pop().unwrap_or_default());
    }

    /// The oldest batch under way was committed: what was counted counts.
    pub fn committed(&mut self, timing: Option<CommitTiming>) {
        let Some(mut tally) = self.under_way.pop_front() else { return };
        if tally.records > 0 {
            self.report(&tally, timing);
        } else if tally.repeats > 0 {
            self.meter.role().count(|counts| counts.merge(&tally.counts));
        }
        for span in tally.spans.drain(..) {
            span.end();
        }
        tally.clear();
        if self.spare.len() < SPARE {
            self.spare.push(tally);
        }
    }

    fn report(&self, tally: &Tally, timing: Option<CommitTiming>) {
        let role = self.meter.role();
        role.count(|counts| counts.merge(&tally.counts));
        self.meter.update(|numbers| numbers.records += tally.records);
        role.record(Distribution::BatchRecords, tally.records as f64);
        role.record(Distribution::DecideSeconds, tally.deciding.as_secs_f64());
        let Some((submitted_at, submitted_ms)) = tally.submitted_at else { return };
        let passed = submitted_at.elapsed().as_secs_f64();
        match timing {
            Some(timing) => {
                role.record(Distribution::WriteSeconds, timing.write.as_secs_f64());
                role.record(Distribution::CommitSeconds, timing.commit.as_secs_f64());
            }
            None => role.record(Distribution::CommitSeconds, passed),
        }
        if let Some(oldest_ms) = tally.oldest_ms {
            let waited = (submitted_ms - oldest_ms).max(0) as f64 / 1_000.0;
            role.record(Distribution::CommandSeconds, waited + passed);
        }
    }

    /// How many decided messages are not committed yet.
    #[must_use]
    pub fn in_hand(&self) -> usize {
        self.tallies().map(|tally| tally.records as usize).sum()
    }

    /// When the oldest of them arrived, milliseconds since the epoch.
    #[must_use]
    pub fn oldest_ms(&self) -> Option<i64> {
        self.tallies().filter_map(|tally| tally.oldest_ms).min()
    }

    fn tallies(&self) -> impl Iterator<Item = &Tally> {
        self.under_way.iter().chain([&self.current])
    }

    /// What it reports to.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }
}

fn count(counts: &mut Counts, outcome: &Outcome) {
    counts.outcomes[usize::from(outcome.status == Status::Rejected)] += 1;
    outcome.violations.iter().for_each(|violation| counts.violation(&violation.code, 1));
}

fn result_of<D: Domain>(decided: &Decided<D>, is_step: bool) -> MessageResult {
    let nothing_happened = decided.events.is_empty();
    match (&decided.dead, decided.outcomes.first()) {
        (Some(burial), _) if burial.kind == DeadKind::Waiting => MessageResult::Waiting,
        (Some(_), _) => MessageResult::Dead,
        // one that ends its process was taken, however that ends
        (None, _) if is_step && !nothing_happened => MessageResult::Accepted,
        (None, Some(Answer::First(outcome) | Answer::Unremembered(outcome))) => match outcome.status {
            Status::Accepted => MessageResult::Accepted,
            Status::Rejected => MessageResult::Rejected,
        },
        (None, None) if !nothing_happened => MessageResult::Begun,
        (None, _) => MessageResult::Duplicate,
    }
}
