//! Problems as they are answered: `application/problem+json` (RFC 9457).

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value as Json, json};

use crate::message;

/// What went wrong, as far as programs care: each has one status and one title, and names are never used for anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The last part of its `type`, which is `urn:millrace:problem:NAME`.
    pub name: &'static str,
    /// The status.
    pub status: StatusCode,
    /// What it is called to people.
    pub title: &'static str,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $constant:ident = $name:literal, $status:ident, $title:literal;)*) => {
        $($(#[doc = $doc])* pub const $constant: Kind =
            Kind { name: $name, status: StatusCode::$status, title: $title };)*

        /// Every kind of problem there is.
        pub const KINDS: &[Kind] = &[$($constant),*];
    };
}

kinds! {
    /// No JSON, or bytes that are no text.
    MALFORMED = "malformed", BAD_REQUEST, "The body is not JSON";
    /// Fields that are missing, unknown or of another type. Nothing was sent.
    INVALID = "invalid", BAD_REQUEST, "The message is not as its schema wants it";
    /// A header, or a parameter of the address.
    BAD_PARAMETER = "bad-parameter", BAD_REQUEST, "A header or a parameter is wrong";
    /// No credentials, or some that do not hold.
    UNAUTHENTICATED = "unauthenticated", UNAUTHORIZED, "It must be known who asks";
    /// Known, and not allowed to.
    FORBIDDEN = "forbidden", FORBIDDEN, "This is not allowed";
    /// A page of another origin, in a browser.
    FOREIGN_ORIGIN = "foreign-origin", FORBIDDEN, "Pages of this origin may not ask here";
    /// No such domain, command, view or path.
    UNKNOWN = "unknown", NOT_FOUND, "There is no such thing here";
    /// No outcome in the time there was.
    NO_OUTCOME = "no-outcome", NOT_FOUND, "There is no outcome yet";
    /// Another method is meant.
    WRONG_METHOD = "wrong-method", METHOD_NOT_ALLOWED, "This method is not for this address";
    /// The body did not arrive in time.
    TOO_SLOW = "too-slow", REQUEST_TIMEOUT, "The request took too long to arrive";
    /// Larger than may be sent.
    TOO_LARGE = "too-large", PAYLOAD_TOO_LARGE, "The command is too large";
    /// Not JSON by its own words.
    WRONG_TYPE = "wrong-type", UNSUPPORTED_MEDIA_TYPE, "The body must be application/json";
    /// A name that leads here and is none of the gateway's.
    FOREIGN_HOST = "foreign-host", MISDIRECTED_REQUEST, "The gateway has no such name";
    /// Decided, and refused.
    REJECTED = "rejected", UNPROCESSABLE_ENTITY, "The command was rejected";
    /// The key stands for another command.
    KEY_REUSED = "key-reused", UNPROCESSABLE_ENTITY, "The key was used before for another command";
    /// A subscriber does not take what it is told.
    SLOW = "slow", REQUEST_TIMEOUT, "What is told is not taken";
    /// More than one user may ask.
    TOO_MANY = "too-many", TOO_MANY_REQUESTS, "You ask too often";
    /// As much is under way as there is room for.
    BUSY = "busy", SERVICE_UNAVAILABLE, "Too much is under way";
    /// The log, where commands go, is away.
    LOG_AWAY = "log-away", SERVICE_UNAVAILABLE, "The log cannot be reached";
    /// The tables, where views are, are away.
    TABLES_AWAY = "tables-away", SERVICE_UNAVAILABLE, "The tables cannot be read";
    /// The keys, by which it is known who asks, have never been read.
    KEYS_AWAY = "keys-away", SERVICE_UNAVAILABLE, "The keys of the issuer cannot be read";
    /// No answer in the time there is.
    NO_ANSWER = "no-answer", SERVICE_UNAVAILABLE, "There was no answer in time";
    /// The view does not show yet what the client has seen.
    NOT_YET = "not-yet", SERVICE_UNAVAILABLE, "The view is not there yet";
}

/// What all types of problems begin with.
pub const TYPE: &str = "urn:millrace:problem:";
/// The media type.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An answer that says what is wrong.
#[derive(Clone, Debug)]
pub struct Problem(Box<Said>);

/// What it says; in a box, as nearly everything may end with one.
#[derive(Clone, Debug)]
struct Said {
    kind: Kind,
    detail: String,
    members: Map<String, Json>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of this kind, said in a sentence for people.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let said = Said { kind, detail: detail.into(), members: Map::new(), headers: Vec::new() };
        Self(Box::new(said))
    }

    /// Everything that is wrong with a message.
    #[must_use]
    pub fn invalid(problems: &[message::Problem]) -> Self {
        let detail = match problems {
            [] => "The message is refused.".to_owned(),
            [only] => only.message.clone(),
            [first, rest @ ..] => format!("{} (and {} more)", first.message, rest.len()),
        };
        let each = |problem: &message::Problem| json!({"pointer": problem.pointer.as_deref().unwrap_or_default(), "detail": problem.message});
        Self::new(INVALID, detail).with("errors", problems.iter().map(each).collect::<Vec<_>>())
    }

    /// What is said to people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// With a further member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// A further member, if it has that.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Json> {
        self.0.members.get(name)
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.kind.status
    }

    /// A further header, if it has that.
    #[must_use]
    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.0.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// With a further header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// The same may be asked again after so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }
}

impl Problem {
    /// The document.
    #[must_use]
    pub fn json(&self) -> Json {
        let Said { kind, detail, members, .. } = &*self.0;
        let mut document = Map::new();
        document.insert("type".to_owned(), Json::from(format!("{TYPE}{}", kind.name)));
        document.insert("title".to_owned(), Json::from(kind.title));
        document.insert("status".to_owned(), Json::from(kind.status.as_u16()));
        document.insert("detail".to_owned(), Json::from(detail.as_str()));
        document.extend(members.clone());
        Json::Object(document)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = self.json().to_string();
        let Said { kind, headers, .. } = *self.0;
        let mut response = (kind.status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_kind_has_a_name_of_its_own_and_says_what_failed() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| kind.status.is_client_error() || kind.status.is_server_error()));
    }
}
