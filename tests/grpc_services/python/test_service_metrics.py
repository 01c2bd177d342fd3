"""A server counts calls by status, windows, and the time of each answer, on streams too."""

from collections.abc import Callable
from threading import Event as Flag

import grpc
import pytest

from grpc_services.python.server import RunningServer
from grpc_services.python.stubs import mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2_grpc
from tests.grpc_services.python.messages import demo_window, event_list, on_stream, window_batch


def test_calls_windows_and_answers_are_counted(started: Callable[..., tuple[RunningServer, grpc.Channel]]) -> None:
    server, channel = started("features")
    batches = batch_pb2_grpc.FeatureServiceStub(channel)
    original = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel)
    batch, stream, unary = (
        "/latecomer.v1.FeatureService/EngineerFeatures",
        "/latecomer.v1.FeatureService/StreamFeatures",
        "/mlpipeline.FeatureEngineeringService/engineerFeatures",
    )
    may_end = Flag()

    def requests():
        yield from on_stream([window_batch([demo_window()] * 2), window_batch([demo_window()])])
        may_end.wait(30)

    batches.EngineerFeatures(window_batch([demo_window()] * 3))
    original.engineerFeatures(event_list(demo_window()))
    with pytest.raises(grpc.RpcError):
        original.engineerFeatures(event_list([]))
    answers = batches.StreamFeatures(requests())
    next(answers)
    next(answers)

    def value(name: str, **labels: str) -> float | None:
        return server.metrics.registry.get_sample_value(name, labels)

    assert value("latecomer_service_calls_running") == 1
    may_end.set()
    assert list(answers) == []
    server.stop(5.0)  # a call is counted when its handler has ended
    assert value("latecomer_service_calls_running") == 0
    for method, windows, answered in ((batch, 3, 1), (stream, 3, 2), (unary, 2, 1)):
        assert value("latecomer_service_windows_total", method=method) == windows
        assert value("latecomer_service_answer_seconds_count", method=method) == answered
        assert value("latecomer_service_calls_total", method=method, status="OK") == 1
    assert value("latecomer_service_calls_total", method=unary, status="INVALID_ARGUMENT") == 1
