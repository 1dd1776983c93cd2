//! Ordered lists in pieces, for what a projector knows of one key: an audience, a history.
//!
//! A list of any length is a tree of pieces of a few kilobytes, each a value of [`Known`]: a change writes the pieces on
//! one way from the root, and a place in the list is found by counts (a B+ tree with ranks; Knuth, *The Art of Computer
//! Programming* 3, 6.2.3 and 6.2.4).

use std::ops::Range;

use crate::known::Known;

/// Pieces are cut in two when they have more bytes.
const PIECE_BYTES: usize = 4_096;
/// The kind of a piece, and in the root the number of the next one.
const HEAD: usize = 5;
const LEAF: u8 = 0;
const INNER: u8 = 1;
const ROOT: u32 = 0;

/// A list under a name of its own. It holds nothing itself, so that making one costs nothing.
#[derive(Clone, Debug)]
pub struct Sorted {
    name: Vec<u8>,
    piece_bytes: usize,
}

/// Some items of a list, or, in an inner one, the pieces below it: each by a key that is not more than any key in it and
/// more than any before, with its number and its count of items.
struct Piece(Vec<u8>);

/// Where an item is in its piece. The value of an inner one is number and count.
#[derive(Clone)]
struct Item {
    begin: usize,
    key: Range<usize>,
    value: Range<usize>,
}

/// What was cut off a piece, and how many items are left in that.
struct Cut {
    key: Vec<u8>,
    number: u32,
    count: u32,
    left: u32,
}

/// Gets the items of a list, with all else that is known, and says whether it wants more.
pub type Each<'a> = &'a mut dyn FnMut(&mut dyn Known, &[u8], &[u8]) -> bool;

impl Sorted {
    /// The list of this name, which is not the beginning of any other name or key.
    #[must_use]
    pub fn named(name: Vec<u8>) -> Self {
        Self { name, piece_bytes: PIECE_BYTES }
    }

    /// The same in pieces of at most so many bytes, as long as items fit.
    #[must_use]
    pub fn in_pieces_of(self, piece_bytes: usize) -> Self {
        Self { piece_bytes, ..self }
    }

    /// How many items there are.
    pub fn len(&self, known: &mut dyn Known) -> usize {
        self.piece(known, ROOT).map_or(0, |root| root.total() as usize)
    }

    /// The value of `key`.
    pub fn get(&self, known: &mut dyn Known, key: &[u8]) -> Option<Vec<u8>> {
        let mut piece = self.piece(known, ROOT)?;
        while piece.is_inner() {
            let child = piece.child_of(key)?;
            piece = self.piece(known, piece.number(&child))?;
        }
        let item = piece.find(key).ok()?;
        Some(piece.0[item.value].to_vec())
    }

    /// How many keys are less than `key`: the place where it stands, or would.
    pub fn rank(&self, known: &mut dyn Known, key: &[u8]) -> usize {
        let mut rank = 0;
        let Some(mut piece) = self.piece(known, ROOT) else { return 0 };
        while piece.is_inner() {
            let Some(child) = piece.child_of(key) else { return rank };
            let before = piece.items().take_while(|item| item.begin < child.begin);
            rank += before.map(|item| piece.count(&item) as usize).sum::<usize>();
            let Some(below) = self.piece(known, piece.number(&child)) else { return rank };
            piece = below;
        }
        rank + piece.items().take_while(|item| &piece.0[item.key.clone()] < key).count()
    }

    /// The item at a place.
    pub fn at(&self, known: &mut dyn Known, place: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let (leaf, within) = self.leaf_at(known, place)?;
        let item = leaf.items().nth(within)?;
        Some((leaf.0[item.key].to_vec(), leaf.0[item.value].to_vec()))
    }

    /// Gives the items from a place on to `each`, in their order, as long as it wants more. It may change anything but
    /// this list.
    pub fn walk(&self, known: &mut dyn Known, from: usize, each: Each<'_>) {
        let mut place = from;
        while let Some((leaf, within)) = self.leaf_at(known, place) {
            for item in leaf.items().skip(within) {
                if !each(known, &leaf.0[item.key], &leaf.0[item.value]) {
                    return;
                }
                place += 1;
            }
        }
    }

    /// The same backwards, from the item before a place to the first one.
    pub fn walk_back(&self, known: &mut dyn Known, before: usize, each: Each<'_>) {
        let mut place = before;
        while let Some((leaf, within)) = place.checked_sub(1).and_then(|last| self.leaf_at(known, last)) {
            let items: Vec<Item> = leaf.items().take(within + 1).collect();
            for item in items.into_iter().rev() {
                if !each(known, &leaf.0[item.key], &leaf.0[item.value]) {
                    return;
                }
                place -= 1;
            }
        }
    }

    /// Puts `value` under `key`, in place of what was there.
    pub fn put(&self, known: &mut dyn Known, key: &[u8], value: &[u8]) {
        let mut root = self.piece(known, ROOT).unwrap_or_else(|| Piece::new(LEAF, ROOT + 1));
        let mut next = root.next();
        let (_, cut) = self.put_into(known, &mut root, (key, value), &mut next);
        if let Some(cut) = cut {
            // the root keeps its number, and what it held goes one further down
            let mut above = Piece::new(INNER, next + 1);
            above.add_child(HEAD, &[], next, cut.left);
            above.add_child(above.0.len(), &cut.key, cut.number, cut.count);
            known.put(&self.key(next), root.0);
            root = above;
        } else {
            root.set_next(next);
        }
        known.put(&self.key(ROOT), root.0);
    }

    /// Takes `key` out; its value.
    pub fn remove(&self, known: &mut dyn Known, key: &[u8]) -> Option<Vec<u8>> {
        let mut root = self.piece(known, ROOT)?;
        let removed = self.remove_from(known, &mut root, key)?;
        while let Some(only) = root.only_child() {
            let Some(mut below) = self.piece(known, only) else { break };
            known.remove(&self.key(only));
            below.set_next(root.next());
            root = below;
        }
        match root.is_empty() {
            true => known.remove(&self.key(ROOT)),
            false => known.put(&self.key(ROOT), root.0),
        }
        Some(removed)
    }

    fn key(&self, number: u32) -> Vec<u8> {
        [&self.name[..], &number.to_be_bytes()].concat()
    }

    fn piece(&self, known: &mut dyn Known, number: u32) -> Option<Piece> {
        known.get(&self.key(number)).map(|bytes| Piece(bytes.to_vec()))
    }

    /// The leaf that holds a place, and how many of its items are before that.
    fn leaf_at(&self, known: &mut dyn Known, place: usize) -> Option<(Piece, usize)> {
        let mut within = place;
        let mut piece = self.piece(known, ROOT)?;
        while piece.is_inner() {
            let child = piece.items().find(|item| {
                let count = piece.count(item) as usize;
                let is_it = within < count;
                if !is_it {
                    within -= count;
                }
                is_it
            });
            piece = self.piece(known, piece.number(&child?))?;
        }
        (within < piece.items().count()).then_some((piece, within))
    }

    /// Puts an item into `piece` or below it, which the caller writes: whether there is one more, and what was cut off.
    fn put_into(
        &self,
        known: &mut dyn Known,
        piece: &mut Piece,
        (key, value): (&[u8], &[u8]),
        next: &mut u32,
    ) -> (bool, Option<Cut>) {
        let grew;
        let mut is_at_end = false;
        if piece.is_inner() {
            let Some(child) = piece.child_of(key) else { return (false, None) };
            let number = piece.number(&child);
            // who reads a piece that is missing is told by `known`, and nothing of this is used
            let Some(mut below) = self.piece(known, number) else { return (false, None) };
            let (more, cut) = self.put_into(known, &mut below, (key, value), next);
            grew = more;
            known.put(&self.key(number), below.0);
            let count = piece.count(&child) + u32::from(grew);
            piece.set_count(&child, cut.as_ref().map_or(count, |cut| cut.left));
            if let Some(cut) = cut {
                is_at_end = child.value.end == piece.0.len();
                piece.add_child(child.value.end, &cut.key, cut.number, cut.count);
            }
        } else {
            (grew, is_at_end) = piece.put_item(key, value);
        }
        if piece.0.len() <= self.piece_bytes {
            return (grew, None);
        }
        (grew, self.cut(known, piece, is_at_end, next))
    }

    /// Cuts a piece in two: in the middle, or, where items come at the end, before the last one, so that what is behind
    /// stays full.
    fn cut(&self, known: &mut dyn Known, piece: &mut Piece, is_at_end: bool, next: &mut u32) -> Option<Cut> {
        let middle = (HEAD + piece.0.len()) / 2;
        let items: Vec<Item> = piece.items().collect();
        let at = match is_at_end {
            true => items.len().saturating_sub(1),
            false => items.iter().position(|item| item.begin >= middle).unwrap_or(items.len() - 1),
        };
        let first = items.get(at).filter(|_| at > 0)?;
        let key = piece.0[first.key.clone()].to_vec();
        let mut latter = Piece::new(piece.0[0], 0);
        latter.0.extend_from_slice(&piece.0[first.begin..]);
        piece.0.truncate(first.begin);
        let cut = Cut { key, number: *next, count: latter.total(), left: piece.total() };
        *next += 1;
        known.put(&self.key(cut.number), latter.0);
        Some(cut)
    }

    /// Takes an item out of `piece` or from below it, which the caller writes.
    fn remove_from(&self, known: &mut dyn Known, piece: &mut Piece, key: &[u8]) -> Option<Vec<u8>> {
        if !piece.is_inner() {
            let item = piece.find(key).ok()?;
            let value = piece.0[item.value.clone()].to_vec();
            piece.0.drain(item.begin..item.value.end);
            return Some(value);
        }
        let child = piece.child_of(key)?;
        let number = piece.number(&child);
        let mut below = self.piece(known, number)?;
        let removed = self.remove_from(known, &mut below, key)?;
        piece.set_count(&child, piece.count(&child) - 1);
        if below.is_empty() {
            piece.0.drain(child.begin..child.value.end);
            known.remove(&self.key(number));
        } else if below.0.len() < self.piece_bytes / 4 {
            self.join(known, piece, &child, below);
        } else {
            known.put(&self.key(number), below.0);
        }
        Some(removed)
    }

    /// Writes a piece that has become small, with a neighbour where both fit into one.
    fn join(&self, known: &mut dyn Known, above: &mut Piece, child: &Item, piece: Piece) {
        let items: Vec<Item> = above.items().collect();
        let at = items.iter().position(|item| item.begin == child.begin).unwrap_or(0);
        let pair = match at {
            _ if items.len() < 2 => None,
            0 => Some((0, 1)),
            _ => Some((at - 1, at)),
        };
        let other = pair.map(|(former, latter)| if at == former { latter } else { former });
        let other = other.and_then(|other| self.piece(known, above.number(&items[other])));
        if let (Some((former, latter)), Some(other)) = (pair, other)
            && other.0.len() + piece.0.len() <= self.piece_bytes / 4 * 3
        {
            let (mut whole, rest) = if at == former { (piece, other) } else { (other, piece) };
            whole.0.extend_from_slice(&rest.0[HEAD..]);
            let count = above.count(&items[former]) + above.count(&items[latter]);
            known.put(&self.key(above.number(&items[former])), whole.0);
            known.remove(&self.key(above.number(&items[latter])));
            above.set_count(&items[former], count);
            above.0.drain(items[latter].begin..items[latter].value.end);
        } else {
            known.put(&self.key(above.number(child)), piece.0);
        }
    }
}

impl Piece {
    fn new(kind: u8, next: u32) -> Self {
        let mut piece = Self(vec![kind; HEAD]);
        piece.set_next(next);
        piece
    }

    fn is_inner(&self) -> bool {
        self.0.first() == Some(&INNER)
    }

    fn is_empty(&self) -> bool {
        self.0.len() <= HEAD
    }

    fn next(&self) -> u32 {
        self.word(1)
    }

    fn set_next(&mut self, next: u32) {
        self.0[1..HEAD].copy_from_slice(&next.to_be_bytes());
    }

    fn word(&self, at: usize) -> u32 {
        let bytes = self.0.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_be_bytes)
    }

    /// All items in their order; those before a place that makes no sense.
    fn items(&self) -> impl Iterator<Item = Item> {
        let mut begin = HEAD;
        std::iter::from_fn(move || {
            let mut at = begin;
            let key = self.length(&mut at)?;
            let value = if self.is_inner() { 8 } else { self.length(&mut at)? };
            let (key, value) = (at..at.checked_add(key)?, at + key..(at + key).checked_add(value)?);
            if value.end > self.0.len() {
                return None;
            }
            let item = Item { begin, key, value };
            begin = item.value.end;
            Some(item)
        })
    }

    /// A length in seven bits a byte, the lowest first.
    fn length(&self, at: &mut usize) -> Option<usize> {
        let mut length = 0;
        for shift in (0..35).step_by(7) {
            let byte = *self.0.get(*at)?;
            *at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(length);
            }
        }
        None
    }

    /// The item of `key`, or where one would stand.
    fn find(&self, key: &[u8]) -> Result<Item, usize> {
        match self.items().find(|item| &self.0[item.key.clone()] >= key) {
            Some(item) if self.0[item.key.clone()] == *key => Ok(item),
            Some(item) => Err(item.begin),
            None => Err(self.0.len()),
        }
    }

    /// The piece below in which `key` is, if anywhere.
    fn child_of(&self, key: &[u8]) -> Option<Item> {
        let mut items = self.items();
        let mut found = items.next()?;
        for item in items {
            if &self.0[item.key.clone()] > key {
                break;
            }
            found = item;
        }
        Some(found)
    }

    fn only_child(&self) -> Option<u32> {
        let mut items = self.items();
        let only = items.next().filter(|_| self.is_inner())?;
        items.next().is_none().then(|| self.number(&only))
    }

    fn number(&self, child: &Item) -> u32 {
        self.word(child.value.start)
    }

    fn count(&self, child: &Item) -> u32 {
        self.word(child.value.start + 4)
    }

    fn set_count(&mut self, child: &Item, count: u32) {
        self.0[child.value.start + 4..child.value.end].copy_from_slice(&count.to_be_bytes());
    }

    /// How many items there are here and below.
    fn total(&self) -> u32 {
        match self.is_inner() {
            true => self.items().map(|child| self.count(&child)).sum(),
            false => self.items().count() as u32,
        }
    }

    fn add_child(&mut self, at: usize, key: &[u8], number: u32, count: u32) {
        let mut bytes = Vec::with_capacity(key.len() + 10);
        write_length(&mut bytes, key.len());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
        self.0.splice(at..at, bytes);
    }

    /// Puts an item in: whether there is one more now, and whether it is the last one.
    fn put_item(&mut self, key: &[u8], value: &[u8]) -> (bool, bool) {
        let mut bytes = Vec::with_capacity(key.len() + value.len() + 4);
        write_length(&mut bytes, key.len());
        write_length(&mut bytes, value.len());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        let place = match self.find(key) {
            Ok(item) => item.begin..item.value.end,
            Err(at) => at..at,
        };
        let (grew, is_at_end) = (place.is_empty(), place.end == self.0.len());
        self.0.splice(place, bytes);
        (grew, is_at_end)
    }
}

fn write_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::known::InMemory;

    #[derive(Clone, Debug)]
    enum Act {
        Put(u16, usize),
        Remove(u16),
        /// A run of keys, as time or numbers give them.
        Append(u8),
        /// What is oldest, or newest, goes first.
        RemoveFirst(u8),
        RemoveLast(u8),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => (0..400_u16, 0..60_usize).prop_map(|(key, length)| Act::Put(key, length)),
            3 => (0..400_u16).prop_map(Act::Remove),
            1 => (0..60_u8).prop_map(Act::Append),
            1 => (0..60_u8).prop_map(Act::RemoveFirst),
            1 => (0..60_u8).prop_map(Act::RemoveLast),
        ]
    }

    fn key(number: u16) -> Vec<u8> {
        // of several lengths, in the order of the numbers
        let mut key = number.to_be_bytes().to_vec();
        key.extend(std::iter::repeat_n(b'x', usize::from(number % 7)));
        key
    }

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;

    fn check(list: &Sorted, known: &mut InMemory, model: &Model) {
        assert_eq!(list.len(known), model.len());
        let mut all = Vec::new();
        list.walk(known, 0, &mut |_, key, value| {
            all.push((key.to_vec(), value.to_vec()));
            true
        });
        let expected: Vec<_> = model.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        assert_eq!(all, expected);
        let mut back = Vec::new();
        list.walk_back(known, model.len(), &mut |_, key, value| {
            back.push((key.to_vec(), value.to_vec()));
            true
        });
        back.reverse();
        assert_eq!(back, expected);
        for place in [0, model.len() / 2, model.len()] {
            assert_eq!(list.at(known, place), expected.get(place).cloned(), "{place}");
        }
        for number in [0, 17, 200, 399, 500] {
            let key = key(number);
            assert_eq!(list.get(known, &key), model.get(&key).cloned());
            assert_eq!(list.rank(known, &key), model.range(..key.clone()).count());
        }
    }

    proptest! {
        #[test]
        fn it_is_an_ordered_map_with_places(acts in vec(act(), 1..120), bytes in 64..400_usize) {
            let (list, mut known, mut model) = (Sorted::named(b"f1".to_vec()).in_pieces_of(bytes), InMemory::default(), Model::new());
            let known: &mut InMemory = &mut known;
            let mut newest = 400;
            for act in acts {
                let put = |known: &mut InMemory, model: &mut Model, number: u16, length: usize| {
                    list.put(known, &key(number), &vec![number as u8; length]);
                    model.insert(key(number), vec![number as u8; length]);
                };
                let remove = |known: &mut InMemory, model: &mut Model, key: &[u8]| {
                    assert_eq!(list.remove(known, key), model.remove(key));
                };
                match act {
                    Act::Put(number, length) => put(known, &mut model, number, length),
                    Act::Remove(number) => remove(known, &mut model, &key(number)),
                    Act::Append(count) => for _ in 0..count {
                        put(known, &mut model, newest, 10);
                        newest += 1;
                    },
                    Act::RemoveFirst(count) => for _ in 0..count {
                        if let Some(key) = model.keys().next().cloned() {
                            remove(known, &mut model, &key);
                        }
                    },
                    Act::RemoveLast(count) => for _ in 0..count {
                        if let Some(key) = model.keys().next_back().cloned() {
                            remove(known, &mut model, &key);
                        }
                    },
                }
            }
            check(&list, known, &model);
            for key in model.keys().cloned().collect::<Vec<_>>() {
                assert_eq!(list.remove(known, &key), model.remove(&key));
            }
            prop_assert!(known.is_empty(), "nothing is left of an empty list");
        }
    }

    #[test]
    fn what_comes_at_the_end_leaves_full_pieces_behind() {
        let (list, mut known) = (Sorted::named(b"c".to_vec()), InMemory::default());
        for number in 0..20_000_u32 {
            list.put(&mut known, &number.to_be_bytes(), &[7; 90]);
        }
        assert_eq!(list.len(&mut known), 20_000);
        let full = 20_000 * (4 + 90 + 2) / PIECE_BYTES;
        assert!(known.len() < full + full / 8, "{} pieces, {full} would be full", known.len());
        assert_eq!(list.rank(&mut known, &12_345_u32.to_be_bytes()), 12_345);
    }
}
