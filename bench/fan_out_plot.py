"""Draws how long small authors' chirps take to their readers, as an SVG without further files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from growth_plot import FAINT, FONT, INK, LOOKS, text

WIDTH, HEIGHT = 920, 420
LEFT, RIGHT, TOP, BOTTOM = 86, 890, 84, 348
# Points of the curve: what part of the chirps had arrived after so long.
PARTS = [n / 200 for n in range(1, 200)] + [0.996, 0.997, 0.998, 0.999, 1.0]


def draw(found: dict[str, Any]) -> str:
    """The picture: for each case, the part of chirps that have arrived by a time."""
    cases = [(case["name"], sorted(took for _, took in case["figures"]["points"])) for case in found["cases"]]
    cases = [(name, took) for name, took in cases if took]
    low = math.log10(min(took[0] for _, took in cases))
    high = math.log10(max(took[-1] for _, took in cases))

    def x(milliseconds: float) -> float:
        return LEFT + (math.log10(milliseconds) - low) / (high - low) * (RIGHT - LEFT)

    def y(part: float) -> float:
        return BOTTOM - part * (BOTTOM - TOP)

    title = "small authors' chirps that have reached all their readers"
    below = f"one partition; a giant's chirp is being told to {found['audience']:,} followers; {found['rate']} small chirps/s"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' {FONT} font-size='13' fill='{INK}'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
        text(LEFT - 62, TOP - 18, title, "start", weight="600"),
        text(WIDTH / 2, HEIGHT - 10, below, "middle", size=11),
        text((LEFT + RIGHT) / 2, BOTTOM + 40, "milliseconds after the event (logarithmic)", "middle"),
    ]
    for percent in (0, 25, 50, 75, 99):
        at = y(percent / 100)
        parts.append(f"<line x1='{LEFT}' y1='{at:.1f}' x2='{RIGHT}' y2='{at:.1f}' stroke='{FAINT}'/>")
        parts.append(text(LEFT - 8, at + 4, f"{percent} %", "end"))
    for tick in _ticks(low, high):
        parts.append(f"<line x1='{x(tick):.1f}' y1='{BOTTOM}' x2='{x(tick):.1f}' y2='{BOTTOM + 5}' stroke='{INK}'/>")
        parts.append(text(x(tick), BOTTOM + 20, f"{tick:g}", "middle"))
    for index, (name, took) in enumerate(cases):
        colour = LOOKS[index % len(LOOKS)][0]
        points = " ".join(f"{x(_at(took, part)):.1f},{y(part):.1f}" for part in PARTS)
        parts.append(f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='2'/>")
        left = LEFT - 62 + index * 270
        parts.append(f"<line x1='{left}' y1='28' x2='{left + 24}' y2='28' stroke='{colour}' stroke-width='2'/>")
        parts.append(text(left + 32, 32, name, "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _at(took: Sequence[float], part: float) -> float:
    return took[min(int(len(took) * part), len(took) - 1)]


def _ticks(low: float, high: float) -> list[float]:
    every = [factor * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for factor in (1, 2, 5)]
    return [tick for tick in every if low <= math.log10(tick) <= high]
