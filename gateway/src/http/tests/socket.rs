//! Sockets as clients see them.

use super::*;

fn is_refused(frame: &Json, id: &Json, status: u64) -> bool {
    frame["op"] == "error" && frame["id"] == *id && frame["problem"]["status"] == status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_fails_does_not_stay_silent() {
    let server = Server::open().await;
    server.system.ann_follows("k", true);
    let mut socket = server.socket().await;
    socket
        .say(&json!({"op": "subscribe", "id": "f", "domain": "d", "view": "feed", "key": {"user_id": "ann"}}))
        .await;
    socket.until("live").await;
    server.system.note_of("k", 1, "panic");
    let error = socket.until("error").await;
    assert!(is_refused(&error, &json!("f"), 503), "{error}");
    // and its name is free
    socket.subscribe("f").await;
    socket.until("live").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_closed_when_nobody_knows_any_more_who_it_is() {
    let server = Server::new(Limits::default(), true).await;
    let mut idle = server.socket_of("ann", 2).await;
    let mut busy = server.socket_of("ann", 2).await;
    busy.subscribe("s").await;
    let live = busy.until("live").await;
    assert!(live["token"].is_string());
    let error = busy.until("error").await;
    assert!(is_refused(&error, &json!("s"), 401) && error["token"].is_string(), "{error}");
    assert_eq!(busy.closed().await, Some(4401));
    assert_eq!(idle.closed().await, Some(4401));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_renews_in_time_goes_on_and_another_does_not() {
    let server = Server::new(Limits::default(), true).await;
    let mut socket = server.socket_of("ann", 3).await;
    socket.subscribe("s").await;
    socket.until("live").await;
    let longer = server.token("ann", 600);
    socket.say(&json!({"op": "auth", "token": longer})).await;
    // what was good for as long, and a moment longer, is over
    let mut other = server.socket_of("ann", 3).await;
    assert_eq!(other.closed().await, Some(4401));
    server.system.change(0, 1, Some("one"));
    let change = socket.until("change").await;
    assert_eq!(change["row"]["text"], "one");
    // what was begun by one is not gone on with by another
    socket.say(&json!({"op": "auth", "token": server.token("bob", 600)})).await;
    let error = socket.until("error").await;
    assert!(is_refused(&error, &json!("s"), 401) && error["token"].is_string(), "{error}");
    socket.subscribe("s").await;
    socket.until("live").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_over_a_socket_is_counted() {
    let limits = Limits { commands_per_second: 1, reads_per_second: 1, ..Limits::default() };
    let server = Server::new(limits, true).await;
    let mut socket = server.socket_of("ann", 600).await;
    for number in 0..12 {
        let data = json!({"guest_id": "ann", "text": "Hello"});
        socket
            .say(&json!({"op": "command", "id": "c", "domain": "d", "type": "Sign", "data": data, "wait": 0}))
            .await;
        let Said::Frame(answer) = socket.next().await else { panic!("{number}") };
        match number < 10 {
            true => assert_eq!(answer["op"], "outcome", "{number}: {answer}"),
            false => {
                assert!(is_refused(&answer, &json!("c"), 429), "{number}: {answer}");
                assert!(answer["problem"]["retry_after"].as_u64() >= Some(1), "{answer}");
            }
        }
    }
    for number in 0..11 {
        let refused =
            json!({"op": "subscribe", "id": "s", "domain": "d", "view": "nothing", "key": {"a": "k"}});
        socket.say(&refused).await;
        let Said::Frame(answer) = socket.next().await else { panic!("{number}") };
        assert!(is_refused(&answer, &json!("s"), if number < 10 { 404 } else { 429 }), "{number}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_tokens_over_a_socket_is_let_go_of() {
    let limits = Limits { refusals_per_second: 1, ..Limits::default() };
    let server = Server::new(limits, true).await;
    let mut socket = server.socket().await;
    for number in 0..20 {
        socket.say(&json!({"op": "auth", "token": format!("guess.{number}.x")})).await;
    }
    assert_eq!(socket.closed().await, Some(1008));
    // the address is known by now
    let mut again = server.socket().await;
    let mut error = Json::Null;
    for _ in 0..9 {
        again.say(&json!({"op": "auth", "token": "guess.x.x"})).await;
        error = again.until("error").await;
    }
    assert!(is_refused(&error, &Json::Null, 429), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_that_is_refused_is_answered() {
    let server = Server::open().await;
    let mut socket = server.socket().await;
    for number in 0..500 {
        socket.say(&json!({"op": "nothing", "id": number.to_string()})).await;
    }
    for number in 0..500 {
        let Said::Frame(answer) = socket.next().await else { panic!("{number}") };
        assert!(is_refused(&answer, &json!(number.to_string()), 400), "{number}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_told_much_is_heard_all_the_same() {
    const SUBSCRIPTIONS: usize = 100;
    const CHANGES: i64 = 60;
    const REFUSED: usize = 40;
    let server = Server::open().await;
    let mut socket = server.socket().await;
    for number in 0..SUBSCRIPTIONS {
        socket.subscribe(&number.to_string()).await;
    }
    for _ in 0..SUBSCRIPTIONS {
        socket.until("live").await;
    }
    let text = "x".repeat(4_000);
    let mut other = server.socket().await;
    other.subscribe("s").await;
    other.until("live").await;
    (0..CHANGES).for_each(|at| server.system.change(0, at, Some(&text)));
    // all of it has been told to somebody, so it waits for who has not read yet
    for _ in 0..CHANGES {
        other.until("change").await;
    }
    for number in 0..REFUSED {
        socket.say(&json!({"op": "nothing", "id": number.to_string()})).await;
    }
    let (mut told, mut changes) = (Vec::new(), 0);
    let read = async {
        while told.len() < REFUSED || changes < SUBSCRIPTIONS * usize::try_from(CHANGES).unwrap() {
            match socket.frame().await {
                Said::Frame(frame) if frame["op"] == "change" => changes += 1,
                Said::Frame(frame) if frame["op"] == "error" => {
                    assert!(is_refused(&frame, &json!(told.len().to_string()), 400), "{frame}");
                    told.push(changes);
                }
                Said::Frame(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    let all = timeout(PATIENCE * 4, read).await;
    assert!(all.is_ok(), "{} of {REFUSED} answers, {changes} changes", told.len());
    assert!(told[REFUSED - 1] < changes * 3 / 4, "after {told:?} of {changes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ends_says_first_what_became_of_commands() {
    let server = Server::open().await;
    let mut socket = server.socket().await;
    let data = json!({"guest_id": "ann", "text": "Hello"});
    socket
        .say(&json!({"op": "command", "id": "c", "domain": "d", "type": "Sign", "data": data, "wait": 60}))
        .await;
    socket.subscribe("s").await;
    socket.until("live").await;
    let waits = timeout(Duration::from_millis(100), server.gateway.closed()).await;
    assert!(waits.is_err(), "a socket is open");
    server.system.ending.send_replace(true);
    let outcome = socket.until("outcome").await;
    assert_eq!((&outcome["id"], &outcome["status"]), (&json!("c"), &json!(202)), "{outcome}");
    assert_eq!(socket.closed().await, Some(1001));
    timeout(PATIENCE, server.gateway.closed()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_closed_as_the_standard_wants_it() {
    let server = Server::new(Limits { body_bytes: 2_000, ..Limits::default() }, false).await;
    let mut socket = server.socket().await;
    socket.send(8, &1000_u16.to_be_bytes()).await;
    assert_eq!(socket.next().await, Said::Close(1000));
    assert_eq!(socket.next().await, Said::Gone);
    let long = json!({"op": "x".repeat(5_000)}).to_string();
    for (kind, payload, code) in [(1, long.as_bytes(), 1009), (1, &b"{\xff}"[..], 1007), (5, b"", 1002)] {
        let mut socket = server.socket().await;
        socket.send(kind, payload).await;
        assert_eq!(socket.closed().await, Some(code));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_of_texts_and_numbers() {
    let server = Server::open().await;
    let mut socket = server.socket().await;
    for bad in [json!(null), json!(["k"]), json!({"a": "k"})] {
        let key = json!({"a": bad});
        socket.say(&json!({"op": "subscribe", "id": "s", "domain": "d", "view": "notes", "key": key})).await;
        let Said::Frame(answer) = socket.next().await else { panic!("{key}") };
        assert!(is_refused(&answer, &json!("s"), 400), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_of_a_subscription_that_has_ended() {
    let server = Server::open().await;
    let mut socket = server.socket().await;
    for _ in 0..20 {
        socket.subscribe("s").await;
        socket.say(&json!({"op": "unsubscribe", "id": "s"})).await;
    }
    socket.subscribe("s").await;
    socket.until("live").await;
    server.system.change(0, 1, Some("one"));
    assert_eq!(socket.until("change").await["row"]["text"], "one");
}
