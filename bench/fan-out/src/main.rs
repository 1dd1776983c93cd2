//! `millrace-bench-fan-out`: what the timelines of chirp cost, on the projector that fills them and to
//! who reads them.
//!
//! The events stand in a log in memory, so nothing but projector, reader and tables works. Each
//! subcommand but `commands` prints one JSON object.

mod bare;
mod commands;
mod edges;
mod fairness;
mod feed;
mod graph;
mod memory;
mod speed;
mod stage;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures fan-outs.
#[derive(Parser)]
#[command(name = "millrace-bench-fan-out")]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// What the graph and the posts are drawn from
    #[arg(long, global = true, default_value_t = 1)]
    seed: u64,
}

#[derive(Subcommand)]
enum What {
    /// Memory of a projector: for every person, every follow, a fan-out in flight, and every chirp
    Edges {
        /// How many people there are
        #[arg(long, default_value_t = 100_000)]
        people: u32,
        /// How many follows
        #[arg(long, default_value_t = 10_000_000)]
        follows: usize,
        /// How many chirps come then, by those whom few follow
        #[arg(long, default_value_t = 0)]
        chirps: usize,
        /// Keep all in memory, as without a folder for state
        #[arg(long)]
        in_memory: bool,
    },
    /// Print the network as commands, one JSON object a line, for `millrace load`
    Commands {
        /// How many people there are
        #[arg(long, default_value_t = 100_000)]
        people: u32,
        /// How many follows
        #[arg(long, default_value_t = 5_000_000)]
        follows: usize,
        /// How many chirps
        #[arg(long, default_value_t = 20_000)]
        chirps: u32,
    },
    /// Rows a second of a projector, and of the bare driver that writes the same rows, in turns
    Speed {
        /// How many people there are
        #[arg(long, default_value_t = 100_000)]
        people: u32,
        /// How many follows
        #[arg(long, default_value_t = 5_000_000)]
        follows: usize,
        /// How many rows the posts come to, about
        #[arg(long, default_value_t = 150_000)]
        rows: usize,
        /// How often each is measured
        #[arg(long, default_value_t = 4)]
        rounds: usize,
        #[command(flatten)]
        cql: Cql,
    },
    /// How long small authors' chirps take to their readers, with and without a giant who posts
    Fairness {
        /// Followers of the giant
        #[arg(long, default_value_t = 1_000_000)]
        audience: u32,
        /// How many small authors there are, of five readers each
        #[arg(long, default_value_t = 1_000)]
        small: u32,
        /// Posts of small authors a second
        #[arg(long, default_value_t = 100)]
        rate: u32,
        /// How long is measured, in seconds
        #[arg(long, default_value_t = 20)]
        seconds: u64,
        /// Also once with all rows of a chirp written at once
        #[arg(long)]
        at_once: bool,
        #[command(flatten)]
        cql: Cql,
    },
    /// How long a page of a feed takes, quietly and while fan-outs are written, beside the bare client
    Feed {
        /// Where the tables are
        #[arg(long, value_enum)]
        tables: feed::Tables,
        #[command(flatten)]
        amount: feed::Amount,
        /// The CQL server, as host:port
        #[arg(long, env = "MILLRACE_TEST_CQL")]
        cql: Option<String>,
    },
}

/// Where the CQL server is.
#[derive(clap::Args, Clone)]
struct Cql {
    /// The server, as host:port
    #[arg(long, env = "MILLRACE_TEST_CQL")]
    cql: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed = arguments.seed;
    let report = match arguments.what {
        What::Commands { people, follows, chirps } => {
            // whoever reads them may have enough before the end
            return match commands::print(people, follows, chirps, seed) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        What::Edges { people, follows, chirps, in_memory } => {
            edges::measure(people, follows, chirps, !in_memory, seed)
        }
        What::Speed { people, follows, rows, rounds, cql } => {
            speed::measure(&cql.cql, people, follows, rows, rounds, seed)
        }
        What::Feed { tables, amount, cql } => feed::measure(tables, cql.as_deref(), amount, seed),
        What::Fairness { audience, small, rate, seconds, at_once, cql } => {
            let scene = fairness::Scene { audience, small, rate, seconds };
            fairness::measure(&cql.cql, scene, at_once)
        }
    };
    match report {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
