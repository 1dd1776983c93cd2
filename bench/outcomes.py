"""What the outcomes of others cost a gateway, which reads all of its domains' and decodes those that somebody waits for.

    outcomes.py [embedded|kafka] [--count 1000000] [--batches 10,100,1000] [--millrace FILE]

Starts the system and a gateway of its own beside it, lets it answer one command, and writes copies of that outcome under other
keys into chirp's outcomes, as fast as they go, in batches of so many records, as large as transactions of processors make them.
Gives the CPU time of the gateway for each, less what it takes at rest, and the most memory it has held; and from those what
100,000 a second would take, whether this machine can make as many or not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from confluent_kafka import Producer  # noqa: E402

import client  # noqa: E402
from gateway import Connection, until_taken  # noqa: E402
from process import cpu_seconds, peak_memory_mb  # noqa: E402
from report import machine, settings, table, write  # noqa: E402
from system import Embedded, Logged, System, free_port  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
# What is asked about, outcomes a second.
RATE = 100_000
READ = 'millrace_gateway_outcomes_read_total{domain="chirp"}'
REST_SECONDS = 5.0
SECONDS = 600.0


class Reader:
    """A gateway, and what it says that it has read."""

    def __init__(self, system: System) -> None:
        port, health = free_port(), free_port()
        system.role("gateway", "gateway", "--listen", f"127.0.0.1:{port}", "--health-port", health, *system.flags)
        self.port, self.health, self.pid = int(port), health, system.processes[-1].pid
        deadline = time.monotonic() + 60
        while not self._is_there():
            if time.monotonic() > deadline:
                raise RuntimeError("the gateway does not answer")
            time.sleep(0.05)
        asyncio.run(until_taken(Connection(self.port)))

    def _is_there(self) -> bool:
        try:
            return self.read() >= 0
        except OSError:
            return False

    def read(self) -> int:
        """How many outcomes it has read."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return next((int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith(READ)), 0)


def at_rest(reader: Reader) -> float:
    """CPU seconds a second while nothing happens."""
    before = cpu_seconds(reader.pid)
    time.sleep(REST_SECONDS)
    return (cpu_seconds(reader.pid) - before) / REST_SECONDS


def flood(system: System, reader: Reader, outcome: bytes, count: int, batch: int) -> tuple[float, float]:
    """Writes so many copies in such batches; seconds until all are read, and the gateway's CPU seconds.

    Raises:
        TimeoutError: they are not read.
    """
    tag, topic, before = uuid.uuid4().hex[:8], system.servers.topic("outcomes"), reader.read()
    producer = Producer(
        {"bootstrap.servers": system.servers.kafka, "linger.ms": 50, "batch.num.messages": batch, "queue.buffering.max.messages": 500_000}
    )
    begin, cpu = time.monotonic(), cpu_seconds(reader.pid)
    for n in range(count):
        while True:
            try:
                producer.produce(topic, outcome, f"{tag}-{n:020}")
                break
            except BufferError:
                producer.poll(0.05)
        if n % 1_000 == 0:
            producer.poll(0)
    producer.flush(SECONDS)
    while reader.read() < before + count:
        if time.monotonic() > begin + SECONDS:
            raise TimeoutError(f"{reader.read() - before} of {count} are read after {SECONDS} s")
        time.sleep(0.02)
    return time.monotonic() - begin, cpu_seconds(reader.pid) - cpu


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["embedded", "kafka"], default="embedded")
    parser.add_argument("--count", type=int, default=1_000_000, help="outcomes of each round")
    parser.add_argument("--batches", default="10,100,1000", help="records a batch, of each round")
    parser.add_argument("--millrace", default=str(ROOT / "target" / "dist" / "millrace"))
    parser.add_argument("--name", default="outcomes", help="of the file in bench/results; - for none")
    options = parser.parse_args()
    if not os.access(options.millrace, os.X_OK):
        sys.exit(f"there is no {options.millrace}; build it with: cargo build --profile dist -p millrace-cli")
    rounds: list[dict[str, Any]] = []
    shape = {"embedded": Embedded, "kafka": Logged}[options.what]
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder, shape(options.millrace, Path(folder)) as system:
        reader = Reader(system)
        outcome = next(got.value for got in client.read_all(system.servers, system.servers.topic("outcomes")))
        assert outcome is not None
        flood(system, reader, outcome, options.count // 10, 1_000)
        rest = at_rest(reader)
        for batch in map(int, options.batches.split(",")):
            seconds, cpu = flood(system, reader, outcome, options.count, batch)
            each = (cpu - rest * seconds) / options.count
            rounds.append({"batch": batch, "read_per_second": options.count / seconds, "cpu_us": each * 1e6, "cores": each * RATE})
        memory = peak_memory_mb(reader.pid)
    rows = [
        [f"{it['batch']:,}", f"{it['read_per_second']:,.0f}/s", f"{it['cpu_us']:.2f} µs", f"{it['cores']:.2f}"] for it in rounds
    ]
    print(table(["records a batch", "read here", "CPU of an outcome", f"cores at {RATE:,}/s"], rows))
    print(f"\nan outcome has {len(outcome)} bytes; most memory {memory:.0f} MB; at rest {rest * 1000:.1f} ms of CPU a second")
    if options.name != "-":
        figures = {"rounds": rounds, "outcome_bytes": len(outcome), "most_memory_mb": memory, "rest_cores": rest}
        name = f"{options.name}-{options.what}"
        print(f"\nwritten to {write(name, {'machine': machine(), 'settings': settings(options), **figures})}")


if __name__ == "__main__":
    main()
