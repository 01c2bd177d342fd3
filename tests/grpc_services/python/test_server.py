import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from unittest.mock import create_autospec

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from grpc_services.python.call_gate import CallGate
from grpc_services.python.errors import AbandonedError
from grpc_services.python.features import Window, feature
from grpc_services.python.server import ListenError, start
from grpc_services.python.settings import ServerSettings
from grpc_services.python.stubs import mlpipeline_pb2_grpc
from grpc_services.python.stubs.latecomer.v1 import batch_pb2_grpc
from tests.grpc_services.python.messages import event_list, matrix_of, on_stream, window_batch

ONE_EVENT = [(1, 1.0, 1.0, 1.0, 1.0)]
LIMIT_S = 60  # none of these tests waits for time to pass; one that hangs fails


class Held:
    """A feature that waits until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.released = threading.Event()
        self.feature = feature("held/v1")(self._value)

    def _value(self, window: Window) -> float:
        self.entered.release()
        assert self.released.wait(LIMIT_S)
        return 7.0


@pytest.fixture
def held():
    one = Held()
    yield one
    one.released.set()


def code_of(call) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return refused.value.code()


@pytest.mark.parametrize(
    ("service", "names"),
    [
        ("features", ["latecomer.v1.FeatureService", "mlpipeline.FeatureEngineeringService"]),
        ("inference", ["latecomer.v1.InferenceService", "mlpipeline.PredictionService"]),
    ],
)
def test_health_and_reflection_answer_for_each_service(started, service, names):
    _, channel = started(service)
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", *names):
        status = health.Check(health_pb2.HealthCheckRequest(service=name)).status
        assert status == health_pb2.HealthCheckResponse.SERVING
    assert code_of(lambda: health.Check(health_pb2.HealthCheckRequest(service="other"))) == grpc.StatusCode.NOT_FOUND
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    [answer] = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
    listed = [one.name for one in answer.list_services_response.service]
    assert set(listed) >= {*names, "grpc.health.v1.Health"}
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=names[0])
    [answer] = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
    assert answer.file_descriptor_response.file_descriptor_proto


def test_a_drain_finishes_the_call_that_runs(started, plugin, held):
    server, channel = started("features", features_from=plugin(held.feature))
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    stub = batch_pb2_grpc.FeatureServiceStub(channel)
    unary = stub.EngineerFeatures.future(window_batch([ONE_EVENT]))
    requests = queue.SimpleQueue()
    requests.put(window_batch([ONE_EVENT]))
    stream = stub.StreamFeatures(iter(requests.get, None))
    for _ in range(2):
        assert held.entered.acquire(timeout=LIMIT_S)
    with ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(server.stop)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.FutureTimeoutError):  # it is neither answered nor cut before it has finished
            unary.result(timeout=0.3)
        assert not stopping.done()
        held.released.set()
        assert matrix_of(unary.result(LIMIT_S)) == [[7.0]]
        assert matrix_of(next(stream)) == [[7.0]]
        assert stopping.result(LIMIT_S) is True
    assert code_of(lambda: next(stream)) == grpc.StatusCode.UNAVAILABLE
    assert code_of(lambda: stub.EngineerFeatures(window_batch([ONE_EVENT]))) == grpc.StatusCode.UNAVAILABLE
    requests.put(None)


def test_an_idle_stream_does_not_hold_a_drain_up(started):
    server, channel = started("features")
    requests = queue.SimpleQueue()
    requests.put(window_batch([ONE_EVENT]))
    stream = batch_pb2_grpc.FeatureServiceStub(channel).StreamFeatures(iter(requests.get, None))
    assert not next(stream).error
    stopping = threading.Thread(target=server.stop, args=(LIMIT_S * 60,), daemon=True)
    stopping.start()
    stopping.join(LIMIT_S)
    assert not stopping.is_alive()
    assert code_of(lambda: next(stream)) == grpc.StatusCode.UNAVAILABLE
    requests.put(None)


def test_a_call_that_outlasts_the_grace_is_cut(started, plugin, held):
    server, channel = started("features", features_from=plugin(held.feature))
    call = batch_pb2_grpc.FeatureServiceStub(channel).EngineerFeatures.future(window_batch([ONE_EVENT]))
    assert held.entered.acquire(timeout=LIMIT_S)
    assert server.stop(grace_s=0) is False
    assert call.exception(LIMIT_S).code() == grpc.StatusCode.UNAVAILABLE


def test_a_call_over_the_limit_is_unavailable_and_health_still_answers(started, plugin, held):
    _, channel = started("features", features_from=plugin(held.feature), max_concurrent_calls=1)
    stub = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel)
    first = stub.engineerFeatures.future(event_list(ONE_EVENT))
    assert held.entered.acquire(timeout=LIMIT_S)
    for _ in range(20):  # more than there are spare threads
        with pytest.raises(grpc.RpcError) as refused:
            stub.engineerFeatures(event_list(ONE_EVENT))
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert refused.value.details() == "the limit of 1 concurrent calls is reached"
    stream = batch_pb2_grpc.FeatureServiceStub(channel).StreamFeatures(iter([]))
    assert code_of(lambda: next(stream)) == grpc.StatusCode.UNAVAILABLE
    status = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status
    assert status == health_pb2.HealthCheckResponse.SERVING
    held.released.set()
    assert first.result(LIMIT_S).feature[0].value == 7.0
    assert stub.engineerFeatures(event_list(ONE_EVENT)).feature[0].value == 7.0


def test_a_stream_that_its_caller_ends_or_cancels_leaves_its_place(started):
    _, channel = started("features", max_concurrent_calls=1)
    stub = batch_pb2_grpc.FeatureServiceStub(channel)
    for _ in range(5):
        assert len(list(stub.StreamFeatures(on_stream([window_batch([ONE_EVENT])] * 3), wait_for_ready=True))) == 3


def test_a_call_that_nobody_waits_for_any_more_does_not_begin():
    gate = CallGate(1, 2, 1.0)
    gone = create_autospec(grpc.ServicerContext, instance=True)
    gone.add_callback.return_value = False
    for _ in range(2):  # its place is free again
        gate.let_in()
        with pytest.raises(AbandonedError), gate.call(gone):
            pytest.fail("it began")
    assert gate.wait_until_finished(0)
    assert gate.wait_until_left(0)


def test_a_request_over_the_limit_is_refused_and_one_at_it_is_answered(started):
    request = window_batch([ONE_EVENT] * 50)
    _, channel = started("features", max_message_bytes=request.ByteSize())
    stub = batch_pb2_grpc.FeatureServiceStub(channel)
    assert not stub.EngineerFeatures(request).error
    request.device_id[0] += "x"
    assert code_of(lambda: stub.EngineerFeatures(request)) == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_request_of_more_than_the_usual_limit_of_grpc_is_answered(started):
    _, channel = started("features")
    answer = mlpipeline_pb2_grpc.FeatureEngineeringServiceStub(channel).engineerFeatures(
        event_list(ONE_EVENT * 110_000)
    )
    assert [one.value for one in answer.feature] == [1.0] * 4


def test_a_port_that_is_taken_is_refused(started):
    server, _ = started("features")
    with pytest.raises(ListenError, match=f"^cannot listen on 127.0.0.1:{server.port}: Address already in use$"):
        start(ServerSettings.of("inference", port=server.port))


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_refused(host):
    with pytest.raises(ListenError, match=f"^cannot listen on {host}:0: .+$"):
        start(ServerSettings.of("features", host=host, port=0, allow_plain=True))


def test_many_callers_at_once_get_their_own_answers(started):
    _, channel = started("features")
    stub = batch_pb2_grpc.FeatureServiceStub(channel)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            stub.EngineerFeatures, (window_batch([[(1, float(number), 0, 0, 0)]]) for number in range(200))
        )
        assert [matrix_of(answer)[0][0] for answer in islice(answers, 200)] == [float(number) for number in range(200)]
