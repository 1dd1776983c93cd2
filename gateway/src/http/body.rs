//! The body of a request, as long as it may be and of the type it must have.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use http_body_util::LengthLimitError;
use serde_json::Value as Json;
use tokio::time::timeout;

use super::problem::{MALFORMED, Problem, TOO_LARGE, TOO_SLOW, WRONG_TYPE};
use crate::front::Limits;
use crate::message::from_json;

/// The JSON in a body.
///
/// # Errors
/// Another type, too many bytes, too much time, or no JSON.
pub(super) async fn read(limits: &Limits, headers: &HeaderMap, body: Body) -> Result<Json, Problem> {
    if !is_json(headers) {
        let accepted = HeaderValue::from_static("application/json");
        let given =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("nothing");
        let detail = format!("Content-Type says {given:?}; it must be application/json, in UTF-8.");
        return Err(Problem::new(WRONG_TYPE, detail).with_header(header::ACCEPT, accepted));
    }
    if let Some(coding) = headers
        .get(header::CONTENT_ENCODING)
        .filter(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        let detail = format!("Content-Encoding says {coding:?}; a body comes as it is.");
        let accepted = HeaderValue::from_static("identity");
        return Err(Problem::new(WRONG_TYPE, detail).with_header(header::ACCEPT_ENCODING, accepted));
    }
    let longest = limits.body_bytes;
    let arrived = timeout(limits.body_within, to_bytes(body, longest)).await.map_err(|_| {
        let seconds = limits.body_within.as_secs();
        Problem::new(TOO_SLOW, format!("A body must arrive within {seconds} seconds. Nothing was sent."))
    })?;
    let bytes = arrived.map_err(|error| match error.into_inner().is::<LengthLimitError>() {
        true => Problem::new(TOO_LARGE, format!("A body has at most {longest} bytes.")),
        false => Problem::new(MALFORMED, "The body did not arrive whole. Nothing was sent."),
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
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use std::time::Duration;

    use axum::body::{Bytes, HttpBody};
    use axum::response::IntoResponse as _;
    use hyper::body::Frame;

    use super::*;

    /// A body of which nothing comes.
    struct Never;

    impl HttpBody for Never {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    /// A body that ends amid a chunk.
    struct Broken;

    impl HttpBody for Broken {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            Poll::Ready(Some(Err(std::io::ErrorKind::UnexpectedEof.into())))
        }
    }

    #[test]
    fn a_body_is_of_a_length_and_arrives_in_time() {
        let limits = Limits { body_bytes: 10, body_within: Duration::from_millis(1), ..Limits::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let status = |body: Body| {
            let headers =
                HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
            let read = runtime.block_on(read(&limits, &headers, body));
            read.map_err(|problem| problem.into_response().status().as_u16())
        };
        assert_eq!(status(Body::from("[1,2,3,45]")), Ok(serde_json::json!([1, 2, 3, 45])));
        assert_eq!(status(Body::from("[1,2,3,456]")), Err(413));
        assert_eq!(status(Body::new(Never)), Err(408));
        assert_eq!(status(Body::new(Broken)), Err(400));
    }

    #[test]
    fn a_body_comes_as_it_is() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for (coding, expected) in [("gzip", 415), ("br", 415), ("identity", 200), ("Identity", 200)] {
            let headers = HeaderMap::from_iter([
                (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (header::CONTENT_ENCODING, HeaderValue::from_static(coding)),
            ]);
            let read = runtime.block_on(read(&Limits::default(), &headers, Body::from("{}")));
            let status = read.map_or_else(|problem| problem.into_response().status().as_u16(), |_| 200);
            assert_eq!(status, expected, "{coding}");
        }
    }

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
