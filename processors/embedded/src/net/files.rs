//! How many files a process may have open, connections included, and how many it has.

use std::os::fd::RawFd;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How often it is looked how many are open.
const LOOK: Duration = Duration::from_secs(10);
/// How often it is said that there are nearly as many as may be.
const SAY_AGAIN: Duration = Duration::from_secs(600);
/// Of this many hundredths it is said.
const MANY_PERCENT: u64 = 80;

/// What is left for connections of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Plenty,
    /// What is left is for the process itself.
    Few,
    /// Nothing, not even for the moment until another connection is closed.
    None,
}

/// Allows the process as many open files as the system lets it, and says how many that are.
///
/// The usual 1,024 are a limit for programs that use `select`; each connection and each segment of a log takes one.
pub fn allow_all() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        // macOS names no limit and refuses it; it goes up to this one.
        let fallback = Rlimit { current: Some(10_240), maximum: limit.maximum };
        if setrlimit(Resource::Nofile, raised).is_err()
            && limit.current.is_some_and(|current| current < 10_240)
            && let Err(error) = setrlimit(Resource::Nofile, fallback)
        {
            tracing::warn!(%error, "the number of open files stays at its soft limit");
        }
    }
    allowed()
}

/// How many files may be open.
pub fn allowed() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// How many are; none where the system does not tell.
pub fn open() -> Option<u64> {
    let entries = std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd")).ok()?;
    // Looking takes one itself.
    Some((entries.count() as u64).saturating_sub(1))
}

/// How many are left to the process itself when strangers have all others.
pub fn reserve() -> u64 {
    (allowed() / 4).min(1024)
}

/// What is left when the newest file has this number.
pub(crate) fn left_above(file: RawFd) -> Left {
    let (file, allowed, reserve) = (u64::try_from(file).unwrap_or(0), allowed(), reserve());
    match allowed.saturating_sub(file) {
        left if left > reserve => Left::Plenty,
        left if left > reserve / 2 => Left::Few,
        _ => Left::None,
    }
}

/// Whether `more` files can be opened with something left to go on with.
pub(crate) fn have_room_for(more: u64) -> Result<(), String> {
    let (Some(open), allowed) = (open(), allowed()) else { return Ok(()) };
    if open.saturating_add(more).saturating_add(reserve() / 4) <= allowed {
        return Ok(());
    }
    Err(format!(
        "it takes {more} open files, {open} of the {allowed} that this process may have are open; raise the limit of \
         open files (ulimit -n, LimitNOFILE of systemd)"
    ))
}

/// Says when nearly as many files are open as may be, until the runtime ends.
pub async fn watch() {
    let mut said = None;
    loop {
        if let Some(open) = open()
            && is_many(open, allowed())
            && said.is_none_or(|at: tokio::time::Instant| at.elapsed() >= SAY_AGAIN)
        {
            said = Some(tokio::time::Instant::now());
            tracing::warn!(
                open,
                allowed = allowed(),
                "nearly as many files and connections are open as this process may have. Next: connections of others \
                 are refused, those of the roles are not. What you can do: raise the limit (ulimit -n, LimitNOFILE of \
                 systemd), or find out who connects"
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn is_many(open: u64, allowed: u64) -> bool {
    open.saturating_mul(100) >= allowed.saturating_mul(MANY_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted() {
        let before = open().unwrap();
        let _files: Vec<_> = (0..50).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        assert!(open().unwrap() >= before + 40);
        assert!(is_many(80, 100) && !is_many(79, 100));
        assert_eq!(left_above(0), Left::Plenty);
        assert_eq!(
            left_above(i32::try_from(allowed().min(1 << 30)).unwrap()),
            if allowed() > 1 << 30 { Left::Plenty } else { Left::None }
        );
        have_room_for(1).unwrap();
        assert!(have_room_for(allowed()).unwrap_err().contains("ulimit -n"));
    }
}
