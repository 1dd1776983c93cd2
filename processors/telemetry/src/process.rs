//! What the system says of this process. Linux only; elsewhere nothing is known.

use std::fs;

/// Ticks in a second of `/proc`, whatever the kernel's own: part of its interface.
const TICKS: f64 = 100.0;
/// Bytes in a kilobyte of `/proc/self/status`.
const KILOBYTE: f64 = 1_024.0;

/// This process, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Process {
    /// Processor time it has taken, in seconds.
    pub(crate) cpu_seconds: Option<f64>,
    /// Memory it holds, in bytes.
    pub(crate) resident_bytes: Option<f64>,
    /// Files it has open, connections included.
    pub(crate) open_files: Option<f64>,
    /// How many it may have open; absent where there is no limit.
    pub(crate) most_files: Option<f64>,
}

pub(crate) fn look() -> Process {
    let read = |path: &str| fs::read_to_string(path).ok();
    Process {
        cpu_seconds: read("/proc/self/stat").as_deref().and_then(cpu_seconds),
        resident_bytes: read("/proc/self/status").as_deref().and_then(resident_bytes),
        // looking takes one itself
        open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1) as f64),
        most_files: read("/proc/self/limits").as_deref().and_then(most_files),
    }
}

/// The name in parentheses may contain anything, so fields are counted from behind it.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS)
}

fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kilobytes * KILOBYTE)
}

/// The soft limit, which is the one that counts.
fn most_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_mislead() {
        let stat = "4242 (mill (race) x) S 1 1 1 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 100 0 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
    }

    #[test]
    fn the_soft_limit_of_open_files_counts() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        assert_eq!(most_files(limits), Some(1024.0));
        assert_eq!(most_files("Max open files  unlimited  unlimited  files\n"), None);
        assert!(look().open_files > Some(2.0));
    }

    #[test]
    fn memory_is_told_in_bytes() {
        assert_eq!(resident_bytes("VmPeak:\t 10 kB\nVmRSS:\t    2048 kB\n"), Some(2_097_152.0));
    }
}
