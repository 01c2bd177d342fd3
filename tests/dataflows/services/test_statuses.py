"""What a status means: asked again, divided until it stands alone, refused, or asked in another way."""

import math
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Answer, Refusal
from dataflows.services.client import ServiceClient, Services
from dataflows.services.errors import ServiceError
from dataflows.settings import RunSettings
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import DescribeRequest, FeatureBatch, RowError, WindowBatch
from grpc_services.python.stubs.mlpipeline_pb2 import Feature, FeatureList, RawEventList
from tests.dataflows.asking import EVALUATIONS, RPC, SERVICE, Bench, told
from tests.dataflows.misbehaving import Status


@RPC
@SERVICE
@pytest.mark.parametrize(
    "status", [Status.UNAVAILABLE, Status.UNAUTHENTICATED, Status.PERMISSION_DENIED, Status.DEADLINE_EXCEEDED]
)
def test_a_service_that_is_away_for_a_while_costs_nothing(
    bench: Bench, right: list[Answer], rpc: str, service: str, status: Status
) -> None:
    def away_twice(name: str, request: object, number: int) -> Status | None:
        return status if number < 2 else None

    assert bench.asked(**told(service, away_twice), rpc=rpc, attempts=3) == right


@RPC
@SERVICE
@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.UNAUTHENTICATED])
def test_a_service_that_stays_away_fails_the_run_and_says_which(
    bench: Bench, rpc: str, service: str, status: Status
) -> None:
    with pytest.raises(ServiceError, match=f"the {service} service .* failed 2 attempts .*{status.name}: as told"):
        bench.asked(**told(service, lambda *_: status), rpc=rpc, attempts=2)


@RPC
@SERVICE
def test_a_service_that_never_answers_fails_the_run_by_its_deadline(bench: Bench, rpc: str, service: str) -> None:
    def silent(name: str, request: object, number: int) -> Status:
        return getattr(bench, service).never()

    client = bench.client(**told(service, silent), rpc=rpc, attempts=2, timeout_ms=50, in_flight=2)
    answering = client._inference if service == "features" else client._features
    answering.service._timeout_ms = 60_000  # the deadline is for the silent one: a busy machine may hold up the other
    with pytest.raises(
        ServiceError, match=f"the {service} service .* failed 2 attempts of up to 50ms: DEADLINE_EXCEEDED"
    ):
        client.answers(EVALUATIONS)


def test_a_port_where_nobody_listens_fails_the_run(features_address: str) -> None:
    services = Services(features_address, "127.0.0.1:1")
    settings = RunSettings.of(attempts=2, pause_ms=1)
    with (
        closing(ServiceClient(services, settings, Metrics())) as client,
        pytest.raises(ServiceError, match="UNAVAILABLE"),
    ):
        client.answers(EVALUATIONS[:1])


def holds(request: Any, wanted: int) -> bool:
    """Whether a request of any method asks about the evaluation of this number."""
    if isinstance(request, WindowBatch):
        starts, ends = (np.frombuffer(bounds, "<u4") for bounds in (request.starts, request.ends))
        return EVALUATIONS[wanted].events in ends - starts
    if isinstance(request, RawEventList):
        return len(request.event) == EVALUATIONS[wanted].events
    # A window of n events 0, 1, .. n - 1 has the mean (n - 1) / 2.
    if isinstance(request, FeatureBatch):
        return wanted / 2 in np.frombuffer(request.values, "<f4").reshape(request.rows, -1)[:, 0]
    return not isinstance(request, DescribeRequest) and any(
        feature.name == "sensor_1/v1" and feature.value == wanted / 2 for feature in request.feature
    )


@RPC
@SERVICE
@pytest.mark.parametrize("bad", [{0}, {23}, {3, 4, 17}, set(range(24))])
@pytest.mark.parametrize("status", [Status.INVALID_ARGUMENT, Status.RESOURCE_EXHAUSTED, Status.INTERNAL])
def test_only_the_windows_that_cause_it_are_refused(
    bench: Bench, right: list[Answer], rpc: str, service: str, bad: set[int], status: Status
) -> None:
    def refuse(name: str, request: object, number: int) -> Status | None:
        return status if any(holds(request, wanted) for wanted in bad) else None

    expected = [Refusal(status.name, service, "as told") if row in bad else answer for row, answer in enumerate(right)]
    assert bench.asked(**told(service, refuse), rpc=rpc) == expected


@pytest.mark.parametrize("rpc", ["batch", "stream"])
@SERVICE
def test_a_row_that_fails_alone_is_refused_alone(bench: Bench, right: list[Answer], rpc: str, service: str) -> None:
    def spoil(answer: Any) -> None:
        answer.error.append(RowError(row=2, code=9, message="a row of its own"))

    refusal = Refusal("FAILED_PRECONDITION", service, "a row of its own")
    expected = [refusal if row % 8 == 2 else answer for row, answer in enumerate(right)]
    assert bench.asked(**told(service, lambda *_: spoil), rpc=rpc) == expected
    assert bench.features.called("engineerFeatures") == []


@pytest.mark.parametrize("rpc", ["batch", "stream"])
@SERVICE
@pytest.mark.parametrize("code", [0, 99, -1])
def test_a_row_that_fails_with_no_status_of_a_failure_is_refused_as_unknown(
    bench: Bench, right: list[Answer], rpc: str, service: str, code: int
) -> None:
    def spoil(answer: Any) -> None:
        answer.error.append(RowError(row=2, code=code))

    expected = [Refusal("UNKNOWN", service, "") if row % 8 == 2 else answer for row, answer in enumerate(right)]
    assert bench.asked(**told(service, lambda *_: spoil), rpc=rpc) == expected


@RPC
def test_a_feature_that_is_answered_twice_is_refused_and_not_lost(bench: Bench, rpc: str) -> None:
    def twice(name: str, request: Any, number: int) -> Any:
        if name == "engineerFeatures":
            return FeatureList(
                feature=[Feature(name="a/v1", value=1), Feature(name="a/v1", value=2)]
            ).SerializeToString()
        return lambda answer: answer.name.__setitem__(1, answer.name[0])

    answers = bench.asked(twice, rpc=rpc)
    name = "a/v1" if rpc == "unary" else "sensor_1/v1"
    assert answers == [Refusal("INTERNAL", "features", f"feature: {name} is repeated")] * len(EVALUATIONS)
    assert bench.inference.called("predict") == bench.inference.called("Predict") == []


@RPC
@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_feature_that_is_not_finite_is_refused_and_not_written_as_null(bench: Bench, rpc: str, wrong: float) -> None:
    """A model need not look at every feature: what it does not look at would stand in its prediction."""

    def extended(name: str, request: Any, number: int) -> Any:
        if name == "engineerFeatures":
            value = wrong if len(request.event) == EVALUATIONS[2].events else 5
            means = [Feature(name=f"sensor_{sensor}/v1", value=0) for sensor in range(1, 5)]
            return FeatureList(feature=[*means, Feature(name="a/v1", value=value)]).SerializeToString()

        def spoil(answer: Any) -> None:
            table = np.frombuffer(answer.values, "<f4").reshape(answer.rows, -1)
            asked = [wrong if mean == 1 else 5 for mean in table[:, 0]]
            answer.name.append("a/v1")
            answer.values = np.column_stack([table, np.array(asked, np.float32)]).astype("<f4").tobytes()

        return spoil

    answers = bench.asked(extended, rpc=rpc)
    assert answers[2] == Refusal("INTERNAL", "features", "feature: a/v1 is not finite")
    assert [row for row, answer in enumerate(answers) if isinstance(answer, Refusal)] == [2]


@pytest.mark.parametrize("rpc", ["batch", "stream"])
def test_a_result_that_is_answered_twice_is_refused_and_not_lost(bench: Bench, rpc: str) -> None:
    def twice(answer: Any) -> None:
        answer.key.append(answer.key[0])
        answer.value.extend(list(answer.value))

    answers = bench.asked(inference=lambda *_: twice, rpc=rpc)
    message = "result: logistic_regression_result is repeated"
    assert answers == [Refusal("INTERNAL", "inference", message)] * len(EVALUATIONS)


@SERVICE
def test_a_row_that_fails_for_a_while_is_asked_again_with_its_batch(
    bench: Bench, right: list[Answer], service: str
) -> None:
    def spoil(answer: Any) -> None:
        answer.error.append(RowError(row=1, code=14))

    assert bench.asked(**told(service, lambda name, request, number: spoil if number == 0 else None)) == right


def test_rows_that_fail_in_both_services_are_told_apart(bench: Bench, right: list[Answer]) -> None:
    def first(answer: Any) -> None:
        answer.error.append(RowError(row=0, code=3))

    answers = bench.asked(lambda *_: first, lambda *_: first, batch_windows=24)
    assert answers[:2] == [Refusal("INVALID_ARGUMENT", "features", ""), Refusal("INVALID_ARGUMENT", "inference", "")]
    assert answers[2:] == right[2:]


@pytest.mark.parametrize("rpc", ["batch", "stream"])
@pytest.mark.parametrize("known_for", [0, 1, 2])
@pytest.mark.parametrize("services", [{"features"}, {"inference"}, {"features", "inference"}])
def test_a_service_that_knows_one_window_at_a_time_only_is_asked_so(
    bench: Bench, right: list[Answer], rpc: str, known_for: int, services: set[str]
) -> None:
    def seed_only(name: str, request: object, number: int) -> Status | None:
        return Status.UNIMPLEMENTED if name[0].isupper() and number >= known_for else None

    assert bench.asked(**dict.fromkeys(services, seed_only), rpc=rpc) == right
    if known_for < 2:  # else a stream and a batch may have been enough
        assert bool(bench.features.called("engineerFeatures")) == ("features" in services)
        assert bool(bench.inference.called("predict")) == ("inference" in services)


def test_a_stream_that_is_not_known_falls_back_to_batches(bench: Bench, right: list[Answer]) -> None:
    def no_stream(name: str, request: object, number: int) -> Status | None:
        return Status.UNIMPLEMENTED if name.startswith("Stream") else None

    assert bench.asked(no_stream, no_stream, rpc="stream") == right
    assert not bench.features.called("engineerFeatures")


@SERVICE
def test_a_server_that_knows_no_method_is_no_such_service(bench: Bench, service: str) -> None:
    with pytest.raises(ServiceError, match=f"is no {service} service: it knows none of its methods"):
        bench.asked(**told(service, lambda *_: Status.UNIMPLEMENTED))
