//! The body of a request, as long as it may be and of the type it must have.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use serde_json::Value as Json;

use super::problem::{MALFORMED, Problem, TOO_LARGE, WRONG_TYPE};
use crate::message::from_json;

/// The longest body, in bytes: what a record of the log takes, and some room for JSON's own way of writing it.
pub(crate) const LONGEST: usize = 2 << 20;

/// The JSON in a body.
///
/// # Errors
/// Another type, too many bytes, or no JSON.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Json, Problem> {
    if !is_json(headers) {
        let accepted = HeaderValue::from_static("application/json");
        let given =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("nothing");
        let detail = format!("Content-Type says {given:?}; it must be application/json, in UTF-8.");
        return Err(Problem::new(WRONG_TYPE, detail).with_header(header::ACCEPT, accepted));
    }
    let bytes = to_bytes(body, LONGEST).await.map_err(|_| {
        Problem::new(TOO_LARGE, format!("A body has at most {LONGEST} bytes, and arrives whole."))
    })?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| Problem::new(MALFORMED, format!("The body is not UTF-8: {error}.")))?;
    from_json(text).map_err(|error| Problem::new(MALFORMED, format!("The body is not JSON: {error}.")))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut parts = given.split(';').map(str::trim);
    let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    let mut charset = parts.filter_map(|parameter| parameter.split_once('='));
    is_named
        && charset.all(|(name, value)| {
            !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf_8_is_taken() {
        for (given, expected) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json; charset=\"utf-8\"", true),
            ("application/json; charset=latin1", false),
            ("application/jsonp", false),
            ("text/plain", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, given.parse().unwrap());
            assert_eq!(is_json(&headers), expected, "{given}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
