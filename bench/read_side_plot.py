"""Draws what a longer history costs the read side, from bench/results/read-side.json, as an SVG without further files.

    read_side_plot.py [results/read-side.json] [read-side.svg]

Full marks are measured. Hollow ones, behind a dotted line, are the straight line through the measured sizes, further on.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from growth_plot import FAINT, FONT, INK, text
from paper.model import Constants

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 920, 800
# Left and right edges, top and bottom of the panels' drawing areas.
COLUMNS, ROWS = [(86, 430), (546, 890)], [(84, 320), (456, 692)]
FIRST, SECOND = "#0072b2", "#d55e00"
# What nobody has measured is said of these sizes.
FURTHER = (10_000_000, 100_000_000)
# What may grow with the history, and goes on along the line.
AGAINST_HISTORY = ("state_mb", "tables_mb", "folded_seconds", "verify_seconds", "verify_peak_memory_mb")


@dataclass(frozen=True)
class Panel:
    """A drawing: a line for each figure, by its name in the results, and what it is called."""

    title: str
    lines: Sequence[tuple[str, str]]
    label: Callable[[float], str]
    is_logarithmic: bool


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"


def _in_thousands(value: float) -> str:
    return f"{value / 1e3:,.0f} k" if value else "0"


PANELS = [
    Panel("rows a second, one projector, into SQLite", [("rows_per_second", "")], _in_thousands, False),
    Panel("resident memory of the projector, MB", [("memory_mb", "")], _plain, False),
    Panel("seconds from a start to the first row", [("restart_seconds", "with its folder"), ("folded_seconds", "without")], _plain, True),
    Panel("on disk, GB", [("tables_gb", "tables"), ("state_gb", "what is known")], _plain, True),
]


def further(sizes: Sequence[dict[str, float]], counts: Sequence[int] = FURTHER) -> list[dict[str, float]]:
    """What larger histories come to if everything goes on as between the measured ones (least squares). What is not seen to
    grow with the history is taken for flat: rows a second, and a restart of a projector that has its folder; and so is memory, but
    for the index of what is on disk, which is lost in the noise of these sizes."""
    measured = max(size["chirps"] for size in sizes)
    found = []
    for count in (it for it in counts if it > measured):
        size: dict[str, float] = {"chirps": float(count)}
        for name in ("rows_per_second", "cpu_us_a_row", "memory_mb", "peak_memory_mb", "restart_seconds"):
            size[name] = sum(one[name] for one in sizes) / len(sizes)
        for name in ("memory_mb", "peak_memory_mb"):
            size[name] += count * Constants().fold_chirp_bytes / 1e6
        for name in AGAINST_HISTORY:
            if name not in sizes[0]:
                continue
            size[name] = _line([(one["chirps"], one[name]) for one in sizes])(count)
        found.append(size)
    return found


def _line(points: Sequence[tuple[float, float]]) -> Callable[[float], float]:
    middle = [sum(point[axis] for point in points) / len(points) for axis in (0, 1)]
    spread = sum((x - middle[0]) ** 2 for x, _ in points)
    slope = sum((x - middle[0]) * (y - middle[1]) for x, y in points) / spread if spread else 0.0
    return lambda x: middle[1] + slope * (x - middle[0])


def draw(figures: dict[str, Any]) -> str:
    """The picture: speed and memory above, restarts and disk below."""
    sizes = [_in_gigabytes(size) for size in figures["sizes"]]
    beyond = [_in_gigabytes(size) for size in further(figures["sizes"])]
    settings, machine = figures["settings"], figures["machine"]
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' {FONT} font-size='13' fill='{INK}'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
    ]
    for place, panel in enumerate(PANELS):
        parts += _panel(panel, COLUMNS[place % 2], ROWS[place // 2], sizes, beyond)
    says = f"{machine['cores']} cores with the broker; {settings['authors']:,} authors, {settings['followers']} follower each. "
    says += "Hollow: not measured, but said by the slope"
    parts += [text(WIDTH / 2, HEIGHT - 14, says, "middle", size=11), "</svg>"]
    return "\n".join(parts) + "\n"


def _in_gigabytes(size: dict[str, float]) -> dict[str, float]:
    return {**size, "tables_gb": size["tables_mb"] / 1e3, "state_gb": size["state_mb"] / 1e3}


def _panel(
    panel: Panel,
    edges: tuple[int, int],
    heights: tuple[int, int],
    sizes: Sequence[dict[str, float]],
    beyond: Sequence[dict[str, float]],
) -> list[str]:
    (left, right), (top, bottom) = edges, heights
    every = [*sizes, *beyond]
    values = [size[name] for size in every for name, _ in panel.lines]
    ticks = _powers(min(values), max(values)) if panel.is_logarithmic else _steps(max(values))
    first, last = math.log10(every[0]["chirps"]), math.log10(every[-1]["chirps"])

    def x(count: float) -> float:
        return left + 24 + (math.log10(count) - first) / (last - first) * (right - left - 48)

    def y(value: float) -> float:
        if panel.is_logarithmic:
            low, high = math.log10(ticks[0]), math.log10(ticks[-1])
            return bottom - (math.log10(value) - low) / (high - low) * (bottom - top)
        return bottom - value / ticks[-1] * (bottom - top)

    parts = [text(left - 62, top - 18, panel.title, "start", weight="600")]
    for tick in ticks:
        parts.append(f"<line x1='{left}' y1='{y(tick):.1f}' x2='{right}' y2='{y(tick):.1f}' stroke='{FAINT}'/>")
        parts.append(text(left - 8, y(tick) + 4, panel.label(tick), "end"))
    for count in [size["chirps"] for size in sizes if size is sizes[0] or size is sizes[-1]] + [size["chirps"] for size in beyond]:
        parts.append(f"<line x1='{x(count):.1f}' y1='{bottom}' x2='{x(count):.1f}' y2='{bottom + 5}' stroke='{INK}'/>")
        parts.append(text(x(count), bottom + 20, _short(count), "middle"))
    parts.append(f"<line x1='{left}' y1='{bottom}' x2='{right}' y2='{bottom}' stroke='{INK}'/>")
    parts.append(text((left + right) / 2, bottom + 40, "chirps (logarithmic)", "middle"))
    for index, (name, called) in enumerate(panel.lines):
        colour = (FIRST, SECOND)[index]
        known = [(x(size["chirps"]), y(size[name])) for size in sizes]
        guessed = [known[-1], *((x(size["chirps"]), y(size[name])) for size in beyond)]
        parts.append(_path(known, colour, ""))
        parts.append(_path(guessed, colour, " stroke-dasharray='2 5'"))
        for (px, py), size in zip([*known, *guessed[1:]], every):
            tip = escape(f"{size['chirps']:,.0f} chirps: {size[name]:,.2f}")
            fill = colour if size in sizes else "white"
            parts.append(
                f"<circle cx='{px:.1f}' cy='{py:.1f}' r='4.5' fill='{fill}' stroke='{colour}' stroke-width='2'><title>{tip}</title></circle>"
            )
        if called:
            at = left + 20
            height = top + 22 + 20 * index
            parts.append(f"<circle cx='{at}' cy='{height - 4}' r='4.5' fill='{colour}'/>")
            parts.append(text(at + 12, height, called, "start"))
    return parts


def _path(points: Sequence[tuple[float, float]], colour: str, more: str) -> str:
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
    return f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'{more}/>"


def _powers(least: float, most: float) -> list[float]:
    """Powers of ten around all of it."""
    return [10.0**power for power in range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)]


def _steps(most: float) -> list[float]:
    """Round numbers from zero on, four to eight of them."""
    power = 10 ** math.floor(math.log10(most))
    step = next(power * factor for factor in (0.1, 0.2, 0.25, 0.5, 1, 2) if most / (power * factor) <= 8)
    return [step * tick for tick in range(math.ceil(most / step) + 1)]


def _short(count: float) -> str:
    return f"{count / 1e6:g} M" if count >= 1e6 else f"{count / 1e3:g} k"


def main() -> None:
    """Draws the file that is named."""
    given = [Path(argument) for argument in sys.argv[1:]]
    source = given[0] if given else HERE / "results" / "read-side.json"
    target = given[1] if len(given) > 1 else HERE / "read-side.svg"
    target.write_text(draw(json.loads(source.read_text())))


if __name__ == "__main__":
    main()
