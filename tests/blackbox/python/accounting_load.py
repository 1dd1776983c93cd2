"""Sends accounting commands at a steady rate until its input ends, then waits for every answer.

It does not wait for answers to send on, as customers do not. A line of JSON a second says how many commands are sent and
answered; another says whenever a partition has answered again after a pause, and how long that was.
"""

from __future__ import annotations

import argparse
import json
import select
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, KafkaException, Message, TopicPartition

import client
from accounting_workload import Customers, Order
from client import Codec, Got, Record, Servers
from murmur2 import partition_of

# No answer at all for so long, and something has been lost. Longer than all servers and sessions need to come back.
SILENCE = 150.0
# No answer for so long, and the reader is opened anew: after restarts of the broker librdkafka's consumer has been seen to
# stand still for minutes while committed outcomes lay behind its position.
READER_SILENCE = 45.0
# Shorter pauses than this are not worth a line, in seconds.
PAUSE = 0.5
BY_KEY = -1


def to_command(order: Order, number: int, namespace: str) -> Record:
    """The envelope. Every fifth says when it was issued."""
    metadata: Record = {}
    if order.user_id is not None:
        metadata["user_id"] = order.user_id
    if order.expected_version is not None:
        metadata["expected_version"] = order.expected_version
    if number % 5 == 0:
        metadata["issued_at"] = time.time_ns() // 1000
    return client.command(order.id, order.type, order.data, namespace=namespace, **metadata)


class Load:
    """One producer, one reader of outcomes, and the count of what is still to be answered."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.commands = servers.topic("commands")
        self.heard_at = time.monotonic()
        self.codec = Codec(servers.registry)
        # Fetched while the registry is there.
        self.codec.newest(self.commands)
        self.producer = client.producer(servers, **{"queue.buffering.max.messages": 500_000})
        self.outcomes, self.partitions = client.consumer(servers, servers.topic("outcomes"))
        self.sent = 0
        self.answered = 0
        # What the broker has acknowledged: [id, partition, offset].
        self.places: list[tuple[str, int, int]] = []
        self.failed: list[str] = []
        self.unanswered: Counter[str] = Counter()
        self.since: dict[str, float] = {}
        self.latencies: list[float] = []
        self.last: dict[int, float] = {}

    def send(self, order: Order) -> None:
        """Hands one command to the producer."""

        def delivered(error: object, message: Message) -> None:
            if error is not None:
                self.failed.append(f"{order.id}: {error}")
            else:
                got = Got.of(message)
                self.places.append((order.id, got.partition, got.offset))

        key: bytes | None = order.routing_key.encode()
        place = BY_KEY
        if order.astray == "key":
            key = b"another-" + (key or b"")
        elif order.astray == "no key":
            key = None
        elif order.astray == "partition":
            place = (partition_of(order.routing_key, self.partitions) + 1) % self.partitions
        value = self.codec.encode(self.commands, to_command(order, self.sent, f"millrace.{self.servers.domain}.commands"))
        self.producer.produce(self.commands, value, key, place, on_delivery=delivered)
        self.sent += 1
        self.unanswered[order.id] += 1
        self.since.setdefault(order.id, time.monotonic())

    def take_answers(self, seconds: float) -> int:
        """Reads the outcomes that have come; how many."""
        self.producer.poll(0)
        if self.failed:
            raise RuntimeError(f"not delivered: {self.failed[:5]}")
        count = 0
        for message in self.outcomes.consume(1000, seconds):
            if message.error() is None:
                count += 1
                self._answered(Got.of(message))
        now = time.monotonic()
        if count > 0 or self.answered == self.sent:
            self.heard_at = now
        elif now - self.heard_at > READER_SILENCE:
            self.heard_at = now
            self._read_anew()
        return count

    def _read_anew(self) -> None:
        """Goes on reading where it stands, with another consumer."""
        at = self.outcomes.position(self.outcomes.assignment())
        print(f"no outcome for {READER_SILENCE} s, reading anew: {self.reading()}", file=sys.stderr, flush=True)
        self.outcomes.close()
        self.outcomes, _ = client.consumer(self.servers, self.servers.topic("outcomes"))
        # those of which nothing was read yet begin at their beginning, as the consumer was made
        self.outcomes.assign([place if place.offset >= 0 else _beginning_of(place) for place in at])

    def _answered(self, got: Got) -> None:
        now = time.monotonic()
        before = self.last.get(got.partition)
        if before is not None and now - before > PAUSE:
            print(json.dumps({"gap": round(now - before, 3), "partition": got.partition}), flush=True)
        self.last[got.partition] = now
        # Outcomes too many are the verifier's business.
        if self.unanswered[got.text] > 0:
            self.unanswered[got.text] -= 1
            self.answered += 1
            if (since := self.since.pop(got.text, None)) is not None:
                self.latencies.append(now - since)

    def reading(self) -> str:
        """Where the outcomes are read, and where they end: whether answers are missing or only unread."""
        at = self.outcomes.position(self.outcomes.assignment())
        try:
            ends = str([self.outcomes.get_watermark_offsets(place, timeout=5)[1] for place in at])
        except KafkaException as fault:
            ends = f"(the broker does not say: {fault})"
        return f"outcomes read up to {[place.offset for place in at]} of {ends}"

    def say(self) -> None:
        """How far it has come."""
        print(json.dumps({"sent": self.sent, "answered": self.answered}), flush=True)


def _beginning_of(place: TopicPartition) -> TopicPartition:
    return TopicPartition(place.topic, place.partition, OFFSET_BEGINNING)


def is_told_to_end() -> bool:
    """Whether the input has ended."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def send_steadily(load: Load, seed: int, rate: float) -> None:
    """Sends until told to end."""
    orders = Customers(seed).orders()
    start = said = time.monotonic()
    while not is_told_to_end():
        due = (time.monotonic() - start) * rate
        while load.sent < due:
            load.send(next(orders))
            if load.sent % 100 == 0:
                load.producer.poll(0)
        load.take_answers(0.02)
        if time.monotonic() > said + 1:
            said = time.monotonic()
            load.say()


def await_answers(load: Load, say: Callable[[], None]) -> None:
    """Waits until everything sent is delivered and answered, and says now and then how far that is."""
    last = said = time.monotonic()
    while load.answered < load.sent or len(load.producer) > 0:
        if load.take_answers(0.1) > 0:
            last = time.monotonic()
        if time.monotonic() > last + SILENCE:
            missing = [id_ for id_, count in load.unanswered.items() if count > 0]
            raise TimeoutError(
                f"{len(missing)} commands unanswered and {len(load.producer)} undelivered after {SILENCE} s of silence: "
                f"{missing[:20]}; {load.reading()}"
            )
        if time.monotonic() > said + 1:
            said = time.monotonic()
            say()
    say()


def main() -> int:
    """Sends, waits, and writes down what was acknowledged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--rate", type=float, default=300.0, help="commands a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sent", type=Path, required=True, help="where to write what was acknowledged")
    options = parser.parse_args()
    load = Load(Servers(options.kafka, options.registry, options.prefix, "accounting"))
    try:
        send_steadily(load, options.seed, options.rate)
        await_answers(load, load.say)
    finally:
        options.sent.write_text(json.dumps(load.places))
    load.outcomes.close()
    latencies = sorted(load.latencies)
    quantile = {q: round(latencies[int(q * (len(latencies) - 1))], 3) for q in (0.5, 0.9, 0.99, 1.0)}
    print(json.dumps({"latency": quantile}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
