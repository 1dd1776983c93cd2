"""How long a processor needs until it decides again after `kill -9`, with many aggregates and a full de-duplication window.

    restore.py [--aggregates 10000000] [--ids 5000000] [--partitions 4] [--only aggregates window both peer]

Needs MILLRACE_TEST_KAFKA and MILLRACE_TEST_REGISTRY, and `make bench-build`. The topics are filled as a processor would have
left them. What counts begins with the start of the process and ends with the first outcome of a command that was sent while
nobody was there; the session time-out, which the group needs to notice a death, is waited for before it and is not in it. A
standby copy cannot be separated from that time-out: there, what counts begins when the group deals out the dead one's partitions.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from contest import DIST, Contestant, check_builds, kafka_streams, millrace  # noqa: E402
from probe import Asked, Probe  # noqa: E402
from report import machine, table, write  # noqa: E402
from restarts import PATIENCE, Filled, Started, disk_mb, wait_until, without  # noqa: E402
from restore_report import (  # noqa: E402
    BARE,
    FROM_FOLDER,
    HEADS,
    IN_MEMORY,
    INTO_FOLDER,
    STANDBY,
    STREAMS_KILLED,
    STREAMS_MEMORY,
    STREAMS_ROCKS,
    STREAMS_STOPPED,
    Restart,
    cells,
    judge,
    middle,
)

# The load before and while a processor is killed: its store is not quite up to date, and a transaction may be open.
LOAD_RATE, LOAD_SECONDS, KILL_AFTER = 500, 10, 8.0
# The shortest that Kafka allows by default.
SESSION_MS = 6_000
# Longer than the hour that is usual, so that the oldest ids stay in the window as long as this runs.
WINDOW_SECONDS = 7_200
# What Kafka Streams is to log, so that its start can be taken apart.
PEER_LOG = [
    "showDateTime=true",
    "dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "log.org.apache.kafka.clients.consumer.internals.ConsumerRebalanceListenerInvoker=info",
    "log.org.apache.kafka.streams.processor.internals.StoreChangelogReader=info",
]
# How long the copies that stand by must have read nothing new to be complete.
SETTLED = 3.0


class Measurement:
    """Restarts on one set of topics."""

    def __init__(self, options: argparse.Namespace, topics: Filled, what: str, aggregates: int, ids: int) -> None:
        self.options, self.topics, self.what = options, topics, what
        self.aggregates, self.ids = aggregates, ids
        self.probe = Probe(topics.servers)
        self.restarts: list[Restart] = []

    def ask(self) -> Asked:
        """Sends the commands whose outcomes are waited for."""
        return self.probe.ask(self.ids)

    def add(self, restart: Restart) -> None:
        """Keeps a restart, and says it."""
        self.restarts.append(restart)
        print("  " + "  ".join(cells(restart)), flush=True)

    def restart(self, how: str, begin: Callable[[], Started]) -> Started:
        """Asks, starts, and waits until every partition has answered."""
        asked = self.ask()
        started = begin()
        firsts = self.probe.wait(asked, PATIENCE, started.has_ended)
        cpu, memory = started.cpu_seconds(), started.peak_memory_mb()
        self.probe.check(asked, self.aggregates)
        restart = Restart(self.what, how, min(firsts.values()) - started.at, max(firsts.values()) - started.at, cpu, memory)
        if phases := started.phases():
            restart.joined, restart.restored = phases.dealt_at - started.at, phases.restored_at - phases.dealt_at
            restart.records = phases.records
        self.add(restart)
        return started

    def put_to_work(self) -> None:
        """Begins a steady load and lets it go on for a while."""
        self.loading = self.topics.load(LOAD_RATE, LOAD_SECONDS, max(self.aggregates, 1_000))
        time.sleep(KILL_AFTER)  # the load, not a condition: checkpoints are taken meanwhile
        if self.loading.poll() is not None:
            raise RuntimeError("the load has ended before its time")

    def await_load(self) -> None:
        """Waits until the load is answered: nothing of it may be lost by a kill."""
        if self.loading.wait(PATIENCE) != 0:
            raise RuntimeError("commands of the load were never answered")

    def read_bare(self) -> None:
        """The client alone reads what the state is made of: no restart from the topics can be faster than that."""
        kinds = (("accounting.state", self.aggregates), ("accounting.outcomes", self.ids))
        servers = self.topics.servers
        program = [str(DIST / "millrace-raw-copy"), "--kafka", servers.kafka, "--topic-prefix", servers.prefix]
        reading = [*program, "--read", *(topic for topic, records in kinds if records)]
        before = os.times()
        read = json.loads(subprocess.run(reading, check=True, capture_output=True, text=True).stdout)
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        seconds = read["seconds"]
        self.add(Restart(self.what, BARE, 0.0, seconds, cpu, 0.0, restored=seconds, records=read["records"]))

    def run(self) -> None:
        """All ways, one after the other."""
        topics, folder = self.topics, self.topics.folder / "state"
        self.read_bare()
        self.restart(IN_MEMORY, lambda: topics.processor(None)).kill()
        topics.await_empty_group()
        one = self.restart(INTO_FOLDER, lambda: topics.processor(without(folder)))
        for _ in range(self.options.runs):
            self.put_to_work()
            one.kill()
            topics.await_empty_group()
            one = self.restart(FROM_FOLDER, lambda: topics.processor(folder))
            self.await_load()
        self.restarts[-1].note = f"{disk_mb(folder):,.0f} MB on disk"
        self.take_over(one)

    def take_over(self, one: Started) -> None:
        """A second processor stands by; the first is killed."""
        folder = without(self.topics.folder / "state-two")
        two = self.topics.processor(folder)
        wait_until("every partition has an owner and a copy", lambda: self.has_settled([one, two]))
        orphans = sorted(running(one))
        self.put_to_work()
        copied = sum(int(lane["detail"].split()[2]) for lane in standing(two).values())
        killed_at = one.kill()
        asked = self.ask()
        firsts = self.probe.wait(asked, PATIENCE, two.has_ended)
        cpu, memory = two.cpu_seconds(), two.peak_memory_mb()
        self.probe.check(asked, self.aggregates)
        phases = two.phases(since=killed_at)
        if phases is None:
            raise RuntimeError("the second processor does not say that it took over")
        waits = [firsts[partition] - phases.dealt_at for partition in orphans]
        restart = Restart(self.what, STANDBY, min(waits), max(waits), cpu, memory)
        restart.restored = phases.restored_at - phases.dealt_at
        restart.records = max(phases.records - copied, 0)
        waited = phases.dealt_at - killed_at
        restart.note = f"the group dealt out partitions {orphans} {waited:.2f} s after the kill"
        self.add(restart)
        self.await_load()
        two.kill()

    def has_settled(self, started: list[Started]) -> bool:
        """Whether every partition has an owner and a copy elsewhere, and no copy has read anything for a while."""
        seen = {}
        for index, one in enumerate(started):
            seen |= {(index, n): lane["detail"] for n, lane in standing(one).items()}
        owned = sorted(n for one in started for n in running(one))
        now = time.monotonic()
        if seen != getattr(self, "seen", None):
            self.seen, self.seen_at = seen, now
        every = list(range(self.options.partitions))
        return owned == every and sorted(n for _, n in seen) == every and now - self.seen_at >= SETTLED


def standing(one: Started) -> dict[int, dict[str, Any]]:
    """Its copies that stand by, by partition."""
    return {lane["partition"]: lane for lane in one.lanes() if lane["role"].endswith(".standby")}


def running(one: Started) -> set[int]:
    """The partitions that it decides."""
    lanes = [lane for lane in one.lanes() if lane["role"] == "accounting.processor" and lane["partition"] >= 0]
    return {lane["partition"] for lane in lanes if lane["state"] == "running"}


@contextmanager
def filled(options: argparse.Namespace, contestant: Contestant) -> Iterator[Filled]:
    """Topics of their own, without records."""
    settings = {"session_timeout_ms": SESSION_MS, "dedup_window_seconds": WINDOW_SECONDS, "standby_copies": 1}
    with (
        tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder,
        Filled(contestant, Path(folder), options, **settings) as topics,
    ):
        yield topics


def measure(options: argparse.Namespace, what: str, aggregates: int, ids: int) -> list[Restart]:
    """All restarts of Millrace with so many aggregates and remembered ids."""
    with filled(options, millrace()) as topics:
        print(f"{what}: {aggregates:,} aggregates, {ids:,} ids, {options.partitions} partitions", flush=True)
        if aggregates:
            topics.workload("state", "--aggregates", str(aggregates))
        if ids:
            topics.workload("outcomes", "--ids", str(ids))
        measurement = Measurement(options, topics, what, aggregates, ids)
        try:
            measurement.run()
        finally:
            measurement.probe.close()
        return measurement.restarts


def measure_peer(options: argparse.Namespace) -> list[Restart]:
    """Restarts of Kafka Streams with the same accounts, each a record of the same bytes in its changelog."""
    log = " ".join(f"-Dorg.slf4j.simpleLogger.{setting}" for setting in PEER_LOG)
    rocks = kafka_streams(STREAMS_ROCKS, java=log, store="rocksdb", threads=options.peer_threads)
    # ten million small arrays with their keys in a tree: the heap of the other runs would not hold them
    memory = kafka_streams(STREAMS_MEMORY, java=f"{log} -Xms6g -Xmx6g", store="memory", threads=options.peer_threads)
    with filled(options, rocks) as topics:
        changelog = f"{topics.servers.prefix}accounting.streams-accounts-changelog"
        print(f"Kafka Streams: {options.aggregates:,} aggregates, {options.partitions} partitions", flush=True)
        measurement = Measurement(options, topics, "aggregates", options.aggregates, 0)
        try:
            # it makes its changelog topic when it starts
            empty = topics.peer(rocks)
            measurement.probe.wait(measurement.ask(), PATIENCE, empty.has_ended)
            empty.stop()
            topics.workload("state", "--aggregates", str(options.aggregates), "--changelog", changelog)
            folder = topics.folder / "state"
            for how, peer, keeps, kills in (
                (STREAMS_MEMORY, memory, False, True),
                (STREAMS_ROCKS, rocks, False, True),
                (STREAMS_KILLED, rocks, True, False),
                (STREAMS_STOPPED, rocks, True, True),
            ):
                topics.await_empty_group("accounting.streams")
                if not keeps:
                    without(folder)
                started = measurement.restart(how, lambda peer=peer: topics.peer(peer))
                started.kill() if kills else started.stop()
        finally:
            measurement.probe.close()
        return measurement.restarts


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aggregates", type=int, default=10_000_000, help="over all partitions")
    parser.add_argument("--ids", type=int, default=5_000_000, help="in the windows of all partitions together")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--runs", type=int, default=3, help="restarts with local state")
    parser.add_argument("--peer-threads", type=int, default=4, help="of Kafka Streams: one a partition restores fastest")
    kinds = ["aggregates", "window", "both", "peer"]
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--millrace", default=str(DIST / "millrace"), help="the binary that is measured")
    parser.add_argument("--name", default="restore", help="of the file in bench/results; - for none")
    options = parser.parse_args()
    check_builds(options)
    sizes = {
        "aggregates": (options.aggregates, 0),
        "window": (0, options.ids),
        "both": (options.aggregates, options.ids),
    }
    restarts: list[Restart] = []
    for what, (aggregates, ids) in sizes.items():
        if what in options.only:
            restarts += measure(options, what, aggregates, ids)
    if "peer" in options.only:
        restarts += measure_peer(options)
    rows = middle(restarts)
    print(f"\n{options.aggregates:,} aggregates, {options.ids:,} ids, {options.partitions} partitions\n")
    print(table(HEADS, [cells(row) for row in rows]))
    verdict = judge(rows)
    print("\n" + "\n".join(verdict))
    if options.name != "-":
        settings = {name: value for name, value in vars(options).items() if name != "millrace"}
        figures = {"machine": machine(), "settings": settings, "restarts": [asdict(one) for one in restarts]}
        print(f"\nwritten to {write(options.name, figures | {'verdict': verdict})}")


if __name__ == "__main__":
    main()
