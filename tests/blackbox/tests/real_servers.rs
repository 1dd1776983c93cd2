//! Two processors and two projectors on real Kafka, CQL and registry, a foreign client and 20,000 commands; one of
//! each role is killed in the middle and started again.

use millrace_blackbox::{Act, Cluster, LATER, Load, Metrics, SMALL_THRESHOLDS, System, run_load, verify};

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
    tell_the_truth(&system);
    for role in system.processors.iter_mut().chain(&mut system.projectors) {
        assert!(role.is_running(), "a role has ended by itself\n{}", role.tail());
    }
}

/// What the roles say of themselves when all is done; those that were not killed have counted all along.
fn tell_the_truth(system: &Cluster) {
    for role in system.processors.iter().chain(&system.projectors) {
        for nothing in ["millrace_lag_records", "millrace_in_hand_records", "millrace_lane_faulted_seconds"] {
            role.metrics().until(nothing, &[], LATER, |left| left == 0.0);
        }
        role.metrics().until("millrace_healthy", &[], LATER, |healthy| healthy == 1.0);
    }
    let (processor, projector) = (system.processors[1].metrics(), system.projectors[1].metrics());
    let sum = |metrics: &Metrics, name: &str, labels: &[&str]| metrics.sum(name, labels).unwrap_or(0.0);
    let decided = sum(&processor, "millrace_commands_total", &[]);
    let answered = sum(&processor, "millrace_outcomes_total", &[]);
    // there may be more answers: to registrations whose command a killed one had decided
    assert!(answered > 0.0 && decided > 0.0, "{answered} answers to {decided} commands");
    assert!(sum(&processor, "millrace_transaction_seconds_count", &[r#"phase="commit""#]) > 0.0);
    assert!(sum(&projector, "millrace_rows_total", &[]) > 0.0);
}
