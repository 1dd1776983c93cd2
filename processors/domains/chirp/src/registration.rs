//! The process of a registration: claim the name in its own partition, then confirm or
//! refuse in the user's.
//!
//! ```text
//! RegisterUser → RegistrationStarted ─► ClaimUsername → UsernameClaimed ──────► ConfirmRegistration → UserRegistered
//!    (user_id)                          (name)        → UsernameClaimRefused ─► RefuseRegistration  → RegistrationRefused
//! ```

use millrace_kernel::{FollowUp, Rejections};

use crate::messages::steps::{ClaimUsername, ConfirmRegistration, RefuseRegistration};
use crate::messages::{EventData, StepData};

/// What an event sets in motion.
pub(crate) fn follow_up(event: &EventData) -> FollowUp<StepData> {
    let step = match event {
        EventData::RegistrationStarted(e) => ClaimUsername::from(e).into(),
        EventData::UsernameClaimed(e) => ConfirmRegistration::from(e).into(),
        EventData::UsernameClaimRefused(e) => RefuseRegistration::from(e).into(),
        EventData::UserRegistered(_) => return FollowUp::Completed,
        EventData::RegistrationRefused(e) => {
            return FollowUp::Refused(Rejections::from(e.violations.clone()));
        }
        EventData::ChirpPosted(_)
        | EventData::ChirpEdited(_)
        | EventData::ChirpDeleted(_)
        | EventData::UserFollowed(_)
        | EventData::UserUnfollowed(_) => return FollowUp::None,
    };
    FollowUp::Steps(vec![step])
}
