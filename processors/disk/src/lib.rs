//! Files and folders whose names survive a loss of power, and data that is set aside instead of deleted.
//!
//! A name is only on the disk once the folder that holds it was synced: without that, a loss of power can
//! bring back a file that was replaced or removed, or take away one that was made. Everything here that
//! makes, renames or removes a name syncs its folder before it returns, caches excepted. Other crates of this project use
//! these functions for that and not `std::fs`; `cli/tests/tidy.rs` fails when one does not.
//!
//! Functions are named for what they do to names. None of them syncs the content of a file that somebody
//! else wrote; [`replace`] syncs what it writes itself.

/// The mode of a folder that is nobody else's.
pub const PRIVATE: u32 = 0o700;

mod room;
mod trace;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

pub use room::{is_full, takes, told};
use trace::{Step, note};

/// Brings the names in `folder` to the disk.
///
/// # Errors
/// What the system says; what was done to names in the folder may then be undone by a loss of power.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // The parent of a relative name of one part is the empty path: the folder the process is in.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    note(Step::Sync, folder);
    File::open(folder)?.sync_all()
}

/// Brings the name `path` itself to the disk: syncs the folder that holds it.
///
/// # Errors
/// As [`sync_folder`].
pub fn sync_name(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes a folder and those above it, as far as they are missing.
///
/// # Errors
/// What the system says.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent() {
        make_folder(above)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => return Ok(()),
        made => made?,
    }
    note(Step::Make, folder);
    sync_name(folder)
}

/// As [`make_folder`], and only those whom `mode` names may enter it, whoever made it: what lies in it is as private,
/// whatever the files in it say. Folders above it are as the process makes them.
///
/// # Errors
/// As [`make_folder`]; or the folder is another's, whose mode cannot be changed.
pub fn make_folder_for(folder: &Path, mode: u32) -> io::Result<()> {
    if let Some(above) = folder.parent() {
        make_folder(above)?;
    }
    match fs::DirBuilder::new().mode(mode).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => {
            made?;
            note(Step::Make, folder);
            sync_name(folder)?;
        }
    }
    // One that was there may be of an earlier build, and what the process lets others do is taken off a new one.
    if fs::metadata(folder)?.permissions().mode() & 0o7777 != mode {
        fs::set_permissions(folder, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Opens a file to read and append, and makes it when it is missing.
///
/// # Errors
/// What the system says. A file that was made but whose name could not be synced is removed again.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    open_or_make(path, &options)
}

/// Opens a file to read and write anywhere in it, and makes it when it is missing.
///
/// # Errors
/// As [`open_to_append`].
pub fn open_to_write(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    open_or_make(path, &options)
}

fn open_or_make(path: &Path, options: &OpenOptions) -> io::Result<File> {
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            note(Step::Make, path);
            if let Err(error) = sync_name(path) {
                // It is empty. Left behind, it would pass for one that somebody began.
                let _ = fs::remove_file(path);
                return Err(error);
            }
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => options.open(path),
        Err(error) => Err(error),
    }
}

/// Puts `bytes` into the file `path` as a whole: after a crash it holds the old content or the new, also
/// after a loss of power. They are written to `<path>.new` first.
///
/// # Errors
/// What the system says. The file then has its old content or, when only the sync of its folder failed,
/// the new one.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(path);
    let mut file = File::create(&draft)?;
    note(Step::Make, &draft);
    file.write_all(bytes)?;
    file.sync_all()?;
    rename(&draft, path)
}

/// As [`replace`], for what can be made again from other files: neither content nor name is brought to the
/// disk, so after a loss of power the file may be damaged, or be an earlier one. Whoever reads it checks it.
///
/// # Errors
/// As [`replace`].
pub fn replace_cache(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(path);
    File::create(&draft)?.write_all(bytes)?;
    fs::rename(&draft, path)
}

/// Removes a file that can be made again, as [`replace_cache`] writes one; one that is not there is well.
/// A loss of power may bring it back.
///
/// # Errors
/// What the system says.
pub fn remove_cache(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The name under which [`replace`] writes: what is found there was not finished.
#[must_use]
pub fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Renames a file or a folder, over a file of that name if there is one.
///
/// # Errors
/// What the system says. When only a sync failed, the name is the new one.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    note(Step::Rename, to);
    sync_name(to)?;
    if from.parent() == to.parent() { Ok(()) } else { sync_name(from) }
}

/// Removes a file; one that is not there is well.
///
/// # Errors
/// What the system says.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            note(Step::Remove, path);
            sync_name(path)
        }
    }
}

/// Removes a folder with everything in it; one that is not there is well.
///
/// # Errors
/// What the system says.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            note(Step::Remove, path);
            sync_name(path)
        }
    }
}

/// Moves a file or a folder into the folder `into` (made when missing, on the same file system), where it
/// gets `name`, or `name.2`, `name.3` … when that is taken: nothing that is there already is replaced.
///
/// # Errors
/// What the system says; where `path` is then is as for [`rename`].
pub fn set_aside(path: &Path, into: &Path, name: &str) -> io::Result<PathBuf> {
    make_folder(into)?;
    let to = free_name(into, name)?;
    rename(path, &to)?;
    Ok(to)
}

/// Keeps a copy of what the file `path` holds from byte `from` on, in the folder `into` under `name` (as
/// [`set_aside`] names it), so that it can be cut off.
///
/// # Errors
/// What the system says; nothing was changed in `path`.
pub fn keep_tail(path: &Path, from: u64, into: &Path, name: &str) -> io::Result<PathBuf> {
    make_folder(into)?;
    let to = free_name(into, name)?;
    let mut source = File::open(path)?;
    source.seek(SeekFrom::Start(from))?;
    let mut copy = OpenOptions::new().write(true).create_new(true).open(&to)?;
    note(Step::Make, &to);
    io::copy(&mut source.take(u64::MAX), &mut copy)?;
    copy.sync_all()?;
    sync_name(&to)?;
    Ok(to)
}

fn free_name(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let first = folder.join(name);
    let others = (2_u32..).map(|number| folder.join(format!("{name}.{number}")));
    for candidate in std::iter::once(first).chain(others) {
        // Also a link that leads nowhere has taken its name.
        match candidate.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(candidate),
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Err(io::Error::other("every name is taken"))
}

#[cfg(test)]
mod tests;
