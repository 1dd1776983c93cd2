"""How long a partition stands still when it moves, with much state and a steady load.

    moves.py [--state-mb 1000] [--rate 200]

Needs MILLRACE_TEST_KAFKA and MILLRACE_TEST_REGISTRY, and a build with the profile `dist`. Two processors hold the state, each with a folder of
its own and copies of the other's partitions; a third joins with an empty folder, one is asked to stop, and one is killed with
`kill -9`. For each: the longest time that any command waited for its outcome, sent at a steady rate to all partitions.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from client import Servers  # noqa: E402
from measure import Answers, Sender, wait_for_ids  # noqa: E402
from system import System  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SESSION_SECONDS = 6
AUTHORS = 200
# 280 characters of three bytes each: the longest chirp there is, near enough.
CONTENT = "\u6c34" * 280
BYTES_A_CHIRP = 3 * 280 + 120
# How long the load goes on around an event.
BEFORE, AFTER = 3.0, 12.0


class Processors(System):
    """Processors of chirp on real servers, each with a folder for its state."""

    def start(self) -> None:
        """Makes topics and schemas, and starts the first two."""
        kafka, registry = (os.environ[f"MILLRACE_TEST_{name}"] for name in ("KAFKA", "REGISTRY"))
        self.servers = Servers(kafka, registry, f"moves-{uuid.uuid4().hex[:10]}.")
        self.flags = ["--kafka", kafka, "--registry", registry, "--topic-prefix", self.servers.prefix]
        for step in (["topics", "apply"], ["schemas", "register"]):
            subprocess.run([self.millrace, *step, *self.flags], cwd=self.folder, check=True, capture_output=True)
        self.named: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("one", "two"):
            self.processor(name)

    def processor(self, name: str) -> None:
        """Starts one more."""
        os.environ["MILLRACE_PROCESSOR_SESSION_TIMEOUT_MS"] = str(SESSION_SECONDS * 1000)
        self.role(name, "processor", "chirp", *self.flags, "--state-dir", str(self.folder / f"state-{name}"))
        self.named[name] = self.processes[-1]


def fill(system: Processors, megabytes: int) -> int:
    """Posts chirps until the states are so large; gives their number."""
    sender, answers = Sender(system, **{"linger.ms": 5}), Answers(system)
    try:
        for n in range(AUTHORS):
            sender.send(f"a-{n}", sender.encode(f"r-{n}", "RegisterUser", user_id=f"a-{n}", username=f"Author_{n}"))
        answers.wait(AUTHORS)
        count = megabytes * 1_000_000 // BYTES_A_CHIRP
        for n in range(count):
            author = f"a-{n % AUTHORS}"
            sender.send(
                author,
                sender.encode(f"s-{n}", "PostChirp", chirp_id=f"s-{n}", author_id=author, content=CONTENT),
            )
            if n % 1_000 == 0:
                sender.producer.poll(0)
        sender.producer.flush(600)
        answers.wait(AUTHORS + count)
    finally:
        answers.close()
    return count


class Load:
    """Commands at a steady rate to all partitions, in a thread."""

    def __init__(self, system: Processors, tag: str, rate: int) -> None:
        self.sender, self.answers = Sender(system, **{"linger.ms": 0}), Answers(system)
        self.tag, self.rate, self.sent = tag, rate, dict[str, float]()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._send)
        self.thread.start()

    def _send(self) -> None:
        begin, n = time.perf_counter(), 0
        while not self.stop.is_set():
            while (wait := begin + n / self.rate - time.perf_counter()) > 0:
                self.sender.producer.poll(min(wait, 0.005))
            id_, author = f"{self.tag}-{n}", f"a-{n % AUTHORS}"
            payload = self.sender.encode(id_, "PostChirp", chirp_id=id_, author_id=author, content="steady")
            self.sent[id_] = time.perf_counter()
            self.sender.send(author, payload)
            n += 1
        self.sender.producer.flush(60)

    def end(self) -> tuple[float, float]:
        """Stops; the longest and the median wait, in seconds."""
        self.stop.set()
        self.thread.join()
        try:
            wait_for_ids(self.answers, list(self.sent), 0)
        finally:
            self.answers.close()
        waits = sorted(self.answers.at[id_] - at for id_, at in self.sent.items())
        return waits[-1], waits[len(waits) // 2]


def measure(system: Processors, what: str, rate: int, event: Callable[[], object]) -> None:
    """Prints a row: what happened, and how long commands waited around it."""
    load = Load(system, what.split()[0] + uuid.uuid4().hex[:6], rate)
    time.sleep(BEFORE)  # the load, not the condition: what is measured is what the event adds to it
    event()
    time.sleep(AFTER)
    longest, median = load.end()
    print(f"| {what} | {longest:.2f} s | {median * 1000:.0f} ms |", flush=True)


def main() -> None:
    """Fills the state, then measures each kind of move."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state-mb", type=int, default=1_000, help="size of all states together")
    parser.add_argument("--rate", type=int, default=200, help="commands per second")
    parser.add_argument("--millrace", default=str(ROOT / "target" / "dist" / "millrace"))
    options = parser.parse_args()
    if not os.access(options.millrace, os.X_OK):
        sys.exit(f"there is no {options.millrace}; build it with: cargo build --profile dist -p millrace-cli")
    with (
        tempfile.TemporaryDirectory(prefix="millrace-moves-") as folder,
        Processors(options.millrace, Path(folder)) as system,
    ):
        start = time.perf_counter()
        count = fill(system, options.state_mb)
        spent = time.perf_counter() - start
        print(f"{count:,} chirps, {options.state_mb:,} MB of state, filled in {spent:.0f} s; session time-out {SESSION_SECONDS} s")
        print(f"\n| what happens, at {options.rate} commands/s | longest wait of a command | median |\n|---|---|---|")
        measure(system, "nothing", options.rate, lambda: None)
        measure(system, "a third processor joins, its folder empty", options.rate, lambda: system.processor("three"))
        measure(system, "one of three is asked to stop", options.rate, lambda: system.named["one"].send_signal(signal.SIGTERM))
        measure(system, "it is started again", options.rate, lambda: system.processor("one"))
        measure(system, "one of three is killed with kill -9", options.rate, lambda: system.named["two"].kill())


if __name__ == "__main__":
    main()
