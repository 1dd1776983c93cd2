//! What follows do to the timelines: backfill, removal, and authors who cross a threshold.

use millrace_kernel::Writes;

use super::Timelines;
use super::author::Author;
use super::fan_out::{Audience, News};
use super::people::Person;
use crate::messages::events::{UserFollowed, UserUnfollowed};
use crate::messages::rows::{FollowerCountsRow, FollowersByUserRow, FollowingByUserRow, FollowingCountsRow};

impl Timelines {
    pub(super) fn followed(&mut self, event: &UserFollowed, at: i64, writes: &mut Writes) {
        let (reader, number) =
            (self.people.number(&event.follower_id), self.people.number(&event.followee_id));
        writes.in_line(number.number().into());
        let (cap, pulled_rows) = (self.settings.timeline_cap, self.pulled_rows());
        let floor = {
            let state = self.readers.entry(reader);
            state.authors.push(number);
            state.floor
        };
        let author = self.authors.entry(number).or_default();
        let pulled_before = author.pulled(pulled_rows);
        let crosses =
            !author.is_celebrity() && author.followers.len() as u64 + 1 > self.settings.celebrity_above;
        if crosses {
            author.become_celebrity(at);
        }
        let mut raised = None;
        if author.is_celebrity() {
            // nothing is copied; what is posted after the celebrity time will be pushed
            author.followers.insert(reader, at);
        } else {
            let from = author.pulled_until().max(floor);
            let all = author.chirps().len() - author.first_since(from);
            let oldest = author.chirps().len() - all.min(cap);
            let from = if all > cap { author.chirps()[oldest].posted_at } else { from };
            author.followers.insert(reader, at);
            self.readers.entry(reader).rows += all.min(cap);
            // older chirps than the newest `cap` are below the floor from now on
            let backfill_floor = if all > cap { self.raise_floor(reader, from, at) } else { None };
            raised = self.trim(reader, at).or(backfill_floor);
        }
        if writes.is_muted() {
            return;
        }
        let Some(of) = self.of(number) else { return };
        let floor = self.readers.get(reader).map_or(i64::MIN, |state| state.floor);
        let reader_id = self.people.id(reader);

        // a reader who sees the follow must see the chirps: first the chirps
        if crosses {
            let pulled = of.author.pulled(pulled_rows);
            let too_old = pulled_before.start..pulled_before.end.min(pulled.start).max(pulled_before.start);
            for too_old in of.author.chirps().range(too_old) {
                writes.push(of.no_celebrity(too_old, at));
            }
            for chirp in of.author.chirps().range(pulled) {
                writes.push(of.celebrity(chirp, at));
            }
        } else if !of.author.is_celebrity() {
            let since = of.author.first_since(of.author.pulled_until().max(floor));
            for chirp in of.author.chirps().range(since..) {
                writes.push(of.home(reader_id.clone(), chirp, at));
            }
        }
        let pulled_until = of.author.pulled_until();
        let (following, follower) =
            (of.following(reader_id.clone(), at, pulled_until, at), of.follower(reader_id, at, at));
        self.write_floors(raised.as_slice(), at, writes);
        writes.then();
        if crosses {
            self.tell(number, News::Crossed { pulled_until }, at, writes);
        } else {
            writes.push(following);
        }
        writes.push(follower);
        self.count(number, reader, at, writes);
    }

    pub(super) fn unfollowed(&mut self, event: &UserUnfollowed, at: i64, writes: &mut Writes) {
        let (reader, number) =
            (self.people.number(&event.follower_id), self.people.number(&event.followee_id));
        writes.in_line(number.number().into());
        let author = self.authors.entry(number).or_default();
        let Some(since) = author.followers.get(&reader).copied() else { return };
        let audience = Audience::new(number, author, &self.people, &self.readers);
        self.fan_outs.leave(number, &audience, reader, since);
        author.followers.remove(&reader);
        let crosses =
            author.is_celebrity() && (author.followers.len() as u64) < self.settings.celebrity_below;
        if crosses {
            author.become_regular(at);
        }
        let state = self.readers.entry(reader);
        state.authors.retain(|author| *author != number);
        let from = author.copied_from(since).max(state.floor);
        state.rows = state.rows.saturating_sub(author.count_pushed_since(from));
        if writes.is_muted() {
            return;
        }
        let pulled_until = author.pulled_until();
        let (reader_id, author_id) = (self.people.id(reader), self.people.id(number));

        // a reader who still sees the follow must see all chirps: first the follow
        writes.push(FollowingByUserRow::delete(reader_id.clone(), author_id.clone(), at));
        writes.push(FollowersByUserRow::delete(author_id, reader_id.clone(), at));
        self.count(number, reader, at, writes);
        if crosses {
            self.tell(number, News::Crossed { pulled_until }, at, writes);
        }
        writes.then();
        let Some(of) = self.of(number) else { return };
        for chirp in of.author.pushed_since(from) {
            writes.push(of.no_home(reader_id.clone(), chirp, at));
        }
    }

    /// How many follow the author, and how many of this partition the reader follows.
    fn count(&self, number: Person, reader: Person, at: i64, writes: &mut Writes) {
        let followers = self.authors.get(&number).map_or(0, |author: &Author| author.followers.len());
        let following = self.readers.get(reader).map_or(0, |state| state.authors.len());
        let row = FollowerCountsRow { followee_id: self.people.id(number), followers: followers as i64 };
        writes.push(row.put(at));
        let row = FollowingCountsRow {
            follower_id: self.people.id(reader),
            source_partition: self.partition,
            following: following as i64,
        };
        writes.push(row.put(at));
    }
}
