//! A token for accounting can be read nowhere: thousands of them, and every byte that the system writes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use millrace_blackbox::{
    Cli, Cluster, Collector, Embedded, Foreign, Gateway, Http, LATER, System, python, script, workdir,
};
use millrace_services::wait_until;
use serde_json::{Value, json};

/// In every token, and nowhere else.
const MARK: &str = "zqXv7-tokens-for-nobody-";
/// In a record that is written as a token must never be: whoever does not find it does not look.
const PLANTED: &str = "zqXv8-planted-";
const USERS: usize = 20;
const SENDERS: usize = 8;

/// The tokens of a run: `MILLRACE_TEST_TOKENS`, else so many.
fn tokens(most: usize) -> usize {
    std::env::var("MILLRACE_TEST_TOKENS").map_or(most, |text| text.parse().expect("a number"))
}

fn token(number: usize) -> String {
    format!("{MARK}{number:08}")
}

fn user(number: usize) -> String {
    format!("user-{}", number % USERS)
}

fn settings(collector: &Collector, public_key: &str) -> String {
    format!("log = \"debug\"\n[telemetry]\notlp_endpoint = \"{}\"\n{public_key}", collector.url())
}

#[test]
fn embedded() {
    let collector = Collector::start();
    let embedded = Embedded::start(&settings(&collector, ""));
    let public_key = embedded.data().join("secrets/seal.key.pub");
    // where `up` seals by itself, the command line must be told
    let line = format!("[seal]\npublic_key_file = \"{}\"\n", public_key.display());
    fs::write(embedded.dir().join("millrace.toml"), settings(&collector, &line)).unwrap();
    let key = embedded.data().join("secrets/seal.key").display().to_string();
    no_byte_holds_a_token(&embedded, &collector, embedded.http(), &key, tokens(10_000));
}

#[test]
fn real_servers() {
    let collector = Collector::start();
    let dir = workdir("");
    let key = dir.path().join("seal.key").display().to_string();
    Cli::new(dir.path(), Vec::new()).run_bare(&["seal-key", "--key", &key]).exits(0);
    let settings = settings(&collector, &format!("[seal]\npublic_key_file = \"{key}.pub\"\n"));
    let cluster = Cluster::start("sealed", &settings, 1);
    fs::create_dir(cluster.dir().join("gateway")).unwrap();
    fs::write(cluster.dir().join("gateway/millrace.toml"), &settings).unwrap();
    let gateway = Gateway::start(&cluster, "gateway");
    no_byte_holds_a_token(&cluster, &collector, &gateway.address(), &key, tokens(2_000));
}

fn no_byte_holds_a_token(system: &dyn System, collector: &Collector, http: &str, key: &str, tokens: usize) {
    add_users(http);
    let half = tokens / 2;
    through_the_gateway(http, 0..half);
    by_the_command_line(system, half..tokens);
    refused(system, http);
    let cli = system.cli();
    // whoever may open them can, whichever way they came
    for number in [0, half - 1, half, tokens - 1] {
        let opened = cli.ok(&["unseal", "--key", key, "--command", &format!("enable-{number}")]);
        assert_eq!(opened.stdout.trim(), token(number));
    }
    // what tools say of it is written by nobody but is read by many
    let mut told = Vec::new();
    for arguments in
        [&["explain", "enable-0"][..], &["history", "identity:User/user-0"], &["dead", "list"], &["status"]]
    {
        let ran = cli.run(arguments);
        told.push(format!("{ran}"));
    }
    assert!(told.concat().contains("AccountingEnabled"), "{told:?}");
    assert!(!told.concat().contains(MARK), "{told:?}");
    cli.wait_caught_up(LATER);

    let mark = fingerprint(system, &user(tokens - 1));
    // the scan would find a token: this is one, as nobody may write it
    let planted: String = format!("{PLANTED}1").bytes().map(|byte| format!("{byte:02x}")).collect();
    Foreign::of(system).raw(Some("nobody"), Some(0), Some(&planted));
    let traced = wait_until(LATER, "spans of the commands", || collector.spans().len() > half);
    traced.unwrap_or_else(|overdue| panic!("{overdue}"));
    fs::write(system.dir().join("traces"), collector.bytes()).unwrap();

    let scanned = scan(system, &json!({"mark": MARK, "planted": PLANTED, "fingerprint": mark}));
    let found = |name: &str| {
        let found: BTreeMap<String, u64> = serde_json::from_value(scanned["found"][name].clone()).unwrap();
        found
    };
    assert_eq!(found("mark"), BTreeMap::new(), "{scanned}");
    assert!(found("planted").keys().any(|at| at.ends_with("chirp.commands")), "{scanned}");
    assert!(found("fingerprint").keys().any(|at| at.ends_with("identity.events")), "{scanned}");
    assert!(found("fingerprint").keys().any(|at| at.ends_with("identity.state")), "{scanned}");
    let read = |what: &str| scanned["read"][what].as_u64().unwrap_or_default();
    // a command, its outcome and its event each
    assert!(read("records") > 3 * tokens as u64 && read("rows") > USERS as u64, "{scanned}");
    assert!(read("files") > 100_000, "{scanned}");
    println!("{}", scanned["read"]);
}

fn add_users(http: &str) {
    let mut http = Http::at(http);
    for number in 0..USERS {
        let user = user(number);
        let data = json!({
            "user_id": user, "auth0_id": user, "email": format!("{user}@example.org"), "email_verified": true,
            "first_name": "", "last_name": "", "picture": "", "locale": "",
        });
        http.post("/v1/commands/identity/AddUser", &[], &json!({"data": data})).is(200);
    }
}

fn through_the_gateway(http: &str, numbers: std::ops::Range<usize>) {
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let numbers = numbers.clone();
            scope.spawn(move || {
                let mut http = Http::at(http);
                for number in numbers.skip(sender).step_by(SENDERS) {
                    let id = format!("enable-{number}");
                    let data = json!({"user_id": user(number), "sealed_token": {"plaintext": token(number)}});
                    let trace = format!("00-{:032x}-{:016x}-01", number + 1, number + 1);
                    let headers = [("Idempotency-Key", id.as_str()), ("traceparent", trace.as_str())];
                    http.post("/v1/commands/identity/EnableAccounting", &headers, &json!({"data": data}))
                        .is(200);
                }
            });
        }
    });
}

fn by_the_command_line(system: &dyn System, numbers: std::ops::Range<usize>) {
    let count = numbers.len();
    let lines = numbers.map(|number| {
        let data = json!({"user_id": user(number), "sealed_token": {"plaintext": token(number)}});
        json!({"type": "identity.EnableAccounting", "id": format!("enable-{number}"), "data": data})
            .to_string()
    });
    // outside of the folder that is scanned: it is the user's own
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), lines.collect::<Vec<_>>().join("\n")).unwrap();
    let ran = system.cli().ok(&["load", &file.path().display().to_string(), "--wait", "--json"]);
    assert_eq!(ran.json()["accepted"], count, "{ran}");
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(MARK), "{ran}");
}

/// What somebody gets wrong is not repeated to them, and not written either.
fn refused(system: &dyn System, http: &str) {
    let (mut http, secret) = (Http::at(http), token(99_999_999));
    for data in [
        json!({"user_id": "user-0", "sealed_token": secret}),
        json!({"user_id": "user-0", "sealed_token": {"plaintext": "x", "token": secret}}),
        json!({"user_id": "user-0", "sealed_token": {"plaintext": [secret]}}),
        json!({"user_id": "user-0", "sealed_token": {"plaintext": secret}, "fingerprint": secret}),
        json!({"user_id": "user-0", "token": secret}),
        json!({"user_id": "user-0", secret.clone(): 1, "sealed_token": {"plaintext": secret}}),
        json!({"user_id": "user-0", "sealed_token": {"plaintext": format!("{secret}{}", "x".repeat(5_000))}}),
        json!(secret),
    ] {
        let answer = http.post("/v1/commands/identity/EnableAccounting", &[], &json!({"data": data}));
        assert!((400..500).contains(&answer.status), "{answer:?}");
        assert!(!format!("{answer:?}").contains(MARK), "{answer:?}");
    }
    for fields in [
        vec!["user_id=user-0".to_owned(), format!("sealed_token={secret}")],
        vec!["user_id=user-0".to_owned(), format!("sealed_token={{\"plaintext\": [\"{secret}\"]}}")],
        vec!["user_id=user-0".to_owned(), format!("fingerprint={secret}")],
    ] {
        let arguments: Vec<&str> = ["send", "identity.EnableAccounting"]
            .into_iter()
            .chain(fields.iter().map(String::as_str))
            .collect();
        let ran = system.cli().run(&arguments);
        assert_ne!(ran.code, Some(0), "{ran}");
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(MARK), "{}{}", ran.stdout, ran.stderr);
    }
}

/// That of the newest token of a user, which everybody may see.
fn fingerprint(system: &dyn System, user: &str) -> String {
    let history = system.cli().ok(&["history", &format!("identity:User/{user}"), "--json"]).stdout;
    let newest =
        history.rsplit_once("\"fingerprint\":\"").unwrap_or_else(|| panic!("no fingerprint in {history}")).1;
    newest.split('"').next().unwrap().to_owned()
}

fn scan(system: &dyn System, needles: &Value) -> Value {
    let mut command = Command::new(python());
    command.arg(script("scan.py")).args(["--kafka", system.kafka(), "--prefix", system.prefix()]);
    command.arg("--files").arg(system.dir()).args(system.tables());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
    write!(child.stdin.take().expect("it is piped"), "{needles}").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the scan has failed");
    serde_json::from_slice(&output.stdout).expect("it answers in JSON")
}
