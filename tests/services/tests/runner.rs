//! The runner: addresses reach the command, its exit code comes back, and nothing outlives it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use millrace_services::{CQL_VARIABLE, KAFKA_VARIABLE, REGISTRY_VARIABLE, python_env, wait_until};

const RUNNER: &str = env!("CARGO_BIN_EXE_millrace-services");
const SOON: Duration = Duration::from_secs(30);

/// A runner that starts servers of its own, also when this test runs under a runner itself.
fn runner() -> Command {
    let mut command = Command::new(RUNNER);
    for variable in [KAFKA_VARIABLE, CQL_VARIABLE, REGISTRY_VARIABLE] {
        command.env_remove(variable);
    }
    command
}

#[test]
fn passes_addresses_and_exit_code() {
    let output = runner()
        .args(["exec", "--servers", "registry", "--", "sh", "-c"])
        .arg("echo $MILLRACE_TEST_REGISTRY; test -z \"$MILLRACE_TEST_KAFKA\" && exit 7")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("http://127.0.0.1:"), "{text}");
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn uses_what_the_environment_names() {
    let output = runner()
        .env(REGISTRY_VARIABLE, "http://elsewhere:8081")
        .args(["exec", "--servers", "registry", "--", "sh", "-c", "echo $MILLRACE_TEST_REGISTRY"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "http://elsewhere:8081");
}

#[test]
fn a_missing_command_is_named() {
    let output = runner()
        .env(REGISTRY_VARIABLE, "http://elsewhere:8081")
        .args(["exec", "--servers", "registry", "--", "no-such-command"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("run no-such-command"), "{text}");
}

#[test]
fn a_missing_program_is_named_with_its_installation() {
    let empty = tempfile::tempdir().unwrap();
    let output = runner()
        .env("MILLRACE_CACHE", empty.path())
        .env("PATH", "")
        .args(["fetch", "kafka"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("Maven") && text.contains("apt-get install -y maven"), "{text}");
}

#[test]
fn signals_reach_the_command_and_its_answer_counts() {
    for (signal, name) in [(libc::SIGTERM, "TERM"), (libc::SIGINT, "INT")] {
        let mut exec = runner()
            .env(REGISTRY_VARIABLE, "http://elsewhere:8081")
            .args(["exec", "--servers", "registry", "--", "sh", "-c"])
            .arg(format!("trap 'kill $!; exit 5' {name}; sleep 60 & echo up; wait"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(exec.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        // SAFETY: a signal to our own child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(exec.id() as libc::pid_t, signal) }, 0);
        assert_eq!(exec.wait().unwrap().code(), Some(5), "{name}");
    }
}

#[test]
fn servers_end_with_the_runner_whatever_ends_it() {
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        let mut up = runner().args(["up", "--servers", "registry"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(up.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("export MILLRACE_TEST_REGISTRY=http://127.0.0.1:"), "{line}");
        let server = only_child_of(up.id());

        // SAFETY: a signal to our own child, which has not been waited for.
        assert_eq!(unsafe { libc::kill(up.id() as libc::pid_t, signal) }, 0);
        up.wait().unwrap();
        wait_until(SOON, "the server to be gone", || !Path::new(&format!("/proc/{server}")).exists())
            .unwrap();
    }
}

/// The process whose parent is `parent`, as the kernel lists it.
fn only_child_of(parent: u32) -> u32 {
    let is_child = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // pid (name) state parent …: the name may hold anything, so look behind it.
        let parent_of = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
        parent_of == Some(&parent.to_string())
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(is_child).expect("the runner has started a server")
}

#[test]
fn python_has_the_clients() {
    let python = python_env().unwrap();
    let status = Command::new(python)
        .args(["-c", "import confluent_kafka.schema_registry, fastavro, cassandra.cluster, requests"])
        .status()
        .unwrap();
    assert!(status.success());
}
