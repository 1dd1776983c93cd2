//! Order: whose it is, what it comes to, and how it has ended, if it has.

use std::sync::Arc;

use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_STATE, NOT_FOUND};
use millrace_kernel::{AggregateId, Rejections, Stamp, StateReader, Violation};

use crate::messages::EventData;
use crate::messages::commands::{CancelOrder, CreateOrder, ShipOrder};
use crate::messages::events::{OrderCancelled, OrderCreated, OrderShipped};
use crate::messages::state::{Order, State};

/// The kind of aggregate.
pub const KIND: &str = "Order";

/// The status of an order that can still be shipped or cancelled.
pub const CREATED: &str = "CREATED";
/// The status of an order that is on its way, for good.
pub const SHIPPED: &str = "SHIPPED";
/// The status of an order that was taken back, for good.
pub const CANCELLED: &str = "CANCELLED";

/// `Order/<order_id>`
#[must_use]
pub fn id(order_id: &str) -> AggregateId {
    AggregateId::new(KIND, &[order_id])
}

type Kept = Option<Arc<State>>;

fn order(kept: &Kept) -> Option<&Order> {
    kept.as_deref().and_then(State::order)
}

/// Places an order.
pub(crate) fn create(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &CreateOrder,
) -> Result<OrderCreated, Rejections> {
    let order_id = &command.order_id;
    let mut rejections = Rejections::none();
    let states = rejections.permitted(actor, &command.user_id, "the user named in user_id", states);
    if rejections.well_formed("order_id", order_id) {
        rejections.require(states.is_none_or(|it| order(&it.get(&id(order_id))).is_none()), || {
            let message = format!("order id {order_id} is taken, or was once; choose another");
            Violation::on(ALREADY_EXISTS, "order_id", message)
        });
    }
    rejections.well_formed("user_id", &command.user_id);
    rejections.positive("total", command.total);
    rejections.or(|| OrderCreated {
        order_id: order_id.clone(),
        user_id: command.user_id.clone(),
        total: command.total,
    })
}

/// Sends an order on its way. It is the shop that ships, not the user, so whose order it is does not matter. Who may ship
/// learns whether it can be shipped; how an order of somebody else has ended, nobody.
pub(crate) fn ship(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &ShipOrder,
    stamp: Stamp,
) -> Result<OrderShipped, Rejections> {
    let mut rejections = Rejections::none();
    if let Some(kept) = existing(&mut rejections, states, &command.order_id) {
        let order = order(&kept);
        let is_anothers = order.is_some_and(|it| actor.is_some_and(|actor| actor != &*it.user_id));
        is_open(&mut rejections, &command.order_id, order, !is_anothers);
    }
    rejections.words("carrier", &command.carrier);
    rejections.words("tracking_number", &command.tracking_number);
    if let Some(shipped_at) = command.shipped_at {
        rejections.instant("shipped_at", shipped_at);
    }
    rejections.or(|| OrderShipped {
        order_id: command.order_id.clone(),
        carrier: command.carrier.clone(),
        tracking_number: command.tracking_number.clone(),
        shipped_at: command.shipped_at.unwrap_or(stamp.now),
    })
}

/// Takes an order back.
pub(crate) fn cancel(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    command: &CancelOrder,
) -> Result<OrderCancelled, Rejections> {
    let mut rejections = Rejections::none();
    let kept = existing(&mut rejections, states, &command.order_id).flatten();
    // only an order that exists has a user
    let order = order(&kept)
        .and_then(|order| rejections.permitted(actor, &order.user_id, "the user whose order it is", order));
    is_open(&mut rejections, &command.order_id, order, true);
    if let Some(reason) = &command.reason {
        rejections.prose("reason", reason);
    }
    rejections.or(|| OrderCancelled { order_id: command.order_id.clone(), reason: command.reason.clone() })
}

/// What is kept of the order of a command, if the id is one and there is such an order.
fn existing(
    rejections: &mut Rejections,
    states: &impl StateReader<State = State>,
    order_id: &str,
) -> Option<Kept> {
    if !rejections.well_formed("order_id", order_id) {
        return None;
    }
    let kept = states.get(&id(order_id));
    let exists = rejections.require(order(&kept).is_some(), || {
        Violation::on(NOT_FOUND, "order_id", format!("there is no order {order_id}; create it first"))
    });
    exists.then_some(kept)
}

/// An order that can be shipped or cancelled; `tells` how it has ended, if it has.
fn is_open(rejections: &mut Rejections, order_id: &str, order: Option<&Order>, tells: bool) {
    let ended = order.map(|order| &order.status).filter(|status| *status != CREATED);
    rejections.require(ended.is_none(), || {
        let how = match ended {
            _ if !tells => "shipped or cancelled",
            Some(status) if status == SHIPPED => "shipped",
            _ => "cancelled",
        };
        let message = format!("order {order_id} is {how}, for good; create another");
        Violation::on(INVALID_STATE, "order_id", message)
    });
}

/// The state after an event of Order.
pub(crate) fn evolve(state: Option<State>, event: &EventData) -> Option<State> {
    match (event, state) {
        (EventData::OrderCreated(e), _) => Some(State::Order(Order {
            user_id: e.user_id.clone(),
            total: e.total,
            status: CREATED.into(),
            carrier: None,
            tracking_number: None,
            shipped_at: None,
        })),
        (EventData::OrderShipped(e), Some(State::Order(order))) => Some(State::Order(Order {
            status: SHIPPED.into(),
            carrier: Some(e.carrier.clone()),
            tracking_number: Some(e.tracking_number.clone()),
            shipped_at: Some(e.shipped_at),
            ..order
        })),
        (EventData::OrderCancelled(_), Some(State::Order(order))) => {
            Some(State::Order(Order { status: CANCELLED.into(), ..order }))
        }
        (_, state) => state,
    }
}
