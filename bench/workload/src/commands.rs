//! Writes the commands of a throughput run beforehand.

use millrace_domain_accounting::CommandData;
use millrace_kernel::{Addressed, Command, partition};
use millrace_ports::{Clock, SystemClock};
use millrace_wire::Codec;
use serde_json::json;

use crate::error::Failure;
use crate::keys::Distribution;
use crate::mix::Mix;
use crate::sender::{Outgoing, Sender};
use crate::servers::Servers;

/// What is to be written.
pub struct Wanted {
    /// How many accounts there are.
    pub accounts: u64,
    /// How many deposits and withdrawals.
    pub count: u64,
    /// How accounts are picked.
    pub keys: Distribution,
    /// Where the draw begins.
    pub seed: u64,
    /// Whether the accounts are opened first.
    pub open: bool,
}

/// Writes them.
///
/// # Errors
/// Servers that do not answer.
pub fn write(servers: &Servers, wanted: &Wanted) -> Result<serde_json::Value, Failure> {
    let topic = servers.topic("commands");
    let partitions = servers.partitions(&topic)?;
    let codec = servers.commands()?;
    let mut sender = Sender::new(servers, topic)?;
    let mut mix = Mix::new(wanted.seed, wanted.keys, wanted.accounts);
    let now = SystemClock.now_micros();
    let mut send = |command: &Command<CommandData>| send(&mut sender, &codec, partitions, command);
    if wanted.open {
        for number in 0..wanted.accounts {
            send(&mix.open(number, now))?;
        }
    }
    for _ in 0..wanted.count {
        send(&mix.next(now))?;
    }
    let (records, seconds) = sender.finish()?;
    Ok(json!({ "records": records, "seconds": seconds }))
}

fn send(
    sender: &mut Sender,
    codec: &Codec<Command<CommandData>>,
    partitions: i32,
    command: &Command<CommandData>,
) -> Result<(), Failure> {
    let key = command.data.routing_key();
    let partition = partition::of_key(key.as_bytes(), partitions);
    let value = codec.encode(command);
    sender.send(&Outgoing { partition, key: &key, value: &value, timestamp_ms: None })
}
