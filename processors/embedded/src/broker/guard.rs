//! A check in front of the codec.

use kafka_protocol::messages::ApiKey;

/// Whether a request may be given to the codec.
pub(crate) fn is_sound(_key: ApiKey, _version: i16, _body: &[u8]) -> bool {
    true
}
