//! What must hold when everything has come to rest.

use std::fs;
use std::process::Command;

use crate::chaos::faults::assert_runs;
use crate::{Fragile, Gateway, LATER, Process, System, millrace, python, script};

/// Runs a foreign check that exits with 1 when it finds a difference; gives what it says.
pub fn foreign(system: &Fragile, file: &str, arguments: &[String]) -> Result<String, String> {
    let mut command = Command::new(python());
    command.arg(script(file)).args(arguments).args(system.tables());
    if file == "verify.py" {
        command.arg("--millrace").arg(millrace()).arg("--").args(system.cli().flags());
    }
    let output = command.current_dir(system.dir()).output().map_err(|error| format!("{file}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text.trim_end().to_owned());
    }
    Err(format!("{file} ({}):\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// The system's own audit.
pub fn audit(system: &Fragile) -> Result<String, String> {
    let ran = system.cli().run(&["verify"]);
    if ran.code == Some(0) { Ok(ran.stdout.trim_end().to_owned()) } else { Err(ran.to_string()) }
}

/// Everything is healthy and the views show all that was answered, within a deadline.
pub fn rest(system: &Fragile) -> Result<(), String> {
    let cli = system.cli();
    millrace_services::wait_until(LATER, "the system to come to rest", || cli.is_caught_up())
        .map_err(|overdue| format!("{overdue}\n{}", cli.run(&["status", "--json"])))
}

/// No process has ended by itself, and none has said that something cannot be.
pub fn processes(system: &mut Fragile, gateways: &mut [Gateway]) -> Result<(), String> {
    let cluster = &mut system.cluster;
    let mut wrong = Vec::new();
    let gateways = gateways.iter_mut().map(|gateway| &mut gateway.process);
    for role in cluster.processors.iter_mut().chain(&mut cluster.projectors).chain(gateways) {
        assert_runs(role);
        wrong.extend(alarms(role));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Lines of its logs that speak of a panic or a bug.
fn alarms(role: &Process) -> Vec<String> {
    let mut found = Vec::new();
    for log in role.logs() {
        let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
        let alarming = text.lines().filter(|line| is_alarming(line));
        found.extend(alarming.map(|line| format!("{}: {line}", log.display())));
    }
    found
}

fn is_alarming(line: &str) -> bool {
    let line = line.to_lowercase();
    line.split(|c: char| !c.is_alphanumeric()).any(|word| word.starts_with("panic") || word == "bug")
}

#[cfg(test)]
mod tests {
    use super::is_alarming;

    #[test]
    fn alarms_are_whole_words() {
        assert!(is_alarming("thread 'lane' panicked at src/lane.rs"));
        assert!(is_alarming("this is a BUG; please report it"));
        assert!(!is_alarming("DEBUG nothing is wrong"));
    }
}
