//! Histories nobody thought of, against the store in memory.

use millrace_kernel::{PageQuery, Value, Write};
use millrace_ports::ViewStore;

use super::{Fixture, apply, cut, delete, page, put, query, rows, tables};
use crate::store::MemoryStore;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        // xorshift: small, and good enough to mix orders
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn place(&mut self, reader: &Value) -> Vec<Value> {
        let posted_at = self.throw(3) as i64 - 1;
        let rank = self.throw(2) as i32 - 1;
        vec![reader.clone(), posted_at.into(), rank.into(), (self.throw(2) == 0).into()]
    }

    fn write(&mut self, reader: &Value) -> Write {
        let timestamp = self.throw(6) as i64;
        let mut key = self.place(reader);
        match self.throw(5) {
            0 => delete("feed", key, timestamp),
            1 => {
                key.truncate(1 + self.throw(4) as usize);
                cut("feed", key, timestamp)
            }
            _ => {
                let body: Value = if self.throw(4) == 0 {
                    Value::Null
                } else {
                    ["a", "b", "ab"][self.throw(3) as usize].into()
                };
                key.push(body);
                put("feed", key, timestamp)
            }
        }
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.throw(index as u64 + 1) as usize);
        }
    }
}

/// Puts, deletes and ranges with many ties end in the same rows and pages as in memory,
/// where they arrive in another order and some of them twice. A failure names its seed.
pub fn any_history_ends_as_in_memory(fixture: &Fixture) {
    let store = fixture.ready();
    let memory = MemoryStore::new();
    memory.create_tables(&tables()).expect("tables can be made");
    memory.open_tables(&tables()).expect("and opened");
    for seed in 1..=150_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let reader = Value::from(format!("reader-{seed}"));
        let length = 1 + dice.throw(20);
        let mut history: Vec<Write> = (0..length).map(|_| dice.write(&reader)).collect();
        apply(&memory, &history);
        dice.shuffle(&mut history);
        let again: Vec<Write> = history.iter().filter(|_| dice.throw(4) == 0).cloned().collect();
        history.extend(again);
        for part in history.chunks(1 + dice.throw(8) as usize) {
            apply(store, part);
        }
        let expected = rows(&memory, "feed", vec![reader.clone()]);
        assert_eq!(rows(store, "feed", vec![reader.clone()]), expected, "seed {seed}: {history:#?}");
        for _ in 0..4 {
            let place = dice.place(&reader);
            let key = 1 + dice.throw(3) as usize;
            let after = dice.throw(5 - key as u64) as usize;
            let query = PageQuery {
                after: place[key..key + after].to_vec(),
                limit: 1 + dice.throw(5) as usize,
                ..query("feed", place[..key].to_vec())
            };
            assert_eq!(page(store, &query), page(&memory, &query), "seed {seed}: {query:?}");
        }
    }
}
