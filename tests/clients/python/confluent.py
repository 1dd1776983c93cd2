"""The table's cases with confluent-kafka, librdkafka's client for Python."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import common
from common import KAFKA, RUN, SECONDS, Result
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

admin = AdminClient({"bootstrap.servers": KAFKA})


def name(what: str) -> str:
    return f"confluent-{what}-{RUN}"


def topic(what: str, partitions: int = 1, **config: str) -> str:
    made = name(what)
    # some cases date their records back to 1970, and nothing may go meanwhile
    settings = {"retention.ms": "-1", **{key.replace("_", "."): value for key, value in config.items()}}
    admin.create_topics([NewTopic(made, partitions, 1, config=settings)])[made].result()
    return made


def producer(**options: Any) -> Producer:
    # librdkafka's own partitioner is another one than Kafka's
    return Producer({"bootstrap.servers": KAFKA, "partitioner": "murmur2_random", **options})


def consumer(group: str, **options: Any) -> Consumer:
    dotted = {key.replace("_", "."): value for key, value in options.items()}
    return Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            **dotted,
        }
    )


def until(what: str, seen: Callable[[], Any], seconds: float = SECONDS) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := seen():
            return found
    raise TimeoutError(f"no {what} within {seconds} s")


def read(of: str, count: int, partitions: int = 1, **options: Any) -> list[Any]:
    """The first records of a topic."""
    reading = consumer(name("reader"), **options)
    reading.assign([TopicPartition(of, n, 0) for n in range(partitions)])
    found: list[Any] = []

    def enough() -> bool:
        message = reading.poll(0.2)
        if message is not None and message.error() is None:
            found.append(message)
        return len(found) >= count

    until(f"{count} records of {of}", enough)
    reading.close()
    return found


def texts(messages: list[Any]) -> list[str]:
    return [message.value().decode() for message in messages]


def put(of: str, *values: str, at: int | None = None, **options: Any) -> None:
    sending = producer(**options)
    for n, value in enumerate(values):
        sending.produce(of, value, timestamp=0 if at is None else at + n)
    sending.flush()


def look(of: str, spec: Any, committed: bool = False) -> int:
    level = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED
    found = admin.list_offsets({TopicPartition(of, 0): spec}, isolation_level=level)
    return int(next(iter(found.values())).result().offset)


def code(do: Callable[[], Any]) -> str:
    try:
        do()
    except KafkaException as error:
        return str(error.args[0].name())
    return ""


def job() -> Result:
    commands = common.registrations("confluent")
    sending = producer()
    for user, value, _ in commands:
        sending.produce("chirp.commands", key=user, value=value)
    sending.flush()
    ids = [command_id for _, _, command_id in commands]
    answers: dict[str, list[Any]] = {command_id: [] for command_id in ids}
    reading = consumer(name("job"), isolation_level="read_committed")
    reading.subscribe(["chirp.outcomes"])

    def all_answered() -> bool:
        message = reading.poll(0.2)
        if message is not None and message.error() is None:
            outcome = common.decode(message.value())
            answers.get(outcome["command_id"], []).append(outcome)
        return all(answers.values())

    until("outcomes", all_answered)
    sending.produce("chirp.commands", key=commands[0][0], value=commands[0][1])
    sending.flush()
    until("second outcome", lambda: all_answered() and len(answers[ids[0]]) > 1)
    reading.close()
    return common.told(answers, ids)


def events() -> Result:
    mine = f"confluent-{RUN}-"
    reading = consumer(name("events"), isolation_level="read_committed")
    reading.subscribe(["chirp.events"])
    users: set[str] = set()

    def all_there() -> bool:
        message = reading.poll(0.2)
        if message is not None and message.error() is None:
            kind, data = common.decode(message.value())["data"]
            if kind.endswith(".UserRegistered") and data["user_id"].startswith(mine):
                users.add(data["user_id"])
        return len(users) == 8

    until("events", all_there)
    reading.close()
    return {"registered": len(users)}


def keys() -> Result:
    of = topic("keys", 7)
    sending = producer()
    for key in common.KEYS:
        sending.produce(of, key=key, value=b"")
    sending.flush()
    own = topic("own-keys", 7)
    sending = Producer({"bootstrap.servers": KAFKA})
    for key in common.KEYS:
        sending.produce(own, key=key, value=b"")
    sending.flush()

    def elsewhere(of: str) -> int:
        return sum(common.belongs(m.key(), 7) != m.partition() for m in read(of, len(common.KEYS), 7))

    return {"elsewhere": elsewhere(of), "with its own partitioner": elsewhere(own)}


def records() -> Result:
    of = topic("records")
    sending = producer()
    at = 1_700_000_000_000
    sending.produce(of, key="k", value="v", headers=[("h", b"1"), ("h", b"2")], timestamp=at)
    sending.produce(of, key="k", value=None, timestamp=at + 1)
    sending.produce(of, key=None, value=b"", timestamp=at + 2)
    sending.flush()

    def text(of: bytes | None) -> str | None:
        return None if of is None else of.decode()

    return {
        "records": [
            [
                str(m.offset()),
                text(m.key()),
                text(m.value()),
                [[key, value.decode()] for key, value in m.headers() or []],
                m.timestamp()[1],
            ]
            for m in read(of, 3)
        ]
    }


def codecs() -> Result:
    of = topic("codecs")
    names = ["none", "gzip", "snappy", "lz4", "zstd"]
    for codec in names:
        put(of, codec * 100, **{"compression.type": codec})
    return {"read": [text[: len(codec)] for codec, text in zip(names, texts(read(of, 5)), strict=True)]}


def group() -> Result:
    of = topic("group")
    put(of, "0", "1", "2", "3", "4")

    def member(count: int) -> list[str]:
        reading = consumer(name("group"))
        reading.subscribe([of])
        found: list[str] = []

        def enough() -> bool:
            message = reading.poll(0.2)
            if message is not None and message.error() is None:
                found.append(message.value().decode())
                reading.commit(message, asynchronous=False)
            return len(found) >= count

        until("records", enough)
        reading.close()
        return found

    first = member(3)
    committed = consumer(name("group")).committed([TopicPartition(of, 0)])[0].offset
    return {"first": first, "committed": committed, "second": member(2)}


def transaction() -> Result:
    of = topic("transaction")
    sending = producer(**{"transactional.id": name("transaction"), "linger.ms": 0})
    sending.init_transactions()
    sending.begin_transaction()
    sending.produce(of, "a")
    reading = consumer(name("transaction"))
    sending.send_offsets_to_transaction([TopicPartition(of, 0, 7)], reading.consumer_group_metadata())
    sending.commit_transaction()
    sending.begin_transaction()
    sending.produce(of, "b")
    sending.flush()
    sending.abort_transaction()
    put(of, "c")
    offset = reading.committed([TopicPartition(of, 0)])[0].offset
    return {
        "committed": texts(read(of, 2, isolation_level="read_committed")),
        "all": texts(read(of, 3, isolation_level="read_uncommitted")),
        "offset": offset,
    }


def fenced() -> Result:
    of = topic("fenced")
    options = {"transactional.id": name("fenced")}
    first, second = producer(**options), producer(**options)
    first.init_transactions()
    first.begin_transaction()
    first.produce(of, "first")
    first.flush()
    second.init_transactions()
    second.begin_transaction()
    second.produce(of, "second")
    second.commit_transaction()
    refused = code(first.commit_transaction)
    read_back = texts(read(of, 1, isolation_level="read_committed"))
    is_fenced = refused in {"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"}
    return {"first": "fenced" if is_fenced else refused, "read": read_back}


def lookups() -> Result:
    create = topic("create")
    put(create, "0", "1", at=1000, **{"linger.ms": 200})
    put(create, "2", at=2000)
    put(create, "3", at=500)
    append = topic("append", message_timestamp_type="LogAppendTime")
    put(append, "0", "1", "2", at=5, **{"linger.ms": 200})
    segments = topic("segments", segment_bytes="1048576")
    for _ in range(2):
        put(segments, "x" * 400_000, "x" * 400_000, "x" * 400_000, at=7000, **{"linger.ms": 0})
    empty = topic("empty")
    opened = topic("open")
    put(opened, "0", "1", "2", "3")
    sending = producer(**{"transactional.id": name("open")})
    sending.init_transactions()
    sending.begin_transaction()
    sending.produce(opened, "open")
    sending.flush()
    result = {
        "create": {
            "earliest": look(create, OffsetSpec.earliest()),
            "latest": look(create, OffsetSpec.latest()),
            **{str(at): look(create, OffsetSpec.for_timestamp(at)) for at in (1000, 1001, 1500, 2001)},
            "max": look(create, OffsetSpec.max_timestamp()),
        },
        "append": {
            "max": look(append, OffsetSpec.max_timestamp()),
            "0": look(append, OffsetSpec.for_timestamp(0)),
        },
        "segments": {"max": look(segments, OffsetSpec.max_timestamp())},
        "empty": {
            "earliest": look(empty, OffsetSpec.earliest()),
            "latest": look(empty, OffsetSpec.latest()),
            "0": look(empty, OffsetSpec.for_timestamp(0)),
            "max": look(empty, OffsetSpec.max_timestamp()),
        },
        "open": {
            "latest": look(opened, OffsetSpec.latest()),
            "latest committed": look(opened, OffsetSpec.latest(), committed=True),
        },
    }
    sending.abort_transaction()
    return result


def administration() -> Result:
    of = topic("admin", 1, cleanup_policy="delete")
    twice = code(lambda: admin.create_topics([NewTopic(of, 1, 1)])[of].result())
    resource = ConfigResource(ResourceType.TOPIC, of)
    change = ConfigResource(
        ResourceType.TOPIC,
        of,
        incremental_configs=[
            ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
            ConfigEntry("retention.ms", "60000", incremental_operation=AlterConfigOpType.SET),
        ],
    )
    next(iter(admin.incremental_alter_configs([change]).values())).result()

    def described_settings() -> dict[str, ConfigEntry]:
        return next(iter(admin.describe_configs([resource]).values())).result()

    # a broker answers what it has heard of by then
    until("the settings", lambda: described_settings()["retention.ms"].value == "60000")
    settings = described_settings()
    admin.create_partitions([NewPartitions(of, 3)])[of].result()
    until("the partitions", lambda: len(admin.list_topics(of, timeout=10).topics[of].partitions) == 3)
    described = admin.describe_topics(TopicCollection([of]))[of].result()
    for _ in range(3):
        sending = producer()
        sending.produce(of, "x", key="k", partition=0)
        sending.flush()
    emptied = next(iter(admin.delete_records([TopicPartition(of, 0, 2)]).values())).result()
    policy = ",".join(sorted(settings["cleanup.policy"].value.split(",")))
    admin.delete_topics([of])[of].result()
    until("deletion", lambda: of not in admin.list_topics(timeout=10).topics)
    return {
        "twice": twice,
        "partitions": len(described.partitions),
        "cleanup.policy": policy,
        "retention.ms": settings["retention.ms"].value,
        "emptied to": emptied.low_watermark,
        "deleted": "gone",
    }


def live(group_id: str, topics: list[str], **options: Any) -> Consumer:
    """A member that has its partitions."""
    reading = consumer(group_id, **options)
    reading.subscribe(topics)
    until("assignment", lambda: reading.poll(0.1) or reading.assignment())
    return reading


def groups() -> Result:
    of, group_id = topic("groups"), name("groups")
    put(of, "0", "1", "2")
    reading = live(group_id, [of])
    reading.commit(offsets=[TopicPartition(of, 0, 1)], asynchronous=False)
    listed = any(found.group_id == group_id for found in admin.list_consumer_groups().result().valid)
    described = admin.describe_consumer_groups([group_id])[group_id].result()
    reading.close()
    moved = [ConsumerGroupTopicPartitions(group_id, [TopicPartition(of, 0, 2)])]
    admin.alter_consumer_group_offsets(moved)[group_id].result()
    wanted = [ConsumerGroupTopicPartitions(group_id, [TopicPartition(of, 0)])]
    offset = admin.list_consumer_group_offsets(wanted)[group_id].result().topic_partitions[0].offset
    admin.delete_consumer_groups([group_id])[group_id].result()
    left = any(found.group_id == group_id for found in admin.list_consumer_groups().result().valid)
    return {
        "listed": listed,
        "state": described.state.name.title(),
        "members": len(described.members),
        "offset": offset,
        "deleted": "there" if left else "gone",
    }


def static() -> Result:
    of, group_id = topic("static", 4), name("static")
    changes: list[str] = []

    def member(instance: str) -> Consumer:
        reading = consumer(group_id, group_instance_id=instance, session_timeout_ms=30000)
        reading.subscribe(
            [of],
            on_assign=lambda _, given: changes.append(f"{instance} +{[p.partition for p in given]}"),
            on_revoke=lambda _, taken: changes.append(f"{instance} -{[p.partition for p in taken]}"),
        )
        return reading

    def parts(reading: Consumer) -> list[int]:
        reading.poll(0.1)
        return sorted(p.partition for p in reading.assignment())

    leader = member("leader")
    until("leader", lambda: len(parts(leader)) == 4)
    other = member("other")
    until("sharing", lambda: [len(parts(leader)), len(parts(other))] == [2, 2])
    for _ in range(20):
        parts(leader), parts(other)
    before = parts(leader), parts(other)
    # a static member that closes does not leave
    leader.close()
    changes.clear()
    leader = member("leader")
    until("return", lambda: [len(parts(leader)), len(parts(other))][0] == 2)
    for _ in range(20):
        parts(leader), parts(other)
    after = parts(leader), parts(other)
    moved = [] if after == before else [before, after]
    rebalanced = sum(change.startswith("other") for change in changes)
    leader.close()
    other.close()
    return {"moved": moved, "other rebalanced": rebalanced}


def new_groups() -> Result:
    of = topic("new-groups")
    put(of, "0")
    reading = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": name("new-groups"),
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
        }
    )
    reading.subscribe([of])
    start = time.monotonic()
    while time.monotonic() - start < 15:
        message = reading.poll(0.2)
        if message is not None and message.error() is None:
            reading.close()
            return {"read": 1}
        if message is not None and message.error().fatal():
            return {"refused": str(message.error().name())}
    return {"nothing": "in 15 s"}


common.run(
    {
        "job": job,
        "events": events,
        "keys": keys,
        "records": records,
        "codecs": codecs,
        "group": group,
        "transaction": transaction,
        "fenced": fenced,
        "lookups": lookups,
        "admin": administration,
        "groups": groups,
        "static": static,
        "new-groups": new_groups,
    }
)
