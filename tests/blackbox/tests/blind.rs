//! Nobody learns what another has estimated before the estimation is closed: every byte that any client gets is looked through.

use std::fs;

use millrace_blackbox::{Cluster, Embedded, Gateway, LATER, Needle, System, Witness};
use millrace_services::wait_until;
use serde_json::{Value, json};

/// Each with their role in the team.
const TEAM: [(&str, &str); 7] = [
    ("ann", "owner"),
    ("bob", "admin"),
    ("cyd", "member"),
    ("dee", "member"),
    ("gus", "member"),
    ("max", "member"),
    ("eve", "viewer"),
];
const VOTERS: [&str; 6] = ["ann", "bob", "cyd", "dee", "gus", "max"];
/// Who has no part in it.
const STRANGER: &str = "sam";
/// Where the values of the scale stand themselves, which everybody in the team knows.
const SCALE: [&str; 2] = ["scale", "cards"];
const ESTIMATION: &str = "e1";
/// Who looks after the whole, and may read no topic.
const OPERATOR: &str = "olga";

/// The values of the scale: no other number looks like one of them.
fn value(number: usize) -> i64 {
    100_003 + 17_011 * number as i64
}

/// What a voter thinks in this round, at their first or second attempt.
fn vote(voter: usize, round: usize, attempt: usize) -> i64 {
    value((round * 2 + attempt) * VOTERS.len() + voter)
}

#[test]
fn estimates_are_nobodys_to_read_before_they_are_turned_up_embedded() {
    let embedded = Embedded::start("");
    nobody_peeks(&embedded);
}

#[test]
fn estimates_are_nobodys_to_read_before_they_are_turned_up_on_real_servers() {
    let cluster = Cluster::start("blind", "", 1);
    nobody_peeks(&cluster);
}

fn nobody_peeks(system: &dyn System) {
    let dir = system.dir().join("guarded");
    fs::create_dir(&dir).unwrap();
    let key = dir.join("dev.key").display().to_string();
    let token = |user: &str| {
        let make: &[&str] = if fs::exists(&key).unwrap() { &[] } else { &["--make-key"] };
        let role: &[&str] = if user == OPERATOR { &["--role", "operator"] } else { &[] };
        let arguments = [&["token", "--key", &key, "--user", user], make, role].concat();
        system.cli().run_bare(&arguments).exits(0).stdout.trim().to_owned()
    };
    let people = || TEAM.iter().map(|(user, _)| *user).chain([STRANGER]);
    let tokens: Vec<String> = people().map(token).collect();
    let settings = "[gateway]\nauth = \"jwt\"\njwt_issuers = \"millrace-dev\"\njwt_keys = \"dev.key.pub\"\n\
                    commands_per_second = 1000\nreads_per_second = 1000\nrefusals_per_second = 1000\n";
    fs::write(dir.join("millrace.toml"), settings).unwrap();
    set_up(system);
    let gateway = Gateway::start(system, "guarded");
    let address = gateway.address();
    let mut witnesses: Vec<Witness> =
        people().zip(&tokens).map(|(user, token)| Witness::new(&address, user, token)).collect();
    witnesses.iter_mut().for_each(listen);
    let operator = Witness::new(&address, OPERATOR, &token(OPERATOR));
    let mut votes = Vec::new();

    let of = |user: &str| witnesses.iter().find(|it| it.user == user).unwrap();
    let scale = (0..50).map(|number| value(number).to_string()).collect::<Vec<_>>().join(",");
    let open = json!({"estimation_id": ESTIMATION, "project_id": "p1", "team_id": "t1", "title": "The wheel", "scale": scale});
    of("bob").send("estimation/OpenEstimation", "open", &open).is(200);
    in_team(&witnesses, "an open estimation", |row| row["status"] == "OPEN");

    // one round, in which some think again
    for (voter, user) in VOTERS.iter().enumerate() {
        for attempt in 0..=usize::from(voter % 2 == 1) {
            votes.push(command_of(&submit(of(user), user, voter, 0, attempt).is(200)));
        }
    }
    in_team(&witnesses, "all estimates", |row| row["estimate_count"] == VOTERS.len());
    everybody_pries(&witnesses);
    operator_pries(&operator, &votes);
    assert_eq!(told_to_operator(&operator, 0, 0), Vec::<&str>::new());
    assert_eq!(told_to_operator(&operator, 0, 1), Vec::<&str>::new());
    let heard_of_others = |round: usize, attempt: usize| heard_of_others(&witnesses, round, attempt);
    assert_eq!(heard_of_others(0, 0), Vec::<String>::new());
    assert_eq!(heard_of_others(0, 1), Vec::<String>::new());

    // who has left the team learns nothing any more, and is not waited for
    let leave = json!({"team_id": "t1", "user_id": "gus"});
    of("gus").send("projects/DeleteMembership", "leave", &leave).is(200);
    let team_of_gus = || of("gus").ask("GET", "/v1/views/projects/team_members?team_id=t1", &[], None);
    wait_until(LATER, "a team without Gus", || !team_of_gus().body.contains("\"gus\"")).unwrap();
    of("bob").send("estimation/CloseEstimation", "close", &by_id()).is(200);
    let still_there: Vec<&Witness> = witnesses.iter().filter(|it| it.user != "gus").collect();
    for witness in still_there.iter().filter(|it| it.user != STRANGER) {
        let others = VOTERS.iter().enumerate().filter(|(_, voter)| **voter != witness.user);
        for (voter, _) in others {
            let turned_up = Needle::of(vote(voter, 0, voter % 2));
            wait_until(LATER, "what was turned up", || witness.heard(&turned_up, &SCALE) > 0)
                .unwrap_or_else(|overdue| panic!("{overdue}: {} of {}", VOTERS[voter], witness.user));
        }
    }
    everybody_pries(&witnesses);
    let heard = heard_of_others(0, 1);
    assert!(!heard.iter().any(|it| it.starts_with("gus ") || it.starts_with(STRANGER)), "{heard:?}");
    // what was thought first is nobody's, for good
    let replaced: Vec<String> = heard_of_others(0, 0)
        .into_iter()
        .filter(|it| ["bob", "dee", "max"].iter().any(|of| it.ends_with(of)))
        .collect();
    assert_eq!(replaced, Vec::<String>::new());
    operator_pries(&operator, &votes);
    assert_eq!(
        told_to_operator(&operator, 0, 1),
        ["bob", "dee", "max"],
        "what is turned up is told to operators, too"
    );
    let first = told_to_operator(&operator, 0, 0);
    assert_eq!(first, ["ann", "cyd", "gus"], "those who have thought once");

    // another round, which ends with its project and without a result
    of("ann").send("estimation/ReopenEstimation", "reopen", &by_id()).is(200);
    in_team(&witnesses, "another round", |row| row["status"] == "OPEN" && row["round"] == 2);
    for (voter, user) in VOTERS.iter().enumerate().filter(|(_, user)| **user != "gus") {
        votes.push(command_of(&submit(of(user), user, voter, 1, 0).is(200)));
    }
    in_team(&witnesses, "all estimates", |row| row["estimate_count"] == VOTERS.len() - 1);
    everybody_pries(&witnesses);
    of("ann").send("projects/DeleteProject", "end", &json!({"project_id": "p1"})).is(200);
    let refused = || submit(of("cyd"), "cyd", 2, 1, 1).status == 422;
    wait_until(LATER, "an estimation that has ended", refused).unwrap();
    everybody_pries(&witnesses);
    assert_eq!(heard_of_others(1, 0), Vec::<String>::new());
    operator_pries(&operator, &votes);
    assert_eq!(told_to_operator(&operator, 1, 0), Vec::<&str>::new());

    let told = of(STRANGER).newest("estimation_id", ESTIMATION, "status");
    assert_eq!(told, None, "who is in no team learns of no estimation");

    for witness in &witnesses {
        println!("{}: {} bytes", witness.user, witness.bytes());
    }
    assert!(witnesses.iter().all(|it| it.bytes() > 10_000), "everybody was told much");
}

/// The key of an estimation, and what its commands carry besides.
fn by_id() -> Value {
    json!({"estimation_id": ESTIMATION, "project_id": "p1", "team_id": "t1"})
}

fn submit(
    witness: &Witness,
    member: &str,
    voter: usize,
    round: usize,
    attempt: usize,
) -> millrace_blackbox::Answer {
    let mut data = by_id();
    data["member_id"] = json!(member);
    data["points"] = json!(vote(voter, round, attempt));
    witness.send("estimation/SubmitEstimate", &format!("vote-{member}-{round}-{attempt}"), &data)
}

/// A team with a project, and a stranger.
fn set_up(system: &dyn System) {
    let user = |user: &str| {
        let data = json!({
            "user_id": user, "auth0_id": user, "email": format!("{user}@example.org"), "email_verified": false,
            "first_name": "", "last_name": "", "picture": "", "locale": "",
        });
        json!({"type": "identity.AddUser", "data": data}).to_string()
    };
    let member = |(user, role): &(&str, &str)| {
        let data = json!({"membership_id": user, "team_id": "t1", "user_id": user, "role": role});
        let acting = if *role == "owner" { json!({"user_id": user}) } else { json!({}) };
        json!({"type": "projects.CreateMembership", "metadata": acting, "data": data}).to_string()
    };
    let project = json!({
        "project_id": "p1", "name": "Mill", "prefix": "MIL", "description": "", "user_id": "ann", "team_id": "t1",
        "active": true, "public": false, "column_order": ["todo"],
    });
    let lines: Vec<String> = TEAM
        .iter()
        .map(|(name, _)| user(name))
        .chain([user(STRANGER), String::new(), member(&TEAM[0]), String::new()])
        .chain(TEAM[1..].iter().map(member))
        .chain([String::new(), json!({"type": "projects.CreateProject", "data": project}).to_string()])
        .collect();
    let file = system.dir().join("team.jsonl");
    fs::write(&file, lines.join("\n")).unwrap();
    let ran = system.cli().ok(&["load", &file.display().to_string(), "--wait", "--json"]);
    assert_eq!((&ran.json()["rejected"], &ran.json()["bad"]), (&json!(0), &json!(0)), "{ran}");
    system.cli().wait_caught_up(LATER);
}

/// What can be followed: view, column and key.
fn views() -> Vec<(&'static str, &'static str, Value)> {
    let mut all = vec![
        ("estimation", "estimations_by_project", json!({"project_id": "p1"})),
        ("estimation", "estimates", json!({"estimation_id": ESTIMATION})),
        ("projects", "team_members", json!({"team_id": "t1"})),
        ("projects", "projects_by_team", json!({"team_id": "t1"})),
        ("projects", "project_board", json!({"project_id": "p1"})),
    ];
    let of = |user: &str| json!({"estimation_id": ESTIMATION, "member_id": user});
    all.extend(TEAM.iter().map(|(user, _)| ("estimation", "my_estimates", of(user))));
    all
}

/// `view?key=value&…`
fn address(view: &str, key: &Value) -> String {
    let pairs = key.as_object().unwrap().iter();
    let pairs = pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap()));
    format!("{view}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// Follows all there is, by both ways; where somebody may not, that is what they are told.
fn listen(witness: &mut Witness) {
    let mut frames = Vec::new();
    for (number, (domain, view, key)) in views().iter().enumerate() {
        witness.follow(&format!("/v1/streams/{domain}/{}", address(view, key)));
        frames.push(json!({"op": "subscribe", "id": format!("s{number}"), "domain": domain, "view": view, "key": key}));
    }
    witness.open_socket(&frames);
}

/// Everybody asks for all that is there, also for what is another's, and does what they must not.
fn everybody_pries(witnesses: &[Witness]) {
    for witness in witnesses {
        for (domain, view, key) in views() {
            witness.ask("GET", &format!("/v1/views/{domain}/{}", address(view, &key)), &[], None);
            witness.ask("GET", &format!("/v1/views/{domain}/{view}?limit=100"), &[], None);
        }
        for voter in VOTERS {
            for (round, attempt) in [(0, 0), (0, 1), (1, 0)] {
                let key = format!("vote-{voter}-{round}-{attempt}");
                witness.ask("GET", &format!("/v1/outcomes/estimation/{key}?timeout=0"), &[], None);
            }
        }
        for path in [
            "/v1/ops/status",
            "/v1/ops/architecture",
            "/v1/ops/explain?command_id=vote-cyd-0-0",
            "/v1/ops/history?aggregate_id=Estimation/e1&domain=estimation",
            "/v1/ops/dead?domain=estimation",
            "/openapi.json",
            "/asyncapi.json",
        ] {
            witness.ask("GET", path, &[], None);
        }
        // nobody estimates for another, or with another's key
        let other = if witness.user == "cyd" { "dee" } else { "cyd" };
        let mut data = by_id();
        (data["member_id"], data["points"]) = (json!(other), json!(1));
        let refused = witness.send("estimation/SubmitEstimate", "vote-cyd-0-0-for-another", &data);
        assert_eq!(refused.status, 422, "{refused:?}");
        for (kind, key) in [("CloseEstimation", "pry-close"), ("ReopenEstimation", "pry-reopen")] {
            let body = json!({"data": by_id(), "metadata": {"expected_version": 1}});
            let path = format!("/v1/commands/estimation/{kind}");
            let refused = witness.ask("POST", &path, &[("Idempotency-Key", key)], Some(&body));
            assert_eq!(refused.status, 422, "{refused:?}");
        }
    }
}

/// The id of the command that was answered.
fn command_of(outcome: &Value) -> String {
    outcome["command_id"].as_str().expect("an outcome").to_owned()
}

/// The operator asks for all that operators are told of an estimation; each of it is told, but for the points.
fn operator_pries(operator: &Witness, votes: &[String]) {
    let get = |path: &str| operator.ask("GET", path, &[], None);
    let told = |path: &str| {
        // topics may not have been caught up with, nor searched in time
        let answer = || Some(get(path)).filter(|answer| answer.status == 200);
        millrace_services::wait_for(LATER, path, answer)
            .unwrap_or_else(|overdue| panic!("{overdue}: {:?}", get(path)))
    };
    for (number, vote) in votes.iter().enumerate() {
        let domain = if number == 0 { "" } else { "&domain=estimation" };
        let body = told(&format!("/v1/ops/explain?command_id={vote}&rows=100{domain}")).body;
        assert!(body.contains("EstimateSubmitted") && body.contains("(withheld)"), "{body}");
        assert!(!body.contains("\"digest\""), "of a few values the right one is found by trying: {body}");
    }
    let history = "/v1/ops/history?aggregate_id=Estimation/e1";
    for rest in ["", "&domain=estimation", "&version=5", "&limit=2", "&cursor=3&limit=3"] {
        let body = told(&format!("{history}{rest}")).body;
        assert!(body.contains("changes"), "{body}");
    }
    for path in [
        "/v1/ops/status",
        "/v1/ops/faults",
        "/v1/ops/views",
        "/v1/ops/architecture",
        "/v1/ops/dead?domain=estimation&all=true",
        "/openapi.json",
    ] {
        told(path);
    }
}

/// Whose thoughts of this attempt the operator has been told.
fn told_to_operator(operator: &Witness, round: usize, attempt: usize) -> Vec<&'static str> {
    let heard = |voter: usize| operator.heard(&Needle::of(vote(voter, round, attempt)), &SCALE) > 0;
    VOTERS.iter().enumerate().filter(|(voter, _)| heard(*voter)).map(|(_, user)| *user).collect()
}

/// Until everybody in the team was told of it.
fn in_team(witnesses: &[Witness], what: &str, is_it: impl Fn(&Value) -> bool) {
    for witness in witnesses.iter().filter(|it| it.user != STRANGER && it.user != "gus") {
        let told = || witness.newest("estimation_id", ESTIMATION, "status").is_some_and(|row| is_it(&row));
        wait_until(LATER, what, told).unwrap_or_else(|overdue| {
            panic!(
                "{overdue}: {} knows {:?}",
                witness.user,
                witness.newest("estimation_id", ESTIMATION, "status")
            )
        });
    }
}

/// Who has heard what another thought at this attempt, as `user of voter`.
fn heard_of_others(witnesses: &[Witness], round: usize, attempt: usize) -> Vec<String> {
    let mut found = Vec::new();
    for witness in witnesses {
        for (voter, user) in VOTERS.iter().enumerate().filter(|(_, user)| **user != witness.user) {
            if witness.heard(&Needle::of(vote(voter, round, attempt)), &SCALE) > 0 {
                found.push(format!("{} of {user}", witness.user));
            }
        }
    }
    found
}
