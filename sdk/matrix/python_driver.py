"""The matrix's program for Python."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "python" / "src"))

from millrace_sdk import Command, HttpClient, Problem  # noqa: E402
from millrace_sdk.domains import ALL  # noqa: E402
from millrace_sdk.json_ import JsonSource  # noqa: E402
from millrace_sdk.kafka import KafkaClient  # noqa: E402


def main() -> None:
    settings = {"bootstrap.servers": os.environ["KAFKA"]}
    kafka = KafkaClient(settings, os.environ["REGISTRY"])
    if sys.argv[1] == "send":
        http = HttpClient(os.environ["HTTP"])
        for line in sys.stdin:
            given = json.loads(line)
            kind = next(kind for kind in ALL[given["domain"]].commands.kinds if kind.TYPE == given["type"])
            data: Any = kind.read(JsonSource(given["data"]))
            command = Command(id=given["id"], data=data)
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
    else:
        domain, left = sys.argv[2], int(sys.argv[3])
        for event in kafka.events(domain):
            if left == 0:
                break
            if event is not None:
                left -= 1
                told = {"id": event.id, "type": event.type, "aggregate_id": event.aggregate_id}
                tell(told | {"version": str(event.version)})
    kafka.close()


def tell(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
