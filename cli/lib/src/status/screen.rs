//! The live status as lines of text, for any size of terminal.

use std::time::Instant;

use jiff::Timestamp;

use super::scrape::Window;
use super::{Report, Role};
use crate::{foreign, output};

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// What Kafka and the tables said last.
pub struct Known {
    /// What they said.
    pub report: Report,
    /// When.
    pub at: Instant,
    /// Why they say nothing now, if they do not.
    pub fault: Option<String>,
}

/// From this width on there is room for what is nice to know.
const WIDE: usize = 120;
/// How many lines of trouble are shown at most.
const MOST_TROUBLES: usize = 6;

/// A table: its heading and its rows, the first cell to the left, the others to the right.
struct Block {
    rows: Vec<Vec<String>>,
    /// Rows that may be left out, from this one on, when there are too many lines.
    may_shrink: bool,
}

/// All lines, none longer than the terminal is wide, and no more than it is high.
pub fn render(known: &Known, window: &Window, size: Size) -> Vec<String> {
    let is_wide = size.width >= WIDE;
    let mut blocks = vec![roles(known, window)];
    let processors: Vec<&Role> =
        known.report.roles.iter().filter(|role| role.role.ends_with(".processor")).collect();
    if window.answering > 0 {
        blocks.push(commands(&processors, window));
        blocks.push(transactions(&processors, window));
        blocks.push(totals(&known.report.roles, window, is_wide));
        blocks.push(partitions(window, is_wide));
    }
    let mut lines = head(known, window);
    lines.extend(troubles(known, window));
    let fixed: usize =
        blocks.iter().filter(|block| !block.may_shrink).map(|block| block.rows.len() + 1).sum();
    let room = size.height.saturating_sub(lines.len() + fixed + 2);
    for block in blocks {
        lines.push(String::new());
        let left_out = if block.may_shrink { block.rows.len().saturating_sub(room.max(3)) } else { 0 };
        let shown = block.rows.len() - left_out;
        lines.extend(aligned(&block.rows[..shown]));
        if left_out > 0 {
            lines.push(format!("… and {left_out} more"));
        }
    }
    lines.truncate(size.height);
    lines.into_iter().map(|line| foreign::cut(&line, size.width)).collect()
}

fn head(known: &Known, window: &Window) -> Vec<String> {
    let verdict = if known.report.healthy { "healthy" } else { "NOT healthy" };
    let now = Timestamp::now().strftime("%H:%M:%S UTC");
    let mut lines = vec![format!("millrace status: {verdict}    {now}    Ctrl-C ends")];
    let asked = match &known.fault {
        None => format!("Kafka and tables {} s ago", known.at.elapsed().as_secs()),
        Some(fault) => {
            format!("Kafka and tables {} s ago, and not now: {fault}", known.at.elapsed().as_secs())
        }
    };
    lines.push(match window.answering + window.silent.len() {
        0 => format!("{asked}; no process is asked: --processes HOST:PORT,… names them"),
        all => {
            let ready = window.sum("millrace_ready", &[]).unwrap_or(0.0);
            let cpu = window.rate("process_cpu_seconds_total", &[]).map(|it| format!(", {it:.2} CPU"));
            let memory = window.sum("process_resident_memory_bytes", &[]);
            let memory = memory.map(|it| format!(", {} MB", output::number(it as u64 / 1_000_000)));
            format!(
                "{} of {all} processes answer, {ready} ready{}{}; {asked}",
                window.answering,
                cpu.unwrap_or_default(),
                memory.unwrap_or_default()
            )
        }
    });
    lines
}

/// What somebody should look at, the longest first.
fn troubles(known: &Known, window: &Window) -> Vec<String> {
    let mut found: Vec<(f64, String)> = Vec::new();
    for (address, why) in &window.silent {
        found.push((f64::MAX, format!("{address} does not answer: {why}")));
    }
    for trouble in &window.troubles {
        let place = if trouble.partition < 0 { String::new() } else { format!(" {}", trouble.partition) };
        let text =
            format!("{}{place}, for {}: {}", trouble.role, seconds(trouble.since_seconds), trouble.detail);
        found.push((trouble.since_seconds, text));
    }
    for (labels, stuck) in window.each("millrace_stable_offset_stuck_seconds") {
        if stuck >= 5.0 {
            let of = |name: &str| labels.get(name).map_or("", String::as_str);
            let text = format!(
                "{} {}: committed reads have stood still for {}, a transaction is open; who writes there: {}",
                of("topic"),
                of("partition"),
                seconds(stuck),
                of("holder")
            );
            found.push((stuck, text));
        }
    }
    for role in &known.report.roles {
        let waits = [
            (&role.waiting_processes, "process(es) wait for a dead step, the longest: command"),
            (&role.waiting_keys, "key(s) wait behind a dead command, the longest: key"),
        ];
        for (names, what) in waits {
            if let Some(first) = names.first() {
                found.push((0.0, format!("{}: {} {what} {first}", role.role, names.len())));
            }
        }
    }
    for deviation in &known.report.topics {
        found.push((if deviation.stops { f64::MAX } else { 0.0 }, deviation.to_string()));
    }
    let report = &known.report;
    found.extend(report.transactions.iter().map(|it| (f64::MAX, it.line())));
    found.extend(report.tables.iter().map(|it| (if it.stops { f64::MAX } else { 0.0 }, it.line())));
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let count = found.len();
    let mut lines: Vec<String> =
        found.into_iter().take(MOST_TROUBLES).map(|(_, text)| format!("! {text}")).collect();
    if count > MOST_TROUBLES {
        lines.push(format!("! … and {} more", count - MOST_TROUBLES));
    }
    lines
}

/// Who is there, and how far behind: what the processes measure, and where none is asked, what
/// Kafka says.
fn roles(known: &Known, window: &Window) -> Block {
    let mut rows = vec![texts(&["role", "members", "parts", "done/s", "behind", "oldest", "dead"])];
    for role in &known.report.roles {
        let of = [("role", role.role.as_str())];
        let behind = window.sum("millrace_lag_records", &of).unwrap_or(role.lag_records as f64);
        let oldest = window.max("millrace_lag_seconds", &of).unwrap_or(role.lag_seconds);
        let mut row = vec![
            role.role.clone(),
            if role.members == 0 { "nobody".to_owned() } else { role.members.to_string() },
            role.partitions.to_string(),
            per_second(window.rate("millrace_records_total", &of)),
            count(behind),
            seconds(oldest),
            if role.dead_letters == 0 { "-".to_owned() } else { output::number(role.dead_letters as u64) },
        ];
        if !role.healthy {
            row.push(role.verdict().trim().to_owned());
        }
        rows.push(row);
    }
    Block { rows, may_shrink: false }
}

fn commands(processors: &[&Role], window: &Window) -> Block {
    let results = ["accepted", "rejected", "begun", "duplicate", "dead"];
    let mut rows = vec![texts(&[&["commands/s"][..], &results[..]].concat())];
    for role in processors {
        let rate = |result: &&str| {
            let of = [("role", role.role.as_str()), ("result", *result)];
            per_second(window.rate("millrace_commands_total", &of).or(Some(0.0)))
        };
        rows.push([vec![role.role.clone()], results.iter().map(rate).collect()].concat());
    }
    Block { rows, may_shrink: false }
}

fn transactions(processors: &[&Role], window: &Window) -> Block {
    let mut rows =
        vec![texts(&["transactions, ms, 50/99 %", "records", "decide", "write", "commit", "waited"])];
    for role in processors {
        let name = role.role.as_str();
        let both = |metric: &str, of: &[(&str, &str)]| {
            let at = |q| window.quantile(metric, of, q);
            match (at(0.5), at(0.99)) {
                (Some(half), Some(most)) => format!("{}/{}", short(half), short(most)),
                _ => "-".to_owned(),
            }
        };
        let phase = |phase| both("millrace_transaction_seconds", &[("role", name), ("phase", phase)]);
        let records = window.mean("millrace_batch_records", &[("role", name)]);
        rows.push(vec![
            role.role.clone(),
            records.map_or("-".to_owned(), |mean| format!("{mean:.1}")),
            phase("decide"),
            phase("write"),
            phase("commit"),
            both("millrace_command_seconds", &[("role", name)]),
        ]);
    }
    Block { rows, may_shrink: false }
}

/// What has happened since the processes started.
fn totals(roles: &[Role], window: &Window, is_wide: bool) -> Block {
    let mut heads = vec!["since start", "rebalanced", "lost", "faults", "dead", "rows/s", "row ms"];
    if is_wide {
        heads.extend(["aggregates", "open", "in hand", "on disk MB"]);
    }
    let mut rows = vec![texts(&heads)];
    for role in roles {
        let of = [("role", role.role.as_str())];
        let sum = |name: &str| count(window.sum(name, &of).unwrap_or(0.0));
        let lost = [("role", role.role.as_str()), ("event", "lost")];
        let mut row = vec![
            role.role.clone(),
            sum("millrace_rebalances_total"),
            count(window.sum("millrace_rebalances_total", &lost).unwrap_or(0.0)),
            sum("millrace_faults_total"),
            sum("millrace_dead_letters_total"),
            window.rate("millrace_rows_total", &of).map_or("-".to_owned(), |rate| per_second(Some(rate))),
            window.quantile("millrace_rows_seconds", &of, 0.5).map_or("-".to_owned(), short),
        ];
        if is_wide {
            row.push(window.sum("millrace_aggregates", &of).map_or("-".to_owned(), count));
            row.push(window.sum("millrace_open_processes", &of).map_or("-".to_owned(), count));
            row.push(sum("millrace_in_hand_records"));
            let bytes = window.sum("millrace_store_bytes", &of);
            row.push(bytes.map_or("-".to_owned(), |bytes| format!("{:.1}", bytes / 1_000_000.0)));
        }
        rows.push(row);
    }
    Block { rows, may_shrink: false }
}

/// Every partition, those first that are not as they should be.
fn partitions(window: &Window, is_wide: bool) -> Block {
    let mut heads = vec!["partition", "state", "done/s", "behind", "oldest"];
    if is_wide {
        heads.extend(["in hand", "restored", "aggregates"]);
    }
    heads.push("note");
    let mut found: Vec<(f64, Vec<String>)> = Vec::new();
    for role in window.values("millrace_records_total", &[], "role") {
        for partition in window.values("millrace_lag_seconds", &[("role", &role)], "partition") {
            let of = [("role", role.as_str()), ("partition", partition.as_str())];
            let sum = |name: &str| window.sum(name, &of).unwrap_or(0.0);
            let is_running = sum("millrace_lane_running") > 0.0;
            let is_faulted = sum("millrace_lane_faulted_seconds") > 0.0;
            let (left, oldest) = (sum("millrace_restore_left_records"), sum("millrace_lag_seconds"));
            let (state, weight) = match (is_faulted, is_running) {
                (true, _) => ("faulted", 1e12),
                (false, true) => ("running", 0.0),
                (false, false) if left > 0.0 => ("restoring", 1e9),
                (false, false) => ("starting", 1e9),
            };
            let behind = window.sum("millrace_lag_records", &of);
            let mut row = vec![
                format!("{role} {partition}"),
                state.to_owned(),
                per_second(window.rate("millrace_records_total", &of)),
                behind.map_or("?".to_owned(), count),
                seconds(oldest),
            ];
            if is_wide {
                row.push(count(sum("millrace_in_hand_records")));
                row.push(count(sum("millrace_restore_read_records")));
                row.push(window.sum("millrace_aggregates", &of).map_or("-".to_owned(), count));
            }
            row.push(match window.first_that_is("millrace_paused", &of, "why") {
                _ if left > 0.0 => format!("{} records to restore", count(left)),
                Some(why) => format!("waits: {why}"),
                None => String::new(),
            });
            found.push((weight + oldest, row));
        }
    }
    // equal ones stay in their order
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut rows = vec![texts(&heads)];
    rows.extend(found.into_iter().map(|(_, row)| row));
    Block { rows, may_shrink: true }
}

fn texts(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

/// Names to the left and numbers to the right; what follows the heading's last column is a note.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let cells = |row: &Vec<String>| row.iter().map(|cell| foreign::cut(cell, output::WIDEST_CELL)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let Some(heads) = rows.first() else { return Vec::new() };
    let is_note = |at: usize| at >= heads.len() || (at > 0 && matches!(heads[at].as_str(), "note" | "state"));
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|it| foreign::width(it)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let padding = " ".repeat(widths[at] - foreign::width(cell));
            if at > 0 {
                line.push_str("  ");
            }
            match at == 0 || is_note(at) {
                true => line.extend([cell.as_str(), &padding]),
                false => line.extend([&padding, cell.as_str()]),
            }
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn count(value: f64) -> String {
    output::number(value.max(0.0).round() as u64)
}

fn per_second(rate: Option<f64>) -> String {
    match rate {
        None => "-".to_owned(),
        Some(rate) if rate > 0.0 && rate < 10.0 => format!("{rate:.1}"),
        Some(rate) => count(rate),
    }
}

/// A time of seconds or more.
fn seconds(value: f64) -> String {
    match value {
        value if value < 100.0 => format!("{value:.1} s"),
        value if value < 6_000.0 => format!("{:.0} min", value / 60.0),
        value => format!("{:.1} h", value / 3_600.0),
    }
}

/// A time of milliseconds, without its unit while it is one of those.
fn short(value: f64) -> String {
    match value * 1_000.0 {
        ms if ms < 10.0 => format!("{ms:.1}"),
        ms if ms < 1_000.0 => format!("{ms:.0}"),
        ms => format!("{:.1}s", ms / 1_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scrape::tests::look;
    use super::*;

    fn known() -> Known {
        let role = |role: &str, members| Role {
            role: role.to_owned(),
            group: role.to_owned(),
            members,
            partitions: 2,
            lag_records: 7,
            lag_seconds: 0.5,
            healthy: members > 0,
            tables: None,
            dead_letters: 3,
            waiting_processes: Vec::new(),
            waiting_keys: vec!["ann".to_owned()],
        };
        let roles = vec![role("chirp.processor", 1), role("chirp.projector.timelines", 0)];
        let report = Report { roles, ..Report::default() };
        Known { report, at: Instant::now(), fault: None }
    }

    fn window(partitions: usize) -> Window {
        let (start, role) = (Instant::now(), "role=\"chirp.processor\"");
        let text = |done: usize| {
            let mut text = format!(
                "millrace_ready 1\nmillrace_commands_total{{{role},result=\"accepted\",type=\"X\"}} {done}\n"
            );
            for partition in 0..partitions {
                let of = format!("{{{role},partition=\"{partition}\"}}");
                text += &format!("millrace_records_total{of} {done}\nmillrace_lag_seconds{of} 1\n");
                text += &format!("millrace_lane_running{of} {}\n", u8::from(partition != 3));
                text += &format!("millrace_lag_records{of} 1200\n");
            }
            text
        };
        Window::between(Some(&look(start, 0, &text(0))), &look(start, 2, &text(2_400)))
    }

    #[test]
    fn rates_lags_and_what_waits_are_shown() {
        let lines = render(&known(), &window(2), Size { width: 160, height: 60 }).join("\n");
        for part in [
            "NOT healthy",
            "1 of 1 processes answer, 1 ready",
            "NOBODY IS THERE",
            "1,200",
            "2,400",
            "key ann",
        ] {
            assert!(lines.contains(part), "{part} is missing:\n{lines}");
        }
    }

    #[test]
    fn without_processes_it_says_how_to_name_them() {
        let mut none = Window::between(None, &look(Instant::now(), 0, ""));
        none.answering = 0;
        let lines = render(&known(), &none, Size { width: 80, height: 24 }).join("\n");
        assert!(lines.contains("--processes") && lines.contains("chirp.processor"), "{lines}");
    }

    #[test]
    fn nothing_is_wider_or_higher_than_the_terminal() {
        for (width, height) in [(80, 24), (40, 10), (160, 50), (1, 1)] {
            let lines = render(&known(), &window(64), Size { width, height });
            assert!(lines.len() <= height, "{} lines in {height}", lines.len());
            let widest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(widest <= width, "{widest} columns in {width}:\n{}", lines.join("\n"));
        }
        let lines = render(&known(), &window(64), Size { width: 100, height: 40 });
        let first = lines.iter().skip_while(|line| !line.starts_with("partition ")).nth(1);
        let first = first.unwrap_or_else(|| panic!("no partition is shown:\n{}", lines.join("\n")));
        assert!(
            first.starts_with("chirp.processor 3 ") && first.contains("starting"),
            "the odd one first: {first}"
        );
        assert!(lines.iter().any(|line| line.contains("more")), "what has no room is counted");
    }
}
