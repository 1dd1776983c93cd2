//! One transactional id: who may use it, and what its transaction holds.

use kafka_protocol::ResponseError;

use crate::broker::storage::metastate::{StoredTxn, TxnStatus};

impl StoredTxn {
    /// Checks that a request comes from the newest producer of the transactional id.
    pub fn check_producer(&self, producer_id: i64, epoch: i16) -> Result<(), ResponseError> {
        if producer_id != self.producer_id {
            return Err(ResponseError::InvalidProducerIdMapping);
        }
        if epoch != self.epoch {
            return Err(ResponseError::ProducerFenced);
        }
        Ok(())
    }

    /// Whether markers of a decided transaction are still missing.
    pub fn is_incomplete(&self) -> bool {
        matches!(self.status, TxnStatus::Committed | TxnStatus::Aborted)
            && (!self.partitions.is_empty() || !self.offsets.is_empty())
    }

    /// The name that Kafka's tools show.
    pub fn state_name(&self) -> &'static str {
        match (self.status, self.is_incomplete()) {
            (TxnStatus::Empty, _) => "Empty",
            (TxnStatus::Ongoing, _) => "Ongoing",
            (TxnStatus::Committed, true) => "PrepareCommit",
            (TxnStatus::Aborted, true) => "PrepareAbort",
            (TxnStatus::Committed, false) => "CompleteCommit",
            (TxnStatus::Aborted, false) => "CompleteAbort",
        }
    }

    /// The transaction with one more thing in it, opened when it was not.
    pub fn opened(&self, now_ms: i64) -> Result<Self, ResponseError> {
        if self.is_incomplete() {
            return Err(ResponseError::ConcurrentTransactions);
        }
        let mut next = self.clone();
        if next.status != TxnStatus::Ongoing {
            next.status = TxnStatus::Ongoing;
            next.started_ms = now_ms;
            next.partitions.clear();
            next.offsets.clear();
        }
        next.updated_ms = now_ms;
        Ok(next)
    }

    /// The transaction decided.
    pub fn decided(&self, commit: bool, now_ms: i64) -> Self {
        let mut next = self.clone();
        next.status = if commit { TxnStatus::Committed } else { TxnStatus::Aborted };
        next.updated_ms = now_ms;
        next
    }

    /// Whether the transaction is open for longer than its producer asked for.
    pub fn is_overdue(&self, now_ms: i64) -> bool {
        self.status == TxnStatus::Ongoing
            && now_ms.saturating_sub(self.started_ms) > i64::from(self.timeout_ms)
    }
}
