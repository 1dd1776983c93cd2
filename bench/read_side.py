"""What a longer history costs the read side: rows a second, memory, disk, and a restart to its first row.

    read_side.py [--events 1000000 2000000 4000000] [--authors 1000] [--followers 2] [--verify] [--millrace FILE] [--plot FILE.svg]

Needs MILLRACE_TEST_KAFKA and MILLRACE_TEST_REGISTRY. Authors with so many followers each post in turn until there are so many
events. At each size a projector with a folder of its own for state reads on to the end, into tables in a folder, and is
asked to end; then one more chirp is decided, and the projector is started again: what counts is the time until its row is there.
The same once more without the folder, where all events are folded again. Only ratios between sizes of one run mean something.
With `--verify` the audit of all of chirp is measured as well: how long it takes, and its peak memory.
What 10 and 100 million chirps come to, if they are not among the sizes, is said by the measured slope, and drawn hollow.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from process import cpu_seconds, memory_mb, peak_memory_mb  # noqa: E402
from read_side_plot import draw, further  # noqa: E402
from report import RESULTS, machine, table, write  # noqa: E402
from system import SqliteRows  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
# For one size to be written: ten million chirps at a few thousand rows a second.
PATIENCE = 10_800.0


class System:
    """Topics of its own on the servers of the environment, and tables in a folder."""

    def __init__(self, millrace: str, folder: Path) -> None:
        self.millrace, self.folder, self.tables = millrace, folder, folder / "tables"
        prefix = f"read-{uuid.uuid4().hex[:8]}."
        self.flags = ["--kafka", os.environ["MILLRACE_TEST_KAFKA"], "--registry", os.environ["MILLRACE_TEST_REGISTRY"]]
        self.flags += ["--topic-prefix", prefix, "--sqlite", str(self.tables)]
        for call in (["topics", "apply"], ["schemas", "register"], ["tables", "apply"]):
            self.call(*call)

    def call(self, *arguments: str, lines: Iterator[str] | None = None) -> str:
        """Runs a command to its end; what it printed.

        Raises:
            RuntimeError: it failed.
        """
        command = [self.millrace, *arguments, *self.flags]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self.folder) as process:
            assert process.stdin is not None and process.stdout is not None
            for line in lines or ():
                process.stdin.write(line + "\n")
            process.stdin.close()
            said = process.stdout.read()
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}")
        return said

    def audit(self) -> dict[str, float]:
        """Audits the domain; how long that takes, and its peak memory.

        Raises:
            RuntimeError: something differs.
        """
        begun = time.monotonic()
        audit = self.role("verify", "chirp")
        _, status, used = os.wait4(audit.pid, 0)
        if os.waitstatus_to_exitcode(status) != 0:
            raise RuntimeError(f"verify failed: {(self.folder / 'verify.log').read_text()}")
        return {"verify_seconds": time.monotonic() - begun, "verify_peak_memory_mb": used.ru_maxrss * 1024 / 1e6}

    def role(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a role, or another call whose output is looked at later."""
        log = (self.folder / f"{arguments[0]}.log").open("a")
        return subprocess.Popen([self.millrace, *arguments, *self.flags], stdout=log, stderr=log, text=True, cwd=self.folder)


def stop(process: subprocess.Popen[str]) -> None:
    """Asks a role to end, and waits for that."""
    process.terminate()
    process.wait(120)


def line(kind: str, **data: str) -> str:
    """A line of `millrace load`."""
    return json.dumps({"type": kind, "data": data})


def network(authors: int, followers: int) -> Iterator[str]:
    """Authors, and followers who each follow their share of them."""
    people = [f"a{n}" for n in range(authors)] + [f"r{n}" for n in range(followers)]
    yield from (line("RegisterUser", user_id=it, username=f"name_{it}") for it in people)
    yield ""
    yield from (
        line("FollowUser", follower_id=f"r{reader}", followee_id=f"a{n}")
        for n in range(authors)
        for reader in range(followers)
    )
    yield ""


def posts(authors: int, begin: int, end: int) -> Iterator[str]:
    """Chirps of the authors in turn."""
    text = "So many words as a chirp has, more or less, when somebody has something to say to those who follow."
    yield from (line("PostChirp", author_id=f"a{n % authors}", chirp_id=f"c{n}", content=f"{n} {text}") for n in range(begin, end))


def row_count(tables: Path) -> int:
    """Rows of all views."""
    import sqlite3

    file = sqlite3.connect(f"file:{tables / 'chirp.sqlite'}?mode=ro", uri=True, timeout=30)
    names = ("chirps", "chirps_by_author", "home_timelines")
    return sum(int(file.execute(f"SELECT COUNT(*) FROM {name}").fetchone()[0]) for name in names)


def wait_for(rows: SqliteRows, author: str, chirp: str) -> float:
    """Waits until a chirp's row is there; the moment.

    Raises:
        TimeoutError: it does not come.
    """
    deadline = time.monotonic() + PATIENCE
    while not rows.has_chirp(author, chirp):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{chirp} of {author} is not there")
        time.sleep(0.01)
    return time.monotonic()


def restart(system: System, author: str, chirp: str, state: Path | None) -> float:
    """Seconds from the start of a projector to the row of a chirp that waits for it."""
    processor = system.role("processor", "chirp", "--state-dir", str(system.folder / "decided"))
    system.call("load", "-", "--wait", lines=iter([line("PostChirp", author_id=author, chirp_id=chirp, content="waits")]))
    stop(processor)
    rows, begun = SqliteRows(str(system.tables)), time.monotonic()
    projector = system.role("projector", "chirp", *(["--state-dir", str(state)] if state else []))
    seconds = wait_for(rows, author, chirp) - begun
    stop(projector)
    return seconds


def disk_mb(folder: Path) -> float:
    """What lies in a folder, in megabytes (10^6 bytes)."""
    return sum(it.stat().st_size for it in folder.rglob("*") if it.is_file()) / 1e6


def measure(system: System, options: argparse.Namespace, begin: int, end: int) -> dict[str, float]:
    """Reads on from `begin` to `end` chirps, and starts again."""
    authors = options.authors
    processor = system.role("processor", "chirp", "--state-dir", str(system.folder / "decided"))
    system.call("load", "-", "--wait", lines=posts(authors, begin, end))
    stop(processor)
    state = system.folder / "known"
    before, begun = row_count(system.tables), time.monotonic()
    projector = system.role("projector", "chirp", "--state-dir", str(state))
    done = wait_for(SqliteRows(str(system.tables)), f"a{(end - 1) % authors}", f"c{end - 1}")
    written = row_count(system.tables) - before
    cpu, memory, peak = cpu_seconds(projector.pid), memory_mb(projector.pid), peak_memory_mb(projector.pid)
    stop(projector)
    found = {
        "chirps": end,
        "rows_per_second": written / (done - begun),
        "cpu_us_a_row": cpu * 1e6 / max(written, 1),
        "memory_mb": memory,
        "peak_memory_mb": peak,
        "state_mb": disk_mb(state),
        "tables_mb": disk_mb(system.tables),
        "restart_seconds": restart(system, "a0", f"with-{end}", state),
        "folded_seconds": restart(system, "a1", f"without-{end}", None),
    }
    return found | system.audit() if options.verify else found


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", nargs="+", type=int, default=[1_000_000, 2_000_000, 4_000_000])
    parser.add_argument("--authors", type=int, default=1_000)
    parser.add_argument("--followers", type=int, default=2)
    parser.add_argument("--verify", action="store_true", help="measure the audit as well")
    parser.add_argument("--millrace", default=str(ROOT / "target" / "dist" / "millrace"), help="the binary that is measured")
    parser.add_argument("--name", default="read-side", help="of the file in bench/results; - for none")
    parser.add_argument("--plot", default=str(RESULTS.parent / "read-side.svg"), help="the drawing; - for none")
    options = parser.parse_args()
    figures: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as name:
        system = System(options.millrace, Path(name))
        processor = system.role("processor", "chirp", "--state-dir", str(system.folder / "decided"))
        system.call("load", "-", "--wait", lines=network(options.authors, options.followers))
        stop(processor)
        begin = 0
        for end in options.events:
            figures.append(measure(system, options, begin, end))
            print("  ".join(f"{name} {value:,.2f}" for name, value in figures[-1].items()), flush=True)
            begin = end
    heads = ["chirps", "rows/s", "CPU a row, µs", "memory, MB", "peak, MB", "state, MB", "tables, MB", "restart, s", "folded anew, s"]
    heads += ["verify, s", "verify's peak, MB"] if options.verify else []
    names = list(figures[0])
    print("\n" + table(heads, [cells(row) for row in figures]))
    print("\nby the slope between these:\n")
    print(table(heads, [cells({name: row[name] for name in names}) for row in further(figures)]))
    settings: dict[str, Any] = {name: value for name, value in vars(options).items() if name not in ("millrace", "plot")}
    found = {"machine": machine(), "settings": settings, "sizes": figures}
    if options.name != "-":
        print(f"\nwritten to {write(options.name, found)}")
    if options.plot != "-":
        Path(options.plot).write_text(draw(found))
        print(f"drawn in {options.plot}")


def cells(row: dict[str, float]) -> list[str]:
    """A size's row of the table."""
    return [f"{value:,.1f}" if name.endswith("_seconds") or name == "cpu_us_a_row" else f"{value:,.0f}" for name, value in row.items()]


if __name__ == "__main__":
    main()
