"""Sends the workload to chirp as a foreign client, wave by wave, and waits for every answer.

With `--pause-at PERCENT …` it prints `paused PERCENT` in mid-wave, with answers pending, and goes on when it reads a line:
whoever started it can break something that it then sends into.

With `--steady` it ends after the wave in which its input ends, sends no more than `--rate` commands a second, and says
every second how far it has come.
"""

from __future__ import annotations

import argparse
import json
import select
import sys
import time
from collections import Counter
from itertools import groupby
from pathlib import Path

from confluent_kafka import Message

import client
from client import Codec, Got, Record, Servers
from message import Sending
from murmur2 import partition_of
from workload import Plan, generate

# Nothing arrives for so long: then something has been lost. Longer than a broker, a processor and their
# sessions need to come back.
SILENCE = 120.0
# How often the client is given time to report deliveries.
POLL_EVERY = 250
# The client's way to say: the partitioner decides.
BY_KEY = -1


def to_command(sending: Sending, number: int) -> Record:
    """The envelope. Every fifth says when it was issued; those who do must not lie by more than minutes."""
    metadata: Record = {"trace_id": None, "correlation_id": f"wave-{sending.wave}"}
    if sending.user_id is not None:
        metadata["user_id"] = sending.user_id
    if sending.expected_version is not None:
        metadata["expected_version"] = sending.expected_version
    if number % 5 == 0:
        metadata["issued_at"] = time.time_ns() // 1000
    return client.command(sending.id, sending.type, sending.data, **metadata)


class Loader:
    """One producer, one consumer of outcomes, and the count of what is still to be answered."""

    def __init__(self, servers: Servers, total: int, pauses: list[int]) -> None:
        self.commands = servers.topic("commands")
        self.codec = Codec(servers.registry)
        self.producer = client.producer(servers)
        self.outcomes, self.partitions = client.consumer(servers, servers.topic("outcomes"))
        self.total = total
        self.pauses = sorted(pauses)
        self.sent = 0
        # Where each sending ended up: [number, partition, offset].
        self.places: list[list[int]] = []
        self.unanswered: Counter[str] = Counter()
        self.open = 0
        self.failed: list[str] = []

    def send(self, sending: Sending) -> None:
        """Hands one sending to the producer."""
        number = self.sent
        self.sent += 1
        self.unanswered[sending.id] += 1
        self.open += 1

        def delivered(error: object, message: Message) -> None:
            if error is not None:
                self.failed.append(f"{sending.id}: {error}")
            else:
                got = Got.of(message)
                self.places.append([number, got.partition, got.offset])

        place = BY_KEY
        if sending.wrong_partition:
            place = (partition_of(sending.routing_key, self.partitions) + 1) % self.partitions
        value = self.codec.encode(self.commands, to_command(sending, number))
        key = None if sending.key is None else sending.key.encode()
        self.producer.produce(self.commands, value, key, place, on_delivery=delivered)
        if self.sent % POLL_EVERY == 0:
            self.producer.poll(0)
        if self.pauses and self.sent * 100 >= self.total * self.pauses[0]:
            print(f"paused {self.pauses.pop(0)}", flush=True)
            sys.stdin.readline()

    def await_answers(self) -> None:
        """Waits until everything sent is delivered and answered."""
        last = time.monotonic()
        while self.open > 0 or len(self.producer) > 0:
            self.producer.poll(0)
            if self.failed:
                raise RuntimeError(f"not delivered: {self.failed[:5]}")
            for message in self.outcomes.consume(500, 0.05):
                if message.error() is None:
                    last = time.monotonic()
                    self._answered(Got.of(message))
            if time.monotonic() - last > SILENCE:
                missing = [id_ for id_, count in self.unanswered.items() if count > 0]
                raise TimeoutError(
                    f"{self.open} commands unanswered, {len(self.producer)} undelivered and silence for {SILENCE} s: {missing[:5]}"
                )

    def _answered(self, got: Got) -> None:
        id_ = got.text
        # Outcomes too many are not this one's business; the verifier finds them.
        if self.unanswered[id_] > 0:
            self.unanswered[id_] -= 1
            self.open -= 1


def is_told_to_end() -> bool:
    """Whether the input has ended."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main() -> int:
    """Sends a whole plan."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--plan", type=Path, required=True, help="JSON file with the fields of Plan")
    parser.add_argument("--places", type=Path, required=True, help="where to write what was sent where")
    parser.add_argument("--pause-at", type=int, nargs="*", default=[], help="percent of the commands")
    parser.add_argument("--steady", action="store_true", help="until the input ends")
    parser.add_argument("--rate", type=float, help="most commands a second")
    options = parser.parse_args()

    sendings = generate(Plan(**json.loads(options.plan.read_text()))).sendings
    servers = Servers(options.kafka, options.registry, options.prefix)
    loader = Loader(servers, len(sendings), options.pause_at)
    start = time.monotonic()
    for _, wave in groupby(sendings, key=lambda sending: sending.wave):
        if options.steady and is_told_to_end():
            break
        for sending in wave:
            loader.send(sending)
        loader.await_answers()
        if options.steady:
            print(json.dumps({"sent": loader.sent, "answered": loader.sent - loader.open}), flush=True)
        if options.rate:
            # Not to wait for anything: not to send faster than was asked for.
            time.sleep(max(0.0, start + loader.sent / options.rate - time.monotonic()))
    seconds = time.monotonic() - start
    loader.outcomes.close()
    options.places.write_text(json.dumps(sorted(loader.places)))
    print(f"done {loader.sent} in {seconds:.1f} s, {loader.sent / seconds:.0f} commands/s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
