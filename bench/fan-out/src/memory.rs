//! Resident memory of this process, from `/proc/self/status`.

/// What it is now, in bytes.
pub fn resident() -> f64 {
    read("VmRSS:")
}

/// The most it has been, in bytes.
pub fn peak() -> f64 {
    read("VmHWM:")
}

fn read(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}
