//! One of the tables that a feed is merged from, read page by page, newest first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use millrace_kernel::{Page, PageQuery, Value, Walk};

use super::MOST_ROWS;
use super::cursor::Place;
use crate::messages::rows::{CelebrityChirpsRow, ChirpsByAuthorRow, HomeTimelinesRow};

/// Whom a reader follows, with `pulled_until` of each.
pub type Follows = HashMap<Arc<str>, i64>;

/// A chirp of a feed, before it has a cursor.
#[derive(Clone, Debug)]
pub struct Entry {
    pub place: Place,
    pub username: Arc<str>,
    pub content: Arc<str>,
    pub edited_at: Option<i64>,
    /// The row stands for a chirp that is deleted.
    pub is_deleted: bool,
}

impl Entry {
    /// That of a row whose chirp is there: when it was posted, its id and its author, then what it says.
    fn shown(
        (posted_at, chirp_id, author_id): (i64, Arc<str>, Arc<str>),
        username: Arc<str>,
        content: Arc<str>,
        edited_at: Option<i64>,
    ) -> Self {
        let place = Place { posted_at, chirp_id, author_id };
        Self { place, username, content, edited_at, is_deleted: false }
    }
}

/// Where the entries come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `home_timelines` of the reader: pushed chirps down to the floor.
    Home,
    /// `celebrity_chirps` of a followed author: pulled chirps.
    Celebrity,
    /// `chirps_by_author` of a followed author: pushed chirps below the floor.
    ByAuthor,
}

/// A source, its entries read and not yet shown, and where it goes on.
#[derive(Debug)]
pub struct Stream {
    pub source: Source,
    pub entries: VecDeque<Entry>,
    /// Nothing follows behind `entries`.
    pub is_done: bool,
    /// Entries posted before this are none of this stream's.
    oldest: i64,
    reads: Reads,
}

/// How a table is read.
#[derive(Debug)]
enum Reads {
    /// One partition.
    Partition(PageQuery),
    /// Bucket after bucket.
    Buckets(Walk),
}

/// A row that has not the columns of its table.
#[derive(Debug)]
pub struct BadRow;

impl Stream {
    /// The reader's timeline behind `place`.
    pub fn home(reader_id: &str, place: Option<&Place>, limit: usize) -> Self {
        let after = place.map_or_else(Vec::new, |place| behind(Source::Home, place));
        Self::partition(Source::Home, HomeTimelinesRow::TABLE, reader_id.into(), after, limit)
    }

    /// An author's pulled chirps that were posted before `until`.
    pub fn celebrity(author_id: Arc<str>, until: i64, limit: usize) -> Self {
        Self::partition(Source::Celebrity, CelebrityChirpsRow::TABLE, author_id, vec![until.into()], limit)
    }

    /// An author's chirps that were posted before `until`, down to `oldest`.
    pub fn by_author(author_id: Arc<str>, until: i64, oldest: i64, limit: usize) -> Self {
        let walk = ChirpsByAuthorRow::walk(author_id, limit).behind(vec![until.into()]);
        Self::new(Source::ByAuthor, oldest, Reads::Buckets(walk))
    }

    fn partition(
        source: Source,
        table: &'static str,
        key: Arc<str>,
        after: Vec<Value>,
        limit: usize,
    ) -> Self {
        let (table, key) = (table.to_owned(), vec![key.into()]);
        let query = PageQuery { table, key, after, limit, in_turn: false };
        Self::new(source, i64::MIN, Reads::Partition(query))
    }

    fn new(source: Source, oldest: i64, reads: Reads) -> Self {
        Self { source, entries: VecDeque::new(), is_done: false, oldest, reads }
    }

    /// The table it reads.
    pub fn table(&self) -> &'static str {
        match self.source {
            Source::Home => HomeTimelinesRow::TABLE,
            Source::Celebrity => CelebrityChirpsRow::TABLE,
            Source::ByAuthor => ChirpsByAuthorRow::TABLE,
        }
    }

    /// The query for the next page, if one is needed now.
    pub fn needs(&self) -> Option<PageQuery> {
        match &self.reads {
            _ if self.is_done || !self.entries.is_empty() => None,
            Reads::Partition(query) => Some(query.clone()),
            Reads::Buckets(walk) => walk.needs(),
        }
    }

    /// Takes in the page that [`Stream::needs`] asked for.
    pub fn take_in(&mut self, page: Page, follows: &Follows) -> Result<(), BadRow> {
        let rows = match &mut self.reads {
            Reads::Partition(query) => {
                self.is_done = page.rows.len() < query.limit;
                page.rows
            }
            Reads::Buckets(walk) => {
                let rows = walk.take_in(page);
                self.is_done = walk.is_done();
                rows
            }
        };
        let limit = match &mut self.reads {
            Reads::Partition(query) => &mut query.limit,
            Reads::Buckets(walk) => &mut walk.limit,
        };
        let count = rows.len();
        if count > 0 {
            // who has been asked for too little is asked for more
            *limit = (*limit).max((*limit * 2).min(MOST_ROWS));
        }
        for (number, row) in rows.into_iter().enumerate() {
            let entry = self.entry(row).ok_or(BadRow)?;
            if entry.place.posted_at < self.oldest {
                self.is_done = true;
                return Ok(());
            }
            if number + 1 == count
                && let Reads::Partition(query) = &mut self.reads
            {
                query.after = behind(self.source, &entry.place);
            }
            // rows of authors who are not followed (any more), and rows from before an author
            // was a celebrity, may still be there
            let is_shown = !entry.is_deleted
                && (self.source != Source::Home
                    || follows
                        .get(&entry.place.author_id)
                        .is_some_and(|until| entry.place.posted_at >= *until));
            if is_shown {
                self.entries.push_back(entry);
            }
        }
        Ok(())
    }

    /// Ends this stream at a floor.
    pub fn end_at(&mut self, floor: i64) {
        self.oldest = self.oldest.max(floor);
        let before = self.entries.len();
        self.entries.retain(|entry| entry.place.posted_at >= floor);
        self.is_done |= self.entries.len() < before;
    }

    fn entry(&self, row: Vec<Value>) -> Option<Entry> {
        Some(match self.source {
            Source::Home => {
                let row = HomeTimelinesRow::from_values(row)?;
                let is_deleted = row.deleted == Some(true);
                let place = (row.posted_at, row.chirp_id, row.author_id);
                Entry { is_deleted, ..Entry::shown(place, row.username, row.content, row.edited_at) }
            }
            Source::Celebrity => {
                let row = CelebrityChirpsRow::from_values(row)?;
                let place = (row.posted_at, row.chirp_id, row.author_id);
                Entry::shown(place, row.username, row.content, row.edited_at)
            }
            Source::ByAuthor => {
                let row = ChirpsByAuthorRow::from_values(row)?;
                let place = (row.posted_at, row.chirp_id, row.author_id);
                Entry::shown(place, row.username, row.content, row.edited_at)
            }
        })
    }
}

/// Where a table goes on behind a row.
fn behind(source: Source, place: &Place) -> Vec<Value> {
    let mut after = vec![place.posted_at.into(), place.chirp_id.clone().into()];
    if source == Source::Home {
        after.push(place.author_id.clone().into());
    }
    after
}
