//! What the engine remembers among the states: whether it makes sense beside the events.

use hashbrown::HashMap;
use millrace_kernel::bookkeeping::{Bookkeeping, INBOX_KIND, REPEATS_KIND, process, repeats};
use millrace_kernel::{AggregateId, Domain, StateData};
use serde_json::json;

use super::Scene;
use super::fold::{Fold, is_process};
use super::states::Remembered;
use crate::difference::{Check, ColumnDifference, Difference, EventPlace, Kind};
use crate::fault::AuditFault;
use crate::reading::{between, decode, key_text};

/// A process whose record and events disagree so far: the events that were written meanwhile say
/// whether that is right.
pub(super) struct Doubt {
    has_record: bool,
    place: Option<EventPlace>,
    pub has_begun: bool,
    pub has_ended: bool,
}

impl<'a, D: Domain> Scene<'a, D> {
    /// How many answers are still due to who has sent a command again while its process ran, as the state topic says
    /// now; what it said before is in `states`.
    pub(super) fn read_due(
        &self,
        partition: i32,
        states: &Remembered<D::State>,
    ) -> Result<HashMap<Box<str>, i64>, AuditFault> {
        let due_of = |state: Option<&D::State>| match state.and_then(StateData::as_bookkeeping) {
            Some(Bookkeeping::Repeats(due)) => Some((due.outcome.command_id.as_str().into(), due.left)),
            _ => None,
        };
        let mut due: HashMap<Box<str>, i64> =
            states.newest.values().filter_map(|stated| due_of(stated.state.as_ref())).collect();
        let at = self.at(&self.names.state, partition);
        let log = self.audit.log;
        let stretch = (states.read_to, log.high_watermark(&at)?);
        between(log, &at, stretch, self.audit.watcher, &mut |record| {
            let id = key_text(record).and_then(AggregateId::parse).filter(|id| id.kind() == REPEATS_KIND);
            let Some(id) = id else { return Ok(()) };
            due.remove(id.routing_key());
            if record.value.is_some()
                && let Ok(read) = decode(&self.codecs.state, record)?
            {
                due.extend(due_of(D::State::from_record(read).3.as_ref()));
            }
            Ok(())
        })?;
        Ok(due)
    }

    /// Compares what is remembered with the events that were read before it.
    pub(super) fn compare_processes(&self, fold: &mut Fold<'a, D>, states: &Remembered<D::State>) {
        let mut doubts = Vec::new();
        for (id, stated) in &states.newest {
            let place = self.state_place(fold.partition(), stated.offset);
            let Some(remembered) = stated.state.as_ref().and_then(StateData::as_bookkeeping) else {
                if is_process(id) {
                    self.nonsense(id, "kind", json!("an open process"), json!(null), &place);
                }
                continue;
            };
            match remembered {
                Bookkeeping::Process(open) => {
                    let command_id = id.split_once('/').map_or("", |(_, command_id)| command_id);
                    match fold.processes.get(command_id) {
                        None => doubts.push((id.clone(), true, Some(place))),
                        Some(events) if (events.from..=events.to).contains(&open.started_at) => {}
                        Some(events) => {
                            let (expected, found) = (json!(events.from), json!(open.started_at));
                            self.nonsense(id, "started_at", expected, found, &place);
                        }
                    }
                }
                Bookkeeping::Inbox(inbox) => {
                    if !is_inbox(id, self.partitions) {
                        let last = self.partitions - 1;
                        let expected =
                            json!(format!("Inbox/0 to Inbox/{last}, or Inbox/<domain>/<partition>"));
                        self.nonsense(id, "aggregate_id", expected, json!(&**id), &place);
                    } else if inbox.sequence < 0 {
                        self.nonsense(id, "sequence", json!(">= 0"), json!(inbox.sequence), &place);
                    }
                }
                Bookkeeping::DeadStep(_) | Bookkeeping::PseudonymKey(_) => {}
                Bookkeeping::Floor(floor) => {
                    let ends =
                        std::iter::once(floor.recorded_at).chain(floor.spans.iter().map(|it| it.recorded_at));
                    if !ends.is_sorted() {
                        let (expected, found) = (json!("rising recorded_at"), json!(floor.spans));
                        self.nonsense(id, "spans", expected, found, &place);
                    }
                }
                Bookkeeping::Repeats(due) => {
                    let command_id = &due.outcome.command_id;
                    if repeats(command_id).as_str() != &**id {
                        let found = json!(command_id);
                        self.nonsense(id, "outcome.command_id", json!(&**id), found, &place);
                    } else if due.left < 1 {
                        self.nonsense(id, "left", json!(">= 1"), json!(due.left), &place);
                    }
                }
                Bookkeeping::ParkedKey(parked) => {
                    if parked.next < 1 || parked.next > parked.newest {
                        let expected = json!(format!("1 to {}", parked.newest));
                        self.nonsense(id, "next", expected, json!(parked.next), &place);
                    }
                }
            }
        }
        for (command_id, open) in &fold.processes {
            let id = process(command_id);
            if !states.newest.contains_key(id.as_str()) {
                doubts.push((id.as_str().into(), false, Some(fold.place(open.offset))));
            }
        }
        for (id, has_record, place) in doubts {
            fold.doubtful.insert(id, Doubt { has_record, place, has_begun: false, has_ended: false });
        }
    }

    /// Reports the processes whose record and events still disagree.
    pub(super) fn settle_processes(&self, fold: &Fold<'a, D>) {
        let topic = self.names.state.to_string();
        for (id, doubt) in &fold.doubtful {
            let (kind, message) = match doubt {
                // it began after the events were read and before the states were
                Doubt { has_record: true, has_begun: true, .. } => continue,
                // it ended in between
                Doubt { has_record: false, has_ended: true, .. } => continue,
                Doubt { has_record: true, .. } => (
                    Kind::Surplus,
                    format!("{id} is remembered as open, but its process has ended, or never began"),
                ),
                Doubt { has_record: false, .. } => (
                    Kind::Missing,
                    format!(
                        "the events leave {id} open, but it is not remembered: its command will get no outcome"
                    ),
                ),
            };
            let difference = self.difference(Check::States, kind, &topic, id, message);
            self.findings.add(Difference { events: doubt.place.clone().into_iter().collect(), ..difference });
        }
    }

    fn nonsense(
        &self,
        id: &str,
        column: &str,
        expected: serde_json::Value,
        found: serde_json::Value,
        place: &EventPlace,
    ) {
        let message = format!("what is remembered as {id} makes no sense");
        let topic = self.names.state.to_string();
        let difference = self.difference(Check::States, Kind::Different, &topic, id, message);
        let column = ColumnDifference { column: column.to_owned(), expected, found };
        self.findings.add(Difference { columns: vec![column], events: vec![place.clone()], ..difference });
    }
}

/// Whether `id` is that of an inbox: of one of so many partitions, or of a partition of another domain, of which it is not
/// known how many it has.
fn is_inbox(id: &str, partitions: i32) -> bool {
    let parts: Vec<&str> = id.split('/').collect();
    let number = |text: &str| text.parse::<i32>().ok().filter(|number| *number >= 0);
    match parts[..] {
        [INBOX_KIND, source] => number(source).is_some_and(|source| source < partitions),
        [INBOX_KIND, domain, source] => !domain.is_empty() && number(source).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inbox_is_of_a_partition_or_of_one_of_another_domain() {
        for (id, is) in [
            ("Inbox/0", true),
            ("Inbox/3", true),
            ("Inbox/4", false),
            ("Inbox/-1", false),
            ("Inbox/identity/70", true),
            ("Inbox/identity/x", false),
            ("Inbox//1", false),
            ("Inbox", false),
            ("Process/0", false),
        ] {
            assert_eq!(is_inbox(id, 4), is, "{id}");
        }
    }
}
