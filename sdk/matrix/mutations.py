"""Lets the package of each language read inputs that were changed anywhere, and writes down what it took: time, and memory at most.

One is good where its test passes: every input was read or refused as it should be, and nothing crashed or stood still.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "matrix" / "MUTATIONS.md"
LANGUAGES = {
    "TypeScript": (
        ["node", "--test", "--test-name-pattern", "inputs that were changed anywhere", "build/test/vectors.test.js"],
        "typescript",
    ),
    "Python": ([sys.executable, "-m", "unittest", "-k", "test_inputs_that_were_changed", "tests/test_vectors.py"], "python"),
    "Go": (["./millrace.test", "-test.run", "TestInputsThatWereChanged"], "go"),
}


def built() -> str:
    """The binary of the tests of the package of Rust."""
    command = ["cargo", "test", "--locked", "--no-run", "--message-format", "json", "-p", "millrace-sdk", "--test", "main"]
    lines = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    found = [message.get("executable") for message in map(json.loads, lines)]
    return next(path for path in reversed(found) if path)


def main() -> None:
    """Runs them one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rust", help="the binary of the tests of the package of Rust; it is built where none is named")
    given = parser.parse_args()
    rust = [given.rust or built(), "vectors::inputs_that_were_changed_are_read_or_refused"]
    rows = ""
    subprocess.run(["go", "test", "-c", "-o", "millrace.test", "."], check=True, cwd=ROOT / "go")
    for language, (command, folder) in {**LANGUAGES, "Rust": (rust, "rust")}.items():
        begun = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT / folder, env=os.environ | {"MUTATIONS": str(given.count)})
        _, status, used = os.wait4(process.pid, 0)
        if status != 0:
            raise SystemExit(f"{language}: {' '.join(command)} failed")
        row = f"| {language} | {given.count:,} | {time.monotonic() - begun:.0f} s | {used.ru_maxrss // 1024} MB |\n"
        print(row, end="", flush=True)
        rows += row
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    RESULTS.write_text(f"""# Inputs that were changed anywhere

{datetime.now(timezone.utc):%Y-%m-%d}, at commit {commit.strip()}, by `make sdk-mutations`: vectors, half of them as if a newer version of the schema had written them, with one to four changes each: a byte, or cut off. Every one was read or refused as what it is; nothing crashed or stood still. Memory is the
peak of the whole test, which holds all vectors. `make test` does the same with 20,000.

| | inputs | took | memory at most |
|---|---|---|---|
{rows}""")


if __name__ == "__main__":
    main()
