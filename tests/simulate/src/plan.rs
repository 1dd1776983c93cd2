//! A history before it happens: every step of it as a value, so that it can be repeated exactly and
//! made shorter.

use std::collections::BTreeMap;

use millrace_kernel::{Command, Domain};
use millrace_runtime::ProjectorSettings;

use crate::dice::Dice;
use crate::script::Writer;
use crate::strays::Stray;
use crate::workload::Workload;

/// How often what goes wrong inside a step, so many times in a thousand chances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// An operation of the log is not done, and the caller is told so.
    pub refuse: u32,
    /// It is done, but the answer is lost.
    pub lose_answer: u32,
    /// It says "later": a poll gives nothing, a commit still runs.
    pub later: u32,
    /// The markers of a transaction that has ended are not written yet.
    pub marker_later: u32,
    /// The store does nothing and fails.
    pub store_refuse: u32,
    /// The store applies everything and then times out.
    pub store_timeout: u32,
    /// The store applies some of the writes and fails.
    pub store_partly: u32,
    /// The store fails now and applies the writes some time later.
    pub store_late: u32,
    /// The process dies in the middle of the step, before or after one of its operations.
    pub die_inside: u32,
}

/// What holds for a whole history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup<S> {
    /// How many partitions the domain has.
    pub partitions: i32,
    /// How many processors there are at first.
    pub processors: usize,
    /// How many projectors of every view family there are at first.
    pub projectors: usize,
    /// Most commands and steps in one transaction.
    pub batch_max_records: usize,
    /// Most events whose rows are written together.
    pub batch_max_events: usize,
    /// Most rows of large fan-outs between two batches of a projector.
    pub fan_out_max_rows: usize,
    /// How many answered commands a partition remembers.
    pub window_ids: usize,
    /// For how many seconds of recorded time it remembers them.
    pub window_seconds: u64,
    /// By how many seconds the clocks of producers may be wrong.
    pub margin_seconds: u64,
    /// Whether processors keep their state on disks.
    pub disks: bool,
    /// Whether processors keep copies of partitions that others own.
    pub copies: bool,
    /// For how many seconds tombstones live in the topics that are compacted, if any is compacted.
    pub tombstone_seconds: Option<u64>,
    /// How many bytes of states a processor with a disk keeps in memory.
    pub cache_bytes: usize,
    /// Longest time between two checkpoints, in milliseconds.
    pub checkpoint_ms: u64,
    /// After how many changes a checkpoint is taken earlier.
    pub checkpoint_changes: usize,
    /// How often what goes wrong.
    pub rates: Rates,
    /// How long projectors go on without a commit of their offsets, in milliseconds.
    pub commit_ms: u64,
    /// How long a decided step is kept, in seconds.
    pub steps_keep_seconds: u64,
    /// The domain's own settings.
    pub domain: S,
    /// The domains beside it, each before those that depend on it.
    pub beside: Vec<Beside>,
}

/// What a domain beside the one that is judged is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Its name.
    pub domain: &'static str,
    /// How many partitions it has.
    pub partitions: i32,
    /// How many processors it has.
    pub processors: usize,
    /// How many projectors each of its view families has.
    pub projectors: usize,
    /// How many commands it has decided before the history begins.
    pub before: usize,
    /// What is left to chance of those who ask for something there.
    pub luck: u64,
}

impl Beside {
    /// One of this name with nothing but a processor.
    #[must_use]
    pub fn of(domain: &'static str) -> Self {
        Self { domain, partitions: 1, processors: 1, projectors: 0, before: 0, luck: 0 }
    }
}

/// What somebody has no right to take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of a partition's state: its topic is deleted and made anew.
    State,
    /// All steps of a partition, those that nobody has decided yet included.
    Steps,
}

/// What an operator does about the versions of a view family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operate {
    /// The next step of a rebuild, whichever that is.
    Rebuild,
    /// The version before answers again.
    Back,
    /// The next step of dropping the versions that do not answer.
    Drop,
    /// Projectors look which versions there are.
    Heed,
}

/// What becomes of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFate {
    /// Nothing.
    Kept,
    /// Its newest writes are lost, as many as that.
    LosesPower(usize),
    /// All of it is lost.
    Wiped,
    /// What is on it can be seen to be damaged.
    Damaged,
    /// It takes no writes any more.
    Full,
    /// It takes writes again.
    Emptied,
}

/// What is done next. Processes are named by a number, which counts round those that run.
#[derive(Clone, Debug, PartialEq)]
pub enum Act<C> {
    /// A producer sends a command.
    Send(Box<Command<C>>),
    /// Somebody who has just seen what happened sends a command about it.
    Probe {
        /// What is left to chance.
        luck: u64,
    },
    /// Somebody does something about a key that waits behind a dead command.
    Stray {
        /// What.
        what: Stray,
        /// What goes wrong meanwhile; 0 = nothing.
        luck: u64,
    },
    /// A step that was committed is delivered once more.
    RepeatStep {
        /// Which one, of all.
        pick: u64,
    },
    /// A lane takes some steps.
    Lane {
        /// The process.
        process: u64,
        /// The lane, of those it has.
        lane: u64,
        /// How many steps at most, as long as there is something to do.
        steps: usize,
        /// What goes wrong inside; 0 = nothing.
        luck: u64,
    },
    /// A process hears what has changed in its group.
    Member {
        /// The process.
        process: u64,
        /// What goes wrong inside; 0 = nothing.
        luck: u64,
    },
    /// A process looks of which partitions it should keep copies, and one of those follows.
    StandBy {
        /// The process.
        process: u64,
        /// Which of its copies, of all.
        pick: u64,
        /// What goes wrong inside; 0 = nothing.
        luck: u64,
    },
    /// A process follows its lookup tables.
    Follow {
        /// The process.
        process: u64,
        /// What goes wrong inside; 0 = nothing.
        luck: u64,
    },
    /// A process deletes the steps that were decided long ago.
    Trim {
        /// The process.
        process: u64,
        /// What goes wrong inside; 0 = nothing.
        luck: u64,
    },
    /// Somebody deletes what must not be deleted, and all processors are started anew.
    Lose {
        /// What.
        loss: Loss,
        /// The partition, of all.
        partition: u64,
    },
    /// What was lost is brought back from a mirror.
    BringBack,
    /// A process dies between two steps. Another is started in its place, or not.
    Crash {
        /// The process.
        process: u64,
        /// Whether another takes its place.
        restart: bool,
        /// What becomes of its disk.
        disk: DiskFate,
    },
    /// Something happens to the disk of a process that goes on.
    Disk {
        /// The process.
        process: u64,
        /// What.
        fate: DiskFate,
    },
    /// One more process of the same kind as this one joins.
    Join {
        /// The process.
        process: u64,
    },
    /// A process leaves in good order.
    Leave {
        /// The process.
        process: u64,
    },
    /// A process does nothing for a while, is thrown out of its group, and then goes on as if
    /// nothing had happened.
    Sleep {
        /// The process.
        process: u64,
        /// For how many acts.
        acts: usize,
    },
    /// Time passes.
    Pass {
        /// How much, in microseconds.
        micros: i64,
        /// Whether those who are awake stay in touch with their groups meanwhile.
        in_touch: bool,
    },
    /// The clock of a process is set, ahead of the broker's or behind it.
    SetClock {
        /// The process.
        process: u64,
        /// By how much, in microseconds.
        ahead: i64,
    },
    /// The broker writes no markers of transactions to some of the partitions for a while.
    HoldMarkers {
        /// For how many acts.
        acts: usize,
        /// Chooses the partitions; 0 = all.
        salt: u64,
    },
    /// The store is out of reach for a while.
    StoreDown {
        /// For how many acts.
        acts: usize,
    },
    /// What the store had accepted late is applied now.
    LateWrites,
    /// Somebody does something about the versions of a view family.
    Operate {
        /// The family, of all.
        family: u64,
        /// What.
        what: Operate,
        /// What goes wrong inside; 0 = nothing.
        luck: u64,
    },
    /// The gateway dies: all subscribers are cut.
    CutAll,
    /// A projector dies, and whoever takes its place writes its last changes once more.
    Repeat {
        /// Which one, of all.
        pick: u64,
    },
    /// The changes of a view family are deleted, but for the newest.
    Expire {
        /// The family, of all.
        family: u64,
        /// How many are kept in each partition.
        keep: i64,
    },
    /// A subscriber of a view takes some steps, or is cut.
    Watch {
        /// What is left to chance.
        luck: u64,
    },
    /// Something happens in one of the domains beside this one.
    Neighbour {
        /// What, and what goes wrong meanwhile.
        luck: u64,
    },
    /// A processor dies and comes back with another secret for pseudonyms, for so many acts.
    Mislead {
        /// Which one, of all.
        process: u64,
        /// For how many acts.
        acts: usize,
    },
    /// The oracles look at the tables.
    Look,
}

/// A whole history.
#[derive(Clone, Debug)]
pub struct Plan<W: Workload> {
    /// The seed it comes from.
    pub seed: u64,
    /// What holds for all of it.
    pub setup: Setup<W::Settings>,
    /// What is done, in order.
    pub acts: Vec<Act<W::CommandData>>,
}

impl<W: Workload> Plan<W> {
    /// The history of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut setup = setup::<W>(&mut dice);
        let mut acts = Writer::<W>::new(&mut dice, &setup).write();
        if <W::Domain as Domain>::REFUSES_EXPIRED {
            // a stream of its own, so that all else is as it would be without
            say_when_issued::<W>(&mut Dice::new(!seed), &mut setup, &mut acts);
        }
        rebuild_meanwhile(&mut Dice::new(seed ^ 0x7ab1_e500), &mut acts);
        subscribe_meanwhile::<W>(&mut Dice::new(seed ^ 0x5ab5_c21b), &mut setup, &mut acts);
        if !<W::Domain as Domain>::PSEUDONYMS.is_empty() {
            mislead_meanwhile(&mut Dice::new(seed ^ 0x5ec2_e7aa), &mut acts);
        }
        setup.beside = W::beside(setup.partitions, &mut Dice::new(seed ^ 0xbe51_de00));
        if !setup.beside.is_empty() {
            live_meanwhile(&mut Dice::new(seed ^ 0x0e16_4b02), &mut acts);
        }
        Self { seed, setup, acts }
    }
}

/// Has operators rebuild tables meanwhile, in some histories: the others stay what they are without.
fn rebuild_meanwhile<C>(dice: &mut Dice, acts: &mut Vec<Act<C>>) {
    if !dice.per_mille(350) {
        return;
    }
    let (family, both) = (dice.roll(), dice.per_mille(300));
    // a rebuild takes half a dozen of these, and one that fills it between any two
    let mut places: Vec<usize> = (0..dice.within(6, 45)).map(|_| dice.below(acts.len() + 1)).collect();
    places.sort_unstable();
    for place in places.into_iter().rev() {
        let family = if both { dice.roll() } else { family };
        let what = match dice.below(24) {
            0 => Operate::Back,
            1 | 2 => Operate::Drop,
            3..6 => Operate::Heed,
            _ => Operate::Rebuild,
        };
        acts.insert(place, Act::Operate { family, what, luck: dice.roll() | 1 });
    }
}

/// Most times in a history that all subscribers go on and a projector dies then.
const REPEATS: i64 = 8;

/// Has subscribers follow views meanwhile, in some histories: the others stay what they are without.
fn subscribe_meanwhile<W: Workload>(
    dice: &mut Dice,
    setup: &mut Setup<W::Settings>,
    acts: &mut Vec<Act<W::CommandData>>,
) {
    if !dice.per_mille(500) {
        return;
    }
    let mut places: Vec<usize> = (0..dice.within(60, 300)).map(|_| dice.below(acts.len() + 1)).collect();
    places.sort_unstable();
    for place in places.into_iter().rev() {
        acts.insert(place, Act::Watch { luck: dice.roll() });
    }
    if dice.per_mille(600) {
        // many events between two commits: who goes on there writes many changes again
        setup.commit_ms = dice.within(1_000, 300_000) as u64;
    }
    // changes come again soon after many have gone on: the next ones would say how far they are, whatever their tokens say
    for _ in 0..dice.within(0, REPEATS) {
        let place = dice.below(acts.len() + 1);
        let mut scene: Vec<_> = (0..14).map(|_| Act::Watch { luck: dice.roll() }).collect();
        scene.insert(8, Act::Repeat { pick: dice.roll() });
        scene.insert(0, Act::CutAll);
        acts.splice(place..place, scene);
    }
    for _ in 0..dice.within(0, 5) {
        let place = dice.below(acts.len() + 1);
        acts.insert(place, Act::Expire { family: dice.roll(), keep: dice.within(0, 4) });
    }
}

/// Has processors come back with another secret meanwhile, in some histories: the others stay what they are without.
fn mislead_meanwhile<C>(dice: &mut Dice, acts: &mut Vec<Act<C>>) {
    if !dice.per_mille(400) {
        return;
    }
    for _ in 0..dice.within(1, 6) {
        let place = dice.below(acts.len() + 1);
        acts.insert(place, Act::Mislead { process: dice.roll(), acts: dice.within(20, 300) as usize });
    }
}

/// Has something happen in the domains beside, about as often as in it; those who have just seen it ask at once.
fn live_meanwhile<C>(dice: &mut Dice, acts: &mut Vec<Act<C>>) {
    let all = std::mem::take(acts);
    for act in all {
        for _ in 0..dice.below(4) {
            acts.push(Act::Neighbour { luck: dice.roll() | 1 });
        }
        if dice.per_mille(40) {
            acts.push(Act::Probe { luck: dice.roll() });
        }
        acts.push(act);
    }
}

/// Has producers say when they issued their commands: in the plan, how long before they were sent first. Some do not
/// say, and the clocks of some are wrong. Windows are short enough to forget something.
fn say_when_issued<W: Workload>(
    dice: &mut Dice,
    setup: &mut Setup<W::Settings>,
    acts: &mut [Act<W::CommandData>],
) {
    let margin = dice.within(1, 10);
    setup.margin_seconds = margin as u64;
    if dice.per_mille(500) {
        setup.window_seconds = dice.within(1, 40) as u64;
    }
    let margin = margin * 1_000_000;
    let mut said: BTreeMap<String, Option<i64>> = BTreeMap::new();
    for act in acts {
        let Act::Send(command) = act else { continue };
        let says = |dice: &mut Dice| match dice.below(20) {
            0 => None,
            1 | 2 => Some(dice.within(0, 4 * margin)),
            3 | 4 => Some(-dice.within(0, margin - 1_000)),
            _ => Some(dice.within(0, margin - 1)),
        };
        command.metadata.issued_at = *said.entry(command.id.to_string()).or_insert_with(|| says(dice));
    }
}

/// By how many seconds tombstones outlive what is believed of the time before: more than any two clocks differ.
pub const TOMBSTONE_MARGIN_SECONDS: u64 = 220;

/// Not every history has every kind of fault: some only show when others do not get in their way.
fn setup<W: Workload>(dice: &mut Dice) -> Setup<W::Settings> {
    let mut rate = |most: i64| if dice.per_mille(400) { dice.within(1, most) as u32 } else { 0 };
    let rates = Rates {
        refuse: rate(60),
        lose_answer: rate(60),
        later: rate(300),
        marker_later: rate(600),
        store_refuse: rate(100),
        store_timeout: rate(100),
        store_partly: rate(150),
        store_late: rate(60),
        die_inside: rate(60),
    };
    Setup {
        partitions: dice.within(1, 4) as i32,
        processors: dice.within(1, 3) as usize,
        projectors: dice.within(1, 2) as usize,
        batch_max_records: dice.within(1, 8) as usize,
        batch_max_events: dice.within(1, 9) as usize,
        fan_out_max_rows: dice.within(1, 4) as usize,
        window_ids: if dice.per_mille(500) { dice.within(2, 16) } else { dice.within(16, 60) } as usize,
        window_seconds: if dice.per_mille(800) { 3_600 } else { dice.within(20, 300) as u64 },
        margin_seconds: 300,
        disks: dice.per_mille(600),
        copies: dice.per_mille(500),
        tombstone_seconds: dice.per_mille(600).then(|| dice.within(3_000, 9_000) as u64),
        cache_bytes: dice.within(0, 3_000) as usize,
        checkpoint_ms: dice.within(1, 2_000) as u64,
        checkpoint_changes: dice.within(1, 30) as usize,
        rates,
        commit_ms: ProjectorSettings::default().commit_interval_ms,
        steps_keep_seconds: dice.within(0, 120) as u64,
        domain: W::settings(dice),
        beside: Vec::new(),
    }
}
