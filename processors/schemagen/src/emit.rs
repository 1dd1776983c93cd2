//! The modules of commands, steps and events.

use std::fmt::Write as _;

use crate::address::{self, Address};
use crate::avro::Record;
use crate::envelope::{self, Kind};
use crate::items::{DERIVE, Items};
use crate::{conversions, datum, limits, samples};

/// A message and where it belongs.
pub type Message<'a> = (&'a Record, &'a Address);

/// The module of a union of messages. `events` are those that steps are made from.
pub fn messages(
    kind: &Kind,
    schema: &Record,
    messages: &[Message<'_>],
    events: &[&Record],
) -> Result<String, String> {
    let data = kind.data.unwrap_or_default();
    let namespace = schema.namespace.as_deref().unwrap_or_default();
    let records: Vec<&Record> = messages.iter().map(|(record, _)| *record).collect();
    let mut items = Items::default();
    let mut body = union(kind, namespace, data, &records);
    body.push_str(&address::implementation(data, messages));
    body.push_str(&samples::union(data, &records));
    if kind.file == envelope::COMMANDS.file {
        body.push_str(&limits::implementation(data, messages));
        body.push_str(&failures(data, &records));
    }
    if kind.file == envelope::STEPS.file {
        body.push_str(&conversions::all(&records, events));
    }
    for (record, address) in messages {
        items.record(record, Some(address))?;
    }
    Ok(module(kind.file, &schema.doc, &(body + &items.code)))
}

/// `impl Failing` for the union of commands.
fn failures(data: &str, commands: &[&Record]) -> String {
    let mut arms = String::new();
    for record in commands {
        if let Some(failure) = record.marks.failure.as_ref().and_then(serde_json::Value::as_str) {
            let _ = writeln!(arms, "{:?} => Some({failure:?}),", record.name);
        }
    }
    let body = match arms.is_empty() {
        true => "None".to_owned(),
        false => format!("match command_type {{\n{arms}_ => None,\n}}"),
    };
    let argument = if arms.is_empty() { "_" } else { "command_type" };
    format!(
        "impl ::millrace_kernel::Failing for {data} {{\n\
         fn failure_of({argument}: &str) -> Option<&'static str> {{\n{body}\n}}\n}}\n\n"
    )
}

/// The module of the steps of a domain that has none.
pub fn no_steps() -> String {
    let doc = "There are no steps: no `steps.avsc`.";
    module("steps", doc, &format!("/// {doc}\npub type StepData = ::millrace_kernel::NoStep;\n"))
}

/// A module of the generated file.
pub fn module(name: &str, doc: &str, body: &str) -> String {
    format!("/// {}\npub mod {name} {{\n{body}}}\n\n", line(doc))
}

/// What is said of commands and not registered, as code.
pub struct Rules {
    /// How long their texts may be.
    pub texts: String,
    /// Which of their secrets are sealed.
    pub sealed: String,
    /// What of them a token says as well.
    pub claims: String,
    /// Which of them makes somebody known who signs in.
    pub sign_in: String,
    /// Which fields of any message or state are shown to nobody over HTTP.
    pub withheld: String,
}

/// `SCHEMAS`, with the texts compiled in.
pub fn schemas_constant(
    registered: &[(&'static str, String)],
    Rules { texts, sealed, claims, sign_in, withheld }: &Rules,
    views: &str,
    topics: &str,
    settings: Option<&str>,
) -> String {
    let text = |kind: &Kind| registered.iter().find(|(file, _)| *file == kind.file).map(|(_, text)| text);
    let mut code = String::from(
        "/// What is registered of the domain, its tables and its topics.\npub const SCHEMAS: ::millrace_kernel::Schemas = ::millrace_kernel::Schemas {\n",
    );
    for kind in envelope::KINDS {
        let _ = match (kind.may_be_absent(), text(kind)) {
            (true, Some(text)) => writeln!(code, "{}: Some({text:?}),", kind.file),
            (true, None) => writeln!(code, "{}: None,", kind.file),
            (false, text) => {
                writeln!(code, "{}: {:?},", kind.file, text.map(String::as_str).unwrap_or_default())
            }
        };
    }
    let _ = writeln!(
        code,
        "texts: {texts},\nsealed: {sealed},\nclaims: {claims},\nsign_in: {sign_in},\nwithheld: {withheld},"
    );
    let settings = settings.map_or("None".to_owned(), |code| format!("Some({code})"));
    let _ = writeln!(code, "views: {views:?},\ntopics: {topics:?},\nsettings: {settings},\n}};");
    code
}

fn union(kind: &Kind, namespace: &str, data: &str, messages: &[&Record]) -> String {
    let mut code = String::new();
    let _ = writeln!(code, "/// The messages of the topic: the union `{}.data`.", kind.root);
    code.push_str(DERIVE);
    code.push_str("#[allow(clippy::large_enum_variant)]\n");
    let _ = writeln!(code, "pub enum {data} {{");
    for record in messages {
        let _ = writeln!(code, "/// {}", line(&record.doc));
        // decoders name a branch by its full name
        let _ =
            writeln!(code, "#[serde(alias = \"{namespace}.{name}\")]\n{name}({name}),", name = record.name);
    }
    code.push_str("}\n\n");
    let _ = writeln!(code, "impl ::millrace_kernel::Named for {data} {{");
    code.push_str("fn name(&self) -> &'static str {\nmatch self {\n");
    for record in messages {
        let _ = writeln!(code, "Self::{name}(_) => {name:?},", name = record.name);
    }
    code.push_str("}\n}\n}\n\n");
    code.push_str(&datum::union(data, &messages.iter().map(|it| it.name.as_str()).collect::<Vec<_>>()));
    for record in messages {
        let name = &record.name;
        let _ = writeln!(
            code,
            "impl From<{name}> for {data} {{\nfn from(message: {name}) -> Self {{\nSelf::{name}(message)\n}}\n}}\n"
        );
    }
    code
}

/// `home_timelines`, `CREATED` → `HomeTimelines`, `Created`.
pub fn camel_case(name: &str) -> String {
    let shouted = name.chars().all(|c| !c.is_lowercase());
    name.split('_')
        .map(|word| {
            let mut letters = word.chars();
            let first: String = letters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
            let rest = letters.as_str();
            first + &if shouted { rest.to_lowercase() } else { rest.to_owned() }
        })
        .collect()
}

/// A field's name, also where it is a word of Rust.
pub fn identifier(name: &str) -> String {
    const WORDS: [&str; 24] = [
        "as", "async", "await", "break", "const", "do", "else", "enum", "final", "fn", "for", "if", "impl",
        "in", "let", "loop", "match", "mod", "move", "ref", "type", "use", "where", "while",
    ];
    if WORDS.contains(&name) { format!("r#{name}") } else { name.to_owned() }
}

/// A documentation as one line that rustdoc takes literally.
pub fn line(doc: &str) -> String {
    let words: Vec<&str> = doc.split_whitespace().collect();
    words.join(" ").replace('<', "\\<").replace('[', "\\[")
}
