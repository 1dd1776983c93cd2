//! What follows do to the timelines: backfill, removal, and authors who cross a threshold.

use millrace_kernel::{Known, Writes};

use super::Timelines;
use super::author::Author;
use super::fan_out::{self, News};
use super::people::{Person, Reader};
use super::rows::Of;
use crate::messages::events::{UserFollowed, UserUnfollowed};
use crate::messages::rows::{FollowerCountsRow, FollowersByUserRow, FollowingByUserRow, FollowingCountsRow};

impl Timelines {
    pub(super) fn followed(&self, known: &mut dyn Known, event: &UserFollowed, at: i64, writes: &mut Writes) {
        let (reader, person) =
            (Person::of_id(known, &event.follower_id), Person::of_id(known, &event.followee_id));
        writes.in_line(person.number().into());
        let cap = self.settings.timeline_cap;
        Reader::authors(reader).put(known, &person.bytes(), &[]);
        let floor = Reader::of(known, reader).floor;
        let mut author = Author::of(known, person);
        let crosses =
            !author.is_celebrity() && author.count_followers(known) + 1 > self.settings.celebrity_above;
        if crosses {
            author.become_celebrity(at);
            author.sweep();
            author.keep(known);
        }
        author.add_follower(known, reader, at);
        let entered = author.follower_buckets(self.settings.bucket_rows).enter(known, at);
        let mut raised = None;
        // of a celebrity nothing is copied; what is posted after that time will be pushed
        if !author.is_celebrity() {
            let from = author.pulled_until().max(floor);
            let pushed = author.pushed_since(known, from, cap.saturating_add(1));
            let all = pushed.len();
            let oldest = if all > cap { pushed.get(cap - 1) } else { None };
            let mut state = Reader::of(known, reader);
            state.rows += all.min(cap);
            state.keep(known, reader);
            // older chirps than the newest `cap` are below the floor from now on
            let backfill_floor =
                oldest.and_then(|oldest| self.raise_floor(known, reader, oldest.posted_at, at));
            raised = self.trim(known, reader, at).or(backfill_floor);
        }
        if writes.is_muted() {
            return;
        }
        let of = Of::author(known, &author);
        let reader_id = reader.id(known);

        // a reader who sees the follow must see the chirps: first the chirps
        if crosses {
            self.pull_all(known, (&author, &of), at, writes);
        } else if !author.is_celebrity() {
            let floor = Reader::of(known, reader).floor;
            for pushed in author.pushed_since(known, author.pulled_until().max(floor), usize::MAX) {
                let reader_id = reader_id.clone();
                writes.push(match author.chirp_of(known, &pushed) {
                    Some(chirp) if !pushed.is_deleted => of.home(reader_id, &chirp, at),
                    _ => of.deleted(reader_id, pushed.posted_at, pushed.chirp_id, None, at),
                });
            }
        }
        let pulled_until = author.pulled_until();
        let (following, follower) = (
            of.following(reader_id.clone(), at, pulled_until, at),
            of.follower(entered.bucket, reader_id, at, at),
        );
        self.write_floors(known, raised.as_slice(), at, writes);
        writes.then();
        if crosses {
            // with what is left of an earlier time as a celebrity
            writes.push(of.sweep(at));
            self.tell(known, &mut author, News::Crossed { pulled_until }, at, writes);
        } else {
            writes.push(following);
        }
        writes.push(follower);
        writes.extend(FollowersByUserRow::entered(of.author_id.clone(), entered, at));
        self.count(known, &author, reader, at, writes);
    }

    pub(super) fn unfollowed(
        &self,
        known: &mut dyn Known,
        event: &UserUnfollowed,
        at: i64,
        writes: &mut Writes,
    ) {
        let (reader, person) =
            (Person::of_id(known, &event.follower_id), Person::of_id(known, &event.followee_id));
        writes.in_line(person.number().into());
        let mut author = Author::of(known, person);
        let Some(since) = author.follows_since(known, reader) else { return };
        fan_out::leave(known, &author, reader, since);
        author.followers().remove(known, &reader.bytes());
        let gone = author.follower_buckets(self.settings.bucket_rows).leave(known, since);
        let crosses = author.is_celebrity() && author.count_followers(known) < self.settings.celebrity_below;
        if crosses {
            author.become_regular(at);
            author.keep(known);
        }
        Reader::authors(reader).remove(known, &person.bytes());
        let mut state = Reader::of(known, reader);
        let from = author.copied_from(since).max(state.floor);
        state.rows = state.rows.saturating_sub(author.count_pushed_since(known, from));
        state.keep(known, reader);
        if writes.is_muted() {
            return;
        }
        let pulled_until = author.pulled_until();
        let of = Of::author(known, &author);
        let reader_id = reader.id(known);

        // a reader who still sees the follow must see all chirps: first the follow
        writes.push(FollowingByUserRow::delete(reader_id.clone(), of.author_id.clone(), at));
        if let Some(gone) = gone {
            let (followee_id, follower_id) = (of.author_id.clone(), reader_id.clone());
            writes.push(FollowersByUserRow::delete(followee_id, gone.bucket, follower_id, at));
            writes.extend(FollowersByUserRow::gone(of.author_id.clone(), gone, at));
        }
        self.count(known, &author, reader, at, writes);
        if crosses {
            self.tell(known, &mut author, News::Crossed { pulled_until }, at, writes);
        }
        writes.then();
        for pushed in author.pushed_since(known, from, usize::MAX) {
            writes.push(of.no_home(reader_id.clone(), pushed, at));
        }
    }

    /// How many follow the author, and how many of this partition the reader follows.
    fn count(&self, known: &mut dyn Known, author: &Author, reader: Person, at: i64, writes: &mut Writes) {
        let followers = author.count_followers(known) as i64;
        let row = FollowerCountsRow { followee_id: author.person.id(known), followers };
        writes.push(row.put(at));
        let row = FollowingCountsRow {
            follower_id: reader.id(known),
            source_partition: self.partition,
            following: Reader::authors(reader).len(known) as i64,
        };
        writes.push(row.put(at));
    }
}
