"""Features and a model of a user's own in an image on top of ours: six sensors, and every output compared.

The image is built by the command in ``LATECOMER_TEST_BUILD``, which gets a tag and a folder with a Dockerfile, and
leaves the image in the cluster: for kind, ``sh -c 'docker build -t $0 $1 && kind load docker-image $0'``.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dataflows.deployment.kubectl import Kubectl
from dataflows.deployment.manifests import copied_to
from tests.deploy.cluster.conftest import IMAGES, applied
from tests.deploy.cluster.pipeline import Pipeline, write_overlay
from tests.plain_model import plain_model
from window_core import Sensors

SENSORS = ("celsius", "bar", "vibration", "ampere", "volt", "humidity")
IMAGE = "own-services:1"

DOCKERFILE = f"""\
FROM {IMAGES[1]}
COPY fleet.py model.json /opt/fleet/
ENV PYTHONPATH=/opt/latecomer:/opt/fleet
"""

FLEET = f"""\
from grpc_services.python.features import batch_feature


def mean_of(sensor):
    return batch_feature(f"mean_{{sensor}}/v1")(lambda windows: windows.mean(sensor))


FEATURES = tuple(map(mean_of, {SENSORS!r}))
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The image, in the cluster."""
    build = os.environ.get("LATECOMER_TEST_BUILD")
    if not build:
        pytest.skip("LATECOMER_TEST_BUILD names no command that builds an image into the cluster from a TAG and a DIR")
    folder = tmp_path_factory.mktemp("image")
    model = plain_model(Sensors.of(SENSORS)).artifact
    for name, text in (("Dockerfile", DOCKERFILE), ("fleet.py", FLEET), ("model.json", model)):
        (folder / name).write_text(text)
    subprocess.run([*shlex.split(build), IMAGE, str(folder)], check=True, timeout=600)


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the page about Kubernetes has for features and models of one's own."""
    kubernetes = tmp_path_factory.mktemp("own") / "kubernetes"
    copied_to(kubernetes)
    overlay = write_overlay(kubernetes, "own", "kafka", "without-operator")
    names = ",".join(SENSORS)
    features = [f"LATECOMER_SERVE_SENSORS={names}", "LATECOMER_SERVE_FEATURES_FROM=fleet:FEATURES"]
    top = {
        "resources": ["../own"],
        "configMapGenerator": [merged("latecomer-settings", f"LATECOMER_RUN_SENSORS={names}")],
        "secretGenerator": [
            merged("latecomer-features", *features),
            merged("latecomer-inference", "LATECOMER_SERVE_MODEL=/opt/fleet/model.json"),
        ],
        "images": [{"name": "latecomer/python-services", "newName": IMAGE.partition(":")[0], "newTag": "1"}],
    }
    (overlay.parent / "top").mkdir()
    (overlay.parent / "top" / "kustomization.yaml").write_text(yaml.safe_dump(top))
    return overlay.parent / "top"


def merged(name: str, *literals: str) -> dict[str, object]:
    return {"name": name, "behavior": "merge", "literals": list(literals)}


@pytest.fixture(scope="module")
def own(kubectl: Kubectl, image: None, overlay: Path) -> Iterator[Pipeline]:
    """The pipeline with services of its own."""
    with applied(overlay, sensors=Sensors.of(SENSORS)) as pipeline:
        yield pipeline


@pytest.mark.timeout(1_800)
def test_features_and_a_model_of_ones_own_give_what_the_core_gives(own: Pipeline, report: list[str]) -> None:
    produce = (*own.fleet(), "--devices", "30")
    own.tool(*produce, "--sensors", ",".join(SENSORS))
    comparison = own.compared()
    report.append(f"six sensors, features and a model of one's own: {comparison}")
    assert comparison["expected"] > 5_000
    assert comparison.is_equal, comparison
