//! The codecs of a domain's topics.

use std::sync::Arc;

use millrace_kernel::{Command, Domain, Event, Outcome, StateData, Step, avro_record};
use millrace_wire::codec::CodecError;
use millrace_wire::{Codec, Registry};

use crate::topology::Topology;

/// What stands in a lookup topic: that an aggregate exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupRecord {
    /// `<Aggregate>/<id>`
    pub aggregate_id: String,
    /// Its version when it began to exist.
    pub version: i64,
    /// When that was recorded, microseconds since the epoch.
    pub recorded_at: i64,
}

avro_record!(LookupRecord { aggregate_id, version, recorded_at });

/// One codec per topic of a domain.
pub struct Codecs<D: Domain> {
    /// Of `<d>.commands`.
    pub commands: Codec<Command<D::Command>>,
    /// Of `<d>.steps`, in a domain that has some.
    pub steps: Option<Codec<Step<D::Step>>>,
    /// Of `<d>.events`.
    pub events: Codec<Event<D::Event>>,
    /// Of `<d>.state`.
    pub state: Codec<<D::State as StateData>::Record>,
    /// Of `<d>.outcomes`.
    pub outcomes: Codec<Outcome>,
    /// Of `<d>.<aggregate>.lookup`, in the order of [`Domain::LOOKUPS`].
    pub lookups: Vec<Codec<LookupRecord>>,
}

impl<D: Domain> Codecs<D> {
    /// Registers the domain's schemas where they are missing.
    ///
    /// # Errors
    /// A schema that is refused, or a registry that does not answer.
    pub fn register(registry: &Arc<dyn Registry>, names: &Topology) -> Result<Self, CodecError> {
        let schemas = D::SCHEMAS;
        let subject = |topic: &str| Topology::subject(topic);
        let registry = || Arc::clone(registry);
        Ok(Self {
            commands: Codec::register(registry(), &subject(&names.commands), schemas.commands)?,
            steps: schemas
                .steps
                .map(|steps| Codec::register(registry(), &subject(&names.steps), steps))
                .transpose()?,
            events: Codec::register(registry(), &subject(&names.events), schemas.events)?,
            state: Codec::register(registry(), &subject(&names.state), schemas.state)?,
            outcomes: Codec::register(registry(), &subject(&names.outcomes), schemas.outcomes)?,
            lookups: D::LOOKUPS
                .iter()
                .map(|kind| {
                    let lookup = schemas.lookup.unwrap_or_default();
                    Codec::register(registry(), &subject(&names.lookup(kind)), lookup)
                })
                .collect::<Result<_, _>>()?,
        })
    }
}
