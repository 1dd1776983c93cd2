"""Draws what growth costs, from bench/results/growth.json, as an SVG without further files.

    growth_plot.py [results/growth.json] [growth.svg]
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 920, 420
# A panel's drawing area within the picture: left and right edges, top and bottom.
PANELS = [(86, 430), (546, 890)]
TOP, BOTTOM = 84, 348
# Readable beside each other also by those who see few colours; shapes tell them apart as well.
LOOKS = [("#0072b2", "circle"), ("#d55e00", "square"), ("#009e73", "diamond"), ("#cc79a7", "circle")]
INK, FAINT = "#1f2328", "#d0d7de"
FONT = "font-family='-apple-system, Segoe UI, Helvetica, Arial, sans-serif'"


def draw(figures: dict[str, Any]) -> str:
    """The picture: throughput on the left, memory on the right, a line for each number of partitions."""
    pairs: list[dict[str, Any]] = figures["pairs"]
    machine = figures["machine"]
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' {FONT} font-size='13' fill='{INK}'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
        *_panel(PANELS[0], pairs, "per_cpu_second", "commands per CPU-second of the processor", lambda y: f"{y / 1e3:,.0f} k" if y else "0"),
        *_panel(PANELS[1], pairs, "memory_mb", "resident memory of the processor, MB", lambda y: f"{y:,.0f}"),
        *_legend(sorted({pair["partitions"] for pair in pairs})),
        text(WIDTH / 2, HEIGHT - 10, f"{machine['cores']} cores with the broker, local state, keys uniform", "middle", size=11),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(
    edges: tuple[int, int],
    pairs: Sequence[dict[str, Any]],
    name: str,
    title: str,
    label: Callable[[float], str],
) -> list[str]:
    left, right = edges
    step = _step(max(pair[name] for pair in pairs))
    top = step * math.ceil(max(pair[name] for pair in pairs) / step)
    counts = sorted({pair["aggregates"] for pair in pairs})
    low, high = math.log10(counts[0]), math.log10(counts[-1])

    def x(count: float) -> float:
        share = (math.log10(count) - low) / (high - low) if high > low else 0.5
        return left + 24 + share * (right - left - 48)

    def y(value: float) -> float:
        return BOTTOM - value / top * (BOTTOM - TOP)

    parts = [text(left - 62, TOP - 18, title, "start", weight="600")]
    for tick in range(int(top / step) + 1):
        at = y(tick * step)
        parts.append(f"<line x1='{left}' y1='{at:.1f}' x2='{right}' y2='{at:.1f}' stroke='{FAINT}'/>")
        parts.append(text(left - 8, at + 4, label(tick * step), "end"))
    for count in counts:
        parts.append(f"<line x1='{x(count):.1f}' y1='{BOTTOM}' x2='{x(count):.1f}' y2='{BOTTOM + 5}' stroke='{INK}'/>")
        parts.append(text(x(count), BOTTOM + 20, _short(count), "middle"))
    parts.append(f"<line x1='{left}' y1='{BOTTOM}' x2='{right}' y2='{BOTTOM}' stroke='{INK}'/>")
    parts.append(text((left + right) / 2, BOTTOM + 40, "aggregates (logarithmic)", "middle"))
    for index, partitions in enumerate(sorted({pair["partitions"] for pair in pairs})):
        colour, shape = LOOKS[index % len(LOOKS)]
        line = sorted((pair["aggregates"], pair[name]) for pair in pairs if pair["partitions"] == partitions)
        points = [(x(count), y(value)) for count, value in line]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>")
        for (px, py), (count, value) in zip(points, line):
            tip = f"{partitions} partitions, {count:,} aggregates: {value:,.0f}"
            parts.append(_mark(shape, px, py, colour, tip))
    return parts


def _legend(kinds: Sequence[int]) -> list[str]:
    parts = []
    left = PANELS[0][0] - 62
    for index, partitions in enumerate(kinds):
        colour, shape = LOOKS[index % len(LOOKS)]
        at = left + 12 + index * 130
        parts.append(f"<line x1='{at - 12}' y1='28' x2='{at + 12}' y2='28' stroke='{colour}' stroke-width='2'/>")
        parts.append(_mark(shape, at, 28, colour, ""))
        parts.append(text(at + 20, 32, f"{partitions} partition{'s' if partitions > 1 else ''}", "start"))
    return parts


def _mark(shape: str, x: float, y: float, colour: str, tip: str) -> str:
    title = f"<title>{escape(tip)}</title>" if tip else ""
    if shape == "circle":
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4.5' fill='{colour}'>{title}</circle>"
    turn = f" transform='rotate(45 {x:.1f} {y:.1f})'" if shape == "diamond" else ""
    return f"<rect x='{x - 4:.1f}' y='{y - 4:.1f}' width='8' height='8' fill='{colour}'{turn}>{title}</rect>"


def text(x: float, y: float, words: str, anchor: str, weight: str = "400", size: int = 13) -> str:
    """Words at a place of a drawing."""
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-weight='{weight}' font-size='{size}'>{escape(words)}</text>"


def _step(highest: float) -> float:
    """A round distance between lines, so that there are four to eight of them."""
    power = 10 ** math.floor(math.log10(highest))
    return next(power * factor for factor in (0.1, 0.2, 0.25, 0.5, 1, 2) if highest / (power * factor) <= 8)


def _short(count: int) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if count >= size:
            return f"{count / size:g} {unit}"
    return str(count)


def main() -> None:
    """Draws the file that is named."""
    given = [Path(argument) for argument in sys.argv[1:]]
    source = given[0] if given else HERE / "results" / "growth.json"
    target = given[1] if len(given) > 1 else HERE / "growth.svg"
    target.write_text(draw(json.loads(source.read_text())))


if __name__ == "__main__":
    main()
