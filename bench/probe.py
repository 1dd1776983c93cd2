"""Commands sent while nobody decides, and the moments at which their outcomes come.

Each of them tells by its outcome whether the state is really back: a deposit names the version that the account has reached,
and a repeated id is answered as it was the first time.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, TopicPartition

import client
from client import Codec, Got, Record, Servers
from murmur2 import partition_of

NAMESPACE = "millrace.accounting.commands"
CURRENCY = "EUR"
# Version of every account that `millrace-workload state` writes.
FILLED_VERSION = 2


@dataclass(frozen=True)
class Answer:
    """An outcome: when it was read (seconds since the epoch), and its bytes."""

    at: float
    value: bytes


@dataclass(frozen=True)
class Asked:
    """What was sent: ids of deposits and of repeats, by partition."""

    deposits: dict[int, str]
    repeats: dict[int, str]

    @property
    def ids(self) -> set[str]:
        """All of them."""
        return {*self.deposits.values(), *self.repeats.values()}


def account_id(number: int) -> str:
    """An account of `millrace-workload`."""
    return f"acc-{number:08}"


def remembered_id(number: int) -> str:
    """A command id that `millrace-workload outcomes` has answered, in partition `number` modulo their count; 0 was the first."""
    return f"{number * 0x9E3779B9 & 0xFFFFFFFF:08x}-0000-4000-8000-{number:012x}"


class Probe:
    """A producer of commands and a reader of outcomes from now on, in a thread of its own."""

    def __init__(self, servers: Servers) -> None:
        self.servers, self.codec = servers, Codec(servers.registry)
        self.topic = servers.topic("commands")
        self.partitions = client.partition_count(servers, self.topic)
        # one account in each partition; accounts are numbered densely, so the first few hundred have them all
        self.accounts: dict[int, int] = {}
        for number in range(100 * self.partitions):
            self.accounts.setdefault(partition_of(account_id(number), self.partitions), number)
        self.deposited = dict.fromkeys(range(self.partitions), 0)
        self.producer = client.producer(servers, **{"linger.ms": 0})
        self.answers: dict[str, Answer] = {}
        self.watched: set[str] = set()
        self.stop = threading.Event()
        self.consumer = self._at_the_end()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self.stop.set()
        self.thread.join()
        self.consumer.close()

    def ask(self, ids: int) -> Asked:
        """Sends a deposit to every partition and, if there are `ids` in the windows, one of the older of them."""
        asked = Asked({partition: str(uuid.uuid4()) for partition in self.accounts}, {})
        if ids > 0:
            # not the very first, which a full window forgets for each that is new
            older = ids // 10 // self.partitions * self.partitions
            # under another key than the first time, but in the same partition: ids are remembered by partition
            asked.repeats.update({partition: remembered_id(older + partition) for partition in self.accounts})
        for id_ in asked.ids:
            self.answers.pop(id_, None)
        self.watched |= asked.ids
        for ids in (asked.deposits, asked.repeats):
            for partition, id_ in ids.items():
                self._send(id_, self.accounts[partition])
        if self.producer.flush(30) > 0:
            raise TimeoutError("the commands cannot be sent")
        return asked

    def wait(self, asked: Asked, seconds: float, has_ended: Callable[[], bool]) -> dict[int, float]:
        """Waits until all of it is answered; when each partition's commands got their first answer.

        Raises:
            TimeoutError: some are not, in `seconds`, or whoever was to answer `has_ended`.
        """
        deadline = time.monotonic() + seconds
        while missing := [id_ for id_ in asked.ids if id_ not in self.answers]:
            if time.monotonic() > deadline or has_ended():
                raise TimeoutError(f"{len(missing)} of {len(asked.ids)} commands are unanswered")
            time.sleep(0.005)
        firsts: dict[int, float] = {}
        # by where the command lies: not everybody answers in the same partition
        for ids in (asked.deposits, asked.repeats):
            for partition, id_ in ids.items():
                firsts[partition] = min(firsts.get(partition, math.inf), self.answers[id_].at)
        return firsts

    def check(self, asked: Asked, aggregates: int) -> None:
        """Looks whether the answers show that everything was restored.

        Raises:
            AssertionError: with what they show instead.
        """
        for partition, id_ in asked.deposits.items():
            outcome = self._outcome(id_)
            if self.accounts[partition] < aggregates:
                self.deposited[partition] += 1
                # other deposits may have come between; what was lost would show as a version that is too low
                least = FILLED_VERSION + self.deposited[partition]
                versions = [changed["version"] for changed in outcome["versions"]]
                assert outcome["status"] == "accepted" and versions[0] >= least, (
                    f"a deposit in partition {partition} is answered {outcome}, not with version {least} or more"
                )
            else:
                assert outcome["status"] == "rejected", f"there is no account, but a deposit is answered {outcome}"
        for partition, id_ in asked.repeats.items():
            outcome = self._outcome(id_)
            assert outcome["duplicate"], f"the repeated id of partition {partition} was forgotten: {outcome}"

    def _outcome(self, id_: str) -> Record:
        return self.codec.decode(self.answers[id_].value)

    def _send(self, id_: str, account: int) -> None:
        key = account_id(account)
        data = {"account_id": key, "amount": 1, "currency": CURRENCY, "reference": "probe"}
        command = client.command(id_, "Deposit", data, namespace=NAMESPACE)
        self.producer.produce(self.topic, self.codec.encode(self.topic, command), key.encode())

    def _at_the_end(self) -> Consumer:
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers.kafka,
                "group.id": "probe",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
                "fetch.queue.backoff.ms": 1,
            }
        )
        topic = self.servers.topic("outcomes")
        ends = {n: consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=30)[1] for n in range(self.partitions)}
        consumer.assign([TopicPartition(topic, n, end) for n, end in ends.items()])
        # what is measured must not be the start of this consumer
        waiting, deadline = set(ends), time.monotonic() + 30
        while waiting:
            message = consumer.poll(0.1)
            if message is not None and (error := message.error()) is not None and error.code() == KafkaError._PARTITION_EOF:
                waiting.discard(int(message.partition() or 0))
            if time.monotonic() > deadline:
                raise TimeoutError("the outcomes cannot be read")
        return consumer

    def _read(self) -> None:
        while not self.stop.is_set():
            message = self.consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            at, got = time.time(), Got.of(message)
            if got.text in self.watched:
                self.answers.setdefault(got.text, Answer(at, got.value or b""))
