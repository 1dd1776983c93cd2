//! Small systems as they are drawn in every form: kept beside, so that a change of a picture is seen as one.
//!
//! `MILLRACE_WRITE_PICTURES=1` writes them anew.

use std::path::Path;

use millrace::architecture::model::{Architecture, EdgeKind, Kind, Standing};
use millrace::architecture::overlay::{MOST_STRANGERS, lay};
use millrace::architecture::render::{dsl, mermaid, text};

use super::small::{declared, group, seen};

fn is_as_kept(name: &str, drawn: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/architecture/golden").join(name);
    if std::env::var_os("MILLRACE_WRITE_PICTURES").is_some() {
        std::fs::write(&file, drawn).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(drawn, kept, "{name}: MILLRACE_WRITE_PICTURES=1 writes it anew");
}

fn all(of: &str, drawn: &Architecture) {
    let lines: Vec<String> = text::lines(drawn).into_iter().map(|line| line.text + "\n").collect();
    is_as_kept(&format!("{of}.txt"), &lines.concat());
    is_as_kept(&format!("{of}.dsl"), &dsl::workspace(drawn));
    is_as_kept(&format!("{of}.contexts.mmd"), &mermaid::contexts(drawn));
    is_as_kept(&format!("{of}.shop.mmd"), &mermaid::context(drawn, "shop"));
    is_as_kept(&format!("{of}.json"), &(serde_json::to_string_pretty(drawn).unwrap() + "\n"));
}

#[test]
fn what_is_declared() {
    all("declared", &declared());
}

#[test]
fn what_is_seen_beside() {
    all("seen", &lay(&declared(), Some(&seen(1)), &seen(3)));
}

#[test]
fn strangers_are_warned_of_and_what_is_silent_is_grey() {
    let drawn = lay(&declared(), Some(&seen(1)), &seen(3));
    let standing = |id: &str| drawn.element(id).unwrap_or_else(|| panic!("no {id}")).standing;
    for (id, expected) in [
        ("group:reports", Standing::Undeclared),
        ("group:yesterday", Standing::Gone),
        ("policy:shop.people", Standing::Silent),
        ("processor:shop", Standing::Live),
        ("topic:shop.notes", Standing::Undeclared),
        ("gateway", Standing::Live),
    ] {
        assert_eq!(standing(id), expected, "{id}");
    }
    assert!(drawn.element("group:elsewhere").is_none(), "it reads nothing of this system");
    assert_eq!(
        drawn.element("projector:shop.orders").unwrap().instance_count,
        Some(2),
        "with those of a rebuild"
    );
    let edge = |from: &str, to: &str| {
        drawn
            .edges
            .iter()
            .find(|it| it.from == from && it.to == to)
            .unwrap_or_else(|| panic!("{from} -> {to}"))
    };
    let stranger = edge("topic:shop.events", "group:reports");
    assert_eq!((stranger.declared, stranger.observed), (false, Some(true)));
    assert_eq!(stranger.behind.unwrap().lag_records, 30);
    assert_eq!(stranger.records_per_second, Some(40.0), "two partitions of twenty a second");
    assert_eq!(edge("processor:shop", "topic:shop.events").records_per_second, Some(40.0));
    assert_eq!(edge("caller:http", "gateway").records_per_second, Some(100.0));
    assert_eq!(edge("topic:people.events", "policy:shop.people").observed, Some(false));
    let looks_up = edge("topic:people.user.lookup", "processor:shop");
    assert_eq!((looks_up.kind, looks_up.about.as_str()), (EdgeKind::LooksUp, "people.User"));
}

#[test]
fn a_topic_that_is_not_there_is_silent() {
    let mut now = seen(3);
    now.topics.remove("t.shop.steps");
    let drawn = lay(&declared(), None, &now);
    assert_eq!(drawn.element("topic:shop.steps").unwrap().standing, Standing::Silent);
}

#[test]
fn very_many_strangers_are_drawn_together_and_counted() {
    let mut now = seen(3);
    now.groups.extend((0..5_000).map(|at| group(&format!("many-{at:04}"), "t.shop.events", 10)));
    now.groups_not_seen = 17;
    let drawn = lay(&declared(), None, &now);
    let strangers = drawn.elements.iter().filter(|it| it.kind == Kind::Stranger).count();
    assert_eq!(strangers, MOST_STRANGERS + 1);
    // "reports" and "yesterday" are strangers as well
    let together = drawn.element("groups").unwrap();
    assert_eq!(together.name, format!("{} more consumer groups", 5_002 - MOST_STRANGERS));
    assert_eq!(together.standing, Standing::Undeclared);
    let edge = drawn.edges.iter().find(|it| it.to == "groups" && it.from == "topic:shop.events").unwrap();
    assert_eq!((edge.declared, edge.observed), (false, Some(true)));
    assert!(drawn.notes.iter().any(|it| it.contains("17 were not looked into")), "{:?}", drawn.notes);
    assert!(dsl::workspace(&drawn).len() < 500_000 && mermaid::contexts(&drawn).len() < 200_000);
    let lines = text::lines(&drawn);
    assert!(lines.len() < 200, "{} lines", lines.len());
}

#[test]
fn rates_are_not_made_up() {
    let drawn = lay(&declared(), None, &seen(3));
    assert!(drawn.edges.iter().all(|it| it.records_per_second.is_none()), "of one look");
    // made anew in between, its offsets begin again
    let drawn = lay(&declared(), Some(&seen(30)), &seen(31));
    assert!(drawn.edges.iter().all(|it| it.records_per_second.is_none_or(|it| it >= 0.0)));
    let drawn = lay(&declared(), Some(&seen(3)), &seen(3));
    assert!(drawn.edges.iter().all(|it| it.records_per_second.is_none()), "no time has passed");
}
