//! What operators ask about the whole, and who else does not.

use super::Server;
use crate::front::Limits;

const PATH: &str = "/v1/ops/architecture";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_is_for_operators() {
    let server = Server::new(Limits::default(), true).await;
    let answer = server.get(PATH, "", "}").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let answer = server.get(PATH, &bearer(&server.token("ann", 60)), "}").await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("operator"), "{answer}");
    let operator = server.trusted.token("olga", &["operator".to_owned()], 60);
    let answer = server.get(PATH, &bearer(&operator), "}").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("no-store"), "{answer}");
    assert!(answer.contains(r#""contexts":["d","vault"]"#), "{answer}");
    let answer = server.get(&format!("{PATH}?format=dsl"), &bearer(&operator), "}").await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("format"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_asked_for_a_name_everybody_may_see_it() {
    let server = Server::open().await;
    let answer = server.get(PATH, "", "vault").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
