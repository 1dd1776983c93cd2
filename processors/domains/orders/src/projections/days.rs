//! Projection `days`: how many orders of a day are in which state, and what they come to.
//!
//! A day is that of UTC on which an order was created, by `recorded_at`, and an order stays there: shipped or cancelled
//! later, it is counted among the shipped or cancelled orders *of that day*. So the three rows of a day always add up to
//! all that was ordered on it. A day's orders lie in every partition, so each writes absolute rows and the reader of the
//! table adds them up.

use millrace_kernel::day::{date, day_of};
use millrace_kernel::{Event, Keeps, Known, Projection, StagedProjector, Writes};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::shop::order_id;
use crate::messages::EventData;
use crate::messages::rows::OrdersByDayRow;
use crate::order::{CANCELLED, CREATED, SHIPPED};

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "days",
        views: &[OrdersByDayRow::TABLE],
        revision: "1".to_owned(),
        projector: Box::new(|partition| Box::new(Days { partition })),
    }
}

/// Knows of every order that has not ended its day and total, and of every day its sums.
struct Days {
    partition: i32,
}

/// An order that may still be shipped or cancelled.
#[derive(Serialize, Deserialize)]
struct Open {
    /// Days since the epoch.
    day: i64,
    total: i64,
}

/// Of one day and status. Two orders may come to more together than a total can be.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Sum {
    count: i64,
    total: i128,
}

/// Of one day.
#[derive(Default, Serialize, Deserialize)]
struct Sums {
    created: Sum,
    shipped: Sum,
    cancelled: Sum,
}

impl Sum {
    fn add(&mut self, count: i64, total: i64) {
        self.count += count;
        self.total += i128::from(count) * i128::from(total);
    }
}

/// What is known under `key`, if it can be read.
fn known_of<T: DeserializeOwned>(known: &mut dyn Known, key: &[u8]) -> Option<T> {
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

impl Days {
    fn row(&self, day: i64, status: &str, sum: Sum) -> OrdersByDayRow {
        OrdersByDayRow {
            day: date(day).into(),
            status: status.into(),
            source_partition: self.partition,
            count: sum.count,
            total: i64::try_from(sum.total).unwrap_or(i64::MAX),
        }
    }
}

impl StagedProjector<EventData> for Days {
    fn keeps(&self) -> Keeps {
        Keeps::ByKey
    }

    fn stage(&mut self, event: &Event<EventData>, known: &mut dyn Known, writes: &mut Writes) {
        let order_key = [b"o", order_id(&event.data).as_bytes()].concat();
        let order = match &event.data {
            EventData::OrderCreated(e) => {
                let order = Open { day: day_of(event.recorded_at), total: e.total };
                keep(known, &order_key, &order);
                order
            }
            EventData::OrderShipped(_) | EventData::OrderCancelled(_) => {
                let Some(order) = known_of::<Open>(known, &order_key) else { return };
                known.remove(&order_key);
                order
            }
        };
        let day_key = [&b"d"[..], &order.day.to_be_bytes()].concat();
        let mut sums: Sums = known_of(known, &day_key).unwrap_or_default();
        match &event.data {
            EventData::OrderCreated(_) => sums.created.add(1, order.total),
            EventData::OrderShipped(_) => {
                sums.created.add(-1, order.total);
                sums.shipped.add(1, order.total);
                writes.push(self.row(order.day, SHIPPED, sums.shipped).put(event.recorded_at));
            }
            EventData::OrderCancelled(_) => {
                sums.created.add(-1, order.total);
                sums.cancelled.add(1, order.total);
                writes.push(self.row(order.day, CANCELLED, sums.cancelled).put(event.recorded_at));
            }
        }
        keep(known, &day_key, &sums);
        writes.push(self.row(order.day, CREATED, sums.created).put(event.recorded_at));
    }
}
