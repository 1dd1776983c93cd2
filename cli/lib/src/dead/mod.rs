//! `millrace dead`: what could not be decided, and how it is put back or dropped.

mod keys;
pub mod pages;
mod print;
mod unanswered;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use millrace_kernel::Domain;
use millrace_ports::{Clock, Log, LogFault, SystemClock};
use millrace_runtime::dead::{
    Action, DeadError, DeadRecord, DeadTopic, Moved, ParkedUnder, PassedOver, Place, Plan, Selection, Shown,
};
use millrace_wire::RegistryFault;
use serde::Serialize;

use crate::args::{Dead, DeadAction, DeadChosen};
use crate::connect::Servers;
use crate::domain::{DomainEntry, select};
use crate::error::{CliError, chain};
use crate::{foreign, output};

pub use self::unanswered::unanswered;

/// A domain's dead topic, whatever its types.
pub trait DeadLetters {
    /// As [`DeadTopic::each`].
    ///
    /// # Errors
    /// [`DeadError`].
    fn each(
        &self,
        selection: &Selection,
        each: &mut dyn FnMut(DeadRecord) -> ControlFlow<()>,
    ) -> Result<(), DeadError>;
    /// As [`DeadTopic::show`].
    ///
    /// # Errors
    /// [`DeadError`].
    fn show(&self, place: Place) -> Result<Shown, DeadError>;
    /// As [`DeadTopic::plan`].
    ///
    /// # Errors
    /// [`DeadError`].
    fn plan(&self, selection: &Selection, action: Action) -> Result<Plan, DeadError>;
    /// As [`DeadTopic::registry_away`].
    fn registry_away(&self) -> Option<RegistryFault>;
    /// As [`DeadTopic::parked_keys`].
    ///
    /// # Errors
    /// [`DeadError`].
    fn parked_keys(&self) -> Result<Vec<ParkedUnder>, DeadError>;
    /// As [`DeadTopic::act`].
    ///
    /// # Errors
    /// [`DeadError`].
    fn act(
        &self,
        selection: &Selection,
        action: Action,
        clock: &dyn Clock,
        tell: &mut dyn FnMut(&[Moved]),
    ) -> Result<Vec<PassedOver>, DeadError>;
}

impl<D: Domain> DeadLetters for DeadTopic<D> {
    fn each(
        &self,
        selection: &Selection,
        each: &mut dyn FnMut(DeadRecord) -> ControlFlow<()>,
    ) -> Result<(), DeadError> {
        Self::each(self, selection, each)
    }

    fn show(&self, place: Place) -> Result<Shown, DeadError> {
        Self::show(self, place)
    }

    fn plan(&self, selection: &Selection, action: Action) -> Result<Plan, DeadError> {
        Self::plan(self, selection, action)
    }

    fn registry_away(&self) -> Option<RegistryFault> {
        Self::registry_away(self)
    }

    fn parked_keys(&self) -> Result<Vec<ParkedUnder>, DeadError> {
        Self::parked_keys(self)
    }

    fn act(
        &self,
        selection: &Selection,
        action: Action,
        clock: &dyn Clock,
        tell: &mut dyn FnMut(&[Moved]),
    ) -> Result<Vec<PassedOver>, DeadError> {
        Self::act(self, selection, action, clock, tell)
    }
}

/// Runs `millrace dead …`.
///
/// # Errors
/// Wrong usage, nothing that is meant, servers that do not answer.
pub fn run(servers: &Servers<'_>, domains: &[Box<dyn DomainEntry>], dead: &Dead) -> Result<(), CliError> {
    match &dead.action {
        DeadAction::List { domain, chosen, all, json } => {
            let mut found = 0;
            let entries = one_or_all(domains, domain.as_ref())?;
            for entry in &entries {
                let letters = open_to_look(servers, *entry)?;
                let mut list = print::List::new(entry.name(), *json);
                let mut printed = Ok(());
                letters.each(&selection(&*letters, chosen)?, &mut |record| {
                    if *all || record.done.is_none() {
                        found += 1;
                        printed = list.add(&record);
                    }
                    if printed.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
                printed.and_then(|()| list.end())?;
                say_away(&*letters);
            }
            if found == 0 && !*json {
                output::line("nothing is dead")?;
                // the dead topic forgets what is dead, and a key stays parked
                if let Some(entry) = entries.iter().find(|entry| entry.keeps_order_behind_dead()) {
                    let name = entry.name();
                    output::line(format!(
                        "Whether a key of {name} still waits for what was deleted: `millrace dead keys {name}`."
                    ))?;
                }
            }
            Ok(())
        }
        DeadAction::Keys { domain, json } => {
            let mut found = 0;
            for entry in one_or_all(domains, domain.as_ref())? {
                let letters = open_to_look(servers, entry)?;
                let parked = keys::parked(&*letters)?;
                found += parked.len();
                keys::print(entry.name(), &parked, *json)?;
            }
            if found == 0 && !*json {
                output::line("no key waits")?;
            }
            Ok(())
        }
        DeadAction::Show { domain, partition, offset, json } => {
            let entry = only(domains, domain.as_ref())?;
            let place = Place { partition: *partition, offset: *offset };
            let letters = open_to_look(servers, entry)?;
            print::show(entry.name(), &letters.show(place)?, *json)?;
            say_away(&*letters);
            Ok(())
        }
        DeadAction::Redrive { domain, chosen, dry_run, json } => {
            let entries = one_or_all(domains, domain.as_ref())?;
            act(servers, &entries, chosen, Action::Redrive, *dry_run, *json)
        }
        DeadAction::Skip { domain, chosen, yes, dry_run, json } => {
            if chosen.is_all() {
                return Err(CliError::usage("what is to be dropped must be named").hint(
                    "Name it with --key, --id, or --partition and --offset; `millrace dead list` shows them.",
                ));
            }
            if !*yes && !*dry_run {
                return Err(CliError::usage("a record that is dropped does not come back")
                    .hint("Look with --dry-run what would be dropped, then say --yes."));
            }
            let entries = [only(domains, domain.as_ref())?];
            act(servers, &entries, chosen, Action::Skip, *dry_run, *json)
        }
    }
}

fn act(
    servers: &Servers<'_>,
    entries: &[&dyn DomainEntry],
    chosen: &DeadChosen,
    action: Action,
    dry_run: bool,
    json: bool,
) -> Result<(), CliError> {
    let (mut count, mut passed_over) = (0, 0);
    for entry in entries {
        let letters = open(servers, *entry)?;
        let selection = &selection(&*letters, chosen)?;
        if dry_run {
            let plan = letters.plan(selection, action)?;
            let dropped = plan.moved.iter().map(|moved| moved.record.clone()).collect::<Vec<_>>();
            count += plan.moved.len();
            passed_over += plan.passed_over.len();
            print::moved(entry.name(), &plan.moved, action, true, json)?;
            print::passed_over(entry.name(), &plan.passed_over, action, json)?;
            if action == Action::Skip && !json {
                keys::say_left(entry.name(), &*letters, &dropped)?;
            }
            continue;
        }
        let (mut printed, mut dropped) = (Ok(()), Vec::new());
        let result = letters.act(selection, action, &SystemClock, &mut |moved| {
            count += moved.len();
            dropped.extend(moved.iter().map(|moved| moved.record.clone()));
            for one in moved {
                let (at, id) = (one.record.place, one.id.as_deref().unwrap_or("-"));
                tracing::info!(
                    domain = entry.name(),
                    partition = at.partition,
                    offset = at.offset,
                    id,
                    ?action,
                    "dead record"
                );
            }
            if printed.is_ok() {
                printed = print::moved(entry.name(), moved, action, false, json);
            }
        });
        let left = result.map_err(explained)?;
        printed?;
        passed_over += left.len();
        print::passed_over(entry.name(), &left, action, json)?;
        if action == Action::Skip && !json {
            keys::say_left(entry.name(), &*letters, &dropped)?;
        }
    }
    if passed_over > 0 {
        return Err(CliError::failed(format!("{passed_over} record(s) were passed over"))
            .hint("Everything else was done. Drop with `millrace dead skip` what nobody can mend."));
    }
    if count == 0 {
        let what = if action == Action::Skip { "drop" } else { "put back" };
        return Err(CliError::failed(format!("there is nothing to {what}"))
            .hint("`millrace dead list` shows what is dead; what was put back or dropped before is not touched again."));
    }
    if action == Action::Redrive && !dry_run && !json {
        output::line("What dies again is listed again: `millrace dead list`.")?;
    }
    Ok(())
}

fn explained(error: DeadError) -> CliError {
    let is_fenced = matches!(&error, DeadError::Log(LogFault::Fenced { .. }));
    match is_fenced {
        false => error.into(),
        true => CliError::failed("somebody else is at work on the same records")
            .hint("Nothing was done twice. `millrace dead list` shows what is left once they have finished."),
    }
}

fn open(servers: &Servers<'_>, entry: &dyn DomainEntry) -> Result<Box<dyn DeadLetters>, CliError> {
    let log: Arc<dyn Log> = Arc::new(servers.kafka()?);
    entry.dead_letters(log, servers.registry()?, servers.prefix()).map_err(CliError::from)
}

/// The same for who only looks, to whom something is shown also while the registry is away.
fn open_to_look(servers: &Servers<'_>, entry: &dyn DomainEntry) -> Result<Box<dyn DeadLetters>, CliError> {
    let log: Arc<dyn Log> = Arc::new(servers.kafka()?);
    entry.dead_letters(log, servers.registry_unreached()?, servers.prefix()).map_err(CliError::from)
}

fn say_away(letters: &dyn DeadLetters) {
    if let Some(fault) = letters.registry_away() {
        let fault = chain(&fault);
        foreign::say(format!("The registry is away, so ids, types and messages are not shown: {fault}"));
    }
}

fn one_or_all<'a>(
    domains: &'a [Box<dyn DomainEntry>],
    name: Option<&String>,
) -> Result<Vec<&'a dyn DomainEntry>, CliError> {
    select(domains, name.map_or(&[], std::slice::from_ref))
}

fn only<'a>(
    domains: &'a [Box<dyn DomainEntry>],
    name: Option<&String>,
) -> Result<&'a dyn DomainEntry, CliError> {
    match one_or_all(domains, name)?[..] {
        [one] => Ok(one),
        ref several => {
            let names: Vec<&str> = several.iter().map(|entry| entry.name()).collect();
            Err(CliError::usage("which domain is meant must be said")
                .hint(format!("This binary has: {}", names.join(", "))))
        }
    }
}

/// What is meant. A key is meant as it is shown: `0x` and digits are bytes, unless a key is spelled like that.
fn selection(letters: &dyn DeadLetters, chosen: &DeadChosen) -> Result<Selection, DeadError> {
    let spelled = chosen.key.as_ref().map(|key| key.clone().into_bytes());
    let (partition, offset) = (chosen.partition, chosen.offset);
    let mut selection = Selection { key: spelled, id: chosen.id.clone(), partition, offset };
    if let Some(bytes) = chosen.key.as_deref().and_then(print::bytes_of) {
        let literally = Selection { key: selection.key.clone(), ..Selection::default() };
        let mut is_any = false;
        letters.each(&literally, &mut |_| {
            is_any = true;
            ControlFlow::Break(())
        })?;
        if !is_any {
            selection.key = Some(bytes);
        }
    }
    Ok(selection)
}

/// What waits for an operator, for `millrace status`.
#[derive(Debug, Default, Serialize)]
pub struct Standstill {
    /// Dead records that nothing was done with.
    pub records: usize,
    /// Processes that wait for a dead step, the longest first: the id of the command.
    pub processes: Vec<String>,
    /// Keys whose commands wait behind a dead one, the longest first.
    pub keys: Vec<String>,
    /// What the registry says, if it is away: then processes are not known.
    pub registry: Option<String>,
}

/// What waits for an operator in a domain. Reads the whole dead topic.
///
/// # Errors
/// Servers that do not answer.
pub fn standstill(
    log: Arc<dyn Log>,
    servers: &Servers<'_>,
    entry: &dyn DomainEntry,
) -> Result<Standstill, CliError> {
    let letters = entry.dead_letters(log, servers.registry_unreached()?, servers.prefix())?;
    let mut records = 0;
    let mut since: [BTreeMap<String, i64>; 2] = Default::default();
    letters.each(&Selection::default(), &mut |record| {
        if record.done.is_some() {
            return ControlFlow::Continue(());
        }
        records += 1;
        let key = record.line.and(record.key.as_deref()).map(print::shown);
        for (names, name) in since.iter_mut().zip([record.process, key]) {
            let Some(name) = name else { continue };
            let oldest = names.entry(name).or_insert(record.time_ms);
            *oldest = record.time_ms.min(*oldest);
        }
        ControlFlow::Continue(())
    })?;
    let [processes, keys] = since.map(|names| {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_by_key(|(_, since)| *since);
        names.into_iter().map(|(name, _)| name).collect()
    });
    let registry = letters.registry_away().map(|fault| chain(&fault));
    Ok(Standstill { records, processes, keys, registry })
}
