//! The grammar of the flowcharts that are drawn, stricter than Mermaid's own: every line is one of a few forms, texts stand
//! between quotes and hold no sign that means anything, and whatever is named is there.

use std::collections::BTreeSet;

use millrace::architecture::overlay::lay;
use millrace::architecture::render::mermaid;

use super::small::{declared, seen};
use crate::common::Place;

/// What a chart holds.
#[derive(Debug, Default)]
pub struct Flowchart {
    /// The nodes and subgraphs.
    pub nodes: BTreeSet<String>,
    /// How many edges it has.
    pub edges: usize,
    /// How many nodes are drawn in the colour of a warning.
    pub undeclared: usize,
}

const CLASSES: [&str; 8] =
    ["caller", "gateway", "role", "topic", "tables", "service", "undeclared", "silent"];

/// What a chart holds, if it keeps to the grammar.
pub fn checked(chart: &str) -> Result<Flowchart, String> {
    let mut found = Flowchart::default();
    let mut ends = Vec::new();
    let mut depth = 0;
    let mut lines = chart.lines();
    if lines.next() != Some("flowchart LR") {
        return Err("it does not begin as a flowchart".to_owned());
    }
    for line in lines {
        let line = line.strip_prefix("  ").ok_or_else(|| format!("not indented: {line:?}"))?;
        let wrong = || format!("no such line: {line:?}");
        if let Some(comment) = line.strip_prefix("%% ") {
            text(comment)?;
        } else if let Some(rest) = line.strip_prefix("classDef ") {
            let (class, style) = rest.split_once(' ').ok_or_else(wrong)?;
            let is_style = |c: char| c.is_ascii_alphanumeric() || ":#,-_ ".contains(c);
            if !CLASSES.contains(&class) || !style.chars().all(is_style) {
                return Err(wrong());
            }
        } else if let Some(rest) = line.strip_prefix("linkStyle ") {
            let (list, _) = rest.split_once(' ').ok_or_else(wrong)?;
            for number in list.split(',') {
                let number: usize = number.parse().map_err(|_| wrong())?;
                if number >= found.edges {
                    return Err(format!("there is no edge {number}"));
                }
            }
        } else if let Some(rest) = line.strip_prefix("subgraph ") {
            let (name, label) = rest.split_once('[').ok_or_else(wrong)?;
            quoted(label.strip_suffix(']').ok_or_else(wrong)?)?;
            node(&mut found, name)?;
            depth += 1;
        } else if line == "end" {
            depth -= 1;
        } else if let Some((from, rest)) = line.split_once(" --> ").or_else(|| line.split_once(" -.-> ")) {
            ends.extend([from.to_owned(), rest.to_owned()]);
            found.edges += 1;
        } else if let Some((from, rest)) = line.split_once(" -->|").or_else(|| line.split_once(" -.->|")) {
            let (label, to) = rest.split_once("| ").ok_or_else(wrong)?;
            quoted(label)?;
            ends.extend([from.to_owned(), to.to_owned()]);
            found.edges += 1;
        } else {
            let (shape, class) = line.rsplit_once(":::").ok_or_else(wrong)?;
            if !CLASSES.contains(&class) {
                return Err(wrong());
            }
            let open = shape.find(['(', '[', '{']).ok_or_else(wrong)?;
            node(&mut found, &shape[..open])?;
            let shapes = [("([", "])"), ("[/", "/]"), ("[(", ")]"), ("{{", "}}"), ("[", "]")];
            let inside = shapes.iter().find_map(|(begin, end)| {
                let inside = shape[open..].strip_prefix(begin)?.strip_suffix(end)?;
                inside.starts_with('"').then_some(inside)
            });
            quoted(inside.ok_or_else(wrong)?)?;
            found.undeclared += usize::from(class == "undeclared");
        }
    }
    if depth != 0 {
        return Err("a subgraph does not end".to_owned());
    }
    match ends.into_iter().find(|name| !found.nodes.contains(name)) {
        Some(name) => Err(format!("nothing is called {name:?}")),
        None => Ok(found),
    }
}

fn node(found: &mut Flowchart, name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // `end` ends a subgraph; `o` and `x` at the end of an arrow are its head
    let is_name = name.contains('_') || ["gateway", "groups", "contexts"].contains(&name);
    if !name.chars().all(is_plain) || !is_name || name.starts_with(['o', 'x']) && !name.starts_with("other_")
    {
        return Err(format!("no name of a node: {name:?}"));
    }
    match found.nodes.insert(name.to_owned()) {
        true => Ok(()),
        false => Err(format!("{name} is drawn twice")),
    }
}

fn quoted(label: &str) -> Result<(), String> {
    let inside = label.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    text(&inside.ok_or_else(|| format!("no quotes: {label:?}"))?.replace("<br/>", " "))
}

fn text(text: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_alphanumeric() || " .,-_:/@+()%…".contains(c);
    match text.chars().find(|c| !is_plain(*c)) {
        Some(c) => Err(format!("{c:?} in {text:?}")),
        None => Ok(()),
    }
}

#[test]
fn small_systems_keep_to_it() {
    let drawn = lay(&declared(), Some(&seen(1)), &seen(3));
    let contexts = checked(&mermaid::contexts(&drawn)).unwrap();
    assert!(contexts.undeclared == 1 && contexts.nodes.contains("context_shop"), "{contexts:?}");
    let shop = checked(&mermaid::context(&drawn, "shop")).unwrap();
    assert_eq!(shop.undeclared, 2, "a group and a topic: {shop:?}");
    checked(&mermaid::contexts(&declared())).unwrap();
}

#[test]
fn this_system_keeps_to_it_in_every_view() {
    let place = Place::new();
    let ran = place.run(&["architecture", "--declared", "--format", "mermaid"]).is(0, &[]);
    let chart = checked(&ran.stdout).unwrap_or_else(|why| panic!("{why}\n{}", ran.stdout));
    let contexts = chart.nodes.iter().filter_map(|it| it.strip_prefix("context_"));
    for context in contexts {
        let ran = place.run(&["architecture", context, "--declared", "--format", "mermaid"]).is(0, &[]);
        let chart = checked(&ran.stdout).unwrap_or_else(|why| panic!("{context}: {why}\n{}", ran.stdout));
        assert!(chart.nodes.len() > 10 && chart.edges > 10, "{context}: {chart:?}");
    }
}
