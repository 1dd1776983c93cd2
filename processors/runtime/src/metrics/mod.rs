//! What a process measures of itself: plain numbers that its lanes fill, and a snapshot for
//! whoever shows them.
//!
//! Nothing here knows an exporter. What is counted for every command is counted by its lane alone,
//! without a lock and without an atomic, and handed over once a batch, when the batch is committed:
//! so the counts are those of what has really become visible. What has a distribution is recorded
//! through the port [`Instruments`], once a batch as well.

mod batch;
mod counts;
mod gateway;
mod instruments;
mod lane;
mod role;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub use batch::BatchMeter;
pub use counts::{Counts, MessageCount, MessageResult};
pub use gateway::{GatewayMeter, GatewaySnapshot, OutcomeMeter, OutcomeNumbers};
pub use instruments::{Distribution, Instruments, PageSpan, Recorder, Span, TRACEPARENT};
pub use lane::{Input, LaneNumbers, Meter};
pub use role::{RoleMeter, RoleSnapshot};
pub(crate) use watch::{Watched, watch};

/// For so long after somebody has asked for the numbers, those that have to be asked from servers
/// are kept up to date.
const ASKED_LATELY: Duration = Duration::from_secs(90);

/// All that a process measures, shared by all that runs in it.
#[derive(Clone, Default)]
pub struct Metrics {
    inner: Arc<Inner>,
}

/// A server that a process runs for others, as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNumbers {
    /// Its name: `broker`, `registry`.
    pub server: &'static str,
    /// Connections of others that are open.
    pub connections: u64,
    /// How many there may be.
    pub allowed: u64,
    /// Newcomers that got no place.
    pub refused: u64,
    /// Connections that asked nothing and were closed for a newcomer.
    pub closed: u64,
}

/// Gives the numbers of a server.
type ServerLook = Box<dyn Fn() -> ServerNumbers + Send + Sync>;

#[derive(Default)]
struct Inner {
    instruments: Option<Arc<dyn Instruments>>,
    roles: Mutex<BTreeMap<String, Arc<RoleMeter>>>,
    asked_at: Mutex<Option<Instant>>,
    servers: Mutex<Vec<ServerLook>>,
    gateway: OnceLock<Arc<GatewayMeter>>,
}

impl Metrics {
    /// Records distributions and traces with `instruments`.
    #[must_use]
    pub fn with(instruments: Arc<dyn Instruments>) -> Self {
        Self { inner: Arc::new(Inner { instruments: Some(instruments), ..Inner::default() }) }
    }

    /// The meter of a role, `<domain>.processor` or `<domain>.projector.<family>`.
    #[must_use]
    pub fn role(&self, role: &str) -> Arc<RoleMeter> {
        let mut roles = self.roles();
        if let Some(known) = roles.get(role) {
            return Arc::clone(known);
        }
        let meter = Arc::new(RoleMeter::new(role, self.inner.instruments.clone()));
        roles.insert(role.to_owned(), Arc::clone(&meter));
        meter
    }

    /// The meter of the gateway in this process.
    #[must_use]
    pub fn gateway(&self) -> Arc<GatewayMeter> {
        let new = || Arc::new(GatewayMeter::new(self.inner.instruments.clone()));
        Arc::clone(self.inner.gateway.get_or_init(new))
    }

    /// The gateway as it is now, if this process has one.
    #[must_use]
    pub fn gateway_snapshot(&self) -> Option<GatewaySnapshot> {
        self.inner.gateway.get().map(|gateway| gateway.snapshot())
    }

    /// The partition is another instance's now: what it has done still counts, how it is does not.
    pub(crate) fn left(&self, role: &str, partition: i32) {
        if let Some(meter) = self.roles().get(role) {
            meter.left(partition);
        }
    }

    /// Everything as it is now. Whoever calls this regularly also gets what servers are asked for:
    /// lags, and offsets that stand still.
    #[must_use]
    pub fn snapshot(&self) -> Vec<RoleSnapshot> {
        *self.inner.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let roles: Vec<Arc<RoleMeter>> = self.roles().values().cloned().collect();
        roles.iter().map(|role| role.snapshot()).collect()
    }

    /// Shows a server of this process as well.
    pub fn serve(&self, look: impl Fn() -> ServerNumbers + Send + Sync + 'static) {
        self.inner.servers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(look));
    }

    /// The servers of this process as they are now.
    #[must_use]
    pub fn servers(&self) -> Vec<ServerNumbers> {
        self.inner.servers.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|look| look()).collect()
    }

    /// Whether somebody looks at the numbers.
    pub(crate) fn is_asked(&self) -> bool {
        let asked_at = *self.inner.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
        asked_at.is_some_and(|at| at.elapsed() < ASKED_LATELY)
    }

    fn roles(&self) -> MutexGuard<'_, BTreeMap<String, Arc<RoleMeter>>> {
        self.inner.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
