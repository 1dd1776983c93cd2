"""What streams cost: how soon a change is heard of, what a stream and a client that is stuck take of memory, and what a projector pays.

    live.py [latency|idle|stuck|cost] … [--rate 100] [--seconds 20] [--streams 10000] [--stuck 50] [--millrace FILE] [--quiet FILE]

Starts `millrace up` and a gateway of its own beside it, whose memory and CPU are measured. *latency*: chirps are sent at a steady
rate; of each it is noted when its row is in the table, looked at all the time, and when its change has come to a subscriber, in
this process as well. *idle*: so many streams of as many keys, of which nothing is told. *stuck*: clients that have asked for one
busy stream and read nothing of it. *cost*: CPU of the whole system for one chirp, with `--millrace` and with `--quiet`, a build
whose views are not live, in turns, at ten chirps a second and as fast as they are decided.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median, quantiles
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "blackbox" / "python"))

from gateway import AUTHORS, Connection, Gateway, chirp, until_taken  # noqa: E402
from measure import Answers, Sender, wait_for_ids  # noqa: E402
from process import cpu_seconds, memory_mb  # noqa: E402
from report import machine, settings, table, write  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("latency", "idle", "stuck", "cost")
# How long a stream may take to say anything.
PATIENCE = 120.0
# A change is to be heard of at most so much later than its row is there, at p95, in milliseconds.
AIM_MS = 20.0


class Peopled(Gateway):
    """A system with its authors registered."""

    def start(self) -> None:
        """Starts it."""
        super().start()

        async def register() -> None:
            connection = Connection(self.port)
            await until_taken(connection)
            for n in range(AUTHORS):
                await connection.post("RegisterUser", f"register-{n}", {"user_id": f"author-{n}", "username": f"Author_{n}"})

        asyncio.run(register())


class Stream:
    """A stream of a view, read event by event."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, path: str) -> Stream:
        """Asks for it."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        writer.write(_request(port, path))
        return cls(reader, writer)

    async def event(self) -> tuple[str, Any]:
        """The next event; chunks end with events."""
        name, data = "", "null"
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), PATIENCE)).decode().rstrip("\r\n")
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = line[6:]
            elif not line and name:
                return name, json.loads(data)

    async def until_live(self) -> Stream:
        """Reads on until its copy is exact."""
        while (await self.event())[0] != "live":
            pass
        return self


def _request(port: int, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: text/event-stream\r\n\r\n".encode()


def of_author(n: int) -> str:
    """The stream of an author's chirps."""
    return f"/v1/streams/chirp/chirps_by_author?author_id=author-{n}"


def percentile(waits: list[float], which: int) -> float:
    """A percentile, in milliseconds."""
    return quantiles(waits, n=100, method="inclusive")[which - 1] * 1000


async def latency(system: Gateway, rate: int, seconds: float) -> dict[str, float]:
    """Milliseconds from a command's request to its row, and to its change at a subscriber."""
    streams = [await (await Stream.open(system.port, of_author(n))).until_live() for n in range(AUTHORS)]
    rows, tag = system.rows, uuid.uuid4().hex[:8]
    heard, there, due, waiting = dict[str, float](), dict[str, float](), dict[str, float](), dict[str, str]()

    async def hear(stream: Stream) -> None:
        while True:
            name, data = await stream.event()
            if name == "change":
                heard[data["key"]["chirp_id"]] = time.perf_counter()

    async def look() -> None:
        while True:
            for id_, author in list(waiting.items()):
                if rows.has_chirp(author, id_):
                    there[id_] = time.perf_counter()
                    del waiting[id_]
            await asyncio.sleep(0.001)

    connections = [Connection(system.port) for _ in range(16)]
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)

    async def one(n: int, id_: str) -> None:
        connection = await free.get()
        await connection.post("PostChirp", id_, chirp(id_, n))
        free.put_nowait(connection)

    listening = [asyncio.create_task(hear(stream)) for stream in streams] + [asyncio.create_task(look())]
    begin, count, sent = time.perf_counter() + 0.1, int(rate * seconds), []
    for n in range(count):
        id_ = f"{tag}-{n}"
        due[id_] = begin + n / rate
        if (wait := due[id_] - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        waiting[id_] = f"author-{n % AUTHORS}"
        sent.append(asyncio.create_task(one(n, id_)))
    await asyncio.gather(*sent)
    deadline = time.monotonic() + PATIENCE
    while len(heard.keys() & due.keys()) < count or waiting:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{count - len(heard)} changes were not heard of, {len(waiting)} rows are not there")
        await asyncio.sleep(0.01)
    for task in listening:
        task.cancel()
    for stream in streams:
        stream.writer.close()
    figures: dict[str, float] = {}
    for name, at in (("row", there), ("change", heard)):
        waits = [at[id_] - moment for id_, moment in due.items()]
        figures |= {f"{name}_p{which}_ms": percentile(waits, which) for which in (50, 95, 99)}
    return figures


async def idle(system: Gateway, count: int) -> dict[str, float]:
    """Memory of so many streams of which nothing is told."""
    await (await Stream.open(system.port, of_author(0))).until_live()
    before, begun = memory_mb(system.gateway), time.perf_counter()
    streams: list[Stream] = []
    for at in range(0, count, 100):
        part = range(at, min(at + 100, count))
        opened = await asyncio.gather(*(Stream.open(system.port, f"/v1/streams/chirp/user_profiles?user_id=idle-{n}") for n in part))
        streams += await asyncio.gather(*(stream.until_live() for stream in opened))
    seconds, after = time.perf_counter() - begun, memory_mb(system.gateway)
    cpu = cpu_seconds(system.gateway)
    await asyncio.sleep(20)
    spent = cpu_seconds(system.gateway) - cpu
    for stream in streams:
        stream.writer.close()
    return {
        "streams": count,
        "memory_mb": after - before,
        "kb_a_stream": (after - before) * 1e3 / count,
        "opened_per_second": count / seconds,
        "cpu_ms_a_second": spent * 1e3 / 20,
    }


def stuck(system: Gateway, count: int, commands: int) -> dict[str, float]:
    """What clients that read nothing add to the gateway's memory, over the same load without them."""
    settled = [0.0, 0.0, 0.0]
    for turn in range(3):
        clients = []
        if turn == 2:
            for _ in range(count):
                client = socket.socket()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(("127.0.0.1", system.port))
                client.sendall(_request(system.port, of_author(0)))
                clients.append(client)
            time.sleep(2)
        send(system, commands, one_author=True)
        settled[turn] = memory_mb(system.gateway)
        for client in clients:
            client.close()
    return {"clients": count, "before_mb": settled[1], "with_them_mb": settled[2], "mb_a_client": (settled[2] - settled[1]) / count}


def send(system: Gateway, count: int, *, rate: float | None = None, one_author: bool = False) -> str:
    """Sends chirps to the log and waits until the last row is there; the last one's id."""
    sender, answers, tag = Sender(system), Answers(system), uuid.uuid4().hex[:8]
    try:
        begin, ids = time.perf_counter(), []
        for n in range(count):
            id_, author = f"{tag}-{n}", 0 if one_author else n % AUTHORS
            ids.append(id_)
            if rate is not None:
                while (wait := begin + n / rate - time.perf_counter()) > 0:
                    sender.producer.poll(min(wait, 0.01))
            data = {"author_id": f"author-{author}", "chirp_id": id_, "content": "x" * 250}
            sender.send(f"author-{author}", sender.encode(id_, "PostChirp", **data))
        sender.producer.flush(60)
        wait_for_ids(answers, ids, 0)
    finally:
        answers.close()
    rows, deadline = system.rows, time.monotonic() + PATIENCE
    while not rows.has_chirp(f"author-{0 if one_author else (count - 1) % AUTHORS}", ids[-1]):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{ids[-1]} is not there")
        time.sleep(0.01)
    return ids[-1]


def cost(system: Gateway, seconds: float, count: int) -> dict[str, float]:
    """CPU of `millrace up` a chirp, in microseconds, at ten a second and as many as it can take, and rows a second then."""
    up = system.processes[0].pid
    send(system, count // 4)
    figures = {}
    for name, many, rate in (("slow", int(10 * seconds), 10.0), ("fast", count, None)):
        before, begun = cpu_seconds(up), time.perf_counter()
        send(system, many, rate=rate)
        figures[f"{name}_us"] = (cpu_seconds(up) - before) * 1e6 / many
        figures[f"{name}_per_second"] = many / (time.perf_counter() - begun)
    return figures


def main() -> None:
    """Measures what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="what is measured; all of it, if none is named")
    parser.add_argument("--rate", type=int, default=100, help="chirps per second of the latency")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each round is")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=10_000, help="that are idle")
    parser.add_argument("--stuck", type=int, default=50, help="clients that read nothing")
    parser.add_argument("--commands", type=int, default=20_000, help="at once")
    parser.add_argument("--millrace", default=str(ROOT / "target" / "dist" / "millrace"))
    parser.add_argument("--quiet", help="a build whose views are not live")
    parser.add_argument("--name", default="live", help="of the file in bench/results; - for none")
    options = parser.parse_args()
    parts = options.parts or list(PARTS)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"{unknown[0]} is none of {', '.join(PARTS)}")
    if "cost" in parts and not options.quiet:
        parts = [part for part in parts if part != "cost"]
        print("cost needs --quiet, a build whose views are not live: left out", file=sys.stderr)
    figures: dict[str, Any] = {}
    if any(part != "cost" for part in parts):
        with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder, Peopled(options.millrace, Path(folder)) as system:
            if "latency" in parts:
                rounds = [asyncio.run(latency(system, options.rate, options.seconds)) for _ in range(options.rounds)]
                figures["latency"] = {name: median(one[name] for one in rounds) for name in rounds[0]} | {"rounds": rounds}
            if "idle" in parts:
                figures["idle"] = asyncio.run(idle(system, options.streams))
            if "stuck" in parts:
                figures["stuck"] = stuck(system, options.stuck, options.commands)
    if "cost" in parts:
        kinds: dict[str, list[dict[str, float]]] = {"live": [], "not live": []}
        for _ in range(options.rounds):
            for kind, millrace in (("live", options.millrace), ("not live", options.quiet)):
                with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder, Peopled(millrace, Path(folder)) as system:
                    kinds[kind].append(cost(system, options.seconds, options.commands))
        figures["cost"] = {kind: {name: median(one[name] for one in of) for name in of[0]} for kind, of in kinds.items()}
    for part, of in figures.items():
        rows = [[name, f"{value:,.1f}"] for name, value in of.items() if isinstance(value, float | int)]
        rows += [[f"{kind}: {name}", f"{value:,.1f}"] for kind, more in of.items() if isinstance(more, dict) for name, value in more.items()]
        print(f"\n{table([part, ''], rows)}")
    if "latency" in figures:
        over = figures["latency"]["change_p95_ms"] - figures["latency"]["row_p95_ms"]
        print(f"\na change is heard of {over:.1f} ms after its row is there, by the p95s; the aim is {AIM_MS:.0f} ms")
    if options.name != "-":
        kept = {name: value for name, value in settings(options).items() if name != "quiet"}
        print(f"\nwritten to {write(options.name, {'machine': machine(), 'settings': kept, **figures})}")


if __name__ == "__main__":
    main()
