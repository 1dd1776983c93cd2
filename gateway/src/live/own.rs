//! A stream of something that is made of several views, such as a feed: its first items, and what becomes of them.
//!
//! It hears of all that it is made of, and reads its items once more when that comes to be something else. A token says how far
//! down it goes; whoever goes on gets its items anew, as what they are made of may have changed meanwhile. decision 29 says why.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::live::key_text;
use millrace_kernel::{Value, partition};
use millrace_ports::{StoreFault, TopicPartition, ViewStore};
use millrace_runtime::changes::Seen;
use serde_json::Value as Json;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use super::event::{Ended, Event};
use super::hub::{Heard, Hearing, Versions};
use super::stream::{REBUILT, REFUSED};
use super::viewed::{LOOK_EVERY, Settling, once, settled};
use super::voice::{Expiry, Out, Over, Tokens, Voice, away};
use crate::gateway::Own;
use crate::http::problem::{Problem, UNKNOWN};
use crate::ports::{Effect, LiveItem, LiveResource, ResourceFault, Source, ViewDescription};
use crate::token::{Resume, ResumeKey, stream_name};
use crate::view::blocking;

/// So many items more than were asked for are followed before the oldest are let go of.
const MOST_MORE: usize = 1_000;
/// Items of a part of the snapshot.
const PART: usize = 100;
/// How soon what was made of something else is read again, at the soonest.
const READ_EVERY: Duration = Duration::from_millis(100);

/// A stream that somebody wants.
pub(crate) struct OwnRequest {
    pub(crate) own: Arc<Own>,
    pub(crate) id: String,
    pub(crate) partitions: i32,
    pub(crate) limit: usize,
    pub(crate) token: Option<String>,
    pub(crate) expiry: Expiry,
    pub(crate) signs: ResumeKey,
    pub(crate) ending: watch::Receiver<bool>,
}

/// Serves a stream until it ends or nobody takes what it says.
pub(crate) async fn run(request: OwnRequest, out: Out) {
    let Some(mut stream) = Following::new(request, out) else { return };
    if let Err(over) = stream.play().await {
        stream.voice.end(over).await;
    }
}

struct Following {
    own: Arc<Own>,
    id: String,
    partitions: i32,
    limit: usize,
    name: String,
    signs: ResumeKey,
    is_refused: bool,
    versions: watch::Receiver<Arc<Versions>>,
    voice: Voice,
    /// Down to which place it goes, where it does not go to the last item.
    floor: Option<Vec<Value>>,
    /// The items that the client has, the first one first.
    items: BTreeMap<Reverse<Vec<Value>>, Has>,
    /// What was seen, by the partition of the changes topic.
    seen: HashMap<i32, Seen>,
    sources: HashSet<(&'static str, String)>,
}

/// What the client has of an item.
struct Has {
    source: String,
    key: Json,
    item: Json,
}

/// What has come.
enum Came {
    Versions,
    Settled(Vec<i64>),
    Heard(Option<Heard>),
    Read,
    Beat,
    Over(Over),
}

impl Following {
    fn new(request: OwnRequest, out: Out) -> Option<Self> {
        let OwnRequest { own, id, partitions, limit, token, expiry, signs, ending } = request;
        let live = own.resource.live()?;
        let name = stream_name([own.channel.description.name, live.name(), &id].into_iter());
        let wanted = token.as_deref().and_then(|token| signs.read(&name, token));
        let voice = Voice::new(out, ending, expiry, Arc::clone(&own.channel.clock));
        Some(Self {
            is_refused: token.is_some() && wanted.is_none(),
            floor: wanted.and_then(|resume| resume.floor),
            versions: own.channel.hub.versions(),
            items: BTreeMap::new(),
            seen: HashMap::new(),
            sources: HashSet::new(),
            own,
            id,
            partitions,
            limit,
            name,
            signs,
            voice,
        })
    }

    async fn play(&mut self) -> Result<(), Over> {
        self.voice.check()?;
        if self.is_refused {
            self.reset(REFUSED).await?;
        }
        loop {
            let reason = self.once().await?;
            self.reset(reason).await?;
        }
    }

    /// Says that all items come anew.
    async fn reset(&mut self, reason: &'static str) -> Result<(), Over> {
        self.note();
        self.voice.say(Event::Reset { reason }, Tokens::Now).await
    }

    /// Notes how far down it goes.
    fn note(&mut self) {
        let resume = Resume { positions: None, floor: self.floor.clone() };
        self.voice.token = self.signs.token(&self.name, &resume);
    }

    /// One of the views that it is made of: they are of one family, which has one topic of changes.
    fn view(&self) -> Result<&Arc<ViewDescription>, Over> {
        let own = self.own.resource.live().map(LiveResource::views).unwrap_or_default();
        let views = &self.own.channel.description.views;
        let found = views.iter().find(|view| own.contains(&view.table.name.as_str()));
        found.filter(|view| view.table.live.is_some()).ok_or_else(|| self.unknown("it cannot be followed"))
    }

    fn place(&self, topic: &Arc<str>, key: &str) -> TopicPartition {
        TopicPartition::new(Arc::clone(topic), partition::of_key(key.as_bytes(), self.partitions))
    }

    /// Follows from one beginning on, until something ends that; why.
    async fn once(&mut self) -> Result<&'static str, Over> {
        self.voice.check()?;
        let view = Arc::clone(self.view()?);
        let channel = Arc::clone(&self.own.channel);
        let (tables, version) = self.voice.tables(&channel, &view.table.name).await?;
        let topic = channel.description.topology.changes(view.family());
        let mut hearing = self.hear(&tables, &topic).await?;
        let progress =
            channel.watch.applied(&tables, &view.projection).await.map_err(|fault| away(&fault))?;
        self.seen = (0..self.partitions).map(|partition| (partition, Seen::rows(&progress))).collect();
        self.snapshot(&tables).await?;
        let mut settling = self.settling(&view, &tables, &topic);
        let (mut until, mut is_live, mut reads_at) = (None::<Vec<i64>>, false, None);
        let mut versions = self.versions.clone();
        let mut reached = hearing.reached.clone();
        loop {
            let name = &view.table.name;
            if versions.borrow_and_update().get(name).is_some_and(|other| *other != version) {
                return Ok(REBUILT);
            }
            let is_waiting = until.is_some() && reads_at.is_none();
            let came = tokio::select! {
                biased;
                over = self.voice.over() => Came::Over(over),
                changed = versions.changed() => changed.map_or(Came::Over(Over::Left), |()| Came::Versions),
                ends = once(&mut settling) => Came::Settled(ends),
                heard = hearing.next() => Came::Heard(heard),
                () = sleep_until(reads_at.unwrap_or_else(tokio::time::Instant::now)), if reads_at.is_some() => Came::Read,
                () = sleep(LOOK_EVERY.0), if is_waiting && !is_live => Came::Versions,
                _ = reached.changed(), if is_waiting && !is_live => Came::Versions,
                () = sleep_until(self.voice.beats_at()) => Came::Beat,
            };
            match came {
                Came::Over(over) => return Err(over),
                Came::Versions => {}
                Came::Settled(ends) => until = Some(ends),
                Came::Heard(None) => {
                    if hearing.was_too_slow() {
                        return Err(Over::Ended(Ended::Slow));
                    }
                    self.voice.pause().await?;
                    return Ok("the changes are read anew");
                }
                // what another version tells has the same places, and is none of what was seen
                Came::Heard(Some(Heard { change: Some(change), .. })) if change.version != version => {}
                Came::Heard(Some(Heard { partition, change: Some(change), .. })) => {
                    let is_new = self.seen.entry(partition).or_default().is_new(&change);
                    if is_new && change.reread {
                        return Ok("an item is too large to be told");
                    }
                    if is_new && self.is_own(&change) {
                        let is_other = self.take(&change, &mut hearing, &topic).await?;
                        if is_other {
                            // what was waited for was of what it was made of before
                            (until, is_live, settling) = (None, false, None);
                            reads_at.get_or_insert(tokio::time::Instant::now() + READ_EVERY);
                        }
                    }
                }
                Came::Heard(Some(_)) => return Ok("a change could not be read"),
                Came::Read => {
                    reads_at = None;
                    self.read_again(&tables).await?;
                    settling = self.settling(&view, &tables, &topic);
                }
                Came::Beat if hearing.was_too_slow() => return Err(Over::Ended(Ended::Slow)),
                Came::Beat => {
                    let tokens = if is_live { Tokens::Now } else { Tokens::None };
                    self.voice.say(Event::Beat, tokens).await?;
                }
            }
            if self.items.len() > self.limit + MOST_MORE {
                self.floor = None;
                return Ok("so much is new that it is told from the first on");
            }
            if let (Some(ends), false, None) = (&until, is_live, reads_at) {
                let has_passed = ends.iter().enumerate().all(|(partition, end)| {
                    let at =
                        TopicPartition::new(Arc::clone(&topic), i32::try_from(partition).unwrap_or(i32::MAX));
                    channel.hub.reached(&at).is_some_and(|reached| reached >= *end)
                });
                if has_passed && hearing.is_drained() && !hearing.was_too_slow() {
                    is_live = true;
                    self.voice.say(Event::Live, Tokens::Now).await?;
                }
            }
        }
    }

    /// Hears of all that it is made of.
    async fn hear(&mut self, tables: &Arc<dyn ViewStore>, topic: &Arc<str>) -> Result<Hearing, Over> {
        let channel = Arc::clone(&self.own.channel);
        loop {
            // twice, as what it is made of is known only by reading, and may change until it is heard of
            let first = self.read_sources(tables).await?;
            let Some((first_one, others)) = first.split_first() else {
                return Err(self.unknown("it is made of nothing"));
            };
            let key = key_text(&first_one.key);
            let family = self.view()?.family().to_owned();
            let reader = match channel.change_reader(&family) {
                Ok(reader) => reader,
                Err(trouble) => {
                    tracing::debug!("a stream waits for the registry: {trouble}");
                    self.voice.pause().await?;
                    continue;
                }
            };
            let Ok(mut hearing) = channel.hub.hear(&self.place(topic, &key), &key, None, reader) else {
                sleep(LOOK_EVERY.0).await;
                continue;
            };
            self.sources = HashSet::from([(first_one.view, key)]);
            let again = self.hear_all(others, &mut hearing, topic);
            let second = self.read_sources(tables).await?;
            if again && self.hear_all(&second, &mut hearing, topic) {
                return Ok(hearing);
            }
            self.voice.pause().await?;
        }
    }

    fn hear_all(&mut self, sources: &[Source], hearing: &mut Hearing, topic: &Arc<str>) -> bool {
        sources.iter().all(|source| {
            let key = key_text(&source.key);
            let is_new = self.sources.insert((source.view, key.clone()));
            !is_new || hearing.hear_also(&self.place(topic, &key), &key)
        })
    }

    async fn read_sources(&mut self, tables: &Arc<dyn ViewStore>) -> Result<Vec<Source>, Over> {
        let found = self.ask(tables, |live, tables, id| live.sources(tables, id)).await;
        found.map_err(|fault| self.over_of(fault))
    }

    async fn ask<T: Send + 'static>(
        &self,
        tables: &Arc<dyn ViewStore>,
        ask: impl FnOnce(&dyn LiveResource, &dyn ViewStore, &str) -> Result<T, ResourceFault> + Send + 'static,
    ) -> Result<T, ResourceFault> {
        let (own, tables, id) = (Arc::clone(&self.own), Arc::clone(tables), self.id.clone());
        let asked = blocking(move || {
            Ok(match own.resource.live() {
                Some(live) => ask(live, &*tables, &id),
                None => Err(ResourceFault::Unknown("it cannot be followed".to_owned())),
            })
        });
        asked.await.unwrap_or_else(|fault: StoreFault| Err(ResourceFault::Tables(fault.to_string())))
    }

    fn over_of(&self, fault: ResourceFault) -> Over {
        match fault {
            ResourceFault::Unknown(why) | ResourceFault::Cursor(why) => self.unknown(&why),
            ResourceFault::Tables(message) => away(&StoreFault::Unavailable { step: "read a feed", message }),
        }
    }

    fn unknown(&self, why: &str) -> Over {
        Over::Ended(Ended::Trouble(Box::new(Problem::new(UNKNOWN, format!("{why}.")))))
    }

    async fn read_items(&self, tables: &Arc<dyn ViewStore>) -> Result<Vec<LiveItem>, Over> {
        let (limit, floor) = (self.limit, self.floor.clone());
        let read = self.ask(tables, move |live, tables, id| live.items(tables, id, limit, floor.as_deref()));
        read.await.map_err(|fault| self.over_of(fault))
    }

    /// Says its first items.
    async fn snapshot(&mut self, tables: &Arc<dyn ViewStore>) -> Result<(), Over> {
        let items = self.read_items(tables).await?;
        if self.floor.is_none() && items.len() >= self.limit {
            self.floor = items.last().map(|item| item.place.clone());
        }
        self.voice.check()?;
        self.note();
        self.items.clear();
        let shown: Vec<Json> = items.iter().map(|item| item.item.clone()).collect();
        self.items.extend(items.into_iter().map(has));
        let mut parts = shown.chunks(PART).peekable();
        loop {
            let rows = parts.next().unwrap_or_default().to_vec();
            let more = parts.peek().is_some();
            let tokens = if more { Tokens::None } else { Tokens::Now };
            self.voice.say(Event::Snapshot { rows, more }, tokens).await?;
            if !more {
                return Ok(());
            }
        }
    }

    /// Reads its items once more and says what differs.
    async fn read_again(&mut self, tables: &Arc<dyn ViewStore>) -> Result<(), Over> {
        let now: BTreeMap<_, _> = self.read_items(tables).await?.into_iter().map(has).collect();
        let gone: Vec<_> = self.items.keys().filter(|place| !now.contains_key(*place)).cloned().collect();
        for place in gone {
            self.remove(&place).await?;
        }
        for (place, item) in now {
            self.put(place, item).await?;
        }
        Ok(())
    }

    /// Whether it follows what changes: what it has let go of may still be on its way.
    fn is_own(&self, change: &millrace_kernel::Change) -> bool {
        let live = self.own.resource.live();
        let source = match live.map(|live| live.effect(change)) {
            Some(Effect::Put(item)) => item.source,
            Some(Effect::Gone { source, .. }) => source,
            Some(Effect::Follow(_) | Effect::Unfollow(_)) => return true,
            None => return false,
        };
        self.sources.contains(&(self.name_of(&change.view), source))
    }

    /// The name of a view as it is written in sources.
    fn name_of(&self, view: &str) -> &'static str {
        let found = self.sources.iter().find(|(name, _)| *name == view);
        found.map_or("", |(name, _)| name)
    }

    /// Takes a change. Whether it is made of something else than before: of more, or of less, which may have hidden others.
    async fn take(
        &mut self,
        change: &millrace_kernel::Change,
        hearing: &mut Hearing,
        topic: &Arc<str>,
    ) -> Result<bool, Over> {
        let Some(effect) = self.own.resource.live().map(|live| live.effect(change)) else { return Ok(false) };
        match effect {
            Effect::Put(item) => {
                let (place, item) = has(item);
                let is_above = self.floor.as_ref().is_none_or(|floor| place.0 >= *floor);
                if is_above {
                    self.put(place, item).await?;
                }
                Ok(false)
            }
            Effect::Gone { place, .. } => {
                self.remove(&Reverse(place)).await?;
                Ok(false)
            }
            Effect::Follow(source) => {
                let is_new = !self.sources.contains(&(source.view, key_text(&source.key)));
                if is_new && !self.hear_all(&[source], hearing, topic) {
                    self.voice.pause().await?;
                }
                Ok(is_new)
            }
            Effect::Unfollow(source) => {
                let key = key_text(&source.key);
                let mut is_other = false;
                if self.sources.remove(&(source.view, key.clone())) {
                    hearing.forget(&self.place(topic, &key), &key);
                    is_other = true;
                    let of_source = self.items.iter().filter(|(_, has)| has.source == key);
                    let gone: Vec<_> = of_source.map(|(place, _)| place.clone()).collect();
                    for place in gone {
                        self.remove(&place).await?;
                    }
                }
                Ok(is_other)
            }
        }
    }

    async fn put(&mut self, place: Reverse<Vec<Value>>, item: Has) -> Result<(), Over> {
        if self.items.get(&place).is_some_and(|known| known.item == item.item) {
            return Ok(());
        }
        let event = Event::Change { key: item.key.clone(), row: item.item.clone(), trace: None };
        self.items.insert(place, item);
        self.voice.say(event, Tokens::None).await
    }

    async fn remove(&mut self, place: &Reverse<Vec<Value>>) -> Result<(), Over> {
        match self.items.remove(place) {
            Some(gone) => {
                let event = Event::Change { key: gone.key, row: Json::Null, trace: None };
                self.voice.say(event, Tokens::None).await
            }
            None => Ok(()),
        }
    }

    /// The ends of the changes, once the rows show all that stands in the events now.
    fn settling(
        &self,
        view: &Arc<ViewDescription>,
        tables: &Arc<dyn ViewStore>,
        topic: &Arc<str>,
    ) -> Settling<Vec<i64>> {
        let (channel, view, tables) = (Arc::clone(&self.own.channel), Arc::clone(view), Arc::clone(tables));
        let (topic, partitions) = (Arc::clone(topic), self.partitions);
        let sources: Vec<i32> = (0..partitions).collect();
        Some(Box::pin(async move {
            settled(&channel, &view, &tables, &sources, &topic, partitions).await.1.to_vec()
        }))
    }
}

fn has(item: LiveItem) -> (Reverse<Vec<Value>>, Has) {
    let LiveItem { place, source, key, item } = item;
    (Reverse(place), Has { source, key, item })
}
