//! Secrets of commands: sealed on every way, read nowhere, opened by who has the private key.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

const TOKEN: &str = "hunter2-hunter2-hunter2";
const KEY: &str = "data/secrets/seal.key";

impl Up {
    /// Runs it with this on standard input.
    fn fed(&self, arguments: &[&str], input: &str) -> Ran {
        let mut child = neighbours(&self.place)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    fn fails(&self, code: i32, arguments: &[&str], words: &[&str]) {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "`{word}` is missing in\n{}", ran.stderr);
        }
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(TOKEN), "{}", ran.stderr);
    }

    /// What is at a path of the gateway.
    fn get(&self, path: &str) -> String {
        let written = fs::read_to_string(self.place.path().join("data/up.toml")).unwrap();
        let url = written.lines().find_map(|line| line.strip_prefix("http = \"http://")).unwrap();
        let address = url.trim_end_matches('"');
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    }
}

/// The files below a folder that hold the text.
fn holding(folder: &Path, text: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            holding(&path, text, found);
        } else if fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn a_secret_is_sealed_on_every_way_and_read_nowhere() {
    let up = Up::logging("trace");
    let secret = format!("sealed_token={{\"plaintext\": \"{TOKEN}\"}}");
    let send = ["send", "Deposit", "owner_id=ann", &secret, "--id", "d1", "--wait", "--json"];
    let first = up.json(&send);
    assert_eq!((&first["status"], &first["duplicate"]), (&"accepted".into(), &false.into()));
    // again, and through the gateway: the very same command
    let written = fs::read_to_string(up.place.path().join("data/up.toml")).unwrap();
    let url = written.lines().find_map(|line| line.strip_prefix("http = ")).unwrap().trim_matches('"');
    for more in [&[][..], &["--http", url]] {
        let again = up.json(&[&send, more].concat());
        assert_eq!((&again["status"], &again["duplicate"]), (&"accepted".into(), &true.into()), "{again:#}");
    }
    let lines = format!(
        "{{\"type\": \"DepositAll\", \"id\": \"d2\", \"data\": {{\"owner_id\": \"bob\", \"deposits\": [\
         {{\"token\": {{\"plaintext\": \"{TOKEN}-1\"}}}}, {{\"token\": {{\"plaintext\": \"{TOKEN}-2\"}}}}]}}}}\n\
         {{\"type\": \"Deposit\", \"data\": {{\"owner_id\": \"bob\", \"sealed_token\": \"{TOKEN}\"}}}}\n"
    );
    let loaded = up.fed(&["load", "-", "--wait", "--json"], &lines);
    assert_eq!(loaded.code, Some(1), "{}", loaded.stderr);
    let counts: Value = serde_json::from_str(&loaded.stdout).unwrap();
    assert_eq!((&counts["accepted"], &counts["bad"]), (&1.into(), &1.into()), "{counts:#}");
    assert!(
        loaded.stderr.contains("stdin:2:") && loaded.stderr.contains("no sealed box"),
        "{}",
        loaded.stderr
    );
    assert!(!loaded.stderr.contains(TOKEN), "{}", loaded.stderr);

    // it can be told from others, and be read by who has the key
    let history = up.json(&["history", "vault:Deposit/ann", "--json"]);
    let explained = up.json(&["explain", "vault:d1", "--json"]);
    let all = explained["asked"].as_array().unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|it| it["data"] == all[0]["data"]), "{explained:#}");
    let asked = &all[0]["data"];
    assert_eq!(history["events"][0]["data"]["fingerprint"], asked["fingerprint"]);
    let sealed = asked["sealed_token"].as_str().unwrap();
    let opened = format!("{TOKEN}\n");
    assert_eq!(up.ok(&["unseal", "--key", KEY, "--command", "vault:d1"]).stdout, opened);
    assert_eq!(up.ok(&["unseal", "--key", KEY, "--command", "d2"]).stdout, format!("{TOKEN}-1\n{TOKEN}-2\n"));
    assert_eq!(up.ok(&["unseal", "--key", KEY, sealed]).stdout, opened);
    assert_eq!(up.fed(&["unseal", "--key", KEY], &format!("{sealed}\n")).stdout, opened);
    let told = up.get("/v1/keys");
    assert!(
        told.starts_with("HTTP/1.1 200") && told.contains("x25519-xsalsa20-poly1305-sealed-box"),
        "{told}"
    );

    // what stays closed says why
    up.ok(&["seal-key", "--key", "other.key"]);
    up.fails(1, &["unseal", "--key", "other.key", sealed], &["sealed for another key"]);
    up.fails(1, &["unseal", "--key", KEY, &sealed[..40]], &["cut off"]);
    up.fails(1, &["unseal", "--key", KEY, &sealed[..92]], &["not as it was made"]);
    up.fails(1, &["unseal", "--key", KEY, TOKEN], &["no base64"]);
    up.fails(
        1,
        &["unseal", "--key", KEY, "--command", "nothing"],
        &["nothing is known of a command nothing"],
    );
    up.fails(1, &["unseal", "--key", &format!("{KEY}.pub"), sealed], &["opens nothing"]);
    up.fails(2, &["unseal", sealed], &["--key"]);
    up.ok(&["send", "AddPerson", "person_id=ann", "--id", "p1", "--wait"]);
    up.fails(1, &["unseal", "--key", KEY, "--command", "p1"], &["holds no sealed secret"]);

    // the log, which tells everything, the topics and the states hold nothing of it
    let mut found = Vec::new();
    holding(up.place.path(), TOKEN, &mut found);
    assert_eq!(found, [""; 0]);
    let mut found = Vec::new();
    holding(&up.place.path().join("data/kafka"), asked["fingerprint"].as_str().unwrap(), &mut found);
    assert!(!found.is_empty(), "the fingerprint is in the topics, so they can be looked through");
}

#[test]
fn keys_are_made_once_and_senders_without_one_are_told_the_setting() {
    let place = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let Output { status, stdout, stderr } = neighbours(&place).args(arguments).output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    };
    let (code, stdout, stderr) = run(&["seal-key", "--key", "a.key"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.starts_with("MILLRACE_SEAL_PUBLIC_KEY_FILE=/") && stdout.ends_with("/a.key.pub\n"),
        "{stdout}"
    );
    let of = |name: &str| place.path().join(name);
    let private = fs::read_to_string(of("a.key")).unwrap();
    assert_eq!(fs::metadata(of("a.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let (code, _, stderr) = run(&["seal-key", "--key", "a.key"]);
    assert!(code == Some(1) && stderr.contains("Choose another name"), "{stderr}");
    fs::remove_file(of("a.key.pub")).unwrap();
    assert_eq!(run(&["seal-key", "--key", "a.key"]).0, Some(1));
    assert_eq!(fs::read_to_string(of("a.key")).unwrap(), private);
    assert!(!of("a.key.pub").exists());

    let secret = format!("sealed_token={{\"plaintext\": \"{TOKEN}\"}}");
    let (code, _, stderr) = run(&["send", "Deposit", "owner_id=ann", &secret]);
    assert!(code == Some(2) && stderr.contains("seal.public_key_file"), "{code:?} {stderr}");
    for wrong in [TOKEN.to_owned(), format!("owner_id={TOKEN}"), format!("sealed_token={TOKEN}")] {
        let (code, _, stderr) = run(&["send", "Deposit", &wrong]);
        assert!(code == Some(2) && !stderr.contains(TOKEN), "{code:?} {stderr}");
    }

    let (code, line, _) = run(&["pseudonym-key", "k1"]);
    assert!(code == Some(0) && line.starts_with("k1 ") && line.trim_end().len() == 3 + 43, "{line}");
    assert_ne!(run(&["pseudonym-key", "k1"]).1, line);
    let (code, _, stderr) = run(&["pseudonym-key", "K 1"]);
    assert!(code == Some(2) && stderr.contains("1 to 20"), "{stderr}");
}

#[test]
fn the_configuration_names_files_and_shows_nothing_of_them() {
    let up = Up::start();
    let shown = up.ok(&["config"]).stdout;
    for name in ["secrets/pseudonym-keys", "secrets/seal.key.pub"] {
        assert!(shown.contains(name), "{name} is missing in\n{shown}");
    }
    let keys = up.place.path().join("data/secrets/pseudonym-keys");
    let text = fs::read_to_string(&keys).unwrap();
    let secret = text.trim().strip_prefix("k1 ").unwrap();
    assert!(!shown.contains(secret) && !up.log().contains(secret));
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);

    // who decides beside it is refused what others can read
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644)).unwrap();
    up.fails(1, &["processor", "vault"], &["processor.pseudonym_keys_file", "chmod 600"]);
}
