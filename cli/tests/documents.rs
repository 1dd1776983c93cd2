//! What the documents name exists: settings, environment variables, flags; and figures are those that were measured.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use common::Place;
use serde_json::Value;

/// Flags of other programs that documents name by themselves, not in a call of the program.
const OF_OTHERS: [&str; 22] = [
    "--add",
    "--aggregates",
    "--all-features",
    "--allow-principal",
    "--answers",
    "--broker-id",
    "--command-config",
    "--deny-principal",
    "--execute",
    "--group",
    "--list",
    "--measure",
    "--on",
    "--operation",
    "--profile",
    "--reset-offsets",
    "--resource-pattern-type",
    "--to-earliest",
    "--to-offset",
    "--topic",
    "--transactional-id",
    "--users",
];
/// Durations and sizes that documents name and that are no settings: of what is printed, and of others' data.
const NO_SETTINGS: [&str; 3] = ["lag_seconds", "live_lag_seconds", "latency_ms"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// README and the documents, by their names.
fn documents() -> Vec<(String, String)> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = docs.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    paths.push(root().join("README.md"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(path).unwrap())
    };
    paths.iter().map(read).collect()
}

/// What stands between single backticks, outside of blocks.
fn spans(text: &str) -> Vec<&str> {
    let outside = text.split("```").step_by(2);
    outside.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

/// Lines of shell: those of blocks, joined where a backslash ends them, and what stands between backticks.
fn shell(text: &str) -> Vec<String> {
    let blocks = text.split("```").skip(1).step_by(2).map(|block| block.replace("\\\n", " "));
    let lines = blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>());
    lines
        .chain(spans(text).into_iter().map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Every setting.
fn settings() -> BTreeSet<String> {
    let shown = Place::new().run(&["config", "--json"]).is(0, &[]).stdout;
    let key = |line: &str| serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned();
    shown.lines().map(key).collect()
}

/// What is wrong with a name between backticks, if it looks like a setting's.
fn no_setting(span: &str, known: &BTreeSet<String>) -> Option<String> {
    let sections: BTreeSet<&str> = known.iter().filter_map(|key| Some(key.split_once('.')?.0)).collect();
    // sections of domains, which may have no settings, have the names of their topics, too
    let is_domain = |name: &str| {
        matches!(
            name,
            "chirp"
                | "accounting"
                | "guestbook"
                | "orders"
                | "calendar"
                | "identity"
                | "projects"
                | "estimation"
        )
    };
    let is_section = |name: &str| name == "kafka_client" || is_domain(name) || sections.contains(name);
    if let Some((section, rest)) = span.strip_prefix('[').and_then(|span| span.split_once(']'))
        && is_name(section)
    {
        if !is_section(section) {
            return Some(format!("there is no section [{section}]"));
        }
        let key = rest.split('=').next().unwrap_or_default().trim();
        let whole = format!("{section}.{key}");
        return (is_name(key) && !known.contains(&whole)).then(|| format!("there is no setting {whole}"));
    }
    if let Some(variable) = span.strip_prefix("MILLRACE_").map(|rest| rest.split('=').next().unwrap_or(rest))
    {
        let is_known = known.iter().any(|key| key.to_uppercase().replace('.', "_") == variable);
        let is_other = ["TEST_", "KAFKA_CLIENT_", "*"].iter().any(|prefix| variable.starts_with(prefix));
        return (!is_known && !is_other).then(|| format!("there is no variable {span}"));
    }
    let span = span.split(" = ").next().unwrap_or(span);
    match span.split_once('.') {
        Some((section, key)) if is_section(section) && !is_domain(section) && is_name(key) => {
            // a file, or a property of Kafka's clients
            let is_other = matches!(key, "toml" | "rs" | "md") || span == "security.protocol";
            (!is_other && section != "kafka_client" && !known.contains(span))
                .then(|| format!("there is no setting {span}"))
        }
        None if is_name(span) && (span.ends_with("_ms") || span.ends_with("_seconds")) => {
            let is_known = known.iter().any(|key| key.rsplit('.').next() == Some(span));
            let is_metric = span.starts_with("millrace_") || span.starts_with("process_");
            (!is_known && !is_metric && !NO_SETTINGS.contains(&span))
                .then(|| format!("there is no setting {span}"))
        }
        _ => None,
    }
}

#[test]
fn every_setting_that_is_named_exists() {
    let known = settings();
    let (mut named, mut problems) = (0, Vec::new());
    for (name, text) in documents() {
        for span in spans(&text) {
            named +=
                usize::from(span.starts_with('[') || span.starts_with("MILLRACE_") || known.contains(span));
            problems.extend(no_setting(span, &known).map(|problem| format!("{name}: `{span}`: {problem}")));
        }
    }
    assert!(named > 60, "only {named} settings are named: the reader of the documents is wrong");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_setting_that_nobody_has_is_found() {
    let known = settings();
    for (span, is_wrong) in [
        ("[cql_client] consistency", true),
        ("[cql_client] concurrency", false),
        ("[processor]", false),
        ("[kafka_client]", false),
        ("[cql]", true),
        ("processor.batch_max_records", false),
        ("processor.batch_max_record", true),
        ("MILLRACE_KAFKA", false),
        ("MILLRACE_KAFKAS", true),
        ("MILLRACE_KAFKA_CLIENT_SASL_PASSWORD", false),
        ("dedup_window_seconds", false),
        ("dedup_windows_seconds", true),
        ("chirp.events", false),
        ("up.toml", false),
    ] {
        assert_eq!(no_setting(span, &known).is_some(), is_wrong, "{span}");
    }
}

/// The flags of every command, by how it is called: `dead list`.
fn commands() -> BTreeMap<String, BTreeSet<String>> {
    let place = Place::new();
    let mut found = BTreeMap::new();
    let mut open = vec![String::new()];
    while let Some(call) = open.pop() {
        let mut arguments: Vec<&str> = call.split_whitespace().collect();
        arguments.push("--help");
        let help = place.run(&arguments).is(0, &[]).stdout;
        let commands =
            help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest.split("\n\n").next().unwrap_or(""));
        for line in commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap_or_default();
            if name != "help" {
                open.push(format!("{call} {name}").trim().to_owned());
            }
        }
        found.insert(call, flags(&help));
    }
    found
}

/// Everything of the form `--flag`.
fn flags(text: &str) -> BTreeSet<String> {
    let part = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let words = text.split(part).filter(|word| word.len() > 3 && word.starts_with("--"));
    words.filter(|word| word.as_bytes()[2].is_ascii_lowercase()).map(str::to_owned).collect()
}

/// Flags of a line of shell that `millrace`, or nobody, has.
fn no_flags(line: &str, commands: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let all: BTreeSet<&String> = commands.values().flatten().collect();
    let mut problems = Vec::new();
    // several calls may stand in one line; the comment behind them is prose
    let code = line.split(" #").next().unwrap_or(line);
    for call in code.split(&['|', ';', '&'][..]) {
        let words: Vec<&str> = call.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "millrace" || word.ends_with("/millrace"));
        let own = match at {
            Some(at) => {
                let two = words[at + 1..].iter().take(2).copied().collect::<Vec<_>>().join(" ");
                let one = words.get(at + 1).copied().unwrap_or_default();
                commands.get(&two).or_else(|| commands.get(one))
            }
            // `send --wait`, without the program
            None => words.first().filter(|word| !word.is_empty()).and_then(|word| {
                let two = words.iter().take(2).copied().collect::<Vec<_>>().join(" ");
                commands.get(&two).or_else(|| commands.get(*word))
            }),
        };
        let is_bare = words.first().is_some_and(|word| word.starts_with("--"));
        for flag in flags(call) {
            let is_known = match own {
                Some(own) => own.contains(&flag),
                None if is_bare => all.contains(&flag) || OF_OTHERS.contains(&flag.as_str()),
                // a call of another program
                None => true,
            };
            if !is_known {
                problems.push(format!("`{line}`: there is no flag {flag}"));
            }
        }
    }
    problems
}

#[test]
fn every_flag_that_is_named_exists() {
    let commands = commands();
    assert!(commands.len() > 20 && commands.contains_key("dead list"), "{:?}", commands.keys());
    let (mut named, mut problems) = (0, Vec::new());
    for (name, text) in documents() {
        for line in shell(&text) {
            named += flags(&line).len();
            problems
                .extend(no_flags(&line, &commands).into_iter().map(|problem| format!("{name}: {problem}")));
        }
    }
    assert!(named > 60, "only {named} flags are named: the reader of the documents is wrong");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_flag_that_nobody_has_is_found() {
    let commands = commands();
    for (line, is_wrong) in [
        ("millrace send X a=b --wait --json", false),
        ("millrace send X a=b --waits", true),
        ("millrace dead list chirp --key ann", false),
        ("millrace dead list chirp --yes", true),
        ("kafka-topics.sh --whatever | millrace load - --wait", false),
        ("send --wait-for feed", false),
        ("feed --wait", true),
        ("--topic-prefix", false),
        ("--topic-suffix", true),
        ("cargo run --release", false),
    ] {
        assert_eq!(!no_flags(line, &commands).is_empty(), is_wrong, "{line}");
    }
}

fn measured(name: &str) -> Value {
    let path = root().join("bench/results").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The whole number before `what`, with or without thousands apart.
fn before(text: &str, what: &str) -> f64 {
    let at = text.find(what).unwrap_or_else(|| panic!("nobody says `{what}`"));
    let digits =
        text[..at].trim_end().rsplit(|c: char| !c.is_ascii_digit() && c != ',').next().unwrap_or_default();
    digits.replace(',', "").parse().unwrap_or_else(|_| panic!("no number before `{what}`: {digits:?}"))
}

/// The cells of the first row of a table that begins so.
fn row<'a>(text: &'a str, first: &str) -> Vec<&'a str> {
    let start = format!("| {first} |");
    let line = text.lines().find(|line| line.starts_with(&start));
    let line = line.unwrap_or_else(|| panic!("there is no row {first}"));
    line.trim_matches('|').split('|').skip(1).map(|cell| cell.trim().trim_matches('*')).collect()
}

fn number(cell: &str) -> f64 {
    cell.replace(',', "").parse().unwrap_or_else(|_| panic!("{cell:?} is no number"))
}

#[test]
fn figures_are_those_that_were_measured() {
    let throughput = measured("throughput.json");
    let of = |keys: &str, who: &str, what: &str| throughput["medians"][keys][who][what].as_f64().unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let quoted = before(&readme, "commands a second on two cores");
    let is = of("uniform", "millrace", "per_second");
    assert!(
        (quoted / is - 1.0).abs() < 0.01,
        "README says {quoted} commands a second, measured were {is:.0}"
    );

    let bench = fs::read_to_string(root().join("bench/README.md")).unwrap();
    let section = bench.split("## Throughput beside its peers").nth(1).unwrap();
    let contestants: Vec<&String> = throughput["medians"]["uniform"].as_object().unwrap().keys().collect();
    assert!(contestants.len() >= 5, "{contestants:?}");
    for who in contestants {
        let title = if who == "millrace" { "**millrace**" } else { who };
        let cells = row(section, title);
        let figures = ["per_second", "per_cpu_second", "peak_memory_mb"];
        let expected = ["uniform", "zipf"].iter().flat_map(|keys| figures.map(|what| of(keys, who, what)));
        for (cell, expected) in cells.iter().zip(expected) {
            assert!(
                (number(cell) - expected).abs() <= 1.0,
                "bench/README.md, {who}: {cell}, measured {expected:.1}"
            );
        }
    }

    let capacity = fs::read_to_string(root().join("docs/capacity.md")).unwrap();
    let quoted = number(row(&capacity, "processor: commands a second of one lane")[0]);
    let growth = measured("growth.json");
    let of_one_lane = |pair: &&Value| pair["aggregates"] == 10_000_000 && pair["partitions"] == 1;
    let is =
        growth["pairs"].as_array().unwrap().iter().find(of_one_lane).unwrap()["per_second"].as_f64().unwrap();
    assert!((quoted / is - 1.0).abs() < 0.01, "docs/capacity.md says {quoted}, measured were {is:.0}");
}

/// Files that a document shows whole, each with what it shows.
fn quotes(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for part in text.split("<!-- ").skip(1) {
        let Some((file, rest)) = part.split_once(": quoted -->\n") else { continue };
        let shown = rest.split_once('\n').map(|(_, shown)| shown.trim_end().trim_end_matches("```"));
        found.push((file, shown.unwrap_or_default()));
    }
    found
}

#[test]
fn what_is_quoted_is_what_the_file_says() {
    let mut count = 0;
    for (name, text) in documents() {
        for (file, shown) in quotes(&text) {
            let is = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            assert_eq!(shown, is, "docs/{name} quotes {file}: put in what the file says");
            count += 1;
        }
    }
    assert!(count > 3, "the guide to a domain quotes its example");
}

/// What an author has to write for the smallest domain, tests apart: lines that are not empty.
#[test]
fn the_smallest_domain_is_small() {
    let mut files = 0;
    let mut lines = 0;
    for folder in ["schemas/guestbook", "processors/domains/guestbook", "processors/domains/guestbook/src"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                files += 1;
                lines +=
                    fs::read_to_string(&path).unwrap().lines().filter(|line| !line.trim().is_empty()).count();
            }
        }
    }
    assert!(files <= 7 && lines <= 120, "{files} files and {lines} lines");
}
