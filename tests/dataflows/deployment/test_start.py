"""What the ConfigMap ``latecomer-start`` holds from one start to the next."""

from typing import Any

import pytest

from dataflows.deployment.kubectl import DeployError
from dataflows.deployment.start import Start, kept_start, start_from, where_to_start
from tests.dataflows.deployment.obedient import CLAIM, Obedient, kept

OURS = {"taken-for-this-start": "true"}
REMEMBERED = {
    "kind": "ConfigMap",
    "metadata": {"name": "ha", "labels": {"app": "latecomer", "configmap-type": "high-availability"}},
    "data": {"checkpointID-0000000000000000007": "..."},
}


def written(*objects: dict[str, Any], path: str, is_ours: bool) -> dict[str, str]:
    cluster = Obedient(*objects)
    start_from(cluster, path, is_ours=is_ours)
    return dict(cluster.applied.get("latecomer-start", {}).get("data", {}))


def test_a_savepoint_that_was_taken_for_a_start_is_noted_for_removal_by_the_next() -> None:
    assert written(path="b", is_ours=True) == {"path": "b", **OURS}
    assert written(kept(path="a", **OURS), path="b", is_ours=True) == {"path": "b", "replaced": "a", **OURS}
    replaced = kept(path="b", replaced="a", **OURS)
    assert written(replaced, path="c", is_ours=True) == {"path": "c", "replaced": "a\nb", **OURS}


def test_one_that_a_user_names_is_never_removed_and_removes_none() -> None:
    assert written(kept(path="a"), path="b", is_ours=True) == {"path": "b", **OURS}
    assert written(kept(path="a", **OURS), path="b", is_ours=False) == {"path": "b"}


def test_the_same_start_is_written_once() -> None:
    assert written(kept(path="a", **OURS), path="a", is_ours=False) == {}


def test_a_start_that_the_operator_has_noted_serves_no_other_job() -> None:
    assert Start("a", True, ("z",)).used() == Start(None, False, ("a",))
    assert Start("a").used() == Start()
    assert kept_start(Obedient()) == Start()


@pytest.mark.parametrize(
    ("objects", "uses_operator", "start"),
    [
        ((), True, None),
        ((CLAIM, kept(path="a")), True, "a"),
        ((CLAIM, kept(path="")), False, ""),
        ((CLAIM, REMEMBERED), False, None),  # Flink goes on by itself
        ((CLAIM, REMEMBERED, kept(path="a")), False, None),  # from there, and not from before
        ((CLAIM, REMEMBERED), True, DeployError),  # under another id: it would not
        ((REMEMBERED,), True, DeployError),
        ((CLAIM, kept(replaced="a")), True, DeployError),
    ],
)
def test_a_job_resumes_begins_or_is_refused_by_what_is_there(
    objects: tuple[dict[str, Any], ...], uses_operator: bool, start: Any
) -> None:
    cluster = Obedient(*objects)
    if start is DeployError:
        with pytest.raises(DeployError, match="--from-nothing"):
            where_to_start(cluster, None, from_nothing=False, uses_operator=uses_operator)
    else:
        assert where_to_start(cluster, None, from_nothing=False, uses_operator=uses_operator) == start
    assert where_to_start(cluster, "b", from_nothing=False, uses_operator=uses_operator) == "b"
    assert where_to_start(cluster, None, from_nothing=True, uses_operator=uses_operator) == ""
