//! What a domain has of its own, such as feeds.

use serde_json::{Map, Value as Json, json};

use super::views::{self, of_pages, page_of};
use crate::http::problem::{Kind, UNKNOWN};
use crate::ports::{Resource, ResourceDescription};

/// Adds one.
pub(super) fn describe(
    domain: &str,
    resource: &dyn Resource,
    paths: &mut Map<String, Json>,
    schemas: &mut Map<String, Json>,
) {
    let (most, usually) = resource.limits();
    let ResourceDescription { summary, about, id, item } = resource.description();
    let name = format!("{domain}.{}", resource.name());
    let page = page_of(&name);
    // its items are the domain's own affair, and have no longs
    let content = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{page}")}}});
    schemas.insert(page, views::page(&name));
    schemas.insert(name, item);
    let mut parameters = vec![json!({
        "name": id.0, "in": "path", "required": true, "description": id.1,
        "schema": {"type": "string", "minLength": 1},
    })];
    parameters.extend(of_pages(usually, most));
    let problems: Vec<Kind> = views::PROBLEMS.iter().copied().chain([UNKNOWN]).collect();
    let operation = json!({"get": {
        "operationId": format!("{domain}.read.{}", resource.name()),
        "tags": [domain],
        "summary": summary,
        "description": about,
        "parameters": parameters,
        "responses": views::answers(&content, &problems),
    }});
    paths.insert(format!("/v1/{}/{{{}}}", resource.name(), id.0), operation);
}
