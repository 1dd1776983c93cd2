//! What the fuzz targets call: schemas alone and behind others, requests without sockets, and the registry's file.

use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use tokio::runtime::{Builder, Runtime};
use tower_service::Service as _;

use super::RegistryError;
use super::by::By;
use super::compat::{Level, Steps};
use super::core::{Change, Core, Show, Wanted};
use super::history;
use super::http::{self, Shared};
use super::journal;
use super::references::Draft;
use super::schema::AvroSchema;

/// Parses a schema; its spelling is a schema again, and each goes with itself.
pub fn schema(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(schema) = AvroSchema::parse(text) {
        // Not with the same spelling: the JSON parser may read a number of many digits as its neighbour.
        let again = AvroSchema::parse(schema.canonical());
        assert!(again.is_ok(), "{again:?}");
        let itself = Level::Full.problems(&schema, &schema, &mut Steps::default());
        assert_eq!(itself, Ok(Vec::new()), "a schema goes with itself");
    }
}

/// Compares two schemas, divided by a zero byte, both ways.
pub fn compatibility(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((new, old)) = text.split_once('\0') else { return };
    if let (Ok(new), Ok(old)) = (AvroSchema::parse(new), AvroSchema::parse(old)) {
        let _ = Level::Full.problems(&new, &old, &mut Steps::default());
    }
}

/// A registry that each input finds empty.
pub struct Interface {
    core: Shared,
    router: Router,
    runtime: Runtime,
}

impl Default for Interface {
    fn default() -> Self {
        let core = Arc::new(Mutex::new(Core::default()));
        let router = http::router(core.clone(), &[]);
        let runtime = Builder::new_current_thread().max_blocking_threads(1).build();
        Self { core, router, runtime: runtime.expect("the system has room for a runtime") }
    }
}

/// Most requests of an input that are answered.
const MOST_REQUESTS: usize = 16;

impl Interface {
    /// Answers requests, divided by zero bytes: a line with method, path and what is accepted, and behind it the body.
    pub fn answer(&self, bytes: &[u8]) {
        *self.core.lock().unwrap_or_else(PoisonError::into_inner) = Core::default();
        for request in bytes.split(|byte| *byte == 0).take(MOST_REQUESTS) {
            let end = request.iter().position(|byte| *byte == b'\n').unwrap_or(request.len());
            let mut words = request[..end].splitn(3, |byte| *byte == b' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let body = request.get(end + 1..).unwrap_or_default().to_vec();
            let request = Request::builder().method(method).uri(path);
            let accept = words.next().unwrap_or_default();
            let Ok(request) = request
                .header(header::ACCEPT, accept)
                .header(header::HOST, "localhost")
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body))
            else {
                continue;
            };
            self.runtime.block_on(async {
                let Ok(response) = pin!(self.router.clone().call(request)).await;
                let status = response.status();
                assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "what fails is the request's fault");
                let has_body = response.headers().contains_key(header::CONTENT_TYPE);
                let body = to_bytes(response.into_body(), usize::MAX).await.expect("it is in memory");
                if has_body && !body.is_empty() {
                    let json = serde_json::from_slice::<serde_json::Value>(&body);
                    assert!(json.is_ok(), "{status}: {}", String::from_utf8_lossy(&body));
                }
            });
        }
    }
}

fn draft(text: &str) -> Draft {
    Draft { text: text.to_owned(), references: Vec::new(), normalize: false }
}

/// Reads a file of changes, and goes on with what they made.
///
/// Each line gets a good checksum if the first byte is odd.
pub fn changes(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let mut content = rest.to_vec();
    if first & 1 == 1 {
        let sealed = |line: &[u8]| {
            let json = line.get(9..).unwrap_or_default();
            [format!("{:08x} ", crc32c::crc32c(json)).as_bytes(), json].concat()
        };
        content = content.split(|byte| *byte == b'\n').map(sealed).collect::<Vec<_>>().join(&b'\n');
    }
    let path = Path::new("registry.jsonl");
    let read = |bytes: &[u8]| -> Result<(Vec<Change>, u64), RegistryError> { journal::read(bytes, path) };
    let Ok((changes, end)) = read(&content) else { return };
    let count = changes.len();
    let again = read(&content[..usize::try_from(end).expect("it lies within the file")]);
    assert!(again.is_ok_and(|(again, at)| again.len() == count && at == end), "what is kept is read again");
    let core = Mutex::new(Core::of(changes));
    let look = |act: &dyn Fn(&mut Core)| act(&mut core.lock().unwrap_or_else(PoisonError::into_inner));
    let subjects = core.lock().unwrap_or_else(PoisonError::into_inner).subjects("", Show::All);
    for subject in subjects.iter().take(4).map(String::as_str).chain(["new"]) {
        look(&|core| {
            let _ = core.version(subject, Wanted::Latest, Show::All);
            let _ = core.delete_version(subject, Wanted::Latest, false);
        });
        let _ = history::register(&core, subject, &draft(r#""string""#), By::Client);
        let _ = history::register(&core, subject, &draft(r#"{"type":"map","values":"int"}"#), By::Client);
        let _ = history::check(&core, subject, &draft(r#""bytes""#), None);
        look(&|core| {
            let _ = (core.delete_subject(subject, false), core.delete_subject(subject, true));
        });
    }
}
