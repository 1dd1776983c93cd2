//! What a stream looks at: one partition key of a view, and when its rows are settled.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::live::key_text;
use millrace_kernel::{Value, partition};
use millrace_ports::{LogFault, TopicPartition, ViewStore};
use tokio::time::sleep;

use crate::log::Channel;
use crate::ports::ViewDescription;
use crate::token::stream_name;

/// How soon a log that is away is asked again.
pub(super) const AGAIN: Duration = Duration::from_millis(500);
/// How often the progress is looked at while it is waited for: at first, and at last.
pub(super) const LOOK_EVERY: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// What is looked at.
#[derive(Clone)]
pub(crate) struct Viewed {
    pub(crate) channel: Arc<Channel>,
    pub(crate) view: Arc<ViewDescription>,
    /// The whole partition key, as readers know it.
    pub(crate) key: Vec<Value>,
    /// How many partitions the domain has.
    pub(crate) partitions: i32,
}

impl Viewed {
    /// A name that no other stream has.
    pub(super) fn name(&self) -> String {
        let key: Vec<String> = self.key.iter().map(|value| key_text(std::slice::from_ref(value))).collect();
        let at = [self.channel.description.name, &self.view.table.name].into_iter();
        stream_name(at.chain(key.iter().map(String::as_str)))
    }

    /// Where the changes of its key are.
    pub(super) fn place(&self) -> TopicPartition {
        let topic = self.channel.description.topology.changes(self.view.family());
        TopicPartition::new(topic, partition::of_key(key_text(&self.key).as_bytes(), self.partitions))
    }

    /// The source partitions that write its rows.
    pub(super) fn sources(&self) -> Vec<i32> {
        let live = self.view.table.live.as_ref();
        live.map(|live| live.sources(&self.view.table, &self.key, self.partitions)).unwrap_or_default()
    }

    /// Waits until its rows show all that stands in the events now, and gives the ends that these have, by their partitions, and
    /// the end that the changes have then.
    pub(super) async fn settled(&self, tables: &Arc<dyn ViewStore>) -> (Vec<(i32, i64)>, i64) {
        let place = self.place();
        let sources = self.sources();
        let (events, changes) =
            settled(&self.channel, &self.view, tables, &sources, &place.topic, self.partitions).await;
        let events = sources.iter().map(|source| (*source, end_of(&events, *source)));
        (events.collect(), end_of(&changes, place.partition))
    }
}

/// What is waited for until rows are settled: let go of once it has come, and not asked for again.
pub(super) type Settling<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// What `settling` comes to, once.
pub(super) async fn once<T>(settling: &mut Settling<T>) -> T {
    let Some(waiting) = settling else { return std::future::pending().await };
    let settled = waiting.await;
    *settling = None;
    settled
}

/// Waits until the rows of a view show all that stands in the events of its `sources` now, and gives the ends of the events and
/// those that the changes have then.
pub(super) async fn settled(
    channel: &Channel,
    view: &ViewDescription,
    tables: &Arc<dyn ViewStore>,
    sources: &[i32],
    topic: &Arc<str>,
    partitions: i32,
) -> (Arc<Vec<i64>>, Arc<Vec<i64>>) {
    let events = &channel.description.topology.events;
    let ends = patiently(|| channel.event_ends.of(&channel.log, events, partitions)).await;
    let mut pause = LOOK_EVERY.0;
    loop {
        let applied = channel.watch.applied(tables, &view.projection).await;
        let has_come = |source: &i32| {
            let end = end_of(&ends, *source);
            let of =
                |applied: &Vec<(i32, i64)>| applied.iter().find(|(at, _)| at == source).map_or(0, |it| it.1);
            end == 0 || applied.as_ref().is_ok_and(|applied| of(applied) >= end)
        };
        if sources.iter().all(has_come) {
            break;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LOOK_EVERY.1);
    }
    let changes = match channel.change_ends.get(view.family()) {
        Some(of_family) => patiently(|| of_family.of(&channel.log, topic, partitions)).await,
        None => Arc::default(),
    };
    (ends, changes)
}

fn end_of(ends: &[i64], partition: i32) -> i64 {
    usize::try_from(partition).ok().and_then(|at| ends.get(at)).copied().unwrap_or(0)
}

/// Asks until there is an answer.
async fn patiently<T, F: Future<Output = Result<T, LogFault>>>(ask: impl Fn() -> F) -> T {
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(fault) => tracing::debug!("a stream waits for the log: {fault}"),
        }
        sleep(AGAIN).await;
    }
}
