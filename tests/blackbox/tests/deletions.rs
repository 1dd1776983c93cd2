//! What is deleted in front of a partition costs its readers nothing that grows with it, on a server that passes over no
//! more than a thousand deleted rows.

use std::fs;

use millrace_blackbox::{Cli, Cluster, LATER, System};
use millrace_services::{CommitLog, OwnedCassandra, Services};

/// Chirps that stay of each author.
const KEPT: usize = 100;

fn line(kind: &str, data: &[(&str, &str)]) -> String {
    let data: serde_json::Map<_, _> =
        data.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
    serde_json::json!({ "type": kind, "data": data }).to_string()
}

fn post(author: &str, n: usize) -> String {
    line(
        "PostChirp",
        &[("author_id", author), ("chirp_id", &format!("c{n}")), ("content", &format!("no {n}"))],
    )
}

fn delete(author: &str, n: usize) -> String {
    line("DeleteChirp", &[("author_id", author), ("chirp_id", &format!("c{n}"))])
}

fn load(cli: &Cli, dir: &std::path::Path, lines: impl IntoIterator<Item = String>) {
    let file = dir.join("lines.jsonl");
    fs::write(&file, lines.into_iter().map(|line| line + "\n").collect::<String>()).unwrap();
    cli.ok(&["load", &file.display().to_string(), "--wait-for", "feed"]);
}

#[test]
fn thousands_of_deletions_in_front_silence_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let settings = [("tombstone_failure_threshold", "1000"), ("tombstone_warn_threshold", "500")];
    let tables = OwnedCassandra::start_with(dir.path(), CommitLog::Periodic, &settings)
        .unwrap_or_else(|error| panic!("{error}"));
    let kafka = &Services::kafka().unwrap_or_else(|error| panic!("{error}")).bootstrap;
    let registry = &Services::registry().unwrap_or_else(|error| panic!("{error}")).url;
    let mut cluster = Cluster::on("deletions", "", kafka, registry, &tables.contact_point());
    cluster.set_up();
    cluster.start_roles(1);
    let cli = cluster.cli();

    let people = ["ann", "bob", "eve"];
    let name = |user: &str| line("RegisterUser", &[("user_id", user), ("username", &format!("{user}_x"))]);
    load(&cli, dir.path(), people.map(name));
    let follow = |author: &str| line("FollowUser", &[("follower_id", "bob"), ("followee_id", author)]);
    load(&cli, dir.path(), ["ann", "eve"].map(follow));
    // ann deletes the newest 1,100 of her 1,200; eve posts and deletes without end
    load(&cli, dir.path(), (0..1_200).map(|n| post("ann", n)));
    load(&cli, dir.path(), (KEPT..1_200).map(|n| delete("ann", n)));
    load(&cli, dir.path(), (0..3_000).flat_map(|n| [post("eve", n), delete("eve", n)]));

    let chirps = cli.ok(&["query", "chirps_by_author", "author_id=ann", "--json"]).json_lines();
    let ids = |rows: &[serde_json::Value]| -> Vec<String> {
        rows.iter().map(|row| row["chirp_id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let newest: Vec<String> = (0..KEPT).rev().map(|n| format!("c{n}")).collect();
    assert_eq!(ids(&chirps), newest);
    assert!(cli.ok(&["query", "chirps_by_author", "author_id=eve", "--json"]).json_lines().is_empty());
    let feed = cli.ok(&["feed", "bob", "--limit", "50", "--json"]).json_lines();
    assert_eq!(ids(&feed), newest[..50], "{feed:?}");
    cli.wait_caught_up(LATER);
    cli.ok(&["verify", "chirp"]);
}
