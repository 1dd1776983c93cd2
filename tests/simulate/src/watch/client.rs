//! One subscriber: what it asks for next, what it hears of, and what its copy must be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use millrace_kernel::change::Columns;
use millrace_kernel::live::key_text;
use millrace_kernel::{Change, Domain, Live, Table, Value, partition};
use millrace_ports::{TopicPartition, ViewStore};
use millrace_runtime::Topology;
use millrace_runtime::changes::{Answer, Ask, Positions, Subscription, Taken};
use millrace_runtime::progress::read_progress;
use millrace_wire::Codec;

use super::Watched;
use super::folded::{Folded, Rows, moment};
use crate::dice::Dice;
use crate::holds;
use crate::oracle::world::{Failure, World};
use crate::workload::{Place, Workload};

/// How it takes a step.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// So many changes it hears of at most.
    pub(super) most: usize,
    /// Whether it is told then where it goes on: with a token that is older than its copy it hears of more once again.
    pub(super) notes: bool,
}

pub(super) struct Client {
    family: &'static str,
    table: Table,
    /// The view and the partition key.
    of: Place,
    codec: Codec<Change>,
    rows: Rows,
    /// Where it goes on.
    token: Option<Vec<u8>>,
    open: Option<Subscription>,
    /// Whether the stream has told of anything since it began.
    has_heard: bool,
    /// Whether its copy is to be compared as soon as it is exact.
    is_due: bool,
    /// Up to which offset of each source partition its copy was exact last; where each row is of a moment of its own, for each.
    exact: BTreeMap<(i32, Vec<Value>), i64>,
    /// Where the events ended when the stream asked: a copy that is exact shows all of them.
    asked: BTreeMap<i32, i64>,
    /// The version of the tables that this is about.
    version: i32,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} and {:?}", self.rows, self.open)
    }
}

impl Client {
    /// Somebody who looks at a partition key at which something happens, at one that there is, or at one that there may be.
    pub(super) fn any<W: Workload>(
        world: &World<'_, W>,
        folded: &Folded<W>,
        dice: &mut Dice,
    ) -> Result<Option<Self>, Failure> {
        let live: Vec<(&'static str, &'static str, &Table)> = (W::families().iter())
            .flat_map(|(family, views)| views.iter().map(move |view| (*family, *view, world.table(view))))
            .filter(|(.., table)| table.live.is_some())
            .collect();
        let recent = dice.per_mille(600).then(|| folded.recent().get(dice.below(folded.recent().len())));
        let recent = recent.flatten();
        let one = match recent {
            Some((view, _)) => live.iter().find(|(_, name, _)| name == view),
            None => live.get(dice.below(live.len())),
        };
        let Some((family, view, table)) = one else { return Ok(None) };
        let columns = table.logical_partition().len();
        let key = match recent {
            Some((_, key)) => key[..columns].to_vec(),
            None => {
                let rows = world.pipeline.store.rows(&table.name);
                let keys: BTreeSet<Vec<Value>> =
                    rows.into_iter().map(|row| row[..columns].to_vec()).collect();
                let one = keys.into_iter().nth(dice.below(6));
                one.unwrap_or_else(|| vec![Value::from("nobody"); columns])
            }
        };
        let (rows, exact, asked) = Default::default();
        Ok(Some(Self {
            family,
            table: (*table).clone(),
            of: (*view, key),
            codec: codec::<W>(world, &world.pipeline.names().changes(plain(family)))?,
            rows,
            token: None,
            open: None,
            has_heard: false,
            is_due: true,
            exact,
            asked,
            version: 0,
        }))
    }

    pub(super) fn name(&self) -> String {
        format!("{} of {}", self.table.name, key_text(&self.of.1))
    }

    pub(super) fn rows(&self) -> &Rows {
        &self.rows
    }

    pub(super) fn is_exact(&self) -> bool {
        self.open.as_ref().is_some_and(Subscription::is_exact)
    }

    /// Its stream is cut, if it has one.
    pub(super) fn cut(&mut self, watched: &mut Watched) -> bool {
        let was_open = self.open.take().is_some();
        watched.cuts += u64::from(was_open);
        watched.cut_again += u64::from(was_open && !self.has_heard);
        was_open
    }

    /// Whether its rows change in the order of the events. Where they are many authors', as those are whom somebody follows, an
    /// author's events wait for a large fan-out of theirs, and others' are written meanwhile: each row is of a moment then.
    fn is_in_one_order(&self) -> bool {
        matches!(self.table.live, Some(Live::Routed(_)))
    }

    fn place<W: Workload>(&self, world: &World<'_, W>) -> TopicPartition {
        let topic = world.pipeline.names().changes(plain(self.family));
        let partitions = world.pipeline.partition_count();
        TopicPartition::new(topic, partition::of_key(key_text(&self.of.1).as_bytes(), partitions))
    }

    fn logical(&self, row: &[Value]) -> (Vec<Value>, Vec<Value>) {
        let key = self.table.logical_key().map(|(at, _)| row[at].clone()).collect();
        let bucket = self.table.directory().map(|_| self.table.partition_columns - 1);
        let columns = row.iter().enumerate().filter(|(at, _)| Some(*at) != bucket);
        (key, columns.map(|(_, value)| value.clone()).collect())
    }

    /// What stands in the tables that answer.
    pub(super) fn live_rows<W: Workload>(&self, world: &World<'_, W>) -> Rows {
        let version = world.versions.answering(self.family);
        let rows = world.pipeline.store.rows(&version.table(&self.table.name));
        rows.iter().map(|row| self.logical(row)).filter(|(key, _)| key.starts_with(&self.of.1)).collect()
    }

    fn begin<W: Workload>(&mut self, world: &World<'_, W>, watched: &mut Watched) -> Subscription {
        let version = world.versions.answering(self.family).0;
        (self.has_heard, self.is_due) = (false, true);
        self.asked.clear();
        if self.version != version {
            // another version may be as of another moment
            self.exact.clear();
            watched.rebuilt += u64::from(self.version != 0);
            self.version = version;
            self.token = None;
        }
        let partitions = world.pipeline.partition_count();
        let live = self.table.live.as_ref();
        let sources = live.map(|live| live.sources(&self.table, &self.of.1, partitions)).unwrap_or_default();
        // it is kept until there is another: the stream may be cut before that
        if let Some(Ok(positions)) = self.token.as_deref().map(Positions::decode) {
            watched.resumed += 1;
            return Subscription::resumed(positions, sources);
        }
        watched.resets += 1;
        Subscription::new(version, 0, self.place(world).partition, sources)
    }

    /// Asks for what it needs next, or hears of a few changes.
    pub(super) fn step<W: Workload>(
        &mut self,
        world: &World<'_, W>,
        folded: &Folded<W>,
        pace: Pace,
        watched: &mut Watched,
    ) -> Result<(), Failure> {
        let version = world.versions.answering(self.family).0;
        let mut sub = match self.open.take().filter(|sub| sub.version() == version) {
            Some(sub) => sub,
            None => self.begin(world, watched),
        };
        if let Some(answer) = self.answer(world, &sub)? {
            let has_rows = answer == Answer::Rows;
            if !sub.answer(answer) {
                // what it has is of no use, and it is told so
                watched.gone += 1;
                self.token = None;
                return Ok(());
            }
            if has_rows {
                self.token = Some(sub.positions().encode());
            }
        }
        let waits_for_rows = matches!(sub.asks(), Some(Ask::Hear(_) | Ask::Progress | Ask::Rows));
        if !waits_for_rows && !self.hear((world, folded), &mut sub, pace, watched)? {
            // what it would hear of next is not there any more: it is told when it comes back
            watched.cuts += 1;
            return Ok(());
        }
        self.open = Some(sub);
        Ok(())
    }

    /// What a gateway would find out.
    fn answer<W: Workload>(
        &mut self,
        world: &World<'_, W>,
        sub: &Subscription,
    ) -> Result<Option<Answer>, Failure> {
        let (log, place) = (&world.pipeline.log, self.place(world));
        let projection = world.versions.answering(self.family).of(self.family);
        let progress = || -> Result<Vec<(i32, i64)>, Failure> {
            let read = read_progress(&*world.pipeline.store as &dyn ViewStore, &projection);
            let read = read.map_err(|why| Failure::new("progress can be read", why.to_string()))?;
            Ok(read.iter().map(|it| (it.partition, it.events_offset)).collect())
        };
        Ok(match sub.asks() {
            None => None,
            Some(Ask::Hear(None)) => Some(Answer::Hears(log.committed_end(&place))),
            Some(Ask::Hear(Some(offset))) if *offset < log.start(&place) => Some(Answer::Gone),
            Some(Ask::Hear(Some(offset))) => Some(Answer::Hears(*offset)),
            Some(Ask::Progress) => Some(Answer::Progress(progress()?)),
            Some(Ask::Rows) => {
                self.rows = self.live_rows(world);
                Some(Answer::Rows)
            }
            Some(Ask::EventEnds) => {
                let events = &world.pipeline.names().events;
                let end = |source| log.committed_end(&TopicPartition::new(Arc::clone(events), source));
                self.asked = sub.sources().iter().map(|source| (*source, end(*source))).collect();
                Some(Answer::EventEnds(self.asked.clone().into_iter().collect()))
            }
            Some(Ask::Applied(ends)) => {
                let applied = progress()?;
                let has_come = |(source, end): &(i32, i64)| {
                    *end == 0 || applied.iter().any(|(at, upto)| at == source && upto >= end)
                };
                ends.iter().all(has_come).then_some(Answer::Applied)
            }
            Some(Ask::ChangesEnd) => Some(Answer::ChangesEnd(log.committed_end(&place))),
        })
    }

    /// Hears of changes; whether they are still there.
    fn hear<W: Workload>(
        &mut self,
        (world, folded): (&World<'_, W>, &Folded<W>),
        sub: &mut Subscription,
        pace: Pace,
        watched: &mut Watched,
    ) -> Result<bool, Failure> {
        let (log, place) = (&world.pipeline.log, self.place(world));
        let from = sub.positions().offset;
        if from < log.start(&place) {
            return Ok(false);
        }
        let (records, end) = log.committed_from(&place, from);
        let is_all = records.len() <= pace.most;
        for record in records.into_iter().take(pace.most) {
            self.has_heard = true;
            let change = self.codec.decode(record.value.as_deref().unwrap_or_default());
            let change = change.map_err(|why| Failure::new("changes can be read", why.to_string()))?;
            let is_own = record.key.as_deref() == Some(key_text(&self.of.1).as_bytes())
                && *change.view == self.table.name;
            match if is_own { sub.take(&change, record.offset) } else { Taken::Nothing } {
                Taken::Nothing => {}
                Taken::Changes => self.apply(&change),
                Taken::Rereads => {
                    return Err(Failure::new("nothing here is too large to be told", self.name()));
                }
            }
            if sub.passed(record.offset + 1) {
                self.judge(folded, world.setup.partitions, watched)?;
            }
        }
        if is_all && sub.passed(end) {
            self.judge(folded, world.setup.partitions, watched)?;
        }
        if sub.is_whole() && (pace.notes || self.token.is_none()) {
            self.token = Some(sub.positions().encode());
        }
        Ok(true)
    }

    fn apply(&mut self, change: &Change) {
        self.is_due = true;
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

    /// Its copy is what a prefix of the events of each source comes to, and no shorter one than it was or than there was to be
    /// read when its stream asked.
    fn judge<W: Workload>(
        &mut self,
        folded: &Folded<W>,
        partitions: i32,
        watched: &mut Watched,
    ) -> Result<(), Failure> {
        if !std::mem::take(&mut self.is_due) {
            return Ok(());
        }
        watched.compared += 1;
        for number in 0..partitions {
            let own = folded.own(number, &self.of);
            let together = if self.is_in_one_order() { own.len() } else { 1 };
            for some in own.chunks(together.max(1)) {
                let name = if self.is_in_one_order() { Vec::new() } else { some[0].0.to_vec() };
                let exact = self.exact.entry((number, name)).or_default();
                let from = (*exact).max(self.asked.get(&number).copied().unwrap_or(0));
                let Some(moment) = moment(some, &self.rows, from) else {
                    let (name, rows) = (self.name(), &self.rows);
                    let why = format!(
                        "{name} has {rows:?}, no prefix of partition {number} from {from} on: {some:?}"
                    );
                    return Err(Failure::new("exact copies are of one moment", why));
                };
                *exact = moment;
            }
        }
        let strange: Vec<_> =
            self.rows.keys().filter(|key| !folded.knows(&(self.of.0, (*key).clone()))).collect();
        holds!(strange.is_empty(), "copies have rows of events only", "{}: {strange:?}", self.name());
        Ok(())
    }
}

fn plain(family: &str) -> &str {
    family.split_once('.').map_or(family, |(_, family)| family)
}

fn codec<W: Workload>(world: &World<'_, W>, topic: &str) -> Result<Codec<Change>, Failure> {
    let schema = <W::Domain as Domain>::SCHEMAS.changes.unwrap_or_default();
    let registry = Arc::clone(world.pipeline.registry());
    let codec = Codec::register(registry, &Topology::subject(topic), schema);
    codec.map_err(|why| Failure::new("changes can be read", why.to_string()))
}
