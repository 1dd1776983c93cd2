//! A command on its way: sent, acknowledged, answered.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::{Metadata, Outcome, Text, partition};
use millrace_ports::log::{MAX_RECORD_BYTES, size_bytes};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::channel::{Away, Channel};
use crate::message::Problem;
use crate::ports::CommandRecord;
use crate::token::At;

/// How long the log may take to acknowledge a command.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);
/// For how long those who wait are still served once the gateway is to end.
const DRAIN: Duration = Duration::from_secs(3);

/// A command to be sent, checked.
pub(crate) struct Asked {
    pub(crate) id: Text,
    pub(crate) kind: String,
    pub(crate) metadata: Metadata,
    pub(crate) data: serde_json::Value,
    /// The trace it belongs to.
    pub(crate) traceparent: Option<Vec<u8>>,
    /// How long to wait for the outcome once it is sent.
    pub(crate) wait: Duration,
}

/// What became of a command.
pub(crate) enum Submitted {
    /// This, in time.
    Answered(Arc<Outcome>),
    /// Its id had been used for other content, of which this is the outcome: it changes nothing.
    OtherContent(Arc<Outcome>),
    /// It is in the log, and its outcome is still to come; it can be looked for.
    Pending(At),
    /// It was not sent: it is larger than a record may be.
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// It was not sent: it is not the message that it should be.
    Refused(Problem),
    /// It was not sent: so many wait already.
    Busy,
    /// It was not sent, or nobody knows whether it was.
    Away {
        why: Away,
        /// Whether it is certain that it was not sent.
        unsent: bool,
    },
}

impl Channel {
    /// Sends a command and waits for its outcome. Whoever goes away while this waits has sent it all the same.
    pub(crate) async fn submit(&self, asked: Asked, mut ending: watch::Receiver<bool>) -> Submitted {
        let line = match self.line() {
            Ok(line) => line,
            Err(why) => return Submitted::Away { why, unsent: true },
        };
        let Asked { id, kind, metadata, data, traceparent, wait } = asked;
        let encoded = match line.encoder.encode(&id, metadata, &kind, data) {
            Ok(encoded) => encoded,
            Err(problem) => return Submitted::Refused(problem),
        };
        let bytes = size_bytes(Some(encoded.key.as_bytes()), Some(&encoded.value), &[]);
        if bytes > MAX_RECORD_BYTES {
            return Submitted::TooLarge { bytes };
        }
        let digest = encoded.digest;
        let partition = partition::of_key(encoded.key.as_bytes(), line.partitions);
        // in front of what may be answered at once
        let at =
            At { partition, offset: line.reached(partition), sent_at_ms: self.clock.now_micros() / 1_000 };
        let Some(mut waiter) = self.waiting.register(partition, &id) else { return Submitted::Busy };

        let (tell, acknowledged) = oneshot::channel();
        let record = CommandRecord {
            topic: Arc::clone(&self.description.topology.commands),
            partition,
            key: encoded.key,
            value: encoded.value,
            headers: traceparent.map(|trace| ("traceparent".to_owned(), trace)).into_iter().collect(),
        };
        // whoever has gone needs not be told
        let sent = self.sender.send(record, Box::new(move |result| drop(tell.send(result))));
        if let Err(fault) = sent {
            self.suspect();
            return Submitted::Away { why: Away(fault.to_string()), unsent: true };
        }

        let answered = |outcome: Arc<Outcome>| match outcome.digest {
            Some(first) if !first.agrees_with(digest) => Submitted::OtherContent(outcome),
            _ => Submitted::Answered(outcome),
        };
        let answered = |outcome| match answered(outcome) {
            // whoever does not wait is told where to look, however soon it was decided
            Submitted::Answered(_) if wait.is_zero() => Submitted::Pending(at),
            submitted => submitted,
        };
        let began = Instant::now();
        tokio::select! {
            biased;
            outcome = waiter.told() => return answered(outcome),
            acknowledged = timeout_at(began + ACKNOWLEDGE, acknowledged) => match acknowledged {
                Ok(Ok(Ok(_))) => {}
                Ok(Ok(Err(fault))) => {
                    self.suspect();
                    return Submitted::Away { why: Away(fault.to_string()), unsent: false };
                }
                Ok(Err(_)) | Err(_) => {
                    self.suspect();
                    let why = Away("the log has not acknowledged the command in time".to_owned());
                    return Submitted::Away { why, unsent: false };
                }
            },
        }
        tokio::select! {
            biased;
            outcome = waiter.told() => answered(outcome),
            () = sleep_until(began + wait) => Submitted::Pending(at),
            () = drained(&mut ending) => Submitted::Pending(at),
        }
    }
}

/// Returns when the gateway has been ending for a while.
pub(super) async fn drained(ending: &mut watch::Receiver<bool>) {
    // nobody who could say so is left: then it ends as well
    let _ = ending.wait_for(|ending| *ending).await;
    tokio::time::sleep(DRAIN).await;
}
