//! Lookup tables: what they know while they are read, and after the log was away.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_kernel::{AggregateId, Published};
use millrace_ports::{Clock, LogFault, TopicPartition};
use millrace_runtime::processor::looked_up::LookedUp;
use millrace_runtime::processor::lookup::{FollowFault, LookupFollower, LookupPartition, LookupTables};
use millrace_testkit::log::memory::{MemoryLog, Plain};
use millrace_testkit::pipeline::ManualClock;

const TOPIC: &str = "chirp.user.lookup";
const ONLY: LookupPartition = LookupPartition { lookup: 0, partition: 0 };

/// How old a table may be, and how long tombstones live.
const MOST_AGE: Duration = Duration::from_secs(100);
const TOMBSTONES: Duration = Duration::from_secs(200);

fn user(domain: &'static str, topic: &str, partitions: i32) -> LookedUp {
    LookedUp { of: Published::of(domain, "User"), topic: topic.into(), partitions }
}

struct Scene {
    log: MemoryLog,
    clock: Arc<ManualClock>,
    tables: Arc<LookupTables>,
}

impl Scene {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(1_000_000));
        let log = MemoryLog::stepwise(Arc::clone(&clock) as Arc<dyn Clock>);
        log.create_topic(TOPIC, 1);
        let of_tables = Arc::clone(&clock) as Arc<dyn Clock>;
        let tables = LookupTables::new(vec![user("chirp", TOPIC, 1)], of_tables, MOST_AGE);
        Self { log, clock, tables: Arc::new(tables) }
    }

    fn at(&self) -> TopicPartition {
        TopicPartition::new(TOPIC, 0)
    }

    fn write(&self, user: &str, is_there: bool) {
        let key = Some(Bytes::from(format!("User/{user}")));
        let value = is_there.then(|| Bytes::from_static(b"x"));
        let record = Plain { key, value, timestamp_ms: 1, headers: Vec::new() };
        self.log.append(&self.at(), record).unwrap();
    }

    fn follower(&self) -> LookupFollower {
        LookupFollower::start(&self.log, Arc::clone(&self.tables)).unwrap()
    }

    fn knows(&self, user: &str) -> bool {
        self.tables.exists("chirp", &AggregateId::new("User", &[user])).0
    }

    fn position(&self) -> i64 {
        self.tables.position(ONLY)
    }

    fn catch_up(&self, follower: &mut LookupFollower) {
        while follower.turn(Duration::ZERO).unwrap() || follower.building() > 0 {}
    }
}

#[test]
fn nothing_is_known_before_the_table_was_read_as_a_whole() {
    let scene = Scene::new();
    scene.write("gone", true);
    for n in 0..5_000 {
        scene.write(&format!("user-{n}"), true);
    }
    scene.write("gone", false);
    let mut follower = scene.follower();
    let mut turns = 0;
    while follower.building() > 0 {
        assert_eq!(scene.position(), -1, "commands wait");
        assert!(!scene.knows("gone") && !scene.knows("user-0"), "after {turns} turns");
        follower.turn(Duration::ZERO).unwrap();
        turns += 1;
    }
    assert!(turns > 1, "the table is too small for this test");
    assert_eq!(scene.position(), 5_002);
    assert!(!scene.knows("gone") && scene.knows("user-0") && scene.knows("user-4999"));
}

#[test]
fn after_a_fault_it_goes_on_where_it_stood_and_never_goes_back() {
    let scene = Scene::new();
    for n in 0..5_000 {
        scene.write(&format!("user-{n}"), true);
    }
    scene.catch_up(&mut scene.follower());
    scene.write("user-7", false);
    let mut next = scene.follower();
    assert_eq!(next.building(), 0, "nothing is read again");
    assert_eq!(scene.position(), 5_000);
    next.turn(Duration::ZERO).unwrap();
    assert_eq!(scene.position(), 5_001, "one turn is enough");
    assert!(!scene.knows("user-7"));
}

#[test]
fn a_table_that_must_be_read_again_forgets_what_was_deleted_meanwhile() {
    let scene = Scene::new();
    scene.write("ann", true);
    scene.write("bob", true);
    let mut follower = scene.follower();
    scene.catch_up(&mut follower);
    // while it is away, ann goes and the log forgets that there was such a record
    scene.write("ann", false);
    for n in 0..5_000 {
        scene.write(&format!("user-{n}"), true);
    }
    scene.write("bob", true);
    scene.log.forget_before(&scene.at(), 3).unwrap();
    let fault = follower.turn(Duration::ZERO).unwrap_err();
    assert!(matches!(fault, FollowFault::Log(LogFault::OutOfRange { .. })), "{fault}");
    let mut next = scene.follower();
    assert_eq!(next.building(), 1);
    while next.building() > 0 {
        assert_eq!(scene.position(), 2, "the old table answers for what it has seen, no more");
        assert!(scene.knows("bob") && !scene.knows("user-0"));
        next.turn(Duration::ZERO).unwrap();
    }
    assert_eq!(scene.position(), 5_004);
    assert!(!scene.knows("ann") && scene.knows("bob") && scene.knows("user-0"));
}

#[test]
fn a_table_whose_topic_was_made_anew_makes_commands_wait_until_it_is_read() {
    let scene = Scene::new();
    (0..10).for_each(|n| scene.write(&format!("user-{n}"), true));
    scene.catch_up(&mut scene.follower());
    // another log under the same name, with less in it
    let other = Scene { tables: Arc::clone(&scene.tables), ..Scene::new() };
    other.write("eve", true);
    let fault = other.follower().turn(Duration::ZERO).unwrap_err();
    assert!(matches!(fault, FollowFault::Log(LogFault::OutOfRange { .. })), "{fault}");
    let mut next = other.follower();
    assert_eq!(other.position(), -1);
    other.catch_up(&mut next);
    assert_eq!(other.position(), 1);
    assert!(other.knows("eve") && !other.knows("user-0"));
}

#[test]
fn a_table_that_was_cut_off_for_longer_than_tombstones_live_is_read_again() {
    let scene = Scene::new();
    scene.log.compact_topic(TOPIC, TOMBSTONES);
    scene.write("ann", true);
    scene.write("bob", true);
    let mut follower = scene.follower();
    scene.catch_up(&mut follower);
    follower.look(&scene.log).unwrap();
    // its machine sleeps, or the log is away without a word: ann goes, and then her tombstone
    scene.write("ann", false);
    for _ in 0..20 {
        scene.clock.pass(30_000_000);
        millrace_ports::Log::high_watermark(&scene.log, &scene.at()).unwrap();
    }
    let fault = follower.turn(Duration::ZERO).unwrap_err();
    assert!(matches!(fault, FollowFault::TooOld { .. }), "{fault}");
    let mut next = scene.follower();
    assert_eq!(next.building(), 1);
    assert!(scene.knows("ann"), "the old table answers until the new one is whole");
    scene.catch_up(&mut next);
    assert!(!scene.knows("ann") && scene.knows("bob"));
}

#[test]
fn a_table_that_is_followed_stays_young_though_nothing_happens() {
    let scene = Scene::new();
    scene.write("ann", true);
    let mut follower = scene.follower();
    scene.catch_up(&mut follower);
    for _ in 0..20 {
        scene.clock.pass(30_000_000);
        follower.turn(Duration::ZERO).unwrap();
        assert_eq!(follower.look(&scene.log).unwrap(), []);
    }
    assert_eq!(scene.follower().building(), 0);
}

#[test]
fn kinds_of_the_same_name_in_two_domains_are_two() {
    let mut scene = Scene::new();
    let other = "identity.user.lookup";
    scene.log.create_topic(other, 3);
    let lookups = vec![user("chirp", TOPIC, 1), user("identity", other, 3)];
    let of_tables = Arc::clone(&scene.clock) as Arc<dyn Clock>;
    scene.tables = Arc::new(LookupTables::new(lookups, of_tables, MOST_AGE));
    let id = AggregateId::new("User", &["ann"]);
    let (exists, at) = scene.tables.exists("identity", &id);
    let partition = millrace_kernel::partition::of_key(b"ann", 3);
    assert_eq!((exists, at), (false, LookupPartition { lookup: 1, partition }));
    assert_eq!(scene.tables.source(at), TopicPartition::new(other, partition));
    let record = Plain {
        key: Some(Bytes::from("User/ann")),
        value: Some(Bytes::from_static(b"x")),
        timestamp_ms: 1,
        headers: Vec::new(),
    };
    scene.log.append(&scene.tables.source(at), record).unwrap();
    scene.write("bob", true);
    scene.catch_up(&mut scene.follower());
    assert!(scene.tables.exists("identity", &id).0 && !scene.tables.exists("chirp", &id).0);
    assert!(scene.knows("bob") && !scene.tables.exists("identity", &AggregateId::new("User", &["bob"])).0);
}
