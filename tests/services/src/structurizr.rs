//! The real parser of Structurizr's DSL, for what says that it writes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ServiceError;
use crate::cache::{ensure, recipe_file};
use crate::fetch::{maven, run};
use crate::java;

/// The one class that calls the parser.
const CLASS: &str = "Workspaces";

/// Parses workspaces in Structurizr's DSL; what they hold, a line for each thing, its parts parted by tabulators:
/// `workspace file`, `element class name tags description`, `relationship from to description tags`, `view key elements`,
/// `drawn key`.
///
/// # Errors
/// What is missing on the machine; or a workspace that is refused, with line and reason.
pub fn structurizr(files: &[PathBuf]) -> Result<String, ServiceError> {
    let dir = parser()?;
    let mut command = Command::new(java::for_servers()?);
    command.arg("-Dfile.encoding=UTF-8").arg("-cp").arg(class_path(&dir)).arg(CLASS).args(files);
    let line = format!("{command:?}");
    let output = command.output().map_err(ServiceError::io(format!("run {line}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(ServiceError::Command {
            command: line,
            status: output.status.to_string(),
            output: {
                let refused: String = text.lines().filter(|line| line.starts_with("refused")).collect();
                refused + &String::from_utf8_lossy(&output.stderr)
            },
        }),
    }
}

/// The folder with the parser's jars and our class, made once.
fn parser() -> Result<PathBuf, ServiceError> {
    let (pom, source) = (recipe_file("structurizr/pom.xml"), recipe_file("structurizr/Workspaces.java"));
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(ServiceError::io(format!("read {}", path.display())))
    };
    let recipe = read(&pom)? + &read(&source)?;
    ensure("structurizr", &recipe, |dir| {
        java::require(
            "mvn",
            "Maven, which fetches the parser of the tests,",
            "maven openjdk-17-jre-headless",
        )?;
        eprintln!("fetching structurizr-dsl from Maven Central into {}", dir.display());
        run(&mut maven(&pom, dir))?;
        let mut compile = Command::new(java::for_servers()?);
        compile.arg("-cp").arg(class_path(dir)).arg("org.eclipse.jdt.internal.compiler.batch.Main");
        compile.args(["-17", "-nowarn", "-encoding", "UTF-8", "-d"]).arg(dir).arg(&source);
        run(compile.arg("-classpath").arg(jars(dir)?.join(":")))
    })
}

fn class_path(dir: &Path) -> String {
    format!("{0}/*:{0}", dir.display())
}

/// The jars of a folder, one by one: the compiler knows no `*`.
fn jars(dir: &Path) -> Result<Vec<String>, ServiceError> {
    let entries = std::fs::read_dir(dir).map_err(ServiceError::io(format!("list {}", dir.display())))?;
    let paths = entries.flatten().map(|entry| entry.path().display().to_string());
    Ok(paths.filter(|path| path.ends_with(".jar")).collect())
}
