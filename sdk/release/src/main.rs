//! `millrace-release check 0.2.0` says what keeps a version from being released; the other commands are `scripts/release`'s.

use std::path::Path;
use std::process::ExitCode;

use millrace_release::version::Version;
use millrace_release::{api, changelog, files, record, refusals};

const USAGE: &str = "\
Holds a release of the packages against what was released before. `make release VERSION=…` does all of it.

usage: millrace-release check VERSION            what keeps the version from being released; ends with 1 if something does
       millrace-release number VERSION           puts the version into the manifests
       millrace-release schemas VERSION          writes schemas/<d>/released/VERSION/
       millrace-release packages VERSION         writes sdk/released/
       millrace-release changelog VERSION DATE   makes what is unreleased the section of the version
       millrace-release api LANGUAGE             prints the public interface of a package: typescript, python, go, rust";

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    let root = Path::new(".");
    let done = match given[..] {
        ["--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        ["check", version] => check(root, version),
        ["number", version] => Version::parse(version).and_then(|it| record::number(root, it)),
        ["schemas", version] => Version::parse(version).and_then(|it| record::schemas(root, it)),
        ["packages", version] => Version::parse(version).and_then(|it| record::packages(root, it)),
        ["changelog", version, date] => Version::parse(version).and_then(|it| cut(root, it, date)),
        ["api", language] => {
            api::lines(root, language).map(|lines| lines.iter().for_each(|line| println!("{line}")))
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn check(root: &Path, version: &str) -> Result<(), String> {
    if !root.join("sdk/vectors").is_dir() {
        return Err("there is no sdk/vectors here: run it in the root of the repository".to_owned());
    }
    let all = refusals(root, version)?;
    if all.is_empty() {
        println!("{version} may be released");
        return Ok(());
    }
    let list: String = all.iter().map(|why| format!("\n- {why}")).collect();
    Err(format!(
        "{version} is not released, for {} reason{}:{list}",
        all.len(),
        if all.len() == 1 { "" } else { "s" }
    ))
}

fn cut(root: &Path, version: Version, date: &str) -> Result<(), String> {
    let path = root.join("CHANGELOG.md");
    files::write(&path, &changelog::cut(&files::text(&path)?, version, date)?)
}
