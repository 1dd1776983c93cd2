//! Seeded histories hold, and a seed gives the same history wherever and whenever it runs.

use std::process::Command;

use millrace_simulate::accounting::AccountingWorkload;
use millrace_simulate::chirp::ChirpWorkload;
use millrace_simulate::clubs::ClubsWorkload;
use millrace_simulate::estimation::EstimationWorkload;
use millrace_simulate::identity::IdentityWorkload;
use millrace_simulate::many::{Many, many};
use millrace_simulate::plan::Plan;
use millrace_simulate::projects::ProjectsWorkload;
use millrace_simulate::run::run;
use millrace_simulate::show;
use millrace_simulate::shrink::shrink;
use millrace_simulate::tally::Tally;
use millrace_simulate::workload::Workload;

/// How many histories of most workloads: the tests run beside each other, one core each.
const HISTORIES: u64 = 2_000;
/// How many of those with other domains beside, which take longer.
const HISTORIES_BESIDE: u64 = 1_000;

fn all_hold<W: Workload>(histories: u64) -> Tally {
    let summary = many::<W>(Many { from: 0, seeds: histories, jobs: 1, go_on: false }, &|_, _| {});
    println!("{} histories in {:.1} s\n{}", summary.ran, summary.took.as_secs_f64(), summary.tally);
    if let Some((seed, failure)) = summary.failures.first() {
        let short = shrink(&Plan::<W>::new(*seed), 2_000);
        let name = W::NAME;
        panic!(
            "{name} seed {seed}: {failure}\nreplay: make simulate REPLAY=1 FROM={seed} WORKLOAD={name}\n{}",
            show::history(&short)
        );
    }
    let tally = &summary.tally;
    happens(
        histories,
        &[
            ("processes killed between steps", tally.crashes),
            ("processes killed inside a step", tally.deaths_inside),
            ("zombies", tally.zombies),
            ("joins", tally.joins),
            ("leaves", tally.leaves),
            ("lost partitions", tally.lost),
            ("moved partitions", tally.revoked),
            ("fenced owners", tally.fenced),
            ("refusals", tally.refused),
            ("lost answers", tally.answers_lost),
            ("delays", tally.later),
            ("late markers", tally.markers_delayed),
            ("wrong clocks", tally.clocks_set),
            ("checkpoints", tally.checkpoints),
            ("lost topics", tally.losses),
            ("hurt disks", tally.disks_hurt),
            ("repeated commands", tally.repeated),
            ("looks", tally.looks),
        ],
    );
    summary.tally
}

/// What is injected is injected often enough.
fn happens(histories: u64, injected: &[(&str, u64)]) {
    for (what, count) in injected {
        assert!(count * 20 > histories, "hardly any {what}: {count} in {histories} histories");
    }
}

/// What goes wrong where a domain has processes and tables.
fn steps_and_tables(histories: u64, tally: &Tally) {
    happens(
        histories,
        &[
            ("trimmed steps", tally.trimmed),
            ("repeated steps", tally.steps_repeated),
            ("rebuilt versions", tally.rebuilt),
            ("switches", tally.switches),
            ("dropped versions", tally.dropped),
            ("refused writes", tally.store_refused),
            ("timed out writes", tally.store_timed_out),
            ("partial writes", tally.store_partly),
            ("late writes", tally.store_late),
            ("streams cut twice before anything came", tally.cut_again),
            ("streams of views that were rebuilt", tally.rebuilt_streams),
            ("streams whose changes are not kept any more", tally.gone),
            ("changes written again", tally.repeats),
        ],
    );
}

#[test]
fn a_network_holds_in_every_history() {
    let tally = all_hold::<ChirpWorkload>(HISTORIES);
    steps_and_tables(HISTORIES, &tally);
    assert!(tally.feeds > HISTORIES, "feeds were compared");
}

#[test]
fn money_holds_in_every_history() {
    let tally = all_hold::<AccountingWorkload>(HISTORIES);
    assert!(tally.expired > HISTORIES, "commands come again when nobody remembers them");
    steps_and_tables(HISTORIES, &tally);
    happens(HISTORIES, &[("places claimed", tally.forged), ("commands replayed", tally.replayed)]);
}

#[test]
fn domains_depend_on_each_other_in_every_history() {
    let tally = all_hold::<ClubsWorkload>(HISTORIES);
    happens(
        HISTORIES,
        &[
            ("aggregates that came beside", tally.came),
            ("aggregates that went beside", tally.went),
            ("events read again", tally.forgotten),
            ("repeated steps", tally.steps_repeated),
            ("trimmed steps", tally.trimmed),
        ],
    );
    assert!(tally.met > HISTORIES, "people are asked about as soon as they can be seen");
}

#[test]
fn an_address_is_one_users_in_every_history() {
    let tally = all_hold::<IdentityWorkload>(HISTORIES);
    steps_and_tables(HISTORIES, &tally);
    happens(HISTORIES, &[("processors with another secret", tally.misled)]);
}

#[test]
fn teams_and_boards_hold_in_every_history() {
    let tally = all_hold::<ProjectsWorkload>(HISTORIES_BESIDE);
    steps_and_tables(HISTORIES_BESIDE, &tally);
    happens(
        HISTORIES_BESIDE,
        &[
            ("aggregates that came beside", tally.came),
            ("aggregates that went beside", tally.went),
            ("events read again", tally.forgotten),
        ],
    );
}

#[test]
fn three_domains_hold_in_every_history_and_nobody_learns_of_points_before_all_do() {
    let tally = all_hold::<EstimationWorkload>(HISTORIES_BESIDE);
    steps_and_tables(HISTORIES_BESIDE, &tally);
    happens(
        HISTORIES_BESIDE,
        &[
            ("aggregates that came beside", tally.came),
            ("aggregates that went beside", tally.went),
            ("events read again", tally.forgotten),
        ],
    );
    assert!(tally.met > HISTORIES_BESIDE, "projects and people are spoken of as soon as they can be seen");
}

fn same_again<W: Workload>() {
    for seed in 0..40 {
        let (first, second) = (run(&Plan::<W>::new(seed), false), run(&Plan::<W>::new(seed), true));
        assert_eq!(first.digest, second.digest, "{} seed {seed}", W::NAME);
        assert_eq!(first.tally, second.tally, "{} seed {seed}", W::NAME);
        assert!(!second.trace.is_empty(), "what happened can be read");
        assert_ne!(
            first.digest,
            run(&Plan::<W>::new(seed + 1), false).digest,
            "another seed, another history"
        );
    }
}

#[test]
fn a_seed_gives_the_same_history_again() {
    same_again::<ChirpWorkload>();
    same_again::<AccountingWorkload>();
    same_again::<ClubsWorkload>();
    same_again::<IdentityWorkload>();
    same_again::<ProjectsWorkload>();
    same_again::<EstimationWorkload>();
}

#[test]
fn a_seed_gives_the_same_history_in_another_process() {
    let digests = |jobs: &str| {
        let binary = env!("CARGO_BIN_EXE_simulate");
        let output = Command::new(binary).args(["--seeds", "60", "--jobs", jobs]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let text = String::from_utf8(output.stdout).unwrap();
        let digests: Vec<String> =
            text.lines().filter_map(|line| line.split_once("digest ")).map(|(_, it)| it.to_owned()).collect();
        assert_eq!(digests.len(), 6, "one a workload: {text}");
        digests
    };
    assert_eq!(digests("1"), digests("2"));
}
