//! A whole run: servers and roles up, loads and faults side by side, then rest, and every check.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::faults::{self, Stage};
use super::journal::{Journal, Notes};
use super::load::{Count, SteadyLoad};
use super::{Kind, Luck, check, pauses};
use crate::{Fragile, Gateway, System, millrace};

/// How long a silent process keeps its partitions; the shortest that brokers allow by default.
const SESSION: Duration = Duration::from_secs(6);
/// How long the answers to everything sent may take when all faults have healed.
const ANSWER_DEADLINE: Duration = Duration::from_secs(240);
/// How often a run says how far it has come.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// How many processors, projectors and gateways there are.
const PROCESSORS: usize = 3;
const PROJECTORS: usize = 2;
const GATEWAYS: usize = 2;

/// What a run is to be.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// For how long faults are dealt, at least; every kind comes once however short it is.
    pub length: Duration,
    /// Which faults of servers are dealt; those of processors and projectors all are.
    pub servers: &'static [Kind],
    /// What deals the faults and makes the commands.
    pub seed: u64,
    /// Accounting commands a second.
    pub accounting_rate: u32,
    /// Chirp commands a second.
    pub chirp_rate: u32,
    /// Accounting commands a second over HTTP, each of which waits for its answer.
    pub http_rate: u32,
    /// Commands a second of identity, projects and estimation, which have consequences in each other's partitions.
    pub suite_rate: u32,
}

/// What a clean run came to, as text for `docs/guarantees.md`.
#[derive(Clone, Debug)]
pub struct Report {
    /// A Markdown summary.
    pub text: String,
}

/// What is wrong, and where everything lies that may show why.
#[derive(Clone, Debug)]
pub struct Failure {
    /// All that is wrong.
    pub wrong: Vec<String>,
    /// The folder of all logs and of the servers' data.
    pub dir: PathBuf,
    /// What happened until then, as in a report.
    pub text: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        for wrong in &self.wrong {
            writeln!(f, "WRONG: {wrong}")?;
        }
        write!(f, "the logs of all processes and the data of the servers are in {}", self.dir.display())
    }
}

/// Runs it.
///
/// # Errors
/// All that was found wrong.
pub fn run(plan: &Plan) -> Result<Report, Box<Failure>> {
    let dir = folder(plan.seed);
    let journal = Arc::new(Journal::start());
    journal.say(&format!("seed {}, logs in {}", plan.seed, dir.display()));
    let mut found = Found::default();
    let done = guarded(|| whole(plan, &dir, &journal, &mut found));
    found.wrong.extend(done.err());
    let notes = journal.snapshot();
    let text = found.report(plan, &notes);
    let _ = fs::write(dir.join("journal.txt"), notes.lines.join("\n"));
    let _ = fs::write(dir.join("report.md"), &text);
    if found.wrong.is_empty() {
        // What is in it is worth nothing any more, and much.
        let _ = fs::remove_dir_all(&dir);
        return Ok(Report { text });
    }
    Err(Box::new(Failure { wrong: found.wrong, dir, text }))
}

/// A new folder beside the binary under test.
fn folder(seed: u64) -> PathBuf {
    let binary = millrace();
    let beside = binary.parent().unwrap_or(Path::new(".")).join("chaos");
    let dir = beside.join(format!("seed-{seed}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a folder beside the binary");
    dir
}

/// What was counted and what was found.
#[derive(Debug, Default)]
struct Found {
    accounting: Count,
    chirp: Count,
    http: Count,
    suite: Count,
    said: Vec<String>,
    wrong: Vec<String>,
    rest: Option<Duration>,
}

impl Found {
    fn take(&mut self, result: Result<String, String>) {
        match result {
            Ok(said) => {
                self.said.push(said);
            }
            Err(wrong) => self.wrong.push(wrong),
        }
    }

    fn report(&self, plan: &Plan, notes: &Notes) -> String {
        let mut text = format!(
            "Seed {}, at least {} s of faults, {} processors, {} projectors, {} gateways, session time-out {} s:\n\
             {} accounting commands ({} a second), {} over HTTP, {} chirp commands and {} of identity, projects and estimation, {} faults.\n\n",
            plan.seed,
            plan.length.as_secs(),
            PROCESSORS,
            PROJECTORS,
            GATEWAYS,
            SESSION.as_secs(),
            self.accounting.sent,
            plan.accounting_rate,
            self.http.sent,
            self.chirp.sent,
            self.suite.sent,
            notes.faults.len(),
        );
        text += &pauses::table(&notes.faults, &notes.gaps);
        text += "\n";
        text += &pauses::summary(&notes.faults, &notes.gaps);
        text += "\n";
        if let Some(rest) = self.rest {
            let _ = writeln!(text, "At rest {:.1} s after the last fault had healed.", rest.as_secs_f64());
        }
        for said in &self.said {
            let _ = writeln!(text, "{said}");
        }
        let verdict = match self.wrong.len() {
            0 => "Verdict: clean.".to_owned(),
            count => format!("Verdict: {count} things are wrong."),
        };
        text + &verdict
    }
}

fn whole(plan: &Plan, dir: &Path, journal: &Arc<Journal>, found: &mut Found) -> Result<(), String> {
    let settings = format!(
        "{}\n[processor]\nsession_timeout_ms = {session}\n{kept}[projector]\nsession_timeout_ms = {session}\n\
         fan_out_max_rows = 50\n{kept}",
        crate::SMALL_THRESHOLDS,
        session = SESSION.as_millis(),
        // in the folder of each process, which the next of its number takes over
        kept = "state_dir = \"state\"\ncheckpoint_interval_ms = 1000\n"
    );
    let mut system = Fragile::within(dir, "chaos", &settings);
    for number in 0..PROCESSORS {
        system.cluster.processors.push(system.cluster.role("processor", number));
    }
    for number in 0..PROJECTORS {
        system.cluster.projectors.push(system.cluster.role("projector", number));
    }
    let mut gateways: Vec<Gateway> =
        (0..GATEWAYS).map(|number| Gateway::start(&system, &format!("gateway{number}"))).collect();
    check::rest(&system)?;
    journal.say("everything is up");

    let loads = Loads::start(plan, &system, &gateways, journal);
    let (arguments, chirp) = (loads.judged(), loads.chirp_arguments.clone());
    let suite = loads.suite_arguments.clone();
    let healed = storm(plan, &mut system, &mut gateways, loads, journal, found)?;
    journal.say("everything is answered; waiting for rest");
    check::rest(&system)?;
    found.rest = Some(journal.now() - healed);
    journal.say("at rest; checking");
    found.take(
        check::processes(&mut system, &mut gateways)
            .map(|()| "No process ended by itself or spoke of a bug.".into()),
    );
    found.take(check::foreign(&system, "accounting_verify.py", &arguments));
    found.take(check::foreign(&system, "verify.py", &chirp));
    found.take(check::foreign(&system, "suite_verify.py", &suite));
    found.take(check::audit(&system));
    Ok(())
}

/// All loads.
struct Loads {
    accounting: SteadyLoad,
    chirp: SteadyLoad,
    http: SteadyLoad,
    suite: SteadyLoad,
    /// Where the answers over HTTP are written down.
    answered: String,
    /// What the checkers are told, too.
    arguments: Vec<String>,
    chirp_arguments: Vec<String>,
    suite_arguments: Vec<String>,
}

impl Loads {
    fn start(plan: &Plan, system: &Fragile, gateways: &[Gateway], journal: &Arc<Journal>) -> Self {
        let dir = system.dir();
        let path = |name: &str| dir.join(name).display().to_string();
        let servers =
            ["--kafka", system.kafka(), "--registry", system.registry(), "--prefix", system.prefix()];
        let with = |more: &[&str]| -> Vec<String> {
            servers.iter().chain(more).map(|&argument| argument.to_owned()).collect()
        };
        let arguments = with(&["--sent", &path("accounting-sent.json")]);
        // Twice as many as will be sent: it is told when to stop.
        let chirps = u64::from(plan.chirp_rate) * (plan.length.as_secs() + 120) * 2;
        let waves = chirps / 50;
        let chirp_plan = json!({"sendings": chirps, "waves": waves, "users": chirps / 22, "seed": plan.seed});
        fs::write(dir.join("chirp-plan.json"), chirp_plan.to_string()).expect("the plan can be written");
        let chirp_arguments =
            with(&["--plan", &path("chirp-plan.json"), "--places", &path("chirp-places.json"), "--steady"]);
        let (rate, seed) = (plan.accounting_rate.to_string(), plan.seed.to_string());
        let mut sending = arguments.clone();
        sending.extend(["--rate", &rate, "--seed", &seed].map(str::to_owned));
        let mut chirping = chirp_arguments.clone();
        chirping.extend(["--rate".to_owned(), plan.chirp_rate.to_string()]);
        let answered = path("http-answered.json");
        let addresses: Vec<String> = gateways.iter().map(Gateway::address).collect();
        let (addresses, http_rate) = (addresses.join(","), plan.http_rate.to_string());
        let asking =
            ["--gateways", &addresses, "--rate", &http_rate, "--seed", &seed, "--answered", &answered];
        let asking = asking.map(str::to_owned);
        let suite_arguments = with(&["--sent", &path("suite-sent.json")]);
        let mut of_suite = suite_arguments.clone();
        of_suite.extend(["--rate", &plan.suite_rate.to_string(), "--seed", &seed].map(str::to_owned));
        Self {
            accounting: SteadyLoad::start("accounting", dir, "accounting_load.py", &sending, journal),
            chirp: SteadyLoad::start("chirp", dir, "load.py", &chirping, journal),
            http: SteadyLoad::start("http", dir, "accounting_http.py", &asking, journal),
            suite: SteadyLoad::start("suite", dir, "suite_load.py", &of_suite, journal),
            answered,
            arguments,
            chirp_arguments,
            suite_arguments,
        }
    }

    /// What the checker of accounting is told.
    fn judged(&self) -> Vec<String> {
        [&self.arguments[..], &["--answered".to_owned(), self.answered.clone()]].concat()
    }
}

/// Loads and faults until the time is up and every answer is there; gives the time at which the last fault had healed.
fn storm(
    plan: &Plan,
    system: &mut Fragile,
    gateways: &mut [Gateway],
    mut loads: Loads,
    journal: &Arc<Journal>,
    found: &mut Found,
) -> Result<Duration, String> {
    let stage = Stage::new(journal, plan.length, SESSION);
    let luck = |track: u64| Luck::of(plan.seed.wrapping_mul(3).wrapping_add(track));
    let over = AtomicBool::new(false);
    let Fragile { cluster, kafka, registry, cql, .. } = system;
    let (processors, projectors) = (&mut cluster.processors, &mut cluster.projectors);
    let failed = thread::scope(|scope| {
        let (stage, over) = (&stage, &over);
        let tracks = [
            scope.spawn(move || track(stage, || faults::processors(stage, processors, luck(0)))),
            scope.spawn(move || track(stage, || faults::projectors(stage, projectors, luck(1)))),
            // of the next seed's first track: those of a seed stay what they were
            scope.spawn(move || track(stage, || faults::gateways(stage, gateways, luck(3)))),
            scope.spawn(move || {
                track(stage, || {
                    let servers = (kafka, cql, registry);
                    faults::servers(stage, plan.servers, servers, luck(2))
                })
            }),
        ];
        let watch = scope.spawn(|| watch(stage, over, &mut loads));
        let mut failed: Vec<String> = tracks.into_iter().filter_map(|track| join(track.join())).collect();
        over.store(true, Ordering::Release);
        failed.extend(join(watch.join()));
        failed
    });
    let healed = journal.now();
    found.accounting = loads.accounting.count();
    found.chirp = loads.chirp.count();
    found.http = loads.http.count();
    found.suite = loads.suite.count();
    if !failed.is_empty() {
        return Err(failed.join("\n"));
    }
    journal.say("every fault has healed; waiting for every answer");
    found.http = loads.http.finish(ANSWER_DEADLINE)?;
    found.accounting = loads.accounting.finish(ANSWER_DEADLINE)?;
    found.chirp = loads.chirp.finish(ANSWER_DEADLINE)?;
    found.suite = loads.suite.finish(ANSWER_DEADLINE)?;
    Ok(healed)
}

/// A track that fails ends the others.
fn track(stage: &Stage<'_>, act: impl FnOnce()) -> Result<(), String> {
    let done = guarded(|| {
        act();
        Ok(())
    });
    if done.is_err() {
        stage.give_up();
    }
    done
}

/// Says how far everything has come, and gives up when a load has failed.
fn watch(stage: &Stage<'_>, over: &AtomicBool, loads: &mut Loads) -> Result<(), String> {
    let mut said = Duration::ZERO;
    while !over.load(Ordering::Acquire) && !stage.is_given_up() {
        for load in [&mut loads.accounting, &mut loads.chirp, &mut loads.http, &mut loads.suite] {
            if load.has_failed() {
                stage.give_up();
                return Err(load.errors());
            }
        }
        if stage.journal.now() >= said + SAY_EVERY {
            said = stage.journal.now();
            let (money, chirp, http) = (loads.accounting.count(), loads.chirp.count(), loads.http.count());
            let suite = loads.suite.count();
            let notes = stage.journal.snapshot();
            let longest = notes.gaps.iter().map(|gap| gap.end - gap.begin).max().unwrap_or_default();
            stage.journal.say(&format!(
                "accounting {} sent, {} open; over HTTP {} sent, {} open; chirp {} sent, {} open; suite {} sent, {} open; {} faults; longest pause {:.1} s",
                money.sent,
                money.sent.saturating_sub(money.answered),
                http.sent,
                http.sent.saturating_sub(http.answered),
                chirp.sent,
                chirp.sent.saturating_sub(chirp.answered),
                suite.sent,
                suite.sent.saturating_sub(suite.answered),
                notes.faults.len(),
                longest.as_secs_f64(),
            ));
        }
        stage.hold(Duration::from_millis(200));
    }
    Ok(())
}

fn join(result: thread::Result<Result<(), String>>) -> Option<String> {
    match result {
        Ok(done) => done.err(),
        Err(panic) => Some(text_of(&*panic)),
    }
}

/// What the harness asserts becomes a finding: the other tracks must end, and the logs be kept.
fn guarded(act: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(act)).unwrap_or_else(|panic| Err(text_of(&*panic)))
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
}
