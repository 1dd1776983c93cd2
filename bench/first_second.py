"""How long a command of the command line takes that ends by itself, from its start to its end, on an idle system.

    first_second.py [--only embedded kafka] [--runs N] [--millrace FILE]

    embedded    `millrace up` in a temporary folder
    kafka       a processor and a projector on the servers that MILLRACE_TEST_KAFKA and MILLRACE_TEST_REGISTRY name,
                with tables of SQLite

Beside it stands the bare client: in a Python that has started and loaded everything, a producer and a consumer are made,
connect, send the same command, and read its outcome; and what starting the binary takes that reads its settings and ends.
`make bench-first-second` builds what is measured and starts the servers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition  # noqa: E402

import client  # noqa: E402
from client import Codec, Got, Servers, frame  # noqa: E402
from murmur2 import partition_of  # noqa: E402
from report import machine, settings, table, write  # noqa: E402
from system import Embedded, Logged, System  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
KINDS: dict[str, type[System]] = {"embedded": Embedded, "kafka": Logged}
# What is aimed at, from start to end, on an idle machine.
MOST_MS = 100.0
# Nothing takes so long unless something is broken.
PATIENCE = 60.0
OPEN = ["OpenAccount", "owner_id=ann", "currency=EUR"]


@dataclass(frozen=True)
class Taken:
    """What one run took: by the clock, and of the processor, in milliseconds."""

    wall_ms: float
    cpu_ms: float


def timed(millrace: str, folder: Path, arguments: list[str], stdin: bytes = b"") -> Taken:
    """Runs the binary once.

    Raises:
        RuntimeError: it failed, with what it said.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_")}
    start = time.perf_counter()
    process = subprocess.Popen(
        [millrace, *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**environment, "XDG_STATE_HOME": str(folder)},
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(stdin)
    process.stdin.close()
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode != 0:
        raise RuntimeError(f"millrace {' '.join(arguments)}: {said.decode(errors='replace')}")
    return Taken(wall * 1_000, (used.ru_utime + used.ru_stime) * 1_000)


class Bare:
    """The same by the client alone."""

    def __init__(self, servers: Servers) -> None:
        self.servers = Servers(servers.kafka, servers.registry, servers.prefix, "accounting")
        self.topic = self.servers.topic("commands")
        self.schema_id, self.schema = Codec(servers.registry).newest(self.topic)
        self.partitions = client.partition_count(self.servers, self.topic)

    def run(self) -> Taken:
        """Connects, sends one command and reads its outcome.

        Raises:
            TimeoutError: none came.
        """
        id_, account = str(uuid.uuid4()), fresh()
        data = {"account_id": account, "owner_id": "ann", "currency": "EUR"}
        value = frame(
            self.schema_id,
            self.schema,
            client.command(id_, "OpenAccount", data, namespace="millrace.accounting.commands"),
        )
        start, used = time.perf_counter(), time.process_time()
        at = TopicPartition(self.servers.topic("outcomes"), partition_of(account, self.partitions))
        consumer = Consumer(
            {
                "bootstrap.servers": self.servers.kafka,
                "group.id": "bench-bare",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 100,
            }
        )
        at.offset = consumer.get_watermark_offsets(at, timeout=PATIENCE)[1]
        consumer.assign([at])
        producer = Producer({"bootstrap.servers": self.servers.kafka, "acks": "all", "linger.ms": 0})
        producer.produce(self.topic, value, account.encode(), partition=at.partition)
        producer.flush(PATIENCE)
        self._await(consumer, id_)
        taken = Taken((time.perf_counter() - start) * 1_000, (time.process_time() - used) * 1_000)
        consumer.close()
        return taken

    @staticmethod
    def _await(consumer: Consumer, id_: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            message = consumer.poll(0.1)
            if message is None:
                continue
            if (error := message.error()) is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    raise RuntimeError(str(error))
            elif Got.of(message).text == id_:
                return
        raise TimeoutError(f"no outcome of {id_}")


def fresh() -> str:
    """An account that nobody has."""
    return f"a-{uuid.uuid4().hex}"


def contestants(system: System) -> dict[str, Callable[[], Taken]]:
    """What is measured, by name, in the order of the report."""
    bare = Bare(system.servers)

    def run(*arguments: str, stdin: bytes = b"") -> Taken:
        return timed(system.millrace, system.folder, [*arguments, *system.flags], stdin)

    def send(*flags: str) -> Taken:
        return run("send", *OPEN, f"account_id={fresh()}", *flags)

    def load(*flags: str) -> Taken:
        data = {"account_id": fresh(), "owner_id": "ann", "currency": "EUR"}
        line = json.dumps({"type": "OpenAccount", "data": data}).encode() + b"\n"
        return run("load", "-", *flags, stdin=line)

    return {
        "a start alone (`config`)": lambda: run("config"),
        "bare client, command to outcome": bare.run,
        "`send`": send,
        "`send --wait`": lambda: send("--wait"),
        "`send --wait-for account_balances`": lambda: send("--wait-for", "account_balances"),
        "`load` of one line": load,
        "`load --wait` of one line": lambda: load("--wait"),
        "`query`": lambda: run("query", "account_balances", "--limit", "1"),
        "`status`": lambda: run("status"),
        "`dead list`": lambda: run("dead", "list"),
        "`topics plan`": lambda: run("topics", "plan"),
        "`schemas check`": lambda: run("schemas", "check"),
        "`tables plan`": lambda: run("tables", "plan"),
    }


def measure(system: System, runs: int) -> dict[str, dict[str, float]]:
    """Medians and minima of each, in milliseconds; all take turns, so that a bad moment is everybody's."""
    chosen = contestants(system)
    taken: dict[str, list[Taken]] = {name: [] for name in chosen}
    for turn in range(runs + 1):
        for name, run in chosen.items():
            one = run()
            if turn > 0:  # the first time loads what is on disk
                taken[name].append(one)
    return {
        name: {
            "median_ms": median(one.wall_ms for one in all_),
            "least_ms": min(one.wall_ms for one in all_),
            "most_ms": max(one.wall_ms for one in all_),
            "cpu_median_ms": median(one.cpu_ms for one in all_),
            "cpu_least_ms": min(one.cpu_ms for one in all_),
        }
        for name, all_ in taken.items()
    }


def rows(target: str, found: dict[str, dict[str, float]]) -> list[list[str]]:
    """Lines of the report's table."""
    start, bare = (found[name]["median_ms"] for name in list(found)[:2])
    lines = []
    for name, of in found.items():
        ratio = f"{of['median_ms'] / (start + bare):.1f} ×" if "--wait" in name else ""
        figures = [of["median_ms"], of["least_ms"], of["cpu_median_ms"], of["cpu_least_ms"]]
        lines.append([target, name, *(f"{figure:.0f}" for figure in figures), ratio])
    return lines


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--runs", type=int, default=20, help="how often each is run, beside a first time")
    parser.add_argument("--millrace", default=str(ROOT / "target" / "dist" / "millrace"))
    parser.add_argument("--name", default="first-second", help="of the file in bench/results; - for none")
    options = parser.parse_args()
    if not os.access(options.millrace, os.X_OK):
        sys.exit(f"there is no {options.millrace}; build it with: make dist")
    figures: dict[str, Any] = {"machine": machine(), "settings": settings(options)}
    lines = []
    for target in options.only:
        with (
            tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder,
            KINDS[target](os.path.abspath(options.millrace), Path(folder)) as system,
        ):
            figures[target] = measure(system, options.runs)
        lines += rows(target, figures[target])
    figures["machine"]["load_after"] = [round(load, 2) for load in os.getloadavg()]
    print(table(["servers", "command", "median ms", "least ms", "CPU ms", "least CPU ms", "of start and bare client"], lines))
    for target in options.only:
        waits = {name: of["median_ms"] for name, of in figures[target].items() if "--wait" in name}
        slowest = max(waits, key=lambda name: waits[name])
        print(f"{target}: the slowest that waits is {slowest}, {waits[slowest]:.0f} ms (aim: {MOST_MS:g})")
    if options.name != "-":
        print(f"\nwritten to {write(options.name, figures)}")


if __name__ == "__main__":
    main()
