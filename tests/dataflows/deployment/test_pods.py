"""Why a pod does not come up, of the statuses that a cluster gives."""

from typing import Any

import pytest

from dataflows.deployment.pods import last_warning, restarts, trouble
from tests.dataflows.deployment.cluster_of_objects import ClusterOfObjects, pod


def waiting(reason: str, **more: str) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, **more}}}


def crashed(times: int = 3, **ended: Any) -> dict[str, Any]:
    """A container that has ended so often, as it is between two starts."""
    state = waiting("CrashLoopBackOff")["state"]
    return {"restartCount": times, "state": state, "lastState": {"terminated": {"exitCode": 1, **ended}}}


def why(*pods: dict[str, Any], **logs: str) -> str | None:
    return trouble(ClusterOfObjects(*pods, logs=logs), list(pods))


@pytest.mark.parametrize(
    "reason",
    ["ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"],
)
def test_what_waiting_does_not_cure_is_told_with_its_message(reason: str) -> None:
    assert why(pod("a"), pod("b", waiting(reason, message="for this"))) == f"pod b: {reason}: for this"


def test_without_a_message_the_image_is_told() -> None:
    assert why(pod("a", waiting("ErrImageNeverPull"))) == "pod a: ErrImageNeverPull: latecomer/flink-job:1"


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "ErrImagePull", "CrashLoopBackOff"])
def test_what_may_pass_is_waited_for(reason: str) -> None:
    assert why(pod("a", waiting(reason))) is None


def test_a_pod_that_is_being_deleted_is_not_looked_at() -> None:
    assert why(pod("a", waiting("ImagePullBackOff"), deletionTimestamp="2026-11-29T06:00:00Z")) is None


def test_the_third_end_of_a_container_is_trouble_and_the_second_is_not() -> None:
    assert why(pod("a", crashed(2, message="latecomer: no"))) is None
    assert why(pod("a", crashed(3, message="latecomer: no"))) == "pod a has ended 3 times: latecomer: no"


def test_a_container_that_is_ready_again_or_has_succeeded_is_no_trouble() -> None:
    assert why(pod("a", {**crashed(), "ready": True})) is None
    assert why(pod("a", {**crashed(), "state": {"terminated": {"exitCode": 0}}})) is None


def test_an_init_container_is_looked_at_like_the_others() -> None:
    one = pod("a", {"ready": True, "restartCount": 2})
    one["status"]["initContainerStatuses"] = pod("a", crashed(3, message="inference: no model"))["status"][
        "containerStatuses"
    ]
    assert why(one) == "pod a has ended 3 times: inference: no model"
    assert restarts(one) == 5


def test_a_pod_without_statuses_has_no_restarts() -> None:
    assert restarts({"status": {}}) == 0


def test_memory_is_told_in_place_of_the_last_words() -> None:
    said = why(pod("a", crashed(reason="OOMKilled", message="latecomer: no")))
    assert said is not None
    assert said.startswith("pod a has ended 3 times: OOMKilled: ")


@pytest.mark.parametrize(
    ("logs", "words"),
    [
        ("starting\nfeatures: no such model\n\n", "features: no such model"),
        ("latecomer: --tick is wrong\nand then the shell\n", "latecomer: --tick is wrong"),
        ("first\nsecond\n  \n", "second"),
        ("java.io.IOException: disk is full\n\tat a.b(C.java:1)\n\t... 5 more\n", "disk is full"),
    ],
)
def test_the_last_words_of_a_container_are_those_of_its_log(logs: str, words: str) -> None:
    assert why(pod("a", crashed()), a=logs) == f"pod a has ended 3 times: {words}"


def test_the_message_of_the_end_goes_before_the_log() -> None:
    assert why(pod("a", crashed(message="latecomer: no")), a="latecomer: other") == (
        "pod a has ended 3 times: latecomer: no"
    )


@pytest.mark.parametrize("logs", [{}, {"a": " \n"}])
def test_without_a_word_the_exit_status_is_told(logs: dict[str, str]) -> None:
    said = why(pod("a", crashed(exitCode=137)), **logs)
    assert said is not None
    assert "exit status 137" in said


def test_a_container_that_ended_just_now_is_asked_for_its_present_end() -> None:
    ended = {"restartCount": 4, "state": {"terminated": {"exitCode": 2, "message": "latecomer: now"}}}
    assert why(pod("a", ended)) == "pod a has ended 4 times: latecomer: now"


def event(name: str, message: str, made: str, last: str | None = None) -> dict[str, Any]:
    return {
        "kind": "Event",
        "involvedObject": {"kind": "Pod", "name": name},
        "message": message,
        "lastTimestamp": last,
        "metadata": {"creationTimestamp": made},
    }


def test_the_last_warning_is_the_latest_about_what_is_asked_for() -> None:
    cluster = ClusterOfObjects(
        event("kafka-0", "old", "2026-11-29T06:00:00Z", "2026-11-29T06:01:00Z"),
        event("kafka-0", "no room", "2026-11-29T05:00:00Z", "2026-11-29T06:03:00Z"),
        event("kafka-0", "never repeated", "2026-11-29T06:02:00Z"),
        event("other", "newest", "2026-11-29T06:09:00Z"),
    )
    assert last_warning(cluster, ["features", "kafka"]) == "pod kafka-0: no room"
    assert last_warning(cluster, ["features"]) is None
