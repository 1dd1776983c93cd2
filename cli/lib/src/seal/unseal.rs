//! `millrace unseal`: the secret in a sealed box, or in the command that holds it.

use std::io::{self, Read as _, Write as _};

use millrace_gateway::seal::PrivateKeys;
use millrace_kernel::{Sealed, SealedRule};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::args::Unseal;
use crate::connect::Servers;
use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::examine::Tools;
use crate::examine::explain::{Sought, asking, seek};
use crate::key_files::read_private;

/// Longer than any box in base64.
const LONGEST: u64 = 64 << 10;

/// Prints each secret on a line of its own, and nothing else, on standard output.
///
/// # Errors
/// A key that cannot be read or opens nothing, what is no box, a command that is not found or holds no secret.
pub fn run(servers: &Servers<'_>, domains: &[Box<dyn DomainEntry>], chosen: &Unseal) -> Result<(), CliError> {
    let place = chosen.key.display();
    let text = std::fs::read_to_string(&chosen.key).map(Zeroizing::new).map_err(|error| error.to_string());
    let keys = text.and_then(|text| PrivateKeys::read(&text));
    let keys = keys.map_err(|why| CliError::failed(format!("{place}: {why}")))?;
    // a public key is for everybody to read, and was refused for what it is
    drop(Zeroizing::new(read_private("--key", &place.to_string())?));
    let boxes = match &chosen.command {
        Some(command) => of_command(servers, domains, chosen, command)?,
        None => vec![given(chosen)?],
    };
    let opened = boxes.iter().map(|sealed| keys.open(sealed)).collect::<Result<Vec<_>, _>>();
    let opened = opened.map_err(|why| {
        CliError::failed(format!("the box stays closed with the key {place}: {why}"))
            .hint("`GET /v1/keys` and the comment in the file of a key say which key is which.")
    })?;
    let mut out = io::stdout().lock();
    for secret in opened {
        out.write_all(&secret)?;
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// The box that was given, or comes by standard input.
fn given(chosen: &Unseal) -> Result<Sealed, CliError> {
    let text = match chosen.sealed.as_deref() {
        Some(text) if text != "-" => text.to_owned(),
        _ => {
            let mut text = String::new();
            io::stdin().take(LONGEST).read_to_string(&mut text)?;
            text
        }
    };
    let text: String = text.split_ascii_whitespace().collect();
    // it is not repeated: somebody may have given a secret
    Sealed::parse(&text).filter(|_| !text.is_empty()).ok_or_else(|| {
        CliError::failed("this is no base64, and so no sealed box")
            .hint("Give the box as `millrace explain` shows it, or --command ID.")
    })
}

/// The boxes in a command that was sent, in the order of its fields.
fn of_command(
    servers: &Servers<'_>,
    domains: &[Box<dyn DomainEntry>],
    chosen: &Unseal,
    command: &str,
) -> Result<Vec<Sealed>, CliError> {
    let (entries, asking) = asking(domains, command, chosen.since.as_deref(), 0)?;
    let Sought { entry, explanation } = seek(servers, &Tools::new(servers)?, entries, &asking, false)?;
    let command_id = asking.command_id;
    // the first is what was decided; others under its id changed nothing
    let asked = explanation.asked.first().ok_or_else(|| {
        CliError::failed(format!("the commands topic does not hold {command_id} any more")).hint(
            "Commands are kept for seven days; the boxes of older ones are gone, and their fingerprints stay in the events.",
        )
    })?;
    let kind = asked.kind.unwrap_or_default();
    let sealed = entry.schemas().sealed;
    let boxes = boxes(sealed.iter().filter(|rule| rule.command == kind), &asked.data);
    match boxes.is_empty() {
        true => Err(CliError::failed(format!("{command_id} holds no sealed secret: it is a {kind}"))),
        false => Ok(boxes),
    }
}

fn boxes<'r>(rules: impl Iterator<Item = &'r SealedRule>, data: &Value) -> Vec<Sealed> {
    let mut texts = Vec::new();
    rules.for_each(|rule| at(data, rule.field, &mut texts));
    texts.into_iter().filter_map(Sealed::parse).collect()
}

/// The texts at `path`, of each item where it leads through a list.
fn at<'d>(data: &'d Value, path: &str, found: &mut Vec<&'d str>) {
    if let Value::Array(items) = data {
        return items.iter().for_each(|item| at(item, path, found));
    }
    let (name, rest) = path.split_once('.').map_or((path, ""), |(name, rest)| (name, rest));
    match (&data[name], rest) {
        (Value::String(text), "") => found.push(text),
        (inner, rest) if !rest.is_empty() => at(inner, rest, found),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn boxes_are_found_wherever_they_stand() {
        let rule = |field| SealedRule { command: "C", field, fingerprint: "mark" };
        let rules = [rule("token"), rule("parts.token"), rule("maybe.token")];
        let data = json!({
            "token": "AAAA", "parts": [{"token": "BBBB"}, {"token": "CCCC"}], "maybe": null, "mark": "DDDD",
        });
        let found: Vec<String> = boxes(rules.iter(), &data).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["AAAA", "BBBB", "CCCC"]);
    }
}
