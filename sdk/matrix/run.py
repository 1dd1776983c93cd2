"""Each language sends every command of every domain and reads what the others have sent."""

from __future__ import annotations

import argparse
import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "python" / "src"))

from millrace_sdk.domains import ALL  # noqa: E402

LANGUAGES: dict[str, tuple[list[str], Path]] = {
    "python": ([sys.executable, str(ROOT / "matrix" / "python_driver.py")], ROOT),
    "typescript": (["node", "build/test/driver.js"], ROOT / "typescript"),
    "go": (["go", "run", "./internal/matrix"], ROOT / "go"),
}
SECONDS = 600
RUN = f"{os.getpid():x}"
"""Another run on the same servers has other ids."""

FLOWS: list[tuple[str, str, dict[str, Any]]] = [
    ("guestbook", "Sign", {"guest_id": "{me}", "text": "Ünïcode 🐦 e\u0301"}),
    ("chirp", "RegisterUser", {"user_id": "{me}", "username": "{name}"}),
    ("chirp", "RegisterUser", {"user_id": "{me}2", "username": "{name}2"}),
    ("chirp", "PostChirp", {"author_id": "{me}", "chirp_id": "c1", "content": "Hello 🐦"}),
    ("chirp", "EditChirp", {"author_id": "{me}", "chirp_id": "c1", "content": "Hello again"}),
    ("chirp", "FollowUser", {"follower_id": "{me}2", "followee_id": "{me}"}),
    ("chirp", "UnfollowUser", {"follower_id": "{me}2", "followee_id": "{me}"}),
    ("chirp", "DeleteChirp", {"author_id": "{me}", "chirp_id": "c1"}),
    ("accounting", "OpenAccount", {"account_id": "{me}-a", "owner_id": "{me}", "currency": "EUR"}),
    ("accounting", "OpenAccount", {"account_id": "{me}-b", "owner_id": "{me}", "currency": "EUR"}),
    (
        "accounting",
        "Deposit",
        {"account_id": "{me}-a", "amount": "9007199254740993", "currency": "EUR", "reference": "r"},
    ),
    (
        "accounting",
        "Transfer",
        {"transfer_id": "{me}-t", "from": "{me}-a", "to": "{me}-b", "amount": "9007199254740993", "currency": "EUR"},
    ),
    (
        "accounting",
        "Withdraw",
        {"account_id": "{me}-b", "amount": "9007199254740993", "currency": "EUR", "reference": "r"},
    ),
    ("accounting", "CloseAccount", {"account_id": "{me}-b"}),
    ("orders", "CreateOrder", {"order_id": "{me}-1", "user_id": "{me}", "total": "4990"}),
    ("orders", "ShipOrder", {"order_id": "{me}-1", "carrier": "DHL", "tracking_number": "T1", "shipped_at": None}),
    ("orders", "CreateOrder", {"order_id": "{me}-2", "user_id": "{me}", "total": "1"}),
    ("orders", "CancelOrder", {"order_id": "{me}-2", "reason": "none"}),
    ("calendar", "CreateCalendar", {"calendar_id": "{me}"}),
    (
        "identity",
        "AddUser",
        {
            "user_id": "{me}",
            "auth0_id": "auth0|{me}",
            "email": "{me}@example.com",
            "email_verified": True,
            "first_name": "A",
            "last_name": "",
            "picture": "",
            "locale": "de-AT",
        },
    ),
    (
        "identity",
        "EnableAccounting",
        {"user_id": "{me}", "sealed_token": base64.b64encode(bytes(range(80))).decode(), "fingerprint": "A" * 43},
    ),
    ("identity", "RemoveUser", {"user_id": "{me}"}),
]
"""Commands that are accepted, in their order; the ones of the vectors are mostly not."""


def filled(value: Any, me: str) -> Any:
    if isinstance(value, dict):
        return {name: filled(inner, me) for name, inner in value.items()}
    return value.replace("{me}", me).replace("{name}", me.replace("-", "_")) if isinstance(value, str) else value


def commands(me: str) -> list[dict[str, Any]]:
    """Those that are accepted, then one of every type from the vectors: whatever becomes of it, it is answered."""
    all_of = [{"domain": domain, "type": kind, "data": filled(data, me)} for domain, kind, data in FLOWS]
    for domain in ALL:
        seen = set()
        for vector in json.loads((ROOT / "vectors" / f"{domain}.json").read_text())["vectors"]:
            kind = vector["value"].get("type")
            if vector["topic"] == f"{domain}.commands" and kind not in seen and vector["name"].endswith("/7"):
                seen.add(kind)
                all_of.append({"domain": domain, "type": kind, "data": vector["value"]["data"]})
    return [one | {"id": f"{me}-{at}"} for at, one in enumerate(all_of)]


def run(
    language: str, arguments: list[str], lines: list[dict[str, Any]], addresses: dict[str, str]
) -> list[dict[str, Any]]:
    command, folder = LANGUAGES[language]
    given = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        input=given,
        text=True,
        stdout=subprocess.PIPE,
        env=os.environ | addresses,
        timeout=SECONDS,
    )
    if done.returncode != 0:
        raise SystemExit(f"{language} {' '.join(arguments)} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(addresses: dict[str, str]) -> None:
    accepted: set[str] = set()
    first: dict[str, Any] = {}
    for language in LANGUAGES:
        for how in ("http", "kafka"):
            me = f"{language[:2]}-{how[0]}{RUN}"
            sent = commands(me)
            answers = run(language, ["send", how], sent, addresses)
            assert [answer["id"] for answer in answers] == [one["id"] for one in sent], f"{language} {how}"
            bad = [
                (one["type"], answer)
                for one, answer in zip(sent[: len(FLOWS)], answers)
                if answer["status"] != "accepted"
            ]
            assert not bad, f"{language} {how}: {bad}"
            for answer in answers:
                assert "Misrouted" not in answer["codes"], f"{language} {how}: {answer}"
            # what is sent alike is answered alike, in every language
            told = [(one["type"], answer["codes"]) for one, answer in zip(sent[len(FLOWS) :], answers[len(FLOWS) :])]
            assert told == first.setdefault(how, told), f"{language} {how}: {told}"
            accepted |= {answer["id"] for answer in answers if answer["status"] == "accepted"}
            print(f"{language} over {how}: {len(sent)} commands answered", flush=True)
    for domain in ALL:
        count = count_of(domain, addresses)
        read = {
            language: sorted(map(json.dumps, run(language, ["events", domain, str(count)], [], addresses)))
            for language in LANGUAGES
        }
        for language, events in read.items():
            assert len(events) == count and events == read["python"], f"{language} reads other events of {domain}"
        print(f"{domain}: every language reads the same {count} events", flush=True)


def count_of(domain: str, addresses: dict[str, str]) -> int:
    """How many events there are of a domain, up to where its topic ends now."""
    from confluent_kafka import Consumer, TopicPartition

    settings = {
        "bootstrap.servers": addresses["KAFKA"],
        "group.id": "unused",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
    }
    consumer = Consumer(settings)
    name = ALL[domain].events.name
    partitions = list(consumer.list_topics(name, 10).topics[name].partitions)
    consumer.assign([TopicPartition(name, partition, 0) for partition in partitions])
    count, ended = 0, set()
    while len(ended) < len(partitions):
        message = consumer.poll(SECONDS)
        assert message is not None, f"{name} is not read to its end"
        if message.error() is None:
            count += 1
        else:
            ended.add(message.partition())
    consumer.close()
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--millrace",
        help="the binary, which is started with everything embedded; else HTTP, KAFKA and REGISTRY are addresses",
    )
    given = parser.parse_args()
    if not given.millrace:
        check({name: os.environ[name] for name in ("HTTP", "KAFKA", "REGISTRY")})
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [
            given.millrace,
            "up",
            "--data",
            f"{folder}/data",
            "--kafka-port",
            "0",
            "--registry-port",
            "0",
            "--http-port",
            "0",
        ]
        with open(f"{folder}/up.log", "w") as log:
            up = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder)
        try:
            assert up.stdout is not None
            ready = up.stdout.readline().split()
            found = dict(word.split("=", 1) for word in ready[1:])
            check({"HTTP": found["http"], "KAFKA": found["kafka"], "REGISTRY": found["registry"]})
        finally:
            up.terminate()
            up.wait()


if __name__ == "__main__":
    main()
