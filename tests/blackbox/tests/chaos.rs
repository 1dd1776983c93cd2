//! The short form of `make chaos`: ninety seconds of faults, and every kind of them at least once.

use std::time::Duration;

use millrace_blackbox::chaos::{Plan, run};

#[test]
fn nothing_is_lost_and_nothing_is_there_twice_whatever_breaks() {
    // One seed, so that a failure can be dealt again; `make chaos` takes another one each time.
    let plan = Plan { length: Duration::from_secs(90), seed: 4, accounting_rate: 150, chirp_rate: 30 };
    let report = run(&plan).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{}", report.text);
}
