//! The dead topic: what cannot be decided, why, and how an operator puts it back.
//!
//! The processor writes it ([`bury`]); the tools read it ([`topic`]) and put its records back where
//! they came from ([`redrive`]). What a record in it is stands in its headers ([`headers`]).

mod bury;
pub mod headers;
mod list;
mod parked;
pub mod redrive;
pub mod topic;

pub use bury::{Burial, bury};
pub use parked::ParkedUnder;
pub use redrive::{Action, Moved, PassedOver, Plan};
pub use topic::{Content, DeadError, DeadRecord, DeadTopic, Place, Selection, Shown};
