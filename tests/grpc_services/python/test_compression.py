"""Compressed requests: refused unless the server was told to take them, and bounded where it was."""

import grpc
import pytest

from grpc_services.python.server import start
from grpc_services.python.settings import ServerSettings
from grpc_services.python.stubs.latecomer.v1 import batch_pb2_grpc
from tests.grpc_services.python.messages import demo_window, matrix_of, on_stream, window_batch

REQUEST = window_batch([demo_window()] * 20)
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


@pytest.fixture
def stub():
    server = start(ServerSettings.of("features", port=0, compression="gzip", max_message_bytes=REQUEST.ByteSize()))
    with grpc.insecure_channel(server.address, OPTIONS, grpc.Compression.Gzip) as channel:
        yield batch_pb2_grpc.FeatureServiceStub(channel)
    server.stop(0.0)


def test_compressed_requests_are_answered_as_others_on_every_kind_of_call(stub, features_channel):
    expected = matrix_of(batch_pb2_grpc.FeatureServiceStub(features_channel).EngineerFeatures(REQUEST))
    assert matrix_of(stub.EngineerFeatures(REQUEST)) == expected
    assert [matrix_of(answer) for answer in stub.StreamFeatures(on_stream([REQUEST] * 3))] == [expected] * 3


def test_a_compressed_request_is_measured_as_it_is_once_unpacked(stub):
    larger = window_batch([demo_window()] * 21)
    with pytest.raises(grpc.RpcError) as refused:
        stub.EngineerFeatures(larger)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.RpcError) as refused:
        list(stub.StreamFeatures(iter([larger])))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_server_that_was_not_told_to_takes_no_compressed_request(started):
    server, _ = started("features")
    with grpc.insecure_channel(server.address, OPTIONS, grpc.Compression.Gzip) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures(REQUEST)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
