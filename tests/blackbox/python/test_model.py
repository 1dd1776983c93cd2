"""Tests of the tests: the model, the generator and the verifier's comparisons, without any server."""

import unittest
from collections import defaultdict
from dataclasses import replace
from typing import Any

import feeds
import views
from message import Prediction, Sending
from model import Model, run
from murmur2 import murmur2, partition_of
from workload import GHOST, Plan, generate


def sent(kind: str, id_: str = "", **data: Any) -> Sending:
    """A sending with an id made of what it says."""
    return Sending(0, id_ or f"{kind}-{sorted(data.items())}", kind, data)


def registered(user_id: str) -> Sending:
    """A registration that succeeds."""
    return sent("RegisterUser", user_id=user_id, username=f"Name_{user_id}")


class ModelTest(unittest.TestCase):
    """What the model predicts, for the cases that are easy to get wrong."""

    def outcome(self, *sendings: Sending) -> Prediction:
        """The prediction for the last of the sendings."""
        return run(list(sendings))[1][-1]

    def test_all_violations_in_the_order_of_the_fields(self) -> None:
        post = Sending(
            0, "c", "PostChirp", {"chirp_id": "a/b", "author_id": "x", "content": "\u3000"}, user_id="y"
        )
        bad = [("InvalidArgument", "chirp_id"), ("InvalidArgument", "content")]
        self.assertEqual(self.outcome(post).violations, [("NotPermitted", "metadata.user_id"), *bad])
        own = replace(post, user_id="x")
        self.assertEqual(self.outcome(own).violations, [bad[0], ("NotFound", "author_id"), bad[1]])

    def test_a_version_conflict_comes_alone(self) -> None:
        post = Sending(
            0, "c", "PostChirp", {"chirp_id": "a", "author_id": "x", "content": ""}, expected_version=4
        )
        self.assertEqual(self.outcome(post).violations, [("VersionConflict", "metadata.expected_version")])

    def test_blank_is_white_space_and_nothing_else(self) -> None:
        for text, status in [("\u3000\u0085", "rejected"), ("\u200b", "accepted"), ("a\x1f", "rejected")]:
            post = sent("PostChirp", chirp_id="a", author_id="x", content=text)
            self.assertEqual(self.outcome(registered("x"), post).status, status, repr(text))

    def test_length_is_counted_in_scalar_values(self) -> None:
        for length, status in [(280, "accepted"), (281, "rejected")]:
            post = sent("PostChirp", chirp_id="a", author_id="x", content="🦀" * length)
            self.assertEqual(self.outcome(registered("x"), post).status, status)

    def test_a_repeated_id_is_answered_as_the_first(self) -> None:
        first = sent("PostChirp", "c", chirp_id="a", author_id="x", content="one")
        again = sent("PostChirp", "c", chirp_id="b", author_id="x", content="two")
        model, answers = run([registered("x"), first, again])
        self.assertEqual((answers[2].status, answers[2].duplicate), ("accepted", True))
        self.assertEqual(answers[2].versions, {"Chirp/x/a": 1})
        self.assertEqual(list(model.chirps), [("x", "a")])

    def test_a_race_has_the_winner_it_is_told(self) -> None:
        race = [
            Sending(0, id_, "RegisterUser", {"user_id": id_, "username": name}, race="r")
            for id_, name in [("a", "Bob"), ("b", "BOB")]
        ]
        model, answers = run(race, {"r": "b"})
        self.assertEqual([answer.status for answer in answers], ["rejected", "accepted"])
        self.assertEqual(answers[0].violations, [("AlreadyExists", "username")])
        self.assertEqual((model.users, model.names), ({"b": "BOB"}, {"bob": "b"}))

    def test_an_id_is_free_again_after_a_refused_registration(self) -> None:
        other = sent("RegisterUser", user_id="y", username="name_X")
        again = sent("RegisterUser", user_id="y", username="Other")
        model, answers = run([registered("x"), other, again])
        self.assertEqual([a.status for a in answers], ["accepted", "rejected", "accepted"])
        self.assertEqual(model.version("User/y"), 4)


class WorkloadTest(unittest.TestCase):
    """What the generator promises."""

    plan = Plan()
    load = generate(plan)

    def test_the_same_seed_makes_the_same_load(self) -> None:
        self.assertEqual(generate(self.plan).sendings, self.load.sendings)

    def test_about_a_tenth_is_refused_for_all_kinds_of_reasons(self) -> None:
        refused = [
            (s, p)
            for s, p in zip(self.load.sendings, self.load.predictions)
            if p.violations and not p.duplicate
        ]
        self.assertEqual(len(self.load.sendings), self.plan.sendings)
        self.assertTrue(0.08 < len(refused) / self.plan.sendings < 0.12, len(refused))
        codes: defaultdict[str, set[str]] = defaultdict(set)
        for sending, prediction in refused:
            codes[sending.type] |= {code for code, _ in prediction.violations}
        everywhere = {"Misrouted", "VersionConflict", "NotPermitted", "InvalidArgument"}
        self.assertEqual(
            codes,
            {
                "RegisterUser": everywhere | {"AlreadyExists"},
                "PostChirp": everywhere | {"AlreadyExists", "NotFound"},
                "EditChirp": everywhere | {"NotFound", "InvalidState"},
                "DeleteChirp": everywhere | {"NotFound", "InvalidState"},
                "FollowUser": everywhere | {"NotFound", "AlreadyFollowing"},
                "UnfollowUser": everywhere | {"NotFound", "NotFollowing"},
            },
        )

    def test_repeated_ids_keep_to_their_routing_key(self) -> None:
        keys: dict[str, str] = {}
        for sending in self.load.sendings:
            self.assertEqual(keys.setdefault(sending.id, sending.routing_key), sending.routing_key)

    def test_nobody_uses_a_user_of_the_same_wave(self) -> None:
        registered_in: dict[str, int] = {}
        for sending, prediction in zip(self.load.sendings, self.load.predictions):
            data = sending.data
            if sending.type == "RegisterUser" and prediction.versions and not prediction.duplicate:
                registered_in[data["user_id"]] = sending.wave
            elif sending.type != "RegisterUser" and not sending.misrouted:
                used = [data[name] for name in ("author_id", "follower_id", "followee_id") if name in data]
                for user_id in used:
                    self.assertNotEqual(registered_in.get(user_id), sending.wave, sending)

    def test_races_cross_partitions(self) -> None:
        places = defaultdict(set)
        for sending in self.load.sendings:
            if sending.race is not None:
                places[sending.race].add(partition_of(sending.routing_key, 4))
        self.assertGreater(sum(len(partitions) > 1 for partitions in places.values()), len(places) // 2)

    def test_there_are_celebrities_hoverers_and_long_feeds(self) -> None:
        model, _ = run(self.load.sendings)
        followers = [len(readers) for readers in model.followers.values()]
        self.assertGreaterEqual(sum(count > self.plan.celebrity_above for count in followers), 3)
        authors: defaultdict[str, int] = defaultdict(int)
        for (author, _id), chirp in model.chirps.items():
            authors[author] += not chirp.deleted
        lengths = [sum(authors[author] for author in followed) for followed in model.following.values()]
        self.assertGreater(sum(length > self.plan.timeline_cap for length in lengths), 100)
        self.assertGreater(sum(length < self.plan.timeline_cap for length in lengths), 100)

    def test_nothing_depends_on_who_wins_a_race_but_its_probes(self) -> None:
        last = {s.race: s.id for s in self.load.sendings if s.race is not None}
        _, other = run(self.load.sendings, last)
        for sending, one, two in zip(self.load.sendings, self.load.predictions, other):
            if (one.status, one.violations) != (two.status, two.violations):
                self.assertIn("racer-", sending.routing_key)


class FeedTest(unittest.TestCase):
    """The oracle and the comparison."""

    def test_newest_first_then_greater_id_then_author(self) -> None:
        model, _ = run(
            [registered("r"), registered("a"), registered("b")]
            + [sent("FollowUser", follower_id="r", followee_id=author) for author in "ab"]
            + [
                sent("PostChirp", chirp_id=c, author_id=a, content="x")
                for a, c in [("a", "1"), ("a", "2"), ("b", "2"), ("b", "0")]
            ]
        )
        times = views.Times(posted={("a", "1"): 5, ("a", "2"): 5, ("b", "2"): 5, ("b", "0"): 9})
        feed = [(e["author_id"], e["chirp_id"]) for e in feeds.oracle(model, times, "r")]
        self.assertEqual(feed, [("b", "0"), ("b", "2"), ("a", "2"), ("a", "1")])

    def test_times_are_exact(self) -> None:
        self.assertEqual(feeds.micros("2026-01-02T03:04:05.000006Z"), 1767323045000006)

    def test_unknown_readers_follow_nobody(self) -> None:
        self.assertEqual(feeds.oracle(Model(), views.Times(), GHOST), [])


class Murmur2Test(unittest.TestCase):
    """The vectors of Kafka's own tests."""

    def test_vectors(self) -> None:
        vectors = {
            b"21": -973932308,
            b"foobar": -790332482,
            b"a-little-bit-long-string": -985981536,
            b"a-little-bit-longer-string": -1486304829,
            b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
            b"abc": 479470107,
        }
        for key, signed in vectors.items():
            self.assertEqual(murmur2(key), signed & 0xFFFFFFFF)


if __name__ == "__main__":
    unittest.main()
