//! `millrace load`: whatever a line is, it stops nothing but itself, and is named.

#[allow(dead_code, reason = "it uses less of it than others do")]
use crate::common;

use common::Up;
use serde_json::Value;

fn deposit(id: &str, reference: &str) -> String {
    let data =
        serde_json::json!({"account_id": "a1", "amount": 1, "currency": "EUR", "reference": reference});
    serde_json::json!({"type": "Deposit", "id": id, "data": data}).to_string()
}

#[test]
fn a_line_that_cannot_be_sent_is_named_and_stops_nothing_but_itself() {
    let up = Up::start();
    let open =
        r#"{"type": "OpenAccount", "data": {"account_id": "a1", "owner_id": "ann", "currency": "EUR"}}"#;
    // more than a client takes; a name without end; keys that stand twice, outside and inside
    let long = deposit("long", &"a".repeat(12_000_000));
    let name = format!(r#"{{"type": "{}", "data": {{}}}}"#, "PostChirp".repeat(1_500_000));
    let twice = deposit("one", "x").replacen(r#""id""#, r#""id": "two", "id""#, 1);
    let twice_inside = deposit("three", "x").replacen(r#""amount""#, r#""amount": 5, "amount""#, 1);
    let field = format!(r#"{{"type": "Deposit", "data": {{"{}": 1}}}}"#, "x".repeat(5_000_000));
    let lines =
        [open, "", &deposit("d1", "x"), &long, &name, &twice, &twice_inside, &field, &deposit("d2", "y")];
    std::fs::write(up.place.path().join("mixed.jsonl"), lines.join("\n")).unwrap();
    let ran = up.place.run(&["load", "mixed.jsonl", "--wait", "--json"]);
    let words = [
        "mixed.jsonl:4:1: not sent: ",
        "mixed.jsonl:5:2: PostChirpPostChirp",
        "… is no command",
        "mixed.jsonl:6:",
        "id is given twice",
        "mixed.jsonl:7:",
        "amount is given twice",
        "mixed.jsonl:8:",
        "there is no field xxx",
    ];
    let ran = ran.is(1, &words);
    let counts: Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    let of = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((of("sent"), of("accepted"), of("bad"), of("unanswered")), (3, 3, 5, 0), "{counts}");
    assert!(ran.stderr.lines().all(|line| line.len() < 400), "an error repeats no megabytes");

    // a file of an editor that marks the order of its bytes
    std::fs::write(
        up.place.path().join("mark.jsonl"),
        format!("\u{feff}{}\n{}", deposit("d3", "x"), deposit("d4", "x")),
    )
    .unwrap();
    let ran = up.place.run(&["load", "mark.jsonl", "--wait", "--json"]);
    ran.is(1, &["mark.jsonl:1:1: the file begins with a byte-order mark", r#""accepted":1"#, r#""bad":1"#]);
    // the longest that may be waited for
    std::fs::write(up.place.path().join("one.jsonl"), deposit("d5", "x")).unwrap();
    up.place.run(&["load", "one.jsonl", "--wait", "--timeout", "3155760000"]).is(0, &["1 accepted"]);
    // the same id for something else: answered as the first, and said so, the first of them with its line
    let others = [deposit("d5", "x"), deposit("d5", "other"), deposit("d6", "x"), deposit("d5", "another")];
    std::fs::write(up.place.path().join("others.jsonl"), others.join("\n")).unwrap();
    let ran = up.place.run(&["load", "others.jsonl", "--wait"]);
    ran.is(
        1,
        &[
            "others.jsonl:2:1: this id was used before for other content",
            "and 1 more, the last in line 4: this id was used",
            "4 accepted, 0 rejected, 0 unanswered, 0 bad, 2 under ids that were used for other content",
        ],
    );
    let send = ["send", "CloseAccount", "account_id=none", "--wait", "--timeout", "3155760000"];
    up.place.run(&send).is(1, &["NotFound"]);
    up.place
        .run(&["load", "one.jsonl", "--timeout", "18446744073709551615"])
        .is(2, &["--timeout", "3155760000"]);
    let twice = r#"{"a": 1, "a": 2}"#;
    std::fs::write(up.place.path().join("twice.jsonl"), twice).unwrap();
    up.place.run(&["load", "twice.jsonl"]).is(1, &["twice.jsonl:1:12: a is given twice"]);
}
