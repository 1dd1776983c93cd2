"""What commands of estimation have left behind, against what naive code makes of the events.

A closed estimation shows what its members have estimated in that round, the median and the spread; what was open when its project
ended has ended too; and no row that others may read says what somebody thinks before the estimation is closed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from accounting_log import Log, Message
from differences import Differences
from views import Tables


@dataclass
class Estimation:
    """One of them, as its events tell."""

    project: str
    round: int = 1
    status: str = "OPEN"
    points: int | None = None
    spread: int | None = None
    estimates: dict[str, int] = field(default_factory=dict)

    def close(self, event: Message, found: Differences) -> None:
        """Turns up what there is, which is what the event must say."""
        data, values = event.data, sorted(self.estimates.values())
        told = {it["member_id"]: it["points"] for it in data["estimates"]}
        found.check(told == self.estimates, "closing", f"{event.value['aggregate_id']}: {told} instead of {self.estimates}")
        self.status, self.points, self.spread = "CLOSED", values[len(values) // 2], values[-1] - values[0]
        says = (data["round"], data["points"], data["spread"])
        found.check(says == (self.round, self.points, self.spread), "closing", f"{event.value['aggregate_id']}: {says}")


def fold(log: Log, found: Differences) -> dict[str, Estimation]:
    """All estimations that have a result, or may come to one."""
    all_: dict[str, Estimation] = {}
    for event in sorted(log.events, key=lambda it: (it.partition, it.offset)):
        data, name = event.data, str(event.data.get("estimation_id"))
        match event.kind:
            case "EstimationOpened":
                all_[name] = Estimation(data["project_id"])
            case "EstimateSubmitted":
                found.check(all_[name].status == "OPEN", "estimate", f"{name}: an estimate of what is not open")
                all_[name].estimates[data["member_id"]] = data["points"]
            case "EstimationClosed":
                all_[name].close(event, found)
            case "EstimationReopened":
                all_[name] = Estimation(data["project_id"], all_[name].round + 1)
            case "EstimationEnded":
                del all_[name]
    return all_


def check_endings(projects: Log, log: Log, estimations: dict[str, Estimation], found: Differences) -> None:
    """Each project that was deleted has ended here once, and nothing of it is open."""
    deleted = {str(event.data["project_id"]) for event in projects.events if event.kind == "ProjectDeleted"}
    ended = Counter(str(event.data["project_id"]) for event in log.events if event.kind == "ProjectEstimationsEnded")
    for project in deleted:
        found.check(ended[project] == 1, "ending", f"{project} was deleted, and its estimations ended {ended[project]} times")
    for project in ended.keys() - deleted:
        found.add("ending", f"estimations of {project} have ended, and it was not deleted")
    for name, it in estimations.items():
        found.check(it.project not in deleted or it.status == "CLOSED", "ending", f"{name} is open, its project {it.project} is gone")


def check_tables(tables: Tables, estimations: dict[str, Estimation], found: Differences) -> None:
    """The rows are what the events come to, and say nothing of points too early."""
    columns = ["project_id", "estimation_id", "round", "status", "estimate_count", "points", "spread"]
    have = {row[1]: row for row in tables.rows("estimations_by_project", columns)}
    want = {
        name: (it.project, name, it.round, it.status, len(it.estimates), it.points, it.spread) for name, it in estimations.items()
    }
    found.check(have == want, "view", f"estimations_by_project: {set(have.values()) ^ set(want.values())}")
    shown = set(tables.rows("estimates", ["estimation_id", "member_id", "round", "points"]))
    own = set(tables.rows("my_estimates", ["estimation_id", "member_id", "round", "points"]))
    all_ = [(name, who, it, points) for name, it in estimations.items() for who, points in it.estimates.items()]
    turned_up = {(name, who, it.round, points if it.status == "CLOSED" else None) for name, who, it, points in all_}
    found.check(shown == turned_up, "view", f"estimates: {shown ^ turned_up}")
    thought = {(name, who, it.round, points) for name, who, it, points in all_}
    found.check(own == thought, "view", f"my_estimates: {own ^ thought}")


def check(projects: Log, log: Log, tables: Tables, found: Differences) -> str:
    """All of it; what there was, in words."""
    estimations = fold(log, found)
    check_endings(projects, log, estimations, found)
    check_tables(tables, estimations, found)
    kinds = Counter(event.kind for event in log.events)
    return f"{kinds['EstimateSubmitted']} estimates, {kinds['EstimationClosed']} closings, {kinds['EstimationEnded']} estimations ended"
