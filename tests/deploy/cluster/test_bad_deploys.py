"""A deployment that goes wrong says where the state is, and what is deployed next resumes from there."""

import re

import pytest

from tests.deploy.cluster.pipeline import Pipeline

SAVEPOINT = re.compile(
    r"latecomer: pod \S+ has ended \d+ times: .*there is no such topic.*; "
    r"the job was stopped, and its state is in (\S+): when that is fixed, run "
    r"`latecomer deploy upgrade --from-savepoint (\S+)`"
)


def produce(pipeline: Pipeline, seed: int) -> None:
    """Some events."""
    command = (*pipeline.fleet(), "--devices", "7")
    pipeline.tool(*command, "--duration", "1h", "--seed", str(seed))


@pytest.mark.timeout(1_800)
def test_a_bad_upgrade_says_where_the_state_is_and_another_goes_on(pipeline: Pipeline) -> None:
    produce(pipeline, 21)
    assert pipeline.compared().is_equal
    line = pipeline.refused("upgrade", "--set", "input=kafka://kafka:9092/nothing", "--timeout", "8m")
    found = SAVEPOINT.fullmatch(line)
    assert found is not None, line
    assert found[1] == found[2]
    produce(pipeline, 22)
    pipeline.deploy("upgrade", "--from-savepoint", found[1], "--timeout", "8m")
    comparison = pipeline.compared()
    assert comparison.is_equal, comparison


@pytest.mark.timeout(1_800)
def test_what_is_deleted_without_its_state_goes_on_when_it_is_applied_again(pipeline: Pipeline) -> None:
    produce(pipeline, 23)
    assert pipeline.compared().is_equal
    pipeline.deploy("delete")
    pods = pipeline.kubectl.labelled("pods", "app.kubernetes.io/part-of=latecomer")
    assert [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]] == []
    pipeline.deploy("apply", "--timeout", "8m")
    produce(pipeline, 24)
    comparison = pipeline.compared()
    assert comparison.is_equal, comparison
    assert "checkpoint" in pipeline.deploy("status")


def test_a_job_that_would_change_is_not_applied_over_a_running_one(pipeline: Pipeline) -> None:
    line = pipeline.refused("apply", "--set", "tick=7m")
    assert line == "latecomer: the job would change, which needs a savepoint: use `latecomer deploy upgrade`"
    savepoint = "file:///var/lib/latecomer/savepoints/none"
    assert "`latecomer deploy upgrade`" in pipeline.refused("apply", "--from-savepoint", savepoint)


def test_an_overlay_of_the_other_way_is_refused_and_the_job_goes_on(pipeline: Pipeline) -> None:
    for command in ("status", "upgrade", "delete"):
        line = pipeline.refused(command, "--overlay", "local-operator")
        assert "runs without an operator (job latecomer-jobmanager)" in line or "has no FlinkDeployment" in line, (
            command
        )
    pipeline.refused("apply", "--overlay", "local-operator")
    produce(pipeline, 25)
    comparison = pipeline.compared()
    assert comparison.is_equal, comparison


@pytest.mark.timeout(1_800)
def test_of_each_upgrade_but_the_last_nothing_is_left(pipeline: Pipeline) -> None:
    for windows in (64, 128, 64):
        pipeline.deploy("upgrade", "--set", f"batch-windows={windows}", "--timeout", "8m")
    assert pipeline.leftovers() == {"savepoints": 1, "settings": 1}
    pipeline.deploy("upgrade", "--timeout", "8m")
