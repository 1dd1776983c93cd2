//! The matrix's program for Rust: sends the commands that stand on standard input, or reads the events of a domain.

use std::env;
use std::error::Error;
use std::io::{BufRead as _, stdin};
use std::process::ExitCode;
use std::time::Duration;

use millrace_sdk::envelope::{Outcome, Status};
use millrace_sdk::http::HttpClient;
use millrace_sdk::kafka::{ClientConfig, KafkaClient};
use millrace_sdk::{Command, Messages, Read, Registry, messages_from_json};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

type Any = Box<dyn Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["send", how @ ("http" | "kafka")] => send(how == "http"),
        ["events", domain, count] => events(domain, count),
        _ => Err("usage: millrace-sdk-driver send http|kafka, or events DOMAIN COUNT".into()),
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
    Ok(KafkaClient::new(&settings, Registry::new(&address("REGISTRY")?), "")?)
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
    command.metadata.expected_version = given["expected_version"].as_i64();
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

fn events(domain: &str, count: &str) -> Result<(), Any> {
    let (kafka, count) = (kafka()?, count.parse()?);
    macro_rules! of {
        ($domain:ident, $command:ident, $event:ident) => {
            if domain == stringify!($domain) {
                return events_of::<millrace_sdk::$domain::$event>(&kafka, count);
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
        let (id, name, aggregate_id, version) = match &event {
            Read::Known(event) => (&event.id, event.data.name(), &event.aggregate_id, event.version),
            Read::Unknown(it) => {
                let event = it.event.as_ref().ok_or("an event has an envelope")?;
                (&event.id, it.name.as_str(), &event.aggregate_id, event.version)
            }
        };
        println!(
            "{}",
            json!({"id": id, "type": name, "aggregate_id": aggregate_id, "version": version.to_string()})
        );
    }
    Ok(())
}
