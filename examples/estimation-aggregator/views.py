"""What the events of estimation come to: the rows of its views, and what has to be known to make them.

Points of a round stand in `EstimationClosed` and are taken from there alone, but for what is a member's own.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields
from typing import Any

from millrace_sdk import Event, UnknownMessage
from millrace_sdk.domains.estimation import (
    EstimatesRow,
    EstimateSubmitted,
    EstimationClosed,
    EstimationEnded,
    EstimationEndingNoted,
    EstimationOpened,
    EstimationReopened,
    EstimationReopeningRefused,
    EstimationReopeningRequested,
    EstimationsByProjectRow,
    EstimationSettled,
    MyEstimatesRow,
)

VIEWS = (EstimationsByProjectRow, EstimatesRow, MyEstimatesRow)
"""The views, each by the class of its rows: the package has their columns and keys."""

FIBONACCI = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89)
SIZES = ("XS", "S", "M", "L", "XL", "XXL")

TYPES = {"int": "INTEGER", "int | None": "INTEGER", "str": "TEXT", "str | None": "TEXT"}


def columns(row: type[Any]) -> dict[str, str]:
    """The columns of a view and their types, from the fields of its row."""
    return {field.name: TYPES[str(field.type)] for field in fields(row)}


def create(store: sqlite3.Connection) -> None:
    """Makes the tables that are missing."""
    for row in VIEWS:
        declared = ", ".join(f'"{name}" {kind}' for name, kind in columns(row).items())
        key = ", ".join(f'"{name}"' for name in (*row.PARTITION, *row.CLUSTERING))
        store.execute(f'CREATE TABLE IF NOT EXISTS "{row.VIEW}" ({declared}, PRIMARY KEY ({key}))')


def put(store: sqlite3.Connection, row: Any) -> None:
    """Writes a row over the one with its key."""
    names = list(columns(type(row)))
    marks = ", ".join("?" * len(names))
    store.execute(f'INSERT OR REPLACE INTO "{row.VIEW}" VALUES ({marks})', [getattr(row, name) for name in names])


def apply(store: sqlite3.Connection, event: Event[Any] | UnknownMessage) -> None:
    """Brings the rows to what they are once this has happened."""
    match event:
        # what a newer deployment tells has no rows here
        case UnknownMessage():
            return
        case Event(data=EstimationOpened() as opened):
            row = EstimationsByProjectRow(
                project_id=opened.project_id,
                estimation_id=opened.estimation_id,
                team_id=opened.team_id,
                title=opened.title,
                scale=opened.scale,
                cards=cards(opened.scale),
                status="OPEN",
                round=1,
                estimate_count=0,
                points=None,
                spread=None,
                opened_at=event.recorded_at,
                closed_at=None,
                version=event.version,
            )
            put(store, row)
        case Event(data=EstimateSubmitted() as submitted):
            submit(store, event, submitted)
        case Event(data=EstimationClosed() as closed):
            at = event.recorded_at
            for estimate in closed.estimates:
                store.execute(
                    "UPDATE estimates SET points = ? WHERE estimation_id = ? AND member_id = ?",
                    (estimate.points, closed.estimation_id, estimate.member_id),
                )
            change(store, event, status="CLOSED", points=closed.points, spread=closed.spread, closed_at=at)
        case Event(data=EstimationReopened() as again):
            forget(store, again.estimation_id)
            opened_again = {"opened_at": event.recorded_at, "closed_at": None, "points": None, "spread": None}
            change(store, event, status="OPEN", round=again.round, estimate_count=0, **opened_again)
        case Event(data=EstimationEnded() as ended):
            forget(store, ended.estimation_id)
            store.execute(
                "DELETE FROM estimations_by_project WHERE project_id = ? AND estimation_id = ?",
                (ended.project_id, ended.estimation_id),
            )
        case Event(
            data=EstimationSettled()
            | EstimationReopeningRequested()
            | EstimationReopeningRefused()
            | EstimationEndingNoted()
        ):
            # nothing but the version is another
            change(store, event)


def submit(store: sqlite3.Connection, event: Event[Any], submitted: EstimateSubmitted) -> None:
    """Somebody has estimated: what is theirs alone has the points, what all may read has not."""
    found = store.execute(
        "SELECT team_id FROM estimations_by_project WHERE project_id = ? AND estimation_id = ?",
        (submitted.project_id, submitted.estimation_id),
    ).fetchone()
    own = MyEstimatesRow(
        estimation_id=submitted.estimation_id,
        member_id=submitted.member_id,
        project_id=submitted.project_id,
        round=submitted.round,
        points=submitted.points,
        submitted_at=event.recorded_at,
    )
    put(store, own)
    if found is None:
        return
    row = EstimatesRow(
        estimation_id=submitted.estimation_id,
        member_id=submitted.member_id,
        project_id=submitted.project_id,
        team_id=found[0],
        round=submitted.round,
        points=None,
        submitted_at=event.recorded_at,
    )
    put(store, row)
    (count,) = store.execute(
        "SELECT COUNT(*) FROM estimates WHERE estimation_id = ?", (submitted.estimation_id,)
    ).fetchone()
    change(store, event, estimate_count=count)


def change(store: sqlite3.Connection, event: Event[Any], **new: int | str | None) -> None:
    """Changes the row of an estimation, if there is one, and notes the version."""
    new["version"] = event.version
    sets = ", ".join(f'"{name}" = ?' for name in new)
    store.execute(
        f"UPDATE estimations_by_project SET {sets} WHERE project_id = ? AND estimation_id = ?",
        [*new.values(), event.data.project_id, event.data.estimation_id],
    )


def forget(store: sqlite3.Connection, estimation_id: str) -> None:
    """Nobody has estimated any more."""
    for view in ("estimates", "my_estimates"):
        store.execute(f"DELETE FROM {view} WHERE estimation_id = ?", (estimation_id,))


def cards(scale: str) -> str:
    """What may be chosen, as the view has it: a JSON list of points and labels."""
    if scale == "t-shirt":
        values = [(at, size) for at, size in enumerate(SIZES, 1)]
    else:
        numbers = FIBONACCI if scale == "fibonacci" else [int(number) for number in scale.split(",")]
        values = [(number, str(number)) for number in numbers]
    return json.dumps([{"points": points, "label": label} for points, label in values], separators=(",", ":"))
