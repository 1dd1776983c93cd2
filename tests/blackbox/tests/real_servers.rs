//! Two processors and two projectors on real Kafka, CQL and registry, a foreign client and 20,000 commands; one of
//! each role is killed in the middle and started again.

use millrace_blackbox::{Act, Cluster, LATER, Load, SMALL_THRESHOLDS, System, run_load, verify};

#[test]
fn everything_is_as_the_model_predicts_after_kills_in_mid_load() {
    let mut system = Cluster::start("load", SMALL_THRESHOLDS, 2);
    let load = Load::full(&system);
    run_load(&mut system, &load, &[50], |system, _, act| {
        for role in [&mut system.processors[0], &mut system.projectors[0]] {
            match act {
                Act::Break => role.kill9(),
                Act::Mend => role.restart(),
            }
        }
    });
    system.cli().wait_caught_up(LATER);
    verify(&system, &load);
    for role in system.processors.iter_mut().chain(&mut system.projectors) {
        assert!(role.is_running(), "a role has ended by itself\n{}", role.tail());
    }
}
