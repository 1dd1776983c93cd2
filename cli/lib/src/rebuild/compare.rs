//! The comparison of the new version with the one that answers.

use std::cell::Cell;
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
use crate::examine::verify::describe;
use crate::output;
use crate::output::paper::Paper;

/// How long both versions have to take in the newest events before their rows are looked at as they are.
const CATCH_UP: Duration = Duration::from_secs(20);
/// How long one of them may stand still meanwhile.
const STILL: Duration = Duration::from_secs(5);
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
    let pair = Pair { versions, old, new, stands_at: Cell::new(None), stop };
    let catch_up = || pair.catch_up();
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

/// Two versions that are compared while both go on.
struct Pair<'a, 'v> {
    versions: &'a Versions<'v>,
    old: Version,
    new: Version,
    /// How far both were together when one of them came no further.
    stands_at: Cell<Option<i64>>,
    stop: &'a Stop,
}

impl Pair<'_, '_> {
    /// Waits until both versions have all events that are there now, or some time has gone. One that stood still the
    /// last time, as its projector found its tables deleted, is not waited for again until it moves.
    fn catch_up(&self) -> Result<(), AuditFault> {
        let versions = self.versions;
        let mut ends = Vec::new();
        for at in &versions.events {
            ends.push((at.partition, versions.log.high_watermark(at)?));
        }
        let until = Instant::now() + CATCH_UP;
        let mut moved = (Instant::now(), 0);
        loop {
            let (mut has_come, mut total) = (true, 0);
            for version in [self.old, self.new] {
                let progress = read_progress(&*versions.store, &version.of(&versions.name()))?;
                for (partition, end) in &ends {
                    let of_partition = progress.iter().find(|it| it.partition == *partition);
                    let reached = of_partition.map_or(0, |it| it.events_offset);
                    // the last offset of all is a marker's
                    has_come &= reached >= end - 1;
                    total += reached;
                }
            }
            if has_come || self.stands_at.get() == Some(total) {
                return Ok(());
            }
            if total > moved.1 {
                moved = (Instant::now(), total);
            }
            if moved.0.elapsed() >= STILL {
                self.stands_at.set(Some(total));
                return Ok(());
            }
            if Instant::now() >= until || self.stop.wait(LOOK) {
                return Ok(());
            }
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
