"""What stands around the engines of the suite: services for the sensors of a job, and a broker, each started once."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from dataflows.kafka_broker.broker import running_broker
from dataflows.pipeline.metrics import Metrics
from dataflows.services.client import ServiceClient, Services
from dataflows.services.embedded import embedded_service
from dataflows.settings import RunSettings
from tests.dataflows.connectors.kafka.topics import Topics
from tests.parity.engines import KAFKA
from tests.parity.expected import Asked
from tests.parity.jobs import Job
from tests.plain_model import plain_model
from window_core import DEMO_SENSORS, Sensors

__all__ = ["Surrounding", "Surroundings", "asking", "running_services"]


_REFUSING: Final = ("--features-from", "tests.parity.refusing:FEATURES")

_LITTLE_ROOM: Final = ("--column-bytes", "8000", "--stream-column-bytes", "5000")
"""For the columns of two or three devices with 9 to 16 sensors: the others' windows are sent whole."""


class Surroundings(NamedTuple):
    """What stands around the engines.

    Attributes:
        services: those to ask.
        asked: how the loop asks them; ``None``: it knows what they do.
        topics: those of a broker; ``None``: Kafka is left out.
    """

    services: Services
    asked: Asked | None
    topics: Topics | None


@contextmanager
def running_services(*feature_options: str, inference_options: Sequence[str] = ()) -> Iterator[Services]:
    """Both services, started by ``latecomer serve``."""
    with ExitStack() as stack:
        features = stack.enter_context(embedded_service("features", *feature_options))
        inference = stack.enter_context(embedded_service("inference", *inference_options))
        yield Services(features, inference)


@contextmanager
def asking(services: Services, sensors: Sensors) -> Iterator[Asked]:
    """A way to ask services about one window a call, if it can be by the calls of the original demo."""
    calls = {"rpc": "unary"} if sensors == DEMO_SENSORS else {"rpc": "batch", "batch_windows": 1}
    settings = RunSettings.of(timeout_ms=60_000, sensors=sensors.declared, **calls, **services._asdict())
    with closing(ServiceClient(services, settings, Metrics())) as client:
        yield client.answers


class Surrounding:
    """Starts services and a broker when a job first needs them."""

    def __init__(self, stack: ExitStack, own: Surroundings | None = None, own_sensors: Sensors = DEMO_SENSORS) -> None:
        """Start nothing yet.

        Args:
            stack: what is started ends with it.
            own: the services to ask in place of the suite's, if a user has some.
            own_sensors: what these are asked about.
        """
        self._stack = stack
        self._kinds: dict[tuple[Sensors, tuple[str, ...]], Surroundings] = {}
        self._own = own
        self._own_sensors = own_sensors
        self._topics: Topics | None = None

    def of(self, job: Job) -> Surroundings:
        """What a job needs."""
        topics = self._with_broker() if any(run.medium == KAFKA for run in job.runs) else None
        if self._own is not None and job.sensors == self._own_sensors:
            return self._own._replace(topics=topics)
        options = ("--language", job.features_in)
        options += (_REFUSING if job.is_refusing else ()) + (_LITTLE_ROOM if job.has_little_room else ())
        kind = job.sensors, options
        if kind not in self._kinds:
            self._kinds[kind] = self._started(*kind)
        return self._kinds[kind]._replace(topics=topics)

    def _started(self, sensors: Sensors, options: tuple[str, ...]) -> Surroundings:
        feature_options = ["--sensors", ",".join(sensors.declared), *options]
        model_options = []
        if sensors != DEMO_SENSORS:
            folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="parity-model-")))
            model = folder / "model.json"
            model.write_text(plain_model(sensors).artifact)
            model_options += ["--model", str(model)]
        services = self._stack.enter_context(running_services(*feature_options, inference_options=model_options))
        asked = self._stack.enter_context(asking(services, sensors)) if "--features-from" in options else None
        return Surroundings(services, asked, None)

    def _with_broker(self) -> Topics:
        if self._topics is None:
            self._topics = Topics(self._stack.enter_context(running_broker()).address)
        return self._topics
