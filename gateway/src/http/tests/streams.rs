//! Streams over HTTP, before their first event.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_of_nobody_is_not_found() {
    let server = Server::open().await;
    let said = server.get("/v1/streams/d/feed?user_id=nobody", "", "\n\n").await;
    assert!(said.starts_with("HTTP/1.1 404"), "{said}");
    let said = server.get("/v1/streams/d/feed?user_id=ann", "", "event: snapshot").await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_none_is_answered_with_a_reset() {
    let server = Server::open().await;
    for token in ["x".repeat(5_000), "ü".to_owned(), "AAAA".to_owned()] {
        let headers = format!("Last-Event-ID: {token}\r\n");
        let said = server.get("/v1/streams/d/notes?a=k", &headers, "event: snapshot").await;
        assert!(said.contains("event: reset"), "{said}");
    }
    let said = server.get("/v1/streams/d/notes?a=k", "Last-Event-ID: \r\n", "event: snapshot").await;
    assert!(!said.contains("event: reset"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_out_of_bounds_is_told_in_words_of_streams() {
    let server = Server::open().await;
    for path in ["/v1/streams/d/notes?a=k&limit=0", "/v1/streams/d/feed?user_id=ann&limit=0"] {
        let said = server.get(path, "", "limit: ").await;
        assert!(said.starts_with("HTTP/1.1 400") && !said.contains("cursor"), "{said}");
    }
}
