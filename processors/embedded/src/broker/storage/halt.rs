//! The end of all acceptance: once memory and disk may say different things, nothing more is changed.
//!
//! An acknowledgement says what a restart will find. After a write or a sync whose effect is unknown that
//! cannot be said any more, so the broker refuses every further change and stops serving. A restart reads
//! what the disk holds and goes on from there.

use std::fmt::Display;
use std::io;
use std::sync::Arc;

use tokio::sync::watch;

/// Shared by everything that writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Halt(Arc<watch::Sender<Option<String>>>);

impl Halt {
    /// Ends acceptance for good. The first reason stays.
    pub fn now(&self, doing: impl Display, error: impl Display) {
        let is_first = self.0.send_if_modified(|why| {
            let is_first = why.is_none();
            why.get_or_insert_with(|| format!("{doing}: {error}"));
            is_first
        });
        if is_first {
            tracing::error!(
                "the broker stops: {doing}: {error}. What it holds in memory and what is on the disk may differ; \
                 mend the disk and start again, which goes on from what the disk holds"
            );
        }
    }

    /// Why nothing is accepted any more, if so.
    pub fn why(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// An error once nothing is accepted any more.
    pub fn check(&self) -> io::Result<()> {
        match self.why() {
            None => Ok(()),
            Some(why) => Err(io::Error::other(format!("the broker has stopped: {why}"))),
        }
    }

    /// Returns the reason when acceptance ends, and not before.
    pub fn happened(&self) -> impl Future<Output = String> + Send + use<> {
        let mut told = self.0.subscribe();
        async move {
            loop {
                if let Some(why) = told.borrow_and_update().clone() {
                    return why;
                }
                if told.changed().await.is_err() {
                    // Everything that could halt is gone.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}
