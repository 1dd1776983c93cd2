//! `millrace-raw-copy`: for each command it reads it writes three records of the sizes that Millrace writes, in
//! transactions with the offsets it has read, and decides nothing. It is what `librdkafka` leaves to everybody else.

mod batched;
mod copy;
mod native;
mod read;
mod settings;
mod single;
mod sizes;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use clap::{Parser, ValueEnum};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use thiserror::Error;

use crate::settings::Settings;
use crate::sizes::Sizes;

/// How records are read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Calls {
    /// One producer a partition, one call a record, through `rdkafka`
    Single,
    /// Two producers a partition in rotation, `librdkafka`'s batch calls
    Batch,
}

/// Copies commands into events, state and outcomes until it is killed.
#[derive(Parser)]
#[command(name = "millrace-raw-copy")]
struct Arguments {
    /// Brokers, as host:port
    #[arg(long, env = "MILLRACE_TEST_KAFKA")]
    kafka: String,
    /// What the names of the topics begin with
    #[arg(long, default_value = "")]
    topic_prefix: String,
    /// How records are read and written
    #[arg(long, value_enum, default_value_t = Calls::Batch)]
    calls: Calls,
    /// Most commands in one transaction; less when no more have arrived
    #[arg(long, default_value_t = 10_000)]
    batch: usize,
    /// How long the producer gathers records, in milliseconds; the commit ends it
    #[arg(long, default_value_t = 5)]
    linger_ms: u32,
    /// Compression of what is written
    #[arg(long, default_value = "none")]
    compression: String,
    /// Copy nothing: read these topics (without the prefix) to their ends, say how long it took, and end
    #[arg(long, num_args = 1.., value_name = "TOPIC")]
    read: Vec<String>,
}

impl Arguments {
    fn settings(&self) -> Settings {
        Settings::new(
            self.kafka.clone(),
            &self.topic_prefix,
            self.linger_ms,
            self.compression.clone(),
            self.batch,
        )
    }
}

/// Why it ends.
#[derive(Debug, Error)]
pub enum Fault {
    /// Kafka did not do as asked, through `rdkafka`.
    #[error("{0}")]
    Kafka(#[from] KafkaError),
    /// Kafka did not do as asked, through `rdkafka-sys`.
    #[error("{doing}: {message}")]
    Native {
        /// What was tried.
        doing: &'static str,
        /// What the client said.
        message: String,
    },
    /// The sizes of the records are not known.
    #[error("the sample records cannot be encoded: {0}")]
    Sizes(String),
    /// A command that cannot be copied.
    #[error("partition {partition}, offset {offset}: {why}")]
    Command {
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// What is wrong with it.
        why: &'static str,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.read.is_empty() {
        return read(&arguments);
    }
    let fault = match run(arguments) {
        Ok(fault) | Err(fault) => fault,
    };
    eprintln!("error: {fault}");
    ExitCode::FAILURE
}

/// Reads, and prints what it came to as JSON.
fn read(arguments: &Arguments) -> ExitCode {
    let topics: Vec<_> =
        arguments.read.iter().map(|topic| format!("{}{topic}", arguments.topic_prefix)).collect();
    let settings = arguments.settings();
    match read::read_all(&settings, &topics) {
        Ok(all) => {
            println!(r#"{{"records": {}, "seconds": {:.3}}}"#, all.records, all.seconds);
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("error: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// Works until something fails, and says what.
fn run(arguments: Arguments) -> Result<Fault, Fault> {
    let settings = arguments.settings();
    let sizes = Sizes::measure(&settings.commands)?;
    let consumer: Arc<BaseConsumer> = Arc::new(settings.consumer().create()?);
    let metadata = consumer.fetch_metadata(Some(&settings.commands), settings::PATIENCE)?;
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    let settings = Arc::new(settings);
    // each partition gets its own queue before there is anything in it: what came before would be lost
    let lanes = (0..partitions as i32)
        .map(|partition| lane(arguments.calls, &settings, &consumer, sizes, partition))
        .collect::<Result<Vec<_>, _>>()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions as i32 {
        list.add_partition_offset(&settings.commands, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (failed, failures) = channel();
    for lane in lanes {
        let failed = failed.clone();
        thread::spawn(move || {
            if let Err(fault) = lane() {
                // the main thread waits for the first one and ends the process
                let _ = failed.send(fault);
            }
        });
    }
    loop {
        // records go to the partitions' own queues; here come errors of the client as a whole
        if let Some(Err(error)) = consumer.poll(settings::LOOK) {
            return Ok(error.into());
        }
        if let Ok(fault) = failures.try_recv() {
            return Ok(fault);
        }
    }
}

/// What copies one partition until something fails.
type Lane = Box<dyn FnOnce() -> Result<(), Fault> + Send>;

fn lane(
    calls: Calls,
    settings: &Arc<Settings>,
    consumer: &Arc<BaseConsumer>,
    sizes: Sizes,
    partition: i32,
) -> Result<Lane, Fault> {
    Ok(match calls {
        Calls::Single => {
            let lane = single::Lane::open(settings, consumer, sizes, partition)?;
            Box::new(move || lane.run())
        }
        Calls::Batch => {
            let lane = batched::Lane::open(settings, consumer, sizes, partition)?;
            Box::new(move || lane.run())
        }
    })
}
