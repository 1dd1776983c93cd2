//! What chirps do to the timelines: pushed to every reader, or kept once for all to pull.

use millrace_kernel::{Known, Writes};

use super::Timelines;
use super::author::{Author, Chirp};
use super::fan_out::News;
use super::people::{Person, Reader};
use super::pulled::Pulled;
use super::rows::Of;
use crate::messages::events::{ChirpDeleted, ChirpEdited, ChirpPosted};
use crate::messages::rows::{ChirpsByAuthorRow, ChirpsRow};

impl Timelines {
    pub(super) fn posted(&self, known: &mut dyn Known, event: &ChirpPosted, at: i64, writes: &mut Writes) {
        let person = Person::of_id(known, &event.author_id);
        writes.in_line(person.number().into());
        let mut author = Author::of(known, person);
        let chirp = Chirp {
            posted_at: at,
            chirp_id: event.chirp_id.as_str().into(),
            content: event.content.as_str().into(),
            edited_at: None,
        };
        author.post(known, &chirp);
        let entered = author.chirp_buckets(self.settings.bucket_rows).enter(known, at);
        let is_celebrity = author.is_celebrity();
        let mut trimmed = Vec::new();
        if !is_celebrity {
            author.push(known, &chirp, self.pushed_rows());
            trimmed = self.count_row(known, &author, at);
        }
        if writes.is_muted() {
            return;
        }
        let of = Of::author(known, &author);
        writes.push(of.chirp(&chirp, at));
        writes.push(of.by_author(entered.bucket, &chirp, at));
        writes.extend(ChirpsByAuthorRow::entered(of.author_id.clone(), entered, at));
        if is_celebrity {
            self.pull(known, (&author, &of), &chirp, at, writes);
        } else {
            self.tell(known, &mut author, News::Posted(chirp), at, writes);
        }
        self.write_floors(known, &trimmed, at, writes);
    }

    /// Counts one more row for every follower; returns those whose floor was raised for it.
    fn count_row(&self, known: &mut dyn Known, author: &Author, at: i64) -> Vec<Person> {
        let most = self.most_rows();
        let mut long = Vec::new();
        author.followers().walk(known, 0, &mut |known, reader, _| {
            let reader = Person::of_bytes(reader);
            let mut state = Reader::of(known, reader);
            state.rows += 1;
            state.keep(known, reader);
            if state.rows > most {
                long.push(reader);
            }
            true
        });
        long.retain(|reader| self.trim(known, *reader, at).is_some());
        long
    }

    pub(super) fn edited(&self, known: &mut dyn Known, event: &ChirpEdited, at: i64, writes: &mut Writes) {
        let person = Person::of_id(known, &event.author_id);
        writes.in_line(person.number().into());
        let mut author = Author::of(known, person);
        let Some((place, chirp)) = author.edit(known, &event.chirp_id, &event.content, at) else { return };
        if writes.is_muted() {
            return;
        }
        let of = Of::author(known, &author);
        writes.push(of.chirp(&chirp, at));
        if let Some(bucket) = author.chirp_buckets(self.settings.bucket_rows).of(known, chirp.posted_at) {
            writes.push(of.by_author(bucket, &chirp, at));
        }
        if self.is_pulled(known, &author, place) {
            writes.push(of.celebrity(&chirp, at));
        }
        if author.is_pushed(known, &chirp) {
            self.tell(known, &mut author, News::Edited(chirp), at, writes);
        }
    }

    pub(super) fn deleted(&self, known: &mut dyn Known, event: &ChirpDeleted, at: i64, writes: &mut Writes) {
        let person = Person::of_id(known, &event.author_id);
        writes.in_line(person.number().into());
        let mut author = Author::of(known, person);
        let Some((place, chirp)) = author.find(known, &event.chirp_id) else { return };
        let pulled = self.unpost(known, &mut author, (place, &chirp));
        let gone = author.chirp_buckets(self.settings.bucket_rows).leave(known, chirp.posted_at);
        let is_pushed = author.mark_deleted(known, &chirp);
        if writes.is_muted() {
            return;
        }
        let of = Of::author(known, &author);
        writes.push(ChirpsRow::delete(of.author_id.clone(), chirp.chirp_id.clone(), at));
        if let Some(gone) = gone {
            let (author_id, chirp_id) = (of.author_id.clone(), chirp.chirp_id.clone());
            writes.push(ChirpsByAuthorRow::delete(author_id, gone.bucket, chirp.posted_at, chirp_id, at));
            writes.extend(ChirpsByAuthorRow::gone(of.author_id.clone(), gone, at));
        }
        match &pulled {
            Pulled::Untouched => {}
            Pulled::Next(older) => {
                writes.push(of.no_celebrity(&chirp, at));
                writes.extend(older.iter().map(|older| of.celebrity(older, at)));
            }
            Pulled::Swept => self.pull_all(known, (&author, &of), at, writes),
        }
        if is_pushed {
            self.tell(known, &mut author, News::Deleted(chirp), at, writes);
        }
        if matches!(pulled, Pulled::Swept) {
            writes.then();
            writes.push(of.sweep(at));
        }
    }
}
