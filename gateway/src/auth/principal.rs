//! Who asks, as far as anything here depends on it.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use millrace_kernel::claims::VERIFIED;
use millrace_kernel::{Text, id};
use serde_json::{Map, Value as Json};

use crate::http::problem::{Problem, UNAUTHENTICATED};

/// Who asks. A clone is the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Principal {
    /// Somebody on this machine, who is asked for no name and believed.
    Anyone,
    /// Somebody with a name.
    Known(Arc<Known>),
}

/// What is known of somebody with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The acting user: an id.
    pub user: Text,
    /// What the user is, such as `operator`.
    pub roles: Vec<Text>,
    /// Who says so.
    pub issuer: Text,
    /// Until when, in seconds since the epoch.
    pub expires_at: i64,
    /// What else is said.
    pub claims: Claims,
}

/// What the issuer of a token says of its user: the claims that are a text or a truth value (OpenID Connect Core 1.0 §5.1).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Claims(Map<String, Json>);

impl Claims {
    /// Those of a token, which is not long. Who may not name our users may not vouch for what is said of them either: of such an
    /// issuer nothing is `vouched` for.
    #[must_use]
    pub fn of(all: &Map<String, Json>, vouched: bool) -> Self {
        let is_vouching = |name: &str| name.ends_with(VERIFIED);
        let said = all.iter().filter(|(_, value)| value.is_string() || value.is_boolean());
        let said = said.filter(|(name, _)| vouched || !is_vouching(name));
        Self(said.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// What is said under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }
}

/// Never the claims: a log is no place for what is known of people.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} claims)", self.0.len())
    }
}

impl Principal {
    /// Somebody with a name.
    #[must_use]
    pub fn known(known: Known) -> Self {
        Self::Known(Arc::new(known))
    }

    /// The acting user, where it is known.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Anyone => None,
            Self::Known(known) => Some(&known.user),
        }
    }

    /// Whether the user is this. Of somebody without a name nothing is known, so they are nothing; see
    /// [`Self::is_trusted`].
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        match self {
            Self::Anyone => false,
            Self::Known(known) => known.roles.iter().any(|own| **own == *role),
        }
    }

    /// Whether everything may be read and every word is believed: of those who are asked for no name, which is on loopback
    /// alone.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        matches!(self, Self::Anyone)
    }

    /// Whether this is the same one with the same roles, whatever the time until which that is known.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Anyone, Self::Anyone) => true,
            (Self::Known(one), Self::Known(other)) => {
                let has_all =
                    |one: &Known, other: &Known| one.roles.iter().all(|role| other.roles.contains(role));
                (&one.user, &one.issuer) == (&other.user, &other.issuer)
                    && has_all(one, other)
                    && has_all(other, one)
            }
            (Self::Anyone, Self::Known(_)) | (Self::Known(_), Self::Anyone) => false,
        }
    }

    /// Until when it is known, in seconds since the epoch; `None`: for good.
    #[must_use]
    pub fn expires_at(&self) -> Option<i64> {
        match self {
            Self::Anyone => None,
            Self::Known(known) => Some(known.expires_at),
        }
    }

    /// The id of the command that this principal means by `key`: the same at every gateway, and never that of another
    /// principal.
    #[must_use]
    pub fn command_id(&self, key: &str) -> Text {
        match self {
            Self::Anyone if id::is_valid(key) => key.into(),
            Self::Anyone => id::of_bytes(format!("/key/{key}").as_bytes()),
            // '/' may not occur in a user, so no other user and key are written so
            Self::Known(known) => id::of_bytes(format!("/user/{}/key/{key}", known.user).as_bytes()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    /// The one whom the front of the gateway has found.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let found = parts.extensions.get::<Result<Self, Problem>>().cloned();
        found.unwrap_or_else(|| Err(Problem::new(UNAUTHENTICATED, "Nobody has looked who asks.")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(user: &str) -> Principal {
        let roles = vec!["operator".into()];
        Principal::known(Known { user: user.into(), roles, ..Known::default() })
    }

    #[test]
    fn a_key_that_is_an_id_is_used_as_it_is_where_nobody_has_a_name() {
        assert_eq!(Principal::Anyone.command_id("order-1"), *"order-1");
        let derived = Principal::Anyone.command_id("no id, but a key");
        assert_eq!(derived, Principal::Anyone.command_id("no id, but a key"));
        assert!(id::is_valid(&derived));
        assert_ne!(derived, Principal::Anyone.command_id("no id, but another"));
    }

    #[test]
    fn nobody_has_the_commands_of_another() {
        let of_ann = user("ann").command_id("order-1");
        assert_eq!(of_ann, user("ann").command_id("order-1"));
        assert!(id::is_valid(&of_ann));
        for other in [
            user("bob").command_id("order-1"),
            user("ann").command_id("order-2"),
            Principal::Anyone.command_id("order-1"),
            // neither by a key that looks as what is hashed
            Principal::Anyone.command_id("user/ann/key/order-1"),
            Principal::Anyone.command_id("/user/ann/key/order-1"),
            user("a").command_id("nn/key/order-1"),
        ] {
            assert_ne!(of_ann, other);
        }
    }

    #[test]
    fn whoever_comes_with_another_token_is_the_same_only_with_the_same_roles() {
        let known = |user: &str, roles: &[&str], expires_at| {
            let roles = roles.iter().map(|role| (*role).into()).collect();
            Principal::known(Known { user: user.into(), roles, expires_at, ..Known::default() })
        };
        let one = known("ann", &["a", "b"], 7);
        assert!(one.is_same(&known("ann", &["b", "a"], 9)));
        for other in
            [known("ann", &["a"], 7), known("ann", &["a", "b", "c"], 7), known("bob", &["a", "b"], 7)]
        {
            assert!(!one.is_same(&other) && !other.is_same(&one));
        }
        assert!(Principal::Anyone.is_same(&Principal::Anyone) && !one.is_same(&Principal::Anyone));
    }

    #[test]
    fn only_whoever_has_a_name_has_roles() {
        assert!(user("ann").has_role("operator") && !user("ann").has_role("Operator"));
        assert_eq!((user("ann").user(), user("ann").is_trusted()), (Some("ann"), false));
        let anyone = Principal::Anyone;
        assert!(anyone.is_trusted() && !anyone.has_role("operator") && anyone.user().is_none());
    }
}
