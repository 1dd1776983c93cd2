//! Keys whose commands wait, and what is still to be done for them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use millrace_kernel::bookkeeping::{key_parked_under, parked_key};
use millrace_runtime::dead::{DeadError, DeadRecord, ParkedUnder, Selection};
use serde_json::json;

use super::{DeadLetters, print};
use crate::error::CliError;
use crate::{foreign, output};

/// A key whose commands wait.
pub struct Parked {
    under: ParkedUnder,
    /// How many records of it lie in the dead topic.
    dead: usize,
}

/// The keys of a domain whose commands wait, with what the dead topic still has of each.
///
/// # Errors
/// As [`DeadLetters::parked_keys`].
pub fn parked(letters: &dyn DeadLetters) -> Result<Vec<Parked>, DeadError> {
    let parked = letters.parked_keys()?;
    if parked.is_empty() {
        return Ok(Vec::new());
    }
    let mut dead: BTreeMap<ParkedUnder, usize> = BTreeMap::new();
    each_in_line(letters, &mut |record| {
        let name = parked_key(record.key.as_deref().unwrap_or_default()).as_str().to_owned();
        *dead.entry(ParkedUnder { partition: record.place.partition, name }).or_default() += 1;
    })?;
    let counted = |under: ParkedUnder| Parked { dead: dead.get(&under).copied().unwrap_or(0), under };
    Ok(parked.into_iter().map(counted).collect())
}

/// Gives the dead records that wait in a line of their key, and with which nothing was done, to `each`.
fn each_in_line(letters: &dyn DeadLetters, each: &mut dyn FnMut(DeadRecord)) -> Result<(), DeadError> {
    letters.each(&Selection::default(), &mut |record| {
        if record.done.is_none() && record.line.is_some() {
            each(record);
        }
        ControlFlow::Continue(())
    })
}

/// Prints keys whose commands wait.
pub fn print(domain: &str, parked: &[Parked], as_json: bool) -> Result<(), CliError> {
    for Parked { under: ParkedUnder { partition, name }, dead } in parked {
        let key = key_parked_under(name);
        if as_json {
            let key = key.as_deref().map(print::text);
            output::json(
                &json!({"domain": domain, "partition": partition, "key": key, "kept_as": name, "dead": dead}),
            )?;
            continue;
        }
        let (shown, flag) = match &key {
            Some(key) => (print::shown(key), print::key_flag(key)),
            None => (format!("a long key, kept as {name}"), "--key KEY".to_owned()),
        };
        let key = foreign::cut(&shown, output::WIDEST_CELL);
        let redrive = format!("`millrace dead redrive {domain} {flag}`");
        output::line(match dead {
            0 => format!(
                "{domain} [{partition}] {key}: of what waited none is left in the dead topic. The next command of the key goes \
                 there, too; then {redrive} frees the key"
            ),
            _ => format!(
                "{domain} [{partition}] {key}: {dead} record(s) wait in the dead topic; {redrive} puts them back"
            ),
        })?;
    }
    Ok(())
}

/// Says what still waits behind records that were dropped, or would be, as it does not go on by itself.
pub fn say_left(domain: &str, letters: &dyn DeadLetters, dropped: &[DeadRecord]) -> Result<(), CliError> {
    let line = |record: &DeadRecord| Some((record.place.partition, record.line?.line));
    if !dropped.iter().any(|record| record.line.is_some()) {
        return Ok(());
    }
    let mut left: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    each_in_line(letters, &mut |record| {
        let is_behind = dropped.iter().any(|it| line(it) == line(&record));
        if is_behind && dropped.iter().all(|it| it.place != record.place) {
            *left.entry(record.key.as_deref().unwrap_or_default().to_vec()).or_default() += 1;
        }
    })?;
    for (key, count) in left {
        let (shown, flag) = (foreign::cut(&print::shown(&key), output::WIDEST_CELL), print::key_flag(&key));
        output::line(format!(
            "{count} record(s) of key {shown} wait behind what is dropped, and go on once they are put back: \
             `millrace dead redrive {domain} {flag}`"
        ))?;
    }
    Ok(())
}
