"""How fast commands become outcomes and rows, seen from outside by a foreign producer.

    end_to_end.py embedded            `millrace up` in a temporary folder
    end_to_end.py cluster             one processor and one projector on the servers that MILLRACE_TEST_KAFKA,
                                      MILLRACE_TEST_CQL and MILLRACE_TEST_REGISTRY name

Throughput: a batch, encoded beforehand so that the producer is no bottleneck, from the first record sent to the
last outcome read, and to the last row read. Latency: at a low steady rate, from handing a command to the producer to
its outcome in a consumer, and to its row in a table. Both are single chirps of authors with ten followers each.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from measure import Measured, latency, prepare, throughput  # noqa: E402
from system import Cluster, Embedded, System  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent


def run(system: System, commands: int, rate: int, seconds: int) -> Measured:
    """All measurements on one running system."""
    audience = prepare(system)
    latency(system, audience, rate, 2)  # everything is loaded, connected and compiled once
    measured = latency(system, audience, rate, seconds)
    measured.batch = throughput(system, audience, commands)
    return measured


def main() -> None:
    """Measures what the arguments say and prints a row of the report's table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", choices=["embedded", "cluster"])
    parser.add_argument("--commands", type=int, default=50_000, help="size of the batch")
    parser.add_argument("--rate", type=int, default=200, help="commands per second while latency is measured")
    parser.add_argument("--seconds", type=int, default=20, help="how long latency is measured")
    parser.add_argument("--millrace", default=str(ROOT / "target" / "dist" / "millrace"))
    options = parser.parse_args()
    if not os.access(options.millrace, os.X_OK):
        sys.exit(f"there is no {options.millrace}; build it with: cargo build --profile dist -p millrace-cli")

    kind = Embedded if options.target == "embedded" else Cluster
    with (
        tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder,
        kind(options.millrace, Path(folder)) as system,
    ):
        measured = run(system, options.commands, options.rate, options.seconds)
    print(
        "| servers | batch | commands/s to outcome | commands/s to row | rate | outcome p50 | p99 | row p50 | p99 |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print(measured.row(options.target, options.commands, options.rate))


if __name__ == "__main__":
    main()
