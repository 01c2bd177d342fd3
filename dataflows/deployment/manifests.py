"""The manifests of an overlay, as kustomize renders them, with what the command line changes about them."""

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from dataflows.deployment.job_settings import checked_settings, variable_of
from dataflows.deployment.kubectl import DeployError, Kubectl
from dataflows.settings import RunSettings
from runtime.errors import SettingsError

__all__ = ["JOB", "JOB_MANAGER", "SETTINGS", "Choice", "Manifests", "copied_to", "rendered"]

SETTINGS: Final = "latecomer-settings"
"""The ConfigMap with the environment of the job; a name as it stands in the sources, before kustomize's hash."""

JOB: Final = "latecomer"
"""The FlinkDeployment."""

JOB_MANAGER: Final = "latecomer-jobmanager"
"""The Job that runs it without an operator."""

_IMAGES: Final = ("flink-job", "python-services", "java-services", "kafka")
_IMAGE: Final = re.compile(r"(?:(?P<registry>[\w.-]+(?::\d+)?(?:/[\w.-]+)*):)?(?P<tag>\w[\w.-]{0,127})")
_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user chose.

    Attributes:
        overlay: the name of one that is shipped, or a folder with a kustomization.
        namespace: in place of the overlay's.
        image: the tag of the images, or ``REGISTRY/PATH:TAG`` where the project's images lie in another registry.
        settings: ``NAME=VALUE``, each in place of a setting of the job.
    """

    overlay: str = "local"
    namespace: str | None = None
    image: str | None = None
    settings: tuple[str, ...] = ()


class Manifests:
    """What is to be in the cluster."""

    def __init__(self, text: str) -> None:
        import yaml  # not in every image that has the command line

        self.text = text
        self.documents: list[dict[str, Any]] = [document for document in yaml.safe_load_all(text) if document]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [document for document in self.documents if document["kind"] in kinds]

    @property
    def namespace(self) -> str:
        """Where they go.

        Raises:
            SettingsError: the overlay does not say.
        """
        found = {namespace for one in self.documents if (namespace := one["metadata"].get("namespace"))}
        if len(found) != 1:
            raise SettingsError("the overlay names no namespace, or several: give --namespace")
        return str(found.pop())

    @property
    def uses_operator(self) -> bool:
        return bool(self.of("FlinkDeployment"))

    @property
    def settings(self) -> RunSettings:
        """The settings of the job.

        Raises:
            SettingsError: one is wrong, or there are none.
        """
        for document in self.of("ConfigMap"):
            if document["metadata"]["name"].startswith(SETTINGS):
                return checked_settings(document["data"])
        raise SettingsError(f"the overlay has no ConfigMap {SETTINGS}")

    def pod_specs(self) -> list[tuple[str, dict[str, Any]]]:
        """Each workload's name and what its pods are made from."""
        paths = {
            "FlinkDeployment": ("spec", "podTemplate", "spec"),
            "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
            **dict.fromkeys(("Deployment", "StatefulSet", "Job"), ("spec", "template", "spec")),
        }
        found = []
        for document in self.of(*paths):
            spec = document
            for part in paths[document["kind"]]:
                spec = spec[part]
            found.append((str(document["metadata"]["name"]), spec))
        return found


def _shipped() -> Path:
    """Where the shipped manifests are: in the installed package, or in a checkout."""
    installed = Path(__file__).parent / "kubernetes"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "deploy" / "kubernetes"


def copied_to(folder: Path) -> None:
    """Copy the shipped manifests into a new folder, for overlays of one's own.

    Raises:
        SettingsError: the folder is there.
        OSError: it cannot be made.
    """
    if folder.exists():
        raise SettingsError(f"{folder} exists: name a new folder")
    shutil.copytree(_shipped(), folder)


def _folder_of(overlay: str) -> Path:
    shipped = _shipped() / "overlays"
    names = sorted(path.name for path in shipped.iterdir()) if shipped.is_dir() else []
    folder = shipped / overlay if overlay in names else Path(overlay)
    if not (folder / "kustomization.yaml").is_file():
        raise SettingsError(
            f"--overlay {overlay}: neither one of {', '.join(names)}, nor a folder with a kustomization.yaml"
        )
    return folder.resolve()


def rendered(choice: Choice, kubectl: Kubectl) -> Manifests:
    """Render an overlay, with its settings checked.

    Raises:
        SettingsError: a choice is wrong, or a setting of the job.
        DeployError: kustomize refuses the overlay.
    """
    folder = _folder_of(choice.overlay)
    with TemporaryDirectory(prefix="latecomer-") as name:
        top = Path(name).resolve()
        kustomization = _kustomization(choice) | {"resources": [os.path.relpath(folder, top)]}
        (top / "kustomization.yaml").write_text(json.dumps(kustomization))
        try:
            manifests = Manifests(kubectl.run("kustomize", str(top)))
        except DeployError as error:
            raise DeployError(f"--overlay {choice.overlay}: {error}") from None
    _ = manifests.settings, manifests.namespace
    return manifests


def _kustomization(choice: Choice) -> dict[str, Any]:
    """What is laid over the overlay."""
    top: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    if choice.namespace is not None:
        if not _NAMESPACE.fullmatch(choice.namespace):
            raise SettingsError(f"--namespace {choice.namespace}: must be lower-case letters, digits and -, at most 63")
        top["namespace"] = choice.namespace
    if choice.image is not None:
        match = _IMAGE.fullmatch(choice.image)
        if match is None:
            raise SettingsError(f"--image {choice.image}: write TAG, or REGISTRY/PATH:TAG")
        registry = match["registry"] or "latecomer"
        top["images"] = [
            {"name": f"latecomer/{image}", "newName": f"{registry}/{image}", "newTag": match["tag"]}
            for image in _IMAGES
        ]
    if choice.settings:
        literals = []
        for setting in choice.settings:
            name, equals, value = setting.partition("=")
            if not equals:
                raise SettingsError(f"--set {setting}: write NAME=VALUE, for example tick=5m")
            literals.append(f"{variable_of(name)}={value}")
        top["configMapGenerator"] = [{"name": SETTINGS, "behavior": "merge", "literals": literals}]
    return top
