"""What the services say about an evaluation: a prediction or a refusal, immutable."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec

__all__ = ["Answer", "Prediction", "Refusal", "ServiceName"]

ServiceName = Literal["features", "inference"]


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
        message: the reason in words, for a person to read; refusals are equal whatever it says.
    """

    status: str
    service: ServiceName
    message: str = field(default="", compare=False)


Answer: TypeAlias = Prediction | Refusal
