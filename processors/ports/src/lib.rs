//! What the runtime asks of the outside world: a transactional log and a view store.
//!
//! Adapters implement these traits; the runtime's loops are written on nothing else. The
//! traits are synchronous and step by step — every call returns at once or within the wait
//! it is given — so that one seeded scheduler can drive the same loops in a simulation.

pub mod clock;
pub mod local;
pub mod log;
pub mod roster;
pub mod store;
pub mod tables;

pub use clock::{Clock, Moment, SystemClock};
pub use local::{Answered, Change, Identity, LocalFault, LocalStore, LocalStores, Space};
pub use log::{
    Appender, CommitTiming, Group, GroupEvent, GroupSpec, Log, LogFault, MAX_RECORD_BYTES, Outgoing, Reader,
    Record, Start, TopicConfig, TopicPartition, Transaction, TransactionalWriter,
};
pub use millrace_kernel::{Page, PageQuery};
pub use roster::RosterEntry;
pub use store::{StoreFault, StoreWarning, Submitted, TableChange, ViewStore};
