//! A projector's lane on a log in memory, and the events it reads.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_domain_chirp::messages::events::{ChirpPosted, UserFollowed, UserRegistered, UserUnfollowed};
use millrace_domain_chirp::{Chirp, EventData, Settings};
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Event, Metadata, Projection, Standalone, Table};
use millrace_ports::{Clock, Group, GroupSpec, Log, SystemClock, TopicPartition, ViewStore};
use millrace_runtime::copies::Copies;
use millrace_runtime::progress::system_tables;
use millrace_runtime::projector::{ProjectorLane, ProjectorShared};
use millrace_runtime::{ProjectorSettings, Topology};
use millrace_scylla::{ScyllaConfig, ScyllaStore};
use millrace_testkit::log::memory::{MemoryLog, Plain};
use millrace_wire::{Codec, MemoryRegistry, Registry};

use crate::Failure;
use crate::graph::id;

/// The view family that is measured.
pub const FAMILY: &str = "timelines";
/// `recorded_at` of the first event, microseconds since the epoch.
const BEGIN_MICROS: i64 = 1_700_000_000_000_000;

/// A projector of the view family `timelines`, with nothing folded.
pub fn timelines(settings: &Settings) -> Standalone<EventData> {
    projector(settings, FAMILY)
}

/// A projector of the view family `name`, with nothing folded.
pub fn projector(settings: &Settings, name: &str) -> Standalone<EventData> {
    family(settings, name).standalone(0)
}

/// The view family `name`.
pub fn family(settings: &Settings, name: &str) -> Projection<EventData> {
    let families = Chirp::projections(settings);
    let family = families.into_iter().find(|family| family.name == name);
    family.expect("chirp has timelines and users")
}

/// All tables of chirp.
pub fn tables() -> Vec<Table> {
    let mut tables = parse_tables(Chirp::SCHEMAS.views).expect("views.cql parses");
    tables.extend(system_tables());
    tables
}

/// A store in a keyspace of its own, with its tables.
pub fn store(cql: &str) -> Result<(ScyllaStore, String), Failure> {
    let keyspace = format!("bench_{}", uuid::Uuid::new_v4().simple());
    let store = ScyllaStore::connect(ScyllaConfig::new([cql], keyspace.clone()))?;
    store.create_tables(&tables())?;
    store.open_tables(&tables())?;
    Ok((store, keyspace))
}

/// Events of one partition, numbered and timed.
#[derive(Default)]
pub struct Events {
    count: i64,
}

impl Events {
    /// A person comes to be.
    pub fn registered(&mut self, person: u32) -> Event<EventData> {
        let (user_id, username) = (id(person), format!("name_{person}"));
        self.event(person, UserRegistered { user_id: user_id.into(), username: username.into() }.into())
    }

    /// `reader` follows `author`.
    pub fn followed(&mut self, reader: u32, author: u32) -> Event<EventData> {
        let (follower_id, followee_id) = (id(reader), id(author));
        self.event(
            author,
            UserFollowed { follower_id: follower_id.into(), followee_id: followee_id.into() }.into(),
        )
    }

    /// `reader` follows `author` no longer.
    pub fn unfollowed(&mut self, reader: u32, author: u32) -> Event<EventData> {
        let (follower_id, followee_id) = (id(reader), id(author));
        self.event(
            author,
            UserUnfollowed { follower_id: follower_id.into(), followee_id: followee_id.into() }.into(),
        )
    }

    /// A chirp; its id is its number among all events.
    pub fn posted(&mut self, author: u32) -> Event<EventData> {
        let chirp_id = format!("chirp-{}", self.count);
        let content = format!("{chirp_id}: a text of the length that people write, more or less, in a chirp");
        self.event(
            author,
            ChirpPosted { chirp_id: chirp_id.into(), author_id: id(author).into(), content: content.into() }
                .into(),
        )
    }

    fn event(&mut self, person: u32, data: EventData) -> Event<EventData> {
        self.count += 1;
        Event {
            id: format!("event-{}", self.count).into(),
            metadata: Metadata { causation_id: Some("command".into()), ..Metadata::default() },
            aggregate_id: format!("User/{}", id(person)).into(),
            version: self.count,
            command_id: "command".into(),
            command_offset: self.count,
            recorded_at: BEGIN_MICROS + self.count,
            data,
        }
    }
}

/// The events topic of chirp in memory, of one partition.
pub struct Stage {
    log: MemoryLog,
    names: Topology,
    codec: Codec<Event<EventData>>,
    registry: Arc<dyn Registry>,
    group: Arc<dyn Group>,
}

impl Stage {
    /// An empty topic, and a consumer group with one member.
    pub fn new() -> Result<Self, Failure> {
        let log = MemoryLog::new();
        let names = Topology::new("", "chirp");
        log.create_topic(&names.events, 1);
        let spec = GroupSpec {
            group_id: "timelines".into(),
            topic: Arc::clone(&names.events),
            session_timeout: Duration::from_secs(3_600),
        };
        let group: Arc<dyn Group> = Arc::from(log.join(&spec)?);
        while group.poll(Duration::from_millis(10))?.is_none() {}
        let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
        let codec = codec(&registry)?;
        Ok(Self { log, names, codec, registry, group })
    }

    fn at(&self) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.names.events), 0)
    }

    /// Appends an event.
    pub fn append(&self, event: &Event<EventData>) -> Result<i64, Failure> {
        let value: Option<Bytes> = Some(self.codec.encode(event));
        let timestamp_ms = SystemClock.now_micros() / 1_000;
        Ok(self.log.append(&self.at(), Plain { key: None, value, timestamp_ms, headers: Vec::new() })?)
    }

    /// The offset behind the last event.
    pub fn end(&self) -> Result<i64, Failure> {
        Ok(self.log.high_watermark(&self.at())?)
    }

    /// Says that all events before this offset have been applied, and none behind: a lane folds
    /// the former without writing.
    pub fn skip_to(&self, offset: i64) -> Result<(), Failure> {
        Ok(self.group.commit(&[(self.at(), offset)].into())?)
    }

    /// A lane that fills `store`.
    pub fn lane(
        &self,
        store: Arc<dyn ViewStore>,
        settings: &Settings,
    ) -> Result<ProjectorLane<Chirp>, Failure> {
        let timelines = family(settings, FAMILY);
        let shared = ProjectorShared {
            changes: None,
            log: Arc::new(self.log.clone()),
            clock: Arc::new(SystemClock) as Arc<dyn Clock>,
            store,
            names: self.names.clone(),
            projection: format!("chirp.{FAMILY}"),
            destination: Default::default(),
            views: timelines.views,
            is_building: false,
            pace: Default::default(),
            codec: codec(&self.registry)?,
            make: timelines.projector,
            revision: timelines.revision,
            partitions: 1,
            local: None,
            copies: Copies::new(false),
            settings: ProjectorSettings::default(),
        };
        Ok(ProjectorLane::new(Arc::new(shared), Arc::clone(&self.group), 0))
    }
}

fn codec(registry: &Arc<dyn Registry>) -> Result<Codec<Event<EventData>>, Failure> {
    Ok(Codec::register(Arc::clone(registry), "chirp.events-value", Chirp::SCHEMAS.events)?)
}
