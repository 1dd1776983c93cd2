//! Where an input goes on, and what is to be done about records that were deleted before anyone decided them. An operator
//! who gives something up says so in a setting, as that is possible wherever a processor runs, also beside a broker
//! of its own process, whose offsets nobody can set while it is there.

use std::fmt;

use millrace_kernel::Domain;
use millrace_ports::{LogFault, TopicPartition};

use super::lane::{LaneFault, Shared};
use crate::planted::{self, Bug};

/// Records of an input that are gone and were never decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The input.
    pub input: TopicPartition,
    /// The first offset that is missing.
    pub from: i64,
    /// The first that is there again.
    pub to: i64,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}-{}", self.input, self.from, self.to)
    }
}

impl Gap {
    /// Whether an operator has given it up: `accepted` names gaps as they are printed, with commas between.
    #[must_use]
    pub fn is_accepted(&self, accepted: &str) -> bool {
        let name = self.to_string();
        accepted.split(',').any(|gap| gap.trim() == name)
    }
}

/// Where an operator has said that an input goes on whose end was not `known` or is not there: `accepted` has
/// `<input>:<known>-<offset>` then, beside the gaps. Only within what there is.
fn goes_on_at(
    accepted: &str,
    input: &TopicPartition,
    known: &dyn fmt::Display,
    (oldest, end): (i64, i64),
) -> Option<i64> {
    let name = format!("{input}:{known}-");
    let mut offsets = accepted.split(',').filter_map(|it| it.trim().strip_prefix(&name)?.parse().ok());
    offsets.find(|offset| (oldest..=end).contains(offset))
}

/// The offset of an input that the group has lost, if an operator has said it.
///
/// # Errors
/// What is in the way of asking the log.
pub(super) fn found_again<D: Domain>(
    shared: &Shared<D>,
    input: &TopicPartition,
) -> Result<Option<i64>, LogFault> {
    let there = (shared.log.low_watermark(input)?, shared.log.high_watermark(input)?);
    let found = goes_on_at(&shared.settings.accepted_gaps, input, &"lost", there);
    if let Some(offset) = found {
        tracing::warn!(
            "the group has no offset for {input}: it goes on at {offset}, as processor.accepted_gaps says"
        );
    }
    Ok(found)
}

/// Where an input goes on: at its committed offset, or at its first when nobody has ever begun. Every batch
/// commits both inputs, so `has_begun` where either of them has an offset.
///
/// # Errors
/// [`LaneFault::Gap`] and [`LaneFault::InputAnew`]: a lost command or step is told, not passed over.
pub(super) fn start_of<D: Domain>(
    shared: &Shared<D>,
    input: &TopicPartition,
    committed: Option<i64>,
    has_begun: bool,
) -> Result<i64, LaneFault> {
    let (oldest, end) = (shared.log.low_watermark(input)?, shared.log.high_watermark(input)?);
    let is_steps = input.topic == shared.names.steps;
    let decided = match committed {
        Some(offset) => offset,
        // a broker may forget the offset of steps while that of commands stays; those that were taken
        // are known by their numbers
        None if is_steps && has_begun => return Ok(oldest),
        None => 0,
    };
    if decided > end {
        let accepted = &shared.settings.accepted_gaps;
        if let Some(offset) = goes_on_at(accepted, input, &decided, (oldest, end)) {
            tracing::warn!(
                "{input} ends at {end} and was decided up to {decided}: it goes on at {offset}, as processor.accepted_gaps says"
            );
            return Ok(offset);
        }
        return Err(LaneFault::InputAnew { input: input.clone(), decided, oldest, end });
    }
    // steps are written in transactions: the last one decided had the mark of its end behind it
    let is_mark_alone = is_steps && committed.is_some() && decided + 1 == end && oldest == end;
    if oldest <= decided || is_mark_alone {
        return Ok(decided.max(oldest));
    }
    let gap = Gap { input: input.clone(), from: decided, to: oldest };
    if gap.is_accepted(&shared.settings.accepted_gaps) {
        tracing::warn!(
            "{gap} was given up by processor.accepted_gaps: {} is decided from {oldest} on",
            gap.input
        );
        return Ok(oldest);
    }
    if planted::is_on(Bug::GapSkipped) {
        return Ok(oldest);
    }
    Err(LaneFault::Gap { gap })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_that_was_made_anew_goes_on_where_an_operator_says() {
        let input = TopicPartition::new("accounting.commands", 2);
        let at = |accepted| goes_on_at(accepted, &input, &41, (0, 3));
        assert_eq!(at("accounting.commands[2]:41-0"), Some(0));
        assert_eq!(at("accounting.steps[2]:1-2, accounting.commands[2]:41-3"), Some(3));
        for other in
            ["", "accounting.commands[2]:41-4", "accounting.commands[2]:40-0", "accounting.commands[2]:41-"]
        {
            assert_eq!(at(other), None, "{other}");
        }
        let lost = goes_on_at("accounting.commands[2]:lost-2", &input, &"lost", (0, 3));
        assert_eq!(lost, Some(2), "where the group knows nothing any more");
    }

    #[test]
    fn a_gap_is_given_up_by_its_whole_name() {
        let gap = Gap { input: TopicPartition::new("t1.accounting.steps", 2), from: 17, to: 40 };
        assert_eq!(gap.to_string(), "t1.accounting.steps[2]:17-40");
        for accepted in ["t1.accounting.steps[2]:17-40", "a[1]:2-3, t1.accounting.steps[2]:17-40"] {
            assert!(gap.is_accepted(accepted), "{accepted}");
        }
        for other in
            ["", "t1.accounting.steps[2]", "t1.accounting.steps[2]:17-41", "accounting.steps[2]:17-40"]
        {
            assert!(!gap.is_accepted(other), "{other}");
        }
    }
}
