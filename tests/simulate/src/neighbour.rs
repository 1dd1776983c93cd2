//! The domain beside the one that is judged: people, who come and go. The engine's own code decides about them, with a
//! process that dies at any moment, on the log of the other domain and with another number of partitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_kernel::{Command, Domain, Metadata, NoSettings, Published};
use millrace_ports::TopicPartition;
use millrace_runtime::ProcessorSettings;
use millrace_testkit::neighbours::people_messages::commands::{AddPerson, CommandData, RemovePerson};
use millrace_testkit::neighbours::people_messages::events::EventData;
use millrace_testkit::neighbours::{PERSON, People};
use millrace_testkit::pipeline::Pipeline;

use crate::dice::Dice;
use crate::luck::Luck;

/// How many people there are at most.
pub const PEOPLE: usize = 24;

/// How often somebody does something, so many times in a thousand chances; else the process takes a step.
const ASKS: u32 = 120;
/// How often the process dies between two steps.
const DIES: u32 = 15;
/// Most steps at once.
const STEPS: i64 = 5;

/// After which act something of a person could be seen; never, as long as it could not.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The event that says that they have come.
    pub came: usize,
    /// The look-up that says so: the markers of one transaction come at different times.
    pub told: usize,
    /// The first that says that they have gone: who comes and goes in one batch is in no look-up.
    pub gone: usize,
}

/// Somebody who has gone: the event that says so.
#[derive(Clone, Debug)]
pub struct Gone {
    /// Who.
    pub person_id: String,
    /// The event's id.
    pub event_id: String,
    /// When it was recorded.
    pub recorded_at: i64,
}

const NEVER: Seen = Seen { came: usize::MAX, told: usize::MAX, gone: usize::MAX };

/// People, and when what could be seen of them.
pub struct Neighbour {
    people: Pipeline<People>,
    asked: usize,
    /// By aggregate id.
    seen: BTreeMap<String, Seen>,
    /// Who has come, in the order in which that could be seen.
    came: Vec<String>,
    gone: Vec<Gone>,
    /// Up to where each place has been looked at.
    looked: BTreeMap<TopicPartition, i64>,
}

/// The name of a person.
#[must_use]
pub fn person(n: usize) -> String {
    format!("person-{n}")
}

impl Neighbour {
    /// People beside a domain that looks them up, with as many partitions as that has found of their topic.
    ///
    /// # Panics
    /// When the domain does not look them up.
    #[must_use]
    pub fn beside<D: Domain>(pipeline: &Pipeline<D>) -> Self {
        let topic = pipeline.names().lookup_elsewhere(PERSON);
        let partitions = millrace_ports::Log::partitions(&pipeline.log, &topic).expect("they are looked up");
        let settings = ProcessorSettings { batch_max_records: 3, ..ProcessorSettings::default() };
        let mut people = Pipeline::<People>::beside(pipeline, partitions, NoSettings {}, settings);
        people.start_processor();
        let places = [Arc::clone(&people.names().events), topic].into_iter().flat_map(|topic| {
            (0..partitions).map(move |number| TopicPartition::new(Arc::clone(&topic), number))
        });
        let looked = places.map(|at| (at, 0)).collect();
        Self { people, asked: 0, seen: BTreeMap::new(), came: Vec::new(), gone: Vec::new(), looked }
    }

    /// Something happens here, as `luck` wants it; what, in words.
    pub fn step(&mut self, luck: &Luck, chance: u64) -> String {
        let mut dice = Dice::new(chance);
        if dice.per_mille(ASKS) {
            return self.ask(&mut dice);
        }
        if dice.per_mille(DIES) {
            self.people.kill(0);
            return "the processor of people is killed".to_owned();
        }
        luck.begin(chance);
        self.people.membership(0);
        self.people.follow(0);
        let lane = dice.roll() as usize;
        for _ in 0..dice.within(1, STEPS) {
            self.people.lane(0, lane);
        }
        if luck.end() {
            self.people.kill(0);
            return "the processor of people dies inside".to_owned();
        }
        "the processor of people takes steps".to_owned()
    }

    fn ask(&mut self, dice: &mut Dice) -> String {
        let id = person(dice.below(PEOPLE));
        let data: CommandData = match dice.below(4) {
            0 => RemovePerson { person_id: id.into() }.into(),
            _ => AddPerson { person_id: id.into() }.into(),
        };
        let said = format!("people are asked for {data:?}");
        self.asked += 1;
        let command_id = format!("ask-{}", self.asked).into();
        self.people.send(&Command { id: command_id, metadata: Metadata::default(), data });
        said
    }

    /// Notes what could be seen first after this act.
    ///
    /// # Panics
    /// When an event cannot be read.
    pub fn note(&mut self, act: usize, luck: &Luck) {
        let (log, events) = (self.people.log.clone(), Arc::clone(&self.people.names().events));
        for (at, next) in &mut self.looked {
            let (records, upto) = log.committed_from(at, *next);
            *next = upto;
            for record in records {
                if at.topic == events {
                    let value = record.value.as_deref().expect("an event has a value");
                    let event = self.people.codecs().events.decode(value).expect("an event can be read");
                    let seen = self.seen.entry(event.aggregate_id.to_string()).or_insert(NEVER);
                    match event.data {
                        EventData::PersonAdded(added) => {
                            luck.count(|tally| tally.came += 1);
                            self.came.push(added.person_id.to_string());
                            seen.came = act;
                        }
                        EventData::PersonRemoved(removed) => {
                            luck.count(|tally| tally.went += 1);
                            seen.gone = act.min(seen.gone);
                            self.gone.push(Gone {
                                person_id: removed.person_id.to_string(),
                                event_id: event.id.to_string(),
                                recorded_at: event.recorded_at,
                            });
                        }
                    }
                    continue;
                }
                let id = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
                let seen = self.seen.entry(id).or_insert(NEVER);
                let first = if record.value.is_some() { &mut seen.told } else { &mut seen.gone };
                *first = act.min(*first);
            }
        }
    }

    /// When what could be seen of an aggregate.
    #[must_use]
    pub fn seen(&self, of: Published, id: &str) -> Seen {
        assert_eq!(of, PERSON, "nothing else is here");
        self.seen.get(id).copied().unwrap_or(NEVER)
    }

    /// All who have gone.
    #[must_use]
    pub fn gone(&self) -> &[Gone] {
        &self.gone
    }

    /// Who has come last, as far as that can be seen.
    #[must_use]
    pub fn newest(&self) -> Option<&str> {
        self.came.last().map(String::as_str)
    }

    /// Steps everything until nothing is left to do; whether that ever happens.
    pub fn comes_to_rest(&mut self) -> bool {
        self.people.comes_to_rest()
    }
}
