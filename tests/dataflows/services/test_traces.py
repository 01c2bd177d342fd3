"""What a client traces where services misbehave: each attempt, with how it ended."""

from contextlib import closing

import pytest

from dataflows.pipeline.prediction_step import PredictionStep
from dataflows.services.answers import Answer
from runtime.opened_traces import opened_traces
from tests.collector import Collector, ReceivedSpan
from tests.dataflows.asking import EVALUATIONS, RPC, SERVICE, Bench, told
from tests.dataflows.misbehaving import Status
from window_core import DEMO_SENSORS

OK = 0


def traced(bench: Bench, collector: Collector, rpc: str, **rules: object) -> list[ReceivedSpan]:
    """The spans of one batch."""
    with closing(opened_traces(collector.url, "test", pytest.fail)) as bench.traces:
        client = bench.client(**rules, rpc=rpc)
        step = PredictionStep(client, DEMO_SENSORS, bench.metrics, bench.traces)
        step.records([(evaluation, None) for evaluation in EVALUATIONS])
        client.close()
    return list(collector.spans())


def statuses(spans: list[ReceivedSpan], of_service: str) -> list[int]:
    """Of the requests to a service that are about windows, in the order in which they ended."""
    asked = [span for span in spans if of_service in span.name.lower() and span.attributes["latecomer.windows"]]
    return [span.attributes["rpc.grpc.status_code"] for span in asked]


SERVICE_NAMES = {"features": "feature", "inference": "predict"}


@RPC
@SERVICE
def test_each_attempt_has_a_span_with_its_status(bench: Bench, collector: Collector, rpc: str, service: str) -> None:
    def away_once(name: str, request: object, number: int) -> Status | None:
        return Status.UNAVAILABLE if number == 0 else None

    spans = traced(bench, collector, rpc, **told(service, away_once))
    [batch] = [span for span in spans if span.name == "batch"]
    assert {span.trace for span in spans} == {batch.trace}
    assert {span.parent for span in spans if span is not batch} == {batch.id}
    found = statuses(spans, SERVICE_NAMES[service])
    assert Status.UNAVAILABLE.value[0] in found
    assert [span.is_error for span in spans if span is not batch] == [
        span.attributes["rpc.grpc.status_code"] != OK for span in spans if span is not batch
    ]
    answered = sum(
        span.attributes["latecomer.windows"]
        for span in spans
        if SERVICE_NAMES[service] in span.name.lower() and span.attributes["rpc.grpc.status_code"] == OK
    )
    assert answered == len(EVALUATIONS)


def test_a_request_of_a_stream_that_is_overdue_ends_by_its_deadline(bench: Bench, collector: Collector) -> None:
    def hangs_at_first(name: str, request: object, number: int) -> Status | None:
        return bench.features.never() if name == "StreamFeatures" and number == 0 else None

    with closing(opened_traces(collector.url, "test", pytest.fail)) as bench.traces:
        client = bench.client(hangs_at_first, rpc="stream", timeout_ms=300)
        client.answers(EVALUATIONS)
        client.close()
        bench.features.ended.set()
    found = statuses(list(collector.spans()), "streamfeatures")
    assert Status.DEADLINE_EXCEEDED.value[0] in found


@RPC
def test_the_requests_of_an_untraced_client_name_nobody(bench: Bench, right: list[Answer], rpc: str) -> None:
    assert bench.asked(rpc=rpc) == right
    requests = [request for _, request in (*bench.features.calls, *bench.inference.calls)]
    assert requests
    assert not any(getattr(request, "trace_parent", b"") for request in requests)


def test_the_requests_of_streams_name_their_spans(bench: Bench, collector: Collector) -> None:
    spans = traced(bench, collector, "stream")
    for server, name in ((bench.features, "StreamFeatures"), (bench.inference, "StreamPredictions")):
        named = {request.trace_parent.decode()[:52] for request in server.called(name)}  # without the flags
        sent = {f"00-{span.trace.hex()}-{span.id.hex()}" for span in spans if span.name.endswith(f"/{name}")}
        assert named == sent
        assert named
