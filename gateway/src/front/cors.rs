//! What browsers are told of answers to pages of other origins (CORS): nothing, unless origins are named.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::CorsLayer;

/// What a page may send.
const SENT: [HeaderName; 9] = [
    header::ACCEPT,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("millrace-after"),
    HeaderName::from_static("prefer"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];
/// What a page may read of an answer, beside what every page may.
const SHOWN: [HeaderName; 10] = [
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("millrace-position"),
    HeaderName::from_static("preference-applied"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("traceresponse"),
];
/// How long a browser may remember what it was told.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Tells pages of these origins that they may ask. Cookies are never meant: credentials stand in `Authorization`.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(SENT)
            .expose_headers(SHOWN)
            .max_age(REMEMBERED)
    })
}
