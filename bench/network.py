"""A network of people loaded through commands, and its timelines rebuilt while more chirps come.

    network.py [--on embedded|cluster] [--people N] [--follows N] [--chirps N]

`make bench-network` builds what is measured. `cluster` uses the servers that MILLRACE_TEST_KAFKA, MILLRACE_TEST_CQL and
MILLRACE_TEST_REGISTRY name. The network is drawn from a seed: audiences fall off as a power of their rank, and who posts is the more
likely the larger their audience.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from report import machine, settings, table, write  # noqa: E402
from system import Cluster, Embedded, System  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "dist"
# What has been told of a rebuild.
LEAST_TIMES_ARRIVAL = 5
MOST_LAG_SECONDS = 5.0
# How far a live chirp's number is from those that were loaded.
LIVE = 1_000_000_000


def load(system: System, options: argparse.Namespace) -> dict[str, Any]:
    """Sends the network and waits until all of it is in the tables; its progress is shown on a terminal."""
    network = [str(TARGET / "millrace-bench-fan-out"), "commands"]
    for name in ("people", "follows", "chirps", "seed"):
        network += [f"--{name}", str(getattr(options, name))]
    source = subprocess.Popen(network, stdout=subprocess.PIPE)
    began = time.monotonic()
    call = [options.millrace, "load", "-", "--wait", "--wait-for", "feed", "--timeout", "900", "--json", *system.flags]
    done = subprocess.run(call, cwd=system.folder, stdin=source.stdout, stdout=subprocess.PIPE, check=True)
    source.wait()
    report = dict(json.loads(done.stdout.splitlines()[-1]))
    if report["rejected"] or report["bad"] or report["unanswered"]:
        raise SystemExit(f"not all of the network was accepted: {report}")
    seconds = time.monotonic() - began
    return {"commands": report["sent"], "seconds": seconds, "per_second": report["sent"] / seconds}


class Stream:
    """Chirps at an even pace."""

    def __init__(self, system: System, options: argparse.Namespace) -> None:
        call = [options.millrace, "load", "-", *system.flags]
        self.load = subprocess.Popen(call, cwd=system.folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.rate, self.people = options.rate, options.people
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._send)
        self.thread.start()

    def _send(self) -> None:
        assert self.load.stdin is not None
        began, sent = time.monotonic(), 0
        while not self.ends.wait(0.05):
            due = int((time.monotonic() - began) * self.rate)
            for number in range(sent, due):
                # small audiences: what arrives are chirps, not one giant's rows
                author = f"user-{self.people // 2 + number % (self.people // 2):08}"
                data = {"chirp_id": f"c-{LIVE + number}", "author_id": author, "content": "Live"}
                self.load.stdin.write(json.dumps({"type": "PostChirp", "data": data}).encode() + b"\n")
            self.load.stdin.flush()
            sent = due
        self.load.stdin.close()
        self.load.wait()

    def end(self) -> None:
        """Sends no more and waits until all is sent."""
        self.ends.set()
        self.thread.join()


def rebuild(system: System, options: argparse.Namespace) -> dict[str, Any]:
    """Rebuilds the timelines while chirps come."""
    stream = Stream(system, options)
    try:
        call = [options.millrace, "rebuild", "timelines", "--json", *system.flags]
        done = subprocess.run(call, cwd=system.folder, stdout=subprocess.PIPE, check=True)
    finally:
        stream.end()
    said = [json.loads(line) for line in done.stdout.splitlines()]
    one = {step["stage"]: step for step in said}
    lags = [step["live_lag_seconds"] for step in said if step["stage"] == "building"]
    return {
        "arrivals_per_second": options.rate,
        "offsets": one["built"]["offsets"],
        "seconds": one["built"]["seconds"],
        "offsets_per_second": one["built"]["offsets"] / one["built"]["seconds"],
        "live_lag_seconds_at_most": max(lags, default=0.0),
        "rows_compared": one["compared"]["rows"],
        "differences": one["compared"]["differences_total"],
        "comparing_seconds": one["compared"]["seconds"],
        "tables": {each["view"]: each["new_rows"] for each in one["compared"]["tables"]},
    }


def show(found: dict[str, Any]) -> None:
    """Prints what was measured."""
    loaded, rebuilt = found["load"], found["rebuild"]
    print(f"\n{loaded['commands']:,} commands in {loaded['seconds']:.0f} s to the last row: {loaded['per_second']:,.0f} a second\n")
    print(table(["view", "rows"], [[view, f"{rows:,}"] for view, rows in rebuilt["tables"].items()]))
    times = rebuilt["offsets_per_second"] / rebuilt["arrivals_per_second"]
    print(f"\nrebuilt {rebuilt['offsets']:,} offsets in {rebuilt['seconds']:.0f} s, {rebuilt['offsets_per_second']:,.0f} a second: ", end="")
    print(f"{times:.0f} × the {rebuilt['arrivals_per_second']} chirps a second that came meanwhile (aim: {LEAST_TIMES_ARRIVAL} ×)")
    print(f"the live version was at most {rebuilt['live_lag_seconds_at_most']:.1f} s behind (aim: under {MOST_LAG_SECONDS:g} s)")
    print(f"compared {rebuilt['rows_compared']:,} rows in {rebuilt['comparing_seconds']:.0f} s: {rebuilt['differences']} differ")


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", choices=["embedded", "cluster"], default="embedded")
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--follows", type=int, default=5_000_000)
    parser.add_argument("--chirps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=200, help="chirps a second during the rebuild")
    parser.add_argument("--millrace", default=str(TARGET / "millrace"))
    parser.add_argument("--name", default="network", help="bench/results/NAME.json; - keeps nothing")
    options = parser.parse_args()
    kind = Embedded if options.on == "embedded" else Cluster
    found: dict[str, Any] = {"machine": machine(), "settings": settings(options)}
    with (
        tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder,
        kind(options.millrace, Path(folder)) as system,
    ):
        found["load"] = load(system, options)
        found["rebuild"] = rebuild(system, options)
    show(found)
    if options.name != "-":
        write(options.name, found)


if __name__ == "__main__":
    main()
