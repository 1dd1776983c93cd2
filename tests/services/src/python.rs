//! What foreign programs need: the clients (Kafka, Avro, CQL) that black-box tests drive, and what checks the documents of the
//! gateway and asks it by them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ServiceError;
use crate::cache::{ensure, recipe_file};
use crate::fetch::run;

/// The Python interpreter of a virtual environment with the packages of `requirements.txt`, made once.
pub fn python_env() -> Result<PathBuf, ServiceError> {
    env_of("venv", "requirements.txt", "the Python clients of the tests")
}

/// The Python interpreter of one with the packages of `../api/requirements.txt`, which read OpenAPI documents.
pub fn api_python_env() -> Result<PathBuf, ServiceError> {
    env_of("venv-api", "../api/requirements.txt", "what reads OpenAPI documents")
}

/// A folder with the packages of `../api/package.json` in its `node_modules`, which read OpenAPI and AsyncAPI documents,
/// made once. Node.js 20 must be there.
pub fn api_node_env() -> Result<PathBuf, ServiceError> {
    node_env("node-api", "../api", "what reads AsyncAPI documents")
}

/// One with those of `../pages/package.json`, which drive a browser.
pub fn browser_node_env() -> Result<PathBuf, ServiceError> {
    node_env("node-pages", "../pages", "what drives a browser")
}

/// One with those of `web/package.json`, which build the pages.
pub fn web_node_env() -> Result<PathBuf, ServiceError> {
    node_env("node-web", "../../web", "what builds the pages")
}

fn node_env(name: &str, folder: &str, what: &str) -> Result<PathBuf, ServiceError> {
    let files = ["package.json", "package-lock.json"].map(|name| recipe_file(folder).join(name));
    let texts = files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    ensure(name, &texts.concat(), |dir| {
        eprintln!("installing {what} into {}", dir.display());
        crate::java::require("npm", "npm, with Node.js 20", "nodejs npm")?;
        for path in &files {
            let to = dir.join(path.file_name().unwrap_or_default());
            fs::copy(path, &to).map_err(ServiceError::io(format!("write {}", to.display())))?;
        }
        let quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        run(Command::new("npm").arg("ci").args(quiet).current_dir(dir))
    })
}

fn env_of(name: &str, requirements: &str, what: &str) -> Result<PathBuf, ServiceError> {
    let requirements = recipe_file(requirements);
    let dir = ensure(name, &read(&requirements)?, |dir| {
        eprintln!("installing {what} into {}", dir.display());
        create_venv(dir)?;
        run(Command::new(dir.join("bin/python"))
            .args(["-m", "pip", "install", "-q", "--only-binary", ":all:", "-r"])
            .arg(&requirements))
    })?;
    Ok(dir.join("bin/python"))
}

fn read(path: &Path) -> Result<String, ServiceError> {
    fs::read_to_string(path).map_err(ServiceError::io(format!("read {}", path.display())))
}

/// Makes an empty virtual environment.
pub(crate) fn create_venv(dir: &Path) -> Result<(), ServiceError> {
    crate::java::require("python3", "Python 3", "python3 python3-venv")?;
    run(Command::new("python3").args(["-m", "venv"]).arg(dir)).map_err(|error| match error {
        // Debian splits venv off; its own message names a version-dependent package.
        ServiceError::Command { output, .. } if output.contains("ensurepip") => ServiceError::Missing {
            what: "Python's venv module".to_owned(),
            install: "apt-get install -y python3-venv".to_owned(),
        },
        other => other,
    })
}
