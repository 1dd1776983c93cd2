//! Who makes tokens, and the keys that are known of them: read again while the gateway runs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use millrace_ports::{Clock, Moment};
use millrace_runtime::health::LaneState;
use millrace_runtime::{Health, Stop};
use tokio::sync::Mutex;

use super::keys::KeySet;

/// The role under which it is said how it is with the keys.
pub const ROLE: &str = "gateway.keys";
/// Keys are asked for out of turn no oftener, so that made-up names of keys do not burden the issuer.
const PAUSE: Duration = Duration::from_secs(10);
/// After a failure the keys are asked for again as soon as this.
const AGAIN: Duration = Duration::from_secs(15);

/// Where the keys of an issuer are published.
pub trait KeySource: Send + Sync {
    /// What it is called to people, without passwords.
    fn name(&self) -> String;

    /// The keys as they are published now: a key set in JSON, or PEM. May wait for some seconds.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn read(&self) -> Result<Vec<u8>, String>;

    /// How often they are read again.
    fn every(&self) -> Duration;
}

impl<S: KeySource + ?Sized> KeySource for Box<S> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn read(&self) -> Result<Vec<u8>, String> {
        (**self).read()
    }

    fn every(&self) -> Duration {
        (**self).every()
    }
}

/// Somebody whose tokens are taken.
pub struct Issuer {
    /// What its tokens say in `iss`.
    pub(super) name: String,
    /// Whether it names one's own users.
    pub(super) is_own: bool,
    source: Box<dyn KeySource>,
    clock: Arc<dyn Clock>,
    keys: RwLock<Option<Arc<KeySet>>>,
    /// When they were last asked for, and what came; held by who asks, so that one asks for all.
    asked: Arc<Mutex<Option<Asked>>>,
}

struct Asked {
    at: Moment,
    bytes: Vec<u8>,
    is_good: bool,
}

impl Issuer {
    /// An issuer whose keys have not been read yet.
    pub fn new(name: impl Into<String>, source: impl KeySource + 'static, clock: Arc<dyn Clock>) -> Self {
        let (name, source) = (name.into(), Box::new(source));
        Self { name, is_own: false, source, clock, keys: RwLock::default(), asked: Arc::default() }
    }

    /// The keys that are known; `None` while none have ever been read.
    pub(super) fn keys(&self) -> Option<Arc<KeySet>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the keys, on a thread that may wait. What was known stays when they cannot be read.
    ///
    /// # Errors
    /// Why they cannot be read, with the place.
    pub fn refresh(&self) -> Result<(), String> {
        self.read(&mut self.asked.blocking_lock())
    }

    /// Reads the keys out of turn, as a token fits none that came as `seen`; `true` when there are others now. Waits for
    /// whoever asks already, and asks no oftener than it may.
    pub(super) async fn refresh_for(self: &Arc<Self>, seen: Option<&Arc<KeySet>>) -> bool {
        // one asks and the others wait for it: on one thread, whatever comes
        let mut asked = Arc::clone(&self.asked).lock_owned().await;
        if self.has_others(seen) {
            return true;
        }
        let pause = i64::try_from(PAUSE.min(self.source.every()).as_micros()).unwrap_or(i64::MAX);
        if asked.as_ref().is_some_and(|asked| asked.at.age_micros(&*self.clock) < pause) {
            return false;
        }
        let issuer = Arc::clone(self);
        let read = move || {
            if let Err(why) = issuer.read(&mut asked) {
                tracing::debug!("keys of the issuer {}: {why}", issuer.name);
            }
        };
        tokio::task::spawn_blocking(read).await.is_ok() && self.has_others(seen)
    }

    fn has_others(&self, seen: Option<&Arc<KeySet>>) -> bool {
        match (self.keys(), seen) {
            (Some(now), Some(seen)) => !Arc::ptr_eq(&now, seen),
            (now, seen) => now.is_some() != seen.is_some(),
        }
    }

    fn read(&self, asked: &mut Option<Asked>) -> Result<(), String> {
        let read = self.source.read();
        let place = |why: String| format!("{}: {why}", self.source.name());
        // whoever waits meanwhile asks no sooner for that
        let at = Moment::now(&*self.clock);
        let (bytes, set) = match read {
            Ok(bytes) => {
                if asked.as_ref().is_some_and(|last| last.is_good && last.bytes == bytes) {
                    *asked = Some(Asked { at, bytes, is_good: true });
                    return Ok(());
                }
                let set = KeySet::read(&bytes);
                (bytes, set)
            }
            Err(why) => (Vec::new(), Err(why)),
        };
        *asked = Some(Asked { at, bytes, is_good: set.is_ok() });
        let set = set.map_err(place)?;
        for why in &set.ignored {
            tracing::warn!("the gateway ignores a key of {}: {why}", self.source.name());
        }
        tracing::info!(
            "the gateway takes tokens of {} by {} keys of {}",
            self.name,
            set.keys.len(),
            self.source.name()
        );
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(set));
        Ok(())
    }

    /// Reads the keys again and again until `stop`, and says how it is with them as the lane `number`.
    pub(super) fn keep(&self, number: i32, health: &Health, stop: &Stop) {
        health.set(ROLE, number, LaneState::Starting, format!("reads {}", self.source.name()));
        loop {
            let next = match self.refresh() {
                Ok(()) => {
                    let known = self.keys().map_or(0, |keys| keys.keys.len());
                    let text = format!("{known} keys of {}, from {}", self.name, self.source.name());
                    health.set(ROLE, number, LaneState::Running, text);
                    self.source.every()
                }
                Err(why) => {
                    let next = match self.keys() {
                        Some(_) => "tokens are taken by the keys that were read before; it is tried again",
                        None => {
                            "no token of this issuer is taken until the keys are there; it is tried again"
                        }
                    };
                    tracing::warn!("keys of the issuer {}: {why}; {next}", self.name);
                    health.impair(ROLE, number, why, next);
                    self.source.every().min(AGAIN)
                }
            };
            if stop.wait(next) {
                return;
            }
        }
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("name", &self.name)
            .field("keys", &self.source.name())
            .finish_non_exhaustive()
    }
}
