//! Chirp with a bug that can be mended while the test runs, and that keeps order behind dead
//! commands: a chirp "boom" and a claim on the name "boom" fail every time.

use std::cell::Cell;

use millrace_domain_chirp::{Chirp, CommandData, EventData, Settings, State, StepData};
use millrace_kernel::{Command, Domain, FollowUp, Projection, Rejections, Schemas, Stamp, StateReader};

thread_local! {
    // the pipeline decides in the thread of its test
    static MENDED: Cell<bool> = const { Cell::new(false) };
}

/// Takes the bug away.
pub fn mend() {
    MENDED.set(true);
}

/// The domain.
pub struct Fragile;

impl Domain for Fragile {
    type Command = CommandData;
    type Step = StepData;
    type Event = EventData;
    type State = State;
    type Settings = Settings;
    const NAME: &'static str = Chirp::NAME;
    const SCHEMAS: Schemas = Chirp::SCHEMAS;
    const KEEPS_ORDER_BEHIND_DEAD: bool = true;

    fn decide(
        states: &impl StateReader<State = State>,
        command: &Command<CommandData>,
        stamp: Stamp,
    ) -> Result<Vec<EventData>, Rejections> {
        if let CommandData::PostChirp(c) = &command.data {
            assert!(c.content != "boom" || MENDED.get(), "a bug that shows on boom");
            assert!(c.content != "never", "a bug that stays");
        }
        Chirp::decide(states, command, stamp)
    }
    fn decide_step(
        states: &impl StateReader<State = State>,
        step: &StepData,
        stamp: Stamp,
    ) -> Vec<EventData> {
        if let StepData::ClaimUsername(s) = step {
            assert!(s.username != "boom" || MENDED.get(), "a bug that shows on boom");
        }
        Chirp::decide_step(states, step, stamp)
    }
    fn evolve(state: Option<State>, event: &EventData, recorded_at: i64) -> Option<State> {
        Chirp::evolve(state, event, recorded_at)
    }
    fn follow_up(event: &EventData) -> FollowUp<StepData> {
        Chirp::follow_up(event)
    }
    fn is_visible(state: Option<&State>) -> bool {
        Chirp::is_visible(state)
    }
    fn projections(settings: &Settings) -> Vec<Projection<EventData>> {
        Chirp::projections(settings)
    }
}

/// Puts the bug back.
pub fn break_again() {
    MENDED.set(false);
}
