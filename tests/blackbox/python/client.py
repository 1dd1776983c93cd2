"""A foreign Kafka client: confluent-kafka and fastavro, with the schemas fetched from the registry.

Nothing of the project is used. What these few lines do is what any producer or consumer has to do.
"""

from __future__ import annotations

import io
import json
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fastavro
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient

Record = dict[str, Any]

COMMANDS = "millrace.chirp.commands"


@dataclass(frozen=True)
class Servers:
    """Where the system under test is, the prefix of its topics, and whose they are."""

    kafka: str
    registry: str
    prefix: str = ""
    domain: str = "chirp"

    def topic(self, suffix: str) -> str:
        """The full name of one of the domain's topics."""
        return f"{self.prefix}{self.domain}.{suffix}"


def _plain(schema: Any) -> Any:
    """The schema without logical types: times stay the microseconds they are, as exact numbers."""
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if key != "logicalType"}
    if isinstance(schema, list):
        return [_plain(value) for value in schema]
    return schema


@dataclass(frozen=True)
class Got:
    """A record as it was read."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]

    @staticmethod
    def of(message: Message) -> Got:
        """The record in a client's message."""
        headers = {name: as_bytes(value) or b"" for name, value in dict(message.headers() or []).items()}
        key, value = as_bytes(message.key()), as_bytes(message.value())
        return Got(int(message.partition() or 0), int(message.offset() or 0), key, value, headers)

    @property
    def text(self) -> str:
        """The key of a record that has one."""
        return (self.key or b"").decode()


def as_bytes(value: str | bytes | None) -> bytes | None:
    """Keys, values and headers are bytes, whatever the client calls them."""
    return value.encode() if isinstance(value, str) else value


class Codec:
    """Messages to and from the registry's wire format: a zero, the schema's id, the Avro body."""

    def __init__(self, registry: str) -> None:
        self.registry = SchemaRegistryClient({"url": registry})
        self._by_id: dict[int, Any] = {}
        self._newest: dict[str, tuple[int, Any]] = {}

    def newest(self, topic: str) -> tuple[int, Any]:
        """Id and parsed schema of the newest version for a topic's values."""
        if topic not in self._newest:
            found = self.registry.get_latest_version(f"{topic}-value")
            self._newest[topic] = (int(found.schema_id or 0), self._parse(found.schema.schema_str))
        return self._newest[topic]

    def encode(self, topic: str, value: Record) -> bytes:
        """A value for the topic, written with its newest schema."""
        schema_id, schema = self.newest(topic)
        return frame(schema_id, schema, value)

    def decode(self, payload: bytes | None) -> Record:
        """A value as its writer meant it; a union branch is a pair of record name and fields."""
        if payload is None:
            raise ValueError("a tombstone has no content")
        magic, schema_id = struct.unpack(">bI", payload[:5])
        if magic != 0:
            raise ValueError(f"magic byte is {magic}")
        if schema_id not in self._by_id:
            self._by_id[schema_id] = self._parse(self.registry.get_schema(schema_id).schema_str)
        schema = self._by_id[schema_id]
        body = io.BytesIO(payload[5:])
        value = fastavro.schemaless_reader(
            body, schema, None, return_record_name=True, return_record_name_override=True
        )
        if not isinstance(value, dict):
            raise ValueError(f"not a record: {value!r}")
        return value

    @staticmethod
    def _parse(text: str | None) -> Any:
        return fastavro.parse_schema(_plain(json.loads(text or "null")))


def frame(schema_id: int, schema: Any, value: Record) -> bytes:
    """A value in the wire format."""
    body = io.BytesIO()
    body.write(struct.pack(">bI", 0, schema_id))
    fastavro.schemaless_writer(body, schema, value)
    return body.getvalue()


def command(id_: str, kind: str, data: Record, /, namespace: str = COMMANDS, **metadata: Any) -> Record:
    """A command's envelope; metadata that is not given is null."""
    return {"id": id_, "metadata": metadata, "data": (f"{namespace}.{kind}", data)}


def producer(servers: Servers, **options: Any) -> Producer:
    """A producer that puts keys where the Java client would, and keeps their order through broker restarts."""
    return Producer(
        {
            "bootstrap.servers": servers.kafka,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
            "linger.ms": 2,
            "message.timeout.ms": 180_000,
            "reconnect.backoff.max.ms": 1_000,
            **options,
        }
    )


def consumer(servers: Servers, topic: str) -> tuple[Consumer, int]:
    """A read-committed consumer of all partitions of a topic from the beginning, and how many there are."""
    reading = Consumer(
        {
            "bootstrap.servers": servers.kafka,
            "group.id": "foreign-reader",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "fetch.queue.backoff.ms": 5,
            "reconnect.backoff.max.ms": 1_000,
        }
    )
    partitions = partition_count(servers, topic)
    reading.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in range(partitions)])
    return reading, partitions


def partition_count(servers: Servers, topic: str) -> int:
    """How many partitions a topic has."""
    admin = AdminClient({"bootstrap.servers": servers.kafka})
    found = admin.list_topics(topic, timeout=30).topics[topic]
    if found.error is not None:
        raise RuntimeError(f"topic {topic}: {found.error}")
    return len(found.partitions)


def read_all(servers: Servers, topic: str, timeout: float = 60) -> Iterator[Got]:
    """Everything committed in a topic now, to the end of every partition."""
    reading, partitions = consumer(servers, topic)
    open_partitions = set(range(partitions))
    deadline = time.monotonic() + timeout
    try:
        while open_partitions:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{topic}: partitions {sorted(open_partitions)} did not end within {timeout} s"
                )
            message = reading.poll(1)
            if message is None:
                continue
            error = message.error()
            if error is None:
                yield Got.of(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                open_partitions.discard(message.partition())
            elif not error.retriable() and error.fatal():
                raise RuntimeError(f"{topic}: {error}")
    finally:
        reading.close()
