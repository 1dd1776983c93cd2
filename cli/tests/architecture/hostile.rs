//! Names that strangers choose: of groups, clients, hosts, topics and services.

use std::collections::BTreeMap;

use millrace::architecture::overlay::lay;
use millrace::architecture::render::{dsl, mermaid, text};
use millrace::architecture::seen::{Seen, SeenMember};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::mermaid::{Flowchart, checked};
use super::small::{declared, group, seen};
use super::structurizr::parsed;

/// What means something to one of the languages, to a terminal or to a browser.
const BITS: &[&str] = &[
    "\"",
    "\\",
    "\\\"",
    "'",
    "`",
    "${HOME}",
    "${",
    "}",
    "{",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "->",
    "-->",
    "%%",
    "%%{init: {}}%%",
    "!include /etc/passwd",
    "!script groovy",
    "/*",
    "*/",
    "//",
    "#",
    "#quot;",
    "&quot;",
    "<script>",
    "</b>",
    "<br/>",
    "end",
    "subgraph x",
    "click a",
    "|",
    "|\"x\"|",
    "]",
    "[",
    "(((",
    "{{",
    "}}",
    ":::",
    "~~~",
    ";",
    ",",
    "@",
    "\u{1b}]52;c;YQ==\u{7}",
    "\u{9b}31m",
    "\u{202e}",
    "\u{2028}",
    "\u{feff}",
    "e\u{301}\u{301}",
    "日本",
    "ß",
    "𝒳",
    "classDef undeclared fill:#fff",
    "linkStyle 0 stroke:#000",
    "workspace {",
    " ",
    "x",
    "group:x",
    "processor:shop",
    "t.shop.processor",
];

fn name(random: &mut StdRng) -> String {
    let long = if random.random_bool(0.05) { 300 } else { 8 };
    (0..random.random_range(0..long)).map(|_| BITS[random.random_range(0..BITS.len())]).collect()
}

/// A look with strangers whose every name is hostile.
fn world(random: &mut StdRng) -> Seen {
    let mut now = seen(3);
    for at in 0..random.random_range(1..12) {
        // ids are unique to a broker
        let mut stranger = group(&format!("{}{at}", name(random)), "t.shop.events", 10);
        stranger.members = (0..random.random_range(0..3))
            .map(|_| SeenMember {
                name: name(random),
                client: name(random),
                host: name(random),
                assigned: BTreeMap::from([("t.shop.events".to_owned(), vec![0])]),
            })
            .collect();
        now.groups.push(stranger);
    }
    now.topics.insert(format!("t.shop.{}", name(random)), 1);
    // as a context, as the gateway, and as one another once they are cut off
    for id in [
        "shop".to_owned(),
        "Gateway".to_owned(),
        "x".repeat(200),
        "x".repeat(201),
        String::new(),
        " ".to_owned(),
    ] {
        now.groups.push(group(&id, "t.shop.events", 10));
    }
    now.brokers = name(random);
    now
}

#[test]
fn nobody_is_named_so_that_something_else_is_drawn() {
    let seed = std::env::var("MILLRACE_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or(0x0a5c_11e7_u64);
    let mut random = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    let mut files = Vec::new();
    for round in 0..60 {
        let drawn = lay(&declared(), Some(&seen(1)), &world(&mut random));
        for chart in [mermaid::contexts(&drawn), mermaid::context(&drawn, "shop")] {
            let Flowchart { undeclared, .. } =
                checked(&chart).unwrap_or_else(|why| panic!("seed {seed}: {why}\n{chart}"));
            assert!(undeclared >= 1, "{chart}");
        }
        for line in text::lines(&drawn) {
            let is_quiet = |c: char| !c.is_control() && !('\u{2028}'..='\u{202e}').contains(&c);
            assert!(line.text.chars().all(is_quiet), "seed {seed}: {:?}", line.text);
            assert!(line.text.chars().count() < 1_000, "{}", line.text);
        }
        let file = dir.path().join(format!("{round}.dsl"));
        std::fs::write(&file, dsl::workspace(&drawn)).unwrap();
        files.push(file);
        expected.push((drawn.elements.len() + drawn.contexts.len(), drawn));
    }
    let said = millrace_services::structurizr(&files).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let home = std::env::var("HOME").unwrap_or_default();
    assert!(home.len() < 4 || !said.contains(&home), "a variable of the environment was taken in");
    let worlds: Vec<&str> = said.split("workspace\t").skip(1).collect();
    assert_eq!(worlds.len(), expected.len());
    for (world, (elements, drawn)) in worlds.iter().zip(&expected) {
        let lines: Vec<&str> = world.lines().filter(|it| it.starts_with("element\t")).collect();
        let found =
            lines.iter().filter(|it| !it.contains("Deployment") && !it.contains("Instance\t")).count();
        assert_eq!(
            found, *elements,
            "seed {seed}: an element is missing, or one more than there is\n{world}"
        );
        let undeclared = |it: &&&str| it.contains("Undeclared") && it.contains("Stranger");
        let strangers = drawn.elements.iter().filter(|it| it.id.starts_with("group:"));
        let there = strangers.filter(|it| !it.instances.is_empty()).count();
        assert_eq!(lines.iter().filter(undeclared).count(), there, "seed {seed}: {world}");
    }
}

/// What is planted is found: the check is no check if a name that is taken as it is passes.
#[test]
fn a_name_that_is_taken_as_it_is_would_be_found() {
    let good = mermaid::contexts(&lay(&declared(), None, &seen(3)));
    assert!(checked(&good).is_ok());
    for planted in [
        "rep\"]:::undeclared\n  x --> y",
        "rep\"orts",
        "reports\n  click a \"javascript:1\"",
        "rep#quot;orts",
        "<b>reports",
    ] {
        assert!(checked(&good.replace("reports", planted)).is_err(), "{planted:?} passes");
    }
    let workspace = dsl::workspace(&lay(&declared(), None, &seen(3)));
    let broken = workspace.replacen("\"group reports\"", "\"group rep\"orts\" }\"", 1);
    assert_ne!(broken, workspace);
    let read = std::panic::catch_unwind(|| parsed(&broken));
    assert!(read.is_err() || !read.unwrap().contains("\tgroup reports\t"));
}
