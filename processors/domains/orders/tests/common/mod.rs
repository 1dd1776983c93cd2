//! Short names for messages, so that tables of tests read well.

use millrace_domain_orders::messages::{CommandData, EventData, commands, events};

pub fn create(order_id: &str, user_id: &str, total: i64) -> CommandData {
    commands::CreateOrder { order_id: order_id.into(), user_id: user_id.into(), total }.into()
}

pub fn ship(order_id: &str, carrier: &str, tracking_number: &str) -> CommandData {
    ship_at(order_id, carrier, tracking_number, None)
}

pub fn ship_at(order_id: &str, carrier: &str, tracking_number: &str, shipped_at: Option<i64>) -> CommandData {
    let (order_id, carrier) = (order_id.into(), carrier.into());
    commands::ShipOrder { order_id, carrier, tracking_number: tracking_number.into(), shipped_at }.into()
}

pub fn cancel(order_id: &str, reason: Option<&str>) -> CommandData {
    commands::CancelOrder { order_id: order_id.into(), reason: reason.map(Into::into) }.into()
}

pub fn created(order_id: &str, user_id: &str, total: i64) -> EventData {
    events::OrderCreated { order_id: order_id.into(), user_id: user_id.into(), total }.into()
}

pub fn shipped(order_id: &str, carrier: &str, tracking_number: &str, shipped_at: i64) -> EventData {
    let (order_id, carrier) = (order_id.into(), carrier.into());
    events::OrderShipped { order_id, carrier, tracking_number: tracking_number.into(), shipped_at }.into()
}

pub fn cancelled(order_id: &str, reason: Option<&str>) -> EventData {
    events::OrderCancelled { order_id: order_id.into(), reason: reason.map(Into::into) }.into()
}
