//! The copies of partitions in one process: whose each is now, so that no two use one store.
//!
//! Whoever looks after those that stand by says which are wanted ([`Copies::retain`]): a lane leaves its copy also
//! when nobody here is to have it next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who has the copy of a partition.
enum Slot<C> {
    /// Nobody; there may be a store on disk.
    Free,
    /// It stands by.
    Standing(Box<C>),
    /// A lane works with it, or is opening it.
    InLane,
}

/// Copies at hand in this process: lanes begin with them, and leave them when they end. In between
/// they stand by, and follow.
pub struct Copies<C> {
    slots: Mutex<BTreeMap<i32, Arc<Mutex<Slot<C>>>>>,
    keeps: bool,
}

impl<C> Copies<C> {
    /// None yet. With `keeps`, what lanes leave stays for whoever follows it on; without, it is
    /// dropped, as memory that nobody uses.
    #[must_use]
    pub fn new(keeps: bool) -> Self {
        Self { slots: Mutex::default(), keeps }
    }

    /// Whether what is put here stays.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.keeps
    }

    /// Takes the copy of a partition for a lane, if one stands by. From now on it is the lane's,
    /// also when there was none: it may open one.
    #[must_use]
    pub fn take(&self, partition: i32) -> Option<C> {
        let slot = self.slot(partition);
        match std::mem::replace(&mut *held(&slot), Slot::InLane) {
            Slot::Standing(copy) => Some(*copy),
            Slot::Free | Slot::InLane => None,
        }
    }

    /// A lane leaves the copy of its partition.
    pub fn put(&self, partition: i32, copy: C) {
        let slot = self.slot(partition);
        let left = if self.keeps { Slot::Standing(Box::new(copy)) } else { Slot::Free };
        *held(&slot) = left;
    }

    /// A lane is gone. What it has put stays.
    pub fn vacate(&self, partition: i32) {
        let slot = self.slot(partition);
        let mut slot = held(&slot);
        if matches!(*slot, Slot::InLane) {
            *slot = Slot::Free;
        }
    }

    /// Lets `follow` work on a copy that stands by, opened with `open` if there is none; `None`
    /// when a lane has it. After a fault the copy is dropped, to be opened anew.
    ///
    /// # Errors
    /// What the two say.
    pub(crate) fn stand_by<T, F>(
        &self,
        partition: i32,
        open: impl FnOnce() -> Result<C, F>,
        follow: impl FnOnce(&mut C) -> Result<T, F>,
    ) -> Result<Option<T>, F> {
        let slot = self.slot(partition);
        // a lane that starts meanwhile waits for this step of it
        let mut slot = held(&slot);
        if let Slot::Free = *slot {
            *slot = Slot::Standing(Box::new(open()?));
        }
        let Slot::Standing(copy) = &mut *slot else { return Ok(None) };
        let followed = follow(copy);
        if followed.is_err() {
            *slot = Slot::Free;
        }
        followed.map(Some)
    }

    /// Drops the copies that stand by and for which `is_wanted` does not speak; what is on disk stays.
    pub(crate) fn retain(&self, is_wanted: impl Fn(i32, &C) -> bool) {
        for (partition, slot) in self.all() {
            let mut slot = held(&slot);
            if let Slot::Standing(copy) = &*slot
                && !is_wanted(partition, copy)
            {
                *slot = Slot::Free;
            }
        }
    }

    /// The partitions of which a copy stands by.
    #[must_use]
    pub fn standing(&self) -> Vec<i32> {
        let is_standing = |slot: &Arc<Mutex<Slot<C>>>| matches!(*held(slot), Slot::Standing(_));
        self.all().into_iter().filter(|(_, slot)| is_standing(slot)).map(|(partition, _)| partition).collect()
    }

    fn all(&self) -> Vec<(i32, Arc<Mutex<Slot<C>>>)> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.iter().map(|(partition, slot)| (*partition, Arc::clone(slot))).collect()
    }

    fn slot(&self, partition: i32) -> Arc<Mutex<Slot<C>>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(partition).or_insert_with(|| Arc::new(Mutex::new(Slot::Free))))
    }
}

fn held<C>(slot: &Mutex<Slot<C>>) -> MutexGuard<'_, Slot<C>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
