//! What the system says, as faults of local state.

use std::io::ErrorKind;
use std::path::Path;

use millrace_ports::LocalFault;

pub(crate) fn damaged(path: &Path, why: impl Into<String>) -> LocalFault {
    LocalFault::Damaged { path: path.to_owned(), why: why.into() }
}

pub(crate) fn unavailable(path: &Path, error: &std::io::Error) -> LocalFault {
    LocalFault::Unavailable { path: path.to_owned(), why: millrace_disk::told(path, error) }
}

/// A call of the system that failed: for now, or as what is on disk cannot be read.
pub(crate) fn failed(path: &Path, error: &std::io::Error) -> LocalFault {
    if is_passing(error) { unavailable(path, error) } else { damaged(path, error.to_string()) }
}

/// Whether an error of the system says nothing about what is on disk.
fn is_passing(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::Interrupted
            | ErrorKind::OutOfMemory
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
    ) || error.raw_os_error() == Some(TOO_MANY_FILES)
}

/// `EMFILE`, which has no kind of its own.
const TOO_MANY_FILES: i32 = 24;
