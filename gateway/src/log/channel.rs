//! A domain as the gateway reaches it: its topics while they answer, and why they do not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use millrace_kernel::Outcome;
use millrace_ports::{Clock, Log};
use millrace_wire::Codec;
use tokio::sync::Semaphore;

use super::search::SEARCHERS;
use super::waiting::Waiting;
use crate::live::{Ends, Hub, READERS};
use crate::ports::{CommandEncoder, CommandSender, Description, DomainLink};
use crate::view::Watch;

/// A domain, and the way to its log and its tables.
pub(crate) struct Channel {
    pub(crate) description: Description,
    pub(crate) link: Arc<dyn DomainLink>,
    /// Who hears of changes of its rows.
    pub(crate) hub: Arc<Hub>,
    /// Where its events end, and the changes of each view family.
    pub(crate) event_ends: Ends,
    pub(crate) change_ends: HashMap<String, Ends>,
    /// Streams that read from the log.
    pub(crate) history: Arc<Semaphore>,
    /// How far its projections are.
    pub(crate) watch: Watch,
    pub(crate) log: Arc<dyn Log>,
    pub(super) sender: Arc<dyn CommandSender>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(super) waiting: Waiting,
    pub(super) searchers: Arc<Semaphore>,
    state: RwLock<Result<Arc<Line>, Away>>,
    /// Whether something that was sent met trouble, so that the follower has to look.
    suspected: AtomicBool,
}

/// What is known of a domain's topics while they answer.
pub(crate) struct Line {
    /// How many partitions each has.
    pub(crate) partitions: i32,
    pub(super) encoder: Box<dyn CommandEncoder>,
    pub(super) outcomes: Codec<Outcome>,
    /// Up to where each partition of the outcomes has been read: no outcome that is still to come stands before it.
    reached: Vec<AtomicI64>,
}

/// Why the log cannot be used.
#[derive(Clone, Debug)]
pub(crate) struct Away(pub(crate) String);

impl Channel {
    pub(crate) fn new(
        description: Description,
        link: Arc<dyn DomainLink>,
        log: Arc<dyn Log>,
        sender: Arc<dyn CommandSender>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let families = live_families(&description).map(|family| (family, Ends::default())).collect();
        Self {
            description,
            hub: Hub::new(),
            event_ends: Ends::default(),
            change_ends: families,
            history: Arc::new(Semaphore::new(READERS)),
            link,
            watch: Watch::default(),
            log,
            sender,
            clock,
            waiting: Waiting::default(),
            searchers: Arc::new(Semaphore::new(SEARCHERS)),
            state: RwLock::new(Err(Away("the gateway is only starting".to_owned()))),
            suspected: AtomicBool::default(),
        }
    }

    /// The view families with views that can be subscribed to, each with its topic of changes.
    pub(crate) fn live_families(&self) -> impl Iterator<Item = (String, Arc<str>)> {
        self.change_ends.keys().map(|family| (family.clone(), self.description.topology.changes(family)))
    }

    /// The topics, while they answer.
    pub(crate) fn line(&self) -> Result<Arc<Line>, Away> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, state: Result<Arc<Line>, Away>) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Notes that something has not reached the log: the follower finds out whether it is away.
    pub(super) fn suspect(&self) {
        self.suspected.store(true, Ordering::Release);
    }

    pub(super) fn take_suspicion(&self) -> bool {
        self.suspected.swap(false, Ordering::AcqRel)
    }
}

/// The view families with views that can be subscribed to.
fn live_families(description: &Description) -> impl Iterator<Item = String> {
    let live = description.views.iter().filter(|view| view.table.live.is_some());
    live.map(|view| view.family().to_owned())
}

impl Line {
    pub(super) fn new(encoder: Box<dyn CommandEncoder>, outcomes: Codec<Outcome>, ends: &[i64]) -> Self {
        let partitions = i32::try_from(ends.len()).unwrap_or(i32::MAX);
        Self { partitions, encoder, outcomes, reached: ends.iter().map(|end| AtomicI64::new(*end)).collect() }
    }

    /// Up to where the outcomes of a partition have been read.
    pub(crate) fn reached(&self, partition: i32) -> i64 {
        self.of(partition).map_or(0, |reached| reached.load(Ordering::Acquire))
    }

    /// Notes that the outcomes in front of `offset` have been read, and that those who wait for them by now will be told.
    pub(super) fn advance(&self, partition: i32, offset: i64) {
        if let Some(reached) = self.of(partition) {
            reached.fetch_max(offset, Ordering::AcqRel);
        }
    }

    fn of(&self, partition: i32) -> Option<&AtomicI64> {
        self.reached.get(usize::try_from(partition).ok()?)
    }
}
