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


@pytest.mark.parametrize("client", ["python", "java"])
@pytest.mark.parametrize(
    ("way", "rule", "told"),
    [
        ("unary", twice, "INTERNAL: feature: sensor_1/v1 is repeated"),
        ("batch", twice, "INTERNAL: feature: sensor_1/v1 is repeated"),
        ("stream", twice, "INTERNAL: feature: sensor_1/v1 is repeated"),
        ("batch", failed_with_ok, "UNKNOWN: all is well"),
        ("stream", failed_with_ok, "UNKNOWN: all is well"),
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
