//! A team of people of the network: who they are, what they work on, and what they think of how large it is.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::words::line;

/// The team, its project, and the columns of its board.
const TEAM: &str = "mill";
/// The project of the team.
pub const PROJECT: &str = "mill-race";
const COLUMNS: [&str; 4] = ["To do", "In progress", "Review", "Done"];
/// What each is, the most popular first.
const ROLES: [&str; 7] = ["owner", "admin", "member", "member", "member", "member", "viewer"];
/// What there is to do, each with the column in which it stands and a rank within it.
const TASKS: [(&str, usize, &str); 12] = [
    ("Clean the weir", 0, "F"),
    ("Grease the shaft", 0, "P"),
    ("Mend the sluice gate", 0, "V"),
    ("Order new paddles", 0, "b"),
    ("Count the sacks", 0, "k"),
    ("Measure the head of water", 1, "F"),
    ("Paint the wheel house", 1, "V"),
    ("Replace the bearings", 1, "k"),
    ("Check the eel pass", 2, "V"),
    ("Sharpen the stones", 2, "k"),
    ("Repair the footbridge", 3, "F"),
    ("Survey the tail race", 3, "V"),
];

struct Generator<'a> {
    random: StdRng,
    domain: &'a str,
    lines: Vec<String>,
}

/// Commands of these people for one domain, one line each, as `millrace load` reads them. The same seed gives the same ones.
pub fn lines(domain: &str, seed: u64, people: &[String]) -> Vec<String> {
    // other numbers than those of the network and the shop
    let random = StdRng::seed_from_u64(seed.rotate_left(32));
    let mut generator = Generator { random, domain, lines: Vec::new() };
    let members: Vec<(&str, &str)> = people.iter().map(String::as_str).zip(ROLES).collect();
    let Some((owner, _)) = members.first() else { return Vec::new() };
    generator.introduce(&members);
    generator.gather(owner, &members[1..]);
    generator.plan(owner);
    generator.estimate(owner, &members);
    generator.lines
}

impl Generator<'_> {
    fn introduce(&mut self, members: &[(&str, &str)]) {
        for (user, _) in members {
            let mut name = (*user).to_owned();
            name[..1].make_ascii_uppercase();
            let data = json!({
                "user_id": user, "auth0_id": format!("demo|{user}"), "email": format!("{user}@mill.example"),
                "email_verified": true, "first_name": name, "last_name": "", "picture": "", "locale": "en",
            });
            self.say("identity.AddUser", user, &data);
        }
    }

    /// The owner founds the team and takes the others in.
    fn gather(&mut self, owner: &str, others: &[(&str, &str)]) {
        let membership = |user: &str, role: &str| json!({"membership_id": format!("{TEAM}-{user}"), "team_id": TEAM, "user_id": user, "role": role});
        self.say("projects.CreateMembership", owner, &membership(owner, "owner"));
        self.wait();
        for (user, role) in others {
            self.say("projects.CreateMembership", owner, &membership(user, role));
        }
    }

    fn plan(&mut self, owner: &str) {
        let project = json!({
            "project_id": PROJECT, "name": "The mill race", "prefix": "MILL", "description": "Water on the wheel by spring.",
            "user_id": owner, "team_id": TEAM, "active": true, "public": false, "column_order": COLUMNS,
        });
        self.say("projects.CreateProject", owner, &project);
        self.wait();
        for (number, (title, column, rank)) in TASKS.into_iter().enumerate() {
            let task = format!("task-{}", number + 1);
            let data = json!({
                "project_id": PROJECT, "task_id": task, "title": title, "column": COLUMNS[column], "rank": rank,
            });
            self.say("projects.CreateTask", owner, &data);
        }
    }

    /// One estimation that is closed, and one in which some have said what they think.
    fn estimate(&mut self, owner: &str, members: &[(&str, &str)]) {
        let of = |id: &str| json!({"estimation_id": id, "project_id": PROJECT, "team_id": TEAM});
        let with = |mut data: Value, more: [(&str, Value); 2]| {
            for (name, value) in more {
                data[name] = value;
            }
            data
        };
        for (id, title, scale) in
            [("sluice", "Mend the sluice gate", "fibonacci"), ("weir", "Clean the weir", "t-shirt")]
        {
            let data = with(of(id), [("title", title.into()), ("scale", scale.into())]);
            self.say("estimation.OpenEstimation", owner, &data);
        }
        self.wait();
        let players = members.iter().filter(|(_, role)| *role != "viewer");
        for (at, (user, _)) in players.enumerate() {
            let points = [5, 8, 5, 13, 3, 8][at % 6];
            let data = with(of("sluice"), [("member_id", (*user).into()), ("points", points.into())]);
            self.say("estimation.SubmitEstimate", user, &data);
            // the rest are still thinking
            if at < 3 {
                let points = [2, 4, 3][at];
                let data = with(of("weir"), [("member_id", (*user).into()), ("points", points.into())]);
                self.say("estimation.SubmitEstimate", user, &data);
            }
        }
        self.wait();
        self.say("estimation.CloseEstimation", owner, &of("sluice"));
    }

    /// What follows needs what went before: a barrier.
    fn wait(&mut self) {
        self.lines.push(String::new());
    }

    /// Adds a command, if it is one of the domain's.
    fn say(&mut self, kind: &str, actor: &str, data: &Value) {
        let line = line(&mut self.random, kind, Some(actor), data);
        if kind.split_once('.').is_some_and(|(domain, _)| domain == self.domain) {
            self.lines.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_team() {
        let people: Vec<String> = (0..60).map(|n| format!("p{n}")).collect();
        let count = |domain: &str, kind: &str| {
            let lines = lines(domain, 1, &people);
            assert_eq!(lines, super::lines(domain, 1, &people));
            assert_ne!(lines, super::lines(domain, 2, &people), "ids are others");
            lines.iter().filter(|line| line.contains(&format!("\"type\":\"{domain}.{kind}\""))).count()
        };
        for (domain, kind, expected) in [
            ("identity", "AddUser", ROLES.len()),
            ("projects", "CreateMembership", ROLES.len()),
            ("projects", "CreateProject", 1),
            ("projects", "CreateTask", TASKS.len()),
            ("estimation", "OpenEstimation", 2),
            ("estimation", "SubmitEstimate", 6 + 3),
            ("estimation", "CloseEstimation", 1),
        ] {
            assert_eq!(count(domain, kind), expected, "{kind}");
        }
        assert_eq!(lines("projects", 1, &[]), [""; 0]);
    }
}
