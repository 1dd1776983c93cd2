//! `millrace token`: a token for development, and the key that signs it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use millrace_gateway::auth::make::{Claims, SigningKey};
use millrace_ports::{Clock as _, SystemClock};

use crate::args::Token;
use crate::config::Config;
use crate::config::layers::variable;
use crate::error::CliError;
use crate::key_files::{PRIVATE, PUBLIC, create, public_of};
use crate::{foreign, output};

/// Who makes tokens where no issuer is set.
const ISSUER: &str = "millrace-dev";
/// What is said where the key is there already.
const TAKEN: &str = "Leave out --make-key to sign with the key that is there.";

/// Prints a token, and nothing else, on standard output.
///
/// # Errors
/// A key that is not there, is there already, or is none.
pub fn run(config: &Config, token: &Token) -> Result<(), CliError> {
    let settings = &config.settings.gateway;
    let issuer =
        token.issuer.clone().or_else(|| first(&settings.jwt_issuers)).unwrap_or_else(|| ISSUER.to_owned());
    let audience = token.audience.clone().or_else(|| first(&settings.jwt_audience));
    let audience = audience.ok_or_else(|| {
        CliError::usage("gateway.jwt_audience is empty, and a token is for somebody").hint("Give --audience.")
    })?;
    let key = match token.make_key {
        true => make(&token.key, &issuer)?,
        false => read(&token.key)?,
    };
    let issued_at = SystemClock.now_micros() / 1_000_000;
    let ttl = i64::try_from(token.ttl.as_secs()).unwrap_or(i64::MAX);
    let claims = Claims {
        issuer: &issuer,
        audience: &audience,
        user: &token.user,
        roles: &token.roles,
        issued_at,
        expires_at: issued_at.saturating_add(ttl),
        more: &token.claims,
    };
    output::line(key.token(&claims).map_err(CliError::failed)?)
}

fn first(list: &str) -> Option<String> {
    list.split(',').map(str::trim).find(|part| !part.is_empty()).map(str::to_owned)
}

fn read(file: &Path) -> Result<SigningKey, CliError> {
    let place = file.display();
    let pem = fs::read(file).map_err(|error| {
        let failed = CliError::failed(format!("{place}: {error}"));
        match error.kind() {
            ErrorKind::NotFound => failed.hint("--make-key makes the key, and its public key for gateways."),
            _ => failed,
        }
    })?;
    SigningKey::from_pem(&pem).map_err(|why| CliError::failed(format!("{place}: {why}")))
}

/// A new key, in files that were not there before, and how a gateway gets to know it.
fn make(file: &Path, issuer: &str) -> Result<SigningKey, CliError> {
    let key = SigningKey::generate().map_err(CliError::failed)?;
    let public = public_of(file);
    create(file, PRIVATE, &key.private_pem().map_err(CliError::failed)?, TAKEN)?;
    create(&public, PUBLIC, &key.public_pem().map_err(CliError::failed)?, TAKEN)?;
    let absolute = std::path::absolute(&public).unwrap_or(public);
    foreign::say(format!(
        "made the key {} and its public key {}. A gateway takes its tokens with\n  {}=jwt {}={issuer} {}={}",
        file.display(),
        absolute.display(),
        variable("gateway.auth"),
        variable("gateway.jwt_issuers"),
        variable("gateway.jwt_keys"),
        absolute.display(),
    ));
    Ok(key)
}
