//! Writes what a processor would have left behind: states of accounts, and outcomes of the last hour.

use millrace_domain_accounting::messages::commands::Deposit;
use millrace_domain_accounting::messages::state::Account;
use millrace_domain_accounting::{CommandData, State, account};
use millrace_kernel::{Digest, Outcome, Position, StateData, Status, Version, partition};
use millrace_ports::{Clock, SystemClock};
use serde_json::json;

use crate::error::Failure;
use crate::mix::{account_id, owner_id};
use crate::sender::{Outgoing, Sender};
use crate::servers::Servers;

/// Every account was opened and got one deposit.
const VERSION: i64 = 2;
/// What is in every account, in cents.
const BALANCE: i64 = 5_000;
/// Over how long the outcomes are spread: a little less than the window, which reaches back an hour.
const SPREAD_MICROS: i64 = 3_500_000_000;

/// Writes the states of open accounts, `recorded_at` rising to now. A `changelog` gets the same bytes under the
/// account's id, as the Kafka Streams peer keeps them.
///
/// # Errors
/// Servers that do not answer.
pub fn states(
    servers: &Servers,
    accounts: u64,
    changelog: Option<String>,
) -> Result<serde_json::Value, Failure> {
    let codec = servers.states()?;
    let is_changelog = changelog.is_some();
    let topic = changelog.unwrap_or_else(|| servers.topic("state"));
    let partitions = servers.partitions(&topic)?;
    let mut sender = Sender::new(servers, topic)?;
    let first_at = SystemClock.now_micros() - i64::try_from(accounts).unwrap_or(i64::MAX);
    for number in 0..accounts {
        let key = account_id(number);
        let id = account::id(&key);
        let recorded_at = first_at + number as i64;
        let state = State::Account(Account {
            owner_id: owner_id(number).into(),
            currency: "EUR".into(),
            balance: BALANCE,
            reserved: Vec::new(),
            closed: false,
        });
        let value = codec.encode(&State::to_record(&id, VERSION, recorded_at, 0, Some(&state)));
        sender.send(&Outgoing {
            partition: partition::of_key(key.as_bytes(), partitions),
            key: if is_changelog { &key } else { id.as_str() },
            value: &value,
            timestamp_ms: Some(recorded_at / 1_000),
        })?;
    }
    let (records, seconds) = sender.finish()?;
    Ok(json!({ "records": records, "seconds": seconds }))
}

/// Writes outcomes of deposits, `recorded_at` rising through the last hour to now.
///
/// # Errors
/// Servers that do not answer.
pub fn outcomes(servers: &Servers, ids: u64) -> Result<serde_json::Value, Failure> {
    let codec = servers.outcomes()?;
    let topic = servers.topic("outcomes");
    let commands = servers.topic("commands");
    let partitions = servers.partitions(&topic)?;
    let mut sender = Sender::new(servers, topic)?;
    let first_at = SystemClock.now_micros() - SPREAD_MICROS;
    for number in 0..ids {
        let recorded_at =
            first_at + (i128::from(SPREAD_MICROS) * i128::from(number) / i128::from(ids)) as i64;
        let partition = (number % partitions as u64) as i32;
        let asked = CommandData::from(Deposit {
            account_id: account_id(number).into(),
            amount: BALANCE,
            currency: "EUR".into(),
            reference: "invoice 000000".into(),
        });
        let outcome = Outcome {
            command_id: (format!(
                "{:08x}-0000-4000-8000-{number:012x}",
                number.wrapping_mul(0x9e37_79b9) as u32
            ))
            .into(),
            status: Status::Accepted,
            duplicate: false,
            positions: vec![Position {
                topic: commands.clone().into(),
                partition,
                offset: number as i64,
                epoch: 0,
            }],
            versions: vec![Version {
                aggregate_id: account::id(&account_id(number)).as_str().into(),
                version: VERSION,
            }],
            violations: Vec::new(),
            recorded_at,
            command_type: Some("Deposit".into()),
            failure: None,
            digest: Some(Digest::of(&asked)),
        };
        let value = codec.encode(&outcome);
        sender.send(&Outgoing {
            partition,
            key: &outcome.command_id,
            value: &value,
            timestamp_ms: Some(recorded_at / 1_000),
        })?;
    }
    let (records, seconds) = sender.finish()?;
    Ok(json!({ "records": records, "seconds": seconds }))
}
