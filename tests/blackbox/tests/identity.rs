//! Who signs in is known, an address is one user's, and a token for accounting is for nobody to read.

use std::fs;
use std::path::Path;

use millrace_blackbox::{Answer, Embedded, Gateway, Http, LATER, System};
use millrace_services::wait_for;
use serde_json::{Value, json};

const ADDRESS: &str = "Ann@Example.org";

/// Somebody with a token.
struct Person {
    http: Http,
    bearer: String,
}

impl Person {
    fn ask(&mut self, kind: &str, data: Value) -> Answer {
        let headers = [("Authorization", self.bearer.as_str())];
        self.http.post(&format!("/v1/commands/{kind}"), &headers, &json!({"data": data}))
    }

    /// Their own row, once it is there.
    fn profile(&mut self, user: &str) -> Option<Value> {
        let headers = [("Authorization", self.bearer.as_str())];
        let page = self.http.get(&format!("/v1/views/identity/users?user_id={user}"), &headers).is(200);
        page["rows"].get(0).cloned()
    }
}

fn token(system: &dyn System, dir: &Path, user: &str, more: &[&str]) -> String {
    let key = dir.join("dev.key");
    let key_file = key.display().to_string();
    let make: &[&str] = if key.exists() { &[] } else { &["--make-key"] };
    let arguments = [&["token", "--key", &key_file, "--user", user], make, more].concat();
    format!("Bearer {}", system.cli().run_bare(&arguments).exits(0).stdout.trim())
}

#[test]
fn who_signs_in_becomes_known_by_their_token_and_nothing_else() {
    let embedded = Embedded::start("");
    let dir = embedded.dir().join("signs-in");
    fs::create_dir(&dir).unwrap();
    let of = |address: &str| {
        let email = format!("email={address}");
        let claims = [email.as_str(), "email_verified=true", "given_name=Ann", "locale=de-AT"];
        claims
            .map(str::to_owned)
            .iter()
            .flat_map(|claim| ["--claim".to_owned(), claim.clone()])
            .collect::<Vec<_>>()
    };
    let token_of = |user: &str, claims: &[String]| {
        token(&embedded, &dir, user, &claims.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let bearers = [
        token_of("ann", &of(ADDRESS)),
        token_of("eve", &of("ANN@example.ORG")),
        token_of("zoe", &["--claim", "email=zoe@example.org", "--claim", "locale=de_AT"].map(str::to_owned)),
        token_of("robot", &[]),
    ];
    let settings = "[gateway]\nauth = \"jwt\"\njwt_issuers = \"millrace-dev\"\njwt_keys = \"dev.key.pub\"\n";
    fs::write(dir.join("millrace.toml"), settings).unwrap();
    let gateway = Gateway::start(&embedded, "signs-in");
    let [mut ann, mut eve, mut zoe, mut robot] =
        bearers.map(|bearer| Person { http: gateway.http(), bearer });

    // whoever asks for something first is known when it is decided
    ann.ask("chirp/RegisterUser", json!({"user_id": "ann", "username": "ann"})).is(200);
    ann.ask("identity/UpdateUser", json!({"user_id": "ann", "last_name": "Lee"})).is(200);
    let profile =
        wait_for(LATER, "a profile", || ann.profile("ann").filter(|row| row["last_name"] == "Lee")).unwrap();
    for (name, value) in
        [("email", json!(ADDRESS)), ("email_verified", json!(true)), ("first_name", json!("Ann"))]
    {
        assert_eq!(profile[name], value, "{profile}");
    }
    // once, also through another gateway
    fs::create_dir(embedded.dir().join("beside")).unwrap();
    fs::write(
        embedded.dir().join("beside/millrace.toml"),
        settings.replace("dev.key.pub", "../signs-in/dev.key.pub"),
    )
    .unwrap();
    let beside = Gateway::start(&embedded, "beside");
    let mut again = Person { http: beside.http(), bearer: ann.bearer.clone() };
    again.ask("identity/UpdateUser", json!({"user_id": "ann", "locale": "de"})).is(200);
    let history = embedded.cli().ok(&["history", "identity:User/ann", "--json"]);
    assert_eq!(history.stdout.matches("\"UserAdded\"").count(), 1, "{history}");

    // the address is one user's: who comes with it too is nobody, and is told so
    eve.ask("chirp/RegisterUser", json!({"user_id": "eve", "username": "eve"})).is(200);
    eve.ask("identity/UpdateUser", json!({"user_id": "eve", "locale": "de"})).is(422);
    let add = json!({
        "user_id": "eve", "auth0_id": "eve", "email": "ANN@example.ORG", "email_verified": true,
        "first_name": "Eve", "last_name": "", "picture": "", "locale": "",
    });
    let refused = eve.ask("identity/AddUser", add).is(422);
    assert_eq!(
        (&refused["violations"][0]["code"], &refused["violations"][0]["field"]),
        (&json!("AlreadyExists"), &json!("email"))
    );
    assert!(!refused.to_string().to_lowercase().contains("example.org"), "{refused}");

    // nobody says of themselves that an address is verified
    zoe.ask("chirp/RegisterUser", json!({"user_id": "zoe", "username": "zoe"})).is(200);
    for data in [
        json!({"user_id": "zoe", "email_verified": true}),
        json!({"user_id": "zoe", "email": "zoe@example.org", "email_verified": true}),
        json!({"user_id": "zoe", "email": "free@example.org", "email_verified": true}),
    ] {
        let refused = zoe.ask("identity/UpdateUser", data).is(403);
        assert_eq!(refused["errors"][0]["pointer"], "/data/email_verified", "{refused}");
    }
    zoe.ask("identity/UpdateUser", json!({"user_id": "zoe", "email": "free@example.org"})).is(200);
    let unverified = |zoe: &mut Person| zoe.profile("zoe").filter(|row| row["email"] == "free@example.org");
    assert_eq!(wait_for(LATER, "a profile", || unverified(&mut zoe)).unwrap()["email_verified"], false);
    // and nobody becomes known by a token that says nothing of them
    robot.ask("chirp/RegisterUser", json!({"user_id": "robot", "username": "robot"})).is(200);
    robot.ask("identity/UpdateUser", json!({"user_id": "robot", "locale": "de"})).is(422);

    a_token_for_accounting_is_for_nobody_to_read(&embedded);
}

fn a_token_for_accounting_is_for_nobody_to_read(embedded: &Embedded) {
    let secret = "0b5f0a9d3c6e4f7b8a1d-a-token-of-ann";
    let mut own = Http::at(embedded.http());
    assert_eq!(own.get("/v1/keys", &[]).is(200)["keys"].as_array().unwrap().len(), 1);
    let data = json!({"user_id": "ann", "sealed_token": {"plaintext": secret}});
    let headers = [("Idempotency-Key", "enable-ann")];
    let enabled = own.post("/v1/commands/identity/EnableAccounting", &headers, &json!({"data": data}));
    enabled.is(200);
    let key = embedded.data().join("secrets/seal.key").display().to_string();
    let opened = embedded.cli().ok(&["unseal", "--key", &key, "--command", "enable-ann"]);
    assert_eq!(opened.stdout.trim(), secret);
    let refused = json!({"user_id": "ann", "sealed_token": secret, "fingerprint": "x"});
    let refused = own.post("/v1/commands/identity/EnableAccounting", &[], &json!({"data": refused})).is(400);
    assert!(!refused.to_string().contains(secret), "{refused}");
}
