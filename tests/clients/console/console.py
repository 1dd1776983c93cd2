"""The table's cases with the console tools of Apache Kafka, as a person would call them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

KAFKA, RUN = os.environ["KAFKA"], os.environ["RUN"]
LIB, JAVA = os.environ["KAFKA_LIB"], os.environ.get("JAVA", "java")
TOOLS = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
}
Result = dict[str, Any]


def start(tool: str, *arguments: str, bootstrap: str = "--bootstrap-server") -> subprocess.Popen[str]:
    # what Kafka's scripts do, with a virtual machine that starts quickly
    command = [
        JAVA,
        "-Xmx256m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-cp",
        f"{LIB}/*",
        TOOLS[tool],
    ]
    command += [bootstrap, KAFKA, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def tool(name: str, *arguments: str, given: str = "", fails: bool = False) -> str:
    running = start(name, *arguments)
    out, err = running.communicate(given, timeout=120)
    if (running.returncode != 0) != fails:
        raise RuntimeError(
            f"{name} {' '.join(arguments)}: exit {running.returncode}: {out[-300:]} {err[-600:]}"
        )
    return out + err


def name(what: str) -> str:
    return f"console-{what}-{RUN}"


def topic(what: str, partitions: int = 1, *config: str) -> str:
    settings = [part for setting in config for part in ("--config", setting)]
    tool("kafka-topics", "--create", "--topic", name(what), "--partitions", str(partitions), *settings)
    return name(what)


def put(of: str, *values: str) -> None:
    tool("kafka-console-producer", "--topic", of, given="".join(f"{value}\n" for value in values))


def read(of: str, count: int, *more: str) -> list[str]:
    limits = ["--max-messages", str(count), "--timeout-ms", "60000"]
    # only standard output: how many were read is told on the other
    running = start("kafka-console-consumer", "--topic", of, *limits, *more)
    out, _ = running.communicate(timeout=120)
    return out.splitlines()


def records() -> Result:
    of = topic("records")
    with_keys = [
        "--property",
        "parse.key=true",
        "--property",
        "key.separator=:",
        "--property",
        "parse.headers=true",
    ]
    with_keys += ["--property", "headers.delimiter=|"]
    tool("kafka-console-producer", "--topic", of, *with_keys, given="h:1|k:v\n")
    shown = [
        "--property",
        "print.key=true",
        "--property",
        "print.headers=true",
        "--property",
        "print.offset=true",
    ]
    return {"record": read(of, 1, "--from-beginning", *shown)}


def group() -> Result:
    of, group_id = topic("group"), name("group")
    put(of, "0", "1", "2", "3", "4")
    first = read(of, 3, "--group", group_id, "--from-beginning")
    described = tool("kafka-consumer-groups", "--describe", "--group", group_id)
    committed = next(line.split()[3] for line in described.splitlines() if of in line)
    return {"first": first, "committed": int(committed), "second": read(of, 2, "--group", group_id)}


def offsets(of: str, at: str) -> int:
    found = re.search(
        rf"^{re.escape(of)}:0:(\d+)$", tool("kafka-get-offsets", "--topic", of, "--time", at), re.MULTILINE
    )
    # where there is none it prints nothing
    return int(found[1]) if found else -1


def lookups() -> Result:
    of = topic("append", 1, "message.timestamp.type=LogAppendTime")
    put(of, "0", "1", "2")
    asked = {"earliest": "-2", "latest": "-1", "max": "-3", "0": "0"}
    return {"append": {what: offsets(of, at) for what, at in asked.items()}}


def local() -> Result:
    of = topic("local")
    put(of, "0")
    return {"earliest-local": offsets(of, "earliest-local"), "latest-tiered": offsets(of, "latest-tiered")}


def administration() -> Result:
    of = topic("admin", 1, "cleanup.policy=delete")
    again = tool("kafka-topics", "--create", "--topic", of, fails=True)
    change = "cleanup.policy=[compact,delete],retention.ms=60000"
    entity = ["--entity-type", "topics", "--entity-name", of]
    tool("kafka-configs", "--alter", *entity, "--add-config", change)
    settings = tool("kafka-configs", "--describe", *entity)
    tool("kafka-topics", "--alter", "--topic", of, "--partitions", "3")
    described = tool("kafka-topics", "--describe", "--topic", of)
    tool(
        "kafka-console-producer", "--topic", of, "--property", "parse.key=true", "--property", "key.separator=:",
        given="k:0\nk:1\nk:2\n",
    )  # fmt: skip
    where = next(n for n in range(3) if (f"{of}:{n}:3" in tool("kafka-get-offsets", "--topic", of)))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        wanted = {"topic": of, "partition": where, "offset": 2}
        json.dump({"partitions": [wanted], "version": 1}, file)
        file.flush()
        emptied = tool("kafka-delete-records", "--offset-json-file", file.name)
    tool("kafka-topics", "--delete", "--topic", of)
    end = time.monotonic() + 60
    while of in tool("kafka-topics", "--list").split():
        if time.monotonic() > end:
            raise TimeoutError("the topic stays")
    low = re.search(r"low_watermark: (\d+)", emptied)

    def setting(of: str) -> str:
        found = re.search(rf"^\s*{re.escape(of)}=(\S+)", settings, re.MULTILINE)
        return found[1] if found else settings

    return {
        "twice": "TOPIC_ALREADY_EXISTS" if "already exists" in again else again,
        "partitions": len(re.findall(r"Partition: \d+", described)),
        "cleanup.policy": setting("cleanup.policy"),
        "retention.ms": setting("retention.ms"),
        "emptied to": int(low[1]) if low else emptied,
        "deleted": "gone",
    }


def groups() -> Result:
    of, group_id = topic("groups"), name("groups")
    put(of, "0", "1", "2")
    read(of, 1, "--group", group_id, "--from-beginning")
    listed = group_id in tool("kafka-consumer-groups", "--list").split()
    to = ["--topic", of, "--to-offset", "2", "--execute"]
    tool("kafka-consumer-groups", "--group", group_id, "--reset-offsets", *to)
    described = tool("kafka-consumer-groups", "--describe", "--group", group_id)
    offset = next(line.split()[3] for line in described.splitlines() if of in line)
    tool("kafka-consumer-groups", "--delete", "--group", group_id)
    there = group_id in tool("kafka-consumer-groups", "--list").split()
    return {"listed": listed, "offset": int(offset), "deleted": "there" if there else "gone"}


def log_dirs() -> Result:
    of = topic("log-dirs", 2)
    put(of, "0")
    told = tool("kafka-log-dirs", "--describe", "--topic-list", of)
    found = json.loads(next(line for line in told.splitlines() if line.startswith("{")))
    folders = found["brokers"][0]["logDirs"]
    sizes = [partition["size"] for folder in folders for partition in folder["partitions"]]
    size = "more than 0" if sum(sizes) > 0 else "0"
    return {"folders": len(folders), "partitions": len(sizes), "bytes": size}


def hanging() -> Result:
    # who leaves it open is another client: the tools only look and end
    from confluent_kafka import Producer

    of = topic("hanging")
    sending = Producer({"bootstrap.servers": KAFKA, "transactional.id": name("hanging")})
    sending.init_transactions()
    sending.begin_transaction()
    sending.produce(of, "open")
    sending.flush()
    listed = tool("kafka-transactions", "list")
    state = next(line.split()[3] for line in listed.splitlines() if line.startswith(name("hanging")))
    described = tool("kafka-transactions", "describe", "--transactional-id", name("hanging"))
    place = ["--topic", of, "--partition", "0"]
    producers = tool("kafka-transactions", "describe-producers", *place)
    start_offset = [line.split()[-1] for line in producers.splitlines() if re.match(r"\d", line)]
    broker = re.search(r"\(id: (\d+) ", tool("kafka-broker-api-versions"))
    hangs = tool("kafka-transactions", "find-hanging", "--broker-id", broker[1] if broker else "1")
    tool("kafka-transactions", "abort", *place, "--start-offset", start_offset[0])
    after = tool("kafka-transactions", "describe-producers", *place)
    return {
        "state": state,
        "in it": f"{of}-0" in described,
        "since": start_offset,
        "hangs": of in hangs,
        "after": [line.split()[-1] for line in after.splitlines() if re.match(r"\d", line)],
        "read": read(
            of, 1, "--from-beginning", "--isolation-level", "read_committed", "--timeout-ms", "3000"
        ),
    }


CASES: dict[str, Callable[[], Result]] = {
    "records": records,
    "group": group,
    "lookups": lookups,
    "local": local,
    "admin": administration,
    "groups": groups,
    "log-dirs": log_dirs,
    "hanging": hanging,
}

for case in sys.argv[1:]:
    try:
        line: Result = {"case": case, "result": CASES[case]()}
    except Exception as error:
        line = {"case": case, "error": f"{type(error).__name__}: {error}"[:1000]}
    print(json.dumps(line), flush=True)
