//! What chirps do to the timelines: pushed to every reader, or kept once for all to pull.

use millrace_kernel::Writes;

use super::Timelines;
use super::author::Chirp;
use super::fan_out::News;
use super::people::Person;
use crate::messages::events::{ChirpDeleted, ChirpEdited, ChirpPosted};
use crate::messages::rows::{ChirpsByAuthorRow, ChirpsRow};

impl Timelines {
    pub(super) fn posted(&mut self, event: &ChirpPosted, at: i64, writes: &mut Writes) {
        let number = self.people.number(&event.author_id);
        writes.in_line(number.number().into());
        let author = self.authors.entry(number).or_default();
        let chirp = Chirp {
            posted_at: at,
            chirp_id: event.chirp_id.as_str().into(),
            content: event.content.as_str().into(),
            edited_at: None,
        };
        author.post(chirp.clone());
        let is_celebrity = author.is_celebrity();
        let trimmed = if is_celebrity { Vec::new() } else { self.count_row(number, at) };
        if writes.is_muted() {
            return;
        }
        let Some(of) = self.of(number) else { return };
        writes.push(of.chirp(&chirp, at));
        writes.push(of.by_author(&chirp, at));
        if is_celebrity {
            writes.push(of.celebrity(&chirp, at));
            // the one that is now too old
            let oldest = of.author.pulled(self.pulled_rows()).start;
            if let Some(too_old) = oldest.checked_sub(1).and_then(|place| of.author.chirps().get(place)) {
                writes.push(of.no_celebrity(too_old, at));
            }
        } else {
            self.tell(number, News::Posted(chirp), at, writes);
        }
        self.write_floors(&trimmed, at, writes);
    }

    /// Counts one more row for every follower; returns those whose floor was raised for it.
    fn count_row(&mut self, number: Person, at: i64) -> Vec<Person> {
        let most = self.most_rows();
        let Some(author) = self.authors.get(&number) else { return Vec::new() };
        let mut long = Vec::new();
        for reader in author.followers.keys() {
            let state = self.readers.entry(*reader);
            state.rows += 1;
            if state.rows > most {
                long.push(*reader);
            }
        }
        long.retain(|reader| self.trim(*reader, at).is_some());
        long
    }

    pub(super) fn edited(&mut self, event: &ChirpEdited, at: i64, writes: &mut Writes) {
        let number = self.people.number(&event.author_id);
        writes.in_line(number.number().into());
        let author = self.authors.entry(number).or_default();
        let Some(place) = author.edit(&event.chirp_id, event.content.as_str().into(), at) else { return };
        if writes.is_muted() {
            return;
        }
        let Some(of) = self.of(number) else { return };
        let chirp = &of.author.chirps()[place];
        writes.push(of.chirp(chirp, at));
        writes.push(of.by_author(chirp, at));
        if of.author.pulled(self.pulled_rows()).contains(&place) {
            writes.push(of.celebrity(chirp, at));
        }
        if of.author.is_pushed(chirp.posted_at) {
            let news = News::Edited(chirp.clone());
            self.tell(number, news, at, writes);
        }
    }

    pub(super) fn deleted(&mut self, event: &ChirpDeleted, at: i64, writes: &mut Writes) {
        let number = self.people.number(&event.author_id);
        writes.in_line(number.number().into());
        let pulled_rows = self.pulled_rows();
        let author = self.authors.entry(number).or_default();
        let Some(place) = author.find(&event.chirp_id) else { return };
        let pulled = author.pulled(pulled_rows);
        // pulled chirps stay complete for the newest: the next older one comes in
        let next_older = pulled.start.checked_sub(1).map(|older| author.chirps()[older].clone());
        let Some(chirp) = author.delete(place) else { return };
        let is_pushed = author.is_pushed(chirp.posted_at);
        if is_pushed {
            for (reader, since) in &author.followers {
                let state = self.readers.entry(*reader);
                if author.has_pushed(*since, chirp.posted_at) && state.had(chirp.posted_at, at) {
                    state.rows = state.rows.saturating_sub(1);
                }
            }
        }
        if writes.is_muted() {
            return;
        }
        let Some(of) = self.of(number) else { return };
        writes.push(ChirpsRow::delete(of.author_id.clone(), chirp.chirp_id.clone(), at));
        writes.push(ChirpsByAuthorRow::delete(
            of.author_id.clone(),
            chirp.posted_at,
            chirp.chirp_id.clone(),
            at,
        ));
        if pulled.contains(&place) {
            writes.push(of.no_celebrity(&chirp, at));
            if let Some(older) = &next_older {
                writes.push(of.celebrity(older, at));
            }
        }
        if is_pushed {
            self.tell(number, News::Deleted(chirp), at, writes);
        }
    }
}
