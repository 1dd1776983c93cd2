//! What became of a command that has no outcome in time.

use std::ops::ControlFlow;
use std::sync::Arc;

use millrace_kafka::KafkaLog;
use millrace_ports::TopicPartition;
use millrace_runtime::Topology;
use millrace_runtime::dead::{DeadRecord, Selection};

use super::{open_to_look, print};
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::foreign;
use crate::status::processes;

/// Why the command `id`, which stands at `offset` of a partition of its commands topic, has no outcome after so many seconds.
pub fn unanswered(
    servers: &Servers<'_>,
    log: &KafkaLog,
    entry: &dyn DomainEntry,
    id: &str,
    (partition, offset): (i32, i64),
    seconds: u64,
) -> CliError {
    let names = Topology::new(servers.prefix(), entry.name());
    let topic = &names.commands;
    let none = format!(
        "no outcome of {id} within {seconds} s; it stands in {topic}, partition {partition}, offset {offset}"
    );
    let at = TopicPartition::new(Arc::clone(topic), partition);
    let decided = log
        .admin()
        .and_then(|admin| admin.group_offsets(&names.processor_group(), std::slice::from_ref(&at)));
    // who cannot be asked does not hide what is known
    let is_passed = decided.is_ok_and(|decided| decided.get(&at).is_some_and(|next| *next > offset));
    if !is_passed {
        return CliError::failed(format!("{none}, and will be decided"))
            .hint("Is a processor running? `millrace status` shows how far it is.")
            .hints(&processes::troubles(servers.config));
    }
    match find_dead(servers, entry, (partition, offset)) {
        Some(record) => CliError::failed(format!(
            "{id} is in the dead topic, {} at offset {}: {}",
            foreign::short(&format!("{}[{partition}]", names.dead)),
            record.place.offset,
            foreign::cut(&record.reason, 300)
        ))
        .hint(format!(
            "It is not lost: do not send it again. Once the reason is mended, put it back: `millrace dead redrive {} {}`.",
            entry.name(),
            record.key.as_deref().map_or_else(
                || format!("--partition {partition} --offset {}", record.place.offset),
                print::key_flag
            )
        )),
        None => CliError::failed(format!("{none}, and a processor has taken it"))
            .hint(format!("A process of several steps takes longer: `millrace explain {}:{id}` tells what it waits for.", entry.name())),
    }
}

/// What lies in the dead topic of the record at a place of the commands topic.
fn find_dead(
    servers: &Servers<'_>,
    entry: &dyn DomainEntry,
    (partition, offset): (i32, i64),
) -> Option<DeadRecord> {
    let letters = open_to_look(servers, entry).ok()?;
    let topic = Topology::new(servers.prefix(), entry.name()).commands;
    let mut found = None;
    let of_partition = Selection { partition: Some(partition), ..Selection::default() };
    let looked = letters.each(&of_partition, &mut |record| {
        if *record.topic == *topic && record.source_offset == offset {
            found = Some(record);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    looked.ok().and(found)
}
