"""What the gateway costs: outcomes over HTTP beside those of the same system read directly, and commands per CPU second.

    gateway.py [--rate 500] [--seconds 20] [--commands 20000] [--rounds 3] [--millrace FILE]

Starts `millrace up` and a gateway of its own beside it. At the steady rate commands go in turns to the log (producer to outcome, both in
this process) and to the gateway (request to answer), in alternating rounds of one run; then as many as fit at once through the gateway alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from measure import Answers, Sender, wait_for_ids  # noqa: E402
from process import cpu_seconds  # noqa: E402
from report import machine, table, write  # noqa: E402
from system import Embedded, free_port  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
AUTHORS = 100
CONNECTIONS = 64
READY_SECONDS = 60.0
# The gateway's p99 over the direct one's is to be at most this, in milliseconds.
AIM_MS = 2.0


class Gateway(Embedded):
    """`millrace up`, and one more gateway in a process of its own."""

    def start(self) -> None:
        """Starts both."""
        super().start()
        self.port = int(free_port())
        log = self.role("gateway", "gateway", "--listen", f"127.0.0.1:{self.port}", *self.flags)
        self.gateway = self.processes[-1].pid
        deadline = time.monotonic() + READY_SECONDS
        while not _listens(self.port):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the gateway does not listen: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.05)


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as it:
        return it.connect_ex(("127.0.0.1", port)) == 0


class Connection:
    """A connection that is kept, for one request at a time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def post(self, kind: str, key: str, data: dict[str, str]) -> None:
        """Sends a command and waits until it is accepted.

        Raises:
            RuntimeError: it is not.
        """
        if self.reader is None or self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        body = json.dumps({"data": data}).encode()
        head = (
            f"POST /v1/commands/chirp/{kind} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\ncontent-type: application/json\r\n"
            f"idempotency-key: {key}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        lines = answer.decode().lower().split("\r\n")
        length = next(int(it.split(":", 1)[1]) for it in lines if it.startswith("content-length:"))
        said, status = await self.reader.readexactly(length), int(lines[0].split()[1])
        if status != 200:
            raise RuntimeError(f"{kind} {key} was answered with {status}: {said.decode()}")


def chirp(key: str, n: int) -> dict[str, str]:
    """What a chirp says."""
    return {"author_id": f"author-{n % AUTHORS}", "chirp_id": key, "content": "steady"}


async def over_http(port: int, rate: int, seconds: float) -> list[float]:
    """Seconds from the moment at which each command was due to its answer, at a steady rate."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(Connection(port))
    tag, begin, waits = uuid.uuid4().hex[:8], time.perf_counter(), list[float]()

    async def one(n: int) -> None:
        due, connection = begin + n / rate, await free.get()
        await connection.post("PostChirp", f"{tag}-{n}", chirp(f"{tag}-{n}", n))
        waits.append(time.perf_counter() - due)
        free.put_nowait(connection)

    tasks = []
    for n in range(int(rate * seconds)):
        if (wait := begin + n / rate - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(n)))
    await asyncio.gather(*tasks)
    return waits


def direct(system: Gateway, rate: int, seconds: float) -> list[float]:
    """The same, handed to a producer and read from the outcomes."""
    sender, answers, tag = Sender(system, **{"linger.ms": 0}), Answers(system), uuid.uuid4().hex[:8]
    due: dict[str, float] = {}
    try:
        begin = time.perf_counter()
        for n in range(int(rate * seconds)):
            id_ = f"{tag}-{n}"
            payload = sender.encode(id_, "PostChirp", **chirp(id_, n))
            while (wait := begin + n / rate - time.perf_counter()) > 0:
                sender.producer.poll(min(wait, 0.001))
            due[id_] = begin + n / rate
            sender.send(f"author-{n % AUTHORS}", payload)
        sender.producer.flush(60)
        wait_for_ids(answers, list(due), 0)
    finally:
        answers.close()
    return [answers.at[id_] - at for id_, at in due.items()]


async def as_many_as_fit(port: int, count: int) -> float:
    """Sends so many commands, one after the other on each connection; seconds."""
    tag, begin, numbers = uuid.uuid4().hex[:8], time.perf_counter(), iter(range(count))

    async def lane() -> None:
        connection = Connection(port)
        for n in numbers:
            await connection.post("PostChirp", f"{tag}-{n}", chirp(f"{tag}-{n}", n))

    await asyncio.gather(*(lane() for _ in range(CONNECTIONS)))
    return time.perf_counter() - begin


async def until_taken(connection: Connection) -> None:
    """Waits until the gateway has found the log."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            return await connection.post("RegisterUser", "first", {"user_id": "first", "username": "First"})
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


def percentile(waits: list[float], which: int) -> float:
    """A percentile, in milliseconds."""
    return quantiles(waits, n=100, method="inclusive")[which - 1] * 1000


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=500, help="commands per second")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each round is")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commands", type=int, default=20_000, help="at once, through the gateway")
    parser.add_argument("--millrace", default=str(ROOT / "target" / "dist" / "millrace"))
    parser.add_argument("--name", default="gateway", help="of the file in bench/results; - for none")
    options = parser.parse_args()
    if not os.access(options.millrace, os.X_OK):
        sys.exit(f"there is no {options.millrace}; build it with: cargo build --profile dist -p millrace-cli")
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder, Gateway(options.millrace, Path(folder)) as system:

        async def register() -> None:
            connection = Connection(system.port)
            await until_taken(connection)
            for n in range(AUTHORS):
                data = {"user_id": f"author-{n}", "username": f"Author_{n}"}
                await connection.post("RegisterUser", f"register-{n}", data)

        asyncio.run(register())
        asyncio.run(as_many_as_fit(system.port, options.commands // 4))
        rounds: dict[str, list[tuple[float, float]]] = {"direct": [], "gateway": []}
        for _ in range(options.rounds):
            waits = direct(system, options.rate, options.seconds)
            rounds["direct"].append((percentile(waits, 50), percentile(waits, 99)))
            waits = asyncio.run(over_http(system.port, options.rate, options.seconds))
            rounds["gateway"].append((percentile(waits, 50), percentile(waits, 99)))
        before = cpu_seconds(system.gateway)
        seconds = asyncio.run(as_many_as_fit(system.port, options.commands))
        cpu = cpu_seconds(system.gateway) - before
        figures = {
            name: {"p50_ms": median(p50 for p50, _ in of), "p99_ms": median(p99 for _, p99 in of), "rounds": of}
            for name, of in rounds.items()
        }
        figures |= {"commands_per_second": options.commands / seconds, "commands_per_cpu_second": options.commands / cpu}
    rows = [[name, f"{figures[name]['p50_ms']:.1f} ms", f"{figures[name]['p99_ms']:.1f} ms"] for name in rounds]
    print(table([f"outcome, {options.rate}/s", "p50", "p99"], rows))
    over = figures["gateway"]["p99_ms"] - figures["direct"]["p99_ms"]
    print(f"\nthe gateway's p99 is {over:.1f} ms over the direct one's; the aim is {AIM_MS:.0f} ms")
    print(f"{figures['commands_per_second']:,.0f} commands/s at once, {figures['commands_per_cpu_second']:,.0f} per CPU second of the gateway")
    if options.name != "-":
        kept = {name: value for name, value in vars(options).items() if name != "millrace"}
        print(f"\nwritten to {write(options.name, {'machine': machine(), 'settings': kept, **figures})}")


if __name__ == "__main__":
    main()
