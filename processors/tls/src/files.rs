//! Authorities, certificates and keys in PEM files.

use std::fs;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use thiserror::Error;

/// The files of one client; what is not given is not used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The section of the settings that name them, for messages: `registry_client`.
    pub section: &'static str,
    /// The authorities that may have signed the server's certificate; the system's when not given.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate, and those between it and its authority.
    pub certificate_file: Option<PathBuf>,
    /// The client's private key.
    pub key_file: Option<PathBuf>,
}

/// What is in the files.
#[derive(Clone, Debug, Default)]
pub struct Material {
    /// The authorities; `None`: the system's.
    pub authorities: Option<Vec<X509>>,
    /// Who the client is, if it says so.
    pub identity: Option<Identity>,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, then those between it and its authority.
    pub chain: Vec<X509>,
    /// Its key.
    pub key: PKey<Private>,
}

/// A file that cannot be used.
#[derive(Debug, Error)]
#[error("{setting}: {what}")]
pub struct FilesFault {
    /// The setting that names it.
    pub setting: String,
    /// What is wrong with it.
    pub what: String,
}

impl Files {
    /// Whether any is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ca_file.is_none() && self.certificate_file.is_none() && self.key_file.is_none()
    }

    /// Reads them.
    ///
    /// # Errors
    /// A file that cannot be read, holds something else, or does not belong to the others.
    pub fn read(&self) -> Result<Material, FilesFault> {
        let authorities = match &self.ca_file {
            Some(file) => Some(self.certificates("tls_ca_file", file)?),
            None => None,
        };
        let identity = match (&self.certificate_file, &self.key_file) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(self.identity(certificate, key)?),
            (Some(_), None) => return Err(self.alone("tls_certificate_file", "tls_key_file")),
            (None, Some(_)) => return Err(self.alone("tls_key_file", "tls_certificate_file")),
        };
        Ok(Material { authorities, identity })
    }

    fn identity(&self, certificate: &Path, key: &Path) -> Result<Identity, FilesFault> {
        let chain = self.certificates("tls_certificate_file", certificate)?;
        let key = self.key(key)?;
        let is_its_key = chain[0].public_key().is_ok_and(|public| public.public_eq(&key));
        if !is_its_key {
            let what = format!("it is not the key of the first certificate in {}", certificate.display());
            return Err(self.fault("tls_key_file", what));
        }
        Ok(Identity { chain, key })
    }

    fn certificates(&self, setting: &str, file: &Path) -> Result<Vec<X509>, FilesFault> {
        let pem = self.bytes(setting, file)?;
        let found = X509::stack_from_pem(&pem).map_err(|error| self.unusable(setting, file, &error))?;
        if found.is_empty() {
            let what = format!("{} holds no certificate (-----BEGIN CERTIFICATE-----)", file.display());
            return Err(self.fault(setting, what));
        }
        Ok(found)
    }

    fn key(&self, file: &Path) -> Result<PKey<Private>, FilesFault> {
        let setting = "tls_key_file";
        let pem = self.bytes(setting, file)?;
        let mut is_encrypted = false;
        // without this the library asks for the password at the terminal
        let no_password = |_: &mut [u8]| {
            is_encrypted = true;
            Ok(0)
        };
        PKey::private_key_from_pem_callback(&pem, no_password).map_err(|error| match is_encrypted {
            true => self.fault(
                setting,
                format!("{} is encrypted: `openssl pkey` writes it without a password", file.display()),
            ),
            false => self.unusable(setting, file, &error),
        })
    }

    fn bytes(&self, setting: &str, file: &Path) -> Result<Vec<u8>, FilesFault> {
        fs::read(file).map_err(|error| self.fault(setting, format!("{}: {error}", file.display())))
    }

    fn unusable(&self, setting: &str, file: &Path, error: &ErrorStack) -> FilesFault {
        let reasons: Vec<&str> = error.errors().iter().filter_map(openssl::error::Error::reason).collect();
        self.fault(setting, format!("{} is no PEM file as expected: {}", file.display(), reasons.join(", ")))
    }

    fn alone(&self, setting: &str, other: &str) -> FilesFault {
        self.fault(setting, format!("it is of no use without {}.{other}", self.section))
    }

    fn fault(&self, setting: &str, what: String) -> FilesFault {
        FilesFault { setting: format!("{}.{setting}", self.section), what }
    }
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::rsa::Rsa;
    use openssl::symm::Cipher;
    use openssl::x509::X509Builder;
    use tempfile::TempDir;

    use super::*;

    struct Place(TempDir);

    impl Place {
        fn file(&self, name: &str, bytes: &[u8]) -> Option<PathBuf> {
            let path = self.0.path().join(name);
            fs::write(&path, bytes).unwrap();
            Some(path)
        }
    }

    fn certificate(key: &PKey<Private>) -> Vec<u8> {
        let mut builder = X509Builder::new().unwrap();
        builder.set_pubkey(key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.sign(key, MessageDigest::sha256()).unwrap();
        builder.build().to_pem().unwrap()
    }

    #[test]
    fn every_slip_names_the_setting_and_the_file() {
        let place = Place(tempfile::tempdir().unwrap());
        let rsa = Rsa::generate(2048).unwrap();
        let (key, other) = (PKey::from_rsa(rsa.clone()).unwrap(), PKey::generate_ed25519().unwrap());
        let encrypted = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"p").unwrap();
        let files =
            |ca_file, certificate_file, key_file| Files { section: "x", ca_file, certificate_file, key_file };
        let pem = place.file("cert.pem", &certificate(&key));
        // of both forms in which keys are written
        for (name, bytes) in
            [("8.pem", key.private_key_to_pem_pkcs8().unwrap()), ("1.pem", rsa.private_key_to_pem().unwrap())]
        {
            let read = files(pem.clone(), pem.clone(), place.file(name, &bytes)).read().unwrap();
            assert_eq!((read.authorities.unwrap().len(), read.identity.unwrap().chain.len()), (1, 1));
        }
        let key = place.file("other.pem", &other.private_key_to_pem_pkcs8().unwrap());
        for (files, words) in [
            (
                files(place.0.path().join("none.pem").into(), None, None),
                ["x.tls_ca_file", "none.pem", "No such file"],
            ),
            (
                files(place.file("empty.pem", b""), None, None),
                ["x.tls_ca_file", "empty.pem", "no certificate"],
            ),
            (files(key.clone(), None, None), ["x.tls_ca_file", "other.pem", "no certificate"]),
            (files(None, pem.clone(), None), ["x.tls_certificate_file", "without", "x.tls_key_file"]),
            (files(None, None, key.clone()), ["x.tls_key_file", "without", "x.tls_certificate_file"]),
            (files(None, pem.clone(), key), ["x.tls_key_file", "not the key", "cert.pem"]),
            (
                files(None, pem.clone(), pem.clone()),
                ["x.tls_key_file", "cert.pem", "no PEM file as expected"],
            ),
            (files(None, pem, place.file("enc.pem", &encrypted)), ["x.tls_key_file", "enc.pem", "encrypted"]),
        ] {
            let said = files.read().unwrap_err().to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
        }
    }
}
