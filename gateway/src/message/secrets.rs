//! Secrets of a message: sealed where it is checked, or sealed already.

use std::collections::BTreeMap;

use millrace_kernel::Sealed;
use millrace_kernel::sealed::{FINGERPRINT_LENGTH, OVERHEAD_BYTES, is_fingerprint};
use serde_json::{Map, Value, json};
use zeroize::Zeroize as _;

use super::types::{Field, FieldType};
use crate::seal::{PublicKey, SecretText};

/// The setting that names the file with the public key.
pub const SETTING: &str = "seal.public_key_file";
/// The member of a secret that is to be sealed.
pub const PLAINTEXT: &str = "plaintext";

/// Where secrets that are not sealed yet are sealed.
#[derive(Clone, Copy, Debug)]
pub enum Sealing<'a> {
    /// Here, for this key. The command has this id.
    Here {
        /// The newest public key.
        key: &'a PublicKey,
        /// The command's id.
        command_id: &'a str,
    },
    /// Nowhere: nobody has said for which key.
    Nowhere,
    /// By the gateway that the message is sent to.
    ByGateway,
}

impl<'a> Sealing<'a> {
    /// Here, if there is a key.
    #[must_use]
    pub fn with(key: Option<&'a PublicKey>, command_id: &'a str) -> Self {
        key.map_or(Self::Nowhere, |key| Self::Here { key, command_id })
    }
}

/// What a field comes to that is a secret or its fingerprint.
pub(super) enum Found {
    /// This is sent.
    Sent(Value),
    /// Nothing is sent.
    Left,
    /// It is refused, and not repeated: it may be the secret.
    Refused(String),
}

/// Takes the secrets of these fields and their fingerprints out of what is given. What is missing altogether is left to others.
pub(super) fn take(
    fields: &[Field],
    given: &mut Map<String, Value>,
    sealing: Sealing<'_>,
) -> BTreeMap<String, Found> {
    let mut all = BTreeMap::new();
    for field in fields {
        let FieldType::Sealed { fingerprint } = &field.kind else { continue };
        let mark = given.remove(fingerprint);
        let (found, of_mark) = match given.remove(&field.name) {
            Some(Value::Object(members)) => to_be_sealed(members, mark, fingerprint, sealing),
            Some(Value::String(text)) => (Some(sealed_already(text)), Some(of_box(mark))),
            Some(_) => (Some(Found::Refused(expected())), Some(Found::Left)),
            // that it is missing is said of the secret alone
            None => (None, Some(mark.map_or(Found::Left, |mark| of_box(Some(mark))))),
        };
        all.extend(found.map(|found| (field.name.clone(), found)));
        all.extend(of_mark.map(|found| (fingerprint.clone(), found)));
    }
    all
}

type Both = (Option<Found>, Option<Found>);

fn to_be_sealed(
    mut members: Map<String, Value>,
    mark: Option<Value>,
    fingerprint: &str,
    sealing: Sealing<'_>,
) -> Both {
    let refused = |why: String| (Some(Found::Refused(why)), Some(Found::Left));
    let text = match (members.remove(PLAINTEXT), members.is_empty()) {
        (Some(Value::String(text)), true) => text,
        (other, _) => {
            other.into_iter().chain(members.into_iter().map(|(_, value)| value)).for_each(wipe);
            return refused(expected());
        }
    };
    let secret = match SecretText::new(text) {
        Ok(secret) => secret,
        Err(why) => return refused(why.to_string()),
    };
    if mark.is_some() {
        let why = format!("{fingerprint} is made where the secret is sealed; leave it out");
        return (Some(Found::Left), Some(Found::Refused(why)));
    }
    match sealing {
        Sealing::Here { key, command_id } => {
            let boxed = key.seal(command_id, &secret);
            let sealed = Value::from(boxed.sealed.to_string());
            (Some(Found::Sent(sealed)), Some(Found::Sent(boxed.fingerprint.into())))
        }
        Sealing::Nowhere => refused(format!(
            "it cannot be sealed here, as nobody has said for which key; {SETTING} names the file with the public key, which \
             `millrace seal-key` makes. Nothing was sent"
        )),
        Sealing::ByGateway => (Some(Found::Sent(json!({PLAINTEXT: secret.into_text()}))), Some(Found::Left)),
    }
}

fn sealed_already(text: String) -> Found {
    match Sealed::parse(&text).filter(Sealed::may_be_a_box) {
        Some(sealed) => Found::Sent(sealed.to_string().into()),
        None => {
            wipe(Value::String(text));
            Found::Refused(format!(
                "it is no sealed box in base64, which is {OVERHEAD_BYTES} bytes longer than the secret; write {{\"{PLAINTEXT}\": \
                 …}} to have the secret sealed, or seal it to the key that GET /v1/keys tells"
            ))
        }
    }
}

/// The fingerprint that comes with a box.
fn of_box(mark: Option<Value>) -> Found {
    match mark {
        Some(Value::String(text)) if is_fingerprint(&text) => Found::Sent(text.into()),
        other => {
            let what = if other.is_some() { "it is no fingerprint" } else { "it is missing" };
            other.into_iter().for_each(wipe);
            Found::Refused(format!(
                "{what}; with a sealed box comes HMAC-SHA-256 of the secret, keyed with the 32 bytes of the public key, in \
                 base64url without padding: {FINGERPRINT_LENGTH} characters"
            ))
        }
    }
}

fn expected() -> String {
    format!("expected {}", FieldType::Sealed { fingerprint: String::new() }.describe())
}

/// A text that may be the secret is not left in memory.
fn wipe(value: Value) {
    if let Value::String(mut text) = value {
        text.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use millrace_kernel::SealedRule;

    use super::super::check::{Problem, check_data, data_problems};
    use super::super::from_text;
    use super::super::types::{MessageType, MessageTypes};
    use super::*;
    use crate::seal::{KeyPair, PrivateKeys};

    const TOKEN: &str = "hunter2hunter2hunter2";
    const SCHEMA: &str = r#"{"type":"record","name":"Command","fields":[
      {"name":"data","type":[{"type":"record","name":"Keep","doc":"Keep it.","fields":[
        {"name":"mark","type":"string","doc":"By what it is told."},
        {"name":"token","type":"bytes","doc":"What."},
        {"name":"whose","type":"string","doc":"Whose."},
        {"name":"more","type":{"type":"array","items":{"type":"record","name":"Part","fields":[
          {"name":"token","type":"bytes"},{"name":"mark","type":"string"}]}},"default":[]}]}]}]}"#;
    const RULES: [SealedRule; 2] = [
        SealedRule { command: "Keep", field: "token", fingerprint: "mark" },
        SealedRule { command: "Keep", field: "more.token", fingerprint: "mark" },
    ];

    /// A secret and its fingerprint as they are given, and where they are refused in which words.
    type Row<'a> = (Value, Value, &'a [(&'a str, &'a str)]);

    fn keep() -> MessageType {
        MessageTypes::read("d", SCHEMA).unwrap().sealing(&RULES).types.remove(0)
    }

    fn refusals(data: Value, sealing: Sealing<'_>) -> Vec<(String, String)> {
        let problems = data_problems(&keep(), data, sealing).unwrap_err();
        let said = format!("{problems:?}");
        assert!(!said.contains("hunter2"), "{said}");
        problems.into_iter().map(|it| (it.pointer.unwrap_or_default(), it.message)).collect()
    }

    #[test]
    fn a_secret_is_sealed_wherever_it_stands() {
        let pair = KeyPair::generate();
        let (key, private) = (pair.public(), PrivateKeys::read(&pair.private_file()).unwrap());
        let sealing = Sealing::with(Some(&key), "c1");
        let secret = json!({"plaintext": TOKEN});
        let data = json!({"token": secret, "whose": "ann", "more": [{"token": secret}, {"token": secret}]});
        let checked = check_data(&keep(), data.clone(), sealing).unwrap();
        assert!(!checked.to_string().contains("hunter2"), "{checked}");
        for place in ["", "/more/0", "/more/1"] {
            let at = checked.pointer(place).unwrap();
            let sealed = Sealed::parse(at["token"].as_str().unwrap()).unwrap();
            assert_eq!(*private.open(&sealed).unwrap(), TOKEN.as_bytes());
            assert!(is_fingerprint(at["mark"].as_str().unwrap()));
        }
        assert_eq!(check_data(&keep(), data, sealing).unwrap(), checked, "and once more the same");
        // what was sealed goes as it is
        let again = check_data(&keep(), checked.clone(), Sealing::Nowhere).unwrap();
        assert_eq!(again, checked);
    }

    #[test]
    fn what_another_is_to_seal_is_left_as_it_is() {
        let data = json!({"token": {"plaintext": TOKEN}, "whose": "ann"});
        let checked = check_data(&keep(), data, Sealing::ByGateway).unwrap();
        assert_eq!(checked, json!({"token": {"plaintext": TOKEN}, "whose": "ann", "more": []}));
    }

    #[test]
    fn without_a_key_the_setting_is_named() {
        let data = json!({"token": {"plaintext": TOKEN}, "whose": "ann"});
        let refused = refusals(data, Sealing::Nowhere);
        let [(pointer, message)] = &refused[..] else { panic!("{refused:?}") };
        assert_eq!(pointer, "/data/token");
        assert!(message.starts_with("token: ") && message.contains(SETTING), "{message}");
    }

    #[test]
    fn what_is_neither_is_refused_and_not_repeated() {
        let key = KeyPair::generate().public();
        let sealing = Sealing::with(Some(&key), "c1");
        let boxed = key.seal("c1", &SecretText::new(TOKEN.to_owned()).unwrap());
        let (sealed, mark) = (boxed.sealed.to_string(), boxed.fingerprint);
        let rows: [Row<'_>; 13] = [
            (json!(TOKEN), json!(mark), &[("/data/token", "write {\"plaintext\": …}")]),
            (json!("x".repeat(40)), json!(mark), &[("/data/token", "no sealed box")]),
            (json!(&sealed[..60]), json!(mark), &[("/data/token", "no sealed box")]),
            (json!(7), Value::Null, &[("/data/token", "expected a secret")]),
            (json!([TOKEN]), Value::Null, &[("/data/token", "expected a secret")]),
            (json!({"plain": TOKEN}), Value::Null, &[("/data/token", "expected a secret")]),
            (json!({"plaintext": TOKEN, "x": TOKEN}), Value::Null, &[("/data/token", "expected a secret")]),
            (json!({"plaintext": [TOKEN]}), Value::Null, &[("/data/token", "expected a secret")]),
            (json!({"plaintext": "hunter2"}), Value::Null, &[("/data/token", "16 to 4048 bytes")]),
            (json!({"plaintext": TOKEN}), json!(mark), &[("/data/mark", "leave it out")]),
            (json!(sealed), Value::Null, &[("/data/mark", "it is missing")]),
            (json!(sealed), json!(TOKEN), &[("/data/mark", "it is no fingerprint")]),
            (
                Value::Null,
                json!(TOKEN),
                &[("/data/mark", "it is no fingerprint"), ("/data/token", "is missing")],
            ),
        ];
        for (token, mark, expected) in rows {
            let mut data = Map::from_iter([("whose".to_owned(), json!("ann"))]);
            data.extend([("token", token), ("mark", mark)].map(|(name, it)| (name.to_owned(), it)));
            data.retain(|_, value| !value.is_null());
            let found = refusals(Value::Object(data), sealing);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for ((pointer, message), (place, part)) in found.iter().zip(expected) {
                assert!(
                    pointer == place && message.contains(part),
                    "{pointer}: {message}, not {place}: {part}"
                );
            }
        }
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated_either() {
        let rows = [
            (json!({"whose": {"plaintext": TOKEN}}), "/data/whose"),
            (json!({"whose": [TOKEN]}), "/data/whose"),
            (json!({"more": TOKEN}), "/data/more"),
            (json!({"more": [TOKEN]}), "/data/more/0"),
            (json!({"more": [{"token": TOKEN, "mark": TOKEN}]}), "/data/more/0/token"),
            (json!(TOKEN), "/data"),
        ];
        for (data, place) in rows {
            let found = refusals(data, Sealing::Nowhere);
            assert!(found.iter().any(|(pointer, _)| pointer == place), "{found:?}");
        }
        // nor as the name of a field, unless it is near to one that there is
        let mut named = json!({"token": {"plaintext": TOKEN}, "whose": "ann"});
        named[TOKEN] = json!(1);
        let refused = refusals(named, Sealing::ByGateway);
        assert_eq!(
            refused,
            [("/data".to_owned(), "there is no such field; what it is called may be a secret".to_owned())]
        );
        let near = json!({"tokn": {"plaintext": TOKEN}, "whose": "ann"});
        assert!(refusals(near, Sealing::ByGateway)[0].1.ends_with("no field tokn; did you mean token?"));
    }

    #[test]
    fn a_secret_is_typed_as_json_and_a_box_as_it_is() {
        let kind = &keep().fields[1].kind;
        assert_eq!(from_text(kind, r#"{"plaintext": "x"}"#).unwrap(), json!({"plaintext": "x"}));
        assert_eq!(from_text(kind, "AAAA").unwrap(), json!("AAAA"));
        let error = from_text(kind, &format!("{{\"plaintext\": {TOKEN}}}")).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        let problem: Problem = check_data(&keep(), json!({"whose": "ann"}), Sealing::Nowhere).unwrap_err();
        assert!(problem.help.unwrap().contains("token (a secret"));
    }
}
