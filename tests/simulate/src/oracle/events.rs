//! Events are numbered without gaps, their times rise, and each has exactly one cause and what it sets
//! in motion.

use std::collections::{BTreeMap, BTreeSet};

use millrace_kernel::{Event, partition};

use super::world::{Failure, Partition, World};
use crate::holds;
use crate::workload::{Next, Workload};

/// Judges the events and steps of all partitions.
///
/// # Errors
/// What does not hold.
pub fn judge<W: Workload>(world: &World<'_, W>) -> Result<(), Failure> {
    let mut ids = BTreeSet::new();
    let mut versions: BTreeMap<&str, i64> = BTreeMap::new();
    for (number, seen) in world.partitions() {
        let mut last = 0;
        for (offset, event) in &seen.events {
            let shown = || format!("partition {number} offset {offset}: {event:?}");
            holds!(event.recorded_at > last, "time rises within a partition", "{} after {last}", shown());
            last = event.recorded_at;
            // a command whose id was forgotten is decided again, and has other events under one name
            let cause = (number, event.is_caused_by_step(), event.command_offset);
            holds!(ids.insert((event.id.as_str(), cause)), "an event stands there once", "{}", shown());
            let aggregate = W::aggregate(&event.data);
            holds!(event.aggregate_id == aggregate, "an event names its aggregate", "{}", shown());
            let version = versions.entry(event.aggregate_id.as_str()).or_default();
            holds!(
                event.version == *version + 1,
                "versions have no gaps",
                "{} after version {version}",
                shown()
            );
            *version = event.version;
            caused::<W>(world, number, seen, event)
                .map_err(|why| Failure::new("an event has its cause", format!("{why}: {}", shown())))?;
        }
    }
    steps(world)
}

/// The cause stands where the event says, and is earlier.
fn caused<W: Workload>(
    world: &World<'_, W>,
    number: i32,
    seen: &Partition<W>,
    event: &Event<W::EventData>,
) -> Result<(), String> {
    let cause = event.metadata.causation_id.as_deref().unwrap_or_default();
    if !event.is_caused_by_step() {
        let found = seen.commands.iter().find(|(offset, _)| *offset == event.command_offset);
        let (_, command) = found.ok_or("there is no such command")?;
        return if command.id == cause && command.id == event.command_id {
            Ok(())
        } else {
            Err(format!("the command there is {}", command.id))
        };
    }
    let found = seen.steps.iter().find(|(offset, _)| *offset == event.command_offset);
    let (offset, step) = found.ok_or("there is no such step")?;
    if world.diary.repeated_steps.contains(&(number, *offset)) {
        return Err(format!("step {} was delivered twice and decided twice", step.id));
    }
    // what another domain's event has set in motion happens for the event before, and nobody waits for it
    let asked_for = step.metadata.causation_id.as_ref();
    let happens_for = step.process.as_ref().map(|it| &it.command_id).or(asked_for);
    if step.id != cause || happens_for != Some(&event.command_id) {
        return Err(format!("the step there is {}", step.id));
    }
    match step.metadata.issued_at {
        Some(asked) if asked < event.recorded_at => Ok(()),
        asked => Err(format!("it was asked for at {asked:?}")),
    }
}

/// A step, and the partition it was sent to.
type SentTo<S> = (i32, S);

/// By whom and of what steps were sent: the domain, the event, and its place.
type Sent<'a, S> = BTreeMap<(Option<&'a str>, &'a str, i64), Vec<SentTo<S>>>;

/// Every event's steps were sent, each once, to where it belongs, and no others.
fn steps<W: Workload>(world: &World<'_, W>) -> Result<(), Failure> {
    let mut sent: Sent<'_, W::StepData> = BTreeMap::new();
    let mut again = BTreeSet::new();
    for (number, seen) in world.partitions() {
        for (offset, step) in &seen.steps {
            if world.diary.repeated_steps.contains(&(number, *offset)) {
                continue;
            }
            let mut data = step.data.clone();
            W::blur_step(&mut data);
            if step.source.domain.is_some()
                && !again.insert((&step.source.domain, step.source.partition, step.source.sequence, number))
            {
                // an event that is read again asks for the same again
                continue;
            }
            let cause = step.metadata.causation_id.as_deref().unwrap_or_default();
            let asked_at = step.metadata.issued_at.unwrap_or(0);
            let whose = step.source.domain.as_deref();
            sent.entry((whose, cause, asked_at)).or_default().push((number, data));
        }
    }
    let in_order = |mut steps: Vec<SentTo<W::StepData>>| {
        steps.sort_by_key(|step| format!("{step:?}"));
        steps
    };
    let to_send = |steps: Vec<W::StepData>| {
        let addressed = steps.into_iter().map(|mut step| {
            let key = W::step_key(&step);
            W::blur_step(&mut step);
            (partition::of_key(key.as_bytes(), world.setup.partitions), step)
        });
        in_order(addressed.collect())
    };
    for (_, seen) in world.partitions() {
        for (_, event) in &seen.events {
            let Next::Steps(expected) = W::next(&event.data) else { continue };
            let expected = to_send(expected);
            let of_event = (None, event.id.as_str(), event.recorded_at);
            let found = in_order(sent.remove(&of_event).unwrap_or_default());
            holds!(
                found == expected,
                "an event sets its steps in motion, once",
                "{event:?}: {found:?}, expected {expected:?}"
            );
        }
    }
    for (domain, event) in world.neighbours.happened() {
        let expected = to_send(event.steps.clone());
        let of_event = (Some(domain), event.event_id.as_str(), event.recorded_at);
        let found = in_order(sent.remove(&of_event).unwrap_or_default());
        holds!(
            found == expected,
            "an event of another domain is reacted to, once",
            "{event:?} of {domain}: {found:?}, expected {expected:?}"
        );
    }
    holds!(sent.is_empty(), "no step comes from nowhere", "{sent:?}");
    Ok(())
}
