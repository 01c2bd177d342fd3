"""What is wrong with a deployment is said in one line, before anything is applied."""

import os
import shutil
from pathlib import Path

import pytest

from tests.dataflows.commands import Finished, latecomer, latecomer_here, one_line

needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not on the PATH: https://kubernetes.io/docs/tasks/tools/"
)

NOWHERE = """
apiVersion: v1
kind: Config
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: nobody, user: {token: none}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
current-context: nowhere
"""


def refused(finished: Finished, status: int) -> str:
    assert (finished.returncode, finished.stdout) == (status, b"")
    line = one_line(finished.stderr)
    assert line.startswith("latecomer: ")
    return line.removeprefix("latecomer: ")


@pytest.mark.parametrize("command", ["render", "apply", "upgrade", "status", "delete"])
def test_a_missing_kubectl_is_said(tmp_path: Path, command: str) -> None:
    finished = latecomer("deploy", command, cwd=tmp_path, PATH=str(tmp_path))
    assert refused(finished, 2).startswith("kubectl is not on the PATH: install it")


@needs_kubectl
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ("--overlay", "nowhere"),
            "--overlay nowhere: neither one of local, local-operator, production, nor a folder with",
        ),
        (("--overlay", "."), "--overlay .: neither one of"),
        (("--namespace", "No_Such"), "--namespace No_Such: must be lower-case letters, digits and -"),
        (("--image", "a b"), "--image a b: write TAG, or REGISTRY/PATH:TAG"),
        (("--image", ":"), "--image :: write TAG"),
        (("--set", "tick"), "--set tick: write NAME=VALUE"),
        (("--set", "tock=5m"), "--set tock: there is no such setting"),
        (("--set", "tick=soon"), "'soon' is not a duration"),
        (("--set", "tick=-5m"), "'-5m' is not a duration"),
        (("--set", "interval=0"), "--interval must be above 0"),
        (("--set", "idle-after=8d"), "--forget-after is 7d, below"),
        (("--set", "rpc=pigeon"), "'pigeon' is not one of"),
        (("--set", "max-events=many"), "'many' is not a valid integer"),
        (("--set", "bounded=perhaps"), "'--bounded': 'perhaps' is not a valid boolean"),
        (("--set", "features="), "--features must be HOST:PORT"),
        (("--set", "features=nonsense"), "--features must be HOST:PORT"),
        (("--set", "input=events.jsonl"), "--input must be a topic on a cluster"),
        (("--set", "output=-"), "--output must be a topic on a cluster"),
        (("--set", "rejections=kafka://a:1/"), "--rejections must be written kafka://"),
        (("--set", "state=/tmp/state"), "--state is for runs on one machine"),
        (("--set", "heartbeat=5s"), "--heartbeat is not for the job on a cluster: add the component heartbeats"),
        (("--set", "token-file=/token"), "--token-file needs --tls-ca"),
        (("--set", "batch-windows=0"), "--batch-windows must be above 0"),
    ],
)
@pytest.mark.parametrize("command", ["render", "apply"])
def test_a_wrong_option_or_setting_is_named(
    tmp_path: Path, command: str, options: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATECOMER_RUN_TICK", "never")  # what is set on this machine is not the job's
    finished = latecomer_here("deploy", command, *options, cwd=tmp_path)
    assert says in refused(finished, 2)


@needs_kubectl
def test_a_broken_overlay_of_ones_own_is_named(tmp_path: Path) -> None:
    for text, says in (
        ("resources: [missing.yaml]\n", "missing.yaml"),
        ("resources: 7\n", "kustomize"),
        ("configMapGenerator: [{name: other, literals: [a=b]}]\nnamespace: one\n", "no ConfigMap latecomer-settings"),
    ):
        (tmp_path / "kustomization.yaml").write_text(text)
        finished = latecomer_here("deploy", "render", "--overlay", str(tmp_path), cwd=tmp_path)
        line = refused(finished, finished.returncode)
        assert finished.returncode in (1, 2)
        assert says in line


@needs_kubectl
@pytest.mark.parametrize("command", ["apply", "upgrade", "status", "delete"])
def test_a_cluster_that_does_not_answer_is_said(tmp_path: Path, command: str) -> None:
    (tmp_path / "kubeconfig").write_text(NOWHERE)
    finished = latecomer("deploy", command, cwd=tmp_path, KUBECONFIG=str(tmp_path / "kubeconfig"))
    line = refused(finished, 1)
    assert line.startswith("no cluster answers; see `kubectl config get-contexts`: ")
    assert "127.0.0.1:1" in line


@needs_kubectl
def test_a_context_that_does_not_exist_is_said(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text(NOWHERE)
    variables = {"KUBECONFIG": str(tmp_path / "kubeconfig")}
    finished = latecomer("deploy", "apply", "--context", "elsewhere", cwd=tmp_path, **variables)
    assert refused(finished, 2).startswith("--context")


@needs_kubectl
def test_what_is_set_is_rendered(tmp_path: Path) -> None:
    options = ["--namespace", "mine", "--image", "registry.example:5000/team:1.2.3", "--set", "tick=1m"]
    finished = latecomer("deploy", "render", *options, "--set", "LATECOMER_RUN_MAX_EVENTS=7", cwd=tmp_path)
    text = finished.stdout.decode()
    assert finished.returncode == 0
    assert "LATECOMER_RUN_TICK: 1m\n" in text
    assert 'LATECOMER_RUN_MAX_EVENTS: "7"\n' in text
    assert "image: registry.example:5000/team/flink-job:1.2.3\n" in text
    assert "namespace: mine\n" in text
    assert "namespace: latecomer\n" not in text
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing is left behind
