//! Secrets of commands: the key for which they are sealed, a key pair of one's own, and what opens them again.

mod key;
mod unseal;

use millrace_gateway::message::SETTING;
use millrace_gateway::seal::PublicKeys;

pub use self::key::run as make_key;
pub use self::unseal::run as unseal;
use crate::config::Config;
use crate::error::CliError;

/// The keys for which secrets are sealed; none where nobody has named a file.
///
/// # Errors
/// A file that cannot be read, or holds something else.
pub fn public_keys(config: &Config) -> Result<PublicKeys, CliError> {
    let file = &config.settings.seal.public_key_file;
    if file.is_empty() {
        return Ok(PublicKeys::default());
    }
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
    text.and_then(|text| PublicKeys::read(&text)).map_err(|why| {
        CliError::usage(format!("{SETTING}, from {}: {file}: {why}", config.origin(SETTING)))
            .hint("`millrace seal-key --key FILE` makes a key pair; name FILE.pub here.")
    })
}
