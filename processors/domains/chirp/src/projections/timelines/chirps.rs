//! What chirps do to the timelines: pushed to every reader, or kept once for all to pull.

use millrace_kernel::Writes;

use super::Timelines;
use super::author::Chirp;
use super::people::Person;
use crate::messages::events::{ChirpDeleted, ChirpEdited, ChirpPosted};
use crate::messages::rows::{ChirpsByAuthorRow, ChirpsRow};

impl Timelines {
    pub(super) fn posted(&mut self, event: &ChirpPosted, at: i64, writes: &mut Writes) {
        let number = self.people.number(&event.author_id);
        let author = self.authors.entry(number).or_default();
        let chirp = Chirp {
            posted_at: at,
            chirp_id: event.chirp_id.as_str().into(),
            content: event.content.as_str().into(),
            edited_at: None,
        };
        author.post(chirp.clone());
        let is_celebrity = author.is_celebrity();
        let mut trimmed = Vec::new();
        if !is_celebrity {
            let readers: Vec<Person> = author.followers.keys().copied().collect();
            for reader in readers {
                if let Some(state) = self.readers.get_mut(&reader) {
                    state.rows += 1;
                }
                trimmed.extend(self.trim(reader));
            }
        }
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
            for reader in of.author.followers.keys() {
                writes.push(of.home(self.people.id(*reader), &chirp, at));
            }
        }
        self.write_floors(&trimmed, at, writes);
    }

    pub(super) fn edited(&mut self, event: &ChirpEdited, at: i64, writes: &mut Writes) {
        let number = self.people.number(&event.author_id);
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
        for reader in of.author.pushed_to(chirp.posted_at) {
            if self.is_above_floor(reader, chirp.posted_at) {
                writes.push(of.home(self.people.id(reader), chirp, at));
            }
        }
    }

    pub(super) fn deleted(&mut self, event: &ChirpDeleted, at: i64, writes: &mut Writes) {
        let number = self.people.number(&event.author_id);
        let pulled_rows = self.pulled_rows();
        let author = self.authors.entry(number).or_default();
        let Some(place) = author.find(&event.chirp_id) else { return };
        let pulled = author.pulled(pulled_rows);
        // pulled chirps stay complete for the newest: the next older one comes in
        let next_older = pulled.start.checked_sub(1).map(|older| author.chirps()[older].clone());
        let chirp = author.delete(place);
        let readers: Vec<Person> = author
            .pushed_to(chirp.posted_at)
            .filter(|reader| self.readers.get(reader).is_some_and(|state| state.floor <= chirp.posted_at))
            .collect();
        for reader in &readers {
            if let Some(state) = self.readers.get_mut(reader) {
                state.rows = state.rows.saturating_sub(1);
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
        for reader in readers {
            writes.push(of.no_home(self.people.id(reader), &chirp, at));
        }
    }
}
