//! Which fault cost whom how much: the pauses in the outcomes, laid beside the faults.

use std::fmt::Write as _;
use std::time::Duration;

use super::Kind;

/// A fault is blamed for pauses that begin before it has healed, or so long after: partitions move back.
const AFTERMATH: Duration = Duration::from_secs(3);
/// Faults that are nearer to each other than this may have lengthened each other's pauses: sessions run out.
const NEAR: Duration = Duration::from_secs(10);

/// A fault that was injected and has healed.
#[derive(Clone, Debug)]
pub struct Injected {
    /// What it was.
    pub kind: Kind,
    /// Whom it hit.
    pub target: String,
    /// When it began.
    pub begin: Duration,
    /// When everything was there again.
    pub end: Duration,
}

/// A time in which a partition answered nothing, though it was asked.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// The partition.
    pub partition: i64,
    /// When the last outcome before it came.
    pub begin: Duration,
    /// When the first outcome after it came.
    pub end: Duration,
}

impl Injected {
    /// The longest pause that this fault may have caused, and its partition; nothing when a fault that stops more was so
    /// near that the pauses are rather that one's.
    pub fn worst(&self, faults: &[Self], gaps: &[Gap]) -> Option<(Duration, i64)> {
        let near = |other: &Self| other.begin < self.end + NEAR && self.begin < other.end + NEAR;
        if faults.iter().any(|other| other.kind.rank() < self.kind.rank() && near(other)) {
            return None;
        }
        let blamed = gaps.iter().filter(|gap| gap.end > self.begin && gap.begin < self.end + AFTERMATH);
        // What was silent before is not this fault's doing.
        let pauses = blamed.map(|gap| (gap.end - gap.begin.max(self.begin), gap.partition));
        Some(pauses.max().unwrap_or_default())
    }
}

/// A line for each fault: when, how long until it had healed, and the longest pause of a partition.
pub fn table(faults: &[Injected], gaps: &[Gap]) -> String {
    let mut rows: Vec<&Injected> = faults.iter().collect();
    rows.sort_by_key(|fault| fault.begin);
    let mut text =
        String::from("| at | fault | whom | healed after | longest pause |\n|--:|---|---|--:|---|\n");
    for fault in rows {
        let pause = match fault.worst(faults, gaps) {
            None => "hidden by another fault's".to_owned(),
            Some((Duration::ZERO, _)) => seconds(Some(Duration::ZERO)),
            Some((pause, partition)) => format!("{} (partition {partition})", seconds(Some(pause))),
        };
        let _ = writeln!(
            text,
            "| {:.1} s | {} | {} | {:.1} s | {pause} |",
            fault.begin.as_secs_f64(),
            fault.kind,
            fault.target,
            (fault.end - fault.begin).as_secs_f64(),
        );
    }
    text
}

/// A line for each kind: how often it came, how often its pause could be told from others', and how long that was.
pub fn summary(faults: &[Injected], gaps: &[Gap]) -> String {
    let mut kinds: Vec<Kind> = faults.iter().map(|fault| fault.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut text =
        String::from("| fault | times | pauses measured | median | longest |\n|---|--:|--:|--:|--:|\n");
    for kind in kinds {
        let of_kind: Vec<&Injected> = faults.iter().filter(|fault| fault.kind == kind).collect();
        let worst = of_kind.iter().filter_map(|fault| fault.worst(faults, gaps));
        let mut pauses: Vec<Duration> = worst.map(|(pause, _)| pause).collect();
        pauses.sort_unstable();
        let _ = writeln!(
            text,
            "| {kind} | {} | {} | {} | {} |",
            of_kind.len(),
            pauses.len(),
            seconds(pauses.get(pauses.len() / 2).copied()),
            seconds(pauses.last().copied()),
        );
    }
    text
}

/// Shorter pauses than half a second are not noted, so that they read as what is known of them.
fn seconds(pause: Option<Duration>) -> String {
    match pause {
        None => "–".to_owned(),
        Some(Duration::ZERO) => "< 0.5 s".to_owned(),
        Some(pause) => format!("{:.1} s", pause.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: Kind, begin: u64, end: u64) -> Injected {
        let seconds = Duration::from_secs;
        Injected { kind, target: "it".to_owned(), begin: seconds(begin), end: seconds(end) }
    }

    fn gap(begin: u64, end: u64) -> Gap {
        Gap { partition: 3, begin: Duration::from_secs(begin), end: Duration::from_secs(end) }
    }

    #[test]
    fn a_fault_is_blamed_for_what_it_may_have_caused_and_nothing_else() {
        let broker = fault(Kind::KillBroker, 10, 12);
        let later = fault(Kind::KillProcessor, 40, 45);
        let gaps = [gap(2, 5), gap(9, 16), gap(13, 15), gap(41, 42), gap(49, 80)];
        let all = [broker.clone(), later.clone()];
        let pause = |fault: &Injected| fault.worst(&all, &gaps).map(|(pause, _)| pause.as_secs());
        assert_eq!(pause(&broker), Some(6), "from its beginning on");
        assert_eq!(pause(&later), Some(1));
        assert_eq!(pause(&fault(Kind::KillBroker, 90, 91)), Some(0));
        assert_eq!(pause(&fault(Kind::KillProcessor, 13, 14)), None, "hidden by the broker's");
        assert_eq!(pause(&fault(Kind::KillCql, 46, 47)), None, "hidden by the processor's");
        assert!(summary(&all, &gaps).contains("| broker kill -9 | 1 | 1 | 6.0 s | 6.0 s |"));
        assert!(
            table(&all, &gaps).contains("| 10.0 s | broker kill -9 | it | 2.0 s | 6.0 s (partition 3) |")
        );
    }
}
