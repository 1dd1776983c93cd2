//! Records outside transactions.

use millrace_ports::{LogFault, Outgoing};

use super::LogFixture;
use super::desk::*;

/// When an append has returned, all of it is read by those who read what is committed, and without a mark behind it.
pub fn what_is_appended_is_there_in_order(fixture: &dyn LogFixture) {
    let name = topic(fixture, "appended", 2);
    let (first, second) = (at(&name, 0), at(&name, 1));
    let appender = fixture.log().appender().unwrap();
    let mut readers = [&first, &second].map(|at| reader(fixture, std::slice::from_ref(at)));
    for round in 0..3 {
        let records = (0..100).map(|n| {
            let to = if n % 10 == 0 { &second } else { &first };
            outgoing(to, &format!("{round}.{n:02}"))
        });
        appender.append(records.collect()).unwrap();
        appender.append(Vec::new()).unwrap();
        for (reader, (at, count)) in readers.iter_mut().zip([(&first, 90), (&second, 10)]) {
            let end = fixture.log().high_watermark(at).unwrap();
            assert_eq!(end, count * (round + 1), "all of it is there");
            let found = values(&read(&mut **reader, count as usize));
            let mut sorted = found.clone();
            sorted.sort();
            assert_eq!(found, sorted);
            assert!(found.iter().all(|value| value.starts_with(&format!("{round}."))), "{found:?}");
            assert_eq!(reader.position(at), end);
        }
    }
}

/// What no log takes is said, and what comes afterwards is written.
pub fn an_append_of_what_cannot_be_written_is_refused(fixture: &dyn LogFixture) {
    let here = at(&topic(fixture, "unwritable", 1), 0);
    let appender = fixture.log().appender().unwrap();
    // bytes that do not compress
    let mut seed = 1_u32;
    let noise: Vec<u8> = (0..2_000_000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .collect();
    let refused = appender.append(vec![Outgoing { value: Some(noise.into()), ..outgoing(&here, "") }]);
    assert!(matches!(refused, Err(LogFault::Refused { .. })), "{refused:?}");
    let missing = at(&format!("{}nowhere", fixture.prefix()).into(), 0);
    assert!(appender.append(vec![outgoing(&missing, "x")]).is_err());
    appender.append(vec![outgoing(&here, "small")]).unwrap();
    assert_eq!(values(&read(&mut *reader(fixture, &[here]), 1)), ["small"]);
}

/// Threads share an appender, and each one's records keep their order.
pub fn appends_of_many_threads_are_all_there(fixture: &dyn LogFixture) {
    let here = at(&topic(fixture, "threads", 1), 0);
    let appender = fixture.log().appender().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (appender, here) = (&appender, &here);
            scope.spawn(move || {
                for n in 0..25 {
                    appender.append(vec![outgoing(here, &format!("{thread}.{n:02}"))]).unwrap();
                }
            });
        }
    });
    let found = values(&read(&mut *reader(fixture, &[here]), 100));
    for thread in 0..4 {
        let own: Vec<_> = found.iter().filter(|it| it.starts_with(&format!("{thread}."))).collect();
        assert!(own.len() == 25 && own.is_sorted(), "{own:?}");
    }
}
