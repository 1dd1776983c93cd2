//! The public interface of the crate: what `pub use` and `pub mod` lead to from `lib.rs`.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use syn::{Item, Visibility};

use crate::files;

/// The lines of the crate in this folder.
pub fn lines(package: &Path) -> Result<BTreeSet<String>, String> {
    let mut modules = HashMap::new();
    load(&package.join("src/lib.rs"), &package.join("src"), String::new(), &mut modules)?;
    let mut lines = BTreeSet::new();
    show(&modules, "", "millrace_sdk", &mut lines);
    Ok(lines)
}

/// Every module by its path: `` for the root, `generated::chirp`.
fn load(
    file: &Path,
    folder: &Path,
    path: String,
    into: &mut HashMap<String, Vec<Item>>,
) -> Result<(), String> {
    let parsed =
        syn::parse_file(&files::text(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
    for item in &parsed.items {
        let Item::Mod(module) = item else { continue };
        if module.content.is_some() {
            continue;
        }
        let name = module.ident.to_string();
        let below = folder.join(&name);
        let candidates: [PathBuf; 2] = [folder.join(format!("{name}.rs")), below.join("mod.rs")];
        let Some(found) = candidates.iter().find(|it| it.is_file()) else {
            return Err(format!("{}: there is no file of mod {name}", file.display()));
        };
        load(found, &below, joined(&path, &name), into)?;
    }
    into.insert(path, parsed.items);
    Ok(())
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}::{name}") }
}

/// Adds what a module has for others, called as they call it.
fn show(modules: &HashMap<String, Vec<Item>>, path: &str, shown: &str, lines: &mut BTreeSet<String>) {
    for item in modules.get(path).into_iter().flatten() {
        match item {
            Item::Mod(it) if is_public(&it.vis) => {
                let name = it.ident.to_string();
                show(modules, &joined(path, &name), &format!("{shown}.{name}"), lines);
            }
            Item::Use(it) if is_public(&it.vis) => {
                let mut leaves = Vec::new();
                leaves_of(&it.tree, Vec::new(), &mut leaves);
                for mut leaf in leaves {
                    if leaf.first().is_some_and(|first| first == "crate") {
                        leaf.remove(0);
                    } else if leaf.first().is_some_and(|first| modules.contains_key(&joined(path, first)))
                        && !path.is_empty()
                    {
                        leaf.insert(0, path.to_owned());
                    }
                    let Some(name) = leaf.pop() else { continue };
                    let from = leaf.join("::");
                    match (name.as_str(), modules.contains_key(&joined(&from, &name))) {
                        ("*", _) => show(modules, &from, shown, lines),
                        (_, true) => show(modules, &joined(&from, &name), &format!("{shown}.{name}"), lines),
                        _ => named(modules.get(&from).map_or(&[][..], Vec::as_slice), &name, shown, lines),
                    }
                }
            }
            _ => one(item, shown, lines),
        }
    }
    for item in modules.get(path).into_iter().flatten() {
        impls(item, None, shown, lines);
    }
}

fn leaves_of(tree: &syn::UseTree, mut before: Vec<String>, leaves: &mut Vec<Vec<String>>) {
    match tree {
        syn::UseTree::Path(it) => {
            before.push(it.ident.to_string());
            leaves_of(&it.tree, before, leaves);
        }
        syn::UseTree::Name(it) => leaves.push([before, vec![it.ident.to_string()]].concat()),
        syn::UseTree::Rename(it) => leaves.push([before, vec![it.ident.to_string()]].concat()),
        syn::UseTree::Glob(_) => leaves.push([before, vec!["*".to_owned()]].concat()),
        syn::UseTree::Group(it) => it.items.iter().for_each(|inner| leaves_of(inner, before.clone(), leaves)),
    }
}

/// The item of this name in a module that is not public by itself.
fn named(items: &[Item], name: &str, shown: &str, lines: &mut BTreeSet<String>) {
    for item in items {
        let found = match item {
            Item::Fn(it) => it.sig.ident == name,
            Item::Struct(it) => it.ident == name,
            Item::Enum(it) => it.ident == name,
            Item::Trait(it) => it.ident == name,
            Item::Type(it) => it.ident == name,
            Item::Const(it) => it.ident == name,
            _ => false,
        };
        if found {
            one(item, shown, lines);
        }
        impls(item, Some(name), shown, lines);
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn text(tokens: impl quote::ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    // spaces as people write them, so that lines can be read
    let tight = [
        (" :: ", "::"),
        (" < ", "<"),
        (" >", ">"),
        ("& ", "&"),
        (" ,", ","),
        (" ;", ";"),
        ("( ", "("),
        (" )", ")"),
    ];
    tight.iter().fold(text, |text, (loose, close)| text.replace(loose, close))
}

fn one(item: &Item, shown: &str, lines: &mut BTreeSet<String>) {
    match item {
        Item::Fn(it) if is_public(&it.vis) => {
            lines.insert(format!("{shown}.{}: {}", it.sig.ident, text(&it.sig)));
        }
        Item::Const(it) if is_public(&it.vis) => {
            lines.insert(format!("{shown}.{}: {}", it.ident, text(&it.ty)));
        }
        Item::Type(it) if is_public(&it.vis) => {
            lines.insert(format!("{shown}.{}: type{} = {}", it.ident, text(&it.generics), text(&it.ty)));
        }
        Item::Struct(it) if is_public(&it.vis) => {
            let name = format!("{shown}.{}", it.ident);
            lines.insert(format!("{name}: struct{}", text(&it.generics)));
            derives(&it.attrs, &name, lines);
            // who can make one by its fields has to say each of them
            let must = if it.fields.iter().all(|field| is_public(&field.vis)) && !is_open(&it.attrs) {
                "! "
            } else {
                ""
            };
            for (at, field) in it.fields.iter().enumerate().filter(|(_, field)| is_public(&field.vis)) {
                let field_name = field.ident.as_ref().map_or_else(|| at.to_string(), ToString::to_string);
                lines.insert(format!("{must}{name}.{field_name}: {}", text(&field.ty)));
            }
        }
        Item::Enum(it) if is_public(&it.vis) => {
            let name = format!("{shown}.{}", it.ident);
            lines.insert(format!("{name}: enum{}", text(&it.generics)));
            derives(&it.attrs, &name, lines);
            let must = if is_open(&it.attrs) { "" } else { "! " };
            for variant in &it.variants {
                lines.insert(format!("{must}{name}.{}: {}", variant.ident, text(&variant.fields)));
            }
        }
        Item::Trait(it) if is_public(&it.vis) => {
            let name = format!("{shown}.{}", it.ident);
            lines.insert(format!("{name}: trait{} {}", text(&it.generics), text(&it.supertraits)));
            for inner in &it.items {
                let (ident, signature, must) = match inner {
                    syn::TraitItem::Fn(it) => (it.sig.ident.to_string(), text(&it.sig), it.default.is_none()),
                    syn::TraitItem::Const(it) => (it.ident.to_string(), text(&it.ty), it.default.is_none()),
                    syn::TraitItem::Type(it) => {
                        (it.ident.to_string(), text(&it.bounds), it.default.is_none())
                    }
                    _ => continue,
                };
                lines.insert(format!("{}{name}.{ident}: {signature}", if must { "! " } else { "" }));
            }
        }
        _ => {}
    }
}

/// Whether others have to reckon with more of it.
fn is_open(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|it| it.path().is_ident("non_exhaustive"))
}

fn derives(attributes: &[syn::Attribute], name: &str, lines: &mut BTreeSet<String>) {
    for attribute in attributes.iter().filter(|it| it.path().is_ident("derive")) {
        let _ = attribute.parse_nested_meta(|meta| {
            lines.insert(format!("{name}: impl {}", text(&meta.path)));
            Ok(())
        });
    }
}

/// What is implemented for a type, of this name if one is given.
fn impls(item: &Item, only: Option<&str>, shown: &str, lines: &mut BTreeSet<String>) {
    let Item::Impl(it) = item else { return };
    let syn::Type::Path(of) = &*it.self_ty else { return };
    let Some(last) = of.path.segments.last() else { return };
    if only.is_some_and(|name| last.ident != name) {
        return;
    }
    let name = format!("{shown}.{}", last.ident);
    if !lines.iter().any(|line| line.starts_with(&format!("{name}: "))) {
        return;
    }
    if let Some((_, implemented, _)) = &it.trait_ {
        lines.insert(format!("{name}: impl {}", text(implemented)));
        return;
    }
    for inner in &it.items {
        match inner {
            syn::ImplItem::Fn(it) if is_public(&it.vis) => {
                lines.insert(format!("{name}.{}: {}", it.sig.ident, text(&it.sig)));
            }
            syn::ImplItem::Const(it) if is_public(&it.vis) => {
                lines.insert(format!("{name}.{}: {}", it.ident, text(&it.ty)));
            }
            _ => {}
        }
    }
}
