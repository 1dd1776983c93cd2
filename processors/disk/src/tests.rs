//! Every change of a name is followed by a sync of its folder, and nothing that is set aside is lost.

use std::fs;
use std::path::Path;

use super::trace::{Step, recorded};
use super::*;

/// Fails unless every name that `act` changed was synced after the change, draft files excepted that were
/// renamed before.
fn is_synced<T>(act: impl FnOnce() -> io::Result<T>) -> T {
    recorded();
    let result = act().unwrap();
    let steps = recorded();
    assert!(!steps.is_empty(), "nothing was done");
    for (at, (step, path)) in steps.iter().enumerate() {
        if *step == Step::Sync {
            continue;
        }
        let folder = path.parent().unwrap();
        let is_synced = steps[at..].iter().any(|(step, synced)| *step == Step::Sync && synced == folder);
        assert!(is_synced, "{step:?} of {} is not synced: {steps:?}", path.display());
    }
    result
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_change_of_a_name_is_synced_before_it_counts() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    is_synced(|| make_folder(&at("a/b/c")));
    is_synced(|| open_to_append(&at("a/log")));
    is_synced(|| open_to_write(&at("a/journal")));
    is_synced(|| replace(&at("a/whole"), b"new"));
    replace_cache(&at("a/cache"), b"new").unwrap();
    is_synced(|| rename(&at("a/whole"), &at("a/b/whole")));
    is_synced(|| keep_tail(&at("a/b/whole"), 1, &at("aside"), "tail"));
    is_synced(|| set_aside(&at("a/cache"), &at("aside"), "cache"));
    is_synced(|| remove_file(&at("a/log")));
    is_synced(|| remove_folder(&at("a")));
    assert_eq!(names(root.path()), ["aside"]);
}

#[test]
fn a_file_that_is_there_is_opened_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log");
    fs::write(&path, b"content").unwrap();
    open_to_append(&path).unwrap().write_all(b" and more").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"content and more");
}

#[test]
fn a_replaced_file_is_never_half_of_anything() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("file");
    replace(&path, b"old").unwrap();
    // A draft that a crash has left is written over.
    fs::write(draft_of(&path), b"left behind, and longer than what comes").unwrap();
    replace(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    // One that cannot be written leaves the old content.
    fs::create_dir(draft_of(&path)).unwrap();
    replace(&path, b"newer").unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn what_is_set_aside_replaces_nothing() {
    let root = tempfile::tempdir().unwrap();
    let aside = root.path().join("aside");
    for content in ["first", "second", "third"] {
        let folder = root.path().join("topic");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("records"), content).unwrap();
        set_aside(&folder, &aside, "topic").unwrap();
    }
    assert_eq!(names(&aside), ["topic", "topic.2", "topic.3"]);
    assert_eq!(fs::read_to_string(aside.join("topic.2/records")).unwrap(), "second");
}

#[test]
fn a_tail_is_kept_byte_by_byte() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("log");
    fs::write(&path, b"good, torn").unwrap();
    let kept = keep_tail(&path, 5, root.path(), "log.from-5").unwrap();
    assert_eq!(fs::read(kept).unwrap(), b" torn");
    assert_eq!(fs::read(path).unwrap(), b"good, torn");
}

#[test]
fn what_is_not_there_is_removed_already() {
    let root = tempfile::tempdir().unwrap();
    remove_file(&root.path().join("none")).unwrap();
    remove_cache(&root.path().join("none")).unwrap();
    remove_folder(&root.path().join("none")).unwrap();
}

#[test]
fn a_private_folder_is_private_also_when_it_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let (new, old) = (dir.path().join("above/new"), dir.path().join("old"));
    is_synced(|| make_folder_for(&new, PRIVATE));
    assert_eq!((mode(&new), mode(&new) == mode(&dir.path().join("above"))), (0o700, false));
    fs::create_dir(&old).unwrap();
    fs::set_permissions(&old, fs::Permissions::from_mode(0o755)).unwrap();
    make_folder_for(&old, 0o750).unwrap();
    assert_eq!(mode(&old), 0o750);
    // Whatever the process takes off what it makes.
    make_folder_for(&dir.path().join("shared"), 0o2775).unwrap();
    assert_eq!(mode(&dir.path().join("shared")), 0o2775);
    fs::write(dir.path().join("file"), "").unwrap();
    make_folder_for(&dir.path().join("file"), PRIVATE).unwrap_err();
}
