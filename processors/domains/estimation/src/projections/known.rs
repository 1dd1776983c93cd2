//! What projections know: values by key, as JSON.

use millrace_kernel::Known;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What was kept under `key`.
pub fn read<T: DeserializeOwned>(known: &mut dyn Known, key: &[u8]) -> Option<T> {
    let bytes = known.get(key)?.to_vec();
    match serde_json::from_slice(&bytes) {
        Ok(found) => Some(found),
        Err(error) => {
            known.distrust(key, error.to_string());
            None
        }
    }
}

/// Keeps `value` under `key`.
pub fn keep<T: Serialize>(known: &mut dyn Known, key: &[u8], value: &T) {
    match serde_json::to_vec(value) {
        Ok(bytes) => known.put(key, bytes),
        Err(error) => known.distrust(key, error.to_string()),
    }
}
