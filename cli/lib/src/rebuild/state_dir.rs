//! What the projections of a rebuild know by key, on disk.

use std::path::Path;

use tempfile::TempDir;

use crate::error::CliError;

/// Where it is kept what the projections know by key: in memory there may be no room for it.
pub enum StateDir {
    /// Beside that of the projectors, which take over before this process ends: each would wait for the other.
    Beside(String),
    /// Projectors keep it in memory: in a folder that goes with this process.
    Passing(TempDir),
}

impl StateDir {
    /// Of a rebuild beside projectors with this folder; empty: they have none.
    pub fn of(projectors: &str) -> Result<Self, CliError> {
        if !projectors.is_empty() {
            return Ok(Self::Beside(Path::new(projectors).join("rebuild").display().to_string()));
        }
        let dir = tempfile::Builder::new().prefix("millrace-rebuild-").tempdir().map_err(|error| {
            let place = std::env::temp_dir();
            CliError::failed(format!("no folder for what projections know in {}: {error}", place.display()))
                .hint("Name another place with --state-dir of the projectors, or with the environment variable TMPDIR.")
        })?;
        Ok(Self::Passing(dir))
    }

    /// Its place.
    pub fn path(&self) -> String {
        match self {
            Self::Beside(folder) => folder.clone(),
            Self::Passing(dir) => dir.path().display().to_string(),
        }
    }
}
