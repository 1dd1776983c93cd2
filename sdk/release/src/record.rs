//! What is kept of a release: its schemas, for ever; its vectors and interfaces, until the next one.

use std::fs;
use std::path::Path;

use crate::files::{self, RELEASED};
use crate::version::Version;
use crate::{api, schemas as rules, vectors, versions};

/// Writes `schemas/<d>/released/<version>/`: what is registered today, the topics' rules, and which
/// fields are sealed.
///
/// # Errors
/// A file cannot be read or written.
pub fn schemas(root: &Path, version: Version) -> Result<(), String> {
    for domain in files::domains(root)? {
        let registered = root.join("schemas").join(&domain).join("registered");
        let into = files::released(root, &domain).join(version.to_string());
        if into.is_dir() {
            fs::remove_dir_all(&into).map_err(|error| format!("{}: {error}", into.display()))?;
        }
        for name in files::names(&registered)? {
            files::write(&into.join(&name), &files::text(&registered.join(&name))?)?;
        }
        files::write(&into.join("topics.toml"), &rules::declared(root, &domain)?)?;
        let sealed: String = rules::sealed(root, &domain)?.into_iter().map(|field| field + "\n").collect();
        if !sealed.is_empty() {
            files::write(&into.join(rules::SEALED), &sealed)?;
        }
    }
    Ok(())
}

/// Writes `sdk/released/`, once the vectors are those of the release.
///
/// # Errors
/// As [`schemas`].
pub fn packages(root: &Path, version: Version) -> Result<(), String> {
    interfaces(root)?;
    messages(root, version)
}

/// Writes `sdk/released/api/`.
///
/// # Errors
/// As [`api::lines`].
pub fn interfaces(root: &Path) -> Result<(), String> {
    for language in api::LANGUAGES {
        let lines: String = api::lines(root, language)?.into_iter().map(|line| line + "\n").collect();
        files::write(&root.join(RELEASED).join("api").join(format!("{language}.txt")), &lines)?;
    }
    Ok(())
}

/// Writes the rest of `sdk/released/`: the version, its vectors, and the digests of all released schemas.
///
/// # Errors
/// As [`schemas`].
pub fn messages(root: &Path, version: Version) -> Result<(), String> {
    let released = root.join(RELEASED);
    files::write(&released.join("vectors.txt"), &vectors::lines(root)?)?;
    let mut digests = String::new();
    for domain in files::domains(root)? {
        for version in versions::of(root, &domain)? {
            let folder = files::released(root, &domain).join(version.to_string());
            for name in files::names(&folder)? {
                let digest = files::digest(&files::text(&folder.join(&name))?);
                digests.push_str(&format!("{digest} schemas/{domain}/released/{version}/{name}\n"));
            }
        }
    }
    files::write(&released.join("schemas.txt"), &digests)?;
    files::write(&released.join("version"), &format!("{version}\n"))
}

/// Puts the version into every manifest, and into what is made of them.
///
/// # Errors
/// A file cannot be read or written, or does not have the version where it should.
pub fn number(root: &Path, version: Version) -> Result<(), String> {
    let manifest = files::text(&root.join("Cargo.toml"))?;
    let table: toml::Table = manifest.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
    let old = table.get("workspace").and_then(|it| it.get("package")).and_then(|it| it.get("version"));
    let Some(old) = old.and_then(toml::Value::as_str) else {
        return Err("Cargo.toml: [workspace.package] has no version".to_owned());
    };
    let (in_toml, in_json) = (format!("version = \"{old}\""), format!("\"version\": \"{old}\""));
    let places = [
        ("Cargo.toml", in_toml.as_str(), 1),
        ("sdk/python/pyproject.toml", &in_toml, 1),
        ("sdk/typescript/package.json", &in_json, 1),
        ("sdk/typescript/package-lock.json", &in_json, 2),
        ("docs/openapi.json", &in_json, 1),
        ("docs/asyncapi.json", &in_json, 1),
    ];
    for (name, text, count) in places {
        let path = root.join(name);
        let file = files::text(&path)?;
        // the package's own stand first; further down others may have the same
        if file.matches(text).count() < count {
            return Err(format!("{name} does not say {text}: it has another version than Cargo.toml"));
        }
        files::write(&path, &file.replacen(text, &text.replace(old, &version.to_string()), count))?;
    }
    let lock = root.join("Cargo.lock");
    let entries: Vec<String> = files::text(&lock)?
        .split("[[package]]\n")
        .map(|entry| {
            // what comes from a registry says so; the workspace's own do not
            let is_own = entry.starts_with("name = \"") && !entry.contains("\nsource = ");
            let new = format!("version = \"{version}\"");
            if is_own { entry.replacen(&in_toml, &new, 1) } else { entry.to_owned() }
        })
        .collect();
    files::write(&lock, &entries.join("[[package]]\n"))
}
