//! Which properties of librdkafka are secrets, and which have it load code.
//!
//! They are somebody else's and grow with it, so the rule errs on the side of hiding: a word that speaks of a secret hides a
//! value, and so does all of `sasl.…`, `ssl.…` and `https.…` that does not end in a word for something harmless. What
//! librdkafka itself marks as sensitive is in `properties/librdkafka.txt`, and a test holds the rule against it.

use std::collections::BTreeMap;
use std::fmt;

/// Stands for what is not shown.
const MASK: &str = "********";
/// Parts of words that speak of a secret.
const SECRET_PARTS: [&str; 6] = ["password", "passphrase", "passwd", "secret", "token", "credential"];
/// Words that do.
const SECRET_WORDS: [&str; 10] =
    ["key", "pem", "jaas", "config", "pass", "pwd", "pin", "username", "extensions", "assertion"];
/// Families of properties of which only what ends harmlessly is shown.
const GUARDED: [&str; 3] = ["sasl", "ssl", "https"];
/// Last words of properties that say nothing secret.
const HARMLESS: [&str; 16] = [
    "algorithm",
    "file",
    "id",
    "keytab",
    "list",
    "location",
    "mechanism",
    "mechanisms",
    "method",
    "name",
    "principal",
    "providers",
    "stores",
    "suites",
    "type",
    "url",
];
/// Words of properties that make the client load code or run a program.
const CODE: [&str; 11] = [
    "plugin",
    "plugins",
    "library",
    "libraries",
    "engine",
    "provider",
    "providers",
    "module",
    "modules",
    "cmd",
    "command",
];

/// Whether the value of this property of librdkafka must not be shown.
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let words = words(name);
    let has = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let last = words.last().map_or("", String::as_str);
    // what such an address holds beside the name of a server is hidden as in every URL
    if last == "url" {
        return false;
    }
    SECRET_PARTS.iter().any(|part| name.to_lowercase().contains(part))
        || has(&SECRET_WORDS)
        || (words.first().is_some_and(|first| GUARDED.contains(&first.as_str())) && !HARMLESS.contains(&last))
}

/// Whether this property makes the client load code or run a program.
#[must_use]
pub fn is_code(name: &str) -> bool {
    words(name).iter().any(|word| CODE.contains(&word.as_str()))
}

fn words(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What librdkafka says of the value of a property, without the value if that is a secret.
pub(crate) fn complaint(name: &str, value: &str, what: &str) -> String {
    match is_secret(name) {
        true if value.is_empty() => format!("{name}: {what}"),
        true => format!("{name}: {}", what.replace(value, MASK)),
        false => format!("{name}={value}: {what}"),
    }
}

/// Properties for whoever prints them to find a fault.
pub(crate) struct Shown<'a>(pub(crate) &'a BTreeMap<String, String>);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| (name, if is_secret(name) { MASK } else { value });
        f.debug_map().entries(self.0.iter().map(|(name, value)| shown((name, value.as_str())))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its properties, and whether it hides their values itself.
    fn librdkafka() -> impl Iterator<Item = (&'static str, bool)> {
        let list = include_str!("properties/librdkafka.txt");
        list.lines().filter(|line| !line.starts_with('#')).map(|line| match line.split_once(' ') {
            Some((name, _)) => (name, true),
            None => (line, false),
        })
    }

    #[test]
    fn the_rule_hides_all_that_librdkafka_hides_and_what_may_be_as_secret() {
        for (name, _) in librdkafka().filter(|(_, sensitive)| *sensitive) {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "sasl.oauthbearer.client.credentials.client.secret",
            "sasl.oauthbearer.extensions",
            "sasl.jaas.config",
            "sasl.kerberos.kinit.cmd",
            "ssl.certificate.pem",
            // slips, and what a later version or a plugin may have
            "sasl.pasword",
            "SASL.PASSWORD",
            "ssl.keystore.pass",
            "sasl.aws.session",
            "some.plugin.apiToken",
        ] {
            assert!(is_secret(name), "{name}");
        }
    }

    #[test]
    fn what_an_operator_looks_for_is_shown() {
        let guarded = |name: &str| GUARDED.contains(&words(name)[0].as_str());
        let shown: Vec<&str> =
            librdkafka().map(|it| it.0).filter(|name| guarded(name) && !is_secret(name)).collect();
        assert_eq!(
            shown,
            [
                "https.ca.location",
                "sasl.kerberos.keytab",
                "sasl.kerberos.principal",
                "sasl.kerberos.service.name",
                "sasl.mechanism",
                "sasl.mechanisms",
                "sasl.oauthbearer.client.id",
                "sasl.oauthbearer.grant.type",
                "sasl.oauthbearer.metadata.authentication.type",
                "sasl.oauthbearer.method",
                "sasl.oauthbearer.token.endpoint.url",
                "ssl.ca.certificate.stores",
                "ssl.ca.location",
                "ssl.certificate.location",
                "ssl.cipher.suites",
                "ssl.crl.location",
                "ssl.curves.list",
                "ssl.endpoint.identification.algorithm",
                "ssl.engine.id",
                "ssl.engine.location",
                "ssl.keystore.location",
                "ssl.providers",
                "ssl.sigalgs.list",
                "ssl.truststore.location",
            ]
        );
        let others = librdkafka().map(|it| it.0).filter(|name| !guarded(name));
        let hidden: Vec<&str> = others.filter(|name| is_secret(name)).collect();
        // a function, which no text can set
        assert_eq!(hidden, ["oauthbearer_token_refresh_cb"]);
    }

    #[test]
    fn what_loads_code_is_told_by_its_words() {
        let code: Vec<&str> = librdkafka().map(|it| it.0).filter(|name| is_code(name)).collect();
        assert_eq!(
            code,
            [
                "plugin.library.paths",
                "sasl.kerberos.kinit.cmd",
                "ssl.engine.id",
                "ssl.engine.location",
                "ssl.providers",
                "ssl_engine_callback_data",
            ]
        );
    }

    /// The list is of the version that is built; a later one has more.
    #[test]
    fn the_list_is_of_the_librdkafka_that_is_linked() {
        let of = include_str!("properties/librdkafka.txt").lines().next().unwrap_or_default();
        let (_, linked) = rdkafka::util::get_rdkafka_version();
        assert!(
            of.contains(&format!("librdkafka {linked},")),
            "renew the list: {of:?}, but {linked} is linked"
        );
    }

    #[test]
    fn a_refused_value_is_repeated_only_when_it_is_no_secret() {
        assert_eq!(
            complaint("sasl.password", "hunter2", "bad \"hunter2\""),
            "sasl.password: bad \"********\""
        );
        assert_eq!(complaint("linger.ms", "x", "no number"), "linger.ms=x: no number");
    }
}
