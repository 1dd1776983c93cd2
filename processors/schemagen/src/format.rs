//! JSON as it is checked in: dense, for people to read and for diffs to show.

use serde_json::Value;

/// Columns that are filled.
const WIDTH: usize = 100;

/// `value` with a line end behind it. What fits on a line stands on one; of a longer object as many members as fit.
pub fn text(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, 0, &mut out);
    out.push('\n');
    out
}

/// `taken` columns of the line are used already, or will be behind it.
fn write(value: &Value, indent: usize, taken: usize, out: &mut String) {
    let line = on_a_line(value);
    let inner = indent + 2;
    match value {
        _ if taken + line.chars().count() <= WIDTH => out.push_str(&line),
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ",\n" } else { "\n" });
                pad(inner, out);
                write(item, inner, inner + 1, out);
            }
            out.push('\n');
            pad(indent, out);
            out.push(']');
        }
        Value::Object(members) if !members.is_empty() => {
            out.push('{');
            // how far the line is filled; nothing comes behind a member that takes several lines
            let mut column = usize::MAX;
            for (index, (name, value)) in members.iter().enumerate() {
                let comma = usize::from(index + 1 < members.len());
                let member = format!("{}: {}", quoted(name), on_a_line(value));
                let length = member.chars().count() + comma;
                if column.saturating_add(1 + length) <= WIDTH {
                    out.push(' ');
                    out.push_str(&member);
                    column += 1 + length;
                } else {
                    out.push('\n');
                    pad(inner, out);
                    if inner + length <= WIDTH || !(value.is_array() || value.is_object()) {
                        out.push_str(&member);
                        column = inner + length;
                    } else {
                        out.push_str(&format!("{}: ", quoted(name)));
                        write(value, inner, WIDTH, out);
                        column = usize::MAX;
                    }
                }
                out.push_str(&","[..comma]);
            }
            out.push('\n');
            pad(indent, out);
            out.push('}');
        }
        _ => out.push_str(&line),
    }
}

fn pad(columns: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', columns));
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn on_a_line(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(on_a_line).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) => {
            let members =
                members.iter().map(|(name, value)| format!("{}: {}", quoted(name), on_a_line(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_fits_on_a_line_stands_on_one() {
        assert_eq!(text(&json!({"a": [1, "b"], "c": {}})), "{\"a\": [1, \"b\"], \"c\": {}}\n");
        let long = "x".repeat(80);
        assert_eq!(
            text(&json!({"a": 1, "b": 2, "doc": long, "of": [long, {"c": 3}], "d": 4})),
            format!(
                "{{\n  \"a\": 1, \"b\": 2,\n  \"doc\": \"{long}\",\n  \"of\": [\n    \"{long}\",\n    {{\"c\": 3}}\n  ],\n  \"d\": 4\n}}\n"
            )
        );
    }

    #[test]
    fn nothing_is_lost() {
        for envelope in crate::envelope::KINDS {
            let value: Value = serde_json::from_str(envelope.template).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&text(&value)).unwrap(), value);
            assert_eq!(text(&value), envelope.template, "{} is as it would be written", envelope.file);
        }
    }
}
