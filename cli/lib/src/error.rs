//! What a command ends with when it does not end well: one text for a person, one exit code.

use std::fmt;
use std::process::ExitCode;

use millrace_gateway::message::Problem;
pub use millrace_runtime::advice::chain;
use millrace_runtime::progress::WaitError;

use crate::config::secrets::without_passwords;
use crate::foreign;

/// Why a command failed, for the person who called it.
#[derive(Debug)]
pub struct CliError {
    message: String,
    hint: Option<String>,
    code: u8,
    silent: bool,
    why: Why,
}

/// What is in the way, as far as whoever asks by other means than a terminal is told it in other ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// Kafka did not answer, or not in time.
    Kafka,
    /// There is no such thing.
    Missing,
    /// There was no more time.
    Overdue,
    /// Something else.
    #[default]
    Other,
}

impl CliError {
    /// It was called rightly and failed: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1, silent: false, why: Why::Other }
    }

    /// The same: there is no such thing.
    pub fn missing(message: impl Into<String>) -> Self {
        Self { why: Why::Missing, ..Self::failed(message) }
    }

    /// It was called wrongly: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 2, silent: false, why: Why::Other }
    }

    /// Exit code 1; what there is to say has been printed.
    pub fn said() -> Self {
        Self { message: String::new(), hint: None, code: 1, silent: true, why: Why::Other }
    }

    /// Whoever read the output has gone, which is no failure: `millrace … | head`.
    fn unheard() -> Self {
        Self { message: String::new(), hint: None, code: 0, silent: true, why: Why::Other }
    }

    /// The way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What was being done, before the message.
    #[must_use]
    pub fn context(mut self, doing: impl fmt::Display) -> Self {
        if !self.silent {
            self.message = format!("{doing}: {}", self.message);
        }
        self
    }

    /// The same: there was no more time.
    pub fn overdue(message: impl Into<String>) -> Self {
        Self { why: Why::Overdue, ..Self::failed(message) }
    }

    /// What it says, as part of another text: on one line, without the word `error`.
    #[must_use]
    pub fn text(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}. {}", self.message, hint.replace('\n', " ")),
            None => self.message.clone(),
        }
    }

    /// The same with more of what may help, each on a line of its own.
    #[must_use]
    pub fn hints(self, more: &[String]) -> Self {
        if more.is_empty() || self.silent {
            return self;
        }
        let all: Vec<String> = self.hint.iter().cloned().chain(more.iter().cloned()).collect();
        Self { hint: Some(all.join("\n")), ..self }
    }

    /// Whether Kafka did not answer, or not in time.
    #[must_use]
    pub fn is_of_kafka(&self) -> bool {
        self.why == Why::Kafka
    }

    /// What is in the way.
    #[must_use]
    pub fn why(&self) -> Why {
        self.why
    }

    /// Whether whoever called has asked for what cannot be.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        self.code == 2
    }

    /// The code with which the process ends.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// Prints it to standard error.
    pub fn print(&self) {
        if !self.silent {
            foreign::say(self.to_string());
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // a library may have been given a URL with a password, and says it in its error
        write!(f, "error: {}", foreign::inert(&without_passwords(&self.message)))?;
        match &self.hint {
            Some(hint) => write!(f, "\n  {}", hint.replace('\n', "\n  ")),
            None => Ok(()),
        }
    }
}

macro_rules! failures {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::failed(chain(&error))
            }
        })*
    };
}

failures!(
    millrace_ports::StoreFault,
    millrace_runtime::RoleError,
    millrace_wire::RegistryFault,
    millrace_wire::codec::CodecError,
    millrace_embedded::broker::BrokerError,
    millrace_embedded::registry::RegistryError,
    serde_json::Error,
);

impl From<millrace_ports::LogFault> for CliError {
    fn from(fault: millrace_ports::LogFault) -> Self {
        let is_away = matches!(fault, millrace_ports::LogFault::Unavailable { .. });
        Self { why: if is_away { Why::Kafka } else { Why::Other }, ..Self::failed(chain(&fault)) }
    }
}

impl From<millrace_audit::AuditFault> for CliError {
    fn from(fault: millrace_audit::AuditFault) -> Self {
        let why = match &fault {
            millrace_audit::AuditFault::Log(millrace_ports::LogFault::Unavailable { .. }) => Why::Kafka,
            millrace_audit::AuditFault::Overdue { .. } => Why::Overdue,
            _ => Why::Other,
        };
        Self { why, ..Self::failed(chain(&fault)) }
    }
}

impl From<millrace_runtime::dead::DeadError> for CliError {
    fn from(error: millrace_runtime::dead::DeadError) -> Self {
        use millrace_runtime::dead::DeadError;
        let why = match &error {
            DeadError::Log(millrace_ports::LogFault::Unavailable { .. }) => Why::Kafka,
            DeadError::NoSuchRecord { .. } => Why::Missing,
            _ => Why::Other,
        };
        Self { why, ..Self::failed(chain(&error)) }
    }
}

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        let error = Self::usage(problem.message);
        match problem.help {
            Some(help) => error.hint(help),
            None => error,
        }
    }
}

impl From<WaitError> for CliError {
    fn from(error: WaitError) -> Self {
        let failed = Self::failed(chain(&error));
        match error {
            WaitError::TimedOut { .. } => failed.hint(
                "What was accepted stays accepted: do not send it again. `millrace status` tells whether a \
                 projector is at work on these tables, and how far it is.",
            ),
            WaitError::Store(_) => failed,
        }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::unheard(),
            _ => Self::failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer: inner")]
    struct Outer(#[source] Inner);
    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner(#[source] std::io::Error);

    #[test]
    fn every_cause_is_said_once() {
        let error = Outer(Inner(std::io::Error::other("disk full")));
        assert_eq!(chain(&error), "outer: inner: disk full");
    }

    #[test]
    fn a_hint_stands_below_its_message() {
        let error = CliError::failed("no answer").hint("try\nagain").context("send");
        assert_eq!(error.to_string(), "error: send: no answer\n  try\n  again");
    }
}
