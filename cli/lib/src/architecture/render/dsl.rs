//! Structurizr DSL: a workspace with the landscape of contexts, a view of what is inside each, and who runs where.

use std::collections::{BTreeMap, BTreeSet};

use super::super::declared::{ANALYSTS, GATEWAY, PRODUCERS};
use super::super::model::{Architecture, Element, Kind, Standing};
use super::{GREY, Identifiers, WARNING, between, instances, numbers, plain, rate, sentence, some_of};

/// The whole workspace.
#[must_use]
pub fn workspace(drawn: &Architecture) -> String {
    let mut out = Lines { text: String::new(), depth: 0, related: BTreeSet::new() };
    let names = Identifiers::of(drawn);
    out.open(&format!("workspace \"Millrace\" {}", quoted(&drawn_from(drawn))));
    out.open("model");
    // what contexts exchange is said below, in better words than would be made up of what is inside
    out.line("!impliedRelationships false");
    elements(drawn, &names, &mut out);
    relationships(drawn, &names, &mut out);
    let is_deployed = deployment(drawn, &names, &mut out);
    out.close();
    out.open("views");
    views(drawn, &names, is_deployed, &mut out);
    styles(&mut out);
    out.close();
    out.close();
    out.text
}

struct Lines {
    text: String,
    depth: usize,
    /// Relationships that are written: no two of them may say the same of the same two.
    related: BTreeSet<(String, String, String)>,
}

impl Lines {
    fn line(&mut self, line: &str) {
        self.text.extend(std::iter::repeat_n("    ", self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn open(&mut self, line: &str) {
        self.line(&format!("{line} {{"));
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.line("}");
    }

    fn relate(&mut self, from: &str, to: &str, words: &str, technology: &str, standing: Standing) {
        let words = quoted(words);
        if from != to && self.related.insert((from.to_owned(), to.to_owned(), words.clone())) {
            let tags = tag(standing);
            self.line(&format!("{from} -> {to} {words} {} {}", quoted(technology), quoted(tags)));
        }
    }
}

/// A text between quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", sentence(text))
}

fn tag(standing: Standing) -> &'static str {
    match standing {
        Standing::Declared | Standing::Live => "",
        Standing::Silent => "Silent",
        Standing::Undeclared => "Undeclared",
        Standing::Gone => "Gone",
    }
}

fn tags(element: &Element) -> String {
    let kind = format!("{:?}", element.kind);
    match tag(element.standing) {
        "" => kind,
        standing => format!("{kind},{standing}"),
    }
}

fn drawn_from(drawn: &Architecture) -> String {
    let mut parts = vec!["Drawn from the declarations of the domains".to_owned()];
    parts.extend(drawn.sources.compose.iter().map(|file| format!("from {file}")));
    parts.extend(drawn.sources.observed.iter().map(|brokers| format!("from what runs at {brokers}")));
    parts.extend(drawn.sources.not_observed.iter().map(|why| format!("nothing was observed: {why}")));
    parts.join(", ")
}

fn context_name(context: &str) -> String {
    format!("context_{}", super::identifier(context))
}

fn about(element: &Element) -> String {
    let parts = match element.kind {
        Kind::Policy if !element.parts.is_empty() => format!("events: {}", some_of(&element.parts, 8)),
        _ => String::new(),
    };
    let said = [
        element.standing.words().to_owned(),
        element.about.clone(),
        parts,
        if element.kind == Kind::Topic { String::new() } else { instances(element) },
        element.records_per_second.map(rate).unwrap_or_default(),
    ];
    said.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(". ")
}

/// Names that are given already: no two elements of one place may have the same, and strangers choose theirs.
#[derive(Default)]
struct Titles(BTreeSet<String>);

impl Titles {
    fn of(&mut self, element: &Element) -> String {
        let title = match element.kind {
            Kind::Stranger => format!("group {}", plain(&element.name)),
            Kind::Service => format!("service {}", plain(&element.name)),
            _ => plain(&element.name),
        };
        self.unique(title)
    }

    fn unique(&mut self, title: String) -> String {
        let mut given = title.clone();
        for number in 2.. {
            if self.0.insert(given.clone()) {
                break;
            }
            given = format!("{title} ({number})");
        }
        given
    }
}

fn elements(drawn: &Architecture, names: &Identifiers<'_>, out: &mut Lines) {
    let mut titles = Titles::default();
    // contexts have their names first
    let contexts: Vec<String> = drawn.contexts.iter().map(|context| titles.unique(plain(context))).collect();
    for element in drawn.elements.iter().filter(|it| it.context.is_none()) {
        let Some(name) = names.get(&element.id) else { continue };
        let kind = if element.kind == Kind::Caller { "person" } else { "softwareSystem" };
        let title = titles.of(element);
        out.line(&format!(
            "{name} = {kind} \"{title}\" {} {}",
            quoted(&about(element)),
            quoted(&tags(element))
        ));
    }
    for (context, title) in drawn.contexts.iter().zip(contexts) {
        let inside = || drawn.elements.iter().filter(|it| it.context.as_ref() == Some(context));
        let silent = inside().filter(|it| it.standing == Standing::Silent).count();
        let (words, kinds) = match silent {
            0 => ("Bounded context".to_owned(), "Context"),
            count => (format!("Bounded context, {count} of its parts SILENT"), "Context,Silent"),
        };
        let mut titles = Titles::default();
        out.open(&format!("{} = softwareSystem \"{title}\" \"{words}\" \"{kinds}\"", context_name(context)));
        for element in inside() {
            let Some(name) = names.get(&element.id) else { continue };
            let (title, technology) = (titles.of(element), quoted(element.technology));
            let (about, tags) = (quoted(&about(element)), quoted(&tags(element)));
            out.line(&format!("{name} = container \"{title}\" {about} {technology} {tags}"));
        }
        out.close();
    }
}

fn relationships(drawn: &Architecture, names: &Identifiers<'_>, out: &mut Lines) {
    for edge in &drawn.edges {
        let (Some(from), Some(to)) = (names.get(&edge.from), names.get(&edge.to)) else { continue };
        let said = [edge.kind.words(), &edge.about, &numbers(edge)];
        let said = said.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(": ");
        out.relate(from, to, &said, "", edge.standing());
    }
    for context in &drawn.contexts {
        let name = context_name(context);
        for (id, to_context, words) in [
            (GATEWAY, true, "sends commands, reads outcomes and views"),
            (PRODUCERS, true, "send commands"),
            (ANALYSTS, false, "its tables are queried by"),
        ] {
            let Some(other) = names.get(id) else { continue };
            let (from, to) = if to_context { (other, &*name) } else { (&*name, other) };
            out.relate(from, to, words, "", Standing::Declared);
        }
    }
    for it in between(drawn) {
        out.relate(&context_name(it.from), &context_name(it.to), &it.words, "", it.standing);
    }
    for edge in drawn.edges.iter().filter(|edge| !edge.declared) {
        let (Some(from), Some(to)) = (drawn.element(&edge.from), names.get(&edge.to)) else { continue };
        if let Some(context) = &from.context {
            let words = format!("{} is read by", from.name);
            out.relate(&context_name(context), to, &words, "", edge.standing());
        }
    }
}

/// Which instances run where: as seen, else as the compose file says. Whether there is anything to show.
fn deployment(drawn: &Architecture, names: &Identifiers<'_>, out: &mut Lines) -> bool {
    // where, how many of it, and what runs there
    let mut nodes: BTreeMap<(String, u32), Vec<&Element>> = BTreeMap::new();
    for element in &drawn.elements {
        if drawn.sources.observed.is_some() {
            for instance in &element.instances {
                let host = if instance.host.is_empty() { &instance.name } else { &instance.host };
                nodes.entry((plain(host), 1)).or_default().push(element);
            }
        } else {
            for deployed in &element.deployed {
                nodes.entry((plain(&deployed.service), deployed.replicas.max(1))).or_default().push(element);
            }
        }
    }
    if nodes.is_empty() {
        return false;
    }
    let what = if drawn.sources.observed.is_some() { "As observed" } else { "As the compose file says" };
    out.open(&format!("deploymentEnvironment \"{what}\""));
    let mut known = BTreeSet::new();
    for ((place, replicas), elements) in nodes {
        if !known.insert(place.clone()) {
            continue;
        }
        out.open(&format!("deploymentNode \"{place}\" \"\" \"\" \"\" {replicas}"));
        for element in elements {
            let Some(name) = names.get(&element.id) else { continue };
            match element.context {
                Some(_) => out.line(&format!("containerInstance {name}")),
                None => out.line(&format!("softwareSystemInstance {name}")),
            }
        }
        out.close();
    }
    out.close();
    true
}

fn views(drawn: &Architecture, names: &Identifiers<'_>, is_deployed: bool, out: &mut Lines) {
    out.open("systemLandscape \"contexts\" \"Bounded contexts, their callers and what they exchange\"");
    out.line("include *");
    out.line("autoLayout lr 300 100");
    out.close();
    for context in &drawn.contexts {
        let (name, key) = (context_name(context), super::identifier(context));
        out.open(&format!("container {name} \"{key}\" \"Inside {}\"", plain(context)));
        let inside = drawn.narrowed(context);
        let shown: Vec<&str> = inside.elements.iter().filter_map(|it| names.get(&it.id)).collect();
        out.line(&format!("include {}", shown.join(" ")));
        out.line("autoLayout lr 300 100");
        out.close();
    }
    if is_deployed {
        let what = if drawn.sources.observed.is_some() { "As observed" } else { "As the compose file says" };
        out.open(&format!("deployment * \"{what}\" \"instances\" \"Which instances run where\""));
        out.line("include *");
        out.line("autoLayout lr 300 100");
        out.close();
    }
}

fn styles(out: &mut Lines) {
    out.open("styles");
    let style = |out: &mut Lines, of: &str, tag: &str, settings: &[(&str, &str)]| {
        out.open(&format!("{of} \"{tag}\""));
        for (name, value) in settings {
            out.line(&format!("{name} {value}"));
        }
        out.close();
    };
    let dark = ("color", "#111827");
    style(out, "element", "Context", &[("background", "#dcfce7"), dark]);
    style(out, "element", "Caller", &[("shape", "Person"), ("background", "#dbeafe"), dark]);
    style(out, "element", "Gateway", &[("background", "#ede9fe"), dark]);
    style(out, "element", "Topic", &[("shape", "Pipe"), ("background", "#f1f5f9"), dark]);
    style(out, "element", "Tables", &[("shape", "Cylinder"), ("background", "#fef9c3"), dark]);
    for role in ["Processor", "Policy", "Projector"] {
        style(out, "element", role, &[("background", "#bbf7d0"), dark]);
    }
    style(out, "element", "Stranger", &[("shape", "Hexagon"), dark]);
    style(out, "element", "Service", &[("background", "#ffffff"), dark]);
    style(out, "element", "Undeclared", &[("background", WARNING), dark]);
    for tag in ["Silent", "Gone"] {
        style(out, "element", tag, &[("background", GREY), dark, ("border", "dashed")]);
        style(out, "relationship", tag, &[("color", GREY), ("style", "dotted")]);
    }
    style(out, "relationship", "Undeclared", &[("color", WARNING), ("thickness", "4")]);
    out.close();
}
