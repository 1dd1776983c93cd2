//! The trace that a command which is sent belongs to.

use millrace_runtime::metrics::Span;
use millrace_telemetry::{SpanRole, Telemetry};
use rand::Rng as _;

use crate::config::Settings;
use crate::error::CliError;
use crate::telemetry;

/// What whoever calls us sets when we are part of a trace.
const VARIABLE: &str = "TRACEPARENT";

/// A trace, and the span of sending where traces are sent away.
pub struct Trace {
    traceparent: String,
    span: Option<(Box<dyn Span>, Telemetry)>,
}

impl Trace {
    /// The trace that `TRACEPARENT` names, or with `begin` a new one; `None` when there is neither.
    ///
    /// # Errors
    /// An OTLP endpoint that is none.
    pub fn of_command(
        settings: &Settings,
        begin: bool,
        name: &str,
        topic: &str,
    ) -> Result<Option<Self>, CliError> {
        let parent = std::env::var(VARIABLE).ok().filter(|parent| !parent.is_empty());
        if parent.is_none() && !begin {
            return Ok(None);
        }
        let telemetry = telemetry::of_traces(settings)?;
        let of = [("messaging.system", "kafka".to_owned()), ("messaging.destination.name", topic.to_owned())];
        let name = format!("send {name}");
        let span = telemetry.as_ref().and_then(Telemetry::traces).and_then(|traces| match &parent {
            Some(parent) => traces.child(&name, SpanRole::Producer, parent.as_bytes(), &of),
            None => Some(traces.root(&name, SpanRole::Producer, &of)),
        });
        let traceparent = match (&span, parent) {
            (Some(span), _) => span.traceparent().to_owned(),
            (None, Some(parent)) => parent,
            (None, None) => fresh(),
        };
        Ok(Some(Self { traceparent, span: span.zip(telemetry) }))
    }

    /// The header that takes it along.
    #[must_use]
    pub fn header(&self) -> (String, Vec<u8>) {
        ("traceparent".to_owned(), self.traceparent.clone().into_bytes())
    }

    /// Its id, by which it is found.
    #[must_use]
    pub fn id(&self) -> &str {
        self.traceparent.split('-').nth(1).unwrap_or_default()
    }

    /// The command was sent.
    pub fn sent(self) {
        if let Some((span, telemetry)) = self.span {
            span.end();
            telemetry.shutdown();
        }
    }
}

/// A trace of which only those who work on the command tell.
fn fresh() -> String {
    let mut dice = rand::rng();
    let (trace, span): (u128, u64) = (dice.random_range(1..=u128::MAX), dice.random_range(1..=u64::MAX));
    format!("00-{trace:032x}-{span:016x}-01")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_without_anyone_to_send_it_to_is_one_all_the_same() {
        let trace = Trace { traceparent: fresh(), span: None };
        assert_eq!(trace.id().len(), 32);
        assert!(trace.traceparent.starts_with("00-") && trace.traceparent.ends_with("-01"));
        assert_eq!(trace.traceparent.len(), 55);
        assert_ne!(Trace { traceparent: fresh(), span: None }.id(), trace.id());
    }
}
