"""The cost of every threshold, and the least."""

from __future__ import annotations

import math
from dataclasses import dataclass

from paper.costs import Cost, Load, cost, load
from paper.model import ABOVE, CAP, Model
from paper.network import Network, network


@dataclass(frozen=True)
class Point:
    """A threshold, its day, and what that costs."""

    threshold: float
    day: Load
    cost: Cost


@dataclass(frozen=True)
class Sweep:
    """Thresholds from everybody pulled to everybody pushed."""

    points: tuple[Point, ...]
    default: Point

    @property
    def best(self) -> Point:
        """The one of least cost."""
        return min(self.points, key=lambda point: point.cost.total)

    @property
    def excess(self) -> float:
        """What the default costs over the best, as a factor."""
        return self.default.cost.total / self.best.cost.total


def point(model: Model, net: Network, threshold: float) -> Point:
    """One threshold."""
    day = load(net, model.habits, threshold)
    return Point(threshold, day, cost(model, day))


def sweep(model: Model, users: int, per_decade: int = 20) -> Sweep:
    """All thresholds."""
    net = network(users, model.habits, model.seed)
    steps = math.ceil(per_decade * math.log10(users))
    thresholds = [0.0, *(10 ** (step / per_decade) for step in range(per_decade, steps + 1)), math.inf]
    return Sweep(tuple(point(model, net, threshold) for threshold in thresholds), point(model, net, ABOVE))


def flapping_rows(above: float, below: float) -> float:
    """Rows for a follow or unfollow of an author who is made to cross the band again and again, at the shortest cycle.

    Crossing upwards writes the newest chirps for all to pull and tells every follower; crossing downwards tells every follower.
    """
    upwards, downwards = CAP + 1 + above + 1, below - 1
    between = above + 1 - (below - 1)
    return (upwards + downwards) / (2 * between)
