//! Where a simulation puts its finger in.

use millrace_ports::TopicPartition;

/// A step the log is about to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// A member joins.
    Join {
        /// The group.
        group: &'a str,
    },
    /// A member asks for changes. Not asked often enough, it loses its partitions.
    PollGroup {
        /// The group.
        group: &'a str,
        /// The member's number.
        member: u64,
    },
    /// A member gives partitions back.
    Release {
        /// The group.
        group: &'a str,
        /// The member's number.
        member: u64,
    },
    /// The members are listed.
    Roster {
        /// The group.
        group: &'a str,
    },
    /// Committed offsets are read.
    Committed {
        /// The group.
        group: &'a str,
    },
    /// Offsets are committed outside a transaction.
    CommitOffsets {
        /// The group.
        group: &'a str,
        /// The member's number.
        member: u64,
    },
    /// A reader is opened.
    OpenReader,
    /// A reader asks for records.
    PollReader,
    /// The low or high watermark, or the offset of a time, is asked for.
    Watermark {
        /// Where.
        partition: &'a TopicPartition,
    },
    /// What lies before an offset is deleted.
    DeleteRecords {
        /// Where.
        partition: &'a TopicPartition,
    },
    /// The number of a topic's partitions is asked for.
    Partitions {
        /// The topic.
        topic: &'a str,
    },
    /// A record is written outside transactions.
    Append {
        /// Where.
        partition: &'a TopicPartition,
    },
    /// A writer fences off its predecessor.
    Fence {
        /// The transactional id.
        id: &'a str,
    },
    /// A batch is written, not yet committed.
    Write {
        /// The transactional id.
        id: &'a str,
        /// How many records it holds.
        records: usize,
    },
    /// A batch is committed.
    Commit {
        /// The transactional id.
        id: &'a str,
    },
    /// The broker writes one marker of a commit or an abort, which makes it visible there. `Proceed`
    /// writes it now, anything else keeps it for the next step.
    WriteMarkers {
        /// The transactional id.
        id: &'a str,
        /// Where; `None` for the group's offsets.
        at: Option<&'a TopicPartition>,
    },
}

/// What becomes of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is taken.
    Proceed,
    /// It is not taken, and the caller is told that the log is unavailable.
    Refuse,
    /// It is taken, but the caller is told that the log is unavailable.
    LoseAnswer,
    /// Nothing yet: a poll gives nothing, a commit still runs. Steps that cannot wait are taken.
    Later,
}

/// Decides about every step. With a seeded generator inside, a history can be replayed.
pub trait Faults: Send {
    /// What becomes of `operation`.
    fn before(&mut self, operation: &Operation<'_>) -> Verdict;
}

/// Everything works.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn before(&mut self, _: &Operation<'_>) -> Verdict {
        Verdict::Proceed
    }
}
