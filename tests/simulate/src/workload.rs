//! What a domain brings to the simulator: commands to send, and naive code that knows what must
//! come of them.

use millrace_kernel::{Command, Domain, Event, Message, Metadata, Published, StateData, Value};
use millrace_testkit::pipeline::Pipeline;

use crate::dice::Dice;
use crate::luck::Luck;
use crate::neighbours::Neighbours;
use crate::oracle::world::{Failure, Seen, World};
use crate::plan::Beside;

/// A rule that did not hold: its code and the field it is about.
pub type Broken = (String, Option<String>);

/// A place in the tables: table and key.
pub type Place = (&'static str, Vec<Value>);

/// Whether an aggregate of another partition is known to a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It was there before the command came.
    Surely,
    /// It is there only since the decision, or never.
    Never,
    /// It came about in between: either answer is right.
    Perhaps,
}

/// What an event sets in motion, by the oracle's own reckoning.
#[derive(Clone, Debug, PartialEq)]
pub enum Next<S> {
    /// Nothing.
    Nothing,
    /// These steps.
    Steps(Vec<S>),
    /// Its process ends well.
    Accepted,
    /// Its process ends with these.
    Rejected(Vec<Broken>),
}

/// What of the world beyond its routing key a decision may depend on. Where either answer is right, each is tried, until one
/// foretells what has come of the decision; within one decision an aggregate is there or it is not.
pub trait Around {
    /// Whether an aggregate is found that is looked up in this domain.
    fn knows(&self, aggregate_id: &str) -> bool;
    /// The same of an aggregate of another domain.
    fn knows_elsewhere(&self, of: Published, aggregate_id: &str) -> bool;
}

/// What somebody asks for who has just seen something: the command, and what stands beside it.
pub type Ask<C> = (Metadata, C);

/// A domain under simulation. Everything but [`Workload::Domain`] is written anew and as simply as can
/// be: nothing here may call the code that it judges.
pub trait Workload: Sized + 'static {
    /// The domain's commands.
    type CommandData: Message;
    /// The domain's steps.
    type StepData: Message;
    /// The domain's events.
    type EventData: Message;
    /// The domain's states.
    type State: StateData;
    /// The domain's settings.
    type Settings: Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static;
    /// The domain that is judged.
    type Domain: Domain<
            Command = Self::CommandData,
            Step = Self::StepData,
            Event = Self::EventData,
            State = Self::State,
            Settings = Self::Settings,
        >;
    /// What a producer remembers while it makes up commands.
    type Producer;
    /// The state of everything, as a plain fold of events.
    type Model: Default;
    /// The rows of all tables without a cap, as a plain fold of events.
    type Rows: Default + Clone;

    /// The workload's name on the command line.
    const NAME: &'static str;

    /// Settings of the domain for one history.
    fn settings(dice: &mut Dice) -> Self::Settings;
    /// A producer with nothing sent.
    fn producer(dice: &mut Dice) -> Self::Producer;
    /// The next command, which is number `n`.
    fn command(producer: &mut Self::Producer, dice: &mut Dice, n: usize) -> Command<Self::CommandData>;

    /// A command that makes something known that no other does, if other partitions look anything up.
    fn introduce(n: usize) -> Option<Self::CommandData>;

    /// A command of a key that nobody else uses, which is always refused, if the domain keeps order behind what is
    /// dead.
    fn stray(key: &str) -> Option<Self::CommandData>;

    /// What somebody asks for who has just seen the newest event of its kind, if there is one.
    fn probe(
        seen: &Seen<Self>,
        neighbours: &Neighbours<Self::StepData>,
        settings: &Self::Settings,
        dice: &mut Dice,
    ) -> Option<Ask<Self::CommandData>>;

    /// Which domains are beside the one that is judged, and what they are like in one history: each before those that depend
    /// on it. [`Workload::neighbours`] has them come.
    fn beside(_partitions: i32, _dice: &mut Dice) -> Vec<Beside> {
        Vec::new()
    }

    /// Those domains, at work on the log of `pipeline`, and what the judged one must do about what happens there.
    fn neighbours(
        _pipeline: &Pipeline<Self::Domain>,
        _beside: &[Beside],
        _luck: &Luck,
    ) -> Neighbours<Self::StepData> {
        Neighbours::default()
    }

    /// What somebody asks for who has just seen what has come beside.
    fn meet(_neighbours: &Neighbours<Self::StepData>, _dice: &mut Dice) -> Option<Ask<Self::CommandData>> {
        None
    }

    /// The record key of a command.
    fn routing_key(command: &Self::CommandData) -> &str;
    /// The record key of a step, as the producer of it has to set it.
    fn step_key(step: &Self::StepData) -> String;
    /// What the rejection of a command is called in the business.
    fn failure(command: &Self::CommandData) -> Option<&'static str>;
    /// The aggregate an event belongs to.
    fn aggregate(event: &Self::EventData) -> String;
    /// The aggregate that `expected_version` of a command speaks of.
    fn target(command: &Self::CommandData) -> String;

    /// What a command comes to: its events, or the rules it breaks in their order.
    ///
    /// # Errors
    /// The broken rules.
    fn decide(
        model: &Self::Model,
        command: &Command<Self::CommandData>,
        around: &dyn Around,
    ) -> Result<Vec<Self::EventData>, Vec<Broken>>;
    /// What a step comes to.
    fn decide_step(model: &Self::Model, step: &Self::StepData) -> Vec<Self::EventData>;
    /// Takes in an event.
    fn apply(model: &mut Self::Model, event: &Event<Self::EventData>);
    /// What an event sets in motion.
    fn next(event: &Self::EventData) -> Next<Self::StepData>;
    /// The state of an aggregate, if it has one.
    fn state(model: &Self::Model, aggregate_id: &str) -> Option<Self::State>;
    /// The aggregate that other partitions know of from this event on, if there is one.
    fn made_known(event: &Self::EventData) -> Option<String>;
    /// The aggregate that nobody knows of any more from this event on, if there is one.
    fn made_unknown(_event: &Self::EventData) -> Option<String> {
        None
    }
    /// Takes out what is for people to read, and not foretold.
    fn blur(event: &mut Self::EventData);
    /// The same of a step.
    fn blur_step(step: &mut Self::StepData);

    /// The view families: the projection's name and its tables without a cap.
    fn families() -> &'static [(&'static str, &'static [&'static str])];
    /// Takes an event of a partition into the rows; the places it may have changed.
    fn fold(
        rows: &mut Self::Rows,
        settings: &Self::Settings,
        partition: i32,
        event: &Event<Self::EventData>,
    ) -> Vec<Place>;
    /// The row at a place, if there is one.
    fn row(rows: &Self::Rows, place: &Place) -> Option<Vec<Value>>;

    /// What else must hold while things go on.
    ///
    /// # Errors
    /// What does not.
    fn look(world: &World<'_, Self>, dice: &mut Dice) -> Result<u64, Failure>;
    /// What else must hold in the end.
    ///
    /// # Errors
    /// What does not.
    fn judge(world: &World<'_, Self>, dice: &mut Dice) -> Result<u64, Failure>;

    /// The partition of a command.
    fn partition(command: &Self::CommandData, partitions: i32) -> i32 {
        millrace_kernel::partition::of_key(Self::routing_key(command).as_bytes(), partitions)
    }
}
