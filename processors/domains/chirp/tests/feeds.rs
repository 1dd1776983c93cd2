//! The materialised feeds against the oracle, over random histories.

use crate::common;

use std::collections::BTreeSet;

use common::meanwhile::{Meanwhile, Read};
use common::network::*;
use common::turns::InTurns;
use millrace_domain_chirp::Settings;
use millrace_domain_chirp::feed::Cursor;
use millrace_kernel::{Event, Value};
use proptest::prelude::*;

use millrace_domain_chirp::EventData;

fn settings() -> impl Strategy<Value = Settings> {
    (1u64..4, 0u64..3, 1usize..9, 0usize..4, 1u32..5).prop_map(|(above, less, cap, at_once, rows)| Settings {
        celebrity_above: above,
        celebrity_below: above.saturating_sub(less),
        timeline_cap: cap,
        fan_out_at_once: at_once,
        bucket_rows: rows,
    })
}

/// Applies everything, partitions interleaved at random, and compares after every event.
fn run(settings: &Settings, history: &[(i32, Event<EventData>)], dice: &mut Dice) -> Projections {
    let mut projections = Projections::new(settings);
    let mut queues = by_partition(history);
    while !queues.is_empty() {
        let partition = *queues.keys().nth(dice.below(queues.len())).unwrap();
        let queue = queues.get_mut(&partition).unwrap();
        match queue.pop_front() {
            Some(event) => projections.apply(partition, &event, dice),
            None => drop(queues.remove(&partition)),
        }
        if dice.below(4) == 0 {
            projections.check_feeds(dice);
        }
    }
    projections.check_feeds(dice);
    projections
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        other => panic!("{other:?} is no text"),
    }
}

fn number(value: &Value) -> i64 {
    match value {
        Value::BigInt(number) => *number,
        other => panic!("{other:?} is no bigint"),
    }
}

/// The other tables, and what must hold of the rows themselves.
fn check_tables(projections: &Projections, partitions: i32) {
    let (tables, oracle) = (&projections.tables, &projections.oracle);
    let cap = projections.settings.timeline_cap;
    let chirp = |author: &Value, chirp: &Value| oracle.chirps.get(&(text(author), text(chirp)));

    assert_eq!(tables.rows("user_profiles").len(), oracle.users.len());
    assert_eq!(tables.rows("users_by_username").len(), oracle.users.len());
    assert_eq!(tables.rows("chirps").len(), oracle.chirps.len());
    for row in tables.rows("chirps") {
        let (at, content, edited_at) = chirp(&row[0], &row[1]).expect("what is deleted has no row");
        assert_eq!((*at, content, *edited_at), (number(&row[4]), &text(&row[3]), edited(&row[5])));
    }
    for (table, bucket) in [("chirps_by_author", Some(1)), ("celebrity_chirps", None)] {
        for mut row in tables.rows(table) {
            bucket.map(|column| row.remove(column));
            let (at, content, edited_at) = chirp(&row[0], &row[2]).expect("what is deleted has no row");
            assert_eq!((*at, content, *edited_at), (number(&row[1]), &text(&row[4]), edited(&row[5])));
        }
    }
    let rows = projections.settings.bucket_rows as usize;
    for (table, most) in [("chirps_by_author", rows), ("celebrity_chirps", cap + 1 + rows)] {
        for (partition, walked) in tables.walked(table) {
            assert!(walked <= most, "{walked} rows and deletions in {partition:?} of {table}");
        }
    }
    assert_eq!(tables.rows("chirps_by_author").len(), oracle.chirps.len());
    for author in &oracle.users {
        let followers = oracle.follows.iter().filter(|(_, followee)| followee == author).count() as i64;
        let of_author = |row: &Vec<Value>| text(&row[0]) == *author;
        assert!(tables.rows("celebrity_chirps").into_iter().filter(of_author).count() <= cap + 1);
        let rows = tables.rows("follower_counts");
        assert_eq!(rows.into_iter().find(of_author).map_or(0, |row| number(&row[1])), followers);
        let rows = tables.rows("following_counts");
        let following = oracle.follows.iter().filter(|(reader, _)| reader == author).count() as i64;
        assert_eq!(
            rows.iter().filter(|row| of_author(row)).map(|row| number(&row[2])).sum::<i64>(),
            following
        );
        assert_eq!(tables.rows("followers_by_user").into_iter().filter(of_author).count() as i64, followers);

        let home: Vec<_> = tables.rows("home_timelines").into_iter().filter(of_author).collect();
        assert!(home.len() <= (cap + cap / 4) * partitions as usize, "{} rows of {author}", home.len());
        for row in home {
            match chirp(&row[3], &row[2]) {
                Some((at, content, edited_at)) => {
                    assert_eq!(
                        (*at, content, *edited_at),
                        (number(&row[1]), &text(&row[5]), edited(&row[6]))
                    );
                    assert_eq!(row[7], Value::Null, "what is there is shown");
                }
                None => assert_eq!((text(&row[5]).as_str(), &row[7]), ("", &Value::Boolean(true))),
            }
            assert!(oracle.follows.contains(&(author.clone(), text(&row[3]))), "only of those followed");
        }
    }
}

/// Authors whom nobody follows post more than a timeline holds and delete the newest: what is left is older than what
/// is known of their pushed chirps, and found below the floor.
#[test]
fn a_follower_of_somebody_who_deleted_the_newest_sees_the_older_ones() {
    for (posts, deleted) in [(3, 2), (3, 1), (9, 4), (20, 10)] {
        for cap in [1, 2, 3] {
            let settings = Settings {
                celebrity_above: 100,
                celebrity_below: 100,
                timeline_cap: cap,
                fan_out_at_once: 100,
                bucket_rows: 2,
            };
            let mut acts = vec![Act::Post(0); posts];
            acts.extend((0..deleted).map(|n| Act::Delete(0, n)));
            acts.push(Act::Follow(1, 0));
            let dice = &mut Dice::new(7);
            let projections = run(&settings, &history(&acts, 1), dice);
            projections.check_feeds(dice);
            check_tables(&projections, 1);
        }
    }
}

/// A celebrity with more chirps than a feed shows deletes the newest of them, and then posts and deletes without end: nobody's
/// feed is wrong, and no partition grows.
#[test]
fn a_celebrity_who_deletes_the_newest_leaves_older_ones_and_no_partition_that_grows() {
    for (cap, rows) in [(4, 2), (9, 4), (20, 5)] {
        let settings = Settings {
            celebrity_above: 2,
            celebrity_below: 2,
            timeline_cap: cap,
            fan_out_at_once: 2,
            bucket_rows: rows,
        };
        let mut acts = vec![Act::Post(0); cap];
        acts.extend([Act::Follow(1, 0), Act::Follow(2, 0), Act::Follow(3, 0)]);
        acts.extend(vec![Act::Post(0); 2 * cap]);
        // the newest, then those before
        acts.extend((0..2 * cap + cap / 2).map(|n| Act::Delete(0, n)));
        acts.extend(std::iter::repeat_n([Act::Post(0), Act::Delete(0, 0)], 5 * cap).flatten());
        // a regular author for a while, and a celebrity once more
        acts.extend([Act::Unfollow(3, 0), Act::Unfollow(2, 0)]);
        acts.extend(vec![Act::Post(0); cap + 3]);
        acts.extend([Act::Delete(0, 1), Act::Follow(2, 0), Act::Follow(3, 0), Act::Follow(4, 0)]);
        acts.extend((0..cap).map(|n| Act::Delete(0, n)));
        let dice = &mut Dice::new(cap as u64);
        let projections = run(&settings, &history(&acts, 1), dice);
        projections.check_feeds(dice);
        check_tables(&projections, 1);
        let left = projections.tables.rows("celebrity_chirps").len();
        assert!(left > 0 && left <= cap + 1, "{left}");
    }
}

fn edited(value: &Value) -> Option<i64> {
    (*value != Value::Null).then(|| number(value))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_feed_is_the_oracles_at_every_instant(
        acts in acts(120),
        settings in settings(),
        partitions in 1i32..4,
        seed in any::<u64>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let dice = &mut Dice::new(seed);
        let history = history(&acts, partitions);
        let mut projections = run(&settings, &history, dice);
        check_tables(&projections, partitions);

        // a projector that dies applies again what was not acknowledged
        for (partition, events) in by_partition(&history) {
            let events: Vec<_> = events.into();
            projections.restart(partition, &events, cut.index(events.len() + 1));
            projections.check_feeds(dice);
        }
        check_tables(&projections, partitions);
    }

    /// Other thresholds give other tables, but the same feeds; so does another order of
    /// partitions, and replaying into empty tables.
    #[test]
    fn replaying_gives_the_same_feeds(
        acts in acts(80),
        thresholds in proptest::collection::vec((1u64..5, 0u64..3), 2),
        cap in 1usize..9,
        seed in any::<u64>(),
    ) {
        let dice = &mut Dice::new(seed);
        let history = history(&acts, 3);
        for (above, less) in thresholds {
            let settings = Settings {
                celebrity_above: above,
                celebrity_below: above.saturating_sub(less),
                timeline_cap: cap,
                ..Settings::default()
            };
            run(&settings, &history, dice);
        }
    }
    /// Fan-outs in pieces, between which other authors' events are written: each author's events
    /// become visible in their order, those of one that is under way to some readers and not yet to
    /// others, and nobody sees anything else.
    #[test]
    fn every_feed_is_exact_while_fan_outs_take_turns(
        acts in acts(80),
        settings in settings(),
        partitions in 1i32..3,
        seed in any::<u64>(),
        haste in 1usize..8,
    ) {
        let dice = &mut Dice::new(seed);
        let settings = Settings { fan_out_at_once: settings.fan_out_at_once.min(1), ..settings };
        let history = history(&acts, partitions);
        let mut queues = by_partition(&history);
        let mut turns = InTurns::new(&settings);
        while !queues.is_empty() || !turns.is_done() {
            if dice.below(haste) > 0 || queues.is_empty() {
                turns.go_on(dice);
                continue;
            }
            let partition = *queues.keys().nth(dice.below(queues.len())).unwrap();
            match queues.get_mut(&partition).and_then(std::collections::VecDeque::pop_front) {
                Some(event) => turns.take(partition, &event, dice),
                None => drop(queues.remove(&partition)),
            }
        }
        turns.projections.check_feeds(dice);
        check_tables(&turns.projections, partitions);
    }
    /// A feed that is read while projectors write, between any two of its queries: what is there all the
    /// time is shown, in order and once.
    #[test]
    fn a_feed_that_is_read_amid_writes_shows_all_that_stays(
        acts in acts(120),
        settings in settings(),
        seed in any::<u64>(),
        begin in any::<prop::sample::Index>(),
        haste in prop_oneof![1usize..4, 4usize..40],
    ) {
        let dice = &mut Dice::new(seed);
        let history = history(&acts, 2);
        let (before, meanwhile) = history.split_at(begin.index(history.len() + 1));
        let mut projections = Projections::new(&settings);
        for (partition, event) in before {
            for write in projections.writes(*partition, event, dice) {
                projections.tables.write(&write);
            }
        }
        let readers: Vec<String> = projections.oracle.users.iter().cloned().collect();
        let mut meanwhile = Meanwhile::new(projections, meanwhile);
        while !meanwhile.is_done() && !readers.is_empty() {
            let reader = &readers[dice.below(readers.len())];
            let limit = 1 + dice.below(settings.timeline_cap + 1);
            let Read { places, is_last, stayed } = meanwhile.read(reader, limit, haste, dice);
            prop_assert!(places.is_sorted_by(|newer, older| newer > older), "{places:?}");
            let is_whole = is_last && places.len() < settings.timeline_cap;
            let reach = places.last().filter(|_| !is_whole);
            let missed: Vec<_> = stayed
                .iter()
                .filter(|place| reach.is_none_or(|reach| *place >= reach) && !places.contains(place))
                .collect();
            prop_assert!(missed.is_empty(), "{reader} misses {missed:?} in {places:?}");
        }
    }

    /// A cursor is a place, and places come from the events: who has read half of a feed when the tables
    /// are thrown away and filled anew, under other thresholds even, goes on with the other half.
    #[test]
    fn cursors_survive_a_rebuild(
        acts in acts(120),
        settings in settings(),
        thresholds in (1u64..5, 0u64..3),
        seed in any::<u64>(),
    ) {
        let dice = &mut Dice::new(seed);
        let history = history(&acts, 3);
        let old = run(&settings, &history, dice);
        let (above, less) = thresholds;
        let others =
            Settings { celebrity_above: above, celebrity_below: above.saturating_sub(less), ..settings };
        let new = run(&others, &history, dice);
        for reader in &old.oracle.users {
            let expected = old.oracle.feed(reader, others.timeline_cap);
            for half in 1..expected.len() {
                let (first, is_last) = old.page(reader, None, half);
                prop_assert!(!is_last);
                let cursor: Cursor = first[half - 1].cursor.to_string().parse().unwrap();
                let (rest, is_last) = new.page(reader, Some(&cursor), usize::MAX);
                prop_assert!(is_last);
                let whole: Vec<Seen> = first.iter().chain(&rest).map(seen).collect();
                prop_assert_eq!(&whole, &expected, "{} behind {}", reader, half);
            }
        }
    }
    /// Who pages through a feed while things change sees no chirp twice, and misses none that was
    /// there when the first page was read and still is.
    #[test]
    fn paging_while_things_change_shows_all_that_stays_and_nothing_twice(
        acts in acts(120),
        settings in settings(),
        cap in prop_oneof![Just(1_000usize), 3usize..9],
        seed in any::<u64>(),
        begin in any::<prop::sample::Index>(),
    ) {
        let dice = &mut Dice::new(seed);
        let settings = Settings { timeline_cap: cap, ..settings };
        let history = history(&acts, 2);
        let mut projections = Projections::new(&settings);
        let (before, meanwhile) = history.split_at(begin.index(history.len() + 1));
        for (partition, event) in before {
            projections.apply(*partition, event, dice);
        }
        let mut meanwhile = meanwhile.iter();
        let readers: Vec<String> = projections.oracle.users.iter().cloned().collect();
        for reader in readers {
            // what has been there all the time, by author and chirp
            let place = |seen: &Seen| (seen.2.clone(), seen.1.clone());
            let feed = |oracle: &Oracle| -> BTreeSet<_> { oracle.feed(&reader, cap).iter().map(place).collect() };
            let mut stayed = feed(&projections.oracle);
            let mut shown = BTreeSet::new();
            let mut cursor = None;
            loop {
                let (items, is_last) = projections.page(&reader, cursor.as_ref(), 1 + dice.below(3));
                for item in &items {
                    let place = (item.author_id.to_string(), item.chirp_id.to_string());
                    prop_assert!(shown.insert(place), "{reader} sees {} twice", item.chirp_id);
                }
                cursor = items.last().map(|item| item.cursor.clone()).or(cursor);
                if is_last {
                    break;
                }
                for (partition, event) in meanwhile.by_ref().take(dice.below(4)) {
                    projections.apply(*partition, event, dice);
                    let now = feed(&projections.oracle);
                    stayed.retain(|place| now.contains(place));
                }
            }
            // a feed ends after so many, also of those that are gone by now
            if shown.len() < cap {
                let missed: Vec<_> = stayed.difference(&shown).collect();
                prop_assert!(missed.is_empty(), "{reader} misses {missed:?}");
            }
        }
    }
}
