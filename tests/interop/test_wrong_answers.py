"""Both clients tell what a service answers against its contract, and lose nothing of it in silence."""

from typing import Any

import pytest

from grpc_services.python.stubs.latecomer.v1.batch_pb2 import RowError
from grpc_services.python.stubs.mlpipeline_pb2 import Feature, FeatureList
from tests.dataflows.misbehaving import Rule, misbehaving
from tests.interop.commands import asked
from tests.interop.conftest import JavaClient


def twice(name: str, request: Any, number: int) -> Any:
    """A feature that is named twice."""
    if name == "engineerFeatures":
        feature = Feature(name="sensor_1/v1")
        return FeatureList(feature=[feature, feature]).SerializeToString()
    return lambda answer: answer.name.__setitem__(1, answer.name[0])


def failed_with_ok(name: str, request: Any, number: int) -> Any:
    """A row that failed with the status OK."""
    return lambda answer: answer.error.append(RowError(row=0, code=0, message="all is well"))


def steered(name: str, request: Any, number: int) -> Any:
    """A message that would clear the screen, turn the direction of the text round and add a line."""
    return lambda answer: answer.error.append(RowError(row=0, code=3, message="pump\x1b[2J\u202e7\nall is well"))


def named_to_steer(name: str, request: Any, number: int) -> Any:
    """A name that would do so, twice."""
    feature = Feature(name="a\x9b2J")
    return FeatureList(feature=[feature, feature]).SerializeToString()


@pytest.mark.parametrize("client", ["python", "java"])
@pytest.mark.parametrize(
    ("way", "rule", "told"),
    [
        ("unary", twice, "INTERNAL: feature: sensor_1/v1 is repeated"),
        ("batch", twice, "INTERNAL: feature: sensor_1/v1 is repeated"),
        ("stream", twice, "INTERNAL: feature: sensor_1/v1 is repeated"),
        ("batch", failed_with_ok, "UNKNOWN: all is well"),
        ("stream", failed_with_ok, "UNKNOWN: all is well"),
        ("batch", steered, r"INVALID_ARGUMENT: pump\u001b[2J\u202e7\u000aall is well"),
        ("stream", steered, r"INVALID_ARGUMENT: pump\u001b[2J\u202e7\u000aall is well"),
        ("unary", named_to_steer, r"INTERNAL: feature: a\u009b2J is repeated"),
    ],
)
def test_an_answer_against_the_contract_is_one_line(
    client: str,
    way: str,
    rule: Rule,
    told: str,
    servers: dict[tuple[str, str, str], str],
    java_client: JavaClient,
) -> None:
    ask = asked if client == "python" else java_client.asked
    with misbehaving(servers["python", "features", "plain"], rule) as features:
        status, out, err = ask(features.address, servers["python", "inference", "plain"], "--rpc", way)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.endswith(f"{told}\n")
    assert "features service" in err
