//! How a stream speaks: what it says, with tokens now and then, until nobody listens.

use std::sync::Arc;
use std::time::Duration;

use millrace_ports::{Clock, StoreFault, ViewStore};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::event::{Ended, Event};
use super::viewed::AGAIN;
use crate::http::problem::{Problem, TABLES_AWAY};
use crate::log::Channel;
use crate::view::blocking;

/// A token comes at least so often while something changes …
const TOKEN_EVERY: Duration = Duration::from_secs(1);
/// … and so often while nothing does, with a sign of life.
const BEAT_EVERY: Duration = Duration::from_secs(15);
/// How long tables may be away before a stream ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is said, each with the token that goes on behind it, if there is one.
pub(crate) type Out = mpsc::Sender<Spoken>;
/// An event, and where a client can go on behind it. Boxed, as a channel has room for 32 of what it carries from the first on.
pub(crate) type Spoken = Box<(Event, Option<String>)>;

/// Until when it is known who listens, in seconds since the epoch; `None`: for good. Whoever renews credentials in time says so here,
/// and goes on.
pub(crate) type Expiry = watch::Receiver<Option<i64>>;

/// Why a stream is over.
pub(super) enum Over {
    /// Nobody takes what it says.
    Left,
    /// It is at an end.
    Ended(Ended),
}

/// How a stream speaks.
pub(super) struct Voice {
    pub(super) out: Out,
    /// Becomes true when this gateway ends.
    pub(super) ending: watch::Receiver<bool>,
    expiry: Expiry,
    clock: Arc<dyn Clock>,
    /// Goes on behind what was said last.
    pub(super) token: Option<String>,
    told_at: Instant,
    /// Whether something was said since a token was.
    is_due: bool,
}

impl Voice {
    /// A voice for somebody who is known for so long by this clock.
    pub(super) fn new(
        out: Out,
        ending: watch::Receiver<bool>,
        expiry: Expiry,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { out, ending, expiry, clock, token: None, told_at: Instant::now(), is_due: false }
    }

    /// Says something, with the token if it `may` be told and it is time, or `must`.
    pub(super) async fn say(&mut self, event: Event, tokens: Tokens) -> Result<(), Over> {
        let is_time = match tokens {
            Tokens::None => false,
            Tokens::IfDue => self.told_at.elapsed() >= TOKEN_EVERY,
            Tokens::Now => true,
        };
        let token = self.token.clone().filter(|_| is_time);
        if token.is_some() || tokens == Tokens::Now {
            (self.told_at, self.is_due) = (Instant::now(), false);
        } else {
            self.is_due = true;
        }
        self.out.send(Box::new((event, token))).await.map_err(|_| Over::Left)
    }

    /// Says why it ends.
    pub(super) async fn end(mut self, over: Over) {
        if let Over::Ended(ended) = over {
            // whoever does not listen is not told
            self.out.send(Box::new((Event::End(ended), self.token.take()))).await.unwrap_or_default();
        }
    }

    /// When it is time for a token.
    pub(super) fn beats_at(&self) -> Instant {
        self.told_at + if self.is_due { TOKEN_EVERY } else { BEAT_EVERY }
    }

    /// Returns when it is over.
    pub(super) async fn over(&self) -> Over {
        let mut ending = self.ending.clone();
        tokio::select! {
            () = self.out.closed() => Over::Left,
            _ = ending.wait_for(|ending| *ending) => Over::Ended(Ended::Leaving),
            () = expired(&*self.clock, self.expiry.clone()) => Over::Ended(Ended::Expired),
        }
    }

    /// Whether it goes on: asked before anything is shown that takes a while to be read.
    pub(super) fn check(&self) -> Result<(), Over> {
        let until = *self.expiry.borrow();
        match () {
            () if self.out.is_closed() => Err(Over::Left),
            () if *self.ending.borrow() => Err(Over::Ended(Ended::Leaving)),
            () if left(&*self.clock, until).is_some_and(|left| left.is_zero()) => {
                Err(Over::Ended(Ended::Expired))
            }
            () => Ok(()),
        }
    }

    /// Waits a moment, unless it is over before.
    pub(super) async fn pause(&self) -> Result<(), Over> {
        tokio::select! {
            over = self.over() => Err(over),
            () = sleep(AGAIN) => Ok(()),
        }
    }

    /// The tables of a domain in the versions that answer, and the version of a view.
    pub(super) async fn tables(
        &self,
        channel: &Channel,
        view: &str,
    ) -> Result<(Arc<dyn ViewStore>, i32), Over> {
        let since = Instant::now();
        loop {
            let (link, view) = (Arc::clone(&channel.link), view.to_owned());
            let found = blocking(move || {
                // the same, unless somebody switches just now: then the next look finds another version
                let (tables, versions) = (link.tables()?, link.versions()?);
                Ok((tables, versions.get(&view).copied().unwrap_or(1)))
            });
            match found.await {
                Ok(found) => return Ok(found),
                Err(fault) if since.elapsed() > PATIENCE => return Err(away(&fault)),
                Err(_) => self.pause().await?,
            }
        }
    }
}

/// Whether a token goes with what is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tokens {
    /// Not here: the copy is that of no moment.
    None,
    /// If none was told for a while.
    IfDue,
    Now,
}

/// How long it is known who listens; `None`: for good.
pub(crate) fn left(clock: &dyn Clock, until: Option<i64>) -> Option<Duration> {
    let micros = until?.saturating_mul(1_000_000).saturating_sub(clock.now_micros());
    Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

/// Returns when it is not known any more who listens.
pub(crate) async fn expired(clock: &dyn Clock, mut expiry: Expiry) {
    loop {
        let left = left(clock, *expiry.borrow_and_update());
        let over = async {
            match left {
                Some(left) => sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(over);
        tokio::select! {
            () = &mut over => return,
            renewed = expiry.changed() => if renewed.is_err() {
                // nobody renews it
                return over.await;
            },
        }
    }
}

/// How a stream ends whose tables are away.
pub(super) fn away(fault: &StoreFault) -> Over {
    tracing::debug!("a stream ends: {fault}");
    let problem = Problem::new(TABLES_AWAY, "The tables cannot be read now; go on from the last token.");
    Over::Ended(Ended::Trouble(Box::new(problem)))
}
