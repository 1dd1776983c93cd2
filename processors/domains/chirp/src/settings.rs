//! Chirp's own settings: `[chirp]` in `millrace.toml`.

use millrace_kernel::BUCKET_ROWS;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Where an author counts as a celebrity, and how long a timeline is.
///
/// Projections rebuilt with other settings (`millrace rebuild timelines`) give the same feeds as
/// long as the cap is the same; they only come from other tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// An author with more followers than this becomes a celebrity: chirps are then written
    /// once and pulled by readers instead of being copied to every follower.
    pub celebrity_above: u64,
    /// A celebrity with fewer followers than this becomes a regular author again. Less than
    /// `celebrity_above`, so that an author who hovers at the threshold does not flap.
    pub celebrity_below: u64,
    /// How many chirps a feed goes back, and how many a timeline holds.
    pub timeline_cap: usize,
    /// A chirp with more readers than this is written to their timelines in pieces that take
    /// turns with other authors' chirps. With no more than this all are written at once.
    pub fan_out_at_once: usize,
    /// How many rows a bucket of `chirps_by_author` and of `followers_by_user` takes.
    pub bucket_rows: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            celebrity_above: 1000,
            celebrity_below: 900,
            timeline_cap: 800,
            fan_out_at_once: 1000,
            bucket_rows: BUCKET_ROWS,
        }
    }
}

/// More rows in a bucket may be more deleted ones than a server passes over.
const MOST_BUCKET_ROWS: u32 = 10_000;

/// Settings that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The band between the thresholds is upside down.
    #[error(
        "chirp.celebrity_below ({below}) is more than chirp.celebrity_above ({above}); it must be at most that"
    )]
    Band {
        /// `celebrity_below`
        below: u64,
        /// `celebrity_above`
        above: u64,
    },
    /// No entries at all.
    #[error("chirp.timeline_cap is 0; a feed has at least one entry")]
    Cap,
    /// No row would fit, or a read would pass over more deleted rows than servers allow.
    #[error("chirp.bucket_rows is {0}; a bucket takes 1 to {MOST_BUCKET_ROWS} rows")]
    Bucket(u32),
}

impl Settings {
    /// Whether the settings fit together.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting and what it must be.
    pub fn validate(&self) -> Result<(), SettingsError> {
        if self.celebrity_below > self.celebrity_above {
            return Err(SettingsError::Band { below: self.celebrity_below, above: self.celebrity_above });
        }
        if self.timeline_cap == 0 {
            return Err(SettingsError::Cap);
        }
        if !(1..=MOST_BUCKET_ROWS).contains(&self.bucket_rows) {
            return Err(SettingsError::Bucket(self.bucket_rows));
        }
        Ok(())
    }
}
