//! The short form of `make chaos`: every kind of fault at least once, under a light load. `make test-long` runs the long one.

use std::time::Duration;

use millrace_blackbox::chaos::{Kind, Plan, run};

#[test]
fn nothing_is_lost_and_nothing_is_there_twice_whatever_breaks() {
    // One seed, so that a failure can be dealt again; `make chaos` takes another one each time.
    let plan = Plan {
        length: Duration::from_secs(45),
        servers: &Kind::SERVER_KILLS,
        seed: 4,
        accounting_rate: 60,
        chirp_rate: 12,
        http_rate: 12,
        suite_rate: 18,
    };
    let report = run(&plan).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{}", report.text);
}
