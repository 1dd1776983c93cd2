//! The dead topic gone through in pieces: told as if it had been held as a whole.

use crate::common::dead::{act, dead, pipeline};

use std::ops::ControlFlow;

use bytes::Bytes;
use millrace_runtime::dead::{Action, DeadTopic, Place, Selection};

#[test]
fn a_long_list_is_told_as_a_short_one() {
    let mut pipeline = pipeline();
    let topic = pipeline.names().commands.to_string();
    for n in 0..300 {
        let key = Bytes::from(format!("k{}", n % 17));
        pipeline.send_raw(&topic, Some(key), Some(Bytes::from("no Avro")));
    }
    pipeline.settle();
    let of_key = |key: &str| Selection { key: Some(key.into()), ..Selection::default() };
    act(&pipeline, &of_key("k3"), Action::Skip).1.unwrap();
    pipeline.settle();
    act(&pipeline, &of_key("k5"), Action::Redrive).1.unwrap();
    pipeline.settle();
    let list = |most: i64, selection: &Selection| dead(&pipeline).holding(most).list(selection).unwrap();
    let whole = list(i64::MAX, &Selection::default());
    assert!(whole.len() > 300, "what was put back died again: {}", whole.len());
    assert!(whole.iter().any(|it| it.done.is_some()) && whole.iter().any(|it| it.done.is_none()));
    let one = whole[whole.len() / 2].place;
    let at = |Place { partition, offset }| Selection {
        partition: Some(partition),
        offset: Some(offset),
        ..Selection::default()
    };
    let nobody = Selection { partition: Some(99), ..Selection::default() };
    for selection in [Selection::default(), of_key("k3"), of_key("k5"), at(one), nobody] {
        let expected = list(i64::MAX, &selection);
        for most in [1, 3, 100] {
            assert_eq!(list(most, &selection), expected, "{most}, {selection:?}");
        }
    }
    assert_eq!(list(1, &at(one)), [whole[whole.len() / 2].clone()]);
    let is_shown = |topic: &DeadTopic<_>| topic.show(one).unwrap().record == whole[whole.len() / 2];
    assert!(is_shown(&dead(&pipeline)) && is_shown(&dead(&pipeline).holding(1)));
    for most in [1, i64::MAX] {
        let mut told = 0;
        let mut one = |_| {
            told += 1;
            ControlFlow::Break(())
        };
        dead(&pipeline).holding(most).each(&Selection::default(), &mut one).unwrap();
        assert_eq!(told, 1, "whoever has enough is told no more");
    }
}
