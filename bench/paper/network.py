"""Audiences by a power law, in bins: half a thousand million users in as little time as a thousand."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from paper.model import BINS, DRAWN, Habits


@dataclass(frozen=True)
class Bin:
    """Users of about the same audience: how many, the audience of each, and the chirps of each on a day."""

    users: float
    audience: float
    posts: float


@dataclass(frozen=True)
class Network:
    """All users, those with the largest audience first."""

    users: int
    bins: tuple[Bin, ...]

    @property
    def edges(self) -> float:
        """Follows, all told."""
        return sum(group.users * group.audience for group in self.bins)


@cache
def network(users: int, habits: Habits, seed: int) -> Network:
    """Audiences from a power law (Pareto's second kind, which begins at no audience), the largest of them cut.

    The scale is solved for, so that there are `users * follows` follows. The largest audiences are drawn one by one: their
    ranks are those of a Poisson process. The others stand for bins of ranks, so a network of any size takes two thousand numbers.
    """
    drawing = random.Random(seed)
    drawn = min(DRAWN, users // 2)
    ranks: list[tuple[float, float]] = []
    at = 0.0
    for _ in range(drawn):
        at += drawing.expovariate(1.0)
        ranks.append((1.0, at))
    steps = max(1, math.ceil(BINS * math.log10(users / drawn)))
    edges = [drawn * (users / drawn) ** (step / steps) for step in range(steps + 1)]
    ranks += [(high - low, math.sqrt(low * high)) for low, high in zip(edges, edges[1:])]
    tail = 1 / (habits.exponent - 1)
    shape = [max(0.0, (users / rank) ** tail - 1) for _, rank in ranks]
    counts = [count for count, _ in ranks]
    audiences = _scaled(counts, shape, habits.largest * (users - 1), habits.follows)
    posts = _scaled(counts, [rank**-habits.zipf for _, rank in ranks], habits.max_posts, habits.posts)
    return Network(users, tuple(Bin(*group) for group in zip(counts, audiences, posts)))


def _scaled(counts: Sequence[float], shape: Sequence[float], most: float, mean: float) -> list[float]:
    """The shape, multiplied so that its mean is `mean` though nothing is more than `most`."""
    wanted = mean * sum(counts)
    low, high = 0.0, 1.0

    def total(scale: float) -> float:
        return sum(count * min(most, scale * height) for count, height in zip(counts, shape))

    while total(high) < wanted:
        high *= 2
        if high > 1e30:
            raise SystemExit(f"a mean of {mean:g} cannot be had with at most {most:g} each")
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) < wanted else (low, middle)
    return [min(most, high * height) for height in shape]
