"""The table's cases with aiokafka."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import common
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from common import KAFKA, RUN, SECONDS, Result


def name(what: str) -> str:
    return f"aiokafka-{what}-{RUN}"


async def administrator() -> AIOKafkaAdminClient:
    admin = AIOKafkaAdminClient(bootstrap_servers=KAFKA)
    await admin.start()
    return admin


async def topic(what: str, partitions: int = 1, **config: str) -> str:
    made = name(what)
    # some cases date their records back to 1970, and nothing may go meanwhile
    settings = {"retention.ms": "-1", **{key.replace("_", "."): value for key, value in config.items()}}
    admin = await administrator()
    await admin.create_topics([NewTopic(made, partitions, 1, topic_configs=settings)])
    await admin.close()
    return made


async def producer(**options: Any) -> AIOKafkaProducer:
    sending = AIOKafkaProducer(bootstrap_servers=KAFKA, **options)
    await sending.start()
    return sending


async def consumer(group: str | None = None, *topics: str, **options: Any) -> AIOKafkaConsumer:
    reading = AIOKafkaConsumer(
        *topics,
        bootstrap_servers=KAFKA,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **options,
    )
    await reading.start()
    return reading


async def read(of: str, count: int, partitions: int = 1, **options: Any) -> list[Any]:
    reading = await consumer(**options)
    reading.assign([TopicPartition(of, n) for n in range(partitions)])
    found = [await asyncio.wait_for(reading.getone(), SECONDS) for _ in range(count)]
    await reading.stop()
    return found


async def put(of: str, *values: str, **options: Any) -> None:
    sending = await producer(**options)
    for value in values:
        await sending.send_and_wait(of, value.encode(), partition=0)
    await sending.stop()


async def job() -> Result:
    commands = common.registrations("aiokafka")
    sending = await producer(acks="all", enable_idempotence=True)
    for user, value, _ in commands:
        await sending.send_and_wait("chirp.commands", key=user.encode(), value=value)
    ids = [command_id for _, _, command_id in commands]
    answers: dict[str, list[Any]] = {command_id: [] for command_id in ids}
    reading = await consumer(name("job"), "chirp.outcomes", isolation_level="read_committed")

    async def one() -> None:
        message = await asyncio.wait_for(reading.getone(), SECONDS)
        outcome = common.decode(message.value)
        answers.get(outcome["command_id"], []).append(outcome)

    while not all(answers.values()):
        await one()
    await sending.send_and_wait("chirp.commands", key=commands[0][0].encode(), value=commands[0][1])
    while len(answers[ids[0]]) < 2:
        await one()
    await sending.stop()
    await reading.stop()
    return common.told(answers, ids)


async def events() -> Result:
    reading = await consumer(name("events"), "chirp.events", isolation_level="read_committed")
    users: set[str] = set()
    while len(users) < 8:
        message = await asyncio.wait_for(reading.getone(), SECONDS)
        kind, data = common.decode(message.value)["data"]
        if kind.endswith(".UserRegistered") and data["user_id"].startswith(f"aiokafka-{RUN}-"):
            users.add(data["user_id"])
    await reading.stop()
    return {"registered": len(users)}


async def keys() -> Result:
    of = await topic("keys", 7)
    sending = await producer()
    for sent in [await sending.send(of, b"", key=key.encode()) for key in common.KEYS]:
        await sent
    await sending.stop()
    read_back = await read(of, len(common.KEYS), 7)
    return {"elsewhere": sum(common.belongs(m.key, 7) != m.partition for m in read_back)}


async def records() -> Result:
    of = await topic("records")
    sending = await producer()
    at = 1_700_000_000_000
    await sending.send_and_wait(of, b"v", b"k", timestamp_ms=at, headers=[("h", b"1"), ("h", b"2")])
    await sending.send_and_wait(of, None, b"k", timestamp_ms=at + 1)
    await sending.send_and_wait(of, b"", None, timestamp_ms=at + 2)
    await sending.stop()

    def text(of: bytes | None) -> str | None:
        return None if of is None else of.decode()

    return {
        "records": [
            [str(m.offset), text(m.key), text(m.value), [[k, v.decode()] for k, v in m.headers], m.timestamp]
            for m in await read(of, 3)
        ]
    }


async def codecs() -> Result:
    of = await topic("codecs")
    names = [None, "gzip", "snappy", "lz4", "zstd"]
    for codec in names:
        await put(of, str(codec) * 100, compression_type=codec)
    found = await read(of, len(names))
    return {"read": [m.value.decode()[: len(str(codec))] for codec, m in zip(names, found, strict=True)]}


async def group() -> Result:
    of = await topic("group")
    await put(of, "0", "1", "2", "3", "4")

    async def member(count: int) -> list[str]:
        reading = await consumer(name("group"), of)
        found = []
        for _ in range(count):
            message = await asyncio.wait_for(reading.getone(), SECONDS)
            found.append(message.value.decode())
            await reading.commit({TopicPartition(of, 0): message.offset + 1})
        await reading.stop()
        return found

    first = await member(3)
    reading = await consumer(name("group"))
    committed = await reading.committed(TopicPartition(of, 0))
    await reading.stop()
    return {"first": first, "committed": committed, "second": await member(2)}


async def transaction() -> Result:
    of = await topic("transaction")
    sending = await producer(transactional_id=name("transaction"))
    async with sending.transaction():
        await sending.send_and_wait(of, b"a", partition=0)
        await sending.send_offsets_to_transaction({TopicPartition(of, 0): 7}, name("transaction"))
    await sending.begin_transaction()
    await sending.send_and_wait(of, b"b", partition=0)
    await sending.abort_transaction()
    await sending.stop()
    await put(of, "c")
    reading = await consumer(name("transaction"))
    offset = await reading.committed(TopicPartition(of, 0))
    await reading.stop()
    texts = {
        level: [m.value.decode() for m in await read(of, count, isolation_level=level)]
        for level, count in [("read_committed", 2), ("read_uncommitted", 3)]
    }
    return {"committed": texts["read_committed"], "all": texts["read_uncommitted"], "offset": offset}


async def fenced() -> Result:
    of = await topic("fenced")
    first = await producer(transactional_id=name("fenced"))
    await first.begin_transaction()
    await first.send_and_wait(of, b"first", partition=0)
    second = await producer(transactional_id=name("fenced"))
    async with second.transaction():
        await second.send_and_wait(of, b"second", partition=0)
    try:
        await first.commit_transaction()
        refused = "not at all"
    except KafkaError as error:
        refused = (
            "fenced" if type(error).__name__ in {"ProducerFenced", "InvalidProducerEpoch"} else repr(error)
        )
    found = await read(of, 1, isolation_level="read_committed")
    for one in (first, second):
        try:
            await one.stop()
        except KafkaError:
            pass
    return {"first": refused, "read": [m.value.decode() for m in found]}


async def lookups() -> Result:
    of = await topic("lookups")
    sending = await producer(linger_ms=200)
    for at in (1000, 1001, 1002):
        await sending.send(of, b"x", partition=0, timestamp_ms=at)
    await sending.flush()
    await sending.send_and_wait(of, b"x", partition=0, timestamp_ms=2000)
    await sending.stop()
    reading, place = await consumer(), TopicPartition(of, 0)

    async def at(time: int) -> int:
        found = (await reading.offsets_for_times({place: time}))[place]
        return -1 if found is None else int(found.offset)

    result = {
        "earliest": (await reading.beginning_offsets([place]))[place],
        "latest": (await reading.end_offsets([place]))[place],
        **{str(time): await at(time) for time in (1000, 1001, 2001)},
    }
    await reading.stop()
    return {"create": result}


async def administration() -> Result:
    of = await topic("admin", 1, cleanup_policy="compact,delete", retention_ms="60000")
    admin = await administrator()
    try:
        answer = await admin.create_topics([NewTopic(of, 1, 1)])
        twice = {36: "TOPIC_ALREADY_EXISTS"}.get(answer.topic_errors[0][1], str(answer))
    except TopicAlreadyExistsError:
        twice = "TOPIC_ALREADY_EXISTS"
    await admin.create_partitions({of: NewPartitions(total_count=3)})
    # a broker of Kafka takes in what its controller has answered a moment later
    while len((described := await admin.describe_topics([of]))[0]["partitions"]) == 1:
        await asyncio.sleep(0.05)
    found = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, of)])
    settings = {entry[0]: entry[1] for entry in found[0].resources[0][4]}
    await admin.delete_topics([of])
    while of in await admin.list_topics():
        await asyncio.sleep(0.05)
    await admin.close()
    return {
        "twice": twice,
        "partitions": len(described[0]["partitions"]),
        "cleanup.policy": settings["cleanup.policy"],
        "retention.ms": settings["retention.ms"],
        "deleted": "gone",
    }


async def groups() -> Result:
    of, group_id = await topic("groups"), name("groups")
    await put(of, "0", "1", "2")
    reading = await consumer(group_id, of)
    await asyncio.wait_for(reading.getone(), SECONDS)
    await reading.commit({TopicPartition(of, 0): 2})
    admin = await administrator()
    listed = any(found[0] == group_id for found in await admin.list_consumer_groups())
    described = (await admin.describe_consumer_groups([group_id]))[0].groups[0]
    offsets = await admin.list_consumer_group_offsets(group_id)
    await reading.stop()
    await admin.close()
    return {
        "listed": listed,
        "state": described[2],
        "members": len(described[5]),
        "offset": offsets[TopicPartition(of, 0)].offset,
    }


def sync(case: Callable[[], Awaitable[Result]]) -> Callable[[], Result]:
    async def bounded() -> Result:
        return await asyncio.wait_for(case(), 2 * SECONDS)

    return lambda: asyncio.run(bounded())


common.run(
    {
        "job": sync(job),
        "events": sync(events),
        "keys": sync(keys),
        "records": sync(records),
        "codecs": sync(codecs),
        "group": sync(group),
        "transaction": sync(transaction),
        "fenced": sync(fenced),
        "lookups": sync(lookups),
        "admin": sync(administration),
        "groups": sync(groups),
    }
)
