//! Counts by message type and by what became of the message.

use std::collections::BTreeMap;

/// What became of a command or step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(usize)]
pub enum MessageResult {
    /// A command that was accepted, or a step that was taken.
    Accepted,
    /// A command that was refused.
    Rejected,
    /// It has begun a process, and is answered when that ends.
    Begun,
    /// It was there before; nothing changed.
    Duplicate,
    /// It is in the dead topic.
    Dead,
    /// It is in the dead topic, behind a dead one of its key.
    Waiting,
}

impl MessageResult {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Rejected, Self::Begun, Self::Duplicate, Self::Dead, Self::Waiting];

    /// Its name in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Begun => "begun",
            Self::Duplicate => "duplicate",
            Self::Dead => "dead",
            Self::Waiting => "waiting",
        }
    }
}

/// How often messages of one type came to each end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageCount {
    /// The message's type.
    pub name: &'static str,
    /// Whether it is a step rather than a command.
    pub is_step: bool,
    by_result: [u64; MessageResult::ALL.len()],
}

impl MessageCount {
    /// How often it came to this end.
    #[must_use]
    pub fn of(&self, result: MessageResult) -> u64 {
        self.by_result[result as usize]
    }
}

/// Counts of one role, or of one batch of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// A few types a domain: looking through them costs less than a hash.
    messages: Vec<MessageCount>,
    /// Violations by code; a command may have several.
    violations: Vec<(String, u64)>,
    /// Outcomes that were written: accepted, rejected, repeated.
    pub outcomes: [u64; 3],
    /// Records for the dead topic by kind.
    pub dead: BTreeMap<&'static str, u64>,
    /// What was in the way of lanes, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Partitions that came and went, by `assigned`, `revoked` and `lost`.
    pub rebalances: BTreeMap<&'static str, u64>,
    /// Rows that were written.
    pub puts: u64,
    /// Rows that were deleted.
    pub deletes: u64,
}

impl Counts {
    /// Commands and steps by type.
    #[must_use]
    pub fn messages(&self) -> &[MessageCount] {
        &self.messages
    }

    /// Violations by code.
    #[must_use]
    pub fn violations(&self) -> &[(String, u64)] {
        &self.violations
    }

    /// Counts a message.
    pub fn message(&mut self, name: &'static str, is_step: bool, result: MessageResult) {
        self.add(name, is_step)[result as usize] += 1;
    }

    fn add(&mut self, name: &'static str, is_step: bool) -> &mut [u64; MessageResult::ALL.len()] {
        let known = self.messages.iter().position(|it| it.is_step == is_step && it.name == name);
        let at = known.unwrap_or_else(|| {
            self.messages.push(MessageCount { name, is_step, by_result: Default::default() });
            self.messages.len() - 1
        });
        &mut self.messages[at].by_result
    }

    /// Counts a violation `count` times.
    pub fn violation(&mut self, code: &str, count: u64) {
        match self.violations.iter_mut().find(|(known, _)| known == code) {
            Some((_, known)) => *known += count,
            None => self.violations.push((code.to_owned(), count)),
        }
    }

    /// Adds those of a batch.
    pub fn merge(&mut self, batch: &Self) {
        for message in &batch.messages {
            let sums = self.add(message.name, message.is_step);
            sums.iter_mut().zip(message.by_result).for_each(|(sum, count)| *sum += count);
        }
        batch.violations.iter().for_each(|(code, count)| self.violation(code, *count));
        self.outcomes.iter_mut().zip(batch.outcomes).for_each(|(sum, count)| *sum += count);
        for (sums, counts) in [
            (&mut self.dead, &batch.dead),
            (&mut self.faults, &batch.faults),
            (&mut self.rebalances, &batch.rebalances),
        ] {
            counts.iter().for_each(|(name, count)| *sums.entry(name).or_default() += count);
        }
        self.puts += batch.puts;
        self.deletes += batch.deletes;
    }

    /// Forgets what is counted, and keeps the room for it.
    pub fn clear(&mut self) {
        self.messages.iter_mut().for_each(|message| message.by_result = Default::default());
        self.violations.clear();
        self.outcomes = Default::default();
        self.dead.clear();
        self.faults.clear();
        self.rebalances.clear();
        (self.puts, self.deletes) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_add_up_by_type_and_end() {
        let mut batch = Counts::default();
        batch.message("PostChirp", false, MessageResult::Accepted);
        batch.message("PostChirp", false, MessageResult::Rejected);
        batch.message("PostChirp", true, MessageResult::Accepted);
        batch.violation("NotFound", 1);
        let mut all = Counts::default();
        all.merge(&batch);
        all.merge(&batch);
        let command = &all.messages()[0];
        assert_eq!(
            (command.name, command.is_step, command.of(MessageResult::Accepted)),
            ("PostChirp", false, 2)
        );
        assert_eq!(command.of(MessageResult::Dead), 0);
        assert!(all.messages()[1].is_step);
        assert_eq!(all.violations(), [("NotFound".to_owned(), 2)]);
        batch.clear();
        let before = all.clone();
        all.merge(&batch);
        assert_eq!(all, before, "what was cleared adds nothing");
    }

    #[test]
    fn results_are_numbered_in_order() {
        for (number, result) in MessageResult::ALL.into_iter().enumerate() {
            assert_eq!(result as usize, number);
        }
    }
}
