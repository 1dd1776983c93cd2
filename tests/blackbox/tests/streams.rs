//! Streams that are cut at any moment while gateways and projectors are killed, an author becomes a celebrity and ceases to be
//! one, and the tables are rebuilt: every copy is exact at each token, and misses nothing.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, iter};

use millrace_blackbox::{Cli, Embedded, Fragile, Gateway, Http, LATER, System};
use millrace_services::{wait_for, wait_until};
use serde_json::{Value, json};

const AUTHORS: usize = 4;
/// Who follow the first author for a while, and make a celebrity of them.
const FANS: usize = 8;
/// The reader and half of them are not enough, all of them are.
const CROSSING: &str =
    "[chirp]\ncelebrity_above = 6\ncelebrity_below = 5\ntimeline_cap = 100\nfan_out_at_once = 5\n";

/// `MILLRACE_TEST_STREAM_CLIENTS`, else 20; and how often their streams are cut, `MILLRACE_TEST_STREAM_CUTS`, else 100.
fn clients_and_cuts() -> (usize, usize) {
    let given = |name: &str, usually| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number")),
        Err(_) => usually,
    };
    (given("MILLRACE_TEST_STREAM_CLIENTS", 20), given("MILLRACE_TEST_STREAM_CUTS", 100))
}

#[test]
fn copies_are_exact_through_cuts_and_kills_on_embedded_servers() {
    let embedded = Embedded::start(CROSSING);
    let key = embedded.data().join("resume.key");
    let mut other = gateway(&embedded, "other", &key);
    let addresses = [embedded.http().to_owned(), other.address()];
    follow(&embedded.cli(), &addresses, &mut |_| other.process.restart());
}

#[test]
fn copies_are_exact_through_cuts_and_kills_on_real_servers() {
    let mut system = Fragile::with("streams", CROSSING);
    system.cluster.start_roles(2);
    let key = system.dir().join("resume.key");
    fs::write(&key, [7; 32]).expect("a file in its folder");
    let mut gateways = [gateway(&system, "one", &key), gateway(&system, "other", &key)];
    let addresses = [gateways[0].address(), gateways[1].address()];
    follow(&system.cli(), &addresses, &mut |share| match share {
        0 => system.cluster.projectors[0].restart(),
        1 => gateways[0].process.restart(),
        _ => {
            system.cluster.projectors[1].restart();
            gateways[1].process.restart();
        }
    });
}

/// A gateway that signs with this key.
fn gateway(system: &dyn System, name: &str, key: &std::path::Path) -> Gateway {
    let dir = system.dir().join(name);
    fs::create_dir_all(&dir).expect("a folder in its folder");
    let settings = format!("[gateway]\nresume_key_file = {:?}\n", key.display().to_string());
    fs::write(dir.join("millrace.toml"), settings).expect("a file in it");
    Gateway::start(system, name)
}

/// How far it has come.
#[derive(Default)]
struct Stage {
    /// How many streams were cut.
    cuts: AtomicUsize,
    /// How many have begun anew, as their token cannot be continued.
    resets: AtomicUsize,
    /// Whether it is to end.
    ends: AtomicBool,
}

/// The chirps of an author by their ids, after each of the author's commands.
type States = Arc<Mutex<Vec<BTreeMap<String, String>>>>;

/// Clients follow authors who write. After every quarter of the cuts `strike` breaks something, and something happens to the
/// tables.
fn follow(cli: &Cli, gateways: &[String; 2], strike: &mut dyn FnMut(usize)) {
    let (clients, cuts) = clients_and_cuts();
    let mut http = Http::at(&gateways[0]);
    let fans = || (0..FANS).map(|number| format!("fan-{number}"));
    for user in (0..AUTHORS).map(author).chain(["reader".to_owned()]).chain(fans()) {
        let register = json!({"data": {"user_id": user, "username": user.replace('-', "_")}});
        http.post("/v1/commands/chirp/RegisterUser", &[], &register).is(200);
    }
    (0..AUTHORS).map(author).for_each(|author| ask(gateways, "FollowUser", "reader", &author));
    let states: Vec<States> = (0..AUTHORS).map(|_| Arc::new(Mutex::new(vec![BTreeMap::new()]))).collect();
    let stage = Stage::default();
    thread::scope(|scope| {
        let writers: Vec<_> = (0..AUTHORS)
            .map(|number| {
                let (states, ends) = (&states[number], &stage.ends);
                scope.spawn(move || write(gateways, number, states, ends))
            })
            .collect();
        let readers: Vec<_> = (0..clients)
            .map(|number| {
                let (states, stage) = (&states, &stage);
                let cuts = cuts / clients + usize::from(number < cuts % clients);
                scope.spawn(move || match number % 5 {
                    4 => Copy::new(gateways, number, None, cuts).follow(states, stage),
                    _ => Copy::new(gateways, number, Some(number % AUTHORS), cuts).follow(states, stage),
                })
            })
            .collect();
        for share in 0..3 {
            let upto = cuts * (share + 1) / 4;
            wait_until(LATER, "a part of the cuts", || stage.cuts.load(Ordering::Relaxed) >= upto).unwrap();
            strike(share);
            match share {
                0 => {
                    fans().for_each(|fan| ask(gateways, "FollowUser", &fan, &author(0)));
                    let at_once = || {
                        let rows =
                            cli.ok(&["query", "celebrity_chirps", &format!("author_id={}", author(0))]);
                        !rows.json_lines().is_empty()
                    };
                    wait_until(LATER, "chirps of a celebrity", at_once).unwrap();
                }
                1 => drop(cli.ok(&["rebuild", "timelines"])),
                _ => fans().for_each(|fan| ask(gateways, "UnfollowUser", &fan, &author(0))),
            }
        }
        wait_until(LATER, "all cuts", || stage.cuts.load(Ordering::Relaxed) >= cuts).unwrap();
        // gateways look now and then which version answers
        let has_seen_it = || stage.resets.load(Ordering::Relaxed) > 0;
        wait_until(LATER, "a stream that has seen that the tables were rebuilt", has_seen_it).unwrap();
        stage.ends.store(true, Ordering::Relaxed);
        writers.into_iter().for_each(|writer| writer.join().expect("a writer that has ended well"));
        readers.into_iter().for_each(|reader| reader.join().expect("a copy that was exact"));
    });
}

/// Somebody follows somebody, or ceases to. A command that has its outcome already is repeated without harm.
fn ask(gateways: &[String; 2], kind: &str, follower: &str, followee: &str) {
    let key = format!("{kind}-{follower}-{followee}");
    let body = json!({"data": {"follower_id": follower, "followee_id": followee}});
    let mut turn = 0;
    let done = || {
        turn += 1;
        let headers = [("Idempotency-Key", key.as_str()), ("Prefer", "wait=5")];
        let mut http = Http::at(&gateways[turn % 2]);
        let answer = http.try_post(&format!("/v1/commands/chirp/{kind}"), &headers, &body);
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    };
    wait_for(LATER, &key, done).unwrap();
}

fn author(number: usize) -> String {
    format!("author-{number}")
}

/// Posts, edits and deletes until it is to end. What comes of it is noted before it is asked for: a copy may have it before the
/// answer comes.
fn write(gateways: &[String; 2], number: usize, states: &States, ends: &AtomicBool) {
    let author_id = author(number);
    let mut turn = number;
    for step in 0.. {
        let mut now = states.lock().unwrap().last().cloned().unwrap_or_default();
        let oldest = now.keys().next().cloned();
        let (kind, chirp) = match (step % 5, oldest) {
            (3, Some(oldest)) => ("EditChirp", oldest),
            // few enough for a feed to show all of them
            (4, Some(oldest)) => ("DeleteChirp", oldest),
            (_, Some(oldest)) if now.len() >= 20 => ("DeleteChirp", oldest),
            _ => ("PostChirp", format!("c{step:06}")),
        };
        let content = format!("{kind} {step}");
        let mut data = json!({"chirp_id": chirp, "author_id": author_id});
        match kind {
            "DeleteChirp" => drop(now.remove(&chirp)),
            _ => {
                data["content"] = content.as_str().into();
                now.insert(chirp, content);
            }
        }
        states.lock().unwrap().push(now);
        let key = format!("{author_id}-{step}");
        let body = json!({"data": data});
        let sent = wait_for(LATER, "an answer", || {
            turn += 1;
            let headers = [("Idempotency-Key", key.as_str()), ("Prefer", "wait=5")];
            let path = format!("/v1/commands/chirp/{kind}");
            let answer = Http::at(&gateways[turn % 2]).try_post(&path, &headers, &body).ok()?;
            (![202, 503].contains(&answer.status)).then_some(answer)
        });
        sent.unwrap_or_else(|error| panic!("{key}: {error}")).is(200);
        if ends.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// A copy of the chirps of an author, or of a feed.
struct Copy<'a> {
    gateways: &'a [String; 2],
    number: usize,
    author: Option<usize>,
    cuts: usize,
    rows: BTreeMap<(String, String), String>,
    token: Option<String>,
    is_live: bool,
    has_begun: bool,
    /// Which state of each author it was last.
    at: [usize; AUTHORS],
    dice: u64,
}

impl<'a> Copy<'a> {
    fn new(gateways: &'a [String; 2], number: usize, author: Option<usize>, cuts: usize) -> Self {
        let dice = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (rows, token) = Default::default();
        Self {
            gateways,
            number,
            author,
            cuts,
            rows,
            token,
            is_live: false,
            has_begun: false,
            at: [0; AUTHORS],
            dice,
        }
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % below
    }

    fn follow(mut self, states: &[States], stage: &Stage) {
        let until = Instant::now() + LATER * 3;
        let path = match self.author {
            Some(number) => format!("/v1/streams/chirp/chirps_by_author?author_id={}", author(number)),
            None => "/v1/streams/chirp/feed?user_id=reader&limit=200".to_owned(),
        };
        let mut turn = self.number;
        loop {
            turn += 1;
            assert!(Instant::now() < until, "copy {} is not exact in time: {:?}", self.number, self.rows);
            // some are cut before anything has come, twice in a row
            let lines = if self.cuts == 0 { u64::MAX } else { [0, 3, 40, 400][self.roll(4) as usize] };
            self.is_live = false;
            let stream = connect(&self.gateways[turn % 2], &path, self.token.as_deref());
            let Ok(stream) = stream else {
                thread::sleep(Duration::from_millis(50));
                continue;
            };
            let is_done = self.listen(stream, lines, states, stage);
            if is_done {
                return;
            }
            if self.cuts > 0 {
                self.cuts -= 1;
                stage.cuts.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Takes so many lines at most. Whether it has what there is at last.
    fn listen(&mut self, stream: BufReader<TcpStream>, lines: u64, states: &[States], stage: &Stage) -> bool {
        let (mut event, mut data, mut token) = (String::new(), String::new(), None);
        for (taken, line) in (0..).zip(stream.lines()) {
            let Ok(line) = line else { return false };
            match line.split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut event),
                Some(("data", text)) => text.clone_into(&mut data),
                Some(("id", text)) => token = Some(text.to_owned()),
                _ if line.is_empty() => {
                    let said = (std::mem::take(&mut event), std::mem::take(&mut data));
                    stage.resets.fetch_add(usize::from(said.0 == "reset"), Ordering::Relaxed);
                    self.take(&said.0, &serde_json::from_str(&said.1).unwrap_or_default());
                    if let Some(token) = token.take() {
                        self.token = Some(token);
                        if self.is_live {
                            self.judge(states);
                        }
                    }
                    if self.is_live && stage.ends.load(Ordering::Relaxed) && self.is_at_the_end(states) {
                        return true;
                    }
                }
                _ => {}
            }
            if taken >= lines {
                return false;
            }
        }
        false
    }

    fn take(&mut self, event: &str, data: &Value) {
        let text = |of: &Value, name: &str| of[name].as_str().unwrap_or_default().to_owned();
        let key = |of: &Value| (text(of, "author_id"), text(of, "chirp_id"));
        match event {
            "reset" => (self.is_live, self.has_begun) = (false, false),
            "snapshot" => {
                if !self.has_begun {
                    self.rows.clear();
                }
                self.is_live = false;
                self.has_begun = data["more"] == true;
                for row in data["rows"].as_array().into_iter().flatten() {
                    self.rows.insert(key(row), text(row, "content"));
                }
            }
            "change" if data["row"].is_null() => drop(self.rows.remove(&key(&data["key"]))),
            "change" => drop(self.rows.insert(key(&data["row"]), text(&data["row"], "content"))),
            "live" => self.is_live = true,
            "error" => panic!("copy {}: {data}", self.number),
            _ => {}
        }
    }

    /// Its rows by author.
    fn of(&self, number: usize) -> BTreeMap<String, String> {
        let own = self.rows.iter().filter(|((of, _), _)| *of == author(number));
        own.map(|((_, chirp), content)| (chirp.clone(), content.clone())).collect()
    }

    /// Whose chirps it has.
    fn authors(&self) -> std::ops::Range<usize> {
        self.author.map_or(0..AUTHORS, |one| one..one + 1)
    }

    /// At a token it is, of each author, one of their states, and never an earlier one than before.
    fn judge(&mut self, states: &[States]) {
        for number in self.authors() {
            let (rows, states) = (self.of(number), states[number].lock().unwrap().clone());
            let from = self.at[number];
            let found = states.iter().enumerate().skip(from).find(|(_, state)| **state == rows);
            let Some((at, _)) = found else {
                let before = states.iter().position(|state| *state == rows);
                panic!(
                    "copy {}: of {} no state from {from} on, but {before:?}: {rows:?}",
                    self.number,
                    author(number)
                );
            };
            self.at[number] = at;
        }
    }

    fn is_at_the_end(&self, states: &[States]) -> bool {
        let mut authors = self.authors();
        let last = |number: usize| states[number].lock().unwrap().last().cloned().unwrap_or_default();
        authors.all(|number| self.of(number) == last(number))
    }
}

fn connect(address: &str, path: &str, token: Option<&str>) -> std::io::Result<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(40)))?;
    let token = token.map(|token| format!("Last-Event-ID: {token}\r\n"));
    // of HTTP 1.0, whose answers have no parts
    let request: String = iter::once(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n"))
        .chain(token)
        .chain(["\r\n".to_owned()])
        .collect();
    stream.write_all(request.as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut status = String::new();
    reader.read_line(&mut status)?;
    if !status.contains(" 200 ") {
        return Err(std::io::Error::other(status));
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            return Ok(reader);
        }
    }
}
