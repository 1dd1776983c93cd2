//! What operators ask about the whole, and who else does not.

use super::Server;
use crate::front::Limits;

const PATHS: [&str; 8] = [
    "/v1/ops/architecture",
    "/v1/ops/status",
    "/v1/ops/faults",
    "/v1/ops/views",
    "/v1/ops/explain?command_id=c1",
    "/v1/ops/history?aggregate_id=User/ann",
    "/v1/ops/dead",
    "/v1/ops/dead/d/0/7",
];

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_for_operators() {
    let server = Server::new(Limits::default(), true).await;
    let operator = server.trusted.token("olga", &["operator".to_owned()], 60);
    for path in PATHS {
        let answer = server.get(path, "", "}").await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{path}: {answer}");
        let answer = server.get(path, &bearer(&server.token("ann", 60)), "}").await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("operator"), "{path}: {answer}");
        let answer = server.get(path, &bearer(&operator), "}").await;
        assert!(!answer.starts_with("HTTP/1.1 40"), "{path}: {answer}");
        let answer = server
            .get(
                &format!("{path}{}format=dsl", if path.contains('?') { '&' } else { '?' }),
                &bearer(&operator),
                "}",
            )
            .await;
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("format"), "{path}: {answer}");
    }
    let answer = server.get(PATHS[0], &bearer(&operator), "}").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("no-store"), "{answer}");
    assert!(answer.contains(r#""contexts":["d","vault"]"#), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_asked_for_a_name_everybody_may_see_it() {
    let server = Server::open().await;
    let answer = server.get(PATHS[0], "", "vault").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_has_bounds_and_what_is_wrong_is_named() {
    let server = Server::open().await;
    for (path, status, part) in [
        ("/v1/ops/status", 200, "Status"),
        ("/v1/ops/explain", 400, "command_id"),
        ("/v1/ops/explain?command_id=", 400, "command_id"),
        ("/v1/ops/explain?command_id=c1&rows=101", 400, "rows"),
        ("/v1/ops/explain?command_id=c1", 503, "no-answer"),
        ("/v1/ops/history", 400, "aggregate_id"),
        ("/v1/ops/history?aggregate_id=User/ann&version=0", 400, "version"),
        ("/v1/ops/history?aggregate_id=User/ann&version=1&at=2026-01-01T00:00:00Z", 400, "one of the two"),
        ("/v1/ops/history?aggregate_id=User/ann&limit=501", 400, "limit"),
        ("/v1/ops/history?aggregate_id=User/ann&cursor=12", 200, "\"after\":12"),
        ("/v1/ops/history?aggregate_id=User/nobody", 404, "has no event"),
        ("/v1/ops/dead?all=perhaps", 400, "true or false"),
        ("/v1/ops/dead?limit=201", 400, "limit"),
        ("/v1/ops/dead?domain=d", 503, "log-away"),
        ("/v1/ops/dead/d/0/x", 400, "path"),
        ("/v1/ops/dead/d/0/7", 200, "DeadRecord"),
        ("/v1/ops/nothing", 404, "nothing at"),
    ] {
        let answer = server.get(path, "", "}").await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(part),
            "{path}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_numbers_come_right_where_clients_round() {
    let server = Server::open().await;
    let path = "/v1/ops/history?aggregate_id=User/ann";
    let answer = server.get(path, "", "}").await;
    assert!(answer.contains("\"amount\":9223372036854775807"), "{answer}");
    let answer = server.get(path, "Accept: application/json; longs=string\r\n", "}").await;
    assert!(answer.contains("\"amount\":\"9223372036854775807\""), "{answer}");
    assert!(
        answer.contains("\"version\":\"9007199254740993\"") && answer.contains("\"list\":[1]"),
        "{answer}"
    );
}
