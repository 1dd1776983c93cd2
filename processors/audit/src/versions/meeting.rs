//! Rows of two tables that are read in the same order, one page of either at a time.

use std::collections::HashMap;

use millrace_kernel::Value;

/// One of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Old = 0,
    New = 1,
}

/// Rows that have not met their like in the other table yet.
pub(super) struct Meeting {
    key_columns: usize,
    alone: [HashMap<Vec<Value>, Vec<Value>>; 2],
}

impl Meeting {
    pub(super) fn new(key_columns: usize) -> Self {
        Self { key_columns, alone: Default::default() }
    }

    /// The table to read on in: the one that is behind, of those that go on. The one whose rows wait
    /// has been read further.
    pub(super) fn next_to_read(&self, after: &[Option<Vec<Value>>; 2]) -> Option<Side> {
        let goes_on = |side: Side| after[side as usize].is_some();
        let waiting = |side: Side| self.alone[side as usize].len();
        match (goes_on(Side::Old), goes_on(Side::New)) {
            (false, false) => None,
            (true, false) => Some(Side::Old),
            (false, true) => Some(Side::New),
            (true, true) if waiting(Side::New) < waiting(Side::Old) => Some(Side::New),
            (true, true) => Some(Side::Old),
        }
    }

    /// Takes in rows of one table. Those that the other has likewise are done with.
    pub(super) fn take(&mut self, side: Side, rows: Vec<Vec<Value>>) {
        let other = 1 - side as usize;
        for row in rows {
            let key = &row[..self.key_columns];
            match self.alone[other].get(key) {
                Some(like) if *like == row => {
                    self.alone[other].remove(key);
                }
                // another row of the same key waits on the other side: it stays a suspect
                Some(_) => {}
                None => {
                    self.alone[side as usize].insert(key.to_vec(), row);
                }
            }
        }
    }

    /// How many rows wait.
    pub(super) fn alone(&self) -> usize {
        self.alone.iter().map(HashMap::len).sum()
    }

    /// The keys of all that wait, which do so no longer.
    pub(super) fn drain(&mut self) -> Vec<Vec<Value>> {
        self.alone.iter_mut().flat_map(|alone| alone.drain().map(|(key, _)| key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: i64, value: i64) -> Vec<Value> {
        vec![Value::BigInt(key), Value::BigInt(value)]
    }

    #[test]
    fn what_both_have_is_done_with_and_the_rest_waits() {
        let mut meeting = Meeting::new(1);
        meeting.take(Side::Old, vec![row(1, 1), row(2, 2), row(3, 3)]);
        meeting.take(Side::New, vec![row(1, 1), row(3, 4), row(5, 5)]);
        let mut keys = meeting.drain();
        keys.sort();
        assert_eq!(keys, [2, 3, 5].map(|key| vec![Value::BigInt(key)]));
        assert_eq!(meeting.alone(), 0);
    }

    #[test]
    fn the_table_that_is_behind_is_read_on() {
        let mut meeting = Meeting::new(1);
        let both = [Some(Vec::new()), Some(Vec::new())];
        assert_eq!(meeting.next_to_read(&both), Some(Side::Old));
        meeting.take(Side::Old, vec![row(1, 1)]);
        assert_eq!(meeting.next_to_read(&both), Some(Side::New));
        assert_eq!(meeting.next_to_read(&[Some(Vec::new()), None]), Some(Side::Old));
        assert_eq!(meeting.next_to_read(&[None, None]), None);
    }
}
