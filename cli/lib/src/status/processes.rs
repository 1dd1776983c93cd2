//! What processes say of themselves, where it is known how to ask them.

use serde::Serialize;

use super::samples::Sample;
use super::scrape::{Asker, Told, Trouble};
use crate::config::Config;
use crate::endpoints::Endpoints;
use crate::foreign;

/// From so many hundredths on it is said how many of something are in use.
const MANY_PERCENT: f64 = 80.0;

/// A process, as it answers at its health endpoints.
#[derive(Debug, Serialize)]
pub struct Process {
    /// Where it was asked, `host:port`.
    address: String,
    /// Why it does not answer, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    silent: Option<String>,
    /// What is in the way of its partitions, or of all of it.
    troubles: Vec<Trouble>,
    /// Open files, connections included.
    #[serde(skip_serializing_if = "Option::is_none")]
    open_files: Option<Used>,
    /// Connections of others to its servers, by server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    connections: Vec<(String, Used)>,
}

/// How much of something is in use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Used {
    used: f64,
    allowed: f64,
}

impl Used {
    fn is_much(self) -> bool {
        self.used * 100.0 >= self.allowed * MANY_PERCENT
    }
}

/// Where the processes answer: as it is set, or as a `millrace up` has written whose broker is the one that is asked.
#[must_use]
pub fn addresses(config: &Config) -> String {
    let set = &config.settings.telemetry.processes;
    if !set.is_empty() {
        return set.clone();
    }
    // also when somebody has given the addresses of a `millrace up` by hand
    let is_it = |up: &Endpoints| up.kafka == config.settings.kafka;
    Endpoints::find().filter(is_it).and_then(|up| up.health).unwrap_or_default()
}

/// Asks all of them; none where nobody has said where they are.
#[must_use]
pub fn ask(config: &Config) -> Vec<Process> {
    let told = Asker::new(&addresses(config)).look().told();
    told.into_iter().map(|(address, answer)| Process::of(address, answer)).collect()
}

/// What is in the way of any process, as lines; nothing where no process can be asked.
#[must_use]
pub fn troubles(config: &Config) -> Vec<String> {
    ask(config).iter().flat_map(Process::troubles).collect()
}

impl Process {
    fn of(address: String, answer: Result<Told, String>) -> Self {
        let (samples, troubles, silent) = match answer {
            Ok(Told { samples, troubles, .. }) => (samples, troubles, None),
            Err(why) => (Vec::new(), Vec::new(), Some(why)),
        };
        let value = |name: &str, server: Option<&str>| {
            let is_it = |sample: &&Sample| {
                sample.name == name && sample.labels.get("server").map(String::as_str) == server
            };
            samples.iter().find(is_it).map(|sample| sample.value)
        };
        let used = |used: &str, allowed: &str, server: Option<&str>| {
            Some(Used { used: value(used, server)?, allowed: value(allowed, server)? })
        };
        let servers = samples.iter().filter(|sample| sample.name == "millrace_connections");
        let servers = servers.filter_map(|sample| sample.labels.get("server").cloned());
        let connections = servers.filter_map(|server| {
            Some((
                server.clone(),
                used("millrace_connections", "millrace_connections_allowed", Some(&server))?,
            ))
        });
        Self {
            connections: connections.collect(),
            open_files: used("process_open_fds", "process_max_fds", None),
            address,
            silent,
            troubles,
        }
    }

    /// Where it was asked.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Why it does not answer, if it does not.
    #[must_use]
    pub fn silent(&self) -> Option<&str> {
        self.silent.as_deref()
    }

    /// What is in the way of its partitions.
    #[must_use]
    pub fn in_the_way(&self) -> &[Trouble] {
        &self.troubles
    }

    /// Whether it answers, and nothing is in its way.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.silent.is_none() && self.troubles.is_empty()
    }

    /// What is in its way, a line each.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(why) = &self.silent {
            lines.push(format!("{} does not answer: {why}", self.address));
        }
        lines.extend(self.troubles.iter().map(Trouble::line));
        lines
    }

    /// What there is to say of it, a line each: what is in its way, and what will soon be used up.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.troubles();
        let files = self.open_files.map(|used| ("open files".to_owned(), used));
        let connections =
            self.connections.iter().map(|(server, used)| (format!("connections of its {server}"), *used));
        for (what, used) in files.into_iter().chain(connections).filter(|(_, used)| used.is_much()) {
            lines.push(format!("{}: {} of {} {what} are in use", self.address, used.used, used.allowed));
        }
        lines.into_iter().map(|line| foreign::inert(&line).into_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::parse;
    use super::*;

    fn process(samples: &str) -> Process {
        Process::of(
            "here:1".to_owned(),
            Ok(Told { samples: parse(samples), troubles: Vec::new(), gateway: None }),
        )
    }

    #[test]
    fn what_is_nearly_used_up_is_said() {
        let text = |files: u32, connections: u32| {
            format!(
                "process_open_fds {files}\nprocess_max_fds 100\nmillrace_connections{{server=\"broker\"}} {connections}\n\
                 millrace_connections_allowed{{server=\"broker\"}} 20\n"
            )
        };
        assert_eq!(process(&text(79, 3)).lines(), Vec::<String>::new());
        let many = process(&text(80, 16));
        assert!(many.is_healthy(), "it is not in the way yet");
        assert_eq!(
            many.lines(),
            [
                "here:1: 80 of 100 open files are in use",
                "here:1: 16 of 20 connections of its broker are in use"
            ]
        );
        assert_eq!(process("").lines(), Vec::<String>::new(), "an older build does not say");
    }

    #[test]
    fn a_process_that_does_not_answer_is_named() {
        let silent = Process::of("there:2".to_owned(), Err("connection refused".to_owned()));
        assert!(!silent.is_healthy());
        assert_eq!(silent.lines(), ["there:2 does not answer: connection refused"]);
    }
}
