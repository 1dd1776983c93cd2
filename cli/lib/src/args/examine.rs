//! Flags of what checks and explains: `verify`, `history`, `explain`.

use clap::Args;

/// `millrace verify`
#[derive(Args, Debug)]
pub struct Verify {
    /// Only this domain [default: all]
    #[arg(value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// List at most so many differences; the others are counted
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `millrace history`
#[derive(Args, Debug)]
pub struct History {
    /// The aggregate, as `<Aggregate>/<id>`, or `<domain>:<Aggregate>/<id>`
    #[arg(value_name = "AGGREGATE_ID")]
    pub aggregate_id: String,
    /// Up to this version
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), conflicts_with = "at")]
    pub version: Option<i64>,
    /// Up to this time, as RFC 3339: 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// Show what each event has changed of the state
    #[arg(long)]
    pub changes: bool,
    /// Print one JSON object; times are microseconds since the epoch, as in the messages
    #[arg(long)]
    pub json: bool,
}

/// `millrace explain`
#[derive(Args, Debug)]
pub struct Explain {
    /// The command's id, or `<domain>:<id>`
    #[arg(value_name = "COMMAND_ID")]
    pub command_id: String,
    /// Look no further back than this time, as RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Show at most so many rows for one event and projection
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub rows: usize,
    /// Print one JSON object; times are microseconds since the epoch, as in the messages
    #[arg(long)]
    pub json: bool,
}
