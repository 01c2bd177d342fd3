"""A node that the tests start for themselves, with the project's images built into it.

``LATECOMER_TEST_NODE`` names the folder of its commands: ``up`` starts a cluster of one node where there is none, and
prints ``export KUBECONFIG=...`` for a shell; ``down`` stops it; ``base-images`` makes the images that the Dockerfiles
start from; ``build-image TAG FOLDER`` builds a Dockerfile, loads the image, and passes further options to
``buildah build``. What fails for a reason of the machine's is a ``NodeError``: it says nothing about the pipeline, so
tests are skipped for it.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from time import monotonic
from typing import Final

import pytest

from dataflows.deployment.kubectl import DeployError, Kubectl
from runtime.errors import SettingsError
from tests.conftest import ROOT

__all__ = ["NodeError", "digest_of_sources", "node_trouble", "started_node"]

COMMANDS: Final = ("up", "down", "base-images", "build-image")
IMAGES: Final = ("kafka", "python-services", "flink-job")

SOURCES: Final = (
    *(".dockerignore", "LICENSE", "README.md", "dataflows/", "deploy/docker/", "grpc_services/", "pom.xml", "protos/"),
    *("pyproject.toml", "requirements/", "runtime/", "window_core/"),
)
"""The folders and files of the project of which images are made, and how."""

STARTED_WITHIN_S: Final = 300.0
"""It takes 12 s on an idle machine, and a minute where Debian packages have to be installed first."""

BUILT_WITHIN_S: Final = 1_800.0
"""All images from nothing, base images included, take a third of it on two idle cores."""

STOPPED_WITHIN_S: Final = 120.0
KILLED_WITHIN_S: Final = 10.0
"""What a command has to clean up once it is told to end, and the kernel to bury it once it is killed."""

NEEDED: Final = {"memory": 6 * 2**30, "disk": 20 * 2**30}
"""What the overlay ``local`` is sized for; and what its images take, in three places each."""

CERTIFICATES: Final = Path("/etc/ssl/certs/java/cacerts")
"""What this machine's Java trusts: Maven in a build trusts the same, such as a proxy in front of a registry."""

CONTROL: Final = """\
FROM eclipse-temurin:17-jre-jammy AS java
FROM python:3.11-slim-bookworm AS python
FROM debian:bookworm-slim AS debian
RUN apt-get update
FROM scratch
COPY --from=java /etc/debian_version /java
COPY --from=python /etc/debian_version /python
COPY --from=debian /etc/debian_version /debian
"""
"""Says whether this machine can build anything: the base images are there, a step runs, and the network is reached."""

OF_THE_MACHINE: Final = re.compile(
    r"could not resolve|temporary failure|name resolution|connection (refused|reset|timed out)|network is unreachable"
    r"|read timed out|could not transfer|failed to fetch|no matching distribution|sslerror|certificate verify|pkix"
    r"|http[^ ]* [45]\d\d|status code: [45]\d\d|no space left|cannot allocate memory"
    r"|signal: killed|operation not permitted",
    re.IGNORECASE,
)
"""In the last words of a build: the network, a registry, or a machine that is too small."""


class NodeError(RuntimeError):
    """The machine cannot do it. The message says what failed, and ``is_late`` whether it took too long."""

    def __init__(self, message: str, *, is_late: bool = False) -> None:
        super().__init__(message)
        self.is_late = is_late


@contextmanager
def started_node(folder: Path) -> Iterator[str]:
    """A cluster of this machine as ``kubectl``'s current one, with the images of this checkout: gives their tag.

    It is stopped in the end, unless it ran before.

    Raises:
        NodeError: it does not start, or no image can be built.
    """
    with _blamed_on_the_machine():
        _check_machine(folder)
    began = datetime.now(UTC).replace(microsecond=0)
    is_ours = True
    with pytest.MonkeyPatch.context() as patch:
        try:
            with _blamed_on_the_machine():
                for name, value in _exported(_run([folder / "up"], STARTED_WITHIN_S)).items():
                    patch.setenv(name, value)
                made = Kubectl().json("get", "namespace", "kube-system")["metadata"]["creationTimestamp"]
                is_ours = datetime.fromisoformat(made) >= began
                tag = digest_of_sources()
                _build_missing(folder, tag)
            yield tag
        finally:
            if is_ours:
                _stop(folder)


@contextmanager
def _blamed_on_the_machine() -> Iterator[None]:
    """Nothing of the pipeline runs yet: but for an image that cannot be built, what fails is the machine's."""
    try:
        yield
    except (DeployError, SettingsError, OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
        raise NodeError(f"{type(error).__name__}: {error}") from error


def _stop(folder: Path) -> None:
    """Stop the node; one that cannot be stopped is no failure of what ran on it."""
    try:
        _run([folder / "down"], STOPPED_WITHIN_S)
    except (NodeError, OSError) as error:
        print(f"the node could not be stopped: {error}", file=sys.stderr)


def node_trouble() -> str | None:
    """What is wrong with the cluster itself, if something is."""
    try:
        kubectl = Kubectl()
        kubectl.run("get", "--raw=/readyz", "--request-timeout=20s")
        for node in kubectl.json("get", "nodes")["items"]:
            for condition in node["status"]["conditions"]:
                if condition["status"] != str(condition["type"] == "Ready"):  # the others are pressures
                    return f"node {node['metadata']['name']}: {condition['type']} is {condition['status']}"
        for deployment in kubectl.json("get", "deployments", "--namespace=kube-system")["items"]:
            if not deployment["status"].get("availableReplicas"):
                return f"{deployment['metadata']['name']} of the cluster is not available"
    except (DeployError, SettingsError) as error:
        return str(error)
    return None


def digest_of_sources() -> str:
    """A tag for the images: the same for the same files that can reach a build."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    digest = sha256()
    for name in sorted(listed.stdout.split("\0")):
        if name.startswith(SOURCES) and (ROOT / name).is_file():
            digest.update(f"{name}\0".encode() + sha256((ROOT / name).read_bytes()).digest())
    return f"sources-{digest.hexdigest()[:12]}"


def _check_machine(folder: Path) -> None:
    missing = [name for name in COMMANDS if not os.access(folder / name, os.X_OK)]
    if missing:
        raise NodeError(f"{folder} has no {', '.join(missing)}")
    memory = re.search(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
    free = {"memory": int(memory[1]) * 1024 if memory else 0, "disk": shutil.disk_usage("/var/lib").free}
    for what, needed in NEEDED.items():
        if free[what] < needed:
            raise NodeError(f"{free[what] / 2**30:.1f} GiB of {what} are free, {needed / 2**30:.0f} are needed")


def _exported(said: str) -> dict[str, str]:
    line = re.search(r"^export (.+)$", said, re.MULTILINE)
    if line is None:
        raise NodeError(f"up printed no line `export ...`: {said[-300:]}")
    return {name: os.path.expandvars(value) for name, _, value in (one.partition("=") for one in shlex.split(line[1]))}


def _build_missing(folder: Path, tag: str) -> None:
    """Build what the node does not have; layers that are the same are taken from builds before."""
    give_up_s = monotonic() + BUILT_WITHIN_S
    nodes = Kubectl().json("get", "nodes")["items"]
    there = {name for node in nodes for image in node["status"].get("images", []) for name in image["names"]}
    missing = [name for name in IMAGES if f"docker.io/latecomer/{name}:{tag}" not in there]
    if not missing:
        return
    with TemporaryDirectory() as scratch:
        (Path(scratch) / "Dockerfile").write_text(CONTROL)
        control = [folder / "build-image", "latecomer/control:1", scratch]
        try:
            _run(control, give_up_s - monotonic())
        except NodeError:
            _run([folder / "base-images"], give_up_s - monotonic())
            _run(control, give_up_s - monotonic())
        trusted = Path(scratch) / "cacerts"
        if CERTIFICATES.is_file():  # a build may add to it, so it gets a copy
            shutil.copyfile(CERTIFICATES, trusted)
        options = ["--volume", f"{trusted}:{CERTIFICATES}:rw"] if trusted.is_file() else []
        for name in missing:
            dockerfile = ROOT / "deploy" / "docker" / f"{name}.Dockerfile"
            build = [folder / "build-image", f"latecomer/{name}:{tag}", ROOT, "--file", dockerfile, *options]
            try:
                _run(build, give_up_s - monotonic())
            except NodeError as error:
                if error.is_late or OF_THE_MACHINE.search(str(error)):
                    raise
                raise AssertionError(f"the image {name} cannot be built: {error}") from error


def _run(command: list[str | Path], within_s: float) -> str:
    """What a command prints.

    Raises:
        NodeError: it failed, with its last words; or it did not end in time, and is ended with all that it started.
    """
    with TemporaryFile("w+") as said:
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(max(within_s, 0.0))
        except subprocess.TimeoutExpired:
            raise NodeError(f"{command[0]} did not end within {within_s:.0f} s", is_late=True) from None
        finally:
            _end(process)
        said.seek(0)
        text = said.read()
    if status:
        raise NodeError(f"{' '.join(map(str, command[:2]))} ended with status {status}:\n{text[-3_000:]}")
    return text


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what still runs, with its children: after a time-out, its own or that of the whole test."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            for how in (signal.SIGTERM, signal.SIGKILL):
                os.killpg(process.pid, how)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(KILLED_WITHIN_S)
