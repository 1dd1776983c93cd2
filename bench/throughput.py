"""Commands per second and per CPU-second of Millrace and of its peers, alternating in one run.

    throughput.py [--keys uniform zipf] [--rounds 2] [--only NAME …]

Needs MILLRACE_TEST_KAFKA and MILLRACE_TEST_REGISTRY, and `make bench-build`. Each contestant gets topics of its own with the
same commands, written beforehand: every account is opened, then come deposits and withdrawals. What counts begins when the
accounts and the warm-up are committed and ends when all is, so neither a start nor a virtual machine that still compiles is
in it. CPU time is the processor's own, the broker's apart.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from contest import Contest, Contestant, add_arguments, check_builds, kafka_streams, millrace, raw_copy  # noqa: E402
from report import machine, middle, settings, table, write  # noqa: E402

RAW_SINGLE = raw_copy("raw copy, single", "one producer a partition, one call a record", calls="single")
RAW_BATCH = raw_copy(
    "raw copy, batch", "two producers a partition in rotation, batch calls", calls="batch", batch=20_000
)
# The record cache helps the persistent store with keys of either kind, and slows the one in memory down.
STREAMS_ROCKS = kafka_streams("kafka streams, rocksdb", store="rocksdb", cache_mb=256)
STREAMS_MEMORY = kafka_streams("kafka streams, memory", store="memory")
# The same work as Millrace does: every command's id is remembered, and a repeated one answered as the first.
STREAMS_SAME = kafka_streams("kafka streams, rocksdb, de-duplication", store="rocksdb", cache_mb=256, dedup="on")
MILLRACE = millrace()
CONTESTANTS = [RAW_SINGLE, RAW_BATCH, STREAMS_SAME, STREAMS_ROCKS, STREAMS_MEMORY, MILLRACE]

# What has been told of the figures: Millrace's per CPU-second, over a peer's, is to be at least this.
AIMS = {
    keys: {STREAMS_SAME.name: 2.5, STREAMS_MEMORY.name: 1.3, RAW_BATCH.name: 0.6, RAW_SINGLE.name: 0.6}
    for keys in ("uniform", "zipf")
}


def measure(contestant: Contestant, keys: str, options: argparse.Namespace) -> dict[str, float]:
    """One run: loads the commands, starts the contestant, and takes its figures."""
    before = options.accounts + options.warm_up
    count = options.warm_up + options.commands
    with (
        tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder,
        Contest(contestant, Path(folder), options) as contest,
    ):
        contest.workload("commands", "--accounts", str(options.accounts), "--count", str(count), "--keys", keys)
        contest.run()
        progress = contest.reach([before, options.accounts + count])
        begin = next(progress)
        with contest.profiled(options.profile):
            end = next(progress)
        commands, seconds, cpu = end.commands - begin.commands, end.at - begin.at, end.cpu - begin.cpu
        return {
            "per_second": commands / seconds,
            "per_cpu_second": commands / cpu,
            "peak_memory_mb": contest.peak_memory_mb(),
            "commands": commands,
            "seconds": seconds,
            "cpu_seconds": cpu,
        }


def compare_answers(contestants: list[Contestant], options: argparse.Namespace) -> dict[str, Any]:
    """Lets all that decide decide the same commands; their outcomes and events must say the same."""
    said: dict[str, dict[str, Any]] = {}
    for contestant in contestants:
        with (
            tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder,
            Contest(contestant, Path(folder), options) as contest,
        ):
            contest.workload("commands", "--accounts", "1000", "--count", "50000")
            contest.run()
            contest.pass_by(51_000)
            said[contestant.name] = contest.workload("check")
    first = next(iter(said.values()), {})
    for name, found in said.items():
        if found != first:
            raise SystemExit(f"{name} answers otherwise than {next(iter(said))}: {found} instead of {first}")
    return first


def row(name: str, figures: dict[str, float]) -> list[str]:
    """A contestant's row of the table."""
    return [
        name,
        f"{figures['per_second']:,.0f}",
        f"{figures['per_cpu_second']:,.0f}",
        f"{figures['peak_memory_mb']:,.0f}",
    ]


def show(keys: str, medians: dict[str, dict[str, float]], rounds: int) -> None:
    """Prints the table of one distribution, and where Millrace stands."""
    print(f"\nkeys {keys}, medians of {rounds}\n")
    rows = [row(name, figures) for name, figures in medians.items()]
    print(table(["contestant", "commands/s", "per CPU-second", "peak memory, MB"], rows))
    ours = medians.get(MILLRACE.name)
    if ours is None:
        return
    for name, aim in AIMS[keys].items():
        if name in medians:
            ratio = ours["per_cpu_second"] / medians[name]["per_cpu_second"]
            print(f"millrace per CPU-second is {ratio:.2f} × {name} (aim: at least {aim:g})")


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", nargs="+", choices=["uniform", "zipf"], default=["uniform", "zipf"])
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--warm-up", type=int, default=500_000, help="commands that do not count")
    parser.add_argument("--commands", type=int, default=2_000_000, help="commands that count")
    parser.add_argument("--no-check", action="store_true", help="do not compare the answers first")
    parser.add_argument("--name", default="throughput", help="of the file in bench/results; - for none")
    parser.add_argument("--profile", metavar="FILE", help="have perf record what counts; the figures suffer")
    add_arguments(parser)
    options = parser.parse_args()
    check_builds(options)
    chosen = [one for one in CONTESTANTS if one.name.startswith(tuple(options.only))]
    figures: dict[str, Any] = {"machine": machine(), "settings": settings(options), "runs": [], "medians": {}}
    if not options.no_check:
        figures["answers"] = compare_answers([one for one in chosen if one.decides], options)
        print(f"all that decide say the same: {figures['answers']}", flush=True)
    for keys in options.keys:
        runs: dict[str, list[dict[str, float]]] = {one.name: [] for one in chosen}
        for turn in range(options.rounds):
            for one in chosen:
                found = measure(one, keys, options)
                runs[one.name].append(found)
                figures["runs"].append({"keys": keys, "round": turn + 1, "contestant": one.name, **found})
                print(f"{keys} {turn + 1}: " + "  ".join(row(one.name, found)), flush=True)
        medians = {name: middle(found) for name, found in runs.items()}
        figures["medians"][keys] = medians
        show(keys, medians, options.rounds)
    if options.name != "-":
        print(f"\nwritten to {write(options.name, figures)}")


if __name__ == "__main__":
    main()
