//! Where the partitions of a process have their stores on disk, and the memory that caches of them share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use millrace_ports::{Identity, LocalFault, LocalStores};

/// The memory that all caches of a process share.
pub struct CacheBudget {
    bytes: usize,
    users: AtomicUsize,
}

impl CacheBudget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { bytes, users: AtomicUsize::new(0) })
    }

    /// One more cache shares it.
    pub(crate) fn join(&self) {
        self.users.fetch_add(1, Ordering::Relaxed);
    }

    /// A cache that shared it is gone.
    pub(crate) fn leave(&self) {
        self.users.fetch_sub(1, Ordering::Relaxed);
    }

    /// What each of them may take, in bytes.
    pub(crate) fn share(&self) -> usize {
        self.bytes / self.users.load(Ordering::Relaxed).max(1)
    }
}

/// Where the partitions of a process have their stores.
pub struct LocalState {
    pub(crate) stores: Arc<dyn LocalStores>,
    pub(crate) is_stepwise: bool,
    pub(crate) budget: Arc<CacheBudget>,
    /// Of copies that stand by, which nobody waits for.
    pub(crate) budget_of_copies: Arc<CacheBudget>,
    /// Partitions whose store was found damaged while it was in use, and how.
    condemned: Mutex<BTreeMap<i32, String>>,
}

impl LocalState {
    /// Stores whose checkpoints are written on a thread beside each lane.
    #[must_use]
    pub fn new(stores: Arc<dyn LocalStores>, cache_bytes: usize) -> Self {
        let (budget, budget_of_copies) = (CacheBudget::new(cache_bytes), CacheBudget::new(cache_bytes / 4));
        Self { stores, is_stepwise: false, budget, budget_of_copies, condemned: Mutex::default() }
    }

    /// Stores whose checkpoints are written within the lane's own steps: for a simulation.
    #[must_use]
    pub fn stepwise(stores: Arc<dyn LocalStores>, cache_bytes: usize) -> Self {
        Self { is_stepwise: true, ..Self::new(stores, cache_bytes) }
    }

    /// The next opening of a partition sets its store aside.
    pub(crate) fn condemn(&self, partition: i32, why: String) {
        let mut condemned = self.condemned.lock().unwrap_or_else(PoisonError::into_inner);
        condemned.entry(partition).or_insert(why);
    }

    pub(crate) fn take_condemned(&self, partition: i32) -> Option<String> {
        self.condemned.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition)
    }

    /// Moves what is there out of the way, and says so.
    pub(crate) fn set_aside(&self, identity: &Identity, why: &str) -> Result<(), LocalFault> {
        let to = self.stores.set_aside(identity)?;
        tracing::warn!(
            topic = %identity.topic, partition = identity.partition, set_aside = %to.display(),
            "local state is not used: {why}. It was set aside for whoever wants to look at it, and may be deleted; the partition is rebuilt from its topics"
        );
        Ok(())
    }
}
