//! Fuzz targets: everything that reads bytes of others, or bytes that a disk may have changed.
//!
//! A target is a function that must return for any input: no panic, no hang, no more memory than `scripts/fuzz` allows.
//! `make fuzz` runs them under libFuzzer; `tests/corpus.rs` replays the inputs that are checked in, on every `make test`.

mod messages;
mod peers;
/// What the command line's reader of lines takes from its crate.
#[path = "../../../gateway/src/message/unique.rs"]
mod unique;

/// The name under which it takes that.
mod message {
    pub use crate::unique::from_json;
}

/// How a key is printed says nothing about how it is read.
mod place {
    pub fn short(text: &str) -> &str {
        text
    }
}

use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use millrace_embedded::fuzzing as embedded;
use millrace_localstate::fuzzing as localstate;
use tempfile::TempDir;

/// A function that must return for any input.
pub struct Target {
    /// Its name, also of the folder with its corpus.
    pub name: &'static str,
    /// Runs one input.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "avro_message", run: messages::avro },
    Target { name: "broker_batch", run: embedded::batch },
    Target { name: "broker_log", run: |bytes| in_folder(|dir| embedded::log(dir, bytes)) },
    Target { name: "broker_metadata", run: |bytes| in_folder(|dir| embedded::metadata(dir, bytes)) },
    Target { name: "broker_request", run: embedded::request },
    Target { name: "broker_side_files", run: |bytes| in_folder(|dir| embedded::side_files(dir, bytes)) },
    Target { name: "cli_cursor", run: messages::cursor },
    Target { name: "cli_load", run: messages::load },
    Target { name: "dead_headers", run: messages::dead_headers },
    Target { name: "group_assignment", run: peers::group_assignment },
    Target { name: "local_state", run: local_state },
    Target { name: "metrics_text", run: peers::metrics_text },
    Target { name: "registry_changes", run: embedded::changes },
    Target { name: "registry_compatibility", run: embedded::compatibility },
    Target { name: "registry_http", run: registry_http },
    Target { name: "registry_schema", run: embedded::schema },
    Target { name: "trace_header", run: peers::trace_header },
    Target { name: "transaction_holder", run: peers::transaction_holder },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Calls `work` with an empty folder; it is this thread's and stays.
fn in_folder(work: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDER: TempDir = folder();
    }
    FOLDER.with(|folder| work(folder.path()));
}

/// A folder, in memory where the machine has such a place.
fn folder() -> TempDir {
    let shm = Path::new("/dev/shm");
    let made = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() };
    made.expect("a folder for temporary files")
}

fn local_state(bytes: &[u8]) {
    thread_local! {
        static STORE: (TempDir, localstate::Folder) = {
            let dir = folder();
            let store = localstate::Folder::new(dir.path());
            (dir, store)
        };
    }
    STORE.with(|(_, store)| store.open(bytes));
}

fn registry_http(bytes: &[u8]) {
    static INTERFACE: LazyLock<Mutex<embedded::Interface>> = LazyLock::new(Mutex::default);
    // After a panic of another test it is still what each input finds empty.
    INTERFACE.lock().unwrap_or_else(PoisonError::into_inner).answer(bytes);
}
