//! The secrets that `up` makes where nobody has set others: once, in its data folder, for its user alone.

use std::io;
use std::path::Path;

use millrace_gateway::seal::{KeyPair, PrivateKeys};

use crate::config::Settings;
use crate::error::CliError;
use crate::key_files::{PRIVATE, PUBLIC, keep, public_of};
use crate::pseudonyms;

/// The folder, in the data folder.
const FOLDER: &str = "secrets";
/// The id of the first key of pseudonyms.
const FIRST: &str = "k1";

/// Has the settings name files of keys, which are made where they are not there yet.
///
/// # Errors
/// The folder cannot be written.
pub fn fill_in(settings: &mut Settings, data: &Path) -> Result<(), CliError> {
    let folder = data.join(FOLDER);
    let failed = |error: io::Error| CliError::failed(format!("{}: {error}", folder.display()));
    millrace_disk::make_folder_for(&folder, 0o700).map_err(failed)?;
    let seal = folder.join("seal.key");
    let public = public_of(&seal);
    if settings.processor.pseudonym_keys_file.is_empty() {
        let file = folder.join("pseudonym-keys");
        // it is made before the others
        if !file.exists() && (seal.exists() || public.exists()) {
            return Err(gone(&file).hint(
                "Bring it back from a backup. If it is lost for good, `millrace pseudonym-key k2` makes another key; write \
                 its line and `retired k1` into the file, and see docs/pseudonyms.md for what that means.",
            ));
        }
        let line = pseudonyms::made(FIRST)?.to_line() + "\n";
        keep(&file, PRIVATE, || Ok(line.into_bytes())).map_err(failed)?;
        settings.processor.pseudonym_keys_file = file.display().to_string();
    }
    if settings.seal.public_key_file.is_empty() {
        if public.exists() && !seal.exists() {
            return Err(gone(&seal).hint(format!(
                "Bring it back from a backup: nobody can open what is sealed for {} without it. If it is lost for good, \
                 remove that file as well, and a new pair of keys is made.",
                public.display()
            )));
        }
        let file = seal;
        keep(&file, PRIVATE, || Ok(KeyPair::generate().private_file().as_bytes().to_vec()))
            .map_err(failed)?;
        // made of what is there, so that it fits after a start that ended in between, too
        let of_private = || {
            let text = zeroize::Zeroizing::new(std::fs::read_to_string(&file)?);
            let keys = PrivateKeys::read(&text).map_err(io::Error::other)?;
            Ok(keys.public_file().into_bytes())
        };
        keep(&public, PUBLIC, of_private).map_err(failed)?;
        settings.seal.public_key_file = public.display().to_string();
    }
    Ok(())
}

fn gone(file: &Path) -> CliError {
    CliError::failed(format!("{}: it is gone, though this folder was used before", file.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use millrace_gateway::seal::PublicKeys;
    use millrace_kernel::PseudonymKeys;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_for_nobody_else() {
        let data = tempfile::tempdir().unwrap();
        let filled = || {
            let mut settings = Settings::default();
            fill_in(&mut settings, data.path()).unwrap();
            settings
        };
        let settings = filled();
        let of = |name: &str| data.path().join(FOLDER).join(name);
        let mode = |name: &str| fs::metadata(of(name)).unwrap().permissions().mode() & 0o777;
        let modes = ["", "pseudonym-keys", "seal.key", "seal.key.pub"].map(mode);
        assert_eq!(modes, [0o700, 0o600, 0o600, 0o644]);
        let keys = fs::read_to_string(&settings.processor.pseudonym_keys_file).unwrap();
        assert_eq!(PseudonymKeys::parse(&keys).unwrap().valid()[0].id(), "k1");
        let public = fs::read_to_string(&settings.seal.public_key_file).unwrap();
        let fits = PublicKeys::read(&public).unwrap();

        // a start that ended in between
        fs::remove_file(of("seal.key.pub")).unwrap();
        assert_eq!(filled(), settings);
        assert_eq!(fs::read_to_string(&settings.processor.pseudonym_keys_file).unwrap(), keys);
        assert_eq!(PublicKeys::read(&fs::read_to_string(of("seal.key.pub")).unwrap()).unwrap(), fits);
    }

    #[test]
    fn what_somebody_has_set_stays() {
        let data = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.processor.pseudonym_keys_file = "mine".to_owned();
        settings.seal.public_key_file = "mine.pub".to_owned();
        let before = settings.clone();
        fill_in(&mut settings, data.path()).unwrap();
        assert_eq!(settings, before);
        assert_eq!(fs::read_dir(data.path().join(FOLDER)).unwrap().count(), 0);
    }

    #[test]
    fn what_is_gone_is_not_replaced_in_silence() {
        let data = tempfile::tempdir().unwrap();
        fill_in(&mut Settings::default(), data.path()).unwrap();
        for name in ["pseudonym-keys", "seal.key"] {
            let file = data.path().join(FOLDER).join(name);
            let kept = fs::read(&file).unwrap();
            fs::remove_file(&file).unwrap();
            let refused = fill_in(&mut Settings::default(), data.path()).unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains("gone"), "{refused}");
            assert!(!file.exists());
            fs::write(&file, kept).unwrap();
        }
        fill_in(&mut Settings::default(), data.path()).unwrap();
    }
}
