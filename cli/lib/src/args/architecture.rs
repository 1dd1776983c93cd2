//! Flags of `architecture`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::seconds;

/// `millrace architecture`
#[derive(Args, Debug)]
pub struct Architecture {
    /// Only this domain, with all that it exchanges something with [default: all]
    #[arg(value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// How it is drawn
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Print one JSON object: as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
    /// Write it into this file, whole or not at all
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Ask nobody: draw what is declared, and what the compose file starts
    #[arg(long, conflicts_with = "watch")]
    pub declared: bool,
    /// The compose file whose services are drawn [default: that of this folder, where nothing is observed]
    #[arg(long, value_name = "FILE")]
    pub compose: Option<PathBuf>,
    /// Look again and again, until interrupted
    #[arg(long)]
    pub watch: bool,
    /// With --watch, seconds between two looks
    #[arg(long, value_name = "SECONDS", requires = "watch", default_value_t = 2, value_parser = seconds(1))]
    pub every: u64,
}

/// How the system is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// Structurizr DSL
    Dsl,
    /// A Mermaid flowchart
    Mermaid,
    /// One JSON object
    Json,
}
