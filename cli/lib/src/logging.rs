//! Log lines, to standard error.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::args::Command;
use crate::config::{LogFormat, Settings};
use crate::error::CliError;
use crate::foreign;

/// librdkafka reports every connection it opens and closes; what the crate around it reports
/// beside that is how it ends. The CQL driver reports every try to reach a server that is away, four lines a
/// second; the lanes say the same once in ten seconds. The Avro library advises against unions of one message, which are what
/// a domain with one event has.
const MUTED: &str = "millrace_kafka::client=warn,rdkafka=off,scylla=warn,scylla::cluster::metadata=off,apache_avro=error,hyper=warn,hyper_util=warn,reqwest=warn";
/// Inside one process a lost connection to the broker only means that it is ending.
const MUTED_INSIDE: &str = "millrace_kafka::client=off";

/// At `trace` it repeats every frame of a socket, with the tokens and the secrets in them.
const TELLS_SECRETS: &str = "tungstenite";

/// Starts logging. Commands that end by themselves report what goes wrong in their own words,
/// so by default they log nothing.
///
/// # Errors
/// `log` that is no level and no list of them.
pub fn start(settings: &Settings, command: &Command) -> Result<(), CliError> {
    let directives = directives(settings.log.trim(), command)?;
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        CliError::usage(format!("log: {:?} is no level: {error}", settings.log))
            .hint("Write error, warn, info, debug or trace, or a list such as info,millrace_runtime=debug.")
    })?;
    let format = settings.log_format;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || foreign::LogLines { to: std::io::stderr(), format })
        .with_span_events(FmtSpan::NONE);
    let started = match format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.compact().with_ansi(is_terminal).with_target(false).try_init()
        }
    };
    // a host program that has its own subscriber keeps it
    drop(started);
    Ok(())
}

fn directives(log: &str, command: &Command) -> Result<String, CliError> {
    if log.contains(TELLS_SECRETS) {
        return Err(CliError::usage(format!(
            "log: {TELLS_SECRETS} is not logged: it tells what is in the frames of sockets, tokens and secrets too"
        )));
    }
    let chosen = match log {
        // the demo is to be looked at
        "" if matches!(command, Command::Demo(_)) => format!("warn,{MUTED},{MUTED_INSIDE}"),
        "" if matches!(command, Command::Up(_)) => format!("info,{MUTED},{MUTED_INSIDE}"),
        "" if command.is_role() => format!("info,{MUTED}"),
        "" => return Ok("off".to_owned()),
        chosen if chosen.contains(['=', ',']) => format!("{MUTED},{chosen}"),
        level => format!("{level},{MUTED}"),
    };
    Ok(format!("{chosen},{TELLS_SECRETS}=info"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_logged_no_frame_of_a_socket_is() {
        for log in ["trace", "trace,hyper=trace", "millrace_gateway=trace"] {
            let directives = directives(log, &Command::Metrics).unwrap();
            assert!(directives.ends_with(",tungstenite=info"), "{directives}");
            EnvFilter::try_new(&directives).unwrap();
        }
        for log in ["tungstenite=trace", "trace,tungstenite::protocol=trace"] {
            assert!(directives(log, &Command::Metrics).unwrap_err().is_usage(), "{log}");
        }
    }
}
