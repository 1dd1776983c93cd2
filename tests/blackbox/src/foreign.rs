//! A foreign producer and consumer that does as it is told: `python/foreign.py`, a line of JSON for each request.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::spawn::spawn;
use crate::{LATER, SOON, System, python, script};

/// The foreign client; ends when dropped.
#[derive(Debug)]
pub struct Foreign {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// A record of the dead topic.
#[derive(Clone, Debug)]
pub struct Dead {
    /// The text headers.
    pub headers: Value,
    /// The value's length; `None` for a tombstone.
    pub length: Option<u64>,
}

impl Dead {
    /// The header `millrace-reason`.
    pub fn reason(&self) -> &str {
        self.headers["millrace-reason"].as_str().unwrap_or_else(|| panic!("no reason in {}", self.headers))
    }
}

impl Foreign {
    /// A client of `system`.
    pub fn of(system: &dyn System) -> Self {
        let mut command = Command::new(python());
        command.arg(script("foreign.py"));
        command.args([
            "--kafka",
            system.kafka(),
            "--registry",
            system.registry(),
            "--prefix",
            system.prefix(),
        ]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = spawn(command).expect("Python starts");
        let requests = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, requests, answers }
    }

    /// One request and its answer; panics when the client failed.
    pub fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").expect("the foreign client listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the foreign client answers");
        let answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: the foreign client said `{line}` to {request}"));
        assert!(answer.get("error").is_none(), "{request}: {}", answer["error"].as_str().unwrap_or_default());
        answer
    }

    /// Sends a command where it belongs; gives partition and offset.
    pub fn send(&mut self, id: &str, kind: &str, data: Value) -> (i64, i64) {
        self.send_with(json!({"id": id, "type": kind, "data": data}))
    }

    /// The same with any of `metadata`, `key` (null: none), `partition`, `schema_id`, `extra` (fields of a newer schema).
    pub fn send_with(&mut self, mut command: Value) -> (i64, i64) {
        command["op"] = json!("send");
        place(&self.ask(&command))
    }

    /// Sends many commands, each with `id`, `type` and `data`, and waits until all have been accepted.
    pub fn send_all(&mut self, commands: &[Value]) {
        self.ask(&json!({"op": "send_all", "commands": commands, "seconds": LATER.as_secs()}));
    }

    /// Sends bytes (in hexadecimal) or, with `None`, a tombstone.
    pub fn raw(&mut self, key: Option<&str>, partition: Option<i64>, hex: Option<&str>) -> (i64, i64) {
        place(&self.ask(&json!({"op": "raw", "key": key, "partition": partition, "hex": hex})))
    }

    /// Writes a command in a transaction that stays open until [`Foreign::release`].
    pub fn hold(&mut self, id: &str, kind: &str, partition: i64, data: Value) {
        self.ask(&json!({
            "op": "hold", "transactional_id": "somebody-else", "partition": partition,
            "id": id, "type": kind, "data": data,
        }));
    }

    /// Commits what was held.
    pub fn release(&mut self) {
        self.ask(&json!({"op": "release"}));
    }

    /// The bytes of a command, in hexadecimal, to be damaged by the caller.
    pub fn encode(&mut self, id: &str, kind: &str, data: Value) -> String {
        let answer = self.ask(&json!({"op": "encode", "id": id, "type": kind, "data": data}));
        answer["hex"].as_str().expect("hexadecimal").to_owned()
    }

    /// The next outcome of this command id; panics when there is none in time.
    pub fn outcome(&mut self, id: &str) -> Value {
        self.outcome_within(id, SOON)
    }

    /// The same with a deadline of its own.
    pub fn outcome_within(&mut self, id: &str, deadline: Duration) -> Value {
        self.ask(&json!({"op": "outcome", "id": id, "seconds": deadline.as_secs()}))["outcome"].clone()
    }

    /// All outcomes that the topic holds, by their ids.
    pub fn outcome_ids(&mut self) -> Vec<String> {
        let answer = self.ask(&json!({"op": "outcome_ids"}));
        let ids = answer["ids"].as_array().expect("a list");
        ids.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The record of the dead topic that came from this place; panics when there is none in time.
    pub fn dead(&mut self, place: (i64, i64)) -> Dead {
        let ask = json!({"op": "dead", "partition": place.0, "offset": place.1, "seconds": SOON.as_secs()});
        let answer = self.ask(&ask);
        Dead { headers: answer["headers"].clone(), length: answer["length"].as_u64() }
    }

    /// Registers a newer version of the commands' schema: with `field` in every PostChirp, or with `branch`.
    pub fn evolve(&mut self, change: &str) -> i64 {
        self.ask(&json!({"op": "evolve", "change": change}))["schema_id"].as_i64().expect("a schema id")
    }

    /// A user that exists, named like its id.
    pub fn register(&mut self, user_id: &str) {
        let id = format!("register-{user_id}");
        let username: String =
            user_id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        self.send(&id, "RegisterUser", json!({"user_id": user_id, "username": username}));
        let outcome = self.outcome(&id);
        assert_eq!(outcome["status"], "accepted", "{outcome}");
    }
}

fn place(answer: &Value) -> (i64, i64) {
    let number = |name: &str| answer[name].as_i64().unwrap_or_else(|| panic!("no {name} in {answer}"));
    (number("partition"), number("offset"))
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
