"""How long rows wait when a projector's partitions move, with a history behind them and a steady load.

    read_moves.py [--chirps 200000] [--rate 50] [--copies 1]

Needs MILLRACE_TEST_KAFKA, MILLRACE_TEST_REGISTRY and MILLRACE_TEST_CQL, and a build with the profile `dist`. Two projectors know all chirps,
each with a folder of its own and copies of the other's partitions; one is asked to stop, is started again, and is killed with
`kill -9`. For each: the longest time from sending a chirp to its row. With `--copies 0` whoever takes over folds everything again.
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

from measure import Sender  # noqa: E402
from moves import AFTER, AUTHORS, BEFORE, BYTES_A_CHIRP, ROOT, SESSION_SECONDS, Processors, fill  # noqa: E402
from system import CqlRows  # noqa: E402

# How long rows may be missing before something is broken.
PATIENCE = 600.0
# A copy asks how far its owner is once a second.
COPIED = 5.0


class Projectors(Processors):
    """A processor of chirp, and projectors, on real servers."""

    def start(self) -> None:
        """Makes tables as well, and starts the first projector."""
        super().start()
        self.named.pop("two").terminate()
        keyspace = f"moves_{uuid.uuid4().hex[:10]}"
        address = os.environ["MILLRACE_TEST_CQL"]
        self.to_tables = ["--cql", address, "--keyspace", keyspace]
        subprocess.run([self.millrace, "tables", "apply", *self.to_tables], cwd=self.folder, check=True, capture_output=True)
        self.rows = CqlRows(address, keyspace)

    def projector(self, name: str) -> None:
        """Starts one more."""
        os.environ["MILLRACE_PROJECTOR_SESSION_TIMEOUT_MS"] = str(SESSION_SECONDS * 1000)
        state = str(self.folder / f"known-{name}")
        self.role(f"projector-{name}", "projector", "chirp", *self.flags, *self.to_tables, "--state-dir", state)
        self.named[name] = self.processes[-1]


class Rows:
    """Chirps at a steady rate to all partitions, and the moments at which their rows were there."""

    def __init__(self, system: Projectors, rate: int) -> None:
        self.system, self.rate, self.tag = system, rate, uuid.uuid4().hex[:6]
        self.sender = Sender(system, **{"linger.ms": 0})
        self.sent: dict[tuple[str, str], float] = {}
        self.seen: dict[tuple[str, str], float] = {}
        self.has_ended = threading.Event()
        self.threads = [threading.Thread(target=self._send), threading.Thread(target=self._watch)]
        for thread in self.threads:
            thread.start()

    def _send(self) -> None:
        begin, n = time.perf_counter(), 0
        while not self.has_ended.is_set():
            while (wait := begin + n / self.rate - time.perf_counter()) > 0:
                self.sender.producer.poll(min(wait, 0.005))
            author, chirp = f"a-{n % AUTHORS}", f"{self.tag}-{n}"
            payload = self.sender.encode(chirp, "PostChirp", chirp_id=chirp, author_id=author, content="steady")
            self.sent[author, chirp] = time.perf_counter()
            self.sender.send(author, payload)
            n += 1
        self.sender.producer.flush(60)

    def _watch(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            waiting = [it for it in list(self.sent) if it not in self.seen]
            if not waiting and self.has_ended.is_set() and not self.threads[0].is_alive():
                return
            for it in waiting:
                if self.system.rows.has_chirp(*it):
                    self.seen[it] = time.perf_counter()
            time.sleep(0.005)

    def end(self) -> tuple[float, float]:
        """Stops; the longest and the median time to a row, in seconds.

        Raises:
            TimeoutError: rows do not come.
        """
        self.has_ended.set()
        for thread in self.threads:
            thread.join()
        if missing := self.sent.keys() - self.seen.keys():
            raise TimeoutError(f"{len(missing)} rows are not there")
        waits = sorted(self.seen[it] - at for it, at in self.sent.items())
        return waits[-1], waits[len(waits) // 2]


def measure(system: Projectors, what: str, rate: int, event: Callable[[], object]) -> None:
    """Prints a row: what happened, and how long rows took around it."""
    load = Rows(system, rate)
    time.sleep(BEFORE)  # the load, not the condition: what is measured is what the event adds to it
    event()
    time.sleep(AFTER)
    longest, median = load.end()
    print(f"| {what} | {longest:.2f} s | {median * 1000:.0f} ms |", flush=True)


def settled(system: Projectors) -> None:
    """Waits until every projector is through, and copies have followed."""
    load = Rows(system, AUTHORS)
    time.sleep(2)
    load.end()
    time.sleep(COPIED)


def copied(system: Projectors, name: str, count: int) -> None:
    """Waits until the folder of a projector holds about what it is to know: it has folded the history of its partitions, and of the copies.

    Raises:
        TimeoutError: it does not come to that.
    """
    folder, deadline, before = system.folder / f"known-{name}", time.monotonic() + PATIENCE, -1
    while time.monotonic() < deadline:
        time.sleep(COPIED)
        size = sum(it.stat().st_size for it in folder.rglob("*") if it.is_file())
        if size == before and size > count * 40:
            return
        before = size
    raise TimeoutError(f"{name} does not come to an end")


def main() -> None:
    """Fills the tables, then measures each kind of move."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chirps", type=int, default=200_000)
    parser.add_argument("--rate", type=int, default=50, help="chirps per second")
    parser.add_argument("--copies", type=int, default=1, help="of what is known, on other instances")
    parser.add_argument("--millrace", default=str(ROOT / "target" / "dist" / "millrace"))
    options = parser.parse_args()
    if not os.access(options.millrace, os.X_OK):
        sys.exit(f"there is no {options.millrace}; build it with: cargo build --profile dist -p millrace-cli")
    os.environ["MILLRACE_PROJECTOR_STANDBY_COPIES"] = str(options.copies)
    with (
        tempfile.TemporaryDirectory(prefix="millrace-moves-") as folder,
        Projectors(options.millrace, Path(folder)) as system,
    ):
        fill(system, options.chirps * BYTES_A_CHIRP // 1_000_000)
        system.projector("first")
        settled(system)
        system.projector("second")
        if options.copies:
            copied(system, "second", options.chirps)
        settled(system)
        print(f"{options.chirps:,} chirps, {options.copies} copies; session time-out {SESSION_SECONDS} s")
        print(f"\n| what happens, at {options.rate} chirps/s | longest wait for a row | median |\n|---|---|---|")
        measure(system, "nothing", options.rate, lambda: None)
        stopping = system.named["first"]
        measure(system, "one of two is asked to stop", options.rate, lambda: stopping.send_signal(signal.SIGTERM))
        measure(system, "it is started again", options.rate, lambda: system.projector("first"))
        settled(system)
        measure(system, "one of two is killed with kill -9", options.rate, lambda: system.named["second"].kill())


if __name__ == "__main__":
    main()
