//! What a client says by itself: its log lines go to `tracing`, its last complaint is kept to
//! explain a call that timed out.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::native::{ConsumerQueue, Seen};
use crate::quiet::Quiet;

/// For how long a complaint explains what goes wrong after it.
const RECENT: Duration = Duration::from_secs(60);

/// Keeps the last complaint of one client.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    complaint: Mutex<Option<(Instant, String)>>,
}

impl Diary {
    /// Notes what the client complained about.
    pub(crate) fn complain(&self, reason: &str) {
        let now = (Instant::now(), reason.to_owned());
        *self.complaint.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    /// Notes a complaint by its code: that all brokers are away follows from what each was said to be.
    fn note(&self, code: Option<RDKafkaErrorCode>, reason: &str) {
        tracing::debug!(target: "millrace_kafka::client", ?code, reason, "client error");
        if code != Some(RDKafkaErrorCode::AllBrokersDown) || self.complaint().is_none() {
            self.complain(reason);
        }
    }

    /// The last complaint, if it is not of long ago.
    pub(crate) fn complaint(&self) -> Option<String> {
        let complaint = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
        complaint.as_ref().filter(|(at, _)| at.elapsed() < RECENT).map(|(_, reason)| reason.clone())
    }
}

impl ClientContext for Diary {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        write(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(error.rdkafka_error_code(), reason);
    }
}

impl ConsumerContext for Diary {}

/// Takes all that waits in the queue of a client that reads nothing. rdkafka's own `poll` ends after any one event
/// when it does not wait, and does not say whether there was one, so a complaint could stay behind log lines, of which
/// each attempt to connect brings several.
pub(crate) fn hear(client: &BaseConsumer<Diary>) {
    let Some(queue) = ConsumerQueue::of_any(client.client().native_ptr()) else { return };
    while let Some(event) = queue.poll(Duration::ZERO) {
        match event.seen() {
            Seen::Error { code, message, .. } => client.context().note(Some(code), &message),
            Seen::Log(level, facility, line) => write(level, &facility, &line),
            Seen::Record(_) | Seen::Other => {}
        }
    }
}

/// What all clients of this process have said lately.
static SAID: Quiet = Quiet::new();

/// One log line of librdkafka. Trouble is told as a warning, once for all clients: whoever waits for
/// the broker says itself what that means for its partition.
pub(crate) fn write(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error
        | RDKafkaLogLevel::Warning => match SAID.admit(facility, message, Instant::now()) {
            Some(left_out) => tracing::warn!(
                target: "millrace_kafka::client", facility, left_out,
                "{message}. Next: the client tries again by itself, at least once a second. What you can do: \
                 if it stays, look whether that broker runs and can be reached from here"
            ),
            None => tracing::trace!(target: "millrace_kafka::client", facility, "{message}"),
        },
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(target: "millrace_kafka::client", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => {
            tracing::debug!(target: "millrace_kafka::client", facility, "{message}");
        }
    }
}
