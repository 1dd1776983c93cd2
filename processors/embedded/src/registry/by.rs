//! Who registers a schema.

use super::core::Core;
use super::refusal::Refusal;

/// Who registers a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Anybody.
    #[default]
    Client,
    /// What runs in the same process.
    Own,
}

impl By {
    /// Whether they may register a schema under a subject. What runs in the same process cannot do without its schemas,
    /// and where it does not start nobody can take back the mode.
    pub fn may_register(self, core: &Core, subject: &str) -> Result<(), Refusal> {
        match self {
            Self::Own => Ok(()),
            Self::Client => core.writable(subject),
        }
    }
}
