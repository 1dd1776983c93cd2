//! Which numbers a setting takes. One outside of that is refused before anything starts: a batch of none decides
//! nothing, for ever and without a word.

use super::{Config, Effective};
use crate::error::CliError;

/// The longest time that anything may be set to take: a hundred years, which every clock can still add to now.
pub const LONGEST_SECONDS: u64 = 3_155_760_000;
/// The same in milliseconds.
const LONGEST_MS: u64 = LONGEST_SECONDS * 1_000;
/// What Kafka's clients take for the time-out of a session.
const SESSION_MS: (u64, u64) = (1_000, 3_600_000);
/// Where there is no bound but the computer's.
const ANY: u64 = u64::MAX;

/// Every number that may be set, the least and the most it may be, and what a smaller one would do. Sections of domains
/// are checked by their domains; ports, and what cannot be out of range, by their type.
pub const RANGES: [(&str, u64, u64, &str); 42] = [
    ("cql_client.concurrency", 1, ANY, "nothing is ever asked"),
    ("cql_client.replication_factor", 0, 255, ""),
    ("cql_client.request_timeout_ms", 1, LONGEST_MS, "no request is answered in time"),
    // a client may wait for a minute
    ("gateway.answer_timeout_ms", 65_000, 3_600_000, "an outcome that is waited for is cut off"),
    ("gateway.body_timeout_ms", 100, 600_000, "no body arrives in time"),
    ("gateway.commands_per_second", 0, 1_000_000, ""),
    ("gateway.header_timeout_ms", 100, 600_000, "no request arrives in time"),
    ("gateway.jwt_leeway_seconds", 0, 300, ""),
    ("gateway.jwt_refresh_seconds", 10, 86_400, "the issuer is asked for its keys all the time"),
    ("gateway.max_body_bytes", 1_024, 64 << 20, "hardly a command gets in"),
    ("gateway.max_connections", 10, ANY, "nobody gets in"),
    ("gateway.max_header_bytes", 8_192, 1 << 20, "hardly a token gets in"),
    ("gateway.reads_per_second", 0, 1_000_000, ""),
    ("gateway.refusals_per_second", 0, 1_000_000, ""),
    ("health_port", 0, 65_535, ""),
    ("processor.batch_max_records", 1, ANY, "no command is ever decided"),
    ("processor.checkpoint_interval_ms", 1, LONGEST_MS, "a lane writes checkpoints all the time"),
    ("processor.checkpoint_max_changes", 1, ANY, "a lane writes checkpoints all the time"),
    ("processor.dedup_window_ids", 1, ANY, "no repeat is recognised"),
    ("processor.dedup_window_seconds", 1, LONGEST_SECONDS, "no repeat is recognised"),
    ("processor.issued_at_ahead_seconds", 0, LONGEST_SECONDS, ""),
    ("processor.session_timeout_ms", SESSION_MS.0, SESSION_MS.1, "the group takes every member for dead"),
    ("processor.standby_copies", 0, ANY, ""),
    ("processor.state_cache_bytes", 0, ANY, ""),
    ("processor.state_max_age_seconds", 60, LONGEST_SECONDS, "no copy of a state is ever young enough"),
    ("processor.steps_keep_seconds", 0, LONGEST_SECONDS, ""),
    ("processor.transaction_timeout_ms", 1_000, 900_000, "no transaction is committed in time"),
    ("projector.batch_max_events", 1, ANY, "no event is ever applied"),
    ("projector.checkpoint_interval_ms", 1, LONGEST_MS, "a lane writes checkpoints all the time"),
    ("projector.checkpoint_max_changes", 1, ANY, "a lane writes checkpoints all the time"),
    ("projector.commit_interval_ms", 0, LONGEST_MS, ""),
    ("projector.fan_out_max_rows", 1, ANY, "no large fan-out is ever written"),
    ("projector.session_timeout_ms", SESSION_MS.0, SESSION_MS.1, "the group takes every member for dead"),
    ("projector.standby_copies", 0, ANY, ""),
    ("projector.state_cache_bytes", 0, ANY, ""),
    ("up.http_port", 0, 65_535, ""),
    ("up.kafka_port", 0, 65_535, ""),
    // a client of Kafka has one for each broker, and one or two beside
    ("up.max_connections", 10, ANY, "nobody gets in"),
    // a request of one record as large as a topic takes, and its answer
    ("up.max_in_flight_bytes", 4 << 20, ANY, "a large record never gets in"),
    (
        "up.offsets_retention_minutes",
        1,
        u32::MAX as u64,
        "the offsets of a group are gone with its last member",
    ),
    ("up.registry_port", 0, 65_535, ""),
    ("up.sync_interval_ms", 0, LONGEST_MS, ""),
];

/// Refuses numbers that are out of range, with where they come from.
///
/// # Errors
/// The first of them.
pub fn check(config: &Config) -> Result<(), CliError> {
    for Effective { key, value, origin } in config.effective() {
        let Some(value) = value.as_u64() else { continue };
        let Some((least, most, else_what)) = range(&key) else { continue };
        let why = if value < least {
            match least {
                1 => format!("{value} is not at least 1: {else_what}"),
                _ => format!("{value} is less than {least}: {else_what}"),
            }
        } else if value > most {
            let years = [LONGEST_SECONDS, LONGEST_MS].contains(&most);
            format!("{value} is more than {most}{}", if years { ", a hundred years" } else { "" })
        } else {
            continue;
        };
        return Err(CliError::usage(format!("{origin}: {key}: {why}"))
            .hint("`millrace config --explain` describes every setting."));
    }
    Ok(())
}

/// The least and the most of a setting, and what a smaller one would do. Of what is not in the table, in sections of
/// domains, durations have their bounds.
fn range(key: &str) -> Option<(u64, u64, &'static str)> {
    if let Some((_, least, most, else_what)) = RANGES.iter().find(|(name, ..)| *name == key) {
        return Some((*least, *most, else_what));
    }
    let most = match key {
        _ if key.ends_with("_seconds") => LONGEST_SECONDS,
        _ if key.ends_with("_ms") => LONGEST_MS,
        _ => return None,
    };
    Some((0, most, ""))
}
