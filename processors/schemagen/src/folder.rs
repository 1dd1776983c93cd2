//! A domain's folder, read and checked.

use std::fs;
use std::path::{Path, PathBuf};

use millrace_kernel::aggregate::snake_case;
use millrace_kernel::live::{check_live, live_families};
use millrace_kernel::readers::check_readers;
use millrace_kernel::table::{Table, check_bounds, parse_tables};

use crate::address::Address;
use crate::avro::{self, Record};
use crate::envelope::{CHANGES, COMMANDS, EVENTS, KINDS, Kind, LOOKUP, OUTCOMES, STATE, STEPS};
use crate::{SchemagenError, annotations, assemble, format, states, topics};

/// What a domain's folder and its topics file hold.
pub struct Folder {
    /// The domain's name.
    pub domain: String,
    /// The schemas it has.
    pub schemas: Vec<Schema>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The text of the tables.
    pub views: String,
    /// The text of the topics.
    pub topics: String,
    /// What was read.
    pub paths: Vec<PathBuf>,
}

/// A schema, put together.
pub struct Schema {
    /// Which one.
    pub kind: &'static Kind,
    /// Its tree.
    pub record: Record,
    /// Where its messages belong, in their order; empty for what has none.
    pub addresses: Vec<Address>,
    /// What is registered.
    pub registered: String,
}

impl Schema {
    /// The messages, each with where it belongs.
    pub fn messages(&self) -> Vec<(&Record, &Address)> {
        own(self.kind, &self.record).into_iter().zip(&self.addresses).collect()
    }

    /// The messages, or the kinds of states.
    pub fn own(&self) -> Vec<&Record> {
        own(self.kind, &self.record)
    }
}

impl Folder {
    /// Reads `schemas/<d>`, and `topics/<d>.toml` beside it where it is.
    pub fn read(dir: &Path) -> Result<Self, SchemagenError> {
        let dir =
            fs::canonicalize(dir).map_err(|source| SchemagenError::File { path: dir.to_owned(), source })?;
        let (domain, declared) = topics_of(&dir)?;
        let mut folder = Self {
            domain,
            schemas: Vec::new(),
            tables: Vec::new(),
            views: String::new(),
            topics: String::new(),
            paths: Vec::new(),
        };
        for kind in [&COMMANDS, &STEPS, &EVENTS] {
            let path = dir.join(file(kind));
            if kind.may_be_absent() && !path.exists() {
                // so that cargo sees one come: a path that is not there would make it build every time
                folder.paths.push(dir.clone());
                continue;
            }
            let text = folder.text(&path)?;
            let schema = schema(kind, &folder.domain, &text, &|_| String::new());
            folder.schemas.push(schema.map_err(|message| invalid(kind, message))?);
        }
        let text = folder.text(&dir.join(file(&STATE)))?;
        let words = folder.words(&text);
        let state = schema(&STATE, &folder.domain, &text, &|name| words(name));
        let state = state.map_err(|message| invalid(&STATE, message))?;
        let kinds = states::aggregates(&state.record);
        for schema in &folder.schemas {
            all_have_states(schema, &kinds).map_err(|message| invalid(schema.kind, message))?;
        }
        let lookups: Vec<String> = kinds
            .iter()
            .filter(|record| record.marks.lookup.is_some())
            .map(|record| snake_case(&record.name))
            .collect();
        folder.schemas.push(state);
        folder.views = folder.text(&dir.join("views.cql"))?;
        let wrong = |message: String| SchemagenError::Invalid { file: "views.cql".to_owned(), message };
        folder.tables = parse_tables(&folder.views).map_err(|error| wrong(error.to_string()))?;
        let is_right = check_bounds(&folder.tables).and_then(|()| check_readers(&folder.tables));
        let live =
            is_right.and_then(|()| check_live(&folder.tables)).and_then(|()| live_families(&folder.views));
        let live = live.map_err(wrong)?;
        let lookup = (!lookups.is_empty()).then_some(&LOOKUP);
        let changes = (!live.is_empty()).then_some(&CHANGES);
        for kind in [Some(&OUTCOMES), lookup, changes].into_iter().flatten() {
            let schema = whole(kind, &folder.domain, &[], &|_| String::new());
            folder.schemas.push(schema.map_err(|message| invalid(kind, message))?);
        }
        folder.schemas.sort_by_key(|schema| KINDS.iter().position(|kind| kind.file == schema.kind.file));
        folder.topics = match declared.exists() {
            true => folder.text(&declared)?,
            false => {
                // so that cargo sees one come
                folder.paths.extend(declared.parent().filter(|it| it.exists()).map(Path::to_owned));
                topics::standard(&folder.domain, folder.schema(&STEPS).is_some(), &lookups, &live)
            }
        };
        Ok(folder)
    }

    /// The schema of this kind, if the domain has it.
    pub fn schema(&self, kind: &Kind) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.kind.file == kind.file)
    }

    /// How the ids of an aggregate are made: as its record in `state` says, else by the first event of it.
    fn words(&self, state: &str) -> impl Fn(&str) -> String + use<> {
        let said = assemble::records(state).unwrap_or_default();
        let addresses: Vec<Address> =
            self.schema(&EVENTS).map(|events| events.addresses.clone()).unwrap_or_default();
        move |name| {
            let own = said.iter().find(|record| record["name"] == name);
            let own = own.and_then(|record| record["aggregate"].as_str());
            let of_event = || addresses.iter().find(|address| address.kind == name).map(Address::words);
            own.map(str::to_owned).or_else(of_event).unwrap_or_else(|| format!("{name}/<id>"))
        }
    }

    fn text(&mut self, path: &Path) -> Result<String, SchemagenError> {
        self.paths.push(path.to_owned());
        fs::read_to_string(path).map_err(|source| SchemagenError::File { path: path.to_owned(), source })
    }
}

fn file(kind: &Kind) -> String {
    format!("{}.avsc", kind.file)
}

fn invalid(kind: &Kind, message: String) -> SchemagenError {
    SchemagenError::Invalid { file: file(kind), message }
}

fn schema(
    kind: &'static Kind,
    domain: &str,
    text: &str,
    words: &dyn Fn(&str) -> String,
) -> Result<Schema, String> {
    whole(kind, domain, &assemble::records(text)?, words)
}

pub(crate) fn whole(
    kind: &'static Kind,
    domain: &str,
    own_records: &[serde_json::Value],
    words: &dyn Fn(&str) -> String,
) -> Result<Schema, String> {
    let json = assemble::assemble(kind, domain, own_records, words)?;
    let record = avro::parse(&json)?;
    let addresses = annotations::check(kind, &own(kind, &record))?.into_iter().flatten().collect();
    let registered = format::text(&assemble::registered(kind, &json));
    Ok(Schema { kind, record, addresses, registered })
}

/// The domain's own records in a schema.
fn own<'a>(kind: &Kind, record: &'a Record) -> Vec<&'a Record> {
    match record.field("data").map(|field| &field.kind) {
        Some(avro::Type::Union(messages)) => messages.iter().collect(),
        _ if kind.file == STATE.file => states::aggregates(record),
        _ => Vec::new(),
    }
}

/// Whether there is a kind of state for every aggregate that a message belongs to.
fn all_have_states(schema: &Schema, kinds: &[&Record]) -> Result<(), String> {
    for (record, address) in schema.messages() {
        if kinds.iter().all(|kind| kind.name != address.kind) {
            let known: Vec<&str> = kinds.iter().map(|kind| kind.name.as_str()).collect();
            return Err(format!(
                "record {}: \"aggregate\" is of kind {}, and state.avsc has no record of that name; it has {}",
                record.name,
                address.kind,
                known.join(", ")
            ));
        }
    }
    Ok(())
}

/// The domain's name and the path of its topics file, from its folder's name.
fn topics_of(dir: &Path) -> Result<(String, PathBuf), SchemagenError> {
    let name = dir.file_name().and_then(|name| name.to_str());
    let root = dir.parent().and_then(Path::parent);
    match (name, root) {
        (Some(name), Some(root)) => Ok((name.to_owned(), root.join("topics").join(format!("{name}.toml")))),
        _ => Err(SchemagenError::Invalid {
            file: dir.display().to_string(),
            message: "expected a folder schemas/<domain>".to_owned(),
        }),
    }
}
