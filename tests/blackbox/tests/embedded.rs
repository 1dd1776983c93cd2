//! `millrace up`, a foreign client and 20,000 commands, with the whole of it killed in the middle.

use std::time::Instant;

use millrace_blackbox::{Act, Embedded, LATER, Load, SMALL_THRESHOLDS, System, run_load, verify};

#[test]
fn everything_is_as_the_model_predicts_after_a_kill_in_mid_load() {
    let mut system = Embedded::start(SMALL_THRESHOLDS);
    let load = Load::full(&system);
    run_load(&mut system, &load, &[50], |system, _, act| match act {
        Act::Break => system.up.kill9(),
        Act::Mend => {
            let start = Instant::now();
            system.up.restart();
            system.await_ready();
            println!("up again {:?} after the kill", start.elapsed());
        }
    });
    system.cli().wait_caught_up(LATER);
    verify(&system, &load);
}
