//! The matrix's program for Rust: sends the commands that stand on standard input, or reads the events of a domain.

use std::env;
use std::error::Error;
use std::io::{BufRead as _, stdin};
use std::process::ExitCode;
use std::time::Duration;

use millrace_sdk::accounting::AccountBalancesRow;
use millrace_sdk::envelope::{Outcome, Status};
use millrace_sdk::http::{HttpClient, Querying};
use millrace_sdk::kafka::{ClientConfig, KafkaClient};
use millrace_sdk::{Command, Messages, Read, Registry, encode_event, encode_outcome, messages_from_json};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

type Any = Box<dyn Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["send", how @ ("http" | "kafka")] => send(how == "http"),
        ["watch", account] => watch(account),
        [mode @ ("events" | "outcomes"), domain, count] => read(mode == "events", domain, count),
        _ => {
            Err("usage: millrace-sdk-driver send http|kafka, watch ACCOUNT, or events|outcomes DOMAIN COUNT"
                .into())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn address(name: &str) -> Result<String, Any> {
    env::var(name).map_err(|_| format!("{name} is to be the address of a server").into())
}

fn kafka() -> Result<KafkaClient, Any> {
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", address("KAFKA")?);
    let prefix = env::var("TOPIC_PREFIX").unwrap_or_default();
    Ok(KafkaClient::new(&settings, Registry::new(&address("REGISTRY")?), &prefix)?)
}

fn send(over_http: bool) -> Result<(), Any> {
    let http = HttpClient::new(&address("HTTP")?);
    let kafka = kafka()?;
    for line in stdin().lock().lines() {
        let given: Value = serde_json::from_str(&line?)?;
        let domain = given["domain"].as_str().unwrap_or_default();
        let mut told = None;
        macro_rules! of {
            ($domain:ident, $command:ident, $event:ident) => {
                if domain == stringify!($domain) {
                    let command = command::<millrace_sdk::$domain::$command>(&given)?;
                    told = Some(match over_http {
                        true => through_gateway(&http, &command)?,
                        false => answer(&kafka.send(&command, PATIENCE)?),
                    });
                }
            };
        }
        millrace_sdk::for_each_domain!(of);
        println!("{}", told.ok_or_else(|| format!("there is no domain {domain}"))?);
    }
    Ok(())
}

fn command<D: Messages>(given: &Value) -> Result<Command<D>, Any> {
    let data: D = messages_from_json(given["type"].as_str().unwrap_or_default(), &given["data"])?;
    let mut command = Command::new(data);
    command.id = given["id"].as_str().unwrap_or_default().to_owned();
    let metadata = &given["metadata"];
    command.metadata.user_id = metadata["user_id"].as_str().map(str::to_owned);
    command.metadata.expected_version = metadata["expected_version"].as_i64();
    Ok(command)
}

fn through_gateway<D: Messages>(http: &HttpClient, command: &Command<D>) -> Result<Value, Any> {
    match http.send(command) {
        Ok(found) => Ok(answer(&found.outcome)),
        Err(problem) if problem.is_passing() => Err(problem.into()),
        // what a gateway refuses was never sent
        Err(problem) => Ok(json!({"id": command.id, "status": "refused", "codes": [problem.kind()]})),
    }
}

fn answer(outcome: &Outcome) -> Value {
    let status = if outcome.status == Status::Accepted { "accepted" } else { "rejected" };
    let codes: Vec<&str> = outcome.violations.iter().map(|it| it.code.as_str()).collect();
    json!({"id": outcome.command_id, "status": status, "codes": codes})
}

/// The balance of an account, followed until it is there and then asked for once.
fn watch(account: &str) -> Result<(), Any> {
    let (http, key) = (HttpClient::new(&address("HTTP")?), [("account_id", account)]);
    let tell = |rows: &[AccountBalancesRow]| {
        let rows: Vec<Value> = rows
            .iter()
            .map(
                |it| json!({"account_id": it.account_id, "balance": it.balance.to_string(), "version": it.version.to_string()}),
            )
            .collect();
        println!("{}", json!({ "rows": rows }));
    };
    for rows in http.subscribe::<AccountBalancesRow>(&key, None) {
        let rows = rows?;
        if !rows.is_empty() {
            tell(&rows);
            break;
        }
    }
    tell(&http.query::<AccountBalancesRow>(&key, &Querying::default())?.rows);
    Ok(())
}

/// What was read is told as the bytes that it is written as again: so all of it is compared.
fn read(is_of_events: bool, domain: &str, count: &str) -> Result<(), Any> {
    let (kafka, count) = (kafka()?, count.parse()?);
    macro_rules! of {
        ($domain:ident, $command:ident, $event:ident) => {
            if domain == stringify!($domain) {
                return match is_of_events {
                    true => events_of::<millrace_sdk::$domain::$event>(&kafka, count),
                    false => outcomes_of::<millrace_sdk::$domain::$command>(&kafka, count),
                };
            }
        };
    }
    millrace_sdk::for_each_domain!(of);
    Err(format!("there is no domain {domain}").into())
}

fn events_of<D: Messages>(kafka: &KafkaClient, count: usize) -> Result<(), Any> {
    let mut events = kafka.events::<D>()?;
    for number in 0..count {
        let Some(event) = events.next_within(PATIENCE)? else {
            return Err(format!("{}: there are {number} events and no more", D::TOPIC.name).into());
        };
        match event {
            Read::Known(event) => tell(&event.id, Some(event.data.name()), &encode_event(&event)),
            Read::Unknown(it) => return Err(format!("{} is not known", it.name).into()),
        }
    }
    Ok(())
}

fn outcomes_of<D: Messages>(kafka: &KafkaClient, count: usize) -> Result<(), Any> {
    let mut outcomes = kafka.outcomes::<D>()?;
    for number in 0..count {
        let Some(outcome) = outcomes.next_within(PATIENCE)? else {
            return Err(format!("{}: there are {number} outcomes and no more", D::OUTCOMES.name).into());
        };
        tell(&outcome.command_id, outcome.command_type.as_deref(), &encode_outcome(&outcome));
    }
    Ok(())
}

fn tell(id: &str, name: Option<&str>, bytes: &[u8]) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{}", json!({"id": id, "type": name, "bytes": hex}));
}
