//! What came in and went out on a day, against adding up by hand; a family of its own.

use crate::common;

use std::collections::BTreeMap;

use common::bank::{Bank, acts};
use common::*;
use millrace_domain_accounting::messages::rows::DailyTotalsRow;
use millrace_domain_accounting::{Accounting, EventData};
use millrace_kernel::{Domain, Event, NoSettings};
use millrace_testkit::given::EPOCH;
use millrace_testkit::tables::{Dice, filled, rows};
use millrace_testkit::world::{Answer, World};
use proptest::prelude::*;

const DAY_MICROS: i64 = 86_400_000_000;

/// (day, currency, partition) → (deposits, withdrawals), which the tables of dates say of `days`.
fn by_hand(events: &[(i32, Event<EventData>)]) -> BTreeMap<(i64, String, i32), (i128, i128)> {
    let mut totals: BTreeMap<_, (i128, i128)> = BTreeMap::new();
    for (partition, event) in events {
        let day = event.recorded_at / DAY_MICROS;
        match &event.data {
            EventData::MoneyDeposited(e) => {
                totals.entry((day, e.currency.to_string(), *partition)).or_default().0 +=
                    i128::from(e.amount);
            }
            EventData::MoneyWithdrawn(e) => {
                totals.entry((day, e.currency.to_string(), *partition)).or_default().1 +=
                    i128::from(e.amount);
            }
            _ => {}
        }
    }
    totals
}

/// The date of a day shortly after the epoch of the tests, 2023-11-14.
fn date(day: i64) -> String {
    let of_november = 14 + day - EPOCH / DAY_MICROS;
    assert!((14..=30).contains(&of_november), "the histories end in November");
    format!("2023-11-{of_november}")
}

proptest! {
    #[test]
    fn totals_are_what_adding_up_says(
        acts in acts(100),
        nights in proptest::collection::btree_set(0usize..100, 0..4),
        partitions in 1i32..5,
        seed in any::<u64>(),
    ) {
        let mut bank = Bank::new(partitions);
        for (index, act) in acts.iter().enumerate() {
            if nights.contains(&index) {
                bank.world.tick(DAY_MICROS - 3);
            }
            bank.act(act);
        }
        bank.world.settle();
        let store = filled::<Accounting>(bank.world.events(), &NoSettings {}, partitions, &mut Dice::new(seed));
        let most = i128::from(i64::MAX);
        let mut expected: Vec<_> = by_hand(bank.world.events())
            .into_iter()
            .map(|((day, currency, partition), (paid_in, paid_out))| {
                (date(day), currency, partition, paid_in.min(most) as i64, paid_out.min(most) as i64)
            })
            .collect();
        expected.sort();
        let mut found: Vec<_> = rows(&store, DailyTotalsRow::TABLE, DailyTotalsRow::from_values)
            .into_iter()
            .map(|r| (r.day.to_string(), r.currency.to_string(), r.source_partition, r.deposits, r.withdrawals))
            .collect();
        found.sort();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn transfers_are_neither_and_partitions_are_summed_by_the_reader() {
    let mut world = World::<Accounting>::new(4);
    for command in [
        open("ann", "u", "EUR"),
        open("bob", "u", "EUR"),
        open("yen", "u", "JPY"),
        deposit("ann", 100, "EUR"),
        deposit("bob", 11, "EUR"),
        deposit("yen", 7, "JPY"),
        transfer("t1", "ann", "bob", 60, "EUR"),
        withdraw("bob", 70, "EUR"),
    ] {
        assert_eq!(world.command(command), Answer::Accepted);
    }
    world.tick(DAY_MICROS);
    assert_eq!(world.command(deposit("ann", 1, "EUR")), Answer::Accepted);
    let store = filled::<Accounting>(world.events(), &NoSettings {}, 4, &mut Dice::new(1));
    let mut sums: BTreeMap<(String, String), (i64, i64)> = BTreeMap::new();
    for row in rows(&store, DailyTotalsRow::TABLE, DailyTotalsRow::from_values) {
        let sum = sums.entry((row.day.to_string(), row.currency.to_string())).or_default();
        *sum = (sum.0 + row.deposits, sum.1 + row.withdrawals);
    }
    let key = |day: &str, currency: &str| (day.to_owned(), currency.to_owned());
    let expected = BTreeMap::from([
        (key("2023-11-14", "EUR"), (111, 70)),
        (key("2023-11-14", "JPY"), (7, 0)),
        (key("2023-11-15", "EUR"), (1, 0)),
    ]);
    assert_eq!(sums, expected);
}

#[test]
fn more_than_a_number_holds_is_shown_as_the_most() {
    let mut world = World::<Accounting>::new(1);
    for name in ["a", "b"] {
        assert_eq!(world.command(open(name, "u", "EUR")), Answer::Accepted);
        assert_eq!(world.command(deposit(name, i64::MAX, "EUR")), Answer::Accepted);
    }
    let store = filled::<Accounting>(world.events(), &NoSettings {}, 1, &mut Dice::new(1));
    let rows = rows(&store, DailyTotalsRow::TABLE, DailyTotalsRow::from_values);
    assert_eq!((rows.len(), rows[0].deposits, rows[0].withdrawals), (1, i64::MAX, 0));
}

#[test]
fn it_is_a_family_of_its_own() {
    let families = Accounting::projections(&NoSettings::default());
    let of: Vec<&str> =
        families.iter().filter(|f| f.views.contains(&DailyTotalsRow::TABLE)).map(|f| f.name).collect();
    assert_eq!(of, ["totals"]);
    let other = families.iter().find(|family| family.name == "accounts").expect("the other family");
    assert!(!other.views.contains(&DailyTotalsRow::TABLE));
}
