//! Everything that a scrape shows, looked at once for all metrics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_runtime::Health;
use millrace_runtime::health::HealthReport;
use millrace_runtime::metrics::{GatewaySnapshot, LaneNumbers, RoleSnapshot, ServerNumbers};

use crate::process::{self, Process};

/// All metrics of one scrape are of one look.
const LOOK_LASTS: Duration = Duration::from_millis(250);
/// How long the size of a store on disk is believed.
const SIZE_LASTS: Duration = Duration::from_secs(10);

/// A process as it is now.
pub(crate) struct Seen {
    pub(crate) health: HealthReport,
    pub(crate) roles: Vec<RoleSnapshot>,
    pub(crate) store_bytes: BTreeMap<PathBuf, u64>,
    pub(crate) process: Process,
    pub(crate) servers: Vec<ServerNumbers>,
    pub(crate) gateway: Option<GatewaySnapshot>,
}

impl Seen {
    /// Partitions that this process works on: role, partition as text, numbers.
    pub(crate) fn held(&self) -> impl Iterator<Item = (&str, String, &LaneNumbers)> {
        self.roles.iter().flat_map(|role| {
            let held = role.lanes.iter().filter(|(_, numbers)| numbers.is_held);
            held.map(|(partition, numbers)| (role.role.as_str(), partition.to_string(), numbers))
        })
    }

    /// The same of processors only.
    pub(crate) fn processing(&self) -> impl Iterator<Item = (&str, String, &LaneNumbers)> {
        self.held().filter(|(role, _, _)| role.ends_with(".processor"))
    }
}

/// Looks at a process, not more often than needed.
#[derive(Clone)]
pub(crate) struct Looks {
    health: Health,
    last: Arc<Mutex<Last>>,
}

#[derive(Default)]
struct Last {
    seen: Option<(Instant, Arc<Seen>)>,
    sizes: BTreeMap<PathBuf, (Instant, u64)>,
}

impl Looks {
    pub(crate) fn at(health: Health) -> Self {
        Self { health, last: Arc::default() }
    }

    pub(crate) fn look(&self) -> Arc<Seen> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, seen)) = &last.seen
            && at.elapsed() < LOOK_LASTS
        {
            return Arc::clone(seen);
        }
        let roles = self.health.metrics().snapshot();
        let folders =
            roles.iter().flat_map(|role| &role.lanes).filter_map(|(_, numbers)| numbers.store.clone());
        let store_bytes = folders.map(|folder| (folder.clone(), last.size(folder))).collect();
        let health = self.health.report();
        let servers = self.health.metrics().servers();
        let gateway = self.health.metrics().gateway_snapshot();
        let seen = Arc::new(Seen { health, roles, store_bytes, process: process::look(), servers, gateway });
        last.seen = Some((Instant::now(), Arc::clone(&seen)));
        seen
    }
}

impl Last {
    fn size(&mut self, folder: PathBuf) -> u64 {
        match self.sizes.get(&folder) {
            Some((at, bytes)) if at.elapsed() < SIZE_LASTS => *bytes,
            _ => {
                let bytes = size_of(&folder);
                self.sizes.insert(folder, (Instant::now(), bytes));
                bytes
            }
        }
    }
}

/// The bytes of all files below `folder`. Files that go while it looks are not counted.
fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size_of(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
