"""Tests of the figures on paper: against naive sums over single users, against the limits, and against the document."""

import json
import math
import random
import sys
import unittest
from dataclasses import replace
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent))

from paper.costs import cost, feed_page, load
from paper.machines import needs
from paper.model import ABOVE, BELOW, BUCKET, CAP, CELEBRITY_ROWS, EXAMPLES, Constants, Habits, Model
from paper.network import Bin, Network, network
from paper.sizes import Sizes, record_sizes, records, schema
from paper.tables import differences
from paper.thresholds import flapping_rows, point, sweep

ROOT = Path(__file__).resolve().parent.parent
USERS = 1_000_000


class NetworkTest(unittest.TestCase):
    """What the power law keeps to."""

    def test_users_follows_and_chirps_add_up(self) -> None:
        for users in (1_000, USERS, 500_000_000):
            for habits in (Habits(), Habits(follows=30, exponent=2.1), Habits(zipf=0.5, max_posts=1_000)):
                net = network(users, habits, 1)
                self.assertAlmostEqual(sum(group.users for group in net.bins) / users, 1, 9)
                self.assertAlmostEqual(net.edges / (users * habits.follows), 1, 9)
                posted = sum(group.users * group.posts for group in net.bins)
                self.assertAlmostEqual(posted / (users * habits.posts), 1, 9)

    def test_nobody_has_more_followers_than_there_are_others(self) -> None:
        net = network(USERS, Habits(exponent=1.8, largest=1), 3)
        self.assertEqual(max(group.audience for group in net.bins), USERS - 1)

    def test_far_out_it_falls_with_its_exponent(self) -> None:
        net = network(500_000_000, Habits(), 1)

        def above(audience: float) -> float:
            return sum(group.users for group in net.bins if group.audience > audience)

        slope = math.log10(above(10_000) / above(100_000))
        self.assertAlmostEqual(slope, Habits().exponent - 1, 1)

    def test_a_seed_makes_the_same_largest_audiences(self) -> None:
        one, again, other = (network(USERS, Habits(), seed) for seed in (1, 1, 2))
        network.cache_clear()
        self.assertEqual(one, network(USERS, Habits(), 1))
        self.assertEqual(one, again)
        self.assertNotEqual(one.bins[5].audience, other.bins[5].audience)


class CostTest(unittest.TestCase):
    """What a threshold costs."""

    model = Model()
    net = network(USERS, Habits(), 1)

    def test_a_day_is_what_single_users_do(self) -> None:
        # so naive that it is right: everybody has a list of followers, and everything is done one by one
        drawing = random.Random(7)
        users, habits = 1_000, Habits(follows=9, reads=2, follow_rate=0, cached=0)
        followers = [drawing.sample(range(users), min(users, int(4 / (rank + 1) * 250))) for rank in range(users)]
        chirps = [drawing.randrange(5) for _ in range(users)]
        net = Network(users, tuple(Bin(1, len(readers), posts) for readers, posts in zip(followers, chirps)))
        for threshold in (0, 3, 50, 10_000):
            written = pulls = 0
            for author in range(users):
                for _ in range(chirps[author]):
                    written += 2
                    written += 2 if len(followers[author]) > threshold else len(followers[author])
            for reader in range(users):
                for author in range(users):
                    pulls += 2 * (len(followers[author]) > threshold and reader in followers[author])
            day = load(net, habits, threshold)
            self.assertAlmostEqual(day.rows, written, 3)
            none = feed_page(habits, 0).queries
            self.assertAlmostEqual(day.pages * (day.page.queries - none), pulls, 3)

    def test_without_celebrities_it_is_fan_out_and_nothing_else(self) -> None:
        part, habits, machines = Constants(), self.model.habits, self.model.machines
        chirps, follows = USERS * habits.posts, USERS * habits.follow_rate
        pushed = sum(group.users * group.posts * group.audience for group in self.net.bins)
        copied = sum(
            group.users * group.audience * min(800, group.posts * habits.history_days) for group in self.net.bins
        )
        rows = 2 * chirps + pushed + follows * copied / self.net.edges + 4 * follows
        spent = cost(self.model, load(self.net, habits, math.inf))
        row = part.row_us + machines.replication * part.write_us
        command = part.command_us + 4 * machines.replication * part.broker_us
        self.assertAlmostEqual(spent.writing / ((rows * row + (chirps + follows) * command) / 1e6), 1, 9)
        queries, read = 4, 1 + habits.follows + 21
        cql = machines.quorum * (queries * part.query_us + read * part.read_row_us)
        client = queries * part.client_us + read * part.merge_us
        self.assertAlmostEqual(spent.reading / (USERS * habits.reads * (cql + client) / 1e6), 1, 9)

    def test_with_nobody_but_celebrities_it_is_pulls_and_nothing_else(self) -> None:
        habits = self.model.habits
        day = load(self.net, habits, 0)
        self.assertEqual((day.pushed_rows, day.backfilled_rows), (0, 0))
        self.assertAlmostEqual(day.rows / (USERS * (4 * habits.posts + 4 * habits.follow_rate)), 1, 6)
        self.assertAlmostEqual(day.page.queries, 4 + habits.follows, 6)
        self.assertAlmostEqual(day.page.rows, 1 + habits.follows + 21 + 21 * habits.follows, 4)

    def test_a_higher_threshold_writes_more_and_reads_less(self) -> None:
        swept = sweep(self.model, USERS)
        for lower, higher in zip(swept.points, swept.points[1:]):
            self.assertLessEqual(higher.cost.reading, lower.cost.reading)
            if lower.threshold >= CELEBRITY_ROWS:
                self.assertGreaterEqual(higher.cost.writing, lower.cost.writing)

    def test_who_never_reads_is_pulled_and_who_never_chirps_is_pushed(self) -> None:
        unread = replace(self.model, habits=Habits(reads=0))
        silent = replace(self.model, habits=Habits(posts=1e-9, zipf=0))
        self.assertEqual(sweep(unread, USERS).best.threshold, 0)
        self.assertEqual(sweep(silent, USERS).best.day.celebrities, 0)

    def test_nothing_is_cheaper_than_the_best(self) -> None:
        swept = sweep(self.model, USERS)
        self.assertGreaterEqual(swept.excess, 1)
        for threshold in (77, 1_234, 56_789):
            at = point(self.model, self.net, threshold)
            # the grid has twenty thresholds a decade, so hardly anything lies between two
            self.assertGreater(at.cost.total, 0.99 * swept.best.cost.total)

    def test_the_shortest_cycle_through_the_band(self) -> None:
        followers, celebrity, rows, events = 899, False, 0, 0
        for change in [1] * 102 + [-1] * 102:
            followers, events = followers + change, events + 1
            if not celebrity and followers > 1_000:
                celebrity, rows = True, rows + 801 + followers
            elif celebrity and followers < 900:
                celebrity, rows = False, rows + followers
        self.assertEqual((followers, celebrity), (899, False))
        self.assertAlmostEqual(flapping_rows(1_000, 900), rows / events)


class NeedsTest(unittest.TestCase):
    """How many machines."""

    def test_more_users_need_more_of_everything(self) -> None:
        found = [needs(Model(), users) for users in EXAMPLES]
        for fewer, more in zip(found, found[1:]):
            self.assertLess(fewer.partitions, more.partitions)
            for kind, asked in fewer.machines.items():
                for what, count in asked.items():
                    self.assertLess(count, more.machines[kind][what], (kind, what))

    def test_a_lane_is_not_divided(self) -> None:
        for users in EXAMPLES:
            need = needs(Model(), users)
            self.assertGreater(need.partitions, need.machines["projectors"]["memory"])


class PartsTest(unittest.TestCase):
    """Where the parts come from."""

    def test_records_are_as_large_as_they_are_written(self) -> None:
        try:
            import fastavro  # noqa: F401
        except ImportError:
            self.skipTest("fastavro is not there; tests/services/requirements.txt has it")
        sys.path.insert(0, str(ROOT / "tests" / "blackbox" / "python"))
        import client

        for follow in (False, True):
            for name, (key, value) in records(Habits(), follow).items():
                parsed = client.Codec._parse(json.dumps(schema(name)))
                if "data" in value:
                    kind, data = value["data"]
                    value = {**value, "data": (f"millrace.chirp.{name}.{kind}", data)}
                written = client.frame(1, parsed, value)
                self.assertEqual(record_sizes(Habits(), follow)[name], Sizes(len(key), len(written)))

    def test_what_growth_measured_is_what_is_used(self) -> None:
        # one run differs from the next by a tenth; what differs by more than a third has changed
        pairs = json.loads((ROOT / "bench" / "results" / "growth.json").read_text())["pairs"]
        by = {(pair["aggregates"], pair["partitions"]): pair for pair in pairs}
        part, many = Constants(), 10_000_000
        lanes = (by[10_000, 16]["memory_mb"] - by[10_000, 4]["memory_mb"]) / 12 * 1e6
        disk = (by[many, 4]["disk_mb"] - by[10_000, 4]["disk_mb"]) * 1e6 / many / (20 + 63)
        for used, measured in (
            (part.command_us, 1e6 / by[many, 4]["per_cpu_second"]),
            (part.lane_commands, by[many, 1]["per_second"]),
            (part.partition_memory, lanes),
            (part.state_disk_factor, disk),
        ):
            self.assertLess(abs(used / measured - 1), 1 / 3, (used, measured))

    def test_what_fan_outs_measured_is_what_is_used(self) -> None:
        found = json.loads((ROOT / "bench" / "results" / "fan-out.json").read_text())
        part = Constants()
        self.assertLess(abs(part.fold_edge_bytes / found["edges"]["bytes_a_follow"] - 1), 1 / 3)
        # rows a second differ by more from run to run
        measured = median(found["speed"]["projector_rows_a_second"])
        self.assertTrue(1 / 2 < part.lane_rows / measured < 2, measured)

    def test_what_the_read_side_measured_is_what_is_used(self) -> None:
        def sizes(name: str) -> tuple[list[dict[str, float]], dict[str, float]]:
            all_of_it = json.loads((ROOT / "bench" / "results" / f"{name}.json").read_text())["sizes"]
            first, last = all_of_it[0], all_of_it[-1]
            return all_of_it, {key: (last[key] - first[key]) / (last["chirps"] - first["chirps"]) for key in first}

        # Times are those of a machine that did little else, memory is that of the longer history.
        quiet, large = sizes("read-side-quiet")[1], sizes("read-side")[0]
        part = Constants()
        memory = sum(size["memory_mb"] for size in large) / len(large) * 1e6
        for used, measured in (
            (part.fold_us, quiet["folded_seconds"] * 1e6),
            (part.fold_partition_bytes, memory / 4),
            (part.fold_chirp_disk - 200, quiet["state_mb"] * 1e6),
        ):
            self.assertLess(abs(used / measured - 1), 1 / 3, (used, measured))

    def test_thresholds_are_the_domain_s(self) -> None:
        settings = (ROOT / "processors" / "domains" / "chirp" / "src" / "settings.rs").read_text()
        for default in (f"celebrity_above: {ABOVE},", f"celebrity_below: {BELOW},", f"timeline_cap: {CAP},"):
            self.assertIn(default, settings)
        buckets = (ROOT / "processors" / "kernel" / "src" / "buckets.rs").read_text()
        self.assertIn(f"BUCKET_ROWS: u32 = {BUCKET};", buckets)


class DocumentTest(unittest.TestCase):
    """docs/capacity.md says what comes out."""

    text = (ROOT / "docs" / "capacity.md").read_text()

    def test_its_tables_are_rendered(self) -> None:
        self.assertEqual(differences(Model(), EXAMPLES[-1], self.text), [])

    def test_another_number_is_noticed(self) -> None:
        part = Model(constants=Constants(write_us=2 * Constants().write_us))
        self.assertNotEqual(differences(part, EXAMPLES[-1], self.text), [])
        self.assertNotEqual(differences(Model(), EXAMPLES[-1], "# Capacity"), [])


if __name__ == "__main__":
    unittest.main()
