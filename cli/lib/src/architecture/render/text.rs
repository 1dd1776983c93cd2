//! Words for a terminal: what stands under which context, and what is not as it is declared.

use super::super::model::{Architecture, Edge, EdgeKind, Element, Kind, Standing};
use super::{instances, numbers, rate, some_of};
use crate::{foreign, output};

/// A line, and whether it stands out or back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What is said.
    pub text: String,
    /// Of what.
    pub standing: Standing,
}

/// How many strangers and notes are listed; the others are counted.
const MOST_LISTED: usize = 50;

/// The whole picture.
#[must_use]
pub fn lines(drawn: &Architecture) -> Vec<Line> {
    let mut found = Lines(Vec::new());
    found.say(&drawn_from(drawn));
    let strangers = || drawn.elements.iter().filter(|it| it.kind == Kind::Stranger);
    if strangers().any(|it| it.standing == Standing::Undeclared) {
        let count = strangers().filter(|it| it.standing == Standing::Undeclared).count();
        let groups = match count {
            1 => "1 consumer group reads topics of this system, and nobody has declared it".to_owned(),
            many => {
                format!("{many} consumer groups read topics of this system, and nobody has declared them")
            }
        };
        found.put(format!("UNDECLARED: {groups}"), Standing::Undeclared);
    }
    let silent = drawn.elements.iter().filter(|it| it.standing == Standing::Silent).count();
    if silent > 0 {
        found.put(format!("SILENT: {silent} declared, and not there"), Standing::Silent);
    }
    let strangers: Vec<&Element> = strangers().collect();
    if !strangers.is_empty() {
        found.say("");
        found.say("undeclared consumer groups");
        found.table(strangers.iter().take(MOST_LISTED).map(|it| stranger(drawn, it)).collect());
        if let more @ 1.. = strangers.len().saturating_sub(MOST_LISTED) {
            found.say(&format!("  and {more} more; --format json lists them"));
        }
    }
    for context in &drawn.contexts {
        found.say("");
        found.say(context);
        let of_context = || drawn.elements.iter().filter(|it| it.context.as_ref() == Some(context));
        let mut rows: Vec<Row> = Vec::new();
        for kind in [Kind::Processor, Kind::Policy, Kind::Projector] {
            rows.extend(of_context().filter(|it| it.kind == kind).map(|it| role(drawn, it)));
        }
        found.table(rows);
        let topics = of_context().filter(|it| it.kind == Kind::Topic);
        let rows = topics.map(|topic| self::topic(drawn, topic)).collect();
        found.table(rows);
    }
    found.say("");
    found.say("outside the contexts");
    let outside = drawn.elements.iter().filter(|it| it.context.is_none() && it.kind != Kind::Stranger);
    found.table(outside.map(|it| plain_row(drawn, it)).collect());
    if !drawn.notes.is_empty() {
        found.say("");
        for note in drawn.notes.iter().take(MOST_LISTED) {
            found.say(&format!("note: {note}"));
        }
    }
    found.0
}

/// A line of columns, and how it stands.
type Row = (Vec<String>, Standing);

struct Lines(Vec<Line>);

impl Lines {
    fn put(&mut self, text: String, standing: Standing) {
        self.0.push(Line { text: foreign::inert(&text).into_owned(), standing });
    }

    fn say(&mut self, text: &str) {
        self.put(text.to_owned(), Standing::Live);
    }

    fn table(&mut self, rows: Vec<Row>) {
        let (cells, standings): (Vec<Vec<String>>, Vec<Standing>) = rows.into_iter().unzip();
        let text = output::columns(&cells, output::WIDEST_CELL);
        for (line, standing) in text.lines().zip(standings) {
            self.put(format!("  {line}"), standing);
        }
    }
}

fn drawn_from(drawn: &Architecture) -> String {
    let sources = &drawn.sources;
    let mut text = match (&sources.observed, sources.window_seconds) {
        (Some(brokers), Some(seconds)) => {
            format!("declared, and observed at {brokers}; rates over {seconds:.1} s")
        }
        (Some(brokers), None) => format!("declared, and observed at {brokers}"),
        (None, _) => "declared; nothing was observed".to_owned(),
    };
    text.extend(sources.not_observed.iter().map(|why| format!(" ({why})")));
    text.extend(sources.compose.iter().map(|file| format!("; services of {file}")));
    text
}

/// What an element is called at the end of an edge.
fn called(drawn: &Architecture, id: &str) -> String {
    drawn.element(id).map_or_else(|| id.to_owned(), |element| element.name.clone())
}

fn standing(element: &Element) -> String {
    element.standing.words().to_owned()
}

fn role(drawn: &Architecture, element: &Element) -> Row {
    let reads = drawn.edges.iter().filter(|edge| edge.to == element.id && edge.kind == EdgeKind::Reads);
    let source = |edge: &Edge| with_numbers(&called(drawn, &edge.from), edge);
    let mut words = reads.map(source).collect::<Vec<_>>().join(", ");
    if element.kind == Kind::Policy && !element.parts.is_empty() {
        words = format!("{words} [{}]", some_of(&element.parts, 4));
    }
    let targets = drawn.edges.iter().filter(|edge| edge.from == element.id);
    let target = |edge: &Edge| {
        let to = drawn.element(&edge.to)?;
        Some(match to.kind {
            Kind::Tables => some_of(&to.parts, 4),
            _ => without_context(&to.name, element.context.as_deref()),
        })
    };
    let targets = targets.filter_map(target).collect::<Vec<_>>().join(", ");
    let looked_up = drawn.edges.iter().filter(|edge| edge.to == element.id && edge.kind == EdgeKind::LooksUp);
    let looked_up: Vec<String> =
        looked_up.filter(|it| !it.about.is_empty()).map(|it| it.about.clone()).collect();
    let looked_up =
        if looked_up.is_empty() { String::new() } else { format!("; looks up {}", looked_up.join(", ")) };
    let cells = vec![
        element.name.clone(),
        instances(element),
        format!("{words} -> {targets}{looked_up}"),
        standing(element),
    ];
    (cells, element.standing)
}

/// A topic's name where its context is known already.
fn without_context(name: &str, context: Option<&str>) -> String {
    let rest = context.and_then(|context| name.strip_prefix(context)?.strip_prefix('.'));
    rest.unwrap_or(name).to_owned()
}

fn topic(drawn: &Architecture, element: &Element) -> Row {
    let readers = drawn.edges.iter().filter(|edge| {
        edge.from == element.id
            && matches!(edge.kind, EdgeKind::Reads | EdgeKind::Follows | EdgeKind::LooksUp)
    });
    let readers: Vec<String> = readers.map(|edge| reader(drawn, edge)).collect();
    let partitions = element.partitions.map(|count| format!("{count} partitions")).unwrap_or_default();
    let rate = element.records_per_second.map(rate).unwrap_or_default();
    let readers =
        if readers.is_empty() { String::new() } else { format!("read by {}", some_of(&readers, 8)) };
    (vec![element.name.clone(), partitions, rate, readers, standing(element)], element.standing)
}

fn reader(drawn: &Architecture, edge: &Edge) -> String {
    let Some(element) = drawn.element(&edge.to) else { return edge.to.clone() };
    match (&element.context, element.kind) {
        (Some(context), _) => format!("{context} {}", element.name),
        (None, Kind::Stranger) => format!("{} {}", element.standing.words(), foreign::cut(&element.name, 40)),
        (None, _) => element.name.clone(),
    }
}

fn plain_row(drawn: &Architecture, element: &Element) -> Row {
    let what = match element.kind {
        Kind::Service => element.about.clone(),
        _ => format!("{} ({})", element.about, element.technology),
    };
    let rates = drawn.edges.iter().filter(|edge| edge.to == element.id && edge.kind == EdgeKind::Asks);
    let rates = rates.filter_map(|edge| edge.records_per_second).map(rate).collect::<Vec<_>>().join(", ");
    let mut cells = vec![element.name.clone(), instances(element), what, rates, standing(element)];
    if element.kind == Kind::Gateway && !element.instances.is_empty() {
        let at: Vec<String> = element.instances.iter().map(|it| it.name.clone()).collect();
        cells[1] = format!("{}: {}", cells[1], some_of(&at, 4));
    }
    (cells, element.standing)
}

fn stranger(drawn: &Architecture, element: &Element) -> Row {
    let reads = drawn.edges.iter().filter(|edge| edge.to == element.id);
    let reads: Vec<String> = reads.map(|edge| with_numbers(&called(drawn, &edge.from), edge)).collect();
    let hosts: Vec<String> = element
        .instances
        .iter()
        .map(|it| format!("{} at {}", foreign::cut(&it.client, 30), foreign::cut(&it.host, 40)))
        .collect();
    let cells = vec![
        foreign::cut(&element.name, 60),
        instances(element),
        format!("reads {}", some_of(&reads, 4)),
        some_of(&hosts, 2),
        standing(element),
    ];
    (cells, element.standing)
}

fn with_numbers(name: &str, edge: &Edge) -> String {
    match numbers(edge) {
        numbers if numbers.is_empty() => name.to_owned(),
        numbers => format!("{name} ({numbers})"),
    }
}
