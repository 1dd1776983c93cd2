//! A CQL server that is slow, refuses, is killed or has a full disk: what it costs is lag, which is seen in seconds.
//!
//! Never memory, never a row, and never a server that is run down by those who try again.

use std::path::Path;
use std::time::Duration;

use millrace_blackbox::{Cluster, Crowd, LATER, Process, Proxy, SOON, System, Way};
use millrace_services::{CommitLog, OwnedCassandra, Services, wait_for, wait_until};
use serde_json::Value;

/// The role that writes what a crowd reads.
const TIMELINES: &str = r#"role="chirp.projector.timelines""#;

/// A cluster on shared servers but for the tables, whose roles reach those at `through`.
fn cluster(test: &str, settings: &str, tables: &str, through: &str) -> Cluster {
    let kafka = &Services::kafka().unwrap_or_else(|error| panic!("{error}")).bootstrap;
    let registry = &Services::registry().unwrap_or_else(|error| panic!("{error}")).url;
    let mut cluster = Cluster::on(test, settings, kafka, registry, tables).with_roles_at(through);
    cluster.set_up();
    cluster.start_roles(1);
    cluster
}

fn lag_seconds(projector: &Process) -> f64 {
    projector.metrics().greatest("millrace_lag_seconds", &[TIMELINES]).unwrap_or(0.0)
}

fn owned_tables(dir: &Path, commit_log: CommitLog, settings: &[(&str, &str)]) -> OwnedCassandra {
    OwnedCassandra::start_with(dir, commit_log, settings).unwrap_or_else(|error| panic!("{error}"))
}

/// Waits until the projector itself says that its tables are so many seconds behind.
fn await_lag(projector: &Process, seconds: f64) {
    let late = wait_until(LATER, "the lag to be seen", || lag_seconds(projector) >= seconds);
    late.unwrap_or_else(|overdue| panic!("{overdue}\n{}", projector.tail()));
}

/// Everything comes to be as if nothing had happened, and nobody has done anything for it.
fn recovers(cluster: &mut Cluster) {
    let cli = cluster.cli();
    cli.wait_caught_up(LATER);
    cli.ok(&["verify", "chirp"]);
    for role in cluster.processors.iter_mut().chain(&mut cluster.projectors) {
        assert!(role.is_running(), "a role has ended by itself\n{}", role.tail());
    }
    let gone = wait_until(SOON, "the lag to be gone", || lag_seconds(&cluster.projectors[0]) == 0.0);
    gone.unwrap_or_else(|overdue| panic!("{overdue}"));
}

/// What `millrace status` says of the role behind [`TIMELINES`].
fn timelines_in_status(cluster: &Cluster) -> Value {
    let status = cluster.cli().run(&["status", "--json"]).json();
    let mut roles = status["roles"].as_array().expect("a list").iter();
    roles.find(|role| role["role"] == "chirp.projector.timelines").expect("the role is in the status").clone()
}

#[test]
fn slowness_costs_lag_and_no_memory() {
    // what a lane has in hand is at most a batch and a piece: 20 × 20 and 500 rows
    let settings = "[cql_client]\nconcurrency = 32\n[projector]\nbatch_max_events = 20\nfan_out_max_rows = 500\n\
                    [chirp]\nfan_out_at_once = 100\n";
    // its own: so many rows are a burden to those who share a server
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = owned_tables(dir.path(), CommitLog::Periodic, &[]);
    let proxy = Proxy::of(&server.contact_point());
    let mut cluster = cluster("slow", settings, &server.contact_point(), proxy.address());
    let mut giants = Crowd::gather(&cluster, "giant", 4, 250);
    let mut others = Crowd::gather(&cluster, "other", 20, 20);
    cluster.cli().wait_caught_up(LATER);
    let before = cluster.projectors[0].peak_bytes();

    proxy.set(Way::Slow(Duration::from_millis(300)));
    // 2,400 events and 120,000 rows
    giants.post(80, "to many");
    others.post(100, "to few");
    await_lag(&cluster.projectors[0], 5.0);
    let timelines = timelines_in_status(&cluster);
    assert!(timelines["lag_records"].as_u64() > Some(1_500), "there is a backlog: {timelines}");
    assert!(timelines["lag_seconds"].as_f64() > Some(4.0), "and anybody sees it: {timelines}");

    proxy.set(Way::Open);
    recovers(&mut cluster);
    assert_eq!(timelines_in_status(&cluster)["lag_seconds"], 0.0);
    let grown = cluster.projectors[0].peak_bytes() - before;
    println!("the projector has grown from {before} by {grown} bytes");
    assert!(grown < 40 << 20, "{grown} bytes");
}

/// How many the binary has.
const DOMAINS: usize = 5;

#[test]
fn refusals_cause_no_storm() {
    let settings = "[cql_client]\nconcurrency = 32\n[chirp]\nfan_out_at_once = 10\n";
    let tables = &Services::cql().unwrap_or_else(|error| panic!("{error}")).contact_point;
    let proxy = Proxy::of(tables);
    let mut cluster = cluster("refusals", settings, tables, proxy.address());
    let mut crowd = Crowd::gather(&cluster, "author", 8, 150);
    cluster.cli().wait_caught_up(LATER);

    for way in [Way::Closed, Way::Overloaded] {
        // as many requests under way as there may be
        proxy.set(Way::Slow(Duration::from_millis(300)));
        crowd.post(10, "hello");
        proxy.set(way);
        // the pauses between two tries have grown by then
        await_lag(&cluster.projectors[0], 5.0);
        let count =
            |projector: &Process| [proxy.connections(), proxy.writes(), projector.output().lines().count()];
        let before = count(&cluster.projectors[0]);
        await_lag(&cluster.projectors[0], 12.0);
        let after = count(&cluster.projectors[0]);
        let [connections, writes, warnings] = std::array::from_fn(|at| after[at] - before[at]);
        println!("{way:?} for 7 s: {connections} connections, {writes} writes, {warnings} warnings");
        // each domain's roles have two sessions, and each of those a connection to control and one for requests, once a second
        assert!(connections <= 7 * 4 * DOMAINS, "{connections} connections in 7 s");
        // four lanes with chirps to write, two tries each, and what is under way when a refusal comes
        assert!(writes <= 4 * 2 * 32, "{writes} writes in 7 s");
        // four lanes of each of chirp's families, once in ten seconds
        assert!(warnings <= 2 * 4, "{warnings} warnings in 7 s:\n{}", cluster.projectors[0].tail());
        assert!(way == Way::Closed || writes > 0, "nobody tries any more");

        proxy.set(Way::Open);
        recovers(&mut cluster);
    }
}

#[test]
fn a_kill_amid_fan_outs_loses_no_row() {
    let settings = "[projector]\nfan_out_max_rows = 5\n[chirp]\nfan_out_at_once = 5\n";
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut server = owned_tables(dir.path(), CommitLog::Batch, &[]);
    let proxy = Proxy::of(&server.contact_point());
    let mut cluster = cluster("killed", settings, &server.contact_point(), proxy.address());
    let mut crowd = Crowd::gather(&cluster, "author", 2, 200);
    cluster.cli().wait_caught_up(LATER);

    // 2,000 rows, five at a time: seconds in which to strike
    proxy.set(Way::Slow(Duration::from_millis(30)));
    crowd.post(5, "hello");
    let begun = wait_for(SOON, "a fan-out to be under way", || {
        let rows = crowd.table(&cluster, "home_timelines", &["reader_id"]).len();
        (rows > 0).then_some(rows)
    });
    let begun = begun.unwrap_or_else(|overdue| panic!("{overdue}"));
    assert_ne!(fan_outs_ahead(&mut crowd, &cluster), 0, "one is announced");
    server.kill9().unwrap_or_else(|error| panic!("{error}"));
    await_lag(&cluster.projectors[0], 3.0);
    println!("killed after some {begun} of 2000 rows");
    assert!(begun < 1_000, "too late: {begun} rows were there");

    proxy.set(Way::Open);
    server.restart().unwrap_or_else(|error| panic!("{error}"));
    recovers(&mut cluster);
    assert_eq!(crowd.table(&cluster, "home_timelines", &["reader_id"]).len(), 2_000);
    assert_eq!(fan_outs_ahead(&mut crowd, &cluster), 0, "nobody is told to wait for what is there");
}

/// How many causes are said to have rows that are not there yet: rows that the progress has passed say nothing.
fn fan_outs_ahead(crowd: &mut Crowd, cluster: &Cluster) -> usize {
    let columns = ["projection", "source_partition", "events_offset"];
    let progress = crowd.table(cluster, "millrace_progress", &columns);
    let is_passed = |row: &Value| {
        let of_same = |at: &&Value| (&at[0], &at[1]) == (&row[0], &row[1]);
        progress.iter().find(of_same).is_some_and(|at| at[2].as_i64() > row[2].as_i64())
    };
    let fan_outs = crowd.table(cluster, "millrace_fan_outs", &columns);
    fan_outs.iter().filter(|row| !is_passed(row)).count()
}

#[test]
fn a_full_disk_is_waited_out() {
    // small segments: a large one has room that was taken before the disk was full
    let small = [("commitlog_segment_size", "1MiB"), ("commitlog_total_space", "8MiB")];
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut server = owned_tables(dir.path(), CommitLog::Batch, &small);
    let mut cluster = cluster("disk", "", &server.contact_point(), &server.contact_point());
    let mut crowd = Crowd::gather(&cluster, "author", 4, 50);
    crowd.post(1, "before");
    cluster.cli().wait_caught_up(LATER);

    server.fill_disk().unwrap_or_else(|error| panic!("{error}"));
    crowd.post(40, &"🌾".repeat(280));
    // it writes until its log has no room, and then ends all connections and takes none
    let closed = wait_until(SOON, "the server to give up", || !server.is_ready());
    closed.unwrap_or_else(|overdue| panic!("{overdue}\n{}", server.log_tail()));
    await_lag(&cluster.projectors[0], 3.0);
    cluster.projectors[0].says("has room on its disk", SOON);
    cluster.cli().run(&["status"]).exits(1).says(&[&server.contact_point()]);

    // as an operator does: this server does not come back by itself, nor end when it is asked to
    server.kill9().unwrap_or_else(|error| panic!("{error}"));
    server.restart().unwrap_or_else(|error| panic!("{error}"));
    recovers(&mut cluster);
}
