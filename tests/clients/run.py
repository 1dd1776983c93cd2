"""One table of cases, every client on Apache Kafka and on the embedded broker.

    run.py                          all clients and cases on both
    run.py --clients java,sarama --cases job,group
    run.py --brokers embedded       what differs from the table only
    run.py --record RESULTS.md      writes down what came of it

Apache Kafka and a registry are those of MILLRACE_TEST_KAFKA and MILLRACE_TEST_REGISTRY; the embedded broker is that of
`millrace up`, the binary in MILLRACE. Ends with 1 when a result is neither the table's nor a known difference.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = Path(os.environ.get("MILLRACE_CACHE") or ROOT / ".cache")
CASES: dict[str, dict[str, Any]] = json.loads((HERE / "cases.json").read_text())
KAFKA_VERSION = "4.1.0"


@dataclass
class Client:
    """A client: how its program is run, and which cases it has."""

    name: str
    version: str
    cases: list[str]
    command: list[str] = field(default_factory=list)
    folder: Path = HERE


def clients(wanted: set[str] | None) -> list[Client]:
    """The clients that are wanted, with what they need installed."""
    most = ["job", "events", "keys", "records", "codecs", "group", "transaction", "lookups", "admin"]
    admin = ["groups", "log-dirs"]
    all_of_java = [name for name in CASES]
    python = {"confluent-kafka": "confluent.py", "aiokafka": "aio.py", "kafka-python": "kafka_python.py"}
    listed = [
        Client(
            "console tools",
            KAFKA_VERSION,
            ["records", "group", "lookups", "local", "admin", *admin, "hanging"],
        ),
        Client("Java", KAFKA_VERSION, all_of_java),
        Client("confluent-kafka", "", [*most, "fenced", "groups", "static", "new-groups"]),
        Client("aiokafka", "", [*most, "fenced", "groups"]),
        Client("kafka-python", "", ["job", "events", "keys"]),
        Client("kafkajs", "", most),
        Client("@platformatic/kafka", "", most),
        Client("franz-go", "", [*most, *admin, "fenced", "forget", "hanging"]),
        Client("sarama", "", [*most, *admin]),
    ]
    chosen = [client for client in listed if wanted is None or client.name in wanted]
    if wanted and (unknown := wanted - {client.name for client in listed}):
        raise SystemExit(f"there is no client {', '.join(unknown)}: {', '.join(c.name for c in listed)}")
    for client in chosen:
        if client.name == "console tools":
            client.command = [sys.executable, str(HERE / "console/console.py")]
            os.environ.setdefault("KAFKA_LIB", console())
        elif client.name == "Java":
            client.command = [
                os.environ.get("JAVA", "java"),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                f"{java()}/*",
                str(HERE / "java/Clients.java"),
            ]
        elif client.name in python:
            client.command = [sys.executable, str(HERE / "python" / python[client.name])]
            pinned = (ROOT / "tests/services/requirements.txt").read_text()
            found = re.search(rf"^{client.name}(?:\[.*\])?==(\S+)", pinned, re.MULTILINE)
            client.version = found[1] if found else ""
        elif client.name in {"franz-go", "sarama"}:
            client.command = [str(go() / client.name)]
            found = re.search(rf"/{client.name} v(\S+)", (HERE / "go/go.mod").read_text())
            client.version = found[1] if found else ""
        else:
            client.command = ["node", client.name.split("/")[0].lstrip("@") + ".js"]
            client.folder = node()
            client.version = json.loads((HERE / "node/package.json").read_text())["dependencies"][client.name]
    return chosen


def cached(name: str, *files: Path) -> tuple[Path, bool]:
    """A folder of the cache for these contents, and whether it is whole."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    folder = CACHE / f"clients/{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder, (folder / ".complete").exists()


def done(folder: Path) -> Path:
    (folder / ".complete").touch()
    return folder


def console() -> str:
    """The jars of the tests' Kafka, which `millrace-services` has fetched: the recipe is in the folder's marker."""
    recipe = (ROOT / "tests/services/kafka/pom.xml").read_text()
    for marker in CACHE.glob("services/kafka-*/.complete"):
        if marker.read_text() == recipe:
            return str(marker.parent)
    raise SystemExit("Kafka is not there: millrace-services fetch")


def java() -> Path:
    pom = HERE / "java/pom.xml"
    folder, whole = cached("java", pom)
    if not whole:
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
        subprocess.run(["mvn", "-B", "-q", "-C", "-f", pom, *goal], check=True)
    return done(folder)


def node() -> Path:
    lock = HERE / "node/package-lock.json"
    folder, whole = cached("node", lock)
    for file in (HERE / "node").glob("*.js*"):
        shutil.copy(file, folder)
    if not whole:
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(["npm", "ci", "--ignore-scripts", *quiet], cwd=folder, check=True)
    return done(folder)


def go() -> Path:
    sources = sorted([*(HERE / "go").rglob("*.go"), HERE / "go/go.sum"])
    folder, whole = cached("go", *sources)
    if not whole:
        environment = {**os.environ, "GOFLAGS": "-mod=readonly"}
        for name in ("franz-go", "sarama"):
            build = ["go", "build", "-o", str(folder / name), f"./{name}"]
            subprocess.run(build, cwd=HERE / "go", env=environment, check=True)
    return done(folder)


@dataclass
class Broker:
    """A broker with Millrace at work on it."""

    name: str
    kafka: str
    registry: str


@contextlib.contextmanager
def embedded(folder: Path, millrace: str) -> Iterator[Broker]:
    """`millrace up` on free ports."""
    free = ["--data", str(folder / "data"), "--kafka-port", "0", "--registry-port", "0", "--http-port", "0"]
    with (folder / "embedded.log").open("w") as log:
        running = subprocess.Popen(
            [millrace, "up", *free], stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder
        )
    try:
        assert running.stdout
        line = running.stdout.readline()
        found = re.match(r"ready kafka=(\S+) registry=(\S+)", line)
        if not found:
            raise SystemExit(f"millrace up: {line}\n{(folder / 'embedded.log').read_text()[-2000:]}")
        yield Broker("embedded", found[1], found[2])
    finally:
        running.terminate()
        running.wait(30)


@contextlib.contextmanager
def apache(folder: Path, millrace: str) -> Iterator[Broker]:
    """A processor on Apache Kafka."""
    try:
        kafka, registry = os.environ["MILLRACE_TEST_KAFKA"], os.environ["MILLRACE_TEST_REGISTRY"]
    except KeyError as name:
        raise SystemExit(
            f"{name} is not set: run this by `millrace-services exec --servers kafka,registry --`"
        ) from None
    environment = {**os.environ, "MILLRACE_KAFKA": kafka, "MILLRACE_REGISTRY": registry}
    for command in (["topics", "apply"], ["schemas", "register"]):
        subprocess.run(
            [millrace, *command], env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL
        )
    with (folder / "processor.log").open("w") as log:
        running = subprocess.Popen(
            [millrace, "processor", "chirp"], env=environment, cwd=folder, stdout=log, stderr=log
        )
    try:
        yield Broker("kafka", kafka, registry)
    finally:
        running.terminate()
        running.wait(30)


def run(client: Client, broker: Broker, run_id: str, cases: list[str], folder: Path) -> dict[str, Any]:
    """What a client found in each case."""
    environment = {**os.environ, "KAFKA": broker.kafka, "REGISTRY": broker.registry, "RUN": run_id}
    log = folder / f"{client.name.replace('/', '-')}-{broker.name}.log"
    with log.open("w") as errors:
        running = subprocess.Popen(
            [*client.command, *cases],
            env=environment,
            cwd=client.folder,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            told, _ = running.communicate(timeout=90 + 60 * len(cases))
        except subprocess.TimeoutExpired:
            running.kill()
            told, _ = running.communicate()
    found: dict[str, Any] = {}
    for line in told.splitlines():
        if line.startswith("{"):
            answer = json.loads(line)
            found[answer["case"]] = answer.get("result", {"error": answer.get("error")})
    for case in cases:
        found.setdefault(case, {"error": f"nothing; the log is {log}"})
    return found


def agrees(found: Any, expected: Any) -> bool:
    """Whether what was found is what was expected, as far as both say something."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return "error" not in found and all(
            agrees(value, expected[key]) for key, value in found.items() if key in expected
        )
    return bool(found == expected)


@dataclass
class Verdict:
    """What is to be said of a client's case."""

    word: str
    well: bool
    detail: str = ""


def judge(case: str, found: dict[str, Any]) -> Verdict:
    """Judges what was found by broker."""
    table = CASES[case]
    wrong = []
    for broker, result in found.items():
        expected = table.get(broker, table["expect"])
        if not agrees(result, expected):
            wrong.append(f"{broker}: {json.dumps(result)}, not {json.dumps(expected)}")
    is_known = "embedded" in table
    if len(found) == 2 and found["kafka"] != found["embedded"] and not is_known:
        wrong.append(f"kafka {json.dumps(found['kafka'])}, embedded {json.dumps(found['embedded'])}")
    if wrong:
        return Verdict("**differs**", False, "; ".join(wrong))
    return Verdict("differs, known" if is_known else "equal", True)


def record(
    path: Path,
    chosen: list[Client],
    verdicts: dict[tuple[str, str], Verdict],
    brokers: list[str],
    took: float,
) -> None:
    """Writes the table of results."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    dirty = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    day = datetime.datetime.now(datetime.UTC).date()
    lines = [
        "# Results of one whole run",
        "",
        f"Written by `make test-clients RECORD=1` on {day}, at commit {commit[:12]}{' with changes' if dirty else ''},",
        f"on {' and '.join(brokers)} (Apache Kafka {KAFKA_VERSION}), in {took:.0f} s.",
        "*equal*: the result on both is the table's (`cases.json`); *differs, known*: docs/embedded.md says why.",
        "",
        "| case | " + " | ".join(f"{client.name} {client.version}" for client in chosen) + " |",
        "|---" * (len(chosen) + 1) + "|",
    ]
    for case in CASES:
        cells = [
            verdicts[client.name, case].word if (client.name, case) in verdicts else "–" for client in chosen
        ]
        lines.append(f"| `{case}` | " + " | ".join(cells) + " |")
    lines += ["", "What the cases are:", ""]
    lines += [f"- `{name}`: {case['what']}" for name, case in CASES.items()]
    path.write_text("\n".join(lines) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=lambda text: set(text.split(",")))
    parser.add_argument("--cases", type=lambda text: set(text.split(",")))
    parser.add_argument("--brokers", default="kafka,embedded")
    parser.add_argument("--millrace", default=os.environ.get("MILLRACE", "millrace"))
    parser.add_argument("--record", type=Path)
    parser.add_argument("--keep", action="store_true", help="keep the logs even when all is well")
    options = parser.parse_args()
    millrace = shutil.which(options.millrace)
    if not millrace:
        raise SystemExit(f"there is no {options.millrace}: set MILLRACE")
    millrace = str(Path(millrace).resolve())
    chosen = clients(options.clients)
    folder = Path(tempfile.mkdtemp(prefix="millrace-clients-"))
    found: dict[tuple[str, str], dict[str, Any]] = {}
    begin = time.monotonic()
    names = options.brokers.split(",")
    for name in names:
        with {"kafka": apache, "embedded": embedded}[name](folder, millrace) as broker:
            run_id = f"{name[0]}{os.urandom(3).hex()}"
            for client in chosen:
                cases = [case for case in client.cases if not options.cases or case in options.cases]
                start = time.monotonic()
                for case, result in run(client, broker, run_id, cases, folder).items():
                    found.setdefault((client.name, case), {})[name] = result
                print(
                    f"{client.name} on {name}: {len(cases)} cases, {time.monotonic() - start:.0f} s",
                    flush=True,
                )
    verdicts = {key: judge(key[1], results) for key, results in found.items()}
    for (client_name, case), verdict in verdicts.items():
        if not verdict.well:
            print(f"{client_name}, {case}: {verdict.detail}")
    if options.record:
        record(options.record, chosen, verdicts, names, time.monotonic() - begin)
    failed = sum(not verdict.well for verdict in verdicts.values())
    print(f"{len(verdicts) - failed} passed, {failed} failed")
    if failed or options.keep:
        print(f"logs: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
