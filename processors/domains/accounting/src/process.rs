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
        EventData::TransferRequested(e) => ReserveFunds::from(e).into(),
        EventData::FundsReserved(e) => CreditTransfer::from(e).into(),
        EventData::TransferCredited(e) => SettleReservation::from(e).into(),
        EventData::CreditRefused(e) => ReleaseReservation::from(e).into(),
        EventData::ReservationSettled(e) => CompleteTransfer::from(e).into(),
        EventData::ReservationReleased(e) => FailTransfer::from(e).into(),
        EventData::ReservationRefused(e) => FailTransfer::from(e).into(),
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
