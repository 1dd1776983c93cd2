//! The answers of one command, counted and judged.

use millrace_kernel::{Outcome, Status, codes};

use crate::difference::Kind;
use crate::fault::AuditFault;
use crate::shelf::spoilt;

/// What is known of one command id in one partition.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Tally {
    /// Whether there is a command of it, not answers alone.
    pub is_known: bool,
    /// Its first record.
    pub offset: i64,
    /// Records that must have been decided, dead and misrouted ones apart.
    pub asked: u64,
    /// Records that came with the wrong key or in the wrong partition.
    pub misrouted: u64,
    /// Records in the dead topic.
    pub dead: u64,
    /// Records that need not be decided yet.
    pub later: u64,
    /// First answers, repeated ones, and those to misrouted records.
    pub firsts: u64,
    pub repeats: u64,
    pub turned_away: u64,
    /// The newest outcome, and `recorded_at` of the newest first answer.
    pub outcome: i64,
    pub answered_at: i64,
    /// Two first answers stand closer than the de-duplication reaches.
    pub is_twice: bool,
    /// First answers that say that something was done.
    pub accepted: u64,
    /// When it was issued, if its records say so, and whether all of them say the same.
    pub issued_at: Option<i64>,
    pub is_issued_anew: bool,
}

impl Tally {
    pub fn count(&mut self, outcome: &Outcome, offset: i64, window_micros: i64) {
        self.outcome = offset;
        if outcome.duplicate {
            self.repeats += 1;
        } else if outcome.violations.first().is_some_and(|violation| violation.code == codes::MISROUTED) {
            self.turned_away += 1;
        } else {
            // that a command has expired is no decision: nothing was done
            let is_expired = outcome.violations.first().is_some_and(|it| it.code == codes::EXPIRED);
            let is_near = outcome.recorded_at - self.answered_at < window_micros;
            self.is_twice |= self.firsts > 0 && is_near && !is_expired;
            self.firsts += 1;
            self.accepted += u64::from(outcome.status == Status::Accepted);
            self.answered_at = outcome.recorded_at;
        }
    }

    /// What is wrong where nothing may be done twice: a command that says when it was issued was accepted
    /// several times, however far apart.
    pub fn taken_twice(&self, command_id: &str) -> Option<(Kind, String)> {
        let accepted = self.accepted;
        let is_known = self.issued_at.is_some() && !self.is_issued_anew;
        (accepted > 1 && is_known).then(|| {
            (
                Kind::Surplus,
                format!("{command_id} was accepted {accepted} times though it says when it was issued"),
            )
        })
    }

    /// What is wrong with the answers of a command id, if anything is.
    pub fn verdict(
        &self,
        command_id: &str,
        is_open: bool,
        due: i64,
        is_whole: bool,
    ) -> Option<(Kind, String)> {
        let answers = self.firsts + self.repeats;
        if self.is_twice {
            let message = format!(
                "{command_id} has {} first outcomes: it was decided more than once though it was remembered",
                self.firsts
            );
            return Some((Kind::Surplus, message));
        }
        if self.turned_away < self.misrouted {
            let (came, answered) = (self.misrouted, self.turned_away);
            let message =
                format!("{command_id} came {came} times the wrong way and was answered {answered} times");
            return Some((Kind::Missing, message));
        }
        if self.asked > 0 && !is_open {
            if answers == 0 {
                let message = format!(
                    "{command_id} was decided and has no outcome, is not in the dead topic, and no process of it is open"
                );
                return Some((Kind::Missing, message));
            }
            // those that are due have not been forgotten
            if answers.saturating_add(due.max(0).unsigned_abs()) < self.asked {
                let asked = self.asked;
                return Some((
                    Kind::Missing,
                    format!("{command_id} came {asked} times and was answered {answers} times"),
                ));
            }
            if self.firsts == 0 && is_whole {
                let message = format!("{command_id} has only outcomes that say they repeat an earlier one");
                return Some((Kind::Missing, message));
            }
        }
        let (came, all) = (self.asked + self.misrouted + self.dead + self.later, answers + self.turned_away);
        (is_whole && all > came)
            .then(|| (Kind::Surplus, format!("{command_id} came {came} times and was answered {all} times")))
    }

    /// As a book keeps it.
    pub fn to_bytes(self) -> Vec<u8> {
        let Self { is_known, offset, asked, misrouted, dead, later, .. } = self;
        let Self { firsts, repeats, turned_away, outcome, answered_at, is_twice, accepted, .. } = self;
        let flags = [is_known, is_twice, self.issued_at.is_some(), self.is_issued_anew];
        let times = [offset, outcome, answered_at, self.issued_at.unwrap_or(0)].map(i64::cast_unsigned);
        let counts = [asked, misrouted, dead, later, firsts, repeats, turned_away, accepted];
        let numbers = times.into_iter().chain(counts).flat_map(u64::to_le_bytes);
        flags.map(u8::from).into_iter().chain(numbers).collect()
    }

    /// What a book has kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AuditFault> {
        let cut_off = || spoilt("the answers of a command", "it is cut off");
        let ([is_known, is_twice, is_issued, is_issued_anew], numbers) =
            bytes.split_first_chunk::<4>().ok_or_else(cut_off)?;
        let (numbers, _) = numbers.as_chunks::<8>();
        let [
            offset,
            outcome,
            answered_at,
            issued_at,
            asked,
            misrouted,
            dead,
            later,
            firsts,
            repeats,
            turned_away,
            accepted,
        ] = numbers
        else {
            return Err(cut_off());
        };
        let (time, count) = (|it: &[u8; 8]| i64::from_le_bytes(*it), |it: &[u8; 8]| u64::from_le_bytes(*it));
        Ok(Self {
            is_known: *is_known == 1,
            offset: time(offset),
            asked: count(asked),
            misrouted: count(misrouted),
            dead: count(dead),
            later: count(later),
            firsts: count(firsts),
            repeats: count(repeats),
            turned_away: count(turned_away),
            outcome: time(outcome),
            answered_at: time(answered_at),
            is_twice: *is_twice == 1,
            accepted: count(accepted),
            issued_at: (*is_issued == 1).then(|| time(issued_at)),
            is_issued_anew: *is_issued_anew == 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_keeps_all_of_it() {
        let tally = Tally {
            is_known: true,
            offset: 1,
            asked: 2,
            misrouted: 3,
            dead: 4,
            later: 5,
            firsts: 6,
            repeats: 7,
            turned_away: 8,
            outcome: 9,
            answered_at: 10,
            is_twice: true,
            accepted: 11,
            issued_at: Some(-12),
            is_issued_anew: true,
        };
        for tally in [tally, Tally::default()] {
            assert_eq!(Tally::from_bytes(&tally.to_bytes()).unwrap(), tally);
        }
        Tally::from_bytes(&tally.to_bytes()[1..]).unwrap_err();
    }

    #[test]
    fn what_is_wrong_with_answers() {
        let tally = |asked, dead, later, firsts, repeats| Tally {
            asked,
            dead,
            later,
            firsts,
            repeats,
            ..Tally::default()
        };
        let due = |asked, firsts, repeats, left| (tally(asked, 0, 0, firsts, repeats), left);
        for ((tally, left), expected) in [
            (due(9, 1, 3, 5), None),
            (due(9, 1, 3, 6), None),
            (due(9, 1, 3, 4), Some(Kind::Missing)),
            (due(9, 0, 0, 9), Some(Kind::Missing)),
        ] {
            let found = tally.verdict("c", false, left, true).map(|(kind, _)| kind);
            assert_eq!(found, expected, "{tally:?}, {left} are due");
        }
        let rows: [(Tally, bool, bool, Option<Kind>); 14] = [
            (tally(1, 0, 0, 1, 0), false, true, None),
            (tally(1, 0, 0, 0, 0), false, true, Some(Kind::Missing)),
            (tally(1, 0, 0, 0, 0), true, true, None),
            (tally(0, 1, 0, 0, 0), false, true, None),
            (tally(0, 1, 0, 1, 0), false, true, None),
            (tally(3, 0, 0, 1, 2), false, true, None),
            (tally(3, 0, 0, 1, 1), false, true, Some(Kind::Missing)),
            (tally(1, 0, 0, 0, 1), false, true, Some(Kind::Missing)),
            (tally(1, 0, 0, 0, 1), false, false, None),
            (tally(1, 0, 0, 1, 1), false, true, Some(Kind::Surplus)),
            (tally(1, 0, 0, 1, 1), false, false, None),
            (tally(1, 0, 1, 1, 1), false, true, None),
            (Tally { is_twice: true, ..tally(2, 0, 0, 2, 0) }, false, false, Some(Kind::Surplus)),
            (Tally { misrouted: 1, ..tally(0, 0, 0, 0, 0) }, false, false, Some(Kind::Missing)),
        ];
        for (tally, is_open, is_whole, expected) in rows {
            let found = tally.verdict("c", is_open, 0, is_whole).map(|(kind, _)| kind);
            assert_eq!(found, expected, "{tally:?}, open {is_open}, whole {is_whole}");
        }
    }

    #[test]
    fn what_has_expired_was_not_decided_again_and_what_was_accepted_twice_was() {
        let outcome = |status, codes: &[&str], recorded_at| Outcome {
            command_id: "c".into(),
            status,
            duplicate: false,
            positions: Vec::new(),
            versions: Vec::new(),
            violations: codes.iter().map(|code| millrace_kernel::Violation::of(code, "no")).collect(),
            recorded_at,
            command_type: None,
            failure: None,
            digest: None,
        };
        let (yes, no) = (Status::Accepted, Status::Rejected);
        let mut expired = Tally { issued_at: Some(1), ..Tally::default() };
        expired.count(&outcome(yes, &[], 1_000), 0, 100);
        expired.count(&outcome(no, &[codes::EXPIRED], 1_001), 1, 100);
        assert!(!expired.is_twice, "a window full of ids has passed it");
        assert_eq!(expired.taken_twice("c"), None);
        for (issued_at, is_issued_anew, is_found) in
            [(Some(1), false, true), (None, false, false), (Some(1), true, false)]
        {
            let mut twice = Tally { issued_at, is_issued_anew, ..Tally::default() };
            twice.count(&outcome(yes, &[], 1_000), 0, 100);
            twice.count(&outcome(yes, &[], 9_000), 1, 100);
            assert_eq!(twice.taken_twice("c").is_some(), is_found, "{issued_at:?}, anew {is_issued_anew}");
        }
    }

    #[test]
    fn a_repetition_beyond_the_window_is_decided_anew() {
        let outcome = |recorded_at| Outcome {
            command_id: "c".into(),
            status: millrace_kernel::Status::Accepted,
            duplicate: false,
            positions: Vec::new(),
            versions: Vec::new(),
            violations: Vec::new(),
            recorded_at,
            command_type: None,
            failure: None,
            digest: None,
        };
        for (second, is_twice) in [(1_099, true), (1_100, false)] {
            let mut tally = Tally::default();
            tally.count(&outcome(1_000), 0, 100);
            tally.count(&outcome(second), 1, 100);
            assert_eq!(tally.is_twice, is_twice, "{second}");
        }
    }
}
