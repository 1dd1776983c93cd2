//! Projection `shop`: a user's orders, newest first.
//!
//! Orders are routed by their own ids, so the orders of a user come from every partition, and none of them knows how
//! many the others have. So a bucket is not so many rows but a month of UTC: which one follows from the order alone.
//! The directory's row of a month is asked for by every order of it, whichever partition it is in: all of them write the
//! same, and it is never deleted, so it does not matter who was last.

use std::sync::Arc;

use millrace_kernel::day::month_of;
use millrace_kernel::{Event, KeyedProjector, Projection, Rows, keyed};
use serde::{Deserialize, Serialize};

use crate::messages::EventData;
use crate::messages::rows::{ShopOrdersBucketsRow, ShopOrdersRow};
use crate::order::{CANCELLED, CREATED, SHIPPED};

/// The family, for the engine.
#[must_use]
pub fn family() -> Projection<EventData> {
    Projection {
        name: "shop",
        views: &[ShopOrdersRow::TABLE, ShopOrdersBucketsRow::TABLE],
        revision: "1".to_owned(),
        projector: Box::new(|_| keyed(Shop)),
    }
}

/// Knows of every order what only its first event says.
struct Shop;

/// What rows need of an order.
#[derive(Serialize, Deserialize)]
struct Order {
    user_id: Arc<str>,
    total: i64,
    created_at: i64,
}

/// The order an event is about.
pub(super) fn order_id(event: &EventData) -> &str {
    match event {
        EventData::OrderCreated(e) => &e.order_id,
        EventData::OrderShipped(e) => &e.order_id,
        EventData::OrderCancelled(e) => &e.order_id,
    }
}

impl KeyedProjector<EventData> for Shop {
    type State = Order;

    fn key<'e>(&self, event: &'e Event<EventData>) -> Option<&'e str> {
        Some(order_id(&event.data))
    }

    fn evolve(&self, order: Option<Order>, event: &Event<EventData>) -> Option<Order> {
        match &event.data {
            EventData::OrderCreated(e) => {
                let (user_id, created_at) = (e.user_id.as_str().into(), event.recorded_at);
                Some(Order { user_id, total: e.total, created_at })
            }
            // an order ends once, so nothing that ends it needs to be known of later
            EventData::OrderShipped(_) | EventData::OrderCancelled(_) => order,
        }
    }

    fn apply(&self, order: &Order, event: &Event<EventData>, rows: &mut Rows<'_>) {
        let bucket = month_of(order.created_at);
        let mut row = ShopOrdersRow {
            user_id: order.user_id.clone(),
            bucket,
            created_at: order.created_at,
            order_id: order_id(&event.data).into(),
            total: order.total,
            status: CREATED.into(),
            carrier: None,
            tracking_number: None,
            shipped_at: None,
            reason: None,
            cancelled_at: None,
            version: event.version,
        };
        match &event.data {
            EventData::OrderCreated(_) => {
                let user_id = order.user_id.clone();
                rows.push(ShopOrdersBucketsRow { user_id, bucket }.put(event.recorded_at));
            }
            EventData::OrderShipped(e) => {
                row.status = SHIPPED.into();
                row.carrier = Some(e.carrier.as_str().into());
                row.tracking_number = Some(e.tracking_number.as_str().into());
                row.shipped_at = Some(e.shipped_at);
            }
            EventData::OrderCancelled(e) => {
                row.status = CANCELLED.into();
                row.reason = e.reason.as_ref().map(|reason| reason.as_str().into());
                row.cancelled_at = Some(event.recorded_at);
            }
        }
        rows.push(row.put(event.recorded_at));
    }
}
