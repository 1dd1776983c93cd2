"""A seeded generator of chirp commands: a network with celebrities, and everything that can be refused.

Order between partitions is nobody's promise, so commands come in waves: the next wave is sent when all of
the last one is answered. Within a wave, commands with the same routing key depend on each other as they like
(one partition, one order); commands with different keys do not. That leaves one rule to keep: a user is
used from the wave after the one in which it registers.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from message import Fields, Prediction, Sending
from model import Model

GHOST = "ghost-never-registered"
BAD_IDS = ["not an id", "a/b", "x" * 65, "Zoë", "semi;colon"]
BAD_NAMES = ["", "ab", "a" * 21, "has space", "dash-ed", "naïve", "\u00a0\u00a0\u00a0\u00a0"]
# White_Space of several kinds, and texts that are one scalar value too long.
BAD_CONTENT = ["", " ", "\t\n", "\u00a0\u2003\u3000", "x" * 281, "🦀" * 281, "\u2028\u2029\u1680"]
# Not blank (no White_Space), or just not too long, whatever their size in bytes or UTF-16 units.
ODD_CONTENT = [
    "x" * 280,
    "🦀" * 280,
    "\u200b",
    "\ufeff",
    "👩‍👩‍👧‍👦 family",
    'say "hi"\n\ttwice\\',
    "0",
    "\x1f",
    "e\u0301",
]


@dataclass
class Plan:
    """How big the network is. The default is the load of the black-box tests."""

    sendings: int = 20_000
    waves: int = 40
    users: int = 900
    seed: int = 1
    # Thresholds that the processes under test are configured with.
    celebrity_above: int = 60
    celebrity_below: int = 50
    timeline_cap: int = 100


@dataclass
class Load:
    """What was generated: the sendings in order, and what became of them if every race's first one wins."""

    sendings: list[Sending] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)


class Generator:
    """Makes the sendings one by one, with a model beside that tells what exists."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = random.Random(plan.seed)
        self.model = Model()
        self.load = Load()
        self.wave = 0
        # Users who may be used, most popular first; those registered in this wave come later.
        self.ready: list[str] = []
        self.new: list[str] = []
        self.next_chirp: Counter[str] = Counter()
        self.alive: list[tuple[str, str]] = []
        self.follows: list[tuple[str, str]] = []
        self.racers: list[list[str]] = []
        self.refusal = 0

    def generate(self) -> Load:
        """All waves."""
        for wave in range(self.plan.waves):
            self.wave = wave
            self._scripted()
            # What is scripted may be more than a wave's share; then the next ones have less of the rest.
            while len(self.load.sendings) < self.plan.sendings * (self.wave + 1) // self.plan.waves:
                self._step()
            self.ready += self.new
            self.new.clear()
        return self.load

    # -- one sending -------------------------------------------------------------------------------

    def _send(self, kind: str, data: Fields, **options: Any) -> Prediction:
        id_ = options.pop("id", None) or f"cmd-{len(self.load.sendings):06}-{self.random.getrandbits(32):08x}"
        sending = Sending(self.wave, id_, kind, data, **options)
        prediction = self.model.apply(sending)
        self.load.sendings.append(sending)
        self.load.predictions.append(prediction)
        return prediction

    def _step(self) -> None:
        users_due = min(self.plan.users, int(self.plan.users * (self.wave + 1) / (self.plan.waves * 0.4)))
        known = len(self.ready) + len(self.new)
        if len(self.ready) < 20 or (known < users_due and self.random.random() < 0.5):
            self._register()
            return
        dice = self.random.random()
        if dice < 0.11:
            REFUSALS[self.refusal % len(REFUSALS)](self)
            self.refusal += 1
        elif dice < 0.135:
            self._repeat()
        elif dice < 0.55:
            self._post(self._author())
        elif dice < 0.85:
            self._follow(self._anyone(), self._author())
        elif dice < 0.90 and self.follows:
            self._unfollow(*self._take(self.follows))
        elif dice < 0.96 and self.alive:
            self._edit()
        elif self.alive:
            self._delete(*self._take(self.alive))

    def _popular(self, exponent: float) -> str:
        """A user by a power law: the first of the list far more often than the last."""
        n = len(self.ready)
        rank = int(n * self.random.random() ** exponent)
        return self.ready[min(rank, n - 1)]

    def _author(self) -> str:
        return self._popular(3.0)

    def _anyone(self) -> str:
        return self.random.choice(self.ready)

    def _take(self, pairs: list[tuple[str, str]]) -> tuple[str, str]:
        index = self.random.randrange(len(pairs))
        pairs[index], pairs[-1] = pairs[-1], pairs[index]
        return pairs.pop()

    # -- what is accepted --------------------------------------------------------------------------

    def _register(self) -> None:
        number = len(self.ready) + len(self.new)
        user_id = self.random.choice(["user-{}", "U.{}", "u:{}", "{}_u"]).format(number)
        self._send(
            "RegisterUser", {"user_id": user_id, "username": f"Name_{number}"}, **self._sender(user_id)
        )
        self.new.append(user_id)

    def _sender(self, owner: str) -> dict[str, Any]:
        """The owner names itself in every second command."""
        return {"user_id": owner} if self.random.random() < 0.5 else {}

    def _post(self, author: str, content: str | None = None) -> None:
        # Numbered per author: two authors use the same id all the time, and never touch each other.
        self.next_chirp[author] += 1
        chirp = f"c-{self.next_chirp[author]}"
        if content is None:
            odd = self.random.random() < 0.05
            content = (
                self.random.choice(ODD_CONTENT) if odd else f"{author} says {self.random.getrandbits(40):x}"
            )
        options = self._sender(author)
        if self.random.random() < 0.05:
            options["expected_version"] = 0
        self._send("PostChirp", {"chirp_id": chirp, "author_id": author, "content": content}, **options)
        self.alive.append((author, chirp))

    def _edit(self) -> None:
        author, chirp = self.random.choice(self.alive)
        options = self._sender(author)
        if self.random.random() < 0.2:
            options["expected_version"] = self.model.version(f"Chirp/{author}/{chirp}")
        content = f"edited {self.random.getrandbits(40):x}"
        self._send("EditChirp", {"chirp_id": chirp, "author_id": author, "content": content}, **options)

    def _delete(self, author: str, chirp: str) -> None:
        options = self._sender(author)
        if self.random.random() < 0.2:
            options["expected_version"] = self.model.version(f"Chirp/{author}/{chirp}")
        self._send("DeleteChirp", {"chirp_id": chirp, "author_id": author}, **options)

    def _follow(self, follower: str, followee: str) -> None:
        if follower == followee or follower in self.model.followers[followee]:
            return
        self._send("FollowUser", {"follower_id": follower, "followee_id": followee}, **self._sender(follower))
        self.follows.append((follower, followee))

    def _unfollow(self, follower: str, followee: str) -> None:
        if follower in self.model.followers[followee]:
            data = {"follower_id": follower, "followee_id": followee}
            self._send("UnfollowUser", data, **self._sender(follower))

    def _repeat(self) -> None:
        """The same id again: the same content, or other content with the same routing key."""
        first = self.random.choice(self.load.sendings)
        if first.misrouted:
            return
        if self.random.random() < 0.5 and first.type in ("PostChirp", "EditChirp"):
            first = replace(first, data={**first.data, "content": "not what was said first"})
        self._again(first)

    def _again(self, first: Sending) -> None:
        prediction = self.model.apply(again := replace(first, wave=self.wave))
        self.load.sendings.append(again)
        self.load.predictions.append(prediction)

    # -- what happens at set times -----------------------------------------------------------------

    def _scripted(self) -> None:
        share = self.wave / self.plan.waves
        self._probe_racers()
        if len(self.ready) >= 20:
            self._race()
        if len(self.ready) > 200:
            self._hover()
        if self.wave == int(self.plan.waves * 0.5):
            for reader in self._heavy_readers():
                for followee in self.ready[:40]:
                    self._follow(reader, followee)
        if self.wave == int(self.plan.waves * 0.8):
            self._empty_timelines()
        if share >= 0.9 and len(self.ready) > 100:
            self._again(self.load.sendings[self.wave])

    def _race(self) -> None:
        """Two or three commands want one name, in different cases and mostly in different partitions."""
        name = f"Race_{self.wave}"
        spellings = [name, name.upper(), name.lower()][: 2 + self.wave % 2]
        racers = []
        for index, spelling in enumerate(spellings):
            user_id = f"racer-{self.wave}-{index}"
            data = {"user_id": user_id, "username": spelling}
            self._send("RegisterUser", data, race=name.lower())
            racers.append(user_id)
        if self.wave % 3 == 0:
            # Its process is still open: answered when that ends, with what it came to.
            self._again(self.load.sendings[-1])
        self.racers.append(racers)

    def _probe_racers(self) -> None:
        """The winner can post and be followed; of a loser nothing is left."""
        for racers in self.racers:
            for user_id in racers:
                # Whether these are accepted, only the winner's name can tell: nobody builds on them.
                data = {"chirp_id": "after-the-race", "author_id": user_id, "content": "won!"}
                self._send("PostChirp", data)
                self._send("FollowUser", {"follower_id": self.ready[0], "followee_id": user_id})
        self.racers.clear()

    def _hover(self) -> None:
        """Authors who cross the celebrity threshold upwards and downwards again and again."""
        plan = self.plan
        for author in self.ready[60:63]:
            followers = sorted(self.model.followers[author])
            rising = self.wave % 4 < 2
            goal = plan.celebrity_above + 2 if rising else plan.celebrity_below - 2
            if rising:
                others = [user for user in self.ready if user != author and user not in followers]
                for reader in self.random.sample(others, min(len(others), max(0, goal - len(followers)))):
                    self._follow(reader, author)
            else:
                for reader in followers[: max(0, len(followers) - goal)]:
                    self._unfollow(reader, author)
            self._post(author, f"hovering in wave {self.wave}")

    def _heavy_readers(self) -> list[str]:
        return self.ready[100:112]

    def _empty_timelines(self) -> None:
        """Trimmed timelines lose half of what they kept: older chirps have to come up again."""
        for reader in self._heavy_readers()[:6]:
            for followee in sorted(self.model.following[reader])[::2]:
                self._unfollow(reader, followee)
        for author in self.ready[1:6:2]:
            for pair in [pair for pair in self.alive if pair[0] == author][::-1][:40]:
                self.alive.remove(pair)
                self._delete(*pair)


# -- what is refused: every code of every command, in turn -------------------------------------------


def _on_user(
    username: Callable[[Generator], str], known: bool, **options: Any
) -> Callable[[Generator], None]:
    def refuse(g: Generator) -> None:
        user_id = g._anyone() if known else f"nobody-{len(g.load.sendings)}"
        g._send("RegisterUser", {"user_id": user_id, "username": username(g)}, **options)

    return refuse


def _bad_register_id(g: Generator) -> None:
    user_id = g.random.choice(BAD_IDS)
    username = g.random.choice([*BAD_NAMES, "Good_Name"])
    g._send("RegisterUser", {"user_id": user_id, "username": username})


def _taken_name(g: Generator) -> None:
    """Refused by a step; then the id is free, and the same user registers under another name."""
    if len(g.load.sendings) % 2:
        number = len(g.load.sendings)
        taken = g.model.users[g._anyone()].swapcase()
        g._send("RegisterUser", {"user_id": f"late-{number}", "username": taken})
    else:
        late = [
            s
            for s, p in zip(g.load.sendings, g.load.predictions)
            if p.late and s.race is None and not p.duplicate
        ]
        free = [s for s in late if s.wave < g.wave and s.data["user_id"] not in g.model.users]
        if free:
            user_id = g.random.choice(free).data["user_id"]
            g._send("RegisterUser", {"user_id": user_id, "username": f"Second_{len(g.load.sendings)}"})


def _on_chirp(kind: str, which: str, wrong: Fields, **options: Any) -> Callable[[Generator], None]:
    """A command on a chirp (alive, deleted or none) with some fields replaced; a list means any of it."""

    def refuse(g: Generator) -> None:
        if which == "none":
            author, chirp = g._anyone(), f"none-{len(g.load.sendings)}"
        else:
            deleted = which == "deleted"
            known = [
                pair
                for pair, c in g.model.chirps.items()
                if c.deleted == deleted and pair[0] in g.model.users
            ]
            known = [pair for pair in known if not pair[0].startswith("racer-")]
            if not known:
                return
            author, chirp = g.random.choice(known)
        data: Fields = {"chirp_id": chirp, "author_id": author}
        if kind != "DeleteChirp":
            data["content"] = "will be refused"
        chosen = {k: g.random.choice(v) if isinstance(v, list) else v for k, v in wrong.items()}
        data.update({k: v for k, v in chosen.items() if k in data})
        g._send(kind, data, **options)

    return refuse


def _on_follow(kind: str, active: bool, wrong: Fields | None, **options: Any) -> Callable[[Generator], None]:
    """A follow or unfollow of a pair that follows or does not, with some fields replaced; None: oneself."""

    def refuse(g: Generator) -> None:
        followee = g._author()
        known = g.model.followers[followee]
        pool = sorted(known) if active else [u for u in g.ready[:300] if u not in known and u != followee]
        pool = [user for user in pool if not user.startswith("racer-")]
        if not pool:
            return
        data: Fields = {"follower_id": g.random.choice(pool), "followee_id": followee}
        if wrong is None:
            data["follower_id"] = followee
        else:
            data.update({k: g.random.choice(v) if isinstance(v, list) else v for k, v in wrong.items()})
        g._send(kind, data, **options)

    return refuse


def _misrouted(kind: str, **options: Any) -> Callable[[Generator], None]:
    def refuse(g: Generator) -> None:
        author, other = g._anyone(), f"m-{len(g.load.sendings)}"
        data: Fields = {"chirp_id": other, "author_id": author}
        if kind in ("PostChirp", "EditChirp"):
            data["content"] = "in the wrong place"
        elif kind == "RegisterUser":
            data = {"user_id": other, "username": "Wrong_Place"}
        elif kind != "DeleteChirp":
            data = {"follower_id": author, "followee_id": g._author()}
        g._send(kind, data, **options)

    return refuse


def _name(g: Generator) -> str:
    return f"Free_{len(g.load.sendings)}"


def _bad_name(g: Generator) -> str:
    return g.random.choice(BAD_NAMES)


STRANGER = "somebody-else"

REFUSALS: list[Callable[[Generator], None]] = [
    _bad_register_id,
    _on_user(_bad_name, known=False),
    _on_user(_name, known=True),
    _on_user(_bad_name, known=True),
    _on_user(_name, known=False, expected_version=3),
    _on_user(_name, known=True, expected_version=0),
    _on_user(_name, known=False, user_id=STRANGER),
    _taken_name,
    _taken_name,
    _on_chirp("PostChirp", "alive", {}),
    _on_chirp("PostChirp", "deleted", {}),
    _on_chirp("PostChirp", "none", {"chirp_id": BAD_IDS}),
    _on_chirp("PostChirp", "none", {"author_id": GHOST}),
    _on_chirp("PostChirp", "none", {"author_id": BAD_IDS}),
    _on_chirp("PostChirp", "none", {"content": BAD_CONTENT}),
    _on_chirp("PostChirp", "none", {}, user_id=STRANGER),
    _on_chirp("PostChirp", "alive", {}, expected_version=0),
    _on_chirp("PostChirp", "none", {}, expected_version=2),
    _on_chirp(
        "PostChirp",
        "none",
        {"chirp_id": BAD_IDS, "author_id": GHOST, "content": BAD_CONTENT},
        user_id=STRANGER,
    ),
    _on_chirp("EditChirp", "none", {}),
    _on_chirp("EditChirp", "deleted", {}),
    _on_chirp("EditChirp", "deleted", {"content": BAD_CONTENT}, user_id=STRANGER),
    _on_chirp("EditChirp", "alive", {"chirp_id": BAD_IDS}),
    _on_chirp("EditChirp", "alive", {"author_id": GHOST}),
    _on_chirp("EditChirp", "alive", {"author_id": BAD_IDS}),
    _on_chirp("EditChirp", "alive", {"content": BAD_CONTENT}),
    _on_chirp("EditChirp", "alive", {}, user_id=STRANGER),
    _on_chirp("EditChirp", "alive", {}, expected_version=99),
    _on_chirp("DeleteChirp", "none", {}),
    _on_chirp("DeleteChirp", "deleted", {}),
    _on_chirp("DeleteChirp", "alive", {"chirp_id": BAD_IDS}),
    _on_chirp("DeleteChirp", "alive", {"author_id": GHOST}),
    _on_chirp("DeleteChirp", "alive", {"author_id": BAD_IDS}),
    _on_chirp("DeleteChirp", "alive", {}, user_id=STRANGER),
    _on_chirp("DeleteChirp", "alive", {}, expected_version=0),
    _on_follow("FollowUser", True, {}),
    _on_follow("FollowUser", False, None),
    _on_follow("FollowUser", False, {"follower_id": GHOST}),
    _on_follow("FollowUser", False, {"followee_id": GHOST}),
    _on_follow("FollowUser", False, {"follower_id": GHOST, "followee_id": BAD_IDS}),
    _on_follow("FollowUser", False, {"follower_id": BAD_IDS}),
    _on_follow("FollowUser", False, {}, user_id=STRANGER),
    _on_follow("FollowUser", True, {}, expected_version=0),
    _on_follow("UnfollowUser", False, {}),
    _on_follow("UnfollowUser", False, None),
    _on_follow("UnfollowUser", True, {"follower_id": GHOST}),
    _on_follow("UnfollowUser", True, {"followee_id": GHOST}),
    _on_follow("UnfollowUser", True, {"follower_id": BAD_IDS, "followee_id": BAD_IDS}),
    _on_follow("UnfollowUser", True, {}, user_id=STRANGER),
    _on_follow("UnfollowUser", True, {}, expected_version=77),
    _misrouted("RegisterUser", wrong_partition=True),
    _misrouted("PostChirp", wrong_key="somebody-elses-key"),
    _misrouted("EditChirp", no_key=True),
    _misrouted("DeleteChirp", wrong_partition=True),
    _misrouted("FollowUser", wrong_key="somebody-elses-key"),
    _misrouted("UnfollowUser", no_key=True),
]


def generate(plan: Plan) -> Load:
    """The load of a plan: the same for the same plan, always."""
    return Generator(plan).generate()


def summary(load: Load) -> str:
    """What there is of each kind, for people."""
    counts: Counter[str] = Counter()
    for sending, p in zip(load.sendings, load.predictions):
        what = "duplicate" if p.duplicate else p.status
        codes = "".join(f" {code}({name or ''})" for code, name in p.violations)
        counts[f"{sending.type:13} {what}{' late' if p.late else ''}{'' if p.duplicate else codes}"] += 1
    return "\n".join(f"{count:6} {what}" for what, count in sorted(counts.items()))


def main() -> None:
    """Prints what a plan would send."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sendings", type=int, default=Plan.sendings)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    options = parser.parse_args()
    print(summary(generate(Plan(sendings=options.sendings, seed=options.seed))))


if __name__ == "__main__":
    main()
