//! `make chaos`: steady load on real servers while processes and servers are killed, frozen, scaled and restarted.
//!
//! `--minutes` or `--seconds` say for how long, `--seed` which faults come in which order, `--rate` how many accounting
//! commands come a second. Exit code 1 when anything is wrong, 2 when it was called wrongly.

use std::env;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_blackbox::chaos::{self, Kind, Plan};

fn main() -> ExitCode {
    let plan = match plan(env::args().skip(1)) {
        Ok(plan) => plan,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return ExitCode::from(2);
        }
    };
    match chaos::run(&plan) {
        Ok(report) => {
            println!("\n{}", report.text);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Ten minutes, and another seed each time, which is printed, so that a failure can be dealt again.
fn plan(mut arguments: impl Iterator<Item = String>) -> Result<Plan, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut plan = Plan {
        length: Duration::from_secs(600),
        servers: &Kind::SERVERS,
        seed: now.as_secs() % 1_000_000,
        accounting_rate: 300,
        chirp_rate: 50,
        http_rate: 30,
        suite_rate: 40,
    };
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let number: u32 = value.parse().map_err(|_| format!("{flag} needs a whole number, not `{value}`"))?;
        match flag.as_str() {
            "--minutes" => plan.length = Duration::from_secs(60 * u64::from(number)),
            "--seconds" => plan.length = Duration::from_secs(number.into()),
            "--seed" => plan.seed = number.into(),
            "--rate" => plan.accounting_rate = number,
            _ => {
                return Err(format!("there is no {flag}; there are --minutes, --seconds, --seed and --rate"));
            }
        }
    }
    Ok(plan)
}
