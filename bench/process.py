"""What a process and its children have used, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def _family(pid: int) -> list[int]:
    """A process and all that descend from it and live."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time in user and kernel mode, of children too, in seconds; those that have ended count as well."""
    ticks = 0
    for member in _family(pid):
        # the name, in brackets, may hold blanks: user, system and the same of ended children are 14th to 17th
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS


def memory_mb(pid: int) -> float:
    """Its resident memory now, in megabytes (10^6 bytes)."""
    return _status_mb(pid, "VmRSS")


def peak_memory_mb(pid: int) -> float:
    """The most resident memory it has had, in megabytes (10^6 bytes)."""
    return _status_mb(pid, "VmHWM")


def _status_mb(pid: int, name: str) -> float:
    kibibytes = 0
    for member in _family(pid):
        for line in Path(f"/proc/{member}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                kibibytes += int(line.split()[1])
    return kibibytes * 1024 / 1e6
