//! Flags of what sends commands and reads tables: `send`, `load`, `query`.

use std::path::PathBuf;

use clap::Args;

use super::seconds;

/// `millrace send`
#[derive(Args, Debug)]
pub struct Send {
    /// The command's type, or domain.Type
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// Its fields
    #[arg(value_name = "FIELD=VALUE")]
    pub fields: Vec<String>,
    /// The command's id [default: a new UUIDv7]
    #[arg(long)]
    pub id: Option<String>,
    /// The acting user
    #[arg(long)]
    pub user: Option<String>,
    /// The version the aggregate must have; 0 = it must not exist
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(0..))]
    pub expected_version: Option<i64>,
    /// When it was issued, if not now. Who sends a command again gives id and time of the first sending
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub issued_at: Option<i64>,
    /// Wait for the outcome
    #[arg(long)]
    pub wait: bool,
    /// Wait until the rows of this view of the command's domain show it; implies --wait
    #[arg(long, value_name = "VIEW")]
    pub wait_for: Option<String>,
    /// How long to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = seconds(0))]
    pub timeout: u64,
    /// Send it through the gateway at this URL instead of to Kafka
    #[arg(long, value_name = "URL", conflicts_with = "trace")]
    pub http: Option<String>,
    /// Begin a trace, whose id is printed on standard error; with TRACEPARENT in the environment
    /// the command belongs to that one anyway
    #[arg(long)]
    pub trace: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `millrace load`
#[derive(Args, Debug)]
pub struct Load {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE.jsonl")]
    pub file: PathBuf,
    /// Wait for all outcomes and count them
    #[arg(long)]
    pub wait: bool,
    /// Wait until the rows of this view show everything; implies --wait. All commands are of its domain
    #[arg(long, value_name = "VIEW")]
    pub wait_for: Option<String>,
    /// Give up when no answer has come for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = seconds(0))]
    pub timeout: u64,
    /// Print the counts as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// A time as microseconds since the epoch.
fn time(text: &str) -> Result<i64, String> {
    let time = text.parse::<jiff::Timestamp>();
    time.map(jiff::Timestamp::as_microsecond)
        .map_err(|_| "expected a time such as 2026-01-02T03:04:05Z".to_owned())
}

/// `millrace watch`
#[derive(Args, Debug)]
pub struct Watch {
    /// The view, or domain.view, or what a domain has of its own: `feed`
    #[arg(value_name = "VIEW")]
    pub view: String,
    /// Values of its partition key
    #[arg(value_name = "KEY=VALUE")]
    pub conditions: Vec<String>,
    /// The first so many rows, and what comes in front of the last of them [default: all]
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Go on where an earlier call was, by a token that it has printed with --json
    #[arg(long, value_name = "TOKEN")]
    pub from: Option<String>,
    /// The gateway [default: that of a running `millrace up`, else `gateway.listen`]
    #[arg(long, value_name = "URL")]
    pub http: Option<String>,
    /// Print one JSON object a line: event, its members, token; `again` where it had to connect again: a snapshot that was under
    /// way begins anew
    #[arg(long)]
    pub json: bool,
}

/// `millrace query`
#[derive(Args, Debug)]
pub struct Query {
    /// The view, or domain.view
    #[arg(value_name = "VIEW")]
    pub view: String,
    /// Values of its first key columns
    #[arg(value_name = "KEY=VALUE")]
    pub conditions: Vec<String>,
    /// At most so many rows
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
    /// Ask the gateway at this URL instead of the tables
    #[arg(long, value_name = "URL")]
    pub http: Option<String>,
    /// Rows are JSON with or without it
    #[arg(long)]
    pub json: bool,
}
