//! Where the keys of issuers are: files and URLs.

use std::fs;
use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use millrace_gateway::auth::{KeySource, LONGEST_SET};
use millrace_tls::Files;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

use crate::config::GatewaySettings;
use crate::config::secrets::without_passwords;
use crate::error::{CliError, chain};

/// How often files are read again.
pub const OF_FILES: Duration = Duration::from_secs(5);
/// How long a URL may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keys in a file.
pub struct KeyFile(PathBuf);

/// Keys at a URL.
pub struct KeyUrl {
    url: String,
    client: Agent,
    every: Duration,
}

/// Where keys are, as the settings have it.
///
/// # Errors
/// An address over which somebody else could send keys, or authorities that cannot be read.
pub fn source(settings: &GatewaySettings, place: &str) -> Result<Box<dyn KeySource>, CliError> {
    let Some((scheme, rest)) = place.split_once("://") else {
        return Ok(Box::new(KeyFile(PathBuf::from(place))));
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    let host =
        host.rsplit_once(':').map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    let is_v4_here = host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    let is_here = matches!(host, "localhost" | "[::1]") || is_v4_here;
    let shown = without_passwords(place);
    if !(scheme == "https" || scheme == "http" && is_here) {
        return Err(CliError::usage(format!(
            "gateway.jwt_keys: {shown}: whoever is on the way could send other keys"
        ))
        .hint("Give a URL with https, or a file."));
    }
    let files = Files {
        section: "gateway",
        ca_file: Some(&settings.tls_ca_file).filter(|file| !file.is_empty()).map(PathBuf::from),
        ..Files::default()
    };
    let material = files.read().map_err(|fault| CliError::usage(fault.to_string()))?;
    let roots = match material.authorities {
        None => RootCerts::PlatformVerifier,
        Some(authorities) => {
            let der = authorities.iter().map(|it| it.to_der()).collect::<Result<Vec<_>, _>>();
            let der =
                der.map_err(|error| CliError::usage(format!("gateway.tls_ca_file: {}", chain(&error))))?;
            RootCerts::from(der.iter().map(|der| Certificate::from_der(der).to_owned()))
        }
    };
    let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
    let client = Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        // keys come from where they were asked for
        .max_redirects(0)
        .tls_config(tls)
        .build()
        .new_agent();
    let every = Duration::from_secs(settings.jwt_refresh_seconds);
    Ok(Box::new(KeyUrl { url: place.to_owned(), client, every }))
}

impl KeySource for KeyFile {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn read(&self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let most = u64::try_from(LONGEST_SET).unwrap_or(u64::MAX);
        fs::File::open(&self.0)
            .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
            .map_err(|error| error.to_string())?;
        match bytes.len() <= LONGEST_SET {
            true => Ok(bytes),
            false => Err(format!("it is longer than {LONGEST_SET} bytes")),
        }
    }

    fn every(&self) -> Duration {
        OF_FILES
    }
}

impl KeySource for KeyUrl {
    fn name(&self) -> String {
        without_passwords(&self.url).into_owned()
    }

    fn read(&self) -> Result<Vec<u8>, String> {
        let words = |error: ureq::Error| match error {
            ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
            other => without_passwords(&other.to_string()).into_owned(),
        };
        let mut answer = self.client.get(&self.url).call().map_err(words)?;
        if !answer.status().is_success() {
            return Err(format!("it answers with HTTP status {}", answer.status()));
        }
        let most = u64::try_from(LONGEST_SET).unwrap_or(u64::MAX);
        answer.body_mut().with_config().limit(most).read_to_vec().map_err(words)
    }

    fn every(&self) -> Duration {
        self.every
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_nobody_elses_wire() {
        let place = |place: &str| source(&GatewaySettings::default(), place).map(|source| source.name());
        for good in [
            "keys.pem",
            "/etc/keys.json",
            "https://issuer.example/jwks",
            "http://127.0.0.1:8081/jwks",
            "http://localhost/jwks",
            "http://[::1]:80/jwks",
        ] {
            assert_eq!(place(good).unwrap(), good);
        }
        for bad in [
            "http://issuer.example/jwks",
            "http://127.evil.example/jwks",
            "http://localhost.evil.example/jwks",
            "http://localhost@evil.example/jwks",
            "ftp://localhost/jwks",
        ] {
            let said = place(bad).unwrap_err().to_string();
            assert!(said.contains("gateway.jwt_keys") && said.contains("https"), "{said}");
        }
        let shown = place("https://ann:hunter2@issuer.example/jwks").unwrap();
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
