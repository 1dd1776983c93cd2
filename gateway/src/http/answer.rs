//! JSON as it is answered: longs as numbers, or as texts for clients whose numbers are too short for them.

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use millrace_kernel::Outcome;
use serde_json::Value as Json;

use crate::view::Longs;

/// What `Accept` asks for.
pub(crate) fn longs(headers: &HeaderMap) -> Longs {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let is_asked = |range: &str| {
        range.split(';').skip(1).any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("longs")
                    && value.trim().trim_matches('"').eq_ignore_ascii_case("string")
            })
        })
    };
    match values.flat_map(|value| value.split(',')).any(is_asked) {
        true => Longs::Texts,
        false => Longs::Numbers,
    }
}

/// An outcome by the names of its schema.
pub(crate) fn outcome(outcome: &Outcome, longs: Longs) -> Json {
    let mut json = serde_json::to_value(outcome).unwrap_or_default();
    members(&mut json, &["recorded_at", "offset", "version"], longs);
    json
}

/// Writes the members of these names as it is asked for, wherever they stand.
pub(crate) fn members(json: &mut Json, names: &[&str], longs: Longs) {
    if longs == Longs::Numbers {
        return;
    }
    match json {
        Json::Object(inner) => {
            for (name, value) in inner {
                match value.as_i64().filter(|_| names.contains(&name.as_str())) {
                    Some(number) => *value = longs.long(number),
                    None => members(value, names, longs),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| members(item, names, longs)),
        _ => {}
    }
}

/// An answer in JSON.
pub(crate) fn json(value: &Json) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use millrace_kernel::{Position, Status, Version};
    use serde_json::json;

    use super::*;

    #[test]
    fn longs_are_texts_when_that_is_asked_for() {
        for (accept, expected) in [
            ("application/json", Longs::Numbers),
            ("application/json; longs=string", Longs::Texts),
            ("text/html, application/json;q=0.9;Longs=\"string\"", Longs::Texts),
            ("application/json; longs=number", Longs::Numbers),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(longs(&headers), expected, "{accept}");
        }
    }

    #[test]
    fn every_long_of_an_outcome_is_one() {
        let written = Outcome {
            command_id: "c".into(),
            status: Status::Accepted,
            duplicate: false,
            positions: vec![Position { topic: "t".into(), partition: 1, offset: i64::MAX, epoch: 0 }],
            versions: vec![Version { aggregate_id: "A/1".into(), version: 7 }],
            violations: Vec::new(),
            recorded_at: 9_007_199_254_740_993,
            command_type: None,
            failure: None,
            digest: None,
        };
        assert_eq!(outcome(&written, Longs::Numbers), serde_json::to_value(&written).unwrap());
        let texts = outcome(&written, Longs::Texts);
        assert_eq!(
            texts["positions"][0],
            json!({"topic": "t", "partition": 1, "offset": "9223372036854775807", "epoch": 0})
        );
        assert_eq!(
            (&texts["versions"][0]["version"], &texts["recorded_at"]),
            (&json!("7"), &json!("9007199254740993"))
        );
    }
}
