//! Views by name.

use millrace_kernel::Table;
use millrace_runtime::progress::system_tables;

use crate::config::Config;
use crate::domain::{DomainEntry, by_name, tables};
use crate::error::CliError;
use crate::nearest::suggestion;

/// A view of a domain.
pub struct View<'a> {
    /// The domain.
    pub entry: &'a dyn DomainEntry,
    /// Its table, as declared.
    pub table: Table,
    /// The view family that fills it; none for the engine's own tables.
    pub family: Option<&'static str>,
}

impl View<'_> {
    /// The name under which its projection publishes progress.
    #[must_use]
    pub fn projection(&self) -> Option<String> {
        self.family.map(|family| format!("{}.{family}", self.entry.name()))
    }
}

/// The view of `--wait-for`, and the projection that fills it.
pub struct Awaited<'a> {
    /// The view.
    pub view: View<'a>,
    /// The name under which its projection publishes progress.
    pub projection: String,
}

impl<'a> Awaited<'a> {
    /// The view that `--wait-for name` means.
    ///
    /// # Errors
    /// No such view, or one that no projection fills.
    pub fn find(domains: &'a [Box<dyn DomainEntry>], config: &Config, name: &str) -> Result<Self, CliError> {
        let view = find(domains, config, name)?;
        let projection = view.projection().ok_or_else(|| {
            CliError::usage(format!("--wait-for {}: no projection fills this table", view.table.name))
        })?;
        Ok(Self { view, projection })
    }

    /// Refuses to wait for what never comes: the view shows what follows from the commands of its own domain alone.
    ///
    /// # Errors
    /// `kind` is a command of another domain.
    pub fn shows(&self, kind: &str, domain: &dyn DomainEntry, config: &Config) -> Result<(), CliError> {
        let of = self.view.entry.name();
        if of == domain.name() {
            return Ok(());
        }
        let families = domain.families(config)?;
        let views: Vec<&str> = families.iter().flat_map(|family| family.views).copied().collect();
        let view = &self.view.table.name;
        Err(CliError::usage(format!(
            "--wait-for {view}: it is a view of {of}, which never shows a {kind} of {}",
            domain.name()
        ))
        .hint(format!("{} has the views {}", domain.name(), views.join(", "))))
    }
}

/// The view that `name` means: `view`, or `domain.view`; of a domain's own subcommand, what that shows.
///
/// # Errors
/// No such view, with those there are.
pub fn find<'a>(
    domains: &'a [Box<dyn DomainEntry>],
    config: &Config,
    name: &str,
) -> Result<View<'a>, CliError> {
    let (entries, wanted) = match name.split_once('.') {
        Some((domain, view)) => (vec![by_name(domains, domain)?], view),
        None => (domains.iter().map(|entry| &**entry).collect(), name),
    };
    let mut known = Vec::new();
    for entry in entries {
        let of_domain = tables(entry)?;
        let of_tool = entry.tools().iter().find(|tool| tool.name() == wanted).and_then(|tool| tool.view());
        let is_view = of_domain.iter().any(|table| table.name == wanted);
        let wanted = of_tool.filter(|_| !is_view).unwrap_or(wanted);
        known.extend(of_domain.iter().map(|table| table.name.clone()));
        if let Some(table) = of_domain.into_iter().chain(system_tables()).find(|table| table.name == wanted) {
            let families = entry.families(config)?;
            let family = families.iter().find(|family| family.views.contains(&table.name.as_str()));
            return Ok(View { entry, family: family.map(|family| family.name), table });
        }
    }
    let near = suggestion(wanted, known.iter().map(String::as_str));
    Err(CliError::usage(format!("there is no view {name}{near}"))
        .hint(format!("There are: {}", known.join(", "))))
}
