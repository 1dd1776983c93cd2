//! Fetches the servers' jars with Maven, once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::{ensure, recipe_file};
use crate::{ServiceError, java};

/// A server that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    /// Apache Kafka.
    Kafka,
    /// Apache Cassandra, the CQL server of the tests.
    Cassandra,
    /// Apicurio Registry, with the Confluent REST API.
    Registry,
}

impl Package {
    /// All of them.
    pub const ALL: [Package; 3] = [Package::Kafka, Package::Cassandra, Package::Registry];

    /// Its folder, in this package and in the cache.
    pub fn name(self) -> &'static str {
        match self {
            Package::Kafka => "kafka",
            Package::Cassandra => "cassandra",
            Package::Registry => "registry",
        }
    }
}

/// Makes sure the package's jars are in the cache and gives their folder. Costs nothing when they are.
pub fn fetch(package: Package) -> Result<PathBuf, ServiceError> {
    let recipe = match package {
        Package::Kafka => "kafka/pom.xml",
        Package::Cassandra => "cassandra/pom.xml",
        Package::Registry => "registry/fetch-registry.sh",
    };
    let recipe = recipe_file(recipe);
    let text = fs::read_to_string(&recipe).map_err(ServiceError::io(format!("read {}", recipe.display())))?;
    ensure(&format!("services/{}", package.name()), &text, |dir| {
        java::require(
            "mvn",
            "Maven, which fetches the servers of the tests,",
            "maven openjdk-17-jre-headless",
        )?;
        eprintln!("fetching {} from Maven Central into {}", package.name(), dir.display());
        match package {
            Package::Kafka => run(&mut maven(&recipe, dir)),
            Package::Cassandra => run(maven(&recipe, dir)
                // Netty's native parts for machines the tests do not run on are half of the download.
                .arg(
                    "-DexcludeClassifiers=osx-x86_64,osx-aarch_64,windows-x86_64,linux-aarch_64,linux-riscv64",
                )),
            Package::Registry => run(Command::new(&recipe).arg(dir)),
        }
    })
}

/// The Maven call that copies the jars a pom names, with all they need, to `dir`; `-C` refuses a wrong checksum.
pub(crate) fn maven(pom: &Path, dir: &Path) -> Command {
    let mut command = Command::new("mvn");
    command
        .args(["-B", "-q", "-C", "-f"])
        .arg(pom)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", dir.display()));
    command
}

/// Runs a helper program to its end; its output only matters when it fails.
pub(crate) fn run(command: &mut Command) -> Result<(), ServiceError> {
    let line = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().map_err(ServiceError::io(format!("run {line}")))?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(ServiceError::Command {
        command: line,
        status: output.status.to_string(),
        output: last_lines(&text, 30),
    })
}

/// The last `count` lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
