"""The table's cases that docs/producers.md needs, with kafka-python."""

from __future__ import annotations

import time
from typing import Any

import common
from common import KAFKA, RUN, SECONDS, Result
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic


def consumer(**options: Any) -> KafkaConsumer:
    return KafkaConsumer(
        bootstrap_servers=KAFKA, auto_offset_reset="earliest", enable_auto_commit=False, **options
    )


def messages(reading: KafkaConsumer, enough: Any) -> list[Any]:
    """Records until it is enough."""
    found: list[Any] = []
    end = time.monotonic() + SECONDS
    while not enough(found):
        if time.monotonic() > end:
            raise TimeoutError(f"not enough in {len(found)} records")
        for batch in reading.poll(200).values():
            found.extend(batch)
    return found


def assigned(reading: KafkaConsumer, of: str, partitions: int) -> KafkaConsumer:
    places = [TopicPartition(of, n) for n in range(partitions)]
    reading.assign(places)
    reading.seek_to_beginning(*places)
    return reading


def job() -> Result:
    commands = common.registrations("kpython")
    sending = KafkaProducer(bootstrap_servers=KAFKA, acks="all")
    for user, value, _ in commands:
        sending.send("chirp.commands", key=user.encode(), value=value).get(SECONDS)
    ids = [command_id for _, _, command_id in commands]
    reading = assigned(consumer(isolation_level="read_committed"), "chirp.outcomes", 4)
    answers: dict[str, list[Any]] = {command_id: [] for command_id in ids}
    seen = 0

    def enough(found: list[Any], twice: bool = False) -> bool:
        nonlocal seen
        for message in found[seen:]:
            outcome = common.decode(message.value)
            answers.get(outcome["command_id"], []).append(outcome)
        seen = len(found)
        return all(answers.values()) and (not twice or len(answers[ids[0]]) > 1)

    messages(reading, enough)
    seen = 0
    sending.send("chirp.commands", key=commands[0][0].encode(), value=commands[0][1]).get(SECONDS)
    messages(reading, lambda found: enough(found, twice=True))
    sending.close()
    reading.close()
    return common.told(answers, ids)


def events() -> Result:
    reading = assigned(consumer(isolation_level="read_committed"), "chirp.events", 4)
    users: set[str] = set()

    def enough(found: list[Any]) -> bool:
        for message in found:
            kind, data = common.decode(message.value)["data"]
            if kind.endswith(".UserRegistered") and data["user_id"].startswith(f"kpython-{RUN}-"):
                users.add(data["user_id"])
        return len(users) == 8

    messages(reading, enough)
    reading.close()
    return {"registered": len(users)}


def keys() -> Result:
    of = f"kpython-keys-{RUN}"
    KafkaAdminClient(bootstrap_servers=KAFKA).create_topics([NewTopic(of, 7, 1)])
    sending = KafkaProducer(bootstrap_servers=KAFKA)
    for key in common.KEYS:
        sending.send(of, key=key.encode(), value=b"")
    sending.flush()
    found = messages(assigned(consumer(), of, 7), lambda found: len(found) == len(common.KEYS))
    return {"elsewhere": sum(common.belongs(m.key, 7) != m.partition for m in found)}


common.run({"job": job, "events": events, "keys": keys})
