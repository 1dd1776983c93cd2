//! When/then for policies: what a domain does about an event of another one is a row of a table, too.
//!
//! ```ignore
//! when_elsewhere::<WhoGoes>(removed("bob")).then_steps([end_memberships("bob").into()]);
//! ```
//!
//! Beside the expectation every row proves that the reaction is the same when it is asked again, and when the event has been
//! through the form of its topic.

use millrace_kernel::avro::Input;
use millrace_kernel::{Addressed, Datum, Event, Message, Metadata, Policy, Reaction, StepSource};

use crate::given::EPOCH;

/// What a policy was told.
pub struct Reacted<R: Reaction> {
    what: String,
    steps: Vec<R::Step>,
}

/// An event happens in the other domain.
///
/// # Panics
/// When the reaction differs from one time to the next.
pub fn when_elsewhere<R: Reaction>(event: impl Into<R::Event>) -> Reacted<R> {
    let data = event.into();
    let event = Event {
        id: "event".into(),
        metadata: Metadata::default(),
        aggregate_id: data.aggregate_id().as_str().into(),
        version: 1,
        command_id: "command".into(),
        command_offset: 0,
        recorded_at: EPOCH,
        data,
    };
    let steps = R::react(&event);
    assert!(steps.len() <= StepSource::MAX_STEPS, "{} steps of one event", steps.len());
    let mut written = Vec::new();
    event.write(&mut written);
    let again = Policy::of::<R>().read(&mut Input::new(&written)).expect("the schema's own form can be read");
    same(&again.react(), &steps);
    Reacted { what: format!("{:?}", event.data), steps }
}

fn same<S: Message>(again: &[S], steps: &[S]) {
    assert_eq!(again, steps, "reacting again gives the same");
}

impl<R: Reaction> Reacted<R> {
    /// Expects exactly these steps.
    ///
    /// # Panics
    /// When others follow.
    pub fn then_steps(self, expected: impl IntoIterator<Item = R::Step>) {
        assert_eq!(self.steps, expected.into_iter().collect::<Vec<_>>(), "{}", self.what);
    }
}
