//! Streams over a log and tables in memory, with a projector that writes what the test says.

mod again;
pub(crate) mod own;
mod permits;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_domain_guestbook::Guestbook;
use millrace_domain_guestbook::messages::commands::{CommandData, Sign};
use millrace_kernel::change::Columns;
use millrace_kernel::live::key_text;
use millrace_kernel::table::parse_tables;
use millrace_kernel::{
    Change, Delete, Digest, Domain as _, Metadata, Outcome, Put, Schemas, Table, Value, Write, partition,
};
use millrace_ports::{Clock as _, LogFault, StoreFault, SystemClock, TopicPartition, ViewStore};
use millrace_runtime::progress::{Progress, system_tables};
use millrace_runtime::{Health, Stop, Topology};
use millrace_testkit::log::memory::{MemoryLog, Plain};
use millrace_testkit::store::memory::MemoryStore;
use millrace_wire::{Codec, MemoryRegistry, Registry};
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::{Ended, Event, Request, Spoken, Viewed, run};
use crate::auth::Principal;
use crate::log::Channel;
use crate::message::{MessageTypes, Problem};
use crate::ports::{
    Acknowledged, CommandEncoder, CommandRecord, CommandSender, Description, DomainLink, Encoded, Trouble,
    ViewDescription,
};
use crate::token::ResumeKey;
use crate::view::neighbours::tests::Domains;
use crate::view::{Longs, Permit};

const PARTITIONS: i32 = 2;
const VIEWS: &str = "-- Live: from any partition\n-- Readable by: public\nCREATE TABLE notes (\n  a text, -- x\n  at bigint, -- x\n  text text, -- x\n  PRIMARY KEY ((a), at)\n) WITH comment = 'x Bound: few.' AND CLUSTERING ORDER BY (at DESC);";
/// Whose notes somebody follows: of the same family.
const FOLLOWS: &str = "-- Live: from any partition\n-- Readable by: public\nCREATE TABLE follows (\n  reader text, -- x\n  who text, -- x\n  PRIMARY KEY ((reader), who)\n) WITH comment = 'x Bound: few.';";
const SCHEMA: &str = include_str!("../../../schemas/chirp/registered/changes.avsc");
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Link {
    registry: Arc<dyn Registry>,
    store: Arc<dyn ViewStore>,
    version: Mutex<i32>,
}

impl DomainLink for Link {
    fn encoder(&self) -> Result<Box<dyn CommandEncoder>, Trouble> {
        Ok(Box::new(Encoder))
    }

    fn outcomes(&self) -> Result<Codec<Outcome>, Trouble> {
        Codec::register(Arc::clone(&self.registry), "outcomes", Guestbook::SCHEMAS.outcomes)
            .map_err(|error| Trouble(error.to_string()))
    }

    fn changes(&self, _: &str) -> Result<Codec<Change>, Trouble> {
        Codec::register(Arc::clone(&self.registry), "changes", SCHEMA)
            .map_err(|error| Trouble(error.to_string()))
    }

    fn versions(&self) -> Result<HashMap<String, i32>, StoreFault> {
        Ok(HashMap::from([("notes".to_owned(), *self.version.lock().unwrap())]))
    }

    fn tables(&self) -> Result<Arc<dyn ViewStore>, StoreFault> {
        Ok(Arc::clone(&self.store))
    }
}

/// Nobody decides what it sends.
struct Encoder;

impl CommandEncoder for Encoder {
    fn encode(&self, id: &str, _: Metadata, _: &str, data: Json) -> Result<Encoded, Problem> {
        let sign = Sign { guest_id: "ann".into(), text: "Hello".into() };
        let digest = Digest::of(&CommandData::Sign(sign));
        Ok(Encoded { key: id.to_owned(), value: data.to_string().into(), digest })
    }
}

/// Takes everything, and has it nowhere.
struct Nowhere;

impl CommandSender for Nowhere {
    fn send(&self, _: CommandRecord, done: Acknowledged) -> Result<(), LogFault> {
        done(Ok(0));
        Ok(())
    }
}

/// A projector's side of a domain with one view, and the gateway's.
pub(crate) struct System {
    pub(crate) log: MemoryLog,
    store: Arc<MemoryStore>,
    /// The tables of another domain.
    elsewhere: Arc<MemoryStore>,
    pub(crate) link: Arc<Link>,
    channel: Arc<Channel>,
    codec: Codec<Change>,
    pub(crate) key: ResumeKey,
    stop: Stop,
    pub(crate) ending: watch::Sender<bool>,
    follower: Option<std::thread::JoinHandle<()>>,
}

fn table() -> Table {
    parse_tables(VIEWS).unwrap().remove(0)
}

impl System {
    pub(crate) fn new() -> Self {
        let log = MemoryLog::new();
        let topology = Topology::new("", "d");
        for topic in [&topology.events, &topology.changes("f"), &topology.commands, &topology.outcomes] {
            log.create_topic(topic, PARTITIONS);
        }
        let store = Arc::new(MemoryStore::new());
        let tables = [VIEWS, FOLLOWS].map(|text| parse_tables(text).unwrap());
        let tables = [&tables.concat()[..], &system_tables()].concat();
        store.create_tables(&tables).and_then(|()| store.open_tables(&tables)).unwrap();
        let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
        let link = Arc::new(Link { registry, store: Arc::clone(&store) as _, version: Mutex::new(1) });
        let codec = link.changes("f").unwrap();
        let mut system = Self {
            channel: Self::channel(&log, &link),
            log,
            store,
            elsewhere: Arc::new(MemoryStore::new()),
            link,
            codec,
            key: ResumeKey::made().unwrap(),
            stop: Stop::new(),
            ending: watch::channel(false).0,
            follower: None,
        };
        system.follow();
        system
    }

    pub(crate) fn description() -> Description {
        let schemas = Schemas { changes: Some(SCHEMA), views: VIEWS, ..Guestbook::SCHEMAS };
        let view = |text: &str| {
            let table = parse_tables(text).unwrap().remove(0);
            Arc::new(ViewDescription { table, projection: "d.f".to_owned() })
        };
        Description {
            name: "d",
            schemas,
            types: MessageTypes::read("d", Guestbook::SCHEMAS.commands).unwrap(),
            views: [VIEWS, FOLLOWS].map(view).to_vec(),
            refuses_expired: false,
            topology: Topology::new("", "d"),
            topics: Vec::new(),
        }
    }

    fn channel(log: &MemoryLog, link: &Arc<Link>) -> Arc<Channel> {
        let link: Arc<dyn DomainLink> = Arc::clone(link) as _;
        let (sender, clock): (Arc<dyn CommandSender>, _) = (Arc::new(Nowhere), Arc::new(SystemClock));
        Arc::new(Channel::new(Self::description(), link, Arc::new(log.clone()), sender, clock))
    }

    fn follow(&mut self) {
        let (channel, stop) = (Arc::clone(&self.channel), Stop::new());
        self.stop = stop.clone();
        self.follower = Some(std::thread::spawn(move || channel.follow_changes(&Health::default(), &stop)));
    }

    /// Another gateway in place of this one, which knows nothing of what it has passed on.
    fn restart(&mut self) {
        self.stop.request();
        self.follower.take().unwrap().join().unwrap();
        self.channel = Self::channel(&self.log, &self.link);
        self.follow();
    }

    /// An event of a source partition; its offset.
    pub(crate) fn event(&self, source: i32) -> i64 {
        let at = TopicPartition::new("d.events", source);
        self.log.append(&at, Plain { value: Some("x".into()), ..Plain::default() }).unwrap()
    }

    /// What a projector does of an event: a row, a change, its progress.
    pub(crate) fn project(&self, source: i32, offset: i64, at: i64, text: Option<&str>) {
        self.write(source, offset, at, text);
        self.tell(source, offset, at, text, offset);
        self.progress(source, offset + 1);
    }

    fn write(&self, source: i32, offset: i64, at: i64, text: Option<&str>) {
        let key: Vec<Value> = vec!["k".into(), at.into()];
        let timestamp = offset * 10 + i64::from(source) + 1;
        let write = match text {
            Some(text) => {
                Write::Put(Put { table: "notes", values: [key, vec![text.into()]].concat(), timestamp })
            }
            None => Write::Delete(Delete { table: "notes", key, range: false, timestamp }),
        };
        self.store.apply(&[write]).unwrap();
    }

    fn tell(&self, source_partition: i32, source_offset: i64, at: i64, text: Option<&str>, settled: i64) {
        let key = vec![("a".into(), "k".into()), ("at".into(), at.into())];
        let row = text.map(|text| [&key[..], &[("text".into(), text.into())]].concat());
        let change = Change { settled, row, ..Self::of_event(source_partition, source_offset, "notes", key) };
        self.say(&change);
    }

    /// That a row is gone, as an event says.
    fn of_event(source_partition: i32, source_offset: i64, view: &str, key: Columns) -> Change {
        Change {
            view: view.into(),
            version: 1,
            source_partition,
            source_offset,
            settled: source_offset,
            recorded_at: 0,
            key,
            row: None,
            reread: false,
            more: false,
        }
    }

    /// Writes a change.
    fn say(&self, change: &Change) {
        let partition_key = change.key[0].1.clone();
        let text = key_text(&[partition_key]);
        let record = Plain {
            key: Some(text.clone().into()),
            value: Some(self.codec.encode(change)),
            timestamp_ms: SystemClock.now_micros() / 1_000,
            ..Plain::default()
        };
        let partition = partition::of_key(text.as_bytes(), PARTITIONS);
        self.log.append(&TopicPartition::new("d.f.changes", partition), record).unwrap();
    }

    fn progress(&self, source: i32, events_offset: i64) {
        let progress =
            Progress { events_offset, recorded_at: events_offset, ..Progress::none("d.f", source) };
        self.store.apply(&[progress.write()]).unwrap();
    }

    fn place() -> TopicPartition {
        TopicPartition::new("d.f.changes", partition::of_key(key_text(&["k".into()]).as_bytes(), PARTITIONS))
    }

    /// One event and all that follows from it.
    pub(crate) fn change(&self, source: i32, at: i64, text: Option<&str>) {
        let offset = self.event(source);
        self.project(source, offset, at, text);
    }

    fn request(&self, token: Option<String>) -> Request {
        let view = Arc::new(ViewDescription { table: table(), projection: "d.f".to_owned() });
        let permit =
            Permit::of(&Principal::Anyone, &view, "d", &Domains::one("d", std::slice::from_ref(&view)))
                .unwrap();
        let channel = Arc::clone(&self.channel);
        Request {
            viewed: Viewed { channel, view, key: vec!["k".into()], partitions: PARTITIONS },
            permit,
            longs: Longs::Numbers,
            limit: None,
            token,
            expiry: watch::channel(None).1,
            signs: self.key.clone(),
            ending: self.ending.subscribe(),
            meter: Health::default().metrics().gateway(),
        }
    }

    fn open(&self, token: Option<String>) -> Client {
        Client::of(self.request(token))
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop.request();
        if let Some(follower) = self.follower.take() {
            follower.join().unwrap();
        }
    }
}

/// Somebody who keeps a copy of the view.
pub(crate) struct Client {
    said: mpsc::Receiver<Spoken>,
    rows: HashMap<i64, String>,
    token: Option<String>,
    names: Vec<&'static str>,
}

impl Client {
    fn of(request: Request) -> Self {
        let (out, said) = mpsc::channel(4);
        tokio::spawn(run(request, out));
        Self::hearing(said)
    }

    fn hearing(said: mpsc::Receiver<Spoken>) -> Self {
        Self { said, rows: HashMap::new(), token: None, names: Vec::new() }
    }

    /// Goes on with the copy of another.
    fn with(mut self, other: Self) -> Self {
        self.rows = other.rows;
        self.token = self.token.or(other.token);
        self
    }

    async fn next(&mut self) -> Option<Event> {
        let (event, token) = *timeout(PATIENCE, self.said.recv()).await.expect("nothing is said")?;
        self.token = token.or(self.token.take());
        self.names.extend(event.name());
        let number = |key: &Json| key["at"].as_i64().unwrap();
        let text = |row: &Json| row["text"].as_str().unwrap().to_owned();
        match &event {
            Event::Snapshot { rows, .. } => {
                if self.names.iter().rev().nth(1) != Some(&"snapshot") {
                    self.rows.clear();
                }
                self.rows.extend(rows.iter().map(|row| (number(row), text(row))));
            }
            Event::Change { key, row, .. } => {
                match row.is_null() {
                    true => self.rows.remove(&number(key)),
                    false => self.rows.insert(number(key), text(row)),
                };
            }
            _ => {}
        }
        Some(event)
    }

    async fn until(&mut self, name: &str) {
        let said = async { while self.next().await.expect("it goes on").name() != Some(name) {} };
        timeout(PATIENCE, said).await.expect("it is said");
    }

    fn rows(&self) -> Vec<(i64, &str)> {
        let mut rows: Vec<_> = self.rows.iter().map(|(at, text)| (*at, text.as_str())).collect();
        rows.sort_unstable();
        rows
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_follows_from_the_rows_on() {
    let system = System::new();
    system.change(0, 1, Some("one"));
    system.change(1, 2, Some("two"));
    let mut client = system.open(None);
    client.until("live").await;
    assert_eq!(client.rows(), [(1, "one"), (2, "two")]);
    assert!(client.names.starts_with(&["snapshot"]), "{:?}", client.names);
    system.change(0, 1, Some("changed"));
    client.until("change").await;
    system.change(1, 2, None);
    client.until("change").await;
    assert_eq!(client.rows(), [(1, "changed")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_live_only_when_all_is_there_that_its_rows_may_show() {
    let system = System::new();
    system.change(0, 1, Some("one"));
    // a row that can be read, of which nobody has been told yet
    let offset = system.event(1);
    system.write(1, offset, 2, Some("two"));
    let mut client = system.open(None);
    client.until("snapshot").await;
    assert_eq!(client.rows(), [(1, "one"), (2, "two")]);
    let silence = timeout(Duration::from_millis(300), client.next()).await;
    assert!(silence.is_err(), "the projector has not come so far: {silence:?}");
    system.tell(1, offset, 2, Some("two"), offset);
    system.progress(1, offset + 1);
    client.until("live").await;
    assert_eq!(client.rows(), [(1, "one"), (2, "two")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_again_changes_nothing() {
    let system = System::new();
    let mut client = system.open(None);
    client.until("live").await;
    let (first, second) = (system.event(0), system.event(0));
    system.project(0, first, 1, Some("first"));
    system.tell(0, second, 1, Some("second"), first);
    // the projector was killed before it could say how far it was, and begins again
    system.tell(0, first, 1, Some("first"), first);
    system.tell(0, second, 1, Some("second"), first);
    system.tell(0, system.event(0), 3, Some("third"), first);
    client.until("change").await;
    client.until("change").await;
    client.until("change").await;
    assert_eq!(client.rows(), [(1, "second"), (3, "third")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_where_it_was_cut_also_twice_before_anything_came() {
    let mut system = System::new();
    system.change(0, 1, Some("one"));
    let mut client = system.open(None);
    client.until("snapshot").await;
    for restart in [false, true] {
        let token = client.token.clone().expect("a snapshot ends with a token");
        drop(std::mem::replace(&mut client.said, mpsc::channel(1).1));
        system.change(1, 2, Some(if restart { "two" } else { "too early" }));
        system.change(0, 1, None);
        system.change(0, 3, Some("three"));
        if restart {
            system.restart();
        }
        client = system.open(Some(token)).with(client);
    }
    client.until("live").await;
    assert!(!client.names.contains(&"snapshot"), "{:?}", client.names);
    assert_eq!(client.rows(), [(2, "two"), (3, "three")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_memory_no_more_is_read_from_the_log() {
    let mut system = System::new();
    let mut client = system.open(None);
    client.until("live").await;
    let token = client.token.clone();
    for at in 0..2_000 {
        system.change(0, at % 7, Some(&format!("text {at}")));
    }
    system.restart();
    // as if what was written lay further back than a gateway reads when it begins
    let away = system.request(None);
    let mut first = Client::of(away);
    first.until("live").await;
    system.channel.hub.forget();
    let mut client = system.open(token).with(client);
    client.until("live").await;
    assert!(!client.names.contains(&"snapshot"));
    assert_eq!(client.rows(), first.rows());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_gone_on_with_is_said() {
    let system = System::new();
    system.change(0, 1, Some("one"));
    let mut client = system.open(None);
    client.until("live").await;
    let token = client.token.clone().unwrap();
    system.change(0, 1, Some("two"));
    client.until("change").await;
    // retention has taken it
    let end = system.log.append(&System::place(), Plain::default()).unwrap();
    system.log.forget_before(&System::place(), end).unwrap();
    system.channel.hub.forget();
    for bad in [token, "AAAA".to_owned()] {
        let mut again = system.open(Some(bad));
        again.until("live").await;
        assert!(again.names.starts_with(&["reset", "snapshot"]), "{:?}", again.names);
        assert_eq!(again.rows(), [(1, "two")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_of_the_view_begins_anew() {
    let system = System::new();
    system.change(0, 1, Some("one"));
    let mut client = system.open(None);
    client.until("live").await;
    *system.link.version.lock().unwrap() = 2;
    client.until("reset").await;
    client.until("live").await;
    assert_eq!(client.rows(), [(1, "one")]);
    // what projectors of the version before tell is nothing to it
    system.tell(0, system.event(0), 1, Some("of the version before"), 0);
    let silence = timeout(Duration::from_millis(300), client.next()).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_nothing_is_cut_with_a_token_and_goes_on() {
    let system = System::new();
    let mut client = system.open(None);
    client.until("live").await;
    for at in 0..5_000 {
        system.change(0, at % 50, Some(&format!("text {at}")));
    }
    let ended = loop {
        match client.next().await {
            Some(Event::End(ended)) => break ended,
            Some(_) => {}
            None => panic!("it ends with a word"),
        }
    };
    assert!(matches!(ended, Ended::Slow), "{ended:?}");
    let token = client.token.clone();
    let mut again = system.open(token).with(client);
    again.until("live").await;
    let mut fresh = system.open(None);
    fresh.until("live").await;
    assert_eq!(again.rows(), fresh.rows());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ends_and_credentials_that_do_say_so() {
    let system = System::new();
    let mut request = system.request(None);
    request.expiry = watch::channel(Some(0)).1;
    let mut client = Client::of(request);
    assert!(matches!(client.next().await, Some(Event::End(Ended::Expired))));
    let mut client = system.open(None);
    client.until("live").await;
    system.ending.send_replace(true);
    assert!(matches!(client.next().await, Some(Event::End(Ended::Leaving))));
    assert!(client.token.is_some() && client.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_rows_are_kept_where_no_more_are_wanted() {
    let system = System::new();
    for at in 0..250 {
        system.change(0, at, Some("x"));
    }
    let mut request = system.request(None);
    request.limit = Some(120);
    let mut client = Client::of(request);
    client.until("live").await;
    assert_eq!(client.rows.len(), 120);
    assert!(
        client.rows.contains_key(&249) && client.rows.contains_key(&130) && !client.rows.contains_key(&129)
    );
    system.change(0, 5, Some("below"));
    system.change(0, 300, Some("above"));
    client.until("change").await;
    assert_eq!(client.rows.get(&300).map(String::as_str), Some("above"));
    let mut again = system.open(client.token.clone()).with(client);
    system.change(0, 6, Some("below"));
    system.change(0, 301, Some("above"));
    again.until("live").await;
    while !again.rows.contains_key(&301) {
        again.until("change").await;
    }
    assert_eq!(again.rows.len(), 122);
    assert_eq!(json!(again.rows.get(&6)), Json::Null);
}

#[tokio::test]
async fn a_stream_that_waits_is_small() {
    let system = System::new();
    let (out, _said) = mpsc::channel(1);
    let bytes = std::mem::size_of_val(&run(system.request(None), out));
    assert!(bytes <= 4_000, "{bytes}: what a stream needs only for a while is boxed");
}
