//! `GET /openapi.json` and `GET /asyncapi.json`: what there is to ask and to read. Nothing in them is anybody's, so nobody is
//! asked for a name.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::gateway::Gateway;

/// What is answered over HTTP.
pub(super) async fn openapi(State(gateway): State<Gateway>) -> Response {
    document(&gateway.documents().openapi)
}

/// What the topics hold.
pub(super) async fn asyncapi(State(gateway): State<Gateway>) -> Response {
    document(&gateway.documents().asyncapi)
}

fn document(text: &axum::body::Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.clone()).into_response()
}
