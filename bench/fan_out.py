"""What fan-outs cost: memory an edge, rows a second beside the bare driver, and what a giant costs others.

    fan_out.py [--only edges speed fairness]

`make bench-fan-out` builds what is measured, and starts the CQL server that `speed` and `fairness` find by MILLRACE_TEST_CQL.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from pathlib import Path
from statistics import median
from typing import Any

from fan_out_plot import draw
from report import RESULTS, machine, table, write

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "dist" / "millrace-bench-fan-out"
# What has been told of the figures.
MOST_BYTES_A_FOLLOW = 40
LEAST_OF_THE_DRIVER = 0.9
MOST_TIMES_AS_LONG = 2.0


def run(*arguments: str) -> dict[str, Any]:
    """Runs a part of the program; gives its report."""
    done = subprocess.run([str(PROGRAM), *arguments], check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"millrace-bench-fan-out {arguments[0]} failed, as it says above")
    return dict(json.loads(done.stdout))


def show_edges(found: dict[str, Any]) -> None:
    """Prints what a projector keeps of the network."""
    print(f"\n{found['people']:,} people, {found['follows']:,} follows: {found['bytes_a_person']:.0f} bytes a person and ", end="")
    print(f"{found['bytes_a_follow']:.1f} bytes a follow (aim: at most {MOST_BYTES_A_FOLLOW})\n")
    rows = [
        [f"{one['audience']:,}", f"{one['taken_in_ms']:.1f} ms", f"{one['peak_grew_by_bytes'] / 1e6:.1f} MB"]
        for one in found["fan_outs"]
    ]
    print(table(["readers of a chirp", "to take it in", "more memory while it is told"], rows))


def show_speed(found: dict[str, Any]) -> None:
    """Prints rows a second beside the bare driver."""
    ours, theirs = (median(found[f"{who}_rows_a_second"]) for who in ("projector", "bare_driver"))
    print(f"\n{found['chirps']:,} chirps, {found['rows']:,} rows: projector {ours:,.0f} rows/s, bare driver {theirs:,.0f} rows/s, ", end="")
    print(f"{ours / theirs:.2f} of it (aim: at least {LEAST_OF_THE_DRIVER})")


def show_fairness(found: dict[str, Any]) -> None:
    """Prints how long small authors' chirps take, with and without a giant."""
    cases = {case["name"]: case["figures"] for case in found["cases"]}
    rows = [
        [
            name,
            f"{one['arrived']:,} of {one['sent']:,}",
            f"{one['p50_ms']:.1f} ms",
            f"{one['p99_ms']:.1f} ms",
            f"{one['longest_ms']:.0f} ms",
            f"{one['rows_of_the_giant']:,}",
            f"{one['memory_grew_by_mb']:.0f} MB",
        ]
        for name, one in cases.items()
    ]
    print(f"\na giant with {found['audience']:,} followers; {found['small_authors']:,} small authors, {found['rate']} chirps/s\n")
    print(table(["", "arrived", "p50", "p99", "longest", "rows of the giant meanwhile", "more memory"], rows))
    times = cases["with the giant"]["p99_ms"] / cases["without the giant"]["p99_ms"]
    print(f"p99 with the giant is {times:.2f} × that without (aim: at most {MOST_TIMES_AS_LONG:g})")


SHOW = {"edges": show_edges, "speed": show_speed, "fairness": show_fairness}


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SHOW), default=list(SHOW))
    parser.add_argument("--name", default="fan-out", help="of the file in bench/results; - for none")
    parser.add_argument("--plot", default=str(RESULTS.parent / "fan-out.svg"), help="the drawing of fairness; - for none")
    options = parser.parse_args()
    if not os.access(PROGRAM, os.X_OK):
        raise SystemExit(f"there is no {PROGRAM}; build it with: cargo build --profile dist -p millrace-bench-fan-out")
    figures: dict[str, Any] = {"machine": machine()}
    for part in options.only:
        figures[part] = run(part, *(["--at-once"] if part == "fairness" else []))
        SHOW[part](figures[part])
    if "fairness" in figures and options.plot != "-":
        Path(options.plot).write_text(draw(figures["fairness"]))
        print(f"drawn in {options.plot}")
        for case in figures["fairness"]["cases"]:
            # the drawing has them
            del case["figures"]["points"]
    if options.name != "-":
        print(f"\nwritten to {write(options.name, figures)}")


if __name__ == "__main__":
    main()
