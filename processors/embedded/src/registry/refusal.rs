//! Everything the registry says no to, with the numbers that clients know from Confluent's.

use std::fmt::Display;

use super::compat::Level;
use super::core::Wanted;

/// An error answer: an HTTP status, a finer code and a text.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What clients look at.
    pub code: u32,
    /// What people look at.
    pub message: String,
}

impl Refusal {
    fn new(code: u32, message: impl Into<String>) -> Self {
        // The first three digits are the HTTP status.
        let status = if code >= 10_000 { code / 100 } else { code };
        Self { status: u16::try_from(status).unwrap_or(500), code, message: message.into() }
    }

    pub fn subject_not_found(subject: &str) -> Self {
        Self::new(40401, format!("Subject '{subject}' not found."))
    }

    pub fn version_not_found(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Latest => Self::new(40402, "No version found."),
            Wanted::Number(number) => Self::new(40402, format!("Version {number} not found.")),
        }
    }

    pub fn schema_not_found() -> Self {
        Self::new(40403, "Schema not found")
    }

    pub fn subject_hidden(subject: &str) -> Self {
        Self::new(40404, format!("Subject '{subject}' is already soft-deleted; permanent=true removes it."))
    }

    pub fn subject_not_hidden(subject: &str) -> Self {
        Self::new(
            40405,
            format!("Subject '{subject}' must be soft-deleted before it is removed permanently."),
        )
    }

    pub fn version_hidden(subject: &str, version: u32) -> Self {
        let message =
            format!("Version {version} of '{subject}' is already soft-deleted; permanent=true removes it.");
        Self::new(40406, message)
    }

    pub fn version_not_hidden(subject: &str, version: u32) -> Self {
        let message = format!(
            "Version {version} of '{subject}' must be soft-deleted before it is removed permanently."
        );
        Self::new(40407, message)
    }

    pub fn no_level(subject: &str) -> Self {
        Self::new(40408, format!("Subject '{subject}' has no compatibility level of its own."))
    }

    pub fn no_mode(subject: &str) -> Self {
        Self::new(40409, format!("Subject '{subject}' has no mode of its own."))
    }

    pub fn invalid_schema(problem: &dyn Display) -> Self {
        Self::new(42201, format!("Invalid schema: {problem}"))
    }

    pub fn no_such_reference(subject: &str, version: i64) -> Self {
        Self::invalid_schema(&format!(
            "no schema reference found for subject \"{subject}\" and version {version}"
        ))
    }

    pub fn referred_to(subject: &str, version: u32) -> Self {
        let schema = format!("{{magic=1,keytype=SCHEMA,subject={subject},version={version}}}");
        Self::new(42206, format!("One or more references exist to the schema {schema}."))
    }

    pub fn unsupported(member: &str) -> Self {
        Self::new(422, format!("This registry does not support '{member}', and does not pass it over."))
    }

    pub fn invalid_version(text: &str) -> Self {
        let message =
            format!("The version '{text}' is neither \"latest\" nor a number from 1 to 2147483647.");
        Self::new(42202, message)
    }

    pub fn invalid_level(text: &str) -> Self {
        let names = "NONE, BACKWARD, FORWARD, FULL, BACKWARD_TRANSITIVE, FORWARD_TRANSITIVE, FULL_TRANSITIVE";
        Self::new(42203, format!("'{text}' is no compatibility level; valid are {names}."))
    }

    pub fn invalid_mode(text: &str) -> Self {
        Self::new(42204, format!("'{text}' is no mode of this registry; valid are READWRITE, READONLY."))
    }

    pub fn read_only(subject: &str) -> Self {
        Self::new(42205, format!("Subject '{subject}' is in read-only mode."))
    }

    pub fn incompatible(subject: &str, level: Level, problems: &[String]) -> Self {
        let details = problems.join("; ");
        let message = format!(
            "Schema being registered is incompatible with an earlier schema for subject \"{subject}\" ({level}): {details}"
        );
        Self::new(409, message)
    }

    pub fn bad_request(problem: &dyn Display) -> Self {
        Self::new(400, format!("The request cannot be read: {problem}"))
    }

    pub fn too_large(problem: &dyn Display) -> Self {
        Self::new(413, format!("The request cannot be read: {problem}"))
    }

    pub fn too_slow(within: std::time::Duration) -> Self {
        Self::new(408, format!("The request did not arrive within {} s.", within.as_secs()))
    }

    pub fn foreign_host(host: &str) -> Self {
        Self::new(
            403,
            format!(
                "This registry is not called '{host}': a web page may have been made to look as if it came from here. \
                 Call it by its address, or have its operator add the name to up.registry_hosts."
            ),
        )
    }

    pub fn unsupported_type(kind: &str) -> Self {
        let message = format!(
            "HTTP 415 Unsupported Media Type: the body is '{kind}', which any web page may send; name it \
             application/json or application/vnd.schemaregistry.v1+json."
        );
        Self::new(415, message)
    }

    pub fn no_such_path() -> Self {
        Self::new(404, "HTTP 404 Not Found")
    }

    pub fn no_such_method() -> Self {
        Self::new(405, "HTTP 405 Method Not Allowed")
    }

    pub fn store(problem: &dyn Display) -> Self {
        Self::new(50001, format!("The change could not be stored: {problem}"))
    }
}
