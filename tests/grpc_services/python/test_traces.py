"""A server's spans: their parents, rows and statuses; and what strangers write where a parent stands."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureBatch, PredictionBatch
from tests.collector import Collector

Started = Callable[..., tuple[Any, grpc.Channel]]

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STRANGE = [
    b"\xff" * 55,
    b"x",
    PARENT.encode() * 20_000,
    PARENT.upper().encode(),
    PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32).encode(),
    PARENT.replace("00-", "ff-").encode(),
    b"00-" + "é".encode() * 26,
    b"\0" * 55,
]
PREDICT = "/latecomer.v1.InferenceService/Predict"
STREAM = "/latecomer.v1.InferenceService/StreamPredictions"
NAMES = [f"sensor_{number}/v1" for number in range(1, 5)]


def asks(values: bytes, parent: bytes = b"") -> FeatureBatch:
    rows = len(values) // 16
    return FeatureBatch(rows=rows, name=NAMES, values=values, trace_parent=parent)


GOOD = b"\0\0\x80\x3f" * 4
BAD = b"\0\0\xc0\x7f" * 4

HALF_ANSWERED = {
    "rpc.system": "grpc",
    "rpc.service": "latecomer.v1.InferenceService",
    "rpc.method": "Predict",
    "rpc.grpc.status_code": 0,
    "latecomer.rows": 2,
    "latecomer.failed_rows": 1,
}
"""What a span says of a call about a good and a bad row, in either language."""


def unary(channel: grpc.Channel, request: FeatureBatch, *metadata: tuple[str, str]) -> PredictionBatch:
    call = channel.unary_unary(PREDICT, FeatureBatch.SerializeToString, PredictionBatch.FromString)
    answer: PredictionBatch = call(request, metadata=metadata)
    return answer


def streamed(channel: grpc.Channel, *requests: FeatureBatch) -> list[PredictionBatch]:
    call = channel.stream_stream(STREAM, FeatureBatch.SerializeToString, PredictionBatch.FromString)
    return list(call(iter(requests)))


def test_a_call_belongs_to_the_span_of_its_metadata(started: Started, collector: Collector) -> None:
    server, channel = started("inference", traces=collector.url)
    answer = unary(channel, asks(GOOD + BAD), ("traceparent", PARENT))
    assert [error.row for error in answer.error] == [1]
    server.stop(1.0)
    [span] = collector.spans(1)
    assert (span.process, span.name, span.kind) == ("latecomer-inference", PREDICT[1:], "server")
    assert (span.trace.hex(), span.parent.hex()) == (PARENT[3:35], PARENT[36:52])
    assert span.attributes == HALF_ANSWERED


def test_each_message_of_a_stream_belongs_to_the_span_that_it_names(started: Started, collector: Collector) -> None:
    server, channel = started("inference", traces=collector.url)
    others = [PARENT.replace("b7", f"c{number}").encode() for number in range(3)]
    streamed(channel, *(asks(GOOD, other) for other in others))
    server.stop(1.0)
    spans = collector.spans(3)
    assert [span.parent.hex() for span in spans] == [other[36:52].decode() for other in others]


def test_a_request_that_fails_whole_says_so_and_is_no_error_of_the_server(
    started: Started, collector: Collector
) -> None:
    server, channel = started("inference", traces=collector.url)
    with pytest.raises(grpc.RpcError):
        unary(channel, FeatureBatch(rows=3), ("traceparent", PARENT))
    with pytest.raises(grpc.RpcError):
        streamed(channel, FeatureBatch(rows=3, trace_parent=PARENT.encode()))
    server.stop(1.0)
    for span in collector.spans(2):
        assert span.attributes["rpc.grpc.status_code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]
        assert not span.is_error
        assert span.parent.hex() == PARENT[36:52]


@pytest.mark.parametrize("parent", STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize("traces", [True, False])
def test_what_is_no_parent_is_ignored_and_fails_nothing(
    started: Started, collector: Collector, parent: bytes, traces: bool
) -> None:
    server, channel = started("inference", traces=collector.url if traces else None)
    expected = unary(channel, asks(GOOD))
    assert unary(channel, asks(GOOD, parent)) == expected
    assert streamed(channel, asks(GOOD, parent), asks(GOOD)) == [expected, expected]
    server.stop(1.0)
    spans = collector.spans(4 if traces else 0)
    assert [span.parent for span in spans] == [b""] * (4 if traces else 0)


@pytest.mark.parametrize("parent", ["x", "", "é" * 20, PARENT[:-1], f"{PARENT}-more", PARENT.upper()])
def test_metadata_that_are_no_parent_are_ignored(started: Started, collector: Collector, parent: str) -> None:
    server, channel = started("inference", traces=collector.url)
    try:
        unary(channel, asks(GOOD), ("traceparent", parent))
    except (grpc.RpcError, ValueError):
        assert not parent.isascii()  # a client of Python does not send it at all
        return
    server.stop(1.0)
    [span] = collector.spans(1)
    assert span.parent == b""
