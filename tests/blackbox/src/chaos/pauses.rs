//! Which fault cost whom how much: the pauses in the outcomes, laid beside the faults.

use std::fmt::Write as _;
use std::time::Duration;

use super::Kind;

/// A fault is blamed for pauses that begin before it has healed, or so long after: sessions run out, partitions move back.
const AFTERMATH: Duration = Duration::from_secs(8);

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
    /// The longest pause that this fault may have caused.
    pub fn pause(&self, gaps: &[Gap]) -> Duration {
        self.worst(gaps).map(|(pause, _)| pause).unwrap_or_default()
    }

    /// The same with its partition.
    fn worst(&self, gaps: &[Gap]) -> Option<(Duration, i64)> {
        let blamed = gaps.iter().filter(|gap| gap.end > self.begin && gap.begin < self.end + AFTERMATH);
        // What was silent before is not this fault's doing.
        blamed.map(|gap| (gap.end - gap.begin.max(self.begin), gap.partition)).max()
    }

    /// Whether no other fault was near enough to share the blame.
    pub fn is_alone(&self, faults: &[Self]) -> bool {
        let near = |other: &&Self| other.begin < self.end + AFTERMATH && self.begin < other.end + AFTERMATH;
        // Itself is the one.
        faults.iter().filter(near).count() == 1
    }
}

/// A line for each fault: when, how long until it had healed, and the longest pause of a partition.
pub fn table(faults: &[Injected], gaps: &[Gap]) -> String {
    let mut rows: Vec<&Injected> = faults.iter().collect();
    rows.sort_by_key(|fault| fault.begin);
    let mut text = String::from(
        "| at | fault | whom | healed after | longest pause of a partition | alone |\n|--:|---|---|--:|--:|---|\n",
    );
    for fault in rows {
        let alone = if fault.is_alone(faults) { "yes" } else { "" };
        let pause = match fault.worst(gaps) {
            Some((pause, partition)) => format!("{} (partition {partition})", seconds(Some(pause))),
            None => seconds(Some(Duration::ZERO)),
        };
        let _ = writeln!(
            text,
            "| {:.1} s | {} | {} | {:.1} s | {pause} | {alone} |",
            fault.begin.as_secs_f64(),
            fault.kind,
            fault.target,
            (fault.end - fault.begin).as_secs_f64(),
        );
    }
    text
}

/// A line for each kind: how often, and its pauses, once over all and once over those that no other fault overlapped.
pub fn summary(faults: &[Injected], gaps: &[Gap]) -> String {
    let mut kinds: Vec<Kind> = faults.iter().map(|fault| fault.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut text = String::from(
        "| fault | times | pause, median | pause, longest | longest when alone |\n|---|--:|--:|--:|--:|\n",
    );
    for kind in kinds {
        let of_kind: Vec<&Injected> = faults.iter().filter(|fault| fault.kind == kind).collect();
        let mut pauses: Vec<Duration> = of_kind.iter().map(|fault| fault.pause(gaps)).collect();
        pauses.sort_unstable();
        let alone =
            of_kind.iter().filter(|fault| fault.is_alone(faults)).map(|fault| fault.pause(gaps)).max();
        let _ = writeln!(
            text,
            "| {kind} | {} | {} | {} | {} |",
            pauses.len(),
            seconds(Some(pauses[pauses.len() / 2])),
            seconds(pauses.last().copied()),
            seconds(alone),
        );
    }
    text
}

/// Shorter pauses than half a second are not noted, so that they read as what is known of them.
fn seconds(pause: Option<Duration>) -> String {
    match pause {
        None => "–".to_owned(),
        Some(pause) if pause.is_zero() => "< 0.5 s".to_owned(),
        Some(pause) => format!("{:.1} s", pause.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(begin: u64, end: u64) -> Injected {
        let seconds = Duration::from_secs;
        Injected {
            kind: Kind::KillBroker,
            target: "broker".to_owned(),
            begin: seconds(begin),
            end: seconds(end),
        }
    }

    fn gap(begin: u64, end: u64) -> Gap {
        Gap { partition: 0, begin: Duration::from_secs(begin), end: Duration::from_secs(end) }
    }

    #[test]
    fn a_fault_is_blamed_for_what_it_may_have_caused_and_nothing_else() {
        let (first, second) = (fault(10, 12), fault(40, 45));
        let gaps = [gap(2, 5), gap(9, 16), gap(13, 15), gap(41, 42)];
        assert_eq!(first.pause(&gaps), Duration::from_secs(6), "from its beginning on");
        assert_eq!(second.pause(&gaps), Duration::from_secs(1));
        assert_eq!(fault(60, 61).pause(&gaps), Duration::ZERO);
        let all = [first.clone(), second.clone()];
        assert!(first.is_alone(&all) && second.is_alone(&all));
        assert!(!first.is_alone(&[first.clone(), fault(15, 16)]));
        assert!(summary(&all, &gaps).contains("| broker kill -9 | 2 | 6.0 s | 6.0 s | 6.0 s |"));
        assert_eq!(table(&all, &gaps).lines().count(), 4);
    }
}
