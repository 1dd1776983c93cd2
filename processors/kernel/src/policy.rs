//! Policies: what a domain does about the events of another one.

use crate::avro::{BadDatum, Datum, Input};
use crate::domain::Message;
use crate::inline::Text;
use crate::message::{Event, Metadata};

/// What a domain does about the events of another one: a pure function from one event to steps of the domain, without any
/// state. What it must know, an aggregate of the domain knows, whose step is decided like any other.
///
/// A domain has at most one for each other domain: the steps that one event asks for are numbered together.
pub trait Reaction: Send + Sync + 'static {
    /// The types of events that are read, generated from the other domain's schema. All others are passed over.
    type Event: Message;
    /// The steps of the domain that reacts.
    type Step: Message;
    /// The other domain.
    const DOMAIN: &'static str;
    /// The schema of [`Reaction::Event`] in its envelope.
    const SCHEMA: &'static str;
    /// Only events are reacted to that were recorded at this time or later, in microseconds since the epoch: for a domain that
    /// comes late and must not do again what people have done by hand. Events from the first on, where there is none.
    const SINCE: Option<i64> = None;

    /// What follows from an event: the same whenever it is asked. A change of this applies to later events only.
    fn react(event: &Event<Self::Event>) -> Vec<Self::Step>;
}

/// A [`Reaction`] as the engine carries it out: the same for all, whatever their types.
pub struct Policy<S> {
    /// The domain whose events are read.
    pub domain: &'static str,
    /// The schema of the events that are read.
    pub schema: &'static str,
    /// Events before this time are passed over.
    pub since: Option<i64>,
    read: fn(&mut Input<'_>) -> Result<Heard<S>, BadDatum>,
}

/// An event that a policy has read.
pub struct Heard<S> {
    /// The event's id.
    pub id: Text,
    /// Its metadata.
    pub metadata: Metadata,
    /// When it was recorded, microseconds since the epoch.
    pub recorded_at: i64,
    react: Box<dyn FnOnce() -> Vec<S>>,
}

impl<S: Message> Policy<S> {
    /// The policy that does what `R` says.
    #[must_use]
    pub fn of<R: Reaction<Step = S>>() -> Self {
        Self { domain: R::DOMAIN, schema: R::SCHEMA, since: R::SINCE, read: heard::<R> }
    }

    /// Reads an event in the envelope of [`Policy::schema`].
    ///
    /// # Errors
    /// [`BadDatum`] when the bytes are none.
    pub fn read(&self, input: &mut Input<'_>) -> Result<Heard<S>, BadDatum> {
        (self.read)(input)
    }
}

impl<S> Heard<S> {
    /// What follows from it.
    #[must_use]
    pub fn react(self) -> Vec<S> {
        (self.react)()
    }
}

fn heard<R: Reaction>(input: &mut Input<'_>) -> Result<Heard<R::Step>, BadDatum> {
    let event = Event::<R::Event>::read(input)?;
    Ok(Heard {
        id: event.id.clone(),
        metadata: event.metadata.clone(),
        recorded_at: event.recorded_at,
        react: Box::new(move || R::react(&event)),
    })
}
