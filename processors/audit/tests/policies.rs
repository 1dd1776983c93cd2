//! What a domain does about the events of another one: audited, on two pipelines in memory.

use std::sync::Arc;

use millrace_audit::explain::{Question, consequences};
use millrace_audit::{Audit, Check, EventPlace, Kind, Report, Shelf, Silent, verify};
use millrace_kernel::{Command, Metadata, NoSettings, Step};
use millrace_ports::{Log, Record, TopicPartition};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::neighbours::clubs_messages::commands::Join;
use millrace_testkit::neighbours::people_messages::commands::{AddPerson, CommandData, RemovePerson};
use millrace_testkit::neighbours::{Clubs, People};
use millrace_testkit::pipeline::Pipeline;

use crate::common::{Hiding, scratch};

const PEOPLE: usize = 9;
const GONE: u64 = 5;

/// People have come and joined, and some have gone.
fn domains() -> (Pipeline<People>, Pipeline<Clubs>) {
    let settings = ProcessorSettings::default;
    let mut people = Pipeline::<People>::new(3, NoSettings {}, settings());
    let mut clubs = Pipeline::<Clubs>::beside(&people, 2, NoSettings {}, settings());
    people.start_processor();
    clubs.start_processor();
    clubs.start_policies();
    let person = |n: usize| format!("person-{}", "x".repeat(n + 1));
    let ask = |people: &Pipeline<People>, id: String, data: CommandData| {
        people.send(&Command { id: id.into(), metadata: Metadata::default(), data });
    };
    for n in 0..PEOPLE {
        ask(&people, format!("add-{n}"), AddPerson { person_id: person(n).into() }.into());
    }
    people.settle();
    for n in 0..PEOPLE {
        let data = Join { person_id: person(n).into(), club_id: "chess".into() }.into();
        clubs.send(&Command { id: format!("join-{n}").into(), metadata: Metadata::default(), data });
    }
    clubs.settle();
    for n in 0..GONE as usize {
        ask(&people, format!("remove-{n}"), RemovePerson { person_id: person(n).into() }.into());
    }
    people.settle();
    clubs.settle();
    (people, clubs)
}

fn audit(clubs: &Pipeline<Clubs>, log: &dyn Log) -> Report {
    let offset = |group: &str, at: &TopicPartition| match group {
        "clubs.policy.people" => clubs.reacted(at),
        _ => clubs.committed(at),
    };
    let committed = |group: &str, places: &[TopicPartition]| {
        Ok(places.iter().filter_map(|at| Some((at.clone(), offset(group, at)?))).collect())
    };
    let audit = Audit::<Clubs> {
        log,
        registry: clubs.registry(),
        prefix: "",
        settings: &NoSettings {},
        processor: &ProcessorSettings::default(),
        store: &*clubs.store,
        shelf: &Shelf::new(&scratch, 2_000),
        committed: &committed,
        limit: 100,
        watcher: &Silent,
    };
    verify(&audit).unwrap()
}

fn found(report: &Report) -> Vec<(Check, Kind)> {
    report.differences.iter().map(|it| (it.check, it.kind)).collect()
}

#[test]
fn every_event_was_reacted_to() {
    let (_people, clubs) = domains();
    let report = audit(&clubs, &clubs.log);
    assert_eq!(found(&report), [], "{:?}", report.differences);
    assert_eq!(report.checked.reactions, GONE);
}

#[test]
fn a_step_that_is_missing_is_named_with_its_event() {
    let (_people, clubs) = domains();
    let steps = clubs.names().steps.clone();
    let first = clubs.log.committed_records(&steps).into_iter().next().expect("there are steps");
    let (partition, offset) = (first.partition, first.offset);
    let hide = move |record: &Record| {
        record.topic == steps && (record.partition, record.offset) == (partition, offset)
    };
    let report = audit(&clubs, &Hiding { inner: clubs.log.clone(), hide: Arc::new(hide) });
    assert_eq!(found(&report), [(Check::Policies, Kind::Missing)], "{:?}", report.differences);
    let missing = &report.differences[0];
    assert!(missing.message.contains("should follow from this event"), "{}", missing.message);
    assert_eq!(missing.events[0].topic, "people.events");
}

#[test]
fn a_step_that_no_event_asks_for_is_named() {
    let (_people, clubs) = domains();
    let steps = clubs.names().steps.clone();
    let records = clubs.log.committed_records(&steps);
    let codec = clubs.codecs().steps.as_ref().expect("there are steps");
    let record = records.first().expect("there are some");
    let known: Step<_> = codec.decode(record.value.as_deref().unwrap()).unwrap();
    let mut forged = known.clone();
    // a number between two that were given: old enough to be judged, and taken by nobody
    forged.source.sequence -= 1;
    forged.id = "forged".into();
    let key = record.key.clone();
    clubs.send_to(&steps, record.partition, key, Some(codec.encode(&forged)));
    let report = audit(&clubs, &clubs.log);
    assert_eq!(found(&report), [(Check::Policies, Kind::Surplus)], "{:?}", report.differences);
    assert_eq!(report.differences[0].key, "forged");
}

#[test]
fn the_story_of_a_command_goes_on_in_the_domain_that_reacts() {
    let (people, clubs) = domains();
    let removed = people.log.committed_records(&people.names().events);
    let places: Vec<EventPlace> = removed
        .iter()
        .map(|record| EventPlace {
            topic: record.topic.to_string(),
            partition: record.partition,
            offset: record.offset,
        })
        .collect();
    let offset = |group: &str, at: &TopicPartition| match group {
        "clubs.policy.people" => clubs.reacted(at),
        _ => clubs.committed(at),
    };
    let committed = |group: &str, places: &[TopicPartition]| {
        Ok(places.iter().filter_map(|at| Some((at.clone(), offset(group, at)?))).collect())
    };
    let question = Question::<Clubs> {
        log: &clubs.log,
        registry: clubs.registry(),
        prefix: "",
        settings: &NoSettings {},
        store: Some(&*clubs.store),
        committed: &committed,
        since: None,
        most_rows: 5,
        shelf: &Shelf::new(&scratch, 2_000),
        watcher: &Silent,
    };
    let told = consequences(&question, "people", &places).unwrap();
    assert_eq!(told.len() as u64, GONE, "nothing is said of events that nobody reads");
    for story in &told {
        assert!(story.is_reacted && story.domain == "clubs", "{story:?}");
        let kinds: Vec<(&str, &str)> = story.acts.iter().map(|act| (act.kind, act.events[0].kind)).collect();
        let expected = [("EndMemberships", "MembershipsEnded"), ("NoteDeparture", "DepartureNoted")];
        assert_eq!(kinds, expected);
    }
    assert_eq!(consequences(&question, "clubs", &places).unwrap(), []);
}
