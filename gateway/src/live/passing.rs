//! What a stream passes on, from when it has its rows.

use std::sync::Arc;

use bytes::Bytes;
use millrace_kernel::Change;
use millrace_ports::ViewStore;
use millrace_runtime::changes::{Answer, Subscription, Taken};
use millrace_runtime::metrics::Span;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::event::{Ended, Event};
use super::history::Past;
use super::hub::{Heard, Hearing};
use super::shown::Shows;
use super::stream::{NOT_YOURS, Next, OTHER_LOG, REBUILT, Stream};
use super::viewed::{Settling, once};
use super::voice::{Over, Tokens};

/// What has come.
enum Came {
    /// Another version answers, perhaps.
    Versions,
    /// The rows show all that stood in the events, which ended there, by their partitions; and so do the changes.
    Settled((Vec<(i32, i64)>, i64)),
    Past(Past),
    Heard(Option<Heard>),
    /// The reader has come further.
    Reached,
    /// It is time for a token.
    Beat,
    Over(Over),
}

impl Stream {
    /// Passes changes on as they come.
    pub(super) async fn follow(
        &mut self,
        mut sub: Subscription,
        mut hearing: Hearing,
        mut past: Option<mpsc::Receiver<Past>>,
        tables: Arc<dyn ViewStore>,
    ) -> Result<Next, Over> {
        let (viewed, of_tables) = (self.viewed.clone(), Arc::clone(&tables));
        let mut settling: Settling<_> = Some(Box::pin(async move { viewed.settled(&of_tables).await }));
        let mut is_live = false;
        let mut versions = self.versions.clone();
        let mut reached = hearing.reached.clone();
        loop {
            let view = &self.viewed.view.table.name;
            if versions.borrow_and_update().get(view).is_some_and(|version| *version != sub.version()) {
                return Ok(Next::Anew(REBUILT));
            }
            let has_past = past.is_some();
            let awaits_changes = settling.is_none() && !is_live;
            let came = tokio::select! {
                biased;
                over = self.voice.over() => Came::Over(over),
                changed = versions.changed() => changed.map_or(Came::Over(Over::Left), |()| Came::Versions),
                ends = once(&mut settling) => Came::Settled(ends),
                before = next(&mut past), if has_past => Came::Past(before),
                heard = hearing.next(), if !has_past => Came::Heard(heard),
                _ = reached.changed(), if !has_past && awaits_changes => Came::Reached,
                () = sleep_until(self.voice.beats_at()) => Came::Beat,
            };
            let next = match came {
                Came::Over(over) => return Err(over),
                Came::Versions | Came::Reached => None,
                Came::Settled((events, end)) => {
                    let answers = [Answer::EventEnds(events), Answer::Applied, Answer::ChangesEnd(end)];
                    let goes_on = answers.into_iter().all(|answer| sub.answer(answer));
                    (!goes_on).then_some(Next::Anew(OTHER_LOG))
                }
                Came::Past(Past::Change(offset, change)) => {
                    self.pass_on(&mut sub, (offset, change.map(Arc::new), None), &tables).await?
                }
                Came::Past(Past::Over) => {
                    past = None;
                    None
                }
                Came::Past(Past::Gone) => {
                    Some(Next::Anew("what has happened since is not kept any more, or too much"))
                }
                Came::Past(Past::Away(fault)) => {
                    tracing::debug!("a stream waits for the log: {fault}");
                    Some(self.later(&sub).await?)
                }
                Came::Heard(Some(Heard { offset, change, trace, .. })) => {
                    self.pass_on(&mut sub, (offset, change, trace), &tables).await?
                }
                Came::Heard(None) if hearing.was_too_slow() => return Err(Over::Ended(Ended::Slow)),
                Came::Heard(None) => Some(self.later(&sub).await?),
                Came::Beat => {
                    let next = match past {
                        None => self.catch_up(&mut sub, &mut hearing, &tables).await?,
                        Some(_) => None,
                    };
                    if next.is_none() {
                        self.note(&sub);
                        self.voice.say(Event::Beat, Tokens::Now).await?;
                    }
                    next
                }
            };
            if let Some(next) = next {
                return Ok(next);
            }
            if settling.is_none() && !is_live && past.is_none() {
                if let Some(next) = self.catch_up(&mut sub, &mut hearing, &tables).await? {
                    return Ok(next);
                }
                if sub.is_exact() {
                    is_live = true;
                    self.note(&sub);
                    self.voice.say(Event::Live, Tokens::Now).await?;
                }
            }
        }
    }

    /// Goes on where it is, in a moment.
    async fn later(&mut self, sub: &Subscription) -> Result<Next, Over> {
        self.voice.pause().await?;
        // between two changes of one event there is nowhere to go on
        Ok(Next::Resume(self.noted.clone().unwrap_or_else(|| sub.positions())))
    }

    /// Takes what has come by now, and notes how far that is.
    async fn catch_up(
        &mut self,
        sub: &mut Subscription,
        hearing: &mut Hearing,
        tables: &Arc<dyn ViewStore>,
    ) -> Result<Option<Next>, Over> {
        // looked at first: what was passed on before that is there to be taken
        let reached = *hearing.reached.borrow_and_update();
        while let Some(Heard { offset, change, trace, .. }) = hearing.next_now() {
            if let Some(next) = self.pass_on(sub, (offset, change, trace), tables).await? {
                return Ok(Some(next));
            }
        }
        sub.passed(reached);
        Ok(None)
    }

    /// Says what a change shows, as a part of the trace that it belongs to.
    async fn pass_on(
        &mut self,
        sub: &mut Subscription,
        (offset, change, trace): (i64, Option<Arc<Change>>, Option<Bytes>),
        tables: &Arc<dyn ViewStore>,
    ) -> Result<Option<Next>, Over> {
        let Some(change) = change else {
            return Ok(Some(Next::Anew("a change could not be read")));
        };
        if *change.view != *self.viewed.view.table.name {
            sub.passed(offset + 1);
            return Ok(None);
        }
        match sub.take(&change, offset) {
            Taken::Nothing => return Ok(None),
            Taken::Rereads => return Ok(Some(Next::Anew("a row is too large to be told"))),
            Taken::Changes => {}
        }
        let shown = self.show(tables, move |shown, tables| shown.change(tables, &change)).await?;
        let (key, row) = match shown {
            Shows::Nothing => return Ok(None),
            Shows::Otherwise => return Ok(Some(Next::Anew(NOT_YOURS))),
            Shows::Change { key, row } => (key, row),
        };
        // without the key, which may be somebody's: there are to be few names
        let of = |trace: Bytes| {
            let (domain, view) = (self.viewed.channel.description.name, &self.viewed.view.table.name);
            self.meter.push(&format!("{domain}/{view}"), &trace)
        };
        let span = trace.and_then(of);
        // a trace that nobody records here is no affair of the client's
        let trace = span.as_ref().map(|span| span.traceparent().to_owned());
        self.note(sub);
        let tokens = if sub.is_whole() { Tokens::IfDue } else { Tokens::None };
        self.voice.say(Event::Change { key, row, trace }, tokens).await?;
        span.into_iter().for_each(Span::end);
        Ok(None)
    }
}

/// The next of what stood in the log.
async fn next(past: &mut Option<mpsc::Receiver<Past>>) -> Past {
    match past {
        Some(receiver) => receiver.recv().await.unwrap_or(Past::Gone),
        None => std::future::pending().await,
    }
}
