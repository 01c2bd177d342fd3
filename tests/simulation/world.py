"""Carries out a plan, and judges it: every output there, none twice where it must not be, none that is wrong."""

import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

from dataflows.connectors.kafka.client import BrokerError
from dataflows.connectors.locations import Locations
from dataflows.services.errors import ServiceError
from dataflows.settings import RunSettings
from grpc_services.python.logistic_regression import load_logistic_regression
from grpc_services.python.models import Model
from grpc_services.python.plugins import load_model
from runtime.errors import SettingsError
from tests.plain_model import plain_model
from tests.reference import first_difference
from tests.simulation.broker import Entry, Topic
from tests.simulation.bytewax_engine import BytewaxState, run_bytewax
from tests.simulation.channels import Servers
from tests.simulation.expected import Whole, each_once, expected_outputs, written_outputs
from tests.simulation.flink_engine import FlinkState, run_flink
from tests.simulation.kafka_clients import Clients
from tests.simulation.log import Log, sensors_of
from tests.simulation.plan import Append, End, Older, Plan, Recreate, Retain, Run
from tests.simulation.process import Killed, Process
from tests.simulation.progress import Progress
from window_core import Sensors

__all__ = ["Verdict", "simulated"]

_GONE: Final = "are gone, by retention or with the topic"
_OTHER_TOPIC: Final = "was deleted and made anew"
_IN_USE: Final = "is in use by another run"
_PLACES: Final = "kafka://broker:9092/"


@dataclass
class Verdict:
    """What came of a simulation.

    Attributes:
        failure: what is wrong; empty: nothing.
        trace: every side effect, in order.
        endings: how its runs ended.
    """

    failure: str = ""
    trace: list[str] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)


def simulated(plan: Plan) -> Verdict:
    """Carry out a plan, then read the log to its end, and compare."""
    verdict = Verdict()
    shared = Path("/dev/shm")
    folder = Path(mkdtemp(prefix="simulation-", dir=shared if shared.is_dir() else None))
    world = _World(plan, folder, verdict)
    try:
        world.play()
    except AssertionError as error:
        verdict.failure = str(error) or repr(error)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError, OSError) as error:
        verdict.failure = f"{type(error).__name__}: {error}"
    finally:
        world.close()
        shutil.rmtree(folder)
    return verdict


@dataclass
class _Kept:
    """A state as it was, and how far the log was read for sure."""

    state: Any
    sure: list[int]


class _World:
    def __init__(self, plan: Plan, folder: Path, verdict: Verdict) -> None:
        self._plan, self._folder, self._verdict = plan, folder, verdict
        setup = plan.setup
        self._log = Log.begun(setup)
        self._topics = {"events": self._log.topic}
        self._topics |= {name: Topic(2, is_log_append_time=True) for name in ("predictions", "rejections")}
        self._state: Any = BytewaxState() if setup.engine == "bytewax" else FlinkState()
        self._start_engine = run_bytewax if setup.engine == "bytewax" else run_flink
        self._first_id = self._log.topic.id
        self._model = _model(setup.has_demo_sensors)
        self._progress = Progress(self._log)
        self._kept: _Kept | None = None
        self._is_over = False

    def close(self) -> None:
        if self._state.connection is not None:
            self._state.connection.close()

    def play(self) -> None:
        """Carry out the steps, then one more run without trouble.

        Raises:
            AssertionError: something is wrong.
        """
        for step in self._plan.steps:
            if self._is_over:
                return
            self._step(step)
        if not self._is_over:
            self._run(Run(0, "until", 0), is_last=True)

    def _step(self, step: Any) -> None:
        if isinstance(step, Append):
            self._log.append(step)
        elif isinstance(step, End):
            self._log.finish(step.transaction, commits=step.commits)
        elif isinstance(step, Run):
            self._run(step)
        elif isinstance(step, Retain) and self._progress.sure is not None:
            number = step.partition % self._plan.setup.partitions
            partition = self._log.topic.partitions[number]
            partition.start = max(partition.start, min(self._progress.sure[number] - step.kept, partition.stable_end))
        elif isinstance(step, Older) and self._kept is not None and not self._progress.is_fragile:
            self._state.restore(self._kept.state)
            self._progress.rewind(self._kept.sure)
        elif isinstance(step, Recreate) and self._verdict.endings:
            self._log.topic = self._topics["events"] = _made_anew(self._log.topic)

    def _run(self, step: Run, *, is_last: bool = False) -> None:
        """Start a run, and see how it ends."""
        whole = self._progress.begin(step, is_last=is_last)
        if self._progress.sure is not None:
            self._kept = _Kept(self._state.copied(), self._progress.sure)
        if self._progress.may_come_too_late(whole):
            step = step._replace(kill_before=None, trouble=0.0)
        ending = self._ending(step, whole)
        if step.end == "stopped":
            self._progress.stopped()
        self._verdict.endings.append(ending)
        self._verdict.trace.append(f"the run {ending}")
        if ending == "whole" and step.end != "stopped":
            self._progress.end(whole)
            if is_last or self._progress.is_furthest(whole):
                self._compare()
        elif ending.startswith("refused"):
            self._is_over = True

    def _ending(self, step: Run, whole: Whole) -> str:
        process = Process(f"run {step.seed}", step.kill_before, step.trouble, self._verdict.trace, step.kill_kind)
        clients = Clients(self._topics, process)
        try:
            self._start(step, whole, clients)
        except Killed:
            clients.die()
            return "killed"
        except ServiceError as error:
            if not step.trouble:
                raise AssertionError(f"without trouble: {error}") from None
            clients.die()
            return "failed with its services"
        except (BrokerError, SettingsError) as error:
            text = str(error)
            is_anew = self._log.topic.id != self._first_id
            is_right = (_OTHER_TOPIC in text and is_anew) or (_GONE in text and self._progress.may_be_gone())
            assert is_right, f"a false alarm: {text}"
            return f"refused: {text.replace(str(self._folder), 'folder')}"
        assert self._log.topic.id == self._first_id, "another topic of the same name was read"
        return "whole"

    def _start(self, step: Run, whole: Whole, clients: Clients) -> None:
        setup, process = self._plan.setup, clients.process
        self._log.write_file(self._folder / "events.jsonl", ends_line=process.random.random() < 0.7)
        servers = Servers(sensors_of(setup), self._model, setup.column_bytes, process)
        settings = self._settings(step, whole, process)
        rival_at = process.random.randrange(1, 40) if step.has_rival else None

        def look() -> None:
            nonlocal rival_at
            if step.grows and process.random.random() < 0.02:
                self._log.grow(process.random)
            if rival_at is not None:
                rival_at -= 1
                if rival_at == 0:
                    rival_at = None
                    self._see_rival_refused(settings, clients, servers)

        stops_after = process.random.randrange(5, 150) if step.end == "stopped" else None
        self._start_engine(settings, self._locations, self._state, clients, servers, stops_after, look)

    def _see_rival_refused(self, settings: RunSettings, clients: Clients, servers: Servers) -> None:
        try:
            self._start_engine(settings, self._locations, self._state, clients, servers, 10, lambda: None)
        except SettingsError as error:
            if _IN_USE not in str(error):
                raise AssertionError(f"a false alarm: {error}") from None
        else:
            raise AssertionError("two runs had one state")

    def _settings(self, step: Run, whole: Whole, process: Process) -> RunSettings:
        setup, random = self._plan.setup, process.random
        numbers = {name: getattr(setup.spec, name) for name in setup.spec.__dataclass_fields__}
        return RunSettings.of(
            engine=setup.engine, input=self._locations.input, bounded=setup.reads_topic and step.end != "stopped",
            until_ms=whole.cut_ms, folder=str(self._folder / "state"),
            parallelism=step.workers if setup.engine == "flink" else 1,
            sensors=sensors_of(setup).declared, features="features:1", inference="inference:1", rpc=setup.rpc,
            batch_windows=setup.batch_windows, batch_bytes=random.choice((400, 3_500_000)),
            delivery="exactly-once" if setup.is_exactly_once else "at-least-once",
            in_flight=random.choice((1, 2, 3)), attempts=random.choice((2, 4)), quiet=True,
            group=random.choice((None, "readers")) if setup.reads_topic else None, **numbers,
        )  # fmt: skip

    @property
    def _locations(self) -> Locations:
        setup = self._plan.setup
        outputs = [
            f"{_PLACES}{name}" if setup.writes_topic else str(self._folder / f"{name}.jsonl")
            for name in ("predictions", "rejections")
        ]
        source = f"{_PLACES}events" if setup.reads_topic else str(self._folder / "events.jsonl")
        return Locations(source, *outputs, False)

    @property
    def _may_repeat(self) -> bool:
        setup = self._plan.setup
        return setup.writes_topic and (not setup.is_exactly_once or self._progress.has_rewound)

    def _compare(self) -> None:
        names = ("predictions", "rejections")
        if self._plan.setup.writes_topic:
            lines = [value for name in names for value in self._topics[name].values()]
        else:
            data = b"".join((self._folder / f"{name}.jsonl").read_bytes() for name in names)
            lines = data.splitlines()
        written = written_outputs(lines, may_repeat=self._may_repeat)
        expected = expected_outputs(self._log, self._progress.whole)
        if self._may_repeat:  # two sessions that were opened in one millisecond may say the same
            expected = {device: each_once(sequences) for device, sequences in expected.items()}
        difference = first_difference(expected, written)
        assert not difference, difference


def _made_anew(topic: Topic) -> Topic:
    """Another topic of that name, which looks the same."""
    other = Topic(len(topic.partitions), is_log_append_time=topic.is_log_append_time)
    for old, new in zip(topic.partitions, other.partitions, strict=True):
        new.entries = [entry._replace(transaction=None) for entry in old.entries if isinstance(entry, Entry)]
    return other


@cache
def _model(has_demo_sensors: bool) -> Model:
    if has_demo_sensors:
        return load_model(None)
    shared = Path(mkdtemp(prefix="simulation-model-")) / "model.json"
    try:
        setup_sensors = ["sensor1", "sensor2?"]
        shared.write_text(plain_model(Sensors.of(setup_sensors)).artifact)
        return load_logistic_regression(shared)
    finally:
        shutil.rmtree(shared.parent)
