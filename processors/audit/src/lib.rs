//! The audit: whether states, answers and views are what the events say, and the history behind
//! a command or an aggregate.
//!
//! Plan, execute and check are three things. Domains decide, the runtime carries out, and this
//! crate looks at what is there, with nothing of the processor's own state: it reads the topics
//! and the tables through the ports, folds the events by the domain's own functions, and compares.
//! It writes nothing but a scratch store that it is given, and prints nothing. What grows with the topics is not held in
//! memory: see `book.rs`.
//!
//! | to find out | open |
//! |---|---|
//! | what `millrace verify` checks of a partition | `verify/{states,bookkeeping,lookups,answers}.rs` |
//! | … and of what a domain does about the events of others | `verify/policies.rs` |
//! | how views are compared while they move | `verify/{replay,views}.rs` |
//! | how two versions of a view are compared | `versions/` |
//! | an aggregate's events, its state at any version or time | `history.rs` |
//! | where two states differ | `changes.rs` |
//! | a command, its decision, events and rows | `explain/` |

mod book;
pub mod changes;
pub mod difference;
pub mod explain;
mod fault;
pub mod history;
mod reading;
mod shelf;
mod shown;
pub mod verify;
pub mod versions;
mod watch;

pub use difference::{Check, ColumnDifference, Difference, EventPlace, Kind};
pub use fault::AuditFault;
pub use shelf::{MakeScratch, Shelf};
pub use verify::{Audit, Report, verify};
pub use watch::{Silent, Watcher};
