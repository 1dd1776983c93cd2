//! What a command costs the engine, Kafka left out: one lane of the accounting domain decides
//! deposits and withdrawals that were made beforehand.
//!
//! Prints microseconds of CPU for a command, of the lane's whole process: with `--state-dir` that
//! includes writing checkpoints.

mod counted;
mod log;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use millrace_domain_accounting::messages::commands::{Deposit, OpenAccount, Withdraw};
use millrace_domain_accounting::{Accounting, CommandData};
use millrace_kernel::{Command, Domain, Metadata};
use millrace_localstate::LocalDir;
use millrace_ports::{Clock, LocalStores, Log, Record, SystemClock, TopicPartition};
use millrace_runtime::LocalState;
use millrace_runtime::copies::Copies;
use millrace_runtime::processor::codecs::Codecs;
use millrace_runtime::processor::lane::{Lane, Shared, Turn};
use millrace_runtime::processor::lookup::{LookupTables, MOST_AGE};
use millrace_runtime::processor::pseudonyms::Pseudonyms;
use millrace_runtime::{ProcessorSettings, Topology};
use millrace_wire::{MemoryRegistry, Registry};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::log::PreparedLog;

#[global_allocator]
static ALLOCATOR: counted::Counted = counted::Counted;

/// Measures what a command costs the engine without Kafka.
#[derive(Parser)]
struct Arguments {
    /// How many accounts the commands go to.
    #[arg(long, default_value_t = 10_000)]
    accounts: usize,
    /// How many commands are decided.
    #[arg(long, default_value_t = 1_000_000)]
    commands: usize,
    /// Most commands in a batch.
    #[arg(long, default_value_t = 1_000)]
    batch: usize,
    /// Keep local state in this folder.
    #[arg(long)]
    state_dir: Option<PathBuf>,
    /// Count allocations instead of measuring time.
    #[arg(long)]
    allocations: bool,
    /// Seed of keys and amounts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let names = Topology::new("", Accounting::NAME);
    let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
    let codecs = Arc::new(Codecs::<Accounting>::register(&registry, &names)?);
    let at = TopicPartition::new(Arc::clone(&names.commands), 0);
    let log = PreparedLog::new(at.clone(), records(&arguments, &codecs, &at)?);
    let settings = ProcessorSettings {
        batch_max_records: arguments.batch,
        standby_copies: 0,
        ..ProcessorSettings::default()
    };
    let stores = arguments.state_dir.as_ref().map(|dir| Arc::new(LocalDir::new(dir)) as Arc<dyn LocalStores>);
    let shared = Arc::new(Shared::<Accounting> {
        log: Arc::new(log.clone()),
        clock: Arc::new(SystemClock),
        names,
        partitions: 1,
        codecs,
        pseudonyms: Pseudonyms::default(),
        lookups: Arc::new(LookupTables::new(Vec::new(), Arc::new(SystemClock), MOST_AGE)),
        local: stores.map(|stores| LocalState::new(stores, settings.state_cache_bytes)),
        settings,
        copies: Arc::new(Copies::new(false)),
    });
    let group = Arc::from(log.join(&millrace_ports::GroupSpec {
        group_id: "bench".to_owned(),
        topic: at.topic,
        session_timeout: Duration::from_secs(10),
    })?);
    let mut lane = Lane::new(shared, group, 0);
    deliver(&mut lane, &log, arguments.accounts)?;
    if arguments.allocations {
        counted::begin();
    }
    let (began, cpu_before) = (Instant::now(), cpu_seconds());
    let all = arguments.accounts + arguments.commands;
    deliver(&mut lane, &log, all)?;
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
    if arguments.allocations {
        println!("{:.2} allocations a command", counted::counted() as f64 / arguments.commands as f64);
        return Ok(());
    }
    let written = log.written();
    println!(
        "{} commands, {} accounts: {:.2} µs CPU, {:.2} µs elapsed a command; {} records of {} bytes in {} transactions",
        arguments.commands,
        arguments.accounts,
        cpu * 1e6 / arguments.commands as f64,
        wall * 1e6 / arguments.commands as f64,
        written.records.load(Ordering::Relaxed),
        written.bytes.load(Ordering::Relaxed) / written.records.load(Ordering::Relaxed).max(1),
        written.transactions.load(Ordering::Relaxed),
    );
    Ok(())
}

/// Steps the lane until it has decided the first `commands` of the log.
fn deliver(lane: &mut Lane<Accounting>, log: &PreparedLog, commands: usize) -> Result<(), Failure> {
    log.deliver_until(commands);
    while lane.turn(Duration::ZERO)? == Turn::Progress {}
    Ok(())
}

/// One command to open each account, then deposits and, one in ten, withdrawals.
fn records(
    arguments: &Arguments,
    codecs: &Codecs<Accounting>,
    at: &TopicPartition,
) -> Result<Vec<Record>, Failure> {
    let mut random = SmallRng::seed_from_u64(arguments.seed);
    let now = SystemClock.now_micros();
    let mut records = Vec::with_capacity(arguments.accounts + arguments.commands);
    for index in 0..arguments.accounts + arguments.commands {
        let account =
            if index < arguments.accounts { index } else { random.random_range(0..arguments.accounts) };
        let account_id = format!("account-{account:08}");
        let key = Bytes::from(account_id.clone().into_bytes());
        let currency = "EUR".to_owned();
        let data: CommandData = if index < arguments.accounts {
            OpenAccount {
                account_id: account_id.into(),
                owner_id: format!("owner-{account:08}").into(),
                currency: currency.into(),
            }
            .into()
        } else if random.random_ratio(1, 10) {
            Withdraw {
                account_id: account_id.into(),
                amount: random.random_range(1..50),
                currency: currency.into(),
                reference: format!("invoice {index}").into(),
            }
            .into()
        } else {
            Deposit {
                account_id: account_id.into(),
                amount: random.random_range(1..10_000),
                currency: currency.into(),
                reference: format!("invoice {index}").into(),
            }
            .into()
        };
        let command = Command {
            id: format!("{:032x}", random.random::<u128>()).into(),
            metadata: Metadata::default(),
            data,
        };
        records.push(Record {
            topic: Arc::clone(&at.topic),
            partition: at.partition,
            offset: index as i64,
            timestamp_ms: now / 1_000,
            key: Some(key),
            value: Some(codecs.commands.encode(&command)),
            headers: Vec::new(),
        });
    }
    Ok(records)
}

/// CPU time of this process so far, in seconds: `man 5 proc`, fields utime and stime of `stat`,
/// which Linux counts in hundredths.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = |index: usize| -> f64 {
        // the second field is in parentheses and may hold spaces
        let fields = stat.rsplit(')').next().unwrap_or_default();
        fields.split_whitespace().nth(index - 3).and_then(|field| field.parse().ok()).unwrap_or(0.0)
    };
    (ticks(14) + ticks(15)) / 100.0
}
