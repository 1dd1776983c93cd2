//! What a view withholds, a refusal withholds: what is answered to who does not own a calendar does not depend on what is in it.

use crate::common;

use common::schedule::history;
use common::*;
use millrace_domain_calendar::{Calendar, CommandData, EventData};
use millrace_kernel::codes::NOT_PERMITTED;
use millrace_testkit::given::to_a_stranger;
use millrace_testkit::world::World;
use proptest::prelude::*;

fn events_of(commands: Vec<CommandData>) -> Vec<EventData> {
    let mut world = World::<Calendar>::new(1);
    for command in commands {
        world.command(command);
    }
    world.events().iter().map(|(_, event)| event.data.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn who_is_not_permitted_learns_nothing(
        one in history("ann", 40),
        other in history("ann", 40),
        asked in history("ann", 20),
    ) {
        let (one, other) = (events_of(one), events_of(other));
        for command in asked {
            let refused = to_a_stranger::<Calendar>("bob", command, [&one, &other]).unwrap_err();
            prop_assert_eq!(&refused.violations()[0].code, NOT_PERMITTED);
        }
    }
}

#[test]
fn nobody_finds_out_when_another_is_busy() {
    let busy: Vec<EventData> =
        [vec![created("ann")], scheduled("ann", "s1", 10 * HOUR, 11 * HOUR).to_vec()].concat();
    for command in [
        create("ann"),
        end("ann"),
        schedule("ann", "s1", 10 * HOUR, 11 * HOUR),
        reschedule("ann", "s1", 10 * HOUR, 11 * HOUR),
        remove("ann", "s1"),
        remove("ann", "s2"),
    ] {
        let refused = to_a_stranger::<Calendar>("bob", command, [&busy, &[]]).unwrap_err();
        let said: Vec<&str> = refused.violations().iter().map(|it| it.message.as_str()).collect();
        assert_eq!(said, ["only the user whose id is the calendar's may do this"]);
    }
}
