//! Keys of pseudonyms: a new one, and those that a processor has.

use std::sync::Arc;

use millrace_gateway::ResumeKey;
use millrace_kernel::{PseudonymKey, PseudonymKeys};

use crate::args::NewPseudonymKey;
use crate::config::Config;
use crate::error::CliError;
use crate::{key_files, output};

/// The setting that names their file.
const SETTING: &str = "processor.pseudonym_keys_file";

/// Runs `millrace pseudonym-key`: prints the line of a file of keys that says a new one.
///
/// # Errors
/// An id that no key may have.
pub fn print(chosen: &NewPseudonymKey) -> Result<(), CliError> {
    let key = made(&chosen.id)?;
    output::line(key.to_line())
}

/// A new key of this id.
///
/// # Errors
/// As [`print`].
pub fn made(id: &str) -> Result<PseudonymKey, CliError> {
    let secret = ResumeKey::secret().map_err(CliError::failed)?;
    PseudonymKey::new(id, secret).map_err(|why| CliError::usage(why.to_string()))
}

/// The keys that the settings name; none where nobody has named a file.
///
/// # Errors
/// A file that cannot be read, that others can read, or that holds something else. No secret is shown.
pub fn of(config: &Config) -> Result<Arc<PseudonymKeys>, CliError> {
    let file = &config.settings.processor.pseudonym_keys_file;
    if file.is_empty() {
        return Ok(Arc::default());
    }
    let setting = format!("{SETTING}, from {}", config.origin(SETTING));
    let text = zeroize::Zeroizing::new(key_files::read_private(&setting, file)?);
    let keys = PseudonymKeys::parse(&text);
    keys.map(Arc::new).map_err(|why| CliError::failed(format!("{setting}: {file}: {why}")))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::{Given, Inputs};

    #[test]
    fn a_new_key_is_another_each_time_and_can_be_read() {
        let (one, other) = (made("k1").unwrap(), made("k1").unwrap());
        assert_ne!(one.to_line(), other.to_line());
        let keys = PseudonymKeys::parse(&one.to_line()).unwrap();
        assert_eq!(keys.valid(), [one]);
        for id in ["", "K1", "a b", "retired.k1"] {
            assert!(made(id).unwrap_err().is_usage(), "{id}");
        }
    }

    #[test]
    fn a_file_is_read_where_one_is_named() {
        let load = |file: &str| {
            let flags = vec![Given::new(SETTING, file, "a test")];
            of(&Inputs { flags, ..Inputs::default() }.load(&[]).unwrap())
        };
        assert_eq!(load("").unwrap().valid(), []);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        let name = file.display().to_string();
        let line = made("k1").unwrap().to_line();
        key_files::create(&file, key_files::PRIVATE, line.as_bytes(), "").unwrap();
        assert_eq!(load(&name).unwrap().valid()[0].id(), "k1");
        fs::write(&file, "k1 hunter2").unwrap();
        let said = load(&name).unwrap_err().to_string();
        assert!(said.contains(SETTING) && said.contains("line 1"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert!(load("nowhere").unwrap_err().to_string().contains("nowhere"));
    }
}
