//! `millrace-services`: starts the servers of the tests once for a whole run, and fetches what they need.

mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use millrace_services::{Package, ServiceError, api_python_env, fetch, python_env};

/// Real Kafka, CQL and registry servers for tests.
///
/// Example: millrace-services exec -- cargo test --workspace
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Fetches the servers into the cache and starts nothing.
    Fetch {
        /// Which servers; all when not given.
        #[arg(value_enum)]
        servers: Vec<Server>,
    },
    /// Starts servers, runs a command with their addresses in its environment, stops them, exits with its code.
    Exec {
        /// Which servers; all when not given. Those whose MILLRACE_TEST_… variable is set are used as they are.
        #[arg(long, value_enum, value_delimiter = ',')]
        servers: Vec<Server>,
        /// The command and its arguments, after `--`.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Starts servers, prints their addresses and keeps them until SIGINT or SIGTERM.
    Up {
        /// Which servers; all when not given.
        #[arg(long, value_enum, value_delimiter = ',')]
        servers: Vec<Server>,
    },
    /// Prints the path of a Python that has the clients of the tests, installing them once.
    Python {
        /// One that has what reads OpenAPI documents instead.
        #[arg(long)]
        api: bool,
    },
}

/// A server on the command line.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Server {
    Kafka,
    Cql,
    Registry,
}

impl From<Server> for Package {
    fn from(server: Server) -> Self {
        match server {
            Server::Kafka => Package::Kafka,
            Server::Cql => Package::Cassandra,
            Server::Registry => Package::Registry,
        }
    }
}

fn main() -> ExitCode {
    let done = match Arguments::parse().action {
        Action::Fetch { servers } => fetch_all(&packages(&servers)),
        Action::Exec { servers, command } => run::exec(&packages(&servers), &command),
        Action::Up { servers } => run::up(&packages(&servers)),
        Action::Python { api } => if api { api_python_env() } else { python_env() }.map(|python| {
            println!("{}", python.display());
            ExitCode::SUCCESS
        }),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {}", run::chain(&error));
        ExitCode::FAILURE
    })
}

fn packages(servers: &[Server]) -> Vec<Package> {
    if servers.is_empty() {
        return Package::ALL.to_vec();
    }
    Package::ALL
        .into_iter()
        .filter(|&package| servers.iter().any(|&server| Package::from(server) == package))
        .collect()
}

fn fetch_all(packages: &[Package]) -> Result<ExitCode, ServiceError> {
    for &package in packages {
        println!("{} {}", package.name(), fetch(package)?.display());
    }
    Ok(ExitCode::SUCCESS)
}
