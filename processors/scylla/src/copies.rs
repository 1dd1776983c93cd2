//! How many copies of a row each data centre holds: of a keyspace that is made, and of one that is there.
//!
//! A write is acknowledged by most copies of the data centre it came to, so a keyspace that asks for two copies where there
//! is one node refuses every write.

use std::collections::{BTreeMap, HashMap};

use millrace_ports::StoreWarning;

use crate::cql;

/// Copies of every row in a data centre that has so many nodes.
const COPIES: usize = 3;
/// How `system_schema.keyspaces` names what is not a data centre.
const CLASS: &str = "class";
/// The number of a keyspace that knows no data centres.
const FACTOR: &str = "replication_factor";

/// How many nodes with rows each data centre has.
pub(crate) type Nodes = BTreeMap<String, usize>;

/// How many copies a keyspace gets in each data centre: as many as are asked for, or three, but not more than there are nodes.
pub(crate) fn of_each(nodes: &Nodes, asked: Option<u8>) -> BTreeMap<String, usize> {
    let wanted = asked.map_or(COPIES, usize::from).max(1);
    nodes.iter().map(|(name, nodes)| (name.clone(), wanted.min(*nodes).max(1))).collect()
}

/// The replication of a keyspace in CQL. The class is known to both servers by its short form.
pub(crate) fn clause(copies: &BTreeMap<String, usize>, asked: Option<u8>) -> String {
    let mut parts = vec!["'class': 'NetworkTopologyStrategy'".to_owned()];
    match copies.is_empty() {
        // the servers did not say where their nodes are
        true => parts.push(format!("'{FACTOR}': {}", asked.unwrap_or(1).max(1))),
        false => parts.extend(copies.iter().map(|(name, count)| format!("{}: {count}", cql::text(name)))),
    }
    format!("{{{}}}", parts.join(", "))
}

/// What [`of_each`] has chosen, for who has to agree with it.
pub(crate) fn words(nodes: &Nodes, asked: Option<u8>) -> Option<String> {
    let copies = of_each(nodes, asked);
    let one = |(name, count): (&String, &usize)| {
        let nodes = nodes.get(name).copied().unwrap_or_default();
        format!(
            "{} in {name}, which has {}",
            plural(*count, "copy", "copies"),
            plural(nodes, "node", "nodes")
        )
    };
    let list: Vec<String> = copies.iter().map(one).collect();
    let wanted = asked.map_or(COPIES, usize::from);
    let is_less = copies.values().any(|count| *count < wanted);
    let later = match is_less {
        true => format!(
            "; {wanted} are wanted: once there are more nodes, ALTER KEYSPACE raises the number (then repair every node)"
        ),
        false => String::new(),
    };
    (!list.is_empty()).then(|| format!("of each row {}{later}", list.join(", ")))
}

/// What stands in the way of a keyspace that is there, as the nodes are; `local` is the data centre that is asked.
pub(crate) fn warnings(
    keyspace: &str,
    replication: &HashMap<String, String>,
    nodes: &Nodes,
    local: Option<&str>,
) -> Vec<StoreWarning> {
    let mut found = Vec::new();
    let named = |text: &str| {
        // a transient copy is written as 3/1
        text.split('/').next().and_then(|count| count.trim().parse::<usize>().ok())
    };
    let mut wanted: Vec<(&str, usize)> = Vec::new();
    for (name, count) in replication {
        if name != CLASS
            && let Some(count) = named(count)
        {
            wanted.push((name, count));
        }
    }
    wanted.sort_unstable();
    for (name, copies) in &wanted {
        let (place, there) = match *name {
            FACTOR => ("the cluster".to_owned(), nodes.values().sum()),
            name => (format!("data centre {name}"), nodes.get(name).copied().unwrap_or_default()),
        };
        if *copies <= there {
            continue;
        }
        let quorum = copies / 2 + 1;
        let stops = quorum > there;
        let consequence = match stops {
            true => format!("no read and no write succeeds there, as {quorum} of the copies must answer"),
            false => "it can spare no node".to_owned(),
        };
        let to = of_each(nodes, Some(u8::try_from(*copies).unwrap_or(u8::MAX)));
        found.push(StoreWarning {
            stops,
            text: format!(
                "keyspace {keyspace} asks for {} in {place}, which has {}: {consequence}. Add nodes, or: ALTER KEYSPACE {} \
                 WITH replication = {}; and repair",
                plural(*copies, "copy", "copies"),
                plural(there, "node", "nodes"),
                cql::name(keyspace),
                clause(&to, None),
            ),
        });
    }
    let has_centres = wanted.iter().any(|(name, _)| *name != FACTOR);
    if let Some(local) = local
        && has_centres
        && !wanted.iter().any(|(name, count)| *name == local && *count > 0)
    {
        let there: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
        found.push(StoreWarning {
            stops: true,
            text: format!(
                "keyspace {keyspace} has no copy in data centre {local}, which is asked: no read and no write succeeds. Its \
                 copies are in {}: set cql_client.datacenter, or give it copies there with ALTER KEYSPACE",
                there.join(", ")
            ),
        });
    }
    found
}

fn plural(count: usize, one: &str, more: &str) -> String {
    match count {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        _ => format!("{count} {more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(of: &[(&str, usize)]) -> Nodes {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn a_data_centre_gets_no_more_copies_than_it_has_nodes() {
        let rows = [
            (&[("dc1", 1)][..], None, "'dc1': 1"),
            (&[("dc1", 1), ("dc2", 1)], None, "'dc1': 1, 'dc2': 1"),
            (&[("dc1", 3), ("dc2", 1)], None, "'dc1': 3, 'dc2': 1"),
            (&[("dc1", 5), ("dc2", 2)], None, "'dc1': 3, 'dc2': 2"),
            (&[("dc1", 5), ("dc2", 5)], Some(2), "'dc1': 2, 'dc2': 2"),
            (&[("dc1", 2)], Some(5), "'dc1': 2"),
            (&[("it's", 1)], None, "'it''s': 1"),
            (&[], None, "'replication_factor': 1"),
            (&[], Some(3), "'replication_factor': 3"),
        ];
        for (there, asked, expected) in rows {
            let there = nodes(there);
            assert_eq!(
                clause(&of_each(&there, asked), asked),
                format!("{{'class': 'NetworkTopologyStrategy', {expected}}}"),
                "{there:?} {asked:?}"
            );
        }
    }

    #[test]
    fn what_is_chosen_is_said() {
        let two = nodes(&[("dc1", 1), ("dc2", 3)]);
        let text = words(&two, None).unwrap();
        assert!(
            text.starts_with("of each row 1 copy in dc1, which has 1 node, 3 copies in dc2, which has 3 nodes; 3 are wanted"),
            "{text}"
        );
        assert!(!words(&nodes(&[("dc1", 3)]), None).unwrap().contains("wanted"));
        assert_eq!(words(&nodes(&[]), None), None);
    }

    #[test]
    fn a_keyspace_that_asks_for_too_much_is_named() {
        let of = |parts: &[(&str, &str)], there: &[(&str, usize)], local| {
            let parts = parts.iter().map(|(name, count)| ((*name).to_owned(), (*count).to_owned()));
            warnings("chirp", &parts.collect(), &nodes(there), local)
        };
        let class = ("class", "org.apache.cassandra.locator.NetworkTopologyStrategy");
        let centres = [("dc1", 1), ("dc2", 1)];
        assert_eq!(of(&[class, ("dc1", "1"), ("dc2", "1")], &centres, Some("dc1")), []);

        let found = of(&[class, ("dc1", "2"), ("dc2", "1")], &centres, Some("dc1"));
        assert_eq!(found.len(), 1);
        let StoreWarning { text, stops } = &found[0];
        assert!(*stops && text.contains("2 copies in data centre dc1, which has 1 node"), "{text}");
        assert!(text.contains("'dc1': 1, 'dc2': 1"), "the way out: {text}");

        let found = of(&[class, ("dc1", "3")], &[("dc1", 2)], None);
        assert!(!found[0].stops && found[0].text.contains("spare no node"), "{found:?}");
        let found = of(&[class, ("dc9", "1")], &centres, Some("dc1"));
        assert!(found.iter().all(|it| it.stops) && found.len() == 2, "{found:?}");
        assert!(found[1].text.contains("no copy in data centre dc1"), "{found:?}");

        let simple = ("class", "org.apache.cassandra.locator.SimpleStrategy");
        assert_eq!(of(&[simple, ("replication_factor", "2")], &centres, Some("dc1")), []);
        assert!(of(&[simple, ("replication_factor", "3")], &[("dc1", 1)], None)[0].stops);
        assert_eq!(of(&[class, ("dc1", "1/0"), ("dc2", "what")], &centres, Some("dc1")), []);
    }
}
