//! Events with so many rows that they are written in pieces: who waits for them, who passes, who takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_domain_chirp::{Chirp, EventData};
use millrace_kernel::{
    Event, FanOut, Known, Page, PageQuery, Place, Position, Put, StagedProjector, Table, Value, Write, Writes,
};
use millrace_ports::{Log, StoreFault, Submitted, TableChange, ViewStore};
use millrace_runtime::ProjectorSettings;
use millrace_runtime::metrics::Metrics;
use millrace_runtime::progress::{FAN_OUTS, PLACES, WaitError, wait_until};
use millrace_runtime::projector::ProjectorLane;
use millrace_testkit::store::MemoryStore;

use super::stage::{Cause, PROJECTION, Stage};

/// Commands at this offset are a giant's: their events have so many rows that they are written in turns.
const GIANT: i64 = 5;
/// How many rows that is.
const AUDIENCE: usize = 50;

/// A row for every event; for a giant's so many, made in pieces, and a last one when all are there.
#[derive(Default)]
struct Teller {
    under_way: std::collections::BTreeMap<u64, (usize, i64)>,
}

fn seen(id: String, timestamp: i64) -> Write {
    Write::Put(Put { table: "seen", values: vec![Value::from("all"), Value::from(id.as_str())], timestamp })
}

impl StagedProjector<EventData> for Teller {
    fn stage(&mut self, event: &Event<EventData>, _: &mut dyn Known, writes: &mut Writes) {
        let (id, at) = (event.version as u64, event.recorded_at);
        if event.command_offset != GIANT {
            writes.in_line(1);
            writes.push(seen(format!("small-{id}"), at));
            return;
        }
        writes.in_line(0);
        if !writes.is_muted() {
            self.under_way.insert(id, (0, at));
        }
        writes.fan_out(FanOut(id));
        writes.then();
        writes.push(seen(format!("told-{id}"), at));
    }

    fn fan_out(&mut self, FanOut(id): FanOut, most: usize, _: &mut dyn Known, rows: &mut Vec<Write>) -> bool {
        let (told, at) = self.under_way.get_mut(&id).expect("not asked again after its end");
        let upto = AUDIENCE.min(*told + most);
        rows.extend((*told..upto).map(|n| seen(format!("giant-{id}-{n}"), *at)));
        *told = upto;
        let has_more = upto < AUDIENCE;
        if !has_more {
            self.under_way.remove(&id);
        }
        has_more
    }

    fn place(&mut self, FanOut(id): FanOut, _: &mut dyn Known) -> Option<Place> {
        let (told, at) = self.under_way.get(&id)?;
        (*told > 0).then_some(Place { passed: *told as u32, order: *at as u64 })
    }

    fn go_on_at(&mut self, FanOut(id): FanOut, place: Place, _: &mut dyn Known) -> bool {
        let Some((told, at)) = self.under_way.get_mut(&id) else { return false };
        let is_same = *at as u64 == place.order;
        if is_same {
            *told = (*told).max(place.passed as usize);
        }
        is_same
    }
}

impl Stage {
    fn teller(&self, fan_out_max_rows: usize) -> ProjectorLane<Chirp> {
        let settings = ProjectorSettings { fan_out_max_rows, ..ProjectorSettings::default() };
        self.lane_of(settings, Box::new(|_| Box::<Teller>::default()))
    }

    fn is_there(&self, id: &str) -> bool {
        self.store.rows("seen").iter().any(|row| row[1] == Value::from(id))
    }

    /// Whether whoever waits for the command at `offset` is told that its rows are there.
    fn is_waited_for(&self, offset: i64) -> bool {
        let position = Position { topic: "chirp.commands".into(), partition: 0, offset, epoch: 0 };
        match wait_until(&*self.store, PROJECTION, std::slice::from_ref(&position), Duration::ZERO) {
            Ok(()) => true,
            Err(WaitError::TimedOut { missing, .. }) => {
                assert_eq!(missing, position, "the error names what is missing");
                false
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn open_fan_outs(&self) -> usize {
        self.store.rows(FAN_OUTS).len()
    }
}

#[test]
fn a_giants_fan_out_lets_others_pass_and_is_waited_for() {
    let mut stage = Stage::new();
    stage.write(&[(Cause::Command(GIANT), 1), (Cause::Command(6), 1)]);
    let metrics = Metrics::default();
    let mut lane = stage.teller(4).metered(metrics.role("chirp.projector.seen").lane(0));
    let mut sent = 6;
    let mut passed = 0;
    for _ in 0..100 {
        lane.turn(Duration::ZERO).unwrap();
        let is_told = stage.is_waited_for(GIANT);
        assert!(!is_told || stage.is_there("told-1"), "told before it is there");
        if stage.is_waited_for(sent) {
            assert!(stage.is_there(&format!("small-{}", stage.sent)), "told before it is there");
            if is_told {
                break;
            }
            assert_eq!(stage.open_fan_outs(), 1);
            let progress = stage.progress();
            assert_eq!(progress.events_offset, 0, "not all before a later event is there");
            passed += 1;
            sent += 1;
            stage.write(&[(Cause::Command(sent), 1)]);
        }
    }
    assert!(passed >= 3, "{passed} commands passed the giant's");
    assert_eq!((stage.rows(), stage.open_fan_outs()), (AUDIENCE + 1 + stage.sent as usize - 1, 0));
    assert_eq!(metrics.snapshot()[0].counts.puts, stage.rows() as u64, "every row is counted, and once");
}

/// Writes some rows of a giant's, ends in order or without a word, and lets another one do the rest, after `meanwhile`;
/// how many rows the first one has written, and the other.
fn handed_over(is_planned: bool, at_least: usize, meanwhile: impl FnOnce(&mut Stage)) -> (usize, usize) {
    let mut stage = Stage::new();
    stage.write(&[(Cause::Command(GIANT), 1), (Cause::Command(6), 1)]);
    let lane = |stage: &Stage| {
        let settings =
            ProjectorSettings { fan_out_max_rows: 4, commit_interval_ms: 0, ..ProjectorSettings::default() };
        stage.lane_of(settings, Box::new(|_| Box::<Teller>::default()))
    };
    let mut first = lane(&stage);
    while stage.rows() < at_least {
        first.turn(Duration::ZERO).unwrap();
    }
    if is_planned {
        first.finish().unwrap();
    }
    drop(first);
    let before = stage.rows();
    meanwhile(&mut stage);
    let metrics = Metrics::default();
    let mut next = lane(&stage).metered(metrics.role("chirp.projector.seen").lane(0));
    for _ in 0..60 {
        next.turn(Duration::ZERO).unwrap();
        assert!(!stage.is_waited_for(GIANT) || stage.is_there("told-1"), "told before it is there");
    }
    assert!(stage.is_waited_for(GIANT));
    assert_eq!((stage.rows(), stage.open_fan_outs()), (AUDIENCE + 1 + stage.sent as usize - 1, 0));
    (before, metrics.snapshot()[0].counts.puts as usize)
}

#[test]
fn who_takes_over_goes_on_where_a_fan_out_was() {
    for at_least in [8, 20, 45] {
        // the small one's row and the giant's last one, and of the giant what is left
        let (before, after) = handed_over(true, at_least, |_| {});
        assert!(after <= AUDIENCE + 2 - (before - 1) + 1, "{after} rows after {before}");
        // whoever dies without a word has told all but the last pieces
        let (before, after) = handed_over(false, at_least, |_| {});
        assert!(after <= AUDIENCE + 2 - (before - 1) + 9, "{after} rows after {before}");
    }
}

#[test]
fn a_place_that_is_lost_damaged_or_of_another_event_costs_rows_and_nothing_else() {
    let told = |stage: &Stage, change: &dyn Fn(&str) -> String| {
        let rows = stage.store.rows(PLACES);
        let Value::Text(text) = &rows[0][3] else { panic!("{rows:?}") };
        let values =
            vec![rows[0][0].clone(), rows[0][1].clone(), rows[0][2].clone(), change(text).as_str().into()];
        stage.store.apply(&[Write::Put(Put { table: PLACES, values, timestamp: i64::MAX })]).unwrap();
    };
    type Damage<'d> = (&'d str, &'d dyn Fn(&str) -> String);
    let changes: [Damage<'_>; 5] = [
        ("damaged", &|_| "{".to_owned()),
        ("of a later build", &|_| r#"{"passed": 30, "of": "something else"}"#.to_owned()),
        ("of an event of another time", &|text| text.replace("\"recorded_at\":", "\"recorded_at\":1")),
        ("in another order", &|text| text.replace("\"order\":", "\"order\":1")),
        ("of a fan-out that there is not", &|text| text.replace("\"left\":1", "\"left\":9")),
    ];
    for (what, change) in changes {
        let (_, after) = handed_over(true, 30, |stage| told(stage, change));
        assert_eq!(after, AUDIENCE + 2, "{what}");
    }
}

#[test]
fn a_giants_fan_out_is_whole_after_somebody_took_over_at_any_moment() {
    for turns in 1..30 {
        let mut stage = Stage::new();
        stage.write(&[(Cause::Command(GIANT), 2), (Cause::Command(6), 1)]);
        stage.write(&[(Cause::Command(7), 1), (Cause::Step(2), 1)]);
        let mut lane = stage.teller(9);
        for _ in 0..turns {
            lane.turn(Duration::ZERO).unwrap();
        }
        // one goes in order, the other does not say a word
        if turns % 2 == 0 {
            lane.finish().unwrap();
        }
        drop(lane);
        let mut next = stage.teller(7);
        for _ in 0..60 {
            next.turn(Duration::ZERO).unwrap();
            assert!(!stage.is_waited_for(GIANT) || stage.is_there("told-2"), "told before it is there");
        }
        assert!(stage.is_waited_for(GIANT) && stage.is_waited_for(7), "after {turns} turns of the first");
        assert_eq!((stage.rows(), stage.open_fan_outs()), (2 * (AUDIENCE + 1) + 3, 0));
        let end = stage.log.high_watermark(&stage.at()).unwrap();
        assert_eq!(stage.progress().events_offset, end);
    }
}

#[test]
fn a_command_that_waits_behind_its_giant_is_not_published_before() {
    let mut stage = Stage::new();
    // both of the giant's line; the second's rows are few, but must not be seen before the first's
    stage.write(&[(Cause::Command(GIANT), 2)]);
    let mut lane = stage.teller(3);
    for _ in 0..100 {
        lane.turn(Duration::ZERO).unwrap();
        assert!(!stage.is_there("giant-2-0") || stage.is_there("told-1") || stage.is_there("giant-1-49"));
    }
    assert!(stage.is_waited_for(GIANT));
}

/// A store that takes its time with what is in no hurry, and can be away.
struct Leisurely {
    inner: Arc<MemoryStore>,
    is_away: Arc<AtomicBool>,
}

impl Leisurely {
    fn reach(&self) -> Result<&MemoryStore, StoreFault> {
        match self.is_away.load(Ordering::SeqCst) {
            false => Ok(&self.inner),
            true => Err(StoreFault::Unavailable { step: "write rows", message: "away".to_owned() }),
        }
    }
}

/// Writes that are applied when they are asked for the second time.
struct Later(Leisurely, Arc<Vec<Write>>, usize);

impl Submitted for Later {
    fn settle(&mut self, _: Duration) -> Result<bool, StoreFault> {
        self.2 += 1;
        if self.2 < 2 {
            return Ok(false);
        }
        self.0.reach()?.apply(&self.1).map(|()| true)
    }
}

impl ViewStore for Leisurely {
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
        self.reach()?.apply(writes)
    }
    fn submit(&self, writes: Arc<Vec<Write>>) -> Result<Box<dyn Submitted>, StoreFault> {
        let same = Self { inner: Arc::clone(&self.inner), is_away: Arc::clone(&self.is_away) };
        Ok(Box::new(Later(same, writes, 0)))
    }
    fn read(&self, queries: &[PageQuery]) -> Result<Vec<Page>, StoreFault> {
        self.reach()?.read(queries)
    }
    fn scan(&self, table: &str, after: &[Value], limit: usize) -> Result<Page, StoreFault> {
        self.reach()?.scan(table, after, limit)
    }
}

#[test]
fn a_store_that_goes_away_amid_a_fan_out_is_a_fault_until_it_is_back_and_no_row_is_lost() {
    let mut stage = Stage::new();
    stage.write(&[(Cause::Command(GIANT), 1)]);
    let is_away = Arc::new(AtomicBool::new(false));
    let store = Leisurely { inner: Arc::clone(&stage.store), is_away: Arc::clone(&is_away) };
    let settings = ProjectorSettings { fan_out_max_rows: 4, ..ProjectorSettings::default() };
    let mut lane = stage.lane_into(Arc::new(store), settings, Box::new(|_| Box::<Teller>::default()));
    while stage.rows() < AUDIENCE / 2 {
        lane.turn(Duration::ZERO).unwrap();
    }
    is_away.store(true, Ordering::SeqCst);
    let faults: Vec<bool> = (0..20).map(|_| lane.turn(Duration::ZERO).is_err()).collect();
    let first = faults.iter().position(|is_fault| *is_fault).expect("somebody is told");
    assert!(first < 4, "soon: {faults:?}");
    // who is told that all is well in between resets health and pauses, and asks without end
    assert!(faults[first..].iter().all(|is_fault| *is_fault), "until it is back: {faults:?}");
    is_away.store(false, Ordering::SeqCst);
    for _ in 0..100 {
        lane.turn(Duration::ZERO).unwrap();
    }
    assert!(stage.is_waited_for(GIANT));
    assert_eq!((stage.rows(), stage.open_fan_outs()), (AUDIENCE + 1, 0));
}
