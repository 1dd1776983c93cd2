//! `millrace new-domain`: a bounded context to begin with, which is the guest book under another name.
//!
//! What is written is what this build was tested with: the files of `processors/domains/guestbook` and `schemas/guestbook`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::domain::DomainEntry;
use crate::error::CliError;
use crate::output;

/// The guest book, file by file.
const FILES: [(&str, &str); 8] = [
    ("schemas/guestbook/commands.avsc", include_str!("../../../schemas/guestbook/commands.avsc")),
    ("schemas/guestbook/events.avsc", include_str!("../../../schemas/guestbook/events.avsc")),
    ("schemas/guestbook/state.avsc", include_str!("../../../schemas/guestbook/state.avsc")),
    ("schemas/guestbook/views.cql", include_str!("../../../schemas/guestbook/views.cql")),
    (
        "processors/domains/guestbook/Cargo.toml",
        include_str!("../../../processors/domains/guestbook/Cargo.toml"),
    ),
    ("processors/domains/guestbook/build.rs", include_str!("../../../processors/domains/guestbook/build.rs")),
    (
        "processors/domains/guestbook/src/lib.rs",
        include_str!("../../../processors/domains/guestbook/src/lib.rs"),
    ),
    (
        "processors/domains/guestbook/tests/decisions.rs",
        include_str!("../../../processors/domains/guestbook/tests/decisions.rs"),
    ),
];
/// Longest name: topics, groups and keyspaces begin with it.
const MAX_NAME_LENGTH: usize = 32;
/// Where the binary names its domains.
const MAIN: &str = "cli/src/main.rs";
/// Where it depends on them.
const MANIFEST: &str = "cli/Cargo.toml";
/// Which packages there are: `make` builds only what stands here.
const LOCK: &str = "Cargo.lock";

/// Runs `millrace new-domain`.
///
/// # Errors
/// A name that cannot be one or is taken, no workspace here, and files that cannot be written; then nothing is changed that
/// was there.
pub fn run(domains: &[Box<dyn DomainEntry>], name: &str) -> Result<(), CliError> {
    let here = std::env::current_dir()?;
    let type_name = type_name(name)?;
    let root = root(&here)?;
    if domains.iter().any(|entry| entry.name() == name) {
        return Err(CliError::usage(format!("there is a domain {name} already")).hint("Choose another name."));
    }
    // such as Event: what is written uses that name already
    if type_name == "Self" || FILES.iter().any(|(_, text)| words(text).any(|word| word == type_name)) {
        return Err(CliError::usage(format!(
            "{name:?} cannot be the name of a domain: its type would be {type_name}"
        ))
        .hint("That name is taken in what is written. Choose another, such as the plural."));
    }
    let renamed = |text: &str| renamed(text, name, &type_name);
    let taken = FILES.iter().map(|(path, _)| root.join(renamed(path))).find(|path| path.exists());
    if let Some(path) = taken {
        return Err(CliError::usage(format!("{} is there already", path.display()))
            .hint("Choose another name, or delete what is left of an earlier try."));
    }
    // what is to be changed is read before anything is written
    let (main, manifest) = (root.join(MAIN), root.join(MANIFEST));
    let registered = [
        (registered_in_main(&fs::read_to_string(&main)?, name, &type_name), &main),
        (registered_in_manifest(&fs::read_to_string(&manifest)?, name), &manifest),
    ];
    let lock = root.join(LOCK);
    let locked = fs::read_to_string(&lock).ok().and_then(|text| registered_in_lock(&text, name));
    for (path, text) in FILES {
        let path = root.join(renamed(path));
        millrace_disk::make_folder(path.parent().unwrap_or(&root))?;
        millrace_disk::replace(&path, renamed(text).as_bytes())?;
        output::line(format!("wrote    {}", shown(&root, &path)))?;
    }
    let schemas = root.join("schemas").join(name);
    let rendered = millrace_schemagen::render(&schemas);
    for file in rendered.map_err(|error| CliError::failed(error.to_string()))? {
        output::line(format!("wrote    {}", shown(&root, &schemas.join("registered").join(file))))?;
    }
    for (text, path) in registered {
        match text {
            Some(text) => {
                millrace_disk::replace(path, text.as_bytes())?;
                output::line(format!("changed  {}", shown(&root, path)))?;
            }
            None => output::line(format!(
                "add by hand to {}: the crate millrace-domain-{name}, and .domain::<{type_name}>()",
                shown(&root, path)
            ))?,
        }
    }
    match locked {
        Some(text) => {
            millrace_disk::replace(&lock, text.as_bytes())?;
            output::line(format!("changed  {}", shown(&root, &lock)))?;
        }
        None => output::line("not changed: Cargo.lock; build once without --locked")?,
    }
    output::line(format!(
        "\nNext:\n  cargo test -p millrace-domain-{name}\n  make run\n  millrace send Sign{type_name} guest_id=ann \
         text=hi --wait-for {name}_entries\n  millrace query {name}_entries guest_id=ann\n\
         Then make it yours: docs/add-a-domain.md."
    ))
}

/// What the domain's type is called: `order_desk` → `OrderDesk`.
fn type_name(name: &str) -> Result<String, CliError> {
    let is_word = |word: &str| word.starts_with(|letter: char| letter.is_ascii_lowercase());
    let is_good = name.len() <= MAX_NAME_LENGTH
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && name.split('_').all(is_word);
    if !is_good || name.starts_with("millrace") || name.starts_with("system") {
        return Err(CliError::usage(format!("{name:?} cannot be the name of a domain")).hint(format!(
            "Write at most {MAX_NAME_LENGTH} of a-z 0-9 _, each word beginning with a letter, such as order_desk; \
             names that begin with millrace are the engine's, with system those of CQL."
        )));
    }
    let capitalised = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    Ok(name.split('_').map(capitalised).collect())
}

/// The folder of the workspace that `here` lies in.
fn root(here: &Path) -> Result<PathBuf, CliError> {
    let is_root = |folder: &&Path| {
        [MAIN, MANIFEST].iter().all(|file| folder.join(file).is_file())
            && folder.join("processors/domains").is_dir()
    };
    here.ancestors().find(is_root).map(Path::to_owned).ok_or_else(|| {
        CliError::failed(format!("{} is not in a checkout of Millrace", here.display()))
            .hint(format!("Go to one: a folder with {MAIN} and processors/domains."))
    })
}

/// The words of a text: what stands between all that is neither letter, digit nor `_`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !is_letter(letter))
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The guest book's text with this domain's words. Types of commands and names of views are unique among the domains of a
/// binary, so these get the name, too.
fn renamed(text: &str, name: &str, type_name: &str) -> String {
    let mut all = String::with_capacity(text.len() + 256);
    let mut rest = text;
    while let Some(begin) = rest.find(is_letter) {
        let (before, from) = rest.split_at(begin);
        let (word, behind) = from.split_at(from.find(|letter| !is_letter(letter)).unwrap_or(from.len()));
        all.push_str(before);
        match word {
            "guestbook" => all.push_str(name),
            "Guestbook" => all.push_str(type_name),
            "millrace_domain_guestbook" => all.extend(["millrace_domain_", name]),
            "Sign" => all.extend(["Sign", type_name]),
            "Signed" | "Entry" | "EntriesRow" => all.extend([type_name, word]),
            "entries" => all.extend([name, "_entries"]),
            other => all.push_str(other),
        }
        rest = behind;
    }
    all + rest
}

/// `main.rs` with the domain; nothing where it does not look as expected.
fn registered_in_main(text: &str, name: &str, type_name: &str) -> Option<String> {
    let text = among(text, "use millrace_domain_", &format!("use millrace_domain_{name}::{type_name};\n"))?;
    let run = text.find("        .run()")?;
    let (before, from) = text.split_at(run);
    Some(format!("{before}        .domain::<{type_name}>()\n{from}"))
}

/// `Cargo.toml` with the dependency; nothing where it does not look as expected.
fn registered_in_manifest(text: &str, name: &str) -> Option<String> {
    let line = format!("millrace-domain-{name} = {{ path = \"../processors/domains/{name}\" }}\n");
    among(text, "millrace-domain-", &line)
}

/// `Cargo.lock` with the package, whose dependencies are the guest book's; nothing where it does not look as expected.
fn registered_in_lock(text: &str, name: &str) -> Option<String> {
    const BEGIN: &str = "[[package]]\nname = \"";
    let package = format!("millrace-domain-{name}");
    let name_of = |block: &str| block.strip_prefix(BEGIN)?.split('"').next().map(str::to_owned);
    let (head, packages) = text.split_at(text.find(BEGIN)?);
    let mut blocks: Vec<String> = packages.trim_end().split("\n\n").map(str::to_owned).collect();
    let of = |wanted: &str| blocks.iter().position(|block| name_of(block).as_deref() == Some(wanted));
    let (guestbook, binary) = (of("millrace-domain-guestbook")?, of("millrace-cli")?);
    let block = blocks[guestbook].replacen("millrace-domain-guestbook", &package, 1);
    blocks[binary] = among(&blocks[binary], " \"millrace-domain-", &format!(" \"{package}\",\n"))?;
    let place = blocks.iter().position(|other| name_of(other).is_none_or(|other| other > package));
    blocks.insert(place.unwrap_or(blocks.len()), block);
    Some(format!("{head}{}\n", blocks.join("\n\n")))
}

/// `text` with `line` in its place among the lines that begin with `prefix`, which are sorted.
fn among(text: &str, prefix: &str, line: &str) -> Option<String> {
    let mut place = None;
    let mut begin = 0;
    for other in text.split_inclusive('\n') {
        let end = begin + other.len();
        if other.starts_with(prefix) {
            if other > line {
                place = Some(begin);
                break;
            }
            place = Some(end);
        }
        begin = end;
    }
    let (before, behind) = text.split_at(place?);
    Some(format!("{before}{line}{behind}"))
}

fn shown(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
