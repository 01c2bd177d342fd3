"""Features go from one stream into the other, without a server."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import pytest

from dataflows.services.answers import Prediction
from dataflows.services.calls import Service
from dataflows.services.chunks import chunks_of
from dataflows.services.streams import streamed_answers
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureBatch, PredictionBatch, WindowBatch
from tests.dataflows.asking import EVALUATIONS

CHUNKS = list(chunks_of(EVALUATIONS, 8, 1 << 30))


class Streaming:
    """Answers each request on a stream, as a service would."""

    def __init__(self, answer: Callable[[bytes, int], bytes | None]) -> None:
        self._answer = answer
        self.was_read_to_its_end = False

    def stream(self, method: str, requests: Iterable[bytes]) -> Iterator[bytes]:
        for number, request in enumerate(requests):
            answer = self._answer(request, number)
            if answer is None:
                return  # the stream failed
            yield answer
        self.was_read_to_its_end = True


def features(request: bytes, _: int) -> bytes:
    ids = WindowBatch.FromString(request).evaluation_id
    return FeatureBatch(
        evaluation_id=ids, device_id=["d"] * len(ids), name=["a/v1"], values=bytes(4 * len(ids))
    ).SerializeToString()


def predictions(request: bytes, _: int) -> bytes:
    ids = FeatureBatch.FromString(request).evaluation_id
    return PredictionBatch(evaluation_id=ids, model_id="m/v1", key=["k"], value=ids).SerializeToString()


def answered(first: Streaming, second: Streaming) -> list[str]:
    services: Any = cast(Service, first), cast(Service, second)
    answers = [answer for part in streamed_answers(*services, CHUNKS) for answer in part]
    return [answer.result["k"] for answer in answers if isinstance(answer, Prediction)]


def test_every_chunk_is_answered_in_order_and_both_streams_are_read_to_their_end() -> None:
    first, second = Streaming(features), Streaming(predictions)
    assert answered(first, second) == [one.evaluation_id for one in EVALUATIONS]
    assert first.was_read_to_its_end
    assert second.was_read_to_its_end


@pytest.mark.parametrize("wrong", [None, b"\xff\xff\xff", b""])
@pytest.mark.parametrize("service", ["features", "inference"])
def test_the_answers_before_a_fault_are_kept(service: str, wrong: bytes | None) -> None:
    def spoilt(right: Callable[[bytes, int], bytes]) -> Streaming:
        return Streaming(lambda request, number: wrong if number == 2 else right(request, number))

    first = spoilt(features) if service == "features" else Streaming(features)
    second = spoilt(predictions) if service == "inference" else Streaming(predictions)
    assert answered(first, second) == [one.evaluation_id for one in EVALUATIONS[:16]]
