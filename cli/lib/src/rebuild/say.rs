//! What a rebuild says: sentences for people, an object a line for programs.

use serde_json::Value as Json;

use crate::error::CliError;
use crate::output;

/// Prints a step: the `sentence`, or `object` with `--json`.
pub fn step(as_json: bool, sentence: impl AsRef<str>, object: &Json) -> Result<(), CliError> {
    match as_json {
        true => output::json(object),
        false => output::line(sentence),
    }
}
