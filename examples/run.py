"""Runs the examples against one deployment.

`producers` has each of the smallest producers send its command. `aggregators` has those of three languages follow the events while
commands are sent, kills them in the middle with SIGKILL, starts them again, and holds their rows against those of our projectors.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "sdk" / "python" / "src"))

from millrace_sdk import Command, HttpClient, Outcome  # noqa: E402
from millrace_sdk.domains import ALL, estimation, identity, projects  # noqa: E402

ROOT = Path(__file__).parent
SECONDS = 180

AGGREGATORS: dict[str, tuple[list[str], Path]] = {
    "identity": ([str(ROOT / "identity-aggregator/build/identity-aggregator")], ROOT / "identity-aggregator"),
    "projects": (["node", "build/main.js"], ROOT / "projects-aggregator"),
    "estimation": ([sys.executable, "aggregator.py"], ROOT / "estimation-aggregator"),
}
"""The program of each domain, and where it is."""

PRODUCERS: dict[str, list[str]] = {
    "typescript": ["node", str(ROOT / "producers/typescript/build/producer.js")],
    "python": [sys.executable, str(ROOT / "producers/python/producer.py")],
    "go": [str(ROOT / "producers/go/build/producer")],
    "rust": [os.environ.get("MILLRACE_PRODUCER", str(ROOT.parent / "target/debug/millrace-example-producer"))],
}


def until(what: str, holds: Callable[[], bool]) -> None:
    """Waits until something holds."""
    end = time.monotonic() + SECONDS
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"within {SECONDS} s it did not come true that {what}")
        time.sleep(0.05)


class Aggregator:
    """An aggregator that runs, and how many events it says that it has applied."""

    def __init__(self, domain: str, folder: Path, addresses: dict[str, str]) -> None:
        self.domain = domain
        self._command, self._at = AGGREGATORS[domain]
        self._folder = folder / domain
        self._log = folder / f"{domain}.log"
        self._addresses = addresses
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Starts it, where its rows end."""
        with open(self._log, "a") as log:
            self._process = subprocess.Popen(
                [*self._command, str(self._folder)],
                cwd=self._at,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | self._addresses,
                text=True,
            )

    def kill(self) -> None:
        """`kill -9`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def applied(self) -> int:
        """How many events it has applied, in all of its runs."""
        assert self._process is not None
        text = self._log.read_text()
        if self._process.poll() is not None:
            raise SystemExit(
                f"the aggregator of {self.domain} has ended with {self._process.returncode}:\n{text[-2000:]}"
            )
        return self.applied_before()

    def applied_before(self) -> int:
        """The same, whether it runs or not."""
        # what it was killed in is not a whole line
        whole = self._log.read_text().rpartition("\n")[0]
        counts = [line.split()[1] for line in whole.splitlines() if line.startswith("applied ")]
        return int(counts[-1]) if counts else 0

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Its rows, by view."""
        done = subprocess.run(
            [*self._command, str(self._folder), "--rows"], cwd=self._at, stdout=subprocess.PIPE, text=True
        )
        assert done.returncode == 0, self.domain
        found: dict[str, list[dict[str, Any]]] = {}
        for line in done.stdout.splitlines():
            one = json.loads(line)
            found.setdefault(one["view"], []).append(one["row"])
        return found


def ours(tables: Path, domain: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of our projectors."""
    store = sqlite3.connect(f"file:{tables / domain}.sqlite?mode=ro", uri=True)
    store.row_factory = sqlite3.Row
    found = {}
    for view in VIEWS[domain]:
        flags = {field.name for field in fields(view) if field.type in ("bool", "bool | None")}
        names = ", ".join(f'"{field.name}"' for field in fields(view))
        rows = store.execute(f'SELECT {names} FROM "{view.VIEW}"')
        found[view.VIEW] = [
            {name: bool(value) if name in flags and value is not None else value for name, value in dict(row).items()}
            for row in rows
        ]
    store.close()
    return {view: rows for view, rows in found.items() if rows}


VIEWS: dict[str, tuple[Any, ...]] = {
    "identity": (identity.UsersRow, identity.PeopleRow),
    "projects": (
        projects.TeamMembersRow,
        projects.TeamsByUserRow,
        projects.ProjectsRow,
        projects.ProjectsByTeamRow,
        projects.ProjectBoardRow,
    ),
    "estimation": (estimation.EstimationsByProjectRow, estimation.EstimatesRow, estimation.MyEstimatesRow),
}


def sorted_rows(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    """In an order of their own."""
    return {view: sorted(json.dumps(row, sort_keys=True) for row in of) for view, of in sorted(rows.items())}


def count_of(domain: str, addresses: dict[str, str]) -> int:
    """How many events there are of a domain, up to where its topic ends now."""
    from confluent_kafka import Consumer, KafkaError, TopicPartition

    settings = {"bootstrap.servers": addresses["KAFKA"], "group.id": "unused", "isolation.level": "read_committed"}
    consumer = Consumer(settings | {"enable.partition.eof": True, "enable.auto.commit": False})
    name = addresses.get("TOPIC_PREFIX", "") + ALL[domain].events.name
    partitions = list(consumer.list_topics(name, 10).topics[name].partitions)
    consumer.assign([TopicPartition(name, partition, 0) for partition in partitions])
    count, ended = 0, set()
    while len(ended) < len(partitions):
        message = consumer.poll(SECONDS)
        assert message is not None, f"{name} is not read to its end"
        if message.error() is None:
            count += 1
        else:
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            ended.add(message.partition())
    consumer.close()
    return count


class Work:
    """Commands of three domains, from a seed: most are accepted, and whatever can be undone is."""

    def __init__(self, http: str, seed: int, me: str) -> None:
        self._http = HttpClient(http)
        self._random = random.Random(seed)
        self.me = me
        self.accepted = 0

    def send(self, data: Any, by: str | None = None, expected: int | None = None) -> Outcome:
        """Sends a command, as somebody."""
        metadata = {
            name: value for name, value in (("user_id", by), ("expected_version", expected)) if value is not None
        }
        outcome = self._http.send(Command.of(data, **metadata)).outcome
        self.accepted += outcome.status.value == "accepted"
        return outcome

    def users(self, numbers: range) -> None:
        """People who come, change and go."""
        for number in numbers:
            user_id = f"{self.me}u{number}"
            self.send(
                identity.AddUser(
                    user_id=user_id,
                    auth0_id=f"auth0|{user_id}",
                    email=f"{user_id}@example.com",
                    email_verified=number % 2 == 0,
                    first_name=f"Ünï {number} 🐦",
                    last_name="",
                    picture="",
                    locale="de-AT",
                )
            )
            if number % 3 == 0:
                self.send(
                    identity.UpdateUser(user_id=user_id, first_name=f"New {number}", email=f"new-{user_id}@example.com")
                )
            if number % 4 == 0:
                self.send(
                    identity.EnableAccounting(user_id=user_id, sealed_token=bytes(range(80)), fingerprint="A" * 43)
                )
            if number % 7 == 6:
                self.send(identity.RemoveUser(user_id=user_id))

    def team(self, number: int, members: int) -> None:
        """A team with members, a project, a board that is worked on, and estimations."""
        team, owner = f"{self.me}t{number}", f"{self.me}u0"
        self.send(
            projects.CreateMembership(membership_id=f"{team}-0", team_id=team, user_id=owner, role="owner"), owner
        )
        people = [owner]
        for at in range(1, members):
            user_id = f"{self.me}u{at}"
            outcome = self.send(
                projects.CreateMembership(membership_id=f"{team}-{at}", team_id=team, user_id=user_id, role="member"),
                owner,
            )
            if outcome.status.value == "accepted":
                people.append(user_id)
        self.send(projects.UpdateMembership(team_id=team, user_id=people[-1], role="admin"), owner)
        project = f"{self.me}p{number}"
        self.send(
            projects.CreateProject(
                project_id=project,
                name=f"Project {number} é",
                prefix="AB",
                description="",
                user_id=owner,
                team_id=team,
                active=True,
                public=number % 2 == 0,
                column_order=["To do", "Done ✓"],
            ),
            owner,
        )
        self.board(project, owner, number)
        self.estimate(project, team, people, number)
        if number % 3 == 1:
            self.send(projects.DeleteMembership(team_id=team, user_id=people[1]), owner)
        if number % 4 == 3:
            self.send(projects.DeleteProject(project_id=project), owner)

    def board(self, project: str, owner: str, number: int) -> None:
        """Cards that are made, moved, renamed and taken away."""
        for at in range(8):
            task = f"k{at}"
            rank = chr(ord("a") + at)
            made = projects.CreateTask(project_id=project, task_id=task, title=f"Do {at}", column="To do", rank=rank)
            version = version_of(self.send(made, owner))
            if at % 2 == 0:
                moved = projects.MoveTask(project_id=project, task_id=task, column="Done ✓", rank=f"m{rank}")
                self.send(moved, owner, version)
            if at % 3 == 0:
                self.send(projects.RenameTask(project_id=project, task_id=task, title=f"Did {at}"), owner)
            if at == 5:
                self.send(projects.DeleteTask(project_id=project, task_id=task), owner)
        renamed = projects.UpdateProject(
            project_id=project, name=f"Renamed {number}", column_order=["Done ✓", "To do", "Later"]
        )
        self.send(renamed, owner)

    def estimate(self, project: str, team: str, people: list[str], number: int) -> None:
        """Rounds that are opened, closed, opened again."""
        for at, scale in enumerate(["fibonacci", "t-shirt", "1,2,4"]):
            one = f"{self.me}e{number}-{at}"
            opened = estimation.OpenEstimation(
                estimation_id=one, project_id=project, team_id=team, title=f"How large is {at}?", scale=scale
            )
            self.send(opened, people[0])
            about = {"estimation_id": one, "project_id": project, "team_id": team}
            for member in people:
                points = self._random.choice([1, 2])
                self.send(estimation.SubmitEstimate(**about, member_id=member, points=points), member)
            if at > 0:
                self.send(estimation.CloseEstimation(**about), people[0])
            if at > 1:
                self.send(estimation.ReopenEstimation(**about), people[0])
                self.send(estimation.SubmitEstimate(**about, member_id=people[0], points=4), people[0])


def version_of(outcome: Outcome) -> int | None:
    """The version that a command has made."""
    return outcome.versions[0].version if outcome.versions else None


def aggregators(addresses: dict[str, str], tables: Path, folder: Path, size: int) -> None:
    """Compares their rows with ours, killed in the middle."""
    programs = {domain: Aggregator(domain, folder, addresses) for domain in AGGREGATORS}
    for program in programs.values():
        program.start()
    try:
        work = Work(addresses["HTTP"], seed=1, me=f"x{os.getpid():x}-")
        work.users(range(10 * size))
        for number in range(size):
            work.team(number, 4)
        half = {domain: program.applied() for domain, program in programs.items()}
        until("every aggregator has applied something", lambda: all(p.applied() > 0 for p in programs.values()))
        for program in programs.values():
            program.kill()
        # what happens meanwhile they find when they are back
        work.users(range(10 * size, 15 * size))
        for program in programs.values():
            program.start()
        for number in range(size, 2 * size):
            work.team(number, 4)
            if number == size:
                # once more, while they catch up
                for program in programs.values():
                    program.kill()
                    program.start()
        rows = settled(programs, addresses, tables)
    finally:
        for program in programs.values():
            program.kill()
    for domain, of in rows.items():
        views = ", ".join(f"{len(all_of)} of {view}" for view, all_of in of.items())
        count = count_of(domain, addresses)
        print(
            f"{domain}: the same rows after {count} events, {half[domain]} of them before kill -9: {views}", flush=True
        )
        missing = {view.VIEW for view in VIEWS[domain]} - set(of)
        assert not missing, f"{domain}: nothing has filled {missing}"
    print(f"{work.accepted} commands were accepted")


def settled(
    programs: dict[str, Aggregator], addresses: dict[str, str], tables: Path
) -> dict[str, dict[str, list[str]]]:
    """Their rows, once they have applied every event and ours are the same; what commands have set in motion may still go on."""
    end = time.monotonic() + SECONDS
    while True:
        for domain, program in programs.items():
            until(
                f"the aggregator of {domain} has applied every event",
                partial(lambda program, domain: program.applied() >= count_of(domain, addresses), program, domain),
            )
        for program in programs.values():
            program.kill()
        rows = {domain: sorted_rows(program.rows()) for domain, program in programs.items()}
        differ = {domain: difference(of, tables, domain) for domain, of in rows.items()}
        applied = {domain: program.applied_before() for domain, program in programs.items()}
        counted = {domain: count_of(domain, addresses) for domain in programs}
        if not any(differ.values()) and applied == counted:
            return rows
        if time.monotonic() > end:
            raise SystemExit(f"the rows are not ours: applied {applied} of {counted}\n" + "\n".join(differ.values()))
        for program in programs.values():
            program.start()


def difference(theirs: dict[str, list[str]], tables: Path, domain: str) -> str:
    """What differs now, if anything does."""
    own = sorted_rows(ours(tables, domain))
    lines = []
    for view in {*theirs, *own}:
        a, b = set(theirs.get(view, [])), set(own.get(view, []))
        lines += [f"theirs alone: {view} {row}" for row in sorted(a - b)[:5]]
        lines += [f"ours alone:   {view} {row}" for row in sorted(b - a)[:5]]
    return "\n".join(lines)


def producers(addresses: dict[str, str]) -> None:
    """Each sends its command and says what became of it; whoever sends it anew is told that the user exists."""
    for language, command in PRODUCERS.items():
        for wanted in ("accepted", "rejected"):
            done = subprocess.run([*command, addresses["HTTP"]], stdout=subprocess.PIPE, text=True, timeout=SECONDS)
            said = done.stdout.strip().lower()
            assert (done.returncode, said) == (0, wanted), f"{language}: {done.returncode}, {said!r}, not {wanted}"
        print(f"{language}: accepted, and anew rejected")


@contextmanager
def embedded(millrace: str, folder: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """A deployment in one process: its addresses, and where its tables are."""
    ports = [word for name in ("kafka", "registry", "http") for word in (f"--{name}-port", "0")]
    data = folder / "data"
    with open(folder / "up.log", "w") as log:
        process = subprocess.Popen(
            [millrace, "up", "--data", str(data), *ports], stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder
        )
    try:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        if not ready:
            raise SystemExit(f"millrace up did not start:\n{(folder / 'up.log').read_text()[-2000:]}")
        found = dict(word.split("=", 1) for word in ready[1:])
        yield {"HTTP": found["http"], "KAFKA": found["kafka"], "REGISTRY": found["registry"]}, data / "tables"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def cluster(millrace: str, folder: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """The roles, each a process, beside the Kafka and the registry that `millrace-services exec` has started."""
    kafka, registry = os.environ["MILLRACE_TEST_KAFKA"], os.environ["MILLRACE_TEST_REGISTRY"]
    prefix, tables = f"examples-{os.getpid():x}.", folder / "tables"
    where = ["--kafka", kafka, "--registry", registry, "--sqlite", str(tables), "--topic-prefix", prefix]
    keys = folder / "pseudonym-keys"
    keys.touch(0o600)
    keys.write_text("k1 " + "A" * 43 + "\n")
    environment = os.environ | {"MILLRACE_PROCESSOR_PSEUDONYM_KEYS_FILE": str(keys)}
    for role in (["topics", "apply"], ["schemas", "register"], ["tables", "apply"]):
        subprocess.run([millrace, *role, *where], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        http, health = one.getsockname()[1], other.getsockname()[1]
    roles: list[subprocess.Popen[bytes]] = []
    try:
        gateway = ["gateway", "--listen", f"127.0.0.1:{http}", "--health-port", str(health)]
        for role in (["processor"], ["projector"], gateway):
            with open(folder / f"{role[0]}.log", "w") as log:
                roles.append(
                    subprocess.Popen([millrace, *role, *where], stdout=log, stderr=log, cwd=folder, env=environment)
                )
        until("the gateway is ready", lambda: is_ready(f"http://127.0.0.1:{health}/ready"))
        yield {"HTTP": f"http://127.0.0.1:{http}", "KAFKA": kafka, "REGISTRY": registry, "TOPIC_PREFIX": prefix}, tables
    finally:
        for process in roles:
            process.terminate()
        for process in roles:
            process.wait()


def is_ready(address: str) -> bool:
    """Whether a health address says that all is well."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return b"impaired" not in answer.read()
    except OSError:
        return False


def main() -> None:
    """Runs one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["aggregators", "producers"])
    parser.add_argument("--millrace", required=True, help="the binary")
    parser.add_argument(
        "--on", choices=["embedded", "kafka"], default="embedded", help="kafka: by `millrace-services exec`"
    )
    parser.add_argument("--size", type=int, default=3, help="how much work there is; 3 is some hundred commands")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = {"embedded": embedded, "kafka": cluster}[given.on]
        with started(given.millrace, folder) as (addresses, tables):
            if given.what == "producers":
                producers(addresses)
            else:
                aggregators(addresses, tables, folder, given.size)


if __name__ == "__main__":
    main()
