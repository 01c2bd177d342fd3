"""A deployment that goes wrong says where the state is, and what is deployed next resumes from there."""

import re
import subprocess
import sys

import pytest

from tests.deploy.cluster.pipeline import GIVE_UP_S, Pipeline

SAVEPOINT = re.compile(
    r"latecomer: pod \S+ has ended \d+ times: .*there is no such topic.*; "
    r"the job was stopped, and its state is in (\S+): when that is fixed, run "
    r"`latecomer deploy upgrade --from-savepoint (\S+)`"
)


def produce(pipeline: Pipeline, seed: int) -> None:
    """Some events of devices that no other test has."""
    command = ("latecomer", "produce", "--output", "kafka://kafka:9092/raw-events", "--devices", "7")
    pipeline.tool(*command, "--duration", "1h", "--seed", str(seed))


def refused(pipeline: Pipeline, *options: str) -> str:
    """The last line of a deployment that fails."""
    where = ["--namespace", pipeline.namespace, *([] if pipeline.context is None else ["--context", pipeline.context])]
    command = [sys.executable, "-m", "dataflows.command_line", "deploy", *options, *where]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=GIVE_UP_S, check=False)
    assert ended.returncode == 1, ended.stderr
    return ended.stderr.splitlines()[-1]


@pytest.mark.timeout(900)
def test_a_bad_upgrade_says_where_the_state_is_and_another_goes_on(pipeline: Pipeline) -> None:
    produce(pipeline, 21)
    assert pipeline.compared().is_equal
    line = refused(pipeline, "upgrade", "--set", "input=kafka://kafka:9092/nothing", "--timeout", "3m")
    found = SAVEPOINT.fullmatch(line)
    assert found is not None, line
    assert found[1] == found[2]
    produce(pipeline, 22)
    pipeline.deploy("upgrade", "--from-savepoint", found[1], "--timeout", "3m")
    comparison = pipeline.compared()
    assert comparison.is_equal, comparison


@pytest.mark.timeout(900)
def test_what_is_deleted_without_its_state_goes_on_when_it_is_applied_again(pipeline: Pipeline) -> None:
    produce(pipeline, 23)
    assert pipeline.compared().is_equal
    pipeline.deploy("delete")
    pods = pipeline.kubectl.labelled("pods", "app.kubernetes.io/part-of=latecomer")
    assert [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]] == []
    pipeline.deploy("apply", "--timeout", "3m")
    produce(pipeline, 24)
    comparison = pipeline.compared()
    assert comparison.is_equal, comparison
    assert "checkpoint" in pipeline.deploy("status")


def test_a_job_that_would_change_is_not_applied_over_a_running_one(pipeline: Pipeline) -> None:
    line = refused(pipeline, "apply", "--set", "tick=7m")
    assert line == "latecomer: the job would change, which needs a savepoint: use `latecomer deploy upgrade`"
    savepoint = "file:///var/lib/latecomer/savepoints/none"
    assert "`latecomer deploy upgrade`" in refused(pipeline, "apply", "--from-savepoint", savepoint)
