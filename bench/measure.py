"""The measurements themselves: a prepared audience, a steady rate, a batch."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from statistics import quantiles

from confluent_kafka import KafkaError

import client
from client import Codec, Got, frame
from system import System

AUTHORS = 500
FOLLOWERS = 10
# Of every tenth command the row is watched.
WATCH_EVERY = 10
# Nothing arrives for so long: then something is broken.
SILENCE = 120.0


@dataclass
class Batch:
    """Commands per second of a batch."""

    to_outcome: float
    to_row: float


@dataclass
class Measured:
    """Seconds from sending to outcome and to row, and the batch."""

    outcomes: list[float] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)
    batch: Batch | None = None

    def row(self, target: str, commands: int, rate: int) -> str:
        """A row of the report's table."""
        cells = [target, f"{commands:,}"]
        cells += [f"{self.batch.to_outcome:,.0f}", f"{self.batch.to_row:,.0f}"] if self.batch else ["", ""]
        cells.append(f"{rate}/s")
        for latencies in (self.outcomes, self.rows):
            percentiles = quantiles(latencies, n=100, method="inclusive")
            cells += [f"{percentiles[49] * 1000:.1f} ms", f"{percentiles[98] * 1000:.1f} ms"]
        return "| " + " | ".join(cells) + " |"


class Answers:
    """Reads outcomes in a thread of its own and notes when each arrived."""

    def __init__(self, system: System) -> None:
        self.reading, partitions = client.consumer(system.servers, system.servers.topic("outcomes"))
        # Partitions whose end has been seen: before that, what is measured is the start of the consumer.
        self.ended: set[int] = set()
        self.at: dict[str, float] = {}
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()
        deadline = time.monotonic() + SILENCE
        while len(self.ended) < partitions:
            if time.monotonic() > deadline:
                raise TimeoutError("the outcomes cannot be read")
            time.sleep(0.001)

    def _read(self) -> None:
        while not self.stop.is_set():
            # One at a time: consume() would wait for more to come.
            message = self.reading.poll(0.1)
            if message is None:
                continue
            if (error := message.error()) is None:
                self.at[Got.of(message).text] = time.perf_counter()
            elif error.code() == KafkaError._PARTITION_EOF:
                self.ended.add(int(message.partition() or 0))

    def wait(self, count: int) -> None:
        """Waits until so many commands are answered."""
        last, seen = time.monotonic(), len(self.at)
        while len(self.at) < count:
            if len(self.at) > seen:
                last, seen = time.monotonic(), len(self.at)
            if time.monotonic() - last > SILENCE:
                raise TimeoutError(f"{count - seen} commands are unanswered")
            time.sleep(0.001)

    def close(self) -> None:
        """Ends the thread."""
        self.stop.set()
        self.thread.join()
        self.reading.close()


class Sender:
    """Encodes beforehand, sends bytes."""

    def __init__(self, system: System, **options: object) -> None:
        self.topic = system.servers.topic("commands")
        self.schema_id, self.schema = Codec(system.servers.registry).newest(self.topic)
        self.producer = client.producer(system.servers, **options)

    def encode(self, id_: str, kind: str, **data: str) -> bytes:
        """A command's bytes."""
        return frame(self.schema_id, self.schema, client.command(id_, kind, data))

    def send(self, key: str, value: bytes) -> None:
        """Hands a record to the producer, waiting where its queue is full."""
        while True:
            try:
                return self.producer.produce(self.topic, value, key.encode())
            except BufferError:
                self.producer.poll(0.01)


def prepare(system: System) -> list[str]:
    """Registers authors, each followed by a few of the others; gives the authors."""
    authors = [f"author-{n}" for n in range(AUTHORS)]
    sender, answers = Sender(system), Answers(system)
    try:
        for n, author in enumerate(authors):
            sender.send(
                author, sender.encode(f"r-{n}", "RegisterUser", user_id=author, username=f"Author_{n}")
            )
        answers.wait(AUTHORS)
        for n, author in enumerate(authors):
            for step in range(1, FOLLOWERS + 1):
                follower = authors[(n + step) % AUTHORS]
                data = {"follower_id": follower, "followee_id": author}
                sender.send(author, sender.encode(f"f-{n}-{step}", "FollowUser", **data))
        answers.wait(AUTHORS * (1 + FOLLOWERS))
        sender.producer.flush(60)
    finally:
        answers.close()
    return authors


def latency(system: System, authors: list[str], rate: int, seconds: int) -> Measured:
    """Commands at a steady rate; every outcome is timed, and every tenth row.

    Which rows are watched is settled beforehand: to watch the next one when the last one has come would leave out
    just those that were sent while one was late.
    """
    count = rate * seconds
    tag = f"{rate}x{seconds}"
    sender, answers = Sender(system, **{"linger.ms": 0}), Answers(system)
    payloads = [
        sender.encode(
            f"l-{tag}-{n}", "PostChirp", chirp_id=f"{tag}-{n}", author_id=author, content=f"chirp {n}"
        )
        for n, author in ((n, authors[n % AUTHORS]) for n in range(count))
    ]
    sent: dict[int, float] = {}
    measured = Measured()
    failed = threading.Event()

    def watch_rows() -> None:
        watched = range(0, count, WATCH_EVERY)
        begun, waiting = 0, set[int]()
        deadline = time.perf_counter() + seconds + SILENCE
        while (waiting or begun < len(watched)) and not failed.is_set() and time.perf_counter() < deadline:
            while begun < len(watched) and watched[begun] in sent:
                waiting.add(watched[begun])
                begun += 1
            for n in sorted(waiting):
                if system.rows.has_chirp(authors[n % AUTHORS], f"{tag}-{n}"):
                    measured.rows.append(time.perf_counter() - sent[n])
                    waiting.discard(n)
            time.sleep(0.0005)

    watcher = threading.Thread(target=watch_rows)
    before = len(answers.at)
    watcher.start()
    start = time.perf_counter()
    for n, payload in enumerate(payloads):
        while (wait := start + n / rate - time.perf_counter()) > 0:
            sender.producer.poll(min(wait, 0.005))
        sent[n] = time.perf_counter()
        sender.send(authors[n % AUTHORS], payload)
    sender.producer.flush(60)
    try:
        wait_for_ids(answers, [f"l-{tag}-{n}" for n in range(count)], before)
    except TimeoutError:
        failed.set()
        raise
    finally:
        watcher.join()
        answers.close()
    measured.outcomes = [answers.at[f"l-{tag}-{n}"] - at for n, at in sent.items()]
    return measured


def throughput(system: System, authors: list[str], count: int) -> Batch:
    """A batch as fast as it goes."""
    sender, answers = (
        Sender(system, **{"linger.ms": 5, "queue.buffering.max.messages": count}),
        Answers(system),
    )
    wanted = [f"b-{n}" for n in range(count)]
    payloads = [
        sender.encode(id_, "PostChirp", chirp_id=id_, author_id=authors[n % AUTHORS], content=f"chirp {n}")
        for n, id_ in enumerate(wanted)
    ]
    start = time.perf_counter()
    for n, payload in enumerate(payloads):
        sender.send(authors[n % AUTHORS], payload)
        if n % 1_000 == 0:
            sender.producer.poll(0)
    sender.producer.flush(120)
    try:
        wait_for_ids(answers, wanted, 0)
    finally:
        answers.close()
    answered = max(answers.at[id_] for id_ in wanted)
    # Rows come in the order of their partition: with the last ones of many authors, all are there.
    deadline = time.monotonic() + SILENCE
    for n in range(count - min(AUTHORS, count), count):
        while not system.rows.has_chirp(authors[n % AUTHORS], wanted[n]):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the row of {wanted[n]} is missing")
            time.sleep(0.002)
    return Batch(count / (answered - start), count / (time.perf_counter() - start))


def wait_for_ids(answers: Answers, ids: list[str], before: int) -> None:
    """Waits until every one of these is answered, whatever else is in the topic."""
    missing = set(ids)
    last, seen = time.monotonic(), before
    while True:
        missing = {id_ for id_ in missing if id_ not in answers.at}
        if not missing:
            return
        if len(answers.at) > seen:
            last, seen = time.monotonic(), len(answers.at)
        if time.monotonic() - last > SILENCE:
            raise TimeoutError(f"{len(missing)} commands are unanswered, among them {min(missing)}")
        time.sleep(0.05)
