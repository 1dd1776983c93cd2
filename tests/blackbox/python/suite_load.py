"""Sends commands of identity, projects and estimation at a steady rate until its input ends, then waits for every answer.

People come, change their addresses, which are fewer than they are, join teams and projects, and go; projects begin and end. So
what identity and projects publish has consequences in other domains all the time, and at other partitions; members estimate while
their projects end.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from accounting_load import Load, await_answers, is_told_to_end
from accounting_workload import Order
from client import Servers

PEOPLE, ADDRESSES, TEAMS, PROJECTS, ESTIMATIONS = 40, 25, 5, 12, 30
DOMAINS = ("identity", "projects", "estimation")


@dataclass(frozen=True)
class Ask(Order):
    """One record of a producer, to one of the domains."""

    domain: str = "identity"
    key: str = ""

    @property
    def routing_key(self) -> str:
        """What the record key has to be."""
        return self.key


class People:
    """The stream; the same seed gives the same commands."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0
        # Ids are taken for good, so who has gone comes back under another one.
        self.users = [f"user-{n}" for n in range(PEOPLE)]
        self.projects = [f"project-{n}" for n in range(PROJECTS)]
        # Each with its project.
        self.estimations: dict[str, str] = {}

    def asks(self) -> Iterator[Ask]:
        """Without end."""
        for user in self.users:
            yield self._add(user)
        for team in range(TEAMS):
            # the same command twice, from two people: a race of founders
            yield self._member(self.users[team], f"team-{team}", "owner")
            yield self._member(self.users[team + 1], f"team-{team}", "owner")
        for project in self.projects:
            yield self._project(project)
        while True:
            yield self._some()

    def _some(self) -> Ask:
        if self.random.random() < 0.4:
            return self._estimate()
        roll, place = self.random.random(), self.random.randrange(PEOPLE)
        user, team = self.users[place], f"team-{self.random.randrange(TEAMS)}"
        if roll < 0.03:
            self.users[place] = f"user-{place}-{self.count}"
            return self._ask("identity", "RemoveUser", user, user_id=user)
        if roll < 0.15:
            return self._add(self.users[place])
        if roll < 0.30:
            data = {"email": self._address(), "email_verified": True}
            nothing = dict.fromkeys(("first_name", "last_name", "picture", "locale"))
            return self._ask("identity", "UpdateUser", user, user_id=user, **data, **nothing)
        if roll < 0.60:
            return self._member(user, team, self.random.choice(("admin", "member", "member", "viewer")))
        if roll < 0.75:
            project = self.random.choice(self.projects)
            data = {"project_id": project, "membership_id": f"m-{self.count}", "team_id": f"team-{hash_of(project) % TEAMS}"}
            return self._ask("projects", "CreateMembershipForProject", user, **data, user_id=user, role="member")
        if roll < 0.90:
            return self._ask("projects", "DeleteMembership", user, team_id=team, user_id=user)
        number = self.random.randrange(PROJECTS)
        if roll < 0.95:
            return self._project(self.projects[number])
        project, self.projects[number] = self.projects[number], f"project-{number}-{self.count}"
        return self._ask("projects", "DeleteProject", project, project_id=project)

    def _estimate(self) -> Ask:
        """Something of an estimation: most are members' estimates, of teams that they are mostly in."""
        roll = self.random.random()
        if roll < 0.15 or not self.estimations:
            project = self.random.choice(self.projects)
            name = f"estimation-{self.random.randrange(ESTIMATIONS)}-{self.count // 400}"
            self.estimations.setdefault(name, project)
            return self._of_estimation("OpenEstimation", name, title="How large?", scale="fibonacci")
        name = self.random.choice(list(self.estimations)[-ESTIMATIONS:])
        if roll < 0.80:
            member, points = self.random.choice(self.users), self.random.choice((1, 2, 3, 5, 8, 13, 4))
            return self._of_estimation("SubmitEstimate", name, member_id=member, points=points)
        return self._of_estimation("CloseEstimation" if roll < 0.95 else "ReopenEstimation", name)

    def _of_estimation(self, kind: str, name: str, /, **data: object) -> Ask:
        project = self.estimations[name]
        team = f"team-{hash_of(project) % TEAMS}"
        return self._ask("estimation", kind, name, estimation_id=name, project_id=project, team_id=team, **data)

    def _address(self) -> str:
        address = f"a{self.random.randrange(ADDRESSES)}@example.org"
        return self.random.choice((address, address.upper()))

    def _add(self, user: str) -> Ask:
        data = {"auth0_id": user, "email": self._address(), "email_verified": True}
        empty = dict.fromkeys(("first_name", "last_name", "picture", "locale"), "")
        return self._ask("identity", "AddUser", user, user_id=user, **data, **empty)

    def _member(self, user: str, team: str, role: str) -> Ask:
        data = {"membership_id": f"m-{self.count}", "team_id": team, "user_id": user, "role": role}
        return self._ask("projects", "CreateMembership", user, **data)

    def _project(self, project: str) -> Ask:
        data = {"name": project, "prefix": "PRJ", "description": "", "user_id": self.users[0]}
        data["team_id"] = f"team-{hash_of(project) % TEAMS}"
        flags = {"active": True, "public": False, "column_order": ["todo", "done"]}
        return self._ask("projects", "CreateProject", project, project_id=project, **data, **flags)

    def _ask(self, domain: str, kind: str, key: str, /, **data: object) -> Ask:
        self.count += 1
        return Ask(f"suite-{self.count}", kind, data, domain=domain, key=key)


def hash_of(text: str) -> int:
    """The same number for a text in every process."""
    return sum(text.encode())


def main() -> int:
    """Sends, waits, and writes down what was acknowledged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--rate", type=float, default=50.0, help="commands a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sent", type=Path, required=True, help="where to write what was acknowledged")
    options = parser.parse_args()
    servers = (options.kafka, options.registry, options.prefix)
    loads = {domain: Load(Servers(*servers, domain)) for domain in DOMAINS}
    asks = People(options.seed).asks()
    start = said = time.monotonic()
    sent = 0
    try:
        while not is_told_to_end():
            while sent < (time.monotonic() - start) * options.rate:
                ask = next(asks)
                loads[ask.domain].send(ask)
                sent += 1
            for load in loads.values():
                load.take_answers(0.01)
            if time.monotonic() > said + 1:
                said = time.monotonic()
                say(loads)
        for load in loads.values():
            await_answers(load, lambda: say(loads))
    finally:
        options.sent.write_text(json.dumps({domain: load.places for domain, load in loads.items()}))
    for load in loads.values():
        load.outcomes.close()
    return 0


def say(loads: dict[str, Load]) -> None:
    """How far all have come."""
    sent, answered = (sum(getattr(load, name) for load in loads.values()) for name in ("sent", "answered"))
    print(json.dumps({"sent": sent, "answered": answered}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
