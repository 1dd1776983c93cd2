//! Why stored data is not used as it is, each with the way out. Whoever reports one has changed nothing.

use std::io;
use std::path::{Path, PathBuf};

/// Why a log or the metadata cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The operating system refused.
    #[error("{}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// There are bytes that were never written so, and good ones behind them.
    #[error(
        "{} is damaged at byte {position}: {why}. Nothing was changed. Restore the file from a copy; or, to do \
         without everything behind that byte, keep a copy of the data folder and run {way_out}",
        path.display()
    )]
    Damaged { path: PathBuf, position: u64, why: String, way_out: String },
    /// What is written there is whole, and this build does not know what it means.
    #[error(
        "{} was made by a newer build of this program: {what} at byte {position}. Nothing was changed. Start \
         that build again, or give this one another data folder",
        path.display()
    )]
    Newer { path: PathBuf, position: u64, what: String },
    /// Two topics have one folder, which holds the records of both or of one.
    #[error(
        "the topics '{first}' and '{second}' have the same folder {}: this disk does not tell capital letters from \
         small ones. Nothing was changed. Move the data folder to a disk that does",
        path.display()
    )]
    SameFolder { path: PathBuf, first: String, second: String },
    /// A file or folder that must be there is not.
    #[error("{} is missing, {why}. Nothing was changed. Restore it from a copy; {way_out}", path.display())]
    Missing { path: PathBuf, why: String, way_out: String },
}

impl LogError {
    /// For `map_err`: what the system said of a file or folder.
    pub fn io(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_path_buf(), source }
    }
}

/// A write that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteFailed {
    /// Nothing of it is on the disk.
    #[error(transparent)]
    TakenBack(io::Error),
    /// Some or all of it may be, or what was written before may not.
    #[error(transparent)]
    Unknown(io::Error),
}

impl WriteFailed {
    /// After a write failed: whether cutting the file back has taken it back.
    pub fn after(error: io::Error, cut: io::Result<()>) -> Self {
        match cut {
            Ok(()) => Self::TakenBack(error),
            Err(_) => Self::Unknown(error),
        }
    }
}
