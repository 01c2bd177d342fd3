"""What a cluster lacks is said in one line: before anything is applied, or in place of a wait for what cannot come."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.conftest import ROOT
from tests.dataflows.commands import Finished, latecomer, one_line

NAMESPACE = f"latecomer-trial-{uuid4().hex[:6]}"
COMPONENTS = ROOT / "deploy" / "kubernetes" / "components"


@pytest.fixture
def namespace(cluster: list[str]) -> Iterator[str]:
    yield NAMESPACE
    subprocess.run([*cluster, "delete", "namespace", NAMESPACE, "--ignore-not-found"], check=True, capture_output=True)


@pytest.fixture
def without_crd(cluster: list[str], flink_crd: dict[str, Any]) -> Iterator[str]:
    """The name of the definition, which the cluster does not have, and has not afterwards."""
    name = flink_crd["metadata"]["name"]
    if subprocess.run([*cluster, "get", "crd", name], capture_output=True, check=False).returncode == 0:
        pytest.skip("the cluster has a Flink Kubernetes Operator: what is said without one cannot be seen on it")
    yield name
    subprocess.run([*cluster, "delete", "crd", name, "--ignore-not-found"], check=True, capture_output=True)


def deployed(cluster: list[str], folder: Path, *options: str, overlay: str = "local") -> Finished:
    context = [word for word in cluster if word.startswith("--context")]
    command = ("deploy", "apply", "--overlay", overlay, "--namespace", NAMESPACE, "--timeout", "3m")
    return latecomer(*command, *context, *options, cwd=folder)


def an_overlay(folder: Path, *components: str, more: dict[str, Any] | None = None) -> str:
    """The local overlay's parts with others: an overlay of one's own."""
    kubernetes = folder / "kubernetes"
    if not kubernetes.is_dir():
        latecomer("deploy", "manifests", str(kubernetes), cwd=folder)
    mine = kubernetes / "overlays" / "mine"
    mine.mkdir(exist_ok=True)
    (mine / "namespace.yaml").write_text((kubernetes / "overlays" / "local" / "namespace.yaml").read_text())
    kustomization = {
        "resources": ["namespace.yaml", "../../base"],
        "components": [f"../../components/{name}" for name in components],
        "namespace": "latecomer",
        **(more or {}),
    }
    (mine / "kustomization.yaml").write_text(json.dumps(kustomization))
    return str(mine)


def said(finished: Finished) -> str:
    assert (finished.returncode, finished.stdout) == (1, b""), finished.stderr
    return one_line(finished.stderr)


def test_a_cluster_without_the_operator_is_named(cluster: list[str], without_crd: str, tmp_path: Path) -> None:
    line = said(deployed(cluster, tmp_path, overlay="production"))
    assert f"the cluster has no FlinkDeployment (CRD {without_crd}): install the Flink Kubernetes Operator" in line


def test_an_operator_that_does_not_know_the_version_of_flink_is_named(
    cluster: list[str], without_crd: str, flink_crd: dict[str, Any], tmp_path: Path
) -> None:
    old = deepcopy(flink_crd)
    for version in old["spec"]["versions"]:
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["flinkVersion"]["enum"].remove("v2_3")
    apply = [*cluster, "apply", "--server-side", "--filename=-"]
    subprocess.run(apply, input=json.dumps(old), text=True, check=True, capture_output=True)
    line = said(deployed(cluster, tmp_path, overlay=an_overlay(tmp_path)))
    assert "ends at flinkVersion v1_20, and the job needs v2_3" in line
    [command] = re.findall("`kubectl (.*?)`", line)
    subprocess.run([*cluster, *shlex.split(command)], check=True, capture_output=True)
    line = said(deployed(cluster, tmp_path, overlay=an_overlay(tmp_path, "tls")))
    assert "flinkVersion" not in line  # the Secrets are next


def test_missing_secrets_are_named_with_their_keys(cluster: list[str], namespace: str, tmp_path: Path) -> None:
    overlay = an_overlay(tmp_path, "tls", "tokens", "without-operator")
    line = said(deployed(cluster, tmp_path, overlay=overlay))
    for name in ("secret features-tls", "secret inference-tls", "secret latecomer-job-tls", "latecomer-token-issuer"):
        assert name in line
    assert f"there is no namespace {namespace}" in line
    subprocess.run([*cluster, "create", "namespace", namespace], check=True, capture_output=True)
    line = said(deployed(cluster, tmp_path, overlay=overlay))
    assert f"namespace {namespace} has no " in line
    create = [*cluster, f"--namespace={namespace}", "create"]
    for name in ("features-tls", "inference-tls", "latecomer-job-tls"):
        subprocess.run([*create, "secret", "generic", name], check=True, capture_output=True)
    subprocess.run([*create, "secret", "generic", "latecomer-token-issuer", "--from-literal=issuer=a"], check=True)
    line = said(deployed(cluster, tmp_path, overlay=overlay))
    assert line.endswith(f"the secret latecomer-token-issuer in namespace {namespace} has no jwks.json")
    listed = subprocess.run([*cluster, f"--namespace={namespace}", "get", "pods,pvc"], capture_output=True, check=True)
    assert listed.stdout == b""  # nothing was applied


def test_an_image_that_is_not_there_is_named(cluster: list[str], namespace: str, tmp_path: Path) -> None:
    finished = deployed(cluster, tmp_path, "--image", "no-such-registry.invalid/latecomer:9.9.9")
    assert finished.returncode == 1
    line = finished.stderr.decode().splitlines()[-1]
    assert line.startswith("latecomer: pod ")
    assert "ImagePullBackOff" in line
    assert "no-such-registry.invalid/latecomer/" in line


def test_a_service_that_ends_says_its_last_line(cluster: list[str], namespace: str, tmp_path: Path) -> None:
    wrong = {"name": "latecomer-services", "behavior": "merge", "literals": ["LATECOMER_SERVE_DRAIN=soon"]}
    overlay = an_overlay(tmp_path, "kafka", "without-operator", more={"secretGenerator": [wrong]})
    finished = deployed(cluster, tmp_path, overlay=overlay)
    assert finished.returncode == 1
    line = finished.stderr.decode().splitlines()[-1]
    if "ImagePullBackOff" in line or "ErrImage" in line:
        pytest.skip("the cluster has no images of the project: build them and load them, see docs/kubernetes.md")
    assert "'soon' is not a duration" in line
