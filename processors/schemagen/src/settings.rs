//! The manual of settings: what the doc comments of their structs say.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use syn::{Attribute, Expr, Fields, FieldsNamed, Item, ItemStruct, Lit, Meta, Visibility};

use crate::SchemagenError;

/// The public structs of a source file, in its order, each by its name and as the code of a `SettingsDoc`.
///
/// # Errors
/// The file cannot be read or is not Rust, or something has no doc comment: that is the manual.
pub fn documented(file: &Path) -> Result<Vec<(String, String)>, SchemagenError> {
    let text =
        fs::read_to_string(file).map_err(|source| SchemagenError::File { path: file.to_owned(), source })?;
    let invalid = |message| SchemagenError::Invalid { file: file.display().to_string(), message };
    let parsed = syn::parse_file(&text).map_err(|error| invalid(error.to_string()))?;
    let mut structs = Vec::new();
    for item in parsed.items {
        if let Item::Struct(ItemStruct {
            attrs,
            vis: Visibility::Public(_),
            ident,
            fields: Fields::Named(fields),
            ..
        }) = item
        {
            let name = ident.to_string();
            let code = described(&name, &attrs, &fields).map_err(invalid)?;
            structs.push((name, code));
        }
    }
    Ok(structs)
}

fn described(name: &str, attributes: &[Attribute], fields: &FieldsNamed) -> Result<String, String> {
    let mut code = format!(
        "::millrace_kernel::SettingsDoc {{ name: {name:?}, doc: {:?}, fields: &[\n",
        sentence(name, attributes)?
    );
    for field in fields.named.iter().filter(|field| matches!(field.vis, Visibility::Public(_))) {
        let field_name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let kind = match &field.ty {
            syn::Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
            _ => None,
        };
        let _ = writeln!(
            code,
            "::millrace_kernel::SettingDoc {{ name: {field_name:?}, kind: {:?}, doc: {:?} }},",
            kind.unwrap_or_default(),
            sentence(&format!("{name}.{field_name}"), &field.attrs)?
        );
    }
    code.push_str("] }");
    Ok(code)
}

/// The doc comment, which must be a sentence at least.
fn sentence(name: &str, attributes: &[Attribute]) -> Result<String, String> {
    let doc = doc(attributes);
    match doc.len() > 10 && doc.ends_with(['.', ')']) {
        true => Ok(doc),
        false => Err(format!(
            "{name} has no doc comment that ends with a full stop: it is the manual of the setting; write one"
        )),
    }
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

#[cfg(test)]
mod tests {
    use super::documented;

    fn of(text: &str) -> Result<Vec<(String, String)>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        documented(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_setting_is_described_by_its_doc_comment() {
        let found = of(
            "/// What\n/// there is.\npub struct Settings {\n/// How many there are.\npub most: u64, hidden: u8 }\nstruct Other { x: u8 }",
        );
        let [(name, code)] = &found.unwrap()[..] else { panic!("one struct is public") };
        assert_eq!(name, "Settings");
        assert!(
            code.contains("doc: \"What there is.\"") && code.contains("name: \"most\", kind: \"u64\""),
            "{code}"
        );
        assert!(code.contains("doc: \"How many there are.\"") && !code.contains("hidden"), "{code}");
    }

    #[test]
    fn what_has_no_doc_comment_is_refused() {
        let lacks = |text: &str, name: &str| {
            let error = of(text).unwrap_err();
            assert!(error.contains(&format!("{name} has no doc comment")), "{error}");
        };
        lacks("pub struct Settings {\n/// How many there are.\npub most: u64 }", "Settings");
        lacks("/// What there is.\npub struct Settings { pub most: u64 }", "Settings.most");
        lacks("/// What there is.\npub struct Settings {\n/// no sentence\npub most: u64 }", "Settings.most");
        assert!(of("pub struct {").is_err());
    }
}
