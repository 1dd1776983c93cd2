//! What was done to names, in order: recorded by this crate's own tests, and by nobody else.

/// Something that was done to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It was made.
    Make,
    /// It was given to another file or folder.
    Rename,
    /// It was removed.
    Remove,
    /// The folder was synced.
    Sync,
}

#[cfg(not(test))]
pub(crate) fn note(_step: Step, _path: &std::path::Path) {}

#[cfg(test)]
pub(crate) use recording::{note, recorded};

#[cfg(test)]
mod recording {
    //! The recording, one a thread: tests run beside each other.

    use std::cell::RefCell;
    use std::path::{Path, PathBuf};

    use super::Step;

    thread_local! {
        static STEPS: RefCell<Vec<(Step, PathBuf)>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn note(step: Step, path: &Path) {
        STEPS.with_borrow_mut(|steps| steps.push((step, path.to_owned())));
    }

    /// What this thread has done since it was asked last.
    pub(crate) fn recorded() -> Vec<(Step, PathBuf)> {
        STEPS.with_borrow_mut(std::mem::take)
    }
}
