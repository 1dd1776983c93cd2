//! Where credentials stand: in `Authorization: Bearer TOKEN` (RFC 6750), and nowhere else.

use axum::http::{HeaderMap, HeaderValue, Uri, header};

use super::tokens::Refusal;
use super::{Authenticator, Principal};
use crate::http::problem::{BAD_PARAMETER, KEYS_AWAY, Problem, UNAUTHENTICATED};

/// The parameter in which others take tokens (RFC 6750, section 2.3).
const IN_ADDRESSES: &str = "access_token";
/// How a client that has no token is told which one to bring.
const CHALLENGE: &str = "Bearer realm=\"millrace\"";

impl Authenticator {
    /// Who asks with these headers at this address.
    ///
    /// # Errors
    /// The answer to somebody who is not known.
    pub(crate) async fn principal(&self, headers: &HeaderMap, uri: &Uri) -> Result<Principal, Problem> {
        match self {
            Self::None => Ok(Principal::Anyone),
            Self::Jwt(_) if has_in_address(uri) => {
                let detail = "access_token: credentials are not taken from an address, which is kept in logs and histories. \
                              Send Authorization: Bearer TOKEN, and have this token revoked.";
                Err(Problem::new(BAD_PARAMETER, detail).with("parameter", IN_ADDRESSES))
            }
            Self::Jwt(_) => self.of_token(bearer(headers)?).await,
        }
    }

    /// Who it is that has this token.
    ///
    /// # Errors
    /// The answer to somebody who is not known.
    pub(crate) async fn of_token(&self, token: &str) -> Result<Principal, Problem> {
        let Self::Jwt(tokens) = self else { return Ok(Principal::Anyone) };
        tokens.principal(token).await.map_err(|refusal| match refusal {
            Refusal::Token(why) => {
                tracing::debug!("a token is not taken: {why}");
                refused(&format!("The token is not taken: {why}."), Some(&why))
            }
            Refusal::KeysAway => {
                Problem::new(KEYS_AWAY, "The keys of the token's issuer have not been read yet.")
                    .retry_after(5)
            }
        })
    }
}

/// The token in the headers.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (one, more) = (given.next(), given.next());
    let Some(one) = one else {
        return Err(refused("Send Authorization: Bearer TOKEN.", None));
    };
    if more.is_some() {
        return Err(refused("Authorization is given twice.", Some("Authorization is given twice")));
    }
    let token = one.to_str().ok().and_then(|value| value.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(refused("Authorization is not of the form Bearer TOKEN.", None)),
    }
}

fn has_in_address(uri: &Uri) -> bool {
    let mut given = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    given.any(|(name, _)| name.eq_ignore_ascii_case(IN_ADDRESSES))
}

fn refused(detail: &str, why: Option<&str>) -> Problem {
    let challenge = match why {
        None => CHALLENGE.to_owned(),
        Some(why) => {
            // of what may stand in a quoted string there, and no more
            let is_plain = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
            let why: String = why.chars().filter(is_plain).collect();
            format!("{CHALLENGE}, error=\"invalid_token\", error_description=\"{why}\"")
        }
    };
    let challenge = HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static(CHALLENGE));
    Problem::new(UNAUTHENTICATED, detail).with_header(header::WWW_AUTHENTICATE, challenge)
}
