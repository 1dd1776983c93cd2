//! The gateway: requests, and the outcomes that they wait for.

use millrace_runtime::metrics::{Distribution, OutcomeNumbers};

use super::Kind::{Counter, Gauge, Histogram};
use super::Source::{Look, Recorded};
use super::{Metric, Put, TIMES};
use crate::seen::Seen;

fn outcomes(seen: &Seen, put: Put<'_>, value: fn(&OutcomeNumbers) -> u64) {
    let domains = seen.gateway.iter().flat_map(|gateway| &gateway.outcomes);
    domains.for_each(|(domain, numbers)| put(value(numbers) as f64, &[domain]));
}

pub(super) static METRICS: &[Metric] = &[
    Metric {
        name: "millrace_gateway_requests_total",
        kind: Counter,
        unit: "{request}",
        labels: &["route", "status"],
        help: "Requests that the gateway has answered, by route and HTTP status.",
        advice: "503: the log or the tables are away, or a view is behind; see `/health`. 422 is an answer, not a fault. 429: somebody is at a limit.",
        source: Look(|seen, put| {
            let requests = seen.gateway.iter().flat_map(|gateway| &gateway.requests);
            requests.for_each(|((route, status), count)| put(*count as f64, &[route, &status.to_string()]));
        }),
    },
    Metric {
        name: "millrace_gateway_request_seconds",
        kind: Histogram(TIMES),
        unit: "s",
        labels: &["route"],
        help: "From the head of a request until the head of its answer, waiting for outcomes and positions included.",
        advice: "Compare with `millrace_command_seconds` for commands, and with the lag of the view for reads after a write.",
        source: Recorded(&[(Distribution::RequestSeconds, "")]),
    },
    Metric {
        name: "millrace_gateway_outcomes_read_total",
        kind: Counter,
        unit: "{outcome}",
        labels: &["domain"],
        help: "Outcomes that the gateway's reader of a domain has passed, whoever waits for them: every gateway reads all.",
        advice: "It rises as fast as commands are decided. If it stands still while they are, `/health` says what is in the way.",
        source: Look(|seen, put| outcomes(seen, put, |numbers| numbers.read)),
    },
    Metric {
        name: "millrace_gateway_outcomes_told_total",
        kind: Counter,
        unit: "{outcome}",
        labels: &["domain"],
        help: "Of these, those that somebody waited for at this gateway.",
        advice: "A small part of many: send the commands of a routing key to one group of gateways (docs/operations.md).",
        source: Look(|seen, put| outcomes(seen, put, |numbers| numbers.told)),
    },
    Metric {
        name: "millrace_gateway_waiting",
        kind: Gauge,
        unit: "{request}",
        labels: &["domain"],
        help: "Requests that wait for an outcome now; at 50,000 a domain further ones are answered with 503.",
        advice: "Rising: commands are decided more slowly than they come; see the lag of the processor.",
        source: Look(|seen, put| outcomes(seen, put, |numbers| numbers.waiting)),
    },
    Metric {
        name: "millrace_gateway_changes_read_total",
        kind: Counter,
        unit: "{change}",
        labels: &["domain"],
        help: "Changes of rows that the gateway has read for those who follow views, from when the first of them came.",
        advice: "If it stands still while rows change and somebody follows, `/health` says what is in the way.",
        source: Look(|seen, put| outcomes(seen, put, |numbers| numbers.changes)),
    },
    Metric {
        name: "millrace_gateway_streams",
        kind: Gauge,
        unit: "{key}",
        labels: &["domain"],
        help: "Keys of views that are followed at this gateway now; a feed follows one for each author.",
        advice: "Each holds some kilobytes, and a connection unless it shares a socket: see gateway.max_connections.",
        source: Look(|seen, put| outcomes(seen, put, |numbers| numbers.streams)),
    },
];
