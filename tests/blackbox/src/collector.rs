//! A collector: takes OTLP over HTTP, as protobuf, and keeps what it was told of spans, and the names of metrics.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A span as far as tests ask for it; ids in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// The trace it belongs to.
    pub trace_id: String,
    /// Its own id.
    pub span_id: String,
    /// The span below which it is; empty at the top.
    pub parent_id: String,
}

/// The collector; it ends with the process.
#[derive(Clone, Debug)]
pub struct Collector {
    url: String,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Every byte.
    bytes: Vec<u8>,
    spans: Vec<Span>,
    metrics: BTreeSet<String>,
}

impl Collector {
    /// Listens on a free port of loopback.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        let collector = Self { url, taken: Arc::default() };
        let taking = collector.clone();
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let Some((request, body)) = take(connection) else { continue };
                taking.lock().bytes.extend_from_slice(&body);
                if request.starts_with("POST /v1/traces ") {
                    taking.lock().spans.extend(innermost(&body).iter().map(|span| span_of(span)));
                }
                if request.starts_with("POST /v1/metrics ") {
                    taking.lock().metrics.extend(innermost(&body).iter().map(|metric| text(metric, 1)));
                }
            }
        });
        collector
    }

    /// Where it takes what it is told, without `/v1/…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.lock().spans.clone()
    }

    /// The names of all metrics so far.
    pub fn metrics(&self) -> BTreeSet<String> {
        self.lock().metrics.clone()
    }

    /// Every byte so far, as it came.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first line and the body of a request, which is answered.
fn take(connection: TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(connection);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    reader.get_mut().write_all(answer.as_bytes()).ok()?;
    Some((first, body))
}

/// `ExportTraceServiceRequest.resource_spans.scope_spans.spans`, and the metrics of a request with metrics,
/// which stand under the same numbers.
fn innermost(request: &[u8]) -> Vec<Vec<u8>> {
    let within = |messages: Vec<&[u8]>, number: u64| -> Vec<Vec<u8>> {
        messages.into_iter().flat_map(|message| fields(message, number)).collect()
    };
    let resources = within(vec![request], 1);
    let scopes = within(resources.iter().map(Vec::as_slice).collect(), 2);
    within(scopes.iter().map(Vec::as_slice).collect(), 2)
}

fn text(message: &[u8], number: u64) -> String {
    String::from_utf8_lossy(&fields(message, number).pop().unwrap_or_default()).into_owned()
}

fn span_of(span: &[u8]) -> Span {
    let bytes = |number| fields(span, number).pop().unwrap_or_default();
    let hex = |number| bytes(number).iter().map(|byte| format!("{byte:02x}")).collect();
    Span { name: text(span, 5), trace_id: hex(1), span_id: hex(2), parent_id: hex(4) }
}

/// The values of all fields of a protobuf message that have this number and are of bytes.
fn fields(mut message: &[u8], wanted: u64) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let length = match tag & 7 {
            0 => {
                varint(&mut message);
                continue;
            }
            1 => 8,
            2 => varint(&mut message) as usize,
            5 => 4,
            kind => panic!("protobuf has no kind {kind}"),
        };
        let (value, rest) = message.split_at(length);
        if tag >> 3 == wanted && tag & 7 == 2 {
            found.push(value.to_vec());
        }
        message = rest;
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = message.split_first().expect("a number ends");
        *message = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    value
}
