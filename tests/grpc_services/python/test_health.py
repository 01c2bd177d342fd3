"""Health while watchers come, go and are told."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
LIMIT_S = 60
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


def is_busy(error: BaseException) -> bool:
    """Whether the server said "not now": it notices a little later that a watcher has gone."""
    codes = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    return isinstance(error, grpc.RpcError) and error.code() in codes


answered = retry(retry=retry_if_exception(is_busy), stop=stop_after_delay(LIMIT_S), wait=wait_fixed(0.01), reraise=True)
"""Asks until there is an answer."""


@answered
def watching(stub: health_pb2_grpc.HealthStub) -> grpc.Call:
    """A watcher that was told that the server serves."""
    call = stub.Watch(health_pb2.HealthCheckRequest(), timeout=LIMIT_S)
    assert next(call).status == SERVING
    return call


def test_watchers_that_come_and_go_never_stop_the_server(started):
    _, channel = started("features")
    stub = health_pb2_grpc.HealthStub(channel)

    @answered
    def watch(_: int) -> int:
        call = stub.Watch(health_pb2.HealthCheckRequest(), timeout=LIMIT_S)
        try:
            return next(call).status
        finally:
            call.cancel()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(watch, range(2_000))) == {SERVING}
    assert answered(stub.Check)(health_pb2.HealthCheckRequest(), timeout=LIMIT_S).status == SERVING


def test_watchers_are_told_of_the_end_however_many_go_at_that_moment(started):
    server, channel = started("inference", drain_delay_ms=0)
    stub = health_pb2_grpc.HealthStub(channel)
    channels = [grpc.insecure_channel(server.address, OWN_CONNECTION) for _ in range(12)]
    stubs = [health_pb2_grpc.HealthStub(one) for one in channels]
    calls = [watching(one) for one in stubs for _ in range(8)]
    going = threading.Thread(target=lambda: [call.cancel() for call in calls[::2]])
    going.start()
    server.stop_being_healthy()
    going.join()
    for call in calls[1::2]:
        assert next(call).status == NOT_SERVING
    late = stub.Watch(health_pb2.HealthCheckRequest(), timeout=LIMIT_S)
    assert next(late).status == NOT_SERVING
    for one in channels:
        one.close()


def test_a_connection_may_watch_eight_times_at_once(started):
    server, channel = started("inference")
    stub = health_pb2_grpc.HealthStub(channel)
    watchers = [watching(stub) for _ in range(8)]
    with pytest.raises(grpc.RpcError) as refused:
        next(stub.Watch(health_pb2.HealthCheckRequest(), timeout=LIMIT_S))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert all(watcher.is_active() for watcher in watchers)
    with grpc.insecure_channel(server.address, OWN_CONNECTION) as other:
        assert next(health_pb2_grpc.HealthStub(other).Watch(health_pb2.HealthCheckRequest())).status == SERVING


def test_a_watcher_of_an_unknown_service_is_told_so_and_stays(started):
    _, channel = started("inference")
    stub = health_pb2_grpc.HealthStub(channel)
    call = stub.Watch(health_pb2.HealthCheckRequest(service="other"), timeout=LIMIT_S)
    assert next(call).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    call.cancel()
    with pytest.raises(grpc.RpcError) as ended:
        next(call)
    assert ended.value.code() is grpc.StatusCode.CANCELLED
