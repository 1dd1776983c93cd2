"""Measures how fast the packages read and write messages, each beside the foreign library of its language; writes a page of ratios."""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "bench" / "sdk" / "README.md"
RESULT = ROOT / "bench" / "results" / "sdk-codecs.json"
PEERS = {
    "TypeScript": "`avsc` 5.7.9, BigInt longs",
    "Python": "`fastavro` 1.13.1",
    "Go": "`twmb/avro` 1.9.1",
    "Rust": "`apache-avro` 0.22.0",
}
NAMES = ("decode millrace", "decode peer", "encode millrace", "encode peer")


def out(command: list[str], folder: Path = ROOT) -> str:
    """What a program prints."""
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def of_go() -> dict[str, float]:
    """Go's own benchmarks, as medians of nanoseconds a message."""
    text = out(["go", "test", "-run", "^$", "-bench", ".", "-count", "5", "-benchtime", "500ms", "."], ROOT / "sdk" / "go")
    benchmarks = {
        "BenchmarkDecodeMillrace": "decode millrace",
        "BenchmarkDecodeTwmbAvro": "decode peer",
        "BenchmarkEncodeMillrace": "encode millrace",
        "BenchmarkEncodeTwmbAvro": "encode peer",
    }
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for benchmark, ns in re.findall(r"^(Benchmark\w+?)(?:-\d+)?\s.*?([\d.]+) ns/message", text, re.M):
        found[benchmarks[benchmark]].append(float(ns))
    return {name: statistics.median(times) for name, times in found.items()}


def page(measured: dict[str, dict[str, float]]) -> str:
    """The page of ratios."""
    rows = ""
    for language, ns in measured.items():
        ratios = [ns[f"{way} peer"] / ns[f"{way} millrace"] for way in ("decode", "encode")]
        numbers = [f"{ns[name]:,.0f}" for name in NAMES]
        rows += f"| {language} | {PEERS[language]} | {numbers[0]} | {numbers[1]} | **{ratios[0]:.2f}** | {numbers[2]} | {numbers[3]} | **{ratios[1]:.2f}** |\n"
    return f"""# How fast the packages read and write

Nanoseconds of processor time a message, medians, over all commands and events of `sdk/vectors`, in one run, each language alone, ours and its peer in turns, on a machine that others used, too. *Ratio*: how many times faster than the peer ours is; below 1 it is slower.

| | beside | decode | peer | ratio | encode | peer | ratio |
|---|---|---|---|---|---|---|---|
{rows}
Ours reads into a type for each message and refuses what is no UTF-8, too long or left over; the peers read into maps and dictionaries (`apache-avro`: into its `Value`). `fastavro` is compiled C, and ours plain Python ([decision 43](../../docs/decisions/0043-packages-from-one-model.md)).

    make bench-sdk

All of it is in [../results/sdk-codecs.json](../results/sdk-codecs.json).
"""


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rust", required=True, help="the binary millrace-bench-sdk")
    given = parser.parse_args()
    measured = {
        "TypeScript": json.loads(out(["node", "bench/sdk/codec.mjs"])),
        "Python": json.loads(out([sys.executable, "bench/sdk/codec.py"])),
        "Go": of_go(),
        "Rust": json.loads(out([given.rust, "sdk/vectors"])),
    }
    RESULT.write_text(json.dumps(measured, indent=1) + "\n")
    PAGE.write_text(page(measured))
    print(page(measured))


if __name__ == "__main__":
    main()
