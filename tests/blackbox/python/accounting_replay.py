"""Replays each partition's commands and steps in the order in which they were decided, and compares with what was written.

Commands of a partition are decided in their order, steps too; how the two interleave is the system's choice, and it says so by
the times of its events and rejections, which rise within a partition. All the rest is predicted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from accounting_log import OF_COMMANDS, Log, Message, by_partition, event_key, routing_key
from accounting_model import NEXT_STEP, TRANSFER, Happened, Ledger, Violations, codes
from client import Record
from differences import Differences
from murmur2 import partition_of


@dataclass
class Counts:
    """How much of what there was."""

    of: Counter[str] = field(default_factory=Counter)


@dataclass
class Partition:
    """One partition's topics, arranged for the replay."""

    number: int
    commands: list[Message]
    steps: list[Message]
    events: list[Message]
    # The outcomes of a command id, in their order.
    outcomes: defaultdict[str, list[Record]]
    # The events of a command or step, by topic and offset.
    caused: defaultdict[tuple[str, int], list[Message]]


def replay(log: Log, found: Differences) -> tuple[Ledger, Counts]:
    """The ledger after everything, whose predictions have been compared."""
    ledger, counts = Ledger(), Counts()
    parts = partitions(log)
    check_events(log, found)
    # Partitions share no key, so one ledger serves them one after the other.
    for part in parts:
        Replay(log, part, ledger, found, counts).run()
    check_processes(log, ledger, found, counts)
    return ledger, counts


def partitions(log: Log) -> list[Partition]:
    """The topics, partition by partition."""
    commands, steps, events = by_partition(log.commands), by_partition(log.steps), by_partition(log.events)
    outcomes = by_partition(log.outcomes)
    result = []
    for number in range(log.partitions):
        part = Partition(
            number, commands[number], steps[number], events[number], defaultdict(list), defaultdict(list)
        )
        for outcome in outcomes[number]:
            part.outcomes[outcome.value["command_id"]].append(outcome.value)
        for event in part.events:
            topic = "commands" if event.kind in OF_COMMANDS else "steps"
            part.caused[topic, event.value["command_offset"]].append(event)
        result.append(part)
    return result


def check_events(log: Log, found: Differences) -> None:
    """Ids that are unique, versions without gaps, times that rise, each in the partition of its key."""
    ids: set[str] = set()
    versions: Counter[str] = Counter()
    last: dict[int, int] = {}
    for event in log.events:
        value = event.value
        where = f"{event.kind} of {value['aggregate_id']} at {event.partition}/{event.offset}"
        found.check(value["id"] not in ids, "event twice", f"{value['id']}, again {where}")
        ids.add(value["id"])
        versions[value["aggregate_id"]] += 1
        expected = versions[value["aggregate_id"]]
        found.check(value["version"] == expected, "version", f"{value['version']}, not {expected}: {where}")
        found.check(value["recorded_at"] > last.get(event.partition, 0), "time", f"does not rise: {where}")
        last[event.partition] = value["recorded_at"]
        right = partition_of(event_key(event), log.partitions)
        found.check(event.partition == right, "place", f"{where} belongs into {right}")


class Replay:
    """One partition's replay."""

    def __init__(
        self, log: Log, part: Partition, ledger: Ledger, found: Differences, counts: Counts
    ) -> None:
        self.log = log
        self.part = part
        self.ledger = ledger
        self.found = found
        self.counts = counts
        self.explained = 0

    def run(self) -> None:
        """Decides everything once more."""
        for _, topic, message in sorted(self._order(), key=lambda decided: decided[0]):
            if topic == "commands":
                self._command(message)
            else:
                self._step(message)
        self.found.check(
            self.explained == len(self.part.events),
            "event",
            f"partition {self.part.number} has {len(self.part.events)} events, of which {self.explained} have a cause",
        )

    def _order(self) -> list[tuple[int, str, Message]]:
        """Everything that was decided, with its time."""
        decided = [(at, "commands", message) for at, message in self._answers()]
        for step in self.part.steps:
            events = self.part.caused["steps", step.offset]
            if self.found.check(
                len(events) == 1,
                "step",
                f"{step.kind} of {step.data['transfer_id']} at {step.partition}/{step.offset} has {len(events)} events",
            ):
                decided.append((events[0].value["recorded_at"], "steps", step))
        for topic in ("commands", "steps"):
            times = [at for at, of, _ in decided if of == topic]
            rises = all(earlier < later for earlier, later in zip(times, times[1:]))
            self.found.check(
                rises, "order", f"{topic} of partition {self.part.number} were not decided in order"
            )
        return decided

    def _answers(self) -> list[tuple[int, Message]]:
        """The first sending of each command, with the time of its decision; all others are checked at once."""
        firsts: list[Message] = []
        sendings: Counter[str] = Counter()
        astray: Counter[str] = Counter()
        known: set[str] = set()
        for command in self.part.commands:
            id_ = command.value["id"]
            sendings[id_] += 1
            if self._is_astray(command):
                astray[id_] += 1
            elif id_ not in known:
                known.add(id_)
                firsts.append(command)
        self.counts.of["repeated"] += sum(sendings.values()) - sum(astray.values()) - len(firsts)
        self.counts.of["misrouted"] += sum(astray.values())
        for id_ in self.part.outcomes.keys() - sendings.keys():
            self.found.add("outcome", f"{id_} was never sent to partition {self.part.number}")
        for id_, count in sendings.items():
            self._check_number(id_, count, astray[id_])
        decided = []
        for command in firsts:
            events = self.part.caused["commands", command.offset]
            answer = self._first_answer(command.value["id"])
            if events:
                decided.append((events[0].value["recorded_at"], command))
            elif answer is not None:
                decided.append((answer["recorded_at"], command))
        return decided

    def _is_astray(self, command: Message) -> bool:
        key = routing_key(command)
        return command.key != key or partition_of(key, self.log.partitions) != self.part.number

    def _check_number(self, id_: str, sendings: int, astray: int) -> None:
        """One outcome for each sending; those that repeat say so, and say the same."""
        got = self.part.outcomes[id_]
        text = f"{id_} was sent {sendings} times to partition {self.part.number}"
        if not self.found.check(len(got) == sendings, "outcome", f"{text} and answered {len(got)} times: {got}"):
            return
        misrouted = [o for o in got if codes(o["violations"]) == [("Misrouted", None)]]
        self.found.check(len(misrouted) == astray, "outcome", f"{text}, {astray} times astray: {got}")
        others = [o for o in got if o not in misrouted]
        for number, outcome in enumerate(others):
            first = {**others[0], "duplicate": number > 0, "recorded_at": outcome["recorded_at"]}
            # of a repeated answer the first bytes of the digest are kept
            if number > 0 and first.get("digest") and outcome.get("digest") == first["digest"][:8]:
                first["digest"] = outcome["digest"]
            self.found.check(outcome == first, "duplicate", f"{outcome} must be as the first: {others[0]}")

    def _first_answer(self, id_: str) -> Record | None:
        answers = (o for o in self.part.outcomes[id_] if codes(o["violations"]) != [("Misrouted", None)])
        return next(answers, None)

    def _command(self, command: Message) -> None:
        """Predicts what must become of a command."""
        self.counts.of["commands"] += 1
        expected = self.ledger.decide(command.kind, command.data, command.value["metadata"])
        events = self.part.caused["commands", command.offset]
        answer = self._first_answer(command.value["id"])
        if isinstance(expected, list):
            self.counts.of["rejected"] += 1
            self._check_events([], events, command)
            self._check_answer(command, answer, "rejected", expected, [], [])
            return
        self._check_events([expected], events, command)
        if expected.kind == "TransferRequested":
            self.counts.of["transfers"] += 1
            return  # answered when it has ended
        position = (self.log.topic("commands"), command.partition, command.offset)
        version = (expected.aggregate, self.ledger.versions[expected.aggregate])
        self._check_answer(command, answer, "accepted", [], [version], [position])

    def _check_answer(
        self,
        command: Message,
        answer: Record | None,
        status: str,
        violations: Violations,
        versions: list[tuple[str, int]],
        positions: list[tuple[str, int, int]],
    ) -> None:
        if answer is not None:
            check_answer(command.value, answer, status, violations, versions, positions, self.found)

    def _step(self, step: Message) -> None:
        """Predicts what must become of a step."""
        self.counts.of["steps"] += 1
        expected = self.ledger.step(step.kind, step.data)
        events = self.part.caused["steps", step.offset]
        self._check_events([] if expected is None else [expected], events, step)

    def _check_events(self, expected: list[Happened], events: list[Message], cause: Message) -> None:
        """Compares, and goes on from what did happen: one mistake must not look like thousands."""
        is_ = [(event.kind, event.value["aggregate_id"], comparable(event.data)) for event in events]
        must = [
            (
                happened.kind,
                happened.aggregate,
                {**happened.data, **({"violations": happened.violations} if happened.violations else {})},
            )
            for happened in expected
        ]
        self.found.check(is_ == must, "event", f"{cause}\n    caused  {is_}\n    must be {must}")
        for event in events:
            self.explained += 1
            self.ledger.apply(event.kind, event.value["aggregate_id"], event.data)


def comparable(data: Record) -> Record:
    """An event's data, with the violations as codes and fields only."""
    return {name: codes(value) if name == "violations" else value for name, value in data.items()}


def check_answer(
    command: Record,
    answer: Record,
    status: str,
    violations: Violations,
    versions: list[tuple[str, int]],
    positions: list[tuple[str, int, int]],
    found: Differences,
) -> None:
    """An outcome is what it must be, in all its fields."""
    is_ = (
        answer["status"],
        codes(answer["violations"]),
        sorted((version["aggregate_id"], version["version"]) for version in answer["versions"]),
        sorted((place["topic"], place["partition"], place["offset"]) for place in answer["positions"]),
    )
    must = (status, violations, sorted(versions), sorted(positions))
    found.check(is_ == must, "outcome", f"{command}\n    is      {is_}\n    must be {must}")


def check_processes(log: Log, ledger: Ledger, found: Differences, counts: Counts) -> None:
    """Each event of a transfer has asked for exactly its step, and each transfer has ended and been answered so."""
    asked: Counter[tuple[str, str]] = Counter()
    steps = {(step.kind, step.data["transfer_id"]): step for step in log.steps}
    found.check(len(steps) == len(log.steps), "step", f"{len(log.steps) - len(steps)} steps are there twice")
    events: defaultdict[str, list[Message]] = defaultdict(list)
    for event in log.events:
        if "transfer_id" in event.data:
            events[event.data["transfer_id"]].append(event)
        if event.kind in NEXT_STEP:
            kind, key = NEXT_STEP[event.kind]
            asked[kind, event.data["transfer_id"]] += 1
            check_step(log, event, steps.get((kind, event.data["transfer_id"])), key, found)
    for kind_and_transfer in steps.keys() - asked.keys():
        found.add("step", f"{kind_and_transfer} was asked for by no event")
    commands = {command.data["transfer_id"]: command for command in reversed(log.commands) if command.kind == "Transfer"}
    outcomes: defaultdict[tuple[int, str], list[Record]] = defaultdict(list)
    for outcome in log.outcomes:
        outcomes[outcome.partition, outcome.value["command_id"]].append(outcome.value)
    for transfer, step in ledger.transfers.items():
        if not found.check(step != "REQUESTED", "open", f"transfer {transfer} has not ended: {events[transfer]}"):
            continue
        of_it = events[transfer]
        counts.of["failed transfers"] += step == "FAILED"
        answers = outcomes[commands[transfer].partition, of_it[0].value["command_id"]]
        if answers:
            check_end(log, of_it, commands[transfer], answers[0], found)


def check_step(log: Log, event: Message, step: Message | None, key: str, found: Differences) -> None:
    """A step carries on what its event says, where it belongs."""
    if not found.check(step is not None, "step", f"{event} has asked for a step that is not there") or not step:
        return
    plain = {name: event.data[name] for name in TRANSFER}
    more = {name: event.data[name] for name in ("violations", "requested_by") if name in event.data}
    found.check(step.data == {**plain, **more}, "step", f"{step} does not say what {event} does")
    place = partition_of(str(event.data[key]), log.partitions)
    found.check(step.partition == place, "step", f"{step} belongs into partition {place}")


def check_end(log: Log, events: list[Message], command: Message, answer: Record, found: Differences) -> None:
    """The outcome of a transfer: how it ended, and where a reader must have come to see all of it."""
    versions: dict[str, int] = {}
    positions: dict[int, tuple[str, int, int]] = {}
    for event in sorted(events, key=lambda event: (event.partition, event.offset)):
        aggregate = event.value["aggregate_id"]
        versions[aggregate] = max(versions.get(aggregate, 0), event.value["version"])
        topic = log.topic("commands" if event.kind in OF_COMMANDS else "steps")
        positions[event.partition] = (topic, event.partition, event.value["command_offset"])
    failed = [event for event in events if event.kind == "TransferFailed"]
    status = "rejected" if failed else "accepted"
    violations = codes(failed[0].data["violations"]) if failed else []
    check_answer(
        command.value, answer, status, violations, list(versions.items()), list(positions.values()), found
    )
