//! Schemas and Rust types from a domain's folder in `schemas/`, for its build script.
//!
//! An author writes records: `commands.avsc`, `events.avsc`, `state.avsc` and, with processes, `steps.avsc` are JSON arrays
//! of them, and annotations say what code would otherwise repeat. Around them come the envelopes of the engine; what is
//! then registered is checked in as `registered/`, and a test compares. The Rust types are compiled in and never
//! checked in, so schema and code cannot drift. What the engine could not work with is refused by file, record and
//! field, with the way out.
//!
//! A build script is one call: [`build`]`("chirp")`.

mod address;
mod annotations;
mod assemble;
mod avro;
mod claims;
mod conversions;
mod datum;
mod emit;
mod envelope;
mod folder;
mod format;
mod items;
mod limits;
mod reads;
mod registered;
mod samples;
#[cfg(feature = "build")]
mod settings;
mod states;
mod tables;
mod topics;
mod typescript;
mod withheld;

use std::fs;
use std::path::{Path, PathBuf};

use millrace_kernel::readers::unreadable;
use thiserror::Error;

use crate::folder::{Folder, Schema};
pub use crate::reads::reads;
pub use crate::registered::{registered, render, stale};
#[cfg(feature = "build")]
pub use crate::settings::documented;
pub use crate::typescript::typescript;

/// Why nothing was generated.
#[derive(Debug, Error)]
pub enum SchemagenError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is not what the engine needs.
    #[error("{file}: {message}")]
    Invalid {
        /// The file's name.
        file: String,
        /// What is wrong and where.
        message: String,
    },
}

/// What the build script of a domain does: [`generate`], from `schemas/<domain>` three folders above its crate
/// (`processors/domains/<domain>`), and from `src/settings.rs` of the crate where there is one, into `messages.rs` of the
/// build's folder.
///
/// # Panics
/// What [`generate`] says, which cargo shows.
#[cfg(feature = "build")]
pub fn build(domain: &str) {
    let set = |name: &str| PathBuf::from(std::env::var_os(name).expect("cargo sets it for build scripts"));
    let here = set("CARGO_MANIFEST_DIR");
    let schemas = here.join("../../../schemas").join(domain);
    let settings = own_settings(&here).unwrap_or_else(|error| panic!("{error}"));
    if let Err(error) = generate(&schemas, settings.as_deref(), &set("OUT_DIR").join("messages.rs")) {
        panic!("schemas/{domain}: {error}");
    }
}

/// What the build script of a domain does beside [`build`] that reads events of `other` domain: [`reads`], from `schemas/<other>`
/// into `<other>_events.rs` of the build's folder.
///
/// # Panics
/// What [`reads`] says, which cargo shows.
#[cfg(feature = "build")]
pub fn build_reads(other: &str, types: &[&str]) {
    let set = |name: &str| PathBuf::from(std::env::var_os(name).expect("cargo sets it for build scripts"));
    let schemas = set("CARGO_MANIFEST_DIR").join("../../../schemas").join(other);
    let schemas = fs::canonicalize(&schemas).unwrap_or(schemas);
    if let Err(error) = reads(&schemas, types, &set("OUT_DIR").join(format!("{other}_events.rs"))) {
        panic!("{error}");
    }
}

/// The code of what describes `pub struct Settings` of a domain's crate, which may have none.
#[cfg(feature = "build")]
fn own_settings(package: &Path) -> Result<Option<String>, SchemagenError> {
    let file = package.join("src/settings.rs");
    if !file.is_file() {
        // cargo would build anew every time for a path that is not there; whoever adds the file changes the folder
        println!("cargo::rerun-if-changed={}", package.join("src").display());
        return Ok(None);
    }
    println!("cargo::rerun-if-changed={}", file.display());
    let found = documented(&file)?.into_iter().find(|(name, _)| name == "Settings");
    found.map(|(_, code)| Some(code)).ok_or_else(|| SchemagenError::Invalid {
        file: "src/settings.rs".to_owned(),
        message: "there is no `pub struct Settings` with named fields, which the manual is made of"
            .to_owned(),
    })
}

/// Reads the records and tables in `dir` (`schemas/<d>`) and the topics in
/// `../../topics/<d>.toml`, or the standard ones, checks them, and writes the Rust file `out`, to be included by a
/// module of the domain. The crate must depend on `millrace-kernel` and `serde`.
///
/// The file holds one module for each of `commands`, `steps`, `events` (with the unions
/// `CommandData`, `StepData`, `EventData`), `state` (`State`, `StateRecord`) and `rows` (a
/// struct for each table), and the constant `SCHEMAS`, which holds `settings`, the code of a `SettingsDoc`. It prints the lines by which cargo
/// runs the build script again when a file changes.
///
/// # Errors
/// [`SchemagenError`] names the file and what is wrong with it.
pub fn generate(dir: &Path, settings: Option<&str>, out: &Path) -> Result<(), SchemagenError> {
    let folder = Folder::read(dir)?;
    for view in unreadable(&folder.tables) {
        println!(
            "cargo::warning=schemas/{}/views.cql: {view} does not say who may read it, so nobody can through a gateway that \
             asks for tokens: put `-- Readable by: …` before it (public, a column with a user's id, or `role name`)",
            folder.domain
        );
    }
    folder.paths.iter().for_each(|path| println!("cargo::rerun-if-changed={}", path.display()));
    let mut code = String::from("// Generated by millrace-schemagen; change the schemas instead.\n\n");
    let events = folder.schema(&envelope::EVENTS).map(Schema::messages).unwrap_or_default();
    let events: Vec<_> = events.into_iter().map(|(record, _)| record).collect();
    for schema in &folder.schemas {
        let kind = schema.kind;
        let module = match kind.data {
            None => Ok(String::new()),
            Some(_) if kind.file == envelope::STATE.file => states::states(&schema.record),
            Some(_) => emit::messages(kind, &schema.record, &schema.messages(), &events),
        };
        let file = format!("{}.avsc", kind.file);
        code.push_str(&module.map_err(|message| SchemagenError::Invalid { file, message })?);
    }
    if folder.schema(&envelope::STEPS).is_none() {
        code.push_str(&emit::no_steps());
    }
    code.push_str(&tables::module(&folder.tables));
    let registered: Vec<_> =
        folder.schemas.iter().map(|schema| (schema.kind.file, schema.registered.clone())).collect();
    let commands = folder.schema(&envelope::COMMANDS).map(Schema::messages).unwrap_or_default();
    let rules = emit::Rules {
        texts: limits::rules(&commands),
        sealed: limits::sealed(&commands),
        claims: claims::rules(&commands),
        sign_in: claims::sign_in(&commands),
        withheld: withheld::rules(folder.schemas.iter().flat_map(Schema::own)),
    };
    code.push_str(&emit::schemas_constant(&registered, &rules, &folder.views, &folder.topics, settings));
    fs::write(out, code).map_err(|source| SchemagenError::File { path: out.to_owned(), source })
}
