//! Random histories of a small network, the oracle for their feeds, and projections that
//! are run as the engine may run them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use millrace_domain_chirp::feed::{Cursor, FeedItem, feed};
use millrace_domain_chirp::{Chirp, EventData, Settings};
use millrace_kernel::{Domain, Event, PageQuery, Projection, Standalone, Write, Writes};
use millrace_testkit::world::{Answer, World};
use proptest::prelude::*;

use super::tables::{Tables, check_stages};

/// A choice that repeats with its seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// What somebody tries; what the rules refuse is left out of the history.
#[derive(Clone, Debug)]
pub enum Act {
    Post(usize),
    Edit(usize, usize),
    Delete(usize, usize),
    Follow(usize, usize),
    Unfollow(usize, usize),
    Tick,
}

pub const USERS: usize = 7;

pub fn user(n: usize) -> String {
    format!("user-{n}")
}

pub fn acts(length: usize) -> impl Strategy<Value = Vec<Act>> {
    // few authors have most of the traffic, so that they cross the thresholds
    let author = prop_oneof![4 => 0usize..2, 1 => 0usize..USERS];
    let one = prop_oneof![
        6 => author.clone().prop_map(Act::Post),
        2 => (author.clone(), 0usize..12).prop_map(|(a, c)| Act::Edit(a, c)),
        3 => (author.clone(), 0usize..12).prop_map(|(a, c)| Act::Delete(a, c)),
        6 => (0usize..USERS, author.clone()).prop_map(|(r, a)| Act::Follow(r, a)),
        4 => (0usize..USERS, author).prop_map(|(r, a)| Act::Unfollow(r, a)),
        2 => Just(Act::Tick),
    ];
    proptest::collection::vec(one, 0..length)
}

/// The events of a history, per partition.
pub fn history(acts: &[Act], partitions: i32) -> Vec<(i32, Event<EventData>)> {
    let mut world = World::<Chirp>::new(partitions);
    for n in 0..USERS {
        assert_eq!(world.command(super::register(&user(n), &format!("User_{n}"))), Answer::Accepted);
    }
    let mut posted = [0usize; USERS];
    for (n, act) in acts.iter().enumerate() {
        // counted from the newest, so that the newest are hit most
        let id = |posted: usize, back: usize| format!("c{}", posted.saturating_sub(back + 1));
        match act {
            Act::Post(a) => {
                world.command(super::post(&user(*a), &format!("c{}", posted[*a]), &format!("text {n}")));
                posted[*a] += 1;
            }
            Act::Edit(a, c) => {
                world.command(super::edit(&user(*a), &id(posted[*a], *c), &format!("edited {n}")));
            }
            Act::Delete(a, c) => {
                world.command(super::delete(&user(*a), &id(posted[*a], *c)));
            }
            Act::Follow(r, a) => {
                world.command(super::follow(&user(*r), &user(*a)));
            }
            Act::Unfollow(r, a) => {
                world.command(super::unfollow(&user(*r), &user(*a)));
            }
            Act::Tick => world.tick(3),
        }
    }
    world.events().to_vec()
}

/// All undeleted chirps of the authors this reader follows now, newest first, first `cap`.
#[derive(Clone, Default)]
pub struct Oracle {
    /// (author, chirp) → (posted_at, content, edited_at)
    pub chirps: BTreeMap<(String, String), (i64, String, Option<i64>)>,
    /// (reader, author)
    pub follows: BTreeSet<(String, String)>,
    pub users: BTreeSet<String>,
}

/// (posted_at, chirp, author, content, edited_at)
pub type Seen = (i64, String, String, String, Option<i64>);

impl Oracle {
    pub fn apply(&mut self, event: &Event<EventData>) {
        let at = event.recorded_at;
        match &event.data {
            EventData::UserRegistered(e) => {
                self.users.insert(e.user_id.to_string());
            }
            EventData::ChirpPosted(e) => {
                let key = (e.author_id.to_string(), e.chirp_id.to_string());
                self.chirps.insert(key, (at, e.content.to_string(), None));
            }
            EventData::ChirpEdited(e) => {
                let chirp = self.chirps.get_mut(&(e.author_id.to_string(), e.chirp_id.to_string())).unwrap();
                (chirp.1, chirp.2) = (e.content.to_string(), Some(at));
            }
            EventData::ChirpDeleted(e) => {
                self.chirps.remove(&(e.author_id.to_string(), e.chirp_id.to_string())).unwrap();
            }
            EventData::UserFollowed(e) => {
                assert!(self.follows.insert((e.follower_id.to_string(), e.followee_id.to_string())));
            }
            EventData::UserUnfollowed(e) => {
                assert!(self.follows.remove(&(e.follower_id.to_string(), e.followee_id.to_string())));
            }
            _ => {}
        }
    }

    pub fn feed(&self, reader: &str, cap: usize) -> Vec<Seen> {
        let mut feed: Vec<Seen> = self
            .chirps
            .iter()
            .filter(|((author, _), _)| self.follows.contains(&(reader.to_owned(), author.clone())))
            .map(|((author, chirp), (at, text, edited))| {
                (*at, chirp.clone(), author.clone(), text.clone(), *edited)
            })
            .collect();
        feed.sort_by(|a, b| b.cmp(a));
        feed.truncate(cap);
        feed
    }
}

/// The projections of all partitions and what they have written.
pub struct Projections {
    pub tables: Tables,
    pub oracle: Oracle,
    pub settings: Settings,
    families: Vec<Projection<EventData>>,
    projectors: BTreeMap<(usize, i32), Standalone<EventData>>,
}

impl Projections {
    pub fn new(settings: &Settings) -> Self {
        Self {
            tables: Tables::new(),
            oracle: Oracle::default(),
            settings: settings.clone(),
            families: Chirp::projections(settings),
            projectors: BTreeMap::new(),
        }
    }

    /// Applies an event, its stages in order and each in any order. After any single write
    /// every feed is what it was before the event or what it is after.
    pub fn apply(&mut self, partition: i32, event: &Event<EventData>, dice: &mut Dice) {
        let before = self.oracle.clone();
        self.oracle.apply(event);
        for family in 0..self.families.len() {
            for mut stage in self.stages(family, partition, event) {
                dice.shuffle(&mut stage);
                for write in stage {
                    self.tables.write(&write);
                    for reader in &before.users {
                        let seen = self.feed(reader);
                        let cap = self.settings.timeline_cap;
                        if seen != before.feed(reader, cap) {
                            assert_eq!(seen, self.oracle.feed(reader, cap), "{reader}, amid {event:?}");
                        }
                    }
                }
            }
        }
    }

    /// Takes in an event; gives its writes in an order in which they may be made.
    pub fn writes(&mut self, partition: i32, event: &Event<EventData>, dice: &mut Dice) -> Vec<Write> {
        self.oracle.apply(event);
        let mut all = Vec::new();
        for family in 0..self.families.len() {
            for mut stage in self.stages(family, partition, event) {
                dice.shuffle(&mut stage);
                all.extend(stage);
            }
        }
        all
    }

    /// How many families there are.
    pub fn families(&self) -> usize {
        self.families.len()
    }

    /// The family of this name.
    pub fn family(&self, name: &str) -> usize {
        self.families.iter().position(|family| family.name == name).unwrap()
    }

    /// The projector of a family and partition.
    pub fn projector(&mut self, family: usize, partition: i32) -> &mut Standalone<EventData> {
        let family_of = &self.families[family];
        self.projectors.entry((family, partition)).or_insert_with(|| family_of.standalone(partition))
    }

    fn stages(&mut self, family: usize, partition: i32, event: &Event<EventData>) -> Vec<Vec<Write>> {
        let stages = self.projector(family, partition).rows(event);
        check_stages(&self.tables, &stages, event.recorded_at);
        for write in stages.iter().flatten() {
            assert!(self.families[family].views.contains(&write.table()), "not this family's: {write:?}");
        }
        stages
    }

    /// What happens when a projector dies: another folds what is acknowledged in silence and
    /// applies the rest again.
    pub fn restart(&mut self, partition: i32, events: &[Event<EventData>], acknowledged: usize) {
        for family in 0..self.families.len() {
            let mut projector = self.families[family].standalone(partition);
            for event in &events[..acknowledged] {
                projector.stage(event, &mut Writes::muted());
            }
            self.projectors.insert((family, partition), projector);
            for event in &events[acknowledged..] {
                for write in self.stages(family, partition, event).iter().flatten() {
                    self.tables.write(write);
                }
            }
        }
    }

    pub fn page(&self, reader: &str, cursor: Option<&Cursor>, limit: usize) -> (Vec<FeedItem>, bool) {
        let mut read = |queries: &[PageQuery]| {
            Ok::<_, std::convert::Infallible>(queries.iter().map(|query| self.tables.read(query)).collect())
        };
        let page = feed(&mut read, reader, cursor, limit, self.settings.timeline_cap).unwrap();
        (page.items, page.is_last)
    }

    pub fn feed(&self, reader: &str) -> Vec<Seen> {
        self.page(reader, None, usize::MAX).0.iter().map(seen).collect()
    }

    /// The feed in pages of random sizes; cursors go through their text.
    pub fn paged(&self, reader: &str, dice: &mut Dice) -> Vec<Seen> {
        let mut all: Vec<Seen> = Vec::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let limit = 1 + dice.below(4);
            let (items, is_last) = self.page(reader, cursor.as_ref(), limit);
            assert!(items.len() <= limit && (is_last || items.len() == limit));
            all.extend(items.iter().map(seen));
            if let Some(last) = items.last() {
                cursor = Some(last.cursor.to_string().parse().unwrap());
            }
            if is_last {
                return all;
            }
        }
    }

    pub fn check_feeds(&self, dice: &mut Dice) {
        for reader in &self.oracle.users {
            let expected = self.oracle.feed(reader, self.settings.timeline_cap);
            assert_eq!(self.feed(reader), expected, "feed of {reader}");
            assert_eq!(self.paged(reader, dice), expected, "paged feed of {reader}");
        }
    }
}

/// What an item of a feed says.
pub fn seen(item: &FeedItem) -> Seen {
    (
        item.posted_at,
        item.chirp_id.to_string(),
        item.author_id.to_string(),
        item.content.to_string(),
        item.edited_at,
    )
}

/// The events of every partition, to be taken in any order of partitions.
pub fn by_partition(history: &[(i32, Event<EventData>)]) -> BTreeMap<i32, VecDeque<Event<EventData>>> {
    let mut queues: BTreeMap<i32, VecDeque<Event<EventData>>> = BTreeMap::new();
    for (partition, event) in history {
        queues.entry(*partition).or_default().push_back(event.clone());
    }
    queues
}
