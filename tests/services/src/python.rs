//! A Python with the foreign clients (Kafka, Avro, CQL) that black-box tests drive.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ServiceError;
use crate::cache::{ensure, recipe_file};
use crate::fetch::run;

/// The Python interpreter of a virtual environment with the packages of `requirements.txt`, made once.
pub fn python_env() -> Result<PathBuf, ServiceError> {
    let requirements = recipe_file("requirements.txt");
    let text = fs::read_to_string(&requirements)
        .map_err(ServiceError::io(format!("read {}", requirements.display())))?;
    let dir = ensure("venv", &text, |dir| {
        eprintln!("installing the Python clients of the tests into {}", dir.display());
        create_venv(dir)?;
        run(Command::new(dir.join("bin/python"))
            .args(["-m", "pip", "install", "-q", "--only-binary", ":all:", "-r"])
            .arg(&requirements))
    })?;
    Ok(dir.join("bin/python"))
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
