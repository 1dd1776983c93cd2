//! When aggregates that others look up were there, as it could be seen: they come, go and come again. From that follows what
//! a decision elsewhere may know of them.
//!
//! Events say at which version an aggregate begins to be there, or ends to. Its look-up topic says so, too, but not always at
//! the same moment, since the markers of one transaction come at different times; and nothing of what one transaction has
//! begun and ended.

use std::collections::BTreeMap;

use crate::workload::Known;

/// What could be seen of all aggregates of a domain that are looked up, by id.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    all: BTreeMap<String, Seen>,
}

/// What could be seen of one of them, and after which act.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The events with which it came or went, in order.
    turns: Vec<Turn>,
    /// The records of its look-up, in order, with the version that each names; that it has gone names none.
    told: Vec<(Option<i64>, usize)>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    version: i64,
    is_there: bool,
    act: usize,
}

impl Lives {
    /// An event of this version says, after this act, that an aggregate is there from now on, or is not any more.
    pub fn turned(&mut self, id: &str, version: i64, is_there: bool, act: usize) {
        let turns = &mut self.all.entry(id.to_owned()).or_default().turns;
        if turns.last().map_or(is_there, |last| last.is_there != is_there) {
            turns.push(Turn { version, is_there, act });
        }
    }

    /// Its look-up says, after this act, that it is there since this version, or that it has gone.
    pub fn told(&mut self, id: &str, version: Option<i64>, act: usize) {
        self.all.entry(id.to_owned()).or_default().told.push((version, act));
    }

    /// Whether an aggregate is known to a decision about what was sent with the act `sent`, if what it came to could be seen
    /// after the act `decided`.
    #[must_use]
    pub fn known(&self, id: &str, sent: usize, decided: usize) -> Known {
        let Some(seen) = self.all.get(id) else { return Known::Never };
        // a miss waits for what was there before; who has gone may be found for as long as the table is behind
        if seen.lives().any(|(came, gone)| came < sent && decided < gone) {
            Known::Surely
        } else if seen.told.iter().any(|(version, act)| version.is_some() && *act <= decided)
            || seen.was_compacted(decided)
        {
            Known::Perhaps
        } else {
            Known::Never
        }
    }
}

impl Seen {
    /// Its lives: after which act each could be seen, and after which its end, by event or look-up; never, where there was none.
    fn lives(&self) -> impl Iterator<Item = (usize, usize)> {
        let begins = self.turns.iter().enumerate().filter(|(_, turn)| turn.is_there);
        begins.map(|(at, came)| {
            let gone = self.turns.get(at + 1);
            let by_event = gone.map_or(usize::MAX, |gone| gone.act);
            (came.act, by_event.min(self.told_gone(came.version, gone.map(|gone| gone.version))))
        })
    }

    /// Whether the look-up may have said of a life, until the act `decided`, that it had begun: only its end is left of it, as
    /// compaction takes what was said before in the same act.
    fn was_compacted(&self, decided: usize) -> bool {
        let ended = |from: usize| {
            self.told.iter().any(|(version, act)| version.is_none() && (from..=decided).contains(act))
        };
        let begins = self.turns.iter().enumerate().filter(|(_, turn)| turn.is_there);
        begins.into_iter().any(|(at, came)| {
            let gone = self.turns.get(at + 1).map(|gone| gone.version);
            let is_its = |version: i64| version >= came.version && gone.is_none_or(|gone| version < gone);
            !self.told.iter().any(|(version, _)| version.is_some_and(is_its)) && ended(came.act)
        })
    }

    /// After which act the look-up said that what had come at the version `came` has gone. Where it came in the transaction in which
    /// it had gone before, nothing was said between: what was said before holds on.
    fn told_gone(&self, came: i64, gone: Option<i64>) -> usize {
        let is_its = |version: i64| version >= came && gone.is_none_or(|gone| version < gone);
        let own = self.told.iter().position(|(version, _)| version.is_some_and(is_its));
        let before = || self.told.iter().rposition(|(version, _)| version.is_some_and(|it| it < came));
        let behind = own.or_else(before).map_or(0, |at| at + 1);
        let end = self.told[behind..].iter().find(|(version, _)| version.is_none());
        end.map_or(usize::MAX, |(_, act)| *act)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Comes at version 1, goes at 2, and comes again at 3; the look-up is told of it a little later.
    fn twice() -> Lives {
        let mut lives = Lives::default();
        for (version, is_there, act) in [(1, true, 10), (2, false, 20), (3, true, 30)] {
            lives.turned("a", version, is_there, act);
            lives.told("a", is_there.then_some(version), act + 5);
        }
        lives
    }

    #[test]
    fn who_comes_again_is_known_again() {
        let lives = twice();
        let cases = [
            ((5, 9), Known::Never),
            ((5, 14), Known::Never),
            ((10, 15), Known::Perhaps),
            ((11, 12), Known::Surely),
            ((11, 19), Known::Surely),
            ((11, 20), Known::Perhaps),
            ((22, 24), Known::Perhaps),
            ((30, 32), Known::Perhaps),
            ((31, 32), Known::Surely),
            ((11, 40), Known::Perhaps),
        ];
        for ((sent, decided), expected) in cases {
            assert_eq!(lives.known("a", sent, decided), expected, "sent {sent}, decided {decided}");
        }
        assert_eq!(lives.known("b", 50, 50), Known::Never);
    }

    #[test]
    fn a_look_up_that_says_earlier_than_the_event_that_it_has_gone_counts() {
        let mut lives = Lives::default();
        lives.turned("a", 1, true, 10);
        lives.told("a", Some(1), 10);
        lives.told("a", None, 15);
        lives.turned("a", 2, false, 20);
        assert_eq!(lives.known("a", 12, 14), Known::Surely);
        assert_eq!(lives.known("a", 12, 16), Known::Perhaps);
    }

    #[test]
    fn what_goes_and_comes_again_in_one_transaction_was_never_away() {
        let mut lives = Lives::default();
        lives.turned("a", 1, true, 10);
        lives.told("a", Some(1), 10);
        lives.turned("a", 2, false, 20);
        lives.turned("a", 3, true, 20);
        lives.turned("a", 4, false, 40);
        lives.told("a", None, 35);
        assert_eq!(lives.known("a", 21, 30), Known::Surely);
        assert_eq!(lives.known("a", 21, 36), Known::Perhaps, "the look-up may say so before the event");
    }

    #[test]
    fn what_comes_and_goes_in_one_transaction_is_in_no_look_up() {
        let mut lives = Lives::default();
        lives.turned("a", 1, true, 10);
        lives.turned("a", 2, false, 10);
        assert_eq!(lives.known("a", 12, 14), Known::Never);
    }

    #[test]
    fn what_was_compacted_before_anybody_looked_may_have_been_known() {
        let mut lives = Lives::default();
        lives.turned("a", 1, true, 10);
        lives.turned("a", 2, false, 10);
        lives.told("a", None, 10);
        assert_eq!(lives.known("a", 5, 9), Known::Never);
        assert_eq!(lives.known("a", 5, 10), Known::Perhaps);
    }

    #[test]
    fn what_is_said_twice_is_one_life() {
        let mut lives = Lives::default();
        lives.turned("a", 1, true, 10);
        lives.turned("a", 2, true, 20);
        lives.told("a", Some(1), 10);
        assert_eq!(lives.known("a", 11, 40), Known::Surely);
    }
}
