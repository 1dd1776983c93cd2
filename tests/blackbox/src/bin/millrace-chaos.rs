//! `make chaos`: steady load on real servers while processes and servers are killed, frozen, scaled and restarted.
//!
//! `MINUTES` or `SECONDS` say for how long, `SEED` which faults come in which order, `RATE` how many accounting commands
//! come a second. Exit code 1 when anything is wrong.

use std::env;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_blackbox::chaos::{self, Plan};

fn main() -> ExitCode {
    match plan().map(|plan| chaos::run(&plan)) {
        Ok(Ok(report)) => {
            println!("\n{}", report.text);
            ExitCode::SUCCESS
        }
        Ok(Err(failure)) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
        Err(wrong) => {
            eprintln!("error: {wrong}");
            ExitCode::from(2)
        }
    }
}

fn plan() -> Result<Plan, String> {
    let seconds = match number("SECONDS")? {
        Some(seconds) => seconds,
        None => number("MINUTES")?.unwrap_or(10) * 60,
    };
    // Another one each time, printed, so that a failure can be dealt again.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(Plan {
        length: Duration::from_secs(seconds),
        seed: number("SEED")?.unwrap_or(now % 1_000_000),
        accounting_rate: number("RATE")?.unwrap_or(300) as u32,
        chirp_rate: 50,
    })
}

fn number(name: &str) -> Result<Option<u64>, String> {
    match env::var(name) {
        Ok(text) if !text.is_empty() => {
            text.parse().map(Some).map_err(|_| format!("{name} must be a whole number, not `{text}`"))
        }
        _ => Ok(None),
    }
}
