//! An index answers as a map does, in memory, on pages and from what builds before have saved.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::*;
use crate::pages::{Fence, PageWriter, Room};

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (self.0 ^ (self.0 >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ (mixed >> 32)
    }
}

fn place(number: u64) -> Place {
    Place::new((number % 65_000) as u16, (1 + number % 1_000_000) * UNIT)
}

#[test]
fn a_place_is_read_as_it_was_written() {
    for (slot, offset) in [(0, 8), (u16::MAX, FILE_LIMIT - 8), (7, 4_096)] {
        let place = Place::new(slot, offset);
        assert_eq!((place.slot(), place.offset()), (slot, offset));
        for rest in [0, 1, (1 << REST_BITS) - 1, 0x000f_edcb_a987_6543] {
            let entry = Entry::new(rest, place);
            assert_eq!((entry.rest(), entry.place()), (rest, place));
        }
    }
}

/// Crowded at the ends of shards, so that tables grow and their runs collide.
#[test]
fn it_answers_as_a_map_does() {
    for (seed, hashes, apart) in [(1, 40_u64, 1), (2, 3_000, 1), (3, 3_000, 1 << 39), (4, 200_000, 1 << 33)] {
        let mut dice = Dice(seed);
        let (index, mut expected) = (Index::new(), BTreeMap::new());
        for round in 0..60 {
            let mut left = Vec::new();
            let mut should_leave = Vec::new();
            let mut moves = Vec::new();
            for number in 0..500 {
                let ends = [0, (1 << REST_BITS) - hashes * apart, 7 << REST_BITS];
                let hash = ends[(dice.roll() % 3) as usize] + dice.roll() % hashes * apart;
                let to = (!dice.roll().is_multiple_of(4)).then(|| place(round * 1_000 + number));
                let before = match to {
                    Some(to) => expected.insert(hash, to),
                    None => expected.remove(&hash),
                };
                should_leave.extend(before.map(|place| place.0));
                moves.push(Move { hash, to });
            }
            index.apply(&moves, |place| left.push(place.0));
            left.sort_unstable();
            should_leave.sort_unstable();
            assert_eq!(left, should_leave, "seed {seed}, round {round}");
        }
        assert_eq!(index.most_keys(), expected.len() as u64);
        is_as(&index, &expected, seed);
        let claims: Vec<_> = expected.iter().map(|(hash, to)| Move { hash: *hash, to: Some(*to) }).collect();
        assert_eq!(index.confirmed(&claims).unwrap().len(), claims.len());
        index.retain(|place| place.slot().is_multiple_of(2));
        expected.retain(|_, place| place.slot().is_multiple_of(2));
        let confirmed = index.confirmed(&claims).unwrap().len();
        assert_eq!(confirmed, expected.len(), "what is gone is confirmed no more");
        let saved = saved_before(&index);
        let mut seen = 0;
        let loaded = Index::load(&saved, |_| seen += 1).expect("it was saved");
        assert_eq!(seen, expected.len());
        is_as(&loaded, &expected, seed);
    }
}

fn is_as(index: &Index, expected: &BTreeMap<u64, Place>, seed: u64) {
    for (hash, place) in expected {
        assert_eq!(index.get(*hash).unwrap(), Some(*place), "seed {seed}");
        let other = hash ^ (1 << 40);
        assert_eq!(index.get(other).unwrap(), expected.get(&other).copied(), "seed {seed}");
    }
}

/// What builds before wrote of an index without pages.
fn saved_before(index: &Index) -> Vec<u8> {
    let mut saved = Vec::new();
    for shard in 0..index.shards() {
        let mut entries = Vec::new();
        let push = |entry| {
            entries.push(entry);
            Ok(())
        };
        index.each(shard, push, |_, _| ()).unwrap();
        saved.extend((entries.len() as u32).to_le_bytes());
        entries.iter().for_each(|entry| saved.extend(entry.to_bytes()));
    }
    saved
}

/// Writes pages of `index`, as a snapshot does; they, and every place that was not the newest any more.
fn paged(index: &Index, room: &Arc<Room>) -> (Arc<Pages>, Vec<u64>) {
    let mut left = Vec::new();
    let mut pages = PageWriter::new(tempfile::tempfile().unwrap());
    for shard in 0..index.shards() {
        index.each(shard, |entry| pages.put(shard, entry), |place, _| left.push(place.0.get())).unwrap();
        pages.end_shard(shard).unwrap();
    }
    let (file, fences) = pages.finish();
    let pages = Pages::new(file, 0, fences, Vec::new(), room).unwrap();
    (Arc::new(pages.expect("they are in order")), left)
}

/// Pages in memory and on disk, and more than one of a shard.
#[test]
fn on_pages_it_answers_as_a_map_does() {
    for (seed, hashes, apart, room) in
        [(1, 40_u64, 1, 0), (2, 3_000, 1, 1 << 20), (3, 3_000, 1 << 39, 0), (4, 200_000, 1 << 33, 9_000)]
    {
        let room = Arc::new(Room::new(room));
        let mut dice = Dice(seed);
        let (index, mut expected) = (Index::new(), BTreeMap::<u64, Place>::new());
        for round in 0..4 {
            let (mut should_leave, mut left) = (Vec::new(), Vec::new());
            for part in 0..20 {
                let mut moves = Vec::new();
                for number in 0..500 {
                    let ends = [0, (1 << REST_BITS) - hashes * apart, 7 << REST_BITS];
                    let hash = ends[(dice.roll() % 3) as usize] + dice.roll() % hashes * apart;
                    let new = place(round * 100_000 + part * 1_000 + number);
                    let to = (!dice.roll().is_multiple_of(3)).then_some(new);
                    let before = match to {
                        Some(to) => expected.insert(hash, to),
                        None => expected.remove(&hash),
                    };
                    should_leave.extend(before.map(|place| place.0.get()));
                    moves.push(Move { hash, to });
                }
                index.apply(&moves, |place| left.push(place.0.get()));
            }
            is_as(&index, &expected, seed);
            assert!(index.most_keys() >= expected.len() as u64);
            let claims: Vec<_> =
                expected.iter().map(|(hash, to)| Move { hash: *hash, to: Some(*to) }).collect();
            assert_eq!(index.confirmed(&claims).unwrap().len(), claims.len());
            let (pages, of_pages) = paged(&index, &room);
            left.extend(of_pages);
            left.sort_unstable();
            should_leave.sort_unstable();
            assert_eq!(left, should_leave, "seed {seed}, round {round}: each place is left once");
            index.rest_on(&pages);
            assert_eq!(index.most_keys(), expected.len() as u64);
            is_as(&index, &expected, seed);
        }
    }
}

#[test]
fn pages_that_are_not_what_was_written_are_no_answer() {
    let index = Index::new();
    let moves: Vec<_> = (1..2_000).map(|hash| Move { hash, to: Some(place(hash)) }).collect();
    index.apply(&moves, |_| ());
    let mut pages = PageWriter::new(Vec::new());
    index.each(0, |entry| pages.put(0, entry), |_, _| ()).unwrap();
    pages.end_shard(0).unwrap();
    let (mut bytes, fences) = pages.finish();
    assert!(fences.len() > 4);
    let on = |bytes: &[u8], fences: Vec<Fence>, room: u64| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Pages::new(file, 0, fences, Vec::new(), &Arc::new(Room::new(room)))
    };
    assert_eq!(
        on(&bytes, fences.clone(), 0).unwrap().unwrap().get(0, 700).unwrap().map(Entry::place),
        Some(place(700))
    );
    assert!(on(&bytes[..bytes.len() - 1], fences.clone(), 0).unwrap().is_none(), "cut off");
    assert!(on(&bytes, fences.iter().rev().copied().collect(), 0).unwrap().is_none(), "out of order");
    bytes[700 * ENTRY_BYTES] ^= 1;
    let damaged = on(&bytes, fences.clone(), 0).unwrap().unwrap();
    assert!(damaged.get(0, 3).is_ok() && damaged.get(0, 700).is_err() && damaged.shard(0).is_err());
    let room = Arc::new(Room::new(1 << 20));
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    assert!(
        Pages::new(file, 0, fences, Vec::new(), &room).is_err(),
        "what is held in memory is checked at once"
    );
    assert!(room.take(1 << 20), "and takes no room when it is not");
}

#[test]
fn what_was_not_saved_is_not_loaded() {
    let index = Index::new();
    index.apply(&[Move { hash: 3, to: Some(place(1)) }, Move { hash: 4, to: Some(place(2)) }], |_| ());
    let saved = saved_before(&index);
    assert!(Index::load(&saved[..saved.len() - 1], |_| ()).is_none(), "cut off");
    assert!(Index::load(&[&saved[..], &[0]].concat(), |_| ()).is_none(), "too long");
    let (first, second) = saved[4..28].split_at(12);
    let swapped = [&saved[..4], second, first, &saved[28..]].concat();
    assert!(Index::load(&swapped, |_| ()).is_none(), "out of order");
}
