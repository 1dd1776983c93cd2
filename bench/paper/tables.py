"""The tables of docs/capacity.md."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from paper.costs import chirp_cpu_us, feed_page, page_cpu_us
from paper.machines import Needs, needs
from paper.model import (
    ABOVE,
    BELOW,
    BUCKET,
    CAP,
    CHIRP_ROWS,
    DAY,
    EXAMPLES,
    KEPT,
    RECORDS,
    TOPICS,
    Model,
    values,
)
from paper.network import network
from paper.sizes import record_bytes, record_sizes, row_bytes
from paper.thresholds import Point, flapping_rows, point, sweep
from report import table


def short(number: float, digits: int = 2) -> str:
    """A number as one says it: 1,234 or 12 M; units k, M, G and T are thousands each."""
    if math.isinf(number):
        return "∞"
    for size, unit in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e4, " k")):
        if number >= size * (1 - 0.5 * 10**-digits):
            scaled = number / (1e3 if unit == " k" else size)
            return f"{_digits(scaled, digits)}{unit}"
    return _digits(number, digits)


def _digits(number: float, digits: int) -> str:
    if number == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(number))))
    said = f"{round(number, digits - 1 - math.floor(math.log10(abs(number)))):,.{places}f}"
    return said.rstrip("0").rstrip(".") if "." in said else said


def in_bytes(number: float) -> str:
    """A number of bytes."""
    for size, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= size * 0.995:
            return f"{_digits(number / size, 2)} {unit}"
    return f"{number:.0f} B"


def in_seconds(number: float) -> str:
    """A time."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
        if number >= size:
            return f"{_digits(number / size, 2)} {unit}"
    return "0 s" if number == 0 else f"{number * 1e6:.0f} µs"


def _exactly(number: float) -> str:
    return f"{number:,.0f}" if number >= 1_000 else f"{number:g}"


def constants_table(model: Model) -> str:
    """What was measured, and what was not."""
    rows = [
        [one.metadata["says"], in_bytes(value) if value >= 1e6 else _exactly(value), one.metadata["by"]]
        for one, value in values(model.constants)
    ]
    return table(["part", "value", "by"], rows)


def assumptions_table(model: Model) -> str:
    """What users do and what machines have."""
    parts = [("users", model.habits), ("machines", model.machines)]
    rows = [
        [one.metadata["says"], _exactly(value), one.metadata["by"]]
        for _, part in parts
        for one, value in values(part)
    ]
    return table(["what", "value", "by"], rows)


def chirp_table(model: Model) -> str:
    """What one chirp leaves behind, and what it takes, by its author's audience."""
    lines = []
    for name, size in record_sizes(model.habits).items():
        bytes_ = record_bytes(model, name)
        lines.append([f"`chirp.{name}`", f"{size.key}", f"{size.value}", f"{bytes_:.0f}"])
    whole = sum(record_bytes(model, name) for name in record_sizes(model.habits))
    lines.append(["all", "", "", f"**{whole:,.0f}**"])
    records = table(["record", "key, bytes", "value, bytes", "on one broker, bytes"], lines)
    costs = []
    for audience in (0, 10, 100, 1_000):
        spent = chirp_cpu_us(model, audience)
        costs.append(
            [
                _exactly(audience),
                _exactly(CHIRP_ROWS + audience),
                *(in_seconds(value / 1e6) for value in spent.values()),
                f"**{in_seconds(sum(spent.values()) / 1e6)}**",
            ]
        )
    heads = ["followers, pushed", "rows", "processor", "Kafka", "projector", "CQL", "all CPU"]
    return records + "\n\n" + table(heads, costs)


def page_table(model: Model) -> str:
    """What one page of a feed takes, by the celebrities that its reader follows."""
    lines = []
    for followed in (0, 1, 10, 50, 100):
        page = feed_page(model.habits, followed)
        cql, gateway = page_cpu_us(model, page)
        times = [in_seconds(cpu / 1e6) for cpu in (cql, gateway, cql + gateway)]
        lines.append([f"{followed}", f"{page.queries:.0f}", f"{page.rows:.0f}", *times[:2], f"**{times[2]}**"])
    pulled = sum(page_cpu_us(model, feed_page(model.habits, 1))) - sum(page_cpu_us(model, feed_page(model.habits, 0)))
    pushed = model.constants.row_us + model.machines.replication * model.constants.write_us
    says = f"A celebrity that is pulled takes {pulled:.0f} µs a page, a row that is pushed {pushed:.0f} µs: "
    says += f"one pull costs as much as {pulled / pushed:.1f} rows."
    return table(["celebrities followed", "queries", "rows", "CQL", "gateway", "all CPU"], lines) + "\n\n" + says


def examples_table(model: Model, examples: Iterable[int] = EXAMPLES) -> str:
    """What some numbers of users need."""
    found = [needs(model, users) for users in examples]
    peak = model.habits.peak / DAY
    lines: list[tuple[str, Callable[[Needs], str]]] = [
        ("chirps a second, mean", lambda it: short(it.day.chirps / DAY)),
        ("commands a second, peak", lambda it: short((it.day.chirps + it.day.follows) * peak)),
        ("records a second into Kafka, peak", lambda it: short((it.day.chirps + it.day.follows) * RECORDS * peak)),
        ("bytes a second into Kafka, one copy, peak", lambda it: in_bytes(it.kafka_bytes_a_second)),
        ("celebrities", lambda it: short(it.day.celebrities)),
        ("celebrities that a reader follows", lambda it: f"{it.day.followed:.0f}"),
        ("rows of a chirp, mean", lambda it: short((it.day.own_rows + it.day.pushed_rows) / it.day.chirps)),
        ("rows a second, peak", lambda it: short(it.day.rows * peak)),
        ("… of them copied by new follows", lambda it: f"{it.day.backfilled_rows / it.day.rows:.0%}"),
        ("pages a second, peak", lambda it: short(it.day.pages * peak)),
        ("queries of a page", lambda it: f"{it.day.page.queries:.0f}"),
        ("queries a second, peak", lambda it: short(it.day.pages * it.day.page.queries * peak)),
        ("**partitions**", lambda it: f"**{it.partitions:,}**"),
        ("… because of", lambda it: it.because),
        ("… their replicas in Kafka", lambda it: short(it.partitions * TOPICS * model.machines.replication)),
        *(_machine_lines(found)),
        ("Kafka on disk, all copies", lambda it: in_bytes(it.kafka_bytes)),
        ("`home_timelines` on disk, all copies", lambda it: in_bytes(it.timeline_bytes)),
        ("… trimmed over all partitions", lambda it: in_bytes(it.trimmed_bytes)),
        ("other tables on disk, all copies", lambda it: in_bytes(it.other_bytes)),
        ("memory of all projectors", lambda it: in_bytes(it.projector_bytes)),
        ("… and what they know on disk", lambda it: in_bytes(it.projector_disk)),
        ("memory of all processors", lambda it: in_bytes(it.processor_bytes)),
        ("… and of each for look-ups", lambda it: in_bytes(it.each_processor_bytes)),
        ("largest audience", lambda it: short(it.largest_audience)),
        ("… its memory, in one partition", lambda it: in_bytes(it.largest_bytes)),
        ("a projector's start where its disk is lost", lambda it: in_seconds(it.start_seconds)),
        ("**most machines for**", lambda it: f"**{it.scarcest[0]}**"),
        ("… then for", lambda it: it.scarcest[1]),
        ("… then for", lambda it: it.scarcest[2]),
    ]
    heads = ["", *(f"{short(it.users)} users" for it in found)]
    return table(heads, [[head, *(cell(it) for it in found)] for head, cell in lines])


def partitions_table(model: Model, examples: Iterable[int] = EXAMPLES) -> str:
    """How large the partitions of each table become: rows of the largest, and what they are in bytes on one node."""
    found = [needs(model, users) for users in examples]
    regular = model.habits.follows - found[0].day.followed
    chirps = model.habits.max_posts * model.habits.history_days
    directory = 8 + model.habits.id_bytes / 100 + model.constants.row_overhead
    lines: list[tuple[str, str, Callable[[Needs], float], float]] = [
        ("`chirps_by_author`", "a bucket", lambda _: BUCKET, row_bytes(model, "chirps_by_author")),
        ("… its directory", "a row a bucket of who chirps most", lambda _: chirps / BUCKET, directory),
        ("`followers_by_user`", "a bucket", lambda _: BUCKET, row_bytes(model, "followers_by_user")),
        ("… its directory", "a row a bucket of the largest audience", lambda it: it.largest_audience / BUCKET, directory),
        (
            "`home_timelines`",
            "what a partition keeps, in each where a followed author is",
            lambda it: KEPT * min(it.partitions, regular),
            row_bytes(model, "home_timelines"),
        ),
        ("`celebrity_chirps`", "the newest that a feed shows", lambda _: CAP + 1, row_bytes(model, "chirps_by_author")),
        ("`following_by_user`", "who follows 10,000", lambda _: 10_000, row_bytes(model, "following_by_user")),
    ]
    heads = ["partition of", "bounded by", *(f"{short(it.users)} users" for it in found)]

    def cell(rows: float, each: float) -> str:
        return f"{short(rows)} rows, {in_bytes(rows * each)}"

    return table(heads, [[name, by, *(cell(rows(it), each) for it in found)] for name, by, rows, each in lines])


def _machine_lines(found: Sequence[Needs]) -> Iterator[tuple[str, Callable[[Needs], str]]]:
    for kind, asked in found[0].machines.items():
        yield f"**{kind}**", lambda it, kind=kind: f"**{it.count(kind):,}**" if it.count(kind) > 0 else "**none can**"
        for what in asked:
            yield f"… for {what}", lambda it, kind=kind, what=what: short(it.machines[kind][what])


def _is_shown(at: Point) -> bool:
    if at.threshold in (0, math.inf):
        return True
    halves = math.log10(at.threshold) * 2
    return at.day.celebrities > 0 and abs(halves - round(halves)) < 1e-9


def threshold_table(model: Model, users: int) -> str:
    """What every threshold costs, in cores that are busy all day."""
    swept = sweep(model, users)
    best, shown = swept.best, []
    for at in swept.points:
        if not (_is_shown(at) or at is best):
            continue
        bold = "**" if at is best else ""
        day, spent = at.day, at.cost
        largest = max((b.audience for b in network(users, model.habits, model.seed).bins if b.audience <= at.threshold), default=0.0)
        cells = [
            _name(at),
            short(day.celebrities),
            f"{day.followed:.1f}",
            short(day.rows),
            f"{day.page.queries:.0f}",
            short(spent.writing / DAY),
            short(spent.reading / DAY),
            short(spent.total / DAY),
            f"{spent.total / best.cost.total:.2f}",
            in_seconds(largest / model.constants.lane_rows),
        ]
        shown.append([f"{bold}{cell}{bold}" for cell in cells])
    heads = ["pulled above", "celebrities", "followed by a reader", "rows a day", "queries a page", "cores, writing", "cores, reading"]
    heads += ["cores, all", "over the best", "longest fan-out"]
    return table(heads, shown)


def _name(at: Point) -> str:
    if at.threshold == 0 or at.day.celebrities == 0:
        return "0: all pulled" if at.threshold == 0 else "∞: all pushed"
    return f"{ABOVE:,} (default)" if abs(at.threshold - ABOVE) < 1e-6 else short(at.threshold)


def verdict(model: Model, users: int) -> str:
    """What the table says of the default."""
    swept = sweep(model, users)
    net = network(users, model.habits, model.seed)
    band = point(model, net, BELOW).cost.total / swept.default.cost.total - 1
    rows = flapping_rows(ABOVE, BELOW)
    none = flapping_rows(ABOVE, ABOVE)
    lines = [
        f"- Least total cost: {_name(swept.best)}, {short(swept.best.cost.total / DAY)} cores.",
        f"- The default, {ABOVE:,}: {short(swept.default.cost.total / DAY)} cores, {swept.excess:.1f} times the least.",
        f"- The band: were all authors between {BELOW} and {ABOVE:,} celebrities and not regular, the whole would cost {band:+.1%}.",
        f"- Crossing it again and again writes at most {rows:.0f} rows for each follow and unfollow that brings it about, "
        f"without a band {none:,.0f}; a chirp of such an author is {ABOVE + CHIRP_ROWS:,} rows.",
    ]
    return "\n".join(lines)


# A name, and the model with something else in it.
VARIATIONS: list[tuple[str, dict[str, float]]] = [
    ("as above", {}),
    ("1 page a day", {"reads": 1}),
    ("3 pages a day", {"reads": 3}),
    ("65 pages a day", {"reads": 65}),
    ("9 of 10 celebrities' pages from a cache", {"cached": 0.9}),
    ("99 of 100 from a cache", {"cached": 0.99}),
    ("all chirp alike", {"zipf": 0}),
    ("chirps by rank to the −0.5", {"zipf": 0.5}),
    ("… and 1,000 a day at most", {"zipf": 0.5, "max_posts": 1_000}),
    ("audiences to the −2.1", {"exponent": 2.1}),
    ("audiences to the −2.6", {"exponent": 2.6}),
    ("30 follows", {"follows": 30}),
    ("300 follows", {"follows": 300}),
    ("a query for half the CPU", {"query_us": 0.5, "read_row_us": 0.5}),
    ("a query for twice the CPU", {"query_us": 2, "read_row_us": 2}),
]


def varied(model: Model, changes: dict[str, float]) -> Model:
    """The model with other habits; of constants a change is a factor."""
    habits = {name: value for name, value in changes.items() if hasattr(model.habits, name)}
    parts = {name: getattr(model.constants, name) * value for name, value in changes.items() if name not in habits}
    return replace(model, habits=replace(model.habits, **habits), constants=replace(model.constants, **parts))


def sensitivity_table(model: Model, users: int) -> str:
    """Where the best threshold goes when an assumption is wrong, and what others cost over it."""
    others, shown = (ABOVE, 10 * ABOVE, 100 * ABOVE), []
    for name, changes in VARIATIONS:
        other = varied(model, changes)
        best, net = sweep(other, users, 10).best, network(users, other.habits, other.seed)
        over = [point(other, net, threshold).cost.total / best.cost.total for threshold in others]
        shown.append([name, _name(best), short(best.cost.total / DAY), *(f"{factor:.2f}" for factor in over)])
    return table(["if", "best", "cores at the best", *(f"{threshold:,} over the best" for threshold in others)], shown)


TABLES: dict[str, Callable[[Model, int], str]] = {
    "constants": lambda model, _: constants_table(model),
    "assumptions": lambda model, _: assumptions_table(model),
    "chirp": lambda model, _: chirp_table(model),
    "page": lambda model, _: page_table(model),
    "examples": lambda model, _: examples_table(model),
    "partitions": lambda model, _: partitions_table(model),
    "threshold": threshold_table,
    "verdict": verdict,
    "sensitivity": sensitivity_table,
}


def differences(model: Model, users: int, written: str) -> list[str]:
    """Where a document's tables, between their marks, are not what comes out here."""
    found: list[str] = []
    lines = written.splitlines()
    for name, render in TABLES.items():
        begin, end = f"<!-- {name}: rendered -->", f"<!-- {name}: end -->"
        if begin not in lines or end not in lines:
            found.append(f"there is no table {name}, between {begin} and {end}")
            continue
        there = lines[lines.index(begin) + 1 : lines.index(end)]
        here = render(model, users).splitlines()
        found += difflib.unified_diff(there, here, f"{name} in the document", f"{name} as it comes out", lineterm="", n=0)
    return found
