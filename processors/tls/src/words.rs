//! What a failed handshake means, and which setting is about it.

/// What the settings of a client are called.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The authorities.
    pub ca: &'static str,
    /// The certificate of the client.
    pub certificate: &'static str,
    /// What says for which names the server's certificate must be.
    pub names: &'static str,
}

/// What an error of a library that stands on OpenSSL means, if it is about TLS and is known.
#[must_use]
pub fn explain(error: &str, settings: &Settings) -> Option<String> {
    let Settings { ca, certificate, names } = settings;
    let text = error.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // Alerts are what the server says of the client. Servers differ in which one they send to a client without a
    // certificate.
    let alerts = [
        "alert certificate required",
        "alert handshake failure",
        "alert bad certificate",
        "alert unknown ca",
        "alert certificate unknown",
        "alert certificate expired",
        "alert certificate revoked",
        "alert unsupported certificate",
        "alert access denied",
    ];
    if has(&alerts) {
        return Some(format!(
            "the server asks for a certificate of this client, or does not accept the one it has: see {certificate}"
        ));
    }
    if has(&["hostname mismatch", "ip address mismatch"]) {
        return Some(format!("the server's certificate is for other names: see {names}"));
    }
    if has(&["certificate has expired", "certificate is not yet valid"]) {
        return Some("the server's certificate is not valid at this time".to_owned());
    }
    if has(&["certificate verify failed", "certificate could not be verified", "unable to get local issuer"])
        || has(&["self-signed certificate", "self signed certificate"])
    {
        return Some(format!("the server's certificate is not from an authority that is trusted: see {ca}"));
    }
    if has(&["wrong version number", "http request", "packet length too long", "record layer failure"]) {
        return Some("the server does not speak TLS at this port".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_lead_to_settings() {
        let settings = Settings { ca: "the ca", certificate: "the certificate", names: "the names" };
        for (error, words) in [
            (
                "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify failed:../ssl/statem/statem_clnt.c:1890: (self-signed certificate in certificate chain)",
                "see the ca",
            ),
            (
                "error:0A000086:SSL routines::certificate verify failed: (IP address mismatch)",
                "see the names",
            ),
            ("certificate verify failed: (hostname mismatch)", "see the names"),
            ("certificate verify failed: (certificate has expired)", "not valid at this time"),
            (
                "error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required:../ssl/record",
                "see the certificate",
            ),
            ("ssl3_read_bytes:sslv3 alert handshake failure", "see the certificate"),
            ("ssl3_read_bytes:tlsv1 alert unknown ca", "see the certificate"),
            ("error:0A00010B:SSL routines:ssl3_get_record:wrong version number", "does not speak TLS"),
        ] {
            let said = explain(error, &settings).unwrap_or_default();
            assert!(said.contains(words), "{error}: {said}");
        }
        assert_eq!(explain("Connection refused", &settings), None);
    }
}
