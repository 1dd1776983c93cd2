//! The domain inside the whole engine, in memory: what comes twice, and histories with crashes.

use crate::common;

use std::collections::BTreeMap;

use common::*;
use millrace_domain_orders::messages::rows::{OrdersByDayRow, ShopOrdersRow};
use millrace_domain_orders::{CommandData, EventData, Orders};
use millrace_kernel::{Command, Metadata, NoSettings, Status};
use millrace_runtime::ProcessorSettings;
use millrace_testkit::pipeline::Pipeline;
use millrace_testkit::tables::{Dice, rows};

fn send(pipeline: &Pipeline<Orders>, id: &str, data: CommandData) {
    pipeline.send(&Command { id: id.into(), metadata: Metadata::default(), data });
}

#[test]
fn what_comes_twice_happens_once_and_failures_have_their_names() {
    let mut pipeline = Pipeline::<Orders>::new(2, NoSettings {}, ProcessorSettings::default());
    pipeline.start_processor();
    for round in 0..2 {
        for (id, command) in [
            ("c1", create("o1", "ann", 500)),
            ("c2", ship("o1", "DHL", "T1")),
            ("c3", ship("o1", "UPS", "T2")),
            ("c4", cancel("o1", None)),
            ("c5", create("o1", "bob", 1)),
        ] {
            send(&pipeline, id, command);
        }
        pipeline.settle();
        assert_eq!(pipeline.events().len(), 2, "in round {round}");
    }
    let answers: Vec<(String, bool, Option<String>)> = pipeline
        .outcomes()
        .into_iter()
        .map(|it| (it.command_id.to_string(), it.duplicate, it.failure.map(|name| name.to_string())))
        .collect();
    let row = |id: &str, again, failure: Option<&str>| (id.to_owned(), again, failure.map(str::to_owned));
    let expected: Vec<_> = [false, true]
        .into_iter()
        .flat_map(|again| {
            [
                row("c1", again, None),
                row("c2", again, None),
                row("c3", again, Some("OrderShippingFailed")),
                row("c4", again, Some("OrderCancellationFailed")),
                row("c5", again, Some("OrderCreationFailed")),
            ]
        })
        .collect();
    assert_eq!(answers, expected);
}

#[test]
fn orders_survive_crashes_of_anything() {
    for seed in 0..10_u64 {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9));
        let engine = ProcessorSettings { batch_max_records: 4, ..ProcessorSettings::default() };
        let mut pipeline = Pipeline::<Orders>::new(3, NoSettings {}, engine);
        pipeline.start_processor();
        pipeline.start_processor();
        pipeline.start_projectors();
        let mut sent = 0;
        while sent < 120 {
            match dice.below(6) {
                0 => {
                    let order = format!("o{}", dice.below(30));
                    let command = match dice.below(3) {
                        0 => create(&order, "ann", 1 + dice.below(9) as i64),
                        1 => ship(&order, "DHL", "T1"),
                        _ => cancel(&order, None),
                    };
                    // some come twice
                    let id = format!("c{}", sent - usize::from(sent > 0 && dice.below(5) == 0));
                    send(&pipeline, &id, command);
                    sent += 1;
                }
                1 if dice.below(15) == 0 => pipeline.kill(dice.below(pipeline.instances())),
                _ => {
                    let (instance, lane) = (dice.below(pipeline.instances()), dice.below(3));
                    pipeline.turn(instance, lane);
                }
            }
        }
        pipeline.settle();
        let mut open: BTreeMap<String, &str> = BTreeMap::new();
        let mut ordered = 0;
        for (_, event) in &pipeline.events() {
            let (order, before, status) = match &event.data {
                EventData::OrderCreated(e) => {
                    ordered += e.total;
                    (e.order_id.to_string(), None, "CREATED")
                }
                EventData::OrderShipped(e) => (e.order_id.to_string(), Some("CREATED"), "SHIPPED"),
                EventData::OrderCancelled(e) => (e.order_id.to_string(), Some("CREATED"), "CANCELLED"),
            };
            assert_eq!(open.insert(order, status), before, "seed {seed}: an order begins and ends once");
        }
        let shown: BTreeMap<String, String> =
            rows(&pipeline.store, ShopOrdersRow::TABLE, ShopOrdersRow::from_values)
                .into_iter()
                .map(|row| (row.order_id.to_string(), row.status.to_string()))
                .collect();
        let expected = open.into_iter().map(|(order, status)| (order, status.to_owned())).collect();
        assert_eq!(shown, expected, "seed {seed}");
        let days = rows(&pipeline.store, OrdersByDayRow::TABLE, OrdersByDayRow::from_values);
        let sums = days.iter().fold((0, 0), |sum, row| (sum.0 + row.count, sum.1 + row.total));
        assert_eq!(sums, (shown.len() as i64, ordered), "seed {seed}");
        assert!(pipeline.outcomes().iter().any(|it| it.status == Status::Rejected));
    }
}
