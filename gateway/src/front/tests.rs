//! Who is let in, by answers of a route that says who asks.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode, Version, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::Value as Json;
use tower::ServiceExt as _;

use super::*;
use crate::auth::tests::trusted::Trusted;

/// A front that asks for tokens, and a token.
fn with_tokens(limits: Limits) -> (Router, String) {
    let clock = Arc::new(millrace_testkit::pipeline::ManualClock::at(1_000_000_000_000));
    let trusted = Trusted::by(clock);
    let token = trusted.token("ann", &["operator".to_owned()], 60);
    (front(trusted.authenticator(), limits), token)
}

fn front(authenticator: Authenticator, limits: Limits) -> Router {
    async fn who(principal: Principal) -> String {
        principal.user().unwrap_or("anyone").to_owned()
    }
    let routes = Router::new()
        .route("/who", get(who))
        .route("/other/{thing}", get(who))
        .route("/commands", post(who))
        .route("/open", get(async || "open"))
        .route("/slow", get(async || std::future::pending::<()>().await));
    Arc::new(Front::new(authenticator, limits).unwrap()).before(routes)
}

fn ask(router: &Router, method: &str, address: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(address);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:8080");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = request.body(Body::empty()).unwrap();
    runtime.block_on(router.clone().oneshot(request)).unwrap()
}

fn text(response: Response) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bytes = runtime.block_on(to_bytes(response.into_body(), 1 << 20)).unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn problem(response: Response) -> (u16, String, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    let json: Json = serde_json::from_str(&text(response)).unwrap();
    let name = json["type"].as_str().unwrap().strip_prefix(crate::http::problem::TYPE).unwrap().to_owned();
    (status, name, json["detail"].as_str().unwrap().to_owned())
}

#[test]
fn who_brings_no_token_is_told_which_one_to_bring() {
    let (router, token) = with_tokens(Limits::default());
    for (headers, challenge) in [
        (vec![], "Bearer realm=\"millrace\""),
        (vec![("authorization", "Basic YW5uOmh1bnRlcjI=")], "Bearer realm=\"millrace\""),
        (vec![("authorization", "Bearer")], "Bearer realm=\"millrace\""),
        (
            vec![("authorization", "Bearer x.y.z")],
            "Bearer realm=\"millrace\", error=\"invalid_token\", error_description=\"it is no JSON Web Token of three parts\"",
        ),
    ] {
        let response = ask(&router, "GET", "/who", &headers);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], challenge, "{headers:?}");
        let (status, name, detail) = problem(response);
        assert_eq!((status, name.as_str()), (401, "unauthenticated"), "{headers:?}");
        assert!(!detail.contains("x.y.z") && !detail.contains("YW5u"), "{detail}");
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let given = format!("{scheme} {token}");
        assert_eq!(text(ask(&router, "GET", "/who", &[("authorization", &given)])), "ann");
    }
    // a route that is open to all asks nobody
    assert_eq!(text(ask(&router, "GET", "/open", &[])), "open");
    assert_eq!(ask(&router, "GET", "/nothing", &[]).status(), StatusCode::NOT_FOUND);
}

#[test]
fn a_token_in_an_address_is_not_taken_and_not_repeated() {
    let (router, token) = with_tokens(Limits::default());
    let bearer = format!("Bearer {token}");
    for headers in [vec![], vec![("authorization", bearer.as_str())]] {
        let response = ask(&router, "GET", &format!("/who?access_token={token}"), &headers);
        let (status, name, detail) = problem(response);
        assert_eq!((status, name.as_str()), (400, "bad-parameter"));
        assert!(detail.contains("revoked") && !detail.contains(&token), "{detail}");
    }
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    assert_eq!(ask(&router, "GET", "/who", &twice).status(), StatusCode::UNAUTHORIZED);
}

#[test]
fn only_by_its_names_is_the_gateway_called() {
    let limits =
        Limits { hosts: vec!["Api.example.org".to_owned(), "gateway:8080".to_owned()], ..Limits::default() };
    let router = front(Authenticator::None, limits);
    for host in [
        "127.0.0.1:8080",
        "[::1]:8080",
        "localhost",
        "LOCALHOST:1",
        "api.example.org:443",
        "gateway",
        "10.0.0.1",
    ] {
        assert_eq!(text(ask(&router, "GET", "/who", &[("host", host)])), "anyone", "{host}");
    }
    // a page whose name was made to lead here says its name
    for host in [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "api.example.org.evil",
        "",
    ] {
        for (method, address) in
            [("GET", "/who"), ("POST", "/commands"), ("OPTIONS", "/who"), ("GET", "/nothing")]
        {
            let (status, name, _) = problem(ask(&router, method, address, &[("host", host)]));
            assert_eq!((status, name.as_str()), (421, "foreign-host"), "{host} {method}");
        }
    }
    let both = [("host", "localhost"), ("host", "evil.example")];
    assert_eq!(problem(ask(&router, "GET", "/who", &both)).0, 421);
    assert_eq!(problem(ask(&router, "GET", "http://evil.example/who", &[])).0, 421);
}

#[test]
fn a_request_says_whom_it_asks() {
    let router = front(Authenticator::None, Limits::default());
    let asked = |version| {
        let request = Request::builder().uri("/who").version(version).body(Body::empty()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(router.clone().oneshot(request)).unwrap()
    };
    let (status, name, detail) = problem(asked(Version::HTTP_11));
    assert_eq!((status, name.as_str()), (400, "bad-parameter"));
    assert!(detail.contains("Host"), "{detail}");
    // which had none yet: a probe of a load balancer
    assert_eq!(text(asked(Version::HTTP_10)), "anyone");
}

#[test]
fn pages_of_other_origins_are_refused_and_not_only_by_their_browsers() {
    let router = front(Authenticator::None, Limits::default());
    for origin in [
        "https://evil.example",
        "http://localhost:3000",
        "http://127.0.0.1:8081",
        "null",
        "file://",
        "http://127.0.0.1",
    ] {
        for (method, address) in [("GET", "/who"), ("POST", "/commands"), ("OPTIONS", "/commands")] {
            let response = ask(
                &router,
                method,
                address,
                &[("origin", origin), ("access-control-request-method", "POST")],
            );
            assert!(!response.headers().contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
            let (status, name, _) = problem(response);
            assert_eq!((status, name.as_str()), (403, "foreign-origin"), "{origin} {method}");
        }
    }
    // its own pages, and those who are no pages
    for (host, origin) in [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("localhost:8080", "http://LOCALHOST:8080"),
        ("localhost", "https://localhost"),
        ("localhost:443", "https://localhost"),
        ("localhost:80", "http://localhost"),
    ] {
        let response = ask(&router, "POST", "/commands", &[("host", host), ("origin", origin)]);
        assert_eq!(text(response), "anyone", "{host} {origin}");
    }
    // a picture or a script of a page says no origin
    for site in ["cross-site", "same-site"] {
        let loaded = [("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")];
        assert_eq!(problem(ask(&router, "GET", "/who", &loaded)).0, 403);
    }
    let followed = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    assert_eq!(text(ask(&router, "GET", "/who", &followed)), "anyone");
    assert_eq!(text(ask(&router, "GET", "/who", &[("sec-fetch-site", "none")])), "anyone");
}

#[test]
fn origins_that_are_named_may_ask_and_are_told_so() {
    let limits = Limits { origins: vec!["https://App.example.org".to_owned()], ..Limits::default() };
    let (router, token) = with_tokens(limits);
    let origin = ("origin", "https://app.example.org");
    let asked = [
        origin,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization, idempotency-key, millrace-after"),
    ];
    // before the credentials: a browser asks without them
    let response = ask(&router, "OPTIONS", "/commands", &asked);
    assert!(response.status().is_success());
    let header =
        |response: &Response, name: &str| response.headers()[name].to_str().unwrap().to_ascii_lowercase();
    assert_eq!(header(&response, "access-control-allow-origin"), "https://app.example.org");
    assert_eq!(header(&response, "access-control-max-age"), "600");
    for name in ["authorization", "content-type", "idempotency-key", "millrace-after", "prefer"] {
        assert!(header(&response, "access-control-allow-headers").contains(name), "{name}");
    }
    assert!(header(&response, "access-control-allow-methods").contains("post"));
    assert!(!response.headers().contains_key("access-control-allow-credentials"));
    let bearer = format!("Bearer {token}");
    let response = ask(&router, "POST", "/commands", &[origin, ("authorization", &bearer)]);
    for name in ["millrace-position", "location", "retry-after", "ratelimit", "ratelimit-policy"] {
        assert!(header(&response, "access-control-expose-headers").contains(name), "{name}");
    }
    assert!(header(&response, "vary").contains("origin"));
    assert_eq!(text(response), "ann");
    // and may read why not
    let response = ask(&router, "POST", "/commands", &[origin]);
    assert_eq!(header(&response, "access-control-allow-origin"), "https://app.example.org");
    assert_eq!(problem(response).0, 401);
    assert_eq!(
        problem(ask(&router, "OPTIONS", "/commands", &[("origin", "https://app.example.org:444")])).0,
        403
    );
}

#[test]
fn without_names_only_pages_of_this_machine_can_be_let_in() {
    let new = |origin: &str| {
        let limits = Limits { origins: vec![origin.to_owned()], ..Limits::default() };
        Front::new(Authenticator::None, limits).map(|_| ())
    };
    for good in ["http://localhost:5173", "http://127.0.0.1:3000", "http://[::1]:3000", "https://localhost"] {
        new(good).unwrap();
    }
    assert!(new("https://app.example.org").unwrap_err().contains("nobody is asked for a name"));
    for bad in [
        "*",
        "app.example.org",
        "https://app.example.org/",
        "https://*.example.org",
        "ftp://localhost",
        "null",
        "",
    ] {
        assert!(new(bad).unwrap_err().contains("no origin"), "{bad}");
    }
}

#[test]
fn who_asks_too_often_is_told_when_to_ask_again() {
    let (router, token) =
        with_tokens(Limits { reads_per_second: 1, commands_per_second: 2, ..Limits::default() });
    let bearer = format!("Bearer {token}");
    let ask = |method: &str, address: &str| ask(&router, method, address, &[("authorization", &bearer)]);
    for left in (0..10).rev() {
        let response = ask("GET", "/who");
        assert_eq!(response.headers()["ratelimit-policy"], "\"reads\";q=10;w=10");
        assert_eq!(response.headers()["ratelimit"], format!("\"reads\";r={left};t=1").as_str());
        assert_eq!(text(response), "ann");
    }
    let response = ask("GET", "/who");
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    assert_eq!(response.headers()["ratelimit"], "\"reads\";r=0;t=1");
    assert_eq!(problem(response).0, 429);
    // of one route by its form, whatever stands in it, and of that route alone
    assert_eq!(ask("GET", "/other/1").headers()["ratelimit"], "\"reads\";r=9;t=1");
    assert_eq!(ask("GET", "/other/2").headers()["ratelimit"], "\"reads\";r=8;t=1");
    assert_eq!(ask("POST", "/commands").headers()["ratelimit-policy"], "\"commands\";q=20;w=10");
}

/// From a client at this address, with this token.
fn from(router: &Router, address: &str, path: &str, token: Option<&str>) -> Response {
    let mut request = Request::builder().uri(path).header("host", "127.0.0.1:8080");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut request = request.body(Body::empty()).unwrap();
    let client: SocketAddr = address.parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(client));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(router.clone().oneshot(request)).unwrap()
}

#[test]
fn who_tries_tokens_is_not_looked_at_any_more() {
    let (router, token) = with_tokens(Limits { refusals_per_second: 10, ..Limits::default() });
    let attacker = "192.0.2.1:1";
    let refused = (0..1_000).find_map(|number| {
        let answer = from(&router, attacker, "/who", Some(&format!("guess.{number}.x")));
        (answer.status() != StatusCode::UNAUTHORIZED).then_some(answer)
    });
    let refused = refused.expect("an address may try so often, and no oftener");
    let after: u64 = refused.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&after), "{after}");
    assert!(
        refused.headers().contains_key("ratelimit") && refused.headers().contains_key("ratelimit-policy")
    );
    let (status, name, detail) = problem(refused);
    assert_eq!((status, name.as_str()), (429, "too-many"), "{detail}");
    // not even with a good one, which is what guessing is for
    assert_eq!(from(&router, attacker, "/who", Some(&token)).status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(from(&router, attacker, "/who", None).status(), StatusCode::TOO_MANY_REQUESTS);
    // what asks nobody answers all the same, and so does everything to others
    assert_eq!(text(from(&router, attacker, "/open", None)), "open");
    assert_eq!(text(from(&router, "192.0.2.2:1", "/who", Some(&token))), "ann");
    // who is known from elsewhere is somebody who was known: an address may have many users
    assert_eq!(text(from(&router, attacker, "/who", Some(&token))), "ann");
}

#[test]
fn on_loopback_without_names_nobody_is_counted() {
    let router = front(Authenticator::None, Limits { reads_per_second: 1, ..Limits::default() });
    for _ in 0..50 {
        let response = ask(&router, "GET", "/who", &[]);
        assert!(!response.headers().contains_key("ratelimit"));
        assert_eq!(text(response), "anyone");
    }
}

#[test]
fn an_answer_that_does_not_come_ends() {
    let limits = Limits { answer_within: Duration::from_millis(1), ..Limits::default() };
    let router = front(Authenticator::None, limits);
    let response = ask(&router, "GET", "/slow", &[]);
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    let (status, name, _) = problem(response);
    assert_eq!((status, name.as_str()), (503, "no-answer"));
}
