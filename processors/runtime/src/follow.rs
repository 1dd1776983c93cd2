//! The thread that keeps the lookup tables of a process up to date.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use millrace_ports::{Log, LogFault};

use crate::advice::Advise;
use crate::health::{Health, LaneState, ROLE_ITSELF};
use crate::processor::lookup::{FollowFault, Late, LookupFollower, LookupTables};
use crate::supervise::{Patience, Stop};

/// How long it waits for news before it looks whether it should stop.
const FOLLOW_WAIT: Duration = Duration::from_millis(100);
/// How often it asks whether the tables have come to where the topics ended before.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The same after a fault, which would be back by then if it were still there.
const LOOK_AFTER_FAULT: Duration = Duration::from_secs(1);

/// Follows the topics of `tables` until `stop`, and reports as `<role>.lookups`.
pub fn follow(
    role: &str,
    log: Arc<dyn Log>,
    tables: Arc<LookupTables>,
    health: &Health,
    stop: &Stop,
) -> JoinHandle<()> {
    let following = Following {
        role: format!("{role}.lookups"),
        log,
        tables,
        health: health.clone(),
        stop: stop.clone(),
        patience: Patience::new(),
        faults: 0,
        fault: Default::default(),
    };
    std::thread::Builder::new()
        .name(following.role.clone())
        .spawn(move || following.run())
        .expect("the system has room for a thread")
}

struct Following {
    role: String,
    log: Arc<dyn Log>,
    tables: Arc<LookupTables>,
    health: Health,
    stop: Stop,
    patience: Patience,
    /// How many faults there were since it last followed well for a while.
    faults: u32,
    /// The last of them, and what happens next.
    fault: (String, String),
}

impl Following {
    fn run(mut self) {
        if self.tables.is_empty() {
            return;
        }
        self.health.set(&self.role, ROLE_ITSELF, LaneState::Starting, "reading the lookup tables");
        let pulse = self.health.pulse(&self.role, ROLE_ITSELF);
        while !self.stop.is_requested() {
            pulse.beat();
            match LookupFollower::start(&*self.log, Arc::clone(&self.tables)) {
                Ok(follower) => self.with(follower, &pulse),
                Err(fault) => self.say(&fault.into()),
            }
        }
        self.health.remove(&self.role, ROLE_ITSELF);
    }

    /// Follows until only a new reader helps.
    fn with(&mut self, mut follower: LookupFollower, pulse: &crate::health::Pulse) {
        let mut said = None;
        let mut looked_at = Instant::now();
        while !self.stop.is_requested() {
            pulse.beat();
            let mut turned = follower.turn(FOLLOW_WAIT).map(|_| None);
            let every = if self.faults > 0 { LOOK_AFTER_FAULT } else { LOOK_EVERY };
            if turned.is_ok() && looked_at.elapsed() >= every {
                looked_at = Instant::now();
                turned = follower.look(&*self.log).map(Some).map_err(FollowFault::from);
            }
            match turned {
                Ok(None) if said.is_none_or(|building| building != follower.building()) => {
                    // a table that is late is so until the next look
                    said = Some(follower.building());
                    self.describe(&follower, None);
                }
                Ok(None) => {}
                Ok(Some(late)) => self.describe(&follower, Some(&late)),
                Err(fault) => {
                    said = None;
                    looked_at = Instant::now();
                    self.say(&fault);
                    if !matches!(fault, FollowFault::Log(LogFault::Unavailable { .. })) {
                        return;
                    }
                }
            }
        }
    }

    /// Says how it is, and which tables are late if that was looked for.
    fn describe(&mut self, follower: &LookupFollower, late: Option<&[Late]>) {
        if let Some([first, ..]) = late {
            let late = late.unwrap_or_default();
            let text = format!(
                "{} of the lookup tables do not follow: {} stands at {}, and its topic went to {} before",
                late.len(),
                first.at,
                first.position,
                first.end
            );
            let next = "commands that need what is not there yet wait for it. What you can do: look for a \
                        transaction that is left open on the topic (kafka-transactions find-hanging)";
            if self.patience.is_due() {
                tracing::warn!(role = self.role, partition = %first.at, position = first.position, "{text}; {next}");
            }
            self.health.fault(&self.role, ROLE_ITSELF, text, next);
            return;
        }
        // to have begun again proves nothing: what was in the way may be met again with the next record
        if late.is_some() && follower.building() == 0 {
            self.faults = 0;
            self.patience.rest();
        }
        let (state, text) = match follower.building() {
            0 => (LaneState::Running, "following the lookup tables".to_owned()),
            count => (LaneState::Starting, format!("reading {count} partitions of lookup tables as a whole")),
        };
        if self.faults > 1 {
            let Self { role, faults, fault: (fault, next), .. } = self;
            let fault = format!("{fault}; {faults} times by now; meanwhile: {text}");
            self.health.fault(role, ROLE_ITSELF, fault, next.clone());
            return;
        }
        self.health.set(&self.role, ROLE_ITSELF, state, text);
    }

    fn say(&mut self, fault: &FollowFault) {
        let (pause, say) = self.patience.next();
        let advice = fault.advice();
        self.faults += 1;
        self.fault = (fault.to_string(), advice.to_string());
        if say {
            tracing::warn!(role = self.role, "following the lookup tables: {fault}. Next: {advice}");
        }
        self.health.fault(&self.role, ROLE_ITSELF, fault.to_string(), advice.to_string());
        self.stop.wait(pause);
    }
}
