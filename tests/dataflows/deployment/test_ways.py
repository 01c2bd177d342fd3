"""A cluster is asked in which way the job runs."""

import pytest

from dataflows.deployment.kubectl import DeployError
from dataflows.deployment.ways import check_way, running_job
from tests.dataflows.deployment.obedient import FLINK, MANAGER, Obedient, flink_deployment, manifests


class Without(Obedient):
    """A cluster that fails at each question about FlinkDeployments."""

    words = ""

    def run(self, *arguments: str, given: str | None = None, within_s: float = 60) -> str:
        if "flinkdeployment" in arguments:
            raise DeployError(f"kubectl get: {self.words}")
        return super().run(*arguments, given=given, within_s=within_s)


def test_a_job_of_the_same_way_or_none_passes() -> None:
    for wanted, job in ((FLINK, flink_deployment()), (MANAGER, MANAGER)):
        check_way(Obedient(job), manifests(wanted))
        check_way(Obedient(), manifests(wanted))


def test_the_other_way_is_told_with_its_object_and_how_to_change() -> None:
    with pytest.raises(DeployError, match=r"flinkdeployment latecomer\).*--overlay DIR; to change ways, .*delete"):
        check_way(Obedient(flink_deployment()), manifests(MANAGER))
    with pytest.raises(DeployError, match=r"without an operator \(job latecomer-jobmanager\)"):
        check_way(Obedient(MANAGER), manifests(FLINK))


@pytest.mark.parametrize(
    "words",
    [
        'the server doesn\'t have a resource type "flinkdeployment"',
        'Error from server (Forbidden): flinkdeployments.flink.apache.org "latecomer" is forbidden',
    ],
)
def test_a_cluster_without_the_operator_or_without_the_right_to_ask_has_no_job_of_it(words: str) -> None:
    cluster = Without(MANAGER)
    cluster.words = words
    check_way(cluster, manifests(MANAGER))


def test_a_cluster_that_does_not_answer_is_not_taken_for_an_empty_one() -> None:
    cluster = Without(MANAGER)
    cluster.words = "connection refused"
    with pytest.raises(DeployError, match="connection refused"):
        check_way(cluster, manifests(MANAGER))
    assert running_job(cluster, uses_operator=False) == MANAGER
