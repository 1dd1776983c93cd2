//! One process at a time works in a folder, and others learn which one.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use fs4::FileExt;
use millrace_ports::LocalFault;

use crate::fault::unavailable;

/// A folder that is this process's until this is dropped, or the process ends in any way.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(folder: &Path) -> Result<Self, LocalFault> {
        let failed = |error: &std::io::Error| unavailable(folder, error);
        let mut file = millrace_disk::open_to_write(&folder.join("lock")).map_err(|error| failed(&error))?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => {
                let mut by = String::new();
                // who it is only helps; not to know is no reason to say nothing
                drop(file.read_to_string(&mut by));
                let by = if by.trim().is_empty() { "another process" } else { by.trim() };
                return Err(LocalFault::Held { path: folder.to_owned(), by: by.to_owned() });
            }
            Err(fs4::TryLockError::Error(error)) => return Err(failed(&error)),
        }
        let mut sign = || {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "process {}", std::process::id())
        };
        sign().map_err(|error| failed(&error))?;
        Ok(Self { _file: file })
    }
}
