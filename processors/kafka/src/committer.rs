//! One transaction from records to commit, on a thread of its own.
//!
//! Kafka needs five round trips for a transaction: two to register partitions and offsets with the
//! coordinator, two to write them, one to commit. The offsets are sent while the records are under
//! way, so they cost nothing extra.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_ports::{LogFault, Outgoing, TopicPartition, Transaction};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use crate::config::KafkaConfig;
use crate::diary::Diary;
use crate::fault::Step;
use crate::group::{Member, list_of};
use crate::membership::Claim;
use crate::native::{self, Topic};
use crate::reaper::reap;
use crate::timing::Timing;

/// What a committer is asked to do; it answers every job once.
pub(crate) enum Job {
    /// End what a predecessor left open.
    Fence,
    /// Write and commit a batch for as long as the claim lasts.
    Commit(Transaction, Claim),
}

/// What became of a job.
pub(crate) struct Done {
    pub(crate) result: Result<(), LogFault>,
    /// Whether it is certain, where it failed, that nothing of the batch will ever be visible; then the next
    /// may be written without a fence.
    pub(crate) is_clean: bool,
    /// The batch, back to the thread that made it: there it is freed at half the price, or used again.
    pub(crate) batch: Option<Transaction>,
}

/// How long one look at the outstanding deliveries lasts; they end it, the time only bounds how
/// late a failed one is noticed.
const FLUSH_SLICE: Duration = Duration::from_millis(50);
/// How long one call of an abort may take before reports are looked at.
const ABORT_SLICE: Duration = Duration::from_millis(20);
/// Markers are usually written within this time of a commit.
const MARKERS_WAIT: Duration = Duration::from_millis(15);
/// The pause between two looks whether the member has joined the next generation.
const REJOIN_LOOK: Duration = Duration::from_millis(5);
/// An abort that takes longer, and longer than a third of the transaction's time-out, is left to the next fence, or to
/// the broker's time-out.
const ABORT_WAIT: Duration = Duration::from_secs(3);

/// Keeps the first delivery that failed.
#[derive(Default)]
struct Deliveries {
    diary: Diary,
    failed: Mutex<Option<(Code, String)>>,
}

impl Deliveries {
    fn take(&self) -> Option<(Code, String)> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
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
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let Err((error, message)) = result else { return };
        let Some(code) = error.rdkafka_error_code() else { return };
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        // what was purged only followed another's failure
        if failed.is_none() && !matches!(code, Code::PurgeQueue | Code::PurgeInflight) {
            *failed = Some((code, message.topic().to_owned()));
        }
    }
}

/// Why a batch was not committed.
enum Failed {
    /// The commit was not asked for.
    Fault(LogFault),
    /// The commit was asked for, so its fate is unknown.
    Unknown(LogFault),
    /// The group has begun another generation; who was replaced is no member of it.
    MovedOn { generation: i32 },
    /// The commit was not asked for: the client takes nothing more into this transaction, and no record was refused.
    Broken(LogFault),
}

impl From<LogFault> for Failed {
    fn from(fault: LogFault) -> Self {
        Self::Fault(fault)
    }
}

/// A producer, and the topics it has written to.
struct Session {
    /// They go before the producer.
    topics: Vec<(Arc<str>, Topic)>,
    producer: BaseProducer<Deliveries>,
    /// Whether its last transaction was aborted. Records that were refused or given up leave a hole in the sequence
    /// numbers, which the client finds with the next transaction only: it has that one aborted too, and with the
    /// abort takes a new epoch, which the broker gives to nobody who was fenced off meanwhile (KIP-360).
    was_aborted: bool,
}

impl Session {
    fn new(producer: BaseProducer<Deliveries>) -> Self {
        Self { topics: Vec::new(), producer, was_aborted: false }
    }

    fn enqueue(&mut self, config: &KafkaConfig, record: &Outgoing) -> Result<(), Code> {
        let handle = self.producer.client().native_ptr();
        let known = self.topics.iter().position(|(name, _)| *name == record.topic);
        let known = match known {
            Some(known) => known,
            None => {
                let compresses = config.compresses(&record.topic);
                self.topics.push((Arc::clone(&record.topic), Topic::of(handle, &record.topic, compresses)?));
                self.topics.len() - 1
            }
        };
        self.topics[known].1.produce(handle, record)
    }

    /// Lets go of the producer without waiting for it.
    fn end(self) {
        drop(self.topics);
        reap(self.producer);
    }
}

/// Owns the producer of one transactional id.
pub(crate) struct Committer {
    config: KafkaConfig,
    /// Whose offsets it commits, if anyone's.
    member: Option<Arc<Member>>,
    transactional_id: String,
    session: Option<Session>,
    committed_at: Option<Instant>,
    timing: Timing,
}

impl Committer {
    pub(crate) fn new(config: KafkaConfig, member: Option<Arc<Member>>, transactional_id: &str) -> Self {
        Self {
            config,
            member,
            transactional_id: transactional_id.to_owned(),
            session: None,
            committed_at: None,
            timing: Timing::default(),
        }
    }

    /// How long its transactions take.
    pub(crate) fn timing(&self) -> Timing {
        self.timing.clone()
    }

    /// Does jobs until the writer is gone.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>, answers: &Sender<Done>) {
        while let Ok(job) = jobs.recv() {
            let done = match job {
                Job::Fence => Done { result: self.fence(), is_clean: false, batch: None },
                Job::Commit(batch, claim) => {
                    let result = self.commit(&batch, &claim);
                    // only who is certain of it has kept the session
                    let is_clean = result.is_err() && self.session.is_some();
                    Done { result, is_clean, batch: Some(batch) }
                }
            };
            if answers.send(done).is_err() {
                break;
            }
        }
    }

    fn step(&self, step: &'static str) -> Step<'_> {
        Step { step, bootstrap: &self.config.bootstrap, topic: None }
    }

    /// A new producer takes over the transactional id: whatever state the old one is in, the broker
    /// ends its transaction and refuses it from then on.
    fn fence(&mut self) -> Result<(), LogFault> {
        if let Some(old) = self.session.take() {
            old.end();
        }
        let producer: BaseProducer<Deliveries> = self
            .config
            .transactional(&self.transactional_id)
            .create_with_context(Deliveries::default())
            .map_err(|error| self.step("fence").fault(&error, None))?;
        let until = Instant::now() + self.config.transaction_timeout;
        let left = || until.saturating_duration_since(Instant::now());
        // With no connection up, the client looks for its coordinator in vain, and again only half a second later. The
        // first answer may come by a connection that it gives up once it knows the brokers.
        let connected = (0..2).all(|_| native::ask_for_brokers(producer.client().native_ptr(), left()));
        let failed = match connected {
            true => producer.init_transactions(left()).err(),
            false => Some(KafkaError::Global(Code::AllBrokersDown)),
        };
        let Some(error) = failed else {
            self.session = Some(Session::new(producer));
            return Ok(());
        };
        serve(&producer);
        let fault = self.step("fence").fault(&error, Some(&producer.context().diary));
        reap(producer);
        Err(fault)
    }

    fn commit(&mut self, batch: &Transaction, claim: &Claim) -> Result<(), LogFault> {
        let Some(mut session) = self.session.take() else {
            return Err(self.step("commit").unavailable("not fenced", None));
        };
        let deadline = Instant::now() + self.config.transaction_timeout;
        loop {
            let failed = match self.write(&mut session, batch, claim) {
                Ok(()) => {
                    session.was_aborted = false;
                    self.session = Some(session);
                    self.committed_at = Some(Instant::now());
                    return Ok(());
                }
                Err(failed) => failed,
            };
            let is_ended = self.abort(&session.producer);
            let may_have_holes = std::mem::replace(&mut session.was_aborted, true);
            let fault = match failed {
                Failed::Broken(_) if is_ended && may_have_holes => {
                    session.was_aborted = false;
                    continue;
                }
                // a rebalance passes also for those who keep their partitions: the same batch again
                Failed::MovedOn { .. } if is_ended && self.rejoin(&failed, claim, deadline) => continue,
                Failed::MovedOn { generation } => {
                    let message = format!("the group moved on from generation {generation}");
                    self.step("commit offsets").unavailable(message, None)
                }
                Failed::Fault(fault) | Failed::Broken(fault)
                    if is_ended && !matches!(fault, LogFault::Fenced { .. }) =>
                {
                    self.session = Some(session);
                    return Err(fault);
                }
                // a commit that was asked for may have been taken, whatever became of the abort
                Failed::Fault(fault) | Failed::Broken(fault) | Failed::Unknown(fault) => fault,
            };
            session.end();
            return Err(fault);
        }
    }

    /// Waits until this member is one of the next generation; whether the batch may be tried again.
    fn rejoin(&self, failed: &Failed, claim: &Claim, deadline: Instant) -> bool {
        let Failed::MovedOn { generation } = failed else { return false };
        let Some(member) = &self.member else { return false };
        while member.holds(claim) && Instant::now() < deadline {
            if member.token().is_some_and(|token| token.generation() != *generation) {
                return true;
            }
            std::thread::sleep(REJOIN_LOOK);
        }
        false
    }

    /// Frees readers of the partitions at once, and says whether it has; when it fails, the next
    /// fence does it.
    ///
    /// In slices: the client waits until somebody has read the reports of the records it gives up.
    fn abort(&self, producer: &BaseProducer<Deliveries>) -> bool {
        let deadline = Instant::now() + ABORT_WAIT.max(self.config.transaction_timeout / 3);
        loop {
            let Err(error) = producer.abort_transaction(ABORT_SLICE) else { return true };
            serve(producer);
            let again = matches!(&error, KafkaError::Transaction(inner) if inner.is_retriable());
            if !again || Instant::now() >= deadline {
                let id = &self.transactional_id;
                tracing::debug!(transactional_id = id, %error, "the abort is left to the next fence");
                return false;
            }
        }
    }

    fn write(&self, session: &mut Session, batch: &Transaction, claim: &Claim) -> Result<(), Failed> {
        let deadline = Instant::now() + self.config.transaction_timeout;
        let producer = &session.producer;
        let diary = Some(&producer.context().diary);
        // log lines of quiet times, and nothing else: no batch is under way
        serve(producer);
        producer.context().take();
        let began = Instant::now();
        producer.begin_transaction().map_err(|error| self.step("begin").fault(&error, diary))?;
        let first = self.follows_closely();
        if first && !batch.offsets.is_empty() {
            self.send_offsets(producer, &batch.offsets, claim, deadline)?;
        }
        for record in &batch.records {
            self.enqueue(session, record, deadline)?;
        }
        let producer = &session.producer;
        if !first && !batch.offsets.is_empty() {
            self.send_offsets(producer, &batch.offsets, claim, deadline)?;
        }
        self.await_deliveries(producer, deadline)?;
        let written = Instant::now();
        producer.commit_transaction(left(deadline)).map_err(|error| {
            serve(producer);
            let fault = self.failure("commit", producer, &error);
            match error.rdkafka_error_code() {
                Some(Code::OutOfOrderSequenceNumber) => Failed::Broken(fault),
                _ => Failed::Unknown(fault),
            }
        })?;
        self.timing.set(began, written);
        Ok(())
    }

    /// Whether the markers of the batch before may still be under way. Until they are written the
    /// broker puts off whatever begins the next transaction: offsets are asked for again after
    /// `retry.backoff.ms`, partitions only after a flat 20 ms. So the offsets go ahead then.
    fn follows_closely(&self) -> bool {
        self.committed_at.is_some_and(|it| it.elapsed() < MARKERS_WAIT)
    }

    fn enqueue(&self, session: &mut Session, record: &Outgoing, deadline: Instant) -> Result<(), LogFault> {
        loop {
            let Err(code) = session.enqueue(&self.config, record) else { return Ok(()) };
            if code != Code::QueueFull || Instant::now() >= deadline {
                let step = Step { topic: Some(&record.topic), ..self.step("write") };
                let diary = Some(&session.producer.context().diary);
                return Err(step.of_code(code, code.to_string(), diary));
            }
            session.producer.poll(Duration::from_millis(1));
        }
    }

    fn send_offsets(
        &self,
        producer: &BaseProducer<Deliveries>,
        offsets: &BTreeMap<TopicPartition, i64>,
        claim: &Claim,
        deadline: Instant,
    ) -> Result<(), Failed> {
        let step = self.step("commit offsets");
        let fenced = || LogFault::Fenced { step: step.step };
        let list = list_of(offsets).map_err(|error| step.fault(&error, None))?;
        // In this order: the token is of a moment at which the claim still lasts, so when the
        // broker takes it for current, the partitions are this member's.
        let member = self.member.as_ref().ok_or_else(fenced)?;
        let token = member.token().ok_or_else(fenced)?;
        if !member.holds(claim) {
            return Err(fenced().into());
        }
        let Err(error) = token.send_offsets(producer.client().native_ptr(), &list, left(deadline)) else {
            return Ok(());
        };
        if error.code == Code::State {
            // A record was refused meanwhile, and with it the transaction takes no offsets; its report is under way.
            producer.poll(FLUSH_SLICE);
        }
        serve(producer);
        if error.code == Code::IllegalGeneration {
            return Err(Failed::MovedOn { generation: token.generation() });
        }
        if let Some(fault) = self.failed_delivery(producer) {
            return Err(fault.into());
        }
        let fault = step.of_code(error.code, error.message, Some(&producer.context().diary));
        Err(if error.code == Code::State { Failed::Broken(fault) } else { fault.into() })
    }

    fn await_deliveries(
        &self,
        producer: &BaseProducer<Deliveries>,
        deadline: Instant,
    ) -> Result<(), LogFault> {
        while !native::flush(producer.client().native_ptr(), left(deadline).min(FLUSH_SLICE)) {
            serve(producer);
            if let Some(fault) = self.failed_delivery(producer) {
                return Err(fault);
            }
            if Instant::now() >= deadline {
                let diary = Some(&producer.context().diary);
                return Err(self.step("write").unavailable("records were not acknowledged in time", diary));
            }
        }
        serve(producer);
        match self.failed_delivery(producer) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    fn failed_delivery(&self, producer: &BaseProducer<Deliveries>) -> Option<LogFault> {
        let (code, topic) = producer.context().take()?;
        let step = Step { topic: Some(&topic), ..self.step("write") };
        Some(step.of_code(code, code.to_string(), Some(&producer.context().diary)))
    }

    /// A record that was refused explains more than the transaction that failed for it.
    fn failure(
        &self,
        step: &'static str,
        producer: &BaseProducer<Deliveries>,
        error: &KafkaError,
    ) -> LogFault {
        self.failed_delivery(producer)
            .unwrap_or_else(|| self.step(step).fault(error, Some(&producer.context().diary)))
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.end();
        }
    }
}

/// Reads what the client has to say: log lines, and reports of failed deliveries.
fn serve(producer: &BaseProducer<Deliveries>) {
    for _ in 0..8 {
        producer.poll(Duration::ZERO);
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
