"""What more aggregates and more partitions cost: commands per second and per CPU-second, and memory.

    growth.py [--aggregates 10000 1000000 10000000] [--partitions 1 4 16]

Needs MILLRACE_TEST_KAFKA and MILLRACE_TEST_REGISTRY, and `make bench-build`. For each pair, the states of open accounts are
written as a processor would have left them, a processor reads them into an empty folder and is asked to end; then the commands
are written, and it is started again with that folder. What counts begins when the warm-up is committed, so no restart is in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from contest import DIST, check_builds, millrace  # noqa: E402
from growth_plot import draw  # noqa: E402
from report import RESULTS, machine, table, write  # noqa: E402
from restarts import Filled, disk_mb, wait_until  # noqa: E402

# The last commands do not count: by then a partition may have nothing left to do.
COUNTED = 0.95


def measure(options: argparse.Namespace, aggregates: int, partitions: int) -> dict[str, Any]:
    """The figures of one pair."""
    one = argparse.Namespace(**{**vars(options), "partitions": partitions})
    with (
        tempfile.TemporaryDirectory(prefix="millrace-bench-") as name,
        Filled(millrace(), Path(name), one) as topics,
    ):
        folder = topics.folder / "state"
        topics.workload("state", "--aggregates", str(aggregates))
        reading = topics.processor(folder)
        wait_until("the state is read", lambda: reading.has_ended() or len(reading.said("state restored")) == partitions)
        phases = reading.phases()
        reading.stop()
        count = options.warm_up + options.commands
        topics.workload("commands", "--no-open", "--accounts", str(aggregates), "--count", str(count))
        started = topics.processor(folder)
        begin, end = topics.reach([options.warm_up, int(count * COUNTED)])
        memory, peak = started.memory_mb(), started.peak_memory_mb()
        started.stop()
        commands, seconds, cpu = end.commands - begin.commands, end.at - begin.at, end.cpu - begin.cpu
        return {
            "aggregates": aggregates,
            "partitions": partitions,
            "per_second": commands / seconds,
            "per_cpu_second": commands / cpu,
            "memory_mb": memory,
            "peak_memory_mb": peak,
            "disk_mb": disk_mb(folder),
            "commands": commands,
            "seconds": seconds,
            "cpu_seconds": cpu,
            "filled_in_seconds": phases.restored_at - phases.dealt_at if phases else None,
        }


def cells(figures: dict[str, Any]) -> list[str]:
    """A pair's row of the table."""
    names = ("aggregates", "partitions", "per_second", "per_cpu_second", "memory_mb", "peak_memory_mb", "disk_mb")
    return [f"{figures[name]:,.0f}" for name in names]


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--aggregates", nargs="+", type=int, default=[10_000, 1_000_000, 10_000_000])
    parser.add_argument("--partitions", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--warm-up", type=int, default=500_000, help="commands that do not count")
    parser.add_argument("--commands", type=int, default=2_000_000, help="commands that count")
    parser.add_argument("--millrace", default=str(DIST / "millrace"), help="the binary that is measured")
    parser.add_argument("--name", default="growth", help="of the file in bench/results; - for none")
    parser.add_argument("--plot", default=str(RESULTS.parent / "growth.svg"), help="the drawing; - for none")
    options = parser.parse_args()
    check_builds(options)
    heads = ["aggregates", "partitions", "commands/s", "per CPU-second", "memory, MB", "peak, MB", "on disk, MB"]
    pairs: list[dict[str, Any]] = []
    for partitions in options.partitions:
        for aggregates in options.aggregates:
            pairs.append(measure(options, aggregates, partitions))
            print("  ".join(f"{head} {cell}" for head, cell in zip(heads, cells(pairs[-1]))), flush=True)
    print(f"\n{options.commands:,} commands after {options.warm_up:,}, keys uniform, with local state\n")
    print(table(heads, [cells(pair) for pair in pairs]))
    settings = {name: value for name, value in vars(options).items() if name not in ("millrace", "plot")}
    figures = {"machine": machine(), "settings": settings, "pairs": pairs}
    if options.name != "-":
        print(f"\nwritten to {write(options.name, figures)}")
    if options.plot != "-":
        Path(options.plot).write_text(draw(figures))
        print(f"drawn in {options.plot}")


if __name__ == "__main__":
    main()
