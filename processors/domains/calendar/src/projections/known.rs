//! What the projection knows: every slot by its id, those of a calendar in the order of their starts, and the removals
//! under way.

use std::sync::Arc;

use millrace_kernel::day::{month_after, month_of};
use millrace_kernel::{Known, Sorted};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What rows need of a slot.
#[derive(Clone, Serialize, Deserialize)]
pub struct Slot {
    pub start: i64,
    pub end: i64,
    pub title: Arc<str>,
    pub location: Option<Arc<str>>,
    pub description: Option<Arc<str>>,
}

/// The removal of a calendar, of which some rows have yet to be deleted.
#[derive(Serialize, Deserialize)]
pub struct Removal {
    pub calendar_id: Arc<str>,
    /// `recorded_at` of the event.
    pub at: i64,
    /// A bucket in which no row is left, and which the directory is to forget next.
    pub emptied: Option<i64>,
}

/// What is known of a calendar.
pub struct Slots<'c> {
    calendar_id: &'c str,
    /// Keys are the start and the id. No id holds a `/`, so no list's name begins another's.
    by_start: Sorted,
}

impl<'c> Slots<'c> {
    pub fn of(calendar_id: &'c str) -> Self {
        let by_start = Sorted::named([b"l", calendar_id.as_bytes(), b"/"].concat());
        Self { calendar_id, by_start }
    }

    pub fn get(&self, known: &mut dyn Known, timeslot_id: &str) -> Option<Slot> {
        read(known, &self.key(timeslot_id))
    }

    /// Puts a slot in, and says whether it is the only one of its month.
    pub fn put(&self, known: &mut dyn Known, timeslot_id: &str, slot: &Slot) -> bool {
        keep(known, &self.key(timeslot_id), slot);
        self.by_start.put(known, &place(slot.start, timeslot_id), &[]);
        self.count(known, slot.start) == 1
    }

    /// Takes a slot out, and says whether it was the last one of its month.
    pub fn remove(&self, known: &mut dyn Known, timeslot_id: &str, start: i64) -> bool {
        known.remove(&self.key(timeslot_id));
        self.by_start.remove(known, &place(start, timeslot_id));
        self.count(known, start) == 0
    }

    /// Start and id of the earliest slot.
    pub fn first(&self, known: &mut dyn Known) -> Option<(i64, String)> {
        let (key, _) = self.by_start.at(known, 0)?;
        let (start, id) = key.split_first_chunk()?;
        Some((unordered(*start), String::from_utf8_lossy(id).into_owned()))
    }

    /// How many slots begin in the month of an instant.
    fn count(&self, known: &mut dyn Known, instant: i64) -> usize {
        let behind = self.by_start.rank(known, &ordered(month_after(instant)));
        behind - self.by_start.rank(known, &ordered(month_of(instant)))
    }

    fn key(&self, timeslot_id: &str) -> Vec<u8> {
        [b"s", self.calendar_id.as_bytes(), b"/", timeslot_id.as_bytes()].concat()
    }
}

impl Removal {
    /// Begins one, and gives it a number.
    pub fn begin(known: &mut dyn Known, calendar_id: &str, at: i64) -> u64 {
        let newest = known.get(b"n").and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        let number = newest.wrapping_add(1);
        known.put(b"n", number.to_be_bytes().to_vec());
        Self { calendar_id: calendar_id.into(), at, emptied: None }.keep(known, number);
        number
    }

    pub fn of(known: &mut dyn Known, number: u64) -> Option<Self> {
        read(known, &Self::key(number))
    }

    pub fn keep(&self, known: &mut dyn Known, number: u64) {
        keep(known, &Self::key(number), self);
    }

    pub fn end(known: &mut dyn Known, number: u64) {
        known.remove(&Self::key(number));
    }

    fn key(number: u64) -> Vec<u8> {
        [&b"w"[..], &number.to_be_bytes()].concat()
    }
}

fn read<T: DeserializeOwned>(known: &mut dyn Known, key: &[u8]) -> Option<T> {
    match known.get(key).map(serde_json::from_slice).transpose() {
        Ok(found) => found,
        Err(error) => {
            known.distrust(key, error.to_string());
            None
        }
    }
}

fn keep<T: Serialize>(known: &mut dyn Known, key: &[u8], value: &T) {
    match serde_json::to_vec(value) {
        Ok(bytes) => known.put(key, bytes),
        Err(error) => known.distrust(key, error.to_string()),
    }
}

fn place(start: i64, timeslot_id: &str) -> Vec<u8> {
    [&ordered(start)[..], timeslot_id.as_bytes()].concat()
}

/// An instant in bytes that are ordered as instants are: the sign comes first.
fn ordered(instant: i64) -> [u8; 8] {
    ((instant as u64) ^ (1 << 63)).to_be_bytes()
}

fn unordered(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ (1 << 63)) as i64
}
