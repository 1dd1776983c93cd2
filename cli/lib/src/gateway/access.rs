//! Who may use the gateway, as the settings have it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use millrace_embedded::net;
use millrace_gateway::ResumeKey;
use millrace_gateway::auth::{Authenticator, Issuer, Rules, Tokens};
use millrace_gateway::front::Limits;
use millrace_ports::SystemClock;
use millrace_runtime::health::{LaneState, ROLE_ITSELF};
use millrace_runtime::{Health, Stop};
use millrace_tls::Certificate;

use super::keys;
use crate::config::{Config, GatewayAuth, GatewaySettings};
use crate::error::CliError;

/// The role under which it is said how it is with the certificate.
const CERTIFICATE: &str = "gateway.certificate";

/// How it is known who asks. Keys in files are read, so that a wrong file is said at once.
///
/// # Errors
/// Settings by which nobody's tokens would be taken, or anybody's.
pub fn authenticator(config: &Config) -> Result<Authenticator, CliError> {
    let settings = &config.settings.gateway;
    if settings.auth == GatewayAuth::None {
        let of_tokens = ["gateway.jwt_issuers", "gateway.jwt_keys", "gateway.jwt_own_issuers"];
        let unheeded = of_tokens.into_iter().find(|key| config.is_set(key));
        return match unheeded {
            None => Ok(Authenticator::None),
            // whoever names issuers believes that nobody else gets in
            Some(key) => Err(CliError::usage(format!(
                "{key} is set, from {}, but gateway.auth is \"none\": nobody would be asked for a token",
                config.origin(key)
            ))
            .hint("Set gateway.auth = \"jwt\".")),
        };
    }
    let (issuers, places) = (list(&settings.jwt_issuers), list(&settings.jwt_keys));
    if issuers.len() != places.len() || issuers.is_empty() {
        return Err(CliError::usage(format!(
            "with gateway.auth = \"jwt\" each issuer has its keys, in the same order: gateway.jwt_issuers has {}, from {}, \
             and gateway.jwt_keys {}, from {}",
            issuers.len(),
            config.origin("gateway.jwt_issuers"),
            places.len(),
            config.origin("gateway.jwt_keys")
        ))
        .hint("`millrace token --help` shows how to make a key for development."));
    }
    let clock = Arc::new(SystemClock);
    let mut known = Vec::with_capacity(issuers.len());
    for (name, place) in issuers.into_iter().zip(places) {
        let source = keys::source(settings, &place)?;
        let is_file = !place.contains("://");
        let issuer = Issuer::new(name, source, clock.clone());
        if is_file {
            issuer.refresh().map_err(|why| {
                CliError::usage(format!(
                    "gateway.jwt_keys, from {}: {why}",
                    config.origin("gateway.jwt_keys")
                ))
                .hint("Give the issuer's public key in PEM, or its JSON Web Key Set.")
            })?;
        }
        known.push(issuer);
    }
    let rules = Rules {
        own_issuers: list(&settings.jwt_own_issuers),
        audiences: list(&settings.jwt_audience),
        algorithms: list(&settings.jwt_algorithms),
        leeway: Duration::from_secs(settings.jwt_leeway_seconds),
        roles: settings.jwt_roles_claim.clone(),
    };
    let tokens = Tokens::new(known, rules, clock);
    let tokens = tokens.map_err(|why| CliError::usage(format!("[gateway] jwt_…: {why}")))?;
    Ok(Authenticator::Jwt(Arc::new(tokens)))
}

/// What is let in.
///
/// # Errors
/// Origins that are none, or that may not be let in.
pub fn limits(config: &Config, authenticator: &Authenticator) -> Result<Limits, CliError> {
    let settings = &config.settings.gateway;
    let limits = Limits {
        hosts: list(&settings.hosts),
        origins: list(&settings.origins),
        commands_per_second: settings.commands_per_second,
        reads_per_second: settings.reads_per_second,
        refusals_per_second: settings.refusals_per_second,
        body_bytes: settings.max_body_bytes,
        body_within: Duration::from_millis(settings.body_timeout_ms),
        answer_within: Duration::from_millis(settings.answer_timeout_ms),
    };
    match limits.check(authenticator) {
        Ok(()) => Ok(limits),
        Err(why) => {
            let origin = config.origin("gateway.origins");
            Err(CliError::usage(format!("gateway.origins, from {origin}: {why}")))
        }
    }
}

/// What its connections may take.
#[must_use]
pub fn connections(settings: &GatewaySettings) -> net::Limits {
    net::Limits {
        connections: settings.max_connections,
        silent: Duration::from_millis(settings.header_timeout_ms),
        head_bytes: Some(settings.max_header_bytes),
        ..net::Limits::default()
    }
}

/// The certificate, where connections are encrypted.
///
/// # Errors
/// Files that cannot be used.
pub fn certificate(settings: &GatewaySettings) -> Result<Option<Arc<Certificate>>, CliError> {
    let (certificate, key) = (&settings.tls_certificate_file, &settings.tls_key_file);
    match (certificate.is_empty(), key.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => {
            let read = Certificate::read("gateway", PathBuf::from(certificate), PathBuf::from(key));
            Ok(Some(Arc::new(read.map_err(|fault| CliError::usage(fault.to_string()))?)))
        }
        (is_alone, _) => {
            let [given, missing] = match is_alone {
                true => ["tls_key_file", "tls_certificate_file"],
                false => ["tls_certificate_file", "tls_key_file"],
            };
            Err(CliError::usage(format!("gateway.{given}: it is of no use without gateway.{missing}")))
        }
    }
}

/// Signs where streams go on.
///
/// # Errors
/// A file that cannot be read, or holds too little.
pub fn resume_key(settings: &GatewaySettings) -> Result<ResumeKey, CliError> {
    let file = &settings.resume_key_file;
    if file.is_empty() {
        return ResumeKey::made()
            .map_err(|why| CliError::failed(format!("there is no key to sign with: {why}")));
    }
    let bytes = std::fs::read(file).map_err(|error| error.to_string());
    let key = bytes.and_then(|bytes| ResumeKey::new(&bytes));
    key.map_err(|why| {
        CliError::usage(format!("gateway.resume_key_file = {file:?}: {why}"))
            .hint("Make one with `openssl rand -out FILE 32`, readable by the gateways alone, and give all of them the same.")
    })
}

/// Reads the certificate again and again until `stop`, and says how it is with it.
pub fn keep(certificate: &Certificate, health: &Health, stop: &Stop) {
    let mut trouble = None;
    loop {
        match certificate.reload() {
            Ok(is_other) => {
                let until = certificate.valid_until();
                if is_other {
                    tracing::info!("the gateway has a new certificate, valid until {until}");
                }
                health.set(CERTIFICATE, ROLE_ITSELF, LaneState::Running, format!("valid until {until}"));
                trouble = None;
            }
            Err(fault) => {
                let why = fault.to_string();
                let next = "the certificate that was read before is shown; the files are read again";
                // said once, not every few seconds
                if trouble.as_ref() != Some(&why) {
                    tracing::warn!("{why}; {next}");
                }
                health.impair(CERTIFICATE, ROLE_ITSELF, why.clone(), next);
                trouble = Some(why);
            }
        }
        if stop.wait(keys::OF_FILES) {
            return;
        }
    }
}

/// What stands between commas.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
