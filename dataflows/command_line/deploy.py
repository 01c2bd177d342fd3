"""``latecomer deploy``: the pipeline on a Kubernetes cluster."""

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from dataflows.deployment.bundle import write_bundle
from dataflows.deployment.checks import check_cluster
from dataflows.deployment.kubectl import Kubectl
from dataflows.deployment.manifests import Choice, Manifests, copied_to, rendered
from dataflows.deployment.report import status_lines
from dataflows.deployment.rollout import apply, upgrade
from dataflows.deployment.stopping import delete
from runtime.errors import SettingsError
from runtime.options import DURATION
from runtime.terminal import say, show

__all__ = ["deploy"]

_FROM_SAVEPOINT = click.option(
    "--from-savepoint", "savepoint", metavar="PATH", help="Start the job from this savepoint or checkpoint."
)
_TIMEOUT = click.option(
    "--timeout", type=DURATION, default="10m", show_default=True, help="How long to wait until everything is ready."
)


@click.group()
def deploy() -> None:
    """Deploy the pipeline to a Kubernetes cluster, with kubectl.

    The overlay decides whether the Flink Kubernetes Operator runs the job.
    """


def _on_an_overlay(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what is deployed where; it gets the cluster and the rendered manifests."""

    @click.option("--overlay", default="local", show_default=True, metavar="NAME|DIR", help="Overlay to deploy.")
    @click.option("--context", metavar="NAME", help="Context of your kubeconfig. Default: the current one.")
    @click.option("--namespace", metavar="NAME", help="Namespace to deploy to. Default: the overlay's.")
    @click.option(
        "--image",
        metavar="[REGISTRY/PATH:]TAG",
        help="Registry, path and tag of the project's images. Default: the overlay's.",
    )
    @click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        help="Change a setting of the job, for example tick=5m; repeatable.",
    )
    @wraps(command)
    def with_manifests(
        overlay: str,
        context: str | None,
        namespace: str | None,
        image: str | None,
        settings: tuple[str, ...],
        **more: Any,
    ) -> Any:
        manifests = rendered(Choice(overlay, namespace, image, settings), Kubectl(context))
        return command(Kubectl(context, manifests.namespace), manifests, **more)

    return with_manifests


@deploy.command(name="render")
@_on_an_overlay
def _render(kubectl: Kubectl, manifests: Manifests) -> None:
    """Print the manifests that apply would apply, without contacting a cluster."""
    click.echo(manifests.text, nl=False)


@deploy.command(name="manifests")
@click.argument("folder", type=click.Path(path_type=Path))
def _manifests(folder: Path) -> None:
    """Copy the manifests to a new FOLDER, for overlays of your own."""
    copied_to(folder)
    show(f"an overlay of your own: {folder / 'overlays' / 'NAME' / 'kustomization.yaml'}")


@deploy.command(name="bundle")
@click.argument("folder", type=click.Path(path_type=Path))
@_on_an_overlay
def _bundle(kubectl: Kubectl, manifests: Manifests, folder: Path) -> None:
    """Write what a cluster without internet needs to a new FOLDER: manifests.yaml, and images.txt, an image a line."""
    images = write_bundle(manifests, folder)
    show(f"{folder / 'manifests.yaml'}, and {len(images)} images in {folder / 'images.txt'}")


@deploy.command(name="apply")
@_on_an_overlay
@_FROM_SAVEPOINT
@click.option("--from-nothing", is_flag=True, help="Start the job without the state of an earlier one.")
@_TIMEOUT
def _apply(kubectl: Kubectl, manifests: Manifests, from_nothing: bool, **more: Any) -> None:
    """Apply an overlay, and wait until everything is ready.

    A new job resumes from the savepoint that delete took, whether the operator runs it or not.
    """
    if from_nothing and more["savepoint"] is not None:
        raise SettingsError("--from-nothing and --from-savepoint exclude each other")
    _roll_out(partial(apply, from_nothing=from_nothing), kubectl, manifests, **more)


@deploy.command(name="upgrade")
@_on_an_overlay
@_FROM_SAVEPOINT
@_TIMEOUT
def _upgrade(kubectl: Kubectl, manifests: Manifests, **more: Any) -> None:
    """Change the settings, image or code of a running job; it resumes from a savepoint, so no window is lost.

    The Kafka of the component kafka stays as it is; apply changes it.
    """
    _roll_out(upgrade, kubectl, manifests, **more)


def _roll_out(
    step: Callable[..., None], kubectl: Kubectl, manifests: Manifests, savepoint: str | None, timeout: int
) -> None:
    check_cluster(kubectl, manifests)
    step(kubectl, manifests, timeout, say, savepoint)
    show(f"running in namespace {manifests.namespace}")


@deploy.command(name="status")
@_on_an_overlay
def _status(kubectl: Kubectl, manifests: Manifests) -> int:
    """Show what is ready, the job's lag, its last checkpoint and its restarts.

    Exit status: 0 if everything is well, 1 if not.
    """
    kubectl.check_reachable()
    lines, is_well = status_lines(kubectl, manifests)
    show(*lines)
    return 0 if is_well else 1


@deploy.command(name="delete")
@_on_an_overlay
@click.option("--with-state", is_flag=True, help="Remove the volumes and the namespace as well: all windows are lost.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def _delete(kubectl: Kubectl, manifests: Manifests, with_state: bool, yes: bool) -> int:
    """Stop the job with a savepoint and remove everything but the state."""
    kubectl.check_reachable()
    if with_state and not yes:
        what = f"the namespace {manifests.namespace}" if manifests.of("Namespace") else "the volumes"
        if not click.confirm(f"Remove {what} with all windows, checkpoints and topics in it?", err=True):
            say("nothing was removed")
            return 1
    delete(kubectl, manifests, say, with_state=with_state)
    return 0
