//! Readers who follow 200 authors, 20 of them celebrities, and what is in their timelines.

use millrace_domain_chirp::{EventData, Settings};
use millrace_kernel::Event;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use crate::stage::Events;

/// Half of them stay with everybody; the others have left those who filled their timelines.
pub const READERS: u32 = 20;
/// Regular authors, of whom every reader follows so many.
const REGULARS: std::ops::Range<u32> = 1_000..1_400;
const FOLLOWED: u32 = 180;
const CHIRPS_OF_A_REGULAR: usize = 30;
/// Celebrities, whom all follow.
const STARS: std::ops::Range<u32> = 2_000..2_020;
const CHIRPS_OF_A_STAR: usize = 800;
/// So many of those stand among the chirps of the regular authors, the others before them.
const RECENT: usize = 60;
/// Authors who have filled the timelines of those who left them.
const LEFT: std::ops::Range<u32> = 3_000..3_010;
const CHIRPS_OF_WHO_WAS_LEFT: usize = 100;
/// Authors who post while feeds are read, and how many readers each has.
const BUSY: std::ops::Range<u32> = 4_000..4_050;
pub const AUDIENCE: u32 = 100;
/// Readers of the busy ones, and most of those of the celebrities.
const FANS: std::ops::Range<u32> = 10_000..10_190;
/// Followers that make a celebrity.
const CELEBRITY_ABOVE: u64 = 200;

pub fn settings() -> Settings {
    Settings { celebrity_above: CELEBRITY_ABOVE, celebrity_below: CELEBRITY_ABOVE / 2, ..Settings::default() }
}

/// Whether this reader has left those who filled their timeline: what they see lies below its floor.
pub fn is_leaver(reader: u32) -> bool {
    reader >= READERS / 2
}

/// Everything that has happened before feeds are read: people, then the rest.
pub fn past(events: &mut Events, seed: u64) -> (Vec<Event<EventData>>, Vec<Event<EventData>>) {
    let people = (0..READERS).chain(REGULARS).chain(STARS).chain(LEFT).chain(BUSY).chain(FANS);
    let people = people.map(|person| events.registered(person)).collect();
    let mut rest = Vec::new();
    for reader in 0..READERS {
        let own = (0..FOLLOWED).map(|n| REGULARS.start + (reader * FOLLOWED + n) % REGULARS.len() as u32);
        rest.extend(own.chain(STARS).map(|author| events.followed(reader, author)));
    }
    let leavers = || (0..READERS).filter(|reader| is_leaver(*reader));
    for author in LEFT {
        rest.extend(leavers().map(|reader| events.followed(reader, author)));
    }
    for fan in FANS {
        rest.extend(STARS.map(|star| events.followed(fan, star)));
    }
    for author in BUSY {
        let readers = (0..AUDIENCE).map(|n| FANS.start + (author * 7 + n) % FANS.len() as u32);
        rest.extend(readers.map(|fan| events.followed(fan, author)));
    }
    let mut dice = SmallRng::seed_from_u64(seed);
    let mut shuffled = |groups: &[(std::ops::Range<u32>, usize)]| {
        let each = groups.iter().flat_map(|(authors, count)| authors.clone().flat_map(|a| vec![a; *count]));
        let mut all: Vec<u32> = each.collect();
        all.shuffle(&mut dice);
        all
    };
    let long_ago = shuffled(&[(STARS, CHIRPS_OF_A_STAR - RECENT)]);
    let recent = shuffled(&[(STARS, RECENT), (REGULARS, CHIRPS_OF_A_REGULAR)]);
    let last = shuffled(&[(LEFT, CHIRPS_OF_WHO_WAS_LEFT)]);
    rest.extend([long_ago, recent, last].concat().into_iter().map(|author| events.posted(author)));
    for author in LEFT {
        rest.extend(leavers().map(|reader| events.unfollowed(reader, author)));
    }
    (people, rest)
}

/// Who posts next while feeds are read: mostly the busy ones, now and then somebody the readers follow.
pub fn posts_next(dice: &mut SmallRng) -> u32 {
    match dice.random_range(0..10) {
        0 => dice.random_range(STARS),
        1 => dice.random_range(REGULARS),
        _ => dice.random_range(BUSY),
    }
}
