//! Time that was spent: by the clock, by the process, and by this thread alone.

use std::time::Instant;

/// A point in time.
pub struct Spent {
    at: Instant,
    process: f64,
    thread: f64,
}

impl Spent {
    pub fn now() -> Self {
        Self {
            at: Instant::now(),
            process: cpu_seconds("/proc/self/stat"),
            thread: cpu_seconds("/proc/thread-self/stat"),
        }
    }

    fn since(&self) -> (f64, f64, f64) {
        let now = Self::now();
        (self.at.elapsed().as_secs_f64(), now.process - self.process, now.thread - self.thread)
    }

    /// For each of `count`, in microseconds.
    pub fn each(&self, count: u64) -> String {
        let (wall, process, thread) = self.since();
        let each = |seconds: f64| seconds * 1e6 / count.max(1) as f64;
        format!("{:.3} µs CPU ({:.3} on the lane), {:.3} elapsed", each(process), each(thread), each(wall))
    }

    /// All of it, in seconds.
    pub fn seconds(&self) -> String {
        let (wall, process, _) = self.since();
        format!("{wall:.2} s, {process:.2} s CPU")
    }
}

/// CPU time so far, in seconds: `man 5 proc`, fields utime and stime of `stat`, which Linux counts
/// in hundredths.
fn cpu_seconds(stat: &str) -> f64 {
    let stat = std::fs::read_to_string(stat).unwrap_or_default();
    // the second field is in parentheses and may hold spaces
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks =
        |index: usize| -> f64 { fields.get(index - 3).and_then(|field| field.parse().ok()).unwrap_or(0.0) };
    (ticks(14) + ticks(15)) / 100.0
}

/// Resident memory of this process, in MB.
pub fn memory_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1e3
}
