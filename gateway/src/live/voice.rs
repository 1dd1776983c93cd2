//! How a stream speaks: what it says, with tokens now and then, until nobody listens.

use std::sync::Arc;
use std::time::Duration;

use millrace_ports::{StoreFault, ViewStore};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

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
pub(crate) type Out = mpsc::Sender<(Event, Option<String>)>;

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
    /// Until when it is known who listens.
    pub(super) expires_at: Option<Instant>,
    /// Goes on behind what was said last.
    pub(super) token: Option<String>,
    told_at: Instant,
    /// Whether something was said since a token was.
    is_due: bool,
}

impl Voice {
    /// A voice for somebody who is known until `expires_at`, in seconds since the epoch, which has `now_micros` now.
    pub(super) fn new(
        out: Out,
        ending: watch::Receiver<bool>,
        expires_at: Option<i64>,
        now_micros: i64,
    ) -> Self {
        let now = Instant::now();
        let left = expires_at.map(|at| u64::try_from(at - now_micros / 1_000_000).unwrap_or(0));
        let expires_at = left.map(|left| now + Duration::from_secs(left));
        Self { out, ending, expires_at, token: None, told_at: now, is_due: false }
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
        self.out.send((event, token)).await.map_err(|_| Over::Left)
    }

    /// Says why it ends.
    pub(super) async fn end(mut self, over: Over) {
        if let Over::Ended(ended) = over {
            // whoever does not listen is not told
            self.out.send((Event::End(ended), self.token.take())).await.unwrap_or_default();
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
            () = at(self.expires_at) => Over::Ended(Ended::Expired),
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

/// That moment, if there is one.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// How a stream ends whose tables are away.
pub(super) fn away(fault: &StoreFault) -> Over {
    tracing::debug!("a stream ends: {fault}");
    let problem = Problem::new(TABLES_AWAY, "The tables cannot be read now; go on from the last token.");
    Over::Ended(Ended::Trouble(Box::new(problem)))
}
