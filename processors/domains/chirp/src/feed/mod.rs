//! A reader's feed, read from the tables: pure, over a function that reads pages.
//!
//! Once it is known who the reader is and whom they follow, all is asked for in one call: the timeline, its
//! floors in turn behind it, and the chirps of every celebrity. Another call follows only below
//! the floor, or when a source has not given enough: too much of it is not followed any more, or an
//! author below the floor has more than a few times their share of the page.
//!
//! The order of reads matters, since projections go on meanwhile: follows before timelines
//! (a follow is written after the chirps it brings), and the floors after the timeline (they are
//! written before the rows below them go).

mod cursor;
mod stream;

use std::sync::Arc;

use millrace_kernel::{Page, PageQuery, Value, id};
use thiserror::Error;

pub use self::cursor::{Cursor, CursorError, Place};
use self::stream::{BadRow, Entry, Follows, Source, Stream};
use crate::messages::rows::{FollowingByUserRow, TimelineFloorsRow, UserProfilesRow};

/// Chirps of one page at most, whatever is asked for: what a feed has altogether unless
/// [`crate::Settings::timeline_cap`] says otherwise. A cursor goes on behind them.
pub const MOST_AT_ONCE: usize = 800;
/// Rows asked for at once when only a few are wanted: what is deleted or no longer followed
/// is skipped, so some more than wanted are needed.
const FEWEST_ROWS: usize = 10;
/// Below the floor every author followed is asked, and hardly any has more than a few chirps of a page.
/// Each is asked for so many times its share of the rows, and for more only if that has not sufficed.
const SHARES: usize = 4;
/// Rows of an author asked for at least.
const FEWEST_ROWS_OF_MANY: usize = 5;
/// Rows asked for at once at most.
const MOST_ROWS: usize = 200;
/// Floors of one reader at most.
const MOST_FLOORS: usize = 10_000;
/// Follows asked for at once.
const FOLLOWS_PAGE: usize = 1000;

/// A chirp in a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedItem {
    /// The chirp's id, unique among its author's.
    pub chirp_id: Arc<str>,
    /// Who wrote it.
    pub author_id: Arc<str>,
    /// The author's name.
    pub username: Arc<str>,
    /// The text as last edited.
    pub content: Arc<str>,
    /// When it was posted, in microseconds since the epoch.
    pub posted_at: i64,
    /// When it was last edited, if ever.
    pub edited_at: Option<i64>,
    /// Goes on behind this chirp.
    pub cursor: Cursor,
}

/// A page of a feed, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedPage {
    /// The chirps.
    pub items: Vec<FeedItem>,
    /// Whether the feed ends here: another page would be empty.
    pub is_last: bool,
}

/// Why there is no feed.
#[derive(Debug, Error)]
pub enum FeedError<E> {
    /// There is no such user.
    #[error("there is no user {0}")]
    UnknownUser(String),
    /// The store cannot be read.
    #[error("reading the feed's tables")]
    Read(#[source] E),
    /// The store answered with something else than was asked for.
    #[error(
        "table {0} does not have the columns that this version declares; `millrace tables plan` shows how it differs"
    )]
    Table(&'static str),
}

/// Reads pages of tables: for every query one page, as a view store does. Queries
/// [in turn](PageQuery::in_turn) must not overtake the ones before them.
pub type Read<'a, E> = &'a mut dyn FnMut(&[PageQuery]) -> Result<Vec<Page>, E>;

/// Reads the feed of `reader_id` behind `cursor`: at most `limit` chirps, nor more than
/// [`MOST_AT_ONCE`], and no further than `cap` from the feed's beginning
/// ([`crate::Settings::timeline_cap`]).
///
/// # Errors
/// [`FeedError`]; an unknown user is one.
pub fn feed<E>(
    read: Read<'_, E>,
    reader_id: &str,
    cursor: Option<&Cursor>,
    limit: usize,
    cap: usize,
) -> Result<FeedPage, FeedError<E>> {
    let shown = cursor.map_or(0, |cursor| cursor.shown);
    let follows = follows(read, reader_id)?;
    let wanted = limit.min(MOST_AT_ONCE).min(cap.saturating_sub(shown));
    if wanted == 0 {
        return Ok(FeedPage { items: Vec::new(), is_last: shown >= cap });
    }
    let mut merge = Merge {
        read,
        reader_id,
        follows: &follows,
        place: cursor.map(|cursor| cursor.place.clone()),
        // one more says whether there is more; the author of the chirp at the cursor may give that again
        rows: (wanted + 1 + usize::from(cursor.is_some())).clamp(FEWEST_ROWS, MOST_ROWS),
        floor: i64::MIN,
        is_below_floor: false,
        streams: Vec::new(),
    };
    merge.open();
    let mut items = Vec::with_capacity(wanted);
    while items.len() < wanted {
        let Some(entry) = merge.next()? else { return Ok(FeedPage { items, is_last: true }) };
        let cursor = Cursor { shown: shown + items.len() + 1, place: entry.place.clone() };
        let Place { posted_at, chirp_id, author_id } = entry.place;
        let Entry { username, content, edited_at, .. } = entry;
        items.push(FeedItem { chirp_id, author_id, username, content, posted_at, edited_at, cursor });
    }
    let is_last = shown + items.len() >= cap || merge.next()?.is_none();
    Ok(FeedPage { items, is_last })
}

/// Whom the reader follows; also finds out whether there is such a reader.
fn follows<E>(read: Read<'_, E>, reader_id: &str) -> Result<Follows, FeedError<E>> {
    let unknown = || FeedError::UnknownUser(reader_id.to_owned());
    if !id::is_valid(reader_id) {
        return Err(unknown());
    }
    let key = || vec![Value::from(reader_id)];
    let profile = PageQuery {
        table: UserProfilesRow::TABLE.to_owned(),
        key: key(),
        after: Vec::new(),
        limit: 1,
        in_turn: false,
    };
    let mut following = PageQuery {
        table: FollowingByUserRow::TABLE.to_owned(),
        key: key(),
        after: Vec::new(),
        limit: FOLLOWS_PAGE,
        in_turn: false,
    };
    let [profile, mut page] = pages(read, [profile, following.clone()], FollowingByUserRow::TABLE)?;
    if profile.rows.is_empty() {
        return Err(unknown());
    }
    let mut follows = Follows::new();
    loop {
        let is_last = page.rows.len() < FOLLOWS_PAGE;
        for row in page.rows {
            let row =
                FollowingByUserRow::from_values(row).ok_or(FeedError::Table(FollowingByUserRow::TABLE))?;
            following.after = vec![row.followee_id.clone().into()];
            follows.insert(row.followee_id, row.pulled_until);
        }
        if is_last {
            return Ok(follows);
        }
        [page] = pages(read, [following.clone()], FollowingByUserRow::TABLE)?;
    }
}

fn pages<E, const N: usize>(
    read: Read<'_, E>,
    queries: [PageQuery; N],
    table: &'static str,
) -> Result<[Page; N], FeedError<E>> {
    let pages = read(&queries).map_err(FeedError::Read)?;
    pages.try_into().map_err(|_| FeedError::Table(table))
}

/// The sources of a feed, merged newest first.
struct Merge<'a, E> {
    read: Read<'a, E>,
    reader_id: &'a str,
    follows: &'a Follows,
    /// The last entry shown, here or on an earlier page.
    place: Option<Place>,
    /// Rows to ask for at once.
    rows: usize,
    /// Below this the timeline may be incomplete.
    floor: i64,
    /// Whether the followed authors' own chirps have been opened.
    is_below_floor: bool,
    streams: Vec<Stream>,
}

impl<E> Merge<'_, E> {
    /// Opens the timeline, and the chirps of authors whose chirps are pulled.
    fn open(&mut self) {
        self.streams.push(Stream::home(self.reader_id, self.place.as_ref(), self.rows));
        let reached = self.reached();
        for (author_id, pulled_until) in self.follows {
            if *pulled_until > 0 {
                let until = reached.min(*pulled_until);
                self.streams.push(Stream::celebrity(author_id.clone(), until, self.rows));
            }
        }
    }

    /// Every entry still to come was posted before this.
    fn reached(&self) -> i64 {
        // other authors may have a chirp of the very same time
        self.place.as_ref().map_or(i64::MAX, |place| place.posted_at.saturating_add(1))
    }

    /// The next older entry.
    fn next(&mut self) -> Result<Option<Entry>, FeedError<E>> {
        loop {
            self.fill()?;
            let newest = self
                .streams
                .iter_mut()
                .filter(|stream| !stream.entries.is_empty())
                .max_by(|a, b| a.entries[0].place.cmp(&b.entries[0].place));
            let is_above =
                newest.as_ref().is_some_and(|stream| stream.entries[0].place.posted_at >= self.floor);
            if !is_above && !self.is_below_floor && self.floor > i64::MIN {
                self.go_below_floor();
                continue;
            }
            let Some(entry) = newest.and_then(|stream| stream.entries.pop_front()) else { return Ok(None) };
            // behind the place only: it was rounded up for some sources, and never twice
            if self.place.as_ref().is_none_or(|place| entry.place < *place) {
                self.place = Some(entry.place.clone());
                return Ok(Some(entry));
            }
        }
    }

    /// Reads on until every source has its next entry or is done.
    fn fill(&mut self) -> Result<(), FeedError<E>> {
        loop {
            let (mut needy, mut queries) = (Vec::new(), Vec::new());
            for (index, stream) in self.streams.iter().enumerate() {
                let Some(query) = stream.needs() else { continue };
                needy.push(index);
                queries.push(query);
                if stream.source == Source::Home {
                    queries.push(self.floors_behind());
                }
            }
            let Some(first) = needy.first() else { return Ok(()) };
            let pages = (self.read)(&queries).map_err(FeedError::Read)?;
            if pages.len() != queries.len() {
                return Err(FeedError::Table(self.streams[*first].table()));
            }
            let mut pages = pages.into_iter();
            let mut next = || pages.next().unwrap_or_default();
            for index in needy {
                let stream = &mut self.streams[index];
                stream.take_in(next(), self.follows).map_err(|BadRow| FeedError::Table(stream.table()))?;
                if stream.source == Source::Home {
                    self.floor = raised(self.floor, next())?;
                    stream.end_at(self.floor);
                }
            }
        }
    }

    /// Asks for the floors that hold for the page of the timeline in front.
    fn floors_behind(&self) -> PageQuery {
        let table = TimelineFloorsRow::TABLE.to_owned();
        let key = vec![Value::from(self.reader_id)];
        // one row for each source partition: there are never as many
        PageQuery { table, key, after: Vec::new(), limit: MOST_FLOORS, in_turn: true }
    }

    /// Goes on below the floor with the chirps of each followed author.
    fn go_below_floor(&mut self) {
        self.is_below_floor = true;
        let until = self.reached().min(self.floor);
        for stream in &mut self.streams {
            stream.is_done |= stream.source == Source::Home;
        }
        let pushed = || self.follows.iter().filter(|(_, pulled_until)| **pulled_until < until);
        let shares = self.rows * SHARES / pushed().count().max(1);
        let rows = shares.clamp(FEWEST_ROWS_OF_MANY, self.rows);
        for (author_id, pulled_until) in pushed() {
            self.streams.push(Stream::by_author(author_id.clone(), until, *pulled_until, rows));
        }
    }
}

/// The greatest of `floor` and those of a page.
fn raised<E>(floor: i64, page: Page) -> Result<i64, FeedError<E>> {
    page.rows.into_iter().try_fold(floor, |floor, row| {
        let row = TimelineFloorsRow::from_values(row).ok_or(FeedError::Table(TimelineFloorsRow::TABLE))?;
        Ok(floor.max(row.floor))
    })
}
