//! Projection `timelines`: chirps, the graph, and what feeds are read from.
//!
//! Chirps and follows are both routed by the author, so the projector of a partition sees
//! everything of its authors in one order and needs no look-up elsewhere. Where a chirp is
//! read is decided by the author's `pulled_until`: posted before it, from `celebrity_chirps`
//! (written once); else from `home_timelines` (written once for every reader). The README
//! beside this crate says why every instant is right. `author` and `people` are the local
//! state, `chirps` and `follows` what events do to it, `floors` trims timelines, `fan_out` tells an
//! audience in pieces, `rows` makes rows.

mod author;
mod chirps;
mod fan_out;
mod floors;
mod follows;
mod people;
mod rows;

use std::collections::HashMap;

use millrace_kernel::{Event, FanOut, Known, Projection, StagedProjector, Write, Writes};

use self::author::Author;
use self::fan_out::{Audience, FanOuts, News};
use self::people::{OfPeople, People, Person, Reader};
use self::rows::Of;
use crate::messages::EventData;
use crate::messages::rows::{
    CelebrityChirpsRow, ChirpsByAuthorRow, ChirpsRow, FollowerCountsRow, FollowersByUserRow,
    FollowingByUserRow, FollowingCountsRow, HomeTimelinesRow, TimelineFloorsRow,
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
            FollowingByUserRow::TABLE,
            FollowersByUserRow::TABLE,
            FollowerCountsRow::TABLE,
            FollowingCountsRow::TABLE,
            HomeTimelinesRow::TABLE,
            TimelineFloorsRow::TABLE,
            CelebrityChirpsRow::TABLE,
        ],
        // the rows of a fan-out are the same in pieces and at once
        revision: format!(
            "1, celebrity_above={}, celebrity_below={}, timeline_cap={}",
            settings.celebrity_above, settings.celebrity_below, settings.timeline_cap
        ),
        projector: Box::new(move |partition| Box::new(Timelines::new(partition, settings.clone()))),
    }
}

/// The fold of one partition's events.
struct Timelines {
    partition: i32,
    settings: Settings,
    people: People,
    authors: HashMap<Person, Author>,
    readers: OfPeople<Reader>,
    fan_outs: FanOuts,
}

impl Timelines {
    fn new(partition: i32, settings: Settings) -> Self {
        // whoever configures it is told so by `Settings::validate`; here it must only not fail
        let settings = Settings { timeline_cap: settings.timeline_cap.max(1), ..settings };
        Self {
            partition,
            settings,
            people: People::default(),
            authors: HashMap::new(),
            readers: OfPeople::default(),
            fan_outs: FanOuts::default(),
        }
    }

    /// How many rows `celebrity_chirps` holds of an author: one more than a feed can show.
    /// A post puts one and deletes one, a deletion likewise; with one to spare the newest
    /// `cap` are there whichever of the two is done first.
    fn pulled_rows(&self) -> usize {
        self.settings.timeline_cap.saturating_add(1)
    }

    /// An author with their id, for rows. Whoever asks has just put the author there.
    fn of(&self, author: Person) -> Option<Of<'_>> {
        Some(Of { author_id: self.people.id(author), author: self.authors.get(&author)? })
    }

    /// Tells an author's readers: at once when they are few, else in pieces.
    fn tell(&mut self, number: Person, news: News, at: i64, writes: &mut Writes) {
        let Some(author) = self.authors.get(&number) else { return };
        if author.followers.len() > self.settings.fan_out_at_once {
            writes.fan_out(self.fan_outs.begin(number, news, at));
            return;
        }
        let audience = Audience::new(number, author, &self.people, &self.readers);
        for (reader, since) in audience.followers() {
            if let Some(row) = audience.row(&news, reader, since, at) {
                writes.push(row);
            }
        }
    }
}

impl StagedProjector<EventData> for Timelines {
    fn stage(&mut self, event: &Event<EventData>, _known: &mut dyn Known, writes: &mut Writes) {
        let at = event.recorded_at;
        match &event.data {
            EventData::UserRegistered(e) => {
                let user = self.people.number(&e.user_id);
                self.authors.entry(user).or_default().username = e.username.as_str().into();
            }
            EventData::ChirpPosted(e) => self.posted(e, at, writes),
            EventData::ChirpEdited(e) => self.edited(e, at, writes),
            EventData::ChirpDeleted(e) => self.deleted(e, at, writes),
            EventData::UserFollowed(e) => self.followed(e, at, writes),
            EventData::UserUnfollowed(e) => self.unfollowed(e, at, writes),
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
        _known: &mut dyn Known,
        rows: &mut Vec<Write>,
    ) -> bool {
        let number = FanOuts::author(fan_out);
        let Some(author) = self.authors.get(&number) else { return false };
        let audience = Audience::new(number, author, &self.people, &self.readers);
        self.fan_outs.go_on(fan_out, &audience, most, rows)
    }
}
