//! `millrace-schemagen schemas/<d> …` writes what the registry gets of each domain into its folder `registered/`, and
//! `--typescript FILE` what programs in TypeScript send and read.

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
Writes schemas/<d>/registered/: what the registry gets, made from what the author of a domain writes.
With --typescript it writes one module of types for all of them, and nothing else.

With --sdk it writes what is generated of the packages, and nothing else: scripts/sdk-format formats it.

usage: millrace-schemagen [--typescript FILE | --sdk FOLDER] FOLDER…
example: millrace-schemagen schemas/chirp schemas/accounting";

fn main() -> ExitCode {
    let mut given: Vec<String> = std::env::args().skip(1).collect();
    if given.iter().any(|it| it == "--help" || it == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let option = match given.first().map(String::as_str) {
        Some("--typescript" | "--sdk") if given.len() > 1 => {
            let option = given.remove(0);
            Some((option, given.remove(0)))
        }
        _ => None,
    };
    if given.is_empty() || given.iter().any(|it| it.starts_with('-')) {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    let done = match option {
        Some((option, folder)) if option == "--sdk" => sdk(Path::new(&folder), &given),
        Some((_, file)) => typescript(&file, &given),
        None => given.iter().try_for_each(|folder| registered(folder)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn registered(folder: &str) -> Result<(), String> {
    let changed =
        millrace_schemagen::render(Path::new(folder)).map_err(|error| format!("{folder}: {error}"))?;
    match changed.is_empty() {
        true => println!("{folder}/registered is as it should be"),
        false => println!("{folder}/registered: {}", changed.join(", ")),
    }
    Ok(())
}

fn typescript(file: &str, folders: &[String]) -> Result<(), String> {
    let module = millrace_schemagen::typescript(folders).map_err(|error| error.to_string())?;
    std::fs::write(file, module).map_err(|error| format!("{file}: {error}"))
}

/// Writes what is generated, and removes what was generated before and is not any more.
fn sdk(into: &Path, folders: &[String]) -> Result<(), String> {
    let files = millrace_schemagen::sdk(folders).map_err(|error| error.to_string())?;
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for folder in millrace_schemagen::GENERATED {
        let folder = into.join(folder);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        }
    }
    for (name, text) in files {
        let path = into.join(name);
        let folder = path.parent().unwrap_or(into);
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}
