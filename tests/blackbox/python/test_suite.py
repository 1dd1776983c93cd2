"""The checks of identity, projects and estimation find nothing where nothing is wrong, and every mistake that is planted."""

from __future__ import annotations

import contextlib
import io
import unittest
from collections import Counter
from collections.abc import Iterable

import suite_estimations
import suite_verify
from accounting_log import Log, Message
from differences import Differences
from message import Fields
from views import Row


class Made:
    """Logs and tables as a system without a fault leaves them behind."""

    def __init__(self) -> None:
        self.logs = {domain: Log(1, domain=domain) for domain in suite_verify.DOMAINS}
        self.tables: dict[str, list[Row]] = {}

    def event(self, domain: str, kind: str, /, **data: object) -> None:
        """One more event, of a command of its own that was answered."""
        log = self.logs[domain]
        number = len(log.commands)
        id_ = f"{domain}-{number}"
        log.commands.append(self.message(number, kind, {}, id=id_))
        log.outcomes.append(self.message(number, kind, {}, command_id=id_))
        log.events.append(self.message(number, kind, data, aggregate_id=str(data)))

    @staticmethod
    def message(offset: int, kind: str, data: Fields, /, **envelope: object) -> Message:
        """A record."""
        return Message(0, offset, None, {"data": (f"millrace.{kind}", data), **envelope})

    def rows(self, table: str, columns: list[str]) -> Iterable[Row]:
        """Those of a table, which have these columns."""
        assert columns
        return self.tables[table]


def made() -> Made:
    """Two users, one of whom goes; a team, a project that ends with one estimation open and one closed, and one that stays."""
    it = Made()
    for user, address, is_verified in (("ann", "A@x", True), ("bob", "b@x", True), ("cyd", "a@x", False)):
        it.event("identity", "UserAdded", user_id=user, email=address, email_verified=is_verified)
    it.event("identity", "UserUpdated", user_id="ann", email="c@x", email_verified=None)
    it.event("identity", "UserRemoved", user_id="bob")
    it.logs["identity"].states = {"EmailClaim/1": {"email_claim": {}}, "EmailClaim/2": None}
    for user, role in (("ann", "owner"), ("bob", "member")):
        it.event("projects", "MembershipCreated", team_id="t", user_id=user, role=role)
    it.event("projects", "MembershipCreatedForProject", team_id="t", user_id="cyd", role="viewer", project_id="gone")
    it.event("projects", "MembershipUpdated", team_id="t", user_id="ann", role="admin")
    it.event("projects", "MemberEnded", user_id="bob")
    for user in ("bob", "cyd"):
        it.event("projects", "MembershipDeleted", team_id="t", user_id=user)
    it.event("projects", "ProjectDeleted", project_id="gone")
    for name, project in (("closed", "gone"), ("open", "gone"), ("again", "stays")):
        it.event("estimation", "EstimationOpened", estimation_id=name, project_id=project)
        for who, points in (("ann", 8), ("cyd", 3), ("ann", 5)):
            it.event("estimation", "EstimateSubmitted", estimation_id=name, project_id=project, member_id=who, points=points)
        if name != "open":
            told = [{"member_id": "ann", "points": 5}, {"member_id": "cyd", "points": 3}]
            it.event("estimation", "EstimationClosed", estimation_id=name, round=1, points=5, spread=2, estimates=told)
    it.event("estimation", "EstimationReopened", estimation_id="again", project_id="stays", round=2)
    it.event("estimation", "EstimateSubmitted", estimation_id="again", project_id="stays", member_id="ann", points=1)
    it.event("estimation", "ProjectEstimationsEnded", project_id="gone", estimation_ids=["open"])
    it.event("estimation", "EstimationEnded", estimation_id="open", project_id="gone")
    it.tables = {
        "users": [("ann", "c@x"), ("cyd", "a@x")],
        "team_members": [("t", "ann", "admin")],
        "estimations_by_project": [("gone", "closed", 1, "CLOSED", 2, 5, 2), ("stays", "again", 2, "OPEN", 1, None, None)],
        "estimates": [("closed", "ann", 1, 5), ("closed", "cyd", 1, 3), ("again", "ann", 2, None)],
        "my_estimates": [("closed", "ann", 1, 5), ("closed", "cyd", 1, 3), ("again", "ann", 2, 1)],
    }
    return it


def differences(it: Made) -> Counter[str]:
    """What the checks find, by kind."""
    found = Differences()
    with contextlib.redirect_stdout(io.StringIO()):
        for log in it.logs.values():
            suite_verify.check_answers(log, [(command.value["id"], 0, command.offset) for command in log.commands], found)
        users = suite_verify.check_addresses(it.logs["identity"], found)
        members = suite_verify.check_endings(it.logs["identity"], it.logs["projects"], found)
        suite_verify.check_tables(it, users, members, found)
        suite_estimations.check(it.logs["projects"], it.logs["estimation"], it, found)
    return found.counts


class Checks(unittest.TestCase):
    """On what is made up here."""

    def setUp(self) -> None:
        self.it = made()

    def finds(self, *kinds: str) -> None:
        """These and nothing else is found."""
        self.assertEqual(set(differences(self.it)), set(kinds))

    def without(self, domain: str, kind: str, /, **data: object) -> None:
        """The events of this kind with this data are lost."""
        log = self.it.logs[domain]
        is_it = [event.kind == kind and data.items() <= event.data.items() for event in log.events]
        self.assertIn(True, is_it)
        log.events = [event for event, lost in zip(log.events, is_it, strict=True) if not lost]

    def test_nothing_is_found_where_nothing_is_wrong(self) -> None:
        self.finds()

    def test_answers_are_counted(self) -> None:
        outcomes = self.it.logs["projects"].outcomes
        outcomes.append(outcomes[0])
        self.finds("answer")
        del outcomes[0], outcomes[-1]
        self.finds("answer")

    def test_a_lost_command_and_a_dead_one_are_seen(self) -> None:
        log = self.it.logs["estimation"]
        lost = log.commands[0].value["id"]
        found = Differences()
        del log.commands[0]
        with contextlib.redirect_stdout(io.StringIO()):
            suite_verify.check_answers(log, [(lost, 0, 0)], found)
        self.assertEqual(found.counts["command"], 1)
        self.it = made()
        self.it.logs["estimation"].dead.append("something")
        self.finds("dead")

    def test_an_address_of_two_is_seen(self) -> None:
        self.it.event("identity", "UserUpdated", user_id="cyd", email="C@X", email_verified=True)
        self.it.tables["users"][1] = ("cyd", "C@X")
        self.finds("address")

    def test_a_claim_that_stays_is_seen(self) -> None:
        self.it.logs["identity"].states["EmailClaim/3"] = {"email_claim": {}}
        self.finds("claim")

    def test_endings_are_once_for_each_who_goes(self) -> None:
        self.it.event("projects", "MemberEnded", user_id="bob")
        self.finds("ending")
        self.it = made()
        self.without("projects", "MemberEnded")
        self.finds("ending")
        self.it.event("projects", "MemberEnded", user_id="ann")
        self.finds("ending")

    def test_a_membership_that_outlives_its_user_or_project_is_seen(self) -> None:
        for user, role in (("bob", "member"), ("cyd", "viewer")):
            self.it = made()
            self.without("projects", "MembershipDeleted", user_id=user)
            self.it.tables["team_members"].append(("t", user, role))
            self.finds("membership")

    def test_a_project_that_ends_ends_its_estimations_once(self) -> None:
        self.it.event("estimation", "ProjectEstimationsEnded", project_id="gone", estimation_ids=[])
        self.finds("ending")
        self.it = made()
        self.without("estimation", "ProjectEstimationsEnded")
        self.finds("ending")
        self.it.event("estimation", "ProjectEstimationsEnded", project_id="stays", estimation_ids=[])
        self.finds("ending")

    def test_an_estimation_that_outlives_its_project_is_seen(self) -> None:
        self.without("estimation", "EstimationEnded")
        self.it.tables["estimations_by_project"].append(("gone", "open", 1, "OPEN", 2, None, None))
        for who, points in (("ann", 5), ("cyd", 3)):
            self.it.tables["estimates"].append(("open", who, 1, None))
            self.it.tables["my_estimates"].append(("open", who, 1, points))
        self.finds("ending")

    def test_a_closing_says_what_was_estimated(self) -> None:
        wrong: list[Fields] = [{"points": 3}, {"spread": 3}, {"round": 2}, {"estimates": [{"member_id": "ann", "points": 5}]}]
        for fields in wrong:
            self.it = made()
            closing = next(event for event in self.it.logs["estimation"].events if event.kind == "EstimationClosed")
            closing.data.update(fields)
            self.finds("closing")

    def test_an_estimate_of_what_is_closed_is_seen(self) -> None:
        self.it.event("estimation", "EstimateSubmitted", estimation_id="closed", project_id="gone", member_id="ann", points=5)
        self.finds("estimate")

    def test_points_that_are_told_early_are_seen(self) -> None:
        self.it.tables["estimates"][2] = ("again", "ann", 2, 1)
        self.finds("view")
        self.it = made()
        self.it.tables["estimations_by_project"][1] = ("stays", "again", 2, "OPEN", 1, 1, None)
        self.finds("view")

    def test_a_row_too_many_too_few_or_changed_is_seen(self) -> None:
        for table in made().tables:
            for change in (lambda rows: rows.append(("x",) * len(rows[0])), lambda rows: rows.pop(), self.blur):
                self.it = made()
                change(self.it.tables[table])
                self.finds("view")

    @staticmethod
    def blur(rows: list[Row]) -> None:
        """The last column of the first row says something else."""
        rows[0] = (*rows[0][:-1], "another")
