//! The caller's end of a transactional writer; the work is done by its committer's thread.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use millrace_ports::{CommitTiming, LogFault, Transaction, TransactionalWriter};

use crate::committer::{Committer, Done, Job};
use crate::config::KafkaConfig;
use crate::fault::Step;
use crate::group::Member;
use crate::membership::Claim;
use crate::timing::Timing;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing may be submitted before a fence.
    Unfenced,
    Idle,
    InFlight,
}

/// Hands batches to a committer and waits for its answers.
pub(crate) struct KafkaWriter {
    member: Option<Arc<Member>>,
    jobs: Sender<Job>,
    answers: Receiver<Done>,
    state: State,
    is_clean: bool,
    /// What was settled last.
    settled: Option<Transaction>,
    timing: Timing,
    bootstrap: String,
}

impl KafkaWriter {
    /// A writer for the offsets of `member`'s group, or for none.
    pub(crate) fn start(
        config: &KafkaConfig,
        member: Option<Arc<Member>>,
        transactional_id: &str,
    ) -> Result<Self, LogFault> {
        let (jobs, inbox) = mpsc::channel();
        let (outbox, answers) = mpsc::channel();
        let committer = Committer::new(config.clone(), member.clone(), transactional_id);
        let timing = committer.timing();
        // not joined: it ends by itself once this end of the channel is gone
        std::thread::Builder::new()
            .name("kafka-committer".to_owned())
            .spawn(move || committer.run(&inbox, &outbox))
            .map_err(|error| {
                let step = Step { step: "start a writer", bootstrap: &config.bootstrap, topic: None };
                step.unavailable(error.to_string(), None)
            })?;
        let (state, bootstrap) = (State::Unfenced, config.bootstrap.clone());
        Ok(Self { member, jobs, answers, state, is_clean: false, settled: None, timing, bootstrap })
    }

    fn unavailable(&self, step: &'static str, message: &str) -> LogFault {
        Step { step, bootstrap: &self.bootstrap, topic: None }.unavailable(message, None)
    }

    fn hand_over(&self, step: &'static str, job: Job) -> Result<(), LogFault> {
        self.jobs.send(job).map_err(|_| self.unavailable(step, "the committer has ended"))
    }
}

impl TransactionalWriter for KafkaWriter {
    fn fence(&mut self) -> Result<(), LogFault> {
        if self.state == State::InFlight {
            // its fate no longer matters: the fence ends it, or it is committed before that
            let _ = self.answers.recv();
        }
        self.is_clean = false;
        self.state = State::Unfenced;
        self.hand_over("fence", Job::Fence)?;
        match self.answers.recv() {
            Ok(done) => done.result?,
            Err(_) => return Err(self.unavailable("fence", "the committer has ended")),
        }
        self.state = State::Idle;
        Ok(())
    }

    fn submit(&mut self, batch: Transaction) -> Result<(), LogFault> {
        match self.state {
            State::Idle => {}
            State::Unfenced => return Err(self.unavailable("submit", "not fenced")),
            State::InFlight => return Err(self.unavailable("submit", "the batch before is not settled")),
        }
        self.is_clean = false;
        // the right to commit is that of this moment, not of a later one
        let claim = match &self.member {
            Some(member) => member.claim(&batch.offsets),
            None if batch.offsets.is_empty() => Some(Claim::default()),
            None => {
                let message = "a writer without a group commits no offsets".to_owned();
                return Err(LogFault::Refused { step: "submit", message });
            }
        };
        let Some(claim) = claim else {
            self.state = State::Unfenced;
            return Err(LogFault::Fenced { step: "submit" });
        };
        self.hand_over("submit", Job::Commit(batch, claim))?;
        self.state = State::InFlight;
        Ok(())
    }

    fn settle(&mut self, wait: Duration) -> Result<bool, LogFault> {
        if self.state != State::InFlight {
            return Ok(true);
        }
        let answer = match self.answers.recv_timeout(wait) {
            Ok(done) => {
                self.settled = done.batch;
                self.is_clean = done.is_clean;
                done.result
            }
            Err(RecvTimeoutError::Timeout) => return Ok(false),
            Err(RecvTimeoutError::Disconnected) => {
                self.state = State::Unfenced;
                return Err(self.unavailable("commit", "the committer has ended"));
            }
        };
        self.state = if answer.is_ok() || self.is_clean { State::Idle } else { State::Unfenced };
        answer.map(|()| true)
    }

    fn is_clean(&self) -> bool {
        self.is_clean
    }

    fn give_back(&mut self) -> Option<Transaction> {
        self.settled.take()
    }

    fn timing(&self) -> Option<CommitTiming> {
        self.timing.get()
    }
}
