"""What is sent to chirp: a command, and where a producer puts it.

Nothing here knows the system under test; the names are those of the published schemas.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Fields = dict[str, Any]

# The field whose value is the record key, per command.
ROUTING_FIELD = {
    "RegisterUser": "user_id",
    "PostChirp": "author_id",
    "EditChirp": "author_id",
    "DeleteChirp": "author_id",
    "FollowUser": "followee_id",
    "UnfollowUser": "followee_id",
}


@dataclass(frozen=True)
class Sending:
    """One record that a producer sends. Wave n+1 is sent when all of wave n is answered."""

    wave: int
    id: str
    type: str
    data: Fields
    user_id: str | None = None
    expected_version: int | None = None
    # A wrong key, no key, or a partition that is not the key's: all of them are Misrouted.
    wrong_key: str | None = None
    no_key: bool = False
    wrong_partition: bool = False
    # Commands of one race want the same name at the same time; exactly one may get it.
    race: str | None = None

    @property
    def routing_key(self) -> str:
        """What the record key has to be."""
        return str(self.data[ROUTING_FIELD[self.type]])

    @property
    def key(self) -> str | None:
        """What the record key is."""
        if self.no_key:
            return None
        return self.routing_key if self.wrong_key is None else self.wrong_key

    @property
    def misrouted(self) -> bool:
        """Whether the record is not where its command belongs."""
        return self.no_key or self.wrong_key is not None or self.wrong_partition


@dataclass
class Prediction:
    """What has to become of a sending."""

    status: str
    violations: list[tuple[str, str | None]] = field(default_factory=list)
    duplicate: bool = False
    # The aggregates that change and their versions; a version is None where a race decides it.
    versions: dict[str, int | None] = field(default_factory=dict)
    # Refused by a step of its process: it leaves events, but nothing in any view.
    late: bool = False
