//! From the command line to the command.

use std::io::Write as _;
use std::process::ExitCode;

use millrace_gateway::pages::PageFile;
use millrace_kernel::Domain;

use crate::args::{Cli, Command, SchemasAction, TablesAction, TopicsAction};
use crate::config::{Config, explain};
use crate::connect::{self, Servers};
use crate::domain::{DomainEntry, domain};
use crate::endpoints::Endpoints;
use crate::error::CliError;
use crate::tool::Tool;
use crate::{
    architecture, dead, demo, examine, gateway, load, logging, new_domain, output, pseudonyms, published,
    query, rebuild, roles, schemas, seal, send, status, tables, token, tool, topics, up, watch,
};

/// The binary under construction: its domains.
#[derive(Default)]
pub struct App {
    domains: Vec<Box<dyn DomainEntry>>,
    pages: &'static [PageFile],
}

impl App {
    /// No domains yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a domain: `app.domain::<Chirp>()`.
    #[must_use]
    pub fn domain<D: Domain>(self) -> Self {
        self.entry(domain::<D>())
    }

    /// Adds a domain whose settings are checked before anything is started.
    #[must_use]
    pub fn checked_domain<D: Domain>(self, check: fn(&D::Settings) -> Result<(), String>) -> Self {
        self.entry(domain::<D>().checked_by(check))
    }

    /// Adds a subcommand to the domain that was added last.
    ///
    /// # Panics
    /// Before any domain was added.
    #[must_use]
    pub fn tool(mut self, tool: impl Tool + 'static) -> Self {
        let entry = self.domains.last_mut().expect("a subcommand is added behind its domain");
        entry.add_tool(Box::new(tool));
        self
    }

    /// Has the gateway serve these pages.
    #[must_use]
    pub fn pages(mut self, pages: &'static [PageFile]) -> Self {
        self.pages = pages;
        self
    }

    fn entry(mut self, entry: impl DomainEntry + 'static) -> Self {
        self.domains.push(Box::new(entry));
        self
    }

    /// Does what the command line says; the process's exit code.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match execute(Cli::read(&self.domains), &self) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                error.print();
                error.exit_code()
            }
        }
    }
}

/// Does what the command line says, with these domains; the process's exit code.
#[must_use]
pub fn run(domains: Vec<Box<dyn DomainEntry>>) -> ExitCode {
    App { domains, ..App::default() }.run()
}

fn execute(cli: Cli, app: &App) -> Result<(), CliError> {
    let domains = &app.domains[..];
    match &cli.command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::whole(domains), "millrace", &mut script);
            return Ok(std::io::stdout().write_all(&script)?);
        }
        Command::NewDomain { name } => return new_domain::run(domains, name),
        Command::Metrics => {
            return Ok(std::io::stdout().write_all(millrace_telemetry::manual().as_bytes())?);
        }
        // the manual must be readable while the configuration is wrong
        Command::Config { explain: true, .. } => {
            return Ok(std::io::stdout().write_all(explain::reference(domains).as_bytes())?);
        }
        _ => {}
    }
    published::check(domains)?;
    let mut inputs = cli.inputs()?;
    inputs.environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    // one that starts its own servers needs nobody else's
    if !cli.command.needs_no_servers() {
        inputs.up = Endpoints::find();
    }
    let config = inputs.load(domains)?;
    check_heeded(&cli.command, &config)?;
    for entry in domains {
        entry.check_settings(&config)?;
    }
    logging::start(&config.settings, &cli.command)?;
    let is_role = cli.command.is_role();
    let done = dispatch(cli.command, &config, app);
    // the client knows only that nobody answers; others may know why
    done.map_err(|error| match error.is_of_kafka() && !is_role {
        true => error.hints(&connect::why_not(&config)),
        false => error,
    })
}

/// Refuses flags that the command would not heed, where whoever gives one expects something else to happen.
fn check_heeded(command: &Command, config: &Config) -> Result<(), CliError> {
    if matches!(command, Command::Config { .. }) {
        // it shows what is set, whatever that means to others
        return Ok(());
    }
    if !command.is_role() && config.origin("health_port") == "--health-port" {
        return Err(CliError::usage("--health-port: this command ends by itself and serves no health")
            .hint("`millrace up`, `demo`, `processor`, `projector` and `gateway` do."));
    }
    let settings = &config.settings;
    let is_in_files = settings.cql.is_empty() && !settings.sqlite.is_empty();
    if is_in_files && config.origin("keyspace") == "--keyspace" {
        return Err(CliError::usage(format!(
            "--keyspace is of tables on CQL, and these are in SQLite files (sqlite is set by {})",
            config.origin("sqlite")
        ))
        .hint("Give --cql HOSTS as well."));
    }
    Ok(())
}

fn dispatch(command: Command, config: &Config, app: &App) -> Result<(), CliError> {
    let (domains, pages) = (&app.domains[..], app.pages);
    let servers = Servers::new(config);
    match command {
        Command::Up(_) => up::run(config, domains, pages),
        Command::Demo(demo) => demo::run(config, domains, pages, &demo),
        Command::Processor { domains: names, .. } => roles::processor(config, domains, &names),
        Command::Gateway { openapi: true, .. } => gateway::print_openapi(config, domains),
        Command::Gateway { asyncapi: true, .. } => gateway::print_asyncapi(config, domains),
        Command::Gateway { .. } => gateway::run(config, domains, pages),
        Command::Token(chosen) => token::run(config, &chosen),
        Command::SealKey(chosen) => seal::make_key(&chosen),
        Command::Unseal(chosen) => seal::unseal(&servers, domains, &chosen),
        Command::PseudonymKey(chosen) => pseudonyms::print(&chosen),
        Command::Projector { views, .. } => roles::projector(config, domains, &views),
        Command::Topics(topics) => {
            let apply = topics.action == TopicsAction::Apply;
            topics::run(&servers, domains, &topics.domains, apply, topics.json)
        }
        Command::Schemas(schemas) => {
            let register = schemas.action == SchemasAction::Register;
            schemas::run(&servers, domains, &schemas.domains, register, schemas.json)
        }
        Command::Tables(tables) => {
            let apply = tables.action == TablesAction::Apply;
            tables::run(&servers, domains, &tables.domains, apply, tables.json)
        }
        Command::Send(send) => send::run(&servers, domains, &send),
        Command::Load(load) => load::run(&servers, domains, &load),
        Command::Query(query) => query::run(&servers, domains, &query),
        Command::Watch(chosen) => watch::run(&servers, domains, &chosen),
        Command::Verify(verify) => examine::verify::run(&servers, domains, &verify),
        Command::History(history) => examine::history::run(&servers, domains, &history),
        Command::Explain(explain) => examine::explain::run(&servers, domains, &explain),
        Command::Rebuild(chosen) => rebuild::run(&servers, domains, &chosen),
        Command::Dead(chosen) => dead::run(&servers, domains, &chosen),
        Command::Status { watch: true, every, .. } => status::watch::run(&servers, domains, every),
        Command::Status { json, .. } => status::run(&servers, domains, json),
        Command::Faults { json } => status::faults::run(&servers, domains, json),
        Command::Views { domains: names, json } => status::views::run(&servers, domains, &names, json),
        Command::Architecture(chosen) => architecture::run(&servers, domains, &chosen),
        Command::Config { json, .. } => output::configuration(config, json),
        Command::Own { name, given } => match tool::by_name(domains, &name) {
            Some((domain, tool)) => tool.run(&servers, domain, &given),
            None => Err(CliError::usage(format!("there is no subcommand {name}"))),
        },
        Command::NewDomain { .. } | Command::Metrics | Command::Completions { .. } => Ok(()),
    }
}
