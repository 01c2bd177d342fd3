"""What the services say about an evaluation: a prediction or a refusal, immutable."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import msgspec

__all__ = ["Answer", "Prediction", "Refusal", "ServiceName"]

ServiceName = Literal["features", "inference"]

_MESSAGE_BYTES_MAX: Final = 1_024
"""Enough to name a field or a plug-in; it stands in an output for every evaluation that is refused."""


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """What the services said about one evaluation.

    Attributes:
        features: float32 values by name.
        model_id: the model, with its version.
        result: texts by key.
    """

    features: dict[str, float]
    model_id: str
    result: dict[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A service refused one evaluation.

    Attributes:
        status: name of the gRPC status.
        service: the service that refused it.
        message: the service's words, cut to 1 KiB of UTF-8; the same for the same window, however it was asked about.
    """

    status: str
    service: ServiceName
    message: str

    @classmethod
    def of(cls, status: str, service: ServiceName, message: str) -> "Refusal":
        """A refusal with the words of a service, however many they are."""
        return cls(status, service, message.encode()[:_MESSAGE_BYTES_MAX].decode(errors="ignore"))


Answer: TypeAlias = Prediction | Refusal
