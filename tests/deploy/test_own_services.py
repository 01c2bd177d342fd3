"""Features and models of a user's own on a cluster: each setting reaches the service that takes it, and no other.

The overlays are those of the page about Kubernetes, rendered without a cluster.
"""

import re
import shutil
from base64 import b64decode

import pytest

from dataflows.command_line.serve import serve
from dataflows.deployment.kubectl import Kubectl
from dataflows.deployment.manifests import Choice, Manifests, copied_to, rendered
from grpc_services.python.settings import ServerSettings
from runtime.errors import SettingsError
from tests.conftest import ROOT
from tests.deploy.test_kubernetes_page import FILES, PAGE

SENSORS = ("celsius", "bar", "vibration", "ampere", "door?", "humidity?")

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not on the PATH: https://kubernetes.io/docs/tasks/tools/"
)


@pytest.fixture(scope="module")
def overlays(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Manifests]:
    """Each overlay of the page, by its folder."""
    kubernetes = tmp_path_factory.mktemp("page") / "kubernetes"
    copied_to(kubernetes)
    for name, text in FILES:
        file = kubernetes.parent / name
        file.parent.mkdir()
        file.write_text(text)
    folders = {(kubernetes.parent / name).parent for name, _ in FILES}
    return {folder.name: rendered(Choice(str(folder)), Kubectl()) for folder in folders}


def environment(manifests: Manifests, service: str) -> dict[str, str]:
    """The variables that the pods of a service get, in the order in which they win."""
    secrets = {one["metadata"]["name"]: one.get("data") or {} for one in manifests.of("Secret")}
    [container] = dict(manifests.pod_specs())[service]["containers"]
    variables: dict[str, str] = {}
    for entry in container["envFrom"]:
        data = secrets[entry["secretRef"]["name"]]
        variables |= {name: b64decode(value).decode() for name, value in data.items()}
    for one in container.get("env", []):
        variables[one["name"]] = one.get("value", "of another Secret")
    return variables


def settings(service: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> ServerSettings:
    """What ``latecomer serve`` makes of an environment, before it starts anything."""
    with monkeypatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        with serve.make_context("serve", [service]) as context:
            return ServerSettings.of(**{name: value for name, value in context.params.items() if name != "language"})


def test_the_job_and_both_services_take_what_the_overlay_of_six_sensors_gives_them(
    overlays: dict[str, Manifests], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests = overlays["plant"]
    assert manifests.settings.log.sensors == SENSORS
    features = settings("features", environment(manifests, "features"), monkeypatch)
    assert (features.plugins.sensors, features.plugins.features_from) == (SENSORS, "plant:FEATURES")
    inference = settings("inference", environment(manifests, "inference"), monkeypatch)
    assert inference.plugins.model == "plant:wear"


def test_a_setting_of_one_service_stops_the_other(
    overlays: dict[str, Manifests], monkeypatch: pytest.MonkeyPatch
) -> None:
    for service, other in (("features", "inference"), ("inference", "features")):
        with pytest.raises(SettingsError, match="service only"):
            settings(service, environment(overlays["plant"], other), monkeypatch)


def test_the_services_and_what_else_runs_their_image_are_of_the_users_own(overlays: dict[str, Manifests]) -> None:
    manifests = overlays["plant"]
    images = {name: spec["containers"][0]["image"] for name, spec in manifests.pod_specs()}
    assert images["features"] == images["inference"] == "plant-services:1"
    assert images["latecomer-jobmanager"].startswith("latecomer/flink-job:")


def test_every_overlay_of_the_page_gives_its_services_settings_that_they_take(
    overlays: dict[str, Manifests], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert overlays.keys() == {"mine", "plant", "secured"}
    for manifests in overlays.values():
        for service in ("features", "inference"):
            settings(service, environment(manifests, service), monkeypatch)


def test_the_image_of_the_page_is_the_one_that_a_new_project_has() -> None:
    [recipe] = re.findall(r"^```dockerfile\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    written = (ROOT / "dataflows" / "new_project" / "template" / "Dockerfile").read_text()
    assert recipe.splitlines() == [line for line in written.splitlines() if not line.startswith("#")]
    base = (ROOT / "deploy" / "docker" / "python-services.Dockerfile").read_text()
    assert "PYTHONPATH=/opt/latecomer" in base  # which the recipe puts first


def test_the_sensors_of_the_page_are_those_of_the_page_about_a_fleet_of_ones_own() -> None:
    names = ", ".join(f'"{name}"' for name in SENSORS)
    assert f"sensors = [{names}]" in (ROOT / "docs" / "own-fleet.md").read_text()
