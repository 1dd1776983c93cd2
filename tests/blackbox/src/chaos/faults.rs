//! The faults, done to processes and servers. Four tracks deal their own, so faults of different tracks overlap.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use millrace_services::{Owned, OwnedCassandra, OwnedKafka, OwnedRegistry, Recipe, ServiceError};

use super::deck::Deck;
use super::journal::Journal;
use super::{Kind, Luck};
use crate::{Gateway, Process, SOON};

/// How long everything may take to end in good order, also with servers away.
const END_DEADLINE: Duration = SOON;

/// What the tracks share: the journal, and when it is enough.
#[derive(Debug)]
pub struct Stage<'a> {
    /// Where everything is noted.
    pub journal: &'a Journal,
    /// How long a silent process keeps its partitions.
    pub session: Duration,
    until: Duration,
    given_up: Mutex<bool>,
    woken: Condvar,
}

impl<'a> Stage<'a> {
    /// Faults are dealt for at least `length` from now on, and until every kind has come.
    pub fn new(journal: &'a Journal, length: Duration, session: Duration) -> Self {
        let until = journal.now() + length;
        Self { journal, session, until, given_up: Mutex::new(false), woken: Condvar::new() }
    }

    /// Ends the run early: something is wrong already.
    pub fn give_up(&self) {
        *self.given_up.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.woken.notify_all();
    }

    /// How long a fault lasts, or nothing happens; shorter when somebody gives up.
    pub fn hold(&self, time: Duration) {
        let given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.woken.wait_timeout_while(given_up, time, |given_up| !*given_up));
    }

    /// Whether somebody gave up.
    pub fn is_given_up(&self) -> bool {
        *self.given_up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Deals and does, with rests of so many milliseconds between.
    fn play(
        &self,
        kinds: &'static [Kind],
        mut luck: Luck,
        rest_ms: (u64, u64),
        mut act: impl FnMut(Kind, &mut Luck),
    ) {
        let mut deck = Deck::of(kinds);
        loop {
            self.hold(luck.between(rest_ms.0, rest_ms.1));
            let is_enough = self.journal.now() >= self.until && deck.has_shown_all();
            if is_enough || self.is_given_up() {
                return;
            }
            act(deck.deal(&mut luck), &mut luck);
        }
    }

    /// Notes and does one fault.
    fn fault(&self, kind: Kind, target: &str, act: impl FnOnce()) {
        let begin = self.journal.now();
        self.journal.say(&format!("{kind}: {target}"));
        act();
        self.journal.healed(kind, target, begin);
        let took = (self.journal.now() - begin).as_secs_f64();
        self.journal.say(&format!("{kind}: {target} has healed after {took:.1} s"));
    }
}

/// The faults of processors.
pub fn processors(stage: &Stage<'_>, roles: &mut [Process], luck: Luck) {
    stage.play(&Kind::PROCESSORS, luck, (3_000, 8_000), |kind, luck| match kind {
        Kind::ScaleProcessors => scale(stage, roles, luck),
        _ => of_one(stage, kind, &mut all(roles), luck),
    });
}

/// The faults of projectors.
pub fn projectors(stage: &Stage<'_>, roles: &mut [Process], luck: Luck) {
    stage.play(&Kind::PROJECTORS, luck, (4_000, 10_000), |kind, luck| {
        of_one(stage, kind, &mut all(roles), luck)
    });
}

/// The faults of gateways.
pub fn gateways(stage: &Stage<'_>, gateways: &mut [Gateway], luck: Luck) {
    let mut roles: Vec<&mut Process> = gateways.iter_mut().map(|gateway| &mut gateway.process).collect();
    stage.play(&Kind::GATEWAYS, luck, (3_000, 9_000), |kind, luck| of_one(stage, kind, &mut roles, luck));
}

/// The faults of servers.
pub fn servers(
    stage: &Stage<'_>,
    kinds: &'static [Kind],
    (kafka, cql, registry): (&mut OwnedKafka, &mut OwnedCassandra, &mut OwnedRegistry),
    luck: Luck,
) {
    stage.play(kinds, luck, (3_000, 10_000), |kind, luck| {
        let away = luck.between(500, 4_000);
        match kind {
            Kind::KillBroker | Kind::RestartBroker => of_server(stage, kind, kafka, away),
            Kind::KillCql | Kind::RestartCql => of_server(stage, kind, cql, away),
            _ => of_server(stage, kind, registry, away),
        }
    });
}

fn all(roles: &mut [Process]) -> Vec<&mut Process> {
    roles.iter_mut().collect()
}

/// What happens to one process of a role.
fn of_one(stage: &Stage<'_>, kind: Kind, roles: &mut [&mut Process], luck: &mut Luck) {
    let one = luck.below(roles.len());
    let role = &mut *roles[one];
    assert_runs(role);
    let name = role.name().to_owned();
    stage.fault(kind, &name, || match kind {
        Kind::ZombieProcessor | Kind::ZombieProjector | Kind::FreezeGateway => {
            role.freeze();
            stage.hold(stage.session + luck.between(1_500, 4_000));
            role.thaw();
        }
        Kind::RestartProcessor | Kind::RestartProjector | Kind::RestartGateway => {
            end(role);
            role.restart();
        }
        _ => {
            role.kill9();
            // Sometimes it is back before anybody has noticed, sometimes long after the others have taken over.
            stage.hold(luck.between(0, stage.session.as_millis() as u64 + 2_000));
            role.restart();
        }
    });
}

/// Down to one, up to all, down by one, and up again.
fn scale(stage: &Stage<'_>, roles: &mut [Process], luck: &mut Luck) {
    roles.iter_mut().for_each(assert_runs);
    let stays = luck.below(roles.len());
    let leaves = (stays + 1) % roles.len();
    let target = format!("{} stays, {} leaves twice", roles[stays].name(), roles[leaves].name());
    stage.fault(Kind::ScaleProcessors, &target, || {
        let others: Vec<usize> = (0..roles.len()).filter(|other| *other != stays).collect();
        for other in &others {
            end(&mut roles[*other]);
        }
        stage.hold(luck.between(2_000, 5_000));
        for other in &others {
            roles[*other].restart();
        }
        stage.hold(luck.between(3_000, 6_000));
        end(&mut roles[leaves]);
        stage.hold(luck.between(2_000, 4_000));
        roles[leaves].restart();
    });
}

fn of_server<R: Recipe>(stage: &Stage<'_>, kind: Kind, server: &mut Owned<R>, away: Duration) {
    let is_killed = matches!(kind, Kind::KillBroker | Kind::KillCql | Kind::KillRegistry);
    stage.fault(kind, R::NAME, || {
        let stopped = if is_killed { server.kill9() } else { stop(server) };
        stopped.unwrap_or_else(|error| panic!("{error}"));
        stage.hold(away);
        server.restart().unwrap_or_else(|error| panic!("{error}"));
    });
}

/// A server that takes too long to end is killed, which is no fault of what is tested.
fn stop<R: Recipe>(server: &mut Owned<R>) -> Result<(), ServiceError> {
    match server.stop_term() {
        Err(ServiceError::DidNotStop { .. }) => Ok(()),
        done => done,
    }
}

/// Ends it in good order, which must be possible at any time.
fn end(role: &mut Process) {
    assert_runs(role);
    let status = role.end(libc::SIGTERM, END_DEADLINE);
    assert!(status.success(), "{} ended with {status} when it was asked to end", role.name());
}

/// It has not ended by itself.
pub fn assert_runs(role: &mut Process) {
    assert!(role.is_running(), "{} has ended by itself", role.name());
}
