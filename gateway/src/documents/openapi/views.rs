//! A path for every view.

use millrace_kernel::table::Column;
use millrace_kernel::{ColumnType, Table};
use serde_json::{Map, Value as Json, json};

use super::{content, headers, object, problems, with_texts};
use crate::documents::schema::{Longs, int, long, nullable};
use crate::http::problem::{BAD_PARAMETER, BUSY, Kind, NOT_YET, TABLES_AWAY};
use crate::http::views::{MOST, USUALLY};
use crate::ports::Description;
use crate::view::columns;

/// What may be wrong with a read. That there is no such view never is: each has its path.
pub(super) const PROBLEMS: &[Kind] = &[BAD_PARAMETER, BUSY, TABLES_AWAY, NOT_YET];

/// Adds the views of a domain.
pub(super) fn describe(domain: &Description, paths: &mut Map<String, Json>, schemas: &mut Map<String, Json>) {
    for view in &domain.views {
        let table = &view.table;
        let name = format!("{}.{}", domain.name, table.name);
        schemas.insert(name.clone(), row(table, Longs::Number));
        schemas.insert(with_texts(&name), row(table, Longs::Text));
        schemas.insert(page_of(&name), page(&name));
        schemas.insert(with_texts(&page_of(&name)), page(&with_texts(&name)));
        paths.insert(format!("/v1/views/{}/{}", domain.name, table.name), path(domain, table, &name));
    }
}

fn path(domain: &Description, table: &Table, name: &str) -> Json {
    let key = key(table);
    let names: Vec<String> = key.iter().map(|column| format!("`{}`", column.name)).collect();
    let mut description = table.comment.clone();
    let partition = table.partition_columns.min(key.len());
    description.push_str(&match names.len() {
        1 => format!("\n\nThe rows of one {}; or, without it, any rows, in no order.", names[0]),
        _ if partition == names.len() => {
            format!("\n\nThe rows of one {}; or, without any of them, any rows, in no order.", names.join(", "))
        }
        _ => format!(
            "\n\nThe rows of one {}, and of those, as far as they are given in this order, {}; or, without any of them, any \
             rows, in no order.",
            names[..partition].join(", "),
            names[partition..].join(", ")
        ),
    });
    let mut parameters: Vec<Json> = key.iter().map(|column| parameter(column)).collect();
    // an empty text is no partition key by itself
    if partition == 1 && key[0].kind == ColumnType::Text {
        parameters[0]["schema"]["minLength"] = json!(1);
    }
    parameters.extend(of_pages(USUALLY, MOST));
    json!({"get": {
        "operationId": format!("{}.query.{}", domain.name, table.name),
        "tags": [domain.name],
        "summary": format!("Read {}", table.name),
        "description": description,
        "parameters": parameters,
        "responses": answers(&content(&page_of(name)), PROBLEMS),
    }})
}

/// The columns that make the key, without the bucket and what is ordered within one.
fn key(table: &Table) -> Vec<&Column> {
    let of_whole = match table.directory() {
        Some(_) => table.partition_columns - 1,
        None => table.key_columns(),
    };
    table.columns[..of_whole].iter().collect()
}

fn parameter(column: &Column) -> Json {
    json!({
        "name": column.name, "in": "query", "description": column.comment,
        "schema": value(column, Longs::Number),
    })
}

/// What all reads of pages take.
pub(super) fn of_pages(usually: usize, most: usize) -> Vec<Json> {
    vec![
        json!({
            "name": "limit", "in": "query", "description": "How many items a page has at most.",
            "schema": {"type": "integer", "minimum": 1, "maximum": most, "default": usually},
        }),
        json!({
            "name": "cursor", "in": "query",
            "description": "Goes on where the page ended that had this cursor; it means nothing to anybody else.",
            "schema": {"type": "string"},
        }),
        headers::parameter("MillraceAfter"),
        headers::parameter("Prefer"),
    ]
}

/// The answers to a read of pages, which may be `problems`.
pub(super) fn answers(content: &Json, problems: &[Kind]) -> Json {
    let mut answers = vec![(200, json!({"description": "A page.", "content": content}))];
    answers.extend(problems::answers(problems));
    object(answers)
}

/// A page of items of the schema `item`.
pub(super) fn page(item: &str) -> Json {
    json!({
        "type": "object",
        "properties": {
            "rows": {"type": "array", "items": {"$ref": format!("#/components/schemas/{item}")}},
            "cursor": {"type": "string", "description": "Where it goes on; without it this was all."},
        },
        "required": ["rows"],
    })
}

/// The name of the schema of a page of items of the schema `item`.
pub(super) fn page_of(item: &str) -> String {
    format!("{item}.page")
}

fn row(table: &Table, longs: Longs) -> Json {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (_, column) in columns(table) {
        let schema = value(column, longs);
        let mut schema = if column.is_nullable() { nullable(schema) } else { schema };
        schema["description"] = Json::from(column.comment.as_str());
        required.push(column.name.clone());
        properties.insert(column.name.clone(), schema);
    }
    json!({
        "type": "object", "description": table.comment, "properties": properties, "required": required,
    })
}

pub(super) fn value(column: &Column, longs: Longs) -> Json {
    match column.kind {
        ColumnType::Text => json!({"type": "string"}),
        ColumnType::BigInt => long(longs),
        ColumnType::Int => int(),
        ColumnType::Boolean => json!({"type": "boolean"}),
    }
}
