//! One trace from the producer to the row, by the header `traceparent` alone; and metrics by OTLP, where that is set.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millrace_blackbox::{Collector, Embedded, Http, LATER, SMALL_THRESHOLDS, SOON, Span, System};
use millrace_services::{wait_for, wait_until};
use serde_json::{Value, json};

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

/// How many orders are looked at.
const ORDERS: usize = 1_000;
/// So many browsers click at once.
const BROWSERS: usize = 8;
/// What stands in each of their traces, from the click to the other browser's page. The two families of views have their own.
const PARTS: [&str; 9] = [
    "click orders/CreateOrder",
    "POST /v1/commands/orders/CreateOrder",
    "decide CreateOrder",
    "project orders.shop",
    "write rows of orders.shop",
    "change shop_orders",
    "push orders/shop_orders",
    "show orders/shop_orders",
    "project orders.days",
];

#[test]
fn a_thousand_orders_are_a_thousand_whole_traces_from_the_click_to_the_other_page() {
    let collector = Collector::start();
    let settings = format!("[telemetry]\notlp_endpoint = \"{}\"\n", collector.url());
    let mut system = Embedded::start(&settings);
    let address = system.http().to_owned();
    let began = Instant::now();
    let shown = follow(&address);
    thread::scope(|scope| {
        for browser in 0..BROWSERS {
            let address = &address;
            scope.spawn(move || {
                let mut http = Http::at(address);
                (browser..ORDERS).step_by(BROWSERS).for_each(|number| click(&mut http, number));
            });
        }
    });
    let mut seen = BTreeSet::new();
    while seen.len() < ORDERS {
        seen.insert(
            shown.recv_timeout(LATER).unwrap_or_else(|_| panic!("{} of {ORDERS} were shown", seen.len())),
        );
    }
    // what is left is sent when it ends
    assert!(system.up.end(libc::SIGTERM, SOON).success());
    let whole = || collector.spans().iter().filter(|span| span.name == PARTS[0]).count() == ORDERS;
    wait_until(SOON, "all clicks", whole).unwrap();
    let mut traces: HashMap<String, Vec<Span>> = HashMap::new();
    for span in collector.spans() {
        traces.entry(span.trace_id.clone()).or_default().push(span);
    }
    assert_eq!(traces.len(), ORDERS, "nothing was recorded that nobody clicked for");
    let wrong: Vec<String> = traces.values().filter_map(|trace| wrong_with(trace)).collect();
    assert!(wrong.is_empty(), "{} of {ORDERS} traces are not whole, such as\n{}", wrong.len(), wrong[0]);
    let spans: usize = traces.values().map(Vec::len).sum();
    println!("{ORDERS} traces, {spans} spans, {:.1} s", began.elapsed().as_secs_f64());
}

/// Why a trace is not whole, if it is not.
fn wrong_with(trace: &[Span]) -> Option<String> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    trace.iter().for_each(|span| *names.entry(&*span.name).or_default() += 1);
    let missing: Vec<_> = PARTS.iter().filter(|part| !names.contains_key(*part)).collect();
    let ids: BTreeSet<&str> = trace.iter().map(|span| &*span.span_id).collect();
    let roots: Vec<_> =
        trace.iter().filter(|span| span.parent_id.is_empty()).map(|span| &span.name).collect();
    let orphans: Vec<_> =
        trace.iter().filter(|span| !span.parent_id.is_empty() && !ids.contains(&*span.parent_id)).collect();
    let parent = |of: &Span| trace.iter().find(|span| span.span_id == of.parent_id).map(|span| &*span.name);
    let below: Vec<_> = PARTS[1..8]
        .iter()
        .zip(PARTS)
        .filter(|(part, above)| {
            // a change stands beside the rows, below the event that both follow from
            let above = if **part == "change shop_orders" { "project orders.shop" } else { *above };
            let is_it = |span: &&Span| &*span.name == **part;
            !trace.iter().filter(is_it).all(|span| parent(span) == Some(above))
        })
        .map(|(part, _)| part)
        .collect();
    let is_whole = missing.is_empty()
        && orphans.is_empty()
        && below.is_empty()
        && roots == [PARTS[0]]
        && ids.len() == trace.len();
    (!is_whole).then(|| {
        format!("missing {missing:?}, orphans {orphans:?}, roots {roots:?}, not where they belong {below:?}: {trace:#?}")
    })
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64() * 1_000.0
}

/// Somebody orders in a page, which tells of the click.
fn click(http: &mut Http, number: usize) {
    let traceparent = format!("00-{:032x}-{:016x}-01", number + 1, number + 1);
    let body = json!({"data": {"order_id": format!("o{number}"), "user_id": "ann", "total": number + 1}});
    let began_ms = now_ms();
    let answer = http.post("/v1/commands/orders/CreateOrder", &[("traceparent", &traceparent)], &body);
    answer.is(200);
    assert!(
        answer.header("traceresponse").is_some(),
        "the page is told that the trace is recorded: {answer:?}"
    );
    tell(
        http,
        json!({"name": PARTS[0], "traceparent": traceparent, "began_ms": began_ms, "ms": now_ms() - began_ms}),
    );
}

fn tell(http: &mut Http, span: Value) {
    let answer = http.post("/v1/spans", &[], &json!({"spans": [span]}));
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// Another page follows the orders, and tells when it has shown one; each order comes as it is shown.
fn follow(address: &str) -> mpsc::Receiver<String> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LATER + Duration::from_secs(60))).unwrap();
    let request =
        format!("GET /v1/streams/orders/shop_orders?user_id=ann HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines();
    // from then on every change is told
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line == "event: live"), "it becomes live");
    let (shown, all) = mpsc::channel();
    let mut http = Http::at(address);
    thread::spawn(move || {
        let mut event = String::new();
        for line in lines.map_while(Result::ok) {
            if let Some(name) = line.strip_prefix("event: ") {
                event = name.to_owned();
            }
            let Some(data) = line.strip_prefix("data: ").filter(|_| event == "change") else { continue };
            let change: Value = serde_json::from_str(data).unwrap();
            let parent = change["traceparent"].as_str().expect("the change belongs to a trace");
            let trace = parent.split('-').nth(1).unwrap();
            let traceparent =
                format!("00-{trace}-{:016x}-01", u64::MAX - u64::from_str_radix(&trace[16..], 16).unwrap());
            let span = json!({"name": PARTS[7], "traceparent": traceparent, "parent": parent, "began_ms": now_ms(), "ms": 0.1});
            tell(&mut http, span);
            if shown.send(change["key"]["order_id"].as_str().unwrap().to_owned()).is_err() {
                return;
            }
        }
    });
    all
}
