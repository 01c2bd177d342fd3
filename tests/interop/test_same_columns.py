"""Columns, kept on a stream or sent in a call, are answered by both languages byte for byte alike, faults included."""

from collections.abc import Iterator
from contextlib import ExitStack
from queue import Queue
from random import Random

import grpc
import pytest

from dataflows.services.embedded import embedded_service
from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from grpc_services.python.stubs.latecomer.v1 import batch_pb2, batch_pb2_grpc
from tests.interop.columns import Requests

SENSORS = ("temperature", "pressure?", "door?")
COLUMN_BYTES = 40_000
"""Of a stream: some of its columns find no room."""

LIMIT_S = 60


@pytest.fixture(scope="module")
def stubs(jar: object) -> Iterator[list[batch_pb2_grpc.FeatureServiceStub]]:
    """A Python server and a Java one."""
    bytes_of = {"column_bytes": 2 * COLUMN_BYTES, "stream_column_bytes": COLUMN_BYTES}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in bytes_of.items()]
    with ExitStack() as ends:
        server = start(ServerSettings.of("features", port=0, sensors=SENSORS, **bytes_of))
        ends.callback(server.stop, 0.0)
        java = embedded_service("features", "--language", "java", f"--sensors={','.join(SENSORS)}", *options)
        addresses = [f"localhost:{server.port}", ends.enter_context(java)]
        channels = [ends.enter_context(grpc.insecure_channel(address)) for address in addresses]
        yield [batch_pb2_grpc.FeatureServiceStub(channel) for channel in channels]


def said(error: grpc.RpcError) -> str:
    return f"{error.code().name}: {error.details()}"


def called(stub: batch_pb2_grpc.FeatureServiceStub, request: batch_pb2.WindowBatch) -> object:
    try:
        return stub.EngineerFeatures(request, timeout=LIMIT_S)
    except grpc.RpcError as error:
        return said(error)


class Stream:
    """A stream on which each request waits for its answer."""

    def __init__(self, stub: batch_pb2_grpc.FeatureServiceStub) -> None:
        self._requests: Queue[batch_pb2.WindowBatch | None] = Queue()
        self._answers = stub.StreamFeatures(iter(self._requests.get, None), timeout=LIMIT_S)

    def ask(self, request: batch_pb2.WindowBatch) -> object:
        self._requests.put(request)
        try:
            return next(self._answers)
        except grpc.RpcError as error:
            return said(error)

    def end(self) -> None:
        self._requests.put(None)
        self._answers.cancel()


def requests(seed: int, fault: float) -> Requests:
    return Requests(SENSORS, Random(seed), fault, decades=(0, 13, 70)[seed % 3])


def test_both_describe_themselves_alike(stubs: list[batch_pb2_grpc.FeatureServiceStub]) -> None:
    python, java = (stub.Describe(batch_pb2.DescribeRequest(), timeout=LIMIT_S) for stub in stubs)
    assert python == java
    assert python.feature == ["mean_temperature/v1", "mean_pressure/v1", "mean_door/v1"]
    assert python.column_bytes == COLUMN_BYTES


def test_calls_are_answered_alike(stubs: list[batch_pb2_grpc.FeatureServiceStub]) -> None:
    refused = 0
    for seed in range(200):
        request = requests(seed, fault=0.01).next(is_first=True)
        python, java = (called(stub, request) for stub in stubs)
        assert python == java
        refused += isinstance(python, str)
    assert 15 < refused < 150


@pytest.mark.parametrize("fault", [0, 0.002])
def test_streams_are_answered_alike(stubs: list[batch_pb2_grpc.FeatureServiceStub], fault: float) -> None:
    answered, codes = 0, set()
    for seed in range(20):
        streams = [Stream(stub) for stub in stubs]
        sent = requests(seed, fault)
        for number in range(25):
            request = sent.next(is_first=number == 0)
            python, java = (stream.ask(request) for stream in streams)
            assert python == java
            if isinstance(python, str):
                assert fault
                break
            answered += 1
            codes |= {error.code for error in python.error}
        for stream in streams:
            stream.end()
    assert answered > 150
    if not fault:
        assert codes == {grpc.StatusCode.INVALID_ARGUMENT.value[0], grpc.StatusCode.NOT_FOUND.value[0]}
