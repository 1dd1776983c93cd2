//! However long the topics are: what an audit and an explanation hold of them at once is bounded.

use crate::common;

use bytes::Bytes;
use common::{audit_on, command, empty, fill, follow, post, register, scratch, settings};
use millrace_audit::explain::{Explanation, Question, explain};
use millrace_audit::{Check, Report, Shelf, Silent};
use millrace_domain_chirp::Chirp;
use millrace_ports::{Log as _, Outgoing, TopicPartition, Transaction};
use millrace_testkit::pipeline::Pipeline;

/// What may be held, in bytes; a book of it may hold little more than an entry.
const MOST: usize = 20_000;

/// So many people who follow each other and post, which is far more than what may be held.
fn crowd(people: usize) -> Pipeline<Chirp> {
    let mut pipeline = empty();
    pipeline.start_processor();
    pipeline.start_projectors();
    let user = |n: usize| format!("person_{n}");
    for n in 0..people {
        pipeline.send(&command(&format!("r-{n}"), register(&user(n))));
    }
    pipeline.settle();
    for n in 0..people {
        pipeline.send(&command(&format!("f-{n}"), follow(&user(n), &user((n * 7 + 1) % people))));
        pipeline.send(&command(
            &format!("p-{n}"),
            post(&user(n), "c", "a text of some length, as people write them"),
        ));
    }
    pipeline.settle();
    pipeline
}

fn audit<'s>(pipeline: &Pipeline<Chirp>, shelf: &'s Shelf<'s>) -> Report {
    audit_on(pipeline, (&pipeline.log, &*pipeline.store), 100, &|_, at| pipeline.committed(at), shelf)
}

#[test]
fn an_audit_holds_no_more_of_a_long_history_than_of_a_short_one() {
    let mut held = Vec::new();
    for people in [100, 400] {
        let pipeline = crowd(people);
        let shelf = Shelf::new(&scratch, MOST);
        let report = audit(&pipeline, &shelf);
        assert_eq!(report.total(), 0, "{:#?}", report.differences);
        assert!(report.checked.commands >= 3 * people as u64 && report.checked.states >= 2 * people as u64);
        assert!(shelf.written() > 10 * people as u64, "{} of {people}", shelf.written());
        held.push(shelf.most_held());
        let in_memory = Shelf::new(&scratch, usize::MAX);
        assert_eq!(audit(&pipeline, &in_memory).checked, report.checked);
        assert!(in_memory.most_held() > 5 * MOST, "so much there would be: {}", in_memory.most_held());
    }
    assert!(held.iter().all(|held| *held <= 2 * MOST), "{held:?}");
}

/// What is wrong everywhere does not wait in memory to be told.
#[test]
fn nor_where_everything_differs() {
    let pipeline = crowd(150);
    let names = pipeline.names();
    for partition in 0..common::PARTITIONS {
        // a stranger's answer, an unknown entry and a state without events for each of many
        for n in 0..400 {
            let key = Bytes::from(format!("User/nobody-{n}"));
            let outgoing = |topic: &std::sync::Arc<str>, value| Outgoing {
                topic: topic.clone(),
                partition,
                key: Some(key.clone()),
                value: Some(value),
                timestamp_ms: 0,
                headers: Vec::new(),
            };
            let records = vec![
                outgoing(&names.lookup("User"), Bytes::from("no Avro")),
                outgoing(&names.state, Bytes::from("no Avro")),
            ];
            let mut writer = pipeline.log.writer("test").unwrap();
            writer.fence().unwrap();
            writer.submit(Transaction { records, ..Transaction::default() }).unwrap();
            assert!(writer.settle(std::time::Duration::from_secs(1)).unwrap());
        }
    }
    let shelf = Shelf::new(&scratch, MOST);
    let report = audit(&pipeline, &shelf);
    let of = |check| report.counts.get(&check).copied().unwrap_or(0);
    assert_eq!((of(Check::States), of(Check::Lookups)), (1_200, 1_200));
    assert!(report.differences.len() <= 110, "{}", report.differences.len());
    assert!(shelf.most_held() <= 2 * MOST, "{}", shelf.most_held());
}

fn ask<'s>(pipeline: &Pipeline<Chirp>, command_id: &str, shelf: &'s Shelf<'s>) -> Explanation {
    let committed = |_: &str, partitions: &[TopicPartition]| {
        Ok(partitions.iter().filter_map(|at| Some((at.clone(), pipeline.committed(at)?))).collect())
    };
    let question = Question::<Chirp> {
        log: &pipeline.log,
        registry: pipeline.registry(),
        prefix: "",
        settings: &settings(),
        store: Some(&*pipeline.store),
        committed: &committed,
        since: None,
        most_rows: 5,
        shelf,
        watcher: &Silent,
    };
    explain(&question, command_id).unwrap().unwrap()
}

#[test]
fn an_explanation_holds_no_more_of_a_long_history_than_of_a_short_one() {
    let mut pipeline = crowd(250);
    fill(&mut pipeline, 40);
    for command_id in ["p-249", "r-7", "c-30"] {
        let (shelf, in_memory) = (Shelf::new(&scratch, MOST), Shelf::new(&scratch, usize::MAX));
        let explained = ask(&pipeline, command_id, &shelf);
        assert_eq!(explained, ask(&pipeline, command_id, &in_memory));
        assert!(shelf.most_held() <= 2 * MOST, "{command_id}: {}", shelf.most_held());
    }
    let in_memory = Shelf::new(&scratch, usize::MAX);
    ask(&pipeline, "p-249", &in_memory);
    assert!(in_memory.most_held() > 3 * MOST, "so much there would be: {}", in_memory.most_held());
}
