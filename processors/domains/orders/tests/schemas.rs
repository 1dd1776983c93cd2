//! What is generated from `schemas/orders`: every message through its schema and back, and what a rejection is called.

use crate::common;

use common::*;
use millrace_domain_orders::{CommandData, Orders, order};
use millrace_kernel::{Addressed, Domain, Failing, Named};
use millrace_testkit::messages::all_round_trip;

#[test]
fn every_message_round_trips() {
    assert_eq!(all_round_trip::<Orders>(), 3 + 3 + 1, "commands, events and kinds of states");
}

#[test]
fn every_command_has_a_failure_and_a_place() {
    for (command, failure) in [
        (create("o1", "ann", 1), "OrderCreationFailed"),
        (ship("o1", "DHL", "T1"), "OrderShippingFailed"),
        (cancel("o1", None), "OrderCancellationFailed"),
    ] {
        assert_eq!(CommandData::failure_of(command.name()), Some(failure));
        assert_eq!((command.aggregate_id(), &*command.routing_key()), (order::id("o1"), "o1"));
    }
    assert!(Orders::LOOKUPS.is_empty() && Orders::SCHEMAS.steps.is_none());
}

#[test]
fn a_total_is_a_whole_number() {
    for total in ["1.5", "\"1\"", "9223372036854775808"] {
        let json = format!(r#"{{"CreateOrder": {{"order_id": "o", "user_id": "u", "total": {total}}}}}"#);
        assert!(serde_json::from_str::<CommandData>(&json).is_err(), "{json}");
    }
}
