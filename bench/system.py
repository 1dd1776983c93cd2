"""Starts what is measured, and stops it again."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Protocol

from client import Servers
from views import Row

READY_SECONDS = 60


def _die_with_parent() -> None:
    """A benchmark that is killed leaves nothing running."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Rows(Protocol):
    """Asks a table whether a chirp is there."""

    def has_chirp(self, author: str, chirp: str) -> bool:
        """Whether its row is visible now."""


class SqliteRows:
    """The tables of `millrace up`, read from another process as an analyst does."""

    def __init__(self, folder: str) -> None:
        import sqlite3

        path = Path(folder) / "chirp.sqlite"
        self.file = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30, check_same_thread=False)

    def has_chirp(self, author: str, chirp: str) -> bool:
        """Whether its row is visible now."""
        select = "SELECT 1 FROM chirps WHERE author_id = ? AND chirp_id = ?"
        return self.file.execute(select, (author, chirp)).fetchone() is not None


class CqlRows:
    """The tables of a cluster, read by the driver of Cassandra's own project."""

    def __init__(self, address: str, keyspace: str) -> None:
        from cassandra.cluster import Cluster as Driver

        host, port = address.rsplit(":", 1)
        self.session = Driver([host], port=int(port)).connect(keyspace)
        self.select = self.session.prepare("SELECT chirp_id FROM chirps WHERE author_id = ? AND chirp_id = ?")

    def has_chirp(self, author: str, chirp: str) -> bool:
        """Whether its row is visible now."""
        found: Row | None = self.session.execute(self.select, (author, chirp)).one()
        return found is not None


class System:
    """Processes under measurement; ended when the `with` block is left."""

    servers: Servers
    rows: Rows
    flags: list[str]
    """What leads `millrace` to it."""

    def __init__(self, millrace: str, folder: Path) -> None:
        self.millrace = millrace
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> System:
        """Starts everything and waits until it can be used."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends everything; after a failure, shows the ends of the logs."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
        if error is not None:
            for log in sorted(self.folder.glob("*.log")):
                print(f"--- {log.name} ---\n" + "\n".join(log.read_text(errors="replace").splitlines()[-30:]))

    def start(self) -> None:
        """Starts everything and waits until it can be used."""
        raise NotImplementedError

    def role(self, name: str, *arguments: str) -> Path:
        """Starts `millrace` with these arguments; gives the file of its output."""
        return self.launch(name, [self.millrace, *arguments])

    def launch(self, name: str, command: list[str]) -> Path:
        """Starts a program; gives the file of its output."""
        log = self.folder / f"{name}.log"
        self.processes.append(
            subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log.open("wb"),
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent,
            )
        )
        return log


class Embedded(System):
    """`millrace up`."""

    def start(self) -> None:
        """Starts it and takes the addresses from its `ready` line."""
        data = str(self.folder / "data")
        log = self.role("up", "up", "--data", data, "--kafka-port", free_port(), "--registry-port", free_port(),
                        "--http-port", free_port())
        deadline = time.monotonic() + READY_SECONDS
        while True:
            lines = log.read_text(errors="replace").splitlines()
            ready = next((line for line in lines if line.startswith("ready ")), None)
            if ready is not None:
                break
            if self.processes[0].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("`millrace up` did not become ready")
            time.sleep(0.01)
        found = dict(word.split("=", 1) for word in ready.split(" ")[1:])
        self.servers = Servers(found["kafka"], found["registry"])
        self.rows = SqliteRows(found["tables"])
        self.flags = ["--kafka", found["kafka"], "--registry", found["registry"], "--sqlite", found["tables"]]


class Cluster(System):
    """A processor and a projector on real servers, with topics and tables of their own."""

    def start(self) -> None:
        """Makes topics, schemas and tables, then starts both roles."""
        kafka, registry, cql = (os.environ[f"MILLRACE_TEST_{name}"] for name in ("KAFKA", "REGISTRY", "CQL"))
        unique = uuid.uuid4().hex[:10]
        prefix, keyspace = f"bench-{unique}.", f"bench_{unique}"
        flags = ["--kafka", kafka, "--registry", registry, "--cql", cql]
        flags += ["--topic-prefix", prefix, "--keyspace", keyspace]
        for step in (["topics", "apply"], ["schemas", "register"], ["tables", "apply"]):
            subprocess.run([self.millrace, *step, *flags], cwd=self.folder, check=True, capture_output=True)
        for role in ("processor", "projector"):
            self.role(role, role, *flags)
        self.servers = Servers(kafka, registry, prefix)
        self.rows = CqlRows(cql, keyspace)
        self.flags = flags


class Logged(System):
    """A processor and a projector on a real Kafka and registry; the tables are SQLite's, as of `millrace up`."""

    def start(self) -> None:
        """Makes topics, schemas and tables, then starts both roles."""
        kafka, registry = (os.environ[f"MILLRACE_TEST_{name}"] for name in ("KAFKA", "REGISTRY"))
        prefix, tables = f"bench-{uuid.uuid4().hex[:10]}.", str(self.folder / "tables")
        flags = ["--kafka", kafka, "--registry", registry, "--sqlite", tables, "--topic-prefix", prefix]
        for step in (["topics", "apply"], ["schemas", "register"], ["tables", "apply"]):
            subprocess.run([self.millrace, *step, *flags], cwd=self.folder, check=True, capture_output=True)
        for role in ("processor", "projector"):
            self.role(role, role, *flags)
        self.servers = Servers(kafka, registry, prefix)
        self.rows = SqliteRows(tables)
        self.flags = flags


def free_port() -> str:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
