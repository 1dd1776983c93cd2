//! The comparison of the new version with the one that answers.

use std::time::{Duration, Instant};

use millrace_audit::versions::{Comparison, Differing, compare};
use millrace_audit::{AuditFault, Watcher};
use millrace_ports::Log as _;
use millrace_runtime::Stop;
use millrace_runtime::progress::read_progress;
use millrace_runtime::versions::Version;
use serde_json::json;

use super::say::step;
use super::versions::Versions;
use crate::error::CliError;
use crate::examine::paper::Paper;
use crate::examine::verify::describe;
use crate::output;

/// How long both versions have to take in the newest events before their rows are looked at as they
/// are.
const CATCH_UP: Duration = Duration::from_secs(20);
/// Between two looks at how far they are.
const LOOK: Duration = Duration::from_millis(50);

/// Compares version `new` with version `old` and says what came of it.
pub fn run(
    versions: &Versions<'_>,
    (old, new): (Version, Version),
    limit: usize,
    as_json: bool,
    watcher: &dyn Watcher,
    stop: &Stop,
) -> Result<Differing, CliError> {
    let began = Instant::now();
    let catch_up = || both_have_come(versions, old, new, stop);
    let found = compare(&Comparison {
        domain: versions.entry.name(),
        store: &*versions.store,
        tables: &versions.declared,
        old,
        new,
        catch_up: &catch_up,
        limit,
        watcher,
    })?;
    say(versions, (old, new), &found, began.elapsed(), as_json)?;
    Ok(found)
}

/// Waits until both versions have all events that are there now, or some time has gone.
fn both_have_come(
    versions: &Versions<'_>,
    old: Version,
    new: Version,
    stop: &Stop,
) -> Result<(), AuditFault> {
    let mut ends = Vec::new();
    for at in &versions.events {
        ends.push((at.partition, versions.log.high_watermark(at)?));
    }
    let until = Instant::now() + CATCH_UP;
    loop {
        let mut has_come = true;
        for version in [old, new] {
            let progress = read_progress(&*versions.store, &version.of(&versions.name()))?;
            let reached = |partition: i32| {
                progress.iter().find(|it| it.partition == partition).map_or(0, |it| it.events_offset)
            };
            // the last offset of all is a marker's
            has_come &= ends.iter().all(|(partition, end)| reached(*partition) >= end - 1);
        }
        if has_come || Instant::now() >= until || stop.wait(LOOK) {
            return Ok(());
        }
    }
}

fn say(
    versions: &Versions<'_>,
    (old, new): (Version, Version),
    found: &Differing,
    took: Duration,
    as_json: bool,
) -> Result<(), CliError> {
    let rows: u64 = found.tables.iter().map(|it| it.new_rows).sum();
    let differing: u64 = found.tables.iter().map(|it| it.differences).sum();
    let mut paper = Paper::new();
    for difference in &found.differences {
        describe(&mut paper, difference);
        paper.gap();
    }
    let verdict = match (differing, found.is_none()) {
        (0, true) => "no difference".to_owned(),
        (1, _) => "1 row differs".to_owned(),
        (many, _) => format!("{} rows differ", output::number(many)),
    };
    paper.line(
        0,
        &format!(
            "{}: compared {} rows of version {} with version {} in {:.1} s: {verdict}",
            versions.name(),
            output::number(rows),
            new.0,
            old.0,
            took.as_secs_f64()
        ),
    );
    for it in found.tables.iter().filter(|it| it.differences > 0 || it.incomparable.is_some()) {
        let (of_new, of_old) = (output::number(it.new_rows), output::number(it.old_rows));
        let what = match &it.incomparable {
            Some(why) => format!("cannot be compared: {why}"),
            None => format!(
                "{} differ, of {of_new} (version {}: {of_old})",
                output::number(it.differences),
                old.0
            ),
        };
        paper.line(2, &format!("{}: {what}", it.view));
    }
    let object = json!({
        "stage": "compared", "version": new.0, "with": old.0, "rows": rows, "differences_total": differing,
        "tables": found.tables, "differences": found.differences, "seconds": took.as_secs_f64(),
    });
    step(as_json, paper.text().trim_end(), &object)
}
