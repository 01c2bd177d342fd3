"""Callers who want to stop a Java server: good calls are answered meanwhile and afterwards, all of them."""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dataflows.services.embedded import embedded_service
from grpc_services.python.stubs import mlpipeline_pb2_grpc
from tests.grpc_services.python.messages import event_list, gzip_bomb
from tests.grpc_services.python.raw_http2 import RawCaller, grpc_message

UNARY = "/mlpipeline.FeatureEngineeringService/engineerFeatures"
STREAM = "/latecomer.v1.FeatureService/StreamFeatures"
WATCH = "/grpc.health.v1.Health/Watch"
LIMIT_S = 60
GOOD_CALLS = 10


@pytest.fixture(scope="module")
def port(jar: Path) -> Iterator[int]:
    with embedded_service("features", "--language", "java", "--compression", "gzip") as address:
        yield int(address.rpartition(":")[2])


def answers_good_calls(port: int) -> bool:
    """Whether all good calls are answered on a new connection; one that is not raises."""
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
        features, health = (
            mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel),
            health_pb2_grpc.HealthStub(channel),
        )
        for _ in range(GOOD_CALLS):
            features.engineerFeatures(event_list([(1, 1.0, 1.0, 1.0, 1.0)]), timeout=LIMIT_S)
            status = health.Check(health_pb2.HealthCheckRequest(), timeout=LIMIT_S).status
            assert status == health_pb2.HealthCheckResponse.SERVING
    return True


def test_twenty_thousand_watchers_on_two_hundred_connections_keep_nobody_out(port: int) -> None:
    with ExitStack() as ends:
        for _ in range(200):
            caller = ends.enter_context(RawCaller(port))
            for _ in range(100):
                caller.call(WATCH, grpc_message(b""), end=True)
        assert answers_good_calls(port)
    assert answers_good_calls(port)


@pytest.mark.parametrize("method", [UNARY, STREAM])
@pytest.mark.parametrize(
    "packed", [gzip_bomb(400), 50_000 * gzip.compress(b"")], ids=["400 MB of zeros", "members without number"]
)
def test_requests_that_are_packed_to_do_harm_keep_nobody_out(port: int, method: str, packed: bytes) -> None:
    with ExitStack() as ends:
        callers = [ends.enter_context(RawCaller(port)) for _ in range(8)]
        for caller in callers:
            caller.call(method, grpc_message(packed, packed=True), end=True, grpc_encoding="gzip")
        assert answers_good_calls(port)
        assert [caller.ended(1) for caller in callers] == [1] * 8
    assert answers_good_calls(port)
