"""A model of an Open Inference server: asked in batches, and again while it is away or being loaded."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from dataflows.pipeline.metrics import Metrics
from dataflows.services.answers import Answer, Prediction, Refusal
from dataflows.services.client import ServiceClient, Services
from dataflows.services.errors import MisfitError, ServiceError
from dataflows.settings import RunSettings
from runtime.errors import SettingsError
from tests.authority import Authority
from tests.dataflows.asking import EVALUATIONS, RPC
from tests.dataflows.open_server import OpenServer, Rule, Status, open_server, tensor

TENSOR = [tensor("window", "FP32", -1, 4)]
EACH = [tensor(f"sensor_{number}/v1", "FP64", -1, 1) for number in (1, 2, 3, 4)]
ONE = [tensor("window", "FP32", 1, 4)]

Asked = Callable[..., list[Answer]]


@pytest.fixture
def asked(features_address: str) -> Iterator[Callable[..., list[Answer]]]:
    with ExitStack() as stack:

        def ask(*servers: OpenServer, model: str = "drift", **changes: Any) -> list[Answer]:
            addresses = ",".join(stack.enter_context(open_server(server)) for server in servers)
            settings = RunSettings.of(**{"batch_windows": 8, "pause_ms": 1, "timeout_ms": 30_000, **changes})
            services = Services(features_address, f"oip://{addresses}/{model}")
            client = stack.enter_context(closing(ServiceClient(services, settings, Metrics())))
            client.check()
            return client.answers(EVALUATIONS)

        yield ask


def expected(right: list[Answer], version: str = "2") -> list[Answer]:
    """What the model says: the score of the original demo's model before its logistic function."""
    answers: list[Answer] = []
    for answer in right:
        assert isinstance(answer, Prediction)
        values = list(answer.features.values())
        score = 0.006 + sum(weight * value for weight, value in zip((0.03, 0.05, 0.01, 0.02), values, strict=True))
        result = {"score": f"{score:.9g}", "sign[0]": str(int(score > 0)), "sign[1]": str(int(score <= 0))}
        answers.append(Prediction(answer.features, f"drift/{version}", result))
    return answers


@RPC
@pytest.mark.parametrize(("inputs", "most"), [(TENSOR, 8), (EACH, 8), ([], 8), (ONE, 1)])
def test_each_window_has_its_prediction(
    asked: Asked, right: list[Answer], rpc: str, inputs: list[Any], most: int
) -> None:
    server = OpenServer(inputs)
    assert asked(server, rpc=rpc) == expected(right)
    rows = [one.inputs[0].shape[0] for one in server.calls]
    assert (sum(rows), max(rows)) == (len(EVALUATIONS), 1 if rpc == "unary" else most)


def test_a_version_is_asked_for_by_its_name(asked: Asked, right: list[Answer]) -> None:
    server = OpenServer(TENSOR)
    assert asked(server, model="drift/1") == expected(right, "1")
    assert {one.model_version for one in server.calls} == {"1"}


def test_servers_take_turns_and_one_that_is_away_costs_nothing(asked: Asked, right: list[Answer]) -> None:
    well, away = OpenServer(TENSOR), OpenServer(TENSOR, lambda *_: Status.UNAVAILABLE)
    other = OpenServer(TENSOR)
    assert asked(well, away, other, rpc="batch", batch_windows=2) == expected(right)
    assert len(well.calls) + len(other.calls) == 12
    assert min(len(well.calls), len(other.calls)) > 0


def failing(method: str, status: Status, times: int) -> Rule:
    return lambda name, number: status if name == method and number < times else None


@pytest.mark.parametrize("status", [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.UNAUTHENTICATED])
@pytest.mark.parametrize("method", ["ModelMetadata", "ModelInfer"])
def test_a_server_that_is_away_for_a_while_costs_nothing(
    asked: Asked, right: list[Answer], method: str, status: Status
) -> None:
    assert asked(OpenServer(TENSOR, failing(method, status, 2)), attempts=3) == expected(right)


@pytest.mark.parametrize("status", [Status.NOT_FOUND, Status.INVALID_ARGUMENT, Status.CANCELLED])
def test_a_model_that_is_being_loaded_refuses_nothing(asked: Asked, right: list[Answer], status: Status) -> None:
    """Eight rows are divided down to one: by then the model is still not ready, and then is."""
    server = OpenServer(TENSOR, failing("ModelInfer", status, 4), ready=[False, False, True])
    assert asked(server, attempts=4, in_flight=1) == expected(right)
    assert server.ready == [True]


def test_a_server_that_loads_its_models_is_asked_again_what_they_are(asked: Asked, right: list[Answer]) -> None:
    assert asked(OpenServer(TENSOR, failing("ModelMetadata", Status.NOT_FOUND, 2)), attempts=3) == expected(right)


def test_only_the_row_that_a_ready_model_refuses_is_refused(asked: Asked, right: list[Answer]) -> None:
    bad = expected(right)[5]
    assert isinstance(bad, Prediction)

    def spoil(answer: Any) -> None:
        if bad.result["score"] in [f"{one:.9g}" for one in answer.outputs[0].contents.fp64_contents]:
            raise ValueError("bad row")

    server = OpenServer(TENSOR, spoil=spoil)
    answers = asked(server)
    assert [row for row, answer in enumerate(answers) if isinstance(answer, Refusal)] == [5]
    refusal = answers[5]
    assert isinstance(refusal, Refusal)
    assert (refusal.service, refusal.status) == ("inference", "UNKNOWN")
    assert "bad row" in refusal.message
    assert [*answers[:5], *answers[6:]] == [*expected(right)[:5], *expected(right)[6:]]


def cut(answer: Any) -> None:
    answer.outputs[0].shape[0] += 1


def test_an_answer_of_another_shape_fails_the_run(asked: Asked) -> None:
    with pytest.raises(ServiceError, match=r"inference service at oip://\S+ answered an output score of 8 values"):
        asked(OpenServer(TENSOR, spoil=cut))


def test_what_does_not_fit_is_told_before_the_first_event(asked: Asked) -> None:
    for server, model, error, says in (
        (
            OpenServer([tensor("x", "FP32", -1, 3)]),
            "drift",
            MisfitError,
            "the model drift/2 takes 3 features in x: the",
        ),
        (OpenServer([tensor("x", "FP32", -1), *EACH]), "drift", MisfitError, "needs x, which the feature service has"),
        (OpenServer([tensor("x", "BYTES", -1)]), "drift", MisfitError, "cannot be asked: input x is BYTES"),
        (OpenServer(TENSOR), "other", ServiceError, "failed 2 attempts of up to 30s: NOT_FOUND: no model other"),
        (OpenServer(TENSOR, lambda *_: Status.INTERNAL), "drift", ServiceError, "its model: INTERNAL: as told"),
    ):
        with pytest.raises(error, match=says):
            asked(server, model=model, attempts=2)
        assert server.calls == []


def test_a_server_of_something_else_is_told(features_address: str, inference_address: str) -> None:
    services = Services(features_address, f"oip://{inference_address}/drift")
    with (
        closing(ServiceClient(services, RunSettings.of(), Metrics())) as client,
        pytest.raises(ServiceError, match=r"oip://\S+/drift is no Open Inference server"),
    ):
        client.check()


def test_a_secured_server_is_asked_while_the_feature_service_is_plain(
    tmp_path: Path, features_address: str, right: list[Answer]
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    chain, key = Path(pair.cert).read_bytes(), Path(pair.key).read_bytes()
    with open_server(OpenServer(TENSOR), grpc.ssl_server_credentials([(key, chain)])) as address:
        settings = RunSettings.of(inference=f"oips://{address}/drift", tls_ca=authority.path)
        services = Services(f"grpc://{features_address}", f"oips://{address}/drift")
        with closing(ServiceClient(services, settings, Metrics())) as client:
            assert client.answers(EVALUATIONS) == expected(right)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inference": "oip://a:1"}, "--inference must be oip://HOST:PORT/MODEL, or with a version behind it, not"),
        ({"inference": "oip://a/m"}, "--inference must be HOST:PORT"),
        ({"inference": "oip://a:1/m/1/x"}, "--inference must be oip://HOST:PORT/MODEL"),
        ({"inference": "oips://a:1/m"}, "--inference oips:// needs --tls-ca"),
        ({"features": "oip://a:1/m"}, "--features must be HOST:PORT"),
        ({"inference": "oip://a:1/m", "model": "x"}, "--model is for a service that the run starts"),
        ({"inference": "oip://a:1/m", "tls_ca": "x"}, "--tls-ca needs --features"),
        ({"features": "a:1", "tls_ca": "x"}, "--tls-ca needs --inference"),
    ],
)
def test_what_is_no_address_of_a_model_is_said_at_once(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        RunSettings.of(**changes)
    assert str(refused.value).startswith(says)
