//! When offsets and groups go, and what of that outlives a restart. Time is a number here.

use std::sync::Arc;

use super::*;
use crate::broker::config::SyncPolicy;
use crate::broker::coordinator::groups::GroupLimits;
use crate::broker::coordinator::offsets::OffsetAnswer;
use crate::broker::storage::flusher::Flusher;
use crate::broker::storage::metalog::{MetaLog, read_file};
use crate::broker::storage::metastate::{
    MetaState, Offsets, StoredGroup, StoredMember, StoredTxn, TxnStatus,
};

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
const WEEK_MS: i64 = 7 * DAY_MS;
/// When everything here begins.
const T: i64 = 1_800_000_000_000;

struct Folder {
    dir: tempfile::TempDir,
    flusher: Arc<Flusher>,
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.flusher.stop();
    }
}

impl Folder {
    fn new(entries: &[Entry]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let flusher = Flusher::start(SyncPolicy::default(), dir.path()).unwrap();
        let folder = Self { dir, flusher };
        folder.log().append(entries).unwrap();
        folder
    }

    fn log(&self) -> MetaLog {
        let path = self.dir.path().join("metadata.log");
        let reading = read_file(&path).unwrap();
        MetaLog::open(&path, reading, &self.dir.path().join("aside"), Arc::clone(&self.flusher)).unwrap()
    }

    /// The groups as a start finds them.
    fn start(&self, keep_members: bool) -> Groups {
        let log = self.log();
        let limits = GroupLimits {
            initial_delay: Duration::ZERO,
            min_session: Duration::ZERO,
            max_session: Duration::from_secs(60),
            keep_members,
            retention: Retention {
                keep: Duration::from_millis(WEEK_MS.unsigned_abs()),
                for_good: |id| id.starts_with("ours."),
            },
        };
        Groups::restored(&log.state(), Arc::new(log), limits)
    }

    fn state(&self) -> MetaState {
        self.log().state()
    }
}

fn committed(commit_ms: i64) -> CommittedOffset {
    CommittedOffset { offset: 5, leader_epoch: -1, metadata: String::new(), commit_ms, expires_ms: None }
}

fn offsets(of: &[(&str, i32, i64)]) -> Offsets {
    let mut offsets = Offsets::new();
    for (topic, partition, commit_ms) in of {
        offsets.entry((*topic).to_owned()).or_default().insert(*partition, committed(*commit_ms));
    }
    offsets
}

fn committed_in(group: &str, of: &[(&str, i32, i64)]) -> Entry {
    Entry::Offsets(group.to_owned(), offsets(of))
}

/// A group that lost its last member then, or before anybody noted that.
fn left(group: &str, empty_since_ms: Option<i64>) -> Entry {
    let stored = StoredGroup {
        generation: 3,
        protocol_type: "consumer".to_owned(),
        empty_since_ms,
        ..StoredGroup::default()
    };
    Entry::Group(group.to_owned(), stored)
}

/// A group with a member that subscribes to `a`.
fn live(group: &str, protocol_type: &str) -> Entry {
    let member = StoredMember {
        id: "m".to_owned(),
        instance_id: None,
        client_id: "c".to_owned(),
        client_host: "127.0.0.1".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocols: vec![("range".to_owned(), b"\0\0\0\0\0\x01\0\x01a\xff\xff\xff\xff".to_vec())],
        assignment: Vec::new(),
    };
    let stored = StoredGroup {
        generation: 3,
        protocol_type: protocol_type.to_owned(),
        protocol: Some("range".to_owned()),
        leader: Some("m".to_owned()),
        members: vec![member],
        empty_since_ms: None,
    };
    Entry::Group(group.to_owned(), stored)
}

fn has(groups: &Groups, group: &str, topic: &str, partition: i32) -> bool {
    groups
        .get(group)
        .is_some_and(|group| lock(&group).offset(topic, partition, false) != OffsetAnswer::Nothing)
}

#[test]
fn offsets_of_a_group_that_lost_its_members_go_together_and_the_group_with_them() {
    let of = [("a", 0, T - 30 * DAY_MS), ("b", 1, T)];
    let folder = Folder::new(&[left("g", Some(T + HOUR_MS)), committed_in("g", &of)]);
    let groups = folder.start(true);
    groups.expire(T + HOUR_MS + WEEK_MS - 1);
    assert!(has(&groups, "g", "a", 0) && has(&groups, "g", "b", 1));
    groups.expire(T + HOUR_MS + WEEK_MS);
    assert!(groups.get("g").is_none());
    let state = folder.state();
    assert!(state.groups.is_empty() && state.offsets.is_empty(), "{state:?}");
}

#[test]
fn offsets_of_consumers_that_never_were_members_go_one_by_one() {
    let folder = Folder::new(&[committed_in("g", &[("a", 0, T), ("a", 1, T + HOUR_MS)])]);
    let groups = folder.start(true);
    groups.expire(T + WEEK_MS - 1);
    assert!(has(&groups, "g", "a", 0));
    groups.expire(T + WEEK_MS);
    assert!(!has(&groups, "g", "a", 0) && has(&groups, "g", "a", 1));
    assert_eq!(folder.state().offsets["g"]["a"].len(), 1);
    groups.expire(T + HOUR_MS + WEEK_MS);
    assert!(groups.get("g").is_none() && folder.state().offsets.is_empty());
}

#[test]
fn an_offset_that_somebody_sets_in_an_empty_group_is_new() {
    let set = T + WEEK_MS - HOUR_MS;
    let folder = Folder::new(&[left("g", Some(T)), committed_in("g", &[("a", 0, T), ("a", 1, set)])]);
    let groups = folder.start(true);
    groups.expire(T + WEEK_MS);
    assert!(!has(&groups, "g", "a", 0) && has(&groups, "g", "a", 1));
    groups.expire(set + WEEK_MS);
    assert!(groups.get("g").is_none());
}

#[test]
fn a_group_with_members_loses_only_what_none_of_them_subscribes_to() {
    let of = [("a", 0, T), ("left", 0, T), ("left", 1, T + HOUR_MS)];
    let folder = Folder::new(&[live("g", "consumer"), committed_in("g", &of)]);
    let groups = folder.start(true);
    groups.expire(T + WEEK_MS - 1);
    assert!(has(&groups, "g", "left", 0));
    groups.expire(T + WEEK_MS);
    assert!(has(&groups, "g", "a", 0) && !has(&groups, "g", "left", 0) && has(&groups, "g", "left", 1));
    lock(&groups.get("g").unwrap()).state = GroupState::CompletingRebalance;
    groups.expire(T + 10 * WEEK_MS);
    assert!(has(&groups, "g", "left", 1), "who subscribes to what is not settled during a rebalance");
    lock(&groups.get("g").unwrap()).state = GroupState::Stable;
    groups.expire(T + 10 * WEEK_MS);
    assert!(has(&groups, "g", "a", 0) && !has(&groups, "g", "left", 1));
}

#[test]
fn members_of_another_protocol_keep_everything() {
    let folder = Folder::new(&[live("g", "connect"), committed_in("g", &[("b", 0, T)])]);
    let groups = folder.start(true);
    groups.expire(T + 10 * WEEK_MS);
    assert!(has(&groups, "g", "b", 0));
}

#[test]
fn what_an_open_transaction_may_change_stays() {
    let txn = StoredTxn {
        producer_id: 9,
        timeout_ms: 1000,
        status: TxnStatus::Ongoing,
        offsets: [("g".to_owned(), offsets(&[("a", 0, T)]))].into(),
        ..StoredTxn::default()
    };
    let of = [("a", 0, T), ("a", 1, T)];
    let folder = Folder::new(&[committed_in("g", &of), Entry::Txn("t".to_owned(), txn)]);
    let groups = folder.start(true);
    groups.expire(T + 2 * WEEK_MS);
    let group = groups.get("g").unwrap();
    assert_eq!(lock(&group).offset("a", 0, false), OffsetAnswer::Committed(committed(T)));
    assert_eq!(lock(&group).offset("a", 1, false), OffsetAnswer::Nothing);
    lock(&group).undecided.clear();
    groups.expire(T + 2 * WEEK_MS);
    assert!(groups.get("g").is_none());
}

#[test]
fn a_consumer_may_say_how_long_its_offset_is_kept() {
    let mut of = offsets(&[("a", 0, T), ("a", 1, T)]);
    of.get_mut("a").unwrap().get_mut(&0).unwrap().expires_ms = Some(T + HOUR_MS);
    let folder = Folder::new(&[Entry::Offsets("g".to_owned(), of)]);
    let groups = folder.start(true);
    groups.expire(T + HOUR_MS - 1);
    assert!(has(&groups, "g", "a", 0));
    groups.expire(T + HOUR_MS);
    assert!(!has(&groups, "g", "a", 0) && has(&groups, "g", "a", 1));
}

#[test]
fn a_group_without_members_and_offsets_goes_and_one_that_somebody_joins_does_not() {
    let folder = Folder::new(&[left("g", Some(T)), left("joined", Some(T))]);
    let groups = folder.start(true);
    let due = Instant::now() + Duration::from_secs(60);
    lock(&groups.get("joined").unwrap()).pending.insert("m".to_owned(), due);
    let held = groups.get("g").unwrap();
    groups.expire(T);
    assert!(groups.get("g").is_none() && groups.get("joined").is_some());
    assert!(lock(&held).deleted, "who has found it is told to look again");
    assert_eq!(folder.state().groups.keys().collect::<Vec<_>>(), ["joined"]);
}

#[test]
fn since_when_a_group_is_empty_outlives_restarts() {
    let folder = Folder::new(&[live("g", "consumer"), committed_in("g", &[("a", 0, T)])]);
    // The member ended with the broker: the group is empty from this start on.
    let groups = folder.start(false);
    groups.expire(T + WEEK_MS);
    assert!(has(&groups, "g", "a", 0));
    assert_eq!(folder.state().groups["g"].empty_since_ms, Some(T + WEEK_MS));
    // Later starts do not begin anew.
    for day in 1..7 {
        folder.start(false).expire(T + WEEK_MS + day * DAY_MS);
    }
    let groups = folder.start(false);
    assert!(has(&groups, "g", "a", 0));
    groups.expire(T + 2 * WEEK_MS);
    assert!(groups.get("g").is_none());
}

#[test]
fn a_member_that_leaves_begins_the_time_and_one_that_joins_ends_it() {
    let folder = Folder::new(&[live("g", "consumer"), committed_in("g", &[("a", 0, T)])]);
    let groups = folder.start(true);
    let before = crate::broker::util::now_ms();
    groups.leave("g", "m", None).unwrap();
    let since = folder.state().groups["g"].empty_since_ms.unwrap();
    assert!(since >= before, "{since} {before}");
    let group = groups.get("g").unwrap();
    lock(&group).prepare_rebalance(Instant::now());
    assert_eq!(lock(&group).empty_since_ms, None);
}

#[test]
fn groups_that_are_kept_for_good_are_left_alone() {
    let of = [("a", 0, T), ("left", 0, T)];
    let folder = Folder::new(&[
        live("ours.processor", "consumer"),
        committed_in("ours.processor", &of),
        left("ours.old", None),
    ]);
    let before = folder.state();
    for keep_members in [true, false] {
        let groups = folder.start(keep_members);
        groups.tick(Instant::now());
        groups.expire(T + 100 * WEEK_MS);
        assert!(has(&groups, "ours.processor", "a", 0) && has(&groups, "ours.processor", "left", 0));
        assert!(groups.get("ours.old").is_some());
    }
    // Not even that they are empty is noted, which builds without expiry would not understand.
    let after = folder.state();
    assert_eq!((before.groups, before.offsets), (after.groups, after.offsets));
}

/// What builds before this one wrote is read, and written again as they did, as long as there is nothing new to say.
#[test]
fn entries_of_earlier_builds_stay_as_they_are() {
    let entries = [
        r#"{"Group":["g",{"generation":3,"protocol_type":"consumer","protocol":null,"leader":null,"members":[]}]}"#,
        r#"{"Offsets":["g",{"a":{"0":{"offset":5,"leader_epoch":-1,"commit_ms":7}}}]}"#,
    ];
    for entry in entries {
        let read: Entry = serde_json::from_str(entry).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), entry);
    }
}

#[test]
fn nothing_expires_after_a_start_a_sleep_or_a_step_of_the_clock() {
    let begin = Instant::now();
    let at = |ms: i64| begin + Duration::from_millis(ms.unsigned_abs());
    let week = Duration::from_millis(WEEK_MS.unsigned_abs());
    let mut patience = Patience::new(week, begin, T);
    assert!(!patience.is_over(at(HOUR_MS), T + HOUR_MS));
    assert!(!patience.is_over(at(DAY_MS - 1), T + DAY_MS - 1));
    assert!(patience.is_over(at(DAY_MS), T + DAY_MS));
    // The machine slept for two weeks, or somebody set its clock to that.
    let later = T + 2 * WEEK_MS;
    assert!(!patience.is_over(at(DAY_MS + 1), later + DAY_MS + 1));
    assert!(!patience.is_over(at(2 * DAY_MS), later + 2 * DAY_MS));
    assert!(patience.is_over(at(2 * DAY_MS + 1), later + 2 * DAY_MS + 1));
    // A clock that is set right by a little, or back, is no sleep.
    assert!(patience.is_over(at(2 * DAY_MS + 2), later + 2 * DAY_MS + 2 + HOUR_MS));
    assert!(patience.is_over(at(2 * DAY_MS + 3), T));

    let mut brief = Patience::new(Duration::from_millis(1), begin, T);
    assert!(brief.is_over(at(1), T + 1), "offsets that are kept for less wait no longer than that");
}
