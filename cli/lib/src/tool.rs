//! Subcommands of a domain's own.

use std::sync::Arc;

use clap::ArgMatches;
use millrace_gateway::ports::Resource;

use crate::config::Config;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;

/// A subcommand that belongs to one domain: `millrace feed` is chirp's. It is registered behind its domain, by one line
/// in `main.rs`.
pub trait Tool: Send + Sync {
    /// What it is called by.
    fn name(&self) -> &'static str;

    /// Its command line, with its help. The flags of every subcommand are added.
    fn command(&self) -> clap::Command;

    /// The view that shows what it shows: `--wait-for` with the tool's name waits for that.
    fn view(&self) -> Option<&'static str> {
        None
    }

    /// The same for those who ask the gateway, if they may.
    ///
    /// # Errors
    /// Settings of the domain that are wrong.
    fn resource(&self, _config: &Config) -> Result<Option<Arc<dyn Resource>>, CliError> {
        Ok(None)
    }

    /// Does what `given` says, with the domain it is registered behind.
    ///
    /// # Errors
    /// What it could not do, for a person.
    fn run(
        &self,
        servers: &Servers<'_>,
        domain: &dyn DomainEntry,
        given: &ArgMatches,
    ) -> Result<(), CliError>;
}

/// The tool of that name, with its domain.
pub fn by_name<'a>(
    domains: &'a [Box<dyn DomainEntry>],
    name: &str,
) -> Option<(&'a dyn DomainEntry, &'a dyn Tool)> {
    let mut tools = domains.iter().map(|entry| &**entry).flat_map(|entry| {
        let tools = entry.tools().iter();
        tools.map(move |tool| (entry, &**tool))
    });
    tools.find(|(_, tool)| tool.name() == name)
}
