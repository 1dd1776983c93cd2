//! What the gateway must be given.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_kernel::{Change, Digest, Metadata, Outcome, Schemas, Table, Value};
use millrace_ports::{LogFault, StoreFault, ViewStore};
use millrace_runtime::Topology;
use millrace_wire::Codec;
use thiserror::Error;

use crate::message::{MessageTypes, Problem};

/// A domain, described by its schemas.
#[derive(Clone)]
pub struct Description {
    /// Its name.
    pub name: &'static str,
    /// Its schemas, tables and topics as its author wrote them.
    pub schemas: Schemas,
    /// Its commands.
    pub types: MessageTypes,
    /// Its views: the tables that somebody may ask for.
    pub views: Vec<Arc<ViewDescription>>,
    /// Whether commands must say when they were issued, as old ones are refused.
    pub refuses_expired: bool,
    /// The names of its topics.
    pub topology: Topology,
    /// Its topics as they are declared, for those who want to read about them.
    pub topics: Vec<TopicDescription>,
}

/// A topic of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its full name.
    pub name: String,
    /// What follows the domain's name in it: `commands`.
    pub suffix: String,
    /// The schema of its values, if they have one.
    pub schema: Option<&'static str>,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many copies each of them has.
    pub copies: i32,
    /// Its configuration, as the broker names it.
    pub config: Vec<(String, String)>,
}

/// A view of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewDescription {
    /// Its table, as declared.
    pub table: Table,
    /// The name under which the projection that fills it publishes its progress.
    pub projection: String,
}

impl ViewDescription {
    /// The view family it is of.
    #[must_use]
    pub fn family(&self) -> &str {
        self.projection.split_once('.').map_or(&*self.projection, |(_, family)| family)
    }
}

/// What a domain's types are needed for, and where its tables are. All of it is asked off the threads that serve.
pub trait DomainLink: Send + Sync {
    /// Encodes its commands.
    ///
    /// # Errors
    /// A registry that does not answer or does not know the schema; it is asked again.
    fn encoder(&self) -> Result<Box<dyn CommandEncoder>, Trouble>;

    /// Reads its outcomes.
    ///
    /// # Errors
    /// As [`DomainLink::encoder`].
    fn outcomes(&self) -> Result<Codec<Outcome>, Trouble>;

    /// Reads the changes of a view family with views that can be subscribed to.
    ///
    /// # Errors
    /// As [`DomainLink::encoder`].
    fn changes(&self, family: &str) -> Result<Codec<Change>, Trouble>;

    /// The versions of the views' tables that answer now, by the view.
    ///
    /// # Errors
    /// [`StoreFault`]; it is asked again.
    fn versions(&self) -> Result<HashMap<String, i32>, StoreFault>;

    /// Its tables, in the versions that answer now.
    ///
    /// # Errors
    /// [`StoreFault`]; it is asked again.
    fn tables(&self) -> Result<Arc<dyn ViewStore>, StoreFault>;
}

/// What operators ask about the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The picture of the system: what is declared and what is seen. Where servers are away, it says so itself.
    Architecture,
    /// How the roles are and how far the tables have come.
    Status,
    /// What is in the way.
    Faults,
    /// The views and the versions of their tables.
    Views,
    /// What became of a command.
    Explain {
        /// The command's id.
        command_id: String,
        /// Its domain, if it is known.
        domain: Option<String>,
        /// Look no further back than this time, RFC 3339.
        since: Option<String>,
        /// Most rows for one event and projection.
        rows: usize,
    },
    /// An aggregate's events, what each has changed, and its state.
    History {
        /// The aggregate, `<Aggregate>/<id>`.
        aggregate_id: String,
        /// Its domain, if it is known.
        domain: Option<String>,
        /// Up to this version.
        version: Option<i64>,
        /// Up to this time, RFC 3339.
        at: Option<String>,
        /// Only events of later versions than this.
        after: i64,
        /// So many events at most.
        limit: usize,
    },
    /// What is dead.
    Dead {
        /// Only of this domain.
        domain: Option<String>,
        /// Also what something was done with.
        all: bool,
        /// Behind the last one of another page.
        cursor: Option<String>,
        /// So many at most.
        limit: usize,
    },
    /// A dead record with what is in it.
    DeadRecord {
        /// The domain.
        domain: String,
        /// The partition of the dead topic.
        partition: i32,
        /// The offset there.
        offset: i64,
    },
}

impl Question {
    /// Whether topics are searched for it, so that it may take its time; others are told how it is.
    #[must_use]
    pub fn is_search(&self) -> bool {
        !matches!(self, Self::Architecture | Self::Status | Self::Faults | Self::Views)
    }
}

/// Why operators are told nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Untold {
    /// What is asked cannot be.
    #[error("{0}")]
    Wrong(String),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// The log does not answer.
    #[error("{0}")]
    LogAway(String),
    /// There was not enough time.
    #[error("{0}")]
    Overdue(String),
    /// Something else is in the way.
    #[error("{0}")]
    Trouble(String),
}

/// Tells operators about the whole. All of it is asked off the threads that serve, by few at a time.
pub trait Operations: Send + Sync {
    /// The answer, without what is withheld from whoever may read no topics; it is given up at the `deadline`.
    ///
    /// # Errors
    /// [`Untold`].
    fn answer(&self, question: &Question, deadline: std::time::Instant) -> Result<serde_json::Value, Untold>;
}

/// What is in the way, for an operator.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Trouble(pub String);

/// A command ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The routing key, which is the record key and picks the partition.
    pub key: String,
    /// The record's value.
    pub value: Vec<u8>,
    /// What it asks for: an outcome with another is that of another command of the same id.
    pub digest: Digest,
}

/// Turns checked JSON into a record of the commands topic.
pub trait CommandEncoder: Send + Sync {
    /// Encodes `data` as the message `kind`.
    ///
    /// # Errors
    /// JSON that is not the message, which the check against the schema should have found.
    fn encode(
        &self,
        id: &str,
        metadata: Metadata,
        kind: &str,
        data: serde_json::Value,
    ) -> Result<Encoded, Problem>;
}

/// A record of a commands topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// The topic's full name.
    pub topic: Arc<str>,
    /// The partition of its routing key.
    pub partition: i32,
    /// The routing key.
    pub key: String,
    /// The command.
    pub value: Vec<u8>,
    /// Headers in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Tells what became of a record: its offset, once every replica that must have it has it.
pub type Acknowledged = Box<dyn FnOnce(Result<i64, LogFault>) + Send>;

/// Sends single records outside transactions.
pub trait CommandSender: Send + Sync {
    /// Enqueues `record` and calls `done` once it is acknowledged, or will not be; returns at once.
    ///
    /// # Errors
    /// [`LogFault`] when it was not enqueued; then `done` is not called.
    fn send(&self, record: CommandRecord, done: Acknowledged) -> Result<(), LogFault>;
}

/// Something of a domain's own that is read over HTTP: `GET /v1/NAME/{id}`.
pub trait Resource: Send + Sync {
    /// What its address begins with: `feeds`.
    fn name(&self) -> &'static str;

    /// The views that it is read from: whoever wants to see their own write waits for all of them.
    fn views(&self) -> &'static [&'static str];

    /// Whether anybody may read it. What says nothing is for the user of the same id alone.
    fn is_public(&self) -> bool {
        false
    }

    /// How many items a page has at most, and when nobody says.
    fn limits(&self) -> (usize, usize);

    /// How it is followed as it changes, if it can be.
    fn live(&self) -> Option<&dyn LiveResource> {
        None
    }

    /// What it is, for those who have never seen one.
    fn description(&self) -> ResourceDescription;

    /// A page of what belongs to `id`, behind `cursor`. It may wait for the tables.
    ///
    /// # Errors
    /// [`ResourceFault`].
    fn read(
        &self,
        tables: &dyn ViewStore,
        id: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ResourcePage, ResourceFault>;
}

/// What it takes to follow a [`Resource`] as it changes: `GET /v1/streams/DOMAIN/NAME?PARAMETER=`. Its items have an order of
/// their own, and those in front of some floor are followed.
pub trait LiveResource: Send + Sync {
    /// What its address ends with: `feed`.
    fn name(&self) -> &'static str;

    /// The parameter that says whose it is: `user_id`.
    fn parameter(&self) -> &'static str;

    /// The views that it is made of, all of one family; each can be subscribed to.
    fn views(&self) -> &'static [&'static str];

    /// How many items are followed at most, and when nobody says.
    fn limits(&self) -> (usize, usize);

    /// What it is now made of: partition keys of views that can be subscribed to.
    ///
    /// # Errors
    /// [`ResourceFault`].
    fn sources(&self, tables: &dyn ViewStore, id: &str) -> Result<Vec<Source>, ResourceFault>;

    /// Its first items: so many, or all down to the place `floor`.
    ///
    /// # Errors
    /// [`ResourceFault`].
    fn items(
        &self,
        tables: &dyn ViewStore,
        id: &str,
        limit: usize,
        floor: Option<&[Value]>,
    ) -> Result<Vec<LiveItem>, ResourceFault>;

    /// What a change of one of its sources means.
    fn effect(&self, change: &Change) -> Effect;
}

/// A partition key of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The view.
    pub view: &'static str,
    /// Its partition key.
    pub key: Vec<Value>,
}

/// An item of a [`LiveResource`].
#[derive(Clone, Debug, PartialEq)]
pub struct LiveItem {
    /// Where it stands: the greatest comes first.
    pub place: Vec<Value>,
    /// What it comes from, as [`Source::key`] of it is written by [`millrace_kernel::live::key_text`].
    pub source: String,
    /// The members by which clients know it.
    pub key: serde_json::Value,
    /// The item.
    pub item: serde_json::Value,
}

/// What a change of a source means to a [`LiveResource`].
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// An item comes, or is another now.
    Put(LiveItem),
    /// The item of this place of this source goes.
    Gone {
        /// As [`LiveItem::place`].
        place: Vec<Value>,
        /// As [`LiveItem::source`].
        source: String,
    },
    /// Another source belongs to it, or does so already.
    Follow(Source),
    /// A source belongs to it no more.
    Unfollow(Source),
}

/// What a [`Resource`] is.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceDescription {
    /// In a few words.
    pub summary: &'static str,
    /// In some sentences.
    pub about: &'static str,
    /// The name of the id in its address, and what that is.
    pub id: (&'static str, &'static str),
    /// The JSON Schema of an item.
    pub item: serde_json::Value,
}

/// A page of a [`Resource`].
#[derive(Clone, Debug, PartialEq)]
pub struct ResourcePage {
    /// Its items.
    pub items: Vec<serde_json::Value>,
    /// Goes on behind the last one; none where that was all.
    pub cursor: Option<String>,
}

/// Why there is no page.
#[derive(Debug, Error)]
pub enum ResourceFault {
    /// A cursor that is none.
    #[error("{0}")]
    Cursor(String),
    /// There is nothing of this name.
    #[error("{0}")]
    Unknown(String),
    /// The tables do not answer, or not as they should.
    #[error("{0}")]
    Tables(String),
}
