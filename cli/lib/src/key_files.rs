//! Files of keys and secrets: made once, for nobody else to read.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// The mode of a file that is its owner's alone.
pub const PRIVATE: u32 = 0o600;
/// The mode of a file that everybody may read.
pub const PUBLIC: u32 = 0o644;

/// The file of the public key beside that of a private one: `FILE.pub`.
#[must_use]
pub fn public_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

/// Makes a file that was not there before; `taken` is the way out where it was.
///
/// # Errors
/// It is there already, or cannot be written.
pub fn create(file: &Path, mode: u32, bytes: &[u8], taken: &str) -> Result<(), CliError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(file);
    let written = made
        .and_then(|mut opened| opened.write_all(bytes).and_then(|()| opened.sync_all()))
        .and_then(|()| millrace_disk::sync_name(file));
    written.map_err(|error| {
        let failed = CliError::failed(format!("{}: {error}", file.display()));
        match error.kind() {
            ErrorKind::AlreadyExists => failed.hint(taken),
            _ => failed,
        }
    })
}

/// Makes a file of this mode at one stroke, unless it is there.
///
/// # Errors
/// What the system says.
pub fn keep(file: &Path, mode: u32, bytes: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<()> {
    if file.try_exists()? {
        return Ok(());
    }
    let draft = millrace_disk::draft_of(file);
    let mut opened = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
    // a draft that an earlier start has left may have another
    opened.set_permissions(Permissions::from_mode(mode))?;
    opened.write_all(&bytes()?)?;
    opened.sync_all()?;
    millrace_disk::rename(&draft, file)
}

/// What stands in a file that nobody else may read; `setting` says who has named it.
///
/// # Errors
/// It cannot be read, or others can.
pub fn read_private(setting: &str, file: &str) -> Result<String, CliError> {
    let failed = |why: String| CliError::failed(format!("{setting}: {file}: {why}"));
    let mode = fs::metadata(file).map_err(|error| failed(error.to_string()))?.permissions().mode();
    if mode & 0o077 != 0 {
        let why = format!("others can read or write it (mode {:04o}), and it holds secrets", mode & 0o7777);
        return Err(failed(why).hint(format!("`chmod 600 {file}` keeps it for this user alone.")));
    }
    fs::read_to_string(file).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        create(&file, PRIVATE, b"one", "").unwrap();
        assert_eq!(mode(&file), 0o600);
        let error = create(&file, PRIVATE, b"two", "Leave it.").unwrap_err().to_string();
        assert!(error.contains("Leave it."), "{error}");
        assert_eq!(public_of(&file), folder.path().join("key.pub"));
        keep(&file, PRIVATE, || panic!("it is there")).unwrap();

        let kept = folder.path().join("kept");
        fs::write(millrace_disk::draft_of(&kept), "what an earlier start has left").unwrap();
        keep(&kept, PRIVATE, || Ok(b"three".to_vec())).unwrap();
        assert_eq!((fs::read_to_string(&kept).unwrap().as_str(), mode(&kept)), ("three", 0o600));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn what_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets");
        fs::write(&file, "hunter2").unwrap();
        let name = file.display().to_string();
        for (mode, is_private) in
            [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)]
        {
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            match read_private("some.file", &name) {
                Ok(text) => assert!(is_private && text == "hunter2", "{mode:o}"),
                Err(error) => {
                    let said = error.to_string();
                    assert!(!is_private && said.contains("chmod 600") && !said.contains("hunter2"), "{said}");
                }
            }
        }
        assert!(read_private("some.file", "nowhere").unwrap_err().to_string().contains("some.file: nowhere"));
    }
}
