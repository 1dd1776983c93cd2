"""Who is compared, and how each is started on topics of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from client import Servers, partition_count
from process import cpu_seconds, peak_memory_mb
from system import System

ROOT = Path(__file__).resolve().parent.parent
DIST = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "dist"
STREAMS = ROOT / "bench" / "peers" / "kafka-streams" / "target"
# Nothing is committed for so long: then something is broken.
SILENCE = 60.0
# How often the committed offsets are asked for: far more often than matters for a run of seconds.
LOOK = 0.01


@dataclass(frozen=True)
class Contestant:
    """A system under measurement: its name, its consumer group behind the prefix, and its command line."""

    name: str
    group: str
    command: Callable[[Contest], list[str]]
    # whether it decides, so that its answers can be compared
    decides: bool = True
    note: str = ""


@dataclass(frozen=True)
class Sample:
    """How far a contestant has come, and what it has used for that."""

    at: float
    commands: int
    cpu: float


class Contest(System):
    """One contestant on topics of its own, which are deleted in the end."""

    def __init__(self, contestant: Contestant, folder: Path, options: Namespace) -> None:
        super().__init__(options.millrace, folder)
        self.contestant, self.partitions = contestant, options.partitions
        kafka, registry = (os.environ[f"MILLRACE_TEST_{name}"] for name in ("KAFKA", "REGISTRY"))
        self.servers = Servers(kafka, registry, f"bench-{uuid.uuid4().hex[:10]}.", "accounting")

    def start(self) -> None:
        """Makes the topics; the contestant is started by `run`."""
        self.workload("topics", "--partitions", str(self.partitions))

    def __exit__(self, *failure: Any) -> None:
        """Ends it and gives the disk back."""
        super().__exit__(*failure)
        admin = AdminClient({"bootstrap.servers": self.servers.kafka, "log_level": 4})
        mine = [name for name in admin.list_topics(timeout=30).topics if name.startswith(self.servers.prefix)]
        for deleted in admin.delete_topics(mine, operation_timeout=30).values():
            deleted.result()

    @property
    def where(self) -> list[str]:
        """The flags that say where everything is, alike for all programs."""
        servers = self.servers
        return ["--kafka", servers.kafka, "--registry", servers.registry, "--topic-prefix", servers.prefix]

    def workload(self, *arguments: str) -> dict[str, Any]:
        """Runs `millrace-workload`; gives its report."""
        command = [str(DIST / "millrace-workload"), *self.where, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"millrace-workload {arguments[0]}: {done.stderr.strip()}")
        return dict(json.loads(done.stdout))

    def run(self) -> None:
        """Starts the contestant."""
        self.launch(self.contestant.name.replace(" ", "-"), self.contestant.command(self))

    def reach(self, goals: Iterable[int]) -> Iterator[Sample]:
        """Waits until so many commands are committed, for each goal; gives what had been used at that moment.

        Progress is what the group has committed, which is exact: the commands topic has no transactions in it.
        """
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers.kafka,
                "group.id": self.servers.prefix + self.contestant.group,
                "enable.auto.commit": False,
                "log_level": 4,
                # offsets in an open transaction are not waited for
                "isolation.level": "read_uncommitted",
            }
        )
        topic = self.servers.topic("commands")
        asked = [TopicPartition(topic, n) for n in range(partition_count(self.servers, topic))]
        process = self.processes[-1]
        last, moved = -1, time.perf_counter()
        try:
            for goal in goals:
                while True:
                    found = consumer.committed(asked, timeout=30)
                    now, commands = time.perf_counter(), sum(max(at.offset, 0) for at in found)
                    if commands >= goal:
                        yield Sample(now, commands, cpu_seconds(process.pid))
                        break
                    if commands > last:
                        last, moved = commands, now
                    if process.poll() is not None:
                        raise RuntimeError(f"{self.contestant.name} ended by itself")
                    if now - moved > SILENCE:
                        raise TimeoutError(f"{self.contestant.name} stands still at {commands:,} of {goal:,}")
                    time.sleep(LOOK)
        finally:
            consumer.close()

    def pass_by(self, goal: int) -> Sample:
        """Waits until so many commands are committed."""
        return next(iter(self.reach([goal])))

    @contextmanager
    def profiled(self, file: str | None) -> Iterator[None]:
        """Has `perf` record the contestant meanwhile, if there is a file for it."""
        if file is None:
            yield
            return
        sampling = ["perf", "record", "-q", "-F", "499", "-g", "--call-graph", "dwarf,16384", "-o", file]
        recorder = subprocess.Popen([*sampling, "-p", str(self.processes[-1].pid)])
        try:
            yield
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait()

    def peak_memory_mb(self) -> float:
        """The most memory the contestant has had."""
        return peak_memory_mb(self.processes[-1].pid)


def millrace(name: str = "millrace", note: str = "", **settings: object) -> Contestant:
    """Millrace's processor with local state; settings as in `[processor]`."""

    def command(contest: Contest) -> list[str]:
        values = [f"MILLRACE_PROCESSOR_{key.upper()}={value}" for key, value in settings.items()]
        state = ["--state-dir", str(contest.folder / "state")]
        return ["env", *values, contest.millrace, "processor", "accounting", *contest.where, *state]

    return Contestant(name, "accounting.processor", command, note=note)


def raw_copy(name: str, note: str = "", **flags: object) -> Contestant:
    """The copy that decides nothing."""

    def command(contest: Contest) -> list[str]:
        where = ["--kafka", contest.servers.kafka, "--topic-prefix", contest.servers.prefix]
        return [str(DIST / "millrace-raw-copy"), *where, *_given(flags)]

    return Contestant(name, "accounting.raw-copy", command, decides=False, note=note)


def kafka_streams(name: str, note: str = "", java: str = "", **flags: object) -> Contestant:
    """The same work as a Kafka Streams program."""

    def command(contest: Contest) -> list[str]:
        jars = f"{STREAMS}/classes:{STREAMS}/dependency/*"
        options = [*JAVA, *java.split()]
        state = ["--state-dir", str(contest.folder / "state")]
        program = ["java", *options, "-cp", jars, "millrace.bench.streams.Main"]
        return [*program, *contest.where, *state, *_given(flags)]

    return Contestant(name, "accounting.streams", command, note=note)


# A heap of fixed size and the collector for throughput: on two cores it costs less than G1.
JAVA = ["-Xms1g", "-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]


def _given(flags: dict[str, object]) -> list[str]:
    return [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def add_arguments(parser: ArgumentParser) -> None:
    """The flags that all contests have."""
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=[""], help="of the contestants, those whose name begins so")
    parser.add_argument("--millrace", default=str(DIST / "millrace"), help="the binary that is measured")


def check_builds(options: Namespace) -> None:
    """Names what is not built yet.

    Raises:
        SystemExit: with the command that builds it.
    """
    for program in (options.millrace, DIST / "millrace-workload", DIST / "millrace-raw-copy"):
        if not os.access(program, os.X_OK):
            raise SystemExit(f"there is no {program}; build it with: make bench-build")
    if not (STREAMS / "classes").is_dir() or not (STREAMS / "dependency").is_dir():
        raise SystemExit("the Kafka Streams program is not built; build it with: make bench-build")
