//! The table of metrics as a person reads it.

use std::fmt::Write as _;

use crate::table::{Kind, metrics};

/// The table as Markdown: a heading for each metric would be too many, so it is a list.
#[must_use]
pub fn manual() -> String {
    let mut text = String::new();
    for metric in metrics() {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let unit = match metric.unit {
            "" => String::new(),
            "s" => ", seconds".to_owned(),
            "By" => ", bytes".to_owned(),
            counted => format!(", {}", plural(counted.trim_matches(['{', '}']))),
        };
        let labels = match metric.labels {
            [] => String::new(),
            labels => format!(" by `{}`", labels.join("`, `")),
        };
        let _ = write!(text, "- **`{}`** ({kind}{unit}{labels})\n{}\n", metric.name, wrapped(metric.help));
        if !metric.advice.is_empty() {
            let _ = writeln!(text, "{}", wrapped(&format!("*What to do:* {}", metric.advice)));
        }
    }
    text
}

fn plural(word: &str) -> String {
    match word.strip_suffix('y') {
        Some(stem) if word.ends_with("ry") => format!("{stem}ies"),
        _ if word.ends_with('s') => format!("{word}es"),
        _ => format!("{word}s"),
    }
}

/// In lines of at most 118 characters, below a list's item.
fn wrapped(text: &str) -> String {
    let mut out = String::from(" ");
    let mut width = 1;
    for word in text.split_whitespace() {
        if width > 1 && width + 1 + word.chars().count() > 118 {
            out.push_str("\n ");
            width = 1;
        }
        out.push(' ');
        out.push_str(word);
        width += 1 + word.chars().count();
    }
    out
}
