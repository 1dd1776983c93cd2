//! One stream of one partition key of a view, from its first row on. Whoever serves it passes on what it says.

use std::sync::Arc;

use millrace_kernel::live::key_text;
use millrace_kernel::{Change, Value};
use millrace_ports::{Record, StoreFault, TopicPartition, ViewStore};
use millrace_runtime::changes::{Answer, Ask, Positions, Subscription};
use millrace_runtime::metrics::GatewayMeter;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::event::Event;
use super::history::{self, Past};
use super::hub::{Deaf, Hearing, Versions};
use super::shown::Shown;
use super::viewed::{LOOK_EVERY, Viewed};
use super::voice::{Expiry, Out, Over, Tokens, Voice, away};
use crate::token::{Resume, ResumeKey, stream_name};
use crate::view::{From, Longs, Permit, blocking, read};

/// Rows of a part of the snapshot.
const PART: usize = 100;

/// A stream that somebody wants.
pub(crate) struct Request {
    pub(crate) viewed: Viewed,
    pub(crate) permit: Permit,
    pub(crate) longs: Longs,
    /// So many rows from the first on, and what comes in front of the last of them; all, where that is not said.
    pub(crate) limit: Option<usize>,
    /// Where it goes on.
    pub(crate) token: Option<String>,
    /// Until when it is known who asks.
    pub(crate) expiry: Expiry,
    pub(crate) signs: ResumeKey,
    /// Becomes true when this gateway ends.
    pub(crate) ending: watch::Receiver<bool>,
    /// Where its part of traces goes.
    pub(crate) meter: Arc<GatewayMeter>,
}

/// Serves a stream until it ends or nobody takes what it says.
pub(crate) async fn run(request: Request, out: Out) {
    let name = request.viewed.name();
    let mut stream = Stream::new(request, name, out);
    if let Err(over) = stream.play().await {
        stream.voice.end(over).await;
    }
}

/// How it goes on after something that ended its way of hearing.
pub(super) enum Next {
    /// Where it was.
    Resume(Positions),
    /// From the rows on.
    Anew(&'static str),
}

pub(super) struct Stream {
    pub(super) viewed: Viewed,
    name: String,
    shown: Shown,
    limit: Option<usize>,
    wanted: Option<Resume>,
    is_refused: bool,
    signs: ResumeKey,
    pub(super) versions: watch::Receiver<Arc<Versions>>,
    pub(super) voice: Voice,
    pub(super) meter: Arc<GatewayMeter>,
    /// Where it can go on: behind the last whole event.
    pub(super) noted: Option<Positions>,
}

impl Stream {
    fn new(request: Request, name: String, out: Out) -> Self {
        let Request { viewed, permit, longs, limit, token, expiry, signs, ending, meter } = request;
        let mut shown = Shown::new(Arc::clone(&viewed.view), permit, longs);
        let name = match shown.user() {
            Some(user) => format!("{name}/{}", stream_name(std::iter::once(user))),
            None => name,
        };
        let wanted = token.as_deref().and_then(|token| signs.read(&name, token));
        if let Some(floor) = wanted.as_ref().and_then(|resume| resume.floor.clone()) {
            shown.set_floor(floor);
        }
        let voice = Voice::new(out, ending, expiry, Arc::clone(&viewed.channel.clock));
        let is_refused = token.is_some() && wanted.is_none();
        let versions = viewed.channel.hub.versions();
        Self { viewed, name, shown, limit, wanted, is_refused, signs, versions, voice, noted: None, meter }
    }

    async fn play(&mut self) -> Result<(), Over> {
        self.voice.check()?;
        if self.is_refused {
            self.reset(REFUSED).await?;
        }
        let mut resumed = self.wanted.take().and_then(|resume| resume.positions);
        loop {
            match self.once(resumed.take()).await? {
                Next::Resume(positions) => resumed = Some(positions),
                Next::Anew(reason) => self.reset(reason).await?,
            }
        }
    }

    /// Says that all rows come anew. Until they have, the client's copy is that of no moment: the token that goes with this takes the
    /// place of the last one and goes on nowhere.
    async fn reset(&mut self, reason: &'static str) -> Result<(), Over> {
        self.noted = None;
        let floor = self.shown.floor().map(<[_]>::to_vec);
        self.voice.token = self.signs.token(&self.name, &Resume { positions: None, floor });
        self.voice.say(Event::Reset { reason }, Tokens::Now).await
    }

    /// Hears from one beginning on until something ends that.
    async fn once(&mut self, resumed: Option<Positions>) -> Result<Next, Over> {
        self.voice.check()?;
        let view = &self.viewed.view.table.name;
        let (tables, version) = self.voice.tables(&self.viewed.channel, view).await?;
        let (place, sources) = (self.viewed.place(), self.viewed.sources());
        let has_rows = resumed.is_some();
        let mut sub = match resumed {
            Some(positions) if positions.version != version => return Ok(Next::Anew(REBUILT)),
            Some(positions) if positions.partition != place.partition => {
                return Ok(Next::Anew("the domain has other partitions than before"));
            }
            Some(positions) => Subscription::resumed(positions, sources),
            None => Subscription::new(version, 0, place.partition, sources),
        };
        let reader = self.viewed.channel.change_reader(self.viewed.view.family());
        let reader = match reader {
            Ok(reader) => reader,
            Err(trouble) => {
                tracing::debug!("a stream waits for the registry: {trouble}");
                self.voice.pause().await?;
                return Ok(self.again(&sub));
            }
        };
        let key = self.viewed.key.clone();
        let begun = self.show(&tables, move |shown, tables| shown.begin(tables, &key, has_rows)).await?;
        if !begun {
            return Ok(Next::Anew(NOT_YOURS));
        }
        let mut hearing = None;
        let mut past = None;
        while let Some(ask) = sub.asks().cloned() {
            let answer = match ask {
                Ask::Hear(from) => {
                    let heard = self.hear(&place, from, &reader).await?;
                    past = from
                        .filter(|from| *from < heard.from)
                        .map(|from| self.past(&place, (from, heard.from), &reader));
                    let from = from.unwrap_or(heard.from);
                    hearing = Some(heard);
                    Answer::Hears(from)
                }
                Ask::Progress => {
                    match self.viewed.channel.watch.applied(&tables, &self.viewed.view.projection).await {
                        Ok(applied) => Answer::Progress(applied),
                        Err(fault) => return Err(away(&fault)),
                    }
                }
                Ask::Rows => {
                    self.snapshot(&tables, &sub).await?;
                    Answer::Rows
                }
                Ask::EventEnds | Ask::Applied(_) | Ask::ChangesEnd => break,
            };
            sub.answer(answer);
        }
        let Some(hearing) = hearing else { return Ok(self.again(&sub)) };
        self.note(&sub);
        self.follow(sub, hearing, past, tables).await
    }

    fn again(&self, sub: &Subscription) -> Next {
        match sub.asks() {
            Some(Ask::Hear(None)) => Next::Anew("the log could not be read"),
            _ => Next::Resume(sub.positions()),
        }
    }

    async fn hear(
        &mut self,
        place: &TopicPartition,
        from: Option<i64>,
        read: &(impl Fn(&Record) -> Option<Change> + Clone + Send + 'static),
    ) -> Result<Hearing, Over> {
        let key = key_text(&self.viewed.key);
        loop {
            let (hub, at, key, read) =
                (Arc::clone(&self.viewed.channel.hub), place.clone(), key.clone(), read.clone());
            let hear = move || hub.hear(&at, &key, from, read);
            let heard = match from {
                None => hear(),
                // what is in memory is read then, which may have to ask for its schema
                Some(_) => spawn_blocking(hear).await.unwrap_or(Err(Deaf::Away)),
            };
            match heard {
                Ok(hearing) => return Ok(hearing),
                // it is read as soon as somebody wants to hear, which is now
                Err(_) => tokio::select! {
                    waited = self.voice.pause() => waited?,
                    () = sleep(LOOK_EVERY.0) => {}
                },
            }
        }
    }

    fn past(
        &self,
        place: &TopicPartition,
        span: (i64, i64),
        read: &(impl Fn(&Record) -> Option<Change> + Clone + Send + 'static),
    ) -> mpsc::Receiver<Past> {
        let channel = &self.viewed.channel;
        let (log, readers) = (Arc::clone(&channel.log), Arc::clone(&channel.history));
        history::read(log, readers, place.clone(), key_text(&self.viewed.key), span, read.clone())
    }

    /// Says all rows, a part at a time. Each part but the last is full, whatever lies between its rows that is not the reader's.
    async fn snapshot(&mut self, tables: &Arc<dyn ViewStore>, sub: &Subscription) -> Result<(), Over> {
        let (view, key) = (Arc::clone(&self.viewed.view), self.viewed.key.clone());
        let keys = view.table.key_columns();
        let mut left = self.limit.filter(|_| self.shown.floor().is_none());
        let mut behind: Option<Vec<Value>> = None;
        let mut rows = Vec::new();
        let mut is_over = self.shown.is_none();
        while !is_over {
            self.voice.check()?;
            let most = if self.shown.is_by_row() { PART } else { left.unwrap_or(PART).min(PART) };
            let (view, from) = (Arc::clone(&view), From::Key(key.clone(), behind.take()));
            let read = blocking({
                let tables = Arc::clone(tables);
                move || {
                    let mut rows = Vec::with_capacity(most);
                    read::<StoreFault>(&*tables, &view.table, from, most, &mut |row| {
                        rows.push(row.to_vec());
                        Ok(())
                    })?;
                    Ok(rows)
                }
            });
            let read = read.await.map_err(|fault| away(&fault))?;
            let last = read.last().cloned();
            // below the floor there is nothing more to show
            let is_above = last.as_ref().is_none_or(|row| self.shown.covers(row));
            is_over = read.len() < most || !is_above;
            let shown = self.show(tables, move |shown, tables| shown.rows(tables, read, left)).await?;
            if let Some(left) = &mut left {
                *left -= shown.len();
                is_over |= *left == 0;
            }
            rows.extend(shown);
            while rows.len() > PART {
                let rest = rows.split_off(PART);
                let part = Event::Snapshot { rows: std::mem::replace(&mut rows, rest), more: true };
                self.voice.check()?;
                self.voice.say(part, Tokens::None).await?;
            }
            behind = last.map(|row| row[..keys].to_vec());
        }
        self.voice.check()?;
        self.note(sub);
        self.voice.say(Event::Snapshot { rows, more: false }, Tokens::Now).await
    }

    /// What is shown, asked where it may wait: whose a row is may stand in another table.
    pub(super) async fn show<T: Send + 'static>(
        &mut self,
        tables: &Arc<dyn ViewStore>,
        ask: impl FnOnce(&mut Shown, &dyn ViewStore) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, Over> {
        if !self.shown.waits() {
            return ask(&mut self.shown, &**tables).map_err(|fault| away(&fault));
        }
        let tables = Arc::clone(tables);
        let mut shown = self.shown.take();
        let asked = blocking(move || {
            let answer = ask(&mut shown, &*tables)?;
            Ok((shown, answer))
        });
        let (shown, answer) = asked.await.map_err(|fault| away(&fault))?;
        self.shown = shown;
        Ok(answer)
    }

    /// Notes where it goes on.
    pub(super) fn note(&mut self, sub: &Subscription) {
        if sub.is_whole() {
            let (floor, positions) = (self.shown.floor().map(<[_]>::to_vec), sub.positions());
            self.noted = Some(positions.clone());
            let positions = self.shown.is_resumable().then_some(positions);
            self.voice.token = self.signs.token(&self.name, &Resume { positions, floor });
        }
    }
}

/// What a stream is told that goes on from a token which is none of its own.
pub(super) const REFUSED: &str = "the token is of another stream, or of gateways that sign otherwise";
/// What a stream is told whose reader may see the rows of its key only from now on, or no more.
pub(super) const NOT_YOURS: &str = "who may see the rows has changed";
/// What a stream is told whose token knows of more than there is.
pub(super) const OTHER_LOG: &str = "the topics are others than those that the token is of";
/// What a stream is told when another version of its view's tables answers.
pub(super) const REBUILT: &str = "the view was rebuilt";
