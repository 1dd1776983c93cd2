//! Users as small numbers, and what a partition knows of readers.

use std::sync::Arc;

use millrace_kernel::{Known, Sorted};

/// A user, by a number that is good in one partition only: an edge of the graph costs bytes, not strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(u32);

impl Person {
    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Who has this number.
    pub fn of_number(number: u32) -> Self {
        Self(number)
    }

    /// The number of a user, given at first sight.
    pub fn of_id(known: &mut dyn Known, user_id: &str) -> Self {
        let by_id = [b"p", user_id.as_bytes()].concat();
        if let Some(number) = known.get(&by_id).and_then(|bytes| bytes.try_into().ok()) {
            return Self(u32::from_be_bytes(number));
        }
        let (newest, order) = numbered(known);
        // four thousand million users in one partition would not fit its disk anyway
        let person = Self(newest.wrapping_add(1));
        let order = digest(order, &[user_id.as_bytes(), b"/"]);
        known.put(b"n", [&person.bytes()[..], &order.to_be_bytes()].concat());
        known.put(&by_id, person.bytes().to_vec());
        known.put(&person.key(b'i'), user_id.as_bytes().to_vec());
        person
    }

    /// The user's id.
    pub fn id(self, known: &mut dyn Known) -> Arc<str> {
        let id = known.get(&self.key(b'i')).map(|bytes| String::from_utf8_lossy(bytes).into());
        id.unwrap_or_default()
    }

    /// As a key of a list, in the order of the numbers.
    pub fn bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    /// Read back.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(bytes.try_into().map_or(0, u32::from_be_bytes))
    }

    /// Where something of that kind is known of them.
    pub fn key(self, kind: u8) -> Vec<u8> {
        let [a, b, c, d] = self.bytes();
        vec![kind, a, b, c, d]
    }
}

/// A digest of who has which number: two projectors that have given the same ones have the same.
pub fn order(known: &mut dyn Known) -> u64 {
    numbered(known).1
}

/// The newest number, and the digest of all.
fn numbered(known: &mut dyn Known) -> (u32, u64) {
    let read = |bytes: &[u8]| {
        let (newest, order) = bytes.split_first_chunk()?;
        Some((u32::from_be_bytes(*newest), u64::from_be_bytes(order.try_into().ok()?)))
    };
    match known.get(b"n").map(read) {
        None => (0, FNV_BASIS),
        Some(Some(found)) => found,
        Some(None) => {
            known.distrust(b"n", "it is not how many people are known".to_owned());
            (0, FNV_BASIS)
        }
    }
}

/// Where FNV-1a of 64 bits begins.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on with a digest: FNV-1a, the same in every build. It tells apart what differs by mistake, not by intent.
pub fn digest(before: u64, parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(before, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A reader of authors of this partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// How many rows of their timeline this partition has written and not deleted.
    pub rows: usize,
    /// Their timeline may lack chirps of this partition posted before this.
    pub floor: i64,
    /// When the floor came there.
    pub floor_since: i64,
}

impl Reader {
    /// What is known of a person as a reader.
    pub fn of(known: &mut dyn Known, person: Person) -> Self {
        let read = known.get(&person.key(b'r')).and_then(Self::of_bytes);
        read.unwrap_or(Self { rows: 0, floor: i64::MIN, floor_since: i64::MIN })
    }

    /// Keeps it.
    pub fn keep(self, known: &mut dyn Known, person: Person) {
        let mut bytes = Vec::with_capacity(24);
        bytes.extend((self.rows as u64).to_be_bytes());
        bytes.extend(self.floor.to_be_bytes());
        bytes.extend(self.floor_since.to_be_bytes());
        known.put(&person.key(b'r'), bytes);
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (rows, rest) = bytes.split_first_chunk()?;
        let (floor, rest) = rest.split_first_chunk()?;
        let floor_since = i64::from_be_bytes(rest.try_into().ok()?);
        Some(Self {
            rows: u64::from_be_bytes(*rows) as usize,
            floor: i64::from_be_bytes(*floor),
            floor_since,
        })
    }

    /// The authors of this partition that a reader follows.
    pub fn authors(person: Person) -> Sorted {
        Sorted::named(person.key(b'R'))
    }

    /// Whether their timeline had a chirp posted then when an event of `at` came. If the floor has
    /// been raised since, that is not known and need not be: what is below it is deleted by the
    /// later event, whichever of the two is written first.
    pub fn had(&self, posted_at: i64, at: i64) -> bool {
        self.floor <= posted_at || self.floor_since > at
    }
}
