//! What must not be shown, told by rules, and what may not come from a file in the current folder.
//!
//! Of our own settings the names tell which are secrets; of the properties of librdkafka the crate that knows it.

use std::borrow::Cow;

use figment::value::{Dict, Value};
use millrace_kafka::properties::{is_code, is_secret as is_secret_property};
use percent_encoding::percent_decode_str;

use super::layers::{FILE, OPEN_SECTION, variable};
use crate::error::CliError;

/// Stands for what is not shown.
pub const MASK: &str = "********";
/// Parts of words that speak of a secret.
const SECRET_PARTS: [&str; 6] = ["password", "passphrase", "passwd", "secret", "token", "credential"];
/// Whether the value of this key must not be shown.
#[must_use]
pub fn is_secret<S: AsRef<str>>(path: &[S]) -> bool {
    match path {
        [section, name @ ..] if section.as_ref() == OPEN_SECTION => {
            // TOML makes sections of dots outside quotes
            is_secret_property(&name.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("."))
        }
        [.., name] => {
            let name = name.as_ref().to_lowercase();
            !name.ends_with("_file") && SECRET_PARTS.iter().any(|part| name.contains(part))
        }
        [] => false,
    }
}

/// Refuses what loads code in the file that is read because it lies in the current folder: whoever can put a file there
/// must not run programs as whoever works there.
///
/// # Errors
/// The property, the file, and the ways that are left.
pub fn refuse_code(file: &Dict, path: &str) -> Result<(), CliError> {
    let Some(Value::Dict(_, properties)) = file.get(OPEN_SECTION) else { return Ok(()) };
    let names = super::layers::leaves(properties).into_iter().map(|path| path.join("."));
    match names.into_iter().find(|name| is_code(name)) {
        Some(name) => Err(CliError::usage(format!(
            "{path}: {OPEN_SECTION}.{name} has the client load code or run a program, and is not taken from a file that is \
             read only because it is in the current folder"
        ))
        .hint(format!(
            "If you mean it, name the file with --config {FILE}, or set {} or --set-kafka {name}=….",
            variable(&format!("{OPEN_SECTION}.{name}"))
        ))),
        None => Ok(()),
    }
}

/// The value of a key as it may be shown.
#[must_use]
pub fn shown<S: AsRef<str>>(path: &[S], value: &str) -> String {
    if is_secret(path) && !value.is_empty() {
        return MASK.to_owned();
    }
    match value.contains("://") {
        true => without_passwords(value).into_owned(),
        // an address whose protocol was forgotten
        false => without_passwords(&format!("://{value}"))["://".len()..].to_owned(),
    }
}

/// `text` without what URLs in it hold before `@`, but for the name of a user.
#[must_use]
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains("://") || !text.contains('@') {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        safe.push_str(before);
        // A password that should have been encoded may hold what ends an authority, so the last @ of the word counts.
        let word = &url[..url
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '`' | '<' | '>'))
            .unwrap_or(url.len())];
        let word = &word[..word.find("://").unwrap_or(word.len())];
        let end = word.rfind('@').unwrap_or(0);
        if let Some((user, _)) = word[..end].split_once(':') {
            safe.push_str(user);
            safe.push(':');
            safe.push_str(MASK);
        } else {
            safe.push_str(&word[..end]);
        }
        rest = &url[end..];
    }
    safe.push_str(rest);
    Cow::Owned(safe)
}

/// A URL and who logs in there.
#[derive(PartialEq, Eq)]
pub struct Login {
    /// The URL without them.
    pub url: String,
    /// The user.
    pub user: String,
    /// The password, if it is there as well.
    pub password: Option<String>,
}

/// Takes user and password out of a URL; `None` when it has none.
///
/// # Errors
/// What stands before `@` cannot be told from the rest.
pub fn login(url: &str) -> Result<Option<Login>, &'static str> {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |at| begin + at);
    if url[end..].contains('@') {
        return Err("a user or password with / ? # or @ in it must be percent-encoded: %2F %3F %23 %40");
    }
    let Some(at) = url[begin..end].rfind('@').map(|at| begin + at) else { return Ok(None) };
    let decoded = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded
            .map(Cow::into_owned)
            .map_err(|_| "user and password must be UTF-8 when they are percent-decoded")
    };
    let (user, password) = match url[begin..at].split_once(':') {
        Some((user, password)) => (user, Some(decoded(password)?)),
        None => (&url[begin..at], None),
    };
    let url = format!("{}{}", &url[..begin], &url[at + 1..]);
    Ok(Some(Login { url, user: decoded(user)?, password }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_url_shows_a_password_whatever_is_in_it() {
        for (text, shown) in [
            ("https://u:hunter2@h:8081/x", "https://u:********@h:8081/x"),
            ("https://u@h", "https://u@h"),
            ("https://:hunter2@h", "https://:********@h"),
            (
                "at http://u:hun/t@er2@h and http://v:hunter2@k.",
                "at http://u:********@h and http://v:********@k.",
            ),
            ("SASL_SSL://a:1,SASL_SSL://u:hunter2@b:1", "SASL_SSL://a:1,SASL_SSL://u:********@b:1"),
            ("no://url here, but a@b", "no://url here, but a@b"),
            ("http://h/?a=b", "http://h/?a=b"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
    }

    #[test]
    fn a_setting_shows_no_password_without_a_protocol_either() {
        for (value, is_shown) in [
            ("ann:hunter2@h:8081", "ann:********@h:8081"),
            ("http://ann:hunter2@h", "http://ann:********@h"),
            ("localhost:9092", "localhost:9092"),
            ("", ""),
        ] {
            assert_eq!(shown(&["registry"], value), is_shown);
        }
    }

    #[test]
    fn a_login_is_taken_out_of_a_url_and_decoded() {
        let of = |url: &str| login(url).unwrap().map(|it| (it.url, it.user, it.password));
        assert_eq!(of("http://h:1/p"), None);
        let taken = of("https://ann:p%40ss%3A%2F@h:1/p").unwrap();
        assert_eq!(taken, ("https://h:1/p".to_owned(), "ann".to_owned(), Some("p@ss:/".to_owned())));
        assert_eq!(of("https://ann@h").unwrap(), ("https://h".to_owned(), "ann".to_owned(), None));
        assert_eq!(of("https://ann:a@b@h").unwrap().2, Some("a@b".to_owned()));
        assert!(login("https://ann:a/b@h").is_err());
        assert!(login("https://ann:%ff@h").is_err());
    }

    #[test]
    fn settings_of_our_own_tell_by_their_names() {
        for (path, secret) in [
            (vec!["security", "registry_password"], true),
            (vec!["security", "registry_password_file"], false),
            (vec!["security", "cql_user"], false),
            (vec!["some", "api_token"], true),
            (vec!["kafka"], false),
            (vec!["kafka_client", "sasl.password"], true),
            (vec!["kafka_client", "sasl", "password"], true),
            (vec!["kafka_client", "security.protocol"], false),
        ] {
            assert_eq!(is_secret(&path), secret, "{path:?}");
        }
    }
}
