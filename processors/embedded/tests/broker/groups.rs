//! Consumer groups: assignment, members that come and die, offsets.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::support::{DEADLINE, Sender, Server, admin, client, eventually};

const CHILD_SERVERS: &str = "BROKER_TEST_CHILD_SERVERS";
const CHILD_STRATEGY: &str = "BROKER_TEST_CHILD_STRATEGY";

fn member_of(servers: &str, strategy: &str, more: &[(&str, &str)]) -> BaseConsumer {
    let mut settings = vec![
        ("group.id", "g"),
        ("partition.assignment.strategy", strategy),
        ("session.timeout.ms", "1000"),
        ("heartbeat.interval.ms", "100"),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
    ];
    settings.extend_from_slice(more);
    let consumer: BaseConsumer = client(servers, &settings).create().unwrap();
    consumer.subscribe(&["t"]).unwrap();
    consumer
}

fn member(server: &Server, strategy: &str, more: &[(&str, &str)]) -> BaseConsumer {
    member_of(&server.servers(), strategy, more)
}

/// Not a test of its own: the member that the tests below kill.
#[test]
fn child_member() {
    let Ok(servers) = std::env::var(CHILD_SERVERS) else { return };
    let consumer = member_of(&servers, &std::env::var(CHILD_STRATEGY).unwrap(), &[]);
    loop {
        let _ = consumer.poll(Duration::from_millis(100));
    }
}

fn assigned(consumer: &BaseConsumer) -> BTreeSet<i32> {
    let _ = consumer.poll(Duration::from_millis(10));
    consumer.assignment().unwrap().elements().iter().map(|element| element.partition()).collect()
}

fn share_and_take_over(strategy: &str) {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 4, &[]);
    let first = member(&server, strategy, &[]);
    eventually("all partitions for one", || (assigned(&first).len() == 4).then_some(()));
    let mut second = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "groups::child_member"])
        .env(CHILD_SERVERS, server.servers())
        .env(CHILD_STRATEGY, strategy)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("two partitions for each", || (assigned(&first).len() == 2).then_some(()));
    // It dies without a word.
    second.kill().unwrap();
    second.wait().unwrap();
    eventually("the rest for the survivor", || (assigned(&first).len() == 4).then_some(()));
    drop(first);
    server.stop();
}

#[test]
fn range_shares_and_takes_over() {
    share_and_take_over("range");
}

#[test]
fn cooperative_sticky_shares_and_takes_over() {
    share_and_take_over("cooperative-sticky");
}

#[test]
fn a_member_that_falls_silent_loses_its_partitions() {
    use kafka_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
    use kafka_protocol::messages::{GroupId, HeartbeatRequest, SyncGroupRequest};
    use kafka_protocol::protocol::StrBytes;

    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let mut wire = crate::support::Wire::connect(server.addr);
    let join = |member: StrBytes| {
        JoinGroupRequest::default()
            .with_group_id(GroupId(StrBytes::from_static_str("g")))
            .with_session_timeout_ms(300)
            .with_rebalance_timeout_ms(300)
            .with_member_id(member)
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![
                JoinGroupRequestProtocol::default().with_name(StrBytes::from_static_str("range")),
            ])
    };
    let first = wire.call(7, &join(StrBytes::default()));
    assert_eq!(first.error_code, kafka_protocol::ResponseError::MemberIdRequired.code());
    let joined = wire.call(7, &join(first.member_id.clone()));
    assert_eq!((joined.error_code, joined.generation_id, joined.members.len()), (0, 1, 1));
    let sync = SyncGroupRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("g")))
        .with_generation_id(1)
        .with_member_id(first.member_id.clone());
    assert_eq!(wire.call(4, &sync).error_code, 0);
    let heartbeat = |generation| {
        HeartbeatRequest::default()
            .with_group_id(GroupId(StrBytes::from_static_str("g")))
            .with_generation_id(generation)
            .with_member_id(first.member_id.clone())
    };
    assert_eq!(wire.call(4, &heartbeat(1)).error_code, 0);
    assert_eq!(
        wire.call(4, &heartbeat(0)).error_code,
        kafka_protocol::ResponseError::IllegalGeneration.code()
    );
    // Looking does not keep it alive.
    eventually("its end", || {
        let groups = admin_groups(&server);
        groups.iter().any(|(_, state, members)| state == "Empty" && *members == 0).then_some(())
    });
    assert_eq!(wire.call(4, &heartbeat(1)).error_code, kafka_protocol::ResponseError::UnknownMemberId.code());
    server.stop();
}

fn admin_groups(server: &Server) -> Vec<(String, String, usize)> {
    let consumer: BaseConsumer = server.client(&[]).create().unwrap();
    let groups = consumer.fetch_group_list(None, DEADLINE).unwrap();
    let groups = groups.groups().iter();
    groups.map(|g| (g.name().to_owned(), g.state().to_owned(), g.members().len())).collect()
}

#[test]
fn committed_offsets_survive_members_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    let sender = Sender::new(&server.servers(), &[]);
    for n in 0..10 {
        sender.put("t", 0, "k", &n.to_string());
    }
    let consumer = member(&server, "range", &[]);
    eventually("an assignment", || (assigned(&consumer).len() == 1).then_some(()));
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(6)).unwrap();
    consumer.commit(&list, CommitMode::Sync).unwrap();
    drop(consumer);
    server.stop();

    let server = Server::start(dir.path());
    let consumer = member(&server, "range", &[]);
    let read = eventually("a record", || {
        let message = consumer.poll(Duration::from_millis(50))?.unwrap();
        Some(rdkafka::Message::offset(&message))
    });
    assert_eq!(read, 6);
    drop(consumer);
    server.stop();
}

#[test]
fn members_keep_their_partitions_over_a_restart_of_the_broker() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    let port = server.addr.port();
    server.create_topic("t", 2, &[]);
    let consumer = member(&server, "range", &[("session.timeout.ms", "20000")]);
    eventually("an assignment", || (assigned(&consumer).len() == 2).then_some(()));
    let before = consumer.group_metadata();
    server.stop();
    let server = Server::start_with(dir.path(), |config| config.listen.set_port(port));
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("t", 0, Offset::Offset(0)).unwrap();
    // The generation from before the restart is still good.
    eventually("a commit of the same generation", || consumer.commit(&list, CommitMode::Sync).ok());
    assert!(before.is_some());
    assert_eq!(assigned(&consumer).len(), 2);
    drop(consumer);
    server.stop();
}

#[test]
fn groups_are_listed_and_deleted_when_unused() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path());
    server.create_topic("t", 1, &[]);
    let consumer = member(&server, "range", &[]);
    eventually("an assignment", || (assigned(&consumer).len() == 1).then_some(()));
    eventually("a stable group", || {
        let groups = admin_groups(&server);
        (groups == [("g".to_owned(), "Stable".to_owned(), 1)]).then_some(())
    });
    let delete = || {
        let admin = admin(&server.servers());
        let deleted = admin.delete_groups(&["g"], &rdkafka::admin::AdminOptions::new());
        server.runtime.block_on(deleted).unwrap().remove(0)
    };
    assert!(delete().is_err());
    drop(consumer);
    delete().unwrap();
    assert!(admin_groups(&server).is_empty());
    server.stop();
}

/// Offsets are kept for as short as it takes to see them, and it is looked often.
fn forgets_soon(config: &mut millrace_embedded::broker::BrokerConfig) {
    config.offsets_retention = Duration::from_millis(1);
    config.offsets_check_interval = Duration::from_millis(5);
    config.keeps_group = |id| id == "kept";
}

fn commit(consumer: &BaseConsumer, topic: &str) {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(7)).unwrap();
    eventually("a commit", || consumer.commit(&list, CommitMode::Sync).ok());
}

fn committed(consumer: &BaseConsumer, topic: &str) -> Offset {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, 0);
    consumer.committed_offsets(list, DEADLINE).unwrap().find_partition(topic, 0).unwrap().offset()
}

#[test]
fn a_group_goes_when_its_members_have_left_it_for_long() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), forgets_soon);
    for name in ["t", "left"] {
        server.create_topic(name, 1, &[]);
    }
    let consumer = member(&server, "range", &[]);
    eventually("an assignment", || (assigned(&consumer).len() == 1).then_some(()));
    commit(&consumer, "t");
    commit(&consumer, "left");
    // While it is there only the topic goes that it does not subscribe to.
    eventually("no offset of the other topic", || {
        (committed(&consumer, "left") == Offset::Invalid).then_some(())
    });
    assert_eq!(committed(&consumer, "t"), Offset::Offset(7));
    drop(consumer);
    eventually("no group", || admin_groups(&server).is_empty().then_some(()));
    server.stop();
    let server = Server::start(dir.path());
    assert!(admin_groups(&server).is_empty(), "nor after a restart");
    server.stop();
}

#[test]
fn a_standalone_consumers_offsets_go_and_those_of_a_group_that_is_kept_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start_with(dir.path(), forgets_soon);
    server.create_topic("t", 1, &[]);
    let consumer = |group: &str| -> BaseConsumer { server.client(&[("group.id", group)]).create().unwrap() };
    let (kept, simple) = (consumer("kept"), consumer("simple"));
    commit(&kept, "t");
    commit(&simple, "t");
    eventually("one group", || {
        let groups: Vec<String> = admin_groups(&server).into_iter().map(|(id, _, _)| id).collect();
        (groups == ["kept"]).then_some(())
    });
    assert_eq!(committed(&simple, "t"), Offset::Invalid);
    assert_eq!(committed(&kept, "t"), Offset::Offset(7));
    server.stop();
}
