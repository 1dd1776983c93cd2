"""How long `millrace up` takes to `ready` with data behind it, after `kill -9`, beside a start with none.

    ready.py [--commands N ...] [--runs N] [--millrace FILE]

Each size is loaded into a folder of its own by `millrace demo`, which is killed when everything is in the tables. Then
`millrace up` is started there and killed, as often as `--runs` says. The first line is a folder that a start has made and
nothing was sent to. What counts is the ratio: a machine that others share makes all of them slower.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
# What the broker says once it has opened its logs.
READ = re.compile(r"opened the logs.*read_bytes\D*?(\d+)")


@dataclass(frozen=True)
class Start:
    """One start of `millrace up`: seconds to `ready`, of processor time in it, and bytes of logs that were read."""

    seconds: float
    cpu_seconds: float
    read_bytes: int


def flags(data: Path) -> list[str]:
    """Of every start: this folder, and any free ports."""
    return ["--data", str(data), "--kafka-port", "0", "--registry-port", "0", "--http-port", "0"]


def load(millrace: str, data: Path, commands: int) -> None:
    """Loads so many commands into a new folder, and kills the process.

    Raises:
        RuntimeError: the demo ended before it was loaded.
    """
    demo = [millrace, "demo", *flags(data), "--commands", str(commands)]
    with subprocess.Popen(demo, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        is_loaded = any("Ctrl-C" in line for line in process.stdout)
        process.kill()
    if not is_loaded:
        raise RuntimeError(f"the demo of {commands} commands was not loaded")


def start(millrace: str, data: Path) -> Start:
    """Starts `millrace up`, waits until it is ready, and kills it.

    Raises:
        RuntimeError: it ended before it was ready.
    """
    log = data.with_suffix(".log")
    begun = time.monotonic()
    with log.open("w") as errors:
        environment = {**os.environ, "RUST_LOG": "info", "NO_COLOR": "1"}
        up = [millrace, "up", *flags(data)]
        process = subprocess.Popen(up, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        with process:
            assert process.stdout is not None
            line = process.stdout.readline()
            seconds = time.monotonic() - begun
            # Fields behind the name, which may hold blanks: user and system time are the 12th and 13th.
            fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            process.kill()
    if not line.startswith("ready"):
        raise RuntimeError(f"not ready: {log.read_text()[-2000:]}")
    found = READ.search(re.sub(r"\x1b\[[0-9;]*m", "", log.read_text()))
    ticks = int(fields[11]) + int(fields[12])
    return Start(seconds, ticks / os.sysconf("SC_CLK_TCK"), int(found.group(1)) if found else -1)


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, nargs="+", default=[40_000, 120_000])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--millrace", default=str(ROOT / "target" / "dist" / "millrace"))
    options = parser.parse_args()
    print(f"{'commands':>9} {'s to ready':>10} {'CPU s':>6} {'ratio':>6} {'log bytes read':>15}")
    empty: float | None = None
    with tempfile.TemporaryDirectory() as folder:
        for commands in [0, *options.commands]:
            data = Path(folder) / str(commands)
            if commands == 0:
                start(options.millrace, data)
            else:
                load(options.millrace, data, commands)
            starts = [start(options.millrace, data) for _ in range(options.runs)]
            seconds = median(it.seconds for it in starts)
            empty = seconds if empty is None else empty
            cpu, read = median(it.cpu_seconds for it in starts), max(it.read_bytes for it in starts)
            print(f"{commands:>9} {seconds:>10.2f} {cpu:>6.2f} {seconds / empty:>6.2f} {read:>15}", flush=True)


if __name__ == "__main__":
    main()
