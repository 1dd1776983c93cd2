"""What a chirp costs, which threshold for celebrities costs least, and what so many users need: on paper, from measured parts.

    capacity.py [--users 500000000] [--seed 1]      the cost of every threshold, and what the default costs over the best
    capacity.py --json | --plot FILE.svg            the same as figures, as a drawing
    capacity.py --table NAME                        a table of docs/capacity.md (`--help` has the names)
    capacity.py --check docs/capacity.md            exit 1 when its tables are not what comes out here
    capacity.py --measure                           the parts, on the servers of MILLRACE_TEST_KAFKA, _CQL and _REGISTRY

All but --measure needs nothing beside Python. Every part, habit and machine below is a flag with that default.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from paper.drawing import draw
from paper.measuring import measure
from paper.model import EXAMPLES, ROOT, Constants, Habits, Machines, Model, values
from paper.tables import TABLES, differences, threshold_table, verdict
from paper.thresholds import Point, sweep
from report import table


def figures(model: Model, users: int) -> dict[str, Any]:
    """The sweep as JSON."""
    swept = sweep(model, users)

    def one(at: Point) -> dict[str, Any]:
        threshold = None if math.isinf(at.threshold) else at.threshold
        day = {name: value for name, value in asdict(at.day).items() if name != "threshold"}
        return {"threshold": threshold, **day, "cpu_seconds": {**asdict(at.cost), "total": at.cost.total}}

    return {
        "users": users,
        "model": asdict(model),
        "best": one(swept.best),
        "default": one(swept.default),
        "default_over_best": swept.excess,
        "thresholds": [one(at) for at in swept.points],
    }


def main() -> None:
    """Does what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=EXAMPLES[-1])
    parser.add_argument("--seed", type=int, default=1, help="of the largest audiences")
    parser.add_argument("--json", action="store_true", help="all figures of the sweep")
    parser.add_argument("--plot", metavar="FILE.svg", help="where to draw the sweep")
    parser.add_argument("--table", choices=list(TABLES), metavar="NAME", help=f"one of {', '.join(TABLES)}")
    parser.add_argument("--check", metavar="FILE", type=Path, help="a document with all tables between marks")
    parser.add_argument("--measure", action="store_true", help="measure parts instead of using them")
    parser.add_argument("--chirps", type=int, default=100_000, help="with --measure: how many are posted, twice")
    parser.add_argument("--pages", type=int, default=50_000, help="with --measure: how many are read")
    parser.add_argument("--millrace", default=str(ROOT / "target" / "dist" / "millrace"), help="with --measure: the binary")
    kinds = (Constants, Habits, Machines)
    for kind in kinds:
        group = parser.add_argument_group(kind.__name__.lower(), kind.__doc__)
        for one, value in values(kind()):
            flag, says = f"--{one.name.replace('_', '-')}", one.metadata["says"].replace("%", "%%")
            group.add_argument(flag, type=float, default=value, metavar="N", help=f"{says} ({value:g})")
    options = parser.parse_args()
    constants, habits, machines = (kind(**{one.name: getattr(options, one.name) for one in fields(kind)}) for kind in kinds)
    model = Model(constants, habits, machines, options.seed)
    if options.users < 1_000:
        sys.exit("--users: at least 1,000, or there is no distribution to speak of")
    if options.measure:
        found = measure(options.millrace, options.chirps, options.pages)
        used = [f"{getattr(constants, name, float('nan')):.4g}" for name in found]
        lines = [[name, f"{value:.4g}", here] for (name, value), here in zip(found.items(), used)]
        print(table(["part", "measured", "used here"], lines))
    elif options.check:
        found_wrong = differences(model, options.users, options.check.read_text())
        if found_wrong:
            again = "python3 bench/capacity.py --table NAME | scripts/between-marks NAME"
            sys.exit("\n".join([*found_wrong, f"{options.check} is not what comes out; for each NAME: {again} {options.check}"]))
    elif options.table:
        print(TABLES[options.table](model, options.users))
    elif options.json:
        print(json.dumps(figures(model, options.users), indent=1))
    else:
        print(threshold_table(model, options.users) + "\n\n" + verdict(model, options.users))
    if options.plot:
        Path(options.plot).write_text(draw(sweep(model, options.users), options.users))
        print(f"drawn in {options.plot}", file=sys.stderr)


if __name__ == "__main__":
    main()
