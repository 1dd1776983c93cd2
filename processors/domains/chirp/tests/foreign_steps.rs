//! Steps that events of another domain have asked for: taken once, counted apart from others', and awaited by nobody.

use crate::common;

use bytes::Bytes;
use common::register;
use millrace_domain_chirp::messages::steps::ClaimUsername;
use millrace_domain_chirp::{Chirp, EventData, Settings, StepData};
use millrace_kernel::{Command, Metadata, Step, StepSource};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::Pipeline;

/// The event that asks for all of them.
const CAUSE: &str = "an-event-of-theirs";

fn claim(domain: &str, sequence: i64, username: &str) -> Step<StepData> {
    Step {
        id: format!("{domain}-{sequence}").into(),
        metadata: Metadata { causation_id: Some(CAUSE.into()), ..Metadata::default() },
        source: StepSource { domain: Some(domain.into()), partition: 0, sequence },
        process: None,
        data: ClaimUsername { user_id: "zoe".into(), username: username.into() }.into(),
    }
}

fn send(pipeline: &Pipeline<Chirp>, step: &Step<StepData>) {
    let StepData::ClaimUsername(data) = &step.data else { panic!("{step:?} claims a name") };
    let key = Bytes::from(data.username.to_ascii_lowercase());
    let value = pipeline.codecs().steps.as_ref().unwrap().encode(step);
    pipeline.send_raw(&pipeline.names().steps.clone(), Some(key), Some(value));
}

fn claimed(pipeline: &Pipeline<Chirp>) -> Vec<String> {
    let events = pipeline.events().into_iter().filter(|(_, event)| event.command_id == CAUSE);
    let names = events.filter_map(|(_, event)| match event.data {
        EventData::UsernameClaimed(claimed) => Some(claimed.username),
        _ => None,
    });
    names.map(Into::into).collect()
}

#[test]
fn steps_of_other_domains_are_taken_once_and_answered_by_none() {
    let mut pipeline = Pipeline::<Chirp>::new(1, Settings::default(), ProcessorSettings::default());
    pipeline.start_processor();
    // whose steps have much greater numbers of the same partition
    let data = register("ann", "Ann");
    pipeline.send(&Command { id: "r1".into(), metadata: Metadata::default(), data });
    pipeline.settle();
    let outcomes = pipeline.outcomes();
    for step in [claim("identity", 5, "Zoe"), claim("billing", 5, "Zac"), claim("identity", 6, "Zed")] {
        send(&pipeline, &step);
    }
    pipeline.settle();
    assert_eq!(claimed(&pipeline), ["Zoe", "Zac", "Zed"], "each domain counts for itself");
    pipeline.kill(0);
    for step in [claim("identity", 5, "Zoe"), claim("identity", 4, "Zip"), claim("billing", 5, "Zac")] {
        send(&pipeline, &step);
    }
    send(&pipeline, &claim("billing", 6, "Zig"));
    pipeline.settle();
    assert_eq!(claimed(&pipeline), ["Zoe", "Zac", "Zed", "Zig"], "what was passed by is not taken again");
    assert_eq!(pipeline.outcomes(), outcomes, "nobody asked, so nobody is answered");
    let names = pipeline.names().clone();
    assert!(pipeline.log.committed_records(&names.dead).is_empty());
    let states = pipeline.log.committed_records(&names.state);
    for inbox in ["Inbox/0", "Inbox/identity/0", "Inbox/billing/0"] {
        assert!(states.iter().any(|it| it.key.as_deref() == Some(inbox.as_bytes())), "{inbox}");
    }
    // what follows from them is a step of this domain's own, and of no process either
    let codec = pipeline.codecs().steps.as_ref().unwrap();
    let steps = pipeline.log.committed_records(&names.steps);
    let steps = steps.iter().map(|record| codec.decode(record.value.as_deref().unwrap()).unwrap());
    let followed: Vec<_> = steps
        .filter(|step| matches!(&step.data, StepData::ConfirmRegistration(data) if data.user_id == "zoe"))
        .collect();
    assert_eq!(followed.len(), 4);
    assert!(followed.iter().all(|step| step.process.is_none() && step.source.domain.is_none()));
}
