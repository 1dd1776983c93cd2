"""Topics as a processor would have left them, and processors that are started on them, killed, and looked at."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, ConsumerGroupState, TopicPartition
from confluent_kafka.admin import AdminClient

from contest import DIST, Contest, Contestant
from process import cpu_seconds, memory_mb, peak_memory_mb
from system import free_port

# How long anything that is waited for may take.
PATIENCE = 900.0
GROUP = "accounting.processor"
# What Kafka Streams says when a store is back.
RESTORED = re.compile(r"Finished restoring changelog .* total number of (\d+) records")


def wait_until(what: str, is_so: Callable[[], bool], seconds: float = PATIENCE, look: float = 0.02) -> None:
    """Waits for a condition.

    Raises:
        TimeoutError: it does not come about in `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(look)


@dataclass(frozen=True)
class Phases:
    """What a start came through, by the process's own log: seconds since the epoch, and how many records it read."""

    dealt_at: float
    restored_at: float
    records: int


@dataclass(frozen=True)
class Line:
    """A line of a processor's log: when it was written, seconds since the epoch, and its fields."""

    at: float
    fields: dict[str, Any]


class Started:
    """A process that was started: when, what it says, what it uses."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, at: float, health_port: int = 0) -> None:
        self.process, self.log, self.at, self.health_port = process, log, at, health_port

    def said(self, begin: str, since: float = 0.0) -> list[Line]:
        """Lines of its log (as JSON) whose message begins so, written at `since` or later."""
        found = []
        for text in self.log.read_text(errors="replace").splitlines():
            try:
                line = json.loads(text)
                at, fields = datetime.fromisoformat(line["timestamp"]).timestamp(), line["fields"]
            except (ValueError, KeyError, TypeError):
                continue  # cut off by a kill, or not the logger's
            if at >= since and str(fields.get("message", "")).startswith(begin):
                found.append(Line(at, fields))
        return found

    def phases(self, since: float = 0.0) -> Phases | None:
        """When it was dealt partitions first after `since`, and had the state of the last one; nothing if it does not tell."""
        dealt, restored = self.said("partitions assigned", since), self.said("state restored", since)
        if not dealt or not restored:
            return None
        records = sum(int(line.fields["records"]) for line in restored)
        return Phases(dealt[0].at, max(line.at for line in restored), records)

    def lanes(self) -> list[dict[str, Any]]:
        """Its lanes, as its health endpoint tells."""
        request = f"http://127.0.0.1:{self.health_port}/live"
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return list(json.load(answer)["lanes"])
        except OSError:
            return []  # not listening yet

    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self.process.poll() is not None

    def cpu_seconds(self) -> float:
        """CPU time it has used."""
        return cpu_seconds(self.process.pid)

    def memory_mb(self) -> float:
        """Its resident memory."""
        return memory_mb(self.process.pid)

    def peak_memory_mb(self) -> float:
        """The most resident memory it has had."""
        return peak_memory_mb(self.process.pid)

    def kill(self) -> float:
        """`kill -9`; the moment, seconds since the epoch."""
        at = time.time()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        return at

    def stop(self) -> None:
        """Asks it to end, and waits for that."""
        self.process.terminate()
        self.process.wait(120)


class StartedPeer(Started):
    """A Kafka Streams program."""

    def phases(self, since: float = 0.0) -> Phases | None:
        """As of a processor: until tasks were assigned, and until the last store had been restored."""
        dealt: list[float] = []
        restored: list[float] = []
        records = 0
        for text in self.log.read_text(errors="replace").splitlines():
            first, _, rest = text.partition(" ")
            try:
                at = datetime.fromisoformat(first).timestamp()
            except ValueError:
                continue
            if "Adding newly assigned partitions" in rest:
                dealt.append(at)
            elif found := RESTORED.search(rest):
                restored.append(at)
                records += int(found[1])
        if not dealt or not restored:
            return None
        return Phases(dealt[0], max(restored), records)


class Filled(Contest):
    """Topics of accounting, filled as a processor would have left them."""

    def __init__(self, contestant: Contestant, folder: Path, options: Namespace, **settings: object) -> None:
        super().__init__(contestant, folder, options)
        self.settings = settings
        self.starts = 0

    def start(self) -> None:
        """Makes the topics, and says for the group where its inputs go on: at their beginning.

        A processor that finds states but no offsets takes the offsets for lost and decides nothing.
        """
        super().start()
        settings = {"bootstrap.servers": self.servers.kafka, "group.id": self.servers.prefix + GROUP}
        consumer = Consumer({**settings, "enable.auto.commit": False})
        inputs = [self.servers.topic(suffix) for suffix in ("commands", "steps")]
        offsets = [TopicPartition(topic, n, 0) for topic in inputs for n in range(self.partitions)]
        consumer.commit(offsets=offsets, asynchronous=False)
        consumer.close()

    def processor(self, state: Path | None) -> Started:
        """Starts Millrace's processor, with a folder for its state or without."""
        self.starts += 1
        values = [f"MILLRACE_PROCESSOR_{key.upper()}={value}" for key, value in self.settings.items()]
        port = int(free_port())
        command = ["env", *values, self.millrace, "processor", "accounting", *self.where]
        command += ["--health-port", str(port), "--log-format", "json"]
        command += ["--state-dir", str(state)] if state is not None else []
        at = time.time()
        log = self.launch(f"processor-{self.starts}", command)
        return Started(self.processes[-1], log, at, port)

    def peer(self, contestant: Contestant) -> StartedPeer:
        """Starts a program that is compared; its state is in the folder `state`."""
        self.starts += 1
        at = time.time()
        log = self.launch(f"peer-{self.starts}", contestant.command(self))
        return StartedPeer(self.processes[-1], log, at)

    def load(self, rate: int, seconds: int, accounts: int) -> subprocess.Popen[bytes]:
        """Begins to send commands at a steady rate, each account alike; it ends when all are answered."""
        self.starts += 1
        flags = ["--rate", str(rate), "--seconds", str(seconds), "--warm-up", "0", "--accounts", str(accounts)]
        # other seeds give other ids: none is to be taken for a repeat
        flags += ["--seed", str(1_000 * self.starts)]
        self.launch(f"load-{self.starts}", [str(DIST / "millrace-workload"), *self.where, "rate", *flags])
        return self.processes[-1]

    def await_empty_group(self, group: str = GROUP) -> None:
        """Waits until the group has noticed that its members are gone."""
        admin = AdminClient({"bootstrap.servers": self.servers.kafka, "log_level": 4})
        name = self.servers.prefix + group

        def is_empty() -> bool:
            state = admin.describe_consumer_groups([name])[name].result().state
            return state in (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD)

        wait_until(f"group {name} is empty", is_empty, 120)


def without(folder: Path) -> Path:
    """The folder, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def disk_mb(folder: Path) -> float:
    """What lies in a folder, in megabytes (10^6 bytes)."""
    sizes = (os.path.getsize(Path(where) / name) for where, _, names in os.walk(folder) for name in names)
    return sum(sizes) / 1e6
