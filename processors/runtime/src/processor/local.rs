//! Opens what a partition has on disk, if it can be trusted; sets it aside if not.

use std::sync::Arc;

use millrace_kernel::{AggregateId, Domain, StateData};
use millrace_ports::{Identity, LocalFault, LocalStore, LogFault, Moment, TopicPartition};
use millrace_wire::DecodeFailure;

use super::aggregates::{Aggregates, Decode};
use super::checkpoint::{Checkpoint, FORMAT, Reached};
use super::fault::CopyFault;
use super::keeping::Keeping;
use super::lane::Shared;
use super::state::{PartitionState, Versioned};
use super::window::Window;
use crate::local::LocalState;
use crate::planted::{self, Bug};
use crate::settings::ProcessorSettings;

/// By how many seconds the clock that wrote a checkpoint may have been ahead of the one that reads it: less than what is
/// between the greatest age and the time that a tombstone lives.
const MOST_AHEAD_SECONDS: i64 = 3_600;

/// A partition's state as its disk has it, to be followed on.
pub(super) struct Opened<S> {
    pub(super) state: PartitionState<S>,
    /// How far it reaches; `None` when there is nothing.
    pub(super) reached: Option<Reached>,
    /// When that was last known to be all there was.
    pub(super) whole_at: Moment,
    /// The record of the outcomes topic that shows that it is the topic the store came from:
    /// its key, and its timestamp in milliseconds.
    pub(super) proof: Option<(String, i64)>,
}

/// Opens the store of a partition; nothing of it when it cannot be trusted.
pub(super) fn open<D: Domain>(
    shared: &Arc<Shared<D>>,
    partition: i32,
) -> Result<Opened<D::State>, CopyFault> {
    let decode = decoder(shared, partition);
    let settings = &shared.settings;
    let Some(local) = &shared.local else {
        let window = Window::new(settings.dedup_window_seconds, settings.dedup_window_ids);
        let state = PartitionState::in_memory(decode, with_floor::<D>(window, settings));
        let whole_at = Moment::now(&*shared.clock);
        return Ok(Opened { state, reached: None, whole_at, proof: None });
    };
    let identity = identity(shared, partition);
    if let Some(why) = local.take_condemned(partition) {
        local.set_aside(&identity, &why)?;
    }
    let why = match open_trusted(shared, local, &identity, &decode) {
        Ok(Ok(opened)) => return Ok(opened),
        Ok(Err(why)) => why,
        Err(CopyFault::Local(fault)) if fault.is_lasting() => fault.to_string(),
        Err(fault) => return Err(fault),
    };
    local.set_aside(&identity, &why)?;
    open_trusted(shared, local, &identity, &decode)?
        .map_err(|why| LocalFault::Unavailable { path: identity.to_string().into(), why }.into())
}

fn with_floor<D: Domain>(window: Window, settings: &ProcessorSettings) -> Window {
    match D::REFUSES_EXPIRED {
        true => window.with_floor(settings.issued_at_ahead_seconds),
        false => window,
    }
}

fn identity<D: Domain>(shared: &Shared<D>, partition: i32) -> Identity {
    Identity {
        topic: Arc::clone(&shared.names.state),
        partition,
        partitions: shared.partitions,
        format: FORMAT,
    }
}

/// The store's content, or why it is not to be trusted.
fn open_trusted<D: Domain>(
    shared: &Arc<Shared<D>>,
    local: &LocalState,
    identity: &Identity,
    decode: &Decode<D::State>,
) -> Result<Result<Opened<D::State>, String>, CopyFault> {
    let store = local.stores.open(identity)?;
    let now = shared.clock.now_micros();
    let checkpoint = match store.checkpoint()? {
        None => None,
        Some(bytes) => match Checkpoint::parse(&bytes) {
            Ok(checkpoint) => Some(checkpoint),
            Err(why) => return Ok(Err(format!("its checkpoint cannot be read: {why}"))),
        },
    };
    if let Some(checkpoint) = &checkpoint
        && let Some(why) = distrust(shared, identity.partition, checkpoint, now)?
    {
        return Ok(Err(why));
    }
    let place = Place { store, decode: Arc::clone(decode), settings: &shared.settings, now };
    let state = place.state(checkpoint.as_ref(), local, with_floor::<D>)?;
    let proof = checkpoint.as_ref().and_then(|checkpoint| checkpoint.window.newest());
    Ok(Ok(Opened {
        proof: proof.map(|(id, at)| (id.to_owned(), at / 1_000)),
        whole_at: Moment::noted(&*shared.clock, checkpoint.as_ref().map_or(now, |it| it.taken_at)),
        state,
        reached: checkpoint.map(|checkpoint| checkpoint.reached),
    }))
}

/// A store, and what is needed to work with it.
struct Place<'a, S> {
    store: Arc<dyn LocalStore>,
    decode: Decode<S>,
    settings: &'a ProcessorSettings,
    now: i64,
}

impl<S> Place<'_, S> {
    /// The state of which the store's checkpoint speaks.
    fn state(
        self,
        checkpoint: Option<&Checkpoint>,
        local: &LocalState,
        with_floor: impl FnOnce(Window, &ProcessorSettings) -> Window,
    ) -> Result<PartitionState<S>, LocalFault> {
        let Self { store, decode, settings, now } = self;
        let mark = checkpoint.map(|checkpoint| checkpoint.window.clone());
        let (span, ids) = (settings.dedup_window_seconds, settings.dedup_window_ids);
        let window = with_floor(Window::stored(Arc::clone(&store), mark, span, ids), settings);
        let aggregates = Aggregates::stored(decode, Arc::clone(&store), Arc::clone(&local.budget));
        let taken_at = checkpoint.map_or(now, |checkpoint| checkpoint.taken_at);
        let keeping = Keeping::new(Arc::clone(&store), local.is_stepwise, settings, taken_at);
        let mut state = PartitionState::over(aggregates, window, Some(keeping));
        count_kept(&*store, &mut state)?;
        state.last_recorded_at = checkpoint.map_or(0, |checkpoint| checkpoint.last_recorded_at);
        Ok(state)
    }
}

/// The state in the store of `identity`, whether or not it fits any topic: for measurements.
///
/// # Errors
/// [`LocalFault`].
pub fn open_alone<S>(
    local: &LocalState,
    identity: &Identity,
    decode: Decode<S>,
    settings: &ProcessorSettings,
    now: i64,
) -> Result<PartitionState<S>, LocalFault> {
    let store = local.stores.open(identity)?;
    let checkpoint = store.checkpoint()?.map(|bytes| Checkpoint::parse(&bytes)).transpose();
    let checkpoint = checkpoint.map_err(|why| LocalFault::Damaged { path: store.path(), why })?;
    Place { store, decode, settings, now }.state(checkpoint.as_ref(), local, |window, _| window)
}

fn count_kept<S>(store: &dyn LocalStore, state: &mut PartitionState<S>) -> Result<(), LocalFault> {
    store.scan_kept(&mut |key, _| {
        if let Some(id) = std::str::from_utf8(key).ok().and_then(AggregateId::parse) {
            state.count(&id, true);
        }
    })
}

/// Why a checkpoint does not fit the topics as they are now, or what is asked of it.
fn distrust<D: Domain>(
    shared: &Shared<D>,
    partition: i32,
    checkpoint: &Checkpoint,
    now: i64,
) -> Result<Option<String>, LogFault> {
    let settings = &shared.settings;
    if !checkpoint.window.covers(settings.dedup_window_seconds, settings.dedup_window_ids) {
        return Ok(Some("its de-duplication window is shorter than the one that is set now".to_owned()));
    }
    if D::REFUSES_EXPIRED && !checkpoint.window.has_floor() {
        let why = "it does not say which commands are expired: a build wrote it that did not know";
        return Ok(Some(why.to_owned()));
    }
    let age = (now - checkpoint.taken_at) / 1_000_000;
    if age < -MOST_AHEAD_SECONDS {
        return Ok(Some(format!(
            "it was written {} s from now, by a clock that was wrong then or is now, so nobody knows its age",
            -age
        )));
    }
    if age > i64::try_from(settings.state_max_age_seconds).unwrap_or(i64::MAX)
        && !planted::is_on(Bug::OldCopyBelieved)
    {
        return Ok(Some(format!(
            "it is {age} s old, and the topic may have forgotten what was deleted meanwhile (state_max_age_seconds is {})",
            settings.state_max_age_seconds
        )));
    }
    let topics = [
        (&shared.names.state, Some(checkpoint.reached.state)),
        (&shared.names.outcomes, checkpoint.reached.outcomes),
    ];
    for (topic, reached) in topics {
        let Some(reached) = reached else { continue };
        let at = TopicPartition::new(Arc::clone(topic), partition);
        let (oldest, end) = (shared.log.low_watermark(&at)?, shared.log.high_watermark(&at)?);
        if end < reached {
            return Ok(Some(format!(
                "it reaches to offset {reached} of {at}, which ends at {end}: the topic is another one, or has lost records"
            )));
        }
        if oldest > reached {
            return Ok(Some(format!(
                "it reaches to offset {reached} of {at}, which begins at {oldest}: what lies between is gone"
            )));
        }
    }
    Ok(None)
}

/// Reads records of the state topic.
fn decoder<D: Domain>(shared: &Arc<Shared<D>>, partition: i32) -> Decode<D::State> {
    let codecs = Arc::clone(&shared.codecs);
    let topic = Arc::clone(&shared.names.state);
    Arc::new(move |id, bytes| {
        let (_, version, recorded_at, state) = match codecs.state.decode_fresh(bytes) {
            Ok(record) => D::State::from_record(record),
            Err(DecodeFailure::Registry(fault)) => return Err(fault.into()),
            Err(other) => {
                let at = TopicPartition::new(Arc::clone(&topic), partition);
                let record = format!("the record of {id}");
                return Err(CopyFault::Unreadable { at, record, why: other.to_string() });
            }
        };
        Ok(Versioned { version, recorded_at, state: state.map(Arc::new) })
    })
}
