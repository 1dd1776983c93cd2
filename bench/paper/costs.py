"""What a day of a network costs, in CPU, by the threshold above which chirps are pulled."""

from __future__ import annotations

from dataclasses import dataclass

from paper.model import CAP, CELEBRITY_ROWS, CHIRP_ROWS, FOLLOW_ROWS, FOLLOWS_PAGE, RECORDS, Habits, Model
from paper.network import Network


@dataclass(frozen=True)
class Page:
    """What is asked and read for one page of a feed."""

    queries: float
    rows: float
    # rows that readers had in a cache
    cached_rows: float


def feed_page(habits: Habits, followed: float) -> Page:
    """A page of somebody who follows so many celebrities."""
    asked, page = followed * (1 - habits.cached), habits.page + 1
    # the reader's profile, the timeline and its floors; whom they follow; each celebrity
    queries = 3 + 1 + habits.follows // FOLLOWS_PAGE + asked
    return Page(queries, 1 + habits.follows + page + asked * page, (followed - asked) * page)


@dataclass(frozen=True)
class Load:
    """What happens on a day under a threshold: authors with more followers are celebrities."""

    threshold: float
    # how many authors are celebrities, and how many of them a reader follows, on average
    celebrities: float
    followed: float
    # commands
    chirps: float
    follows: float
    # rows written
    own_rows: float
    pushed_rows: float
    backfilled_rows: float
    follow_rows: float
    # pages of feeds that are read, and what each of them takes
    pages: float
    page: Page
    # chirps on a day of a regular author, averaged over the follows
    pushed_rate: float

    @property
    def rows(self) -> float:
        """Rows written, all told."""
        return self.own_rows + self.pushed_rows + self.backfilled_rows + self.follow_rows


def load(net: Network, habits: Habits, threshold: float) -> Load:
    """The day of a network."""
    celebrities = celebrity_chirps = celebrity_edges = chirps = pushed = backfilled = 0.0
    for group in net.bins:
        posted = group.users * group.posts
        chirps += posted
        if group.audience > threshold:
            celebrities += group.users
            celebrity_chirps += posted
            celebrity_edges += group.users * group.audience
        else:
            pushed += posted * group.audience
            # a new follow goes to an author as the old ones do: in proportion to the audience
            backfilled += group.users * group.audience * min(CAP, group.posts * habits.history_days)
    edges = net.edges
    follows = net.users * habits.follow_rate
    followed = celebrity_edges / net.users
    return Load(
        threshold=threshold,
        celebrities=celebrities,
        followed=followed,
        chirps=chirps,
        follows=follows,
        own_rows=CHIRP_ROWS * chirps + CELEBRITY_ROWS * celebrity_chirps,
        pushed_rows=pushed,
        backfilled_rows=follows * backfilled / edges,
        follow_rows=FOLLOW_ROWS * follows,
        pages=net.users * habits.reads,
        page=feed_page(habits, followed),
        pushed_rate=pushed / (edges - celebrity_edges) if edges > celebrity_edges else 0.0,
    )


@dataclass(frozen=True)
class Cost:
    """CPU-seconds of a day, by what spends them."""

    processor: float
    kafka: float
    projector: float
    cql_write: float
    cql_read: float
    gateway: float

    @property
    def writing(self) -> float:
        """What is spent before anybody reads."""
        return self.processor + self.kafka + self.projector + self.cql_write

    @property
    def reading(self) -> float:
        """What is spent on reading feeds."""
        return self.cql_read + self.gateway

    @property
    def total(self) -> float:
        """All of it."""
        return self.writing + self.reading


def page_cpu_us(model: Model, page: Page) -> tuple[float, float]:
    """CPU of a page: of the CQL servers, and of the gateway."""
    part = model.constants
    cql = model.machines.quorum * (page.queries * part.query_us + page.rows * part.read_row_us)
    return cql, page.queries * part.client_us + (page.rows + page.cached_rows) * part.merge_us


def cost(model: Model, day: Load) -> Cost:
    """What a day costs. Every copy of a record or row is taken for as dear as the only one that was measured."""
    part, machines = model.constants, model.machines
    commands = day.chirps + day.follows
    cql, gateway = page_cpu_us(model, day.page)
    return Cost(
        processor=commands * part.command_us / 1e6,
        kafka=commands * RECORDS * machines.replication * part.broker_us / 1e6,
        projector=day.rows * part.row_us / 1e6,
        cql_write=day.rows * machines.replication * part.write_us / 1e6,
        cql_read=day.pages * cql / 1e6,
        gateway=day.pages * gateway / 1e6,
    )


def chirp_cpu_us(model: Model, audience: float) -> dict[str, float]:
    """CPU of one chirp that is pushed to its author's audience, by what spends it."""
    part, machines, rows = model.constants, model.machines, CHIRP_ROWS + audience
    return {
        "processor": part.command_us,
        "Kafka": RECORDS * machines.replication * part.broker_us,
        "projector": rows * part.row_us,
        "CQL": rows * machines.replication * part.write_us,
    }
