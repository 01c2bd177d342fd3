"""Asks the feature service alone: windows in, features out. Training needs no prediction."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from dataflows.pipeline.metrics import Metrics
from dataflows.services.asking import Asking, feature_methods
from dataflows.services.batch_methods import DESCRIBE_FEATURES
from dataflows.services.calls import Service
from dataflows.services.chunks import Features, chunks_of
from dataflows.services.descriptions import feature_misfit
from dataflows.services.errors import MisfitError
from dataflows.settings import RunSettings
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureServiceDescription
from window_core import Evaluation

__all__ = ["FeatureClient"]


class FeatureClient:
    """Gets the features of windows by calls, many windows in each and several in flight."""

    def __init__(self, address: str, settings: RunSettings, metrics: Metrics) -> None:
        """Open channels; nothing is called yet.

        Args:
            address: ``HOST:PORT[,...]``.
            settings: the sensors, and the limits of calls.
            metrics: what counts them.
        Raises:
            SettingsError: it is no address.
        """
        self._calls = settings.calls
        self._sensors = settings.log.layout.sensors
        service = Service("features", address, settings, metrics)
        self._features = Asking(service, feature_methods(self._sensors, settings.calls.rpc))
        self._threads = ThreadPoolExecutor(settings.calls.calls_in_flight, thread_name_prefix="feature-call")

    def close(self) -> None:
        """End all calls."""
        self._features.service.close()
        self._threads.shutdown(cancel_futures=True)

    def check(self) -> list[str]:
        """Look whether the service can answer about windows of these sensors.

        Returns:
            The names of its features; none of a service that does not tell them.
        Raises:
            MisfitError: it cannot.
            ServiceError: it did not answer.
        """
        described = self._features.service.described(DESCRIBE_FEATURES, FeatureServiceDescription)
        if (why := feature_misfit(described, self._sensors)) is not None:
            raise MisfitError(why)
        return [] if described is None else list(described.feature)

    def features(self, evaluations: Sequence[Evaluation]) -> list[Features]:
        """The features of all windows, part by part in their order. When it returns, no call is in flight.

        Raises:
            ServiceError: the service did not answer within its attempts, or not with an answer.
        """
        windows_max = self._calls.batch_windows if self._features.takes_many else 1
        chunks = chunks_of(evaluations, windows_max, self._calls.batch_bytes)
        try:
            return [part for parts in self._threads.map(self._features.ask, chunks) for part in parts]
        except RuntimeError:  # the threads', after ``close``
            raise self._features.service.ended() from None
