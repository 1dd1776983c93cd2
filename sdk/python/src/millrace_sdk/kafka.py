"""A client on Kafka. It needs the extra `kafka` (confluent-kafka)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from .bad import MillraceError
from .domains import ALL
from .domains.envelope import Outcome
from .framing import frame
from .kinds import CommandData, EventTopic, OutcomeTopic
from .messages import Command, Event, UnknownMessage, encode_command
from .partition import partition_of
from .reading import Reading
from .registry import Registry

_CALL_S = 10.0


class NoAnswer(MillraceError):
    """Nobody has said in time what became of a command. Send the very same command again."""


class KafkaClient:
    """Commands and their outcomes, and events, on Kafka. It may be used by several threads, which wait for each other.

    A command goes to the partition that its routing key belongs to, whatever partitioner the settings name.
    """

    def __init__(self, settings: dict[str, Any], registry: str | Registry, topic_prefix: str = "") -> None:
        """`settings` are librdkafka's, `bootstrap.servers` among them."""
        self._settings = settings
        self._registry = registry if isinstance(registry, Registry) else Registry(registry)
        self._prefix = topic_prefix
        self._producer = Producer(settings | {"enable.idempotence": True, "linger.ms": 0})
        self._domains: dict[str, _Domain] = {}
        self._lock = threading.Lock()

    def send(self, command: Command[Any] | CommandData, timeout: float = 30.0) -> Outcome:
        """Sends a command and waits for what becomes of it. Raises `NoAnswer`: then send the very same `Command` again."""
        if isinstance(command, CommandData):
            command = Command(data=command)
        with self._lock:
            until = time.monotonic() + timeout
            domain = self._of(command.domain)
            key = command.data.routing_key()
            failed: list[KafkaError] = []
            self._producer.produce(
                f"{self._prefix}{domain.topics.commands.name}",
                key=key.encode(),
                value=frame(domain.schema_id, encode_command(domain.topics.commands, command)),
                partition=partition_of(key, domain.partitions),
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )
            if self._producer.flush(timeout) > 0:
                raise NoAnswer(f"command {command.id} was not taken within {timeout} s")
            if failed:
                raise KafkaException(failed[0])
            return domain.outcome_of(command.id, until)

    def events(self, domain: str, *, from_start: bool = True) -> Iterator[Event[Any] | UnknownMessage | None]:
        """The events of a domain, partition by partition in their order, for ever; `None` where there is none at the moment."""
        return self._all(ALL[domain].events, from_start)

    def outcomes(self, domain: str, *, from_start: bool = True) -> Iterator[Outcome | None]:
        """What became of the commands of a domain, whoever sent them; `from_start`: from the oldest outcome that is kept on."""
        return self._all(ALL[domain].outcomes, from_start)

    def _all(self, topic: EventTopic | OutcomeTopic, from_start: bool) -> Iterator[Any]:
        name = f"{self._prefix}{topic.name}"
        consumer = Consumer(
            self._settings | {"group.id": "unused", "isolation.level": "read_committed", "enable.auto.commit": False}
        )
        reading = Reading(topic)
        try:
            partitions = range(len(consumer.list_topics(name, _CALL_S).topics[name].partitions))
            begins = [
                0 if from_start else consumer.get_watermark_offsets(TopicPartition(name, n), _CALL_S)[1]
                for n in partitions
            ]
            consumer.assign([TopicPartition(name, n, begin) for n, begin in zip(partitions, begins)])
            while True:
                message = consumer.poll(0.2)
                if message is None:
                    yield None
                elif message.error():
                    raise KafkaException(message.error())
                else:
                    yield self._registry.read(reading, message.value() or b"")
        finally:
            consumer.close()

    def close(self) -> None:
        """Lets go of all connections."""
        for domain in self._domains.values():
            domain.consumer.close()
        self._domains.clear()

    def _of(self, name: str) -> _Domain:
        if name not in self._domains:
            self._domains[name] = _Domain(name, self._settings, self._registry, self._prefix)
        return self._domains[name]


class _Domain:
    """What a client has of a domain: where its commands go, and the outcomes from now on."""

    def __init__(self, name: str, settings: dict[str, Any], registry: Registry, prefix: str) -> None:
        self.topics = ALL[name]
        self.registry = registry
        self.schema_id = registry.id_of(f"{prefix}{self.topics.commands.name}-value", self.topics.commands)
        self.reading = Reading(self.topics.outcomes)
        self.consumer = Consumer(
            settings | {"group.id": "unused", "isolation.level": "read_committed", "enable.auto.commit": False}
        )
        outcomes = f"{prefix}{self.topics.outcomes.name}"
        found = self.consumer.list_topics(outcomes, _CALL_S).topics[outcomes]
        if found.error:
            raise KafkaException(found.error)
        self.partitions = len(found.partitions)
        ends = [
            self.consumer.get_watermark_offsets(TopicPartition(outcomes, n), _CALL_S)[1] for n in range(self.partitions)
        ]
        self.consumer.assign([TopicPartition(outcomes, n, end) for n, end in enumerate(ends)])

    def outcome_of(self, command_id: str, until: float) -> Outcome:
        while (left := until - time.monotonic()) > 0:
            message = self.consumer.poll(min(left, 1.0))
            if message is None or message.error():
                continue
            if message.key() == command_id.encode():
                outcome: Outcome = self.registry.read(self.reading, message.value() or b"")
                return outcome
        raise NoAnswer(f"nobody has said in time what became of command {command_id}")
