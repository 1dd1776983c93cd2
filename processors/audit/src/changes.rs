//! What is another in one state than in the one before.

use serde::Serialize;
use serde_json::Value as Json;

/// Most differences that are told of two states.
const MOST: usize = 200;

/// A place where two states differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// Where: names of fields with dots between, numbers of items from 0.
    pub field: String,
    /// What was there; null where nothing was.
    pub before: Json,
    /// What is there now; null where nothing is.
    pub after: Json,
}

/// Where two states differ, in the order of the fields; 200 places at most. A state that comes or goes is told field by field.
#[must_use]
pub fn differences(before: &Json, after: &Json) -> Vec<Changed> {
    let mut found = Vec::new();
    compare(String::new(), before, after, &mut found);
    found
}

fn compare(at: String, before: &Json, after: &Json, found: &mut Vec<Changed>) {
    if before == after || found.len() >= MOST {
        return;
    }
    let within = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let nothing = &Json::Null;
    match (before, after) {
        (Json::Object(old), Json::Object(new)) => {
            let names = new.keys().chain(old.keys().filter(|name| !new.contains_key(*name)));
            for name in names {
                let of = |fields: &'_ serde_json::Map<String, Json>| fields.get(name).cloned();
                let (old, new) = (of(old), of(new));
                let (old, new) = (old.as_ref().unwrap_or(nothing), new.as_ref().unwrap_or(nothing));
                compare(within(name), old, new, found);
            }
        }
        (Json::Array(old), Json::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let (old, new) = (old.get(index).unwrap_or(nothing), new.get(index).unwrap_or(nothing));
                compare(within(&index.to_string()), old, new, found);
            }
        }
        (Json::Object(_), Json::Null) if at.is_empty() => {
            compare(at, before, &Json::Object(serde_json::Map::new()), found);
        }
        (Json::Null, Json::Object(_)) if at.is_empty() => {
            compare(at, &Json::Object(serde_json::Map::new()), after, found);
        }
        _ => found.push(Changed { field: at, before: before.clone(), after: after.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: &Json, after: &Json) -> Vec<(String, Json, Json)> {
        differences(before, after).into_iter().map(|it| (it.field, it.before, it.after)).collect()
    }

    #[test]
    fn what_differs_is_named_by_its_place() {
        let before = json!({"name": "a", "size": 1, "list": [1, 2, 3], "in": {"x": true}});
        let after = json!({"name": "a", "size": 2, "list": [1, 5], "in": {"x": false, "y": "new"}});
        assert_eq!(
            told(&before, &after),
            [
                ("size".to_owned(), json!(1), json!(2)),
                ("list.1".to_owned(), json!(2), json!(5)),
                ("list.2".to_owned(), json!(3), Json::Null),
                ("in.x".to_owned(), json!(true), json!(false)),
                ("in.y".to_owned(), Json::Null, json!("new")),
            ]
        );
        assert_eq!(told(&before, &before), []);
    }

    #[test]
    fn what_comes_and_what_goes_is_told_field_by_field() {
        let state = json!({"a": 1, "b": "x"});
        let all = |was: &Json, is: &Json| told(was, is).into_iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(all(&Json::Null, &state), ["a", "b"]);
        assert_eq!(all(&state, &Json::Null), ["a", "b"]);
    }

    #[test]
    fn a_state_that_is_another_altogether_is_told_in_part() {
        let list: Vec<u32> = (0..1_000).collect();
        let other: Vec<u32> = (1..1_001).collect();
        assert_eq!(differences(&json!({"l": list}), &json!({"l": other})).len(), MOST);
    }
}
