//! One trace from the producer to the row, by the header `traceparent` alone; and metrics by OTLP, where that is set.

use millrace_blackbox::{Collector, Embedded, SMALL_THRESHOLDS, SOON, Span, System};
use millrace_services::wait_for;

/// The span of this name in a trace, once it is there.
fn span(collector: &Collector, trace: &str, name: &str) -> Span {
    let is_it = |span: &Span| span.trace_id == trace && span.name == name;
    let found = wait_for(SOON, &format!("a span `{name}`"), || collector.spans().into_iter().find(is_it));
    found.unwrap_or_else(|overdue| panic!("{overdue}; there are {:#?}", collector.spans()))
}

#[test]
fn one_command_is_one_trace_from_its_producer_to_its_rows() {
    let collector = Collector::start();
    let settings = format!("[telemetry]\notlp_endpoint = \"{}\"\n{SMALL_THRESHOLDS}", collector.url());
    let system = Embedded::start(&settings);
    let cli = system.cli();
    cli.ok(&["send", "RegisterUser", "user_id=bob", "username=bob", "--wait"]);
    let ran = cli.ok(&["send", "RegisterUser", "user_id=ann", "username=ann", "--trace", "--wait"]);
    let trace = ran.stderr.lines().find_map(|line| line.strip_prefix("trace ")).expect("it names the trace");

    let sent = span(&collector, trace, "send RegisterUser");
    let decided = span(&collector, trace, "decide RegisterUser");
    let projected = span(&collector, trace, "project chirp.users");
    assert_eq!(sent.parent_id, "", "the trace begins with the producer");
    assert_eq!(decided.parent_id, sent.span_id);

    // a process goes on in other partitions: every span is below another of the same trace
    let spans: Vec<Span> = collector.spans().into_iter().filter(|span| span.trace_id == trace).collect();
    let parent = |of: &Span| spans.iter().find(|span| span.span_id == of.parent_id);
    for of in spans.iter().filter(|span| !span.parent_id.is_empty()) {
        assert!(parent(of).is_some(), "{of:?} hangs in the air: {spans:#?}");
    }
    let decision = parent(&projected).expect("it has a parent");
    assert!(decision.name.starts_with("decide "), "rows follow from a decision, not from {decision:?}");
    // what nobody asked to trace is not traced
    assert!(collector.spans().iter().all(|span| span.trace_id == trace), "{:#?}", collector.spans());
}

#[test]
fn metrics_go_where_traces_go_if_that_is_wanted() {
    let collector = Collector::start();
    let settings = format!("[telemetry]\notlp_endpoint = \"{}\"\notlp_metrics = true\n", collector.url());
    let mut system = Embedded::start(&settings);
    system.cli().ok(&["send", "RegisterUser", "user_id=ann", "username=ann", "--wait"]);
    // what is left is sent when it ends
    assert!(system.up.end(libc::SIGTERM, SOON).success());
    let metrics = collector.metrics();
    for name in ["millrace_commands_total", "millrace_transaction_seconds", "millrace_partitions"] {
        assert!(metrics.contains(name), "{name} is not among {metrics:?}");
    }
}
