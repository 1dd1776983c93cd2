//! What a partition's state costs, with nothing around it: no broker, no decisions.
//!
//! `commands` answers commands and changes one aggregate for each, in batches of a thousand;
//! `open` fills a store once and opens it; `restore` takes in the records of both topics.
//! CPU is that of the whole process, with everything that is written, merged and cleaned beside the lane.

mod clock;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use clap::{Parser, Subcommand};
use millrace_kernel::AggregateId;
use millrace_localstate::LocalDir;
use millrace_ports::{Identity, LocalFault, LocalStores};
use millrace_runtime::LocalState;
use millrace_runtime::ProcessorSettings;
use millrace_runtime::processor::copy::Reached;
use millrace_runtime::processor::local::open_alone;
use millrace_runtime::processor::state::{Decode, Overlay, PartitionState, Versioned};
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::clock::{Spent, memory_mb};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures what durable state costs.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// How many aggregates there are.
    #[arg(long, global = true, default_value_t = 1_000_000)]
    aggregates: u64,
    /// Length of an encoded state, in bytes.
    #[arg(long, global = true, default_value_t = 120)]
    state_bytes: usize,
    /// Length of an encoded outcome, in bytes.
    #[arg(long, global = true, default_value_t = 130)]
    outcome_bytes: usize,
    /// Bytes of the cache.
    #[arg(long, global = true, default_value_t = 256 << 20)]
    cache_bytes: usize,
    /// Where stores are made; each is deleted first.
    #[arg(long, global = true, default_value = "target/bench-state")]
    dir: PathBuf,
}

#[derive(Subcommand, Clone, Copy)]
enum What {
    /// Answers commands: with `--no-changes` nothing else, with `--no-answers` only changes.
    Commands {
        #[arg(long, default_value_t = 4_000_000)]
        commands: u64,
        #[arg(long)]
        no_changes: bool,
        #[arg(long)]
        no_answers: bool,
        /// In memory alone.
        #[arg(long)]
        in_memory: bool,
    },
    /// Fills a store with aggregates and so many answers, ends, and opens it.
    Open {
        #[arg(long, default_value_t = 5_000_000)]
        answers: u64,
        /// The store is there from an earlier run.
        #[arg(long)]
        filled: bool,
    },
    /// Gets aggregates at random that fit into the cache, and some that do not.
    Get {
        #[arg(long, default_value_t = 3_000_000)]
        gets: u64,
    },
}

type Failure = Box<dyn std::error::Error>;
type State = PartitionState<Vec<u8>>;

const BATCH: u64 = 1_000;

struct Bench {
    arguments: Arguments,
    settings: ProcessorSettings,
    local: LocalState,
    identity: Identity,
    random: SmallRng,
    now: i64,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let (what, dir) = (arguments.what, arguments.dir.clone());
    let stores = Arc::new(LocalDir::new(dir));
    let mut bench = Bench::new(arguments, stores);
    match what {
        What::Commands { commands, no_changes, no_answers, in_memory } => {
            bench.commands(commands, !no_changes, !no_answers, in_memory)
        }
        What::Open { answers, filled } => bench.open(answers, filled),
        What::Get { gets } => bench.get(gets),
    }
}

fn decode() -> Decode<Vec<u8>> {
    Arc::new(|_, bytes| Ok(Versioned { version: 1, recorded_at: 1, state: Some(Arc::new(bytes.to_vec())) }))
}

fn account(number: u64) -> AggregateId {
    AggregateId::new("Account", &[&format!("account-{number:08}")])
}

impl Bench {
    fn new(arguments: Arguments, stores: Arc<dyn LocalStores>) -> Self {
        let local = LocalState::new(stores, arguments.cache_bytes);
        let identity = Identity { topic: Arc::from("bench.state"), partition: 0, partitions: 1, format: 1 };
        let (settings, random) = (ProcessorSettings::default(), SmallRng::seed_from_u64(1));
        Self { arguments, settings, local, identity, random, now: 1_700_000_000_000_000 }
    }

    fn place(&self) -> PathBuf {
        self.arguments.dir.join(&*self.identity.topic)
    }

    fn opened(&self) -> Result<State, LocalFault> {
        open_alone(&self.local, &self.identity, decode(), &self.settings, self.now)
    }

    fn fresh(&self) -> Result<State, Failure> {
        drop(std::fs::remove_dir_all(self.place().join("0")));
        Ok(self.opened()?)
    }

    fn bytes(&mut self, length: usize) -> Bytes {
        let mut bytes = vec![0; length];
        self.random.fill_bytes(&mut bytes);
        bytes.into()
    }

    /// One batch: its changes and answers, merged, and a checkpoint when it is due.
    fn batch(&mut self, state: &mut State, numbers: &[u64], answers: u64) -> Result<(), Failure> {
        let mut overlay = Overlay::default();
        for number in numbers {
            let id = account(*number);
            drop(state.get(&id));
            let encoded = Bytes::from(vec![*number as u8; self.arguments.state_bytes]);
            let decoded = Arc::new(encoded.to_vec());
            overlay.write(
                id,
                Versioned { version: 2, recorded_at: self.now, state: Some(decoded) },
                Some(encoded),
            );
        }
        let outcome = vec![7; self.arguments.outcome_bytes];
        for _ in 0..answers {
            let command_id = format!("{:032x}", self.random.random::<u128>());
            if state.answer(&command_id).is_some() {
                return Err("a new id was answered before".into());
            }
            self.now += 10;
            overlay.answer(&command_id, self.now, &outcome);
        }
        state.merge(overlay);
        state.check()?;
        self.tend(state)
    }

    fn tend(&mut self, state: &mut State) -> Result<(), Failure> {
        state.tend_checkpoint(self.now)?;
        if state.is_checkpoint_due(self.now) {
            state.freeze(Reached { state: 1, outcomes: Some(1) }, self.now, self.now);
            state.write_checkpoint();
        }
        Ok(())
    }

    /// Waits for the checkpoint under way, and takes another one of what is left.
    fn settle(&mut self, state: &mut State) -> Result<(), Failure> {
        for _ in 0..2 {
            while !state.can_freeze() {
                state.tend_checkpoint(self.now)?;
                std::thread::yield_now();
            }
            state.freeze(Reached { state: 1, outcomes: Some(1) }, self.now, self.now);
            state.write_checkpoint();
        }
        while !state.can_freeze() {
            state.tend_checkpoint(self.now)?;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(())
    }

    fn fill(&mut self, state: &mut State) -> Result<(), Failure> {
        let all = self.arguments.aggregates;
        for from in (0..all).step_by(BATCH as usize) {
            let numbers: Vec<u64> = (from..(from + BATCH).min(all)).collect();
            self.batch(state, &numbers, 0)?;
        }
        self.settle(state)
    }

    fn commands(
        &mut self,
        commands: u64,
        changes: bool,
        answers: bool,
        in_memory: bool,
    ) -> Result<(), Failure> {
        let mut state = if in_memory {
            use millrace_runtime::processor::window::Window;
            let window = Window::new(self.settings.dedup_window_seconds, self.settings.dedup_window_ids);
            PartitionState::in_memory(decode(), window)
        } else {
            self.fresh()?
        };
        if changes {
            let spent = Spent::now();
            if in_memory {
                for from in (0..self.arguments.aggregates).step_by(BATCH as usize) {
                    let numbers: Vec<u64> = (from..(from + BATCH).min(self.arguments.aggregates)).collect();
                    self.batch(&mut state, &numbers, 0)?;
                }
            } else {
                self.fill(&mut state)?;
            }
            println!(
                "filled with {}: {} an aggregate",
                self.arguments.aggregates,
                spent.each(self.arguments.aggregates)
            );
        }
        // what the loop around it costs, without any state
        let spent = Spent::now();
        for _ in 0..commands / BATCH / 4 {
            self.baseline(changes, answers);
        }
        let around = spent.each(commands / 4);
        let spent = Spent::now();
        for _ in 0..commands / BATCH {
            let numbers: Vec<u64> = if changes {
                (0..BATCH).map(|_| self.random.random_range(0..self.arguments.aggregates)).collect()
            } else {
                Vec::new()
            };
            self.batch(&mut state, &numbers, if answers { BATCH } else { 0 })?;
        }
        if !in_memory {
            self.settle(&mut state)?;
        }
        println!(
            "{commands} commands, {} aggregates: {} a command, of which the loop around it takes {around}; {:.0} MB in memory, {:.0} MB on disk",
            if changes { self.arguments.aggregates } else { 0 },
            spent.each(commands),
            memory_mb(),
            disk_mb(&self.place()),
        );
        Ok(())
    }

    fn baseline(&mut self, changes: bool, answers: bool) {
        let mut kept = Vec::new();
        for _ in 0..BATCH {
            if changes {
                let id = account(self.random.random_range(0..self.arguments.aggregates));
                let encoded = Bytes::from(vec![1; self.arguments.state_bytes]);
                kept.push((id, Arc::new(encoded.to_vec()), encoded));
            }
            if answers {
                std::hint::black_box(format!("{:032x}", self.random.random::<u128>()));
            }
        }
        std::hint::black_box(kept);
    }

    fn open(&mut self, answers: u64, filled: bool) -> Result<(), Failure> {
        if !filled {
            self.fill_to_open(answers)?;
        }
        let before = memory_mb();
        for _ in 0..3 {
            let spent = Spent::now();
            let state = self.opened()?;
            let found = state.get(&account(1)).is_some();
            state.check()?;
            println!(
                "opened with {} aggregates and {answers} answers, the first {}: {}; {:.0} MB on disk",
                self.arguments.aggregates,
                if found { "found" } else { "MISSING" },
                spent.seconds(),
                disk_mb(&self.place()),
            );
            println!("memory {before:.0} MB before, {:.0} MB with it open", memory_mb());
        }
        Ok(())
    }

    fn fill_to_open(&mut self, answers: u64) -> Result<(), Failure> {
        let mut state = self.fresh()?;
        self.fill(&mut state)?;
        for _ in 0..answers / BATCH {
            self.batch(&mut state, &[], BATCH)?;
        }
        // as after a crash under load: some writes came after the newest snapshot
        for _ in 0..1_000 {
            let numbers: Vec<u64> =
                (0..BATCH).map(|_| self.random.random_range(0..self.arguments.aggregates)).collect();
            self.batch(&mut state, &numbers, 0)?;
        }
        self.settle(&mut state)
    }

    fn get(&mut self, gets: u64) -> Result<(), Failure> {
        let mut state = self.fresh()?;
        self.fill(&mut state)?;
        drop(state);
        let state = self.opened()?;
        let all = self.arguments.aggregates;
        for round in ["first", "second"] {
            let spent = Spent::now();
            let mut random = SmallRng::seed_from_u64(9);
            for _ in 0..gets {
                if state.get(&account(random.random_range(0..all))).is_none() {
                    return Err("an aggregate is missing".into());
                }
            }
            println!(
                "{gets} gets of {all} aggregates, {round} round: {}; {} in memory",
                spent.each(gets),
                state.aggregate_count()
            );
        }
        let bytes = self.bytes(8);
        std::hint::black_box(bytes);
        state.check()?;
        println!("{:.0} MB in memory", memory_mb());
        Ok(())
    }
}

fn disk_mb(path: &Path) -> f64 {
    fn bytes(path: &Path) -> u64 {
        let Ok(entries) = std::fs::read_dir(path) else { return 0 };
        let sizes = entries.flatten().map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        });
        sizes.sum()
    }
    bytes(path) as f64 / 1e6
}
