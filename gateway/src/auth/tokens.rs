//! JSON Web Tokens (RFC 7519), checked as RFC 8725 advises: whose they are, for whom, from when and until when.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::dangerous::insecure_decode;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use millrace_kernel::{Text, id};
use millrace_ports::Clock;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::issuer::Issuer;
use super::keys::{KeySet, name};
use super::{Claims, Known, Principal, crypto};
use crate::message::short;

/// The longest token, in bytes.
const LONGEST: usize = 16 << 10;
/// The longest time that clocks may differ by.
pub const MOST_LEEWAY: Duration = Duration::from_secs(300);

/// Which tokens are taken.
pub struct Tokens {
    issuers: Vec<Arc<Issuer>>,
    rules: Rules,
    clock: Arc<dyn Clock>,
}

/// What a token must say.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Those of the issuers who name one's own users and their roles; empty: the first alone.
    pub own_issuers: Vec<String>,
    /// Whom it is for: one of these, in `aud`.
    pub audiences: Vec<String>,
    /// The names of the algorithms by which it may be signed.
    pub algorithms: Vec<String>,
    /// By how much the clocks of issuers and gateways may differ.
    pub leeway: Duration,
    /// The claim that holds the roles: a name, or with dots the path to one.
    pub roles: String,
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// For what is wrong with it.
    Token(String),
    /// The keys that would tell have never been read.
    KeysAway,
}

impl Tokens {
    /// Tokens of these issuers that say what they must.
    ///
    /// # Errors
    /// Rules by which anybody's token would be taken, or nobody's.
    pub fn new(mut issuers: Vec<Issuer>, rules: Rules, clock: Arc<dyn Clock>) -> Result<Self, String> {
        crypto::install();
        if issuers.is_empty() {
            return Err("no issuer is named whose tokens are taken".to_owned());
        }
        if rules.audiences.is_empty() {
            return Err(
                "no audience is named: a token that was made for another service would be taken".to_owned()
            );
        }
        let known = crypto::ALGORITHMS.map(name);
        if let Some(unknown) = rules.algorithms.iter().find(|name| !known.contains(name)) {
            let why = match unknown.as_str() {
                "HS256" | "HS384" | "HS512" => {
                    "has one secret for both sides, so a public key would do to make tokens"
                }
                "none" => "signs nothing",
                _ => "is not known",
            };
            return Err(format!("the algorithm {unknown:?} {why}; there are {}", known.join(", ")));
        }
        if rules.algorithms.is_empty() {
            return Err(format!("no algorithm is allowed; there are {}", known.join(", ")));
        }
        for (index, issuer) in issuers.iter().enumerate() {
            if issuer.name.is_empty() || issuers[..index].iter().any(|other| other.name == issuer.name) {
                return Err(format!("the issuer {:?} is named twice, or is no name", issuer.name));
            }
        }
        let is_known = |name: &String| issuers.iter().any(|issuer| issuer.name == *name);
        if let Some(unknown) = rules.own_issuers.iter().find(|name| !is_known(name)) {
            return Err(format!("{unknown:?} is to name one's own users, and is none of the issuers"));
        }
        for (index, issuer) in issuers.iter_mut().enumerate() {
            issuer.is_own = match rules.own_issuers.is_empty() {
                true => index == 0,
                false => rules.own_issuers.contains(&issuer.name),
            };
        }
        Ok(Self { issuers: issuers.into_iter().map(Arc::new).collect(), rules, clock })
    }

    /// Those whose tokens are taken.
    pub(super) fn issuers(&self) -> &[Arc<Issuer>] {
        &self.issuers
    }

    /// Whose token it is.
    pub(super) async fn principal(&self, token: &str) -> Result<Principal, Refusal> {
        let (header, issuer) = self.issuer(token)?;
        let seen = issuer.keys();
        let claims = match verified(seen.as_deref(), token, &header) {
            // a key may have been added since
            Err(Unverified::Unknown(_)) if issuer.refresh_for(seen.as_ref()).await => {
                verified(issuer.keys().as_deref(), token, &header)?
            }
            other => other?,
        };
        self.checked(issuer, &claims)
    }

    /// Who is said to have made it; nothing is believed yet.
    fn issuer(&self, token: &str) -> Result<(Header, &Arc<Issuer>), Refusal> {
        #[derive(Deserialize)]
        struct Said {
            iss: Option<String>,
        }
        if token.len() > LONGEST {
            return Err(refused(format!("it is longer than {LONGEST} bytes")));
        }
        let header = decode_header(token).map_err(|error| match error.kind() {
            // `alg` is read into those that are known
            ErrorKind::Json(_) => refused("its header is not understood, or its alg is none that is known"),
            _ => refused("it is no JSON Web Token of three parts"),
        })?;
        if !self.rules.algorithms.contains(&name(header.alg)) {
            return Err(refused(format!("its algorithm {} is not allowed here", name(header.alg))));
        }
        if header.crit.is_some() {
            return Err(refused("its header demands what is not understood here (crit)"));
        }
        let said = insecure_decode::<Said>(token).map_err(|_| refused("its claims are not understood"))?;
        let said = said.claims.iss.ok_or_else(|| refused("it does not say who made it (iss)"))?;
        let issuer = self.issuers.iter().find(|issuer| issuer.name == said);
        Ok((header, issuer.ok_or_else(|| refused("its issuer is none that is trusted here"))?))
    }

    /// Who acts, by claims that are the issuer's own.
    fn checked(&self, issuer: &Issuer, claims: &Map<String, Json>) -> Result<Principal, Refusal> {
        let now = self.clock.now_micros() / 1_000_000;
        let leeway = i64::try_from(self.rules.leeway.min(MOST_LEEWAY).as_secs()).unwrap_or_default();
        let time = |name: &str| match claims.get(name) {
            None | Some(Json::Null) => Ok(None),
            // a fraction of a second is allowed, and never waited for
            Some(value) => match value.as_f64() {
                Some(seconds) if (0.0..1e15).contains(&seconds) => Ok(Some(seconds as i64)),
                _ => Err(refused(format!("its {name} is no time"))),
            },
        };
        // read once already, to find the keys; this is what was signed
        if claims.get("iss").and_then(Json::as_str) != Some(&*issuer.name) {
            return Err(refused("its issuer is none that is trusted here"));
        }
        let expires_at = time("exp")?.ok_or_else(|| refused("it does not say when it expires (exp)"))?;
        if expires_at.saturating_add(leeway) <= now {
            return Err(refused("it has expired"));
        }
        if time("nbf")?.is_some_and(|from| from > now.saturating_add(leeway)) {
            return Err(refused("it is not valid yet (nbf)"));
        }
        let is_ours = |audience: &Json| {
            audience.as_str().is_some_and(|audience| self.rules.audiences.iter().any(|ours| ours == audience))
        };
        let is_for_us = match claims.get("aud") {
            Some(Json::Array(all)) => all.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        };
        if !is_for_us {
            return Err(refused("it was made for another audience (aud)"));
        }
        let subject = claims.get("sub").and_then(Json::as_str).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| refused("it does not say of whom it is (sub)"))?;
        let known = Known {
            user: user(issuer, subject),
            // whoever may not name one's users may not name one's operators either
            roles: if issuer.is_own { self.roles(claims) } else { Vec::new() },
            issuer: (&*issuer.name).into(),
            expires_at: expires_at.saturating_add(leeway),
            claims: Claims::of(claims, issuer.is_own),
        };
        Ok(Principal::known(known))
    }

    /// Roles, as a list of texts or one text with spaces between.
    fn roles(&self, claims: &Map<String, Json>) -> Vec<Text> {
        let path = || {
            let mut parts = self.rules.roles.split('.');
            let first = claims.get(parts.next()?)?;
            parts.try_fold(first, |found, part| found.get(part))
        };
        match claims.get(&self.rules.roles).or_else(path) {
            Some(Json::String(all)) => all.split_ascii_whitespace().map(Text::from).collect(),
            Some(Json::Array(all)) => all.iter().filter_map(Json::as_str).map(Text::from).collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("issuers", &self.issuers)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// The acting user: the subject itself where it is an id and the issuer one's own, else a name for it that no other issuer's
/// has.
fn user(issuer: &Issuer, subject: &str) -> Text {
    let name = &issuer.name;
    match issuer.is_own && id::is_valid(subject) {
        true => subject.into(),
        false => id::of_bytes(format!("/issuer/{}/{name}/subject/{subject}", name.len()).as_bytes()),
    }
}

enum Unverified {
    /// The keys there are do not tell; others may.
    Unknown(Refusal),
    /// It is forged.
    Forged,
}

impl From<Unverified> for Refusal {
    fn from(why: Unverified) -> Self {
        match why {
            Unverified::Unknown(refusal) => refusal,
            Unverified::Forged => refused("its signature does not hold"),
        }
    }
}

/// The claims, by one of these keys.
fn verified(keys: Option<&KeySet>, token: &str, header: &Header) -> Result<Map<String, Json>, Unverified> {
    let keys = keys.ok_or(Unverified::Unknown(Refusal::KeysAway))?;
    let id = header.kid.as_deref();
    let validation = signature_alone(header.alg);
    let (mut tried, mut is_meant) = (false, false);
    for key in keys.fitting(header.alg, id) {
        match decode::<Map<String, Json>>(token, &key.key, &validation) {
            Ok(token) => return Ok(token.claims),
            Err(_) => (tried, is_meant) = (true, is_meant || id.is_some() && key.id.as_deref() == id),
        }
    }
    match (tried, is_meant) {
        (_, true) => Err(Unverified::Forged),
        (true, false) => Err(Unverified::Unknown(Unverified::Forged.into())),
        (false, false) => Err(Unverified::Unknown(refused(match id {
            Some(id) => format!("its issuer has no key {} for {}", short(id), name(header.alg)),
            None => format!("its issuer has no key for {}", name(header.alg)),
        }))),
    }
}

/// The claims are checked here, by the clock that everything here goes by.
fn signature_alone(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
    validation
}

fn refused(why: impl Display) -> Refusal {
    Refusal::Token(why.to_string())
}
