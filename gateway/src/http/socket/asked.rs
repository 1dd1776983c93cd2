//! What a client asks for in the frames of a socket.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value as Json};
use tokio::sync::{mpsc, watch};

use super::frames::{Frame, error, known, longs, of_event, outcome, text};
use super::{LONGEST_ID, MOST_COMMANDS, MOST_SUBSCRIPTIONS, Serving, Subscribed};
use crate::auth::Principal;
use crate::http::commands;
use crate::http::problem::{BUSY, INVALID, MALFORMED, NO_ANSWER, Problem, UNAUTHENTICATED};
use crate::http::streams::wanted;
use crate::live::{Event, left};
use crate::message::{from_json, short};
use crate::token::Key;
use crate::view::Longs;

impl Serving {
    /// Takes a frame, or says what is wrong with it.
    pub(super) async fn heard(&mut self, text: &str) -> Result<(), (Option<String>, Problem)> {
        let members = match from_json(text) {
            Ok(Json::Object(members)) => members,
            Ok(_) => return Err((None, Problem::new(INVALID, "A frame is an object."))),
            Err(error) => {
                return Err((None, Problem::new(MALFORMED, format!("The frame is not JSON: {error}."))));
            }
        };
        let id = members.get("id").and_then(Json::as_str).map(str::to_owned);
        self.take(members, id.as_deref()).await.map_err(|problem| (id, problem))
    }

    /// It is not known who this is.
    fn refuse(&mut self, problem: Problem) -> Problem {
        self.refused += 1;
        if problem.status() == StatusCode::UNAUTHORIZED {
            self.gateway.front().refused(self.client);
        }
        problem
    }

    async fn take(&mut self, members: Map<String, Json>, id: Option<&str>) -> Result<(), Problem> {
        let op = text(&members, "op")?;
        if op == "auth" {
            known(&members, &["op", "id", "token"])?;
            let token = text(&members, "token")?;
            let found = self.gateway.front().of_token(self.client, token).await;
            let principal = found.map_err(|problem| self.refuse(problem))?;
            self.is(principal);
            return Ok(());
        }
        let Some(principal) = self.principal.clone() else {
            let problem = Problem::new(UNAUTHENTICATED, "Send {\"op\": \"auth\", \"token\": …} first.");
            return Err(self.refuse(problem));
        };
        if left(&**self.gateway.clock(), principal.expires_at()).is_some_and(|left| left.is_zero()) {
            return Err(self.refuse(Problem::new(UNAUTHENTICATED, "The credentials have expired.")));
        }
        let id = id.filter(|id| !id.is_empty() && id.chars().count() <= LONGEST_ID).ok_or_else(|| {
            Problem::new(
                INVALID,
                format!("id: give a name of up to {LONGEST_ID} characters, for the answers."),
            )
        })?;
        // as what is asked without a socket, at the same routes
        let counted = match op {
            "subscribe" => Some((Method::GET, "/v1/streams/{domain}/{view}")),
            "command" => Some((Method::POST, "/v1/commands/{domain}/{kind}")),
            _ => None,
        };
        if let Some((method, route)) = counted {
            self.gateway.front().count(&method, &principal, route)?;
        }
        match op {
            "subscribe" => self.subscribe(&principal, id, &members),
            "unsubscribe" => {
                known(&members, &["op", "id"])?;
                let subscription = self.subscriptions.remove(id);
                let none = || Problem::new(INVALID, format!("There is no subscription {}.", short(id)));
                subscription.ok_or_else(none).map(|subscription| subscription.passing.abort())
            }
            "command" => self.command(&principal, id, members),
            other => {
                let detail =
                    format!("op: {} is none of auth, subscribe, unsubscribe, command.", short(other));
                Err(Problem::new(INVALID, detail))
            }
        }
    }

    /// This is who asks from now on. Subscriptions of the same go on for as long; those of another end, each with its token.
    fn is(&mut self, principal: Principal) {
        self.refused = 0;
        let expires_at = principal.expires_at();
        match self.principal.as_ref().is_none_or(|before| before.is_same(&principal)) {
            true => drop(self.expiry.send_replace(expires_at)),
            false => {
                self.expiry.send_replace(Some(0));
                self.expiry = watch::Sender::new(expires_at);
            }
        }
        self.gateway.greet_meanwhile(&principal);
        self.principal = Some(principal);
    }

    fn subscribe(
        &mut self,
        principal: &Principal,
        id: &str,
        members: &Map<String, Json>,
    ) -> Result<(), Problem> {
        known(members, &["op", "id", "domain", "view", "key", "limit", "token", "longs"])?;
        if self.subscriptions.contains_key(id) {
            return Err(Problem::new(INVALID, format!("There is a subscription {} already.", short(id))));
        }
        if self.subscriptions.len() >= MOST_SUBSCRIPTIONS {
            let detail = format!("A socket has at most {MOST_SUBSCRIPTIONS} subscriptions.");
            return Err(Problem::new(BUSY, detail));
        }
        let mut given = Vec::new();
        match members.get("key") {
            Some(Json::Object(key)) => {
                for (name, value) in key {
                    let value = match value {
                        Json::String(text) => text.clone(),
                        Json::Number(_) | Json::Bool(_) => value.to_string(),
                        Json::Null | Json::Array(_) | Json::Object(_) => {
                            let detail =
                                format!("key.{}: give a text, a number or a truth value.", short(name));
                            return Err(Problem::new(INVALID, detail));
                        }
                    };
                    given.push((name.clone(), value));
                }
            }
            None => {}
            Some(_) => {
                return Err(Problem::new(INVALID, "key: give the partition key of the view as an object."));
            }
        }
        given.extend(members.get("limit").map(|limit| ("limit".to_owned(), limit.to_string())));
        let token = match members.get("token") {
            None | Some(Json::Null) => None,
            Some(_) => Some(text(members, "token")?.to_owned()),
        };
        let at = (text(members, "domain")?, text(members, "view")?);
        let expiry = self.expiry.subscribe();
        let wanted = wanted(&self.gateway, principal, at, &given, longs(members)?, token, expiry)?;
        let (out, mut said) = mpsc::channel(4);
        self.numbers += 1;
        let (changes, name, number) = (self.changes.clone(), id.to_owned(), self.numbers);
        let passing = tokio::spawn(async move {
            let of = |json, is_last| Frame::Of { id: name.clone(), number, json, is_last };
            tokio::spawn(wanted.run(out));
            let mut is_live = false;
            while let Some(said) = said.recv().await {
                let (event, token) = *said;
                match &event {
                    Event::Live => is_live = true,
                    Event::Reset { .. } | Event::Snapshot { .. } => is_live = false,
                    // a token alone says that the copy is exact there
                    Event::Beat if !is_live => continue,
                    _ => {}
                }
                let is_last = matches!(event, Event::End(_));
                let Some(json) = of_event(&name, event, token) else { continue };
                if changes.send(of(json, is_last)).await.is_err() || is_last {
                    return;
                }
            }
            // it has failed: who asked may have gone
            let failed = Problem::new(NO_ANSWER, "The subscription has failed; go on from the last token.");
            drop(changes.send(of(error(Some(&name), &failed), true)).await);
        });
        self.subscriptions.insert(id.to_owned(), Subscribed { number, passing });
        Ok(())
    }

    fn command(
        &self,
        principal: &Principal,
        id: &str,
        mut members: Map<String, Json>,
    ) -> Result<(), Problem> {
        known(&members, &["op", "id", "domain", "type", "key", "data", "metadata", "wait", "longs"])?;
        let Ok(place) = Arc::clone(&self.commands).try_acquire_owned() else {
            let detail = format!(
                "{MOST_COMMANDS} commands of this socket wait for their outcomes already. Nothing was sent."
            );
            return Err(Problem::new(BUSY, detail));
        };
        let key = match members.get("key") {
            None | Some(Json::Null) => Key::made(),
            Some(_) => Key::read(text(&members, "key")?.as_bytes())
                .map_err(|why| Problem::new(INVALID, format!("key: {why}.")))?,
        };
        let (domain, kind) = (text(&members, "domain")?.to_owned(), text(&members, "type")?.to_owned());
        let mut headers = HeaderMap::new();
        if longs(&members)? == Longs::Texts {
            headers.insert(header::ACCEPT, HeaderValue::from_static("application/json; longs=string"));
        }
        if let Some(wait) = members.get("wait") {
            let seconds =
                wait.as_u64().ok_or_else(|| Problem::new(INVALID, "wait: a whole number of seconds."))?;
            let prefer = HeaderValue::from_str(&format!("wait={seconds}"));
            headers.extend(prefer.ok().map(|prefer| (header::HeaderName::from_static("prefer"), prefer)));
        }
        let mut body = Map::new();
        for member in ["data", "metadata"] {
            body.extend(members.remove(member).map(|value| (member.to_owned(), value)));
        }
        let (gateway, principal, answers) = (self.gateway.clone(), principal.clone(), self.answers.clone());
        let (id, of) = (id.to_owned(), id.to_owned());
        tokio::spawn(async move {
            let asked = tokio::spawn(async move {
                let at = (domain.as_str(), kind.as_str());
                let sent = commands::send(&gateway, &principal, at, key, Json::Object(body), &headers).await;
                match sent {
                    Ok(response) => outcome(&of, response).await,
                    Err(problem) => error(Some(&of), &problem),
                }
            });
            let json = asked.await.unwrap_or_else(|_| {
                let detail = "Something has failed. Whether the command has arrived is not known: send it again under the same \
                              key, it is decided once.";
                error(Some(&id), &Problem::new(NO_ANSWER, detail))
            });
            // who asked may have gone
            drop(answers.send(Frame::Answer(json, place)).await);
        });
        Ok(())
    }
}
