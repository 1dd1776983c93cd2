//! The compose file is valid, and what it runs is what the tests ran on.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What is only started when it is asked for.
const MONITORING: [&str; 3] = ["prometheus", "tempo", "grafana"];

/// Runs docker-compose, the stand-alone command or the plugin, whichever the machine has.
fn compose(arguments: &[&str]) -> Output {
    for command in [&["docker-compose"][..], &["docker", "compose"]] {
        let version = Command::new(command[0]).args(&command[1..]).arg("version").output();
        if version.is_ok_and(|output| output.status.success()) {
            return Command::new(command[0])
                .args(&command[1..])
                .args(arguments)
                .current_dir(root())
                .output()
                .unwrap();
        }
    }
    panic!("docker-compose is missing; install it with: apt-get install -y docker-compose");
}

#[test]
fn the_compose_file_is_valid() {
    let output = compose(&["config", "-q"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // A variable that .env lacks is only a warning, and would be an image without a version.
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn monitoring_is_there_when_it_is_asked_for() {
    let output = compose(&["--profile", "monitoring", "config", "--services"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let file = read("docker-compose.yml");
    for service in MONITORING {
        assert!(text.lines().any(|line| line == service), "{service} is not among {text}");
        let (_, of_service) = file.split_once(&format!("\n  {service}:\n")).expect("it stands in the file");
        let until_next = of_service.split("\n\n").next().unwrap_or_default();
        assert!(until_next.contains("profiles: [monitoring]"), "{service} runs although nobody asked for it");
    }
}

#[test]
fn prometheus_asks_every_role() {
    let scraped = read("deploy/prometheus/prometheus.yml");
    let output = compose(&["config", "--services"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let roles = text.lines().filter(|name| name.starts_with("processor-") || name.starts_with("projector-"));
    for role in roles {
        assert!(scraped.contains(&format!("- {role}:9600")), "{role} is not asked");
    }
}

#[test]
fn traces_go_where_they_are_taken_and_shown() {
    let (tempo, compose_file) = (read("deploy/tempo/tempo.yml"), read("docker-compose.yml"));
    let after = |text: &str, key: &str| {
        let (_, rest) = text.split_once(key).unwrap_or_else(|| panic!("{key} is missing"));
        rest.lines().next().unwrap_or_default().trim().to_owned()
    };
    let taken = after(&tempo, "endpoint: 0.0.0.0:");
    let shown = after(&tempo, "http_listen_port: ");
    for from in ["tempo", "localhost"] {
        let endpoint = format!("MILLRACE_TELEMETRY_OTLP_ENDPOINT: http://{from}:{taken}");
        assert!(compose_file.contains(&endpoint), "{endpoint}");
    }
    for port in [&taken, &shown] {
        assert!(
            compose_file.contains(&format!("\"${{MILLRACE_BIND}}:{port}:{port}\"")),
            "{port} is not published"
        );
    }
    let sources: Vec<String> = std::fs::read_dir(root().join("deploy/grafana/provisioning/datasources"))
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(sources.concat().contains(&format!("url: http://tempo:{shown}")), "Grafana does not ask Tempo");
    // what it keeps survives it
    let kept = after(&compose_file, "- tempo-data:");
    assert!(
        tempo.contains(&format!("path: {kept}/blocks")) && tempo.contains(&format!("path: {kept}/wal")),
        "{kept}"
    );
}

#[test]
fn every_role_runs_twice_beside_the_servers() {
    let output = compose(&["config", "--services"]);
    let text = String::from_utf8(output.stdout).unwrap();
    // some versions list what is only started with a profile, some do not
    let mut services: Vec<&str> = text.lines().filter(|name| !MONITORING.contains(name)).collect();
    services.sort_unstable();
    let roles = ["gateway", "processor", "projector"].map(|role| [format!("{role}-1"), format!("{role}-2")]);
    let servers = ["kafka", "registry", "scylla", "setup"].map(str::to_owned);
    let mut expected: Vec<String> = roles.into_iter().flatten().chain(servers).collect();
    expected.sort_unstable();
    assert_eq!(services, expected);
}

#[test]
fn versions_are_those_the_tests_run_on() {
    let env = read(".env");
    let pinned = |name: &str| {
        let line = env.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("{name} is not in .env")).to_owned()
    };
    let kafka = format!("<kafka.version>{}</kafka.version>", pinned("KAFKA_VERSION"));
    assert!(read("tests/services/kafka/pom.xml").contains(&kafka), "{kafka}");
    let registry = format!("version={}\n", pinned("REGISTRY_VERSION"));
    assert!(read("tests/services/registry/fetch-registry.sh").contains(&registry), "{registry}");
}

#[test]
fn every_version_has_its_reason_and_stands_in_one_place() {
    let env = read(".env");
    let mut reason = false;
    for line in env.lines() {
        match line {
            "" => reason = false,
            comment if comment.starts_with('#') => reason = true,
            pin => assert!(reason, "{pin} has no reason above it"),
        }
    }
    for line in read("docker-compose.yml").lines().filter(|line| line.trim_start().starts_with("image:")) {
        assert!(line.contains("${") || line.contains("millrace:local"), "{line}");
    }
    for line in read("Dockerfile").lines().filter(|line| line.starts_with("FROM ")) {
        assert!(line.contains("${"), "{line}");
    }
}
