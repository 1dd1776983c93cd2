//! Nobody but who has said them learns points before they are turned up, through a gateway that knows who asks: not from rows, not
//! from streams, not from refusals; and who is in no team learns nothing at all.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;

use millrace_blackbox::{Answer, Embedded, Gateway, Http, LATER, System};
use millrace_services::{wait_for, wait_until};
use serde_json::{Value, json};

/// Two estimates that stand nowhere else in an answer.
const SCALE: &str = "7,424242,737373";

/// Somebody with a token.
struct Person {
    name: &'static str,
    http: Http,
    address: String,
    bearer: String,
}

impl Person {
    fn ask(&mut self, kind: &str, mut more: Value) -> Answer {
        let data = more.as_object_mut().unwrap();
        for (name, value) in [("estimation_id", "e"), ("project_id", "p"), ("team_id", "t")] {
            data.insert(name.to_owned(), value.into());
        }
        let headers = [("Authorization", self.bearer.as_str())];
        self.http.post(&format!("/v1/commands/estimation/{kind}"), &headers, &json!({"data": more}))
    }

    fn says(&mut self, points: i64) -> Answer {
        let member = self.name;
        self.ask("SubmitEstimate", json!({"member_id": member, "points": points}))
    }

    fn rows(&mut self, view_and_key: &str) -> Vec<Value> {
        let headers = [("Authorization", self.bearer.as_str())];
        let page = self.http.get(&format!("/v1/views/estimation/{view_and_key}"), &headers).is(200);
        page["rows"].as_array().unwrap().clone()
    }

    /// Follows a view; all that comes.
    fn follow(&self, view_and_key: &str) -> Arc<Mutex<String>> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "GET /v1/streams/estimation/{view_and_key} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\r\n",
            self.address, self.bearer
        )
        .unwrap();
        let heard = Arc::new(Mutex::new(String::new()));
        let hears = Arc::clone(&heard);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                hears.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        heard
    }
}

fn has_come(heard: &Arc<Mutex<String>>, what: &str) {
    let came = wait_until(LATER, what, || heard.lock().unwrap().contains(what));
    assert!(came.is_ok(), "{what} has not come: {}", heard.lock().unwrap());
}

/// The team `t` of Ann, with Bob and, to look on, Zoe; Max is in none.
fn set_up(http: &mut Http) {
    let mut ask = |kind: &str, data: Value| {
        http.post(&format!("/v1/commands/{kind}"), &[], &json!({"data": data})).is(200);
    };
    for (user, role) in [("ann", "owner"), ("bob", "member"), ("zoe", "viewer"), ("max", "")] {
        let data = json!({
            "user_id": user, "auth0_id": user, "email": format!("{user}@example.org"), "email_verified": true,
            "first_name": user, "last_name": "", "picture": "", "locale": "",
        });
        ask("identity/AddUser", data);
        if !role.is_empty() {
            let data = json!({"membership_id": user, "team_id": "t", "user_id": user, "role": role});
            ask("projects/CreateMembership", data);
        }
    }
    let data = json!({
        "project_id": "p", "name": "Mill race", "prefix": "MIL", "description": "", "user_id": "ann", "team_id": "t",
        "active": true, "public": true, "column_order": ["todo"],
    });
    ask("projects/CreateProject", data);
    let has_all = || {
        let page = http.get("/v1/views/projects/team_members?team_id=t", &[]).is(200);
        page["rows"].as_array().is_some_and(|rows| rows.len() == 3)
    };
    wait_until(LATER, "the team", has_all).unwrap();
}

#[test]
fn nobody_learns_points_before_they_are_turned_up() {
    let embedded = Embedded::start("");
    let dir = embedded.dir().join("votes");
    fs::create_dir(&dir).unwrap();
    let key = dir.join("dev.key").display().to_string();
    let token = |user: &str| {
        let make: &[&str] = if dir.join("dev.key").exists() { &[] } else { &["--make-key"] };
        let arguments = [&["token", "--key", &key, "--user", user], make].concat();
        format!("Bearer {}", embedded.cli().run_bare(&arguments).exits(0).stdout.trim())
    };
    let bearers = ["ann", "bob", "zoe", "max"].map(|user| (user, token(user)));
    let settings = "[gateway]\nauth = \"jwt\"\njwt_issuers = \"millrace-dev\"\njwt_keys = \"dev.key.pub\"\n";
    fs::write(dir.join("millrace.toml"), settings).unwrap();
    let gateway = Gateway::start(&embedded, "votes");
    let [mut ann, mut bob, mut zoe, mut max] = bearers.map(|(name, bearer)| {
        let (http, address) = (gateway.http(), gateway.address());
        let address = address.strip_prefix("http://").unwrap_or(&address).to_owned();
        Person { name, http, address, bearer }
    });
    set_up(&mut Http::at(embedded.http()));

    let opens = json!({"title": "Clean the weir", "scale": SCALE});
    max.ask("OpenEstimation", opens.clone()).is(422);
    ann.ask("OpenEstimation", opens).is(200);
    let streams: Vec<_> = ["estimations_by_project?project_id=p", "estimates?estimation_id=e"]
        .iter()
        .flat_map(|view| [&ann, &bob, &zoe, &max].map(|person| person.follow(view)))
        .chain([&bob, &zoe, &max].map(|person| person.follow("my_estimates?estimation_id=e&member_id=ann")))
        .collect();
    streams.iter().for_each(|heard| has_come(heard, "event: live"));
    let own = ann.follow("my_estimates?estimation_id=e&member_id=ann");
    ann.says(424_242).is(200);
    bob.says(737_373).is(200);
    for refused in [zoe.says(7), max.says(7), bob.says(8), bob.ask("CloseEstimation", json!({}))] {
        let said = refused.is(422).to_string().replace("7, 424242, 737373", "");
        assert!(!said.contains("424242") && !said.contains("737373"), "{said}");
    }

    // who is in the team sees that two have said something, and not what
    for person in [&mut ann, &mut bob, &mut zoe] {
        let rows = wait_for(LATER, "two estimates", || {
            let rows = person.rows("estimations_by_project?project_id=p");
            Some(rows).filter(|rows| rows.first().is_some_and(|row| row["estimate_count"] == 2))
        });
        let row = &rows.unwrap()[0];
        assert_eq!(
            (&row["status"], &row["points"], &row["spread"]),
            (&json!("OPEN"), &json!(null), &json!(null))
        );
        let rows = person.rows("estimates?estimation_id=e");
        let said: Vec<_> = rows.iter().map(|row| (row["member_id"].clone(), row["points"].clone())).collect();
        assert_eq!(said, [(json!("ann"), json!(null)), (json!("bob"), json!(null))]);
    }
    // who is in none sees nothing, though the project is public
    for view in ["estimations_by_project?project_id=p", "estimates?estimation_id=e"] {
        assert_eq!(max.rows(view), [json!(null); 0]);
    }
    let own_row = |person: &mut Person, member: &str| {
        person.rows(&format!("my_estimates?estimation_id=e&member_id={member}"))
    };
    let row = wait_for(LATER, "one's own", || own_row(&mut ann, "ann").pop()).unwrap();
    assert_eq!(row["points"], 424_242);
    has_come(&own, "\"points\":424242");
    for person in [&mut bob, &mut zoe, &mut max] {
        assert_eq!(own_row(person, "ann"), [json!(null); 0], "{}", person.name);
    }
    for heard in &streams[..3] {
        has_come(heard, "\"estimate_count\":2");
    }
    for heard in &streams[4..7] {
        has_come(heard, "\"member_id\":\"bob\"");
    }
    let cards = r#"[{\"label\":\"7\",\"points\":7},{\"label\":\"424242\",\"points\":424242},{\"label\":\"737373\",\"points\":737373}]"#;
    for heard in &streams {
        let heard = heard.lock().unwrap().replace(cards, "").replace(SCALE, "");
        assert!(!heard.contains("424242") && !heard.contains("737373"), "{heard}");
    }

    // and then everybody who is in the team sees all of it
    ann.ask("CloseEstimation", json!({})).is(200);
    for heard in &streams[..3] {
        has_come(heard, "\"spread\":313131");
    }
    for heard in &streams[4..7] {
        has_come(heard, "\"points\":424242");
    }
    for person in [&mut ann, &mut bob, &mut zoe] {
        let row = &person.rows("estimations_by_project?project_id=p")[0];
        assert_eq!((&row["status"], &row["points"]), (&json!("CLOSED"), &json!(737_373)));
    }
    for view in ["estimations_by_project?project_id=p", "estimates?estimation_id=e"] {
        assert_eq!(max.rows(view), [json!(null); 0]);
    }
    for heard in [&streams[3], &streams[7], &streams[8], &streams[9], &streams[10]] {
        let heard = heard.lock().unwrap();
        assert!(!heard.contains("event: change") && !heard.contains("\"e\""), "{heard}");
    }

    // who is taken out sees no more
    let mut http = Http::at(embedded.http());
    let data = json!({"data": {"team_id": "t", "user_id": "zoe"}});
    http.post("/v1/commands/projects/DeleteMembership", &[], &data).is(200);
    let is_out = wait_until(LATER, "an empty page", || zoe.rows("estimates?estimation_id=e").is_empty());
    assert!(is_out.is_ok(), "Zoe still reads");
}
