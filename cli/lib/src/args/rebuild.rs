//! Flags of `rebuild`.

use clap::Args;

/// `millrace rebuild`
#[derive(Args, Debug)]
pub struct Rebuild {
    /// The view, or its family as <domain>.<family>: the views of a family are rebuilt together
    #[arg(value_name = "VIEW")]
    pub view: String,
    /// Let the new version answer though its rows differ from the old one's: for a projection that
    /// was changed
    #[arg(long, conflicts_with_all = ["back", "drop"])]
    pub switch: bool,
    /// Let the version before answer again; it has been kept up to date
    #[arg(long, conflicts_with = "drop")]
    pub back: bool,
    /// With --back, also when that version is behind because nobody fills it
    #[arg(long, requires = "back")]
    pub stale: bool,
    /// Drop the tables of every version that does not answer
    #[arg(long)]
    pub drop: bool,
    /// List at most so many rows that differ; the others are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Print one JSON object for each step, and for the progress every second
    #[arg(long)]
    pub json: bool,
}
