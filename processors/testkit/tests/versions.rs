//! Versions of tables are claimed and changed by comparison: machines whose clocks are wrong lose nothing silently, and of
//! two who change the same at once one is told.

use millrace_kernel::Write;
use millrace_ports::ViewStore;
use millrace_runtime::progress::system_tables;
use millrace_runtime::versions::catalogue::{answer, claim, give_up, live, read, record, switch};
use millrace_runtime::versions::{CatalogueFault, Filled, State, Version};
use millrace_testkit::store::MemoryStore;

const FAMILY: &str = "d.family";
const VIEWS: [&str; 2] = ["one", "other"];
const HOUR: i64 = 3_600_000_000;
const NOW: i64 = 1_000_000 * HOUR;

fn store() -> MemoryStore {
    let store = MemoryStore::new();
    store.create_tables(&system_tables()).unwrap();
    store.open_tables(&system_tables()).unwrap();
    store
}

fn building(revision: &str, changed_at: i64) -> Filled {
    Filled { version: Version(2), revision: revision.to_owned(), state: State::Building, changed_at }
}

#[test]
fn of_two_rebuilds_of_different_builds_one_gets_the_version() {
    let store = store();
    assert!(claim(&store, FAMILY, &building("old build", NOW)).unwrap());
    // whatever its clock says
    for clock in [NOW - HOUR, NOW + HOUR] {
        assert!(!claim(&store, FAMILY, &building("new build", clock)).unwrap());
    }
    assert_eq!(read(&store, FAMILY).unwrap(), [building("old build", NOW)]);
}

#[test]
fn a_clock_that_is_behind_loses_nothing() {
    let store = store();
    answer(&store, &VIEWS, Version(2), NOW).unwrap();
    answer(&store, &VIEWS, Version::FIRST, NOW - 48 * HOUR).unwrap();
    assert_eq!(live(&store, &VIEWS).unwrap(), Version::FIRST);
    let begun = building("build", NOW);
    assert!(claim(&store, FAMILY, &begun).unwrap());
    let complete = record(&store, FAMILY, &begun, State::Complete, NOW - 48 * HOUR).unwrap();
    let dropped = record(&store, FAMILY, &complete, State::Dropped, NOW - 24 * HOUR).unwrap();
    assert_eq!(read(&store, FAMILY).unwrap(), [dropped]);
}

#[test]
fn what_is_dropped_does_not_come_to_answer_later() {
    let store = store();
    answer(&store, &VIEWS, Version::FIRST, NOW).unwrap();
    let begun = building("build", NOW);
    assert!(claim(&store, FAMILY, &begun).unwrap());
    let complete = record(&store, FAMILY, &begun, State::Complete, NOW + 1).unwrap();
    // the store takes it, and does it only after everything else
    let late = switch(&VIEWS, Version(2), NOW + 2);
    give_up(&store, FAMILY, &VIEWS, (&complete, Version::FIRST), NOW + 3).unwrap();
    store.apply(&late).unwrap();
    assert_eq!(live(&store, &VIEWS).unwrap(), Version::FIRST);
    assert_eq!(read(&store, FAMILY).unwrap()[0].state, State::Dropped);
}

#[test]
fn a_row_whose_time_is_the_stores_own_is_changed_all_the_same() {
    let store = store();
    let begun = building("build", NOW);
    // as a server writes it whose clock is half an hour ahead
    let mut row = begun.row(FAMILY);
    row.timestamp = NOW + HOUR / 2;
    store.apply(&[Write::Put(row)]).unwrap();
    let complete = record(&store, FAMILY, &begun, State::Complete, NOW + 1).unwrap();
    assert_eq!(read(&store, FAMILY).unwrap(), [complete]);
}

#[test]
fn who_did_not_see_a_change_is_told() {
    let store = store();
    let begun = building("build", NOW);
    assert!(claim(&store, FAMILY, &begun).unwrap());
    record(&store, FAMILY, &begun, State::Dropped, NOW + 2 * HOUR).unwrap();
    for clock in [NOW + HOUR, NOW + 3 * HOUR] {
        let late = record(&store, FAMILY, &begun, State::Complete, clock);
        assert!(matches!(late, Err(CatalogueFault::Changed { .. })), "{late:?}");
    }
    assert_eq!(read(&store, FAMILY).unwrap()[0].state, State::Dropped);
}

#[test]
fn two_rebuilds_of_one_build_may_both_find_it_complete() {
    let store = store();
    let begun = building("build", NOW);
    assert!(claim(&store, FAMILY, &begun).unwrap());
    let first = record(&store, FAMILY, &begun, State::Complete, NOW + HOUR).unwrap();
    assert_eq!(record(&store, FAMILY, &begun, State::Complete, NOW + 2 * HOUR).unwrap(), first);
}
