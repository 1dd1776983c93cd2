//! Names that are no settings: refused, with the nearest that is one.

use figment::value::{Dict, Value};

use super::layers::OPEN_SECTION;
use crate::error::CliError;
use crate::nearest::{nearest, suggestion};

/// Variables of the same prefix that the project's build and tests use.
const NOT_OURS: [&str; 4] = ["MILLRACE_TEST_", "MILLRACE_CACHE", "MILLRACE_BIND", "MILLRACE_BIN"];

/// Refuses the first key of `given` that is not among `known`.
pub fn refuse(given: &Dict, known: &Dict, file: &str) -> Result<(), CliError> {
    check(given, known, "", file)
}

fn check(given: &Dict, known: &Dict, path: &str, file: &str) -> Result<(), CliError> {
    for (name, value) in given {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (known.get(name), value) {
            (None, _) => {
                let near = suggestion(name, known.keys().map(String::as_str));
                return Err(CliError::usage(format!("{file}: {key} is not a setting{near}"))
                    .hint("`millrace config --explain` lists every setting."));
            }
            (Some(_), _) if path.is_empty() && name == OPEN_SECTION => {}
            (Some(Value::Dict(_, known)), Value::Dict(_, given)) => check(given, known, &key, file)?,
            (Some(Value::Dict(..)), _) => {
                return Err(CliError::usage(format!("{file}: {key} is a section: write [{key}]")));
            }
            (Some(_), Value::Dict(..)) => {
                return Err(CliError::usage(format!("{file}: {key} is a value, not a section")));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses a variable that looks like a mistyped setting. Others with the prefix are left
/// alone: Kubernetes puts `<SERVICE>_PORT` and the like into every container.
pub fn look_at_variable<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Result<(), CliError> {
    let Some(rest) = name.strip_prefix("MILLRACE_") else { return Ok(()) };
    if NOT_OURS.iter().any(|prefix| name.starts_with(prefix)) {
        return Ok(());
    }
    let known: Vec<&str> = known.filter_map(|name| name.strip_prefix("MILLRACE_")).collect();
    match nearest(rest, known.iter().copied()).filter(|near| strsim::damerau_levenshtein(rest, near) <= 2) {
        Some(near) => Err(CliError::usage(format!(
            "the environment variable {name} is not a setting; did you mean MILLRACE_{near}?"
        ))),
        None => Ok(()),
    }
}
