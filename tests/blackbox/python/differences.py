"""What is not as it must be: counted by kind, the first of each kind printed."""

from __future__ import annotations

from collections import Counter

SHOWN = 40


class Differences:
    """What is not as it must be, counted by kind; only the first of each kind are printed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, text: str) -> None:
        """Notes a difference."""
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN:
            print(f"DIFFERENCE {kind}: {text}")

    def check(self, holds: bool, kind: str, text: str) -> bool:
        """Notes a difference unless it holds."""
        if not holds:
            self.add(kind, text)
        return holds
