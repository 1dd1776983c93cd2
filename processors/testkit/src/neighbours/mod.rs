//! Two small domains that depend on each other by what one of them publishes: for tests of what domains have to do with
//! each other.

mod clubs;
mod people;

pub use self::clubs::{Clubs, PERSON, WhoGoes};
pub use self::people::People;

/// Messages and states of [`People`].
pub mod people_messages {
    #![allow(unused_imports, reason = "a domain without tables needs fewer")]
    include!(concat!(env!("OUT_DIR"), "/people.rs"));
}

/// Messages and states of [`Clubs`].
pub mod clubs_messages {
    #![allow(unused_imports, reason = "a domain without tables needs fewer")]
    include!(concat!(env!("OUT_DIR"), "/clubs.rs"));
}

/// What [`Clubs`] reads of the events of [`People`].
pub mod people_events {
    include!(concat!(env!("OUT_DIR"), "/people_events.rs"));
}
