"""The client against services that answer what cannot be right, and the requests that it cuts for them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from struct import pack
from threading import Event as Flag
from typing import Any

import pytest

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Answer
from dataflows.services.client import ServiceClient, Services
from dataflows.services.errors import ServiceError
from dataflows.settings import RunSettings
from grpc_services.python.stubs.latecomer.v1.batch_pb2 import RowError
from tests.dataflows.asking import EVALUATIONS, RPC, SERVICE, Bench, as_it_should, told
from tests.dataflows.misbehaving import Status, misbehaving


@RPC
@SERVICE
def test_bytes_that_are_no_answer_fail_the_run(bench: Bench, rpc: str, service: str) -> None:
    with pytest.raises(ServiceError, match=f"the {service} service at .* answered 3 bytes that are no "):
        bench.asked(**told(service, lambda *_: b"\xff\xff\xff"), rpc=rpc)


def fewer_rows(answer: Any) -> None:
    answer.rows -= 1


def fewer_values(answer: Any) -> None:
    if hasattr(answer, "values"):
        answer.values = answer.values[:-4]
    else:
        del answer.value[-1]


def more_rows(answer: Any) -> None:
    answer.rows += 1
    if hasattr(answer, "values"):
        answer.values += pack("<4f", 1, 2, 3, 4)
    else:
        answer.value.append("0.5")


def error_in_no_row(answer: Any) -> None:
    answer.error.append(RowError(row=8, code=3))


def nothing(answer: Any) -> None:
    answer.Clear()


@pytest.mark.parametrize("rpc", ["batch", "stream"])
@SERVICE
@pytest.mark.parametrize("change", [fewer_rows, fewer_values, more_rows, error_in_no_row, nothing])
def test_an_answer_that_does_not_fit_the_question_fails_the_run(
    bench: Bench, rpc: str, service: str, change: Callable[[Any], None]
) -> None:
    with pytest.raises(ServiceError, match=f"the {service} service at .* answered "):
        bench.asked(**told(service, lambda *_: change), rpc=rpc)


def test_requests_are_cut_to_the_windows_that_are_set(bench: Bench, right: list[Answer]) -> None:
    assert bench.asked(batch_windows=5) == right
    sizes = [request.rows for request in bench.inference.called("Predict")]
    assert sorted(sizes) == [4, 5, 5, 5, 5]  # several are under way at once


def test_a_server_with_a_small_limit_gets_smaller_requests(bench: Bench, right: list[Answer]) -> None:
    def limited(name: str, request: Any, number: int) -> Status | None:
        return Status.RESOURCE_EXHAUSTED if request.ByteSize() > 1_500 else None

    assert bench.asked(limited, limited, batch_windows=24) == right


def test_several_addresses_take_turns(bench: Bench, right: list[Answer]) -> None:
    client = bench.client()
    client.close()
    settings = RunSettings.of(rpc="batch", batch_windows=1, in_flight=2)
    with ExitStack() as stack:
        other = stack.enter_context(misbehaving(bench.features.address, as_it_should))
        services = Services(f"{bench.features.address},{other.address}", bench.inference.address)
        client = stack.enter_context(closing(ServiceClient(services, settings, Metrics())))
        assert client.answers(EVALUATIONS) == right
        assert client.answers(EVALUATIONS) == right
        assert other.called("EngineerFeatures")


def test_retries_are_counted_by_service_and_status(bench: Bench, right: list[Answer]) -> None:
    def away_once(name: str, request: object, number: int) -> Status | None:
        return Status.UNAVAILABLE if number == 0 else None

    assert bench.asked(inference=away_once, batch_windows=24) == right
    assert bench.metrics.value("latecomer_retries_total", service="inference", status="UNAVAILABLE") == 1


def test_nothing_is_asked_about_nothing(bench: Bench) -> None:
    client = bench.client()
    assert client.answers([]) == []
    assert bench.features.calls == []


@pytest.mark.parametrize(
    ("rpc", "method"), [("batch", "EngineerFeatures"), ("stream", "Describe"), ("stream", "StreamFeatures")]
)
def test_closing_ends_what_is_under_way(bench: Bench, rpc: str, method: str) -> None:
    reached = Flag()

    def silent(name: str, request: object, number: int) -> Status | None:
        if name != method:
            return None
        reached.set()
        return bench.features.never()

    client = bench.client(silent, rpc=rpc, timeout_ms=86_400_000)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.answers, EVALUATIONS)
        assert reached.wait(60)
        client.close()
        with pytest.raises(ServiceError, match="the run has ended"):
            asking.result(60)
