//! What the library and the system say, as faults of local state.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use millrace_ports::LocalFault;

pub(crate) fn damaged(path: &Path, why: impl Into<String>) -> LocalFault {
    LocalFault::Damaged { path: path.to_owned(), why: why.into() }
}

pub(crate) fn unavailable(path: &Path, error: &std::io::Error) -> LocalFault {
    LocalFault::Unavailable { path: path.to_owned(), why: error.to_string() }
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

fn system_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a std::io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Runs a call of the library; also a panic in it is a fault, since damaged files cause some.
pub(crate) fn guarded<T>(
    path: &Path,
    call: impl FnOnce() -> Result<T, fjall::Error>,
) -> Result<T, LocalFault> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => match system_error(&error) {
            Some(system) if is_passing(system) => Err(unavailable(path, system)),
            _ => Err(damaged(path, format!("{error:?}"))),
        },
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(damaged(path, format!("a panic while it was used: {}", text.unwrap_or_default())))
        }
    }
}
