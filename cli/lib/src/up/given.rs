//! What was set and means nothing to `millrace up`, which brings its servers and its tables with it: who asks for others on
//! the command line is refused, and what stands in a file or the environment, where it may be meant for other commands, is
//! named.

use crate::config::Config;
use crate::error::CliError;

/// Settings that lead elsewhere, with the flags that set them.
const ELSEWHERE: [(&str, &str); 8] = [
    ("kafka", "--kafka"),
    ("registry", "--registry"),
    ("cql", "--cql"),
    ("sqlite", "--sqlite"),
    ("keyspace", "--keyspace"),
    ("kafka_client", "--set-kafka"),
    ("registry_client", "[registry_client]"),
    ("security", "[security]"),
];

/// Refuses flags that lead elsewhere, and warns of such settings.
///
/// # Errors
/// A flag that `up` would not heed.
pub fn check(config: &Config) -> Result<(), CliError> {
    let set = set_elsewhere(config);
    if let Some((key, flag, _)) = set.iter().find(|(_, flag, origin)| flag == origin) {
        return Err(CliError::usage(format!("`millrace up` does not heed {flag}: {}", instead(key)))
            .hint("To use other servers, run the roles: `millrace processor` and `millrace projector`, with --kafka, \
                   --registry and --cql."));
    }
    for (key, _, origin) in set {
        tracing::warn!("{key} is set by {origin}, and `millrace up` does not heed it: {}", instead(key));
    }
    Ok(())
}

/// Of [`ELSEWHERE`] what somebody has set: key, flag, and who.
fn set_elsewhere(config: &Config) -> Vec<(&'static str, &'static str, String)> {
    let mut found = Vec::new();
    for (key, flag) in ELSEWHERE {
        let is_it =
            |value: &str| value == key || value.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        let set = config.effective().into_iter().find(|value| is_it(&value.key) && value.origin != "default");
        found.extend(set.map(|value| (key, flag, value.origin)));
    }
    found
}

fn instead(key: &str) -> &'static str {
    match key {
        "kafka" | "kafka_client" => {
            "it brings its own broker, and its clients need no settings (--kafka-port sets the port)"
        }
        "registry" | "registry_client" => "it brings its own registry (--registry-port sets the port)",
        "security" => "its servers ask for no name and no password",
        "keyspace" => "its tables are SQLite files, named like their domains",
        _ => "its tables are SQLite files in DATA/tables (--data sets the folder)",
    }
}
