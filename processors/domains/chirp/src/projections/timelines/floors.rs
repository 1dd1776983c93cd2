//! Keeping timelines short: a floor for each reader and partition.
//!
//! Each partition trims what it has written itself, because it knows nothing else: so a
//! timeline holds at most 1.25 × cap rows a partition. Below the greatest floor of all
//! partitions the feed goes on from `chirps_by_author`, so whatever is missing there is
//! missed by nobody.

use std::sync::Arc;

use millrace_kernel::{Known, Writes};

use super::Timelines;
use super::author::Author;
use super::people::{Person, Reader};
use crate::messages::rows::{HomeTimelinesRow, TimelineFloorsRow};

impl Timelines {
    /// Raises the floor of a reader who has a quarter more rows than the cap, so that the
    /// newest `cap` stay. Returns the reader if so; see [`Timelines::write_floors`].
    pub(super) fn trim(&self, known: &mut dyn Known, reader: Person, at: i64) -> Option<Person> {
        let cap = self.settings.timeline_cap;
        let state = Reader::of(known, reader);
        if state.rows <= self.most_rows() {
            return None;
        }
        let mut newest: Vec<i64> = Vec::new();
        let mut floor = state.floor;
        self.each_author_of(known, reader, &mut |known, author, since| {
            let from = author.copied_from(since).max(floor);
            author.pushed_times_since(known, from, cap, &mut newest);
            if newest.len() >= 2 * cap {
                // what is certainly too old need not be looked at for the other authors
                floor = *newest.select_nth_unstable_by(cap - 1, |a, b| b.cmp(a)).1;
                newest.truncate(cap);
            }
        });
        if newest.len() < cap {
            return None;
        }
        floor = *newest.select_nth_unstable_by(cap - 1, |a, b| b.cmp(a)).1;
        self.raise_floor(known, reader, floor, at)
    }

    /// Gives every author of this partition that a reader follows, and since when.
    fn each_author_of(
        &self,
        known: &mut dyn Known,
        reader: Person,
        each: &mut dyn FnMut(&mut dyn Known, &Author, i64),
    ) {
        Reader::authors(reader).walk(known, 0, &mut |known, author, _| {
            let author = Author::of(known, Person::of_bytes(author));
            if let Some(since) = author.follows_since(known, reader) {
                each(known, &author, since);
            }
            true
        });
    }

    /// More rows than this of a reader are trimmed.
    pub(super) fn most_rows(&self) -> usize {
        self.settings.timeline_cap + self.settings.timeline_cap / 4
    }

    /// Raises the floor of a reader, if it is lower. Returns the reader if so.
    pub(super) fn raise_floor(
        &self,
        known: &mut dyn Known,
        reader: Person,
        floor: i64,
        at: i64,
    ) -> Option<Person> {
        let state = Reader::of(known, reader);
        if floor <= state.floor {
            return None;
        }
        let mut rows = 0;
        self.each_author_of(known, reader, &mut |known, author, since| {
            rows += author.count_pushed_since(known, author.copied_from(since).max(floor));
        });
        Reader { rows, floor, floor_since: at }.keep(known, reader);
        Some(reader)
    }

    /// Writes floors that were raised, and then deletes what lies below them: a reader who misses a
    /// row must find the floor that says where it went.
    ///
    /// It does not wait in the author's line. Later events of other authors write nothing below the
    /// floor, so it must be there before them; and a floor that comes early takes nothing from
    /// anybody, as what is below it is found in `chirps_by_author`.
    ///
    /// The deletion takes the rows of other partitions along. They are below this reader's
    /// floor, too: the greatest counts.
    pub(super) fn write_floors(
        &self,
        known: &mut dyn Known,
        raised: &[Person],
        at: i64,
        writes: &mut Writes,
    ) {
        let floors: Vec<_> =
            raised.iter().map(|reader| (reader.id(known), Reader::of(known, *reader).floor)).collect();
        let row = |(reader_id, floor): &(Arc<str>, i64)| {
            let (reader_id, source_partition) = (reader_id.clone(), self.partition);
            TimelineFloorsRow { reader_id, source_partition, floor: *floor }.put(at)
        };
        let raised = floors.iter().map(row).collect();
        let below =
            floors.into_iter().map(|(reader, floor)| HomeTimelinesRow::delete_after(reader, floor, at));
        writes.ahead([raised, below.collect()]);
    }
}
