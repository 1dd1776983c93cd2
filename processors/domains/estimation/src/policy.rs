//! What this domain does about the events of projects: the open estimations of a project that is deleted end.

use millrace_kernel::{Event, Reaction};

use crate::messages::StepData;
use crate::messages::projects_events::{self, events::EventData};
use crate::messages::steps::EndProjectEstimations;

/// A project was deleted.
#[derive(Clone, Copy, Debug)]
pub struct WhatGoes;

impl Reaction for WhatGoes {
    type Event = EventData;
    type Step = StepData;
    const DOMAIN: &'static str = projects_events::DOMAIN;
    const SCHEMA: &'static str = projects_events::SCHEMA;

    fn react(event: &Event<EventData>) -> Vec<StepData> {
        let EventData::ProjectDeleted(deleted) = &event.data;
        vec![EndProjectEstimations { project_id: deleted.project_id.clone() }.into()]
    }
}
