//! The tables that projections write, whatever befalls those that write them.

use millrace_kernel::table::parse_tables;
use millrace_kernel::{Domain, Event, Value, Write, Writes};
use millrace_ports::ViewStore;

use crate::store::memory::MemoryStore;

/// A choice that repeats with its seed.
pub struct Dice(u64);

impl Dice {
    /// The choices of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number from 0 on that is less than `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// The domain's tables, empty.
///
/// # Panics
/// When they cannot be made.
#[must_use]
pub fn tables<D: Domain>() -> MemoryStore {
    let store = MemoryStore::new();
    let tables = parse_tables(D::SCHEMAS.views).expect("the tables can be read");
    store.create_tables(&tables).and_then(|()| store.open_tables(&tables)).expect("and be made");
    store
}

/// Tables filled by projectors that die now and then and repeat what was not acknowledged;
/// the writes arrive in any order.
///
/// # Panics
/// When a family writes what is not its own, or not with the time of the event.
#[must_use]
pub fn filled<D: Domain>(
    events: &[(i32, Event<D::Event>)],
    settings: &D::Settings,
    partitions: i32,
    dice: &mut Dice,
) -> MemoryStore {
    let mut writes: Vec<Write> = Vec::new();
    for family in D::projections(settings) {
        for partition in 0..partitions {
            let here: Vec<&Event<D::Event>> =
                events.iter().filter(|(p, _)| *p == partition).map(|(_, event)| event).collect();
            let mut acknowledged = 0;
            loop {
                let mut projector = family.standalone(partition);
                here[..acknowledged].iter().for_each(|event| projector.stage(event, &mut Writes::muted()));
                let until = acknowledged + dice.below(here.len() - acknowledged + 1);
                let until = if dice.below(3) == 0 { here.len() } else { until };
                for event in &here[acknowledged..until] {
                    let asked: Vec<Write> = projector.rows(event).into_iter().flatten().collect();
                    for write in &asked {
                        assert!(family.views.contains(&write.table()), "not this family's: {write:?}");
                        assert_eq!(
                            write.timestamp(),
                            event.recorded_at,
                            "rows carry the time of their cause"
                        );
                    }
                    writes.extend(asked);
                }
                if until == here.len() {
                    break;
                }
                acknowledged += dice.below(until - acknowledged + 1);
            }
        }
    }
    dice.shuffle(&mut writes);
    let store = tables::<D>();
    store.apply(&writes).expect("rows can be written");
    store
}

/// All rows of a table as the domain's own type, in the table's order.
///
/// # Panics
/// When one has other columns.
#[must_use]
pub fn rows<R>(store: &MemoryStore, table: &str, read: fn(Vec<Value>) -> Option<R>) -> Vec<R> {
    store.rows(table).into_iter().map(|row| read(row).expect("the row has the table's columns")).collect()
}
