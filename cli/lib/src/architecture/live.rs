//! A picture that is drawn again and again, by whoever asks for it.

use std::time::{Duration, Instant};

use super::look::Looker;
use super::model::Architecture;
use super::overlay;
use super::seen::Seen;
use crate::connect::Servers;
use crate::error::CliError;

/// Whoever asks again within this time is told the same: it is no older than a look takes.
const FRESH: Duration = Duration::from_millis(900);
/// A look before that is older than this says nothing about how fast things go now.
const STALE: Duration = Duration::from_secs(30);
/// Between the two looks that rates are taken from, where there was none before.
const WINDOW: Duration = Duration::from_secs(1);

/// What is declared, and what was seen last.
pub struct LivePicture {
    declared: Architecture,
    looker: Option<Looker>,
    before: Option<(Instant, Seen)>,
    last: Option<(Instant, Architecture)>,
}

impl LivePicture {
    /// Of what is declared; nothing is asked yet.
    #[must_use]
    pub fn of(declared: Architecture) -> Self {
        Self { declared, looker: None, before: None, last: None }
    }

    /// As it is now: what is declared alone, with the reason, where no broker answers. The first look takes two, for rates.
    ///
    /// # Errors
    /// Settings that no client can be made of.
    pub fn look(&mut self, servers: &Servers<'_>) -> Result<Architecture, CliError> {
        if let Some((_, drawn)) = self.last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(drawn.clone());
        }
        let drawn = match self.observe(servers) {
            Ok(drawn) => drawn,
            Err(error) if error.is_usage() => return Err(error),
            Err(error) => {
                // a client that was there before may know of brokers that are no more
                (self.looker, self.before) = (None, None);
                let mut drawn = self.declared.clone();
                drawn.sources.not_observed = Some(error.text());
                drawn
            }
        };
        self.last = Some((Instant::now(), drawn.clone()));
        Ok(drawn)
    }

    fn observe(&mut self, servers: &Servers<'_>) -> Result<Architecture, CliError> {
        let looker = match &mut self.looker {
            Some(looker) => looker,
            None => self.looker.insert(Looker::new(servers.kafka()?, servers.config, &self.declared)?),
        };
        let before = match self.before.take().filter(|(at, _)| at.elapsed() < STALE) {
            Some((_, before)) => before,
            None => {
                let before = looker.look()?;
                std::thread::sleep(WINDOW);
                before
            }
        };
        let now = looker.look()?;
        let drawn = overlay::lay(&self.declared, Some(&before), &now);
        self.before = Some((Instant::now(), now));
        Ok(drawn)
    }
}
