//! A system of two contexts: people, and a shop that reacts to them and looks them up.

use std::collections::BTreeMap;

use millrace::architecture::declared::{Declared, draw};
use millrace::architecture::model::Architecture;
use millrace::architecture::seen::{BehindBy, Seen, SeenGateway, SeenGroup, SeenMember};
use millrace_runtime::Topology;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What is declared of it.
pub fn declared() -> Architecture {
    let people = Declared {
        name: "people".to_owned(),
        topology: Topology::new("t.", "people"),
        topics: names(&["commands", "events", "state", "outcomes", "commands.dead", "user.lookup"]),
        partitions: 2,
        families: vec![("users".to_owned(), names(&["users"]))],
        policies: Vec::new(),
        lookups_elsewhere: Vec::new(),
        lookups: Vec::new(),
    };
    let shop = Declared {
        name: "shop".to_owned(),
        topology: Topology::new("t.", "shop"),
        topics: names(&[
            "commands",
            "steps",
            "events",
            "state",
            "outcomes",
            "commands.dead",
            "orders.changes",
        ]),
        partitions: 2,
        families: vec![("orders".to_owned(), names(&["orders", "orders_by_day"]))],
        policies: vec![("people", names(&["UserRemoved", "UserRenamed"]))],
        lookups_elsewhere: vec![("people", "User")],
        lookups: Vec::new(),
    };
    draw(&[people, shop])
}

/// A group with one member, which was dealt all of `topic` and has read up to `next`.
pub fn group(id: &str, topic: &str, next: i64) -> SeenGroup {
    let member = SeenMember {
        name: format!("{id}-member"),
        client: "millrace".to_owned(),
        host: "/10.0.0.7".to_owned(),
        assigned: BTreeMap::from([(topic.to_owned(), vec![0, 1])]),
    };
    SeenGroup {
        id: id.to_owned(),
        members: vec![member],
        offsets: BTreeMap::from([((topic.to_owned(), 0), next), ((topic.to_owned(), 1), next)]),
        behind: BTreeMap::from([(topic.to_owned(), BehindBy::default())]),
    }
}

/// A look at it: its policy is silent, a stranger reads the shop's events, another has left, and a topic is nobody's.
pub fn seen(at_seconds: i64) -> Seen {
    let topics = declared().elements.into_iter().filter_map(|it| it.topic);
    let mut topics: BTreeMap<String, i32> = topics.map(|topic| (topic, 2)).collect();
    topics.insert("t.shop.notes".to_owned(), 1);
    let place = |topic: &str, partition: i32| (topic.to_owned(), partition);
    let next = 40 + 20 * at_seconds;
    let mut stranger = group("reports", "t.shop.events", next - 15);
    stranger.members[0].client = "rdkafka".to_owned();
    let behind = BehindBy { lag_records: 30, lag_seconds: 12.4 };
    stranger.behind.insert("t.shop.events".to_owned(), behind);
    let mut gone = group("yesterday", "t.people.events", 3);
    gone.members.clear();
    let elsewhere = SeenGroup { id: "elsewhere".to_owned(), ..SeenGroup::default() };
    Seen {
        brokers: "kafka:9092".to_owned(),
        at_micros: at_seconds * 1_000_000,
        topics,
        ends: BTreeMap::from([
            (place("t.shop.events", 0), next),
            (place("t.shop.events", 1), next),
            (place("t.shop.commands", 0), next / 2),
        ]),
        groups: vec![
            elsewhere,
            stranger,
            group("t.people.processor", "t.people.commands", 5),
            group("t.people.projector.users", "t.people.events", 5),
            group("t.shop.processor", "t.shop.commands", next / 2),
            group("t.shop.projector.orders", "t.shop.events", next),
            group("t.shop.projector.orders.v2", "t.shop.events", 0),
            gone,
        ],
        groups_not_seen: 0,
        gateways: Some(vec![SeenGateway {
            address: "http://127.0.0.1:8080".to_owned(),
            host: "127.0.0.1".to_owned(),
            requests: Some(100 * at_seconds as u64),
        }]),
        notes: Vec::new(),
    }
}
