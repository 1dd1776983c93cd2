//! Flags of what is declared and made so: `topics`, `schemas`, `tables`.

use clap::{Args, ValueEnum};

/// An action on what domains declare.
#[derive(Args, Debug)]
pub struct Declared<A: ValueEnum + Clone + std::marker::Send + Sync + 'static> {
    /// What to do
    pub action: A,
    /// Only these domains
    #[arg(value_name = "DOMAIN")]
    pub domains: Vec<String>,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `millrace topics …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TopicsAction {
    /// Show what `apply` would do
    Plan,
    /// Make what is missing and change what differs
    Apply,
}

/// `millrace schemas …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemasAction {
    /// Show what `register` would do; exit 1 when a schema is not compatible
    Check,
    /// Register what is missing and set the compatibility levels
    Register,
}

/// `millrace tables …`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TablesAction {
    /// Show what `apply` would do
    Plan,
    /// Make what is missing
    Apply,
}
