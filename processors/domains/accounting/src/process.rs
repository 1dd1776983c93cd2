//! The process of a transfer: set aside where the money is, credit where it goes, then take
//! out what was set aside, or make it available again.
//!
//! ```text
//! Transfer → TransferRequested ─► ReserveFunds → FundsReserved ─► CreditTransfer → TransferCredited ─► SettleReservation → ReservationSettled ──► CompleteTransfer → TransferCompleted
//! (transfer_id)                   (from)         │                (to)           → CreditRefused ────► ReleaseReservation → ReservationReleased ─► FailTransfer → TransferFailed
//!                                                └ ReservationRefused ───────────────────────────────────────────────────────────────────────────► FailTransfer → TransferFailed
//! ```

use millrace_kernel::{FollowUp, Rejections};

use crate::messages::steps::{
    CompleteTransfer, CreditTransfer, FailTransfer, ReleaseReservation, ReserveFunds, SettleReservation,
};
use crate::messages::{EventData, StepData};

/// What an event sets in motion. The steps carry all of the transfer, so that the account at
/// either end needs to know nothing of the other.
pub(crate) fn follow_up(event: &EventData) -> FollowUp<StepData> {
    let step: StepData = match event {
        EventData::TransferRequested(e) => ReserveFunds {
            transfer_id: e.transfer_id.clone(),
            from: e.from.clone(),
            to: e.to.clone(),
            amount: e.amount,
            currency: e.currency.clone(),
            requested_by: e.requested_by.clone(),
        }
        .into(),
        EventData::FundsReserved(e) => CreditTransfer {
            transfer_id: e.transfer_id.clone(),
            from: e.from.clone(),
            to: e.to.clone(),
            amount: e.amount,
            currency: e.currency.clone(),
        }
        .into(),
        EventData::TransferCredited(e) => SettleReservation {
            transfer_id: e.transfer_id.clone(),
            from: e.from.clone(),
            to: e.to.clone(),
            amount: e.amount,
            currency: e.currency.clone(),
        }
        .into(),
        EventData::CreditRefused(e) => ReleaseReservation {
            transfer_id: e.transfer_id.clone(),
            from: e.from.clone(),
            to: e.to.clone(),
            amount: e.amount,
            currency: e.currency.clone(),
            violations: e.violations.clone(),
        }
        .into(),
        EventData::ReservationSettled(e) => CompleteTransfer {
            transfer_id: e.transfer_id.clone(),
            from: e.from.clone(),
            to: e.to.clone(),
            amount: e.amount,
            currency: e.currency.clone(),
        }
        .into(),
        EventData::ReservationReleased(e) => FailTransfer {
            transfer_id: e.transfer_id.clone(),
            from: e.from.clone(),
            to: e.to.clone(),
            amount: e.amount,
            currency: e.currency.clone(),
            violations: e.violations.clone(),
        }
        .into(),
        EventData::ReservationRefused(e) => FailTransfer {
            transfer_id: e.transfer_id.clone(),
            from: e.from.clone(),
            to: e.to.clone(),
            amount: e.amount,
            currency: e.currency.clone(),
            violations: e.violations.clone(),
        }
        .into(),
        EventData::TransferCompleted(_) => return FollowUp::Completed,
        EventData::TransferFailed(e) => {
            return FollowUp::Refused(Rejections::from(e.violations.clone()));
        }
        EventData::AccountOpened(_)
        | EventData::MoneyDeposited(_)
        | EventData::MoneyWithdrawn(_)
        | EventData::AccountClosed(_) => return FollowUp::None,
    };
    FollowUp::Steps(vec![step])
}
