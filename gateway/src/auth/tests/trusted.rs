//! An issuer that is trusted, for tests of what lies behind: one key, one audience.

use std::sync::Arc;
use std::time::Duration;

use millrace_ports::Clock;

use crate::auth::make::{Claims, SigningKey};
use crate::auth::{Authenticator, Issuer, KeySource, Rules, Tokens};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "millrace";

struct Key(Vec<u8>);

impl KeySource for Key {
    fn name(&self) -> String {
        "the test's key".to_owned()
    }

    fn read(&self) -> Result<Vec<u8>, String> {
        Ok(self.0.clone())
    }

    fn every(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// Who makes tokens that are taken, by this clock and without leeway.
pub(crate) struct Trusted {
    key: SigningKey,
    clock: Arc<dyn Clock>,
}

impl Trusted {
    pub(crate) fn by(clock: Arc<dyn Clock>) -> Self {
        Self { key: SigningKey::generate().unwrap(), clock }
    }

    pub(crate) fn authenticator(&self) -> Authenticator {
        let issuer = Issuer::new(ISSUER, Key(self.key.public_pem().unwrap()), Arc::clone(&self.clock));
        issuer.refresh().unwrap();
        let rules = Rules {
            own_issuers: Vec::new(),
            audiences: vec![AUDIENCE.to_owned()],
            algorithms: vec!["EdDSA".to_owned()],
            leeway: Duration::ZERO,
            roles: "roles".to_owned(),
        };
        Authenticator::Jwt(Arc::new(Tokens::new(vec![issuer], rules, Arc::clone(&self.clock)).unwrap()))
    }

    /// A token of a user that is good for so many seconds from now on.
    pub(crate) fn token(&self, user: &str, roles: &[String], seconds: i64) -> String {
        let now = self.clock.now_micros() / 1_000_000;
        let (issuer, audience, expires_at) = (ISSUER, AUDIENCE, now + seconds);
        self.key
            .token(&Claims { issuer, audience, user, roles, issued_at: now, expires_at, more: &[] })
            .unwrap()
    }
}
