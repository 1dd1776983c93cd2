//! What stands before every answer, from the outside in: names and origins, time, who asks, and how often.
//!
//! | to find out | open |
//! |---|---|
//! | which names and which pages are let in | `guard.rs` |
//! | which pages are told that they may ask (CORS) | `cors.rs` |
//! | how often somebody may ask, and the headers that say so | `rates.rs` |
//! | how many tokens that do not hold one address may bring | `strangers.rs` |

mod cors;
mod guard;
mod rates;
mod strangers;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};

use self::guard::Guard;
use self::rates::Rates;
use self::strangers::Strangers;
use crate::auth::{Authenticator, Principal};
use crate::http::problem::{NO_ANSWER, Problem};

/// What is let in, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Names of the gateway beside addresses and `localhost`, with or without a port.
    pub hosts: Vec<String>,
    /// Origins whose pages may ask, such as `https://app.example.org`.
    pub origins: Vec<String>,
    /// Commands that one user may send in a second, over [`WINDOW`], at each route; 0: any number.
    pub commands_per_second: u32,
    /// Other requests that one user may make in a second, over [`WINDOW`], at each route; 0: any number.
    pub reads_per_second: u32,
    /// Requests without a token that holds that one address may make in a second, over [`WINDOW`]; 0: any number. Where
    /// nobody is asked for a name, none is refused.
    pub refusals_per_second: u32,
    /// The longest body, in bytes.
    pub body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_within: Duration,
    /// How long it may take until an answer begins.
    pub answer_within: Duration,
}

/// Over how long rates are counted: a user may use up this much at once.
pub const WINDOW: Duration = Duration::from_secs(10);

impl Default for Limits {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            origins: Vec::new(),
            commands_per_second: 0,
            reads_per_second: 0,
            refusals_per_second: 0,
            body_bytes: 2 << 20,
            body_within: Duration::from_secs(30),
            answer_within: Duration::from_secs(120),
        }
    }
}

impl Limits {
    /// Whether they can be held with this way to know who asks.
    ///
    /// # Errors
    /// An origin that is none, or is not to be let in where nobody is asked for a name.
    pub fn check(&self, authenticator: &Authenticator) -> Result<(), String> {
        Front::new(authenticator.clone(), self.clone()).map(drop)
    }
}

/// What stands before the routes.
pub(crate) struct Front {
    authenticator: Authenticator,
    guard: Guard,
    rates: Rates,
    strangers: Option<Strangers>,
    limits: Limits,
}

impl Front {
    /// A front with these limits.
    ///
    /// # Errors
    /// An origin that is none, or is not to be let in where nobody is asked for a name.
    pub(crate) fn new(authenticator: Authenticator, limits: Limits) -> Result<Self, String> {
        let is_open = matches!(authenticator, Authenticator::None);
        let guard = Guard::new(&limits.hosts, &limits.origins, is_open)?;
        let rates = Rates::new(limits.commands_per_second, limits.reads_per_second);
        let strangers = if is_open { None } else { Strangers::new(limits.refusals_per_second) };
        Ok(Self { authenticator, guard, rates, strangers, limits })
    }

    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Who it is that has this token, which came from there by other means than the header of a request.
    ///
    /// # Errors
    /// The answer to somebody who is not known, or has tried too often.
    pub(crate) async fn of_token(&self, client: Option<IpAddr>, token: &str) -> Result<Principal, Problem> {
        // as it would stand in a header
        let bearer = HeaderValue::from_str(&format!("Bearer {token}")).ok();
        let headers: HeaderMap = bearer.into_iter().map(|bearer| (header::AUTHORIZATION, bearer)).collect();
        let stranger = client.zip(self.strangers.as_ref());
        if let Some(refusal) = stranger.and_then(|(address, strangers)| strangers.refusal(address, &headers))
        {
            return Err(refusal);
        }
        let principal = self.authenticator.of_token(token).await?;
        if let Some(strangers) = &self.strangers {
            strangers.good(&headers);
        }
        Ok(principal)
    }

    /// Counts somebody there who was not known.
    pub(crate) fn refused(&self, client: Option<IpAddr>) {
        if let Some((address, strangers)) = client.zip(self.strangers.as_ref()) {
            strangers.refused(address);
        }
    }

    /// Counts what somebody asks by other means than a request of its own, as if it were one at this route.
    ///
    /// # Errors
    /// The answer to somebody who asks too often.
    pub(crate) fn count(&self, method: &Method, principal: &Principal, route: &str) -> Result<(), Problem> {
        let counted = principal.user().and_then(|user| self.rates.count(method, user, route.to_owned()));
        match counted {
            Some(counted) if !counted.is_within => Err(counted.refusal()),
            _ => Ok(()),
        }
    }

    /// Stands before these routes; what is added first is the innermost.
    pub(crate) fn before(self: &Arc<Self>, routes: Router) -> Router {
        let within = self.limits.answer_within;
        let routes = routes
            .layer(from_fn_with_state(Arc::clone(self), identified))
            .layer(from_fn(move |request: Request, next: Next| in_time(within, request, next)));
        let routes = match cors::layer(self.guard.origins()) {
            Some(cors) => routes.layer(cors),
            None => routes,
        };
        routes.layer(from_fn_with_state(Arc::clone(self), guarded))
    }
}

async fn guarded(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    match front.guard.refusal(&request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

async fn in_time(within: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(within, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "There was no answer in time. Whether a command has arrived is not known: send it again under the \
                          same key, it is decided once.";
            Problem::new(NO_ANSWER, detail).retry_after(1).into_response()
        }
    }
}

/// Finds out who asks, for whatever answers, and counts it. A route that is open to all never looks.
async fn identified(State(front): State<Arc<Front>>, mut request: Request, next: Next) -> Response {
    let stranger = client(&request).zip(front.strangers.as_ref());
    let refusal = stranger.and_then(|(address, strangers)| strangers.refusal(address, request.headers()));
    let found = match refusal {
        Some(refusal) => Err(refusal),
        None => front.authenticator.principal(request.headers(), request.uri()).await,
    };
    if let (Ok(_), Some(strangers)) = (&found, &front.strangers) {
        strangers.good(request.headers());
    }
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let counted = match (&found, route) {
        (Ok(principal), Some(route)) => {
            principal.user().and_then(|user| front.rates.count(request.method(), user, route))
        }
        _ => None,
    };
    request.extensions_mut().insert::<Result<Principal, Problem>>(found);
    let response = match counted {
        Some(counted) if !counted.is_within => counted.refusal().into_response(),
        Some(counted) => counted.told(next.run(request).await),
        None => next.run(request).await,
    };
    // a route that is open to all refuses nobody
    if let (StatusCode::UNAUTHORIZED, Some((address, strangers))) = (response.status(), stranger) {
        strangers.refused(address);
    }
    response
}

/// The address that the request came from, where whoever serves says so.
fn client(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}
