//! Counts of what has happened, so that one sees that the faults are really injected.

use std::fmt;

macro_rules! tally {
    ($($field:ident: $says:literal,)*) => {
        /// How many times what has happened.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each name says it, and is printed with what it says")]
        pub struct Tally {
            $(pub $field: u64,)*
        }

        impl Tally {
            /// Adds another history's counts.
            pub fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)*
            }
        }

        impl fmt::Display for Tally {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $(writeln!(f, "{:>12}  {}", self.$field, $says)?;)*
                Ok(())
            }
        }
    };
}

tally! {
    histories: "histories",
    acts: "acts of the scheduler",
    commands: "commands sent",
    repeated: "of them with an id that had been used",
    steps_repeated: "steps delivered twice",
    strays: "commands and redrives of keys that wait behind a dead command",
    forged: "commands that claimed a place in the line of their key",
    replayed: "commands of such keys sent again with their headers",
    events: "events committed",
    outcomes: "outcomes committed",
    expired: "of them that a command has expired",
    crashes: "processes killed between two steps",
    deaths_inside: "processes killed inside a step",
    zombies: "processes that slept past their session and went on",
    joins: "processes that joined",
    leaves: "processes that left in good order",
    assigned: "times that a member was assigned partitions",
    lost: "times that a member lost partitions",
    revoked: "times that a member gave partitions up",
    troubled: "steps of lanes that ended in a fault",
    fenced: "of them because another owned the partition",
    refused: "operations of the log refused",
    answers_lost: "operations of the log done whose answer was lost",
    later: "operations of the log that said later",
    markers_delayed: "times that markers of transactions were delayed",
    clocks_set: "clocks set wrong",
    checkpoints: "checkpoints on disks",
    trimmed: "times that decided steps were deleted",
    losses: "topics that somebody emptied or cut off",
    rebuilt: "versions of tables that were rebuilt amid a history",
    switches: "times that another version of tables came to answer",
    dropped: "versions of tables dropped",
    disks_hurt: "disks that lost something, were damaged or full",
    store_refused: "calls of the store refused",
    store_timed_out: "calls of the store applied and then failed",
    store_partly: "calls of the store applied in part",
    store_late: "calls of the store failed and applied later",
    came: "aggregates that came in a domain beside",
    went: "aggregates that went there",
    misled: "processors that came with another secret for pseudonyms",
    forgotten: "times that the broker forgot how far a policy had read",
    met: "commands about what had just come there",
    cuts: "streams of subscribers cut",
    resumed: "of them that went on where they were",
    cut_again: "of them before they had heard of anything since they were cut last",
    resets: "streams that began anew",
    rebuilt_streams: "of them as their view had been rebuilt",
    gone: "of them as the changes since were not kept any more",
    expired_changes: "times that old changes were deleted",
    repeats: "projectors that died and wrote their last changes again",
    copies: "copies of subscribers compared",
    looks: "looks at tables amid the history",
    feeds: "feeds compared with the oracle",
}
