//! Places for connections and bytes, and whose are taken back when another needs them.
//!
//! A connection that has never asked anything is missed least; then one that asks nothing now, of the address that has
//! most, longest first. One that is being answered loses its place only to another address that has fewer. Of bytes, those
//! are taken back that a client neither goes on sending nor takes.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::own::{self, Owner};
use super::{Limits, files};

/// A client that has not moved this many bytes has not moved.
const PACE: usize = 4096;
/// After so long without moving bytes are taken back from who is in the middle of a request or an answer …
const STALLED: Duration = Duration::from_secs(1);
/// … and after so long from anybody.
const STUCK: Duration = Duration::from_secs(10);
/// How often it is said that connections are refused or closed.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Nothing; there may be part of a request.
    Idle,
    /// Its request is being answered.
    Asking,
    /// It waits for room for its request.
    Waiting,
    /// It is being sent an answer.
    Taking,
}

#[derive(Debug)]
struct Held {
    peer: IpAddr,
    /// When it came, or its latest request began or ended.
    since: Instant,
    doing: Doing,
    has_asked: bool,
    bytes: usize,
    /// When it last moved [`PACE`] bytes.
    moved_at: Instant,
    moved: usize,
    leaving: bool,
    leave: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    held: HashMap<u64, Held>,
    bytes: usize,
    /// When it was last said that somebody was turned away, and how often it was not said since.
    said: Option<Instant>,
    unsaid: usize,
    /// Since the server began.
    turned_away: TurnedAway,
}

/// The places of a server, as numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Connections that are open.
    pub connections: usize,
    /// And how many there may be.
    pub most: usize,
    /// Who got no place, or lost it.
    pub turned_away: TurnedAway,
}

/// Connections that got no place, or lost it, since the server began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TurnedAway {
    /// Newcomers that were closed at once.
    pub refused: u64,
    /// Connections that asked nothing and were closed for a newcomer.
    pub closed: u64,
    /// When that was last.
    pub last: Option<Instant>,
    /// What there was too little of then: `connections` or `open files`.
    pub short: &'static str,
}

/// The places of a server.
#[derive(Debug)]
pub(crate) struct Places {
    pub limits: Limits,
    what: &'static str,
    state: Mutex<State>,
    freed: Notify,
}

/// The place of a connection, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    id: u64,
    places: Arc<Places>,
    leave: Arc<Notify>,
}

/// Bytes that are in flight until this is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    place: Arc<Place>,
    bytes: usize,
}

impl Places {
    /// Those of the server that `what` names.
    pub fn new(what: &'static str, limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, what, state: Mutex::default(), freed: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many places are taken, and who got none.
    pub fn taken(&self) -> Taken {
        let state = self.state();
        let connections = state.held.values().filter(|held| !held.leaving).count();
        Taken { connections, most: self.limits.connections, turned_away: state.turned_away.clone() }
    }

    /// A place for a connection from `peer`, or none. `file` is the number of its descriptor: the system gives the lowest
    /// that is free, so it tells how many files are open.
    pub fn enter(self: &Arc<Self>, peer: IpAddr, file: RawFd) -> Option<Arc<Place>> {
        let files = if self.limits.leave_files { files::left_above(file) } else { files::Left::Plenty };
        let mut state = self.state();
        let staying = state.held.values().filter(|held| !held.leaving).count();
        let full = staying >= self.limits.connections;
        let short = if full { "connections" } else { "open files" };
        if files == files::Left::None || (full || files == files::Left::Few) && !state.make_way(peer) {
            state.turned_away(self.what, peer, short, false);
            return None;
        }
        if full || files == files::Left::Few {
            state.turned_away(self.what, peer, short, true);
        }
        let id = state.next;
        state.next += 1;
        let (leave, now) = (Arc::new(Notify::new()), Instant::now());
        let held = Held {
            peer,
            since: now,
            doing: Doing::Idle,
            has_asked: false,
            bytes: 0,
            moved_at: now,
            moved: 0,
            leaving: false,
            leave: Arc::clone(&leave),
        };
        state.held.insert(id, held);
        Some(Arc::new(Place { id, places: Arc::clone(self), leave }))
    }
}

/// The next connection that gets a place; with `own_only` none but those of this process get one.
pub(crate) async fn accept(
    listener: &TcpListener,
    places: &Arc<Places>,
    own_only: bool,
) -> (TcpStream, SocketAddr, Arc<Place>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                match if own_only { own::owner(&stream, peer) } else { Owner::Own } {
                    Owner::Own => {}
                    Owner::Gone => continue,
                    Owner::Other => {
                        tracing::warn!(%peer, "refused a connection to what only this process uses");
                        continue;
                    }
                }
                if let Some(place) = places.enter(peer.ip(), stream.as_raw_fd()) {
                    return (stream, peer, place);
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: give others the time to close theirs.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl State {
    fn turned_away(&mut self, server: &str, peer: IpAddr, short: &'static str, made_way: bool) {
        let now = Instant::now();
        let counts = &mut self.turned_away;
        *(if made_way { &mut counts.closed } else { &mut counts.refused }) += 1;
        (counts.last, counts.short) = (Some(now), short);
        if self.said.is_some_and(|said| now.duration_since(said) < SAY_AGAIN) {
            self.unsaid += 1;
            return;
        }
        let not_said = std::mem::take(&mut self.unsaid);
        self.said = Some(now);
        let what = if made_way { "closed an idle connection for a new one" } else { "refused a connection" };
        tracing::warn!(%peer, not_said, "the {server} has {what}: there are too many {short}");
    }

    /// Takes the place that is missed least from its holder; `false` when nobody is missed less than `newcomer`.
    fn make_way(&mut self, newcomer: IpAddr) -> bool {
        let mut of_address: HashMap<IpAddr, usize> = HashMap::new();
        let staying = || self.held.iter().filter(|(_, held)| !held.leaving);
        for (_, held) in staying() {
            *of_address.entry(held.peer).or_default() += 1;
        }
        let count = |peer: &IpAddr| of_address.get(peer).copied().unwrap_or_default();
        let silent = staying().filter(|(_, held)| !held.has_asked).min_by_key(|(_, held)| held.since);
        let idle = || {
            let idle = staying().filter(|(_, held)| held.doing == Doing::Idle);
            idle.min_by_key(|(_, held)| (usize::MAX - count(&held.peer), held.since))
        };
        let of_the_greediest = || {
            let mine = count(&newcomer);
            let others = staying().filter(|(_, held)| count(&held.peer) > mine + 1);
            others.min_by_key(|(_, held)| (usize::MAX - count(&held.peer), held.since))
        };
        let victim = silent.or_else(idle).or_else(of_the_greediest).map(|(id, _)| *id);
        victim.is_some_and(|id| self.close(id))
    }

    fn close(&mut self, id: u64) -> bool {
        let Some(held) = self.held.get_mut(&id) else { return false };
        held.leaving = true;
        held.leave.notify_one();
        true
    }

    /// Closes the connection whose bytes are missed least, other than `needy`.
    fn shed(&mut self, needy: u64, now: Instant) -> Option<IpAddr> {
        let holders = || {
            let others = self.held.iter().filter(|(id, held)| **id != needy && !held.leaving);
            others.filter(|(_, held)| held.bytes > 0)
        };
        let still = |held: &Held, time| now.saturating_duration_since(held.moved_at) >= time;
        let stalled = holders()
            .filter(|(_, held)| matches!(held.doing, Doing::Idle | Doing::Taking) && still(held, STALLED))
            .max_by_key(|(_, held)| held.bytes);
        let stuck = || holders().filter(|(_, held)| still(held, STUCK)).max_by_key(|(_, held)| held.bytes);
        let (id, peer) = stalled.or_else(stuck).map(|(id, held)| (*id, held.peer))?;
        self.close(id).then_some(peer)
    }
}

impl Place {
    fn with<T>(&self, act: impl FnOnce(&mut Held) -> T) -> Option<T> {
        self.places.state().held.get_mut(&self.id).map(act)
    }

    pub fn limits(&self) -> &Limits {
        &self.places.limits
    }

    /// Returns when the place is needed by another.
    pub async fn taken_back(&self) {
        self.leave.notified().await;
    }

    /// Notes what the connection does now.
    pub fn does(&self, doing: Doing) {
        self.with(|held| {
            let now = Instant::now();
            held.has_asked |= doing == Doing::Asking;
            held.since = now;
            held.moved_at = now;
            held.doing = doing;
        });
    }

    /// Notes that the client waits for room, which is not its fault.
    pub fn waits(&self, waits: bool) {
        self.with(|held| match (held.doing, waits) {
            (Doing::Idle, true) => held.doing = Doing::Waiting,
            (Doing::Waiting, false) => {
                (held.doing, held.moved, held.moved_at) = (Doing::Idle, 0, Instant::now());
            }
            _ => {}
        });
    }

    /// Whether no request is under way.
    pub fn is_idle(&self) -> bool {
        self.with(|held| held.doing == Doing::Idle).unwrap_or(true)
    }

    /// Notes that the client has sent or taken this many bytes.
    pub fn moved(&self, bytes: usize) {
        self.with(|held| {
            held.moved += bytes;
            if held.moved >= PACE {
                (held.moved, held.moved_at) = (0, Instant::now());
            }
        });
    }

    /// How many more bytes there may be in flight.
    pub fn room(&self) -> usize {
        self.places.limits.bytes_in_flight.saturating_sub(self.places.state().bytes)
    }

    /// Counts bytes that are there already.
    pub fn count(self: &Arc<Self>, bytes: usize) -> InFlight {
        self.add(&mut self.places.state(), bytes);
        InFlight { place: Arc::clone(self), bytes }
    }

    fn add(&self, state: &mut State, bytes: usize) {
        state.bytes += bytes;
        if let Some(held) = state.held.get_mut(&self.id) {
            held.bytes += bytes;
        }
    }

    /// Waits for room for more bytes.
    pub async fn wait_for(&self, in_flight: &mut InFlight, bytes: usize) {
        loop {
            let freed = self.places.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            {
                let mut state = self.places.state();
                let now = Instant::now();
                // What is larger than all there is gets it when nobody else has any.
                let fits = state.bytes + bytes <= self.places.limits.bytes_in_flight;
                if fits || state.held.get(&self.id).is_none_or(|own| own.bytes == state.bytes) {
                    self.add(&mut state, bytes);
                    in_flight.bytes += bytes;
                    return;
                }
                let leaving = state.held.get(&self.id).is_some_and(|own| own.leaving);
                if !leaving && let Some(peer) = state.shed(self.id, now) {
                    tracing::warn!(%peer, "closing a connection: it holds bytes that another needs, and does not move");
                }
            }
            tokio::select! {
                () = freed => {}
                () = tokio::time::sleep(STALLED) => {}
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.state();
        if let Some(held) = state.held.remove(&self.id) {
            state.bytes = state.bytes.saturating_sub(held.bytes);
        }
        drop(state);
        self.places.freed.notify_waiters();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.place.places.state();
        state.bytes = state.bytes.saturating_sub(self.bytes);
        if let Some(held) = state.held.get_mut(&self.place.id) {
            held.bytes = held.bytes.saturating_sub(self.bytes);
        }
        drop(state);
        if self.bytes > 0 {
            self.place.places.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn places(connections: usize, bytes_in_flight: usize) -> Arc<Places> {
        Places::new("test", Limits { connections, bytes_in_flight, leave_files: false, ..Limits::default() })
    }

    fn is_leaving(places: &Places, place: &Place) -> bool {
        places.state().held[&place.id].leaving
    }

    #[test]
    fn who_never_asked_makes_way_first_then_who_asks_nothing_then_the_greediest() {
        let places = places(3, 0);
        let enter = |peer| places.enter(peer, 0);
        let (asked, silent, busy) = (enter(HERE).unwrap(), enter(HERE).unwrap(), enter(HERE).unwrap());
        asked.does(Doing::Asking);
        asked.does(Doing::Idle);
        busy.does(Doing::Asking);
        let newcomer = enter(HERE).unwrap();
        assert!(is_leaving(&places, &silent) && !is_leaving(&places, &asked));
        newcomer.does(Doing::Asking);
        let another = enter(HERE).unwrap();
        assert!(is_leaving(&places, &asked) && !is_leaving(&places, &busy));
        another.does(Doing::Asking);
        assert!(enter(HERE).is_none(), "all are at work for the same address");
        let stranger = enter(THERE).unwrap();
        assert!(is_leaving(&places, &busy), "the oldest of the address that has all");
        stranger.does(Doing::Asking);
        assert!(enter(THERE).is_none(), "an address that would have as many takes nothing");
    }

    #[tokio::test]
    async fn bytes_are_taken_back_from_who_does_not_move() {
        let places = places(3, 100);
        let (hog, needy) = (places.enter(HERE, 0).unwrap(), places.enter(HERE, 0).unwrap());
        let held = hog.count(90);
        // What is held looks as old as it must.
        places.state().held.get_mut(&hog.id).unwrap().moved_at -= STALLED;
        let mut mine = needy.count(0);
        let closing = async {
            hog.taken_back().await;
            drop(held);
        };
        tokio::join!(needy.wait_for(&mut mine, 50), closing);
        assert_eq!((needy.room(), mine.bytes), (50, 50));
        drop(mine);
        assert_eq!(needy.room(), 100);
    }

    #[tokio::test]
    async fn what_is_larger_than_all_there_is_goes_alone() {
        let places = places(3, 100);
        let place = places.enter(HERE, 0).unwrap();
        let mut mine = place.count(60);
        place.wait_for(&mut mine, 60).await;
        assert_eq!(mine.bytes, 120);
    }
}
