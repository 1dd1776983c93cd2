//! What SQLite's errors mean for the port, in words that say what to do.

use std::path::Path;

use millrace_ports::StoreFault;
use rusqlite::{Error, ErrorCode};

/// An error on its way to a [`StoreFault`].
pub(crate) trait Failing {
    /// Says what was being done, to which file.
    fn while_doing(self, step: &'static str, path: &Path) -> StoreFault;
}

impl Failing for Error {
    fn while_doing(self, step: &'static str, path: &Path) -> StoreFault {
        let file = path.display();
        let text = self.to_string();
        if let Some(table) = text.split("no such table: ").nth(1) {
            let table = table.split_whitespace().next().unwrap_or(table);
            return StoreFault::Schema { table: table.to_owned(), message: format!("{file} lacks it") };
        }
        let advice = match self.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another program holds its write lock; end that program's transaction"
            }
            Some(ErrorCode::DiskFull) => {
                let folder = path.parent().unwrap_or(path);
                let full = millrace_disk::told(folder, &std::io::ErrorKind::StorageFull.into());
                let message = format!("{file}: {full}; make room, nothing is lost ({text})");
                return StoreFault::Unavailable { step, message };
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                "the file or its folder may not be written; check owner and permissions"
            }
            Some(ErrorCode::CannotOpen) => {
                "it cannot be opened; check that its folder exists and that you may read and write there"
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                "it is damaged or no SQLite file; move it away and rebuild the views from the events"
            }
            Some(ErrorCode::SystemIoFailure) => "the disk reports an error; look into the system's log",
            Some(ErrorCode::OutOfMemory) => "the machine is out of memory",
            // what is left speaks of the statement or its values: the same answer every time
            _ => return StoreFault::Refused { step, message: format!("{file}: {text}") },
        };
        StoreFault::Unavailable { step, message: format!("{file}: {advice} ({text})") }
    }
}
