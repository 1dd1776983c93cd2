//! The domain inside the whole pipeline, in memory: seeded histories with crashes between any
//! two steps, and naive code beside it that says what must come out.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::network::Dice;
use millrace_domain_chirp::feed::feed;
use millrace_domain_chirp::messages::commands::{
    DeleteChirp, EditChirp, FollowUser, PostChirp, RegisterUser, UnfollowUser,
};
use millrace_domain_chirp::{Chirp, CommandData, EventData, Settings};
use millrace_kernel::{Command, Domain, Event, Metadata, Outcome, PageQuery, Status, codes};
use millrace_ports::ViewStore;
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::Pipeline;

const PARTITIONS: i32 = 3;
const USERS: usize = 6;
const COMMANDS: usize = 150;
const SEEDS: u64 = 25;

fn user(n: usize) -> String {
    format!("user-{n}")
}

/// A command of a small network, in which names collide and celebrities come and go.
fn random(dice: &mut Dice) -> CommandData {
    let (someone, author) = (user(dice.below(USERS)), user(dice.below(USERS) / 2));
    let chirp_id = format!("chirp-{}", dice.below(12));
    let content = format!("text {}", dice.below(1_000));
    match dice.below(12) {
        0 | 1 => {
            let username = format!("{}{}", if dice.below(2) == 0 { "name_" } else { "NAME_" }, dice.below(4));
            CommandData::RegisterUser(RegisterUser { user_id: someone, username })
        }
        2..=4 => CommandData::PostChirp(PostChirp { chirp_id, author_id: author, content }),
        5 => CommandData::EditChirp(EditChirp { chirp_id, author_id: author, content }),
        6 => CommandData::DeleteChirp(DeleteChirp { chirp_id, author_id: author }),
        7..=9 => CommandData::FollowUser(FollowUser { follower_id: someone, followee_id: author }),
        _ => CommandData::UnfollowUser(UnfollowUser { follower_id: someone, followee_id: author }),
    }
}

struct History {
    pipeline: Pipeline<Chirp>,
    sent: Vec<Command<CommandData>>,
}

/// Sends commands while processes work, crash and start again, and lets all come to rest.
fn run(seed: u64) -> History {
    let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9));
    let settings = Settings { celebrity_above: 2, celebrity_below: 2, timeline_cap: 5 };
    // every other history has disks, with checkpoints all the time and a cache of a few aggregates
    let has_disks = seed % 2 == 1;
    let engine = ProcessorSettings {
        batch_max_records: 4,
        state_cache_bytes: 2_000,
        checkpoint_interval_ms: 200,
        checkpoint_max_changes: 10,
        ..ProcessorSettings::default()
    };
    let mut pipeline = Pipeline::<Chirp>::new(PARTITIONS, settings, engine);
    if has_disks {
        pipeline.give_disks();
    }
    pipeline.start_processor();
    pipeline.start_processor();
    pipeline.start_projectors();
    let mut sent: Vec<Command<CommandData>> = Vec::new();
    while sent.len() < COMMANDS {
        match dice.below(20) {
            0..=4 => {
                // now and then an id again, with the same routing key or another
                let id = match sent.last() {
                    Some(last) if dice.below(10) == 0 => last.id.clone(),
                    _ => format!("command-{}", sent.len()),
                };
                let command = Command { id, metadata: Metadata::default(), data: random(&mut dice) };
                pipeline.send(&command);
                sent.push(command);
            }
            5 if dice.below(12) == 0 => {
                let Some(kind) = pipeline.crash(dice.below(pipeline.instances())) else { continue };
                for disk in pipeline.left_disks() {
                    match dice.below(6) {
                        0 => disk.wipe(),
                        1 => disk.damage(),
                        2 => disk.lose_power(dice.below(3)),
                        _ => {}
                    }
                }
                pipeline.start(kind);
            }
            _ => {
                let (instance, lane) = (dice.below(pipeline.instances()), dice.below(PARTITIONS as usize));
                pipeline.turn(instance, lane);
            }
        }
    }
    pipeline.settle();
    History { pipeline, sent }
}

#[test]
fn every_command_has_its_one_outcome_whatever_crashes() {
    for seed in 0..SEEDS {
        let History { pipeline, sent } = run(seed);
        // a repeated id is one command as long as its routing key is: another partition
        // cannot know it
        let place = |command: &Command<CommandData>| {
            let key = Chirp::routing_key(&command.data);
            (millrace_kernel::partition::of_key(key.as_bytes(), PARTITIONS), command.id.clone())
        };
        let mut expected: BTreeMap<String, usize> = BTreeMap::new();
        let firsts: BTreeSet<_> = sent.iter().map(place).collect();
        for command in &sent {
            *expected.entry(command.id.clone()).or_default() += 1;
        }
        let mut answered: BTreeMap<String, usize> = BTreeMap::new();
        let mut first_answers = 0;
        let outcomes = pipeline.outcomes();
        for outcome in &outcomes {
            *answered.entry(outcome.command_id.clone()).or_default() += 1;
            first_answers += usize::from(!outcome.duplicate);
            assert_eq!(
                outcome.status == Status::Accepted,
                outcome.violations.is_empty(),
                "seed {seed}: {outcome:?}"
            );
            assert!(
                outcome.violations.iter().all(|v| v.code != codes::POISONED && v.code != codes::MISROUTED),
                "seed {seed}: {outcome:?}"
            );
        }
        assert_eq!(answered, expected, "seed {seed}: an outcome for every sending");
        assert_eq!(first_answers, firsts.len(), "seed {seed}: the others are marked as repeated");
    }
}

#[test]
fn events_are_numbered_without_gaps_and_fold_to_what_the_outcomes_say() {
    for seed in 0..SEEDS {
        let History { pipeline, .. } = run(seed);
        let events = pipeline.events();
        let mut versions: BTreeMap<&str, i64> = BTreeMap::new();
        let mut last: BTreeMap<i32, i64> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for (partition, event) in &events {
            let version = versions.entry(&event.aggregate_id).or_default();
            assert_eq!(event.version, *version + 1, "seed {seed}: {event:?}");
            *version = event.version;
            let before = last.insert(*partition, event.recorded_at).unwrap_or(0);
            assert!(event.recorded_at > before, "seed {seed}: time rises within a partition: {event:?}");
            // an id that is used in two partitions names two commands, and so their events
            assert!(ids.insert((*partition, &event.id)), "seed {seed}: {event:?} stands there twice");
        }
        for outcome in pipeline.outcomes().iter().filter(|outcome| !outcome.duplicate) {
            let caused = events.iter().filter(|(_, event)| event.command_id == outcome.command_id);
            let newest: BTreeMap<&str, i64> =
                caused.map(|(_, e)| (e.aggregate_id.as_str(), e.version)).collect();
            // an id used in two partitions is two commands with events under one name
            for version in &outcome.versions {
                assert!(
                    newest.get(version.aggregate_id.as_str()) >= Some(&version.version),
                    "seed {seed}: {outcome:?}"
                );
            }
        }
        one_owner_per_name(seed, &events, &pipeline.outcomes());
    }
}

fn one_owner_per_name(seed: u64, events: &[(i32, Event<EventData>)], outcomes: &[Outcome]) {
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    let mut settled = BTreeSet::new();
    for (_, event) in events {
        match &event.data {
            EventData::UserRegistered(e) => {
                let other = owners.insert(e.username.to_lowercase(), e.user_id.clone());
                assert_eq!(other, None, "seed {seed}: {} was won twice", e.username);
                settled.insert(event.command_id.clone());
            }
            EventData::RegistrationRefused(_) => {
                settled.insert(event.command_id.clone());
            }
            _ => {}
        }
    }
    for (_, event) in events {
        if let EventData::RegistrationStarted(_) = &event.data {
            assert!(
                settled.contains(&event.command_id),
                "seed {seed}: a registration never ended: {event:?}"
            );
            assert!(
                outcomes.iter().any(|o| o.command_id == event.command_id),
                "seed {seed}: {event:?} has no outcome"
            );
        }
    }
}

#[test]
fn every_feed_is_the_oracles_after_crashes_of_anything() {
    let cap = 5;
    for seed in 0..SEEDS {
        let History { pipeline, .. } = run(seed);
        let events = pipeline.events();
        let users: BTreeSet<&str> = events
            .iter()
            .filter_map(|(_, event)| match &event.data {
                EventData::UserRegistered(e) => Some(e.user_id.as_str()),
                _ => None,
            })
            .collect();
        assert!(users.len() > 1, "seed {seed}: the history is not worth its name");
        for reader in users {
            let mut read = |queries: &[PageQuery]| pipeline.store.read(queries);
            let page = feed(&mut read, reader, None, 100, cap).unwrap();
            let seen: Vec<_> = page
                .items
                .iter()
                .map(|i| {
                    (i.posted_at, i.chirp_id.to_string(), i.author_id.to_string(), i.content.to_string())
                })
                .collect();
            assert_eq!(seen, oracle(&events, reader, cap), "seed {seed}: the feed of {reader}");
        }
    }
}

/// All undeleted chirps of the authors this reader follows now, newest first.
fn oracle(
    events: &[(i32, Event<EventData>)],
    reader: &str,
    cap: usize,
) -> Vec<(i64, String, String, String)> {
    let mut follows = BTreeSet::new();
    let mut chirps = BTreeMap::new();
    for (_, event) in events {
        match &event.data {
            EventData::UserFollowed(e) if e.follower_id == reader => {
                follows.insert(e.followee_id.clone());
            }
            EventData::UserUnfollowed(e) if e.follower_id == reader => {
                follows.remove(&e.followee_id);
            }
            EventData::ChirpPosted(e) => {
                let key = (e.author_id.clone(), e.chirp_id.clone());
                chirps.insert(key, (event.recorded_at, e.content.clone()));
            }
            EventData::ChirpEdited(e) => {
                if let Some(chirp) = chirps.get_mut(&(e.author_id.clone(), e.chirp_id.clone())) {
                    chirp.1.clone_from(&e.content);
                }
            }
            EventData::ChirpDeleted(e) => {
                chirps.remove(&(e.author_id.clone(), e.chirp_id.clone()));
            }
            _ => {}
        }
    }
    let mut feed: Vec<_> = chirps
        .into_iter()
        .filter(|((author, _), _)| follows.contains(author))
        .map(|((author, chirp), (posted_at, content))| (posted_at, chirp, author, content))
        .collect();
    feed.sort_by(|a, b| b.cmp(a));
    feed.truncate(cap);
    feed
}
