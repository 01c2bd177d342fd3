"""The outputs that should be: what a replay of the log gives, with the answers of the services or without."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from dataflows.pipeline.output_codec import encoded_prediction, encoded_refusal, encoded_rejection
from dataflows.pipeline.record import OutputKind, OutputRecord
from dataflows.replay.replayed_log import ReplayedLog
from dataflows.replay.written_outputs import Output
from window_core import Rejection

if TYPE_CHECKING:
    from dataflows.services.client import ServiceClient

__all__ = ["expected_outputs", "without_answers"]

_OF_THE_SERVICES: Final = ("features", "model_id", "result", "status", "service", "message")


def expected_outputs(replay: ReplayedLog, client: "ServiceClient | None") -> Iterator[tuple[Output, ...]]:
    """Each output that should be: the one that it is or, unless the services are asked, those that it may be.

    Args:
        replay: of the run.
        client: of the services; ``None``: no output has what they say, as ``without_answers`` leaves it.
    Raises:
        ServiceError: a service failed.
        BrokerError: the records are gone meanwhile, or the broker is away.
    """
    if client is not None:
        for record in replay.records(client):
            yield ((record.kind, record.value),)
        return
    sensors = replay.settings.log.layout.sensors
    for replayed in replay.outputs():
        if isinstance(replayed, OutputRecord):
            yield ((replayed.kind, replayed.value),)
            continue
        output, position = replayed
        if isinstance(output, Rejection):
            assert position is not None  # a tick is never rejected
            yield (("rejections", encoded_rejection(output, position, sensors)),)
        else:
            prediction = encoded_prediction(output, position, {}, "", {})
            refusal = encoded_refusal(output, position, "", "", "")
            yield (without_answers("predictions", prediction), without_answers("rejections", refusal))


def without_answers(kind: OutputKind, line: bytes) -> Output:
    """An output without what the services said; a line that is no output, as it is."""
    try:
        fields = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return kind, line
    if not isinstance(fields, dict) or fields.get("evaluation_id") is None:
        return kind, line
    return kind, msgspec.json.encode({name: fields[name] for name in fields if name not in _OF_THE_SERVICES})
