//! Policies: every event of another domain is reacted to exactly once, whatever crashes, and by whoever owns its partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_kernel::codes::NOT_FOUND;
use millrace_kernel::{Addressed, Command, Event, Metadata, NoSettings, partition};
use millrace_ports::{Clock, SystemClock, TopicPartition};
use millrace_runtime::processor::codecs::Codecs;
use millrace_runtime::role::{LaneReport, Ports};
use millrace_runtime::{Health, ProcessorSettings, Stop, Topology, run_policy, run_processor};
use millrace_testkit::log::memory::{MemoryLog, Plain};
use millrace_testkit::neighbours::clubs_messages::commands::Join;
use millrace_testkit::neighbours::clubs_messages::events::EventData;
use millrace_testkit::neighbours::clubs_messages::steps::{EndMemberships, NoteDeparture};
use millrace_testkit::neighbours::people_events::events::PersonRemoved;
use millrace_testkit::neighbours::people_messages::commands::{AddPerson, CommandData, RemovePerson};
use millrace_testkit::neighbours::{Clubs, People, WhoGoes};
use millrace_testkit::pipeline::{Pipeline, RoleKind, SESSION};
use millrace_testkit::reaction::when_elsewhere;
use millrace_wire::{MemoryRegistry, Registry};

const PEOPLE: usize = 12;

/// Two domains on one log, of which one reacts to the other.
struct Scene {
    people: Pipeline<People>,
    clubs: Pipeline<Clubs>,
}

impl Scene {
    /// Everybody is there and in a club; nobody reacts yet.
    fn new() -> Self {
        let settings = ProcessorSettings::default;
        let mut people = Pipeline::<People>::new(3, NoSettings {}, settings());
        let mut clubs = Pipeline::<Clubs>::beside(&people, 2, NoSettings {}, settings());
        people.start_processor();
        clubs.start_processor();
        let mut scene = Self { people, clubs };
        (0..PEOPLE).for_each(|n| scene.ask(&format!("add-{n}"), AddPerson { person_id: person(n) }.into()));
        scene.people.settle();
        for n in 0..PEOPLE {
            scene.join(&format!("join-{n}"), n);
        }
        scene.clubs.settle();
        scene
    }

    fn ask(&mut self, command_id: &str, data: CommandData) {
        self.people.send(&Command { id: command_id.into(), metadata: Metadata::default(), data });
    }

    fn join(&self, command_id: &str, n: usize) {
        let data = Join { person_id: person(n), club_id: "chess".into() }.into();
        self.clubs.send(&Command { id: command_id.into(), metadata: Metadata::default(), data });
    }

    fn all_go(&mut self) {
        (0..PEOPLE)
            .for_each(|n| self.ask(&format!("remove-{n}"), RemovePerson { person_id: person(n) }.into()));
        self.people.settle();
    }

    /// How often whose memberships have ended, and how many departures were noted.
    fn ended(&self) -> (BTreeMap<String, usize>, usize) {
        let mut ended = BTreeMap::new();
        let mut noted = 0;
        for (_, event) in self.clubs.events() {
            match event.data {
                EventData::MembershipsEnded(it) => *ended.entry(it.person_id.to_string()).or_default() += 1,
                EventData::DepartureNoted(_) => noted += 1,
                EventData::Joined(_) => {}
            }
        }
        (ended, noted)
    }

    fn everybody_once(&self) {
        let once = (0..PEOPLE).map(|n| (person(n).to_string(), 1)).collect();
        assert_eq!(self.ended(), (once, PEOPLE));
    }

    /// The place of a process that reacts.
    fn policy(&self) -> usize {
        let is_it = |at: &usize| matches!(self.clubs.process(*at), Some((_, RoleKind::Policy(0))));
        (0..self.clubs.instances()).find(is_it).expect("one runs")
    }
}

fn person(n: usize) -> millrace_kernel::Text {
    format!("person-{}", "x".repeat(n + 1)).into()
}

#[test]
fn a_reaction_is_a_row_of_a_table() {
    let ann = || "ann".into();
    when_elsewhere::<WhoGoes>(PersonRemoved { person_id: ann() }).then_steps([
        EndMemberships { person_id: ann() }.into(),
        NoteDeparture { list: "list-0".into(), person_id: ann() }.into(),
    ]);
}

#[test]
fn what_happens_in_one_domain_is_done_about_in_the_other() {
    let mut scene = Scene::new();
    scene.clubs.start_policies();
    scene.all_go();
    scene.clubs.settle();
    scene.everybody_once();
    scene.join("late", 0);
    scene.clubs.settle();
    let late = scene.clubs.outcomes().into_iter().find(|it| it.command_id == "late").expect("it is answered");
    assert_eq!(late.violations[0].code, NOT_FOUND);
    // each event says what it happened for
    let causes: BTreeMap<String, Event<_>> =
        scene.people.events().into_iter().map(|(_, event)| (event.id.to_string(), event)).collect();
    for (_, event) in scene.clubs.events() {
        if matches!(event.data, EventData::Joined(_)) {
            continue;
        }
        let cause = causes.get(&*event.command_id).expect("it happened for an event of people");
        assert!(event.recorded_at > cause.recorded_at && event.is_caused_by_step(), "{event:?}");
    }
    let outcomes = scene.clubs.outcomes().len();
    assert_eq!(outcomes, PEOPLE + 1, "nobody is answered for what nobody has asked");
}

#[test]
fn a_policy_that_begins_late_begins_with_the_first_event() {
    let mut scene = Scene::new();
    scene.all_go();
    scene.clubs.settle();
    assert_eq!(scene.ended(), (BTreeMap::new(), 0));
    scene.clubs.start_policies();
    scene.clubs.settle();
    scene.everybody_once();
}

#[test]
fn wherever_it_dies_every_event_is_reacted_to_once() {
    for seed in 0..40_usize {
        let mut scene = Scene::new();
        scene.clubs.start_policies();
        (0..PEOPLE)
            .for_each(|n| scene.ask(&format!("remove-{n}"), RemovePerson { person_id: person(n) }.into()));
        let mut dies_in = 3 + seed % 7;
        for step in 0..400 {
            scene.people.turn(0, step);
            let policy = scene.policy();
            scene.clubs.membership(policy);
            scene.clubs.lane(policy, step + seed);
            scene.clubs.turn(step % 2, step / 2);
            dies_in -= 1;
            if dies_in == 0 {
                dies_in = 5 + (step * 31 + seed * 17) % 23;
                scene.clubs.kill(policy);
            }
        }
        scene.people.settle();
        scene.clubs.settle();
        scene.everybody_once();
    }
}

#[test]
fn events_that_are_read_again_change_nothing() {
    let mut scene = Scene::new();
    scene.clubs.start_policies();
    scene.all_go();
    scene.clubs.settle();
    let steps = |scene: &Scene| scene.clubs.log.committed_records(&scene.clubs.names().steps).len();
    assert_eq!(steps(&scene), 2 * PEOPLE);
    // the broker forgets how far it was read
    scene.clubs.log.forget_offsets(&scene.clubs.policy_group(0));
    scene.clubs.kill(scene.policy());
    scene.clubs.settle();
    assert_eq!(steps(&scene), 4 * PEOPLE, "all was read and written again");
    scene.everybody_once();
}

#[test]
fn who_was_replaced_writes_nothing_more() {
    let mut scene = Scene::new();
    scene.clubs.start_policies();
    scene.clubs.settle();
    let old = scene.policy();
    let (number, _) = scene.clubs.process(old).expect("it runs");
    scene.clubs.start(RoleKind::Policy(0));
    let fresh = scene.clubs.instances() - 1;
    // the old one is not heard of, and the new one gets all partitions
    for _ in 0..60 {
        scene.people.clock.pass(SESSION.as_micros() as i64 / 10);
        scene.clubs.membership(fresh);
        (0..3).for_each(|lane| drop(scene.clubs.lane(fresh, lane)));
    }
    assert_eq!(scene.clubs.lanes(fresh).len(), 3, "all of them");
    let asked = (0..PEOPLE).map(|n| (format!("remove-{n}"), RemovePerson { person_id: person(n) }));
    asked.for_each(|(id, data)| scene.ask(&id, data.into()));
    for step in 0..200 {
        scene.people.turn(0, step);
    }
    let old = (0..scene.clubs.instances())
        .find(|at| scene.clubs.process(*at).is_some_and(|(it, _)| it == number))
        .expect("it still runs");
    let mut troubles = Vec::new();
    for step in 0..60 {
        troubles.extend(scene.clubs.lane(old, step).trouble);
    }
    assert!(troubles.iter().any(|text| text.contains("fenced")), "{troubles:?}");
    assert_eq!(scene.clubs.log.committed_records(&scene.clubs.names().steps), []);
    scene.people.settle();
    scene.clubs.settle();
    scene.everybody_once();
}

/// Everything that a process of either domain does, on threads.
#[test]
fn roles_of_both_domains_work_beside_each_other() {
    let log = MemoryLog::new();
    let (people, clubs) = (Topology::of::<People>(""), Topology::of::<Clubs>(""));
    people.own().into_iter().for_each(|topic| log.create_topic(topic, 3));
    log.create_topic(&people.lookup("Person"), 3);
    clubs.own().into_iter().for_each(|topic| log.create_topic(topic, 2));
    let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let ports = Ports {
        log: Arc::new(log.clone()),
        registry: Arc::clone(&registry),
        clock: Arc::new(SystemClock),
        local: None,
        transaction_timeout: Duration::from_secs(10),
    };
    let codec = Codecs::<People>::register(&registry, &people).unwrap().commands;
    let ask = |id: &str, data: CommandData| {
        let key = data.routing_key().into_owned();
        let at = TopicPartition::new(people.commands.clone(), partition::of_key(key.as_bytes(), 3));
        let value = codec.encode(&Command { id: id.into(), metadata: Metadata::default(), data });
        let timestamp_ms = SystemClock.now_micros() / 1_000;
        let (key, value) = (Some(Bytes::from(key)), Some(value));
        log.append(&at, Plain { key, value, timestamp_ms, headers: Vec::new() }).unwrap();
    };
    let (settings, health, stop) = (ProcessorSettings::default(), Health::default(), Stop::new());
    std::thread::scope(|scope| {
        let roles = [
            scope.spawn(|| run_processor::<People>(&ports, "", &settings, &health, &stop)),
            scope.spawn(|| run_processor::<Clubs>(&ports, "", &settings, &health, &stop)),
            scope.spawn(|| run_policy::<Clubs>(&ports, "", "people", &settings, &health, &stop)),
        ];
        for n in 0..PEOPLE {
            ask(&format!("add-{n}"), AddPerson { person_id: person(n) }.into());
            ask(&format!("remove-{n}"), RemovePerson { person_id: person(n) }.into());
        }
        let is_done = || log.committed_records(&clubs.events).len() == 2 * PEOPLE;
        let until = Instant::now() + Duration::from_secs(60);
        while !is_done() && Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let report = health.report();
        stop.request();
        roles.into_iter().for_each(|role| role.join().unwrap().unwrap());
        assert!(is_done(), "{report:?}");
        let is_at_work = |lane: &&LaneReport| lane.role == "clubs.policy.people" && lane.partition >= 0;
        assert_eq!(report.lanes.iter().filter(is_at_work).count(), 3, "{report:?}");
    });
}

#[test]
fn a_policy_says_what_it_cannot_read() {
    let clubs = Topology::of::<Clubs>("");
    let log = MemoryLog::new();
    clubs.own().into_iter().for_each(|topic| log.create_topic(topic, 2));
    let ports = Ports {
        log: Arc::new(log),
        registry: Arc::new(MemoryRegistry::default()),
        clock: Arc::new(SystemClock),
        local: None,
        transaction_timeout: Duration::from_secs(10),
    };
    let (settings, health, stop) = (ProcessorSettings::default(), Health::default(), Stop::new());
    let of = |domain| run_policy::<Clubs>(&ports, "", domain, &settings, &health, &stop).unwrap_err();
    let missing = of("people").to_string();
    assert!(
        missing.contains("people.events does not exist") && missing.contains("topics apply people"),
        "{missing}"
    );
    assert_eq!(of("nobody").to_string(), "clubs has no policy for nobody");
}
