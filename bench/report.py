"""What a benchmark leaves behind: a table to read, and the figures as JSON."""

from __future__ import annotations

import json
import os
import subprocess
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown",
    )
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cores": os.cpu_count(),
        "cpu": cpu,
        "memory_gb": round(pages * size / 1e9),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "commit": _commit(),
    }


def settings(options: Namespace) -> dict[str, Any]:
    """What a script was told, but for paths: they are this machine's own."""
    return {name: value for name, value in vars(options).items() if name not in ("millrace", "profile")}


def _commit() -> str:
    asked = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"]
    return subprocess.run(asked, check=False, capture_output=True, text=True).stdout.strip()


def write(name: str, figures: dict[str, Any]) -> Path:
    """Keeps figures as bench/results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(figures, indent=1, sort_keys=False) + "\n")
    return path


def middle(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each figure over runs."""
    return {name: median(run[name] for run in runs) for name in runs[0]}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
