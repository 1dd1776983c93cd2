//! Every command and every rejection, one row each, with the order of violations.

use crate::common;

use common::*;
use millrace_domain_orders::{CommandData, EventData, Orders, State, order};
use millrace_kernel::codes::{ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_STATE, NOT_FOUND, NOT_PERMITTED};
use millrace_kernel::day::{FIRST_INSTANT, LAST_INSTANT};
use millrace_testkit::given::{EPOCH, given};
use millrace_testkit::texts::no_text_may_hold_control_characters;
use millrace_testkit::world::World;

const ACTOR: (&str, &str) = (NOT_PERMITTED, "metadata.user_id");
/// When the row's command comes, five events after the first.
const NOW: i64 = EPOCH + 5_000;

/// An order of Ann that is open, one that is shipped and one that is cancelled.
fn shop() -> Vec<EventData> {
    vec![
        created("open", "ann", 500),
        created("sent", "ann", 700),
        shipped("sent", "DHL", "T1", EPOCH),
        created("gone", "ann", 900),
        cancelled("gone", None),
    ]
}

type Row<'a> = (&'a str, Option<&'a str>, CommandData, Vec<(&'a str, &'a str)>);

fn all_rejected(rows: Vec<Row<'_>>) {
    for (what, actor, command, expected) in rows {
        println!("{what}");
        let mut given = given::<Orders>(shop());
        if let Some(actor) = actor {
            given = given.acting(actor);
        }
        given.when(command).then_rejected(&expected);
    }
}

#[test]
fn accepted() {
    let (id64, text256) = ("i".repeat(64), "ä".repeat(256));
    let rows: Vec<(Option<&str>, CommandData, EventData)> = vec![
        (None, create("new", "ann", 1), created("new", "ann", 1)),
        (Some("ann"), create("new", "ann", i64::MAX), created("new", "ann", i64::MAX)),
        (None, create(&id64, &id64, 1), created(&id64, &id64, 1)),
        (None, ship("open", "DHL", "T2"), shipped("open", "DHL", "T2", NOW)),
        // the shop ships what somebody else has ordered
        (Some("shop"), ship("open", "DHL", "T2"), shipped("open", "DHL", "T2", NOW)),
        (None, ship_at("open", &text256, &text256, Some(7)), shipped("open", &text256, &text256, 7)),
        (None, ship_at("open", "a", "b", Some(FIRST_INSTANT)), shipped("open", "a", "b", FIRST_INSTANT)),
        (None, ship_at("open", "a", "b", Some(LAST_INSTANT)), shipped("open", "a", "b", LAST_INSTANT)),
        (Some("ann"), cancel("open", None), cancelled("open", None)),
        (None, cancel("open", Some("too\nlate")), cancelled("open", Some("too\nlate"))),
    ];
    for (actor, command, event) in rows {
        let mut given = given::<Orders>(shop());
        if let Some(actor) = actor {
            given = given.acting(actor);
        }
        given.when(command).then_events([event]);
    }
}

#[test]
fn no_text_holds_control_characters() {
    assert_eq!(no_text_may_hold_control_characters::<Orders>(), 7);
}

#[test]
fn create_order_is_rejected() {
    let long = "i".repeat(65);
    all_rejected(vec![
        ("taken", None, create("open", "ann", 1), vec![(ALREADY_EXISTS, "order_id")]),
        ("taken by a shipped one", None, create("sent", "ann", 1), vec![(ALREADY_EXISTS, "order_id")]),
        ("taken by a cancelled one", None, create("gone", "ann", 1), vec![(ALREADY_EXISTS, "order_id")]),
        ("no id", None, create("", "ann", 1), vec![(INVALID_ARGUMENT, "order_id")]),
        ("odd id", None, create("a/b", "ann", 1), vec![(INVALID_ARGUMENT, "order_id")]),
        ("long id", None, create(&long, "ann", 1), vec![(INVALID_ARGUMENT, "order_id")]),
        ("no user", None, create("new", "", 1), vec![(INVALID_ARGUMENT, "user_id")]),
        ("nothing", None, create("new", "ann", 0), vec![(INVALID_ARGUMENT, "total")]),
        ("less than nothing", None, create("new", "ann", i64::MIN), vec![(INVALID_ARGUMENT, "total")]),
        ("for another", Some("bob"), create("new", "ann", 1), vec![ACTOR]),
        (
            "for another and all else: whether the id is taken is not said",
            Some("bob"),
            create("open", " ", -1),
            vec![ACTOR, (INVALID_ARGUMENT, "user_id"), (INVALID_ARGUMENT, "total")],
        ),
        (
            "all at once",
            None,
            create("open", " ", -1),
            vec![(ALREADY_EXISTS, "order_id"), (INVALID_ARGUMENT, "user_id"), (INVALID_ARGUMENT, "total")],
        ),
    ]);
}

#[test]
fn ship_order_is_rejected() {
    let long = "x".repeat(257);
    let fields = [(INVALID_ARGUMENT, "carrier"), (INVALID_ARGUMENT, "tracking_number")];
    let moment = (INVALID_ARGUMENT, "shipped_at");
    all_rejected(vec![
        ("unknown", None, ship("new", "DHL", "T"), vec![(NOT_FOUND, "order_id")]),
        ("no id", None, ship("", "DHL", "T"), vec![(INVALID_ARGUMENT, "order_id")]),
        ("twice", None, ship("sent", "DHL", "T1"), vec![(INVALID_STATE, "order_id")]),
        ("cancelled", None, ship("gone", "DHL", "T"), vec![(INVALID_STATE, "order_id")]),
        ("by nobody", None, ship("open", "", "T"), vec![fields[0]]),
        ("without a number", None, ship("open", "DHL", " \u{3000}"), vec![fields[1]]),
        ("two lines", None, ship("open", "D\nHL", "T\t1"), fields.to_vec()),
        ("too long", None, ship("open", &long, &long), fields.to_vec()),
        ("before the year 1", None, ship_at("open", "DHL", "T", Some(FIRST_INSTANT - 1)), vec![moment]),
        ("after the year 9999", None, ship_at("open", "DHL", "T", Some(i64::MAX)), vec![moment]),
        (
            "all at once",
            Some("bob"),
            ship_at("gone", "", "\0", Some(i64::MIN)),
            vec![(INVALID_STATE, "order_id"), fields[0], fields[1], moment],
        ),
        (
            "unknown and all else",
            None,
            ship_at("new", "", "", Some(i64::MIN)),
            vec![(NOT_FOUND, "order_id"), fields[0], fields[1], moment],
        ),
    ]);
}

#[test]
fn cancel_order_is_rejected() {
    let long = "x".repeat(257);
    let reason = (INVALID_ARGUMENT, "reason");
    all_rejected(vec![
        ("unknown", Some("bob"), cancel("new", None), vec![(NOT_FOUND, "order_id")]),
        ("no id", None, cancel("o 1", None), vec![(INVALID_ARGUMENT, "order_id")]),
        ("after it was shipped", Some("ann"), cancel("sent", None), vec![(INVALID_STATE, "order_id")]),
        ("twice", None, cancel("gone", None), vec![(INVALID_STATE, "order_id")]),
        ("another's", Some("bob"), cancel("open", None), vec![ACTOR]),
        ("a blank reason", None, cancel("open", Some("\n")), vec![reason]),
        ("a long reason", None, cancel("open", Some(&long)), vec![reason]),
        ("all at once", Some("ann"), cancel("sent", Some("")), vec![(INVALID_STATE, "order_id"), reason]),
        ("another's that was shipped", Some("bob"), cancel("sent", None), vec![ACTOR]),
        ("another's that was cancelled", Some("bob"), cancel("gone", Some("")), vec![ACTOR, reason]),
    ]);
}

#[test]
fn an_order_knows_how_it_has_ended() {
    let mut world = World::<Orders>::new(2);
    world.command(create("o1", "ann", 500));
    world.tick(1_000_000);
    world.command(ship("o1", "DHL", "T1"));
    world.command(cancel("o1", Some("too late")));
    let state = world.state(&order::id("o1")).and_then(State::order).unwrap();
    assert_eq!((&*state.status, state.total, state.shipped_at), ("SHIPPED", 500, Some(EPOCH + 1_000_000)));
    assert_eq!((state.carrier.as_deref(), state.tracking_number.as_deref()), (Some("DHL"), Some("T1")));
}
