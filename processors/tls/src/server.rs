//! What a server of TLS shows to its clients: a certificate that is read again while it runs.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use openssl::error::ErrorStack;
use openssl::ssl::{AlpnError, SslAcceptor, SslMethod, select_next_proto};
use openssl::x509::X509;

use crate::{Files, FilesFault, Identity};

/// What is spoken inside, as clients and servers of TLS agree on it.
const HTTP: &[u8] = b"\x08http/1.1";

/// The certificate of a server and its key, as they were when they were read last and fitted each other.
pub struct Certificate {
    files: Files,
    shown: RwLock<Shown>,
}

struct Shown {
    acceptor: SslAcceptor,
    chain: Vec<Vec<u8>>,
    valid_until: String,
}

impl Certificate {
    /// Reads the certificate, with those between it and its authority, and its key, from PEM files. `section` is that of
    /// the settings that name them, for messages.
    ///
    /// # Errors
    /// A file that cannot be read, holds something else, or does not belong to the other.
    pub fn read(section: &'static str, certificate: PathBuf, key: PathBuf) -> Result<Self, FilesFault> {
        let files =
            Files { section, ca_file: None, certificate_file: Some(certificate), key_file: Some(key) };
        let shown = RwLock::new(shown(&files)?);
        Ok(Self { files, shown })
    }

    /// Reads the files again; `true` when there is another certificate now. New connections get it; those that are open
    /// go on.
    ///
    /// # Errors
    /// As [`Certificate::read`]; the one before is shown then as before.
    pub fn reload(&self) -> Result<bool, FilesFault> {
        let new = shown(&self.files)?;
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = shown.chain != new.chain;
        if is_other {
            *shown = new;
        }
        Ok(is_other)
    }

    /// What takes a connection.
    #[must_use]
    pub fn acceptor(&self) -> SslAcceptor {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone()
    }

    /// Until when the certificate is valid, for people.
    #[must_use]
    pub fn valid_until(&self) -> String {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).valid_until.clone()
    }
}

fn shown(files: &Files) -> Result<Shown, FilesFault> {
    let setting = || format!("{}.tls_certificate_file", files.section);
    let Some(Identity { chain, key }) = files.read()?.identity else {
        return Err(FilesFault { setting: setting(), what: "it is not given".to_owned() });
    };
    let refused = |error: ErrorStack| {
        let reasons: Vec<&str> = error.errors().iter().filter_map(openssl::error::Error::reason).collect();
        FilesFault { setting: setting(), what: format!("it cannot be shown: {}", reasons.join(", ")) }
    };
    let made = || {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        acceptor.set_private_key(&key)?;
        acceptor.set_certificate(&chain[0])?;
        for between in &chain[1..] {
            acceptor.add_extra_chain_cert(between.clone())?;
        }
        acceptor.check_private_key()?;
        acceptor
            .set_alpn_select_callback(|_, theirs| select_next_proto(HTTP, theirs).ok_or(AlpnError::NOACK));
        let valid_until = chain[0].not_after().to_string();
        let chain = chain.iter().map(|it: &X509| it.to_der()).collect::<Result<_, _>>()?;
        Ok(Shown { acceptor: acceptor.build(), chain, valid_until })
    };
    made().map_err(refused)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::x509::X509Builder;

    use super::*;

    /// Writes a new certificate and its key.
    fn write(folder: &Path) -> Vec<u8> {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut builder = X509Builder::new().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        fs::write(folder.join("cert.pem"), certificate.to_pem().unwrap()).unwrap();
        fs::write(folder.join("key.pem"), key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        certificate.to_der().unwrap()
    }

    #[test]
    fn a_new_certificate_is_shown_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let first = write(folder.path());
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        let shown = Certificate::read("gateway", certificate.clone(), key.clone()).unwrap();
        let is = |der: &[u8]| {
            shown.acceptor().context().certificate().is_some_and(|it| it.to_der().unwrap() == der)
        };
        assert!(is(&first) && !shown.reload().unwrap());
        // one of the two only: as a moment in the middle of writing them
        let old_key = fs::read(&key).unwrap();
        let second = write(folder.path());
        let new_key = fs::read(&key).unwrap();
        fs::write(&key, old_key).unwrap();
        let said = shown.reload().unwrap_err().to_string();
        assert!(said.contains("gateway.tls_key_file") && said.contains("not the key"), "{said}");
        assert!(is(&first));
        fs::write(&key, new_key).unwrap();
        assert!(shown.reload().unwrap() && is(&second));
        fs::write(&certificate, "no certificate").unwrap();
        let said = shown.reload().unwrap_err().to_string();
        assert!(said.contains("gateway.tls_certificate_file"), "{said}");
        assert!(is(&second));
        fs::remove_file(&certificate).unwrap();
        shown.reload().unwrap_err();
        assert!(is(&second) && shown.valid_until().contains("GMT"));
    }
}
