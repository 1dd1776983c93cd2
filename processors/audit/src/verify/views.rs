//! Views: every row of every table equals the replay's.
//!
//! The live tables go on while they are compared. A live row is read after the replay was brought
//! to what the projection had published, so it is as the replay has it, or as one of the events
//! since then has left it. Where it is neither and such an event touches it, it is read again when
//! the projection has passed that event.

use std::time::{Duration, Instant};

use hashbrown::HashMap;
use millrace_kernel::{Domain, PageQuery, Projection, Table, Value, Write};
use millrace_ports::{TopicPartition, ViewStore};
use millrace_runtime::progress::PROGRESS;
use millrace_runtime::projector::Footing;
use millrace_runtime::versions::Live;
use serde_json::json;

use super::Scene;
use super::replay::{Replay, Replayed, effect};
use crate::difference::{Check, ColumnDifference, Difference, Kind};
use crate::fault::AuditFault;
use crate::reading::{between, decode_event};
use crate::shown;

/// Rows compared at once.
const PAGE: usize = 500;
/// How long the projection may stand still before a row that waits for it is reported.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a row is read that every time is touched again before it can be judged for good.
const LOOKS: usize = 10;
/// Between two looks at the progress.
const LOOK: Duration = Duration::from_millis(20);

/// A row that is not the replay's, as it was read.
struct Candidate {
    key: Vec<Value>,
    found: Option<Vec<Value>>,
}

/// What is to become of a candidate.
enum Verdict {
    /// It is as the replay has it, or as an event since then has left it.
    Right,
    /// It is neither, and no event since then touches it.
    Wrong,
    /// It is neither; the newest event that touches it is this one.
    After(i32, i64),
}

impl<D: Domain> Scene<'_, D> {
    /// Compares all tables of a view family.
    pub(super) fn family(&mut self, family: &Projection<D::Event>) -> Result<(), AuditFault> {
        let mut replay = Replay::<D>::start(self, family)?;
        let published = replay.published(self)?;
        let events = published.iter().map(|progress| progress.events_offset.unsigned_abs()).sum();
        self.audit.watcher.stage(&format!("replaying {}", replay.projection), events);
        self.check_progress(&replay)?;
        self.check_footing(&replay, family)?;
        replay.advance(self)?;
        for table in replay.tables.clone() {
            self.audit.watcher.stage(&format!("comparing {}.{}", D::NAME, table.name), 0);
            let before = replay.position();
            let paired = self.compare_live(&mut replay, &table)?;
            // while nothing moves, as many pairs as the replay has rows leave none without a live one
            let is_complete = replay.position() == before && replay.count(&table)? == paired;
            if !is_complete {
                self.look_for_missing(&mut replay, &table)?;
            }
        }
        Ok(())
    }

    /// Progress that is published beyond the end of the events belongs to other events.
    fn check_progress(&mut self, replay: &Replay<'_, D>) -> Result<(), AuditFault> {
        for progress in replay.published(self)? {
            let Some(source) = replay.sources.iter().find(|s| s.at.partition == progress.partition) else {
                let message = format!("there is no partition {} of the events", progress.partition);
                let key =
                    format!("projection={}, source_partition={}", progress.projection, progress.partition);
                let difference = self.difference(Check::Views, Kind::Surplus, PROGRESS, &key, message);
                self.findings.add(difference);
                continue;
            };
            let end = self.audit.log.high_watermark(&source.at)?;
            if progress.events_offset > end {
                let message = format!(
                    "{} says it has applied {} up to offset {}, which ends at {end}: the tables are of other events",
                    progress.projection, source.at, progress.events_offset
                );
                let key =
                    format!("projection={}, source_partition={}", progress.projection, progress.partition);
                let difference = self.difference(Check::Views, Kind::Different, PROGRESS, &key, message);
                let column = ColumnDifference {
                    column: "events_offset".to_owned(),
                    expected: json!(format!("<= {end}")),
                    found: json!(progress.events_offset),
                };
                self.findings.add(Difference { columns: vec![column], ..difference });
            }
        }
        Ok(())
    }

    /// The tables hold what their group says was applied to them. Without this, tables that were deleted would be as
    /// clean as those of a projector that has only begun.
    fn check_footing(
        &mut self,
        replay: &Replay<'_, D>,
        family: &Projection<D::Event>,
    ) -> Result<(), AuditFault> {
        let version = Live::read(self.audit.store, [(family.name, family.views)])?.version(family.name);
        let group = self.names.projector_group(&version.of(family.name));
        let places: Vec<TopicPartition> = replay.sources.iter().map(|source| source.at.clone()).collect();
        for (at, committed) in (self.audit.committed)(&group, &places)? {
            match self.stand(&replay.projection, &at, committed) {
                Ok(()) => {}
                Err(AuditFault::Projector(fault)) if fault.is_about_tables() => {
                    let key = format!("projection={}, source_partition={}", replay.projection, at.partition);
                    let difference =
                        self.difference(Check::Views, Kind::Missing, PROGRESS, &key, fault.to_string());
                    self.findings.add(difference);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// Whether the projector could go on from what its group has committed, by its own rule.
    fn stand(&self, projection: &str, at: &TopicPartition, committed: i64) -> Result<(), AuditFault> {
        let (log, store) = (self.audit.log, self.audit.store);
        let mut footing = Footing::new(log, store, projection, at, committed)?;
        let unknown = (footing.applied(), committed);
        between(log, at, unknown, self.audit.watcher, &mut |record| {
            let event = decode_event(&self.codecs.events, record)?;
            Ok(footing.before(store, &event, record.offset)?)
        })?;
        Ok(footing.at_end(store)?)
    }

    /// Every live row is the replay's. Returns for how many the replay has a row of the same key.
    fn compare_live(&mut self, replay: &mut Replay<'_, D>, table: &Table) -> Result<u64, AuditFault> {
        let mut after = Vec::new();
        let mut paired = 0;
        loop {
            replay.advance(self)?;
            let rows = self.audit.store.scan(&table.name, &after, PAGE)?.rows;
            self.checked.rows += rows.len() as u64;
            self.audit.watcher.advance(rows.len() as u64);
            let is_last = rows.len() < PAGE;
            if let Some(last) = rows.last() {
                after = last[..table.key_columns()].to_vec();
            }
            let keys: Vec<&[Value]> = rows.iter().map(|row| &row[..table.key_columns()]).collect();
            let expected = replay.rows(table, &keys)?;
            let has_row = |replayed: &&Replayed| replayed.values.is_some();
            paired += expected.iter().flatten().filter(has_row).count() as u64;
            let candidates = rows
                .iter()
                .zip(expected)
                .filter(|(row, expected)| {
                    expected.as_ref().and_then(|replayed| replayed.values.as_ref()) != Some(row)
                })
                .map(|(row, _)| Candidate {
                    key: row[..table.key_columns()].to_vec(),
                    found: Some(row.clone()),
                })
                .collect();
            self.resolve(replay, table, candidates)?;
            if is_last {
                return Ok(paired);
            }
        }
    }

    /// Every row of the replay is live.
    fn look_for_missing(&mut self, replay: &mut Replay<'_, D>, table: &Table) -> Result<(), AuditFault> {
        let mut after = Vec::new();
        loop {
            replay.advance(self)?;
            let (rows, next) = replay.scan(table, &after, PAGE)?;
            let found =
                read_rows(self.audit.store, table, rows.iter().map(|row| &row[..table.key_columns()]))?;
            let missing = rows.iter().zip(found).filter(|(_, found)| found.is_none());
            let candidates = missing
                .map(|(row, _)| Candidate { key: row[..table.key_columns()].to_vec(), found: None })
                .collect();
            self.resolve(replay, table, candidates)?;
            match next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }

    /// Finds out which of the candidates are wrong, and reports them.
    fn resolve(
        &mut self,
        replay: &mut Replay<'_, D>,
        table: &Table,
        mut candidates: Vec<Candidate>,
    ) -> Result<(), AuditFault> {
        let mut moved = (Instant::now(), i64::MIN);
        let mut looks = 0;
        while !candidates.is_empty() {
            looks += 1;
            replay.look_ahead(self)?;
            let keys: Vec<&[Value]> = candidates.iter().map(|candidate| candidate.key.as_slice()).collect();
            let expected = replay.rows(table, &keys)?;
            let mut later = Vec::new();
            let mut wait_for: Vec<(i32, i64)> = Vec::new();
            let verdicts = judge(replay, table, &candidates, &expected)?;
            for ((candidate, expected), verdict) in candidates.into_iter().zip(expected).zip(verdicts) {
                let values = expected.as_ref().and_then(|replayed| replayed.values.as_deref());
                match verdict {
                    Verdict::Right => {}
                    Verdict::After(partition, offset) if looks < LOOKS && moved.0.elapsed() < PATIENCE => {
                        wait_for.push((partition, offset));
                        later.push(candidate);
                    }
                    verdict => {
                        let stands = matches!(verdict, Verdict::After(..));
                        let event = expected.as_ref().map(|replayed| replayed.event);
                        self.report_row(replay, table, &candidate, values, event, stands);
                    }
                }
            }
            candidates = later;
            if candidates.is_empty() {
                return Ok(());
            }
            let total = self.wait_until_passed(replay, &wait_for)?;
            if total > moved.1 {
                moved = (Instant::now(), total);
            }
            replay.advance(self)?;
            let found = read_rows(self.audit.store, table, candidates.iter().map(|c| c.key.as_slice()))?;
            for (candidate, found) in candidates.iter_mut().zip(found) {
                candidate.found = found;
            }
        }
        Ok(())
    }

    /// Waits until the projection has passed these events, or stands still. Returns how far it is
    /// in all partitions together.
    fn wait_until_passed(&self, replay: &Replay<'_, D>, events: &[(i32, i64)]) -> Result<i64, AuditFault> {
        let mut moved = (Instant::now(), i64::MIN);
        loop {
            let published = replay.published(self)?;
            let total = published.iter().map(|progress| progress.events_offset).sum();
            let has_passed = |(partition, offset): &(i32, i64)| {
                published.iter().any(|p| p.partition == *partition && p.events_offset > *offset)
            };
            if total > moved.1 {
                moved = (Instant::now(), total);
            }
            if events.iter().all(has_passed) || moved.0.elapsed() >= PATIENCE {
                return Ok(total);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn report_row(
        &mut self,
        replay: &Replay<'_, D>,
        table: &Table,
        candidate: &Candidate,
        expected: Option<&[Value]>,
        event: Option<(i32, i64)>,
        stands: bool,
    ) {
        let key = shown::key(&table.columns, &candidate.key);
        let note = match stands {
            true => "; later events touch it, and none of them has made it right so far",
            false => "",
        };
        let whole = |values: &[Value], is_found: bool| -> Vec<ColumnDifference> {
            let columns = table.columns.iter().zip(values).skip(table.key_columns());
            columns
                .map(|(column, value)| {
                    let (value, none) = (shown::value(value), serde_json::Value::Null);
                    let (expected, found) = if is_found { (none, value) } else { (value, none) };
                    ColumnDifference { column: column.name.clone(), expected, found }
                })
                .collect()
        };
        let (kind, columns, message) = match (expected, &candidate.found) {
            (None, Some(found)) => {
                let why = match event {
                    Some(_) => "an event has deleted it",
                    None => "no event writes it",
                };
                (Kind::Surplus, whole(found, true), format!("{} has a row too many: {why}{note}", table.name))
            }
            (Some(values), None) => (
                Kind::Missing,
                whole(values, false),
                format!("{} lacks a row that an event has written{note}", table.name),
            ),
            (Some(values), Some(found)) => {
                let pairs = table.columns.iter().zip(values.iter().zip(found));
                let columns = pairs
                    .filter(|(_, (expected, found))| expected != found)
                    .map(|(column, (expected, found))| ColumnDifference {
                        column: column.name.clone(),
                        expected: shown::value(expected),
                        found: shown::value(found),
                    })
                    .collect();
                (
                    Kind::Different,
                    columns,
                    format!("a row of {} is not what its event has written{note}", table.name),
                )
            }
            // it has changed since it was read, which the next look would have found
            (None, None) => return,
        };
        let difference = self.difference(Check::Views, kind, &table.name, &key, message);
        let events = event.map(|event| replay.place(event)).into_iter().collect();
        self.findings.add(Difference { columns, events, ..difference });
    }
}

/// Whether live rows are what the replay has, or what one of the events since then leaves.
fn judge<D: Domain>(
    replay: &mut Replay<'_, D>,
    table: &Table,
    candidates: &[Candidate],
    expected: &[Option<Replayed>],
) -> Result<Vec<Verdict>, AuditFault> {
    let is_expected = |(candidate, expected): (&Candidate, &Option<Replayed>)| {
        let values = expected.as_ref().and_then(|replayed| replayed.values.as_deref());
        if candidate.found.as_deref() == values { Verdict::Right } else { Verdict::Wrong }
    };
    let mut verdicts: Vec<Verdict> = candidates.iter().zip(expected).map(is_expected).collect();
    let by_key: HashMap<&[Value], usize> =
        candidates.iter().enumerate().map(|(index, candidate)| (candidate.key.as_slice(), index)).collect();
    for source in &mut replay.sources {
        let partition = source.at.partition;
        source.ahead.each(&mut |offset, write| {
            if write.table() != table.name {
                return;
            }
            let key = match write {
                Write::Put(put) => put.values.get(..table.key_columns()),
                Write::Delete(delete) if delete.range => None,
                Write::Delete(delete) => Some(delete.key.as_slice()),
            };
            let touched = match key {
                Some(key) => by_key.get(key).map_or(0..0, |index| *index..index + 1),
                None => 0..candidates.len(),
            };
            for index in touched {
                let candidate = &candidates[index];
                match (effect(table, &candidate.key, write), &verdicts[index]) {
                    (None, _) | (_, Verdict::Right) => {}
                    (Some(left), _) if left == candidate.found.as_deref() => verdicts[index] = Verdict::Right,
                    (Some(_), _) => verdicts[index] = Verdict::After(partition, offset),
                }
            }
        })?;
    }
    Ok(verdicts)
}

/// The live rows of these keys.
fn read_rows<'k>(
    store: &dyn ViewStore,
    table: &Table,
    keys: impl Iterator<Item = &'k [Value]>,
) -> Result<Vec<Option<Vec<Value>>>, AuditFault> {
    let query = |key: &[Value]| PageQuery {
        table: table.name.clone(),
        key: key.to_vec(),
        after: Vec::new(),
        limit: 1,
        in_turn: false,
    };
    let pages = store.read(&keys.map(query).collect::<Vec<_>>())?;
    Ok(pages.into_iter().map(|page| page.rows.into_iter().next()).collect())
}
