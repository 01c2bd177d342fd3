"""Outputs to JSON, by one encoder, so that equal outputs are equal bytes."""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any, Final

import msgspec

from dataflows.pipeline.event_layout import field_names
from window_core import Evaluation, EventError, Rejection, Sensors

__all__ = ["encoded_invalid", "encoded_prediction", "encoded_refusal", "encoded_rejection", "encoded_row"]

_RAW_BYTES_MAX: Final = 65_536
"""What an INVALID rejection keeps of its record: enough to see what it was; the whole is in the input."""


class _PredictionOut(msgspec.Struct, gc=False):
    evaluation_id: str
    device_id: str
    cause: str
    position: str | None
    event_ms: int | None
    as_of_ms: int
    newest_ms: int
    oldest_ms: int
    events: int
    features: dict[str, float]
    model_id: str
    result: dict[str, str]


class _RejectionOut(msgspec.Struct, gc=False):
    device_id: str
    reason: str
    position: str
    arrival_ms: int
    late_by_ms: int | msgspec.UnsetType
    event: Any


class _InvalidOut(msgspec.Struct, gc=False):
    device_id: None
    reason: str
    position: str
    arrival_ms: int | None
    error: str
    field: str | None
    size: int
    sha256: str
    raw: str


class _RefusedOut(msgspec.Struct, gc=False):
    device_id: str
    reason: str
    position: str | None
    event_ms: int | None
    as_of_ms: int
    evaluation_id: str
    status: str
    service: str
    message: str


_encode: Final = msgspec.json.Encoder().encode


@cache
def _event_out(sensors: Sensors) -> type[msgspec.Struct]:
    """A type for an event in a rejection."""
    names = field_names(sensors)
    return msgspec.defstruct("EventOut", [("time", int), *((name, float) for name in names)], rename=names, gc=False)


def encoded_prediction(
    evaluation: Evaluation, position: str | None, features: dict[str, float], model_id: str, result: dict[str, str]
) -> bytes:
    """The answer of the services to one evaluation.

    Args:
        evaluation: what was asked about.
        position: where its event stands in the log; ``None`` for a tick.
        features: float32 values by name, in the order of the service.
        model_id: the model that answered, with its version.
        result: what it said, by key.
    """
    return _encode(
        _PredictionOut(
            evaluation.evaluation_id,
            evaluation.device_id,
            evaluation.cause,
            position,
            evaluation.event_ms,
            evaluation.as_of_ms,
            evaluation.newest_ms,
            evaluation.oldest_ms,
            evaluation.events,
            features,
            model_id,
            dict(sorted(result.items())) if len(result) > 1 else result,
        )
    )


def encoded_rejection(rejection: Rejection, position: str, sensors: Sensors) -> bytes:
    """An event that changed no window; a reading that is absent is null."""
    event = rejection.event
    return _encode(
        _RejectionOut(
            event.device_id,
            rejection.reason,
            position,
            rejection.arrival_ms,
            rejection.late_by_ms if rejection.reason == "TOO_LATE" else msgspec.UNSET,
            _event_out(sensors)(event.time_ms, *sensors.readings(event.row)),
        )
    )


def encoded_invalid(error: EventError, value: bytes, position: str, arrival_ms: int | None) -> bytes:
    """A record that holds no event."""
    raw = b64encode(value[:_RAW_BYTES_MAX]).decode()
    digest = sha256(value).hexdigest()
    return _encode(
        _InvalidOut(None, "INVALID", position, arrival_ms, error.error, error.field, len(value), digest, raw)
    )


def encoded_refusal(evaluation: Evaluation, position: str | None, status: str, service: str, message: str) -> bytes:
    """An evaluation that a service refused.

    Args:
        evaluation: what was asked about.
        position: where its event stands in the log; ``None`` for a tick.
        status: name of the gRPC status.
        service: which of the two.
        message: the service's words.
    """
    return _encode(
        _RefusedOut(
            evaluation.device_id,
            "REFUSED",
            position,
            evaluation.event_ms,
            evaluation.as_of_ms,
            evaluation.evaluation_id,
            status,
            service,
            message,
        )
    )


def encoded_row(row: Mapping[str, Any]) -> bytes:
    """An output again, whose fields were written as a row of a table; what an output does not have is null there.

    Args:
        row: its fields.
    Raises:
        msgspec.ValidationError: it is no output.
    """
    fields = dict(row)
    for name in ("features", "result"):
        if isinstance(values := fields.get(name), Mapping):
            fields[name] = {key: value for key, value in values.items() if value is not None}
    fields["late_by_ms"] = fields.get("late_by_ms") or 0
    kinds = {None: _PredictionOut, "INVALID": _InvalidOut, "REFUSED": _RefusedOut}
    output = msgspec.convert(fields, kinds.get(fields.get("reason"), _RejectionOut))
    if isinstance(output, _PredictionOut):
        output.result = dict(sorted(output.result.items()))
    elif isinstance(output, _RejectionOut) and output.reason != "TOO_LATE":
        output.late_by_ms = msgspec.UNSET
    return _encode(output)
