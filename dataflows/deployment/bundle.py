"""Writes what a cluster without internet needs: the manifests of an overlay, and the images that they name."""

from pathlib import Path
from typing import Any

from dataflows.deployment.manifests import Manifests
from dataflows.deployment.rollout import with_digest
from runtime.errors import SettingsError
from runtime.written_files import naming

__all__ = ["images_of", "write_bundle"]


def images_of(manifests: Manifests) -> list[str]:
    """Each image that a pod is made of, once, sorted."""
    images = {one["spec"]["image"] for one in manifests.of("FlinkDeployment")}
    for _, spec in manifests.pod_specs():
        containers: list[dict[str, Any]] = [*spec.get("initContainers", []), *spec["containers"]]
        images |= {container["image"] for container in containers if "image" in container}
    return sorted(images)


def write_bundle(manifests: Manifests, folder: Path) -> list[str]:
    """Write ``manifests.yaml`` and ``images.txt`` into a new folder; give the images.

    Raises:
        SettingsError: the folder is there.
        OSError: it cannot be written.
    """
    import yaml  # not in every image that has the command line

    if folder.exists():
        raise SettingsError(f"{folder} exists: name a new folder")
    images = images_of(manifests)
    folder.mkdir(parents=True)
    for name, text in (
        ("manifests.yaml", yaml.safe_dump_all(with_digest(manifests), sort_keys=False)),
        ("images.txt", "".join(f"{image}\n" for image in images)),
    ):
        with naming(folder / name):
            (folder / name).write_text(text)
    return images
