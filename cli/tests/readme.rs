//! What the README says to type does what the README says.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use std::path::Path;
use std::process::Command;

use common::Up;

/// The lines of the blocks of shell in a section that call `millrace`.
fn calls(readme: &str, section: &str) -> Vec<String> {
    let of_section = readme.split("\n## ").find(|part| part.starts_with(section));
    let of_section = of_section.unwrap_or_else(|| panic!("there is no section {section}"));
    let blocks = of_section.split("```sh\n").skip(1).filter_map(|block| block.split("\n```").next());
    blocks.flat_map(str::lines).filter(|line| line.starts_with("millrace ")).map(str::to_owned).collect()
}

#[test]
fn every_example_can_be_followed() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let up = Up::start();
    let folder = Path::new(env!("CARGO_BIN_EXE_millrace")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut followed = 0;
    for section in ["Send a first command", "Query as an analyst", "Ask why"] {
        for call in calls(&readme, section) {
            // nobody has run kcat here, which registers dan
            if call.contains("user_id=dan") {
                continue;
            }
            let is_rejected = ["# rejected", "# InsufficientFunds", "# OverlapCalendar"];
            let expected = i32::from(is_rejected.iter().any(|said| call.contains(said)));
            let ran = Command::new("sh")
                .args(["-c", &call])
                .current_dir(up.place.path())
                .env("PATH", &path)
                .env("XDG_STATE_HOME", up.place.path().join("state"))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
            assert_eq!(ran.status.code(), Some(expected), "{call}\n{said}");
            followed += 1;
        }
    }
    assert!(followed >= 14, "only {followed} examples were found");
}
