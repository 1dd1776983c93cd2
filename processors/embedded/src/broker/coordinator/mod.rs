//! What one Kafka broker coordinates for its clients: consumer groups with their offsets, and
//! transactions. Knows nothing of the wire format or of files.

pub(crate) mod expiry;
pub(crate) mod group;
pub(crate) mod groups;
pub(crate) mod join;
pub(crate) mod offsets;
pub(crate) mod subscriptions;
pub(crate) mod txn;
pub(crate) mod txns;
