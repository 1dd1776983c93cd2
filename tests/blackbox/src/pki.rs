//! An authority of a test, and the certificates that it signs.

use std::fs;
use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

/// Somebody who signs certificates, and the files of what was signed.
pub struct Authority {
    dir: PathBuf,
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    /// A new one, whose certificate is `NAME.pem` in `dir`.
    pub fn new(dir: &Path, name: &str) -> Self {
        let (certificate, key) = root(name).expect("an authority");
        let authority = Self { dir: dir.to_path_buf(), certificate, key };
        authority.write(name, &authority.certificate.to_pem().expect("PEM"));
        authority
    }

    /// The certificate of a client or of a server with these host names: `NAME.pem` with the certificate, `NAME.key` with
    /// the key, and `NAME.both` with both, as servers take it.
    pub fn issue(&self, name: &str, hosts: &[&str]) {
        let (certificate, key) = self.signed(name, hosts).expect("a certificate");
        let certificate = certificate.to_pem().expect("PEM");
        let key = key.private_key_to_pem_pkcs8().expect("PEM");
        self.write(name, &certificate);
        fs::write(self.dir.join(format!("{name}.key")), &key).expect("a file");
        fs::write(self.dir.join(format!("{name}.both")), [key, certificate].concat()).expect("a file");
    }

    fn write(&self, name: &str, pem: &[u8]) {
        fs::write(self.dir.join(format!("{name}.pem")), pem).expect("a file");
    }

    fn signed(&self, name: &str, hosts: &[&str]) -> Result<(X509, PKey<Private>), ErrorStack> {
        let key = key()?;
        let mut builder = begun(name, &key, self.certificate.subject_name())?;
        builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build()?)?;
        if !hosts.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for host in hosts {
                names.dns(host);
            }
            let names = names.build(&builder.x509v3_context(Some(&self.certificate), None))?;
            builder.append_extension(names)?;
        }
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok((builder.build(), key))
    }
}

fn root(name: &str) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = key()?;
    let own = common(name)?;
    let mut builder = begun(name, &key, &own)?;
    builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

fn begun(
    name: &str,
    key: &PKey<Private>,
    issuer: &openssl::x509::X509NameRef,
) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(120, openssl::bn::MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&*common(name)?)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(1)?)?;
    Ok(builder)
}

fn common(name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509NameBuilder::new()?;
    builder.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(builder.build())
}

fn key() -> Result<PKey<Private>, ErrorStack> {
    PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)
}
