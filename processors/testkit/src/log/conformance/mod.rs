//! What every log must do, whoever implements it: one suite, run on the log in memory, on the
//! embedded broker and on Apache Kafka.
//!
//! An adapter's test implements [`LogFixture`] and says `log_conformance!(fixture)`; each case
//! becomes a test of its own. Cases poll for what they expect and give up after [`PATIENCE`].

mod appending;
mod desk;
mod fencing;
mod groups;
mod handover;
mod reading;
mod starting;
mod transactions;

use std::sync::Arc;
use std::time::Duration;

use millrace_ports::{Log, TopicPartition};

pub use appending::*;
pub use fencing::*;
pub use groups::*;
pub use handover::*;
pub use reading::*;
pub use starting::*;
pub use transactions::*;

pub use super::memory::Plain;

/// How long a case waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// A log to be tried, and the ways to bring it into a state.
pub trait LogFixture {
    /// The log.
    fn log(&self) -> Arc<dyn Log>;

    /// Stands before every name of this fixture, so that tests can share servers.
    fn prefix(&self) -> &str;

    /// Makes a topic.
    fn create_topic(&self, name: &str, partitions: i32);

    /// Sends a record as a foreign producer does, and gives its offset.
    fn produce(&self, at: &TopicPartition, record: Plain) -> i64;

    /// The shortest session timeout the log accepts.
    fn session_timeout(&self) -> Duration;
}

/// A test for each case of the suite; the argument is an expression that makes a fixture.
#[macro_export]
macro_rules! log_conformance {
    ($fixture:expr) => {
        $crate::log_conformance! { @cases $fixture;
            records_come_in_order_with_all_their_parts
            a_poll_waits_for_the_first_record_only
            a_reader_starts_where_it_is_told
            an_offset_that_is_not_held_is_out_of_range
            seek_begins_again
            a_paused_partition_gives_nothing
            watermarks_and_times_are_found
            a_large_partition_is_read_whole
            a_topic_that_does_not_exist_is_named
            what_was_decided_can_be_deleted_from_the_front
            what_is_appended_is_there_in_order
            an_append_of_what_cannot_be_written_is_refused
            appends_of_many_threads_are_all_there
            a_batch_is_invisible_until_it_is_committed
            a_batch_is_visible_as_a_whole_in_several_topics
            the_position_passes_markers
            committed_reads_come_to_the_end_once_nothing_is_open
            many_batches_in_a_row
            an_empty_batch_commits_only_offsets
            records_of_every_shape_are_written
            a_writer_needs_no_group
            a_large_batch_is_one
            a_record_too_large_is_refused_with_its_batch
            what_is_not_too_large_is_written
            after_a_certain_abort_no_fence_is_needed
            a_batch_for_a_missing_topic_leaves_nothing
            a_writer_goes_on_after_a_fault
            settle_tells_when_a_batch_is_over
            a_second_writer_fences_the_first
            what_a_predecessor_left_open_never_appears
            a_replaced_member_can_commit_nothing
            a_partition_that_came_back_is_not_the_one_that_was_lost
            a_released_partition_can_commit_nothing
            committed_offsets_carry_over
            offsets_commit_outside_transactions
            two_members_share_the_partitions
            a_member_that_leaves_is_replaced_at_once
            a_silent_member_is_replaced
            revoked_partitions_wait_for_their_release
            a_member_gets_all_partitions
            what_is_handed_over_goes_on_until_the_fence
            who_retires_goes_on_until_the_fence
            a_rebalance_refuses_nothing_of_what_is_kept
            the_roster_shows_who_owns_what
            orphans_go_to_their_heirs
        }
    };
    (@cases $fixture:expr; $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::log::conformance::$case(&$fixture);
            }
        )*
    };
}
