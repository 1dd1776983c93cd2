//! Who asks a registry, and how the two know each other.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use millrace_tls::{Files, Identity, Settings};
use ureq::http::StatusCode;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig, TlsProvider};

/// What the settings of this client are called.
const SETTINGS: Settings = Settings {
    ca: "registry_client.tls_ca_file",
    certificate: "registry_client.tls_certificate_file",
    names: "the host in the setting registry",
};

/// How a registry is reached: by whom, and with which certificates.
#[derive(Clone, Default)]
pub struct RegistryAccess {
    /// User for basic authentication.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<String>,
    /// Authorities, and the client's own certificate, for `https`.
    pub files: Files,
}

impl fmt::Debug for RegistryAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // it is printed in logs, the password must not be
        let password = self.password.as_ref().map(|_| "…");
        let mut shown = f.debug_struct("RegistryAccess");
        shown.field("user", &self.user).field("password", &password).field("files", &self.files).finish()
    }
}

impl RegistryAccess {
    /// The value of the header `Authorization`.
    pub(super) fn authorization(&self) -> Option<String> {
        let user = self.user.as_ref()?;
        let password = self.password.as_deref().unwrap_or_default();
        Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    /// What the HTTP client needs.
    pub(super) fn tls(&self, is_encrypted: bool) -> Result<TlsConfig, String> {
        if !is_encrypted && !self.files.is_empty() {
            // whoever names certificates believes that nobody can listen
            return Err(format!(
                "{}.tls_… is set, but the address does not begin with https, so nothing would be encrypted",
                self.files.section
            ));
        }
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls);
        let material = self.files.read().map_err(|fault| fault.to_string())?;
        let plain = |error: openssl::error::ErrorStack| format!("{}: {error}", self.files.section);
        let roots = match material.authorities {
            None => RootCerts::PlatformVerifier,
            Some(authorities) => {
                let der =
                    authorities.iter().map(|it| it.to_der()).collect::<Result<Vec<_>, _>>().map_err(plain)?;
                RootCerts::from(der.iter().map(|der| Certificate::from_der(der).to_owned()))
            }
        };
        let client = material.identity.map(|it| client_certificate(&it)).transpose()?;
        Ok(tls.root_certs(roots).client_cert(client).build())
    }
}

fn client_certificate(identity: &Identity) -> Result<ClientCert, String> {
    let plain = |error: openssl::error::ErrorStack| error.to_string();
    let mut chain = Vec::with_capacity(identity.chain.len());
    for certificate in &identity.chain {
        chain.push(Certificate::from_der(&certificate.to_der().map_err(plain)?).to_owned());
    }
    // the one form that the TLS library takes; the file may hold others
    let key = identity.key.private_key_to_pem_pkcs8().map_err(plain)?;
    let key = PrivateKey::from_pem(&key).map_err(|error| error.to_string())?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// Why no answer came, with what it means first; of a client that has shown no certificate on an encrypted connection or
/// of another.
pub(super) fn explained(why: String, is_unnamed: bool) -> String {
    if let Some(meaning) = millrace_tls::explain(&why, &SETTINGS) {
        return format!("{meaning} ({why})");
    }
    // A server may tell a client without a certificate so when the client has already sent its request: the connection is
    // reset, and what it said is lost.
    let text = why.to_lowercase();
    let is_cut = ["reset by peer", "broken pipe", "unexpected eof", "disconnected", "peer disconnect"];
    match is_unnamed && is_cut.iter().any(|word| text.contains(word)) {
        true => format!("{why}; if it asks for a certificate of the client, set {}", SETTINGS.certificate),
        false => why,
    }
}

/// What it means that a registry lets nobody in with this status.
pub(super) fn refused(status: StatusCode, message: &str, has_user: bool) -> String {
    let about = match (status, has_user) {
        (StatusCode::UNAUTHORIZED, true) => {
            "it does not accept the user and password: see security.registry_user and security.registry_password_file"
        }
        (StatusCode::UNAUTHORIZED, false) => {
            "it asks for a user and password: set security.registry_user and security.registry_password_file"
        }
        _ => "this user may not do that: see security.registry_user",
    };
    let said = if message.is_empty() { String::new() } else { format!(": {message}") };
    format!("{about} (HTTP status {status}{said})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_cut_may_have_been_for_want_of_a_certificate() {
        let reset = || "io: Connection reset by peer (os error 104)".to_owned();
        assert!(explained(reset(), true).ends_with("set registry_client.tls_certificate_file"));
        assert_eq!(explained(reset(), false), reset());
    }

    #[test]
    fn nobody_who_names_certificates_is_left_without_encryption() {
        let mut access = RegistryAccess { password: Some("hunter2".to_owned()), ..RegistryAccess::default() };
        assert!(access.tls(false).is_ok());
        assert!(!format!("{access:?}").contains("hunter2"));
        access.files =
            Files { section: "registry_client", ca_file: Some("none.pem".into()), ..Files::default() };
        assert!(access.tls(false).unwrap_err().contains("https"));
        assert!(access.tls(true).unwrap_err().contains("registry_client.tls_ca_file: none.pem"));
    }
}
