//! What another process says of itself at `/metrics`.

use std::collections::BTreeMap;

/// Labels and their values.
pub type Labels = BTreeMap<String, String>;

/// One number of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What is measured.
    pub name: String,
    /// Of what.
    pub labels: Labels,
    /// How much.
    pub value: f64,
}

/// Prometheus' text format, as far as this system writes it.
#[must_use]
pub fn parse(text: &str) -> Vec<Sample> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.trim().rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    Some(Sample { name: name.to_owned(), labels: labels_of(labels)?, value: value.parse().ok()? })
}

fn labels_of(mut text: &str) -> Option<Labels> {
    let mut labels = Labels::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        text = &rest[end + 1..];
    }
    Some(labels)
}
