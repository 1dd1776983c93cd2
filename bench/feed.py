"""How long a page of a feed takes, quietly and while fan-outs are written, beside the bare client asking the same queries.

    feed.py [--only sqlite cql] [--samples N] [--rate N] [--chirps N]

`make bench-feed` builds what is measured, and starts the CQL server that it finds by MILLRACE_TEST_CQL.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

from fan_out import run
from report import machine, settings, table, write

# What has been told of the figures: for a first and a second page, under load.
MOST_MS = 10.0
HEADS = ["p50 ms", "p99 ms", "p99.9 ms"]
STORES = {"sqlite": "SQLite", "cql": "CQL"}


def rows(store: str, found: dict[str, Any]) -> list[list[str]]:
    """A line for each load and kind of page: what a feed takes, then the bare client."""
    lines = []
    for case in found["cases"]:
        for kind in dict.fromkeys(page["page"] for page in case["pages"]):
            times = [time for page in case["pages"] if page["page"] == kind for time in figures_of(page)]
            lines.append([STORES[store], case["load"], kind, *times])
    return lines


def figures_of(page: dict[str, Any]) -> list[str]:
    """p50, p99 and p99.9, or the longest where there are too few for that."""
    last = f"{page['p999_ms']:.1f}" if page["samples"] >= 1_000 else f"({page['longest_ms']:.1f})"
    return [f"{page['p50_ms']:.1f}", f"{page['p99_ms']:.1f}", last]


def judge(store: str, found: dict[str, Any]) -> str:
    """Whether the worst of what is aimed at is as it should be."""
    case = next(case for case in found["cases"] if case["load"] == "fan-outs")
    worst = max(page["p99_ms"] for page in case["pages"] if page["who"] == "feed" and page["page"] != "below the floor")
    writing = case["writing"]
    return (
        f"{STORES[store]}: p99 of a first and a second page under load is at most {worst:.1f} ms (aim: {MOST_MS:g}); "
        f"{writing['chirps_a_second']:.0f} chirps/s were told meanwhile, most of them to {writing['readers_of_most']} readers, "
        f"{writing['chirps_behind_at_the_end']} not yet written at the end"
    )


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(STORES), default=list(STORES))
    parser.add_argument("--samples", type=int, default=1_000, help="pages of each kind and contestant; below the floor a fifth")
    parser.add_argument("--rate", type=int, default=50, help="pages a second at most; below the floor a fifth")
    parser.add_argument("--chirps", type=int, default=50, help="chirps told a second, under load")
    parser.add_argument("--name", default="feed", help="of the file in bench/results; - for none")
    options = parser.parse_args()
    figures: dict[str, Any] = {"machine": machine(), "settings": settings(options)}
    amount = [f"--{name}={getattr(options, name)}" for name in ("samples", "rate", "chirps")]
    lines = []
    for store in options.only:
        figures[store] = run("feed", "--tables", store, *amount)
        lines += rows(store, figures[store])
    figures["machine"]["load_after"] = [round(load, 2) for load in os.getloadavg()]
    print(table(["tables", "load", "page", *HEADS, *(f"bare {head}" for head in HEADS)], lines))
    for store in options.only:
        print(judge(store, figures[store]))
    if options.name != "-":
        print(f"\nwritten to {write(options.name, figures)}")


if __name__ == "__main__":
    main()
