//! Subscribers: each keeps a copy of one partition key of a view, is cut at any moment, and goes on from where it was.
//!
//! What is asked for in which order is the gateway's own code; the steps between are the simulation's, so anything may happen
//! between any two of them. A copy that is exact must be what some prefix of the events of each source partition comes to, and
//! never an earlier one than before; when nothing is left to do it must be the table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millrace_kernel::change::Columns;
use millrace_kernel::live::key_text;
use millrace_kernel::{Change, Domain, Table, Value, partition};
use millrace_ports::{TopicPartition, ViewStore};
use millrace_runtime::Topology;
use millrace_runtime::changes::{Answer, Ask, Positions, Subscription, Taken};
use millrace_runtime::progress::read_progress;
use millrace_wire::Codec;

use crate::dice::Dice;
use crate::holds;
use crate::oracle::world::{Failure, World};
use crate::workload::{Place, Workload};

/// Rows by their keys as readers know them.
type Rows = BTreeMap<Vec<Value>, Vec<Value>>;

/// What a row has come to, each from where on in the events.
type History = Vec<(i64, Option<Vec<Value>>)>;

/// Copies are compared so often at most before the end: each time all events are folded.
const MOST_JUDGED: usize = 60;
/// So many subscribers at most.
const MOST_CLIENTS: usize = 8;
/// So many steps at most until a copy must be exact when nothing is in its way.
const PATIENCE: usize = 100;

/// All subscribers of a history.
#[derive(Default)]
pub struct Watchers {
    clients: Vec<Client>,
    judged: usize,
}

/// How often what has happened to them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched {
    /// Times that a stream was cut.
    pub cuts: u64,
    /// Times that one went on where it was.
    pub resumed: u64,
    /// Times that one had to begin anew.
    pub resets: u64,
    /// Copies that were compared.
    pub compared: u64,
}

struct Client {
    family: String,
    table: Table,
    key: Vec<Value>,
    rows: Rows,
    /// Where it goes on.
    token: Option<Vec<u8>>,
    open: Option<Subscription>,
    /// Up to which offset of each source partition its copy was exact last.
    exact: BTreeMap<i32, i64>,
}

impl Watchers {
    /// One of them takes a step.
    ///
    /// # Errors
    /// What does not hold.
    pub fn step<W: Workload>(&mut self, world: &World<'_, W>, dice: &mut Dice) -> Result<Watched, Failure> {
        let mut watched = Watched::default();
        if self.clients.len() < MOST_CLIENTS && (self.clients.is_empty() || dice.per_mille(200)) {
            self.clients.extend(Client::any(world, dice));
        }
        if self.clients.is_empty() {
            return Ok(watched);
        }
        // much may happen between two steps of one of them, as others take theirs
        for _ in 0..dice.within(1, 6) {
            let one = dice.below(self.clients.len());
            let client = &mut self.clients[one];
            if dice.per_mille(80) && client.open.take().is_some() {
                watched.cuts += 1;
            }
            let before = client.rows.clone();
            client.step(world, dice.within(1, 3) as usize, &mut watched)?;
            let is_exact = client.open.as_ref().is_some_and(Subscription::is_exact);
            if is_exact && self.judged < MOST_JUDGED && (client.rows != before || dice.per_mille(100)) {
                self.judged += 1;
                watched.compared += 1;
                client.judge(world)?;
            }
        }
        Ok(watched)
    }

    /// All of them come to be exact, and have what the tables have.
    ///
    /// # Errors
    /// What does not hold.
    pub fn settle<W: Workload>(&mut self, world: &World<'_, W>) -> Result<Watched, Failure> {
        let mut watched = Watched::default();
        for client in &mut self.clients {
            for _ in 0..PATIENCE {
                client.step(world, usize::MAX, &mut watched)?;
            }
            let is_exact = client.open.as_ref().is_some_and(Subscription::is_exact);
            let name = client.name();
            holds!(is_exact, "subscribers come to be exact", "{name}: {:?}", client.open);
            client.judge(world)?;
            let table = client.live_rows(world);
            holds!(client.rows == table, "copies are the table", "{name}: {:?}, not {table:?}", client.rows);
            watched.compared += 1;
        }
        Ok(watched)
    }
}

impl Client {
    /// Somebody who looks at a partition key that there is, or at one that there may be.
    fn any<W: Workload>(world: &World<'_, W>, dice: &mut Dice) -> Option<Self> {
        let live: Vec<(&str, &Table)> = (W::families().iter())
            .flat_map(|(family, views)| views.iter().map(move |view| (*family, world.table(view))))
            .filter(|(_, table)| table.live.is_some())
            .collect();
        let (family, table) = *live.get(dice.below(live.len().max(1)))?;
        let columns = table.logical_partition().len();
        let keys: BTreeSet<Vec<Value>> =
            (world.pipeline.store.rows(&table.name).into_iter()).map(|row| row[..columns].to_vec()).collect();
        let key = keys.into_iter().nth(dice.below(6)).unwrap_or_else(|| vec![Value::from("nobody"); columns]);
        let (rows, exact) = Default::default();
        Some(Self {
            family: family.to_owned(),
            table: table.clone(),
            key,
            rows,
            token: None,
            open: None,
            exact,
        })
    }

    fn name(&self) -> String {
        format!("{} of {}", self.table.name, key_text(&self.key))
    }

    fn family(&self) -> &str {
        self.family.split_once('.').map_or(&self.family, |(_, family)| family)
    }

    fn version<W: Workload>(&self, world: &World<'_, W>) -> i32 {
        world.versions.answering(&self.family).0
    }

    fn place<W: Workload>(&self, world: &World<'_, W>) -> TopicPartition {
        let topic = world.pipeline.names().changes(self.family());
        let partitions = world.pipeline.partition_count();
        TopicPartition::new(topic, partition::of_key(key_text(&self.key).as_bytes(), partitions))
    }

    fn logical(&self, row: &[Value]) -> (Vec<Value>, Vec<Value>) {
        let key = self.table.logical_key().map(|(at, _)| row[at].clone()).collect();
        let bucket = self.table.directory().map(|_| self.table.partition_columns - 1);
        let columns = row.iter().enumerate().filter(|(at, _)| Some(*at) != bucket);
        (key, columns.map(|(_, value)| value.clone()).collect())
    }

    fn rows_of<W: Workload>(
        &self,
        world: &World<'_, W>,
        version: millrace_runtime::versions::Version,
    ) -> Rows {
        let rows = world.pipeline.store.rows(&version.table(&self.table.name));
        rows.iter().map(|row| self.logical(row)).filter(|(key, _)| key.starts_with(&self.key)).collect()
    }

    fn live_rows<W: Workload>(&self, world: &World<'_, W>) -> Rows {
        self.rows_of(world, world.versions.answering(&self.family))
    }

    fn begin<W: Workload>(&mut self, world: &World<'_, W>, watched: &mut Watched) -> Subscription {
        let partitions = world.pipeline.partition_count();
        let live = self.table.live.as_ref();
        let sources = live.map(|live| live.sources(&self.table, &self.key, partitions)).unwrap_or_default();
        let version = self.version(world);
        let positions = self.token.take().and_then(|token| Positions::decode(&token).ok());
        match positions.filter(|positions| positions.version == version) {
            Some(positions) => {
                watched.resumed += 1;
                Subscription::resumed(positions, sources)
            }
            None => {
                watched.resets += 1;
                // another version may be of other rows, and is as of another moment
                self.exact.clear();
                Subscription::new(version, 0, self.place(world).partition, sources)
            }
        }
    }

    /// Asks for what it needs next, or hears of a few changes.
    fn step<W: Workload>(
        &mut self,
        world: &World<'_, W>,
        most: usize,
        watched: &mut Watched,
    ) -> Result<(), Failure> {
        let version = self.version(world);
        let mut sub = match self.open.take().filter(|sub| sub.version() == version) {
            Some(sub) => sub,
            None => self.begin(world, watched),
        };
        let (log, place) = (&world.pipeline.log, self.place(world));
        let events = Arc::clone(&world.pipeline.names().events);
        let projection = world.versions.answering(&self.family).of(&self.family);
        let progress = || -> Result<Vec<(i32, i64)>, Failure> {
            let read = read_progress(&*world.pipeline.store as &dyn ViewStore, &projection);
            let read = read.map_err(|why| Failure::new("progress can be read", why.to_string()))?;
            Ok(read.iter().map(|it| (it.partition, it.events_offset)).collect())
        };
        let answer = match sub.asks() {
            None => None,
            Some(Ask::Hear(None)) => Some(Answer::Hears(log.committed_end(&place))),
            Some(Ask::Hear(Some(offset))) => Some(Answer::Hears(*offset)),
            Some(Ask::Progress) => Some(Answer::Progress(progress()?)),
            Some(Ask::Rows) => {
                self.rows = self.live_rows(world);
                Some(Answer::Rows)
            }
            Some(Ask::EventEnds) => {
                let end = |source: &i32| {
                    (*source, log.committed_end(&TopicPartition::new(Arc::clone(&events), *source)))
                };
                Some(Answer::EventEnds(sub.sources().iter().map(end).collect()))
            }
            Some(Ask::Applied(ends)) => {
                let applied = progress()?;
                let has_come = |(source, end): &(i32, i64)| {
                    *end == 0 || applied.iter().any(|(at, upto)| at == source && upto >= end)
                };
                ends.iter().all(has_come).then_some(Answer::Applied)
            }
            Some(Ask::ChangesEnd) => Some(Answer::ChangesEnd(log.committed_end(&place))),
        };
        let has_rows = !matches!(sub.asks(), Some(Ask::Hear(None) | Ask::Progress | Ask::Rows));
        if let Some(answer) = answer
            && !sub.answer(answer)
        {
            // the token is of another life of the topics: it is gone, and the next step begins with rows
            return Ok(());
        }
        if has_rows || !matches!(sub.asks(), Some(Ask::Hear(_) | Ask::Progress | Ask::Rows)) {
            self.hear(world, &mut sub, most)?;
        }
        self.open = Some(sub);
        Ok(())
    }

    fn hear<W: Workload>(
        &mut self,
        world: &World<'_, W>,
        sub: &mut Subscription,
        most: usize,
    ) -> Result<(), Failure> {
        let place = self.place(world);
        let from = sub.positions().offset;
        let (records, end) = world.pipeline.log.committed_from(&place, from);
        let codec = codec::<W>(world, &place.topic)?;
        let is_all = records.len() <= most;
        for record in records.into_iter().take(most) {
            let change = codec.decode(record.value.as_deref().unwrap_or_default());
            let change = change.map_err(|why| Failure::new("changes can be read", why.to_string()))?;
            let is_own = record.key.as_deref() == Some(key_text(&self.key).as_bytes())
                && *change.view == self.table.name;
            match if is_own { sub.take(&change, record.offset) } else { Taken::Nothing } {
                Taken::Nothing => {}
                Taken::Changes => self.apply(&change),
                Taken::Rereads => {
                    return Err(Failure::new("nothing here is too large to be told", self.name()));
                }
            }
            sub.passed(record.offset + 1);
        }
        if is_all {
            sub.passed(end);
        }
        if sub.is_whole() {
            self.token = Some(sub.positions().encode());
        }
        Ok(())
    }

    fn apply(&mut self, change: &Change) {
        let value = |columns: &Columns, name: &str| {
            let found = columns.iter().find(|(column, _)| **column == *name);
            found.map_or(Value::Null, |(_, value)| value.clone())
        };
        let key = self.table.logical_key().map(|(_, column)| value(&change.key, &column.name)).collect();
        match &change.row {
            None => {
                self.rows.remove(&key);
            }
            Some(row) => {
                let bucket = self.table.directory().map(|_| self.table.partition_columns - 1);
                let columns = self.table.columns.iter().enumerate().filter(|(at, _)| Some(*at) != bucket);
                let values = columns.map(|(_, column)| value(row, &column.name)).collect();
                self.rows.insert(key, values);
            }
        }
    }

    /// Its copy is what a prefix of the events of each source comes to, and no shorter one than before.
    fn judge<W: Workload>(&mut self, world: &World<'_, W>) -> Result<(), Failure> {
        let mut known = BTreeSet::new();
        for (number, seen) in world.partitions() {
            let mut rows = W::Rows::default();
            // what each row has come to, and from which event on
            let mut histories: BTreeMap<Vec<Value>, History> = BTreeMap::new();
            let mut ends = vec![0];
            for (offset, event) in &seen.events {
                ends.push(offset + 1);
                for place in W::fold(&mut rows, &world.setup.domain, number, event) {
                    let Some((key, row)) = self.own::<W>(&rows, &place) else { continue };
                    histories.entry(key).or_default().push((offset + 1, row));
                }
            }
            known.extend(histories.keys().cloned());
            let at = |history: &History, end: i64| {
                let passed = history.partition_point(|(from, _)| *from <= end);
                passed.checked_sub(1).and_then(|last| history[last].1.clone())
            };
            let before = self.exact.get(&number).copied().unwrap_or(0);
            let fits = |end: &i64| {
                histories.iter().all(|(key, history)| self.rows.get(key) == at(history, *end).as_ref())
            };
            let Some(end) = ends.iter().copied().filter(|end| *end >= before).find(fits) else {
                return Err(Failure::new(
                    "exact copies are of one moment",
                    format!(
                        "{} has {:?}, which is no prefix of partition {number} from {before} on: {histories:?}",
                        self.name(),
                        self.rows
                    ),
                ));
            };
            self.exact.insert(number, end);
        }
        let strange: Vec<_> = self.rows.keys().filter(|key| !known.contains(*key)).collect();
        holds!(strange.is_empty(), "copies have rows of events only", "{}: {strange:?}", self.name());
        Ok(())
    }

    /// The row at a place, if it is of this view and key. The model knows no buckets.
    fn own<W: Workload>(&self, rows: &W::Rows, place: &Place) -> Option<(Vec<Value>, Option<Vec<Value>>)> {
        let (table, key) = place;
        let is_own = *table == self.table.name && key.starts_with(&self.key);
        is_own.then(|| (key.clone(), W::row(rows, place)))
    }
}

fn codec<W: Workload>(world: &World<'_, W>, topic: &str) -> Result<Codec<Change>, Failure> {
    let schema = <W::Domain as Domain>::SCHEMAS.changes.unwrap_or_default();
    let registry = Arc::clone(world.pipeline.registry());
    let codec = Codec::register(registry, &Topology::subject(topic), schema);
    codec.map_err(|why| Failure::new("changes can be read", why.to_string()))
}
