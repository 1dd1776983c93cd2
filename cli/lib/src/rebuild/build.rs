//! Filling the next version beside the one that answers, until it can take its place.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_audit::Watcher as _;
use millrace_ports::{Clock, SystemClock};
use millrace_runtime::health::LaneState;
use millrace_runtime::progress::Progress;
use millrace_runtime::role::Pace;
use millrace_runtime::versions::{Filled, State, Version};
use millrace_runtime::{Health, Stop};
use serde_json::json;

use super::compare;
use super::pace::GiveWay;
use super::say::step;
use super::state_dir::StateDir;
use super::versions::Versions;
use crate::args;
use crate::domain::ProjectorRole;
use crate::error::CliError;
use crate::examine::Bar;
use crate::roles::{runtime, stop_on_signals};
use crate::{foreign, output};

/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How often it is said, where no terminal shows a bar.
const SAY: Duration = Duration::from_secs(1);
/// A version whose oldest missing event is no older than this has come to the end.
const CAUGHT_UP_SECONDS: f64 = 1.0;
/// With fewer offsets to go it is found out for how long the next event has waited.
const NEARLY: i64 = 20_000;
/// For how long servers may be away.
const PATIENCE: Duration = Duration::from_secs(300);
/// When they are asked again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long the projectors that run have to take up a version that has come to answer.
const TAKE_UP: Duration = Duration::from_secs(15);

/// Builds the next version, or goes on with one that is not finished, and switches to it.
pub fn run(versions: &mut Versions<'_>, rebuild: &args::Rebuild) -> Result<(), CliError> {
    let live = versions.live()?;
    let filled = next(versions, live, rebuild.json)?;
    let version = filled.version;
    let (health, stop, pace) = (Health::default(), Stop::new(), Pace::default());
    let runtime = runtime()?;
    stop_on_signals(&runtime, stop.clone())?;
    let state_dir = StateDir::of(&versions.servers.config.settings.projector.state_dir)?;
    let ports = versions.servers.ports(&state_dir.path())?;
    let role_stop = Stop::new();
    let role = ProjectorRole {
        ports: &ports,
        config: versions.servers.config,
        family: versions.family.name,
        store: versions.store.clone(),
        health: &health,
        stop: &role_stop,
    };
    let (entry, begun) = (versions.entry, filled.clone());
    let done = std::thread::scope(|scope| {
        let of_thread = pace.clone();
        let filler = scope.spawn(|| {
            let ended = entry.fill(role, &begun, of_thread);
            // however it ended, there is nothing to wait for without it
            stop.request();
            ended
        });
        let build = Build { versions, live, filled, health: &health, stop: &stop, rebuild };
        let done = build.run(pace);
        role_stop.request();
        let filled = filler.join().unwrap_or_else(|_| Err(CliError::failed("ended by a bug")));
        // what ended the filling says more than that it has ended
        filled.and(done).and_then(|()| is_kept(versions, version))
    });
    runtime.shutdown_background();
    done
}

/// The version to fill: one that was begun and does not answer yet, or a new one.
fn next(versions: &Versions<'_>, live: Version, as_json: bool) -> Result<Filled, CliError> {
    let name = versions.name();
    let filled = loop {
        if let Some(begun) = versions.all()?.into_iter().rfind(|it| it.version > live) {
            is_of_this_build(versions, &begun)?;
            let said =
                format!("{name}: going on with version {}, beside version {}", begun.version.0, live.0);
            step(as_json, said, &json!({"stage": "resumed", "version": begun.version.0, "live": live.0}))?;
            break begun;
        }
        let (version, revision) = (versions.next()?, versions.family.revision.clone());
        let new = Filled { version, revision, state: State::Building, changed_at: SystemClock.now_micros() };
        // else another rebuild has just begun it: one of this build is helped, another's is not touched
        if versions.claim(&new)? {
            let said =
                format!("{name}: building version {}, beside version {}, which answers", version.0, live.0);
            step(as_json, said, &json!({"stage": "begun", "version": version.0, "live": live.0}))?;
            break new;
        }
    };
    let tables = filled.version.tables(&versions.declared, versions.family.views);
    // also where it was begun: whoever did may have died before
    versions.store.create_tables(&tables)?;
    // what is complete already is compared at once, before the one who fills it has opened them
    versions.store.open_tables(&tables)?;
    Ok(filled)
}

/// A version is filled by one build and its settings: others would fill the same tables with other rows.
fn is_of_this_build(versions: &Versions<'_>, begun: &Filled) -> Result<(), CliError> {
    let (name, revision) = (versions.name(), &versions.family.revision);
    if begun.revision == *revision {
        return Ok(());
    }
    Err(CliError::failed(format!(
        "{name}: version {} is {} and filled as {:?}, but this build and these settings would fill it as {revision:?}",
        begun.version.0,
        begun.state.name(),
        begun.revision
    ))
    .hint(format!(
        "Go on with the build and the settings that have begun it, or drop it first: \
         `millrace rebuild {name} --drop`."
    )))
}

/// Makes sure that somebody fills a version that this process has handed over: two rebuilds may have
/// taken each other for projectors.
fn is_kept(versions: &Versions<'_>, version: Version) -> Result<(), CliError> {
    if versions.members(version)? > 0 {
        return Ok(());
    }
    let name = versions.name();
    Err(CliError::failed(format!("{name}: version {} answers, and nobody keeps it up to date", version.0))
        .hint("Start projectors of this build and these settings."))
}

struct Build<'a, 'v> {
    versions: &'a Versions<'v>,
    live: Version,
    filled: Filled,
    health: &'a Health,
    stop: &'a Stop,
    rebuild: &'a args::Rebuild,
}

impl Build<'_, '_> {
    fn run(mut self, pace: Pace) -> Result<(), CliError> {
        let (name, version) = (self.versions.name(), self.filled.version);
        let bar = Bar::new();
        self.replay(&bar, pace)?;
        if self.filled.state == State::Building {
            // from now on projectors of this revision keep it up to date, whoever reads it
            self.filled = self.versions.record(&self.filled, State::Complete)?;
        }
        let (limit, as_json) = (self.rebuild.limit, self.rebuild.json);
        let found = compare::run(self.versions, (self.live, version), limit, as_json, &bar, self.stop)?;
        bar.clear();
        self.go_on()?;
        if !found.is_none() && !self.rebuild.switch {
            return Err(CliError::failed(format!(
                "{name}: version {} is complete and differs from version {}, which goes on answering",
                version.0, self.live.0
            ))
            .hint(format!(
                "If the new rows are right: millrace rebuild {name} --switch\n\
                 If they are not: millrace rebuild {name} --drop"
            )));
        }
        self.versions.switch(version)?;
        let said = format!(
            "{name}: version {} answers; version {} is kept\n  to go back:  millrace rebuild {name} --back\n  \
             to drop it:  millrace rebuild {name} --drop",
            version.0, self.live.0
        );
        step(as_json, said, &json!({"stage": "switched", "version": version.0, "from": self.live.0}))?;
        self.hand_over()
    }

    /// Fills the version until it has come to the end of the events.
    fn replay(&self, bar: &Bar, pace: Pace) -> Result<(), CliError> {
        let (versions, version) = (self.versions, self.filled.version);
        let mut way = GiveWay::new(pace);
        let mut speed = Speed::new();
        let mut said = Instant::now();
        let (mut shown, mut first_ends) = (None, None);
        loop {
            let look = || Ok((versions.ends()?, versions.progress(version)?, versions.progress(self.live)?));
            let (ends, progress, live) = self.patiently(look)?;
            let total: i64 = ends.values().sum();
            let reached = |(partition, end): (&i32, &i64)| {
                progress.get(partition).map_or(0, |it| it.events_offset.min(*end))
            };
            let done: i64 = ends.iter().map(reached).sum();
            let lag = way.look(&live, &ends);
            let rate = speed.look(done);
            let first = first_ends.get_or_insert_with(|| ends.clone());
            if total - done < NEARLY && self.patiently(|| self.has_caught_up(first, &progress))? {
                bar.clear();
                let (events, seconds) = (speed.events(), speed.seconds());
                let text = format!(
                    "{}: version {} has come to the end: {} offsets in {seconds:.1} s, {} a second",
                    versions.name(),
                    version.0,
                    output::number(events),
                    output::number(rate as u64)
                );
                let object = json!({
                    "stage": "built", "version": version.0, "offsets": events, "seconds": seconds,
                    "per_second": rate,
                });
                return step(self.rebuild.json, text, &object);
            }
            let from = *shown.get_or_insert_with(|| {
                bar.stage(&format!("version {}", version.0), (total - done).max(0).unsigned_abs());
                done
            });
            bar.reach((done - from).max(0).unsigned_abs());
            bar.say(format!(
                "version {}: {} a second, the live version {:.1} s behind",
                version.0,
                output::number(rate as u64),
                lag.as_secs_f64()
            ));
            if said.elapsed() >= SAY {
                said = Instant::now();
                self.say_progress(done, total, rate, lag)?;
            }
            self.stop.wait(LOOK);
            self.go_on()?;
        }
    }

    /// Whether a version that has come so far has all events up to `ends`, and those that came later
    /// are new.
    fn has_caught_up(
        &self,
        ends: &BTreeMap<i32, i64>,
        progress: &BTreeMap<i32, Progress>,
    ) -> Result<bool, CliError> {
        let has_passed = |partition: i32| {
            let reached = progress.get(&partition).map_or(0, |it| it.events_offset);
            // the last offset of all is that of a transaction's mark
            ends.get(&partition).is_none_or(|end| reached >= end - 1)
        };
        let behind = self.versions.behind(progress)?;
        Ok(behind.iter().all(|(at, it)| it.seconds < CAUGHT_UP_SECONDS && has_passed(at.partition)))
    }

    fn say_progress(&self, done: i64, total: i64, rate: f64, lag: Duration) -> Result<(), CliError> {
        let left = (rate > 0.0).then(|| (total - done).max(0) as f64 / rate);
        if self.rebuild.json {
            return output::json(&json!({
                "stage": "building", "version": self.filled.version.0, "offsets": done, "of": total,
                "per_second": rate, "seconds_left": left, "live_lag_seconds": lag.as_secs_f64(),
            }));
        }
        if !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            let left = left.map_or_else(|| "some time".to_owned(), |seconds| format!("{seconds:.0} s"));
            foreign::say(format!(
                "{} of {} offsets, {} a second, {left} left; the live version is {:.1} s behind",
                output::number(done.unsigned_abs()),
                output::number(total.unsigned_abs()),
                output::number(rate as u64),
                lag.as_secs_f64()
            ));
        }
        for lane in self.health.report().lanes.iter().filter(|lane| lane.state == LaneState::Faulted) {
            foreign::say(format!("{} {}: {}; {}", lane.role, lane.partition, lane.detail, lane.next));
        }
        Ok(())
    }

    /// Asks until there is an answer: servers that are away for a while do not end the work of hours.
    fn patiently<T>(&self, ask: impl Fn() -> Result<T, CliError>) -> Result<T, CliError> {
        let began = Instant::now();
        let mut is_said = false;
        loop {
            match ask() {
                Err(error) if began.elapsed() < PATIENCE && !self.stop.is_requested() => {
                    if !std::mem::replace(&mut is_said, true) {
                        foreign::say(format!("{error}; trying again for {} s", PATIENCE.as_secs()));
                    }
                    self.stop.wait(AGAIN);
                }
                answer => return answer,
            }
        }
    }

    /// Ends when somebody has asked for it, or has dropped the version.
    fn go_on(&self) -> Result<(), CliError> {
        let (name, version) = (self.versions.name(), self.filled.version);
        if self.stop.is_requested() {
            return Err(CliError::failed(format!(
                "{name}: interrupted; version {} is not finished",
                version.0
            ))
            .hint(format!("`millrace rebuild {name}` goes on where it was.")));
        }
        if !self.patiently(|| self.versions.all())?.iter().any(|it| it.version == version) {
            return Err(CliError::failed(format!("{name}: version {} was dropped meanwhile", version.0)));
        }
        Ok(())
    }

    /// Goes on filling the version until another process does.
    fn hand_over(&self) -> Result<(), CliError> {
        let (name, version) = (self.versions.name(), self.filled.version);
        let began = Instant::now();
        let mut is_said = false;
        loop {
            if self.patiently(|| self.versions.members(version))? > 1 {
                return step(
                    self.rebuild.json,
                    format!("{name}: projectors keep version {} up to date from here on", version.0),
                    &json!({"stage": "handed_over", "version": version.0}),
                );
            }
            if began.elapsed() >= TAKE_UP && !is_said {
                is_said = true;
                let said = format!(
                    "{name}: no projector of this build and these settings runs, so this process keeps version {} \
                     up to date; start such projectors, it ends by itself then",
                    version.0
                );
                step(self.rebuild.json, said, &json!({"stage": "waiting", "version": version.0}))?;
            }
            if self.stop.wait(LOOK) {
                return Err(CliError::failed(format!(
                    "{name}: interrupted; version {} answers, but nobody else has begun to keep it up to date",
                    version.0
                ))
                .hint(
                    "Projectors of this build and these settings take it up by themselves; `millrace status` \
                     shows whether some have.",
                ));
            }
        }
    }
}

/// How fast offsets are passed, since the beginning and of late.
struct Speed {
    began: Instant,
    first: Option<i64>,
    looks: BTreeMap<Instant, i64>,
}

impl Speed {
    /// The rate is that of so long.
    const OF_LATE: Duration = Duration::from_secs(10);

    fn new() -> Self {
        Self { began: Instant::now(), first: None, looks: BTreeMap::new() }
    }

    /// Takes note of how many offsets are done. Returns how many a second there were of late.
    fn look(&mut self, done: i64) -> f64 {
        let now = Instant::now();
        self.first.get_or_insert(done);
        self.looks.insert(now, done);
        while self.looks.len() > 2
            && self.looks.first_key_value().is_some_and(|(at, _)| now.duration_since(*at) > Self::OF_LATE)
        {
            self.looks.pop_first();
        }
        match self.looks.first_key_value() {
            Some((at, first)) if *at < now => (done - first) as f64 / now.duration_since(*at).as_secs_f64(),
            _ => 0.0,
        }
    }

    fn events(&self) -> u64 {
        let last = self.looks.last_key_value().map_or(0, |(_, done)| *done);
        (last - self.first.unwrap_or(last)).max(0).unsigned_abs()
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
