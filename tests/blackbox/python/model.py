"""A model of chirp so naive that it is obviously right.

It takes the commands in the order in which they were sent, keeps everything in dictionaries, and says
what must become of each command, which events there must be, and what every view and feed must show. It
shares no code with the system and knows neither partitions nor batches nor time: the few times that views
show are read from the events, whose `recorded_at` only the system can know.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from message import Fields, Prediction, Sending

ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")
USERNAME = re.compile(r"[A-Za-z0-9_]{3,20}\Z")
# Unicode's White_Space property; Python's own isspace() takes a few characters more.
WHITE_SPACE = frozenset(
    [
        *range(0x09, 0x0E),
        0x20,
        0x85,
        0xA0,
        0x1680,
        *range(0x2000, 0x200B),
        0x2028,
        0x2029,
        0x202F,
        0x205F,
        0x3000,
    ]
)
MAX_CONTENT = 280

# Which field a violation names that is about no field of the data.
ACTING_USER = "metadata.user_id"
VERSION = "metadata.expected_version"

Violations = list[tuple[str, str | None]]


@dataclass
class Chirp:
    """A chirp as it is now; a deleted one keeps its id taken."""

    content: str
    edited: bool = False
    deleted: bool = False


@dataclass(frozen=True)
class ExpectedEvent:
    """An event that must be in the log."""

    type: str
    command_id: str
    data: Fields


class Model:
    """The whole network after the commands applied so far."""

    def __init__(self, winners: Mapping[str, str] | None = None) -> None:
        """`winners` names the command that won each race; without it the first one sent wins."""
        self.winners = winners
        self.users: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.chirps: dict[tuple[str, str], Chirp] = {}
        self.followers: defaultdict[str, set[str]] = defaultdict(set)
        self.following: defaultdict[str, set[str]] = defaultdict(set)
        self.events: defaultdict[str, list[ExpectedEvent]] = defaultdict(list)
        self.contested: set[str] = set()
        self.answers: dict[str, Prediction] = {}

    def version(self, aggregate: str) -> int:
        """The version of an aggregate: the number of its events."""
        return len(self.events[aggregate]) if aggregate in self.events else 0

    def apply(self, sending: Sending) -> Prediction:
        """Takes the next command and says what its outcome must be."""
        if sending.misrouted:
            return Prediction("rejected", [("Misrouted", None)])
        if (first := self.answers.get(sending.id)) is not None:
            return Prediction(first.status, first.violations, True, first.versions, first.late)
        answer = self._decide(sending)
        self.answers[sending.id] = answer
        return answer

    def _decide(self, sending: Sending) -> Prediction:
        aggregate = self._aggregate(sending)
        expected = sending.expected_version
        if expected is not None and expected != self.version(aggregate):
            return Prediction("rejected", [("VersionConflict", VERSION)])
        violations = self._violations(sending)
        if violations:
            return Prediction("rejected", violations)
        if sending.type == "RegisterUser":
            return self._register(sending)
        self._accept(sending, aggregate)
        return Prediction("accepted", versions={aggregate: self.version(aggregate)})

    @staticmethod
    def _aggregate(sending: Sending) -> str:
        """The aggregate whose event the command emits."""
        d = sending.data
        match sending.type:
            case "RegisterUser":
                return f"User/{d['user_id']}"
            case "FollowUser" | "UnfollowUser":
                return f"FollowRelationship/{d['followee_id']}/{d['follower_id']}"
            case _:
                return f"Chirp/{d['author_id']}/{d['chirp_id']}"

    # -- rules -------------------------------------------------------------------------------------

    def _violations(self, sending: Sending) -> Violations:
        """All that is wrong, NotPermitted first, then by field in the schema's order."""
        d = sending.data
        found: Violations = []
        owner = {"FollowUser": "follower_id", "UnfollowUser": "follower_id", "RegisterUser": "user_id"}
        if sending.user_id not in (None, d[owner.get(sending.type, "author_id")]):
            # To who may not, nothing is said of what there is.
            return [("NotPermitted", ACTING_USER), *self._malformed(sending.type, d)]
        match sending.type:
            case "RegisterUser":
                found += self._register_rules(d)
            case "PostChirp":
                found += self._post_rules(d)
            case "EditChirp":
                found += self._edit_rules(d)
            case "DeleteChirp":
                found += self._chirp_exists(d)
                found += [] if ID.match(d["author_id"]) else [("InvalidArgument", "author_id")]
            case "FollowUser" | "UnfollowUser":
                found += self._follow_rules(sending.type, d)
        return found

    def _malformed(self, kind: str, d: Fields) -> Violations:
        """What is wrong whatever there is."""
        found: Violations = [
            ("InvalidArgument", name)
            for name in ("user_id", "chirp_id", "author_id", "follower_id", "followee_id")
            if name in d and not ID.match(d[name])
        ]
        if kind == "FollowUser" and d["follower_id"] == d["followee_id"] and ID.match(d["followee_id"]):
            found.append(("InvalidArgument", "followee_id"))
        if "username" in d and not USERNAME.match(d["username"]):
            found.append(("InvalidArgument", "username"))
        return found + (self._content(d) if "content" in d else [])

    def _register_rules(self, d: Fields) -> Violations:
        found: Violations = []
        if not ID.match(d["user_id"]):
            found.append(("InvalidArgument", "user_id"))
        elif d["user_id"] in self.users:
            found.append(("AlreadyExists", "user_id"))
        if not USERNAME.match(d["username"]):
            found.append(("InvalidArgument", "username"))
        return found

    def _post_rules(self, d: Fields) -> Violations:
        found: Violations = []
        if not ID.match(d["chirp_id"]):
            found.append(("InvalidArgument", "chirp_id"))
        elif (d["author_id"], d["chirp_id"]) in self.chirps:
            found.append(("AlreadyExists", "chirp_id"))
        return found + self._user("author_id", d) + self._content(d)

    def _edit_rules(self, d: Fields) -> Violations:
        # An author nobody knows has no chirp of that id either: both rules can be asked, so both are reported.
        return self._chirp_exists(d) + self._user("author_id", d) + self._content(d)

    def _chirp_exists(self, d: Fields) -> Violations:
        if not ID.match(d["chirp_id"]):
            return [("InvalidArgument", "chirp_id")]
        if not ID.match(d["author_id"]):
            return []
        chirp = self.chirps.get((d["author_id"], d["chirp_id"]))
        if chirp is None:
            return [("NotFound", "chirp_id")]
        return [("InvalidState", "chirp_id")] if chirp.deleted else []

    def _follow_rules(self, kind: str, d: Fields) -> Violations:
        follower, followee = d["follower_id"], d["followee_id"]
        found = self._user("follower_id", d) + self._user("followee_id", d)
        if kind == "FollowUser" and follower == followee:
            found.append(("InvalidArgument", "followee_id"))
        if found:
            return found
        active = follower in self.followers[followee]
        if kind == "FollowUser" and active:
            return [("AlreadyFollowing", "followee_id")]
        if kind == "UnfollowUser" and not active:
            return [("NotFollowing", "followee_id")]
        return []

    def _user(self, name: str, d: Fields) -> Violations:
        if not ID.match(d[name]):
            return [("InvalidArgument", name)]
        return [] if d[name] in self.users else [("NotFound", name)]

    @staticmethod
    def _content(d: Fields) -> Violations:
        text = d["content"]
        blank = all(ord(c) in WHITE_SPACE for c in text)
        control = any((c < " " or "\x7f" <= c <= "\x9f") and c not in "\n\r\t" for c in text)
        return [("InvalidArgument", "content")] if blank or control or len(text) > MAX_CONTENT else []

    # -- effects -----------------------------------------------------------------------------------

    def _register(self, sending: Sending) -> Prediction:
        user_id, username = sending.data["user_id"], sending.data["username"]
        user, name = f"User/{user_id}", f"Username/{username.lower()}"
        self._event(user, "RegistrationStarted", sending)
        if sending.race is not None:
            self.contested.add(name)
        if self._wins(sending, username.lower()):
            self.names[username.lower()] = user_id
            self.users[user_id] = username
            self._event(name, "UsernameClaimed", sending)
            self._event(user, "UserRegistered", sending)
            answer = Prediction("accepted")
        else:
            self._event(name, "UsernameClaimRefused", sending)
            self._event(user, "RegistrationRefused", sending)
            answer = Prediction("rejected", [("AlreadyExists", "username")], late=True)
        claim = None if name in self.contested else self.version(name)
        answer.versions = {user: self.version(user), name: claim}
        return answer

    def _wins(self, sending: Sending, name: str) -> bool:
        if sending.race is not None and self.winners is not None:
            return self.winners.get(sending.race) == sending.id
        return name not in self.names

    def _accept(self, sending: Sending, aggregate: str) -> None:
        d = sending.data
        match sending.type:
            case "PostChirp":
                self.chirps[d["author_id"], d["chirp_id"]] = Chirp(d["content"])
                self._event(aggregate, "ChirpPosted", sending)
            case "EditChirp":
                chirp = self.chirps[d["author_id"], d["chirp_id"]]
                chirp.content, chirp.edited = d["content"], True
                self._event(aggregate, "ChirpEdited", sending)
            case "DeleteChirp":
                self.chirps[d["author_id"], d["chirp_id"]].deleted = True
                self._event(aggregate, "ChirpDeleted", sending)
            case "FollowUser":
                self.followers[d["followee_id"]].add(d["follower_id"])
                self.following[d["follower_id"]].add(d["followee_id"])
                self._event(aggregate, "UserFollowed", sending)
            case "UnfollowUser":
                self.followers[d["followee_id"]].discard(d["follower_id"])
                self.following[d["follower_id"]].discard(d["followee_id"])
                self._event(aggregate, "UserUnfollowed", sending)

    def _event(self, aggregate: str, kind: str, sending: Sending) -> None:
        self.events[aggregate].append(ExpectedEvent(kind, sending.id, sending.data))


def run(sendings: list[Sending], winners: Mapping[str, str] | None = None) -> tuple[Model, list[Prediction]]:
    """The model after all sendings, and what must become of each."""
    model = Model(winners)
    return model, [model.apply(sending) for sending in sendings]
