//! What happens to processes: they take steps, join, hear of their groups, and die with or without their disks.

use std::collections::BTreeSet;

use millrace_kernel::{Domain, PseudonymKey, PseudonymKeys};
use millrace_ports::GroupEvent;
use millrace_testkit::given::test_keys;
use millrace_testkit::local::MemoryDisk;
use millrace_testkit::pipeline::{Pipeline, RoleKind, SESSION, Stepped};

use super::Running;
use crate::plan::DiskFate;
use crate::workload::Workload;

/// Most processors at a time, and most projectors of one view family.
const MOST: (usize, usize) = (4, 3);
/// How much time passes at once while everybody stays in touch with their groups.
const IN_TOUCH_MICROS: i64 = 4_000_000;
/// How many steps each lane takes of one that writes again what another has written.
const REPEAT_STEPS: usize = 3;

/// The key of pseudonyms of whoever has the right one.
const KEY: &str = "k1";

/// The same id, and another secret.
fn other_keys() -> PseudonymKeys {
    let key = PseudonymKey::new(KEY, [7; 32]).expect("an id of a key");
    PseudonymKeys::new(vec![key], BTreeSet::new()).expect("one key")
}

impl<W: Workload> Running<'_, W> {
    /// The place of a process that a plan names.
    pub(super) fn place(&self, process: u64) -> Option<usize> {
        let count = self.pipeline.instances();
        (count > 0).then(|| (process % count as u64) as usize)
    }

    pub(super) fn step(
        &mut self,
        process: u64,
        luck: u64,
        what: &str,
        take: impl FnOnce(&mut Pipeline<W::Domain>, usize) -> Stepped,
    ) -> bool {
        let Some(at) = self.place(process) else { return false };
        let Some((number, kind)) = self.pipeline.process(at) else { return false };
        if self.asleep.contains_key(&number) {
            return false;
        }
        self.luck.begin(luck);
        let stepped = take(&mut self.pipeline, at);
        let died = self.luck.end();
        self.hear(&stepped);
        if let Some(trouble) = &stepped.trouble {
            self.luck.count(|tally| {
                tally.troubled += 1;
                tally.fenced += u64::from(trouble.contains("fenced"));
            });
        }
        if stepped.progress || died {
            self.say(|| {
                let trouble = stepped.trouble.as_deref().map(|t| format!(": {t}")).unwrap_or_default();
                format!("process {number} ({kind:?}) {what}{trouble}")
            });
        }
        if died {
            self.crash(at, true, DiskFate::Kept, "dies inside");
            self.luck.count(|tally| tally.deaths_inside += 1);
        }
        stepped.progress && !died
    }

    pub(super) fn crash(&mut self, at: usize, restart: bool, disk: DiskFate, how: &str) {
        let number = self.pipeline.process(at).map(|(number, _)| number);
        let Some(kind) = self.pipeline.crash(at) else { return };
        self.say(|| format!("process {} ({kind:?}) {how}, its disk: {disk:?}", number.unwrap_or(0)));
        if let Some(left) = self.pipeline.left_disks().last().cloned() {
            self.befall(&left, disk);
        }
        if restart {
            self.pipeline.start(kind);
        }
    }

    /// The broker forgets how far policies have read, and those at work begin again.
    pub(super) fn forget_policies(&mut self) {
        for place in 0..<W::Domain as Domain>::policies().len() {
            self.pipeline.log.forget_offsets(&self.pipeline.policy_group(place));
            let is_it = |(_, kind)| kind == RoleKind::Policy(place);
            let all =
                (0..self.pipeline.instances()).filter(|at| self.pipeline.process(*at).is_some_and(is_it));
            // from the end, as those behind one that is gone move up
            let all: Vec<usize> = all.collect();
            all.into_iter().rev().for_each(|at| self.crash(at, true, DiskFate::Kept, "begins again"));
            self.luck.count(|tally| tally.forgotten += 1);
            self.say(|| "the broker forgets how far a policy has read".to_owned());
        }
    }

    /// Starts one process for each policy that has none.
    pub(super) fn start_missing_policies(&mut self) {
        for place in 0..<W::Domain as Domain>::policies().len() {
            if self.pipeline.count(RoleKind::Policy(place)) == 0 {
                self.pipeline.start(RoleKind::Policy(place));
            }
        }
    }

    /// A processor dies, and comes back with another secret for pseudonyms.
    pub(super) fn mislead(&mut self, process: u64, acts: usize) {
        let Some(at) = self.place(process) else { return };
        // the first secret of a partition is the right one there, whichever that is
        let is_known = self.partitions_with_a_secret() == self.pipeline.partition_count();
        if !is_known || self.pipeline.process(at).is_none_or(|(_, kind)| kind != RoleKind::Processor) {
            return;
        }
        self.crash(at, false, DiskFate::Kept, "dies, to come back with another secret");
        self.pipeline.use_keys(other_keys());
        self.pipeline.start(RoleKind::Processor);
        self.pipeline.use_keys(test_keys(&[KEY]));
        let newest = self.pipeline.process(self.pipeline.instances() - 1);
        self.misled.extend(newest.map(|(number, _)| (number, self.act + acts)));
        self.luck.count(|tally| tally.misled += 1);
        // the group notices that one has died, and the other gets its partitions
        self.pass(SESSION.as_micros() as i64 + 1_000_000, true);
    }

    fn partitions_with_a_secret(&self) -> i32 {
        let records = self.pipeline.log.committed_records(&self.pipeline.names().state);
        let says_it = |key: &[u8]| key.starts_with(b"PseudonymKey/");
        let said = records.iter().filter(|it| it.key.as_deref().is_some_and(says_it));
        said.map(|it| it.partition).collect::<BTreeSet<_>>().len() as i32
    }

    /// Those who had another secret until `act` come back with the right one.
    pub(super) fn put_right(&mut self, act: usize) {
        let due: Vec<u64> =
            self.misled.iter().filter(|(_, until)| **until <= act).map(|(number, _)| *number).collect();
        self.misled.retain(|_, until| *until > act);
        for number in due {
            let is_it = |at: &usize| self.pipeline.process(*at).is_some_and(|(other, _)| other == number);
            if let Some(at) = (0..self.pipeline.instances()).find(is_it) {
                self.crash(at, true, DiskFate::Kept, "dies, to come back with the right secret");
            }
        }
    }

    /// A projector dies between two commits of its offsets, and another goes on at the last of them.
    pub(super) fn repeat(&mut self, pick: u64) {
        let is_projector =
            |at: &usize| matches!(self.pipeline.process(*at), Some((_, RoleKind::Projector(..))));
        let all: Vec<usize> = (0..self.pipeline.instances()).filter(is_projector).collect();
        let Some(at) = all.get((pick % all.len().max(1) as u64) as usize) else { return };
        self.crash(*at, true, DiskFate::Kept, "dies");
        self.luck.count(|tally| tally.repeats += 1);
        // the group notices it, and the other one gets its partitions
        self.pass(SESSION.as_micros() as i64 + 1_000_000, true);
        // nobody takes the place of one whose version is dropped
        let Some(newest) = self.pipeline.instances().checked_sub(1) else { return };
        for _ in 0..REPEAT_STEPS {
            for lane in 0..self.pipeline.partition_count() as usize {
                self.step(newest as u64, 0, "lane", |pipeline, at| pipeline.lane(at, lane));
            }
        }
    }

    pub(super) fn befall(&self, disk: &MemoryDisk, fate: DiskFate) {
        match fate {
            DiskFate::Kept => return,
            DiskFate::LosesPower(writes) => disk.lose_power(writes),
            DiskFate::Wiped => disk.wipe(),
            DiskFate::Damaged => disk.damage(),
            DiskFate::Full => disk.refuse_writes(true),
            DiskFate::Emptied => disk.refuse_writes(false),
        }
        self.luck.count(|tally| tally.disks_hurt += u64::from(fate != DiskFate::Emptied));
    }

    pub(super) fn join(&mut self, kind: RoleKind) {
        let most = if kind == RoleKind::Processor { MOST.0 } else { MOST.1 };
        if self.pipeline.count(kind) < most {
            self.pipeline.start(kind);
            self.luck.count(|tally| tally.joins += 1);
            self.say(|| format!("one more {kind:?} joins"));
        }
    }

    pub(super) fn pass(&mut self, micros: i64, in_touch: bool) {
        let mut left = micros;
        while left > 0 {
            let now = if in_touch { left.min(IN_TOUCH_MICROS) } else { left };
            self.pipeline.clock.pass(now);
            left -= now;
            if !in_touch {
                continue;
            }
            for at in 0..self.pipeline.instances() {
                let number = self.pipeline.process(at).map_or(0, |(number, _)| number);
                if !self.asleep.contains_key(&number) {
                    let stepped = self.pipeline.membership(at);
                    self.hear(&stepped);
                }
            }
        }
    }

    pub(super) fn hear(&self, stepped: &Stepped) {
        self.luck.count(|tally| match &stepped.heard {
            Some(GroupEvent::Lost(_)) => tally.lost += 1,
            Some(GroupEvent::Revoked(_)) => tally.revoked += 1,
            Some(GroupEvent::Assigned(_)) => tally.assigned += 1,
            None => {}
        });
    }
}
