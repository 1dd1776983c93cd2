"""Compares what commands of identity, projects and estimation have left behind with what naive code makes of the events.

Every command was answered as often as it is there. An address is one user's at a time, whatever its case. Every removal of a user has
ended the user in projects, once, and nobody else; at rest no membership is left of who has gone, or through a project that
has; and the tables are what the events come to. Prints each difference; exit code 1 when there is any.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import accounting_log
import suite_estimations
from accounting_log import Log
from client import Servers
from differences import Differences
from suite_load import DOMAINS
from views import Cql, Tables


def check_answers(log: Log, sent: list[tuple[str, int, int]], found: Differences) -> None:
    """Every command that was acknowledged is there, and each is answered as often as it is there."""
    there = Counter(command.value["id"] for command in log.commands)
    answers = Counter(outcome.value["command_id"] for outcome in log.outcomes)
    for id_, _, _ in sent:
        found.check(there[id_] > 0, "command", f"{id_} was acknowledged and is not there")
    for id_, count in there.items():
        found.check(answers[id_] == count, "answer", f"{id_} is there {count} times and has {answers[id_]} answers")
    for dead in log.dead:
        found.add("dead", dead)


def check_addresses(log: Log, found: Differences) -> dict[str, str]:
    """An address is one user's; gives who is a user, with the address."""
    users: dict[str, tuple[str, bool]] = {}
    for event in log.events:
        data, user = event.data, str(event.data.get("user_id"))
        if event.kind == "UserAdded":
            users[user] = (data["email"], data["email_verified"])
        elif event.kind == "UserUpdated":
            email, is_verified = users[user]
            given = data["email"]
            users[user] = (email if given is None else given, is_verified if data["email_verified"] is None else data["email_verified"])
        elif event.kind == "UserRemoved":
            del users[user]
    owners: dict[str, str] = {}
    for user, (email, is_verified) in users.items():
        if is_verified:
            other = owners.setdefault(email.lower(), user)
            found.check(other == user, "address", f"{email} is that of {user} and of {other}")
    # one that was given up leaves its version
    claims = sum(value is not None and value["email_claim"] is not None for value in log.states.values())
    found.check(claims == len(owners), "claim", f"{claims} claims for {len(owners)} addresses")
    return {user: email for user, (email, _) in users.items()}


def check_endings(identity: Log, projects: Log, found: Differences) -> dict[tuple[str, str], str]:
    """Who has gone is a member of nothing, and has ended once; gives who is in which team, in which role."""
    gone = {str(event.data["user_id"]) for event in identity.events if event.kind == "UserRemoved"}
    ended = Counter(str(event.data["user_id"]) for event in projects.events if event.kind == "MemberEnded")
    for user in gone:
        found.check(ended[user] == 1, "ending", f"{user} has gone, and has ended {ended[user]} times")
    for user in ended.keys() - gone:
        found.add("ending", f"{user} has ended, and has not gone")
    deleted = {event.data["project_id"] for event in projects.events if event.kind == "ProjectDeleted"}
    members: dict[tuple[str, str], tuple[str, str | None]] = {}
    for event in projects.events:
        data = event.data
        place = (str(data.get("team_id")), str(data.get("user_id")))
        match event.kind:
            case "MembershipCreated":
                members[place] = (data["role"], None)
            case "MembershipCreatedForProject":
                members[place] = (data["role"], data["project_id"])
            case "MembershipUpdated":
                members[place] = (data["role"], members[place][1])
            case "MembershipDeleted":
                del members[place]
    for (team, user), (_, project) in members.items():
        found.check(user not in gone, "membership", f"{user} has gone and is in {team}")
        found.check(project not in deleted, "membership", f"{user} is in {team} through {project}, which has ended")
    return {place: role for place, (role, _) in members.items()}


def check_tables(tables: Tables, users: dict[str, str], members: dict[tuple[str, str], str], found: Differences) -> None:
    """The rows are what the events come to."""
    have = dict(tables.rows("users", ["user_id", "email"]))
    found.check(have == users, "view", f"users: {set(have.items()) ^ set(users.items())}")
    rows = {(team, user): role for team, user, role in tables.rows("team_members", ["team_id", "user_id", "role"])}
    found.check(rows == members, "view", f"team_members: {set(rows.items()) ^ set(members.items())}")


def main() -> int:
    """Verifies a whole load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--registry", required=True)
    parser.add_argument("--prefix", default="")
    parser.add_argument("--sent", type=Path, required=True, help="what suite_load.py has written")
    parser.add_argument("--cql", nargs=2, metavar=("ADDRESS", "KEYSPACE"), required=True)
    options = parser.parse_args()
    found = Differences()
    servers = (options.kafka, options.registry, options.prefix)
    tables = Cql(*options.cql)
    logs = {domain: accounting_log.read(Servers(*servers, domain)) for domain in DOMAINS}
    sent = json.loads(options.sent.read_text())
    for domain, log in logs.items():
        check_answers(log, [(id_, partition, offset) for id_, partition, offset in sent[domain]], found)
    users = check_addresses(logs["identity"], found)
    members = check_endings(logs["identity"], logs["projects"], found)
    check_tables(tables, users, members, found)
    estimated = suite_estimations.check(logs["projects"], logs["estimation"], tables, found)
    kinds = Counter(event.kind for log in logs.values() for event in log.events)
    print(
        f"identity, projects and estimation: {sum(len(log.commands) for log in logs.values())} commands, {kinds['UserRemoved']} users removed, "
        f"{kinds['MembershipDeleted']} memberships ended, {kinds['ProjectDeleted']} projects deleted, {estimated}; "
        f"{len(users)} users, {len(members)} memberships at rest; {found.counts or 'no difference'}"
    )
    return 1 if found.counts else 0


if __name__ == "__main__":
    sys.exit(main())
