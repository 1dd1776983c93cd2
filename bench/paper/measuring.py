"""Measures the parts that no other benchmark gives, on real servers."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from paper.model import CHIRP_ROWS, RECORDS, ROOT


def measure(binary: str, chirps: int, pages: int) -> dict[str, float]:
    """The parts that no other benchmark gives: CPU of each process while chirps are posted, projected and read."""
    sys.path.insert(0, str(ROOT / "tests" / "blackbox" / "python"))
    from cassandra.concurrent import execute_concurrent_with_args

    from measure import AUTHORS, FOLLOWERS, Answers, Sender, prepare, wait_for_ids
    from process import cpu_seconds
    from system import Cluster

    def until(is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 600
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError("it does not come about within ten minutes")
            time.sleep(0.01)

    with tempfile.TemporaryDirectory(prefix="millrace-bench-") as folder, Cluster(binary, Path(folder)) as system:
        authors, rows = prepare(system), system.rows
        broker, cql = (_listener(os.environ[f"MILLRACE_TEST_{name}"]) for name in ("KAFKA", "CQL"))
        processor, projector = (process.pid for process in system.processes)

        watched = {"processor": processor, "broker": broker, "projector": projector, "cql": cql}

        def post(tag: str, count: int) -> dict[str, float]:
            """µs of CPU that each process takes for so many chirps, until their last rows are there."""
            ids = [f"{tag}-{n:0{35 - len(tag)}}" for n in range(count)]
            sender, answers = Sender(system, **{"queue.buffering.max.messages": count}), Answers(system)
            before = {name: cpu_seconds(pid) for name, pid in watched.items()}
            for n, id_ in enumerate(ids):
                author = authors[n % AUTHORS]
                data = {"chirp_id": id_, "author_id": author, "content": f"{n:0100}"}
                sender.send(author, sender.encode(id_, "PostChirp", **data))
                if n % 1_000 == 0:
                    sender.producer.poll(0)
            sender.producer.flush(600)
            try:
                wait_for_ids(answers, ids, 0)
            finally:
                answers.close()
            last = range(max(0, count - AUTHORS), count)
            until(lambda: all(rows.has_chirp(authors[n % AUTHORS], ids[n]) for n in last))
            return {name: (cpu_seconds(pid) - before[name]) * 1e6 for name, pid in watched.items()}

        def read(limit: int) -> float:
            """CPU-seconds of the server for a page of so many rows."""
            select = rows.session.prepare("SELECT * FROM home_timelines WHERE reader_id = ? LIMIT ?")
            asked = [(authors[n % AUTHORS], limit) for n in range(pages)]
            before = cpu_seconds(cql)
            execute_concurrent_with_args(rows.session, select, asked, concurrency=64)
            return (cpu_seconds(cql) - before) / pages

        post("w", chirps)  # until everything is compiled
        spent = post("c", chirps)
        written = chirps * (CHIRP_ROWS + FOLLOWERS)
        read(1)
        one, many = read(1), read(201)
        per_row = (many - one) / 200

        return {
            "command_us": spent["processor"] / chirps,
            "row_us": spent["projector"] / written,
            "broker_us": spent["broker"] / (RECORDS * chirps),
            "write_us": spent["cql"] / written,
            "query_us": (one - per_row) * 1e6,
            "read_row_us": per_row * 1e6,
        }


def _listener(address: str) -> int:
    """The process that listens on a port of this machine."""
    port = int(address.rsplit(":", 1)[1])
    sockets = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            local, state, inode = (line.split()[column] for column in (1, 3, 9))
            if state == "0A" and int(local.rpartition(":")[2], 16) == port:
                sockets.add(f"socket:[{inode}]")
    for opened in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(opened) in sockets:
                return int(opened.parts[2])
        except OSError:
            continue  # it has ended, or is somebody else's
    raise SystemExit(f"nobody listens on port {port} of this machine: the servers must be here to be measured")
