//! Membership: which lanes there are, and how partitions come and go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_ports::{Group, GroupEvent, GroupSpec, Log, LogFault};

use super::patience::{Patience, persist};
use super::worker::{Order, Worker};
use super::{LaneWork, Stop};
use crate::advice::Advise;
use crate::health::{Health, LaneState, ROLE_ITSELF};

/// How long membership waits for news before it looks whether it should stop.
const MEMBERSHIP_WAIT: Duration = Duration::from_millis(100);
/// The same while a lane is ending, which somebody waits for.
const ENDING_WAIT: Duration = Duration::from_millis(5);
/// How long a lane goes on with a partition that was handed over before it is ended: a new owner
/// that has not come by then is better waited for than competed with.
const LINGER: Duration = Duration::from_secs(60);
/// The same when the whole process is asked to stop.
const RETIRE: Duration = Duration::from_secs(10);
/// How long lanes that were asked to stop may take to finish. What they do is idempotent or a transaction,
/// so one that hangs on a server is left behind: whoever stops a process kills it if that takes long.
const LAST: Duration = Duration::from_secs(8);

/// How often a process that is not known to be a member asks whether it is.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How a partition passes to its next owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// It is released when its lane has finished what was under way.
    ByRelease,
    /// It is handed over at once, and its lane goes on until the next owner fences it off: nothing
    /// stands still while that one warms up.
    ByFence,
}

/// What it takes to work as a member of a group.
pub struct Supervision<'a> {
    /// The role's name in logs and health.
    pub role: &'a str,
    /// The log.
    pub log: &'a dyn Log,
    /// The group.
    pub spec: &'a GroupSpec,
    /// How its partitions pass on.
    pub moves: Moves,
    /// Where it says how it is.
    pub health: &'a Health,
    /// When to end.
    pub stop: &'a Stop,
    /// Makes the lane of a partition.
    pub make: &'a dyn Fn(Arc<dyn Group>, i32) -> Box<dyn LaneWork>,
    /// Told about the group once it is joined.
    pub joined: &'a dyn Fn(&Arc<dyn Group>),
}

impl Supervision<'_> {
    /// Joins the group and works on the partitions it deals out until asked to stop.
    pub fn run(&self) {
        self.health.set(self.role, ROLE_ITSELF, LaneState::Starting, "joining its group");
        let joined =
            persist(self.role, self.health, self.stop, || self.log.join(self.spec), |_: &LogFault| false);
        let Ok(Some(group)) = joined else { return };
        let group: Arc<dyn Group> = Arc::from(group);
        (self.joined)(&group);
        let mut lanes =
            Lanes { of: self, group, slots: BTreeMap::new(), standing: Standing::Joining, reported: None };
        let mut patience = Patience::new();
        let pulse = self.health.pulse(self.role, ROLE_ITSELF);
        let mut asked_at = Instant::now();
        while !self.stop.is_requested() {
            pulse.beat();
            lanes.sweep();
            let wait = if lanes.are_ending() { ENDING_WAIT } else { MEMBERSHIP_WAIT };
            match lanes.group.poll(wait) {
                Ok(event) => {
                    patience = Patience::new();
                    if let Some(event) = event {
                        lanes.take(event);
                    }
                    // a member without a partition of its own is told nothing
                    let is_time = lanes.standing != Standing::Member && asked_at.elapsed() >= ASK_EVERY;
                    if is_time {
                        asked_at = Instant::now();
                        lanes.ask_standing();
                    }
                    lanes.report();
                }
                Err(fault) => {
                    let (pause, say) = patience.next();
                    let advice = fault.advice();
                    lanes.reported = None;
                    self.health.fault(self.role, ROLE_ITSELF, fault.to_string(), advice.to_string());
                    if say {
                        let (role, partitions) = (self.role, lanes.wanted());
                        tracing::warn!(role, ?partitions, "group membership: {fault}. Next: {advice}");
                    }
                    self.stop.wait(pause);
                }
            }
        }
        lanes.end();
        self.health.remove(self.role, ROLE_ITSELF);
    }
}

/// A partition and the thread that works on it.
#[derive(Default)]
struct Slot {
    worker: Option<Worker>,
    /// Whether the partition is this member's.
    is_wanted: bool,
    /// Whether the group waits for it to be released.
    is_awaited: bool,
    /// Whether the worker has been asked to end.
    is_ending: bool,
    lingers_since: Option<Instant>,
}

impl Slot {
    fn end(&mut self, order: Order) {
        if let Some(worker) = &self.worker {
            worker.order(order);
            self.is_ending = true;
        }
    }
}

struct Lanes<'a> {
    of: &'a Supervision<'a>,
    group: Arc<dyn Group>,
    slots: BTreeMap<i32, Slot>,
    standing: Standing,
    /// What health was told last; nothing after a fault.
    reported: Option<Standing>,
}

/// How this process stands with its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not a member yet.
    Joining,
    /// A member.
    Member,
    /// Taken for dead by the group; it joins again by itself.
    Lost,
}

impl Lanes<'_> {
    fn take(&mut self, event: GroupEvent) {
        let role = self.of.role;
        let kind = match &event {
            GroupEvent::Assigned(_) => "assigned",
            GroupEvent::Revoked(_) => "revoked",
            GroupEvent::Lost(_) => "lost",
        };
        let meter = self.of.health.metrics().role(role);
        meter.count(|counts| *counts.rebalances.entry(kind).or_default() += 1);
        match event {
            GroupEvent::Assigned(partitions) => {
                tracing::info!(role, ?partitions, "partitions assigned");
                self.standing = Standing::Member;
                for partition in partitions {
                    let slot = self.slots.entry(partition).or_default();
                    slot.is_wanted = true;
                    // one that still lingers knows nothing of what others have done since
                    slot.end(Order::Finish);
                }
            }
            GroupEvent::Revoked(partitions) => {
                tracing::info!(role, ?partitions, "partitions are moving to another instance");
                self.give_up(&partitions);
            }
            GroupEvent::Lost(partitions) => {
                tracing::warn!(
                    role,
                    ?partitions,
                    "partitions lost to another instance, which goes on from the last commit; what was not committed here is dropped"
                );
                self.standing = Standing::Lost;
                for partition in partitions {
                    let slot = self.slots.entry(partition).or_default();
                    slot.is_wanted = false;
                    slot.end(Order::Drop);
                }
                // what was lent before that is fenced off or about to be
                self.slots.values_mut().filter(|it| !it.is_wanted).for_each(|it| it.end(Order::Drop));
            }
        }
        self.sweep();
    }

    /// Whether the group counts this process among its members.
    fn ask_standing(&mut self) {
        match self.group.roster() {
            Ok(roster) if roster.iter().any(|member| member.is_self) => self.standing = Standing::Member,
            Ok(_) => {}
            Err(fault) => tracing::debug!(role = self.of.role, %fault, "the members are not known"),
        }
    }

    fn report(&mut self) {
        if self.reported == Some(self.standing) {
            return;
        }
        self.reported = Some(self.standing);
        let (role, health) = (self.of.role, self.of.health);
        match self.standing {
            Standing::Joining => health.set(role, ROLE_ITSELF, LaneState::Starting, "joining its group"),
            Standing::Member => health.set(role, ROLE_ITSELF, LaneState::Running, "member of its group"),
            Standing::Lost => health.fault(
                role,
                ROLE_ITSELF,
                "the group took this process for dead and gave its partitions away",
                "it joins again by itself. What you can do: if it repeats, this process is starved of CPU or \
                 paused for longer than its session timeout",
            ),
        }
    }

    fn wanted(&self) -> Vec<i32> {
        self.slots.iter().filter(|(_, slot)| slot.is_wanted).map(|(partition, _)| *partition).collect()
    }

    fn give_up(&mut self, partitions: &[i32]) {
        for partition in partitions {
            let slot = self.slots.entry(*partition).or_default();
            slot.is_wanted = false;
            match self.of.moves {
                Moves::ByFence => {
                    if let Some(worker) = &slot.worker {
                        worker.order(Order::Linger);
                        slot.lingers_since = Some(Instant::now());
                    }
                }
                Moves::ByRelease => {
                    slot.is_awaited = true;
                    slot.end(Order::Finish);
                }
            }
        }
        if self.of.moves == Moves::ByFence
            && let Err(fault) = self.group.hand_over(partitions)
        {
            tracing::warn!(
                role = self.of.role,
                ?partitions,
                "handing partitions over: {fault}; the group deals them out when it has noticed"
            );
        }
    }

    /// Takes leave of lanes that have ended, and starts those that are due.
    fn sweep(&mut self) {
        let (role, health) = (self.of.role, self.of.health);
        for (partition, slot) in &mut self.slots {
            if slot.lingers_since.is_some_and(|since| since.elapsed() >= LINGER) {
                slot.end(Order::Finish);
            }
            if let Some(worker) = slot.worker.take_if(|worker| worker.is_finished()) {
                worker.join(role, *partition);
                health.remove(role, *partition);
                (slot.is_ending, slot.lingers_since) = (false, None);
            }
            if slot.worker.is_some() {
                continue;
            }
            if std::mem::take(&mut slot.is_awaited)
                && let Err(fault) = self.group.release(&[*partition])
            {
                tracing::warn!(
                    role,
                    partition,
                    "releasing a partition: {fault}; the group deals it out when it has noticed"
                );
            }
            if slot.is_wanted {
                let lane = (self.of.make)(Arc::clone(&self.group), *partition);
                slot.worker = Some(Worker::start(role, *partition, lane, health));
            }
        }
        self.slots.retain(|_, slot| slot.worker.is_some() || slot.is_wanted);
    }

    fn are_ending(&self) -> bool {
        self.slots.values().any(|slot| slot.is_ending)
    }

    /// Ends everything in good order. Where others are there to go on, they are let in first.
    fn end(mut self) {
        self.slots.values_mut().for_each(|slot| slot.is_wanted = false);
        if self.of.moves == Moves::ByFence && self.has_heirs() {
            for worker in self.slots.values().filter_map(|slot| slot.worker.as_ref()) {
                worker.order(Order::Retire);
            }
            self.group.retire();
            let until = Instant::now() + RETIRE;
            while self.slots.values().any(|slot| slot.worker.is_some()) && Instant::now() < until {
                std::thread::sleep(ENDING_WAIT);
                self.sweep();
            }
        }
        self.slots.values_mut().for_each(|slot| slot.end(Order::Finish));
        let until = Instant::now() + LAST;
        while self.slots.values().any(|slot| slot.worker.is_some()) && Instant::now() < until {
            std::thread::sleep(ENDING_WAIT);
            self.sweep();
        }
        for partition in self.slots.keys() {
            tracing::warn!(
                role = self.of.role,
                partition,
                "the lane does not end within {} s, a server is slow or away; it is left behind, and its next owner repeats what was not committed",
                LAST.as_secs()
            );
        }
        self.group.leave();
    }

    fn has_heirs(&self) -> bool {
        match self.group.roster() {
            Ok(roster) => roster.iter().any(|member| !member.is_self),
            Err(fault) => {
                tracing::debug!(role = self.of.role, %fault, "nobody is known who could go on");
                false
            }
        }
    }
}
