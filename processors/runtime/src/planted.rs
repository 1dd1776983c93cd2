//! Bugs that tests turn on, one at a time, to show that they are found.
//!
//! They exist in builds with debug assertions only, where [`plant`] turns one on. In any other [`is_on`] is a constant and
//! the code behind it is compiled away. docs/simulation.md says what finds each of them.

macro_rules! bugs {
    ($dollar:tt $($name:ident: $says:literal,)*) => {
        /// A bug that can be turned on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Bug {
            $(#[doc = $says] $name,)*
        }

        impl Bug {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What goes wrong while it is on.
            #[must_use]
            pub fn says(self) -> &'static str {
                match self {
                    $(Self::$name => $says,)*
                }
            }
        }

        /// Gives the names of all bugs to a macro, so that none can be left out of a test.
        #[macro_export]
        macro_rules! each_planted_bug {
            ($dollar do:ident) => {
                $dollar do! { $($name)* }
            };
        }
    };
}

bugs! {
    $
    StateFromTopic: "a decision sees the state that is committed, not what its own batch has decided",
    OverlayKeptAfterAbort: "what an aborted batch has decided stays in the state",
    OffsetsBeforeRows: "a projector commits offsets before the rows are acknowledged",
    PendingNotAwaited: "a new owner reads where to go on before the commit its predecessor has under way has ended",
    DedupLostOnRebalance: "a new owner does not restore which commands were answered",
    FencingSkipped: "a new owner does not fence off the old one",
    FencedTooLate: "a new owner restores first and fences off the old one then",
    StepNotIdempotent: "a step that is delivered twice is decided twice",
    TimestampsNotMonotone: "recorded_at is what the clock says",
    RestoreStopsEarly: "a restore ends at the first poll that gives nothing",
    StableEndAsWatermark: "barriers and restores end at the last stable offset, not at the high watermark",
    LookupBarrierSkipped: "a lookup that misses is final at once",
    BarrierAskedTooEarly: "a barrier that was passed counts for commands that come later",
    TombstonesIgnored: "a restore keeps what has been forgotten",
    DuplicateCountedTwice: "a command repeated while its process runs is counted twice",
    WaitingDuplicatesForgotten: "who repeats a command while its process runs gets no answer",
    PublishedTooEarly: "a projector publishes its progress before the rows are there",
    TimestampFromClock: "rows carry the time at which they are written",
    StagesIgnored: "the stages of a projection are written in any order",
    KeptBeforeRows: "what a projector knows is kept before the rows that follow from it are acknowledged",
    ParkedForgotten: "a projector that begins again forgets whose rows it was still writing",
    FoldSkipped: "a projector that begins again does not fold what it has applied before",
    LostAnswerRetried: "a commit whose answer is lost is taken for failed, and its batch sent again",
    WindowForgetsTooEarly: "answered commands are remembered for a quarter of the window",
    CheckpointAhead: "a checkpoint says that it reaches further than its data",
    CheckpointUncommitted: "a checkpoint holds what was not committed",
    CheckpointUnproven: "a checkpoint is written by one who may have been replaced already",
    FanOutResumedAhead: "a projector that begins again goes on with a fan-out behind the row that was next",
    BucketForgottenAtSwitch: "a bucket that begins when a rebuild has been handed over is entered into the directory of the version before",
    FanOutUntold: "a projector does not say whose rows are still being written while it publishes later ones",
    FanOutOvertaken: "events of an author are written before a fan-out of theirs that is still under way",
    OldCopyBelieved: "a copy that was left alone for longer than tombstones live is followed on",
    CopyAheadOfRows: "a copy of what a projector knows folds events whose rows its owner has not written",
    UnwantedCopyKept: "a copy that nobody wants any more is never let go",
    ForgedPlaceBelieved: "a place in a line is believed of whoever claims it",
    StepOffsetsNotCommitted: "a batch does not commit how far it has read the steps",
    FloorLostAtRestart: "who begins again does not know which commands may have been forgotten",
    FloorForgetsFirst: "an answered command is forgotten before others issued as early are refused",
    FloorOfRecordedTime: "commands are refused that were issued before others were decided, not before they were sent",
    EmptiedStateBelieved: "a partition whose state topic was emptied is decided from nothing",
    GapSkipped: "steps that were deleted before they were decided are passed over",
    DigestForgotten: "the answer that a process ends with does not say which command it was that began it",
    DueAnswersForgotten: "who repeats a command more often than is answered at once gets no answer",
    DueAnswersMiscounted: "where more than one of the answers that are due is given, some are not counted",
    ChangeBeforeRow: "a change is told before its row can be read",
    ChangesBeginBehindRows: "a subscriber begins to hear of changes after it has read the rows",
    ChangeGoesBack: "a change that comes again is taken for a new one",
    ElsewhereAsManyPartitions: "another domain's look-up is taken to have as many partitions as this domain",
    PolicyOffsetsBeforeSteps: "a policy commits how far it has read before the steps that follow",
    PolicyNumbersAnew: "a policy numbers steps by how many it has written since it began",
    ReplayedReactionTaken: "a step that another domain's event asks for again is decided again",
    UnknownEventStopsPolicy: "an event of a type that a policy does not read stops it",
    TokenForgetsPartition: "a token does not say what was seen of one of its source partitions",
    ChangeDroppedAtSwitch: "the change with which a stream has caught up is lost",
    StepsTrimmedUndecided: "steps are deleted when they are old, decided or not",
}

#[cfg(debug_assertions)]
mod on {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::Bug;

    const NONE: u8 = u8::MAX;
    static ON: AtomicU8 = AtomicU8::new(NONE);

    /// Turns one bug on in this process, or all of them off.
    pub fn plant(bug: Option<Bug>) {
        ON.store(bug.map_or(NONE, |bug| bug as u8), Ordering::SeqCst);
    }

    /// Whether a bug is on.
    #[must_use]
    pub fn is_on(bug: Bug) -> bool {
        ON.load(Ordering::Relaxed) == bug as u8
    }
}

#[cfg(debug_assertions)]
pub use on::{is_on, plant};

/// Whether a bug is on: never, in a build without them.
#[cfg(not(debug_assertions))]
#[must_use]
pub const fn is_on(_: Bug) -> bool {
    false
}
