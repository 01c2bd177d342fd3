"""What is carried to a cluster without internet: the manifests, and each image once."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataflows.deployment.bundle import images_of, write_bundle
from tests.dataflows.commands import latecomer
from tests.dataflows.deployment.obedient import FLINK, MANAGER, NAMESPACE, WORKERS, manifests


def pods(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "features", "namespace": "here"}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": spec}}}


def test_each_image_is_named_once_also_that_of_the_operators_job_and_of_what_runs_first() -> None:
    flink = {**FLINK, "spec": {**FLINK["spec"], "image": "job:1"}}  # type: ignore[dict-item]
    services = pods(containers=[{"image": "services:1"}, {"image": "b:1"}], initContainers=[{"image": "services:1"}])
    assert images_of(manifests(flink, services)) == ["b:1", "job:1", "services:1"]


def test_the_manifests_are_those_of_the_overlay_with_what_the_job_was_started_with(tmp_path: Path) -> None:
    write_bundle(manifests(NAMESPACE, MANAGER, WORKERS), tmp_path / "new" / "bundle")
    written = list(yaml.safe_load_all((tmp_path / "new" / "bundle" / "manifests.yaml").read_text()))
    assert [one["kind"] for one in written] == ["Namespace", "Job", "Deployment"]
    assert written[1]["metadata"].pop("annotations").keys() == {"latecomer/job"}
    del written[1]["metadata"]
    assert written[1:] == [{"kind": "Job", "spec": MANAGER["spec"]}, json.loads(json.dumps(WORKERS))]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on the PATH: see kubernetes.io/docs")
def test_the_command_writes_a_bundle_of_an_overlay_and_nothing_over_another(tmp_path: Path) -> None:
    options = ("--overlay", "local-operator", "--image", "registry.example:5000/team:1.2.3")
    finished = latecomer("deploy", "bundle", "carried", *options, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    images = (tmp_path / "carried" / "images.txt").read_text().splitlines()
    assert images == [f"registry.example:5000/team/{name}:1.2.3" for name in ("flink-job", "kafka", "python-services")]
    kinds = [one["kind"] for one in yaml.safe_load_all((tmp_path / "carried" / "manifests.yaml").read_text())]
    assert kinds[0] == "Namespace"
    assert "FlinkDeployment" in kinds
    again = latecomer("deploy", "bundle", "carried", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (2, b"latecomer: carried exists: name a new folder\n")
