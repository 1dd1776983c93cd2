//! Two small domains that depend on each other by what one of them publishes, for tests of what domains have to do with
//! each other; and one whose commands hold secrets.

mod clubs;
mod people;
mod vault;

pub use self::clubs::{Clubs, PERSON, WhoGoes};
pub use self::people::People;
pub use self::vault::Vault;

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

/// Messages and states of [`Vault`].
pub mod vault_messages {
    #![allow(unused_imports, reason = "a domain without tables needs fewer")]
    include!(concat!(env!("OUT_DIR"), "/vault.rs"));
}

/// What [`Clubs`] reads of the events of [`People`].
pub mod people_events {
    include!(concat!(env!("OUT_DIR"), "/people_events.rs"));
}
