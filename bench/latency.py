"""From handing a command to a producer to reading its outcome, at steady rates, for Millrace and its peers.

    latency.py [--rates 200 500 2000] [--rounds 2] [--only NAME …]

Needs MILLRACE_TEST_KAFKA and MILLRACE_TEST_REGISTRY, and `make bench-build`. Producer and consumer (of committed records only)
are in one process and share its monotonic clock. The raw copy waits for nothing: it commits as soon as its input is drained.
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

ACCOUNTS = 10_000
# Millrace's p99 over the raw copy's is to be at most this.
AIM = 1.5

RAW = raw_copy("raw copy, single", calls="single", linger_ms=0)
MILLRACE = millrace()
CONTESTANTS = [
    RAW,
    raw_copy("raw copy, batch", calls="batch", linger_ms=0),
    MILLRACE,
    kafka_streams("kafka streams, 10 ms", "commit.interval.ms 10", store="memory", commit_ms=10, linger_ms=0),
    kafka_streams("kafka streams, 100 ms", "commit.interval.ms 100", store="memory", commit_ms=100, linger_ms=0),
]


def measure(contestant: Contestant, options: argparse.Namespace) -> dict[int, dict[str, float]]:
    """One start of a contestant: its figures at each rate."""
    found: dict[int, dict[str, float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder,
        Contest(contestant, Path(folder), options) as contest,
    ):
        # with the accounts come enough commands for everything to be loaded and compiled
        contest.workload("commands", "--accounts", str(ACCOUNTS), "--count", "200000")
        contest.run()
        contest.pass_by(ACCOUNTS + 200_000)
        for rate in options.rates:
            flags = ["--rate", str(rate), "--seconds", str(options.seconds), "--accounts", str(ACCOUNTS)]
            found[rate] = contest.workload("rate", *flags)
    return found


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", nargs="+", type=int, default=[200, 500, 2_000], help="commands per second")
    parser.add_argument("--seconds", type=int, default=15, help="how long each rate is measured")
    parser.add_argument("--name", default="latency", help="of the file in bench/results; - for none")
    add_arguments(parser)
    options = parser.parse_args()
    check_builds(options)
    chosen = [one for one in CONTESTANTS if one.name.startswith(tuple(options.only))]
    runs: dict[tuple[str, int], list[dict[str, float]]] = {}
    figures: dict[str, Any] = {"machine": machine(), "settings": settings(options), "runs": [], "medians": []}
    for turn in range(options.rounds):
        for one in chosen:
            for rate, found in measure(one, options).items():
                runs.setdefault((one.name, rate), []).append(found)
                figures["runs"].append({"round": turn + 1, "contestant": one.name, **found})
                print(f"{turn + 1}: {one.name} at {rate}/s: {found}", flush=True)
    medians = {key: middle(found) for key, found in runs.items()}
    figures["medians"] = [{"contestant": name, **found} for (name, _), found in medians.items()]
    rows = []
    for (name, rate), found in medians.items():
        raw = medians.get((RAW.name, rate))
        over = f"{found['p99_ms'] / raw['p99_ms']:.2f} ×" if raw else ""
        cells = [f"{found[which]:.1f} ms" for which in ("p50_ms", "p99_ms", "max_ms")]
        rows.append([name, f"{rate:,}/s", *cells, over])
    print(f"\ncommand → visible outcome, medians of {options.rounds} (aim: p99 at most {AIM:g} × the raw copy's)\n")
    print(table(["contestant", "rate", "p50", "p99", "longest", "p99 over raw copy"], rows))
    if options.name != "-":
        print(f"\nwritten to {write(options.name, figures)}")


if __name__ == "__main__":
    main()
