//! Encrypted connections: for whom a node's certificate must be, and what is said when it is not.
//!
//! The driver finds nodes by their addresses and has the certificate compared with the address that it connects to. Many
//! certificates are for host names alone, which no address tells. So a certificate that is not for the address may
//! instead be for a host name that an operator has written down: among the contact points, or in a setting. A name that
//! only the cluster or a name server tells would prove nothing.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use millrace_tls::Settings;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Ref, X509StoreContext, X509StoreContextRef, X509VerifyResult};
use scylla::client::session::OpenSsl010Config;

use crate::config::{ScyllaConfig, Tls};

/// What the settings of this client are called.
const SETTINGS: Settings = Settings {
    ca: "cql_client.tls_ca_file",
    certificate: "cql_client.tls_certificate_file",
    names: "cql_client.tls_names",
};
// OpenSSL's numbers for a certificate that is for somebody else, which its bindings do not name
const HOSTNAME_MISMATCH: i32 = 62;
const IP_ADDRESS_MISMATCH: i32 = 64;
/// How many names of a certificate a message holds.
const MOST_NAMES: usize = 8;

/// Why the last certificate was refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Complaint(Arc<Mutex<Option<String>>>);

impl Complaint {
    fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes it. The driver goes on with other nodes and tells nobody why it leaves one out, so it is logged as well, but
    /// not at every try.
    fn note(&self, what: String) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() != Some(&what) {
            tracing::warn!("a CQL node is not connected to: {what}");
            *last = Some(what);
        }
    }
}

/// What connections of the driver are encrypted with.
pub(crate) fn context(tls: &Tls, hosts: &[String], complaint: Complaint) -> Result<OpenSsl010Config, String> {
    let material = tls.files.read().map_err(|fault| fault.to_string())?;
    let unusable = |error: ErrorStack| format!("TLS cannot be used: {error}");
    // one that has the safe defaults: it verifies, and knows the system's authorities
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(unusable)?;
    if let Some(authorities) = material.authorities {
        builder.set_cert_store(store(authorities).map_err(unusable)?);
    }
    if let Some(identity) = material.identity {
        let mut chain = identity.chain.into_iter();
        if let Some(own) = chain.next() {
            builder.set_certificate(&own).map_err(unusable)?;
        }
        chain.try_for_each(|above| builder.add_extra_chain_cert(above)).map_err(unusable)?;
        builder.set_private_key(&identity.key).map_err(unusable)?;
    }
    let names = names(hosts, &tls.names);
    builder.set_verify_callback(SslVerifyMode::PEER, move |is_good, at| {
        is_good || may_be_for(&names, at) || {
            complaint.note(complain(at));
            false
        }
    });
    Ok(OpenSsl010Config::new(builder))
}

/// What a failed connection means, with what the driver says.
pub(crate) fn explained(config: &ScyllaConfig, complaint: &Complaint, reason: String) -> String {
    if let Some(complaint) = complaint.last() {
        return complaint;
    }
    let text = reason.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let meaning = if has(&["missingauthentication", "requires authentication", "authentication is required"])
    {
        "it asks for a user and password: set security.cql_user and security.cql_password_file".to_owned()
    } else if has(&[
        "bad credentials",
        "and/or password are incorrect",
        "authentication failed",
        "authenticationerror",
    ]) {
        "it does not accept the user and password: see security.cql_user and security.cql_password_file"
            .to_owned()
    } else if let Some(meaning) = config.tls.as_ref().and_then(|_| millrace_tls::explain(&reason, &SETTINGS))
    {
        meaning
    } else {
        let tls = match config.tls {
            // a server that asks for one in vain may hang up before its alert has arrived
            Some(_) => {
                "that it speaks TLS there, and whether it asks for a certificate of the client \
                 (cql_client.tls_certificate_file)"
            }
            None => "whether it asks for TLS (cql_client.tls)",
        };
        return format!(
            "{reason}; check that it runs, that host and port are those of its native transport, and {tls}"
        );
    };
    format!("{meaning} ({reason})")
}

/// The host names among the contact points, and what was given beside them.
fn names(hosts: &[String], given: &[String]) -> Vec<String> {
    let host = |address: &String| {
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
        host.trim_matches(['[', ']']).to_owned()
    };
    // a contact point's address is compared by the driver, and only with the node that is there
    let contact = hosts.iter().map(host).filter(|host| host.parse::<IpAddr>().is_err());
    contact.chain(given.iter().cloned()).collect()
}

/// Whether a certificate whose one fault is that it is not for the address is for one of `names`.
fn may_be_for(names: &[String], at: &mut X509StoreContextRef) -> bool {
    let is_mismatch = matches!(at.error().as_raw(), HOSTNAME_MISMATCH | IP_ADDRESS_MISMATCH);
    if !is_mismatch || at.error_depth() != 0 {
        return false;
    }
    let Some(certificate) = at.current_cert().map(ToOwned::to_owned) else { return false };
    let is_for = names.iter().any(|name| is_for(&certificate, name).unwrap_or(false));
    if is_for {
        at.set_error(X509VerifyResult::OK);
    }
    is_for
}

/// Whether a certificate is for this name or address, by OpenSSL's own rules. That it can be trusted is shown elsewhere;
/// here it stands for its own authority.
fn is_for(certificate: &X509, name: &str) -> Result<bool, ErrorStack> {
    let mut param = X509VerifyParam::new()?;
    param.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME)?;
    match name.parse::<IpAddr>() {
        Ok(address) => param.set_ip(address)?,
        Err(_) => param.set_host(name)?,
    }
    let mut trusted = X509StoreBuilder::new()?;
    trusted.add_cert(certificate.clone())?;
    trusted.set_param(&param)?;
    X509StoreContext::new()?.init(&trusted.build(), certificate, &*Stack::new()?, |it| it.verify_cert())
}

fn store(authorities: Vec<X509>) -> Result<X509Store, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    authorities.into_iter().try_for_each(|it| store.add_cert(it))?;
    Ok(store.build())
}

/// What is wrong with the certificate that is being looked at.
fn complain(at: &X509StoreContextRef) -> String {
    let error = at.error();
    match (error.as_raw(), at.current_cert()) {
        (HOSTNAME_MISMATCH | IP_ADDRESS_MISMATCH, Some(certificate)) => format!(
            "its certificate is for {}, which is neither the address that is connected to nor a host in cql; if it is to be \
             trusted, add its name to cql_client.tls_names",
            of(certificate)
        ),
        // after a certificate that is not valid now, say so; for the others, the authorities decide
        _ => {
            let reason = error.error_string();
            let meaning = millrace_tls::explain(&format!("certificate verify failed: {reason}"), &SETTINGS);
            format!("{} ({reason})", meaning.unwrap_or_default())
        }
    }
}

/// For whom a certificate is.
fn of(certificate: &X509Ref) -> String {
    let mut names = Vec::new();
    for name in certificate.subject_alt_names().iter().flatten() {
        let address = name.ipaddress().and_then(address).map(|it| it.to_string());
        names.extend(name.dnsname().map(str::to_owned).or(address));
    }
    if names.is_empty() {
        let common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
        names.extend(common.filter_map(|entry| entry.data().to_string().ok()));
    }
    names.truncate(MOST_NAMES);
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::x509::extension::SubjectAlternativeName;
    use openssl::x509::{X509Builder, X509NameBuilder};

    use super::*;

    fn certificate(common: &str, dns: &[&str], ip: &[&str]) -> X509 {
        let key = PKey::generate_ed25519().unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", common).unwrap();
        let name = name.build();
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(&key).unwrap();
        // that it is out of date is somebody else's to say
        builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(1).unwrap()).unwrap();
        if !dns.is_empty() || !ip.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for name in dns {
                names.dns(name);
            }
            for address in ip {
                names.ip(address);
            }
            let names = names.build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        builder.sign(&key, MessageDigest::null()).unwrap();
        builder.build()
    }

    #[test]
    fn a_certificate_is_for_the_names_in_it_and_no_others() {
        let node = certificate("x.org", &["n1.db.org", "*.eu.db.org"], &["10.0.0.1", "::1"]);
        for (name, is_its) in [
            ("n1.db.org", true),
            ("N1.DB.ORG", true),
            ("a.eu.db.org", true),
            ("a.b.eu.db.org", false),
            ("eu.db.org", false),
            (".db.org", true),
            (".other.org", false),
            ("n2.db.org", false),
            ("db.org", false),
            // its subject does not count beside names
            ("x.org", false),
            ("10.0.0.1", true),
            ("::1", true),
            ("10.0.0.2", false),
        ] {
            assert_eq!(is_for(&node, name).unwrap(), is_its, "{name}");
        }
        assert!(is_for(&certificate("node7", &[], &[]), "node7").unwrap());
        assert_eq!(of(&node), "n1.db.org, *.eu.db.org, 10.0.0.1, ::1");
        assert_eq!(of(&certificate("node7", &[], &[])), "node7");
    }

    #[test]
    fn names_are_hosts_without_addresses_and_what_is_given() {
        let texts = |all: &[&str]| all.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        let hosts = texts(&["n1.db.org:9042", "10.0.0.1:9042", "[::1]:9042"]);
        assert_eq!(names(&hosts, &texts(&[".db.org"])), ["n1.db.org", ".db.org"]);
    }
}
