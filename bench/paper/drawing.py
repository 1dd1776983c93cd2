"""Draws what thresholds cost."""

from __future__ import annotations

import math

from growth_plot import BOTTOM, FAINT, FONT, HEIGHT, INK, LOOKS, TOP, WIDTH, _mark, text
from paper.model import ABOVE, DAY
from paper.tables import short
from paper.thresholds import Sweep


def draw(swept: Sweep, users: int) -> str:
    """Cores against thresholds, both logarithmic: for writing, for reading, and for both."""
    left, right = 86, 890
    points = [at for at in swept.points if 0 < at.threshold < math.inf]
    lines: dict[str, list[float]] = {
        "writing": [at.cost.writing / DAY for at in points],
        "reading": [at.cost.reading / DAY for at in points],
        "both": [at.cost.total / DAY for at in points],
    }
    values = [value for line in lines.values() for value in line]
    bottom, top = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = math.log10(points[0].threshold), math.log10(points[-1].threshold)

    def x(threshold: float) -> float:
        return left + 24 + (math.log10(threshold) - first) / (last - first) * (right - left - 48)

    def y(cores: float) -> float:
        return BOTTOM - (math.log10(cores) - bottom) / (top - bottom) * (BOTTOM - TOP)

    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' {FONT} font-size='13' fill='{INK}'>",
        f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>",
        text(left - 62, TOP - 18, f"cores that {short(users)} users keep busy", "start", weight="600"),
    ]
    for power in range(bottom, top + 1):
        at = y(10.0**power)
        parts.append(f"<line x1='{left}' y1='{at:.1f}' x2='{right}' y2='{at:.1f}' stroke='{FAINT}'/>")
        parts.append(text(left - 8, at + 4, short(10.0**power), "end"))
    for power in range(math.ceil(first), math.floor(last) + 1):
        parts.append(f"<line x1='{x(10.0**power):.1f}' y1='{BOTTOM}' x2='{x(10.0**power):.1f}' y2='{BOTTOM + 5}' stroke='{INK}'/>")
        parts.append(text(x(10.0**power), BOTTOM + 20, short(10.0**power), "middle"))
    parts.append(f"<line x1='{left}' y1='{BOTTOM}' x2='{right}' y2='{BOTTOM}' stroke='{INK}'/>")
    parts.append(text((left + right) / 2, BOTTOM + 40, "an author with more followers is a celebrity (logarithmic)", "middle"))
    for index, (name, line) in enumerate(lines.items()):
        colour, shape = LOOKS[index]
        path = " ".join(f"{x(at.threshold):.1f},{y(value):.1f}" for at, value in zip(points, line))
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>")
        for at, value in zip(points, line):
            if at.threshold == ABOVE or at is swept.best:
                tip = f"{name}, above {short(at.threshold)}: {value:,.0f} cores"
                parts.append(_mark(shape, x(at.threshold), y(value), colour, tip))
        legend = left - 50 + index * 130
        parts.append(f"<line x1='{legend - 12}' y1='28' x2='{legend + 12}' y2='28' stroke='{colour}' stroke-width='2'/>")
        parts.append(_mark(shape, legend, 28, colour, "") + text(legend + 20, 32, name, "start"))
    marked = f"marked: the default, {ABOVE:,}, and the best of those drawn"
    parts += [text(WIDTH / 2, HEIGHT - 10, marked, "middle", size=11), "</svg>"]
    return "\n".join(parts) + "\n"
