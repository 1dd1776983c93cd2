//! What is special about servers: they are absent, go and come back, and others' runtimes.

use crate::common;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use millrace_kernel::table::parse_tables;
use millrace_kernel::{PageQuery, Put, Table, Write};
use millrace_ports::{StoreFault, ViewStore};
use millrace_scylla::{ScyllaConfig, ScyllaStore};
use millrace_services::{CommitLog, OwnedCassandra, keyspace, wait_until};
use scylla::client::session_builder::SessionBuilder;

fn tables() -> Vec<Table> {
    parse_tables(
        "CREATE TABLE notes (\n  author text, -- Who.\n  number bigint, -- Which.\n  body text, -- What.\n  PRIMARY KEY ((author), number)\n) WITH comment = 'Notes.';",
    )
    .unwrap()
}

fn notes(timestamp: i64) -> Vec<Write> {
    let note = |n: i64| {
        let values = vec![format!("author-{}", n % 500).into(), n.into(), format!("{timestamp}").into()];
        Write::Put(Put { table: "notes", values, timestamp })
    };
    (0..2_000).map(note).collect()
}

#[test]
fn a_server_goes_in_the_middle_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = OwnedCassandra::start(dir.path(), CommitLog::Batch).unwrap();
    let config = ScyllaConfig {
        request_timeout: Duration::from_secs(2),
        ..ScyllaConfig::new([server.contact_point()], keyspace("outage"))
    };
    let store = ScyllaStore::connect(config).unwrap();
    store.create_tables(&tables()).unwrap();
    store.open_tables(&tables()).unwrap();
    store.apply(&notes(1)).unwrap();

    // somebody writes without a pause while the server dies
    let fault = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (2..).find_map(|timestamp| store.apply(&notes(timestamp)).err().map(|fault| (timestamp, fault)))
        });
        server.kill9().unwrap();
        writer.join().unwrap()
    });
    let (failed, fault) = fault.unwrap();
    assert!(matches!(fault, StoreFault::Unavailable { .. }), "{fault}");
    assert!(fault.to_string().contains(&server.contact_point()), "the server is named: {fault}");
    let query = PageQuery {
        table: "notes".into(),
        key: vec!["author-1".into()],
        after: vec![],
        limit: 9,
        in_turn: false,
    };
    let fault = store.read(std::slice::from_ref(&query)).unwrap_err();
    assert!(matches!(fault, StoreFault::Unavailable { .. }), "{fault}");

    server.restart().unwrap();
    // the same call again, as a projector does it
    wait_until(Duration::from_secs(60), "the store works again", || store.apply(&notes(failed)).is_ok())
        .unwrap();
    let page = &store.read(&[query]).unwrap()[0];
    assert_eq!(page.rows.len(), 4);
    for row in &page.rows {
        assert_eq!(row[2], format!("{failed}").into(), "all of the call that failed is there");
    }
}

#[test]
fn an_absent_server_is_named_with_what_to_check() {
    // a port that is certainly closed: it was ours a moment ago
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let started = Instant::now();
    let config = ScyllaConfig {
        connect_timeout: Duration::from_secs(2),
        ..ScyllaConfig::new([closed.clone()], "nowhere")
    };
    let fault = ScyllaStore::connect(config).err().unwrap();
    assert!(matches!(fault, StoreFault::Unavailable { .. }), "{fault}");
    let text = fault.to_string();
    assert!(text.contains(&closed) && text.contains("check that it runs"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(20), "it does not take for ever");
}

#[test]
fn it_works_inside_anybody_elses_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = common::store();
        store.create_tables(&tables()).unwrap();
        store.open_tables(&tables()).unwrap();
        store.apply(&notes(1)).unwrap();
        let query = PageQuery { table: "notes".into(), key: vec![], after: vec![], limit: 9, in_turn: false };
        assert_eq!(store.read(&[query]).unwrap()[0].rows.len(), 9);
        drop(store);
    });
}

#[test]
fn what_is_not_there_is_a_schema_fault() {
    let config = common::config();
    let store = ScyllaStore::connect(config.clone()).unwrap();
    let fault = store.open_tables(&tables()).unwrap_err();
    assert!(matches!(&fault, StoreFault::Schema { table, .. } if table == "notes"), "no keyspace: {fault}");

    store.create_tables(&tables()).unwrap();
    store.open_tables(&tables()).unwrap();
    store.apply(&notes(1)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let session = SessionBuilder::new().known_nodes(&config.hosts).build().await.unwrap();
        session.query_unpaged(format!("DROP TABLE {}.notes", config.keyspace), ()).await.unwrap();
    });
    let fault = store.apply(&notes(2)).unwrap_err();
    assert!(matches!(&fault, StoreFault::Schema { table, .. } if table == "notes"), "dropped: {fault}");
    store.create_tables(&tables()).unwrap();
    store.apply(&notes(2)).unwrap();
}

#[test]
fn a_long_scan_does_not_take_all_requests() {
    // one request at a time: reads and writes wait for one another and all end
    let store = ScyllaStore::connect(ScyllaConfig { concurrency: 1, ..common::config() }).unwrap();
    store.create_tables(&tables()).unwrap();
    store.open_tables(&tables()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_i64 {
            let store = &store;
            scope.spawn(move || {
                store.apply(&notes(1 + thread)).unwrap();
                let all = PageQuery {
                    table: "notes".into(),
                    key: vec![],
                    after: vec![],
                    limit: 5_000,
                    in_turn: false,
                };
                assert_eq!(store.read(&[all.clone(), all]).unwrap()[1].rows.len(), 2_000);
            });
        }
    });
}

#[test]
fn a_password_stays_out_of_the_log() {
    let config = ScyllaConfig { password: Some("secret".to_owned()), ..ScyllaConfig::new(["h:1"], "k") };
    assert!(!format!("{config:?}").contains("secret"));
}
