//! Compaction.

use super::partition::Partition;
use crate::broker::config::TopicSettings;

/// Does what is due in a partition.
pub(crate) fn run(_partition: &Partition, _settings: &TopicSettings, _stopped: &dyn Fn() -> bool) {}
