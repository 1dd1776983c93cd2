//! Commands and outcomes over a log in memory, with a processor that answers when the test says so.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_domain_guestbook::Guestbook;
use millrace_domain_guestbook::messages::commands::CommandData;
use millrace_kernel::{Change, Command, Digest, Domain as _, Metadata, Outcome, Status};
use millrace_ports::{LogFault, StoreFault, SystemClock, TopicPartition, ViewStore};
use millrace_runtime::{Health, Stop, Topology};
use millrace_testkit::log::memory::{MemoryLog, Plain};
use millrace_wire::{Codec, MemoryRegistry, Registry};
use serde_json::json;
use tokio::sync::watch;

use super::{Asked, Channel, Searched, Submitted};
use crate::message::{MessageTypes, Problem};
use crate::ports::{
    Acknowledged, CommandEncoder, CommandRecord, CommandSender, Description, DomainLink, Encoded, Trouble,
};
use crate::token::At;

const PARTITIONS: i32 = 3;

/// The way to guestbook, on a registry in memory.
struct Link(Arc<dyn Registry>);

impl DomainLink for Link {
    fn encoder(&self) -> Result<Box<dyn CommandEncoder>, Trouble> {
        let codec = Codec::register(Arc::clone(&self.0), "c", Guestbook::SCHEMAS.commands);
        codec
            .map(|codec| Box::new(Encoder(codec)) as Box<dyn CommandEncoder>)
            .map_err(|error| Trouble(error.to_string()))
    }

    fn outcomes(&self) -> Result<Codec<Outcome>, Trouble> {
        Codec::register(Arc::clone(&self.0), "o", Guestbook::SCHEMAS.outcomes)
            .map_err(|error| Trouble(error.to_string()))
    }

    fn changes(&self, _: &str) -> Result<Codec<Change>, Trouble> {
        unreachable!("nobody has subscribed here")
    }

    fn versions(&self) -> Result<HashMap<String, i32>, StoreFault> {
        unreachable!("nobody has subscribed here")
    }

    fn tables(&self) -> Result<Arc<dyn ViewStore>, StoreFault> {
        unreachable!("nobody reads tables here")
    }
}

struct Encoder(Codec<Command<CommandData>>);

impl CommandEncoder for Encoder {
    fn encode(
        &self,
        id: &str,
        metadata: Metadata,
        kind: &str,
        data: serde_json::Value,
    ) -> Result<Encoded, Problem> {
        let data: CommandData =
            serde_json::from_value(json!({kind: data})).map_err(|error| Problem::new(error.to_string()))?;
        let CommandData::Sign(sign) = &data;
        let (key, digest) = (sign.guest_id.to_string(), Digest::of(&data));
        let value = self.0.encode(&Command { id: id.into(), metadata, data }).to_vec();
        Ok(Encoded { key, value, digest })
    }
}

/// Writes to the log, or says that it is away.
struct Sender {
    log: MemoryLog,
    is_away: Mutex<bool>,
    /// Acknowledgements that are kept back, where they are.
    kept: Mutex<Option<Vec<Acknowledged>>>,
}

impl CommandSender for Sender {
    fn send(&self, record: CommandRecord, done: Acknowledged) -> Result<(), LogFault> {
        let at = TopicPartition::new(record.topic, record.partition);
        let plain =
            Plain { key: Some(record.key.into()), value: Some(record.value.into()), ..Plain::default() };
        if let Some(kept) = &mut *self.kept.lock().unwrap() {
            self.log.append(&at, plain)?;
            kept.push(done);
            return Ok(());
        }
        done(match *self.is_away.lock().unwrap() {
            false => self.log.append(&at, plain),
            true => Err(LogFault::Unavailable { step: "send", message: "nobody is there".to_owned() }),
        });
        Ok(())
    }
}

struct System {
    log: MemoryLog,
    sender: Arc<Sender>,
    channel: Arc<Channel>,
    outcomes: Codec<Outcome>,
    topology: Topology,
    stop: Stop,
    ending: watch::Sender<bool>,
    follower: Option<std::thread::JoinHandle<()>>,
    health: Health,
}

impl System {
    /// A gateway that follows.
    async fn new() -> Self {
        let log = MemoryLog::new();
        let topology = Topology::of::<Guestbook>("");
        log.create_topic(&topology.commands, PARTITIONS);
        log.create_topic(&topology.outcomes, PARTITIONS);
        let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
        let link = Arc::new(Link(registry));
        let description = Description {
            name: "guestbook",
            schemas: Guestbook::SCHEMAS,
            types: MessageTypes::read("guestbook", Guestbook::SCHEMAS.commands).unwrap(),
            views: Vec::new(),
            refuses_expired: false,
            topology: topology.clone(),
            topics: Vec::new(),
        };
        let outcomes = link.outcomes().unwrap();
        let sender = Arc::new(Sender { log: log.clone(), is_away: Mutex::default(), kept: Mutex::default() });
        let shared: Arc<dyn CommandSender> = Arc::clone(&sender) as _;
        let channel =
            Arc::new(Channel::new(description, link, Arc::new(log.clone()), shared, Arc::new(SystemClock)));
        let (stop, health) = (Stop::new(), Health::default());
        let (followed, ends, told) = (Arc::clone(&channel), stop.clone(), health.clone());
        let follower = std::thread::spawn(move || followed.follow(&told, &ends));
        let system = Self {
            log,
            sender,
            channel,
            outcomes,
            topology,
            stop,
            ending: watch::channel(false).0,
            follower: Some(follower),
            health,
        };
        system.until(|system| system.channel.line().is_ok()).await;
        system
    }

    async fn until(&self, is: impl Fn(&Self) -> bool) {
        let waited = async {
            while !is(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waited).await.expect("it comes to be so");
    }

    async fn submit(&self, id: &str, text: &str, wait: Duration) -> Submitted {
        let asked = Asked {
            id: id.into(),
            kind: "Sign".to_owned(),
            metadata: Metadata::default(),
            data: json!({"guest_id": "ann", "text": text}),
            traceparent: None,
            wait,
        };
        self.channel.submit(asked, self.ending.subscribe()).await
    }

    /// The commands in the log: partition and number.
    fn sent(&self) -> Vec<(i32, usize)> {
        let records = self.log.committed_records(&self.topology.commands);
        let mut counts = std::collections::BTreeMap::new();
        records.iter().for_each(|record| *counts.entry(record.partition).or_insert(0) += 1);
        counts.into_iter().collect()
    }

    /// Answers a command of this content, as a processor would.
    fn answer(&self, partition: i32, id: &str, text: &str) {
        let sign =
            millrace_domain_guestbook::messages::commands::Sign { guest_id: "ann".into(), text: text.into() };
        let outcome = Outcome {
            command_id: id.into(),
            status: Status::Accepted,
            duplicate: false,
            positions: Vec::new(),
            versions: Vec::new(),
            violations: Vec::new(),
            recorded_at: 7,
            command_type: Some("Sign".into()),
            failure: None,
            digest: Some(Digest::of(&CommandData::from(sign))),
        };
        let at = TopicPartition::new(Arc::clone(&self.topology.outcomes), partition);
        let value = Some(self.outcomes.encode(&outcome));
        let plain = Plain { key: Some(id.to_owned().into()), value, ..Plain::default() };
        self.log.append(&at, plain).unwrap();
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop.request();
        drop(self.follower.take().map(std::thread::JoinHandle::join));
    }
}

const LONG: Duration = Duration::from_secs(30);

fn pending(submitted: Submitted) -> At {
    match submitted {
        Submitted::Pending(at) => at,
        _ => panic!("it was not to be waited for"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_answered_with_its_outcome_and_a_second_waits_for_the_same() {
    let system = System::new().await;
    let answered = async {
        system.until(|system| system.sent().iter().any(|(_, count)| *count == 3)).await;
        let partition = system.sent()[0].0;
        // of another partition: another command
        system.answer((partition + 1) % PARTITIONS, "c1", "other");
        system.answer(partition, "c1", "hello");
    };
    let (one, other, third, ()) = tokio::join!(
        system.submit("c1", "hello", LONG),
        system.submit("c1", "hello", LONG),
        system.submit("c1", "something else", LONG),
        answered
    );
    for submitted in [one, other] {
        assert!(matches!(submitted, Submitted::Answered(outcome) if outcome.recorded_at == 7));
    }
    assert!(matches!(third, Submitted::OtherContent(_)));
    assert_eq!(system.channel.waiting.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_wait_is_told_where_to_look_however_soon_it_was_decided() {
    let system = System::new().await;
    *system.sender.kept.lock().unwrap() = Some(Vec::new());
    // decided before anybody knows that it has arrived
    let answered = async {
        system.until(|system| !system.sent().is_empty()).await;
        system.answer(system.sent()[0].0, "c1", "hello");
    };
    let (submitted, ()) = tokio::join!(system.submit("c1", "hello", Duration::ZERO), answered);
    pending(submitted);
    // but it is told that its key stands for something else
    let submitted = system.submit("c1", "something else", Duration::ZERO);
    let again = async {
        system.until(|system| system.sent()[0].1 == 2).await;
        system.answer(system.sent()[0].0, "c1", "hello");
    };
    assert!(matches!(tokio::join!(submitted, again).0, Submitted::OtherContent(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_found_later_wherever_it_stands() {
    let system = System::new().await;
    let at = pending(system.submit("c1", "hello", Duration::ZERO).await);
    let find = |id: &'static str, at: At, wait| {
        let id = id.into();
        let (channel, ending) = (Arc::clone(&system.channel), system.ending.subscribe());
        async move { channel.outcome_of(&id, at, wait, ending).await }
    };
    assert!(matches!(find("c1", at, Duration::ZERO).await, Searched::Nothing));
    // while somebody waits for it
    let (found, ()) =
        tokio::join!(find("c1", at, LONG), async { system.answer(at.partition, "c1", "hello") });
    assert!(matches!(found, Searched::Found(_)));
    // when the reader has long passed it
    for number in 0..100 {
        system.answer(at.partition, &format!("x{number}"), "x");
    }
    system.until(|system| system.channel.line().unwrap().reached(at.partition) == 101).await;
    assert!(matches!(find("c1", at, Duration::ZERO).await, Searched::Found(_)));
    assert!(matches!(find("x99", at, Duration::ZERO).await, Searched::Found(_)));
    // not behind where it stands, not elsewhere, and no other
    assert!(matches!(find("c1", At { offset: 1, ..at }, Duration::ZERO).await, Searched::Nothing));
    let elsewhere = At { partition: (at.partition + 1) % PARTITIONS, ..at };
    assert!(matches!(find("c1", elsewhere, Duration::ZERO).await, Searched::Nothing));
    assert!(matches!(find("c2", at, Duration::ZERO).await, Searched::Nothing));
    assert!(matches!(find("c1", At { partition: PARTITIONS, ..at }, LONG).await, Searched::NoSuchPlace));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_does_not_take_is_said_and_what_is_ending_keeps_nobody() {
    let system = System::new().await;
    *system.sender.is_away.lock().unwrap() = true;
    assert!(matches!(system.submit("c1", "hello", LONG).await, Submitted::Away { unsent: false, .. }));
    assert_eq!(system.sent(), []);
    // the log answers all the same, so nobody is kept from trying
    *system.sender.is_away.lock().unwrap() = false;
    let asked = async {
        system.until(|system| !system.sent().is_empty()).await;
        system.ending.send_replace(true);
    };
    let (submitted, ()) = tokio::join!(system.submit("c1", "hello", LONG), asked);
    pending(submitted);
    let report = system.health.report();
    assert!(report.ready && report.lanes[0].role == "guestbook.gateway", "{report:?}");
}
