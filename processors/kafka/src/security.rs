//! What a client's complaint means when it is about TLS or a password, and which setting is about it.

use millrace_tls::Settings;

/// What the properties are called.
const SETTINGS: Settings = Settings {
    ca: "ssl.ca.location in [kafka_client]",
    certificate: "ssl.certificate.location and ssl.key.location in [kafka_client]",
    names: "the setting kafka, and what the brokers advertise",
};

/// What a complaint of librdkafka means, if it is about who is at the other end.
pub(crate) fn explain(complaint: &str) -> Option<String> {
    let text = complaint.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["sasl authentication error", "sasl authentication failed", "authentication failed during"]) {
        let what = "the broker does not accept the user and password: see sasl.username and sasl.mechanism in [kafka_client], \
                    and security.kafka_password_file";
        return Some(what.to_owned());
    }
    if has(&["incorrect security.protocol", "might require sasl", "security.protocol is correctly"]) {
        return Some(
            "the broker speaks something else there: see security.protocol in [kafka_client]".to_owned(),
        );
    }
    if has(&["brokers are down"]) {
        // when that is all there is, somebody has taken connections and closed them
        let what = "no broker keeps a connection: if they run, see security.protocol in [kafka_client]";
        return Some(what.to_owned());
    }
    if has(&["broker certificate could not be verified"]) {
        // librdkafka does not tell the two apart
        let what = "the broker's certificate is not from an authority that is trusted (see ssl.ca.location in \
                    [kafka_client]), or not for that host (see the setting kafka, and what the broker advertises)";
        return Some(what.to_owned());
    }
    millrace_tls::explain(complaint, &SETTINGS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_lead_to_settings() {
        for (complaint, words) in [
            (
                "sasl_ssl://h:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: \
                 broker certificate could not be verified, verify that ssl.ca.location is correctly configured",
                "see ssl.ca.location in [kafka_client]), or not for that host",
            ),
            (
                "sasl_ssl://h:1/bootstrap: Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert \
                 number 42 (after 8ms in state APIVERSION_QUERY)",
                "see ssl.certificate.location and ssl.key.location in [kafka_client]",
            ),
            (
                "sasl_ssl://h:1/bootstrap: SASL authentication error: Authentication failed during authentication due to \
                 invalid credentials with SASL mechanism SCRAM-SHA-512 (after 539ms in state AUTH_REQ)",
                "see sasl.username and sasl.mechanism in [kafka_client], and security.kafka_password_file",
            ),
            ("1/1 brokers are down", "see security.protocol in [kafka_client]"),
        ] {
            let meaning = explain(complaint).unwrap_or_default();
            assert!(meaning.contains(words), "{complaint}: {meaning}");
        }
        assert_eq!(explain("h:1/1: Connect to ipv4#127.0.0.1:1 failed: Connection refused"), None);
    }
}
