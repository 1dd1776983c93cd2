//! What a partition knows of one of its authors: chirps, audience, and times as a celebrity.

use std::ops::Range;
use std::sync::Arc;

use millrace_kernel::{Buckets, Known, Sorted};
use serde::{Deserialize, Serialize};

use super::people::Person;

/// A chirp that is not deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chirp {
    pub posted_at: i64,
    pub chirp_id: Arc<str>,
    pub content: Arc<str>,
    pub edited_at: Option<i64>,
}

impl Chirp {
    /// Where it stands among those of its author: by (posted_at, chirp_id).
    fn key(posted_at: i64, chirp_id: &str) -> Vec<u8> {
        // the sign comes first, so that the order of bytes is that of numbers
        let time = (posted_at as u64) ^ (1 << 63);
        [&time.to_be_bytes(), chirp_id.as_bytes()].concat()
    }

    fn time_of(key: &[u8]) -> i64 {
        let time = key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        (time ^ (1 << 63)) as i64
    }
}

/// How the list of what was pushed says whether a chirp is still there.
const SHOWN: u8 = 0;
const DELETED: u8 = 1;

/// A chirp that was pushed to timelines, or the marker of a deleted one.
#[derive(Debug)]
pub struct Pushed {
    pub posted_at: i64,
    pub chirp_id: Arc<str>,
    pub is_deleted: bool,
}

impl Pushed {
    fn read(key: &[u8], value: &[u8]) -> Self {
        let id = key.get(8..).unwrap_or_default();
        Self {
            posted_at: Chirp::time_of(key),
            chirp_id: String::from_utf8_lossy(id).into(),
            is_deleted: value == [DELETED],
        }
    }
}

/// A time as a celebrity: from the event that crossed upwards to the one that crossed
/// downwards, `i64::MAX` while it lasts.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Era {
    begin: i64,
    end: i64,
}

/// What is known of an author beside the lists.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Head {
    username: Arc<str>,
    eras: Vec<Era>,
    /// The numbers of fan-outs under way, and of the newest one.
    fan_outs: Vec<u32>,
    newest_fan_out: u32,
    /// Chirps that were deleted from `celebrity_chirps` since that was swept.
    unpulled: u32,
}

/// An author of this partition, as read; whoever changes more than the lists calls [`Author::keep`].
#[derive(Debug)]
pub struct Author {
    pub person: Person,
    head: Head,
}

impl Author {
    /// What is known of a person as an author.
    pub fn of(known: &mut dyn Known, person: Person) -> Self {
        let key = person.key(b'a');
        let head = match known.get(&key).map(serde_json::from_slice).transpose() {
            Ok(head) => head.unwrap_or_default(),
            Err(error) => {
                known.distrust(&key, error.to_string());
                Head::default()
            }
        };
        Self { person, head }
    }

    /// Keeps it.
    pub fn keep(&self, known: &mut dyn Known) {
        let head = serde_json::to_vec(&self.head).expect("numbers and texts are JSON");
        known.put(&self.person.key(b'a'), head);
    }

    pub fn username(&self) -> &Arc<str> {
        &self.head.username
    }

    pub fn call(&mut self, username: &str) {
        self.head.username = username.into();
    }

    /// Readers, by their numbers, and when each follow was recorded: about twenty bytes, as there are many.
    pub fn followers(&self) -> Sorted {
        Sorted::named(self.person.key(b'f'))
    }

    /// The buckets of `followers_by_user`, by the time of the follow.
    pub fn follower_buckets(&self, rows: u32) -> Buckets {
        Buckets::named(self.person.key(b'F'), rows)
    }

    /// The buckets of `chirps_by_author`, by the time of the post.
    pub fn chirp_buckets(&self, rows: u32) -> Buckets {
        Buckets::named(self.person.key(b'B'), rows)
    }

    /// Since when a reader follows.
    pub fn follows_since(&self, known: &mut dyn Known, reader: Person) -> Option<i64> {
        self.followers().get(known, &reader.bytes()).map(|since| since_of(&since))
    }

    pub fn count_followers(&self, known: &mut dyn Known) -> u64 {
        self.followers().len(known) as u64
    }

    pub fn add_follower(&self, known: &mut dyn Known, reader: Person, since: i64) {
        self.followers().put(known, &reader.bytes(), &since.to_be_bytes());
    }

    /// The chirps that are not deleted, oldest first.
    fn chirps(&self) -> Sorted {
        Sorted::named(self.person.key(b'c'))
    }

    /// When a chirp was posted: an edit or a deletion names only its id.
    fn posted(&self) -> Sorted {
        Sorted::named(self.person.key(b'x'))
    }

    pub fn post(&self, known: &mut dyn Known, chirp: &Chirp) {
        self.posted().put(known, chirp.chirp_id.as_bytes(), &chirp.posted_at.to_be_bytes());
        self.put(known, chirp);
    }

    fn put(&self, known: &mut dyn Known, chirp: &Chirp) {
        let text = serde_json::to_vec(chirp).expect("numbers and texts are JSON");
        self.chirps().put(known, &Chirp::key(chirp.posted_at, &chirp.chirp_id), &text);
    }

    /// Replaces the text of a chirp; the chirp, and its place.
    pub fn edit(
        &self,
        known: &mut dyn Known,
        chirp_id: &str,
        content: &str,
        edited_at: i64,
    ) -> Option<(usize, Chirp)> {
        let (place, chirp) = self.find(known, chirp_id)?;
        let chirp = Chirp { content: content.into(), edited_at: Some(edited_at), ..chirp };
        self.put(known, &chirp);
        Some((place, chirp))
    }

    /// A chirp, and its place among all.
    pub fn find(&self, known: &mut dyn Known, chirp_id: &str) -> Option<(usize, Chirp)> {
        let posted_at = since_of(&self.posted().get(known, chirp_id.as_bytes())?);
        let key = Chirp::key(posted_at, chirp_id);
        let text = self.chirps().get(known, &key)?;
        let chirp = self.read(known, &text)?;
        Some((self.chirps().rank(known, &key), chirp))
    }

    pub fn delete(&self, known: &mut dyn Known, chirp: &Chirp) {
        self.posted().remove(known, chirp.chirp_id.as_bytes());
        self.chirps().remove(known, &Chirp::key(chirp.posted_at, &chirp.chirp_id));
    }

    fn read(&self, known: &mut dyn Known, text: &[u8]) -> Option<Chirp> {
        serde_json::from_slice(text)
            .map_err(|error| known.distrust(&self.person.key(b'c'), error.to_string()))
            .ok()
    }

    pub fn count_chirps(&self, known: &mut dyn Known) -> usize {
        self.chirps().len(known)
    }

    /// The chirp at a place.
    pub fn chirp_at(&self, known: &mut dyn Known, place: usize) -> Option<Chirp> {
        let (_, text) = self.chirps().at(known, place)?;
        self.read(known, &text)
    }

    /// The chirps at these places.
    pub fn chirps_at(&self, known: &mut dyn Known, places: Range<usize>) -> Vec<Chirp> {
        let mut found = Vec::with_capacity(places.len());
        if !places.is_empty() {
            self.chirps().walk(known, places.start, &mut |known, _, text| {
                found.extend(self.read(known, text));
                found.len() < places.len()
            });
        }
        found
    }

    /// The place of the first chirp posted at `time` or later.
    pub fn first_since(&self, known: &mut dyn Known, time: i64) -> usize {
        match time {
            i64::MIN => 0,
            i64::MAX => self.count_chirps(known),
            time => self.chirps().rank(known, &Chirp::key(time, "")),
        }
    }

    /// Chirps posted before this are pulled from `celebrity_chirps`, later ones were pushed
    /// to `home_timelines`.
    pub fn pulled_until(&self) -> i64 {
        self.head.eras.last().map_or(0, |era| era.end)
    }

    pub fn is_celebrity(&self) -> bool {
        self.pulled_until() == i64::MAX
    }

    pub fn become_celebrity(&mut self, at: i64) {
        self.head.eras.push(Era { begin: at, end: i64::MAX });
    }

    pub fn become_regular(&mut self, at: i64) {
        if let Some(era) = self.head.eras.last_mut() {
            era.end = at;
        }
    }

    /// The places of the chirps that `celebrity_chirps` holds: the newest `rows` of those that
    /// are pulled.
    pub fn pulled(&self, known: &mut dyn Known, rows: usize) -> Range<usize> {
        let end = self.first_since(known, self.pulled_until());
        end.saturating_sub(rows)..end
    }

    /// Counts one more chirp that is deleted from those that are pulled.
    pub fn count_unpulled(&mut self) -> u32 {
        self.head.unpulled = self.head.unpulled.saturating_add(1);
        self.head.unpulled
    }

    /// Their table is swept.
    pub fn sweep(&mut self) {
        self.head.unpulled = 0;
    }

    /// Whether a chirp of that time was pushed to those who followed then.
    fn was_pushed(&self, posted_at: i64) -> bool {
        !self.head.eras.iter().any(|era| (era.begin..era.end).contains(&posted_at))
    }

    /// Chirps posted from here on were written to the timeline of a reader who follows `since`
    /// then, except in celebrity times and below the reader's floor. Who followed a celebrity got
    /// no older chirps, others those from after the last celebrity time before.
    pub fn copied_from(&self, since: i64) -> i64 {
        let Some(last) = self.head.eras.iter().rev().find(|era| era.begin <= since) else { return 0 };
        if since < last.end { since } else { last.end }
    }

    /// Whether a chirp of that time was written to the timeline of a reader who follows `since`
    /// then, as far as the author knows: the reader's floor may have gone above it.
    pub fn has_pushed(&self, since: i64, posted_at: i64) -> bool {
        self.was_pushed(posted_at) && self.copied_from(since) <= posted_at
    }

    /// What timelines may hold of the author: the newest chirps that were pushed, oldest first. A deleted one stays as a
    /// marker, so that what is deleted at the front of a timeline is passed over as often as the timeline is long.
    fn pushed(&self) -> Sorted {
        Sorted::named(self.person.key(b'q'))
    }

    /// Takes note of a chirp that is pushed. Of those before it no timeline has more than the newest `most`.
    pub fn push(&self, known: &mut dyn Known, chirp: &Chirp, most: usize) {
        let pushed = self.pushed();
        pushed.put(known, &Chirp::key(chirp.posted_at, &chirp.chirp_id), &[SHOWN]);
        if pushed.len(known) > most
            && let Some((oldest, _)) = pushed.at(known, 0)
        {
            pushed.remove(known, &oldest);
        }
    }

    /// Whether a chirp may be in anybody's timeline, which most chirps of a celebrity are not.
    pub fn is_pushed(&self, known: &mut dyn Known, chirp: &Chirp) -> bool {
        let key = Chirp::key(chirp.posted_at, &chirp.chirp_id);
        self.count_followers(known) > 0 && self.pushed().get(known, &key).is_some()
    }

    /// Marks a chirp as deleted; whether it may be in anybody's timeline.
    pub fn mark_deleted(&self, known: &mut dyn Known, chirp: &Chirp) -> bool {
        let key = Chirp::key(chirp.posted_at, &chirp.chirp_id);
        let is_known = self.pushed().get(known, &key).is_some();
        if is_known {
            // also where nobody follows: a list that became shorter would say that there is nothing older
            self.pushed().put(known, &key, &[DELETED]);
        }
        is_known && self.count_followers(known) > 0
    }

    /// Those from `time` on, newest first.
    pub fn pushed_since(&self, known: &mut dyn Known, time: i64, most: usize) -> Vec<Pushed> {
        let mut found = Vec::new();
        let all = self.pushed().len(known);
        self.pushed().walk_back(known, all, &mut |_, key, value| {
            let pushed = Pushed::read(key, value);
            if pushed.posted_at < time || found.len() >= most {
                return false;
            }
            found.push(pushed);
            true
        });
        found
    }

    /// When they were posted.
    pub fn pushed_times_since(&self, known: &mut dyn Known, time: i64, most: usize, times: &mut Vec<i64>) {
        let all = self.pushed().len(known);
        let full = times.len().saturating_add(most);
        self.pushed().walk_back(known, all, &mut |_, key, _| {
            let posted_at = Chirp::time_of(key);
            let is_wanted = posted_at >= time && times.len() < full;
            times.extend(is_wanted.then_some(posted_at));
            is_wanted
        });
    }

    /// How many [`Author::pushed_since`] has.
    pub fn count_pushed_since(&self, known: &mut dyn Known, time: i64) -> usize {
        let before = match time {
            i64::MIN => 0,
            time => self.pushed().rank(known, &Chirp::key(time, "")),
        };
        self.pushed().len(known) - before
    }

    /// The chirp itself, if it is not deleted.
    pub fn chirp_of(&self, known: &mut dyn Known, pushed: &Pushed) -> Option<Chirp> {
        let text = self.chirps().get(known, &Chirp::key(pushed.posted_at, &pushed.chirp_id))?;
        self.read(known, &text)
    }

    /// The number of a fan-out that begins.
    pub fn begin_fan_out(&mut self) -> u32 {
        self.head.newest_fan_out = self.head.newest_fan_out.wrapping_add(1);
        self.head.fan_outs.push(self.head.newest_fan_out);
        self.head.newest_fan_out
    }

    /// The numbers of those under way.
    pub fn fan_outs(&self) -> &[u32] {
        &self.head.fan_outs
    }

    pub fn end_fan_out(&mut self, number: u32) {
        self.head.fan_outs.retain(|it| *it != number);
    }
}

/// A time as lists of authors have it.
pub fn since_of(bytes: &[u8]) -> i64 {
    bytes.try_into().map_or(0, i64::from_be_bytes)
}
