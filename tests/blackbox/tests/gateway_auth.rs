//! Who may use a gateway: tokens, keys that are rotated, names, origins, rates, and encryption.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use millrace_blackbox::{Answer, Authority, Embedded, Gateway, Http, Published, Publisher, SOON, System};
use millrace_services::wait_until;
use openssl::base64::encode_block;
use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslMethod};
use serde_json::{Value, json};

/// A token of `millrace token` by the key `key` in `dir`.
fn token(system: &dyn System, dir: &Path, key: &str, more: &[&str]) -> String {
    let key = dir.join(key).display().to_string();
    let arguments = [&["token", "--key", &key], more].concat();
    let ran = system.cli().run_bare(&arguments).exits(0);
    assert_eq!(ran.stdout.trim().split('.').count(), 3, "{ran}");
    ran.stdout.trim().to_owned()
}

/// Sends a command as whoever has this token.
fn send(http: &mut Http, token: &str, kind: &str, data: Value, user: Option<&str>) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut body = json!({"data": data});
    if let Some(user) = user {
        body["metadata"] = json!({"user_id": user});
    }
    http.post(&format!("/v1/commands/chirp/{kind}"), &[("Authorization", &bearer)], &body)
}

/// Beside each other: most of each is waiting until files and keys are read again.
#[test]
fn who_may_use_a_gateway_is_said_by_tokens_names_and_certificates() {
    let embedded = Embedded::start("");
    thread::scope(|scope| {
        scope.spawn(|| a_gateway_lets_in_whom_an_issuer_names(&embedded));
        scope.spawn(|| keys_come_over_https_from_those_who_are_trusted_and_no_others(&embedded));
        scope.spawn(|| a_certificate_is_replaced_while_the_gateway_runs(&embedded));
        scope.spawn(|| without_names_a_gateway_is_for_this_machine(&embedded));
    });
}

fn a_gateway_lets_in_whom_an_issuer_names(embedded: &Embedded) {
    let dir = embedded.dir().join("guarded");
    fs::create_dir(&dir).unwrap();
    let missing = dir.join("dev.key").display().to_string();
    embedded.cli().run_bare(&["token", "--user", "ann", "--key", &missing]).exits(1).says(&["--make-key"]);
    let ann = token(embedded, &dir, "dev.key", &["--user", "ann", "--make-key"]);
    let mode = fs::metadata(dir.join("dev.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = ["token", "--user", "ann", "--key", &missing, "--make-key"];
    embedded.cli().run_bare(&again).exits(1).says(&["dev.key", "--make-key"]);
    let bob = token(embedded, &dir, "dev.key", &["--user", "bob", "--role", "operator"]);

    let settings = "[gateway]\nauth = \"jwt\"\njwt_issuers = \"millrace-dev\"\njwt_keys = \"dev.key.pub\"\n\
                    commands_per_second = 1\nrefusals_per_second = 2\nhosts = \"api.example.org\"\n";
    fs::write(dir.join("millrace.toml"), settings).unwrap();
    let gateway = Gateway::start(embedded, "guarded");
    let mut http = gateway.http();

    // who acts is the token's, whatever is said
    for (user, token) in [("ann", &ann), ("bob", &bob)] {
        send(&mut http, token, "RegisterUser", json!({"user_id": user, "username": user}), None).is(200);
    }
    let chirp = |id: &str| json!({"chirp_id": id, "author_id": "ann", "content": "mine"});
    send(&mut http, &ann, "PostChirp", chirp("c1"), Some("ann")).is(200);
    let forbidden = send(&mut http, &ann, "PostChirp", chirp("c2"), Some("bob")).is(403);
    assert_eq!(forbidden["errors"][0]["pointer"], "/metadata/user_id", "{forbidden}");
    let rejected = send(&mut http, &bob, "PostChirp", chirp("c3"), None).is(422);
    assert_eq!(rejected["violations"][0]["code"], "NotPermitted", "{rejected}");

    // nobody else gets in
    let body = json!({"data": {"user_id": "eve", "username": "eve"}});
    let nobody = http.post("/v1/commands/chirp/RegisterUser", &[], &body);
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer realm=\"millrace\""));
    nobody.is(401);
    let stranger = token(embedded, &dir, "stranger.key", &["--user", "ann", "--make-key"]);
    let foreign = token(embedded, &dir, "dev.key", &["--user", "ann", "--audience", "another"]);
    for bad in [&stranger, &foreign, "garbage", &format!("{ann}x")] {
        let refused =
            send(&mut http, bad, "RegisterUser", json!({"user_id": "eve", "username": "eve"}), None);
        assert!(refused.header("www-authenticate").unwrap().contains("invalid_token"), "{refused:?}");
        refused.is(401);
    }
    http.get(&format!("/v1/feeds/ann?access_token={ann}"), &[]).is(400);
    let bearer = format!("Bearer {ann}");
    let authorized = ("Authorization", bearer.as_str());
    http.get("/v1/feeds/ann", &[]).is(401);
    http.get("/v1/views/chirp/user_profiles?user_id=ann", &[]).is(401);
    http.get("/v1/feeds/ann", &[authorized]).is(200);

    // and nobody sees what is another's
    let by_bob = format!("Bearer {bob}");
    let bobs = ("Authorization", by_bob.as_str());
    http.get("/v1/feeds/ann", &[bobs]).is(403);
    http.get("/v1/views/accounting/daily_totals", &[bobs]).is(403);
    http.get("/v1/views/accounting/account_balances?limit=1", &[bobs]).is(400);
    let of_ann = "/v1/views/chirp/home_timelines?reader_id=ann";
    assert_eq!(http.get(of_ann, &[bobs]).is(200)["rows"], json!([]));
    http.get("/v1/views/chirp/user_profiles?user_id=ann", &[bobs]).is(200);
    http.get("/v1/feeds/ann", &[authorized, ("Host", "evil.example")]).is(421);
    http.get("/v1/feeds/ann", &[authorized, ("Host", "api.example.org")]).is(200);
    http.get("/v1/feeds/ann", &[authorized, ("Origin", "https://evil.example")]).is(403);

    the_command_line_says_who_asks(embedded, &dir, &gateway, &ann);

    // who asks too often waits, and nobody else does
    let refused = (0..40).find_map(|index| {
        let user = format!("u{index}");
        let answer = send(&mut http, &ann, "RegisterUser", json!({"user_id": user, "username": user}), None);
        (answer.status == 429).then_some(answer)
    });
    let refused = refused.expect("a rate");
    assert!(refused.header("retry-after").is_some() && refused.header("ratelimit").is_some(), "{refused:?}");
    refused.is(429);
    send(&mut http, &bob, "RegisterUser", json!({"user_id": "bob", "username": "bob"}), None).is(422);

    // a key is replaced while it runs: first both, then the new one alone
    let new = token(embedded, &dir, "new.key", &["--user", "ann", "--make-key"]);
    let status = |http: &mut Http, token: &str| {
        http.get("/v1/feeds/ann", &[("Authorization", &format!("Bearer {token}"))]).status
    };
    let [old_key, new_key] =
        ["dev.key.pub", "new.key.pub"].map(|name| fs::read_to_string(dir.join(name)).unwrap());
    fs::write(dir.join("dev.key.pub"), format!("{old_key}{new_key}")).unwrap();
    wait_until(SOON, "a token of the new key is taken", || status(&mut http, &new) == 200).unwrap();
    assert_eq!(status(&mut http, &ann), 200);
    fs::write(dir.join("dev.key.pub"), &new_key).unwrap();
    wait_until(SOON, "a token of the old key is not taken", || status(&mut http, &ann) == 401).unwrap();
    fs::write(dir.join("dev.key.pub"), "no key").unwrap();
    let mut health = Http::at(&gateway.process.health_address());
    let mut is_said =
        || health.get("/health", &[]).body.contains("dev.key.pub: it is neither PEM nor a key set");
    wait_until(SOON, "the file that is no key is named", &mut is_said).unwrap();
    assert_eq!(status(&mut http, &new), 200);

    // who tries tokens is not looked at any more, and whoever was known a moment ago is
    let refused = (0..1_000).find_map(|number| {
        let guess = format!("Bearer guess.{number}.x");
        let answer = http.get("/v1/feeds/ann", &[("Authorization", &guess)]);
        (answer.status == 429).then_some(answer)
    });
    let refused = refused.expect("an address may try so often, and no oftener");
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(status(&mut http, &new), 200);

    let output = gateway.process.output();
    for secret in [&ann, &bob, &stranger, &new] {
        let (_, signature) = secret.rsplit_once('.').unwrap();
        assert!(!output.contains(signature), "a token is in the log");
    }
}

/// The key set of the public key that `millrace token` has written.
fn key_set(dir: &Path, key: &str) -> Published {
    let pem = fs::read(dir.join(format!("{key}.pub"))).unwrap();
    let raw = PKey::public_key_from_pem(&pem).unwrap().raw_public_key().unwrap();
    let x = encode_block(&raw).replace('+', "-").replace('/', "_").replace('=', "");
    Published::Json(json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "use": "sig"}]}).to_string())
}

/// By a token in a file, which is read for each request.
fn the_command_line_says_who_asks(embedded: &Embedded, dir: &Path, gateway: &Gateway, token: &str) {
    let [settings, file] = ["client.toml", "token"].map(|name| dir.join(name).display().to_string());
    fs::write(&settings, format!("http_token_file = {file:?}\n")).unwrap();
    let address = format!("http://{}", gateway.address());
    let feed = ["feed", "ann", "--http", &address];
    embedded.cli().run_bare(&feed).exits(2).says(&["401", "http_token_file"]);
    let with = [&["--config", &*settings][..], &feed].concat();
    embedded.cli().run_bare(&with).exits(2).says(&["http_token_file", &file]);
    fs::write(&file, "two\nlines").unwrap();
    embedded.cli().run_bare(&with).exits(2).says(&["holds no token"]);
    fs::write(&file, format!("{token}\n")).unwrap();
    embedded.cli().run_bare(&with).exits(0);
    // whoever watches somebody else's is told so, and is not kept waiting
    let watch =
        [&["--config", &*settings, "watch"][..], &["feed", "user_id=bob", "--http", &address]].concat();
    embedded.cli().run_bare(&watch).exits(2).says(&["403"]);
}

fn keys_come_over_https_from_those_who_are_trusted_and_no_others(embedded: &Embedded) {
    let dir = embedded.dir().join("published");
    fs::create_dir(&dir).unwrap();
    Authority::new(&dir, "ca").issue("server", &["localhost"]);
    Authority::new(&dir, "foreign-ca").issue("foreign-server", &["localhost"]);
    let (own, foreign) = (Publisher::start(&dir, "server"), Publisher::start(&dir, "foreign-server"));
    let makers = ["good", "moved", "endless", "dripping", "failing", "foreign"];
    let tokens = makers.map(|issuer| {
        let key = format!("{issuer}.key");
        token(embedded, &dir, &key, &["--user", "ann", "--issuer", issuer, "--make-key"])
    });
    own.publish("/good", key_set(&dir, "good.key"));
    own.publish("/moved", Published::Moved(own.url("/elsewhere")));
    own.publish("/elsewhere", key_set(&dir, "moved.key"));
    own.publish("/endless", Published::Endless);
    own.publish("/dripping", Published::Dripping);
    own.publish("/failing", Published::Status(500));
    foreign.publish("/foreign", key_set(&dir, "foreign.key"));
    let places = makers.map(|issuer| match issuer {
        "foreign" => foreign.url("/foreign"),
        _ => own.url(&format!("/{issuer}")),
    });
    let settings = format!(
        "[gateway]\nauth = \"jwt\"\njwt_issuers = \"{}\"\njwt_keys = \"{}\"\n\
         jwt_refresh_seconds = 10\ntls_ca_file = \"ca.pem\"\n",
        makers.join(","),
        places.join(",")
    );
    fs::write(dir.join("millrace.toml"), settings).unwrap();
    let gateway = Gateway::launch(embedded, "published");
    let mut http = gateway.http();
    let mut ask = |token: &str| {
        let bearer = format!("Bearer {token}");
        http.ask("GET", "/v1/views/chirp/user_profiles?user_id=ann", &[("Authorization", &bearer)], "")
    };
    // one that drips or never ends holds nobody else up
    wait_until(SOON, "a token is taken", || ask(&tokens[0]).is_ok_and(|answer| answer.status == 200))
        .unwrap();
    let mut health = Http::at(&gateway.process.health_address());
    let whys = ["HTTP status 302", "larger than", "no answer within 5 s", "status: 500", "certificate"];
    for (number, why) in (1..).zip(whys) {
        let mut said = Value::Null;
        wait_until(SOON, "what is wrong with keys is named", || {
            let lanes = health.get("/health", &[]).json()["lanes"].take();
            let is_it = |lane: &&Value| lane["role"] == "gateway.keys" && lane["partition"] == number;
            said = lanes.as_array().into_iter().flatten().find(is_it).cloned().unwrap_or_default();
            said["detail"].as_str().is_some_and(|detail| detail.contains(why))
        })
        .unwrap_or_else(|overdue| panic!("{overdue}: {why}, not {said}"));
    }
    for token in &tokens[1..] {
        let away = ask(token).unwrap().is(503);
        assert_eq!(away["type"], "urn:millrace:problem:keys-away", "{away}");
    }
    assert_eq!((own.asked("/elsewhere"), foreign.asked("/foreign")), (0, 0));
    // what is under way in sockets is more than is read of it
    assert!((1..16 << 20).contains(&own.taken()), "{} bytes were taken", own.taken());

    // rotated: the new one is asked for as soon as a token needs it, and the old one is gone then
    let new = token(embedded, &dir, "new.key", &["--user", "ann", "--issuer", "good", "--make-key"]);
    ask(&new).unwrap().is(401);
    own.publish("/good", key_set(&dir, "new.key"));
    wait_until(SOON, "a token of the new key is taken", || ask(&new).unwrap().status == 200).unwrap();
    ask(&tokens[0]).unwrap().is(401);
}

fn without_names_a_gateway_is_for_this_machine(embedded: &Embedded) {
    let cli = embedded.cli();
    cli.run(&["gateway", "--listen", "0.0.0.0:0"]).exits(2).says(&["nobody is asked for a name", "jwt"]);
    let mut http = Http::at(embedded.http());
    http.get("/v1/feeds/ann", &[("Host", "evil.example")]).is(421);
    let page = [("Origin", "https://evil.example")];
    http.post("/v1/commands/chirp/RegisterUser", &page, &json!({"data": {}})).is(403);
    // a head is of a length; who sends on may see the connection end before the answer
    let long = http.ask("GET", "/v1/feeds/ann", &[("X-Long", &"a".repeat(64 << 10))], "");
    assert!(long.as_ref().map_or(true, |answer| answer.status == 431), "{long:?}");
    // a preflight, too
    http.ask("OPTIONS", "/v1/commands/chirp/RegisterUser", &page, "").unwrap().is(403);
}

fn a_certificate_is_replaced_while_the_gateway_runs(embedded: &Embedded) {
    let dir = embedded.dir().join("encrypted");
    fs::create_dir(&dir).unwrap();
    let authority = Authority::new(&dir, "ca");
    authority.issue("server", &["localhost"]);
    let settings = "[gateway]\ntls_certificate_file = \"server.pem\"\ntls_key_file = \"server.key\"\n";
    fs::write(dir.join("millrace.toml"), settings).unwrap();
    let gateway = Gateway::start(embedded, "encrypted");
    let shown = || {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_ca_file(dir.join("ca.pem")).unwrap();
        let stream = TcpStream::connect(gateway.address()).unwrap();
        let mut stream = connector.build().connect("localhost", stream).unwrap();
        let request = b"GET /v1/views/chirp/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        std::io::Write::write_all(&mut stream, request).unwrap();
        let mut answer = String::new();
        let _ = std::io::Read::read_to_string(&mut stream, &mut answer);
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        stream.ssl().peer_certificate().unwrap().to_der().unwrap()
    };
    let first = shown();
    authority.issue("server", &["localhost"]);
    wait_until(SOON, "the new certificate is shown", || shown() != first).unwrap();
    let second = shown();
    fs::write(dir.join("server.key"), "no key").unwrap();
    let mut health = Http::at(&gateway.process.health_address());
    let is_said = || health.get("/health", &[]).body.contains("gateway.tls_key_file");
    wait_until(SOON, "the key that is none is named", is_said).unwrap();
    assert_eq!(shown(), second);
}
