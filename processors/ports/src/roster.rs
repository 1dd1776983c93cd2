//! Who is in a group, and who takes over from whom.

use std::collections::BTreeMap;

/// A member of a group as others see it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RosterEntry {
    /// The name the broker has given it.
    pub member: String,
    /// Where it connects from, as the broker tells it.
    pub host: String,
    /// The partitions of the group's topic that it owns.
    pub partitions: Vec<i32>,
    /// Whether it is the one who asks.
    pub is_self: bool,
}

/// For each partition of the member `gone`, who gets it when that one leaves or dies.
///
/// Every log deals orphans out in this way, so that a copy of a partition can be kept where the
/// partition will go: highest partition first, each to the member that has fewest then, the first
/// by name among equals. It is what librdkafka's `cooperative-sticky` does with partitions whose
/// owner is missing, as long as all members subscribe to the same topic.
#[must_use]
pub fn heirs<'a>(roster: &'a [RosterEntry], gone: &str) -> BTreeMap<i32, &'a str> {
    let survivors = roster.iter().filter(|it| it.member != gone);
    let mut loads: BTreeMap<&str, usize> =
        survivors.map(|it| (it.member.as_str(), it.partitions.len())).collect();
    let mut orphans: Vec<i32> =
        roster.iter().filter(|it| it.member == gone).flat_map(|it| it.partitions.iter().copied()).collect();
    orphans.sort_unstable_by(|a, b| b.cmp(a));
    let mut heirs = BTreeMap::new();
    for partition in orphans {
        let Some((heir, load)) = loads.iter_mut().min_by_key(|(name, load)| (**load, **name)) else { break };
        *load += 1;
        heirs.insert(partition, *heir);
    }
    heirs
}

/// The members that should keep a copy of `partition`, the likeliest next owner first: who gets it
/// when its owner is gone, who gets it when that one is gone as well, and so on, `copies` at most.
#[must_use]
pub fn standbys(roster: &[RosterEntry], partition: i32, copies: usize) -> Vec<String> {
    let mut roster = roster.to_vec();
    let mut found = Vec::new();
    while found.len() < copies {
        let Some(owner) = roster.iter().position(|it| it.partitions.contains(&partition)) else { break };
        let moves: Vec<(i32, String)> = heirs(&roster, &roster[owner].member)
            .into_iter()
            .map(|(moved, heir)| (moved, heir.to_owned()))
            .collect();
        roster.remove(owner);
        for (moved, heir) in moves {
            if let Some(entry) = roster.iter_mut().find(|it| it.member == heir) {
                entry.partitions.push(moved);
            }
            if moved == partition {
                found.push(heir);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(of: &[(&str, &[i32])]) -> Vec<RosterEntry> {
        let entry = |(member, partitions): &(&str, &[i32])| RosterEntry {
            member: (*member).to_owned(),
            host: String::new(),
            partitions: partitions.to_vec(),
            is_self: false,
        };
        of.iter().map(entry).collect()
    }

    #[test]
    fn orphans_go_to_those_who_have_least() {
        let three = roster(&[("a", &[0, 1]), ("b", &[2, 3]), ("c", &[4])]);
        assert_eq!(heirs(&three, "a"), [(1, "c"), (0, "b")].into());
        assert_eq!(heirs(&three, "c"), [(4, "a")].into());
        assert_eq!(heirs(&three[..1], "a"), BTreeMap::new(), "nobody is left");
    }

    #[test]
    fn the_second_copy_is_where_the_partition_goes_after_the_first() {
        let three = roster(&[("a", &[0]), ("b", &[1]), ("c", &[2])]);
        assert_eq!(standbys(&three, 2, 1), ["a"]);
        assert_eq!(standbys(&three, 2, 5), ["a", "b"], "no more than there are others");
        assert_eq!(standbys(&three, 9, 1), Vec::<String>::new(), "nobody owns it now");
    }
}
