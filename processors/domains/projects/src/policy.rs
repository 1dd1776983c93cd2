//! What this domain does about the events of identity: whoever is removed there is in no team any more.

use millrace_kernel::{Event, Reaction};

use crate::messages::StepData;
use crate::messages::identity_events::{self, events::EventData};
use crate::messages::steps::EndMember;

/// A user was removed.
#[derive(Clone, Copy, Debug)]
pub struct WhoGoes;

impl Reaction for WhoGoes {
    type Event = EventData;
    type Step = StepData;
    const DOMAIN: &'static str = identity_events::DOMAIN;
    const SCHEMA: &'static str = identity_events::SCHEMA;

    fn react(event: &Event<EventData>) -> Vec<StepData> {
        let EventData::UserRemoved(removed) = &event.data;
        vec![EndMember { user_id: removed.user_id.clone() }.into()]
    }
}
