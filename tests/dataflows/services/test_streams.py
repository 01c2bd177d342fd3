"""Streams that keep columns, against real servers: what goes wrong with them changes no answer, and loses none."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Answer, Prediction
from dataflows.services.client import ServiceClient, Services
from dataflows.settings import RunSettings
from grpc_services.python.server import RunningServer, start
from grpc_services.python.settings import ServerSettings
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import FeatureServiceDescription, RowError, WindowBatch
from tests.dataflows.asking import Bench, as_it_should, told
from tests.dataflows.misbehaving import Status, misbehaving
from tests.dataflows.services.column_store import uint32s
from tests.dataflows.services.fleet import STEPS, Step, fleet
from window_core import DEMO_SENSORS, Evaluation

_RANDOM = Random(7)
STEADY: list[Step] = [
    (_RANDOM.randrange(4), 0 if _RANDOM.random() < 0.8 else -_RANDOM.randrange(1_500), 5) for _ in range(1_500)
]
"""Windows of about 100 events, a fifth of them late."""


@contextmanager
def client_of(features: str, inference: str, **changes: Any) -> Iterator[ServiceClient]:
    services = Services(features, inference)
    given = RunSettings.of(**{"rpc": "stream", "batch_windows": 16, "pause_ms": 1, "timeout_ms": 30_000, **changes})
    with closing(ServiceClient(services, given, Metrics())) as client:
        yield client


def batches(evaluations: list[Evaluation], size: int = 40) -> list[list[Evaluation]]:
    return [evaluations[at : at + size] for at in range(0, len(evaluations), size)]


@pytest.fixture(scope="module")
def evaluations() -> list[Evaluation]:
    return fleet(STEADY, DEMO_SENSORS)


@pytest.fixture(scope="module")
def expected(evaluations: list[Evaluation], features_address: str, inference_address: str) -> list[Answer]:
    """The answers of calls."""
    with client_of(features_address, inference_address, rpc="batch") as client:
        answers = client.answers(evaluations)
    assert all(isinstance(answer, Prediction) for answer in answers)
    return answers


def streamed(client: ServiceClient, evaluations: list[Evaluation]) -> list[Answer]:
    return [answer for part in batches(evaluations) for answer in client.answers(part)]


@settings(max_examples=25)
@given(STEPS)
def test_streams_answer_what_calls_answer(features_address: str, inference_address: str, steps: list[Step]) -> None:
    evaluations = fleet(steps, DEMO_SENSORS)
    with client_of(features_address, inference_address, rpc="batch") as client:
        expected = client.answers(evaluations)
    with client_of(features_address, inference_address, batch_windows=5) as client:
        assert [answer for part in batches(evaluations, 11) for answer in client.answers(part)] == expected


def test_a_stream_lives_as_long_as_the_client_and_an_event_crosses_once(
    bench: Bench, evaluations: list[Evaluation], expected: list[Answer]
) -> None:
    with_small_batches = bench.client(rpc="stream", batch_windows=16)
    assert streamed(with_small_batches, evaluations) == expected
    requests = bench.features.called("StreamFeatures")
    assert [bool(request.sensor) for request in requests] == [True] + [False] * (len(requests) - 1)
    assert not bench.features.called("EngineerFeatures")
    assert not bench.inference.called("Predict")
    rows = sum(len(request.times) // 8 + len(request.derived) for request in requests)
    assert rows < 2 * len(evaluations)  # a message whose columns are made of others of its own brings some rows again


def test_a_row_that_the_server_does_not_hold_is_asked_about_by_a_call_and_the_stream_goes_on(
    bench: Bench, evaluations: list[Evaluation], expected: list[Answer]
) -> None:
    def forgets(name: str, request: Any, number: int) -> Any:
        def spoil(answer: Any) -> None:
            answer.error.append(RowError(row=1, code=5, message="column: 1 is not held"))
            answer.values = answer.values[:16] + bytes(16) + answer.values[32:]

        return spoil if name == "StreamFeatures" and number % 3 == 1 and len(request.starts) > 4 else None

    assert streamed(bench.client(forgets, rpc="stream", batch_windows=16), evaluations) == expected
    assert bench.features.called("EngineerFeatures")
    assert sum(bool(request.sensor) for request in bench.features.called("StreamFeatures")) == 1


@pytest.mark.parametrize("room_bytes", [0, 10_000, 60_000])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_server_with_little_room_for_columns_answers_all_the_same(
    inference_address: str,
    evaluations: list[Evaluation],
    expected: list[Answer],
    room_bytes: int,
    is_told: bool,
) -> None:
    server = start(ServerSettings.of("features", port=0, column_bytes=room_bytes, stream_column_bytes=room_bytes))
    with ExitStack() as stack:
        stack.callback(server.stop, 0.0)
        peer = stack.enter_context(misbehaving(server.address, as_it_should))
        if not is_told:
            peer.description = FeatureServiceDescription(sensor=DEMO_SENSORS.declared, column_bytes=1 << 30)
        client = stack.enter_context(client_of(peer.address, inference_address))
        assert streamed(client, evaluations) == expected


@pytest.mark.parametrize("service", ["features", "inference"])
@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.UNAUTHENTICATED, Status.INVALID_ARGUMENT])
def test_a_stream_that_breaks_now_and_then_loses_nothing(
    bench: Bench, evaluations: list[Evaluation], expected: list[Answer], service: str, status: Status
) -> None:
    def breaks(name: str, request: object, number: int) -> Status | None:
        return status if name.startswith("Stream") and number in (5, 40) else None

    client = bench.client(**told(service, breaks), rpc="stream", batch_windows=16)
    assert streamed(client, evaluations) == expected
    if service == "features":
        begun = [bool(request.sensor) for request in bench.features.called("StreamFeatures")]
        assert any(begun[6:])


def test_a_server_that_cannot_hold_a_stream_is_not_asked_for_one_again_and_again(
    bench: Bench, evaluations: list[Evaluation], expected: list[Answer]
) -> None:
    def no_stream(name: str, request: object, number: int) -> Status | None:
        return Status.UNKNOWN if name.startswith("Stream") else None

    assert streamed(bench.client(no_stream, no_stream, rpc="stream"), evaluations) == expected
    assert len(bench.features.called("StreamFeatures")) <= 12  # two at once, then after pauses


@pytest.mark.parametrize("grace_s", [0.0, 5.0])
def test_a_server_that_is_restarted_costs_nothing(
    inference_address: str, evaluations: list[Evaluation], expected: list[Answer], grace_s: float
) -> None:
    server = start(ServerSettings.of("features", port=0))
    answers: list[Answer] = []
    with client_of(server.address, inference_address, attempts=20, pause_ms=20) as client:
        for number, part in enumerate(batches(evaluations)):
            if number % 10 == 9:
                server.stop(grace_s)
                server = start(ServerSettings.of("features", port=server.port))
            answers += client.answers(part)
    server.stop(0.0)
    assert answers == expected


def devices_of(requests: list[WindowBatch]) -> set[str]:
    return {device_id for request in requests for device_id in request.device_id}


def test_a_device_stays_with_one_of_several_servers_and_moves_when_it_is_gone(
    features_address: str, inference_address: str, evaluations: list[Evaluation], expected: list[Answer]
) -> None:
    servers: list[RunningServer] = []
    with ExitStack() as stack:
        peers = []
        for _ in range(2):
            servers.append(start(ServerSettings.of("features", port=0)))
            stack.callback(servers[-1].stop, 0.0)
            peers.append(stack.enter_context(misbehaving(servers[-1].address, as_it_should)))
        addresses = ",".join(peer.address for peer in peers)
        client = stack.enter_context(client_of(addresses, inference_address))
        half = len(evaluations) // 80 * 40
        answers = streamed(client, evaluations[:half])
        here, there = (devices_of(peer.called("StreamFeatures")) for peer in peers)
        assert here | there == {"d0", "d1", "d2", "d3"}
        assert not here & there
        servers[0].stop(0.0)
        answers += streamed(client, evaluations[half:])
        assert answers == expected
        assert devices_of(peers[1].called("StreamFeatures")) == {"d0", "d1", "d2", "d3"}


def test_requests_in_flight_are_bounded(bench: Bench, evaluations: list[Evaluation], expected: list[Answer]) -> None:
    most = 0

    def counted(name: str, request: object, number: int) -> None:
        nonlocal most
        if name == "StreamFeatures":
            most = max(most, number + 1 - len(bench.inference.called("StreamPredictions")))

    client = bench.client(counted, rpc="stream", batch_windows=16, in_flight=2)
    assert client.answers(evaluations) == expected
    assert most <= 4  # two with each service


def test_windows_of_one_message_belong_to_columns_that_were_defined(
    bench: Bench, evaluations: list[Evaluation], expected: list[Answer]
) -> None:
    assert streamed(bench.client(rpc="stream"), evaluations) == expected
    there: set[int] = set()
    for request in bench.features.called("StreamFeatures"):
        there |= set(uint32s(request.number)) | {derived.number for derived in request.derived}
        assert set(uint32s(request.window_number)) <= there
        there -= set(uint32s(request.dropped_number))
    assert len(there) <= 4  # the columns that others were made of are gone
