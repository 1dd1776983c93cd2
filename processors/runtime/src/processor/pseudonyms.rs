//! The keys of pseudonyms that decisions name things with, compared with those that have claimed something before.
//!
//! A claim under another key is another claim, so whoever decided with the wrong one would give an address away twice.
//! Each partition's state says which secret each key has, and nobody decides there with others. Each step says which keys its
//! writer had, so that two processors that both know a partition of their own only find out that they differ.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::bookkeeping::{self, PseudonymCheck};
use millrace_kernel::{AggregateId, Bookkeeping, Domain, PseudonymKey, PseudonymKeys, StateData, Text};
use millrace_ports::Record;
use thiserror::Error;

use super::lane::LaneFault;
use super::state::{Layers, PartitionState};
use crate::planted::{self, Bug};

/// The keys of this process.
#[derive(Clone, Debug, Default)]
pub struct Pseudonyms {
    keys: Arc<PseudonymKeys>,
    /// What steps say of them; nothing where there is no key.
    said: Option<(String, Bytes)>,
}

/// Which keys the writer of a step had: `ID CHECK` of each, separated by commas.
const HEADER: &str = "millrace-pseudonym-keys";

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
    /// The processor that wrote a step has another secret.
    #[error(
        "a step of another processor, in partition {partition}, was made with another secret of the key of pseudonyms {id} than the one here; nothing is decided there until both have the same, since the same address could be given away twice"
    )]
    Differs {
        /// The key's id.
        id: String,
        /// The partition.
        partition: i32,
    },
    /// The processor that wrote a step has none of the keys of this one.
    #[error(
        "a step of another processor, in partition {partition}, was made with the keys of pseudonyms {theirs}, and here are others only; nothing is decided there until one key is valid at both, since the same address could be given away twice"
    )]
    Apart {
        /// Their ids.
        theirs: String,
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
        let said: Vec<String> =
            keys.valid().iter().map(|key| format!("{} {}", key.id(), check_of(key).check)).collect();
        let said = (!said.is_empty()).then(|| (HEADER.to_owned(), Bytes::from(said.join(","))));
        Self { keys, said }
    }

    /// What a step says of the keys of this process.
    pub(super) fn header(&self) -> Option<&(String, Bytes)> {
        self.said.as_ref()
    }

    /// Whether who wrote a step can have given nothing the name that it has not here: with every key that both have the secret
    /// is the same, and one of them both have. Of a step that says nothing, as earlier builds wrote them, nothing is known.
    ///
    /// # Errors
    /// [`KeyFault::Differs`] and [`KeyFault::Apart`].
    pub(super) fn agree(&self, partition: i32, step: &Record) -> Result<(), KeyFault> {
        let said = step.headers.iter().find(|(name, _)| name == HEADER);
        let Some(said) = said.and_then(|(_, said)| std::str::from_utf8(said).ok()) else { return Ok(()) };
        if self.said.is_none() || planted::is_on(Bug::PseudonymKeyUnchecked) {
            return Ok(());
        }
        let mut is_shared = false;
        for (id, check) in said.split(',').filter_map(|one| one.split_once(' ')) {
            let Some(own) = self.keys.valid().iter().find(|key| key.id() == id) else { continue };
            if check_of(own).check != check {
                return Err(KeyFault::Differs { id: id.to_owned(), partition });
            }
            is_shared = true;
        }
        if is_shared {
            return Ok(());
        }
        let theirs: Vec<&str> = said.split(',').map(|one| one.split(' ').next().unwrap_or(one)).collect();
        Err(KeyFault::Apart { theirs: theirs.join(", "), partition })
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn keys(of: &[(&str, u8)]) -> Pseudonyms {
        let valid = of.iter().map(|(id, secret)| PseudonymKey::new(id, [*secret; 32]).unwrap()).collect();
        Pseudonyms::new(Arc::new(PseudonymKeys::new(valid, BTreeSet::new()).unwrap()))
    }

    fn step_of(writer: &Pseudonyms) -> Record {
        Record {
            topic: "d.steps".into(),
            partition: 0,
            offset: 0,
            key: None,
            value: None,
            timestamp_ms: 0,
            headers: writer.header().cloned().into_iter().collect(),
        }
    }

    #[test]
    fn two_processors_agree_by_one_key_and_by_all_that_both_have() {
        let agree = |writer: &[(&str, u8)], here: &[(&str, u8)]| keys(here).agree(3, &step_of(&keys(writer)));
        let differs = Err(KeyFault::Differs { id: "k2".to_owned(), partition: 3 });
        for (writer, here, expected) in [
            (&[("k1", 1)][..], &[("k1", 1)][..], Ok(())),
            // in the middle of a rotation, either way
            (&[("k2", 2), ("k1", 1)], &[("k1", 1)], Ok(())),
            (&[("k1", 1)], &[("k2", 2), ("k1", 1)], Ok(())),
            (&[("k2", 2)], &[("k2", 2), ("k1", 1)], Ok(())),
            (&[("k2", 2), ("k1", 1)], &[("k2", 3), ("k1", 1)], differs.clone()),
            (&[("k2", 2)], &[("k2", 3)], differs),
            (&[("k2", 2)], &[("k1", 1)], Err(KeyFault::Apart { theirs: "k2".to_owned(), partition: 3 })),
            // an earlier build says nothing, and a domain without pseudonyms has no keys
            (&[], &[("k1", 1)], Ok(())),
            (&[("k1", 1)], &[], Ok(())),
        ] {
            assert_eq!(agree(writer, here), expected, "{writer:?} {here:?}");
        }
    }
}
