//! A full disk, told from all else that a system may say no with.

use std::fs::{self, File};
use std::io::{self, Error, ErrorKind, Write as _};
use std::path::Path;

/// The file that [`takes`] writes.
const TRIAL: &str = ".room";

/// Whether there is no room for what was written: on the disk, or within what this user may have of it.
#[must_use]
pub fn is_full(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// An error of something below `folder`, in words: a full disk is called so, with its folder and the bytes that are free.
#[must_use]
pub fn told(folder: &Path, error: &Error) -> String {
    if !is_full(error) {
        return error.to_string();
    }
    let (at, quota) = (folder.display(), error.kind() == ErrorKind::QuotaExceeded);
    match fs4::available_space(folder) {
        // the disk may have room that is not this user's
        Ok(_) if quota => format!("the disk of {at} is full: this user may have no more of it (quota)"),
        Ok(free) => format!("the disk of {at} is full: {free} bytes free"),
        Err(_) => format!("the disk of {at} is full"),
    }
}

/// Writes so many bytes into a file in `folder` and removes it again, to see whether there is room: what is free on the disk
/// says nothing of quotas. What a crash leaves of the file means nothing, and goes with the next try.
///
/// # Errors
/// What the system says, a full disk included.
pub fn takes(folder: &Path, bytes: usize) -> io::Result<()> {
    let path = folder.join(TRIAL);
    let tried = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; bytes])?;
        // where room is only found when the disk itself is written to
        file.sync_data()
    });
    let removed = match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    tried.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_called_so_with_its_folder() {
        let here = Path::new(".");
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
            let text = told(here, &kind.into());
            assert!(is_full(&kind.into()) && text.starts_with("the disk of . is full"), "{text}");
        }
        assert!(told(here, &ErrorKind::StorageFull.into()).ends_with("bytes free"));
        assert!(told(Path::new("/no/such/folder"), &ErrorKind::StorageFull.into()).contains("is full"));
        let dir = tempfile::tempdir().unwrap();
        takes(dir.path(), 100_000).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left of it");
        assert_eq!(takes(Path::new("/no/such/folder"), 1).unwrap_err().kind(), ErrorKind::NotFound);
        let broken = Error::other("broken");
        assert!(!is_full(&broken) && told(here, &broken) == "broken");
    }
}
