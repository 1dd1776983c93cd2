//! What an author says of records and fields beside their types, and whether it can be true.

use serde_json::Value;

use crate::address::Address;
use crate::avro::{Field, FieldMarks, Record, RecordMarks, Type};
use crate::claims;
use crate::envelope::{COMMANDS, Kind, STATE};
use millrace_kernel::id::MAX_ID_LENGTH;
use millrace_kernel::sealed::FINGERPRINT_LENGTH;

/// What a record may say of itself.
pub const ON_RECORDS: [&str; 9] =
    ["type", "name", "namespace", "doc", "fields", "aggregate", "failure", "lookup", "signIn"];
/// What a field may say of itself.
pub const ON_FIELDS: [&str; 11] = [
    "name",
    "type",
    "default",
    "doc",
    "maxLength",
    "id",
    "personal",
    "secret",
    "sealed",
    "claim",
    "withheld",
];

/// Refuses what is misspelt: Avro takes any attribute, and nobody would notice that it does nothing.
pub fn known(json: &Value, known: &[&str], place: &str) -> Result<(), String> {
    let Some(members) = json.as_object() else { return Ok(()) };
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("{place}: nobody knows \"{key}\"; there are {}", known.join(", "))),
        None => Ok(()),
    }
}

/// The annotations of a record.
pub fn of_record(json: &Value) -> RecordMarks {
    let of = |key: &str| json.get(key).cloned();
    RecordMarks {
        aggregate: of("aggregate"),
        failure: of("failure"),
        lookup: of("lookup"),
        sign_in: of("signIn"),
    }
}

/// The annotations of a field of this type.
pub fn of_field(json: &Value, kind: &Type, place: &str) -> Result<FieldMarks, String> {
    let mut marks = FieldMarks::default();
    if let Some(most) = json.get("maxLength") {
        let most = most.as_u64().filter(|most| *most > 0).and_then(|most| usize::try_from(most).ok());
        let most = most.ok_or_else(|| {
            format!("{place}: \"maxLength\" is the most characters of a text, a whole number from 1")
        })?;
        marks.max_length = Some(most);
    }
    marks.is_id = flag(json, "id", place)?;
    marks.is_secret = flag(json, "secret", place)?;
    marks.is_withheld = flag(json, "withheld", place)?;
    if let Some(whose) = json.get("personal") {
        let whose = whose.as_str().ok_or_else(|| {
            format!(
                "{place}: \"personal\" names the field that holds the id of whose it is, such as \"user_id\""
            )
        })?;
        marks.personal = Some(whose.to_owned());
    }
    if let Some(claim) = json.get("claim") {
        marks.claim = Some(claims::of_field(claim, kind).map_err(|message| format!("{place}: {message}"))?);
    }
    if let Some(fingerprint) = json.get("sealed") {
        let fingerprint = fingerprint.as_str().ok_or_else(|| {
            format!(
                "{place}: \"sealed\" names the field that holds the fingerprint of the secret, such as \"fingerprint\""
            )
        })?;
        if *kind != Type::Bytes {
            return Err(format!(
                "{place}: \"sealed\" is for bytes, and this is {}; take it out, or make it of type bytes",
                kind.describe()
            ));
        }
        if json.get("default").is_some() {
            return Err(format!("{place}: a sealed secret has no default; leave \"default\" out"));
        }
        marks.sealed = Some(fingerprint.to_owned());
    }
    for key in ["maxLength", "id", "personal", "secret"] {
        if json.get(key).is_some() && !kind.is_text() {
            return Err(format!(
                "{place}: \"{key}\" is for texts, and this is {}; take it out, or make it a string",
                kind.describe()
            ));
        }
    }
    match marks.max_length {
        Some(most) if marks.is_id && most > MAX_ID_LENGTH => Err(format!(
            "{place}: an id has at most {MAX_ID_LENGTH} characters, not {most}; leave \"maxLength\" out"
        )),
        _ => Ok(marks),
    }
}

fn flag(json: &Value, key: &str, place: &str) -> Result<bool, String> {
    match json.get(key) {
        None => Ok(false),
        Some(Value::Bool(true)) => Ok(true),
        Some(other) => Err(format!("{place}: \"{key}\" is {other}; write true, or leave it out")),
    }
}

/// The limit of a text of `record`, which belongs to `address` if it is a message.
pub fn limit(field: &Field, address: Option<&Address>) -> Option<usize> {
    let is_id = is_id(field, address);
    field.marks.max_length.or(is_id.then_some(MAX_ID_LENGTH))
}

/// Whether a field is an id: it says so, or it is part of the id of its aggregate as it stands.
pub fn is_id(field: &Field, address: Option<&Address>) -> bool {
    field.marks.is_id || address.is_some_and(|address| address.names(&field.name))
}

/// Checks the annotations of messages, and reads where each belongs; of states, which belong to nothing else, `None`.
pub fn check(kind: &Kind, records: &[&Record]) -> Result<Vec<Option<Address>>, String> {
    let mut addresses = Vec::with_capacity(records.len());
    for record in records {
        let place = format!("record {}", record.name);
        on_record(kind, record, &place)?;
        let address = if kind.file == STATE.file { None } else { Some(Address::of(record)?) };
        fields(kind, record, address.as_ref())?;
        addresses.push(address);
    }
    Ok(addresses)
}

fn on_record(kind: &Kind, record: &Record, place: &str) -> Result<(), String> {
    let RecordMarks { aggregate, failure, lookup, sign_in } = &record.marks;
    if record.namespace.is_some() {
        return Err(format!("{place}: the namespace is the folder's and the file's; leave it out"));
    }
    if let Some(failure) = failure {
        if kind.file != COMMANDS.file {
            return Err(format!(
                "{place}: \"failure\" is what the rejection of a command is called; move it to commands.avsc"
            ));
        }
        if !failure.as_str().is_some_and(is_camel_case) {
            return Err(format!(
                "{place}: \"failure\" is {failure}; write a name such as \"OrderShippingFailed\""
            ));
        }
    }
    if sign_in.is_some() && kind.file != COMMANDS.file {
        return Err(format!("{place}: \"signIn\" is of commands; move it to commands.avsc"));
    }
    claims::on_record(record, sign_in.as_ref()).map_err(|message| format!("{place}: {message}"))?;
    if let Some(lookup) = lookup {
        if kind.file != STATE.file {
            return Err(format!(
                "{place}: \"lookup\" is for kinds of aggregates that others look up; move it to the record in state.avsc"
            ));
        }
        if *lookup != Value::Bool(true) {
            return Err(format!("{place}: \"lookup\" is {lookup}; write true, or leave it out"));
        }
    }
    if kind.file == STATE.file && aggregate.as_ref().is_some_and(|words| !words.is_string()) {
        return Err(format!("{place}: \"aggregate\" of a state says in words how its ids are made"));
    }
    Ok(())
}

fn is_camel_case(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Checks the fields of `record` and of all records in it.
fn fields(kind: &Kind, record: &Record, address: Option<&Address>) -> Result<(), String> {
    for field in &record.fields {
        let place = format!("field {}.{}", record.name, field.name);
        let is_limited = limit(field, address).is_some() || record.is_fingerprint(&field.name);
        if kind.file == COMMANDS.file && field.kind.is_text() && !is_limited {
            return Err(format!(
                "{place}: every text of a command has a limit; write \"maxLength\": 140 or what is right, or \"id\": true"
            ));
        }
        if kind.file != COMMANDS.file && field.marks.is_secret {
            return Err(format!(
                "{place}: \"secret\" is what is never stored, and {}.avsc is; leave the field out here",
                kind.file
            ));
        }
        if field.marks.claim.is_some() && (kind.file != COMMANDS.file || address.is_none()) {
            return Err(format!(
                "{place}: \"claim\" is of a command's own fields; a token says nothing of what stands elsewhere"
            ));
        }
        if let Some(whose) = &field.marks.personal {
            owner(record, field, whose).map_err(|message| format!("{place}: {message}"))?;
        }
        if let Some(fingerprint) = &field.marks.sealed {
            if kind.file != COMMANDS.file {
                return Err(format!(
                    "{place}: \"sealed\" is of commands, and a box that is kept here is kept for ever; keep the fingerprint"
                ));
            }
            holds_fingerprint(record, fingerprint, address)
                .map_err(|message| format!("{place}: {message}"))?;
            continue;
        }
        let mut inner = &field.kind;
        while let Type::Nullable(of) | Type::Array(of) = inner {
            inner = of;
        }
        if matches!(inner, Type::Bytes | Type::Columns) {
            let (what, way_out) = match (inner, kind.file == COMMANDS.file) {
                (Type::Bytes, true) => (
                    "bytes",
                    "; bytes of a command are a secret: write \"sealed\": \"fingerprint\", not in a list and not nullable",
                ),
                (Type::Bytes, false) => ("bytes", ""),
                _ => ("map", ""),
            };
            return Err(format!(
                "{place}: type {what} is not supported; there are string, long, int, boolean, double, timestamp-micros, \
                 enums, records, and arrays and [\"null\", T] of them{way_out}"
            ));
        }
        if let Type::Record(inner) = inner
            && inner.name != crate::envelope::VIOLATION
        {
            let RecordMarks { aggregate, failure, lookup, sign_in } = &inner.marks;
            if aggregate.is_some() || failure.is_some() || lookup.is_some() || sign_in.is_some() {
                return Err(format!(
                    "record {}: it is part of {} and no message, so it has no \"aggregate\", \"failure\", \"lookup\" or \"signIn\"",
                    inner.name, record.name
                ));
            }
            fields(kind, inner, None)?;
        }
    }
    Ok(())
}

/// Whether `whose` can name the person a text belongs to.
fn owner(record: &Record, field: &Field, whose: &str) -> Result<(), String> {
    let texts = || {
        let texts = record.fields.iter().filter(|it| it.kind == Type::String && it.name != field.name);
        texts.map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    match record.field(whose) {
        None => {
            Err(format!("\"personal\" names {whose}, which {} has not; it may be {}", record.name, texts()))
        }
        Some(it) if it.name == field.name => Err(format!(
            "\"personal\" names the field itself; name the one with the person's id: {}",
            texts()
        )),
        Some(it) if it.kind != Type::String => Err(format!(
            "\"personal\" names {whose}, which is {} and no id; it may be {}",
            it.kind.describe(),
            texts()
        )),
        Some(_) => Ok(()),
    }
}

/// Whether `fingerprint` can hold that of a secret.
fn holds_fingerprint(record: &Record, fingerprint: &str, address: Option<&Address>) -> Result<(), String> {
    let texts = || {
        let texts = record.fields.iter().filter(|it| it.kind == Type::String);
        texts.map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let Some(field) = record.field(fingerprint) else {
        return Err(format!(
            "\"sealed\" names {fingerprint}, which {} has not; it may be {}",
            record.name,
            texts()
        ));
    };
    if field.kind != Type::String {
        return Err(format!(
            "\"sealed\" names {fingerprint}, which is {} and not string; it may be {}",
            field.kind.describe(),
            texts()
        ));
    }
    if field.marks.wrapper().is_some() {
        return Err(format!(
            "\"sealed\" names {fingerprint}, which is personal or secret; a fingerprint tells nothing, so take that out"
        ));
    }
    if limit(field, address).is_some_and(|most| most < FINGERPRINT_LENGTH) {
        return Err(format!(
            "\"sealed\" names {fingerprint}, which has too little room; a fingerprint has {FINGERPRINT_LENGTH} characters"
        ));
    }
    let of = |it: &&Field| it.marks.sealed.as_deref() == Some(fingerprint);
    match record.fields.iter().filter(of).count() {
        1 => Ok(()),
        _ => {
            Err(format!("\"sealed\" names {fingerprint} for two secrets; each has a fingerprint of its own"))
        }
    }
}
