//! Progress on a terminal, and the wait until the tables show what was loaded.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use millrace_kernel::Position;
use millrace_ports::ViewStore;
use millrace_runtime::progress::{Progress, WaitError, read_progress, wait_until};

use crate::error::CliError;

/// How often the bar moves while the tables are filled.
const LOOK: Duration = Duration::from_millis(100);

/// A progress bar for so many of something, when a terminal shows it.
pub fn bar(total: Option<u64>, what: &str) -> ProgressBar {
    let template = match total {
        Some(_) => format!("{{bar:30}} {{human_pos}} of {{human_len}} {what}, {{eta}} left"),
        None => format!("{{spinner}} {{human_pos}} {what}, {{rate}}"),
    };
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10))
        .with_style(style.with_key("rate", rate))
}

/// Waits until the rows that follow from `positions` are visible, as long as the projection moves.
///
/// # Errors
/// It has not moved for `timeout`, or the store does not answer.
pub fn until_visible(
    store: &dyn ViewStore,
    projection: &str,
    positions: &[Position],
    timeout: Duration,
) -> Result<(), CliError> {
    let total: i64 = positions.iter().map(|position| position.offset + 1).sum();
    // what was there before this load is no progress of it
    let before = how_far(&read_progress(store, projection)?, positions);
    let bar = bar(Some((total - before).unsigned_abs()), "are in the tables");
    let mut moved = Instant::now();
    let mut reached = before;
    loop {
        let waited = wait_until(store, projection, positions, LOOK);
        match waited {
            Ok(()) => {
                bar.finish_and_clear();
                return Ok(());
            }
            Err(WaitError::TimedOut { .. }) if moved.elapsed() < timeout => {}
            Err(error) => {
                bar.finish_and_clear();
                return Err(error.into());
            }
        }
        let now = how_far(&read_progress(store, projection)?, positions);
        if now > reached {
            reached = now;
            moved = Instant::now();
            bar.set_position((now - before).unsigned_abs());
        }
    }
}

/// How many of the offsets up to `positions` the projection has passed.
fn how_far(progress: &[Progress], positions: &[Position]) -> i64 {
    let passed = |position: &Position| {
        let found = progress.iter().find(|progress| progress.partition == position.partition);
        let reached = found.map_or(-1, |progress| match position.topic.ends_with(".steps") {
            true => progress.steps_offset,
            false => progress.commands_offset,
        });
        reached.min(position.offset) + 1
    };
    positions.iter().map(passed).sum()
}
