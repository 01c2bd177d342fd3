"""What is read of an operator's ``.status.error``, which is JSON in recent versions."""

import json
from typing import Any

import pytest

from dataflows.deployment.flink_operator import started_from, words_of_operator

CRASHING = {
    "type": "org.apache.flink.kubernetes.operator.exception.DeploymentFailedException",
    "message": "back-off 20s restarting failed container=flink-main-container",
    "additionalMetadata": {"reason": "CrashLoopBackOff"},
    "throwableList": [],
}
NESTED = {
    "type": "a.ReconciliationException",
    "message": "a.b.C: outer one",
    "throwableList": [{"type": "a.D", "message": "middle"}, {"type": "a.E", "message": "disk is\n full"}],
}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({}, None),
        ({"error": None}, None),
        ({"error": json.dumps(CRASHING)}, ("back-off 20s restarting failed container=flink-main-container", False)),
        ({"error": json.dumps(NESTED), "lifecycleState": "FAILED"}, ("disk is full", True)),
        ({"error": json.dumps({"type": "a.ValidationException", "message": "no such mode"})}, ("no such mode", True)),
        ({"error": "a.b.ValidationException: no such mode"}, ("no such mode", True)),
        ({"error": '"plain"', "lifecycleState": "STABLE"}, ('"plain"', False)),
        ({"error": json.dumps({"type": "a.Silent", "message": None})}, ("a.Silent", False)),
    ],
)
def test_the_innermost_cause_is_said_and_whether_waiting_helps(
    status: dict[str, Any], said: tuple[str, bool] | None
) -> None:
    assert words_of_operator({"status": status}) == said


def test_no_deployment_says_nothing() -> None:
    assert words_of_operator(None) is None
    assert words_of_operator({}) is None


def test_only_the_job_is_told_where_to_start() -> None:
    service = {"kind": "Service", "spec": {}}
    flink = {"kind": "FlinkDeployment", "spec": {"job": {"state": "running"}}}
    assert started_from(service, "s3://a", is_running=False) is service
    for nothing in (None, ""):
        assert started_from(flink, nothing, is_running=True) is flink
    assert started_from(flink, "s3://a", is_running=False)["spec"]["job"] == {
        "state": "running",
        "initialSavepointPath": "s3://a",
    }
