//! The keys of pseudonyms that decisions name things with, compared with those that have claimed something before.
//!
//! A claim under another key is another claim, so whoever decided with the wrong one would give an address away twice.
//! Each partition's state says which secret each key has, and nobody decides there with others.

use std::fmt::Write as _;
use std::sync::Arc;

use millrace_kernel::bookkeeping::{self, PseudonymCheck};
use millrace_kernel::{AggregateId, Bookkeeping, Domain, PseudonymKey, PseudonymKeys, StateData, Text};
use thiserror::Error;

use super::lane::LaneFault;
use super::state::{Layers, PartitionState};
use crate::planted::{self, Bug};

/// The keys of this process.
#[derive(Clone, Debug, Default)]
pub struct Pseudonyms {
    keys: Arc<PseudonymKeys>,
}

/// Why nothing is decided in a partition with the keys of this process.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// A key has another secret.
    #[error(
        "the key of pseudonyms {id} has another secret here than the one with which claims were made in partition {partition}; nothing is decided there until it has that one again, since the same address would be given away twice"
    )]
    Other {
        /// The key's id.
        id: String,
        /// The partition.
        partition: i32,
    },
    /// A key is missing.
    #[error(
        "claims in partition {partition} were made with the key of pseudonyms {id}, which is not among the keys here; nothing is decided there until it is. If it is lost for good, write the line `retired {id}` into the file of keys: then what was claimed with it can be claimed once more"
    )]
    Missing {
        /// The key's id.
        id: String,
        /// The partition.
        partition: i32,
    },
}

impl Pseudonyms {
    /// With these keys.
    #[must_use]
    pub fn new(keys: Arc<PseudonymKeys>) -> Self {
        Self { keys }
    }

    /// As [`StateReader::pseudonyms`](millrace_kernel::StateReader::pseudonyms).
    pub(super) fn names(&self, domain: &str, kind: &str, text: &str) -> Vec<Text> {
        self.keys.names(domain, kind, text)
    }

    /// Whether nothing in the state of `partition` was claimed with other keys.
    ///
    /// # Errors
    /// [`KeyFault`], and what is in the way of the state.
    pub(super) fn check<S: StateData>(
        &self,
        partition: i32,
        state: &PartitionState<S>,
    ) -> Result<(), LaneFault> {
        if planted::is_on(Bug::PseudonymKeyUnchecked) {
            return Ok(());
        }
        for at in state.pseudonym_keys() {
            let id = at.routing_key();
            let known = state.get(at).and_then(|known| known.state);
            state.check()?;
            let Some(Bookkeeping::PseudonymKey(known)) = known.as_deref().and_then(StateData::as_bookkeeping)
            else {
                continue;
            };
            match self.keys.valid().iter().find(|key| key.id() == id) {
                Some(key) if check_of(key).check == known.check => {}
                Some(_) => return Err(KeyFault::Other { id: id.to_owned(), partition }.into()),
                None if self.keys.is_retired(id) => {}
                None => return Err(KeyFault::Missing { id: id.to_owned(), partition }.into()),
            }
        }
        Ok(())
    }

    /// What a partition does not say yet of the keys.
    pub(super) fn unknown<D: Domain>(
        &self,
        layers: &Layers<'_, D::State>,
    ) -> Vec<(AggregateId, Bookkeeping)> {
        let places = self.keys.valid().iter().map(|key| (bookkeeping::pseudonym_key(key.id()), key));
        let unknown = places.filter(|(id, _)| layers.get(id).state.is_none());
        unknown.map(|(id, key)| (id, Bookkeeping::PseudonymKey(check_of(key)))).collect()
    }
}

fn check_of(key: &PseudonymKey) -> PseudonymCheck {
    let mut check = String::new();
    for byte in key.check() {
        // a String takes all that is written to it
        let _ = write!(check, "{byte:02x}");
    }
    PseudonymCheck { check: check.into() }
}
