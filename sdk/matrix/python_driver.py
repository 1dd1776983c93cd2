"""The matrix's program for Python."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "python" / "src"))

from millrace_sdk import Command, HttpClient, Problem, encode_event, encode_outcome  # noqa: E402
from millrace_sdk.domains import ALL  # noqa: E402
from millrace_sdk.domains.accounting import AccountBalancesRow  # noqa: E402
from millrace_sdk.json_ import JsonSource  # noqa: E402
from millrace_sdk.kafka import KafkaClient  # noqa: E402


def main() -> None:
    settings = {"bootstrap.servers": os.environ["KAFKA"]}
    kafka = KafkaClient(settings, os.environ["REGISTRY"], os.environ.get("TOPIC_PREFIX", ""))
    if sys.argv[1] == "send":
        http = HttpClient(os.environ["HTTP"])
        for line in sys.stdin:
            given = json.loads(line)
            kind = next(kind for kind in ALL[given["domain"]].commands.kinds if kind.TYPE == given["type"])
            data: Any = kind.read(JsonSource(given["data"]))
            metadata = replace(Command(data=data).metadata, **given["metadata"])
            command = Command(id=given["id"], metadata=metadata, data=data)
            try:
                outcome = http.send(command).outcome if sys.argv[2] == "http" else kafka.send(command)
            except Problem as problem:
                if problem.is_passing:
                    raise
                # what a gateway refuses was never sent
                tell({"id": command.id, "status": "refused", "codes": [problem.kind]})
                continue
            codes = [violation.code for violation in outcome.violations]
            tell({"id": outcome.command_id, "status": outcome.status.value, "codes": codes})
    elif sys.argv[1] == "watch":
        http, key = HttpClient(os.environ["HTTP"]), {"account_id": sys.argv[2]}
        tell({"rows": shown(next(rows for rows in http.subscribe(AccountBalancesRow, key) if rows))})
        tell({"rows": shown(http.query(AccountBalancesRow, key).rows)})
    else:
        # what was read is told as the bytes that it is written as again: so all of it is compared
        mode, domain, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
        topics = ALL[domain]
        found: Iterator[Any] = kafka.events(domain) if mode == "events" else kafka.outcomes(domain)
        for it in found:
            if left == 0:
                break
            if it is None:
                continue
            left -= 1
            if mode == "events":
                tell({"id": it.id, "type": it.type, "bytes": encode_event(topics.events, it).hex()})
            else:
                tell({"id": it.command_id, "type": it.command_type, "bytes": encode_outcome(it).hex()})
    kafka.close()


def shown(rows: list[AccountBalancesRow]) -> list[dict[str, str]]:
    return [{"account_id": row.account_id, "balance": str(row.balance), "version": str(row.version)} for row in rows]


def tell(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
