//! The header `Prefer` (RFC 7240): how long a client wants to wait.

use std::time::Duration;

use axum::http::HeaderMap;

/// How long is waited when nobody says.
pub(crate) const USUALLY: Duration = Duration::from_secs(10);
/// How long is waited at most.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// How long a client wants to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefer {
    /// So long.
    pub(crate) wait: Duration,
}

impl Prefer {
    /// What the headers say. As RFC 7240 wants it, what is not understood is passed over, and the first of several counts.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        let mut wait = None;
        for preference in values.flat_map(|value| value.split(',')) {
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = match preference.split_once('=') {
                Some((name, value)) => (name.trim(), value.trim().trim_matches('"')),
                None => (preference.trim(), ""),
            };
            if name.eq_ignore_ascii_case("respond-async") {
                return Self { wait: Duration::ZERO };
            }
            if name.eq_ignore_ascii_case("wait") && wait.is_none() {
                wait = value.parse().ok().map(Duration::from_secs);
            }
        }
        Self { wait: wait.unwrap_or(USUALLY).min(LONGEST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preference_is_heeded_within_bounds() {
        let rows: [(&[&str], u64); 9] = [
            (&[], 10),
            (&["wait=3"], 3),
            (&["wait = \"3\""], 3),
            (&["return=minimal, Wait=0"], 0),
            (&["wait=3", "wait=5"], 3),
            (&["wait=100000"], 60),
            (&["wait=-1"], 10),
            (&["wait=30, respond-async"], 0),
            (&["handling=strict; wait=4"], 10),
        ];
        for (values, seconds) in rows {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("prefer", value.parse().unwrap());
            }
            assert_eq!(Prefer::read(&headers).wait, Duration::from_secs(seconds), "{values:?}");
        }
    }
}
