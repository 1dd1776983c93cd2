//! The requests, by concern: each function takes a decoded request and returns its answer.

pub(crate) mod configs;
pub(crate) mod fetch;
pub(crate) mod group_admin;
pub(crate) mod groups;
pub(crate) mod list_offsets;
pub(crate) mod log_dirs;
pub(crate) mod markers;
pub(crate) mod metadata;
pub(crate) mod offsets;
pub(crate) mod produce;
pub(crate) mod topics;
pub(crate) mod txn;
pub(crate) mod txn_admin;

use kafka_protocol::ResponseError;

/// The code of a result: zero is success.
pub(crate) fn code<T>(result: &Result<T, ResponseError>) -> i16 {
    result.as_ref().err().map_or(0, ResponseError::code)
}
