//! `POST /v1/spans`: pages tell of their part of a trace, from the click and to what was shown. They cannot send it to a collector
//! themselves: nothing but the gateway may be asked by a page.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use millrace_runtime::metrics::PageSpan;
use serde_json::Value as Json;

use super::body;
use super::problem::{INVALID, Problem};
use crate::auth::Principal;
use crate::gateway::Gateway;
use crate::message::short;

/// Most that are told at once.
pub(crate) const MOST: usize = 50;
/// The longest name.
pub(crate) const LONGEST: usize = 80;
/// How far the clock of a page may be off, and how long a span may go on: in milliseconds.
const HOUR_MS: i64 = 3_600_000;

/// Takes them. Where no traces are recorded they go nowhere, which is no affair of the page's.
pub(super) async fn post(
    State(gateway): State<Gateway>,
    _principal: Principal,
    headers: HeaderMap,
    given: Body,
) -> Result<Response, Problem> {
    let told = body::read(gateway.limits(), &headers, given).await?;
    let spans = spans(&told, gateway.clock().now_micros() / 1_000)?;
    for (at, span) in spans.iter().enumerate() {
        let is_taken = gateway.meter().page(span);
        tracing::trace!(at, is_taken, "a span of a page");
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn spans(told: &Json, now_ms: i64) -> Result<Vec<PageSpan>, Problem> {
    let wrong = |detail: String| Problem::new(INVALID, detail);
    let members = told.as_object().filter(|members| members.keys().all(|name| name == "spans"));
    let listed = members.and_then(|members| members.get("spans")).and_then(Json::as_array);
    let listed = listed.filter(|spans| spans.len() <= MOST).ok_or_else(|| {
        wrong(format!("Give {{\"spans\": […]}} and nothing else, with {MOST} spans at most."))
    })?;
    listed
        .iter()
        .enumerate()
        .map(|(at, span)| span_of(span, now_ms).map_err(|why| wrong(format!("/spans/{at}: {why}."))))
        .collect()
}

fn span_of(told: &Json, now_ms: i64) -> Result<PageSpan, String> {
    const KNOWN: [&str; 5] = ["name", "traceparent", "parent", "began_ms", "ms"];
    let members = told.as_object().ok_or("it is no object")?;
    if let Some(name) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("{} is not known; there are {}", short(name), KNOWN.join(", ")));
    }
    let text = |name: &str, most: usize| {
        let is_plain = |text: &&str| {
            !text.is_empty() && text.len() <= most && text.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        };
        members.get(name).and_then(Json::as_str).filter(is_plain).map(str::to_owned)
    };
    let number = |name: &str| {
        members
            .get(name)
            .and_then(Json::as_f64)
            .filter(|number| number.is_finite())
            .ok_or(format!("{name} is no number"))
    };
    let (began_ms, ms) = (number("began_ms")?, number("ms")?);
    if (began_ms - now_ms as f64).abs() > HOUR_MS as f64 || !(0.0..=HOUR_MS as f64).contains(&ms) {
        return Err("began_ms and ms are not of the last hour".to_owned());
    }
    let parent = match members.get("parent") {
        None | Some(Json::Null) => None,
        Some(_) => Some(text("parent", 256).ok_or("parent is no traceparent")?),
    };
    Ok(PageSpan {
        name: text("name", LONGEST).ok_or(format!("name is no text of 1 to {LONGEST} plain characters"))?,
        traceparent: text("traceparent", 256).ok_or("traceparent is none")?,
        parent,
        began_at: (began_ms * 1_000.0) as i64,
        micros: (ms * 1_000.0) as i64,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    #[test]
    fn spans_are_taken_as_they_are_told_and_nothing_else_is() {
        let good = json!({"name": "click CreateOrder", "traceparent": "00-a-b-01", "began_ms": NOW as f64 + 0.5, "ms": 12.25});
        let told = |span: &Json| spans(&json!({"spans": [span]}), NOW);
        let [span] = &told(&good).unwrap()[..] else { panic!("one") };
        assert_eq!((span.began_at, span.micros, span.parent.as_deref()), (NOW * 1_000 + 500, 12_250, None));
        let but = |name: &str, value: Json| {
            let mut span = good.clone();
            span[name] = value;
            span
        };
        assert_eq!(told(&but("parent", json!("00-a-c-01"))).unwrap()[0].parent.as_deref(), Some("00-a-c-01"));
        for (bad, what) in [
            (but("name", json!("")), "name"),
            (but("name", json!("a\nb")), "name"),
            (but("name", json!("x".repeat(LONGEST + 1))), "name"),
            (but("traceparent", json!(7)), "traceparent"),
            (but("parent", json!(7)), "parent"),
            (but("ms", json!(-1)), "ms"),
            (but("ms", json!("1")), "ms"),
            (but("began_ms", json!(0)), "began_ms"),
            (but("attributes", json!({})), "attributes"),
            (json!(1), "object"),
        ] {
            let problem = told(&bad).expect_err(what);
            assert!(problem.detail().contains(what), "{what}: {}", problem.detail());
        }
        assert!(spans(&json!({"spans": vec![good.clone(); MOST + 1]}), NOW).is_err());
        assert!(spans(&json!({"spans": [], "more": 1}), NOW).is_err());
        assert_eq!(spans(&json!({"spans": []}), NOW).unwrap(), []);
    }
}
