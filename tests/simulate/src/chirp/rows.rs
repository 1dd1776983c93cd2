//! The tables of chirp without a cap, as a plain fold of events.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain_chirp::{EventData, Settings};
use millrace_kernel::{Event, Text, Value};

use crate::workload::Place;

/// A chirp: name of the author, text, posted at, edited at.
#[derive(Clone)]
struct Chirp {
    username: Text,
    content: Text,
    posted_at: i64,
    edited_at: Option<i64>,
}

/// Everything that rows are made of.
#[derive(Clone, Default)]
pub struct Rows {
    rows: BTreeMap<Place, Vec<Value>>,
    usernames: BTreeMap<Text, Text>,
    chirps: BTreeMap<(Text, Text), Chirp>,
    /// Since when, by author and reader.
    followers: BTreeMap<Text, BTreeMap<Text, i64>>,
    /// Where the chirps of an author are read, as `pulled_until` tells.
    pulled_until: BTreeMap<Text, i64>,
}

fn text(value: &str) -> Value {
    Value::from(value)
}

impl Rows {
    /// The row at a place.
    pub fn row(&self, place: &Place) -> Option<Vec<Value>> {
        self.rows.get(place).cloned()
    }

    fn put(&mut self, table: &'static str, key: Vec<Value>, rest: Vec<Value>) -> Place {
        let place = (table, key);
        let row = place.1.iter().cloned().chain(rest).collect();
        self.rows.insert(place.clone(), row);
        place
    }

    fn remove(&mut self, table: &'static str, key: Vec<Value>) -> Place {
        let place = (table, key);
        self.rows.remove(&place);
        place
    }

    /// Takes in an event; the places it may have changed.
    pub fn fold(&mut self, settings: &Settings, partition: i32, event: &Event<EventData>) -> Vec<Place> {
        let at = event.recorded_at;
        match &event.data {
            EventData::UserRegistered(e) => {
                self.usernames.insert(e.user_id.clone(), e.username.clone());
                let (id, name) = (text(&e.user_id), text(&e.username));
                let key = vec![text(&e.username.to_lowercase())];
                vec![
                    self.put("user_profiles", vec![id.clone()], vec![name.clone(), at.into()]),
                    self.put("users_by_username", key, vec![id, name, at.into()]),
                ]
            }
            EventData::ChirpPosted(e) => {
                let username = self.usernames.get(&e.author_id).cloned().unwrap_or_default();
                let chirp = Chirp { username, content: e.content.clone(), posted_at: at, edited_at: None };
                self.chirps.insert((e.author_id.clone(), e.chirp_id.clone()), chirp);
                self.chirp(&e.author_id, &e.chirp_id)
            }
            EventData::ChirpEdited(e) => {
                if let Some(chirp) = self.chirps.get_mut(&(e.author_id.clone(), e.chirp_id.clone())) {
                    (chirp.content, chirp.edited_at) = (e.content.clone(), Some(at));
                }
                self.chirp(&e.author_id, &e.chirp_id)
            }
            EventData::ChirpDeleted(e) => {
                let (author, id) = (text(&e.author_id), text(&e.chirp_id));
                let posted_at = self
                    .chirps
                    .remove(&(e.author_id.clone(), e.chirp_id.clone()))
                    .map_or(0, |chirp| chirp.posted_at);
                vec![
                    self.remove("chirps", vec![author.clone(), id.clone()]),
                    self.remove("chirps_by_author", vec![author, posted_at.into(), id]),
                ]
            }
            EventData::UserFollowed(e) => {
                let followers = self.followers.entry(e.followee_id.clone()).or_default();
                followers.insert(e.follower_id.clone(), at);
                let until = self.pulled_until.entry(e.followee_id.clone()).or_insert(0);
                if followers.len() as u64 > settings.celebrity_above {
                    *until = i64::MAX;
                }
                self.graph(&e.followee_id, &e.follower_id, partition)
            }
            EventData::UserUnfollowed(e) => {
                let followers = self.followers.entry(e.followee_id.clone()).or_default();
                followers.remove(&e.follower_id);
                let until = self.pulled_until.entry(e.followee_id.clone()).or_insert(0);
                if *until == i64::MAX && (followers.len() as u64) < settings.celebrity_below {
                    *until = at;
                }
                let (author, reader) = (text(&e.followee_id), text(&e.follower_id));
                let mut places = vec![
                    self.remove("following_by_user", vec![reader.clone(), author.clone()]),
                    self.remove("followers_by_user", vec![author, reader]),
                ];
                places.extend(self.graph(&e.followee_id, &e.follower_id, partition));
                places
            }
            _ => Vec::new(),
        }
    }

    fn chirp(&mut self, author_id: &str, chirp_id: &str) -> Vec<Place> {
        let Some(chirp) = self.chirps.get(&(author_id.into(), chirp_id.into())).cloned() else {
            return Vec::new();
        };
        let (author, id) = (text(author_id), text(chirp_id));
        let (name, content) = (text(&chirp.username), text(&chirp.content));
        let (posted, edited) = (Value::from(chirp.posted_at), Value::from(chirp.edited_at));
        vec![
            self.put(
                "chirps",
                vec![author.clone(), id.clone()],
                vec![name.clone(), content.clone(), posted.clone(), edited.clone()],
            ),
            self.put("chirps_by_author", vec![author, posted, id], vec![name, content, edited]),
        ]
    }

    /// All rows of an author's audience, and the counts.
    fn graph(&mut self, author_id: &str, reader_id: &str, partition: i32) -> Vec<Place> {
        let followers = self.followers.get(author_id).cloned().unwrap_or_default();
        let until = self.pulled_until.get(author_id).copied().unwrap_or(0);
        let author = text(author_id);
        let mut places = Vec::new();
        for (reader, since) in &followers {
            let (reader, since) = (text(reader), Value::from(*since));
            let row = vec![since.clone(), until.into()];
            places.push(self.put("following_by_user", vec![reader.clone(), author.clone()], row));
            places.push(self.put("followers_by_user", vec![author.clone(), reader], vec![since]));
        }
        let count = Value::from(followers.len() as i64);
        places.push(self.put("follower_counts", vec![author], vec![count]));
        // only authors of this partition are folded together
        let following: BTreeSet<&Text> = self
            .followers
            .iter()
            .filter(|(_, readers)| readers.contains_key(reader_id))
            .map(|(a, _)| a)
            .collect();
        let count = Value::from(following.len() as i64);
        places.push(self.put("following_counts", vec![text(reader_id), partition.into()], vec![count]));
        places
    }
}
