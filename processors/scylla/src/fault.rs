//! What the driver's errors mean for the port.

use millrace_ports::StoreFault;
use scylla::errors::{DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::config::ScyllaConfig;

pub(crate) fn of(step: &'static str, config: &ScyllaConfig, error: &ExecutionError) -> StoreFault {
    let refused = |message: String| StoreFault::Refused { step, message };
    let attempt = match error {
        ExecutionError::LastAttemptError(attempt)
        | ExecutionError::PrepareError(PrepareError::AllAttemptsFailed { first_attempt: attempt }) => attempt,
        ExecutionError::BadQuery(_) => return refused(error.to_string()),
        _ => return unavailable(step, config, error),
    };
    match attempt {
        // the only refusals that a server gives again for the same statement; all else may
        // pass — also a missing permission, which speaks of the user and not of the row
        RequestAttemptError::DbError(
            DbError::Invalid | DbError::SyntaxError | DbError::ConfigError,
            text,
        ) => match missing_table(text) {
            Some(table) => {
                StoreFault::Schema { table, message: format!("keyspace {}: {text}", config.keyspace) }
            }
            None => refused(text.clone()),
        },
        RequestAttemptError::DbError(DbError::Unavailable { required, alive, .. }, _) => {
            let more = format!(
                "{error} ({required} copies must answer and {alive} can: nodes are down, or keyspace {} asks for more copies than \
                 there are nodes, which `millrace tables plan` says)",
                config.keyspace
            );
            unavailable(step, config, &more)
        }
        RequestAttemptError::SerializationError(_) | RequestAttemptError::CqlRequestSerialization(_) => {
            refused(attempt.to_string())
        }
        _ => unavailable(step, config, error),
    }
}

/// Whether a server has given up reading, as it does before too many deleted rows.
pub(crate) fn is_read_failure(error: &ExecutionError) -> bool {
    let ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, _)) = error else {
        return false;
    };
    matches!(error, DbError::ReadFailure { .. })
}

fn unavailable(step: &'static str, config: &ScyllaConfig, error: &impl ToString) -> StoreFault {
    // some of the driver's messages have several lines, and a line of a log is one fault
    let error = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    StoreFault::Unavailable { step, message: format!("CQL servers {}: {error}", config.hosts_text()) }
}

/// The table that a server says is not there.
fn missing_table(text: &str) -> Option<String> {
    // Cassandra: "table t does not exist", "keyspace k does not exist"; ScyllaDB: "unconfigured table t"
    let text = text.trim_end_matches(['.', ' ']);
    let name = text
        .split_once("unconfigured table ")
        .map(|(_, name)| name)
        .or_else(|| text.strip_suffix(" does not exist").and_then(|rest| rest.rsplit(' ').next()))?;
    Some(name.trim_matches(['\'', '"']).to_owned())
}

#[cfg(test)]
mod tests {
    use scylla::statement::Consistency;

    use super::*;

    #[test]
    fn errors_of_servers_find_their_kind() {
        let config = ScyllaConfig::new(["h:1"], "k");
        let of = |db: DbError, text: &str| {
            let attempt = RequestAttemptError::DbError(db, text.to_owned());
            super::of("write rows", &config, &ExecutionError::LastAttemptError(attempt))
        };
        for text in ["table notes does not exist", "unconfigured table notes"] {
            let fault = of(DbError::Invalid, text);
            assert!(matches!(&fault, StoreFault::Schema { table, .. } if table == "notes"), "{fault:?}");
        }
        let few = DbError::Unavailable { consistency: Consistency::LocalQuorum, required: 2, alive: 1 };
        let text = of(few, "Cannot achieve consistency level LOCAL_QUORUM").to_string();
        assert!(text.contains("keyspace k asks for more copies") && text.contains("tables plan"), "{text}");
        assert!(matches!(of(DbError::Invalid, "Key may not be empty"), StoreFault::Refused { .. }));
        for passing in [DbError::Overloaded, DbError::Unauthorized, DbError::ServerError] {
            let fault = of(passing, "not\n    now");
            assert!(
                matches!(&fault, StoreFault::Unavailable { message, .. } if message.contains("h:1") && message.contains("not now")),
                "{fault}"
            );
        }
    }
}
