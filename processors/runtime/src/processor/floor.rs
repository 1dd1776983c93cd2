//! Which commands are refused because they may have been answered, and forgotten since.
//!
//! A window of answers is finite, so a domain that cannot afford to do a thing twice
//! ([`Domain::REFUSES_EXPIRED`](millrace_kernel::Domain::REFUSES_EXPIRED)) forgets in two steps. An id that
//! is older than the window is not answered again, but it is still *known*: a repeat of it is
//! `Expired`. Before it is not known any more the *floor* is raised to when it was issued, and whatever was
//! issued at or before the floor is `Expired` without a look at its id. Two things hold:
//!
//! - **Nothing is done twice.** Every id that was answered is known, or was issued at or before
//!   the floor. A command is issued no later than the margin (`issued_at_ahead_seconds`) after it
//!   was appended, or it is refused for that.
//! - **Nobody is refused for having waited.** The floor stands a margin before the append time of a
//!   command that the window has passed. That command stood in the log before the one at hand, so the one
//!   at hand is only refused when it was issued more than a margin before it was appended.
//!
//! Times are kept by span, not by id: some dozens of spans cover all that is known. They are written to the
//! state topic when they change, since a restore must know how far back to read the outcomes, and
//! what it cannot read any more.

use millrace_kernel::bookkeeping::{Floor as Record, FloorSpan};
use serde::{Deserialize, Serialize};

use crate::planted::{self, Bug};

/// Most spans that are kept; more are joined. So many longs are some two kilobytes.
const MOST_SPANS: usize = 64;
/// Into how many spans a window full of ids is cut, at least.
const SPANS_OF_IDS: u64 = 16;
/// So many past ids are always known, so that a window of few ids does not make a strict floor.
const PAST_IDS: u64 = 1_000_000;
/// How far a processor's clock may be behind the broker's, in microseconds: an answer may be recorded
/// by so much before its command was appended.
const SKEW_MICROS: i64 = 120_000_000;

/// What a window of answers must know to keep the promises above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// How far back repeats are answered, in microseconds of `recorded_at`.
    pub(super) span_micros: i64,
    /// How many ids back.
    pub(super) max_ids: u64,
    /// How far the clocks of producers may be wrong, in microseconds.
    pub(super) margin_micros: i64,
}

/// How much is known at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Most {
    /// So many ids.
    pub(super) ids: u64,
    /// So far back, in microseconds.
    pub(super) micros: i64,
}

/// When the commands of a batch were appended and issued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    first_appended_at: Option<i64>,
    appended_at: i64,
    issued_at: i64,
}

impl Seen {
    /// Takes in a command that was decided at `recorded_at`, in a domain whose producers' clocks may be
    /// wrong by `margin`. All times in microseconds, since the epoch.
    pub(super) fn note(
        &mut self,
        appended_at: i64,
        issued_at: Option<i64>,
        recorded_at: i64,
        margin_micros: i64,
    ) {
        self.first_appended_at.get_or_insert(appended_at);
        // one issued later than that is refused, and will be taken at most once
        let issued_at = issued_at.unwrap_or(appended_at).min(appended_at.saturating_add(margin_micros));
        self.issued_at = self.issued_at.max(issued_at);
        // a broker whose clock is ahead must not have honest commands refused later
        let appended_at =
            if planted::is_on(Bug::FloorOfRecordedTime) { recorded_at } else { appended_at.min(recorded_at) };
        self.appended_at = self.appended_at.max(appended_at);
    }
}

/// The answers behind the newest span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    /// `recorded_at` of the first of them.
    since: i64,
    /// And of the newest; 0 while there is none.
    recorded_at: i64,
    appended_at: i64,
    issued_at: i64,
    ids: u64,
    newest_number: u64,
    /// Whether there may be some that were read from the topics, which do not say when their commands
    /// were appended. The next command does: it came later.
    is_restored: bool,
}

impl Open {
    fn new(is_restored: bool) -> Self {
        Self { since: 0, recorded_at: 0, appended_at: 0, issued_at: 0, ids: 0, newest_number: 0, is_restored }
    }
}

/// What a checkpoint keeps of a [`Floor`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FloorMark {
    record: Record,
    numbers: Vec<u64>,
    open: Open,
}

/// The floor of a partition, and the spans of what is known above it.
#[derive(Debug)]
pub(super) struct Floor {
    bounds: Bounds,
    record: Record,
    /// Of each span the number of its newest answer; 0 where that is not known.
    numbers: Vec<u64>,
    open: Open,
    /// Whether the topic has said anything of it.
    is_told: bool,
    is_news: bool,
}

impl Floor {
    /// Nothing is known yet and nothing was forgotten. Already the first batch says so: a restore that
    /// is told nothing must expect that something was.
    pub(super) fn new(bounds: Bounds) -> Self {
        let (record, numbers) = Default::default();
        Self { bounds, record, numbers, open: Open::new(true), is_told: false, is_news: true }
    }

    /// As a checkpoint left it.
    pub(super) fn stored(bounds: Bounds, mark: FloorMark) -> Self {
        let FloorMark { record, numbers, open } = mark;
        let mut floor = Self { bounds, record, numbers, open, is_told: true, is_news: true };
        floor.follow();
        floor
    }

    /// What a checkpoint keeps of it.
    pub(super) fn mark(&self) -> FloorMark {
        FloorMark { record: self.record.clone(), numbers: self.numbers.clone(), open: self.open.clone() }
    }

    /// The floor, and what is known above it.
    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    /// How much is known at most: by number what memory allows, by time the window and what lies between
    /// it and the floor when commands come steadily.
    pub(super) fn most(&self) -> Most {
        let Bounds { span_micros, max_ids, margin_micros } = self.bounds;
        Most {
            ids: max_ids.saturating_add(max_ids.max(PAST_IDS)),
            micros: span_micros.saturating_add(margin_micros.saturating_mul(2)),
        }
    }

    /// Whether the state topic has said how far back answers are known.
    pub(super) fn is_told(&self) -> bool {
        self.is_told
    }

    /// From now on others decide, and only their answers are seen.
    pub(super) fn follow(&mut self) {
        self.open.is_restored = true;
    }

    /// Takes in what the state topic says.
    pub(super) fn take(&mut self, record: Record) {
        let newest = self.newest();
        self.raise(record.issued_at);
        self.record.recorded_at = self.record.recorded_at.max(record.recorded_at);
        let gone = self.record.recorded_at;
        self.record.spans = record.spans;
        self.record.spans.retain(|span| span.recorded_at > gone);
        self.numbers = vec![0; self.record.spans.len()];
        self.open = Open::new(true);
        if newest > self.newest() {
            (self.open.since, self.open.recorded_at) = (newest, newest);
        }
        (self.is_told, self.is_news) = (true, false);
    }

    /// Takes in that answers recorded before `first_at` cannot be read any more. When the commands of
    /// spans were issued is known; for others there is a bound.
    pub(super) fn lost_before(&mut self, first_at: i64) {
        let mut known_to = self.record.recorded_at;
        let mut lost = 0;
        for span in 0..self.record.spans.len() {
            if known_to >= first_at - 1 {
                break;
            }
            let FloorSpan { recorded_at, issued_at, .. } = self.record.spans[span];
            self.raise(issued_at);
            lost += usize::from(recorded_at < first_at);
            known_to = recorded_at;
        }
        self.forget(lost);
        if known_to < first_at - 1 {
            self.raise(self.issued_by(first_at - 1));
            self.record.recorded_at = self.record.recorded_at.max(first_at - 1);
        }
    }

    /// Takes in the commands of a batch whose newest answer is of `recorded_at`: before these answers
    /// are remembered.
    pub(super) fn begin(&mut self, seen: &Seen, recorded_at: i64) {
        let Some(first) = seen.first_appended_at else { return };
        let margin = self.bounds.margin_micros;
        if self.open.is_restored {
            self.open.appended_at = self.open.appended_at.max(first.min(self.open.recorded_at));
            self.open.issued_at = self.open.issued_at.max(first.saturating_add(margin));
            self.open.is_restored = false;
            self.close();
        } else if recorded_at - self.open.recorded_at > self.bounds.span_micros {
            // the window has passed all of it
            self.close();
        }
        self.open.appended_at = self.open.appended_at.max(seen.appended_at);
        self.open.issued_at = self.open.issued_at.max(seen.issued_at);
    }

    /// Takes in an answer.
    pub(super) fn remember(&mut self, recorded_at: i64, number: u64) {
        if self.open.recorded_at == 0 {
            self.open.since = recorded_at;
        }
        self.open.recorded_at = self.open.recorded_at.max(recorded_at);
        self.open.newest_number = number;
        self.open.ids += 1;
    }

    /// Raises the floor as far as the window has come, and forgets what lies below it: after the answers
    /// of a batch were remembered. `newest_at` is the newest `recorded_at`, `next_number` the number of
    /// the next answer.
    pub(super) fn end(&mut self, newest_at: i64, next_number: u64) {
        let width = self.most().micros / MOST_SPANS as i64;
        let is_wide = self.open.recorded_at - self.open.since >= width;
        if !self.open.is_restored && (is_wide || self.open.ids >= (self.bounds.max_ids / SPANS_OF_IDS).max(1))
        {
            self.close();
        }
        let oldest_at = newest_at.saturating_sub(self.bounds.span_micros);
        let is_past = |span: &FloorSpan, number: u64| {
            span.recorded_at < oldest_at || (number > 0 && number + self.bounds.max_ids < next_number)
        };
        let spans = self.record.spans.iter().zip(&self.numbers);
        let past = spans.rev().position(|(span, number)| is_past(span, *number));
        let past = past.map_or(0, |from_the_end| self.record.spans.len() - from_the_end);
        let passed = self.record.spans[..past].iter().map(|span| span.appended_at).max();
        if let Some(appended_at) = passed {
            self.raise(appended_at.saturating_sub(self.bounds.margin_micros));
        }
        let is_below = |span: &&FloorSpan| {
            span.issued_at <= self.record.issued_at || planted::is_on(Bug::FloorForgetsFirst)
        };
        let below = self.record.spans[..past].iter().take_while(is_below).count();
        self.forget(below);
    }

    /// Forgets what was recorded at or before this time, whatever becomes of the floor: there are too many ids. The
    /// floor may then stand less than a margin before the newest commands.
    pub(super) fn forget_up_to(&mut self, recorded_at: i64) {
        while self.record.recorded_at < recorded_at {
            if self.record.spans.is_empty() {
                if self.open.is_restored {
                    self.open.issued_at = self.open.issued_at.max(self.issued_by(self.open.recorded_at));
                }
                self.close();
            }
            let Some(span) = self.record.spans.first() else { return };
            self.raise(span.issued_at);
            self.forget(1);
        }
    }

    /// What is to be written to the state topic, if anything: once.
    pub(super) fn news(&mut self) -> Option<Record> {
        std::mem::take(&mut self.is_news).then(|| self.record.clone())
    }

    /// What was told last has not come through.
    pub(super) fn tell_again(&mut self) {
        self.is_news = true;
    }

    /// The latest time at which a command may have been issued that was answered at `recorded_at`.
    fn issued_by(&self, recorded_at: i64) -> i64 {
        recorded_at.saturating_add(self.bounds.margin_micros).saturating_add(SKEW_MICROS)
    }

    fn newest(&self) -> i64 {
        self.record.spans.last().map_or(0, |span| span.recorded_at).max(self.open.recorded_at)
    }

    fn raise(&mut self, issued_at: i64) {
        self.record.issued_at = self.record.issued_at.max(issued_at);
    }

    /// Forgets the oldest spans.
    fn forget(&mut self, count: usize) {
        let Some(last) = count.checked_sub(1).and_then(|last| self.record.spans.get(last)) else { return };
        self.record.recorded_at = self.record.recorded_at.max(last.recorded_at);
        self.record.spans.drain(..count);
        self.numbers.drain(..count);
        self.is_news = true;
    }

    /// Makes a span of the answers behind the newest one, if there are any.
    fn close(&mut self) {
        let Open { recorded_at, appended_at, issued_at, newest_number, is_restored, .. } = self.open;
        if recorded_at == 0 {
            return;
        }
        self.open = Open::new(is_restored);
        self.record.spans.push(FloorSpan { recorded_at, appended_at, issued_at });
        self.numbers.push(newest_number);
        self.is_news = true;
        if self.record.spans.len() > MOST_SPANS {
            self.join();
        }
    }

    /// Joins the two neighbours that make the shortest span.
    fn join(&mut self) {
        let length =
            |at: &usize| self.record.spans[at + 1].recorded_at - self.record.spans[at - 1].recorded_at;
        let Some(at) = (1..self.record.spans.len() - 1).min_by_key(length) else { return };
        let earlier = self.record.spans.remove(at);
        self.numbers.remove(at);
        let later = &mut self.record.spans[at];
        later.appended_at = later.appended_at.max(earlier.appended_at);
        later.issued_at = later.issued_at.max(earlier.issued_at);
    }
}
