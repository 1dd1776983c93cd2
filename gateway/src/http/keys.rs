//! `GET /v1/keys`: for which keys secrets of commands are sealed. Everybody may know them, so nobody is asked for a name.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value as Json, json};

use super::answer;
use super::problem::{Problem, UNKNOWN};
use crate::gateway::Gateway;
use crate::message::SETTING;
use crate::seal::{ALGORITHM, PublicKey};

/// The keys, newest first.
pub(super) async fn get(State(gateway): State<Gateway>) -> Result<Response, Problem> {
    match gateway.seals_for().all() {
        [] => Err(Problem::new(
            UNKNOWN,
            format!("Secrets are not sealed here: nobody has said for which key ({SETTING})."),
        )),
        keys => Ok(answer::json(&json!({"keys": keys.iter().map(key).collect::<Vec<_>>()}))),
    }
}

fn key(key: &PublicKey) -> Json {
    json!({"id": key.id(), "algorithm": ALGORITHM, "public_key": key.to_base64()})
}
