//! The feed of `domains.md`: all undeleted chirps of the authors a reader follows now, newest first, the
//! first so many.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_chirp::EventData;
use millrace_domain_chirp::feed::{Cursor, FeedItem, feed};
use millrace_kernel::{PageQuery, Text};

use super::ChirpWorkload;
use crate::dice::Dice;
use crate::holds;
use crate::oracle::tables::published;
use crate::oracle::world::{Failure, World};

/// (posted at, chirp, author, text, edited at), which is also the order of a feed, backwards.
type Shown = (i64, Text, Text, Text, Option<i64>);

const PROJECTION: &str = "chirp.timelines";

/// The network as far as feeds need it.
#[derive(Clone, Default)]
struct Reference {
    chirps: BTreeMap<(Text, Text), (i64, Text, Option<i64>)>,
    /// (reader, author)
    follows: BTreeSet<(Text, Text)>,
}

impl Reference {
    fn apply(&mut self, event: &EventData, at: i64) {
        match event {
            EventData::ChirpPosted(e) => {
                let key = (e.author_id.clone(), e.chirp_id.clone());
                self.chirps.insert(key, (at, e.content.clone(), None));
            }
            EventData::ChirpEdited(e) => {
                if let Some(chirp) = self.chirps.get_mut(&(e.author_id.clone(), e.chirp_id.clone())) {
                    (chirp.1, chirp.2) = (e.content.clone(), Some(at));
                }
            }
            EventData::ChirpDeleted(e) => {
                self.chirps.remove(&(e.author_id.clone(), e.chirp_id.clone()));
            }
            EventData::UserFollowed(e) => {
                self.follows.insert((e.follower_id.clone(), e.followee_id.clone()));
            }
            EventData::UserUnfollowed(e) => {
                self.follows.remove(&(e.follower_id.clone(), e.followee_id.clone()));
            }
            _ => {}
        }
    }

    fn feed(&self, reader: &str, cap: usize) -> Vec<Shown> {
        let mut feed: Vec<Shown> = Vec::new();
        for ((author, chirp), (at, content, edited_at)) in &self.chirps {
            if self.follows.contains(&(reader.into(), author.clone())) {
                feed.push((*at, chirp.clone(), author.clone(), content.clone(), *edited_at));
            }
        }
        feed.sort();
        feed.reverse();
        feed.truncate(cap);
        feed
    }
}

fn users(world: &World<'_, ChirpWorkload>) -> BTreeSet<Text> {
    // a feed is asked for as soon as the user's profile is there
    let profiles = world.versions.answering("chirp.users").table("user_profiles");
    world.pipeline.store.rows(&profiles).iter().filter_map(|row| text(&row[0])).collect()
}

fn text(value: &millrace_kernel::Value) -> Option<Text> {
    match value {
        millrace_kernel::Value::Text(text) => Some((&**text).into()),
        _ => None,
    }
}

fn shown(item: &FeedItem) -> Shown {
    let text = |text: &str| text.to_owned();
    (
        item.posted_at,
        text(&item.chirp_id).into(),
        text(&item.author_id).into(),
        text(&item.content).into(),
        item.edited_at,
    )
}

fn page(
    world: &World<'_, ChirpWorkload>,
    reader: &str,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<(Vec<FeedItem>, bool), Failure> {
    let mut read = |queries: &[PageQuery]| world.versions.reader.read(queries);
    let page = feed(&mut read, reader, cursor, limit, world.setup.domain.timeline_cap)
        .map_err(|why| Failure::new("feeds can be read", format!("{reader}: {why}")))?;
    Ok((page.items, page.is_last))
}

/// In the end every feed is the reference's, read whole and in pages.
///
/// # Errors
/// A feed that is not.
pub fn judge(world: &World<'_, ChirpWorkload>, dice: &mut Dice) -> Result<u64, Failure> {
    let mut reference = Reference::default();
    for (_, seen) in world.partitions() {
        for (_, event) in &seen.events {
            reference.apply(&event.data, event.recorded_at);
        }
    }
    let users = users(world);
    for reader in &users {
        let expected = reference.feed(reader, world.setup.domain.timeline_cap);
        let found: Vec<Shown> = page(world, reader, None, 10_000)?.0.iter().map(shown).collect();
        holds!(found == expected, "a feed is the reference's", "{reader}: {found:?}, expected {expected:?}");
        let (mut paged, mut cursor, mut is_last) = (Vec::new(), None, false);
        while !is_last {
            let (items, last) = page(world, reader, cursor.as_ref(), 1 + dice.below(4))?;
            holds!(last || !items.is_empty(), "a feed in pages ends", "{reader}: {cursor:?}");
            cursor = items.last().map(|item| item.cursor.clone());
            paged.extend(items.iter().map(shown));
            is_last = last;
        }
        holds!(
            paged == expected,
            "a feed in pages is the same",
            "{reader}: {paged:?}, expected {expected:?}"
        );
    }
    Ok(users.len() as u64)
}

/// While things go on, a feed shows of each author what the reference does with what is said to be in
/// the tables, or more, and follows take effect as a whole.
///
/// # Errors
/// A feed that does not.
pub fn look(world: &World<'_, ChirpWorkload>) -> Result<u64, Failure> {
    if world.setup.domain.timeline_cap < 1_000 {
        return look_when_quiet(world);
    }
    let published = published(world, PROJECTION, world.versions.answering(PROJECTION))?;
    let users = users(world);
    let mut before = Reference::default();
    // what is in flight: chirps that change, and follows that change
    let mut chirps_moving = BTreeSet::new();
    let mut follows_moving = BTreeSet::new();
    for (number, seen) in world.partitions() {
        for (offset, event) in &seen.events {
            if published.get(&number).is_some_and(|said| said.covers(*offset, event)) {
                before.apply(&event.data, event.recorded_at);
                continue;
            }
            match &event.data {
                EventData::ChirpPosted(e) => {
                    chirps_moving.insert((e.author_id.clone(), e.chirp_id.clone()));
                }
                EventData::ChirpEdited(e) => {
                    chirps_moving.insert((e.author_id.clone(), e.chirp_id.clone()));
                }
                EventData::ChirpDeleted(e) => {
                    chirps_moving.insert((e.author_id.clone(), e.chirp_id.clone()));
                }
                EventData::UserFollowed(e) => {
                    follows_moving.insert((e.follower_id.clone(), e.followee_id.clone()));
                }
                EventData::UserUnfollowed(e) => {
                    follows_moving.insert((e.follower_id.clone(), e.followee_id.clone()));
                }
                _ => {}
            }
        }
    }
    for reader in &users {
        let found: Vec<Shown> = page(world, reader, None, 10_000)?.0.iter().map(shown).collect();
        let mut sorted = found.clone();
        sorted.sort();
        sorted.reverse();
        sorted.dedup_by(|a, b| (a.0, &a.1, &a.2) == (b.0, &b.1, &b.2));
        holds!(found == sorted, "a feed is in order and shows nothing twice", "{reader}: {found:?}");
        let still = |feed: Vec<Shown>| -> BTreeSet<Shown> {
            let moves = |shown: &Shown| chirps_moving.contains(&(shown.2.clone(), shown.1.clone()));
            feed.into_iter().filter(|shown| !moves(shown)).collect()
        };
        let found = still(found);
        let authors: BTreeSet<&Text> = before.chirps.keys().map(|(author, _)| author).collect();
        for author in authors {
            let of_author = |shown: &&Shown| shown.2 == *author;
            let mine: BTreeSet<&Shown> = found.iter().filter(of_author).collect();
            // as if the reader followed, whether or not they do
            let mut following = before.clone();
            following.follows.insert((reader.clone(), author.clone()));
            let all = still(following.feed(reader, usize::MAX));
            let all: BTreeSet<&Shown> = all.iter().filter(of_author).collect();
            let edge = (reader.clone(), author.clone());
            let (was, is_moving) = (before.follows.contains(&edge), follows_moving.contains(&edge));
            let is_right = if is_moving {
                mine == all || mine.is_empty()
            } else if was {
                mine == all
            } else {
                mine.is_empty()
            };
            holds!(
                is_right,
                "a feed is the reference's at every instant",
                "{reader} sees of {author} {mine:?}, expected {all:?} (follows: {was}, in flight: {is_moving})"
            );
        }
        let strangers =
            found.iter().filter(|shown| !before.chirps.contains_key(&(shown.2.clone(), shown.1.clone())));
        let strangers: Vec<_> = strangers.collect();
        holds!(strangers.is_empty(), "a feed shows what was posted", "{reader}: {strangers:?}");
    }
    Ok(users.len() as u64)
}

/// With a cap, feeds can only be compared where everything is published.
fn look_when_quiet(world: &World<'_, ChirpWorkload>) -> Result<u64, Failure> {
    let published = published(world, PROJECTION, world.versions.answering(PROJECTION))?;
    for (number, seen) in world.partitions() {
        let upto = published.get(&number).map_or(0, |said| said.progress.events_offset);
        if seen.events.last().is_some_and(|(newest, _)| *newest >= upto) {
            return Ok(0);
        }
    }
    judge(world, &mut Dice::new(1))
}
