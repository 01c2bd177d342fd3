"""Asks both services about evaluations: the windows go to the feature service, its features to the inference service.

They are asked on streams, where only what is new is sent, as long as both services have them and these go well. Else
the evaluations are cut into chunks that fit the limits of a call; several are in flight at once, and their answers come
in order. A service that knows only the methods of the original demo is asked about one window at a time.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple, cast

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Answer
from dataflows.services.asking import Asking, feature_methods
from dataflows.services.batch_methods import DESCRIBE_FEATURES, DESCRIBE_INFERENCE, PREDICT
from dataflows.services.calls import Service
from dataflows.services.chunks import Chunk, FeatureRows, chunks_of
from dataflows.services.descriptions import Described, misfit
from dataflows.services.errors import MisfitError
from dataflows.services.open_inference import OpenInference
from dataflows.services.original_methods import ORIGINAL_PREDICT
from dataflows.services.streams import Streams
from dataflows.settings import RunSettings
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureServiceDescription, InferenceServiceDescription
from runtime.traces import NO_TRACES, Traces
from window_core import Evaluation

__all__ = ["ServiceClient", "Services", "check_services"]


class Services(NamedTuple):
    """The addresses of both services, ``HOST:PORT[,...]``."""

    features: str
    inference: str


class ServiceClient:
    """Gets answers for evaluations."""

    def __init__(self, services: Services, settings: RunSettings, metrics: Metrics, traces: Traces = NO_TRACES) -> None:
        """Open channels to both services; nothing is called yet.

        Raises:
            SettingsError: one of them is no address.
        """
        self._calls = settings.calls
        self._traces = traces
        self._sensors = sensors = settings.log.layout.sensors
        rpc = settings.calls.rpc
        features = Service("features", services.features, settings, metrics, traces)
        self._features = Asking(features, feature_methods(sensors, rpc))
        inference = Service("inference", services.inference, settings, metrics, traces)
        self._inference: Asking[FeatureRows, Answer] | OpenInference
        if inference.model is not None:
            self._inference = OpenInference(inference, inference.model, one_at_a_time=rpc == "unary")
        else:
            self._inference = Asking(inference, [ORIGINAL_PREDICT] if rpc == "unary" else [PREDICT, ORIGINAL_PREDICT])
        self._threads = ThreadPoolExecutor(settings.calls.calls_in_flight, thread_name_prefix="service-call")
        self._streams = None
        if rpc == "stream":
            ask = self._inference.ask
            streamed = inference if inference.model is None else None
            self._streams = Streams(self._features.service, streamed, ask, sensors, settings.calls)

    def close(self) -> None:
        """End all calls: an interrupted run does not wait for a service that does not answer."""
        self._features.service.close()
        self._inference.service.close()
        if self._streams is not None:
            self._streams.close()
        self._threads.shutdown(cancel_futures=True)

    def described(self) -> Described:
        """What both services say about themselves.

        Raises:
            ServiceError: a service did not answer within its attempts, or not with an answer.
        """
        features = self._features.service.described(DESCRIBE_FEATURES, FeatureServiceDescription)
        if isinstance(self._inference, OpenInference):
            return Described(features, self._inference.described())
        return Described(features, self._inference.service.described(DESCRIBE_INFERENCE, InferenceServiceDescription))

    def check(self) -> None:
        """Look whether the services can answer about these sensors; to be called before the first event.

        Raises:
            MisfitError: they cannot.
            ServiceError: one did not answer.
        """
        described = self.described()
        why = misfit(described, self._sensors)
        if why is None and isinstance(self._inference, OpenInference) and described.features is not None:
            why = self._inference.misfit(described.features.feature)
        if why is not None:
            raise MisfitError(why)

    def answers(self, evaluations: Sequence[Evaluation]) -> list[Answer]:
        """One answer for each evaluation, in their order. When it returns, no call is in flight.

        Raises:
            ServiceError: a service did not answer within its attempts, or not with an answer.
        """
        if self._streams is None or not self._takes_many:
            return self._called(evaluations)
        answers = self._streams.answers(evaluations)
        missing = [row for row, answer in enumerate(answers) if answer is None]
        for row, answer in zip(missing, self._called([evaluations[row] for row in missing]), strict=True):
            answers[row] = answer
        return cast("list[Answer]", answers)

    @property
    def _takes_many(self) -> bool:
        """Whether both services may be asked about several windows at once, as far as is known."""
        return self._features.takes_many and self._inference.takes_many

    def _called(self, evaluations: Sequence[Evaluation]) -> list[Answer]:
        """The answers by calls."""
        windows_max = self._calls.batch_windows if self._takes_many else 1
        chunks = list(chunks_of(evaluations, windows_max, self._calls.batch_bytes))
        try:
            if len(chunks) == 1:
                answers: Iterable[list[Answer]] = map(self._asked, chunks)
            else:
                answers = self._threads.map(self._traces.carried(self._asked), chunks)
        except RuntimeError:  # the threads', after ``close``
            raise self._features.service.ended() from None
        return [answer for part in answers for answer in part]

    def _asked(self, chunk: Chunk) -> list[Answer]:
        return [
            answer
            for features in self._features.ask(chunk)
            for answer in features.completed(self._inference.ask(features.rows))
        ]


def check_services(services: Services, settings: RunSettings, metrics: Metrics) -> None:
    """Look whether services can answer about the events of a run, before it begins.

    Raises:
        MisfitError: they cannot.
        ServiceError: one did not answer.
    """
    with closing(ServiceClient(services, settings, metrics)) as client:
        client.check()
