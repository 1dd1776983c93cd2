"""Asks a live gateway what its document allows and what it does not, and holds its answers against the document.

    live.py --millrace target/debug/millrace --cases 300
    live.py --millrace target/release/millrace --cases 100000 --seed 7

Starts `millrace up`, tells it a little, and lets schemathesis make cases until there were so many. Ends with 1 when an answer is
not in the document: 5xx but for 503, another status, type or schema, or data taken that should have been refused.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

# The media type of answers whose longs are texts.
TEXTS = "application/json; longs=string"
HERE = Path(__file__).resolve().parent
# What is there to be found: users who follow each other, a chirp, money.
BEFORE = [
    ("chirp/RegisterUser", {"user_id": "0", "username": "Zero"}),
    ("chirp/RegisterUser", {"user_id": "1", "username": "One"}),
    ("chirp/FollowUser", {"follower_id": "0", "followee_id": "1"}),
    ("chirp/PostChirp", {"chirp_id": "0", "author_id": "1", "content": "Hello, world"}),
    ("accounting/OpenAccount", {"account_id": "0", "owner_id": "0", "currency": "EUR"}),
    ("accounting/OpenAccount", {"account_id": "1", "owner_id": "1", "currency": "EUR"}),
    ("accounting/Deposit", {"account_id": "0", "amount": 1000, "currency": "EUR", "reference": ""}),
]


@contextmanager
def up(millrace: str, folder: Path) -> Iterator[str]:
    """`millrace up` on free ports: its URL."""
    ports = [word for name in ("kafka", "registry", "http") for word in (f"--{name}-port", "0")]
    with (folder / "up.log").open("w") as log:
        running = subprocess.Popen(
            [millrace, "up", "--data", str(folder / "data"), *ports],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=folder,
        )
    try:
        assert running.stdout
        line = running.stdout.readline()
        found = re.search(r"http=(\S+)", line)
        if not found:
            raise SystemExit(f"millrace up: {line}\n{(folder / 'up.log').read_text()[-2000:]}")
        yield found[1]
        if (code := running.poll()) is not None:
            raise SystemExit(f"millrace up has ended by itself: {code}\n{(folder / 'up.log').read_text()[-2000:]}")
    finally:
        running.terminate()
        running.wait(60)


def send(url: str, command: str, data: dict[str, object]) -> None:
    """Sends a command, which is to be accepted."""
    body = json.dumps({"data": data}).encode()
    request = urllib.request.Request(f"{url}/v1/commands/{command}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200, answer.read()


def document(url: str) -> dict[str, Any]:
    """What the gateway says of itself."""
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=60) as answer:
        return json.load(answer)


def longs_as_texts(url: str, described: dict[str, Any]) -> int:
    """Reads every view with its longs as texts, which schemathesis does not tell from the other form: the number of rows."""
    rows = 0
    for path, methods in described["paths"].items():
        if not path.startswith("/v1/views/"):
            continue
        asked = urllib.request.Request(url + path, headers={"Accept": TEXTS})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert answer.headers["Content-Type"] == TEXTS, answer.headers["Content-Type"]
            page = json.load(answer)
        schema = methods["get"]["responses"]["200"]["content"][TEXTS]["schema"]
        Draft202012Validator({**schema, "components": described["components"]}).validate(page)
        rows += len(page["rows"])
    return rows


def round_of(url: str, folder: Path, seed: int, examples: int, phases: str, workers: int) -> tuple[int, Counter[str]]:
    """Lets schemathesis make so many examples of each operation: its exit code, and the answers by status."""
    counted = folder / "counted.json"
    counted.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(HERE),
        "MILLRACE_API_COUNTED": str(counted),
    }
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        "--config-file",
        str(HERE / "schemathesis.toml"),
        "run",
        f"{url}/openapi.json",
        *["--phases", phases, "--workers", str(workers), "--max-examples", str(examples), "--seed", str(seed)],
        *["--request-timeout", "30", "--suppress-health-check", "all", "--warnings", "off", "--no-color"],
        *["--continue-on-failure", "--generation-database", "none"],
        # instead: no_fault, of hooks.py
        *["--exclude-checks", "not_a_server_error"],
    ]
    code = subprocess.run(command, env=environment, cwd=folder).returncode
    return code, Counter(json.loads(counted.read_text()) if counted.exists() else {})


def main() -> int:
    """Runs rounds until there were enough cases, or one fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    # one: ast.parse of Python 3.11, which hypothesis calls, fails now and then in two threads at once
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    # whoever is told to end ends what it has started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, up(str(Path(given.millrace).resolve()), Path(name)) as url:
        for command, data in BEFORE:
            send(url, command, data)
        described = document(url)
        began, seed = time.monotonic(), given.seed
        count = sum(len(methods) for methods in described["paths"].values())
        while (done := sum(total.values())) < given.cases:
            # a round in which all is forgotten that was found before: other cases, not the same longer
            examples = max(1, min(200, (given.cases - done) // count))
            phases = "coverage,fuzzing" if not total and given.cases > 5_000 else "fuzzing"
            code, counted = round_of(url, Path(name), seed, examples, phases, given.workers)
            total += counted
            seed += 1
            if code or not counted:
                print(f"seed {seed - 1} has failed, after {sum(total.values())} cases")
                return 1
        seconds = time.monotonic() - began
        assert longs_as_texts(url, described) > 0
        log = (Path(name) / "up.log").read_text()
        if "panicked" in log:
            print(log[-4000:])
            return 1
    statuses = ", ".join(f"{status}: {number}" for status, number in sorted(total.items()))
    print(f"{sum(total.values())} cases of {count} operations in {seconds:.0f} s, seeds {given.seed} to {seed - 1}; {statuses}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
