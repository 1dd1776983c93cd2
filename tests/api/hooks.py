"""What is changed in the cases that schemathesis makes, and why; and how many there were."""

import json
import os
import threading
from collections import Counter
from pathlib import Path

import schemathesis

COUNTED: Counter[str] = Counter()
LOCK = threading.Lock()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Nobody waits for what never comes, and accounting knows when a command was issued."""
    path, query = case.operation.path, case.query
    negative = case.meta is not None and case.meta.generation.mode.is_negative
    if path.startswith(("/v1/views/", "/v1/feeds/")):
        # places in the log that are made up are not reached by waiting
        case.headers["Prefer"] = "wait=0"
    if path.startswith("/v1/outcomes/") and (query.get("timeout") is None or is_seconds(query["timeout"])):
        query["timeout"] = 0
    if negative and "Prefer" in case.headers and "async" in str(case.headers["Prefer"]):
        # whoever does not wait does not hear what is decided
        del case.headers["Prefer"]
    # beyond that a number with a fraction may have been rounded when it was read, and is refused
    case.body = whole(case.body)
    if path.startswith("/v1/commands/accounting/") and not negative and not issued_at(case.body):
        # a key that is no UUIDv7 needs issued_at beside it, which no schema can say
        case.headers.pop("Idempotency-Key", None)


@schemathesis.check
def no_fault(ctx, response, case):
    """A 503 is in the document and says when to ask again; nothing else of the kind is an answer."""
    assert response.status_code < 500 or response.status_code == 503, f"{response.status_code}: {response.text}"
    if response.status_code == 503:
        # whoever asks for what is not there yet hears so; with everything at hand nothing is away
        assert "problem:not-yet" in response.text, response.text


@schemathesis.hook
def after_call(context, case, response):
    """Counts."""
    with LOCK:
        COUNTED[str(response.status_code)] += 1
        if (total := sum(COUNTED.values())) % 100 == 0 or total < 100:
            write()


def write():
    """Where `live.py` reads it."""
    if path := os.environ.get("MILLRACE_API_COUNTED"):
        Path(path).write_text(json.dumps(COUNTED))


def is_seconds(value):
    """Whether it is within bounds, and so only long."""
    return isinstance(value, int) and 0 <= value <= 60


def whole(value):
    """The same with large whole numbers written without a fraction."""
    if isinstance(value, dict):
        return {name: whole(member) for name, member in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and abs(value) >= 2**50 and value.is_integer() else value


def issued_at(body):
    """When a command says that it was issued."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    return metadata.get("issued_at") if isinstance(metadata, dict) else None
