//! Mermaid: a flowchart of the contexts, or of what is inside one.

use super::super::declared::{ANALYSTS, GATEWAY, PRODUCERS};
use super::super::model::{Architecture, Edge, EdgeKind, Element, Kind, Standing};
use super::{GREY, Identifiers, WARNING, between, instances, numbers, plain, rate, sentence, some_of};

/// Lines of a node are parted so.
const BREAK: &str = "<br/>";

/// The contexts, who asks them for what, and what they exchange.
#[must_use]
pub fn contexts(drawn: &Architecture) -> String {
    let mut chart = Chart::begin(drawn);
    let names = Identifiers::of(drawn);
    for element in drawn.elements.iter().filter(|it| it.context.is_none()) {
        chart.node(names.get(&element.id), element);
    }
    chart.line("subgraph contexts[\"Bounded contexts\"]");
    for context in &drawn.contexts {
        chart.context(drawn, context);
    }
    chart.line("end");
    chart.edge(HTTP_CALLERS_NAME, names.get(GATEWAY), "asks", Standing::Declared, false);
    for (from, to, words) in [
        (names.get(GATEWAY), Some("contexts"), "commands, views, streams"),
        (names.get(PRODUCERS), Some("contexts"), "commands"),
        (Some("contexts"), names.get(ANALYSTS), "tables"),
    ] {
        chart.edge(from.unwrap_or_default(), to, words, Standing::Declared, false);
    }
    for it in between(drawn) {
        let (from, to) = (context_name(it.from), context_name(it.to));
        chart.edge(&from, Some(&to), &sentence(&it.words), it.standing, !it.is_policy);
    }
    for edge in drawn.edges.iter().filter(|edge| !edge.declared) {
        let of = |id: &str| {
            let element = drawn.element(id)?;
            match &element.context {
                Some(context) => Some(context_name(context)),
                None => names.get(id).map(str::to_owned),
            }
        };
        let topic = drawn.element(&edge.from).map(|it| plain(&it.name)).unwrap_or_default();
        if let (Some(from), Some(to)) = (of(&edge.from), of(&edge.to)) {
            chart.edge(&from, Some(&to), &with_numbers(&topic, edge), edge.standing(), false);
        }
    }
    chart.end()
}

/// How the identifier of the callers over HTTP comes out.
const HTTP_CALLERS_NAME: &str = "caller_http";

/// What is inside `context`, and what that exchanges something with.
#[must_use]
pub fn context(drawn: &Architecture, context: &str) -> String {
    let drawn = &drawn.narrowed(context);
    let mut chart = Chart::begin(drawn);
    let names = Identifiers::of(drawn);
    let (inside, outside): (Vec<&Element>, Vec<&Element>) =
        drawn.elements.iter().partition(|it| it.context.as_deref() == Some(context));
    for element in outside {
        chart.node(names.get(&element.id), element);
    }
    chart.line(&format!("subgraph {}[\"{}\"]", context_name(context), plain(context)));
    for element in inside {
        chart.node(names.get(&element.id), element);
    }
    chart.line("end");
    for edge in &drawn.edges {
        let words = match edge.kind {
            EdgeKind::LooksUp | EdgeKind::Queries | EdgeKind::Follows | EdgeKind::Sends => edge.kind.words(),
            _ => "",
        };
        let is_aside = matches!(edge.kind, EdgeKind::LooksUp | EdgeKind::Follows);
        if let Some(from) = names.get(&edge.from) {
            chart.edge(from, names.get(&edge.to), &with_numbers(words, edge), edge.standing(), is_aside);
        }
    }
    chart.end()
}

fn with_numbers(words: &str, edge: &Edge) -> String {
    let numbers = numbers(edge);
    [words, &numbers].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(": ")
}

fn context_name(context: &str) -> String {
    format!("context_{}", super::identifier(context))
}

/// A flowchart as it is written.
struct Chart {
    text: String,
    /// How many edges there are, and which of them have a colour.
    edges: usize,
    warnings: Vec<usize>,
    greys: Vec<usize>,
}

impl Chart {
    fn begin(drawn: &Architecture) -> Self {
        let text = "flowchart LR\n".to_owned();
        let mut chart = Self { text, edges: 0, warnings: Vec::new(), greys: Vec::new() };
        let seen = match (&drawn.sources.observed, &drawn.sources.compose) {
            (Some(brokers), _) => format!("declared and observed at {brokers}"),
            (None, Some(file)) => format!("declared, with {file}; nothing was observed"),
            (None, None) => "declared; nothing was observed".to_owned(),
        };
        chart.line(&format!("%% {}", sentence(&seen)));
        chart
    }

    fn line(&mut self, line: &str) {
        self.text.push_str("  ");
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn node(&mut self, name: Option<&str>, element: &Element) {
        let Some(name) = name else { return };
        let mut lines = vec![plain(&element.name)];
        match element.kind {
            Kind::Policy => lines.push(sentence(&some_of(&element.parts, 3))),
            Kind::Tables => lines.extend(element.parts.iter().take(6).map(|table| plain(table))),
            Kind::Service => lines.push(sentence(&element.about)),
            Kind::Gateway => lines.extend(element.instances.iter().take(4).map(|it| plain(&it.name))),
            _ => {}
        }
        if element.kind == Kind::Tables && element.parts.len() > 6 {
            lines.push(format!("and {} more", element.parts.len() - 6));
        }
        if element.kind != Kind::Topic && element.kind != Kind::Service {
            lines.push(sentence(&instances(element)));
        }
        lines.extend(element.records_per_second.map(rate));
        lines.push(element.standing.words().to_owned());
        let (open, close) = shape(element.kind);
        let label = lines.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(BREAK);
        self.line(&format!("{name}{open}\"{label}\"{close}:::{}", class(element.kind, element.standing)));
    }

    /// A context as one node, with what is not well in it.
    fn context(&mut self, drawn: &Architecture, context: &str) {
        let of = |it: &&Element| it.context.as_deref() == Some(context);
        let inside = || drawn.elements.iter().filter(of);
        let count = |standing| inside().filter(|it| it.standing == standing).count();
        let families = inside().filter(|it| it.kind == Kind::Projector).count();
        let mut lines = vec![plain(context)];
        let commands = inside().find(|it| it.id == super::super::declared::topic_id(context, "commands"));
        lines
            .extend(commands.and_then(|it| it.records_per_second).map(|it| format!("{} commands", rate(it))));
        lines.push(match families {
            1 => "1 view family".to_owned(),
            count => format!("{count} view families"),
        });
        let silent = count(Standing::Silent);
        let standing = if silent > 0 { Standing::Silent } else { Standing::Declared };
        if silent > 0 {
            lines.push(format!("{silent} SILENT"));
        }
        let name = context_name(context);
        let class = class(Kind::Processor, standing);
        self.line(&format!("{name}[\"{}\"]:::{class}", lines.join(BREAK)));
    }

    fn edge(&mut self, from: &str, to: Option<&str>, words: &str, standing: Standing, is_aside: bool) {
        let Some(to) = to else { return };
        let arrow = if is_aside { "-.->" } else { "-->" };
        let label = if words.is_empty() { String::new() } else { format!("|\"{words}\"|") };
        self.line(&format!("{from} {arrow}{label} {to}"));
        match standing {
            Standing::Undeclared => self.warnings.push(self.edges),
            Standing::Silent | Standing::Gone => self.greys.push(self.edges),
            Standing::Declared | Standing::Live => {}
        }
        self.edges += 1;
    }

    fn end(mut self) -> String {
        for (edges, style) in [
            (std::mem::take(&mut self.warnings), format!("stroke:{WARNING},stroke-width:3px")),
            (std::mem::take(&mut self.greys), format!("stroke:{GREY},stroke-dasharray:4 3")),
        ] {
            if !edges.is_empty() {
                let list: Vec<String> = edges.iter().map(usize::to_string).collect();
                self.line(&format!("linkStyle {} {style}", list.join(",")));
            }
        }
        for (class, fill) in [
            ("caller", "fill:#dbeafe,stroke:#1d4ed8,color:#111827"),
            ("gateway", "fill:#ede9fe,stroke:#6d28d9,color:#111827"),
            ("role", "fill:#dcfce7,stroke:#15803d,color:#111827"),
            ("topic", "fill:#f1f5f9,stroke:#475569,color:#111827"),
            ("tables", "fill:#fef9c3,stroke:#a16207,color:#111827"),
            ("service", "fill:#ffffff,stroke:#475569,color:#111827"),
        ] {
            self.line(&format!("classDef {class} {fill}"));
        }
        self.line(&format!(
            "classDef undeclared fill:{WARNING},stroke:#7c2d12,stroke-width:3px,color:#111827"
        ));
        self.line(&format!("classDef silent fill:#e5e7eb,stroke:{GREY},stroke-dasharray:4 3,color:#4b5563"));
        self.text
    }
}

fn shape(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Caller => ("([", "])"),
        Kind::Topic => ("[/", "/]"),
        Kind::Tables => ("[(", ")]"),
        Kind::Stranger => ("{{", "}}"),
        _ => ("[", "]"),
    }
}

fn class(kind: Kind, standing: Standing) -> &'static str {
    match (standing, kind) {
        (Standing::Undeclared, _) => "undeclared",
        (Standing::Silent | Standing::Gone, _) => "silent",
        (_, Kind::Caller) => "caller",
        (_, Kind::Gateway) => "gateway",
        (_, Kind::Topic) => "topic",
        (_, Kind::Tables) => "tables",
        (_, Kind::Service) => "service",
        (_, Kind::Processor | Kind::Policy | Kind::Projector | Kind::Stranger) => "role",
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::declared::HTTP_CALLERS;
    use super::*;

    #[test]
    fn the_callers_have_the_identifier_that_is_drawn() {
        assert_eq!(super::super::identifier(HTTP_CALLERS), HTTP_CALLERS_NAME);
    }
}
