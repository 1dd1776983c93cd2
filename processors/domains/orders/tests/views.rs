//! The tables against a pencil and the same events, whatever befalls those that write them.

use crate::common;

use std::collections::{BTreeMap, BTreeSet};

use common::*;
use millrace_domain_orders::messages::rows::{OrdersByDayRow, ShopOrdersBucketsRow, ShopOrdersRow};
use millrace_domain_orders::{CommandData, EventData, Orders};
use millrace_kernel::day::{DAY_MICROS, date, day_of};
use millrace_kernel::{Domain, Event, NoSettings};
use millrace_testkit::store::memory::MemoryStore;
use millrace_testkit::tables::{Dice, filled, rows};
use millrace_testkit::world::World;
use proptest::prelude::*;

/// What somebody tries, and for how long nothing happens before it.
#[derive(Clone, Debug)]
struct Act {
    command: CommandData,
    pause: i64,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let order = || (0u8..12).prop_map(|n| format!("o{n}"));
    let user = prop::sample::select(&["ann", "bob"][..]);
    let total = prop_oneof![8 => 1i64..100, 1 => Just(i64::MAX), 1 => Just(0)];
    let reason = prop_oneof![Just(None), Just(Some("why"))];
    let command = prop_oneof![
        5 => (order(), user, total).prop_map(|(o, u, t)| create(&o, u, t)),
        3 => order().prop_map(|o| ship(&o, "DHL", "T1")),
        2 => (order(), reason).prop_map(|(o, r)| cancel(&o, r)),
    ];
    // moments, nights and months
    let pause = prop_oneof![6 => 0i64..3, 2 => Just(DAY_MICROS - 1), 1 => Just(31 * DAY_MICROS)];
    proptest::collection::vec((command, pause).prop_map(|(command, pause)| Act { command, pause }), 1..80)
}

/// An order, from its events one after the other.
#[derive(Clone, Debug)]
struct Pencil {
    user: String,
    total: i64,
    partition: i32,
    created_at: i64,
    shipped: Option<(String, String, i64)>,
    cancelled: Option<(Option<String>, i64)>,
    version: i64,
}

impl Pencil {
    fn status(&self) -> &'static str {
        match (&self.shipped, &self.cancelled) {
            (Some(_), _) => "SHIPPED",
            (_, Some(_)) => "CANCELLED",
            _ => "CREATED",
        }
    }
}

fn pencil(events: &[(i32, Event<EventData>)]) -> BTreeMap<String, Pencil> {
    let mut orders = BTreeMap::new();
    for (partition, event) in events {
        match &event.data {
            EventData::OrderCreated(e) => {
                let order = Pencil {
                    user: e.user_id.to_string(),
                    total: e.total,
                    partition: *partition,
                    created_at: event.recorded_at,
                    shipped: None,
                    cancelled: None,
                    version: 1,
                };
                assert!(orders.insert(e.order_id.to_string(), order).is_none(), "an id is used once");
            }
            EventData::OrderShipped(e) => {
                let order: &mut Pencil = orders.get_mut(e.order_id.as_str()).unwrap();
                order.shipped = Some((e.carrier.to_string(), e.tracking_number.to_string(), e.shipped_at));
                order.version += 1;
            }
            EventData::OrderCancelled(e) => {
                let order: &mut Pencil = orders.get_mut(e.order_id.as_str()).unwrap();
                order.cancelled = Some((e.reason.as_deref().map(str::to_owned), event.recorded_at));
                order.version += 1;
            }
        }
    }
    orders
}

/// The first instant of a month, counted back day by day.
fn month(mut instant: i64) -> i64 {
    while !date(day_of(instant)).ends_with("-01") {
        instant -= DAY_MICROS;
    }
    day_of(instant) * DAY_MICROS
}

fn check(store: &MemoryStore, orders: &BTreeMap<String, Pencil>) {
    let mut expected: Vec<ShopOrdersRow> = Vec::new();
    for (id, order) in orders {
        let shipped = order.shipped.clone();
        expected.push(ShopOrdersRow {
            user_id: order.user.as_str().into(),
            bucket: month(order.created_at),
            created_at: order.created_at,
            order_id: id.as_str().into(),
            total: order.total,
            status: order.status().into(),
            carrier: shipped.as_ref().map(|it| it.0.as_str().into()),
            tracking_number: shipped.as_ref().map(|it| it.1.as_str().into()),
            shipped_at: shipped.map(|it| it.2),
            reason: order.cancelled.as_ref().and_then(|it| it.0.as_deref().map(Into::into)),
            cancelled_at: order.cancelled.as_ref().map(|it| it.1),
            version: order.version,
        });
    }
    let newest_first = |row: &ShopOrdersRow| {
        let time = std::cmp::Reverse((row.created_at, row.order_id.clone()));
        (row.user_id.clone(), row.bucket, time)
    };
    expected.sort_by_key(newest_first);
    let found = rows(store, ShopOrdersRow::TABLE, ShopOrdersRow::from_values);
    assert_eq!(found, expected);

    // a user's orders, read bucket after bucket, are all of them, newest first
    let named = rows(store, ShopOrdersBucketsRow::TABLE, ShopOrdersBucketsRow::from_values);
    let named: BTreeSet<(String, i64)> =
        named.into_iter().map(|row| (row.user_id.to_string(), row.bucket)).collect();
    assert_eq!(named, expected.iter().map(|row| (row.user_id.to_string(), row.bucket)).collect());

    let mut sums: BTreeMap<(String, &str, i32), (i64, i128)> = BTreeMap::new();
    for order in orders.values() {
        let day = date(day_of(order.created_at));
        // also where none is left in the state in which all begin
        sums.entry((day.clone(), "CREATED", order.partition)).or_default();
        let sum = sums.entry((day, order.status(), order.partition)).or_default();
        *sum = (sum.0 + 1, sum.1 + i128::from(order.total));
    }
    let most = i128::from(i64::MAX);
    let mut expected: Vec<OrdersByDayRow> = sums
        .into_iter()
        .map(|((day, status, source_partition), (count, total))| OrdersByDayRow {
            day: day.as_str().into(),
            status: status.into(),
            source_partition,
            count,
            total: total.min(most) as i64,
        })
        .collect();
    let mut found = rows(store, OrdersByDayRow::TABLE, OrdersByDayRow::from_values);
    let key = |row: &OrdersByDayRow| (row.day.clone(), row.status.clone(), row.source_partition);
    expected.sort_by_key(key);
    found.sort_by_key(key);
    assert_eq!(found, expected);
}

proptest! {
    #[test]
    fn tables_are_what_a_pencil_says(acts in acts(), partitions in 1i32..5, seed in any::<u64>()) {
        let mut world = World::<Orders>::new(partitions);
        for act in acts {
            world.tick(act.pause);
            world.command(act.command);
        }
        let store = filled::<Orders>(world.events(), &NoSettings {}, partitions, &mut Dice::new(seed));
        check(&store, &pencil(world.events()));
    }
}

/// A status change moves an order from one row to another of the day on which it was created.
#[test]
fn an_order_that_ends_later_is_counted_on_its_own_day() {
    let mut world = World::<Orders>::new(1);
    world.command(create("o1", "ann", 500));
    world.command(create("o2", "bob", 70));
    world.tick(DAY_MICROS);
    world.command(ship("o1", "DHL", "T1"));
    world.command(create("o3", "ann", 9));
    world.tick(DAY_MICROS);
    world.command(cancel("o2", None));
    let store = filled::<Orders>(world.events(), &NoSettings {}, 1, &mut Dice::new(3));
    let mut found: Vec<(String, String, i64, i64)> =
        rows(&store, OrdersByDayRow::TABLE, OrdersByDayRow::from_values)
            .into_iter()
            .map(|row| (row.day.to_string(), row.status.to_string(), row.count, row.total))
            .collect();
    found.sort();
    let row = |day: &str, status: &str, count, total| (day.to_owned(), status.to_owned(), count, total);
    let expected = [
        row("2023-11-14", "CANCELLED", 1, 70),
        row("2023-11-14", "CREATED", 0, 0),
        row("2023-11-14", "SHIPPED", 1, 500),
        row("2023-11-15", "CREATED", 1, 9),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_days_are_a_family_of_their_own() {
    let families: Vec<(&str, &[&str])> =
        Orders::projections(&NoSettings {}).iter().map(|it| (it.name, it.views)).collect();
    let shop: &[&str] = &[ShopOrdersRow::TABLE, ShopOrdersBucketsRow::TABLE];
    assert_eq!(families, [("shop", shop), ("days", &[OrdersByDayRow::TABLE])]);
}
