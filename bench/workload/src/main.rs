//! `millrace-workload`: what the benchmarks feed to Millrace and to its peers, and how they ask what came of it.

mod check;
mod commands;
mod error;
mod fill;
mod keys;
mod mix;
mod rate;
mod sender;
mod servers;
mod topics;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::Failure;
use crate::keys::Distribution;
use crate::servers::Servers;

/// Writes the topics of accounting that a benchmark begins with, and reads what it ends with.
///
/// Everything is drawn from a seed, so that all systems get the same. Each subcommand prints one JSON object.
#[derive(Parser)]
#[command(name = "millrace-workload")]
struct Arguments {
    #[command(flatten)]
    servers: ServerArguments,
    #[command(subcommand)]
    action: Action,
}

#[derive(Args)]
struct ServerArguments {
    /// Brokers, as host:port
    #[arg(long, env = "MILLRACE_TEST_KAFKA")]
    kafka: String,
    /// URL of the schema registry
    #[arg(long, env = "MILLRACE_TEST_REGISTRY")]
    registry: String,
    /// What the names of the topics begin with
    #[arg(long, default_value = "")]
    topic_prefix: String,
}

#[derive(Subcommand)]
enum Action {
    /// Makes the topics of accounting as they are declared, but with this number of partitions
    Topics {
        /// How many partitions each has
        #[arg(long, default_value_t = 4)]
        partitions: i32,
    },
    /// Writes commands: OpenAccount for every account, then deposits and withdrawals
    Commands {
        /// How many accounts there are
        #[arg(long)]
        accounts: u64,
        /// How many commands follow the accounts
        #[arg(long)]
        count: u64,
        /// How the accounts are picked
        #[arg(long, value_enum, default_value_t = Distribution::Uniform)]
        keys: Distribution,
        /// The same seed gives the same commands
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Take the accounts for open
        #[arg(long)]
        no_open: bool,
    },
    /// Writes states of open accounts into the state topic, as a processor would have
    State {
        /// How many accounts
        #[arg(long)]
        aggregates: u64,
        /// Write into this topic (named in full) instead, whose keys are account ids: a peer's changelog
        #[arg(long)]
        changelog: Option<String>,
    },
    /// Writes outcomes of the last hour into the outcomes topic, so that the de-duplication window is full
    Outcomes {
        /// How many, over all partitions
        #[arg(long)]
        ids: u64,
    },
    /// Sends commands at a steady rate and times each until its outcome can be read
    Rate {
        /// Commands per second
        #[arg(long)]
        rate: u32,
        /// For how many seconds
        #[arg(long)]
        seconds: u32,
        /// Seconds at the same rate before, which do not count
        #[arg(long, default_value_t = 3)]
        warm_up: u32,
        /// How many accounts there are; they must be open
        #[arg(long)]
        accounts: u64,
        /// The same seed gives the same commands
        #[arg(long, default_value_t = 2)]
        seed: u64,
    },
    /// Reads outcomes and events, counts them, and condenses what they say into numbers that can be compared
    Check,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<serde_json::Value, Failure> {
    let given = arguments.servers;
    let servers = Servers::new(given.kafka, given.registry, given.topic_prefix);
    match arguments.action {
        Action::Topics { partitions } => topics::make(&servers, partitions),
        Action::Commands { accounts, count, keys, seed, no_open } => {
            commands::write(&servers, &commands::Wanted { accounts, count, keys, seed, open: !no_open })
        }
        Action::State { aggregates, changelog } => fill::states(&servers, aggregates, changelog),
        Action::Outcomes { ids } => fill::outcomes(&servers, ids),
        Action::Rate { rate, seconds, warm_up, accounts, seed } => {
            rate::measure(&servers, &rate::Load { rate, seconds, warm_up, accounts, seed })
        }
        Action::Check => check::condense(&servers),
    }
}
