//! `millrace load`: many commands, as fast as they are taken, each counted.

mod answers;
mod faults;
mod lines;
mod progress;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use millrace_gateway::seal::PublicKeys;
use millrace_kafka::{KafkaLog, KafkaProducer, Message};
use millrace_kernel::{Digest, id};
use millrace_ports::{Clock as _, LogFault, SystemClock};
use millrace_wire::Registry;
use serde_json::{Value, json};

use self::answers::Answers;
use self::faults::Faults;
use self::lines::{BadLine, Line, Lines};
use crate::args;
use crate::connect::Servers;
use crate::domain::{DomainEntry, by_name};
use crate::error::CliError;
use crate::message::{Catalogue, Problem, Written};
use crate::send::Target;
use crate::status::processes;
use crate::views::Awaited;
use crate::{foreign, output, seal};

/// At most so many records wait for the broker's acknowledgement.
const MOST_IN_FLIGHT: usize = 50_000;

/// What a load is to wait for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Wait for all outcomes.
    pub wait: bool,
    /// Then wait until this view shows everything.
    pub wait_for: Option<String>,
    /// Give up when nothing has happened for so long.
    pub timeout: Duration,
}

/// What came of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Commands the broker has.
    pub sent: u64,
    /// Accepted ones, if waited for.
    pub accepted: Option<u64>,
    /// Rejected ones, if waited for.
    pub rejected: Option<u64>,
    /// Lines that were not sent.
    pub bad: u64,
    /// Commands without an answer, if waited for.
    pub unanswered: Option<u64>,
    /// Commands whose ids had been used for other content, if waited for: they got the answer of that, and changed nothing.
    pub other_content: Option<u64>,
    /// How long it took.
    pub seconds: f64,
}

impl Report {
    /// Sent commands a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.sent as f64 / self.seconds.max(0.001)
    }

    fn print(&self, as_json: bool) -> Result<(), CliError> {
        if as_json {
            let Self { sent, accepted, rejected, bad, unanswered, other_content, seconds } = self;
            return output::json(&json!({
                "sent": sent, "accepted": accepted, "rejected": rejected, "bad": bad,
                "unanswered": unanswered, "other_content": other_content, "seconds": (seconds * 1_000.0).round() / 1_000.0,
            }));
        }
        let mut parts = Vec::new();
        let counts =
            [("accepted", self.accepted), ("rejected", self.rejected), ("unanswered", self.unanswered)];
        for (name, count) in counts {
            parts.extend(count.map(|count| format!("{} {name}", output::number(count))));
        }
        parts.push(format!("{} bad", output::number(self.bad)));
        let others = self.other_content.filter(|count| *count > 0).map(output::number);
        parts.extend(others.map(|count| format!("{count} under ids that were used for other content")));
        output::line(format!(
            "sent {} commands in {:.1} s ({}/s): {}",
            output::number(self.sent),
            self.seconds,
            output::number(self.rate() as u64),
            parts.join(", ")
        ))
    }
}

/// Runs `millrace load`.
///
/// # Errors
/// A file that cannot be read, servers that do not answer; or any line was bad or unanswered.
pub fn run(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    load: &args::Load,
) -> Result<(), CliError> {
    let options = Options {
        wait: load.wait || load.wait_for.is_some(),
        wait_for: load.wait_for.clone(),
        timeout: Duration::from_secs(load.timeout),
    };
    let (report, fault) = from_file(servers, domains, &load.file, &options)?;
    report.print(load.json)?;
    if let Some(fault) = fault {
        return Err(fault);
    }
    if report.bad == 0 && report.unanswered.unwrap_or(0) == 0 {
        return match report.other_content {
            None | Some(0) => Ok(()),
            Some(_) => Err(CliError::said()),
        };
    }
    // what is known of why, where anything is
    processes::troubles(servers.config).iter().for_each(|line| foreign::say(foreign::inert(line)));
    Err(CliError::said())
}

/// Loads a file; `-` is standard input. What was in the way of going on to its end, if anything was, comes with what had
/// been done until then.
///
/// # Errors
/// As [`run`], but only for what happens before the first line; bad and unanswered lines are only counted.
pub fn from_file(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    file: &Path,
    options: &Options,
) -> Result<(Report, Option<CliError>), CliError> {
    if file == Path::new("-") {
        return load(servers, domains, "stdin", Lines::new(io::stdin().lock()), None, options);
    }
    let name = file.display().to_string();
    let open = || File::open(file).map_err(|error| CliError::failed(format!("{name}: {error}")));
    let size =
        lines::measure(BufReader::new(open()?)).map_err(|error| CliError::from(error).context(&name))?;
    load(servers, domains, &name, Lines::new(BufReader::new(open()?)), Some(size), options)
}

fn load(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    name: &str,
    lines: Lines<impl BufRead>,
    size: Option<lines::Size>,
    options: &Options,
) -> Result<(Report, Option<CliError>), CliError> {
    let awaited = options.wait_for.as_deref().map(|name| Awaited::find(domains, servers.config, name));
    let awaited = awaited.transpose()?;
    let store = match &awaited {
        Some(awaited) => Some(servers.open_store(awaited.view.entry)?),
        None => None,
    };
    let catalogue = Catalogue::of(domains)?;
    let log = servers.kafka()?;
    // barriers need answers, too; of standard input nobody knows whether one comes
    let needs_answers = options.wait || size.is_none_or(|size| size.barriers > 0);
    let mut loader = Loader {
        servers,
        domains,
        awaited: awaited.as_ref(),
        catalogue: &catalogue,
        seals_for: seal::public_keys(servers.config)?,
        producer: log.producer()?,
        registry: servers.registry()?,
        log,
        targets: BTreeMap::new(),
        answers: needs_answers.then(Answers::default),
        acknowledged: Arc::default(),
        failed: Arc::default(),
        faults: Faults::default(),
        bar: progress::bar(size.map(|size| size.commands), "commands"),
        name,
        bad: 0,
    };
    let began = Instant::now();
    let (in_time, mut fault) = match loader.send_all(lines, options.timeout) {
        Ok(in_time) => (in_time, None),
        Err(fault) => (true, Some(fault)),
    };
    let in_time = loader.flush(options.timeout) && in_time && (!options.wait || loader.wait(options.timeout));
    let other_content = loader.tell_others();
    loader.faults.rest().iter().for_each(|rest| loader.say(&format!("{name}: {rest}")));
    loader.bar.finish_and_clear();
    let answers = loader.answers.as_ref().map(Answers::counts).unwrap_or_default();
    if let (Some(store), Some(awaited), true) = (&store, &awaited, in_time) {
        let seen =
            progress::until_visible(&**store, &awaited.projection, &answers.positions, options.timeout);
        fault = fault.or(seen.err());
    }
    let counted = |count: u64| options.wait.then_some(count);
    let report = Report {
        sent: loader.acknowledged.load(Ordering::Relaxed),
        accepted: counted(answers.accepted),
        rejected: counted(answers.rejected),
        bad: loader.bad + loader.failed.load(Ordering::Relaxed),
        unanswered: counted(answers.pending),
        other_content: counted(other_content),
        seconds: began.elapsed().as_secs_f64(),
    };
    Ok((report, fault))
}

struct Loader<'a> {
    servers: &'a Servers<'a>,
    domains: &'a [Box<dyn DomainEntry>],
    /// What is to show everything in the end.
    awaited: Option<&'a Awaited<'a>>,
    catalogue: &'a Catalogue,
    /// For which key secrets are sealed.
    seals_for: PublicKeys,
    log: KafkaLog,
    registry: Arc<dyn Registry>,
    producer: KafkaProducer,
    targets: BTreeMap<String, Target>,
    answers: Option<Answers>,
    acknowledged: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    faults: Faults,
    bar: ProgressBar,
    name: &'a str,
    bad: u64,
}

/// What a line got instead of being done.
const OTHER_CONTENT: &str = "this id was used before for other content; the line got the answer of that, and changed nothing; give it \
     an id of its own";

/// A command that is ready to be sent.
struct Ready {
    id: String,
    digest: Digest,
    message: Message,
}

/// Why a line was not sent.
enum Unsent {
    /// The line is bad.
    Bad(Problem),
    /// Nothing can be sent.
    Failed(CliError),
}

impl From<Problem> for Unsent {
    fn from(problem: Problem) -> Self {
        Self::Bad(problem)
    }
}

impl From<CliError> for Unsent {
    fn from(error: CliError) -> Self {
        Self::Failed(error)
    }
}

impl Loader<'_> {
    /// Sends every line; `false` when a barrier was not answered in time, and nothing behind it
    /// was sent. What stops it says from which line on.
    fn send_all(&mut self, lines: Lines<impl BufRead>, timeout: Duration) -> Result<bool, CliError> {
        let mut last = 0;
        let name = self.name;
        let stopped = |number: u64, fault: CliError| {
            fault.context(format_args!("{name}:{number}: stopped before this line"))
        };
        for line in lines {
            let line = line.map_err(|error| stopped(last + 1, error.into()))?;
            last = line.number();
            match line {
                Line::Barrier { number } => {
                    if !(self.flush(timeout) && self.wait(timeout)) {
                        self.say(&format!(
                            "{}:{number}: stopped at this barrier: not all before it is answered within {} s",
                            self.name,
                            timeout.as_secs()
                        ));
                        return Ok(false);
                    }
                }
                Line::Command { number, text, value } => match self.prepare(value) {
                    Ok(command) => match self.send(number, command) {
                        Ok(()) => {}
                        // this one will never be taken, the next one may be
                        Err(LogFault::Refused { message, .. }) => {
                            self.refuse(&BadLine {
                                number,
                                column: 1,
                                message: format!("not sent: {message}"),
                            });
                        }
                        Err(fault) => return Err(stopped(number, fault.into())),
                    },
                    Err(Unsent::Bad(problem)) => {
                        let bad = BadLine::at(number, &text, problem.key.as_deref(), &problem.message);
                        self.refuse(&bad);
                    }
                    Err(Unsent::Failed(fault)) => return Err(stopped(number, fault)),
                },
                Line::Bad(bad) => self.refuse(&bad),
            }
        }
        Ok(true)
    }

    /// A command as it is written.
    fn prepare(&mut self, value: Value) -> Result<Ready, Unsent> {
        let seals_for = self.seals_for.newest();
        let Written { found, id: command_id, mut metadata, data } =
            crate::message::from_object(self.catalogue, seals_for, value)?;
        // whoever wants to load a file again at any time writes it into the lines
        metadata.issued_at.get_or_insert_with(|| SystemClock.now_micros());
        if !id::is_valid(&command_id) {
            return Err(Problem::new(format!("id: {}", id::ID_RULE)).at("id").into());
        }
        let domain = &found.domain.domain;
        if !self.targets.contains_key(domain) {
            let target = self.open(&found.kind.name, domain)?;
            self.targets.insert(domain.clone(), target);
        }
        let target = &self.targets[domain];
        let encoded = target.encoder.encode(&command_id, metadata, &found.kind.name, data)?;
        let digest = encoded.digest;
        Ok(Ready { id: command_id, digest, message: target.message(encoded) })
    }

    /// Opens a domain's topic, and follows its outcomes before anything is sent to it.
    fn open(&self, kind: &str, domain: &str) -> Result<Target, CliError> {
        let entry = by_name(self.domains, domain)?;
        if let Some(awaited) = self.awaited {
            awaited.shows(kind, entry, self.servers.config)?;
        }
        let waits = self.answers.is_some();
        let (target, codec) = Target::open_to_wait(self.servers, &self.log, &self.registry, entry, waits)?;
        if let (Some(answers), Some(codec)) = (&self.answers, codec) {
            answers.follow(&self.log, codec, entry, self.servers.prefix(), target.partitions)?;
        }
        Ok(target)
    }

    fn send(&mut self, number: u64, command: Ready) -> Result<(), LogFault> {
        let Ready { id: command_id, digest, message } = command;
        // before it is sent: the answer may be quicker than this thread
        if let Some(answers) = &self.answers {
            answers.expect(&command_id, number, digest);
        }
        while self.producer.outstanding() >= MOST_IN_FLIGHT {
            std::thread::sleep(Duration::from_millis(1));
        }
        let (acknowledged, failed) = (Arc::clone(&self.acknowledged), Arc::clone(&self.failed));
        let (answers, bar) = (self.answers.clone(), self.bar.clone());
        let (place, faults) = (format!("{}:{number}:1", self.name), self.faults.clone());
        let expected = command_id.clone();
        let sent = self.producer.send(&message, move |result| match result {
            Ok(_) => {
                acknowledged.fetch_add(1, Ordering::Relaxed);
                if answers.is_none() {
                    bar.inc(1);
                }
            }
            Err(fault) => {
                failed.fetch_add(1, Ordering::Relaxed);
                if let Some(answers) = answers {
                    answers.forget(&command_id, digest);
                }
                let is_of_this_line = matches!(fault, LogFault::Refused { .. });
                let said = format!("not sent: {fault}");
                if is_of_this_line || faults.add(number, &said) {
                    bar.suspend(|| foreign::say(format!("{place}: {said}")));
                }
            }
        });
        if let Some(answers) = &self.answers {
            if sent.is_err() {
                answers.forget(&expected, digest);
            }
            self.bar.set_position(answers.answered());
        }
        sent
    }

    /// Says which lines used ids that had been used for other content, the first by itself; how many there were.
    fn tell_others(&self) -> u64 {
        let others = self.answers.as_ref().map(Answers::others).unwrap_or_default();
        for number in &others {
            if self.faults.add(*number, OTHER_CONTENT) {
                self.say(&format!("{}:{number}:1: {OTHER_CONTENT}", self.name));
            }
        }
        others.len() as u64
    }

    /// Waits until the broker has acknowledged everything.
    fn flush(&self, timeout: Duration) -> bool {
        // what is not acknowledged in the client's own time fails there, and is counted
        self.producer.flush(timeout + Duration::from_secs(30)).is_ok()
    }

    /// Waits until everything sent is answered, as long as answers keep coming.
    fn wait(&self, timeout: Duration) -> bool {
        match &self.answers {
            Some(answers) => answers.wait(timeout, |answered| self.bar.set_position(answered)),
            None => true,
        }
    }

    fn refuse(&mut self, bad: &BadLine) {
        self.bad += 1;
        self.say(&format!("{}:{}", self.name, bad));
    }

    fn say(&self, text: &str) {
        self.bar.suspend(|| foreign::say(foreign::inert(text)));
    }
}
