//! Fields of commands that a token says as well, and the command that makes somebody known who signs in.

use std::fmt::Write as _;

use millrace_kernel::claims::{ACTING_USER, VERIFIED};
use serde_json::Value;

use crate::address::Address;
use crate::avro::{Record, Type};

/// The claim that a field of this type names.
pub fn of_field(claim: &Value, kind: &Type) -> Result<String, String> {
    let name =
        claim.as_str().filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
    let name = name.ok_or_else(|| {
        format!("\"claim\" names a claim of tokens, such as \"email\", or \"{ACTING_USER}\" for the id of who acts")
    })?;
    let inner = match kind {
        Type::Nullable(inner) => inner,
        plain => plain,
    };
    match (inner, name.ends_with(VERIFIED)) {
        (Type::String, false) | (Type::Boolean, true) => Ok(name.to_owned()),
        (_, true) => Err(format!(
            "\"claim\" {name} says whether something is so, and this is {}; make it boolean",
            kind.describe()
        )),
        (_, false) => {
            Err(format!("\"claim\" {name} is a text, and this is {}; make it a string", kind.describe()))
        }
    }
}

/// Whether the claims of a record belong together, and it can be filled in where it is to be.
pub fn on_record(record: &Record, sign_in: Option<&Value>) -> Result<(), String> {
    let claims = || record.fields.iter().filter_map(|field| field.marks.claim.as_deref());
    for claim in claims() {
        if claims().filter(|other| *other == claim).count() > 1 {
            return Err(format!("two fields have the \"claim\" {claim}; each says something of its own"));
        }
        if let Some(of) = claim.strip_suffix(VERIFIED)
            && !claims().any(|other| other == of)
        {
            return Err(format!("\"claim\" {claim} vouches for {of}, which no field has; name it there"));
        }
    }
    match sign_in {
        None => Ok(()),
        Some(Value::Bool(true)) => {
            let open = record
                .fields
                .iter()
                .find(|field| field.marks.claim.is_none() && !matches!(field.kind, Type::Nullable(_)));
            match open {
                Some(field) => Err(format!(
                    "\"signIn\" is sent with what a token says, and {} has no \"claim\"; give it one, or make it nullable",
                    field.name
                )),
                None => Ok(()),
            }
        }
        Some(other) => Err(format!("\"signIn\" is {other}; write true, or leave it out")),
    }
}

/// The list of `ClaimRule`s of the commands.
pub fn rules(messages: &[(&Record, &Address)]) -> String {
    let mut code = String::new();
    for (record, _) in messages {
        for field in &record.fields {
            if let Some(claim) = &field.marks.claim {
                let _ = writeln!(
                    code,
                    "::millrace_kernel::ClaimRule {{ command: {:?}, field: {:?}, claim: {claim:?} }},",
                    record.name, field.name
                );
            }
        }
    }
    format!("&[{code}]")
}

/// The command that is sent for who signs in, as an option.
pub fn sign_in(messages: &[(&Record, &Address)]) -> String {
    let one = messages.iter().find(|(record, _)| record.marks.sign_in.is_some());
    format!("{:?}", one.map(|(record, _)| &record.name))
}
