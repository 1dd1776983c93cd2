//! The manual of the configuration, rendered from the doc comments of the settings.

use std::fmt::Write as _;

use figment::Figment;
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use figment::{Profile, Provider};
use millrace_kernel::SettingsDoc;

use super::layers::{OPEN_SECTION, variable};
use super::settings::Settings;
use crate::domain::DomainEntry;

/// Every settings struct of the engine, gathered by the build script, with the crate whose it is.
pub static STRUCTS: &[(&str, SettingsDoc)] = include!(concat!(env!("OUT_DIR"), "/settings_docs.rs"));

const HEAD: &str = "\
# Configuration

Every setting has a default and can be set in three places; the later one wins:

1. `millrace.toml` in the current folder, or the file that `--config FILE` names;
2. the environment: the variable beside each setting;
3. flags.

Where nobody sets an address (`kafka`, `registry`, `cql`, `sqlite`), a running `millrace up` is found by
the file `up.toml` it writes into its data folder, looked for in `./millrace-data`, and by a copy in
`$XDG_STATE_HOME/millrace` (`~/.local/state/millrace`). `millrace config` prints every value in force with its
origin. A key that is not listed here is an error.
";

/// The whole manual, as Markdown.
#[must_use]
pub fn reference(domains: &[Box<dyn DomainEntry>]) -> String {
    let mut text = HEAD.to_owned();
    let defaults = dict(&Figment::from(Serialized::defaults(Settings::default())));
    let Some(root) = find(|owner, name| owner == "cli" && name == "Settings") else { return text };
    section(&mut text, "", root, &defaults);
    for field in root.fields {
        if let (Some(inner), Some(Value::Dict(_, values))) =
            (find(|_, name| name == field.kind), defaults.get(field.name))
        {
            section(&mut text, field.name, inner, values);
        }
    }
    for domain in domains {
        let values = dict(&Figment::from(Serialized::defaults(domain.default_settings())));
        match domain.schemas().settings {
            Some(found) => section(&mut text, domain.name(), &found, &values),
            // it has none
            None if values.is_empty() => {}
            None => undescribed(&mut text, domain.name(), &values),
        }
    }
    text
}

fn dict(figment: &Figment) -> Dict {
    figment.data().ok().and_then(|mut data| data.remove(&Profile::Default)).unwrap_or_default()
}

fn find(is_it: impl Fn(&str, &str) -> bool) -> Option<&'static SettingsDoc> {
    STRUCTS.iter().find(|(owner, found)| is_it(owner, found.name)).map(|(_, found)| found)
}

fn section(text: &mut String, name: &str, found: &SettingsDoc, values: &Dict) {
    let title = if name.is_empty() { "Top level".to_owned() } else { format!("`[{name}]`") };
    let _ = write!(text, "\n## {title}\n\n{}\n", wrapped(found.doc, ""));
    for field in found.fields {
        let key = if name.is_empty() { field.name.to_owned() } else { format!("{name}.{}", field.name) };
        match values.get(field.name) {
            _ if field.name == OPEN_SECTION => {
                let example = variable(&format!("{OPEN_SECTION}.security.protocol"));
                let _ = write!(
                    text,
                    "\n- **`[{OPEN_SECTION}]`** (`--set-kafka key=value`, for `security.protocol` `{example}`)\n{}\n",
                    wrapped(field.doc, "  ")
                );
            }
            Some(Value::Dict(..)) | None => {}
            Some(value) => entry(text, &key, field.doc, value),
        }
    }
}

/// Settings of a domain that were not in `src/settings.rs` when it was built.
fn undescribed(text: &mut String, name: &str, values: &Dict) {
    let _ = write!(text, "\n## `[{name}]`\n");
    for (field, value) in values {
        entry(text, &format!("{name}.{field}"), "", value);
    }
}

fn entry(text: &mut String, key: &str, doc: &str, value: &Value) {
    let default = serde_json::to_string(value).unwrap_or_default();
    let flag = flag(key).map(|flag| format!("`{flag}`, ")).unwrap_or_default();
    let _ = write!(text, "\n- **`{key}`** = `{default}` ({flag}`{}`)\n", variable(key));
    if !doc.is_empty() {
        let _ = writeln!(text, "{}", wrapped(doc, "  "));
    }
}

/// The flag that sets `key`, if one does.
fn flag(key: &str) -> Option<String> {
    let flags =
        ["kafka", "registry", "cql", "sqlite", "topic_prefix", "keyspace", "health_port", "log_format"];
    let name = key
        .strip_prefix("up.")
        .filter(|name| matches!(*name, "data" | "kafka_port" | "registry_port" | "host"));
    name.or_else(|| flags.contains(&key).then_some(key)).map(|name| format!("--{}", name.replace('_', "-")))
}

/// `text` in lines of at most 100 characters, each behind `indent`.
fn wrapped(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        if width == 0 || width + 1 + word.chars().count() > 100 {
            if width > 0 {
                out.push('\n');
            }
            out.push_str(indent);
            out.push_str(word);
            width = indent.len() + word.chars().count();
        } else {
            out.push(' ');
            out.push_str(word);
            width += 1 + word.chars().count();
        }
    }
    out
}
