//! What docs/http-api.md says to type is answered as it says.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use std::path::Path;
use std::process::Command;

use common::Up;

/// A call prints what it gets, and last its status.
const CURL: &str = "curl() { command curl -s -w '\\nstatus %{http_code}\\n' \"$@\"; }";

/// A page has a cursor once there is a second row: what is read without a position may be a moment behind.
const SHOWN: &str =
    "until command curl -s $URL/v1/views/chirp/user_profiles | grep -q '\"bob\"'; do sleep 0.1; done\n";

/// The blocks of shell, each with the statuses that its last line names.
fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|block| block.split("\n```").next());
    let named = |block: &str| -> Option<usize> { block.rfind("\n# → ") };
    blocks
        .map(|block| match named(block) {
            Some(at) => (&block[..at], block[at + "\n# → ".len()..].split_whitespace().collect()),
            None => (block, Vec::new()),
        })
        .collect()
}

#[test]
fn every_call_is_answered_as_the_document_says() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/http-api.md");
    let document = std::fs::read_to_string(document).unwrap();
    let up = Up::start();
    let folder = Path::new(env!("CARGO_BIN_EXE_millrace")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    // what one block sets, the next ones use
    let mut script = format!("set -eu\n{CURL}\n");
    let (mut expected, mut calls) = (Vec::new(), 0);
    for (block, statuses) in blocks(&document) {
        script.push_str(block);
        script.push('\n');
        if block.contains("register-bob") {
            script.push_str(SHOWN);
        }
        calls += block.matches("$URL").count();
        expected.extend(statuses);
    }
    let ran = Command::new("bash")
        .args(["-c", &script])
        .current_dir(up.place.path())
        .env("PATH", &path)
        .env("XDG_STATE_HOME", up.place.path().join("state"))
        .env("URL", &up.http)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    let statuses: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("status ")).collect();
    assert_eq!(statuses, expected, "{said}");
    assert!(calls > 20, "only {calls} calls were found");
    assert!(said.contains("By HTTP") && said.contains("Hello, world"), "{said}");
    clients_follow(&document, &up.http);
}

/// The clients that the document shows keep a copy of what can be followed.
fn clients_follow(document: &str, url: &str) {
    let code = |language: &str| {
        let block =
            document.split(&format!("```{language}\n")).nth(1).and_then(|rest| rest.split("\n```").next());
        block.unwrap_or_else(|| panic!("there is no client in {language}")).to_owned()
    };
    let stream = format!("{url}/v1/streams/chirp/user_profiles?user_id=ann");
    let javascript = format!(
        "{}\nfollow({stream:?}, (rows) => {{ console.log([...rows.values()][0].username); return true; }}).then(() => process.exit());",
        code("js")
    );
    let python = format!(
        "{}\nfollow({stream:?}, lambda rows: print(next(iter(rows.values()))[\"username\"]) or True)",
        code("python")
    );
    for (program, flag, code) in [("node", "-e", javascript), ("python3", "-c", python)] {
        let ran = Command::new("timeout").args(["60", program, flag, &code]).output().unwrap();
        assert!(ran.status.success() && ran.stdout == b"Ann\n", "{program}: {ran:?}");
    }
}

/// Every kind of problem that the document explains, and no other.
#[test]
fn every_problem_is_explained() {
    let read = |path: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
    };
    let (document, source) = (read("docs/http-api.md"), read("gateway/src/http/problem.rs"));
    let of_source = source.lines().filter_map(|line| {
        let (_, rest) = line.trim().split_once(" = \"")?;
        rest.ends_with("\";").then(|| rest.split('"').next()).flatten()
    });
    let mut of_source: Vec<&str> = of_source.filter(|name| !name.contains([':', '/'])).collect();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut explained: Vec<&str> = rows.collect();
    of_source.sort_unstable();
    explained.sort_unstable();
    assert!(of_source.len() > 10, "{of_source:?}");
    assert_eq!(explained, of_source);
}
