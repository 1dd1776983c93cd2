//! Runs as many seeded histories as asked, shows what has happened in them, and replays and shrinks those that fail.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use millrace_simulate::accounting::AccountingWorkload;
use millrace_simulate::chirp::ChirpWorkload;
use millrace_simulate::clubs::ClubsWorkload;
use millrace_simulate::estimation::EstimationWorkload;
use millrace_simulate::identity::IdentityWorkload;
use millrace_simulate::many::{Many, many, silence_panics};
use millrace_simulate::plan::Plan;
use millrace_simulate::projects::ProjectsWorkload;
use millrace_simulate::run::run;
use millrace_simulate::show;
use millrace_simulate::shrink::shrink;
use millrace_simulate::workload::Workload;

/// How often progress is printed.
const EVERY_SECONDS: u64 = 5;

/// Seeded histories of the whole pipeline with faults of every kind.
#[derive(Parser)]
struct Arguments {
    /// How many histories to run.
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Which domain; all of them when it is left out.
    #[arg(long)]
    workload: Option<Name>,
    /// How many histories at a time.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(2, usize::from))]
    jobs: usize,
    /// Replays the one history of --from, prints all of it and, if it fails, the shortest that does.
    #[arg(long)]
    replay: bool,
    /// Goes on after a failure and counts them.
    #[arg(long)]
    go_on: bool,
    /// Turns on one planted bug after the other, or the one named, and counts the histories that find it.
    #[cfg(debug_assertions)]
    #[arg(long, num_args = 0..=1, default_missing_value = "")]
    planted: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    Chirp,
    Accounting,
    Clubs,
    Identity,
    Projects,
    Estimation,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    silence_panics();
    #[cfg(debug_assertions)]
    if let Some(name) = &arguments.planted {
        return hunt(&arguments, name);
    }
    let all = [Name::Chirp, Name::Accounting, Name::Clubs, Name::Identity, Name::Projects, Name::Estimation];
    let names = arguments.workload.map_or_else(|| all.to_vec(), |one| vec![one]);
    let mut good = true;
    for name in names {
        good &= match name {
            Name::Chirp => simulate::<ChirpWorkload>(&arguments),
            Name::Accounting => simulate::<AccountingWorkload>(&arguments),
            Name::Clubs => simulate::<ClubsWorkload>(&arguments),
            Name::Identity => simulate::<IdentityWorkload>(&arguments),
            Name::Projects => simulate::<ProjectsWorkload>(&arguments),
            Name::Estimation => simulate::<EstimationWorkload>(&arguments),
        };
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A table of bugs, and in how many histories each was found.
#[cfg(debug_assertions)]
fn hunt(arguments: &Arguments, name: &str) -> ExitCode {
    use millrace_runtime::planted::Bug;
    use millrace_simulate::planted;

    let what = Many { from: arguments.from, seeds: arguments.seeds, jobs: arguments.jobs, go_on: true };
    let mut missed = 0;
    println!(
        "| bug | what goes wrong | {} | the rule it breaks most |\n|{}",
        planted::WORKLOADS.join(" | "),
        "---|".repeat(planted::WORKLOADS.len() + 3)
    );
    for bug in Bug::ALL.iter().filter(|bug| name.is_empty() || format!("{bug:?}") == name) {
        let all = planted::hunt(*bug, what);
        let (most, rule) = all
            .iter()
            .map(|found| (found.failed, found.rule))
            .max_by_key(|(failed, _)| *failed)
            .unwrap_or_default();
        let counts = all.map(|found| format!("{} of {}", found.failed, found.of)).join(" | ");
        println!("| `{bug:?}` | {} | {counts} | {rule} |", bug.says());
        missed += usize::from(most == 0);
    }
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn simulate<W: Workload>(arguments: &Arguments) -> bool {
    if arguments.replay {
        return replay::<W>(arguments.from);
    }
    let what =
        Many { from: arguments.from, seeds: arguments.seeds, jobs: arguments.jobs, go_on: arguments.go_on };
    let said = AtomicU64::new(0);
    let progress = |ran: u64, took: Duration| {
        let due = took.as_secs() / EVERY_SECONDS;
        if said.fetch_max(due, Ordering::Relaxed) < due {
            let rate = ran as f64 / took.as_secs_f64();
            eprintln!("{}: {ran} of {} histories, {rate:.0} a second", W::NAME, what.seeds);
        }
    };
    let summary = many::<W>(what, &progress);
    let rate = summary.ran as f64 / summary.took.as_secs_f64();
    println!(
        "{}: {} histories from seed {} in {:.1} s, {rate:.0} a second; digest {}\n{}",
        W::NAME,
        summary.ran,
        what.from,
        summary.took.as_secs_f64(),
        summary.digest,
        summary.tally
    );
    for (seed, failure) in summary.failures.iter().take(20) {
        println!("seed {seed} FAILS: {failure}");
        println!("  replay: {}", command::<W>(*seed));
    }
    if summary.failures.len() > 1 {
        println!("{} of {} histories fail", summary.failures.len(), summary.ran);
    }
    if let (Some((seed, _)), false) = (summary.failures.first(), arguments.go_on) {
        replay::<W>(*seed);
    }
    summary.failures.is_empty()
}

fn command<W: Workload>(seed: u64) -> String {
    format!("make simulate REPLAY=1 FROM={seed} WORKLOAD={}", W::NAME)
}

fn replay<W: Workload>(seed: u64) -> bool {
    let plan = Plan::<W>::new(seed);
    let ran = run(&plan, false);
    println!("{} seed {seed}: {} acts, digest {}", W::NAME, plan.acts.len(), ran.digest);
    let Some(failure) = &ran.failure else {
        println!("{}", show::history(&plan));
        return true;
    };
    println!("it fails: {failure}");
    let short = shrink(&plan, 3_000);
    println!("the shortest history found that breaks the same rule, {} acts:", short.acts.len());
    println!("{}", show::history(&short));
    println!("replay: {}", command::<W>(seed));
    false
}
