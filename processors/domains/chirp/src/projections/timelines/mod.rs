//! Projection `timelines`: chirps, the graph, and what feeds are read from.
//!
//! Chirps and follows are both routed by the author, so the projector of a partition sees
//! everything of its authors in one order and needs no look-up elsewhere. Where a chirp is
//! read is decided by the author's `pulled_until`: posted before it, from `celebrity_chirps`
//! (written once); else from `home_timelines` (written once for every reader). The README
//! beside this crate says why every instant is right. `author` and `people` are the local
//! state, `chirps` and `follows` what events do to it, `pulled` is the chirps of celebrities, `floors` trims timelines, `fan_out` tells an
//! audience in pieces, `rows` makes rows.

mod author;
mod chirps;
mod fan_out;
mod floors;
mod follows;
mod people;
mod pulled;
mod rows;

use millrace_kernel::{Event, FanOut, Keeps, Known, Place, Projection, StagedProjector, Write, Writes};

use self::author::{Author, since_of};
use self::fan_out::News;
use self::people::Person;
use self::rows::Of;
use crate::messages::EventData;
use crate::messages::rows::{
    CelebrityChirpsRow, ChirpsByAuthorBucketsRow, ChirpsByAuthorRow, ChirpsRow, FollowerCountsRow,
    FollowersByUserBucketsRow, FollowersByUserRow, FollowingByUserRow, FollowingCountsRow, HomeTimelinesRow,
    TimelineFloorsRow,
};
use crate::settings::Settings;

/// The family, for the engine.
#[must_use]
pub fn family(settings: &Settings) -> Projection<EventData> {
    let settings = settings.clone();
    Projection {
        name: "timelines",
        views: &[
            ChirpsRow::TABLE,
            ChirpsByAuthorRow::TABLE,
            ChirpsByAuthorBucketsRow::TABLE,
            FollowingByUserRow::TABLE,
            FollowersByUserRow::TABLE,
            FollowersByUserBucketsRow::TABLE,
            FollowerCountsRow::TABLE,
            FollowingCountsRow::TABLE,
            HomeTimelinesRow::TABLE,
            TimelineFloorsRow::TABLE,
            CelebrityChirpsRow::TABLE,
        ],
        // the rows of a fan-out are the same in pieces and at once
        revision: format!(
            "3, celebrity_above={}, celebrity_below={}, timeline_cap={}, bucket_rows={}",
            settings.celebrity_above, settings.celebrity_below, settings.timeline_cap, settings.bucket_rows
        ),
        projector: Box::new(move |partition| Box::new(Timelines::new(partition, settings.clone()))),
    }
}

/// The projector of a partition; all that it knows is by key.
struct Timelines {
    partition: i32,
    settings: Settings,
}

impl Timelines {
    fn new(partition: i32, settings: Settings) -> Self {
        // whoever configures it is told so by `Settings::validate`; here it must only not fail
        Self { partition, settings: Settings { timeline_cap: settings.timeline_cap.max(1), ..settings } }
    }

    /// How many of an author's pushed chirps are known: one more than a timeline may hold, so that it shows whether
    /// there are older ones.
    fn pushed_rows(&self) -> usize {
        self.most_rows().saturating_add(1)
    }

    /// Tells an author's readers: at once when they are few, else in pieces.
    fn tell(&self, known: &mut dyn Known, author: &mut Author, news: News, at: i64, writes: &mut Writes) {
        if author.count_followers(known) > self.settings.fan_out_at_once as u64 {
            writes.fan_out(fan_out::begin(known, author, news, at));
            return;
        }
        let of = Of::author(known, author);
        author.followers().walk(known, 0, &mut |known, reader, since| {
            let reader = (Person::of_bytes(reader), since_of(since));
            if let Some(row) = news.row(known, (author, &of), reader, at) {
                writes.push(row);
            }
            true
        });
    }
}

impl StagedProjector<EventData> for Timelines {
    fn keeps(&self) -> Keeps {
        Keeps::ByKey
    }

    fn stage(&mut self, event: &Event<EventData>, known: &mut dyn Known, writes: &mut Writes) {
        let at = event.recorded_at;
        match &event.data {
            EventData::UserRegistered(e) => {
                let person = Person::of_id(known, &e.user_id);
                let mut author = Author::of(known, person);
                author.call(&e.username);
                author.keep(known);
            }
            EventData::ChirpPosted(e) => self.posted(known, e, at, writes),
            EventData::ChirpEdited(e) => self.edited(known, e, at, writes),
            EventData::ChirpDeleted(e) => self.deleted(known, e, at, writes),
            EventData::UserFollowed(e) => self.followed(known, e, at, writes),
            EventData::UserUnfollowed(e) => self.unfollowed(known, e, at, writes),
            EventData::RegistrationStarted(_)
            | EventData::UsernameClaimed(_)
            | EventData::UsernameClaimRefused(_)
            | EventData::RegistrationRefused(_) => {}
        }
    }

    fn fan_out(
        &mut self,
        fan_out: FanOut,
        most: usize,
        known: &mut dyn Known,
        rows: &mut Vec<Write>,
    ) -> bool {
        fan_out::go_on(known, fan_out, most, rows)
    }

    fn place(&mut self, fan_out: FanOut, known: &mut dyn Known) -> Option<Place> {
        fan_out::place(known, fan_out)
    }

    fn go_on_at(&mut self, fan_out: FanOut, place: Place, known: &mut dyn Known) -> bool {
        fan_out::go_on_at(known, fan_out, place)
    }
}
