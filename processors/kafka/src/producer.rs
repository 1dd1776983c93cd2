//! Sends single records outside transactions: what the command line and producers of commands do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_ports::LogFault;
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};

use crate::config::KafkaConfig;
use crate::diary::Diary;
use crate::fault::Step;
use crate::native::{self, Bell};

/// A record to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The topic's full name.
    pub topic: String,
    /// The partition, chosen by the caller.
    pub partition: i32,
    /// The key, if it has one.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The record's timestamp, milliseconds since the epoch; `None` is now.
    pub timestamp_ms: Option<i64>,
    /// Headers in order.
    pub headers: Vec<(String, Bytes)>,
}

/// Where a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

type Callback = Box<dyn FnOnce(Result<Delivered, LogFault>) + Send>;

struct Deliveries {
    diary: Diary,
    bootstrap: String,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.diary.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.diary.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    // a lock only because the client wants it shareable; it is opened once
    type DeliveryOpaque = Box<Mutex<Option<Callback>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, callback: Self::DeliveryOpaque) {
        let Some(callback) = callback.into_inner().unwrap_or_else(PoisonError::into_inner) else { return };
        callback(match result {
            Ok(sent) => Ok(Delivered { partition: sent.partition(), offset: sent.offset() }),
            Err((error, message)) => {
                let topic = Some(message.topic());
                let step = Step { step: "send", bootstrap: &self.bootstrap, topic };
                Err(step.fault(error, Some(&self.diary)))
            }
        });
    }
}

/// Sends records in order per partition. A connection that is lost at the wrong moment can make the broker keep a
/// record twice, which the ids of commands make up for.
pub struct KafkaProducer {
    producer: Arc<BaseProducer<Deliveries>>,
    reports: Option<Reports>,
    bootstrap: String,
    request_timeout: Duration,
}

/// The thread on which callers are told what became of their records.
struct Reports {
    closing: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Reports {
    fn of(producer: &Arc<BaseProducer<Deliveries>>) -> std::io::Result<Self> {
        let closing = Arc::new(AtomicBool::new(false));
        let (producer, ends) = (Arc::clone(producer), Arc::clone(&closing));
        let thread = thread::Builder::new()
            .name("kafka-reports".to_owned())
            .spawn(move || report(&producer, &ends))?;
        Ok(Self { closing, thread })
    }

    /// Ends the thread now: it is woken, and does not first look for reports for a while.
    fn end(self) {
        self.closing.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // it cannot panic but by what it was told to call, which has been said by then
        let _ = self.thread.join();
    }
}

/// Passes reports on as they come, until `closing`; sleeps meanwhile.
fn report(producer: &BaseProducer<Deliveries>, closing: &AtomicBool) {
    let bell = Bell::of(producer.client().native_ptr(), thread::current());
    // Callbacks may use up a wake-up that was meant for here, so both are looked at before every sleep.
    while !closing.load(Ordering::Acquire) {
        match bell.has_news() {
            true => producer.poll(Duration::ZERO),
            false => thread::park(),
        }
    }
}

impl KafkaProducer {
    pub(crate) fn open(config: &KafkaConfig) -> Result<Self, LogFault> {
        Self::open_as(config, &config.producer())
    }

    /// One whose records the broker keeps once and in order, however often they are sent.
    pub(crate) fn open_numbering(config: &KafkaConfig) -> Result<Self, LogFault> {
        Self::open_as(config, &config.appender())
    }

    fn open_as(config: &KafkaConfig, client: &ClientConfig) -> Result<Self, LogFault> {
        let bootstrap = config.bootstrap.clone();
        let step = Step { step: "open a producer", bootstrap: &bootstrap, topic: None };
        let context = Deliveries { diary: Diary::default(), bootstrap: bootstrap.clone() };
        let producer: BaseProducer<Deliveries> =
            client.create_with_context(context).map_err(|error| step.fault(&error, None))?;
        let producer = Arc::new(producer);
        let reports = Reports::of(&producer).map_err(|error| step.unavailable(error.to_string(), None))?;
        Ok(Self { producer, reports: Some(reports), bootstrap, request_timeout: config.request_timeout })
    }

    /// Enqueues `message` and tells `done` what became of it, on another thread. Waits only while
    /// the queue is full.
    ///
    /// # Errors
    /// [`LogFault`] when it was not enqueued; then `done` is not called.
    pub fn send(
        &self,
        message: &Message,
        done: impl FnOnce(Result<Delivered, LogFault>) + Send + 'static,
    ) -> Result<(), LogFault> {
        let callback: Callback = Box::new(done);
        let mut record = BaseRecord::with_opaque_to(&message.topic, Box::new(Mutex::new(Some(callback))))
            .partition(message.partition);
        record.key = message.key.as_deref();
        record.payload = message.value.as_deref();
        record.timestamp = message.timestamp_ms;
        if !message.headers.is_empty() {
            record.headers = Some(headers(&message.headers));
        }
        let deadline = Instant::now() + self.request_timeout;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, back)) => {
                    let full = error.rdkafka_error_code() == Some(Code::QueueFull);
                    if !full || Instant::now() >= deadline {
                        let topic = Some(message.topic.as_str());
                        let step = Step { step: "send", bootstrap: &self.bootstrap, topic };
                        return Err(step.fault(&error, Some(&self.producer.context().diary)));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                    record = back;
                }
            }
        }
    }

    /// Sends `message` and waits until the broker has it.
    ///
    /// # Errors
    /// [`LogFault`].
    pub fn send_and_wait(&self, message: &Message, wait: Duration) -> Result<Delivered, LogFault> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.send(message, move |result| {
            // the one who waited may have given up
            let _ = sender.send(result);
        })?;
        match receiver.recv_timeout(wait) {
            Ok(result) => result,
            Err(_) => {
                let step = Step { step: "send", bootstrap: &self.bootstrap, topic: Some(&message.topic) };
                Err(step.unavailable("not acknowledged in time", Some(&self.producer.context().diary)))
            }
        }
    }

    /// Waits until all that was sent has been answered.
    ///
    /// # Errors
    /// [`LogFault::Unavailable`] when that takes longer than `wait`.
    pub fn flush(&self, wait: Duration) -> Result<(), LogFault> {
        match native::flush(self.producer.client().native_ptr(), wait) {
            true => Ok(()),
            false => {
                let step = Step { step: "flush", bootstrap: &self.bootstrap, topic: None };
                Err(step.unavailable("not acknowledged in time", Some(&self.producer.context().diary)))
            }
        }
    }

    /// Gives up what is not answered yet: nothing of it is sent any more.
    pub(crate) fn purge(&self) {
        self.producer.purge(PurgeConfig::default().queue().inflight());
    }

    /// How many records are not answered yet.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        usize::try_from(self.producer.in_flight_count()).unwrap_or(0)
    }
}

impl Drop for KafkaProducer {
    fn drop(&mut self) {
        if let Some(reports) = self.reports.take() {
            reports.end();
        }
    }
}

/// Headers for the client.
fn headers<V: AsRef<[u8]>>(headers: &[(String, V)]) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |all, (key, value)| {
        all.insert(Header { key, value: Some(value.as_ref()) })
    })
}
