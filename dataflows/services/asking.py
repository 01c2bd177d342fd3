"""A service asked by the first of some methods that it knows: an old server knows only those of the original demo."""

from collections.abc import Sequence
from functools import partial
from typing import Final, Generic

from dataflows.services.batch_methods import engineer_features
from dataflows.services.calls import Service
from dataflows.services.chunks import Chunk, Features
from dataflows.services.errors import UnimplementedError
from dataflows.services.methods import Method, Part, Question, divided
from dataflows.services.original_methods import ORIGINAL_ENGINEER_FEATURES
from window_core import DEMO_SENSORS, Sensors

__all__ = ["Asking", "feature_methods"]


def feature_methods(sensors: Sensors, rpc: str) -> list[Method[Chunk, Features]]:
    """The methods that a feature service may know, the first one first.

    Args:
        sensors: of the windows.
        rpc: the way of asking that was chosen.
    """
    methods = [engineer_features(sensors)]
    if sensors == DEMO_SENSORS:
        methods.append(ORIGINAL_ENGINEER_FEATURES)
    return methods[1:] if rpc == "unary" else methods


class Asking(Generic[Question, Part]):
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
