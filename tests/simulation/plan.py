"""What happens in a simulation, as data: drawn from a seed, written down, shortened.

A plan is a setup and steps. Each run has a seed of its own, so that leaving out a step changes no chance of the others.
"""

from dataclasses import dataclass, fields
from random import Random
from typing import Final, Literal, NamedTuple, TypeAlias

from window_core import WindowSpec

__all__ = ["Append", "End", "Older", "Plan", "Recreate", "Retain", "Run", "Setup", "Step", "drawn", "drawn_record"]

Kind: TypeAlias = Literal["event", "same", "broken", "other key", "heartbeat", "no value"]
Stamp: TypeAlias = Literal["now", "goes back", "jumps", "no time"]


class Append(NamedTuple):
    """A record is appended, ``gap_ms`` after the one before.

    Attributes:
        device: whose; its partition follows from it.
        gap_ms: since the last record of the log.
        age_ms: how long before its arrival the event happened; negative: its device is ahead.
        reading: its first reading; the second is absent where it is odd.
        kind: what it is.
        stamp: what its producer's clock does, where producers set the timestamps.
        transaction: the one it is part of.
    """

    device: int
    gap_ms: int
    age_ms: int
    reading: int
    kind: Kind = "event"
    stamp: Stamp = "now"
    transaction: int | None = None


class End(NamedTuple):
    """A transaction ends, if it is open."""

    transaction: int
    commits: bool


class Retain(NamedTuple):
    """Retention leaves the last records of a partition, counted back from what the last whole run has read; negative:
    it goes so far beyond that."""

    partition: int
    kept: int


class Recreate(NamedTuple):
    """The topic is deleted and made anew, with as many records as it had."""


class Older(NamedTuple):
    """The state is put back to what it was before the last run."""


class Run(NamedTuple):
    """A run is started.

    Attributes:
        seed: of all chances in it.
        end: ``bounded``; ``until``: bounded, and an instant cuts it; ``stopped``: without an end, until it is stopped.
        until_ms: the instant, counted from the last arrival.
        workers: how many, on Flink; the simulation of Bytewax has one process.
        kill_before: the side effect before which it is killed, counted among those of ``kill_kind``.
        kill_kind: how these begin; empty: any counts.
        trouble: how much goes wrong around it, from 0 to 1.
        has_rival: a second run tries to take the state meanwhile.
        grows: records come, and transactions end, while it reads a topic.
    """

    seed: int
    end: Literal["bounded", "until", "stopped"] = "bounded"
    until_ms: int = 0
    workers: int = 1
    kill_before: int | None = None
    kill_kind: str = ""
    trouble: float = 0.0
    has_rival: bool = False
    grows: bool = False


Step: TypeAlias = Append | End | Retain | Recreate | Older | Run


@dataclass(frozen=True)
class Setup:
    """What stays for a whole simulation.

    Attributes:
        engine: which one.
        reads_topic: the input is a topic, else a file.
        writes_topic: the outputs are topics, else files.
        partitions: of the input.
        is_log_append_time: the broker sets the timestamps.
        spec: the windows'.
        rpc: how the services are asked.
        has_demo_sensors: the readings are the demo's four, else two, of which one is optional.
        batch_windows: the largest call.
        column_bytes: what a stream may keep.
        is_exactly_once: outputs are written in transactions.
    """

    engine: Literal["bytewax", "flink"]
    reads_topic: bool
    writes_topic: bool
    partitions: int
    is_log_append_time: bool
    spec: WindowSpec
    rpc: Literal["stream", "batch", "unary"]
    has_demo_sensors: bool
    batch_windows: int
    column_bytes: int
    is_exactly_once: bool = False


@dataclass(frozen=True)
class Plan:
    setup: Setup
    steps: tuple[Step, ...]

    def told(self) -> str:
        """The plan as Python that makes it again."""
        steps = "\n".join(f"        {step}," for step in self.steps)
        changed = [f"{field.name}={getattr(self.setup, field.name)!r}" for field in fields(self.setup)]
        return f"Plan(\n    Setup({', '.join(changed)}),\n    (\n{steps}\n    ),\n)"


def drawn(seed: int, engine: Literal["bytewax", "flink"] = "bytewax") -> Plan:
    """The plan of a seed."""
    random = Random(f"plan {engine} {seed}")
    setup = _setup(random, engine)
    steps: list[Step] = []
    open_now: set[int] = set()
    for _ in range(random.randint(2, 5)):
        for _ in range(random.randint(1, 12)):
            steps.append(drawn_record(random, setup, open_now))
            if setup.reads_topic and open_now and random.random() < 0.2:
                transaction = random.choice(sorted(open_now))
                open_now.discard(transaction)
                steps.append(End(transaction, random.random() < 0.7))
        chance = random.random()
        if setup.reads_topic and chance < 0.12:
            steps.append(Retain(random.randrange(setup.partitions), random.choice((0, 0, 1, 2, -1, -2))))
        elif chance < 0.18:
            steps.append(Older())
        steps.append(_run(random, setup))
    if setup.reads_topic and random.random() < 0.12:
        steps += [Recreate(), Run(random.randrange(1 << 30))]
    return Plan(setup, tuple(steps))


def _setup(random: Random, engine: Literal["bytewax", "flink"]) -> Setup:
    reads_topic = engine == "flink" or random.random() < 0.6
    idle_after_ms = random.choice((0, 20, 60))
    has_demo_sensors = random.random() < 0.3
    spec = WindowSpec(
        interval_ms=random.choice((10, 40, 100)),
        tick_ms=random.choice((0, 7, 20, 50)),
        idle_after_ms=idle_after_ms,
        forget_after_ms=idle_after_ms + random.choice((0, 30, 200)),
        max_ahead_ms=random.choice((0, 10, 1_000_000)),
        max_events=random.choice((2, 5, 100)),
    )
    return Setup(
        engine=engine,
        reads_topic=reads_topic,
        writes_topic=engine == "flink" or random.random() < 0.5,
        partitions=random.randint(1, 3) if reads_topic else 1,
        is_log_append_time=random.random() < 0.5,
        spec=spec,
        rpc=random.choice(
            ("stream", "stream", "batch", "unary") if has_demo_sensors else ("stream", "stream", "batch")
        ),
        has_demo_sensors=has_demo_sensors,
        batch_windows=random.choice((1, 3, 100)),
        column_bytes=random.choice((600, 5_000, 1_000_000)),
        is_exactly_once=engine == "flink" and random.random() < 0.5,
    )


def drawn_record(random: Random, setup: Setup, open_now: set[int]) -> Append:
    """A record, maybe of one of the transactions that are open."""
    transaction = None
    if setup.reads_topic and random.random() < 0.25:
        transaction = (
            random.choice(sorted(open_now)) if open_now and random.random() < 0.5 else random.randrange(1 << 20)
        )
        open_now.add(transaction)
    kinds: tuple[Kind, ...] = ("event",) * 12 + ("same", "same", "broken", "other key", "heartbeat", "no value")
    stamps: tuple[Stamp, ...] = ("now",) * 6 + ("goes back", "goes back", "jumps", "no time")
    return Append(
        device=random.randrange(4),
        gap_ms=random.choice((0, 0, 1, 3, 10, 25, 80, 300)),
        age_ms=random.choice((0, 0, 0, 1, 5, 10, 11, 40, 41, 100, 101, -1, -10, -11)),
        reading=random.randrange(100),
        kind=random.choice(kinds),
        stamp="now" if setup.is_log_append_time else random.choice(stamps),
        transaction=transaction,
    )


_KILL_KINDS: Final = {
    "bytewax": (
        "exs",
        "snaps",
        "fronts",
        "fronts",
        "commits",
        "write",
        "fsync",
        "truncate",
        "flush",
        "produce",
        "call",
    ),
    "flink": ("batch", "batch 2", "checkpoint", "commit", "flush", "produce", "call", "message"),
}
"""Effects that are few beside others, and worth as many deaths."""


def _run(random: Random, setup: Setup) -> Run:
    ends: tuple[Literal["bounded", "until", "stopped"], ...] = ("bounded", "bounded", "until")
    kill_kind = random.choice(("", random.choice(_KILL_KINDS[setup.engine])))
    kill_before = random.choice((None, random.randrange(12), random.randrange(60), random.randrange(200)))
    if kill_kind and kill_before is not None:
        kill_before = random.randrange(random.choice((2, 5, 12)))
    return Run(
        seed=random.randrange(1 << 30),
        end=random.choice((*ends, "stopped") if setup.reads_topic else ends),
        until_ms=random.choice((0, -1, -20, -100, 30)),
        workers=random.choice((1, 1, 2, 3)),
        kill_before=kill_before,
        kill_kind=kill_kind,
        trouble=random.choice((0.0, 0.0, 0.3, 1.0)),
        has_rival=random.random() < 0.1,
        grows=setup.reads_topic and random.random() < 0.3,
    )
