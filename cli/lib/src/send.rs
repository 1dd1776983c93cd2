//! `millrace send`: one command, and if asked for what became of it.

mod by_http;

use std::time::{Duration, Instant};

use millrace_gateway::seal::PublicKeys;
use millrace_kafka::{KafkaProducer, Message};
use millrace_kernel::{Digest, Metadata, Outcome, Status, id, partition};
use millrace_ports::{Clock as _, Log as _, SystemClock};
use millrace_runtime::Topology;
use millrace_runtime::progress::wait_until;
use millrace_wire::Codec;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::args;
use crate::connect::Servers;
use crate::dead::unanswered;
use crate::domain::{CommandEncoder, DomainEntry, Encoded, by_name};
use crate::error::CliError;
use crate::message::{Catalogue, Found, Sealing, check_data, from_text};
use crate::nearest::suggestion;
use crate::outcomes::Outcomes;
use crate::status::processes;
use crate::trace::Trace;
use crate::views::Awaited;
use crate::{foreign, output, seal};

/// How long the broker may take to acknowledge one record.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);

/// A domain's commands topic, ready to be sent to.
pub struct Target {
    /// The topic.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: i32,
    /// Makes records of commands.
    pub encoder: Box<dyn CommandEncoder>,
}

impl Target {
    /// The commands topic of `entry`.
    ///
    /// # Errors
    /// A missing topic or schema, or servers that do not answer.
    pub fn open(
        servers: &Servers<'_>,
        log: &millrace_kafka::KafkaLog,
        registry: std::sync::Arc<dyn millrace_wire::Registry>,
        entry: &dyn DomainEntry,
    ) -> Result<Self, CliError> {
        let topic = Topology::new(servers.prefix(), entry.name()).commands.to_string();
        let partitions = log.partitions(&topic)?;
        Ok(Self { partitions, encoder: entry.encoder(registry, servers.prefix())?, topic })
    }

    /// The same, and what reads the answers if they are wanted; the registry is asked for both at once.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub fn open_to_wait(
        servers: &Servers<'_>,
        log: &millrace_kafka::KafkaLog,
        registry: &std::sync::Arc<dyn millrace_wire::Registry>,
        entry: &dyn DomainEntry,
        waits: bool,
    ) -> Result<(Self, Option<Codec<Outcome>>), CliError> {
        std::thread::scope(|scope| {
            let codec = || Outcomes::codec(registry.clone(), entry, servers.prefix());
            let codec = waits.then(|| scope.spawn(codec));
            let target = Self::open(servers, log, registry.clone(), entry)?;
            let codec = codec.map(|asked| asked.join().unwrap_or_else(|_| Err(CliError::failed("a bug"))));
            Ok((target, codec.transpose()?))
        })
    }

    /// The record for an encoded command.
    #[must_use]
    pub fn message(&self, encoded: Encoded) -> Message {
        Message {
            topic: self.topic.clone(),
            partition: partition::of_key(encoded.key.as_bytes(), self.partitions),
            key: Some(encoded.key.into()),
            value: Some(encoded.value.into()),
            timestamp_ms: None,
            headers: Vec::new(),
        }
    }
}

/// Runs `millrace send`.
///
/// # Errors
/// Wrong usage, servers that do not answer, no answer in time; or the command was rejected.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    send: &args::Send,
) -> Result<(), CliError> {
    let catalogue = Catalogue::of(domains)?;
    let found = catalogue.find(&send.kind)?;
    let metadata = Metadata {
        user_id: send.user.as_ref().map(Into::into),
        issued_at: Some(send.issued_at.unwrap_or_else(|| SystemClock.now_micros())),
        expected_version: send.expected_version,
        ..Metadata::default()
    };
    let command_id = send.id.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    if !id::is_valid(&command_id) {
        return Err(CliError::usage(format!("--id {command_id:?}: {}", id::ID_RULE)));
    }
    let seals_for = match found.kind.has_secrets() {
        true => seal::public_keys(servers.config)?,
        false => PublicKeys::default(),
    };
    let sealing = match send.http {
        Some(_) => Sealing::ByGateway,
        None => Sealing::with(seals_for.newest(), &command_id),
    };
    let data = check_data(found.kind, typed_fields(found, &send.fields)?, sealing)?;
    let entry = by_name(domains, &found.domain.domain)?;
    let awaited = send.wait_for.as_deref().map(|name| Awaited::find(domains, servers.config, name));
    let awaited = awaited.transpose()?;
    if let Some(awaited) = &awaited {
        awaited.shows(&found.kind.name, entry, servers.config)?;
    }

    if let Some(url) = &send.http {
        let command = by_http::Command {
            id: &command_id,
            domain: entry.name(),
            kind: &found.kind.name,
            metadata,
            data,
        };
        return by_http::run(
            (url, &servers.config.settings.http_token_file),
            command,
            send,
            awaited.as_ref(),
        );
    }
    let log = servers.kafka()?;
    let registry = servers.registry()?;
    let store = match &awaited {
        Some(awaited) => Some(servers.open_store(awaited.view.entry)?),
        None => None,
    };
    // it connects while the others are asked
    let producer: KafkaProducer = log.producer()?;
    let waits = send.wait || send.wait_for.is_some();
    let (target, codec) = Target::open_to_wait(servers, &log, &registry, entry, waits)?;
    let encoded = target.encoder.encode(&command_id, metadata, &found.kind.name, data)?;
    let digest = encoded.digest;
    let mut message = target.message(encoded);
    let trace = Trace::of_command(&servers.config.settings, send.trace, &found.kind.name, &target.topic)?;
    if let Some(trace) = &trace {
        let (name, value) = trace.header();
        message.headers.push((name, value.into()));
    }
    let mut outcomes = match codec {
        Some(codec) => Some(Outcomes::from_now(&log, codec, entry, servers.prefix(), &[message.partition])?),
        None => None,
    };
    let delivered =
        producer.send_and_wait(&message, ACKNOWLEDGE).map_err(|fault| unsure(fault.into(), &command_id))?;
    if let Some(trace) = trace {
        if send.trace {
            foreign::say(format!("trace {}", trace.id()));
        }
        trace.sent();
    }
    let sent = Sent {
        id: command_id,
        topic: target.topic,
        partition: delivered.partition,
        offset: delivered.offset,
        digest,
    };
    let Some(outcomes) = &mut outcomes else { return sent.print(send.json) };

    let deadline = Instant::now() + Duration::from_secs(send.timeout);
    let Some(outcome) = answer(outcomes, &sent, deadline)? else {
        let place = (sent.partition, sent.offset);
        return Err(unanswered(servers, &log, entry, &sent.id, place, send.timeout));
    };
    // before the rows are waited for: whoever does not see that it was taken sends it again
    match send.json {
        true => output::json(&outcome)?,
        false => print_outcome(&found.kind.name, &sent.id, Some(sent.digest), &outcome)?,
    }
    if let (Some(store), Some(awaited)) = (&store, &awaited) {
        let left = deadline.saturating_duration_since(Instant::now());
        wait_until(&**store, &awaited.projection, &outcome.positions, left).map_err(|error| {
            let (status, view) = (status(outcome.status), &awaited.view.table.name);
            CliError::from(error)
                .context(format_args!("{} was {status}, but {view} does not show it yet", sent.id))
                .hints(&processes::troubles(servers.config))
        })?;
    }
    match outcome.status {
        Status::Accepted => Ok(()),
        Status::Rejected => Err(CliError::said()),
    }
}

/// Where a command went.
struct Sent {
    id: String,
    topic: String,
    partition: i32,
    offset: i64,
    digest: Digest,
}

impl Sent {
    fn print(&self, as_json: bool) -> Result<(), CliError> {
        let Self { id, topic, partition, offset, .. } = self;
        match as_json {
            true => {
                output::json(&json!({"id": id, "topic": topic, "partition": partition, "offset": offset}))
            }
            false => output::line(format!("sent {id} to {topic}, partition {partition}, offset {offset}")),
        }
    }
}

/// The outcome of what was sent, if it comes in time.
fn answer(outcomes: &mut Outcomes, sent: &Sent, deadline: Instant) -> Result<Option<Outcome>, CliError> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let found = outcomes.poll(left.min(Duration::from_millis(500))).map_err(|fault| {
            fault.context(format_args!("command {} was sent, but its outcome cannot be read", sent.id))
        })?;
        if let Some(outcome) = found.into_iter().find(|outcome| outcome.command_id == sent.id) {
            return Ok(Some(outcome));
        }
        if left.is_zero() {
            return Ok(None);
        }
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Accepted => "accepted",
        Status::Rejected => "rejected",
    }
}

/// A fault behind which the command may have been taken all the same: under its id it is decided once, however often it
/// is sent.
fn unsure(fault: CliError, id: &str) -> CliError {
    fault
        .context(format_args!("whether command {id} has arrived is not known"))
        .hint(format!("Send it again with `--id {id}`: then it is decided once, also if it has."))
}

fn print_outcome(kind: &str, id: &str, digest: Option<Digest>, outcome: &Outcome) -> Result<(), CliError> {
    let status = status(outcome.status);
    let both = outcome.digest.zip(digest);
    let is_another = both.is_some_and(|(first, sent)| !first.agrees_with(sent));
    let again = match (outcome.duplicate, is_another) {
        (false, _) => "",
        (true, false) => " (this id was used before; this is the answer it got)",
        (true, true) => {
            " (this id was used before for other content; this is the answer that got, and this command changed nothing)"
        }
    };
    let failure =
        outcome.failure.as_ref().map(|name| format!(": {}", foreign::inert(name))).unwrap_or_default();
    output::line(format!("{status} {kind} {id}{failure}{again}"))?;
    for version in &outcome.versions {
        output::line(format!(
            "  {} is at version {}",
            foreign::inert(&version.aggregate_id),
            version.version
        ))?;
    }
    for violation in &outcome.violations {
        let field = violation.field.as_ref().map(|field| format!(" ({field})")).unwrap_or_default();
        let text = format!("{}{field}: {}", violation.code, violation.message);
        output::line(format!("  {}", foreign::inert(&text)))?;
    }
    Ok(())
}

/// `field=value …` as JSON, each value as its field's type wants it.
fn typed_fields(found: Found<'_>, fields: &[String]) -> Result<Value, CliError> {
    let kind = found.kind;
    let mut data = Map::new();
    for pair in fields {
        let Some((name, text)) = pair.split_once('=') else {
            // it may be the secret
            let what = if kind.has_secrets() { "an argument".to_owned() } else { format!("{pair:?}") };
            return Err(CliError::usage(format!("{what} is not FIELD=VALUE")).hint(format!(
                "{} has the fields {}",
                kind.name,
                names(found)
            )));
        };
        let Some(field) = kind.fields.iter().find(|field| field.name == name) else {
            let near = suggestion(name, kind.fields.iter().map(|field| field.name.as_str()));
            return Err(CliError::usage(format!("{}: there is no field {name}{near}", kind.name))
                .hint(format!("{} has the fields {}", kind.name, names(found))));
        };
        let value = from_text(&field.kind, text)
            .map_err(|why| CliError::usage(format!("{}: {name}: {why}", kind.name)))?;
        if data.insert(name.to_owned(), value).is_some() {
            return Err(CliError::usage(format!("{}: {name} is given twice", kind.name)));
        }
    }
    Ok(Value::Object(data))
}

fn names(found: Found<'_>) -> String {
    found.kind.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ")
}
