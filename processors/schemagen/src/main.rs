//! `millrace-schemagen schemas/<d> …` writes what the registry gets of each domain into its folder `registered/`.

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
Writes schemas/<d>/registered/: what the registry gets, made from what the author of a domain writes.

usage: millrace-schemagen FOLDER…
example: millrace-schemagen schemas/chirp schemas/accounting";

fn main() -> ExitCode {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    if folders.iter().any(|it| it == "--help" || it == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if folders.is_empty() || folders.iter().any(|it| it.starts_with('-')) {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    for folder in &folders {
        match millrace_schemagen::render(Path::new(folder)) {
            Ok(changed) if changed.is_empty() => println!("{folder}/registered is as it should be"),
            Ok(changed) => println!("{folder}/registered: {}", changed.join(", ")),
            Err(error) => {
                eprintln!("{folder}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
