"""Each language sends every command of every domain and reads what the others have sent."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "python" / "src"))

from millrace_sdk.domains import ALL  # noqa: E402

FLOW: list[list[Any]] = json.loads((Path(__file__).parent / "flow.json").read_text())
"""Commands that are accepted, in their order, so that there are events of most types; those of the vectors are mostly refused."""
SECONDS = 900
RUN = f"{os.getpid():x}"
"""Another run on the same servers has other ids."""


def programs(target: Path) -> dict[str, tuple[list[str], Path]]:
    """The program of each language, and where it runs; they were built before."""
    return {
        "typescript": (["node", "build/test/driver.js"], ROOT / "typescript"),
        "python": ([sys.executable, str(ROOT / "matrix" / "python_driver.py")], ROOT),
        "go": ([str(target / "sdk-matrix-go")], ROOT),
        "rust": ([str(target / "millrace-sdk-driver")], ROOT),
    }


def filled(value: Any, me: str) -> Any:
    if isinstance(value, dict):
        return {name: filled(inner, me) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, me) for inner in value]
    return value.replace("{me}", me).replace("{name}", me.replace("-", "_")) if isinstance(value, str) else value


def commands(me: str, domains: list[str]) -> list[dict[str, Any]]:
    """Those that are accepted, then one of every type from the vectors: whatever becomes of it, it is answered."""
    all_of = []
    for domain, kind, data, *metadata in FLOW:
        if domain not in domains:
            continue
        more = filled(metadata[0], me) if metadata else {}
        all_of.append({"domain": domain, "type": kind, "metadata": more, "data": filled(data, me)})
    for domain in domains:
        seen = set()
        for vector in json.loads((ROOT / "vectors" / f"{domain}.json").read_text())["vectors"]:
            kind = vector["value"].get("type")
            if vector["topic"] == f"{domain}.commands" and kind not in seen and vector["name"].endswith("/7"):
                seen.add(kind)
                all_of.append({"domain": domain, "type": kind, "metadata": {}, "data": vector["value"]["data"]})
    return [one | {"id": f"{me}-{at}"} for at, one in enumerate(all_of)]


class Matrix:
    """The programs of all languages on one deployment."""

    def __init__(self, addresses: dict[str, str], target: Path, ways: list[str], domains: list[str]) -> None:
        self.addresses = addresses
        self.programs = programs(target)
        self.ways = ways
        self.domains = domains
        self.told: list[str] = []

    def tell(self, line: str) -> None:
        """Prints a line that also belongs into what is recorded."""
        self.told.append(line)
        print(line, flush=True)

    def run(self, language: str, arguments: list[str], lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What a program prints, given these lines."""
        command, folder = self.programs[language]
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            input="".join(json.dumps(line) + "\n" for line in lines),
            text=True,
            stdout=subprocess.PIPE,
            env=os.environ | self.addresses,
            timeout=SECONDS,
        )
        if done.returncode != 0:
            raise SystemExit(f"{language} {' '.join(arguments)} ended with {done.returncode}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check(self) -> None:
        """Lets each language send, then each read what all have sent."""
        begun = time.monotonic()
        first: dict[str, Any] = {}
        sent_by: dict[str, dict[str, set[str]]] = {domain: {language: set() for language in self.programs} for domain in self.domains}
        for language in self.programs:
            for way in self.ways:
                self.send(language, way, first, sent_by)
        kinds: set[str] = set()
        for domain in self.domains:
            kinds |= self.read(domain, sent_by[domain])
        if "accounting" in self.domains:
            self.watch()
        types = sum(len(ALL[domain].events.kinds) for domain in self.domains)
        self.tell(f"events of {len(kinds)} of {types} types were read; {time.monotonic() - begun:.0f} s in all")

    def send(self, language: str, way: str, first: dict[str, Any], sent_by: dict[str, dict[str, set[str]]]) -> None:
        """Sends every command; the accepted ones are accepted, and what is sent alike is answered alike."""
        me = f"{language[:2]}-{way[0]}{RUN}"
        sent = commands(me, self.domains)
        answers = self.run(language, ["send", way], sent)
        assert [answer["id"] for answer in answers] == [one["id"] for one in sent], f"{language} {way}"
        count = sum(domain in self.domains for domain, *_ in FLOW)
        bad = [(one["type"], told) for one, told in zip(sent[:count], answers) if told["status"] != "accepted"]
        assert not bad, f"{language} {way}: {bad}"
        for answer in answers:
            assert "Misrouted" not in answer["codes"], f"{language} {way}: {answer}"
        told = [(one["type"], answer["codes"]) for one, answer in zip(sent[count:], answers[count:])]
        assert told == first.setdefault(way, told), f"{language} {way}: {told}"
        for one, answer in zip(sent, answers):
            # what a gateway refuses is never sent
            if answer["status"] != "refused":
                sent_by[one["domain"]][language].add(one["id"])
        self.tell(f"{language}, {way}: {len(sent)} commands of {len(self.domains)} domains were answered")

    def watch(self) -> None:
        """Lets every language ask a gateway for the rows that the commands of each have made, and follow them."""
        for sender in self.programs:
            account = f"{sender[:2]}-{self.ways[0][0]}{RUN}-a"
            told = {language: self.run(language, ["watch", account], []) for language in self.programs}
            rows = told["python"][0]["rows"]
            assert [row["account_id"] for row in rows] == [account], f"{account}: {rows}"
            for language, answers in told.items():
                assert answers == [{"rows": rows}] * 2, f"{language}: {answers}, not {rows}"
        self.tell(f"rows of a view, followed and asked for over HTTP alike by {', '.join(self.programs)}")

    def read(self, domain: str, sent_by: dict[str, set[str]]) -> set[str]:
        """Lets every language read all events and outcomes of a domain, to the last byte; the types of the events."""
        kinds: set[str] = set()
        for mode, topic in (("events", ALL[domain].events.name), ("outcomes", ALL[domain].outcomes.name)):
            count = end_of(self.addresses.get("TOPIC_PREFIX", "") + topic, self.addresses["KAFKA"])
            found = {}
            for language in self.programs:
                messages = self.run(language, [mode, domain, str(count)], [])
                found[language] = sorted(json.dumps(message, sort_keys=True) for message in messages)
            for language, messages in found.items():
                assert len(messages) == count, f"{language} reads {len(messages)} {mode} of {domain}, not {count}"
                assert messages == found["python"], f"{language} reads other {mode} of {domain} than python"
            read = [json.loads(message) for message in found["python"]]
            if mode == "events":
                kinds = {message["type"] for message in read}
            else:
                ids = {message["id"] for message in read}
                for language, sent in sent_by.items():
                    assert sent and sent <= ids, f"{domain}: outcomes of {language} are missing: {sorted(sent - ids)}"
            self.tell(f"{domain}: {count} {mode}, read alike by {', '.join(self.programs)}")
        return kinds


def end_of(name: str, brokers: str) -> int:
    """How many messages there are in a topic, up to where it ends now."""
    from confluent_kafka import Consumer, TopicPartition

    settings = {
        "bootstrap.servers": brokers,
        "group.id": "unused",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    }
    consumer = Consumer(settings)
    partitions = list(consumer.list_topics(name, 10).topics[name].partitions)
    consumer.assign([TopicPartition(name, partition, 0) for partition in partitions])
    count, ended = 0, set()
    while len(ended) < len(partitions):
        message = consumer.poll(60)
        assert message is not None, f"{name} is not read to its end"
        if message.error() is None:
            count += 1
        else:
            ended.add(message.partition())
    consumer.close()
    return count


@contextmanager
def started(command: list[str], folder: str, name: str) -> Iterator[dict[str, str]]:
    """A process that says when it is ready, in a line `ready name=address …`; at the end it is terminated."""
    with open(f"{folder}/{name}.log", "w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        assert ready and ready[0] == "ready", f"{name} is not ready: {Path(folder, name + '.log').read_text()[-2000:]}"
        yield dict(word.split("=", 1) for word in ready[1:])
    finally:
        process.terminate()
        process.wait()


@contextmanager
def embedded(millrace: str, folder: str) -> Iterator[dict[str, str]]:
    """Everything in one process."""
    ports = ["--kafka-port", "0", "--registry-port", "0", "--http-port", "0"]
    with started([millrace, "up", "--data", f"{folder}/data", *ports], folder, "up") as found:
        yield {"HTTP": found["http"], "KAFKA": found["kafka"], "REGISTRY": found["registry"]}


@contextmanager
def cluster(millrace: str, folder: str) -> Iterator[dict[str, str]]:
    """Processor, projector and gateway beside the Kafka and the registry that `millrace-services exec` has started."""
    kafka, registry = os.environ["MILLRACE_TEST_KAFKA"], os.environ["MILLRACE_TEST_REGISTRY"]
    prefix = f"matrix-{RUN}."
    where = ["--kafka", kafka, "--registry", registry, "--sqlite", f"{folder}/tables", "--topic-prefix", prefix]
    keys = Path(folder, "pseudonym-keys")
    keys.touch(0o600)
    keys.write_text("k1 " + "A" * 43 + "\n")
    environment = os.environ | {"MILLRACE_PROCESSOR_PSEUDONYM_KEYS_FILE": str(keys)}
    for role in (["topics", "apply"], ["schemas", "register"], ["tables", "apply"]):
        subprocess.run([millrace, *role, *where], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    http, health = free_ports(2)
    roles: list[subprocess.Popen[bytes]] = []
    try:
        for role in (
            ["processor"],
            ["projector"],
            ["gateway", "--listen", f"127.0.0.1:{http}", "--health-port", str(health)],
        ):
            with open(f"{folder}/{role[0]}.log", "w") as log:
                one = subprocess.Popen([millrace, *role, *where], stdout=log, stderr=log, cwd=folder, env=environment)
            roles.append(one)
        await_ready(f"http://127.0.0.1:{health}/ready", Path(folder, "gateway.log"))
        yield {"HTTP": f"http://127.0.0.1:{http}", "KAFKA": kafka, "REGISTRY": registry, "TOPIC_PREFIX": prefix}
    finally:
        for one in roles:
            one.terminate()
        for one in roles:
            one.wait()


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody has at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def await_ready(address: str, log: Path) -> None:
    """Waits until a health address answers that all is well."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if b"impaired" not in answer.read():
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{address} is not ready: {log.read_text()[-2000:]}")


RESULTS = Path(__file__).parent / "RESULTS.md"


def record(sections: dict[str, list[str]]) -> None:
    """Writes what was seen, when, and of which commit."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    text = f"# What the matrix has shown\n\n{datetime.now(timezone.utc):%Y-%m-%d}, at commit {commit.strip()}, by `make sdk-matrix RECORD=1`.\n"
    for name, lines in sections.items():
        text += f"\n## {name}\n\n" + "".join(f"- {line}\n" for line in lines)
    RESULTS.write_text(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millrace", required=True, help="the binary; the programs of Go and Rust lie beside it")
    parser.add_argument("--on", default="embedded,kafka", help="embedded, kafka (by `millrace-services exec`) or both")
    parser.add_argument("--ways", default="http,kafka", help="how commands are sent")
    parser.add_argument("--domains", default=",".join(ALL), help="of which domains; projects need identity, estimation both")
    parser.add_argument("--record", action="store_true", help="write RESULTS.md")
    given = parser.parse_args()
    sections = {}
    for name in given.on.split(","):
        title, servers = {"embedded": ("`millrace up`", embedded), "kafka": ("Apache Kafka", cluster)}[name]
        print(f"on {title}", flush=True)
        with tempfile.TemporaryDirectory() as folder, servers(given.millrace, folder) as addresses:
            matrix = Matrix(addresses, Path(given.millrace).parent, given.ways.split(","), given.domains.split(","))
            matrix.check()
            sections[title] = matrix.told
    if given.record:
        record(sections)


if __name__ == "__main__":
    main()
