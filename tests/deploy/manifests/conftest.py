"""Schemas and checkers, fetched on first use; what the machine lacks is named."""

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.first_use import one_by_one
from tests.conftest import ROOT
from tests.environments import made_environment

OPERATOR = "org.apache.flink:flink-kubernetes-operator-api:1.10.0"
"""The newest that is published as an artifact of its own; its list of Flink's versions ends before 2.x."""

CRD = "META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"
FETCHED = ROOT / "target" / "manifests"


@pytest.fixture(scope="session", autouse=True)
def kubectl() -> str:
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("kubectl is not on the PATH: install it, see https://kubernetes.io/docs/tasks/tools/")
    return found


@pytest.fixture(scope="session")
def flink_crd() -> dict[str, Any]:
    """The operator's own definition of a FlinkDeployment, with the version of Flink that operator 1.15 adds."""
    name = "{1}-{2}.jar".format(*OPERATOR.split(":"))
    jar = FETCHED / name
    if shutil.which("mvn") is None and not jar.is_file():
        pytest.skip("mvn is not on the PATH: install Maven, which fetches the operator's definitions")
    FETCHED.mkdir(parents=True, exist_ok=True)
    with one_by_one(jar.with_suffix(".lock")):
        if not jar.is_file():
            command = ["mvn", "--batch-mode", "--quiet", "dependency:copy", f"-Dartifact={OPERATOR}"]
            subprocess.run([*command, f"-DoutputDirectory={FETCHED}"], check=True, cwd=ROOT)
    definition: dict[str, Any] = yaml.safe_load(zipfile.ZipFile(jar).read(CRD))
    for version in definition["spec"]["versions"]:
        spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        spec["flinkVersion"]["enum"].append("v2_3")
    return definition


@pytest.fixture(scope="session")
def checkers() -> Path:
    """The programs of the environment for checkers, which is made on first use."""
    return made_environment("checks") / "bin"


@pytest.fixture(scope="session")
def cluster() -> list[str]:
    """kubectl with the context of the cluster that tests may use."""
    wanted = os.environ.get("LATECOMER_TEST_CLUSTER")
    if not wanted:
        pytest.skip(
            "LATECOMER_TEST_CLUSTER names no cluster: set it to a context of kubectl, or to 1 for the current one"
        )
    return ["kubectl", *([] if re.fullmatch("1|true|yes", wanted) else [f"--context={wanted}"])]
