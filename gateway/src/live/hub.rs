//! Who hears of which changes, and the newest ones in memory, so that a stream that was cut for a moment goes on without the log.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use millrace_kernel::Change;
use millrace_ports::{Record, TopicPartition};
use millrace_runtime::metrics::TRACEPARENT;
use tokio::sync::{mpsc, watch};

/// So many bytes of records are kept for those who come back, of a whole domain.
const KEPT_BYTES: usize = 32 << 20;
/// Of one partition at least.
const KEPT_BYTES_LEAST: usize = 256 << 10;
/// So many changes, and bytes of them, wait at most for a client to take them.
const WAITING: usize = 1_024;
const WAITING_BYTES: usize = 512 << 10;

/// A change as it is passed on.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// The partition of the changes topic.
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// Nothing where it cannot be read.
    pub(crate) change: Option<Arc<Change>>,
    /// The trace that it belongs to: the value of its header `traceparent`.
    pub(crate) trace: Option<Bytes>,
    bytes: usize,
}

/// The versions of views' tables that answer, by the view.
pub(crate) type Versions = HashMap<String, i32>;

/// All who hear of changes of a domain.
pub(crate) struct Hub {
    state: Mutex<State>,
    /// Rung when somebody wants to hear something.
    bell: Condvar,
    versions: watch::Sender<Arc<Versions>>,
}

#[derive(Default)]
struct State {
    /// Whether somebody has asked since nobody was there.
    is_wanted: bool,
    lanes: HashMap<TopicPartition, Lane>,
    next: u64,
}

/// One partition of the changes of a view family.
struct Lane {
    /// The changes before this offset have been passed on.
    reached: watch::Sender<i64>,
    /// The newest of them, one behind the other, from this offset on.
    kept_from: i64,
    kept: VecDeque<Record>,
    bytes: usize,
    listeners: HashMap<Bytes, Vec<Listener>>,
    /// Behind the newest record that was passed on: further than `reached` in the middle of a batch.
    next: i64,
}

struct Listener {
    number: u64,
    sender: mpsc::Sender<Heard>,
    waiting: Arc<Waiting>,
}

/// What waits for a client to take it.
#[derive(Default)]
struct Waiting {
    bytes: AtomicUsize,
    /// Whether it was too much.
    is_over: AtomicBool,
}

/// Hears of the changes of one key, or of several, until it is dropped.
pub(crate) struct Hearing {
    hub: Arc<Hub>,
    keys: Vec<(TopicPartition, Bytes)>,
    number: u64,
    sender: mpsc::WeakSender<Heard>,
    receiver: mpsc::Receiver<Heard>,
    waiting: Arc<Waiting>,
    /// What was in memory when it began: comes first.
    kept: VecDeque<Heard>,
    /// The changes of the partition before this offset have been passed on.
    pub(crate) reached: watch::Receiver<i64>,
    /// It hears of those from this offset on.
    pub(crate) from: i64,
}

/// Why there is nothing to hear.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Deaf {
    /// The log has not answered yet.
    Away,
}

impl Hub {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            bell: Condvar::new(),
            versions: watch::Sender::new(Arc::default()),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody wants to hear something, up to `wait`. Whether that is so.
    pub(super) fn is_wanted(&self, wait: Duration) -> bool {
        let state = self.state();
        let waited = self.bell.wait_timeout_while(state, wait, |state| !state.is_wanted);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_wanted
    }

    /// Has the changes read from these offsets on.
    pub(super) fn begin(&self, from: &[(TopicPartition, i64)]) {
        let mut state = self.state();
        for (at, offset) in from {
            let lane = Lane {
                reached: watch::Sender::new(*offset),
                kept_from: *offset,
                kept: VecDeque::new(),
                bytes: 0,
                listeners: HashMap::new(),
                next: *offset,
            };
            state.lanes.insert(at.clone(), lane);
        }
    }

    /// Lets go of all who listen: they go on from their tokens. They are not told of changes that cannot be read any more.
    pub(super) fn end(&self) {
        self.state().lanes.clear();
    }

    pub(super) fn set_versions(&self, versions: Versions) {
        self.versions.send_if_modified(|known| {
            let is_new = **known != versions;
            if is_new {
                *known = Arc::new(versions);
            }
            is_new
        });
    }

    /// The versions that answer, as they change.
    pub(crate) fn versions(&self) -> watch::Receiver<Arc<Versions>> {
        self.versions.subscribe()
    }

    /// Passes a record on to all who listen to its key; `read` is asked what it says if there are any.
    pub(super) fn pass_on(&self, record: Record, read: impl Fn(&Record) -> Option<Change>) {
        let at = TopicPartition::new(Arc::clone(&record.topic), record.partition);
        let key = record.key.clone().unwrap_or_default();
        // decoded outside the lock, as it may ask the registry, and only if somebody listens; who comes meanwhile hears it, too
        let mut change = None;
        let mut state = self.state();
        while change.is_none() && state.lanes.get(&at).is_some_and(|lane| lane.listeners.contains_key(&key)) {
            drop(state);
            change = Some(read(&record).map(Arc::new));
            state = self.state();
        }
        let room = (KEPT_BYTES / state.lanes.len().max(1)).max(KEPT_BYTES_LEAST);
        let Some(lane) = state.lanes.get_mut(&at) else { return };
        if let Some(change) = change {
            let heard = Heard {
                partition: record.partition,
                offset: record.offset,
                change,
                trace: trace(&record),
                bytes: size(&record),
            };
            if let Some(listeners) = lane.listeners.get_mut(&key) {
                // who does not keep up is let go of, and goes on from its token when it can
                listeners.retain(|listener| listener.is_told(heard.clone()));
                if listeners.is_empty() {
                    lane.listeners.remove(&key);
                }
            }
        }
        lane.next = record.offset + 1;
        lane.keep(record, room);
    }

    /// All changes of these partitions before these offsets have been passed on.
    pub(super) fn passed(&self, at: &TopicPartition, offset: i64) {
        let state = self.state();
        let Some(lane) = state.lanes.get(at) else { return };
        lane.reached.send_if_modified(|reached| {
            let is_further = offset > *reached;
            *reached = offset.max(*reached);
            is_further
        });
    }

    /// Listens to the changes of a key from `from` on, as far as they are in memory, or from now on. What lies between `from`
    /// and [`Hearing::from`] stands in the log only. `read` reads what is in memory, and may take its time.
    ///
    /// # Errors
    /// [`Deaf`].
    pub(crate) fn hear(
        self: &Arc<Self>,
        at: &TopicPartition,
        key: &str,
        from: Option<i64>,
        read: impl Fn(&Record) -> Option<Change>,
    ) -> Result<Hearing, Deaf> {
        let key = Bytes::copy_from_slice(key.as_bytes());
        let (sender, receiver) = mpsc::channel(WAITING);
        let waiting = Arc::new(Waiting::default());
        let mut state = self.state();
        if !state.is_wanted {
            state.is_wanted = true;
            self.bell.notify_all();
        }
        state.next += 1;
        let number = state.next;
        let Some(lane) = state.lanes.get_mut(at) else { return Err(Deaf::Away) };
        let reached = lane.next.max(*lane.reached.borrow());
        let listener = Listener { number, sender, waiting: Arc::clone(&waiting) };
        let mut begins = reached;
        let mut own = Vec::new();
        if let Some(from) = from.filter(|from| *from < reached) {
            begins = from.max(lane.kept_from).min(reached);
            let first = lane.kept.partition_point(|record| record.offset < begins);
            let of_key = lane.kept.range(first..).filter(|record| record.key.as_deref() == Some(&*key));
            own.extend(of_key.cloned());
            let bytes: usize = own.iter().map(size).sum();
            if own.len() > WAITING || own.len() > 1 && bytes > WAITING_BYTES {
                // more than there is room for at once: all of it comes from the log
                own.clear();
                begins = reached;
            }
        }
        let reached = lane.reached.subscribe();
        let downgraded = listener.sender.downgrade();
        lane.listeners.entry(key.clone()).or_default().push(listener);
        drop(state);
        let mut hearing = Hearing {
            hub: Arc::clone(self),
            keys: vec![(at.clone(), key)],
            number,
            sender: downgraded,
            receiver,
            waiting,
            kept: VecDeque::new(),
            reached,
            from: begins,
        };
        // outside the lock, as it may ask the registry; what comes meanwhile waits behind it
        hearing.kept = own
            .iter()
            .map(|record| Heard {
                partition: at.partition,
                offset: record.offset,
                change: read(record).map(Arc::new),
                trace: trace(record),
                bytes: 0,
            })
            .collect();
        Ok(hearing)
    }

    /// The offset before which all changes of a partition have been passed on; `None` where they are not read now.
    pub(crate) fn reached(&self, at: &TopicPartition) -> Option<i64> {
        self.state().lanes.get(at).map(|lane| *lane.reached.borrow())
    }

    /// Whose changes are read.
    pub(super) fn partitions(&self) -> Vec<TopicPartition> {
        self.state().lanes.keys().cloned().collect()
    }

    /// Lets go of all who listen to a partition in which changes cannot be read, and of what is kept of it: they begin anew.
    pub(super) fn lose(&self, at: &TopicPartition) {
        let mut state = self.state();
        let Some(lane) = state.lanes.get_mut(at) else { return };
        let lost = |offset| Heard { partition: at.partition, offset, change: None, trace: None, bytes: 0 };
        let reached = *lane.reached.borrow();
        for listener in lane.listeners.drain().flat_map(|(_, listeners)| listeners) {
            listener.is_told(lost(reached));
        }
        lane.kept.clear();
        (lane.bytes, lane.kept_from) = (0, i64::MAX);
    }

    /// Forgets what it has in memory, as if more had come since than there is room for.
    #[cfg(test)]
    pub(crate) fn forget(&self) {
        for lane in self.state().lanes.values_mut() {
            (lane.kept_from, lane.bytes) = (lane.next, 0);
            lane.kept.clear();
        }
    }

    /// How many listen.
    pub(crate) fn listeners(&self) -> usize {
        self.state().lanes.values().flat_map(|lane| lane.listeners.values()).map(Vec::len).sum()
    }
}

impl Lane {
    fn keep(&mut self, record: Record, room: usize) {
        if self.kept.is_empty() {
            self.kept_from = self.kept_from.min(record.offset);
        }
        self.bytes += size(&record);
        self.kept.push_back(record);
        while self.bytes > room
            && let Some(oldest) = self.kept.pop_front()
        {
            self.bytes -= size(&oldest);
            self.kept_from = oldest.offset + 1;
        }
    }
}

impl Listener {
    /// Passes it on, if there is room.
    fn is_told(&self, heard: Heard) -> bool {
        let bytes = heard.bytes;
        if self.waiting.is_over.load(Ordering::Acquire) {
            return false;
        }
        // one of any size fits, if it is alone
        let waiting = self.waiting.bytes.fetch_add(bytes, Ordering::AcqRel);
        let fits = waiting == 0 || waiting + bytes <= WAITING_BYTES;
        let is_told = fits && self.sender.try_send(heard).is_ok();
        self.waiting.is_over.fetch_or(!is_told, Ordering::AcqRel);
        is_told
    }
}

impl Hearing {
    /// The next change; nothing when no more can be heard: who listens did not keep up, or the log is read anew.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        if let Some(heard) = self.kept.pop_front() {
            return Some(heard);
        }
        let heard = self.receiver.recv().await;
        self.taken(heard)
    }

    /// The next change that is there already.
    pub(crate) fn next_now(&mut self) -> Option<Heard> {
        if let Some(heard) = self.kept.pop_front() {
            return Some(heard);
        }
        let heard = self.receiver.try_recv().ok();
        self.taken(heard)
    }

    /// Whether nothing is there to be taken.
    pub(crate) fn is_drained(&self) -> bool {
        self.kept.is_empty() && self.receiver.is_empty()
    }

    /// Hears of another key, too, from now on. `false` where that cannot be.
    pub(crate) fn hear_also(&mut self, at: &TopicPartition, key: &str) -> bool {
        let Some(sender) = self.sender.upgrade() else { return false };
        let key = Bytes::copy_from_slice(key.as_bytes());
        let mut state = self.hub.state();
        let Some(lane) = state.lanes.get_mut(at) else { return false };
        let listener = Listener { number: self.number, sender, waiting: Arc::clone(&self.waiting) };
        lane.listeners.entry(key.clone()).or_default().push(listener);
        drop(state);
        self.keys.push((at.clone(), key));
        true
    }

    /// Hears of a key no more.
    pub(crate) fn forget(&mut self, at: &TopicPartition, key: &str) {
        let is_it = |it: &(TopicPartition, Bytes)| it.0 == *at && it.1 == key.as_bytes();
        if let Some(found) = self.keys.iter().position(is_it) {
            let (at, key) = self.keys.swap_remove(found);
            self.hub.state().leave(&at, &key, self.number);
        }
    }

    /// Whether no more can be heard because too much was waiting to be taken.
    pub(crate) fn was_too_slow(&self) -> bool {
        self.waiting.is_over.load(Ordering::Acquire)
    }

    fn taken(&self, heard: Option<Heard>) -> Option<Heard> {
        if let Some(heard) = &heard {
            self.waiting.bytes.fetch_sub(heard.bytes, Ordering::AcqRel);
        }
        heard
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        self.keys.iter().for_each(|(at, key)| state.leave(at, key, self.number));
    }
}

impl State {
    /// A listener of that number hears of a key no more.
    fn leave(&mut self, at: &TopicPartition, key: &Bytes, number: u64) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        if let Some(listeners) = lane.listeners.get_mut(key) {
            listeners.retain(|listener| listener.number != number);
            if listeners.is_empty() {
                lane.listeners.remove(key);
            }
        }
    }
}

fn trace(record: &Record) -> Option<Bytes> {
    record.headers.iter().find(|(name, _)| name == TRACEPARENT).map(|(_, value)| value.clone())
}

fn size(record: &Record) -> usize {
    // what stands around it in memory
    const AROUND: usize = 128;
    AROUND + record.key.as_ref().map_or(0, Bytes::len) + record.value.as_ref().map_or(0, Bytes::len)
}
