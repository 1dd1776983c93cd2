//! What a gateway counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::instruments::{Distribution, Instruments, PageSpan, Recorder, Span};

/// The meter of a gateway.
pub struct GatewayMeter {
    instruments: Option<Arc<dyn Instruments>>,
    requests: Mutex<Requests>,
    domains: Mutex<BTreeMap<String, Arc<OutcomeMeter>>>,
}

#[derive(Default)]
struct Requests {
    counts: BTreeMap<(&'static str, u16), u64>,
    recorders: BTreeMap<&'static str, Recorder>,
}

/// What a gateway counts of the outcomes of a domain.
#[derive(Default)]
pub struct OutcomeMeter {
    read: AtomicU64,
    told: AtomicU64,
    waiting: AtomicU64,
    changes: AtomicU64,
    streams: AtomicU64,
}

/// A gateway as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewaySnapshot {
    /// Requests by route and status.
    pub requests: BTreeMap<(&'static str, u16), u64>,
    /// By domain.
    pub outcomes: BTreeMap<String, OutcomeNumbers>,
}

/// The outcomes of a domain, as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeNumbers {
    /// Read so far.
    pub read: u64,
    /// Of which somebody waited for so many.
    pub told: u64,
    /// Requests that wait for one now.
    pub waiting: u64,
    /// Changes of rows read so far, for those who have subscribed.
    pub changes: u64,
    /// Keys of views that are followed now.
    pub streams: u64,
}

impl GatewayMeter {
    pub(super) fn new(instruments: Option<Arc<dyn Instruments>>) -> Self {
        Self { instruments, requests: Mutex::default(), domains: Mutex::default() }
    }

    /// A request of this route was answered with this status, so many seconds after it had come.
    pub fn answered(&self, route: &'static str, status: u16, seconds: f64) {
        let recorder = {
            let mut requests = self.requests();
            *requests.counts.entry((route, status)).or_default() += 1;
            self.instruments.as_ref().map(|instruments| {
                let new = || instruments.recorder(Distribution::RequestSeconds, route);
                Arc::clone(requests.recorders.entry(route).or_insert_with(new))
            })
        };
        if let Some(record) = recorder {
            record(seconds);
        }
    }

    /// The meter of a domain's outcomes.
    #[must_use]
    pub fn outcomes(&self, domain: &str) -> Arc<OutcomeMeter> {
        let mut domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(domains.entry(domain.to_owned()).or_default())
    }

    /// Begins a span of a request below the one that `traceparent` names; `None` where no trace is recorded.
    #[must_use]
    pub fn begin(
        &self,
        name: &str,
        traceparent: &[u8],
        attributes: &[(&'static str, String)],
    ) -> Option<Box<dyn Span>> {
        self.instruments.as_ref()?.serve(name, traceparent, attributes)
    }

    /// Begins the span of telling somebody who has subscribed of a change that belongs to the trace `traceparent`.
    #[must_use]
    pub fn push(&self, view: &str, traceparent: &[u8]) -> Option<Box<dyn Span>> {
        self.instruments.as_ref()?.begin(&format!("push {view}"), traceparent, &[])
    }

    /// Records what a page says of its own part of a trace. Whether anybody takes that.
    pub fn page(&self, span: &PageSpan) -> bool {
        self.instruments.as_ref().is_some_and(|instruments| instruments.page(span))
    }

    pub(super) fn snapshot(&self) -> GatewaySnapshot {
        let domains = self.domains.lock().unwrap_or_else(PoisonError::into_inner);
        let outcomes = domains.iter().map(|(domain, meter)| (domain.clone(), meter.numbers())).collect();
        GatewaySnapshot { requests: self.requests().counts.clone(), outcomes }
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OutcomeMeter {
    /// So many were read, and somebody waited for so many of them; so many wait now.
    pub fn read(&self, read: u64, told: u64, waiting: u64) {
        self.read.fetch_add(read, Ordering::Relaxed);
        self.told.fetch_add(told, Ordering::Relaxed);
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    /// So many changes of rows were read, and so many keys of views are followed now.
    pub fn changed(&self, changes: u64, streams: u64) {
        self.changes.fetch_add(changes, Ordering::Relaxed);
        self.streams.store(streams, Ordering::Relaxed);
    }

    fn numbers(&self) -> OutcomeNumbers {
        OutcomeNumbers {
            read: self.read.load(Ordering::Relaxed),
            told: self.told.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            changes: self.changes.load(Ordering::Relaxed),
            streams: self.streams.load(Ordering::Relaxed),
        }
    }
}
