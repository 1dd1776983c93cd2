//! Traits and values of the decision core.
//!
//! `kernel` knows no broker, no database, no clock, no randomness and no async. A domain
//! author writes against this crate alone: messages in, events or rejections out, rows
//! out. Everything here is a value or a pure function of values.

pub mod absent;
pub mod aggregate;
pub mod avro;
pub mod bookkeeping;
pub mod buckets;
pub mod change;
pub mod claims;
pub mod day;
pub mod digest;
pub mod domain;
pub mod fan_out;
pub mod guarded_text;
pub mod id;
pub mod inline;
pub mod known;
pub mod limits;
pub mod live;
pub mod message;
pub mod outcome;
pub mod page;
pub mod partition;
pub mod policy;
pub mod projection;
pub mod pseudonym;
pub mod published;
pub mod readers;
pub mod rejection;
pub mod row;
mod rules;
pub mod sample;
pub mod sealed;
pub mod sorted;
pub mod table;
pub mod text;
pub mod walk;
pub mod withheld;

pub use absent::{NoSettings, NoStep};
pub use aggregate::{AggregateId, StateReader};
pub use avro::Datum;
pub use bookkeeping::Bookkeeping;
pub use buckets::{BUCKET_ROWS, Buckets};
pub use change::Change;
pub use claims::ClaimRule;
pub use digest::Digest;
pub use domain::{Domain, FollowUp, Message, Schemas, SettingDoc, SettingsDoc, StateData};
pub use fan_out::{Asked, FanOut, Place, Stage, StagedProjector, Writes};
pub use guarded_text::{Personal, Secret};
pub use inline::Text;
pub use known::{InMemory, Keeps, Known};
pub use limits::{Lengths, Limited, TextRule, decide};
pub use live::Live;
pub use message::{
    Addressed, Command, Event, Failing, Metadata, Named, ProcessContext, Stamp, Step, StepSource,
};
pub use outcome::{Outcome, OutcomeHead, Position, Status, Version};
pub use page::{Page, PageQuery};
pub use policy::{Heard, Policy, Reaction};
pub use projection::{KeyedProjector, Projection, Projector, Rows, Standalone, keyed, stateless};
pub use pseudonym::{PseudonymKey, PseudonymKeys};
pub use published::Published;
pub use rejection::{Rejections, Violation, codes};
pub use row::{Delete, Put, Value, Write};
pub use sample::{Sample, Samples, Seed};
pub use sealed::{Sealed, SealedRule};
pub use sorted::Sorted;
pub use table::{ColumnType, Table};
pub use walk::Walk;
pub use withheld::WithheldRule;
