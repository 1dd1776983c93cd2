//! What a lane has met since it last got on.
//!
//! A step that goes well says little: who begins again restores, reads and decides, and meets what it met before. So
//! pauses grow, and the fault is shown, until something was done for good that was not done when it came.

use std::time::{Duration, Instant};

use super::patience::Patience;
use super::{LaneWork, Trouble};
use crate::processor::lane::Turn;

/// How often a lane is asked whether it has caught up, which may ask a server.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The faults of a lane since it last got on.
pub(super) struct Setback {
    patience: Patience,
    faults: u32,
    /// What was done for good when the last of them came.
    done: u64,
    /// The last of them, where it stood, and what happens next.
    fault: String,
    position: String,
    next: String,
    kind: &'static str,
    looked_at: Instant,
}

impl Setback {
    /// None so far.
    pub(super) fn none() -> Self {
        Self {
            patience: Patience::new(),
            faults: 0,
            done: 0,
            fault: String::new(),
            position: String::new(),
            next: String::new(),
            kind: "",
            looked_at: Instant::now(),
        }
    }

    /// Takes note of a fault of `lane`: how long it pauses, and whether the fault should be said (again).
    pub(super) fn meet(&mut self, lane: &dyn LaneWork, trouble: &Trouble) -> (Duration, bool) {
        let done = lane.done();
        if done > self.done {
            self.end();
        }
        let is_another = self.kind != trouble.kind;
        self.kind = trouble.kind;
        self.faults += 1;
        self.done = done;
        self.fault.clone_from(&trouble.message);
        self.position.clone_from(&trouble.position);
        self.next.clone_from(&trouble.next);
        if is_another {
            self.patience.forget_said();
        }
        self.patience.next()
    }

    /// What comes from now on is another fault. Its pauses begin anew; that it is said in the log does not, as one that
    /// comes and goes would fill it.
    fn end(&mut self) {
        self.faults = 0;
        self.patience.rest();
    }

    /// Whether what was in the way is overcome, after a step that went well; told once, and of what was lasting.
    pub(super) fn is_overcome(&mut self, lane: &dyn LaneWork, turn: Turn) -> bool {
        if self.faults == 0 {
            return false;
        }
        let has_more = lane.done() > self.done;
        let may_look = !has_more && turn == Turn::Idle && self.looked_at.elapsed() >= LOOK_EVERY;
        if may_look {
            self.looked_at = Instant::now();
        }
        if !(has_more || may_look && lane.has_caught_up()) {
            return false;
        }
        let was_lasting = self.faults > 1;
        self.end();
        was_lasting
    }

    /// What is in the way of a lane that does `what` now, and what happens next. One fault may be over by itself; one that has
    /// returned is there until the lane gets further.
    pub(super) fn lasting(&self, what: &str) -> Option<(String, String)> {
        (self.faults > 1).then(|| {
            let Self { faults, fault, position, next, .. } = self;
            (
                format!("{fault}; it stood at {position}, {faults} times by now; meanwhile: {what}"),
                next.clone(),
            )
        })
    }
}
