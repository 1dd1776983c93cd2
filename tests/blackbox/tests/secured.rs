//! Kafka with TLS and SCRAM, Cassandra with TLS and passwords, a registry behind TLS and basic authentication, and all of
//! them ask for a certificate of the client: everything works through that, and whatever is wrong is said in words that
//! name the server and the setting, soon, and without a secret.
//!
//! The servers' certificate is for `localhost` alone: as an address, 127.0.0.1 is somebody else.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use millrace_blackbox::{Authority, Cli, Front, LATER, Process, Ran, millrace, python, script, workdir};
use millrace_services::{OwnedCassandra, OwnedKafka, Secured, Services, free_port, keyspace, topic_prefix};
use tempfile::TempDir;

/// A refusal takes no longer.
const REFUSED_WITHIN: Duration = Duration::from_secs(30);
const KAFKA_PASSWORD: &str = "kafka-hunter2";
const CQL_PASSWORD: &str = "cql-hunter2";
/// In a URL it is `registry%40hunter2`.
const REGISTRY_PASSWORD: &str = "registry@hunter2";
const WRONG_PASSWORD: &str = "wrong-hunter2";
/// No output holds it: a part of every password.
const SECRET: &str = "hunter2";

/// The servers, and the files that lead to them.
struct Place {
    dir: TempDir,
    settings: String,
    _kafka: OwnedKafka,
    _cassandra: OwnedCassandra,
}

impl Place {
    fn start() -> Self {
        let dir = workdir("");
        let at = |name: &str| dir.path().join(name);
        let authority = Authority::new(dir.path(), "ca");
        Authority::new(dir.path(), "stranger").issue("stranger-client", &[]);
        authority.issue("server", &["localhost"]);
        authority.issue("client", &[]);
        for (name, password) in [
            ("kafka.password", KAFKA_PASSWORD),
            ("cql.password", CQL_PASSWORD),
            ("wrong.password", WRONG_PASSWORD),
        ] {
            fs::write(at(name), format!("{password}\n")).unwrap();
        }
        let secured = Secured {
            identity: at("server.both"),
            authorities: at("ca.pem"),
            user: "ann".to_owned(),
            password: KAFKA_PASSWORD.to_owned(),
        };
        for folder in ["kafka", "cassandra"] {
            fs::create_dir(at(folder)).unwrap();
        }
        let (kafka, cassandra, registry) = thread::scope(|scope| {
            let kafka = scope.spawn(|| OwnedKafka::start_secured(&at("kafka"), &secured).unwrap());
            let cassandra = scope.spawn(|| {
                let cassandra = OwnedCassandra::start_secured(&at("cassandra"), &secured).unwrap();
                add_role(dir.path(), &cassandra.contact_point());
                cassandra
            });
            let registry = &Services::registry().unwrap_or_else(|error| panic!("{error}")).url;
            (kafka.join().unwrap(), cassandra.join().unwrap(), registry)
        });
        let front = Front::of(registry, &at("server.both"), &at("ca.pem"), "ann", REGISTRY_PASSWORD);
        let cql = cassandra.contact_point().replace("127.0.0.1", "localhost");
        let settings = format!(
            r#"
kafka = "{kafka}"
registry = "{registry}"
cql = "{cql}"
topic_prefix = "{prefix}"
keyspace = "{keyspace}"
[kafka_client]
"security.protocol" = "SASL_SSL"
"sasl.mechanism" = "SCRAM-SHA-512"
"sasl.username" = "ann"
"ssl.ca.location" = "{dir}/ca.pem"
"ssl.certificate.location" = "{dir}/client.pem"
"ssl.key.location" = "{dir}/client.key"
[registry_client]
tls_ca_file = "{dir}/ca.pem"
tls_certificate_file = "{dir}/client.pem"
tls_key_file = "{dir}/client.key"
[cql_client]
replication_factor = 1
tls = true
tls_ca_file = "{dir}/ca.pem"
tls_certificate_file = "{dir}/client.pem"
tls_key_file = "{dir}/client.key"
[security]
kafka_password_file = "{dir}/kafka.password"
cql_user = "ann"
cql_password_file = "{dir}/cql.password"
"#,
            kafka = kafka.secured_bootstrap(),
            registry = front.url().replace("https://", "https://ann:registry%40hunter2@"),
            prefix = topic_prefix("secured"),
            keyspace = keyspace("secured"),
            dir = dir.path().display(),
        );
        Self { dir, settings, _kafka: kafka, _cassandra: cassandra }
    }

    /// A folder in which `millrace` finds the settings with these changes: each is a part of them and what stands there
    /// instead.
    fn folder(&self, name: &str, changes: &[(&str, &str)]) -> Cli {
        let folder = self.dir.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let changed = changes.iter().fold(self.settings.clone(), |text, (from, to)| {
            assert!(text.contains(from), "{from} is no part of {text}");
            text.replacen(from, to, 1)
        });
        fs::write(folder.join("millrace.toml"), changed).unwrap();
        Cli::new(&folder, Vec::new())
    }

    fn role(&self, role: &str, changes: &[(&str, &str)]) -> Process {
        let name = format!("{role}-{}", changes.len());
        let _ = self.folder(&name, changes);
        let health = free_port().unwrap();
        let arguments = [role.to_owned(), "--health-port".to_owned(), health.number().to_string()];
        Process::start(&name, &self.dir.path().join(&name), millrace(), arguments).serving(health)
    }
}

/// Replaces the user that Cassandra begins with by one whose password is a secret.
fn add_role(dir: &Path, address: &str) {
    let file = |name: &str| dir.join(name).display().to_string();
    let added = Command::new(python())
        .arg(script("add_role.py"))
        .args([
            address,
            "--ca",
            &file("ca.pem"),
            "--certificate",
            &file("client.pem"),
            "--key",
            &file("client.key"),
        ])
        .args(["--user", "ann", "--password", CQL_PASSWORD])
        .output()
        .expect("Python runs");
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
}

fn keeps_the_secret(ran: Ran) -> Ran {
    assert!(!ran.to_string().contains(SECRET), "a secret is shown: {ran}");
    ran
}

/// Something that is wrong: its name, what is exchanged in the settings, what is tried, and the words that refuse it.
type Wrong = (&'static str, (String, String), &'static str, &'static [&'static str]);

#[test]
fn everything_works_through_tls_and_whatever_is_wrong_is_said() {
    let place = Place::start();
    let cli = place.folder("right", &[]);
    for call in [["topics", "apply"], ["schemas", "register"], ["tables", "apply"]] {
        keeps_the_secret(cli.ok(&call));
    }
    let roles = [place.role("processor", &[]), place.role("projector", &[])];
    let sent =
        cli.ok(&["send", "RegisterUser", "user_id=ann", "username=Ann", "--wait-for", "user_profiles"]);
    keeps_the_secret(sent).says(&["accepted"]);
    keeps_the_secret(cli.ok(&["query", "user_profiles", "user_id=ann"])).says(&["Ann"]);
    cli.wait_caught_up(LATER);
    for call in
        [&["status", "--json"][..], &["verify"], &["config"], &["config", "--json"], &["schemas", "check"]]
    {
        keeps_the_secret(cli.ok(call));
    }
    // a node's name that is not among the contact points
    let named =
        [("cql = \"localhost", "cql = \"127.0.0.1"), ("tls = true", "tls = true\ntls_names = \"localhost\"")];
    keeps_the_secret(place.folder("named", &named).ok(&["query", "user_profiles", "user_id=ann"]))
        .says(&["Ann"]);

    refused_in_words(&place);

    // a role waits for what may become right, and says what it waits for
    let wrong = [("kafka.password\"", "wrong.password\"")];
    let waiting = place.role("processor", &wrong);
    waiting.says("security.kafka_password_file", LATER);
    for role in roles.iter().chain([&waiting]) {
        assert!(!role.output().contains(SECRET), "a secret is shown\n{}", role.tail());
    }
}

/// Each is a change of the settings, the command that shows it, and what that says.
fn refused_in_words(place: &Place) {
    let dir = place.dir.path().display();
    let own = |name: &str| format!("{dir}/{name}");
    let (client, key) = (own("client.pem"), own("client.key"));
    let stranger = own("stranger.pem");
    let kafka_ca =
        (format!("\"ssl.ca.location\" = \"{dir}/ca.pem"), format!("\"ssl.ca.location\" = \"{stranger}"));
    let kafka_none = (
        format!("\"ssl.certificate.location\" = \"{client}\"\n\"ssl.key.location\" = \"{key}\"\n"),
        String::new(),
    );
    let files = |ca: &str| {
        format!("tls_ca_file = \"{ca}\"\ntls_certificate_file = \"{client}\"\ntls_key_file = \"{key}\"\n")
    };
    let usual = files(&own("ca.pem"));
    let section = |head: &str, rest: &str| (format!("{head}{usual}"), format!("{head}{rest}"));
    let (registry, cql) = ("[registry_client]\n", "replication_factor = 1\ntls = true\n");
    let strange = files(&stranger);
    let lonely = format!("tls_ca_file = \"{}\"\n", own("ca.pem"));
    let change = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let cases: Vec<Wrong> = vec![
        ("kafka-ca", kafka_ca, "topics", &["Kafka at localhost:", "ssl.ca.location"]),
        (
            "kafka-password",
            change("kafka.password\"", "wrong.password\""),
            "topics",
            &["Kafka at localhost:", "security.kafka_password_file"],
        ),
        (
            "kafka-name",
            change("kafka = \"localhost", "kafka = \"127.0.0.1"),
            "topics",
            &["Kafka at 127.0.0.1:", "not for that host", "the setting kafka"],
        ),
        ("kafka-client", kafka_none, "topics", &["Kafka at localhost:", "ssl.certificate.location"]),
        (
            "kafka-plain",
            change("SASL_SSL", "SASL_PLAINTEXT"),
            "topics",
            &["Kafka at localhost:", "security.protocol"],
        ),
        (
            "registry-ca",
            section(registry, &strange),
            "schemas",
            &["schema registry https://localhost:", "registry_client.tls_ca_file"],
        ),
        (
            "registry-password",
            change("registry%40hunter2", WRONG_PASSWORD),
            "schemas",
            &["schema registry https://localhost:", "security.registry_password_file"],
        ),
        (
            "registry-user",
            change("ann:registry%40hunter2@", ""),
            "schemas",
            &["schema registry https://localhost:", "set security.registry_user"],
        ),
        (
            "registry-name",
            change("hunter2@localhost", "hunter2@127.0.0.1"),
            "schemas",
            &["schema registry https://127.0.0.1:", "other names", "the setting registry"],
        ),
        (
            "registry-client",
            section(registry, &lonely),
            "schemas",
            &["schema registry https://localhost:", "registry_client.tls_certificate_file"],
        ),
        ("cql-ca", section(cql, &strange), "tables", &["at localhost:", "cql_client.tls_ca_file"]),
        (
            "cql-password",
            change("cql.password\"", "wrong.password\""),
            "tables",
            &["at localhost:", "security.cql_password_file"],
        ),
        (
            "cql-user",
            change("cql_user = \"ann\"\ncql_password_file", "#"),
            "tables",
            &["at localhost:", "set security.cql_user"],
        ),
        (
            "cql-name",
            change("cql = \"localhost", "cql = \"127.0.0.1"),
            "tables",
            &["at 127.0.0.1:", "its certificate is for localhost", "cql_client.tls_names"],
        ),
        (
            "cql-client",
            section(cql, &lonely),
            "tables",
            &["at localhost:", "cql_client.tls_certificate_file"],
        ),
        (
            "cql-plain",
            (format!("{cql}{usual}"), "replication_factor = 1\n".to_owned()),
            "tables",
            &["at localhost:", "cql_client.tls"],
        ),
    ];
    // they mostly wait
    thread::scope(|scope| {
        for (name, (from, to), what, words) in &cases {
            scope.spawn(move || {
                let cli = place.folder(name, &[(from, to)]);
                let begin = Instant::now();
                let ran =
                    keeps_the_secret(cli.run(&[what, if *what == "schemas" { "check" } else { "plan" }]));
                let took = begin.elapsed();
                let ran = ran.exits(1).says(words);
                assert!(took < REFUSED_WITHIN, "{name} took {took:?}: {ran}");
            });
        }
    });
}
