//! The one process: make the claims that are missing, give up those that are too many, then end the change at the user.
//!
//! ```text
//! AddUser    → UserAdditionRequested ┐
//! UpdateUser → UserUpdateRequested ──┼► ClaimEmail … → EmailClaimed ─┬► ReleaseEmail … → EmailReleased ─► EndChange → UserAdded, UserUpdated, UserEmailReleased
//! RemoveUser → UserRemoved ──────────┘  (claim_id)                   │  (claim_id)                        (user_id)
//!                                                     EmailClaimRefused ► ReleaseEmail … (what this change had claimed) ► EndChange → UserAdditionRefused, UserUpdateRefused
//! ```
//!
//! A claim is made before one is given up, so a user who is to keep an address never stands without it.

use millrace_kernel::{FollowUp, Rejections, Text, Violation};

use crate::messages::steps::{ClaimEmail, EndChange, ReleaseEmail};
use crate::messages::{EventData, StepData};

/// What an event sets in motion.
pub(crate) fn follow_up(event: &EventData) -> FollowUp<StepData> {
    let rest = match event {
        EventData::UserAdditionRequested(e) => {
            Rest { to_claim: &e.to_claim, ..Rest::nothing(&e.user_id, &e.change_id) }
        }
        EventData::UserUpdateRequested(e) => Rest {
            to_claim: &e.to_claim,
            to_release: &e.to_release,
            ..Rest::nothing(&e.user_id, &e.change_id)
        },
        EventData::UserRemoved(e) if e.email_claims.is_empty() => return FollowUp::Completed,
        EventData::UserRemoved(e) => {
            Rest { to_release: &e.email_claims, ..Rest::nothing(&e.user_id, &e.change_id) }
        }
        EventData::EmailClaimed(e) => Rest {
            claimed: &e.claimed,
            to_claim: &e.to_claim,
            to_release: &e.to_release,
            ..Rest::nothing(&e.user_id, &e.change_id)
        },
        EventData::EmailClaimRefused(e) => Rest {
            to_release: &e.claimed,
            violations: &e.violations,
            ..Rest::nothing(&e.user_id, &e.change_id)
        },
        EventData::EmailReleased(e) => Rest {
            to_release: &e.to_release,
            violations: &e.violations,
            ..Rest::nothing(&e.user_id, &e.change_id)
        },
        EventData::UserAdded(_)
        | EventData::UserUpdated(_)
        | EventData::UserEmailReleased(_)
        | EventData::AccountingEnabled(_) => return FollowUp::Completed,
        EventData::UserAdditionRefused(e) => return refused(&e.violations),
        EventData::UserUpdateRefused(e) => return refused(&e.violations),
    };
    FollowUp::Steps(vec![rest.next()])
}

fn refused(violations: &[Violation]) -> FollowUp<StepData> {
    FollowUp::Refused(Rejections::from(violations.to_vec()))
}

/// What is left to do for a change.
struct Rest<'a> {
    user_id: &'a Text,
    change_id: &'a Text,
    claimed: &'a [Text],
    to_claim: &'a [Text],
    to_release: &'a [Text],
    violations: &'a [Violation],
}

impl<'a> Rest<'a> {
    fn nothing(user_id: &'a Text, change_id: &'a Text) -> Self {
        Self { user_id, change_id, claimed: &[], to_claim: &[], to_release: &[], violations: &[] }
    }

    fn next(&self) -> StepData {
        let (user_id, change_id) = (self.user_id.clone(), self.change_id.clone());
        if let [claim_id, to_claim @ ..] = self.to_claim {
            return ClaimEmail {
                claim_id: claim_id.clone(),
                user_id,
                change_id,
                claimed: self.claimed.to_vec(),
                to_claim: to_claim.to_vec(),
                to_release: self.to_release.to_vec(),
            }
            .into();
        }
        let violations = self.violations.to_vec();
        if let [claim_id, to_release @ ..] = self.to_release {
            let (claim_id, to_release) = (claim_id.clone(), to_release.to_vec());
            return ReleaseEmail { claim_id, user_id, change_id, to_release, violations }.into();
        }
        EndChange { user_id, change_id, violations }.into()
    }
}
