//! The health endpoints over HTTP, with real roles on a log and tables in memory: each fault is
//! told with its place and reason while it lasts, and no longer.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_domain_chirp::messages::commands::RegisterUser;
use millrace_domain_chirp::{Chirp, CommandData, Settings};
use millrace_kernel::table::parse_tables;
use millrace_kernel::{Command, Domain, Metadata, Page, PageQuery, Table, Write};
use millrace_ports::{Clock, Log, StoreFault, SystemClock, TableChange, TopicPartition, ViewStore};
use millrace_runtime::metrics::MessageResult;
use millrace_runtime::processor::codecs::Codecs;
use millrace_runtime::progress::system_tables;
use millrace_runtime::{
    FamilyRole, Health, Ports, ProcessorSettings, ProjectorSettings, Stop, Topology, run_processor,
};
use millrace_testkit::log::memory::{Faults, MemoryLog, Operation, Plain, Verdict};
use millrace_testkit::store::MemoryStore;
use millrace_wire::{MemoryRegistry, Registry};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);
const HANGS_AFTER: Duration = Duration::from_secs(3);

/// What is wrong with the log now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    Membership,
    Fetches,
    Watermarks,
    Commits,
}

#[derive(Clone)]
struct Switch(Arc<Mutex<Wrong>>);

impl Switch {
    fn set(&self, wrong: Wrong) {
        *self.0.lock().unwrap() = wrong;
    }
}

impl Faults for Switch {
    fn before(&mut self, operation: &Operation<'_>) -> Verdict {
        let is_hit = match *self.0.lock().unwrap() {
            Wrong::Nothing => false,
            Wrong::Membership => matches!(operation, Operation::PollGroup { .. }),
            Wrong::Fetches => matches!(operation, Operation::PollReader | Operation::OpenReader),
            Wrong::Watermarks => matches!(operation, Operation::Watermark { .. }),
            Wrong::Commits => matches!(operation, Operation::Commit { .. }),
        };
        if is_hit { Verdict::Refuse } else { Verdict::Proceed }
    }
}

/// Tables whose writes do not return while they are shut.
#[derive(Default)]
struct Gated {
    inner: MemoryStore,
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Gated {
    fn shut(&self, is_shut: bool) {
        *self.is_shut.lock().unwrap() = is_shut;
        self.opened.notify_all();
    }
}

impl ViewStore for Gated {
    fn plan_tables(&self, tables: &[Table]) -> Result<Vec<TableChange>, StoreFault> {
        self.inner.plan_tables(tables)
    }
    fn create_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        self.inner.create_tables(tables)
    }
    fn open_tables(&self, tables: &[Table]) -> Result<(), StoreFault> {
        self.inner.open_tables(tables)
    }
    fn drop_tables(&self, names: &[String]) -> Result<(), StoreFault> {
        self.inner.drop_tables(names)
    }
    fn apply(&self, writes: &[Write]) -> Result<(), StoreFault> {
        let is_shut = self.is_shut.lock().unwrap();
        drop(self.opened.wait_while(is_shut, |is_shut| *is_shut).unwrap());
        self.inner.apply(writes)
    }
    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
        self.inner.read(queries)
    }
    fn scan(&self, table: &str, after: &[millrace_kernel::Value], limit: usize) -> Result<Page, StoreFault> {
        self.inner.scan(table, after, limit)
    }
}

/// A clock that can be wrong.
#[derive(Default)]
struct Skewed(AtomicI64);

impl Clock for Skewed {
    fn now_micros(&self) -> i64 {
        SystemClock.now_micros() + self.0.load(Ordering::SeqCst)
    }
    fn monotonic_micros(&self) -> i64 {
        SystemClock.monotonic_micros()
    }
}

/// A processor and a projector of chirp, each in a thread, and their endpoints.
struct Scene {
    log: MemoryLog,
    store: Arc<Gated>,
    clock: Arc<Skewed>,
    wrong: Switch,
    codecs: Codecs<Chirp>,
    address: SocketAddr,
    stop: Stop,
    threads: Vec<JoinHandle<()>>,
    sent: usize,
    health: Health,
    _server: tokio::runtime::Runtime,
}

impl Scene {
    fn start() -> Self {
        let names = Topology::new("", "chirp");
        let log = MemoryLog::new();
        names.own().into_iter().for_each(|topic| log.create_topic(topic, 1));
        ["users", "timelines"].iter().for_each(|family| log.create_topic(&names.changes(family), 1));
        Chirp::LOOKUPS.iter().for_each(|kind| log.create_topic(&names.lookup(kind), 1));
        let store = Arc::new(Gated::default());
        let mut tables = parse_tables(Chirp::SCHEMAS.views).unwrap();
        tables.extend(system_tables());
        store.create_tables(&tables).and_then(|()| store.open_tables(&tables)).unwrap();
        let registry: Arc<dyn Registry> = Arc::new(MemoryRegistry::default());
        let codecs = Codecs::register(&registry, &names).unwrap();
        let wrong = Switch(Arc::new(Mutex::new(Wrong::Nothing)));
        log.inject(Box::new(wrong.clone()));
        let clock = Arc::new(Skewed::default());
        let (health, stop) = (Health::hanging_after(HANGS_AFTER), Stop::new());
        let ports = Ports {
            log: Arc::new(log.clone()) as Arc<dyn Log>,
            registry,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            local: None,
            transaction_timeout: Duration::from_secs(10),
            pseudonyms: Arc::default(),
        };
        let mut threads = Vec::new();
        let (of_processor, of_health, of_stop) = (ports.clone(), health.clone(), stop.clone());
        threads.push(std::thread::spawn(move || {
            let settings = ProcessorSettings::default();
            run_processor::<Chirp>(&of_processor, "", &settings, &of_health, &of_stop).unwrap();
        }));
        let family = Chirp::projections(&Settings::default())[0].name;
        let (rows, of_health, of_stop) = (Arc::clone(&store), health.clone(), stop.clone());
        threads.push(std::thread::spawn(move || {
            let (settings, rows) = (ProjectorSettings::default(), rows as Arc<dyn ViewStore>);
            let domain = Settings::default();
            let role = FamilyRole::<Chirp> {
                ports: &ports,
                prefix: "",
                domain_settings: &domain,
                family,
                store: rows,
                settings: &settings,
                health: &of_health,
                stop: &of_stop,
            };
            role.run().unwrap();
        }));
        let (address, server) = serve(&health);
        let scene = Self {
            log,
            store,
            clock,
            wrong,
            codecs,
            address,
            stop,
            threads,
            sent: 0,
            health,
            _server: server,
        };
        scene.until_well();
        scene
    }

    /// The status and the report of an endpoint.
    fn get(&self, path: &str) -> (u16, Value) {
        get(self.address, path)
    }

    fn until_well(&self) {
        eventually("everything is at work", || {
            ["/live", "/ready", "/health"].iter().all(|path| self.get(path).0 == 200)
        });
    }

    /// Waits until the endpoints say that this lane is in trouble, and why.
    fn until_told(&self, role: &str, partition: i64, reason: &str) {
        let mut seen = Value::Null;
        eventually(reason, || {
            let (status, report) = self.get("/ready");
            let lanes = report["lanes"].as_array().cloned().unwrap_or_default();
            seen = report;
            status == 503
                && lanes.iter().any(|lane| {
                    lane["role"] == role
                        && lane["partition"] == partition
                        && lane["state"] == "faulted"
                        && lane["detail"].as_str().is_some_and(|detail| detail.contains(reason))
                        && lane["since_seconds"].as_f64().is_some_and(|since| since >= 0.0)
                        && lane["next"].as_str().is_some_and(|next| next.contains("What you can do"))
                })
        });
        assert_eq!(self.get("/health").0, 503, "{seen}");
        assert_eq!(self.get("/live").0, 200, "a restart would not help: {seen}");
    }

    fn send(&mut self) {
        let n = self.sent;
        self.sent += 1;
        let data = RegisterUser { user_id: format!("user-{n}").into(), username: format!("name{n}").into() };
        let command = Command {
            id: format!("command-{n}").into(),
            metadata: Metadata::default(),
            data: CommandData::RegisterUser(data),
        };
        let record = Plain {
            key: Some(Bytes::from(format!("user-{n}"))),
            value: Some(self.codecs.commands.encode(&command)),
            timestamp_ms: SystemClock.now_micros() / 1_000,
            headers: Vec::new(),
        };
        self.log.append(&TopicPartition::new("chirp.commands", 0), record).unwrap();
    }

    /// How many registrations of the processor have come to this, and how many faults it has met.
    fn counted(&self, result: MessageResult) -> (u64, u64) {
        let roles = self.health.metrics().snapshot();
        let counts = &roles.iter().find(|role| role.role == "chirp.processor").expect("it reports").counts;
        let of_commands = counts.messages().iter().filter(|message| !message.is_step);
        (of_commands.map(|message| message.of(result)).sum(), counts.faults.values().sum())
    }

    /// Sends a command that can be decided, and waits for its answer.
    fn decide_one(&mut self) {
        self.send();
        eventually("all commands are answered", || {
            self.log.committed_records("chirp.outcomes").len() == self.sent
        });
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.wrong.set(Wrong::Nothing);
        self.store.shut(false);
        self.stop.request();
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

fn serve(health: &Health) -> (SocketAddr, tokio::runtime::Runtime) {
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = server.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let router = millrace::health::router(health);
    server.spawn(async move { axum::serve(listener, router).await });
    (address, server)
}

fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let mut connection = TcpStream::connect(address).unwrap();
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_store_that_is_away_is_told_until_it_is_back() {
    let mut scene = Scene::start();
    let family = Chirp::projections(&Settings::default())[0].name;
    scene.store.inner.set_unreachable(true);
    scene.decide_one();
    scene.until_told(&format!("chirp.projector.{family}"), 0, "told to be out of reach");
    scene.store.inner.set_unreachable(false);
    scene.until_well();
}

#[test]
fn a_log_that_is_away_is_told_until_it_is_back() {
    let mut scene = Scene::start();
    scene.wrong.set(Wrong::Fetches);
    scene.until_told("chirp.processor", 0, "read");
    scene.until_told("chirp.processor.lookups", -1, "read");
    scene.wrong.set(Wrong::Nothing);
    scene.until_well();
    scene.wrong.set(Wrong::Commits);
    scene.send();
    scene.until_told("chirp.processor", 0, "it stands at");
    scene.wrong.set(Wrong::Nothing);
    scene.until_well();
    scene.decide_one();
}

#[test]
fn a_command_counts_when_it_is_committed_and_once() {
    let mut scene = Scene::start();
    scene.decide_one();
    eventually("it counts", || scene.counted(MessageResult::Begun).0 == 1);
    let (_, faults) = scene.counted(MessageResult::Begun);
    scene.wrong.set(Wrong::Commits);
    scene.send();
    eventually("it was decided several times", || scene.counted(MessageResult::Begun).1 >= faults + 3);
    assert_eq!(scene.counted(MessageResult::Begun).0, 1, "what was aborted does not count");
    scene.wrong.set(Wrong::Nothing);
    eventually("it counts", || scene.counted(MessageResult::Begun).0 == 2);
    scene.decide_one();
    eventually("all of them count", || scene.counted(MessageResult::Begun).0 == 3);
    assert_eq!(scene.counted(MessageResult::Duplicate).0, 0);
}

#[test]
fn a_lost_membership_is_told_until_the_group_has_it_back() {
    let mut scene = Scene::start();
    scene.wrong.set(Wrong::Membership);
    scene.until_told("chirp.processor", -1, "poll the group");
    scene.wrong.set(Wrong::Nothing);
    scene.until_well();
    scene.decide_one();
}

#[test]
fn a_lane_that_cannot_begin_is_told_until_it_can() {
    let mut scene = Scene::start();
    // thrown out of everything, and what begins again finds no ends of its topics
    scene.wrong.set(Wrong::Fetches);
    scene.until_told("chirp.processor", 0, "read");
    scene.wrong.set(Wrong::Watermarks);
    scene.until_told("chirp.processor", 0, "it stands at partition 0");
    scene.wrong.set(Wrong::Nothing);
    scene.until_well();
    scene.decide_one();
}

#[test]
fn a_clock_two_hours_ahead_is_told_until_it_is_right() {
    let mut scene = Scene::start();
    scene.decide_one();
    eventually("the lane has seen the end of its input, and learns from the next record", || {
        scene.decide_one();
        scene.clock.0.store(2 * 3_600_000_000, Ordering::SeqCst);
        scene.send();
        let deadline = Instant::now() + Duration::from_secs(1);
        while Instant::now() < deadline && scene.log.committed_records("chirp.outcomes").len() < scene.sent {
            std::thread::sleep(Duration::from_millis(10));
        }
        if scene.log.committed_records("chirp.outcomes").len() < scene.sent {
            return true;
        }
        scene.clock.0.store(0, Ordering::SeqCst);
        false
    });
    scene.until_told("chirp.processor", 0, "clock is 7200 s ahead");
    scene.clock.0.store(0, Ordering::SeqCst);
    scene.until_well();
    scene.decide_one();
}

#[test]
fn a_lane_that_hangs_is_not_live_until_it_moves_on() {
    let mut scene = Scene::start();
    let role = format!("chirp.projector.{}", Chirp::projections(&Settings::default())[0].name);
    scene.store.shut(true);
    scene.decide_one();
    let mut report = Value::Null;
    eventually("it is found out", || {
        let (status, told) = scene.get("/live");
        report = told;
        status == 503
    });
    let lanes = report["lanes"].as_array().unwrap();
    let hanging: Vec<&Value> = lanes.iter().filter(|lane| lane["state"] == "hanging").collect();
    assert_eq!(hanging.len(), 1, "only the projector's store is shut: {report}");
    assert_eq!((&hanging[0]["role"], &hanging[0]["partition"]), (&Value::from(role), &Value::from(0)));
    assert!(hanging[0]["since_seconds"].as_f64().unwrap() >= HANGS_AFTER.as_secs_f64());
    assert!(hanging[0]["next"].as_str().unwrap().contains("restart"), "{report}");
    assert_eq!(scene.get("/ready").0, 503);
    assert_eq!(scene.get("/health").0, 503);
    scene.store.shut(false);
    scene.until_well();
}
