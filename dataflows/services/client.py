"""Asks both services about evaluations: the windows go to the feature service, its features to the inference service.

The evaluations are cut into chunks that fit the limits. Several chunks are in flight at once, their answers come in
order. A service that knows only the methods of the original demo is asked about one window at a time.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, Generic, NamedTuple

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Answer
from dataflows.services.batch_methods import ENGINEER_FEATURES, PREDICT
from dataflows.services.calls import Service
from dataflows.services.chunks import Chunk, FeatureRows, Features, chunks_of
from dataflows.services.errors import UnimplementedError
from dataflows.services.methods import Method, Part, Question, divided
from dataflows.services.original_methods import ORIGINAL_ENGINEER_FEATURES, ORIGINAL_PREDICT
from dataflows.services.streams import streamed_answers
from dataflows.settings import RunSettings
from window_core import Evaluation

__all__ = ["ServiceClient", "Services"]

_FEATURES: Final = (ENGINEER_FEATURES, ORIGINAL_ENGINEER_FEATURES)
_PREDICTIONS: Final = (PREDICT, ORIGINAL_PREDICT)
"""The methods of each service, the preferred one first."""


class Services(NamedTuple):
    """The addresses of both services, ``HOST:PORT[,...]``."""

    features: str
    inference: str


class ServiceClient:
    """Gets answers for evaluations."""

    def __init__(self, services: Services, settings: RunSettings, metrics: Metrics) -> None:
        """Open channels to both services; nothing is called yet.

        Raises:
            SettingsError: one of them is no address.
        """
        self._calls = settings.calls
        first = 1 if settings.calls.rpc == "unary" else 0
        self._features: _Asking[Chunk, Features] = _Asking(
            Service("features", services.features, settings, metrics), _FEATURES[first:]
        )
        self._inference: _Asking[FeatureRows, Answer] = _Asking(
            Service("inference", services.inference, settings, metrics), _PREDICTIONS[first:]
        )
        self._threads = ThreadPoolExecutor(settings.calls.calls_in_flight, thread_name_prefix="service-call")

    def close(self) -> None:
        """End all calls: an interrupted run does not wait for a service that does not answer."""
        self._features.service.close()
        self._inference.service.close()
        self._threads.shutdown(cancel_futures=True)

    def answers(self, evaluations: Sequence[Evaluation]) -> list[Answer]:
        """One answer for each evaluation, in their order. When it returns, no call is in flight.

        Raises:
            ServiceError: a service did not answer within its attempts, or not with an answer.
        """
        takes_many = self._features.takes_many and self._inference.takes_many
        windows_max = self._calls.batch_windows if takes_many else 1
        chunks = list(chunks_of(evaluations, windows_max, self._calls.batch_bytes))
        answers: list[list[Answer]] = []
        if self._calls.rpc == "stream" and takes_many:
            answers += streamed_answers(self._features.service, self._inference.service, chunks)
        rest = chunks[len(answers) :]
        answers += map(self._asked, rest) if len(rest) == 1 else self._threads.map(self._asked, rest)
        return [answer for part in answers for answer in part]

    def _asked(self, chunk: Chunk) -> list[Answer]:
        return [
            answer
            for features in self._features.ask(chunk)
            for answer in features.completed(self._inference.ask(features.rows))
        ]


class _Asking(Generic[Question, Part]):
    """Asks a service by the first of some methods that it knows. May be used by several threads at once."""

    def __init__(self, service: Service, methods: Sequence[Method[Question, Part]]) -> None:
        self.service: Final = service
        self._methods: Sequence[Method[Question, Part]] = methods

    @property
    def takes_many(self) -> bool:
        """Whether the service may be asked about several rows at once, as far as is known."""
        return self._methods[0].takes_many

    def ask(self, question: Question) -> list[Part]:
        """The answer in parts, in the order of the rows.

        Raises:
            ServiceError: the service did not answer within its attempts, or not with an answer.
        """
        methods = self._methods
        if not len(question):
            return []
        try:
            return list(divided(methods[0], question, partial(self.service.call, methods[0])))
        except UnimplementedError:
            if len(methods) == 1:
                raise self.service.unknown() from None
            self._methods = methods[1:]
        return self.ask(question)
