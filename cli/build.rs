//! Collects the doc comments of every settings struct: they are the configuration manual.
//!
//! Cargo runs a build script at *every* build when it watches a path that does not exist. So only files that are
//! there are watched, and the folder of the domains for those that come; `scripts/stays-fresh` notices a slip.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use syn::{Attribute, Expr, Fields, Item, Lit, Meta, Visibility};

fn main() {
    // asked for now: another checkout may have compiled this script into the same target folder
    let here = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let crates = Path::new(&here).join("..");
    let mut files = vec![
        ("cli".to_owned(), crates.join("cli/src/config/settings.rs")),
        ("runtime".to_owned(), crates.join("processors/runtime/src/settings.rs")),
    ];
    files.extend(domains(&crates.join("processors/domains")));
    let mut out = String::from("&[\n");
    for (owner, path) in files {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        println!("cargo:rerun-if-changed={}", path.display());
        match syn::parse_file(&text) {
            Ok(file) => file.items.iter().for_each(|item| describe(&owner, item, &mut out)),
            Err(error) => println!("cargo:warning={}: {error}", path.display()),
        }
    }
    out.push(']');
    let target = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("settings_docs.rs");
    fs::write(target, out).expect("OUT_DIR can be written");
}

/// The settings file of every domain that has one, by the domain's name.
fn domains(folder: &Path) -> Vec<(String, PathBuf)> {
    println!("cargo:rerun-if-changed={}", folder.display());
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(String, PathBuf)> = entries
        .flatten()
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path().join("src/settings.rs")))
        .filter(|(_, settings)| settings.is_file())
        .collect();
    found.sort();
    found
}

fn describe(owner: &str, item: &Item, out: &mut String) {
    let Item::Struct(item) = item else { return };
    let Fields::Named(fields) = &item.fields else { return };
    if !matches!(item.vis, Visibility::Public(_)) {
        return;
    }
    let _ = writeln!(
        out,
        "StructDoc {{ owner: {owner:?}, name: {:?}, doc: {:?}, fields: &[",
        item.ident.to_string(),
        doc(&item.attrs)
    );
    for field in fields.named.iter().filter(|field| matches!(field.vis, Visibility::Public(_))) {
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let kind = match &field.ty {
            syn::Type::Path(path) => path.path.segments.last().map(|s| s.ident.to_string()),
            _ => None,
        };
        let _ = writeln!(
            out,
            "    FieldDoc {{ name: {name:?}, kind: {:?}, doc: {:?} }},",
            kind.unwrap_or_default(),
            doc(&field.attrs)
        );
    }
    out.push_str("] },\n");
}

/// The doc comment, its lines joined as Markdown joins them.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value().trim().to_owned()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let mut text = String::new();
    for line in lines {
        if line.is_empty() {
            text.push_str("\n\n");
        } else {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push(' ');
            }
            text.push_str(&line);
        }
    }
    text
}
