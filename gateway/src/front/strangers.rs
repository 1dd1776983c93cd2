//! How many tokens that do not hold one address may bring. After that its tokens are not looked at for a while, but for those
//! that were good a moment ago: many users may have one address, and one who guesses must not keep the others out.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::WINDOW;
use super::rates::{LEFT, POLICY};
use crate::http::problem::{Problem, TOO_MANY};

/// The most addresses that have an account of their own.
const MOST: usize = 20_000;
/// Accounts for those that come when there are so many.
const SHARED: u64 = 256;
/// Old accounts are looked for no oftener.
const SWEEP: Duration = Duration::from_secs(1);
/// The longest that an address waits, however much it has asked at once.
const LONGEST: Duration = Duration::from_secs(60);
/// So many tokens that were good are remembered twice: those of now, and those before.
const REMEMBERED: usize = 10_000;

/// Whose account it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Account {
    /// An address's: of IPv6 a network of 64 bits, as that is what one client has.
    Own(IpAddr),
    /// That of some that came when there was no room.
    Shared(u64),
}

/// The accounts of addresses, in memory that is bounded.
pub(super) struct Strangers {
    /// What one may use up at once, and gets back over [`WINDOW`].
    most: u32,
    each: Duration,
    room: usize,
    hasher: RandomState,
    began: Instant,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Until when everything is given back, since `began`.
    accounts: HashMap<Account, Duration>,
    swept: Duration,
    good: Good,
}

/// Hashes of what was good, by which nobody is let in: they are only looked at.
#[derive(Default)]
struct Good {
    now: HashSet<u64>,
    before: HashSet<u64>,
}

impl Strangers {
    /// So many in a second on the average; `None` for 0: any number.
    pub(super) fn new(per_second: u32) -> Option<Self> {
        Self::with(per_second, MOST)
    }

    fn with(per_second: u32, room: usize) -> Option<Self> {
        let window = u32::try_from(WINDOW.as_secs()).unwrap_or(1);
        let most = per_second.saturating_mul(window);
        let each = WINDOW.checked_div(most)?.max(Duration::from_nanos(1));
        let (hasher, began) = (RandomState::new(), Instant::now());
        Some(Self { most, each, room, hasher, began, book: Mutex::default() })
    }

    /// Why what this address brings is not looked at now.
    pub(super) fn refusal(&self, address: IpAddr, headers: &HeaderMap) -> Option<Problem> {
        let waits = self.waits(address, headers, self.began.elapsed())?;
        let seconds = waits.as_millis().div_ceil(1_000).max(1);
        let detail = format!(
            "From your address came more than {} requests within {} seconds that do not say who asks, or by tokens that do \
             not hold. Nothing was done; ask again in {seconds} s.",
            self.most,
            WINDOW.as_secs()
        );
        let texts: [(HeaderName, String); 2] = [
            (POLICY, format!("\"refusals\";q={};w={}", self.most, WINDOW.as_secs())),
            (LEFT, format!("\"refusals\";r=0;t={seconds}")),
        ];
        let problem = Problem::new(TOO_MANY, detail);
        let problem = problem.retry_after(u32::try_from(seconds).unwrap_or(u32::MAX));
        let said =
            texts.into_iter().filter_map(|(name, text)| Some((name, HeaderValue::try_from(text).ok()?)));
        Some(said.fold(problem, |problem, (name, value)| problem.with_header(name, value)))
    }

    /// Counts a request of this address that was refused with 401.
    pub(super) fn refused(&self, address: IpAddr) {
        self.count(address, self.began.elapsed());
    }

    /// Notes that these headers were good.
    pub(super) fn good(&self, headers: &HeaderMap) {
        if let Some(hash) = self.hash(headers) {
            self.book().good.note(hash);
        }
    }

    fn waits(&self, address: IpAddr, headers: &HeaderMap, now: Duration) -> Option<Duration> {
        let book = self.book();
        let until = *book.accounts.get(&self.account(&book, address))?;
        // there must be room for one more
        let waits = (until + self.each).checked_sub(now + WINDOW).filter(|waits| !waits.is_zero())?;
        let was_good = self.hash(headers).is_some_and(|hash| book.good.has(hash));
        (!was_good).then(|| waits.min(LONGEST))
    }

    fn count(&self, address: IpAddr, now: Duration) {
        let mut book = self.book();
        if book.accounts.len() >= self.room && now >= book.swept + SWEEP {
            book.swept = now;
            book.accounts.retain(|_, until| *until > now);
            book.accounts.shrink_to_fit();
        }
        let account = self.account(&book, address);
        let until = book.accounts.entry(account).or_default();
        *until = ((*until).max(now) + self.each).min(now + WINDOW + LONGEST);
    }

    /// The account of an address; one that many share where it has none and there is no room for more.
    fn account(&self, book: &Book, address: IpAddr) -> Account {
        let network = match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
            v4 => v4,
        };
        let own = Account::Own(network);
        match book.accounts.contains_key(&own) || book.accounts.len() < self.room {
            true => own,
            false => Account::Shared(self.hasher.hash_one(network) % SHARED),
        }
    }

    /// Of what stands in place of a name; secret, as `hasher` is.
    fn hash(&self, headers: &HeaderMap) -> Option<u64> {
        headers.get(header::AUTHORIZATION).map(|given| self.hasher.hash_one(given.as_bytes()))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Good {
    fn note(&mut self, hash: u64) {
        if self.now.len() >= REMEMBERED {
            self.before = std::mem::take(&mut self.now);
        }
        self.now.insert(hash);
    }

    fn has(&self, hash: u64) -> bool {
        self.now.contains(&hash) || self.before.contains(&hash)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_000);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn bearer(token: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(token).unwrap())])
    }

    #[test]
    fn an_address_has_so_many_tries_and_gets_them_back() {
        let strangers = Strangers::new(1).unwrap();
        let (one, none) = (address("192.0.2.1"), HeaderMap::new());
        for _ in 0..10 {
            assert_eq!(strangers.waits(one, &none, NOW), None);
            strangers.count(one, NOW);
        }
        assert_eq!(strangers.waits(one, &none, NOW), Some(Duration::from_secs(1)));
        assert_eq!(strangers.waits(address("192.0.2.2"), &none, NOW), None);
        // written as IPv6 it is the same
        assert!(strangers.waits(address("::ffff:192.0.2.1"), &none, NOW).is_some());
        assert_eq!(strangers.waits(one, &none, NOW + Duration::from_secs(1)), None);
        // who asks much at once waits longer, and not for ever
        (0..10_000).for_each(|_| strangers.count(one, NOW));
        assert_eq!(strangers.waits(one, &none, NOW), Some(LONGEST));
        assert_eq!(strangers.waits(one, &none, NOW + WINDOW + LONGEST), None);
        assert!(Strangers::new(0).is_none());
    }

    #[test]
    fn a_network_of_one_client_is_one_address() {
        let strangers = Strangers::new(1).unwrap();
        let none = HeaderMap::new();
        (0..10).for_each(|last| strangers.count(address(&format!("2001:db8:0:1::{last}")), NOW));
        assert!(strangers.waits(address("2001:db8:0:1:ffff::1"), &none, NOW).is_some());
        assert!(strangers.waits(address("2001:db8:0:2::1"), &none, NOW).is_none());
    }

    #[test]
    fn who_was_known_a_moment_ago_is_looked_at_all_the_same() {
        let strangers = Strangers::new(1).unwrap();
        let one = address("192.0.2.1");
        strangers.good(&bearer("Bearer good"));
        (0..100).for_each(|_| strangers.count(one, NOW));
        assert!(strangers.waits(one, &bearer("Bearer good"), NOW).is_none());
        assert!(strangers.waits(one, &bearer("Bearer goof"), NOW).is_some());
        assert!(strangers.waits(one, &HeaderMap::new(), NOW).is_some());
        // for as long as there is room to remember it
        (0..3 * REMEMBERED).for_each(|other| strangers.good(&bearer(&format!("Bearer {other}"))));
        assert!(strangers.waits(one, &bearer("Bearer good"), NOW).is_some());
        let book = strangers.book();
        assert!(book.good.now.len() + book.good.before.len() <= 2 * REMEMBERED);
    }

    #[test]
    fn accounts_are_bounded_and_old_ones_make_room() {
        let strangers = Strangers::with(1, 8).unwrap();
        let none = HeaderMap::new();
        let of = |number: u32| IpAddr::V4(number.into());
        for number in 0..10_000 {
            strangers.count(of(number), NOW);
        }
        assert!(strangers.book().accounts.len() <= 8 + SHARED as usize);
        // who came late shares an account, and is not let through uncounted
        assert!(strangers.waits(of(9_999), &none, NOW).is_some());
        assert!(strangers.waits(of(0), &none, NOW).is_none());
        let later = NOW + WINDOW + LONGEST;
        strangers.count(of(77_777), later);
        assert_eq!(strangers.book().accounts.len(), 1);
    }
}
