//! Keys whose commands wait, as the states have it: the dead topic forgets, they do not.

use std::collections::BTreeSet;

use millrace_kernel::Domain;
use millrace_kernel::bookkeeping::PARKED_KEY_KIND;

use super::topic::{DeadError, DeadTopic};

/// A key whose commands wait behind a dead one, as the states have it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ParkedUnder {
    /// Its partition.
    pub partition: i32,
    /// The id it is kept under ([`millrace_kernel::bookkeeping::parked_key`]).
    pub name: String,
}

impl<D: Domain> DeadTopic<D> {
    /// Keys whose commands wait, as the states have it: also those of which the dead topic keeps nothing any more. Reads
    /// all of the state topic.
    ///
    /// # Errors
    /// [`DeadError`].
    pub fn parked_keys(&self) -> Result<Vec<ParkedUnder>, DeadError> {
        let mut parked = BTreeSet::new();
        if !D::KEEPS_ORDER_BEHIND_DEAD {
            return Ok(Vec::new());
        }
        self.each_record(&self.names.state, 0..self.partitions, &mut |record| {
            let name =
                record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
            let is_one = name.strip_prefix(PARKED_KEY_KIND).is_some_and(|rest| rest.starts_with('/'));
            match is_one.then(|| ParkedUnder { partition: record.partition, name: name.to_owned() }) {
                Some(one) if record.value.is_some() => drop(parked.insert(one)),
                Some(one) => drop(parked.remove(&one)),
                None => {}
            }
            Ok(())
        })?;
        Ok(parked.into_iter().collect())
    }
}
