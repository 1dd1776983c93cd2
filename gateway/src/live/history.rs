//! Changes that are in memory no more: read from the log, for one stream at a time and few at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_kernel::Change;
use millrace_ports::{Log, LogFault, Record, Start, TopicPartition};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;

/// So many streams read from the log at once; others wait their turn.
pub(crate) const READERS: usize = 4;
/// Who is behind by more than this gets the rows anew, which is cheaper than what has become of all others since.
pub(crate) const MOST_BEHIND: i64 = 500_000;
/// How many records are taken at once.
const MOST: usize = 5_000;
/// How long nothing may come.
const PATIENCE: Duration = Duration::from_secs(20);

/// What stood in the log.
#[derive(Debug)]
pub(crate) enum Past {
    /// A change of the key at an offset; nothing where it cannot be read.
    Change(i64, Option<Change>),
    /// All of it has come.
    Over,
    /// The log does not hold it any more, or it cannot be decoded, or it is too much.
    Gone,
    /// It cannot be read now.
    Away(LogFault),
}

/// Begins to read the changes of `key` between two offsets of a partition. [`Past::Over`], [`Past::Gone`] or [`Past::Away`] comes
/// last.
pub(crate) fn read(
    log: Arc<dyn Log>,
    readers: Arc<Semaphore>,
    at: TopicPartition,
    key: String,
    (from, to): (i64, i64),
    decode: impl Fn(&Record) -> Option<Change> + Send + 'static,
) -> mpsc::Receiver<Past> {
    let (sender, receiver) = mpsc::channel(256);
    tokio::spawn(async move {
        // nobody closes it
        let Ok(_turn) = readers.acquire_owned().await else { return };
        if to - from > MOST_BEHIND {
            drop(sender.send(Past::Gone).await);
            return;
        }
        let reading = spawn_blocking(move || {
            let last = match walk(&*log, &at, &key, (from, to), &decode, &sender) {
                Ok(()) => Past::Over,
                // who waits for what cannot be read waits for ever
                Err(LogFault::OutOfRange { .. } | LogFault::Undecodable { .. }) => Past::Gone,
                Err(fault) => Past::Away(fault),
            };
            // who listened may have gone
            drop(sender.blocking_send(last));
        });
        drop(reading.await);
    });
    receiver
}

fn walk(
    log: &dyn Log,
    at: &TopicPartition,
    key: &str,
    (from, to): (i64, i64),
    decode: &dyn Fn(&Record) -> Option<Change>,
    sender: &mpsc::Sender<Past>,
) -> Result<(), LogFault> {
    if from < log.low_watermark(at)? {
        return Err(LogFault::OutOfRange { partition: at.clone(), offset: from });
    }
    let mut reader = log.reader(&[(at.clone(), Start::Offset(from))])?;
    let mut moved_at = Instant::now();
    loop {
        let before = reader.position(at);
        if before >= to || sender.is_closed() {
            return Ok(());
        }
        for record in reader.poll(MOST, Duration::from_millis(100))? {
            let is_own = record.offset < to && record.key.as_deref() == Some(key.as_bytes());
            if is_own && sender.blocking_send(Past::Change(record.offset, decode(&record))).is_err() {
                return Ok(());
            }
        }
        if reader.position(at) > before {
            moved_at = Instant::now();
        } else if moved_at.elapsed() > PATIENCE {
            let message = format!("nothing comes from {at} behind offset {before}");
            return Err(LogFault::Unavailable { step: "read changes", message });
        }
    }
}
