//! How often one user may ask at one route. The headers `RateLimit` and `RateLimit-Policy` are of an Internet-Draft
//! (draft-ietf-httpapi-ratelimit-headers), no standard yet.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use super::WINDOW;
use crate::http::problem::{Problem, TOO_MANY};

/// The headers' names.
pub(super) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(super) const LEFT: HeaderName = HeaderName::from_static("ratelimit");
/// The most users and routes that have an account of their own.
const MOST: usize = 20_000;
/// Accounts for those who come when there are so many.
const SHARED: u64 = 256;

/// Whose account it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Account {
    /// A user's at a route.
    Own { user: String, route: String },
    /// That of some who came when there was no room.
    Shared(u64),
}

/// The accounts of all, for commands and for everything else.
pub(super) struct Rates<C: Clock = MonotonicClock> {
    commands: Option<Accounts<C>>,
    reads: Option<Accounts<C>>,
}

struct Accounts<C: Clock> {
    name: &'static str,
    /// What one may use up at once, and gets back over [`WINDOW`].
    most: NonZeroU32,
    limiter: RateLimiter<Account, HashMapStateStore<Account>, C, StateInformationMiddleware>,
    clock: C,
    hasher: RandomState,
    began: Instant,
    /// When old accounts were last dropped, in milliseconds since `began`.
    swept_ms: AtomicU64,
    room: usize,
}

/// What an account says of one more request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counted {
    /// Whether it may be answered.
    pub(super) is_within: bool,
    name: &'static str,
    most: u32,
    left: u32,
    /// Until there is more, in seconds.
    more_in: u64,
}

impl Rates {
    /// So many in a second on the average; 0: any number.
    pub(super) fn new(commands: u32, reads: u32) -> Self {
        Self::with(commands, reads, MOST, MonotonicClock)
    }
}

impl<C: Clock + Clone> Rates<C> {
    fn with(commands: u32, reads: u32, room: usize, clock: C) -> Self {
        Self {
            commands: Accounts::new("commands", commands, room, clock.clone()),
            reads: Accounts::new("reads", reads, room, clock),
        }
    }

    /// Counts a request; `None` where nothing is counted.
    pub(super) fn count(&self, method: &Method, user: &str, route: String) -> Option<Counted> {
        let accounts = if *method == Method::POST { &self.commands } else { &self.reads };
        accounts.as_ref().map(|accounts| accounts.count(user, route))
    }
}

impl<C: Clock + Clone> Accounts<C> {
    fn new(name: &'static str, per_second: u32, room: usize, clock: C) -> Option<Self> {
        let window = u32::try_from(WINDOW.as_secs()).unwrap_or(1);
        let most = NonZeroU32::new(per_second.saturating_mul(window))?;
        // never less than a nanosecond, which is what the library counts by
        let each = (WINDOW / most.get()).max(Duration::from_nanos(1));
        let quota = Quota::with_period(each)?.allow_burst(most);
        let limiter = RateLimiter::new(quota, HashMapStateStore::default(), clock.clone());
        Some(Self {
            name,
            most,
            limiter,
            clock,
            hasher: RandomState::new(),
            began: Instant::now(),
            swept_ms: AtomicU64::new(0),
            room,
        })
    }

    fn count(&self, user: &str, route: String) -> Counted {
        let account = self.account(user, route);
        let (is_within, left, more_in) = match self.limiter.check_key(&account) {
            Ok(state) => (true, state.remaining_burst_capacity(), WINDOW / self.most.get()),
            Err(until) => (false, 0, until.wait_time_from(self.clock.now())),
        };
        let more_in = more_in.as_millis().div_ceil(1_000).max(1);
        Counted {
            is_within,
            name: self.name,
            most: self.most.get(),
            left,
            more_in: u64::try_from(more_in).unwrap_or(u64::MAX),
        }
    }

    /// The account of a user at a route; one that many share when there is no room for more.
    fn account(&self, user: &str, route: String) -> Account {
        if self.limiter.len() >= self.room {
            self.sweep();
        }
        match self.limiter.len() < self.room {
            true => Account::Own { user: user.to_owned(), route },
            false => Account::Shared(self.hasher.hash_one((user, route)) % SHARED),
        }
    }

    /// Drops the accounts that have got everything back, at most once a second.
    fn sweep(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let last = self.swept_ms.load(Ordering::Relaxed);
        let is_due = now.saturating_sub(last) >= 1_000 || last == 0;
        if is_due
            && self.swept_ms.compare_exchange(last, now.max(1), Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }
}

impl Counted {
    /// The answer with what is left.
    pub(super) fn told(&self, mut response: Response) -> Response {
        for (name, value) in self.headers() {
            response.headers_mut().insert(name, value);
        }
        response
    }

    /// The answer to whoever asked too often.
    pub(super) fn refusal(&self) -> Problem {
        let detail = format!(
            "One user may make {} such requests within {} seconds at this route. Nothing was done; ask again in {} s.",
            self.most,
            WINDOW.as_secs(),
            self.more_in
        );
        let problem = Problem::new(TOO_MANY, detail);
        let problem = problem.retry_after(u32::try_from(self.more_in).unwrap_or(u32::MAX));
        self.headers().into_iter().fold(problem, |problem, (name, value)| problem.with_header(name, value))
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let Self { name, most, left, more_in, .. } = self;
        let texts = [
            (POLICY, format!("\"{name}\";q={most};w={}", WINDOW.as_secs())),
            (LEFT, format!("\"{name}\";r={left};t={more_in}")),
        ];
        texts
            .into_iter()
            .filter_map(|(name, text)| Some((name, HeaderValue::from_str(&text).ok()?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rates(commands: u32, reads: u32, room: usize) -> (Rates<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Rates::with(commands, reads, room, clock.clone()), clock)
    }

    #[test]
    fn each_user_has_an_account_at_each_route_and_gets_it_back() {
        let (rates, clock) = rates(1, 2, 100);
        let send = |user: &str, route: &str| rates.count(&Method::POST, user, route.to_owned()).unwrap();
        for left in (0..10).rev() {
            let counted = send("ann", "/a");
            assert_eq!((counted.is_within, counted.left, counted.most), (true, left, 10));
        }
        let refused = send("ann", "/a");
        assert_eq!((refused.is_within, refused.left, refused.more_in), (false, 0, 1));
        assert!(send("bob", "/a").is_within && send("ann", "/b").is_within);
        assert_eq!(rates.count(&Method::GET, "ann", "/a".to_owned()).unwrap().most, 20);
        clock.advance(Duration::from_secs(3));
        assert_eq!(send("ann", "/a").left, 2);
    }

    #[test]
    fn without_a_rate_nothing_is_counted() {
        let (rates, _) = rates(0, 0, 100);
        assert_eq!(rates.count(&Method::POST, "ann", "/a".to_owned()), None);
        assert_eq!(rates.count(&Method::GET, "ann", "/a".to_owned()), None);
    }

    #[test]
    fn accounts_are_bounded_and_old_ones_make_room() {
        let (rates, clock) = rates(1, 0, 8);
        let send = |user: &str| rates.count(&Method::POST, user, "/a".to_owned()).unwrap();
        let count = || rates.commands.as_ref().unwrap().limiter.len();
        for user in 0..10_000 {
            send(&format!("u{user}"));
        }
        assert!(count() <= 8 + SHARED as usize, "{}", count());
        assert!(count() > 8, "who came late shares accounts, and is not let through uncounted");
        clock.advance(WINDOW + Duration::from_secs(1));
        rates.commands.as_ref().unwrap().swept_ms.store(0, Ordering::Relaxed);
        assert_eq!(send("new").left, 9);
        assert_eq!(count(), 1);
    }
}
