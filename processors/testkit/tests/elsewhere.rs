//! Look-ups of another domain, which has another number of partitions and processes of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_kernel::codes::{ALREADY_EXISTS, NOT_FOUND};
use millrace_kernel::{Command, Metadata, NoSettings, Outcome, Status};
use millrace_ports::{SystemClock, TopicPartition};
use millrace_runtime::role::{Ports, RoleError};
use millrace_runtime::{Health, ProcessorSettings, Stop, Topology, run_processor};
use millrace_testkit::given::given;
use millrace_testkit::log::memory::{Faults, MemoryLog, NoFaults, Operation, Verdict};
use millrace_testkit::neighbours::clubs_messages::commands::Join;
use millrace_testkit::neighbours::clubs_messages::events::Joined;
use millrace_testkit::neighbours::people_messages::commands::{AddPerson, CommandData, RemovePerson};
use millrace_testkit::neighbours::{Clubs, PERSON, People};
use millrace_testkit::pipeline::Pipeline;
use millrace_wire::MemoryRegistry;

const PEOPLE_PARTITIONS: i32 = 3;
const CLUBS_PARTITIONS: i32 = 2;

/// Two domains on one log.
struct Scene {
    people: Pipeline<People>,
    clubs: Pipeline<Clubs>,
}

impl Scene {
    fn new() -> Self {
        let settings = ProcessorSettings::default;
        let mut people = Pipeline::<People>::new(PEOPLE_PARTITIONS, NoSettings {}, settings());
        let mut clubs = Pipeline::<Clubs>::beside(&people, CLUBS_PARTITIONS, NoSettings {}, settings());
        people.start_processor();
        clubs.start_processor();
        Self { people, clubs }
    }

    fn people(&mut self, command_id: &str, data: CommandData) {
        self.people.send(&Command { id: command_id.into(), metadata: Metadata::default(), data });
        let mut lane = 0;
        while answer(&self.people.outcomes(), command_id).is_none() {
            lane += 1;
            self.people.turn(0, lane);
        }
        assert_eq!(answer(&self.people.outcomes(), command_id), Some((Status::Accepted, Vec::new())));
    }

    /// Somebody comes; returns as soon as that is answered.
    fn add(&mut self, person: &str) {
        self.people(&format!("add-{person}"), AddPerson { person_id: person.into() }.into());
    }

    fn remove(&mut self, person: &str) {
        self.people(&format!("remove-{person}"), RemovePerson { person_id: person.into() }.into());
    }

    fn join(&self, command_id: &str, person: &str) {
        let data = Join { person_id: person.into(), club_id: "chess".into() }.into();
        self.clubs.send(&Command { id: command_id.into(), metadata: Metadata::default(), data });
    }

    /// Steps the lanes of the clubs without following any look-up.
    fn lanes_only(&mut self) {
        for lane in 0..100 {
            self.clubs.membership(0);
            self.clubs.lane(0, lane);
        }
    }

    fn answer(&self, command_id: &str) -> Option<(Status, Vec<String>)> {
        answer(&self.clubs.outcomes(), command_id)
    }
}

fn answer(outcomes: &[Outcome], command_id: &str) -> Option<(Status, Vec<String>)> {
    let mut found = outcomes.iter().filter(|outcome| outcome.command_id == command_id);
    let codes = |outcome: &Outcome| outcome.violations.iter().map(|it| it.code.to_string()).collect();
    let answer = found.next().map(|outcome| (outcome.status, codes(outcome)));
    assert!(found.next().is_none(), "{command_id} is answered once");
    answer
}

fn accepted() -> Option<(Status, Vec<String>)> {
    Some((Status::Accepted, Vec::new()))
}

fn unknown() -> Option<(Status, Vec<String>)> {
    Some((Status::Rejected, vec![NOT_FOUND.to_owned()]))
}

#[test]
fn a_rule_about_another_domain_is_a_row_of_a_table() {
    let join = || Join { person_id: "ann".into(), club_id: "chess".into() };
    let joined = || Joined { person_id: "ann".into(), club_id: "chess".into() };
    given::<Clubs>([]).when(join()).then_rejected(&[(NOT_FOUND, "person_id")]);
    let met = given::<Clubs>([]).elsewhere(PERSON, &["ann"]);
    let met = met.when(join()).then_events([joined().into()]);
    met.when(join()).then_rejected(&[(ALREADY_EXISTS, "club_id")]);
}

#[test]
fn somebody_added_before_a_command_was_sent_is_never_unknown() {
    for seed in 0..30 {
        let (mut scene, person) = (Scene::new(), format!("person-{seed}"));
        scene.add(&person);
        scene.join("join", &person);
        scene.join("nobody", "nobody");
        scene.lanes_only();
        assert_eq!((scene.answer("join"), scene.answer("nobody")), (None, None), "they wait for the table");
        scene.clubs.settle();
        assert_eq!((scene.answer("join"), scene.answer("nobody")), (accepted(), unknown()), "{person}");
    }
}

#[test]
fn a_processor_that_begins_again_knows_who_is_there_and_who_has_gone() {
    let tombstones = Duration::from_secs(40_000);
    let mut scene = Scene::new();
    scene.people.compact(tombstones);
    for person in ["ann", "bob", "eve"] {
        scene.add(person);
    }
    scene.clubs.settle();
    scene.remove("bob");
    scene.join("removed", "bob");
    scene.join("stays", "ann");
    scene.clubs.settle();
    assert_eq!(scene.answer("stays"), accepted());
    // a hit may be as old as the table is behind; once it has followed it is right
    assert!(scene.answer("removed").is_some());
    scene.clubs.kill(0);
    scene.people.clock.pass(2 * tombstones.as_micros() as i64);
    scene.remove("eve");
    for (command, person) in [("ann", "ann"), ("bob", "bob"), ("eve", "eve")] {
        scene.join(command, person);
    }
    scene.clubs.settle();
    assert_eq!(scene.answer("ann"), Some((Status::Rejected, vec![ALREADY_EXISTS.to_owned()])), "known");
    assert_eq!(scene.answer("eve"), unknown(), "gone while nobody looked");
    assert!(scene.answer("bob").is_some_and(|(_, codes)| codes.contains(&NOT_FOUND.to_owned())));
}

/// Nobody says where the topic of what is looked up ends.
struct LookupsAway(Arc<AtomicBool>);

impl Faults for LookupsAway {
    fn before(&mut self, operation: &Operation<'_>) -> Verdict {
        let is_it =
            matches!(operation, Operation::Watermark { partition } if partition.topic.ends_with(".lookup"));
        if is_it && self.0.load(Ordering::SeqCst) { Verdict::Refuse } else { Verdict::Proceed }
    }
}

#[test]
fn while_the_other_domains_topic_is_away_only_those_wait_who_need_it() {
    let mut scene = Scene::new();
    scene.add("ann");
    scene.clubs.settle();
    let is_away = Arc::new(AtomicBool::new(true));
    scene.clubs.log.inject(Box::new(LookupsAway(Arc::clone(&is_away))));
    scene.join("known", "ann");
    for _ in 0..50 {
        scene.clubs.turn(0, 0);
        scene.clubs.turn(0, 1);
    }
    assert_eq!(scene.answer("known"), accepted(), "who is known is known");
    scene.join("later", "bob");
    for lane in 0..100 {
        scene.clubs.turn(0, lane);
    }
    assert_eq!(scene.answer("later"), None, "nobody is called unknown by a table that nobody could read");
    is_away.store(false, Ordering::SeqCst);
    scene.clubs.log.inject(Box::new(NoFaults));
    scene.clubs.settle();
    assert_eq!(scene.answer("later"), unknown());
}

#[test]
fn each_kind_is_looked_up_where_it_belongs() {
    let mut scene = Scene::new();
    scene.add("ann");
    let topic = scene.clubs.names().lookup_elsewhere(PERSON);
    assert_eq!(&*topic, "people.person.lookup");
    let with_records = (0..PEOPLE_PARTITIONS).filter(|number| {
        scene.clubs.log.committed_end(&TopicPartition::new(Arc::clone(&topic), *number)) > 0
    });
    let expected = millrace_kernel::partition::of_key(b"ann", PEOPLE_PARTITIONS);
    assert_eq!(with_records.collect::<Vec<_>>(), [expected], "by the other domain's number of partitions");
}

#[test]
fn a_processor_says_whose_topic_is_missing_and_does_not_begin() {
    let names = Topology::of::<Clubs>("");
    let log = MemoryLog::new();
    names.own().into_iter().for_each(|topic| log.create_topic(topic, CLUBS_PARTITIONS));
    let ports = Ports {
        log: Arc::new(log),
        registry: Arc::new(MemoryRegistry::default()),
        clock: Arc::new(SystemClock),
        local: None,
        transaction_timeout: Duration::from_secs(10),
    };
    let (settings, health, stop) = (ProcessorSettings::default(), Health::default(), Stop::new());
    let refused = run_processor::<Clubs>(&ports, "", &settings, &health, &stop).unwrap_err();
    assert!(matches!(&refused, RoleError::NotPublished { of, .. } if *of == PERSON), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("people.person.lookup") && text.contains("topics apply people"), "{text}");
}
